"""What files for virtual devices hold in place of a bitstream: a kernel's RTL and what it is wired to."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fpgaclass.card.design import Argument, Bank, KernelDesign, Link


def pack_design(design: KernelDesign, banks: Sequence[Bank], link: Link) -> bytes:
    """Pack a design as a zip archive; the same input gives the same bytes."""
    description = {
        "name": design.name,
        "arguments": [asdict(argument) for argument in design.arguments],
        "clock_mhz": design.clock_mhz,
        "instances": design.instances,
        "about": dict(design.about),
        "interface": design.interface,
        "link": asdict(link),
        "banks": [asdict(bank) for bank in banks],
    }
    files = {"kernel.json": to_json(description)}
    files |= {f"rtl/{name}": design.sources[name].encode() for name in sorted(design.sources)}
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)  # of 1980: the archive's bytes must not tell the time
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return whole.getvalue()


def unpack_design(payload: bytes) -> tuple[KernelDesign, Link, tuple[Bank, ...]]:
    """Read back what ``pack_design`` made.

    Raises:
        KeyError, TypeError, ValueError, zipfile.BadZipFile: it is something else, or damaged.
    """
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        description = json.loads(archive.read("kernel.json"))
        sources = {
            name.removeprefix("rtl/"): archive.read(name).decode()
            for name in archive.namelist()
            if name.startswith("rtl/")
        }
    design = KernelDesign(
        name=description["name"],
        sources=sources,
        arguments=tuple(Argument(**argument) for argument in description["arguments"]),
        clock_mhz=description["clock_mhz"],
        instances=description["instances"],
        about=description["about"],
        interface=description.get("interface", "memory"),
    )
    return design, Link(**description["link"]), tuple(Bank(**bank) for bank in description["banks"])


def to_json(value: Any) -> bytes:
    """Return a value as JSON bytes, keys in order."""
    return json.dumps(value, sort_keys=True, indent=1).encode()


def parse_json(data: bytes | None) -> dict[str, Any]:
    """Return the object that the bytes hold as JSON, an empty one if they hold none."""
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all."""
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
