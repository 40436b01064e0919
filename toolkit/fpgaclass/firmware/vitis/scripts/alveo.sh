# Alveo: the kernel's RTL becomes a Vitis kernel (.xo), and with the card's platform an xclbin.
vivado -mode batch -nojournal -log work/package.log -source scripts/package.tcl
v++ --link --target hw --platform "${FPGACLASS_PLATFORM:-$PLATFORM}" --config link.cfg \
    --report_level 2 --save-temps --temp_dir work/link --log_dir work/logs \
    --vivado.prop "run.impl_1.STEPS.ROUTE_DESIGN.TCL.POST=$(pwd)/scripts/reports.tcl" \
    --output "results/$NAME.xclbin" work/krnl_rtl.xo
find work -name '*kernel_util_routed.rpt' -exec cp {} results/reports/kernel_util_routed.rpt \;
