// A stand-in for the HDK's memory block, with the ports that our custom logic joins.
module sh_ddr #(parameter DDR_PRESENT = 1) (
    input logic clk, rst_n, stat_clk, stat_rst_n, CLK_DIMM_DP, CLK_DIMM_DN,
    output logic M_ACT_N, M_PAR, cl_RST_DIMM_N, output logic [17:0] M_MA,
    output logic [1:0] M_BA, M_BG, M_CKE, M_ODT, M_CS_N, M_CLK_DN, M_CLK_DP,
    inout wire [63:0] M_DQ, inout wire [7:0] M_ECC, inout wire [17:0] M_DQS_DP, M_DQS_DN
);
endmodule
