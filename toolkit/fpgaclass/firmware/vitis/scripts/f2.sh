# AWS F2: a custom logic of the HDK. Its frame is the installed HDK's own template, its design is ours.
: "${HDK_DIR:?source hdk_setup.sh of aws-fpga (branch f2) first}"
: "${HDK_SHELL_DIR:?source hdk_setup.sh of aws-fpga (branch f2) first}"
CL_DIR=$(pwd)/work/cl_fpgaclass
export CL_DIR
cp -rL "$HDK_DIR/cl/examples/CL_TEMPLATE" "$CL_DIR"
rm -f "$CL_DIR"/design/*
cp rtl/* design/* "$CL_DIR/design/"
sed 's/CL_TEMPLATE/cl_fpgaclass/g' "$CL_DIR/build/scripts/synth_CL_TEMPLATE.tcl" \
    >"$CL_DIR/build/scripts/synth_cl_fpgaclass.tcl"
rm "$CL_DIR/build/scripts/synth_CL_TEMPLATE.tcl"
(cd "$CL_DIR/build/scripts" && "$HDK_SHELL_DIR/build/scripts/aws_build_dcp_from_cl.py" -c cl_fpgaclass)
find "$CL_DIR/build/checkpoints" -name '*.Developer_CL.tar' -exec cp {} "results/$NAME.Developer_CL.tar" \;
find "$CL_DIR/build/reports" -name '*.rpt' -exec cp {} results/reports/ \;
