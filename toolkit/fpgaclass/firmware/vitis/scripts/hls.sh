# Beside the build: high-level synthesis of hls4ml's C++ of the same model, for comparison. Run by hand.
cd "$(dirname "$0")/../hls"
printf 'array set opt {reset 1 csim 0 synth 1 cosim 0 validation 0 export 0 vsynth 0 fifo_opt 0}\n' >build_opt.tcl
vitis-run --mode hls --tcl build_prj.tcl
cp network_prj/solution1/syn/report/csynth.xml ../results/reports/
