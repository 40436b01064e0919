"""Time calls of a kernel, on a virtual card or on a real one."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fpgaclass.card.machine_memory import free_memory
from fpgaclass.card.measuring.measurement import Measurement, Timing, ordered
from fpgaclass.card.measuring.predictions import Predictions
from fpgaclass.card.timeline import Timeline
from fpgaclass.core import FpgaClassError, InvalidInputError, ToolMissingError, digest_of, track

BATCH_SIZES = (1, 16, 256, 4096, 65536)


def measure(
    kernel: Any,
    *,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    data: npt.ArrayLike | None = None,
    words_in: int | None = None,
    words_out: int | None = None,
    dtype: npt.DTypeLike | None = None,
    repeats: int = 7,
    cpp: bool = True,
    site: str = "",
) -> Measurement:
    """Call a kernel with batches of several sizes and say where the time goes.

    A call is what a user's code does: fill the input buffer, sync it, call, sync the output, copy it out.
    On a virtual card the kernel's time is simulated (cycles over the clock), the link's is modelled, and the
    host's is measured: wall time less what this machine spent on being the card. On a real card all three
    are measured: the syncs are the link, the call is the kernel with its launch, the rest is the host.

    The same calls are then made by the C++ host, on the same events, which gives the overhead of Python.

    Args:
        kernel: an overlay with one kind of kernel, or one of its compute units, with hls4ml's arguments
            (input, output, words in, words out), or one of its DMAs.
        batch_sizes: events in a call.
        data: events to send, shape (n, words_in), repeated as needed; random words (floats: normal
            deviates) when None.
        words_in: words of an event's slot; from the design when None.
        words_out: words of a result's slot; from the design when None.
        dtype: of a word; from the design when None.
        repeats: calls of each size, of which the median counts; one more comes before them.
        cpp: also run the C++ host, where there is a compiler (and, for a real card, AMD's runtime).
        site: what to call this place when runs are compared.

    Raises:
        InvalidInputError: sizes that are not positive, shapes that do not fit, or an unknown slot.

    Example:
        >>> measure(overlay, batch_sizes=(1, 4096)).plot()  # doctest: +SKIP
    """
    unit = _unit_of(kernel)
    device = unit.device
    about = dict(getattr(getattr(device, "design", None), "about", {}))
    words_in = _known("words_in", words_in, about)
    words_out = _known("words_out", words_out, about)
    dtype = np.dtype(dtype if dtype is not None else str(about.get("dtype", "int16")))
    numbers = (*batch_sizes, repeats)
    if not batch_sizes or not all(isinstance(one, int | np.integer) and one >= 1 for one in numbers):
        raise InvalidInputError("batch sizes and repeats are whole numbers of 1 or more")
    if not site.isprintable():
        raise InvalidInputError(f"a site's name is a line of text, not {site!r}")
    sizes = tuple(sorted({int(size) for size in batch_sizes}))
    events = _repeated(_events(data, words_in, dtype), sizes[-1])
    bank_in, bank_out = _banks(unit)
    timings, results = [], np.empty((0, words_out), dtype)
    for size in track(sizes, "measure"):
        x, y = bank_in.allocate((size, words_in), dtype), bank_out.allocate((size, words_out), dtype)
        calls = [_time_call(unit, events[:size], x, y) for _ in range(repeats + 1)][1:]
        timings.append(_median(calls))
        results = np.array(y)
        x.freebuffer()
        y.freebuffer()
    compared, note = _time_cpp(unit, events, sizes, repeats, results) if cpp else ((), "")
    virtual = _timeline(device) is not None
    link = getattr(device, "link", None)
    clocks = [clock["frequency"] for clock in device.parser.clock_dict.values()]
    return Measurement(
        device=f"{device.tag} ({device.name})",
        kernel=str(unit._fullpath),
        clock_mhz=device.design.clock_mhz if virtual else (float(clocks[0]) if clocks else None),
        link=link.name if link is not None else "the card's own link",
        sources={
            "host": "measured",
            "link": "modelled" if virtual else "measured",
            "kernel": "simulated" if virtual else "measured",
        },
        timings=ordered(timings),
        site=site,
        design=_design(device),
        predictions=Predictions.of(events, results),
        cpp=compared,
        cpp_note=note,
    )


class _Dma:
    """A board's DMA, with the call of a card's kernel."""

    def __init__(self, dma: Any) -> None:
        self._dma, self.device = dma, dma.device
        self._fullpath = str(getattr(dma, "_fullpath", type(dma).__name__))

    def call(self, x: Any, y: Any, *_: int) -> None:
        """Send one buffer and receive the other."""
        most = int(getattr(self._dma, "buffer_max_size", x.nbytes))
        if max(x.nbytes, y.nbytes) > most:
            raise InvalidInputError(
                f"{max(x.nbytes, y.nbytes):,} bytes are more than the DMA moves ({most:,})"
            )
        self._dma.recvchannel.transfer(y)
        self._dma.sendchannel.transfer(x)
        self._dma.sendchannel.wait()
        self._dma.recvchannel.wait()


def _unit_of(kernel: Any) -> Any:
    blocks = getattr(kernel, "ip_dict", {})
    names = [name for name in sorted(blocks) if "phys_addr" in blocks[name]]
    for one in itertools.chain([kernel], (_block(kernel, name) for name in names)):
        if hasattr(one, "call"):
            return one
        if getattr(one, "sendchannel", None) is not None and getattr(one, "recvchannel", None) is not None:
            return _Dma(one)
    raise InvalidInputError(f"{type(kernel).__name__} is neither an overlay with a kernel nor a kernel")


def _block(overlay: Any, name: str) -> Any:
    for part in name.split("/"):
        overlay = getattr(overlay, part)
    return overlay


def _banks(unit: Any) -> tuple[Any, Any]:
    """Return where the buffers of a call lie."""
    device = unit.device
    if isinstance(unit, _Dma):
        return device.default_memory, device.default_memory
    first, second, *_ = (device.get_memory_by_name(argument.mem) for argument in list(unit.args.values())[:2])
    return first, second


def _known(name: str, value: int | None, about: dict[str, Any]) -> int:
    value = value if value is not None else about.get(name)
    if value is None or int(value) < 1:
        raise InvalidInputError(f"{name} is not known from the design", next_step=f"measure(..., {name}=...)")
    return int(value)


def _events(data: npt.ArrayLike | None, words_in: int, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    if data is None:
        rng = np.random.default_rng(1)
        if dtype.kind == "f":
            return rng.normal(size=(1024, words_in)).astype(dtype)
        raw = rng.integers(0, 256, 1024 * words_in * dtype.itemsize, dtype=np.uint8)
        return raw.view(dtype).reshape(1024, words_in)
    try:
        events = np.asarray(data, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"data are not numbers of type {dtype}: {error}") from error
    if events.ndim != 2 or events.shape[1] != words_in or not len(events):
        raise InvalidInputError(f"data has shape {events.shape}, expected (n, {words_in})")
    return events


def _repeated(events: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """Return that many events, from the first on again where there are fewer."""
    size, free = count * events[0].nbytes, free_memory()
    if 4 * size > free:  # the events, numpy's copy of them, both sides of a virtual card's buffer
        what = f"a batch of {count:,} events has {size:,} bytes, and this machine has {free:,} left"
        raise InvalidInputError(what, next_step="measure smaller batch_sizes")
    return np.resize(events, (count, events.shape[1]))


def _timeline(device: Any) -> Timeline | None:
    timeline = getattr(device, "timeline", None)
    return timeline if isinstance(timeline, Timeline) else None


def _design(device: Any) -> str:
    """Identify the kernel: by its RTL, or by the file that a real card was programmed with."""
    design = getattr(device, "design", None)
    if design is not None:
        return str(design.digest)[:16]
    file = Path(str(getattr(device, "bitfile_name", None) or ""))
    return digest_of(file)[:16] if file.is_file() else ""


def _time_call(unit: Any, batch: npt.NDArray[Any], x: Any, y: Any) -> Timing:
    timeline = _timeline(unit.device)
    before = timeline.totals if timeline else None
    marks = [time.perf_counter()]
    x[:] = batch
    marks.append(time.perf_counter())
    x.sync_to_device()
    marks.append(time.perf_counter())
    unit.call(x, y, x.size, y.size)
    marks.append(time.perf_counter())
    y.sync_from_device()
    marks.append(time.perf_counter())
    np.array(y)
    marks.append(time.perf_counter())
    fill, sync_in, call, sync_out, read = np.diff(marks)
    if timeline is None or before is None:
        return Timing(len(batch), float(fill + read), float(sync_in + sync_out), float(call))
    card = timeline.totals.since(before)
    host = max(0.0, marks[-1] - marks[0] - card.emulation_s)
    return Timing(len(batch), host, card.link_s, card.kernel_s, card.kernel_cycles)


def _time_cpp(
    unit: Any,
    events: npt.NDArray[Any],
    sizes: tuple[int, ...],
    repeats: int,
    expected: npt.NDArray[Any],
) -> tuple[tuple[Timing, ...], str]:
    """Make the same calls by the C++ host; where that cannot be, say why."""
    from fpgaclass.card.xrt.cpp_host import run_host

    if isinstance(unit, _Dma):
        return (), "C++ host: not run, since it is written for cards, and this is a board"
    device = unit.device
    virtual = _timeline(device) is not None
    file = device.file if virtual else getattr(device, "bitfile_name", None)
    if file is None:
        return (), "C++ host: not run, since the card does not say which file it was programmed with"
    try:
        ran = run_host(
            file,
            events,
            words_out=expected.shape[1],
            batches=sizes,
            repeats=repeats + 1,
            runtime="standin" if virtual else "xrt",
            kernel=str(unit._fullpath).rpartition("_")[0],
            device=0 if virtual else int("0" + str(device.tag).lstrip("abcdefghijklmnopqrstuvwxyz_")),
        )
    except ToolMissingError as missing:
        return (), f"C++ host: not run. {missing}"
    except FpgaClassError as failure:
        if virtual:
            raise
        return (), f"C++ host: failed. {failure}"
    by_size = (ran.calls[i : i + repeats + 1] for i in range(0, len(ran.calls), repeats + 1))
    differ = int((ran.results != expected).any(axis=1).sum())
    same = "the same predictions" if not differ else f"other predictions in {differ:,}"
    note = f"C++ host: {same} of {len(expected):,} event{'' if len(expected) == 1 else 's'}"
    return tuple(_median(calls[1:]) for calls in by_size), note


def _median(calls: Sequence[Timing]) -> Timing:
    return Timing(
        calls[0].events,
        statistics.median(call.host_s for call in calls),
        statistics.median(call.link_s for call in calls),
        statistics.median(call.kernel_s for call in calls),
        calls[0].kernel_cycles,
    )
