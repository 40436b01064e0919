"""What users of real cards and boards do with pynq beside the usual walk, and what they get wrong."""

from __future__ import annotations

import pickle
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import Bank, Link, VirtualCard, measure, write_bit, write_xclbin
from fpgaclass.core import BusError, CardError, HungKernelError, InvalidInputError

pynq = pytest.importorskip("pynq")

BANK = Bank("PSDDR", 0x10000000, 1 << 28, "DDR4")
BOARD_LINK = Link("AXI DMA", 4e8, 4e8, 10e-6, 0.2e-6, 0.0)


@pytest.fixture
def files(standin: Any, tmp_path: Path) -> dict[str, str]:
    """A card's design, another one of the same banks, and a board's."""
    known = {"banks": standin.BANKS, "link": standin.LINK}
    return {
        "card": str(write_xclbin(tmp_path / "sum.xclbin", standin.sum_design(instances=2), **known)),
        "other": str(write_xclbin(tmp_path / "moody.xclbin", standin.moody_design(), **known)),
        "board": str(
            write_bit(tmp_path / "sum.bit", standin.stream_design(instances=2), banks=[BANK], link=BOARD_LINK)
        ),
    }


@pytest.fixture
def device(request: pytest.FixtureRequest) -> VirtualCard:
    """A card of this test's own, with nothing on it."""
    return VirtualCard(sum(map(ord, request.node.name)))


def _works(overlay: Any, standin: Any) -> bool:
    x = pynq.allocate((64, 32), np.int16, target=overlay.bank0)
    y = pynq.allocate((64,), np.int16, target=overlay.device)
    x[:] = np.random.default_rng(1).integers(-2000, 2000, x.shape)
    x.sync_to_device()
    overlay.krnl_rtl_2.call(x, y, x.size, y.size)
    y.sync_from_device()
    return bool((np.array(y) == standin.expected(np.array(x).view(np.uint8).ravel()).view(np.int16)).all())


def test_metadata_alone_opens_no_unit(files: dict[str, str], device: VirtualCard, standin: Any) -> None:
    """download=False reads a file; the runtime then opens no unit of a design that is not on the card."""
    first = pynq.Overlay(files["card"], download=False, device=device)
    for use in (lambda: first.krnl_rtl_1, lambda: first.bank0.allocate((4,), np.int16)):
        with pytest.raises(CardError, match="is not programmed"):
            use()
    first.download()
    assert _works(first, standin)
    other = pynq.Overlay(files["other"], download=False, device=device)
    with pytest.raises(CardError, match=r"moody_1 cannot be opened: another design.*overlay\.download"):
        _ = other.moody_1
    board = pynq.Overlay(files["board"], download=False, device=device)
    with pytest.raises(CardError, match="no bank PSDDR"):
        board.PSDDR.allocate((4,), np.int16)
    assert first.is_loaded()
    assert device.file == files["card"]
    assert _works(first, standin), "what was read has changed nothing"
    same = pynq.Overlay(files["card"], download=False, device=device)
    assert _works(same, standin), "the design is on the card, whoever put it there"


def test_a_design_that_cannot_be_loaded_costs_nothing(
    files: dict[str, str], device: VirtualCard, standin: Any, tmp_path: Path
) -> None:
    """Refused late (buffers in other banks) or early (a broken file), the design that is there goes on."""
    overlay = pynq.Overlay(files["card"], device=device)
    kept = overlay.bank0.allocate((4,), np.int16)
    with pytest.raises(CardError, match="still holds buffers"):
        pynq.Overlay(files["board"], device=device)
    assert (device.bitfile_name, list(device.mem_dict)) == (files["card"], ["bank0", "bank1"])
    broken = tmp_path / "broken.xclbin"
    broken.write_bytes(Path(files["other"]).read_bytes()[:-9])
    with pytest.raises(CardError, match="corrupt"):
        pynq.Overlay(str(broken), device=device)
    assert device.bitfile_name == files["card"]
    assert overlay.is_loaded()
    assert _works(overlay, standin)
    measured = measure(overlay, batch_sizes=(4,), repeats=1)
    assert "the same predictions" in measured.cpp_note, "the C++ host ran the design that is on the card"
    kept.freebuffer()


def test_a_bitstream_alone_can_be_downloaded(files: dict[str, str], device: VirtualCard) -> None:
    """pynq.Bitstream is an Overlay without drivers, and gives no metadata along."""
    pynq.Bitstream(files["card"], device=device).download()
    assert device.file == files["card"]
    assert device.clocks == {"clock0": {"frequency": 200.0}}
    device.free_bitstream()
    assert (device.file, device.clocks) == (None, {})


def test_buffers_look_like_pynqs(files: dict[str, str], device: VirtualCard) -> None:
    """What a notebook prints of a buffer is what pynq prints, and what users look up on it is there."""
    bank = pynq.Overlay(files["card"], device=device).bank0
    x = bank.allocate((4, 2), np.int16, cacheable=True)
    x[:] = 1
    assert repr(x[:1]) == "PynqBuffer([[1, 1]], dtype=int16)"
    assert (x[1:].device_address, x[1:].offset, x.coherent, x.cacheable) == (
        x.physical_address + 4,
        4,
        False,
        True,
    )
    assert (np.array(pickle.loads(pickle.dumps(x))) == 1).all()
    assert (x + 1).sum() == 16
    assert not x.freed
    x.freebuffer()
    assert x.freed
    with pytest.raises(TypeError, match="taget"):
        bank.allocate((4,), np.int16, taget=bank)


@pytest.mark.parametrize(
    ("shape", "dtype"), [((3,), object), ((3,), [("a", "O")]), ((0, 32), "i2"), ((2,), "S0")]
)
def test_what_no_memory_can_hold(files: dict[str, str], device: VirtualCard, shape: Any, dtype: Any) -> None:
    """Python's objects would point into nowhere after a sync; a buffer of no bytes the runtime refuses."""
    bank = pynq.Overlay(files["card"], device=device).bank0
    with pytest.raises(InvalidInputError, match=r"objects|no bytes"):
        bank.allocate(shape, dtype)
    assert bank.num_buffers == 0


def test_bytes_for_words_run_into_nothing(files: dict[str, str], device: VirtualCard) -> None:
    """x.nbytes in place of x.size: the kernel runs past the buffer, where a page keeps the others safe."""
    overlay = pynq.Overlay(files["card"], device=device)
    x, y = overlay.bank0.allocate((64, 32), np.int16), overlay.bank0.allocate((64,), np.int16)
    y[:] = 7
    y.sync_to_device()
    with pytest.raises(BusError, match=r"krnl_rtl_1 read from .*in bank0, but in no buffer"):
        overlay.krnl_rtl_1.call(x, y, x.nbytes, y.nbytes)


def test_registers_take_whole_words(files: dict[str, str], device: VirtualCard) -> None:
    """MMIO writes bytes, too: three of them are no register."""
    unit = pynq.Overlay(files["card"], device=device).krnl_rtl_1
    with pytest.raises(BusError, match="words of 4 bytes, not 3 bytes"):
        unit.mmio.write(0x28, b"\1\2\3")


def test_a_kernel_restarts_itself(files: dict[str, str], device: VirtualCard, standin: Any) -> None:
    """With AUTO_RESTART the kernel goes on for as long as the bit is there, as on hardware."""
    overlay = pynq.Overlay(files["card"], device=device)
    x, y = overlay.bank0.allocate((64, 32), np.int16), overlay.bank0.allocate((64,), np.int16)
    registers = overlay.krnl_rtl_1.register_map
    registers.fifo_in, registers.fifo_out = x.device_address, y.device_address
    registers.length_r_in, registers.length_r_out = x.size, y.size
    overlay.krnl_rtl_1.write(0, 0x81)
    for seed in range(3):
        x[:] = np.random.default_rng(seed).integers(-2000, 2000, x.shape)
        x.sync_to_device()
        expected = standin.expected(np.array(x).view(np.uint8).ravel()).view(np.int16)
        deadline = time.monotonic() + 30
        while not (np.array(y) == expected).all():
            assert registers.CTRL.AUTO_RESTART == 1
            y.sync_from_device()
            assert time.monotonic() < deadline
    registers.CTRL.AUTO_RESTART = 0
    while not registers.CTRL.AP_IDLE:
        assert time.monotonic() < deadline
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)


def test_a_kernel_that_calls_fatal_costs_one_call(
    files: dict[str, str], device: VirtualCard, standin: Any
) -> None:
    """Whether it dies of a register's write or later, the unit is reset, and the next call works."""
    unit = pynq.Overlay(files["other"], device=device).moody_1
    buffer = pynq.allocate((16,), np.int32, target=device)
    for _ in range(2):
        with pytest.raises(CardError, match=r"moody_1: the kernel broke.*fatal.*Registers.*was reset"):
            unit.call(buffer, buffer, standin.FATAL, 0)
        unit.write(0x28, standin.FATAL)
        with pytest.raises(CardError, match="moody_1: the kernel broke"):
            unit.write(0, 1)
        unit.call(buffer, buffer, 500, 0)


@pytest.mark.filterwarnings("ignore:Interrupt")  # pynq makes them for the active device
@pytest.mark.parametrize("channel", ["sendchannel", "recvchannel"])
@pytest.mark.parametrize("empty", [True, False])
def test_a_wait_for_no_transfer_is_told(
    files: dict[str, str], device: VirtualCard, monkeypatch: pytest.MonkeyPatch, channel: str, empty: bool
) -> None:
    """On a board, wait() without transfer(), or after one of no bytes, is a dead notebook."""
    monkeypatch.setattr("fpgaclass.card.zynq.unit._PATIENCE_S", 0.1)
    overlay = pynq.Overlay(files["board"], device=device)
    dma = overlay.hier_0.axi_dma_0
    x, y = (pynq.allocate((4, 32), np.int16, target=device) for _ in range(2))
    if empty:
        getattr(dma, channel).transfer(x[0:0])
    with pytest.raises(HungKernelError, match=r"given no transfer.*Next: call transfer\(...\) before wait"):
        getattr(dma, channel).wait()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dma.recvchannel.start()
        dma.sendchannel.start()
        dma.recvchannel.transfer(y)
        dma.sendchannel.transfer(x)
        dma.sendchannel.wait()
        dma.recvchannel.wait()


def test_a_board_has_nothing_to_shut_down(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Notebooks that reconfigure a region call PL.shutdown first."""
    device = VirtualCard(901)
    pynq.Overlay(files["board"], device=device)
    monkeypatch.setattr(pynq.Device, "_active_device", device, raising=False)
    pynq.PL.shutdown()
    assert pynq.PL.bitfile_name == files["board"]
