"""Whatever is written, sent, allocated or loaded: the process lives, and every refusal is a clear line."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import Bank, Link, VirtualCard, write_bit, write_xclbin
from fpgaclass.core import CardError, FpgaClassError

pynq = pytest.importorskip("pynq")

FEW, MANY = 60, 1000
# What pynq and numpy themselves say no with, besides our own errors.
REFUSALS = (FpgaClassError, RuntimeError, ValueError, MemoryError, IndexError)
LINK = Link("AXI DMA", 4e8, 4e8, 10e-6, 0.2e-6, 0.0)
BANK = Bank("PSDDR", 0x10000000, 1 << 28, "DDR4")


@pytest.fixture(scope="module")
def files(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sum.xclbin, and sum.bit with its sum.hwh."""
    folder = tmp_path_factory.mktemp("fuzz")
    write_xclbin(folder / "sum.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK)
    write_bit(folder / "sum.bit", standin.stream_design(), banks=[BANK], link=LINK)
    return folder


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: Any) -> None:
    """A device for each test; hangs are part of the game, and need not take long."""
    monkeypatch.setattr(pynq.Device, "_active_device", VirtualCard(20), raising=False)
    monkeypatch.setenv("FPGACLASS_WATCHDOG", "3000")
    monkeypatch.setattr("fpgaclass.card.zynq.unit._PATIENCE_S", 0.02)


@pytest.fixture(params=[FEW, pytest.param(MANY, marks=pytest.mark.proof)])
def cases(request: Any) -> int:
    """How many cases."""
    count: int = request.param
    return count


def _try(act: Callable[[], Any]) -> str | None:
    """Return why an act was refused, None if it was not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            act()
        except REFUSALS as error:
            refusal = error
        else:
            return None
    text = str(refusal)
    assert text, f"{type(refusal).__name__} says nothing"
    assert "\n" not in text
    return text


def _number(rng: Any) -> int:
    """Draw a 32-bit number: edges, small ones and large ones."""
    edges = (0, 1, 2, 3, 4, 5, 0x7F, 0xFFF, 1 << 25, (1 << 26) - 1, 1 << 31, (1 << 32) - 1)
    return int(rng.choice([rng.choice(edges), rng.integers(0, 200), rng.integers(0, 1 << 32)]))


def _works_on_card(overlay: Any, standin: Any) -> None:
    x = pynq.allocate((10, 32), np.int16, target=overlay.bank0)
    y = pynq.allocate((10,), np.int16, target=overlay.bank0)
    x[:] = 3
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    assert (np.array(y) == standin.expected(np.array(x).view(np.uint8).ravel()).view(np.int16)).all()


def test_registers_of_a_card(files: Path, standin: Any, cases: int) -> None:
    """Students write registers by hand, and by mistake."""
    rng = np.random.default_rng(1)
    overlay = pynq.Overlay(str(files / "sum.xclbin"))
    x = pynq.allocate((64, 32), np.int16, target=overlay.bank0)
    base = overlay.ip_dict["krnl_rtl_1"]["phys_addr"]
    kernel = pynq.MMIO(base, 0x40)
    anywhere = pynq.MMIO(0, 1 << 30)
    for _ in range(cases):
        offset = int(rng.choice([0, 0, 4, 8, 12, 0x10, 0x14, 0x1C, 0x20, 0x28, 0x30, rng.integers(0, 0x44)]))
        value = int(rng.choice([_number(rng), x.device_address & 0xFFFFFFFF, 64, 1]))
        _try(lambda o=offset, v=value: kernel.write(o, v))
        _try(lambda o=offset: kernel.read(o, int(rng.choice([1, 2, 4, 8, 3]))))
        if rng.random() < 0.05:
            _try(lambda: anywhere.write(int(rng.integers(0, 1 << 30)), int(rng.integers(0, 1 << 32))))
    _try(lambda: kernel.write(0, 0))  # no restart by itself any more
    while _try(lambda: _wait_until_idle(kernel)) is not None:
        pass
    _works_on_card(overlay, standin)


def _wait_until_idle(kernel: Any) -> None:
    while not kernel.read(0) & 4:
        pass


def test_registers_of_a_board(files: Path, cases: int) -> None:
    """The same for a DMA, its kernel and the interrupt controller."""
    rng = np.random.default_rng(2)
    overlay = pynq.Overlay(str(files / "sum.bit"))
    x = pynq.allocate((64, 32), np.int16)
    blocks = [
        pynq.MMIO(overlay.ip_dict[name]["phys_addr"], size)
        for name, size in (("axi_dma_0", 0x80), ("hier_0/krnl_stream_0", 0xC00), ("axi_intc_0", 0x40))
    ]
    important = [0, 4, 0x18, 0x28, 0x30, 0x34, 0x48, 0x58]
    _ = overlay.axi_dma_0  # pynq's driver starts the channels as it is made
    for _ in range(cases):
        block = blocks[int(rng.choice([0, 0, 0, 1, 2]))]
        offset = int(
            rng.choice([*important, rng.integers(0, block.length // 4) * 4, rng.integers(0, 0x1000)])
        )
        value = int(rng.choice([_number(rng), x.device_address, 4096, 64, 1]))
        _try(lambda b=block, o=offset, v=value: b.write(o, v))
        _try(lambda b=block, o=offset: b.read(o))
    _works_on_board(overlay)


def _works_on_board(overlay: Any) -> None:
    dma = overlay.axi_dma_0
    dma.mmio.write(0, 4)
    dma.sendchannel.start()
    dma.recvchannel.start()
    x, y = pynq.allocate((10, 32), np.int16), pynq.allocate((10, 2), np.int16)
    x[:] = 3
    dma.recvchannel.transfer(y)
    dma.sendchannel.transfer(x)
    dma.recvchannel.wait()
    assert dma.recvchannel.transferred == y.nbytes
    assert (np.array(y)[:, 0] == 3 * sum(range(1, 33))).all()


def test_lengths_of_calls(files: Path, standin: Any, cases: int) -> None:
    """Words instead of events, bytes instead of words, too much, nothing: refused or harmless."""
    rng = np.random.default_rng(3)
    overlay = pynq.Overlay(str(files / "sum.xclbin"))
    x = pynq.allocate((64, 32), np.int16, target=overlay.bank0)
    y = pynq.allocate((64,), np.int16, target=overlay.bank0)
    refused = 0
    for _ in range(cases):
        lengths = [_number(rng) for _ in range(2)]
        part = x[int(rng.integers(0, 64)) :] if rng.random() < 0.3 else x
        refused += _try(lambda p=part, n=lengths: overlay.krnl_rtl_1.call(p, y, *n)) is not None
    assert 0 < refused < cases
    _works_on_card(overlay, standin)


def test_lengths_of_transfers(files: Path, cases: int) -> None:
    """The same through a DMA: a halt, a hang that is told, or results."""
    rng = np.random.default_rng(4)
    overlay = pynq.Overlay(str(files / "sum.bit"))
    x, y = pynq.allocate((64, 32), np.int16), pynq.allocate((64, 2), np.int16)
    dma = overlay.axi_dma_0
    refused = 0
    for _ in range(cases):
        sizes = [int(rng.choice([_number(rng), rng.integers(1, 5000), 4096])) for _ in range(2)]
        starts = [int(rng.choice([0, 0, 4, 64, rng.integers(0, 4096)])) for _ in range(2)]

        def move(n: list[int] = sizes, at: list[int] = starts) -> None:
            dma.recvchannel.transfer(y, start=at[0], nbytes=n[0])
            dma.sendchannel.transfer(x, start=at[1], nbytes=n[1])
            dma.recvchannel.wait()
            dma.sendchannel.wait()

        if _try(move) is not None:
            refused += 1
            dma.mmio.write(0, 4)
            _try(dma.sendchannel.start)
            _try(dma.recvchannel.start)
    assert 0 < refused < cases
    _works_on_board(overlay)


def test_shapes_of_buffers(files: Path, cases: int) -> None:
    """A buffer is what numpy would make of a shape, or a refusal that leaves no memory behind."""
    rng = np.random.default_rng(5)
    overlay = pynq.Overlay(str(files / "sum.xclbin"))
    gc.collect()
    before = overlay.bank0.num_buffers
    kinds = ["u1", "i2", "f4", "f8", "c16", "?", "S3", [("a", "i2"), ("b", "f4")]]
    for _ in range(cases):
        sizes = [0, 1, 2, 7, 64, 1000, -1, -5, 1 << 20, 1 << 40, 1 << 62]
        shape = tuple(int(rng.choice(sizes, p=_favour_small(len(sizes)))) for _ in range(rng.integers(0, 4)))
        kind = kinds[int(rng.integers(len(kinds)))]

        def use(s: tuple[int, ...] = shape, k: Any = kind) -> None:
            with pynq.allocate(s, k, target=overlay.bank0) as buffer:
                assert buffer.shape == s
                assert buffer.dtype == np.dtype(k)
                if buffer.nbytes < 1 << 20:
                    buffer.sync_to_device()
                    buffer.sync_from_device()

        refusal = _try(use)
        assert refusal is not None or all(size >= 0 for size in shape)
    gc.collect()
    assert overlay.bank0.num_buffers == before


def _favour_small(count: int) -> np.ndarray:
    weights = 1.0 / np.arange(1, count + 1)
    return weights / weights.sum()


@pytest.mark.parametrize("name", ["sum.xclbin", "sum.bit", "sum.hwh"])
def test_corrupt_files(files: Path, tmp_path: Path, cases: int, name: str) -> None:
    """A file that was cut, changed, swapped or lengthened is refused before the device changes."""
    rng = np.random.default_rng(6)
    good = (files / name).read_bytes()
    for other in ("sum.xclbin", "sum.bit", "sum.hwh"):
        (tmp_path / other).write_bytes((files / other).read_bytes())
    opened = str(tmp_path / name.replace("hwh", "bit"))
    loaded = pynq.Overlay(str(files / "sum.bit"))
    for _ in range(cases):
        (tmp_path / name).write_bytes(_damage(rng, good))
        with pytest.raises(CardError) as refusal:
            pynq.Overlay(opened)
        assert "\n" not in str(refusal.value)
    (tmp_path / name).unlink()
    with pytest.raises((CardError, OSError)):
        pynq.Overlay(opened)
    assert loaded.is_loaded()


def _damage(rng: Any, good: bytes) -> bytes:
    data = bytearray(good)
    kind = rng.integers(6)
    at = int(rng.integers(len(data))) if rng.random() < 0.7 else int(rng.integers(min(600, len(data))))
    if kind == 0:
        data[at] ^= 1 << int(rng.integers(8))
    elif kind == 1:
        del data[at:]
    elif kind == 2:
        data += rng.bytes(int(rng.integers(1, 100)))
    elif kind == 3:
        data[at : at + 8] = rng.bytes(8)
    elif kind == 4:
        del data[at : at + int(rng.integers(1, 50))]
    else:
        data[at:at] = rng.bytes(int(rng.integers(1, 50)))
    return bytes(data) if bytes(data) != good else good[:-1]
