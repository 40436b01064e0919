"""The hardware handoff (hwh) of a Zynq design: from it pynq learns what is where.

The design is the one that hls4ml 1.3 draws for its boards: the processing system, and for each kernel a
hierarchy ``hier_<i>`` with ``axi_dma_0`` (direct register mode) and the kernel on its streams. Beside that,
the kernel's registers are on the bus, and the DMA's interrupts go to the processing system through
``axi_intc_0``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from fpgaclass.card.design import KernelDesign
from fpgaclass.card.simulation.stream_simulator import LENGTH_BITS
from fpgaclass.core import InvalidInputError

SPAN = 0x10000
INTERRUPTS = "axi_intc_0"
_LITE, _STREAM = "xilinx.com:interface:aximm:1.0", "xilinx.com:interface:axis:1.0"

# name, offset, fields (name, first bit, width)
_Register = tuple[str, int, tuple[tuple[str, int, int], ...]]
_DMACR = (
    ("RS", 0, 1), ("Reset", 2, 1), ("Keyhole", 3, 1), ("Cyclic_BD_Enable", 4, 1), ("IOC_IrqEn", 12, 1),
    ("Dly_IrqEn", 13, 1), ("Err_IrqEn", 14, 1), ("IRQThreshold", 16, 8), ("IRQDelay", 24, 8),
)  # fmt: skip
_DMASR = (
    ("Halted", 0, 1), ("Idle", 1, 1), ("SGIncld", 3, 1), ("DMAIntErr", 4, 1), ("DMASlvErr", 5, 1),
    ("DMADecErr", 6, 1), ("SGIntErr", 8, 1), ("SGSlvErr", 9, 1), ("SGDecErr", 10, 1), ("IOC_Irq", 12, 1),
    ("Dly_Irq", 13, 1), ("Err_Irq", 14, 1), ("IRQThresholdSts", 16, 8), ("IRQDelaySts", 24, 8),
)  # fmt: skip
_DMA_REGISTERS: tuple[_Register, ...] = tuple(
    (f"{channel}_{name}", base + offset, fields)
    for channel, base, address in (("MM2S", 0x00, "SA"), ("S2MM", 0x30, "DA"))
    for name, offset, fields in (
        ("DMACR", 0x00, _DMACR),
        ("DMASR", 0x04, _DMASR),
        (address, 0x18, ()),
        ("LENGTH", 0x28, (("Length", 0, LENGTH_BITS),)),
    )
)
_KERNEL_REGISTERS: tuple[_Register, ...] = (
    ("CTRL", 0x00, (("AP_START", 0, 1), ("AP_DONE", 1, 1), ("AP_IDLE", 2, 1), ("AP_READY", 3, 1))),
    ("GIER", 0x04, (("Enable", 0, 1),)),
    ("IP_IER", 0x08, (("CHAN0_INT_EN", 0, 1), ("CHAN1_INT_EN", 1, 1))),
    ("IP_ISR", 0x0C, (("CHAN0_INT_ST", 0, 1), ("CHAN1_INT_ST", 1, 1))),
    ("events", 0x10, ()),
    ("packets", 0x18, ()),
)
LETTER, REPLY = 0x400, 0x800
_INTC_REGISTERS: tuple[_Register, ...] = tuple(
    (name, 4 * index, ())
    for index, name in enumerate(("ISR", "IPR", "IER", "IAR", "SIE", "CIE", "IVR", "MER"))
)


@dataclass(frozen=True)
class ZynqMap:
    """Where things are on a board's bus.

    Attributes:
        family: ``"zynq"`` or ``"zynquplus"``, as a handoff calls it.
        dmas, kernels: base address of each, by instance.
        interrupts: base address of the interrupt controller.
    """

    family: str
    dmas: tuple[int, ...]
    kernels: tuple[int, ...]
    interrupts: int


def zynq_map(part: str, instances: int) -> ZynqMap:
    """Return the addresses of a design in a part such as ``"xc7z020clg400-1"``.

    Raises:
        InvalidInputError: it is no Zynq.
    """
    if part.startswith("xc7z"):
        family, dma, kernel, interrupts = "zynq", 0x40400000, 0x43C00000, 0x41800000
    elif part.startswith(("xczu", "xck")):
        family, dma, kernel, interrupts = "zynquplus", 0xA0000000, 0xA0100000, 0xA0200000
    else:
        raise InvalidInputError(f"part {part!r} is no Zynq (xc7z...) or Zynq UltraScale+ (xczu..., xck...)")
    spots = range(instances)
    return ZynqMap(
        family, tuple(dma + SPAN * i for i in spots), tuple(kernel + SPAN * i for i in spots), interrupts
    )


def write_hwh(design: KernelDesign, platform: str, part: str) -> bytes:
    """Return the handoff as XML.

    Args:
        design: a kernel with streams.
        platform: ``vendor:board:virtual:version``.
        part: of the FPGA.
    """
    where = zynq_map(part, design.instances)
    root = Element("EDKSYSTEM", EDWVERSION="1.2", TIMESTAMP="virtual", VIVADOVERSION="2022.1")
    device, package, speed = _split(part)
    SubElement(root, "SYSTEMINFO", ARCH=where.family, BOARD=platform, DEVICE=device, NAME="design_1",
               PACKAGE=package, SPEEDGRADE=speed)  # fmt: skip
    SubElement(root, "EXTERNALPORTS")
    SubElement(root, "EXTERNALINTERFACES")
    modules = SubElement(root, "MODULES")
    for index in range(design.instances):
        _add_dma(modules, index, design, where.dmas[index])
        _add_kernel(modules, index, design, where.kernels[index])
    _add_interrupts(modules, design.instances, where)
    _add_processor(modules, design, where)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _split(part: str) -> tuple[str, str, str]:
    """Cut a part's number into what a handoff lists: device, package, speed grade."""
    number, _, speed = part.partition("-")
    if number.startswith("xc7z"):
        return number[2:7], number[7:], f"-{speed}"
    package, _, grade = speed.partition("-")
    return number, package, f"-{grade}"


def _add_dma(modules: Element, index: int, design: KernelDesign, base: int) -> None:
    bits = 8 * int(design.about["beat_bytes"])
    parameters = {
        "c_include_sg": 0, "c_include_mm2s": 1, "c_include_s2mm": 1, "c_micro_dma": 0,
        "c_sg_length_width": LENGTH_BITS, "c_sg_include_stscntrl_strm": 0, "c_addr_width": 32,
        "c_include_mm2s_dre": 0, "c_include_s2mm_dre": 0, "c_mm2s_burst_size": 256, "c_s2mm_burst_size": 256,
        "c_m_axi_mm2s_data_width": bits, "c_m_axis_mm2s_tdata_width": bits,
        "c_m_axi_s2mm_data_width": bits, "c_s_axis_s2mm_tdata_width": bits,
    }  # fmt: skip
    vlnv = "xilinx.com:ip:axi_dma:7.1"
    module = _module(modules, f"hier_{index}_axi_dma_0", f"/hier_{index}/axi_dma_0", vlnv, parameters, base)
    ports = SubElement(module, "PORTS")
    for line, name in enumerate(("mm2s_introut", "s2mm_introut")):
        _wire(ports, name, "O", f"irq_{2 * index + line}", ("xlconcat_0", f"In{2 * index + line}"))
    _interfaces(module, ("S_AXI_LITE", "SLAVE", _LITE, "ps_axi"),
                ("M_AXIS_MM2S", "INITIATOR", _STREAM, f"mm2s_{index}"),
                ("S_AXIS_S2MM", "TARGET", _STREAM, f"s2mm_{index}"))  # fmt: skip
    _registers(module, "S_AXI_LITE", _DMA_REGISTERS)


def _add_kernel(modules: Element, index: int, design: KernelDesign, base: int) -> None:
    vlnv = f"fpgaclass:kernel:{design.name}:1.0"
    module = _module(
        modules, f"hier_{index}_{design.name}_0", f"/hier_{index}/{design.name}_0", vlnv, {}, base
    )
    SubElement(module, "PORTS")
    _interfaces(module, ("s_axi_control", "SLAVE", _LITE, "ps_axi"),
                ("in_r", "TARGET", _STREAM, f"mm2s_{index}"),
                ("out_r", "INITIATOR", _STREAM, f"s2mm_{index}"))  # fmt: skip
    _registers(module, "s_axi_control", _KERNEL_REGISTERS)


def _add_interrupts(modules: Element, instances: int, where: ZynqMap) -> None:
    vlnv = "xilinx.com:ip:axi_intc:4.1"
    module = _module(modules, INTERRUPTS, f"/{INTERRUPTS}", vlnv, {"C_KIND_OF_INTR": "0x0"}, where.interrupts)
    ports = SubElement(module, "PORTS")
    _wire(ports, "intr", "I", "irqs", ("xlconcat_0", "dout"))
    vlnv, pin, _ = _processor(where)
    _wire(ports, "irq", "O", "irq", (_instance(vlnv), pin))
    _interfaces(module, ("s_axi", "SLAVE", _LITE, "ps_axi"))
    _registers(module, "s_axi", _INTC_REGISTERS)
    concat = _module(modules, "xlconcat_0", "/xlconcat_0", "xilinx.com:ip:xlconcat:2.1", {})
    ports = SubElement(concat, "PORTS")
    for line in range(2 * instances):
        pin = ("mm2s_introut", "s2mm_introut")[line % 2]
        _wire(ports, f"In{line}", "I", f"irq_{line}", (f"hier_{line // 2}_axi_dma_0", pin))
    _wire(ports, "dout", "O", "irqs", (INTERRUPTS, "intr"))
    SubElement(concat, "BUSINTERFACES")


def _processor(where: ZynqMap) -> tuple[str, str, str]:
    """Return the processing system's VLNV, its interrupt input, and its master interface."""
    if where.family == "zynq":
        return "xilinx.com:ip:processing_system7:5.5", "IRQ_F2P", "M_AXI_GP0"
    return "xilinx.com:ip:zynq_ultra_ps_e:3.4", "pl_ps_irq0", "M_AXI_HPM0_FPD"


def _instance(vlnv: str) -> str:
    return vlnv.split(":")[2] + "_0"


def _add_processor(modules: Element, design: KernelDesign, where: ZynqMap) -> None:
    vlnv, interrupt, master = _processor(where)
    # Clock 0 is the kernel's. pynq reads enable and divisors of all four.
    parameters: dict[str, object] = {}
    for clock in range(4):
        divisors = (max(1, round(1000 / design.clock_mhz)), 1) if clock == 0 else (1, 1)
        if where.family == "zynq":
            parameters[f"PCW_FPGA_FCLK{clock}_ENABLE"] = int(clock == 0)
            parameters[f"PCW_FCLK{clock}_PERIPHERAL_CLKSRC"] = "IO PLL"
            parameters |= {
                f"PCW_FCLK{clock}_PERIPHERAL_DIVISOR{i}": value for i, value in enumerate(divisors)
            }
        else:
            name = f"PSU__CRL_APB__PL{clock}_REF_CTRL__"
            parameters[f"PSU__FPGA_PL{clock}_ENABLE"] = int(clock == 0)
            parameters[f"{name}SRCSEL"] = "IOPLL"
            parameters |= {f"{name}DIVISOR{i}": value for i, value in enumerate(divisors)}
    module = _module(modules, _instance(vlnv), f"/{_instance(vlnv)}", vlnv, parameters, kind="PROCESSOR")
    ports = SubElement(module, "PORTS")
    _wire(ports, interrupt, "I", "irq", (INTERRUPTS, "irq"))
    _interfaces(module, (master, "MASTER", _LITE, "ps_axi"))
    memory_map = SubElement(module, "MEMORYMAP")
    spots = [
        *((f"hier_{i}_axi_dma_0", "S_AXI_LITE", base) for i, base in enumerate(where.dmas)),
        *((f"hier_{i}_{design.name}_0", "s_axi_control", base) for i, base in enumerate(where.kernels)),
        (INTERRUPTS, "s_axi", where.interrupts),
    ]
    for instance, interface, base in spots:
        SubElement(
            memory_map, "MEMRANGE", ADDRESSBLOCK="Reg", BASENAME="C_BASEADDR", BASEVALUE=f"0x{base:08X}",
            HIGHNAME="C_HIGHADDR", HIGHVALUE=f"0x{base + SPAN - 1:08X}", INSTANCE=instance, IS_DATA="TRUE",
            IS_INSTRUCTION="TRUE", MASTERBUSINTERFACE=master, MEMTYPE="REGISTER", SLAVEBUSINTERFACE=interface,
        )  # fmt: skip


def _module(
    modules: Element,
    instance: str,
    fullname: str,
    vlnv: str,
    parameters: Mapping[str, object],
    base: int | None = None,
    kind: str = "PERIPHERAL",
) -> Element:
    _, _, name, version = vlnv.split(":")
    module = SubElement(
        modules, "MODULE", COREREVISION="1", FULLNAME=fullname, HWVERSION=version, INSTANCE=instance,
        IPTYPE=kind, IS_ENABLE="1", MODCLASS=kind, MODTYPE=name, VLNV=vlnv,
    )  # fmt: skip
    SubElement(module, "DOCUMENTS")
    if base is not None:
        parameters = {**parameters, "C_BASEADDR": f"0x{base:08X}", "C_HIGHADDR": f"0x{base + SPAN - 1:08X}"}
    listed = SubElement(module, "PARAMETERS")
    for key, value in parameters.items():
        SubElement(listed, "PARAMETER", NAME=key, VALUE=str(value))
    return module


def _wire(ports: Element, name: str, direction: str, signal: str, to: tuple[str, str]) -> None:
    port = SubElement(ports, "PORT", DIR=direction, NAME=name, SIGIS="undef", SIGNAME=signal)
    SubElement(SubElement(port, "CONNECTIONS"), "CONNECTION", INSTANCE=to[0], PORT=to[1])


def _interfaces(module: Element, *interfaces: tuple[str, str, str, str]) -> None:
    listed = SubElement(module, "BUSINTERFACES")
    for name, kind, vlnv, net in interfaces:
        bus = SubElement(listed, "BUSINTERFACE", BUSNAME=net, DATAWIDTH="32", NAME=name, TYPE=kind, VLNV=vlnv)
        SubElement(bus, "PARAMETERS")
        SubElement(bus, "PORTMAPS")


def _registers(module: Element, interface: str, registers: tuple[_Register, ...]) -> None:
    block = SubElement(SubElement(module, "ADDRESSBLOCKS"), "ADDRESSBLOCK", ACCESS="read-write",
                       INTERFACE=interface, NAME="Reg", RANGE=str(SPAN), USAGE="register")  # fmt: skip
    listed = SubElement(block, "REGISTERS")
    for name, offset, fields in registers:
        register = SubElement(listed, "REGISTER", NAME=name)
        _properties(register, name, ADDRESS_OFFSET=f"{offset:#x}", SIZE="32", IS_ENABLED="true")
        parts = SubElement(register, "FIELDS")
        for field, first, width in fields:
            _properties(
                SubElement(parts, "FIELD", NAME=field), field, BIT_OFFSET=str(first), BIT_WIDTH=str(width)
            )


def _properties(element: Element, description: str, **values: str) -> None:
    everything = {"DESCRIPTION": description, "ACCESS": "read-write", **values}
    for key, value in everything.items():
        SubElement(element, "PROPERTY", NAME=key, VALUE=value)
