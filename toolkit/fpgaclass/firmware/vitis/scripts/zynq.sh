# Zynq: a block design around the kernel becomes a bit file, with the handoff (hwh) that pynq reads.
vivado -mode batch -nojournal -log work/board.log -source scripts/board.tcl
