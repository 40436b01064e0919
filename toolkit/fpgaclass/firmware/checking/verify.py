"""Whether all stages of a build say the same, event by event and bit by bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.card import KernelDesign, KernelSimulator, StreamSimulator, compile_kernel
from fpgaclass.core import BuildError
from fpgaclass.firmware.words import BEAT_BYTES, WordFormat

EVENTS = 20_000
_INPUT, _OUTPUT = 0x1000_0000, 0x2000_0000
_DMA_LIMIT = 1 << 25  # bytes of a transfer, below what a DMA's length register holds


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
    """Run the Verilated kernel over packed events (n, slot_words) and return the packed results."""
    if design.interface == "stream":
        return _run_stream(design, words, outputs)
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


def _run_stream(design: KernelDesign, words: npt.NDArray[Any], outputs: WordFormat) -> npt.NDArray[Any]:
    """Send events through the DMA, in as many transfers as its length register asks for."""
    simulator = StreamSimulator(compile_kernel(design))
    results = np.zeros((len(words), outputs.slot_words), outputs.dtype)
    slot = max(words.shape[1], results.shape[1]) * words.itemsize
    at_once = max(1, _DMA_LIMIT // slot)
    for first in range(0, len(words), at_once):
        source = np.ascontiguousarray(words[first : first + at_once])
        target = results[first : first + at_once]
        simulator.unmap_all()
        simulator.map(_INPUT, source)
        simulator.map(_OUTPUT, target)
        simulator.transfer(_INPUT, source.nbytes, _OUTPUT, target.nbytes)
    return results


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
    locate: Callable[[str, int], str] = lambda _stage, _event: "",
) -> list[Agreement]:
    """Run each stage and compare it with what the model says.

    Args:
        expected: the model's results, (n, ...).
        stages: name -> what gives a stage's results.
        where: the build's folder, for the message.
        locate: takes a stage that differs and the first event in which it does; says more about where.

    Raises:
        BuildError: a stage differs; names it, the count, the first event and what ``locate`` found.
    """
    agreements = []
    for name, run in stages.items():
        agreement = compare(name, expected, run())
        if agreement.mismatches:
            more = locate(name, agreement.first or 0)
            raise BuildError(
                f"{name} differs from the model in {agreement.mismatches} of {agreement.events} events, "
                f"first in event {agreement.first}" + (f"; {more}" if more else ""),
                where=str(where),
                next_step="report this with the model: all stages must agree to the bit",
            )
        agreements.append(agreement)
    return agreements
