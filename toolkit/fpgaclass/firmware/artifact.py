"""A firmware on disk: a folder that says what it is, and the object that reads it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.core import (
    FirmwareError,
    FpgaClassError,
    InvalidInputError,
    as_disk_full,
    atomic_directory,
)
from fpgaclass.firmware.emulation import LIBRARY as EMULATION
from fpgaclass.firmware.emulation import emulate
from fpgaclass.firmware.lattice import BITSTREAM
from fpgaclass.firmware.network import interpret
from fpgaclass.firmware.report import Report
from fpgaclass.firmware.vector import LIBRARY, SOFTWARE, run_vector
from fpgaclass.firmware.words import Field, WordFormat

MANIFEST = "manifest.json"
REPORT = "reports/report.json"
FORMAT = "fpgaclass-firmware/1"


@dataclass(frozen=True)
class Manifest:
    """What a firmware is and what it was made of.

    Attributes:
        name: of the firmware; its card file is ``<name>.xclbin`` or ``<name>.bit``.
        digest: SHA-256 (hex) over the model, the board, the options and the tools.
        board: the board's name.
        toolchain: ``"open"`` or ``"vitis"``.
        model: SHA-256 (hex) of the model's architecture and weights.
        inputs: the layout of an event in the input buffer.
        outputs: the layout of a result in the output buffer.
        tools: name -> version of each tool that had a hand in it.
        agreement: stage -> events that differed from the model when it was built; ``events`` -> how many.
    """

    name: str
    digest: str
    board: str
    toolchain: str
    model: str
    inputs: WordFormat
    outputs: WordFormat
    tools: Mapping[str, str]
    agreement: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the manifest as JSON."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read what ``to_json`` wrote."""
        data = json.loads(text)
        if data.pop("format") != FORMAT:
            raise ValueError(f"not a {FORMAT}")
        for side in ("inputs", "outputs"):
            layout = data[side]
            fields = tuple(Field(**one) for one in layout["fields"])
            data[side] = WordFormat(
                fields, layout["word_bits"], tuple(layout["shape"]), layout.get("floats", False)
            )
        return cls(**data)


@dataclass(frozen=True)
class Firmware:
    """A built network: hand ``path`` to ``pynq.Overlay``, ``encode`` what goes in, ``decode`` what comes out.

    Attributes:
        folder: holds manifest.json, model.keras, the card file, and a folder for each stage.
        manifest: what it is.
        report: what it costs.

    Example::

        firmware = build(model, board="u250")
        overlay = pynq.Overlay(firmware.path)
        x = pynq.allocate((n, firmware.inputs.slot_words), firmware.inputs.dtype, target=overlay.bank0)
        y = pynq.allocate((n, firmware.outputs.slot_words), firmware.outputs.dtype, target=overlay.bank0)
        x[:] = firmware.encode(events)
        x.sync_to_device()
        overlay.krnl_rtl_1.call(x, y, x.size, y.size)
        y.sync_from_device()
        predictions = firmware.decode(y)
    """

    folder: Path
    manifest: Manifest
    report: Report

    @classmethod
    def load(cls, folder: str | Path) -> Firmware:
        """Read a firmware folder.

        Raises:
            InvalidInputError: what is given is no path.
            FirmwareError: it is not a firmware's folder, or it is damaged.
        """
        folder = some_path(folder).resolve()  # it stays the same wherever its user goes
        if not (folder / MANIFEST).is_file():
            raise FirmwareError(
                f"no {MANIFEST} is there",
                where=str(folder),
                next_step="give a folder that firmware.build or Firmware.save made",
            )
        try:
            manifest = Manifest.from_json((folder / MANIFEST).read_text())
            report = Report.from_json((folder / REPORT).read_text())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as bad:
            gone = isinstance(bad, FileNotFoundError)
            what = f"{REPORT} is not there" if gone else f"{type(bad).__name__} {bad}"
            raise FirmwareError(
                f"no firmware can be read: {what}",
                where=str(folder),
                next_step="build it again with firmware.build(model)",
            ) from bad
        return cls(folder, manifest, report)

    @property
    def path(self) -> str:
        """The file that a card or device loads: a virtual xclbin or bit file, or a Lattice bitstream.

        Raises:
            FirmwareError: the open toolchain makes no such file for this board.
        """
        for file in (
            self.folder / f"{self.manifest.name}.xclbin",
            self.folder / f"{self.manifest.name}.bit",
            self.folder / "reports/placed" / BITSTREAM,
        ):
            if file.is_file():
                return str(file)
        raise FirmwareError(
            f"the {self.manifest.toolchain} toolchain makes no file for {self.manifest.board}",
            where=str(self.folder),
            next_step="build it for an Alveo card, such as u250, or a Zynq board, such as pynq-z2",
        )

    @property
    def inputs(self) -> WordFormat:
        """The layout of an event in the input buffer."""
        return self.manifest.inputs

    @property
    def outputs(self) -> WordFormat:
        """The layout of a result in the output buffer."""
        return self.manifest.outputs

    def encode(self, x: npt.ArrayLike) -> npt.NDArray[Any]:
        """Pack events (n, \\*inputs.shape) into the words (n, inputs.slot_words) that the card reads."""
        return self.inputs.encode(x)

    def decode(self, words: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Unpack the words (n, outputs.slot_words) that the card wrote into results (n, \\*outputs.shape)."""
        return self.outputs.decode(words)

    def predict(self, x: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Evaluate the network's logic in software: the card's results, without a card and without cycles."""
        library = self.folder / SOFTWARE / LIBRARY
        if library.is_file():
            return run_vector(library, self.inputs, self.outputs, x)
        return interpret(self._logic, self.inputs, self.outputs, x)

    def emulate(self, x: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Run hls4ml's C++ of the model: what high-level synthesis would be given."""
        events = self.inputs.events(x)
        return emulate(self.folder / "hls" / EMULATION, events, len(self.inputs.fields), self.outputs.shape)

    def save(self, folder: str | Path) -> Firmware:
        """Copy the firmware, its report as it stands, into a folder of yours, which must not exist yet.

        Raises:
            FirmwareError: the folder is there already, or cannot be made.
        """
        target = new_folder(folder)
        try:
            with atomic_directory(target) as scratch:
                shutil.copytree(self.folder, scratch, dirs_exist_ok=True)
                (scratch / REPORT).write_text(self.report.to_json())
        except OSError as refused:
            raise _no_folder(refused, target) from refused
        return Firmware.load(target)

    @cached_property
    def _logic(self) -> Any:
        from da4ml.types import CombLogic

        return CombLogic.load(str(self.folder / "rtl" / "model" / "comb.json"))


def require_firmware(value: Any) -> Firmware:
    """Return a firmware, or refuse what is none, such as the path of one.

    Raises:
        InvalidInputError: it is not a ``Firmware``.
    """
    if not isinstance(value, Firmware):
        raise InvalidInputError(
            f"a {type(value).__name__} is no firmware", next_step="read one with Firmware.load(folder)"
        )
    return value


def new_folder(folder: str | Path) -> Path:
    """Return the path of a folder that is to be made, having seen that it can be.

    Raises:
        InvalidInputError: what is given is no path.
        FirmwareError: it is there already, or nothing can be written where it is to be.
    """
    target = some_path(folder)
    try:
        if target.exists() or target.is_symlink():
            raise FirmwareError(f"{target} is there already", next_step="choose another folder or remove it")
        above = next(folder for folder in target.absolute().parents if folder.exists())
        with tempfile.TemporaryDirectory(prefix=".fpgaclass-", dir=above):
            pass
    except OSError as refused:
        raise _no_folder(refused, target) from refused
    return target


def some_path(path: str | Path) -> Path:
    """Return what was given as a path.

    Raises:
        InvalidInputError: it is none.
    """
    if not isinstance(path, (str, Path)) or not str(path):
        raise InvalidInputError(f"{path!r} is no path", next_step="give one, such as 'mine'")
    return Path(path)


def _no_folder(refused: OSError, target: Path) -> FpgaClassError:
    in_the_way = isinstance(refused, (FileExistsError, NotADirectoryError))
    return as_disk_full(refused) or FirmwareError(
        f"the folder cannot be made: {'a file is in its way' if in_the_way else refused.strerror or refused}",
        where=str(target),
        next_step="choose another folder, in one that you may write to",
    )
