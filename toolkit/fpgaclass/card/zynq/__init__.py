"""The Zynq form: bit and hwh files, and what a virtual board is once they are on it."""
