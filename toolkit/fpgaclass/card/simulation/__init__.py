"""Kernels as simulators: RTL compiled for this machine, or in Python where there is no compiler."""
