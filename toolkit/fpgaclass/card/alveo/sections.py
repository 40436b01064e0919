"""The sections from which pynq and AMD's runtime learn what is in an xclbin."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from xml.etree import ElementTree

from fpgaclass.card.alveo.axlf import text_field
from fpgaclass.card.design import Bank, KernelDesign

FIRST_INSTANCE = 0x800000
INSTANCE_SPAN = 0x10000
_BANK_TYPES = {"DDR4": 1, "HBM": 6}
_IP_KERNEL = 1
_DATA_CLOCK, _KERNEL_CLOCK = 1, 2


def metadata(design: KernelDesign, platform: str, part: str) -> bytes:
    """Return EMBEDDED_METADATA, an XML: names, registers, ports."""
    vendor, board, name, _ = platform.split(":")
    project = ElementTree.Element("project", name=design.name)
    top = ElementTree.SubElement(
        project, "platform", vendor=vendor, boardid=board, name=name, featureRomTime="0"
    )
    ElementTree.SubElement(top, "version", major="1", minor="0")
    device = ElementTree.SubElement(top, "device", name="fpga0", fpgaDevice=part, addrWidth="0")
    core = ElementTree.SubElement(
        device,
        "core",
        name="OCL_REGION_0",
        target="hw",
        type="clc_region",
        clockFreq=f"{design.clock_mhz:g}MHz",
        numComputeUnits=str(design.instances),
    )
    clocks = ElementTree.SubElement(core, "kernelClocks")
    ElementTree.SubElement(clocks, "clock", port="DATA_CLK", frequency=f"{design.clock_mhz:.6f}MHz")
    kernel = ElementTree.SubElement(
        core,
        "kernel",
        name=design.name,
        language="ip",
        vlnv=f"fpgaclass:kernel:{design.name}:1.0",
        preferredWorkGroupSizeMultiple="0",
        workGroupSize="1",
        interrupt="true",
        hwControlProtocol="ap_ctrl_hs",
    )
    port = {"portType": "addressable", "base": "0x0"}
    master = {"mode": "master", "range": "0xFFFFFFFFFFFFFFFF", "dataWidth": "512"}
    slave = {"mode": "slave", "range": f"{INSTANCE_SPAN:#x}", "dataWidth": "32"}
    ElementTree.SubElement(kernel, "port", {"name": "M_AXI_GMEM", **master, **port})
    ElementTree.SubElement(kernel, "port", {"name": "S_AXI_CONTROL", **slave, **port})
    for i, argument in enumerate(design.arguments):
        ElementTree.SubElement(
            kernel,
            "arg",
            name=argument.name,
            addressQualifier=str(int(argument.is_pointer)),
            id=str(i),
            port="M_AXI_GMEM" if argument.is_pointer else "S_AXI_CONTROL",
            size=f"{argument.size:#x}",
            offset=f"{argument.offset:#x}",
            hostOffset="0x0",
            hostSize=f"{argument.size:#x}",
            type=argument.ctype,
        )
    for i, instance in enumerate(design.instance_names):
        unit = ElementTree.SubElement(kernel, "instance", name=instance)
        ElementTree.SubElement(unit, "addrRemap", base=f"{_address(i):#x}", port="S_AXI_CONTROL")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(project)


def _address(instance: int) -> int:
    return FIRST_INSTANCE + instance * INSTANCE_SPAN


def memories(design: KernelDesign, banks: Sequence[Bank]) -> bytes:
    """Return MEM_TOPOLOGY: the banks, and which of them the design uses."""
    used = {argument.bank for argument in design.arguments}
    entries = [
        struct.pack(
            "<BB6xQQ16s",
            _BANK_TYPES[bank.kind],
            bank.tag in used,
            bank.size // 1024,
            bank.base,
            text_field(bank.tag, 16),
        )
        for bank in banks
    ]
    return struct.pack("<i4x", len(entries)) + b"".join(entries)


def instances(design: KernelDesign) -> bytes:
    """Return IP_LAYOUT: the compute units and their register addresses."""
    entries = [
        struct.pack("<IIQ64s", _IP_KERNEL, 0, _address(i), text_field(f"{design.name}:{name}", 64))
        for i, name in enumerate(design.instance_names)
    ]
    return struct.pack("<i4x", len(entries)) + b"".join(entries)


def connections(design: KernelDesign, tags: Sequence[str]) -> bytes:
    """Return CONNECTIVITY: which argument of which unit reaches which bank."""
    entries = [
        struct.pack("<iii", position, instance, tags.index(argument.bank))
        for instance in range(design.instances)
        for position, argument in enumerate(design.arguments)
        if argument.bank is not None
    ]
    return struct.pack("<i", len(entries)) + b"".join(entries)


def clocks(design: KernelDesign) -> bytes:
    """Return CLOCK_FREQ_TOPOLOGY; the container holds whole megahertz only."""
    mhz = max(1, round(design.clock_mhz))
    named = ((_DATA_CLOCK, "DATA_CLK"), (_KERNEL_CLOCK, "KERNEL_CLK"))
    entries = [struct.pack("<HB5x128s", mhz, kind, text_field(name, 128)) for kind, name in named]
    return struct.pack("<h", len(entries)) + b"".join(entries)
