# A block design for a Zynq board: processor, DMA, the kernel on its streams, and the DMA's interrupts; with the
# names and addresses that pynq and hls4ml's driver expect.
set here [file normalize [file join [file dirname [info script]] ..]]
source [file join $here settings.tcl]
set work [file join $here work]

# The newest version that this Vivado has of an IP.
proc ip {name} {
    set found [lsort [get_ipdefs -all -filter "NAME == $name && VENDOR == xilinx.com"]]
    if {![llength $found]} {
        puts "ERROR: this Vivado has no IP named $name"
        exit 1
    }
    return [lindex $found end]
}

create_project -force board [file join $work board] -part $part
if {$board_part ne "" && [llength [get_board_parts -quiet $board_part]]} {
    set_property board_part $board_part [current_project]
    set preset 1
} else {
    puts "WARNING: no files of board $board_part: memory and clocks of the processor have Vivado's own settings"
    set preset 0
}
add_files -norecurse [lsort [glob [file join $here rtl *]]]
set_property file_type {Verilog Header} [get_files *.svh]
update_compile_order -fileset sources_1

create_bd_design design_1
if {$family eq "zynq"} {
    set ps [create_bd_cell -type ip -vlnv [ip processing_system7] processing_system7_0]
    apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
        -config [list make_external "FIXED_IO, DDR" apply_board_preset $preset] $ps
    set_property -dict [list CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ $clock_mhz CONFIG.PCW_USE_S_AXI_HP0 1 \
        CONFIG.PCW_USE_FABRIC_INTERRUPT 1 CONFIG.PCW_IRQ_F2P_INTR 1] $ps
    lassign {M_AXI_GP0 S_AXI_HP0 FCLK_CLK0 FCLK_RESET0_N IRQ_F2P} master memory clock reset irq
} else {
    set ps [create_bd_cell -type ip -vlnv [ip zynq_ultra_ps_e] zynq_ultra_ps_e_0]
    apply_bd_automation -rule xilinx.com:bd_rule:zynq_ultra_ps_e -config [list apply_board_preset $preset] $ps
    set_property -dict [list CONFIG.PSU__CRL_APB__PL0_REF_CTRL__FREQMHZ $clock_mhz \
        CONFIG.PSU__USE__M_AXI_GP0 1 CONFIG.PSU__USE__M_AXI_GP1 0 CONFIG.PSU__USE__M_AXI_GP2 0 \
        CONFIG.PSU__USE__S_AXI_GP2 1 CONFIG.PSU__USE__IRQ0 1] $ps
    lassign {M_AXI_HPM0_FPD S_AXI_HP0_FPD pl_clk0 pl_resetn0 pl_ps_irq0} master memory clock reset irq
}

create_bd_cell -type hier hier_0
set dma [create_bd_cell -type ip -vlnv [ip axi_dma] hier_0/axi_dma_0]
set_property -dict [list CONFIG.c_include_sg 0 CONFIG.c_sg_length_width $length_bits \
    CONFIG.c_m_axi_mm2s_data_width $beat_bits CONFIG.c_m_axis_mm2s_tdata_width $beat_bits \
    CONFIG.c_m_axi_s2mm_data_width $beat_bits CONFIG.c_s_axis_s2mm_tdata_width $beat_bits \
    CONFIG.c_mm2s_burst_size 64 CONFIG.c_s2mm_burst_size 64 \
    CONFIG.c_include_mm2s_dre 1 CONFIG.c_include_s2mm_dre 1] $dma
set core [create_bd_cell -type module -reference ${kernel}_top hier_0/${kernel}_0]
connect_bd_intf_net [get_bd_intf_pins $dma/M_AXIS_MM2S] [get_bd_intf_pins $core/in_r]
connect_bd_intf_net [get_bd_intf_pins $core/out_r] [get_bd_intf_pins $dma/S_AXIS_S2MM]

set merge [create_bd_cell -type ip -vlnv [ip xlconcat] irq_concat]
set_property CONFIG.NUM_PORTS 2 $merge
connect_bd_net [get_bd_pins $dma/mm2s_introut] [get_bd_pins $merge/In0]
connect_bd_net [get_bd_pins $dma/s2mm_introut] [get_bd_pins $merge/In1]
set intc [create_bd_cell -type ip -vlnv [ip axi_intc] axi_intc_0]
set_property CONFIG.C_IRQ_CONNECTION 1 $intc
connect_bd_net [get_bd_pins $merge/dout] [get_bd_pins $intc/intr]
connect_bd_net [get_bd_pins $intc/irq] [get_bd_pins $ps/$irq]

foreach slave [list $dma/S_AXI_LITE $core/s_axi_control $intc/s_axi] {
    apply_bd_automation -rule xilinx.com:bd_rule:axi4 \
        -config [list Master $ps/$master Clk_xbar Auto Clk_master Auto Clk_slave Auto] [get_bd_intf_pins $slave]
}
foreach master_port [list $dma/M_AXI_MM2S $dma/M_AXI_S2MM] {
    apply_bd_automation -rule xilinx.com:bd_rule:axi4 \
        -config [list Master $master_port Slave $ps/$memory Clk_xbar Auto Clk_master Auto Clk_slave Auto] \
        [get_bd_intf_pins $ps/$memory]
}
assign_bd_address
foreach {segment address} [list $dma/S_AXI_LITE/Reg $dma_at $core/s_axi_control/reg0 $kernel_at \
    $intc/S_AXI/Reg $intc_at] {
    set_property offset $address [get_bd_addr_segs -of_objects [get_bd_addr_segs $segment]]
}
validate_bd_design
save_bd_design

set wrapper [make_wrapper -files [get_files design_1.bd] -top]
add_files -norecurse $wrapper
set_property top design_1_wrapper [current_fileset]
update_compile_order -fileset sources_1
launch_runs impl_1 -to_step write_bitstream -jobs $jobs
wait_on_run impl_1
if {[get_property PROGRESS [get_runs impl_1]] ne "100%"} {
    foreach run {synth_1 impl_1} {
        set log [file join [get_property DIRECTORY [get_runs $run]] runme.log]
        if {[file exists $log]} {
            set file [open $log]
            foreach line [split [read $file] \n] {
                if {[string match ERROR:* $line]} { puts $line }
            }
            close $file
        }
    }
    puts "ERROR: implementation ended at [get_property STATUS [get_runs impl_1]]"
    exit 1
}
open_run impl_1
source [file join $here scripts reports.tcl]
file copy -force [file join [get_property DIRECTORY [get_runs impl_1]] design_1_wrapper.bit] \
    [file join $here results $name.bit]
set handoffs [glob [file join $work board board.* sources_1 bd design_1 hw_handoff design_1.hwh]]
file copy -force [lindex $handoffs 0] [file join $here results $name.hwh]
