"""The virtual Zynq board under the real pynq: only pynq's public names, as a notebook uses them."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from fpgaclass.card import (
    Bank,
    Link,
    StreamSimulator,
    VirtualCard,
    VirtualZynq,
    compile_kernel,
    measure,
    write_bit,
    write_xclbin,
)
from fpgaclass.core import BusError, CardError, HungKernelError, WrongCardError, load_file

pynq = pytest.importorskip("pynq")

LINK = Link("AXI DMA", 4e8, 4e8, 10e-6, 0.2e-6, 0.0)
BANK = Bank("PSDDR", 0x10000000, 1 << 28, "DDR4")
WORDS_IN, WORDS_OUT = 32, 2


@pytest.fixture(scope="module")
def path(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summing kernel twice, with a DMA each."""
    folder = tmp_path_factory.mktemp("board")
    return write_bit(folder / "sum.bit", standin.stream_design(instances=2), banks=[BANK], link=LINK)


@pytest.fixture
def overlay(path: Path) -> Any:
    """The overlay, on the active device."""
    return pynq.Overlay(str(path))


def _buffers(count: int, seed: int = 0, device: Any = None) -> tuple[Any, Any]:
    x = pynq.allocate((count, WORDS_IN), np.int16, target=device)
    y = pynq.allocate((count, WORDS_OUT), np.int16, target=device)
    x[:] = np.random.default_rng(seed).integers(-2000, 2000, x.shape)
    y[:] = 0
    y.sync_to_device()
    return x, y


def _sums(standin: Any, x: np.ndarray) -> np.ndarray:
    made: np.ndarray = standin.expected(np.array(x).view(np.uint8).ravel(), 2, 64, 4)
    return made.view(np.int16).reshape(-1, WORDS_OUT)


def _transfer(dma: Any, x: Any, y: Any) -> None:
    dma.sendchannel.transfer(x)
    dma.recvchannel.transfer(y)
    dma.sendchannel.wait()
    dma.recvchannel.wait()


def test_a_dma_moves_events(overlay: Any, standin: Any) -> None:
    """The walk of every lab on a board: allocate, transfer, wait; pynq's driver does the syncs."""
    x, y = _buffers(1000)
    assert overlay.is_loaded()
    assert type(overlay.axi_dma_0).__name__ == "DMA"
    for _ in range(3):
        y[:] = 0
        _transfer(overlay.axi_dma_0, x, y)
        assert (np.array(y) == _sums(standin, x)).all()
    assert overlay.axi_dma_0.recvchannel.transferred == y.nbytes
    assert overlay.axi_dma_0.buffer_max_size == (1 << 26) - 1


def test_parts_of_buffers(overlay: Any, standin: Any) -> None:
    """start and nbytes send a part; slices are buffers with addresses of their own."""
    x, y = _buffers(100)
    dma = overlay.axi_dma_0
    dma.recvchannel.transfer(y, start=40, nbytes=40)
    dma.sendchannel.transfer(x, start=64 * 7, nbytes=64 * 10)
    dma.recvchannel.wait()
    assert (np.array(y[10:20]) == _sums(standin, x[7:17])).all()
    assert (np.array(y[:10]) == 0).all()
    _transfer(dma, x[50:60], y[30:40])
    assert (np.array(y[30:40]) == _sums(standin, x[50:60])).all()


@pytest.mark.parametrize("size", [1, 63, 64, 65, 127, 6399])
def test_odd_lengths_give_the_whole_events(overlay: Any, standin: Any, size: int) -> None:
    """A wrong length is the commonest mistake with a DMA; what comes back says how many events there were."""
    x, y = _buffers(100, seed=size)
    dma = overlay.axi_dma_0
    dma.recvchannel.transfer(y)
    dma.sendchannel.transfer(x, nbytes=size)
    dma.recvchannel.wait()
    events = size // 64
    assert dma.recvchannel.transferred == 4 * events
    assert (np.array(y[:events]) == _sums(standin, x[:events])).all()
    assert (np.array(y[events:]) == 0).all()


def test_buffers_have_two_sides(overlay: Any, standin: Any) -> None:
    """As with caches on a board: what a DMA wrote is not seen by a slice of another buffer until a sync."""
    x, y = _buffers(10)
    dma = overlay.axi_dma_0
    dma.recvchannel.transfer(y)
    dma.sendchannel.transfer(x)
    x[:] = 0  # after the flush of transfer(): the DMA sends what was there
    while not dma.recvchannel.idle:
        pass
    assert (np.array(y) == 0).all(), "only wait() or sync_from_device() bring it to the host's side"
    y.sync_from_device()
    x.sync_from_device()
    assert (np.array(y) == _sums(standin, x)).all()


def test_a_transfer_overlaps_with_the_host(overlay: Any, standin: Any) -> None:
    """transfer() returns at once, and two DMAs work at the same time."""
    pairs = [_buffers(200_000, seed) for seed in range(2)]
    for dma, (x, y) in zip((overlay.axi_dma_0, overlay.axi_dma_1), pairs, strict=True):
        dma.recvchannel.transfer(y)
        dma.sendchannel.transfer(x)
    assert not overlay.axi_dma_1.recvchannel.idle
    for dma, (x, y) in zip((overlay.axi_dma_0, overlay.axi_dma_1), pairs, strict=True):
        dma.recvchannel.wait()
        assert (np.array(y) == _sums(standin, x)).all()


def test_the_cycles_are_those_of_the_kernel_alone(overlay: Any, standin: Any) -> None:
    """Reported cycles depend on the RTL and its DMA alone, not on how long Python took between two lines."""
    x, y = _buffers(777)
    dma = overlay.axi_dma_0
    reported = []
    for pause in (0.0, 0.05):
        dma.sendchannel.transfer(x)
        time.sleep(pause)
        assert dma.recvchannel.running
        time.sleep(pause)
        dma.recvchannel.transfer(y)
        time.sleep(pause)
        dma.sendchannel.wait()
        dma.recvchannel.wait()
        reported.append([e for e in overlay.device.timeline.events if e.kind == "kernel"][-1])
    bench = StreamSimulator(compile_kernel(standin.stream_design(instances=2)))
    bench.map(0x1000, np.zeros(x.nbytes, np.uint8))
    bench.map(0x100000, np.zeros(y.nbytes, np.uint8))
    bench.transfer(0x1000, x.nbytes, 0x100000, y.nbytes)
    assert [event.amount for event in reported] == [bench.cycles] * 2
    assert reported[0].seconds == pytest.approx(bench.cycles / 100e6)
    assert reported[0].source == "simulated"


def test_hls4mls_own_driver_runs_unmodified(path: Path, standin: Any) -> None:
    """The driver that hls4ml 1.3 generates for pynq-z2, with its hier_0.axi_dma_0."""
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    folder = Path(str(spec.origin)).parent / "templates/vivado_accelerator/pynq-z2/python_drivers"
    driver = load_file("z2_driver", folder / "axi_stream_driver.py")
    events = np.random.default_rng(3).integers(-2000, 2000, (4096, WORDS_IN)).astype(np.int16)
    network = driver.NeuralNetworkOverlay(str(path), events.shape, (4096, WORDS_OUT), dtype=np.int16)
    for _ in range(2):
        result, _, rate = network.predict(events, profile=True)
        assert (np.array(result) == _sums(standin, events)).all()
        assert rate > 0


def test_a_dma_is_measured_like_a_call(overlay: Any) -> None:
    """The labs compare a board with a card: the same measurement must take both."""
    for kernel in (overlay, overlay.hier_1.axi_dma_0):
        measured = measure(kernel, batch_sizes=(1, 100), repeats=3)
        small, large = measured.timings
        assert measured.sources == {"host": "measured", "link": "modelled", "kernel": "simulated"}
        assert large.kernel_cycles == 16 * 100 + 8
        assert small.kernel_cycles == 16 + 8
        assert large.kernel_s == pytest.approx(large.kernel_cycles / 100e6)
        # Two transfers set up, and pynq's register accesses; no polls.
        assert 2 * LINK.dma_setup_s < large.link_s < 2 * LINK.dma_setup_s + 60 * LINK.mmio_s
        assert "board" in measured.cpp_note


def test_an_event_by_registers(overlay: Any, standin: Any) -> None:
    """Without any DMA: MMIO into the kernel's window, start, poll, read."""
    x = np.random.default_rng(5).integers(-2000, 2000, (1, WORDS_IN)).astype(np.int16)
    kernel = overlay.hier_0.krnl_stream_0
    for offset, word in enumerate(x.view(np.uint32).ravel()):
        kernel.write(0x400 + 4 * offset, int(word))
    assert kernel.register_map.CTRL.AP_IDLE == 1
    kernel.register_map.CTRL.AP_START = 1
    while not kernel.register_map.CTRL.AP_IDLE:
        pass
    result = np.array([kernel.read(0x800)], np.uint32).view(np.int16)
    assert (result == _sums(standin, x)[0]).all()
    assert not hasattr(kernel, "call"), "on a board pynq has no kernel.call"
    mmio = pynq.MMIO(overlay.ip_dict["hier_0/krnl_stream_0"]["phys_addr"], 0x1000)
    assert mmio.read(0x400, 8) == int(x.view(np.uint64)[0, 0])


def test_coroutines_wait_by_interrupt(overlay: Any, standin: Any) -> None:
    """pynq's Interrupt goes from the DMA's pin over the interrupt controller to the event loop."""
    pairs = [_buffers(3000, seed) for seed in range(2)]
    dmas = (overlay.hier_0.axi_dma_0, overlay.hier_1.axi_dma_0)
    order: list[int] = []

    async def move(which: int) -> None:
        x, y = pairs[which]
        for _ in range(3):
            dmas[which].recvchannel.transfer(y)
            dmas[which].sendchannel.transfer(x)
            await dmas[which].sendchannel.wait_async()
            await dmas[which].recvchannel.wait_async()
            order.append(which)

    async def both() -> None:
        await asyncio.wait_for(asyncio.gather(move(0), move(1)), 60)

    asyncio.run(both())
    assert sorted(order) == [0, 0, 0, 1, 1, 1]
    for x, y in pairs:
        assert (np.array(y) == _sums(standin, x)).all()
    assert dmas[0].register_map.S2MM_DMASR.IOC_Irq == 0, "wait_async acknowledges"


def test_a_wait_that_cannot_end_is_told(overlay: Any, monkeypatch: Any) -> None:
    """On a board this is a dead notebook; here it is a line with the registers, and the DMA works on."""
    monkeypatch.setattr("fpgaclass.card.zynq.unit._PATIENCE_S", 0.2)
    x, y = _buffers(50)
    dma = overlay.axi_dma_0
    dma.recvchannel.transfer(y)
    with pytest.raises(
        HungKernelError, match=r"hier_0/axi_dma_0 hangs: the receiving.*S2MM_DMASR=0x"
    ) as error:
        dma.recvchannel.wait()
    assert "\n" not in str(error.value)
    dma.sendchannel.transfer(x)
    dma.recvchannel.wait()
    x, y = _buffers(500)
    dma.sendchannel.transfer(x)
    with pytest.raises(HungKernelError, match="nothing receives the results"):
        dma.sendchannel.wait()
    dma.recvchannel.transfer(y)
    dma.recvchannel.wait()


def _wait_for_halt(channel: Any) -> None:
    while channel.running:
        pass


def _restart(dma: Any) -> None:
    dma.mmio.write(0, 4)
    dma.sendchannel.start()
    dma.recvchannel.start()


def test_an_address_where_nothing_is(overlay: Any, standin: Any) -> None:
    """The bus answers DECERR: the channel halts with DMADecErr, and a warning says what is at the address."""
    x, y = _buffers(50)
    dma = overlay.axi_dma_0
    gone = x.device_address
    dma.sendchannel._mmio.write(0x18, 0xDEAD0000)
    dma.sendchannel._mmio.write(0x28, 640)
    with pytest.warns(RuntimeWarning, match=r"hier_0/axi_dma_0 \(MM2S\) could not read from 0xdead0000"):
        _wait_for_halt(dma.sendchannel)
    assert dma.register_map.MM2S_DMASR.DMADecErr == 1
    assert dma.sendchannel.error
    with pytest.raises(RuntimeError, match="not started"):
        dma.sendchannel.transfer(x)
    _restart(dma)
    x.freebuffer()
    dma.recvchannel.transfer(y)
    dma.sendchannel._mmio.write(0x18, gone)
    dma.sendchannel._mmio.write(0x28, 640)
    with pytest.warns(RuntimeWarning, match=f"{gone:#x}.*in PSDDR, but in no buffer"):
        _wait_for_halt(dma.sendchannel)
    _restart(dma)
    x, y = _buffers(50)
    _transfer(dma, x, y)
    assert (np.array(y) == _sums(standin, x)).all()


def test_too_little_room_for_the_results(overlay: Any) -> None:
    """PG021: a packet longer than the length register says is an internal error of the channel."""
    x, y = _buffers(50)
    dma = overlay.axi_dma_0
    dma.recvchannel.transfer(y[:10])
    dma.sendchannel.transfer(x)
    with (
        pytest.warns(RuntimeWarning, match="longer than the 40 bytes"),
        pytest.raises(RuntimeError, match=r"Internal Error|not started"),
    ):
        dma.recvchannel.wait()
    assert dma.register_map.S2MM_DMASR.DMAIntErr == 1
    _restart(dma)
    _transfer(dma, x, y)


def test_unaligned_buffers_are_refused(overlay: Any) -> None:
    """pynq itself refuses what a DMA without realignment cannot do; by register, the channel halts."""
    x, y = _buffers(50)
    dma = overlay.axi_dma_0
    with pytest.raises(RuntimeError, match="unaligned"):
        dma.sendchannel.transfer(x, start=2)
    dma.mmio.write(0x48, y.device_address + 2)
    with pytest.warns(RuntimeWarning, match="not a multiple of 4 bytes"):
        dma.mmio.write(0x58, 8)
    assert dma.register_map.S2MM_DMASR.Halted == 1
    _restart(dma)
    _transfer(dma, x, y)


def test_programming_again_invalidates_the_older_overlay(overlay: Any, path: Path) -> None:
    """An FPGA holds one design; pynq says so when the older object is used."""
    dma, (x, y) = overlay.axi_dma_0, _buffers(60_000)
    dma.recvchannel.transfer(y)
    dma.sendchannel.transfer(x)
    again = pynq.Overlay(str(path))
    with pytest.raises(RuntimeError, match="not currently loaded"):
        _ = overlay.axi_dma_0
    assert again.is_loaded()
    _transfer(again.axi_dma_0, *_buffers(10))


def test_free_takes_the_design_off(path: Path) -> None:
    """Overlay.free gives the board back; whatever comes after says what to do."""
    overlay = pynq.Overlay(str(path))
    dma, (x, _) = overlay.axi_dma_0, _buffers(4)
    overlay.free()
    with pytest.raises(RuntimeError, match="not currently loaded"):
        _ = overlay.axi_dma_0
    with pytest.raises(BusError, match="Overlay"):
        dma.sendchannel.transfer(x)
    with pytest.raises(CardError, match="Overlay"):
        pynq.allocate((4,), np.int16)
    assert pynq.Overlay(str(path)).is_loaded()


def test_one_device_is_a_card_and_a_board_in_turn(path: Path, standin: Any, tmp_path: Path) -> None:
    """A class builds for both; a notebook opens either file without saying what the machine is."""
    card_file = write_xclbin(
        tmp_path / "s.xclbin", standin.sum_design(), banks=standin.BANKS, link=standin.LINK
    )
    gc.collect()
    overlay = pynq.Overlay(str(card_file))
    assert hasattr(overlay.krnl_rtl_1, "call")
    overlay = pynq.Overlay(str(path))
    x, y = _buffers(10)
    _transfer(overlay.axi_dma_0, x, y)
    assert (np.array(y) == _sums(standin, x)).all()
    del x, y
    gc.collect()


def test_boards_beside_each_other(path: Path, standin: Any) -> None:
    """Several boards on one machine: each with its design, memory and timeline."""
    boards = [VirtualZynq(7), VirtualCard(8)]
    overlays = [pynq.Overlay(str(path), device=board) for board in boards]
    for seed, (board, overlay) in enumerate(zip(boards, overlays, strict=True)):
        x, y = _buffers(50, seed, board)
        _transfer(overlay.axi_dma_0, x, y)
        assert (np.array(y) == _sums(standin, x)).all()
    assert [board.tag for board in boards] == ["virtual_zynq7", "virtual8"]
    assert all(overlay.is_loaded() for overlay in overlays)


def test_a_board_takes_no_xclbin(tmp_path: Path) -> None:
    """A Zynq board cannot be what an Alveo card is; the line says which file is wrong where."""
    path = tmp_path / "card.xclbin"
    path.write_bytes(b"")
    with pytest.raises(WrongCardError, match="is a Zynq board"):
        pynq.Overlay(str(path), device=VirtualZynq(3))


def test_the_environment_makes_the_machine_a_board() -> None:
    """Where the class has boards, the board is the active device, as on a board itself."""
    code = (
        "import fpgaclass.card, pynq\n"
        "print([d.tag for d in pynq.Device.devices], pynq.Device.active_device.has_capability('CALLABLE'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "FPGACLASS_BOARDS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['virtual_zynq0', 'virtual0'] False"


def test_a_board_of_the_larger_family(standin: Any, tmp_path: Path) -> None:
    """UltraScale+ has another processing system, other addresses and other clocks; a notebook is the same."""
    known = {"platform": "xilinx:kv260:virtual:1.0", "part": "xck26-sfvc784-2LV-c"}
    design = standin.stream_design(instances=2)
    path = write_bit(tmp_path / "sum.bit", design, banks=[BANK], link=LINK, **known)
    board = VirtualZynq(5)
    overlay = pynq.Overlay(str(path), device=board)
    x, y = _buffers(40, device=board)
    _transfer(overlay.hier_1.axi_dma_0, x, y)
    assert (np.array(y) == _sums(standin, x)).all()
    assert overlay.ip_dict["hier_1/axi_dma_0"]["phys_addr"] == 0xA0010000
    assert overlay.clock_dict[0]["frequency"] == 100


def test_a_second_board_works_beside_an_idle_card(path: Path) -> None:
    """pynq asks the active device for interrupts, and that one has no design yet in a fresh notebook."""
    code = (
        "import sys, fpgaclass.card, pynq\n"
        "overlay = pynq.Overlay(sys.argv[1], device=fpgaclass.card.VirtualZynq(1))\n"
        "print(type(overlay.axi_dma_0).__name__, overlay.axi_dma_0.recvchannel.running)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.strip() == "DMA True", done.stderr


def test_thousands_of_transfers_leak_nothing(overlay: Any) -> None:
    """A server transfers for days; the full 10,000 are a proof."""
    _leak(overlay, 300)


@pytest.mark.proof
def test_ten_thousand_transfers_leak_nothing(overlay: Any) -> None:
    """What the small version promises, at the size that the course promises."""
    _leak(overlay, 10_000)


def _leak(overlay: Any, count: int) -> None:
    x, y = _buffers(4)
    dma = overlay.axi_dma_0
    process = psutil.Process()

    def transfers(count: int) -> int:
        for _ in range(count):
            _transfer(dma, x, y)
        gc.collect()
        return int(process.memory_info().rss)

    before, threads = transfers(600), threading.active_count()  # fills the timeline, which is bounded
    assert transfers(count) - before < 2 << 20
    assert threading.active_count() == threads
