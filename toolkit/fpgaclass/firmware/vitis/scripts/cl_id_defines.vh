// Vendor and device of the HDK's own examples.
`define CL_SH_ID0 32'hF002_1D0F
`define CL_SH_ID1 32'h1D51_FEDC
