"""The system that an overlay makes, as a picture: host, link, memory banks, kernels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fpgaclass.card.kinds import kind_of
from fpgaclass.core import InvalidInputError

if TYPE_CHECKING:
    from fpgaclass.core.figure import DescribedFigure

_HOST, _CARD, _BANK, _UNIT = "#DDEBF7", "#F2F2F2", "#FCE4C4", "#D5EFE3"
_LINES = {"to": "#0072B2", "from": "#D55E00", "registers": "#666666"}


def show(overlay: Any) -> DescribedFigure:
    """Draw the host, the link, the banks and the kernels of an overlay, and how they are connected.

    Args:
        overlay: a ``pynq.Overlay``, on a virtual device or a real one.

    Returns:
        A matplotlib figure; its ``alt_text`` says in words what it shows.

    Raises:
        InvalidInputError: it is not an overlay.

    Example:
        >>> show(overlay)  # doctest: +SKIP
    """
    from fpgaclass.core.figure import DescribedFigure

    device, blocks = getattr(overlay, "device", None), getattr(overlay, "ip_dict", None)
    if device is None or not isinstance(blocks, Mapping):
        raise InvalidInputError(f"{type(overlay).__name__} is not an overlay", next_step="pynq.Overlay(...)")
    units = _units(blocks)
    banks = [bank for bank in overlay.mem_dict.values() if bank.get("used") and not bank.get("streaming")]
    rows = max(len(units), len(banks), 1)
    figure = DescribedFigure(figsize=(9.5, 1.9 + 1.0 * rows), layout="constrained")
    axes = figure.subplots()
    axes.set(xlim=(0, 100), ylim=(-rows * 10 - 3, 13))
    axes.axis("off")
    bottom = -rows * 10 - 1
    _box(axes, 1, bottom, 15, 7 - bottom, _HOST, "host\nPython, pynq")
    kind = kind_of(device)
    _box(axes, 34, bottom, 65, 7 - bottom, _CARD, "")
    axes.text(36, 9, f"{device.tag}: {device.name} ({kind})", fontsize=10, va="center")
    link = getattr(device, "link", None)
    words = f"{link.name}\nmodelled" if link is not None else "the card's\nown link"
    _arrow(axes, 16, 2, 34, 2, "to")
    _arrow(axes, 34, -1, 16, -1, "from")
    axes.text(25, 3, words, ha="center", va="bottom", fontsize=9)
    axes.text(25, -2.5, "buffers, registers", ha="center", va="top", fontsize=8, color="#444444")
    places = {}
    share = rows * 10 / max(len(banks), 1)
    for row, bank in enumerate(banks):
        top = 1 - row * share
        places[bank["tag"]] = (top - share + 2, top)
        size = (
            f"{bank['size'] / 2**30:,.3g} GiB" if bank["size"] >= 2**28 else f"{bank['size'] // 1024:,} KiB"
        )
        label = f"{bank['tag']}\n{size} at {bank['base_address']:#x}"
        _box(axes, 37, top - share + 2, 20, share - 2, _BANK, label)
    sentences = []
    for row, unit in enumerate(units):
        middle = -row * 10 - 3
        label = f"{unit['name']}\nregisters at {unit['phys_addr']:#x}"
        _box(axes, 73, middle - 4, 25, 8, _UNIT, label)
        sentences.append(_connect(axes, unit, middle, places))
        fed = _fed_by(unit, units[row + 1 : row + 2])
        if fed:
            sentences.append(f"{unit['name']} streams to and from {fed}.")
            _arrow(axes, 82, middle - 4, 82, middle - 6, "to")
            _arrow(axes, 89, middle - 6, 89, middle - 4, "from")
    clocks = [
        f"{clock['frequency']:g} MHz" for clock in (getattr(overlay, "clock_dict", None) or {}).values()
    ]
    if clocks:
        axes.text(98, 9, f"kernel clock {clocks[0]}", ha="right", va="center", fontsize=9)
    tags = ", ".join(bank["tag"] for bank in banks) or "no memory bank"
    figure.alt_text = (
        f"The {kind} device {device.tag} behind {words.replace(chr(10), ', ')}: the host reaches {tags} "
        f"through buffers and {len(units)} blocks through registers. {' '.join(sentences)}"
    )
    return figure


def _units(blocks: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what has registers, once each: a DMA may also have a short name."""
    found: dict[int, dict[str, Any]] = {}
    for name, block in sorted(blocks.items(), key=lambda item: -len(item[0])):
        if "phys_addr" in block and "processing_system" not in str(block.get("type", "")):
            found.setdefault(int(block["phys_addr"]), dict(block, name=name))
    return sorted(
        found.values(), key=lambda unit: (_place(unit), "dma" not in unit["name"], unit["phys_addr"])
    )


def _place(unit: Mapping[str, Any]) -> str:
    """Return the hierarchy that a block is in."""
    return str(unit["name"]).rpartition("/")[0]


def _fed_by(unit: Mapping[str, Any], others: list[dict[str, Any]]) -> str:
    """Return the name of the kernel whose streams a DMA feeds: the one beside it in its hierarchy, if any."""
    name = str(unit["name"])
    place = _place(unit)
    beside = [str(other["name"]) for other in others]
    return next((one for one in beside if place and "dma" in name and one.rpartition("/")[0] == place), "")


def _connect(
    axes: Any, unit: Mapping[str, Any], middle: float, places: Mapping[str, tuple[float, float]]
) -> str:
    """Draw the lines from a block to its banks, as level as they can be; say them in words.

    Args:
        axes: to draw into.
        unit: the block's entry of ``ip_dict``, with its name.
        middle: height of the block's middle.
        places: bottom and top of each bank.
    """
    registers: Mapping[str, Any] = unit.get("registers") or {}
    pointers = {name: one["memory"] for name, one in registers.items() if one.get("memory") in places}
    if not pointers and places and "dma" in unit["name"]:
        pointers = dict.fromkeys(("mm2s", "s2mm"), next(iter(places)))
    for offset, (name, tag) in enumerate(pointers.items()):
        height = middle + 2 - 2.6 * offset
        bottom, top = places[tag]
        at_bank = min(max(height, bottom + 2), top - 2 - 2.6 * offset)
        into = "out" in name or name == "s2mm"
        ends = (73.0, height, 57.0, at_bank) if into else (57.0, at_bank, 73.0, height)
        _arrow(axes, *ends, "from" if into else "to")
        ground = {"facecolor": _CARD, "edgecolor": "none", "pad": 0.8}
        x, y = 73 - 16 * 0.25, height + (at_bank - height) * 0.25
        axes.text(x, y, name, ha="center", va="center", fontsize=8, bbox=ground, zorder=5)
    wires = ", ".join(f"{name} in {tag}" for name, tag in pointers.items())
    return f"{unit['name']} has {wires}." if wires else f"{unit['name']} has registers only."


def _box(axes: Any, x: float, y: float, width: float, height: float, colour: str, text: str) -> None:
    from matplotlib.patches import FancyBboxPatch

    style: dict[str, Any] = {"facecolor": colour, "edgecolor": "#333333", "linewidth": 0.8}
    axes.add_patch(FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=1", **style))
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=9)


def _arrow(axes: Any, x: float, y: float, to_x: float, to_y: float, kind: str) -> None:
    style = {"arrowstyle": "-|>", "color": _LINES[kind], "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=(to_x, to_y), xytext=(x, y), arrowprops=style)
