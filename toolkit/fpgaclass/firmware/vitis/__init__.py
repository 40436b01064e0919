"""The vendor's tools: a firmware as a project for them, run here or packed, and what they say read back."""

from fpgaclass.firmware.vitis.project import VendorProject, make_project
from fpgaclass.firmware.vitis.reports import (
    HlsEstimate,
    Instance,
    read_csynth,
    read_kernel_utilization,
    read_utilization,
    read_worst_slack,
)
from fpgaclass.firmware.vitis.results import (
    TOOLCHAIN,
    build_with_vendor,
    bundle,
    read_back,
    require_vendor_tools,
)

__all__ = [
    "TOOLCHAIN",
    "HlsEstimate",
    "Instance",
    "VendorProject",
    "build_with_vendor",
    "bundle",
    "make_project",
    "read_back",
    "read_csynth",
    "read_kernel_utilization",
    "read_utilization",
    "read_worst_slack",
    "require_vendor_tools",
]
