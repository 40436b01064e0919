# Packs the kernel's RTL as an IP with a Vitis kernel's properties, and that as a .xo file.
set here [file normalize [file join [file dirname [info script]] ..]]
source [file join $here settings.tcl]
set work [file join $here work]

create_project -force kernel [file join $work kernel] -part $part
add_files -norecurse [lsort [glob [file join $here rtl *]]]
set headers [get_files -quiet *.svh]
if {[llength $headers]} {
    set_property file_type {Verilog Header} $headers
}
set_property top $kernel [current_fileset]
update_compile_order -fileset sources_1

ipx::package_project -root_dir [file join $work ip] -vendor fpgaclass -library kernel -taxonomy /KernelIP \
    -import_files -set_current true
set core [ipx::current_core]
foreach bus {m_axi_gmem s_axi_control} {
    ipx::associate_bus_interfaces -busif $bus -clock ap_clk $core
}

# The register map: hls4ml's own, so that its driver keeps working.
set map [ipx::get_memory_maps s_axi_control -of_objects $core]
set block [ipx::get_address_blocks reg0 -of_objects $map]
foreach {name offset bits} $registers {
    set register [ipx::add_register $name $block]
    set_property address_offset $offset $register
    set_property size $bits $register
    if {[lsearch -exact $pointers $name] >= 0} {
        set bus [ipx::add_register_parameter ASSOCIATED_BUSIF $register]
        set_property value m_axi_gmem $bus
    }
}

set_property sdx_kernel true $core
set_property sdx_kernel_type rtl $core
set_property supported_families {} $core
set_property auto_family_support_level level_2 $core
set_property core_revision 1 $core
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity -kernel $core
ipx::save_core $core

package_xo -force -xo_path [file join $work $kernel.xo] -kernel_name $kernel -ctrl_protocol ap_ctrl_hs \
    -ip_directory [file join $work ip]
close_project
