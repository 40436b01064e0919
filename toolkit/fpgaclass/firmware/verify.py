"""Whether all stages of a build say the same, event by event and bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.card import KernelDesign, KernelSimulator, compile_kernel
from fpgaclass.core import BuildError
from fpgaclass.firmware.words import BEAT_BYTES, WordFormat

EVENTS = 20_000
_INPUT, _OUTPUT = 0x1000_0000, 0x2000_0000


@dataclass(frozen=True)
class Agreement:
    """How a stage's results compare with the model's.

    Attributes:
        stage: such as ``"hls4ml emulation"``.
        events: how many were compared.
        mismatches: how many differ in any output.
        first: index of the first that differs, or None.
    """

    stage: str
    events: int
    mismatches: int
    first: int | None


def spread_events(inputs: WordFormat, events: int = EVENTS, seed: int = 2026) -> npt.NDArray[np.float32]:
    """Draw events (events, \\*shape) evenly over the range of every input: they reach each carry chain."""
    rng = np.random.default_rng(seed)
    high = np.exp2([field.integer for field in inputs.fields])
    low = np.array([-(2.0**field.integer) * field.sign for field in inputs.fields])
    drawn = rng.uniform(low, high, (events, len(inputs.fields)))
    grid = np.exp2([field.fraction for field in inputs.fields])
    return (np.floor(drawn * grid) / grid).reshape(-1, *inputs.shape).astype(np.float32)


def compare(stage: str, expected: npt.NDArray[Any], found: npt.NDArray[Any]) -> Agreement:
    """Count the events in which ``found`` differs from ``expected``, both (n, ...)."""
    differs = (expected != found).reshape(len(expected), -1).any(axis=1)
    first = int(differs.argmax()) if differs.any() else None
    return Agreement(stage, len(expected), int(differs.sum()), first)


def run_kernel(design: KernelDesign, words: npt.NDArray[Any], outputs: WordFormat) -> npt.NDArray[Any]:
    """Run the Verilated kernel once over packed events (n, slot_words) and return the packed results."""
    simulator = KernelSimulator(compile_kernel(design))
    result_words = len(words) * outputs.slot_words
    simulator.map(_INPUT, _whole_beats(words.reshape(-1)))
    result = _whole_beats(np.zeros(result_words, outputs.dtype))
    simulator.map(_OUTPUT, result)
    for argument, value in zip(design.arguments, (_INPUT, _OUTPUT, words.size, result_words), strict=True):
        for shift in range(0, argument.size, 4):
            simulator.write(argument.offset + shift, (value >> (8 * shift)) & 0xFFFFFFFF)
    simulator.write(0, 1)
    simulator.run()
    return result[:result_words].reshape(-1, outputs.slot_words)


def _whole_beats(words: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Copy words into a buffer of whole beats: the bus moves nothing smaller."""
    per_beat = BEAT_BYTES // words.itemsize
    padded = np.zeros(-(-len(words) // per_beat) * per_beat, words.dtype)
    padded[: len(words)] = words
    return padded


def verify(
    expected: npt.NDArray[np.float32],
    stages: dict[str, Callable[[], npt.NDArray[Any]]],
    where: Path,
) -> list[Agreement]:
    """Run each stage and compare it with what the model says.

    Raises:
        BuildError: a stage differs; names it, the count and the first event.
    """
    agreements = []
    for name, run in stages.items():
        agreement = compare(name, expected, run())
        if agreement.mismatches:
            raise BuildError(
                f"{name} differs from the model in {agreement.mismatches} of {agreement.events} events, "
                f"first in event {agreement.first}",
                where=str(where),
                next_step="report this with the model: all stages must agree to the bit",
            )
        agreements.append(agreement)
    return agreements
