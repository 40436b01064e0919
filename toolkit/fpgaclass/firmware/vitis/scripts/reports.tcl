# What the implemented design takes and how fast it is, in the form that `fpgaclass firmware read-back` reads.
# Run in Vivado with the routed design open: by board.tcl, or as v++'s hook after routing.
set reports [file normalize [file join [file dirname [info script]] .. results reports]]
file mkdir $reports
report_utilization -hierarchical -file [file join $reports utilization_hierarchical.rpt]
report_utilization -file [file join $reports utilization.rpt]
report_timing_summary -file [file join $reports timing_summary.rpt]
