"""Kernels without a C++ compiler: yosys' netlist as a program in Python, with the bench around it."""
