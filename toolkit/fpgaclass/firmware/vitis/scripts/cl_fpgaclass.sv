// The kernel as custom logic of an AWS F2 instance: its registers on the OCL bus (BAR0 of the application
// function), its memory port on PCIM, which reads and writes the host's memory by physical address. No DDR, no HBM.
module cl_fpgaclass (
    `include "cl_ports.vh"
);
    `include "cl_id_defines.vh"

    logic reset_pipe, reset_n;
    always_ff @(posedge clk_main_a0) {reset_n, reset_pipe} <= {reset_pipe, rst_main_n};

    krnl_rtl krnl_rtl_1 (
        .ap_clk(clk_main_a0), .ap_rst_n(reset_n), .interrupt(),
        .s_axi_control_AWVALID(ocl_cl_awvalid), .s_axi_control_AWREADY(cl_ocl_awready),
        .s_axi_control_AWADDR(ocl_cl_awaddr[5:0]),
        .s_axi_control_WVALID(ocl_cl_wvalid), .s_axi_control_WREADY(cl_ocl_wready),
        .s_axi_control_WDATA(ocl_cl_wdata), .s_axi_control_WSTRB(ocl_cl_wstrb),
        .s_axi_control_BVALID(cl_ocl_bvalid), .s_axi_control_BREADY(ocl_cl_bready),
        .s_axi_control_BRESP(cl_ocl_bresp),
        .s_axi_control_ARVALID(ocl_cl_arvalid), .s_axi_control_ARREADY(cl_ocl_arready),
        .s_axi_control_ARADDR(ocl_cl_araddr[5:0]),
        .s_axi_control_RVALID(cl_ocl_rvalid), .s_axi_control_RREADY(ocl_cl_rready),
        .s_axi_control_RDATA(cl_ocl_rdata), .s_axi_control_RRESP(cl_ocl_rresp),

        .m_axi_gmem_ARVALID(cl_sh_pcim_arvalid), .m_axi_gmem_ARREADY(sh_cl_pcim_arready),
        .m_axi_gmem_ARADDR(cl_sh_pcim_araddr), .m_axi_gmem_ARID(cl_sh_pcim_arid[0]),
        .m_axi_gmem_ARLEN(cl_sh_pcim_arlen), .m_axi_gmem_ARSIZE(cl_sh_pcim_arsize),
        .m_axi_gmem_ARBURST(cl_sh_pcim_arburst), .m_axi_gmem_ARLOCK(), .m_axi_gmem_ARCACHE(cl_sh_pcim_arcache),
        .m_axi_gmem_ARPROT(cl_sh_pcim_arprot), .m_axi_gmem_ARQOS(cl_sh_pcim_arqos), .m_axi_gmem_ARREGION(),
        .m_axi_gmem_RVALID(sh_cl_pcim_rvalid), .m_axi_gmem_RREADY(cl_sh_pcim_rready),
        .m_axi_gmem_RDATA(sh_cl_pcim_rdata), .m_axi_gmem_RLAST(sh_cl_pcim_rlast),
        .m_axi_gmem_RID(sh_cl_pcim_rid[0]), .m_axi_gmem_RRESP(sh_cl_pcim_rresp),
        .m_axi_gmem_AWVALID(cl_sh_pcim_awvalid), .m_axi_gmem_AWREADY(sh_cl_pcim_awready),
        .m_axi_gmem_AWADDR(cl_sh_pcim_awaddr), .m_axi_gmem_AWID(cl_sh_pcim_awid[0]),
        .m_axi_gmem_AWLEN(cl_sh_pcim_awlen), .m_axi_gmem_AWSIZE(cl_sh_pcim_awsize),
        .m_axi_gmem_AWBURST(cl_sh_pcim_awburst), .m_axi_gmem_AWLOCK(), .m_axi_gmem_AWCACHE(cl_sh_pcim_awcache),
        .m_axi_gmem_AWPROT(cl_sh_pcim_awprot), .m_axi_gmem_AWQOS(cl_sh_pcim_awqos), .m_axi_gmem_AWREGION(),
        .m_axi_gmem_WVALID(cl_sh_pcim_wvalid), .m_axi_gmem_WREADY(sh_cl_pcim_wready),
        .m_axi_gmem_WDATA(cl_sh_pcim_wdata), .m_axi_gmem_WSTRB(cl_sh_pcim_wstrb),
        .m_axi_gmem_WLAST(cl_sh_pcim_wlast),
        .m_axi_gmem_BVALID(sh_cl_pcim_bvalid), .m_axi_gmem_BREADY(cl_sh_pcim_bready),
        .m_axi_gmem_BID(sh_cl_pcim_bid[0]), .m_axi_gmem_BRESP(sh_cl_pcim_bresp)
    );
    assign cl_sh_pcim_arid[15:1] = '0;
    assign cl_sh_pcim_awid[15:1] = '0;
    assign {cl_sh_pcim_arlock, cl_sh_pcim_awlock} = '0;
    assign {cl_sh_pcim_aruser, cl_sh_pcim_awuser, cl_sh_pcim_wid, cl_sh_pcim_wuser} = '0;

    assign cl_sh_flr_done = 1'b1;
    assign cl_sh_id0 = `CL_SH_ID0;
    assign cl_sh_id1 = `CL_SH_ID1;
    assign {cl_sh_status0, cl_sh_status1, cl_sh_status2, cl_sh_status_vled} = '0;
    assign {cl_sh_dma_wr_full, cl_sh_dma_rd_full, cl_sh_apppf_irq_req, tdo} = '0;

    // Nothing answers on PCIS and SDA.
    assign {cl_sh_dma_pcis_awready, cl_sh_dma_pcis_wready, cl_sh_dma_pcis_arready} = '0;
    assign {cl_sh_dma_pcis_bid, cl_sh_dma_pcis_bresp, cl_sh_dma_pcis_bvalid} = '0;
    assign {cl_sh_dma_pcis_rid, cl_sh_dma_pcis_rdata, cl_sh_dma_pcis_rresp, cl_sh_dma_pcis_rlast} = '0;
    assign {cl_sh_dma_pcis_ruser, cl_sh_dma_pcis_rvalid} = '0;
    assign {cl_sda_awready, cl_sda_wready, cl_sda_bresp, cl_sda_bvalid, cl_sda_arready} = '0;
    assign {cl_sda_rdata, cl_sda_rresp, cl_sda_rvalid} = '0;

    // The HDK asks for its DDR block even where there is no controller in it.
    sh_ddr #(.DDR_PRESENT(0)) no_ddr (
        .clk(clk_main_a0), .rst_n(reset_n), .stat_clk(clk_main_a0), .stat_rst_n(reset_n),
        .CLK_DIMM_DP, .CLK_DIMM_DN, .M_ACT_N, .M_MA, .M_BA, .M_BG, .M_CKE, .M_ODT, .M_CS_N, .M_CLK_DN, .M_CLK_DP,
        .M_PAR, .M_DQ, .M_ECC, .M_DQS_DP, .M_DQS_DN, .cl_RST_DIMM_N(RST_DIMM_N)
    );
    assign {cl_sh_ddr_stat_rdata, cl_sh_ddr_stat_int} = '0;
    assign cl_sh_ddr_stat_ack = 1'b1;

    assign {hbm_apb_paddr_1, hbm_apb_pprot_1, hbm_apb_psel_1, hbm_apb_penable_1, hbm_apb_pwrite_1} = '0;
    assign {hbm_apb_pwdata_1, hbm_apb_pstrb_1, hbm_apb_pready_1, hbm_apb_prdata_1, hbm_apb_pslverr_1} = '0;
    assign {hbm_apb_paddr_0, hbm_apb_pprot_0, hbm_apb_psel_0, hbm_apb_penable_0, hbm_apb_pwrite_0} = '0;
    assign {hbm_apb_pwdata_0, hbm_apb_pstrb_0, hbm_apb_pready_0, hbm_apb_prdata_0, hbm_apb_pslverr_0} = '0;
    assign {PCIE_EP_TXP, PCIE_EP_TXN, PCIE_RP_PERSTN, PCIE_RP_TXP, PCIE_RP_TXN} = '0;
endmodule
