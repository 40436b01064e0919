"""The virtual card under the real pynq: only pynq's public names, as a notebook uses them."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

import fpgaclass.card
from fpgaclass.core import BusError, CardError, HungKernelError, WrongCardError, load_file

pynq = pytest.importorskip("pynq")


@pytest.fixture(scope="module")
def path(standin: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The summing kernel with two compute units."""
    target = tmp_path_factory.mktemp("overlays") / "sum.xclbin"
    design = standin.sum_design(instances=2)
    return fpgaclass.card.write_xclbin(target, design, banks=standin.BANKS, link=standin.LINK)


@pytest.fixture
def overlay(path: Path) -> Any:
    """The overlay, on the active device."""
    return pynq.Overlay(str(path))


def _events(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-2000, 2000, (count, 32)).astype(np.int16)


def _sums(standin: Any, events: np.ndarray) -> np.ndarray:
    made: np.ndarray = standin.expected(np.ascontiguousarray(events).view(np.uint8).ravel())
    return made.view(np.int16)


def _buffers(overlay: Any, events: np.ndarray) -> tuple[Any, Any]:
    x = pynq.allocate(events.shape, np.int16, target=overlay.bank0)
    y = pynq.allocate((len(events),), np.int16)
    x[:] = events
    x.sync_to_device()
    return x, y


def test_the_card_is_the_active_device() -> None:
    """On a machine without cards, pynq's defaults must find ours and nothing else."""
    assert [device.tag for device in pynq.Device.devices] == ["virtual0"]
    assert pynq.Device.active_device is pynq.Device.devices[0]
    assert isinstance(pynq.Device.active_device, fpgaclass.card.VirtualCard)


def test_call_gives_the_kernels_results(overlay: Any, standin: Any) -> None:
    """The walk that every lab makes: allocate, sync, call, sync."""
    events = _events(1000)
    x, y = _buffers(overlay, events)
    kernel = overlay.krnl_rtl_1
    assert list(kernel.signature.parameters) == ["fifo_in", "fifo_out", "length_r_in", "length_r_out"]
    kernel.call(x, y, x.size, y.size)
    y.sync_from_device()
    assert (np.array(y) == _sums(standin, events)).all()
    y[:] = 0
    kernel.call(fifo_in=x, fifo_out=y, length_r_in=x.size, length_r_out=y.size)
    y.sync_from_device()
    assert (np.array(y) == _sums(standin, events)).all()


def test_a_forgotten_sync_shows_stale_data(overlay: Any, standin: Any) -> None:
    """On hardware this is the first mistake everyone makes; it must not be hidden here."""
    x, y = _buffers(overlay, _events(10, seed=1))
    x[:] = _events(10, seed=2)
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    assert (np.array(y) == 0).all(), "without sync_from_device the host still sees its own copy"
    y.sync_from_device()
    assert (np.array(y) == _sums(standin, _events(10, seed=1))).all(), "the kernel saw the first events"


def test_slices_are_buffers(overlay: Any, standin: Any) -> None:
    """Students send part of a buffer; its address and its sync follow the slice."""
    events = _events(256)
    x, y = _buffers(overlay, events)
    y[:] = 7
    y.sync_to_device()
    overlay.krnl_rtl_2.call(x[100:], y[37:47], 32 * 10, 10)
    y[37:47].sync_from_device()
    assert (np.array(y[37:47]) == _sums(standin, events[100:110])).all()
    y.sync_from_device()
    assert (np.array(y[:37]) == 7).all()
    assert (np.array(y[47:]) == 7).all()


def test_start_overlaps_with_the_host(overlay: Any, standin: Any) -> None:
    """start() exists so that the host can work meanwhile; two units work at the same time."""
    events = _events(65536)
    x, y = _buffers(overlay, events)
    z = pynq.allocate((len(events),), np.int16)
    one, two = overlay.krnl_rtl_1, overlay.krnl_rtl_2
    handles = [one.start(x, y, x.size, y.size) for _ in range(10)] + [two.start(x, z, x.size, z.size)]
    assert not handles[9].done, "start must return before the run has ended"
    for handle in handles:
        handle.wait()
        assert handle.done
    for buffer in (y, z):
        buffer.sync_from_device()
        assert (np.array(buffer) == _sums(standin, events)).all()


def test_runs_of_one_unit_queue_up_and_wait_for_others(overlay: Any) -> None:
    """The runtime's scheduler takes any number of starts, in order, also after those of other units."""
    events = _events(4096)
    x, y = _buffers(overlay, events)
    first = [overlay.krnl_rtl_1.start(x, y, x.size, y.size) for _ in range(20)]
    last = overlay.krnl_rtl_2.start(x, y, x.size, y.size, waitfor=first[-1:])
    last.wait()
    assert all(handle.done for handle in first)


def test_wait_async_works_in_a_running_loop(overlay: Any, standin: Any) -> None:
    """A server awaits its cards; notebooks have a loop of their own."""
    events = _events(2000)
    x, y = _buffers(overlay, events)

    async def run() -> None:
        await overlay.krnl_rtl_1.start(x, y, x.size, y.size).wait_async()

    asyncio.run(run())
    y.sync_from_device()
    assert (np.array(y) == _sums(standin, events)).all()


def _poll(registers: Any) -> None:
    deadline = time.monotonic() + 60
    while not registers.CTRL.AP_IDLE:
        assert time.monotonic() < deadline


def test_the_register_map_starts_and_shows_a_run(overlay: Any, standin: Any) -> None:
    """One lab starts the kernel by hand, bit by bit, to see what .call does."""
    events = _events(5000)
    x, y = _buffers(overlay, events)
    registers = overlay.krnl_rtl_1.register_map
    registers.fifo_in = x.device_address
    registers.fifo_out = y.device_address
    registers.length_r_in = x.size
    registers.length_r_out = y.size
    assert registers.CTRL.AP_IDLE == 1
    registers.CTRL.AP_START = 1
    _poll(registers)
    y.sync_from_device()
    assert (np.array(y) == _sums(standin, events)).all()
    assert int(registers.fifo_in) == x.device_address
    assert "AP_IDLE=1" in repr(registers)


def test_mmio_reaches_the_registers(overlay: Any) -> None:
    """MMIO is the lowest level that pynq shows."""
    base = overlay.ip_dict["krnl_rtl_1"]["phys_addr"]
    mmio = pynq.MMIO(base, 0x1000)
    mmio.write(0x28, 1234)
    mmio.write(0x10, 0xABCD)
    mmio.write(0x14, 0x12)
    assert mmio.read(0x28) == 1234
    assert mmio.read(0x10, 8) == 0x12_0000_ABCD
    assert int(overlay.krnl_rtl_1.register_map.length_r_in) == 1234
    with pytest.raises(BusError, match="no register"):
        pynq.MMIO(0x100, 0x10).read(0)


def test_the_cycles_are_those_of_the_kernel_alone(overlay: Any, sum_library: Path) -> None:
    """What the card reports must be what the same RTL takes on a bare test bench, to the cycle."""
    events = _events(777)
    x, y = _buffers(overlay, events)
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    reported = [event for event in overlay.device.timeline.events if event.kind == "kernel"][-1]
    bench = fpgaclass.card.KernelSimulator(sum_library)
    bench.map(0x1000, np.zeros(x.nbytes + 4096, np.uint8))
    bench.map(0x100000, np.zeros(4096, np.uint8))
    for offset, value in ((0x10, 0x1000), (0x1C, 0x100000), (0x28, x.size), (0x30, y.size)):
        bench.write(offset, value)
    bench.write(0, 1)
    assert reported.amount == bench.run()
    assert reported.source == "simulated"
    assert reported.seconds == pytest.approx(reported.amount / 200e6)


def test_link_times_follow_the_model(overlay: Any, standin: Any) -> None:
    """Modelled seconds are shown to students: they must be the formula in the documentation."""
    before = overlay.device.timeline.totals
    x, y = _buffers(overlay, _events(4096))
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    spent = overlay.device.timeline.totals.since(before)
    link = standin.LINK
    transfers = 2 * link.dma_setup_s + x.nbytes / link.h2d_bytes_per_s + y.nbytes / link.d2h_bytes_per_s
    assert spent.link_s == pytest.approx(transfers + link.launch_s)


def test_hls4mls_own_driver_runs_unmodified(path: Path, standin: Any) -> None:
    """The driver that hls4ml 1.3 generates for Alveo is what users of hls4ml already have."""
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    folder = Path(str(spec.origin)).parent / "templates/vivado_accelerator/alveo/python_drivers"
    driver = load_file("driver", folder / "axi_stream_driver.py")
    events = _events(4096)
    network = driver.NeuralNetworkOverlay(str(path))
    network.bank0.allocate((1,), np.int16)  # the driver names no bank: one is in use, so that is it
    result = network.predict(events, (4096, 1), dtype=np.int16)
    assert (np.array(result).ravel() == _sums(standin, events)).all()
    result, _, rate = network.predict(events, (4096, 1), dtype=np.int16, profile=True)
    assert (np.array(result).ravel() == _sums(standin, events)).all()
    assert rate > 0


def test_a_buffer_of_floats_for_a_kernel_of_integers_is_told(overlay: Any) -> None:
    """hls4ml's driver allocates float32 unless it is told otherwise; the results would be meaningless."""
    with pytest.warns(RuntimeWarning, match="float32 for a kernel whose words are int16.*firmware.encode"):
        pynq.allocate((4, 32), np.float32, target=overlay.bank0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pynq.allocate((4, 32), np.int8, target=overlay.bank0)


def test_programming_again_invalidates_the_older_overlay(overlay: Any, path: Path) -> None:
    """An FPGA holds one design; pynq says so when the older object is used."""
    again = pynq.Overlay(str(path))
    with pytest.raises(RuntimeError, match="not currently loaded"):
        _ = overlay.krnl_rtl_1
    assert again.is_loaded()
    assert not overlay.is_loaded()


def test_programming_stops_what_runs(path: Path) -> None:
    """A run in flight ends with the design that it ran on, and does not write on."""
    overlay = pynq.Overlay(str(path))
    x, y = _buffers(overlay, _events(65536))
    handles = [overlay.krnl_rtl_1.start(x, y, x.size, y.size) for _ in range(30)]
    pynq.Overlay(str(path))
    with pytest.raises(CardError, match="programmed again"):
        handles[-1].wait()


def test_free_takes_the_design_off(path: Path) -> None:
    """Overlay.free gives the card back; whatever comes after says what to do."""
    overlay = pynq.Overlay(str(path))
    kernel = overlay.krnl_rtl_1
    overlay.free()
    with pytest.raises(RuntimeError, match="not currently loaded"):
        _ = overlay.krnl_rtl_1
    with pytest.raises(BusError, match="Overlay"):
        kernel.register_map.CTRL.AP_START = 1
    with pytest.raises(CardError, match="Overlay"):
        pynq.allocate((4,), np.int16)
    assert pynq.Overlay(str(path)).is_loaded()


def test_downloading_later_works(path: Path) -> None:
    """download=False only reads the metadata."""
    pynq.Device.active_device.free_bitstream()
    overlay = pynq.Overlay(str(path), download=False)
    assert "krnl_rtl_1" in overlay.ip_dict
    overlay.download()
    assert overlay.krnl_rtl_1.register_map.CTRL.AP_IDLE == 1


def test_a_buffer_that_is_too_small_is_a_bus_error(overlay: Any) -> None:
    """Wrong lengths read past the buffer; the error names unit, address, place and registers."""
    x, y = _buffers(overlay, _events(64))
    with pytest.raises(
        BusError, match=r"krnl_rtl_1 read from .* in no buffer .* length_r_in=0x8000"
    ) as error:
        overlay.krnl_rtl_1.call(x, y, 0x8000, 1024)
    assert "\n" not in str(error.value)
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)  # the card works on


def test_a_freed_buffer_is_out_of_reach(overlay: Any) -> None:
    """Its pages may be another buffer's by now; on hardware this reads whatever is there."""
    x, y = _buffers(overlay, _events(64))
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    address = x.device_address
    x.freebuffer()
    with pytest.raises(BusError, match=hex(address)):
        overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    with pytest.raises(CardError, match="freed"):
        x.sync_to_device()


def test_the_wrong_bank_is_a_bus_error(overlay: Any) -> None:
    """A kernel is wired to banks; a buffer in another one cannot be reached, on hardware either."""
    x, _ = _buffers(overlay, _events(64))
    elsewhere = overlay.device.get_memory_by_name("bank1").allocate((64,), np.int16)
    with pytest.raises(BusError, match=r"wrote to .* a buffer in bank1; it is wired to bank0"):
        overlay.krnl_rtl_1.call(x, elsewhere, x.size, elsewhere.size)


def test_a_bad_pointer_by_register_raises_at_the_next_look(overlay: Any) -> None:
    """Started by register, the run fails in its own thread; whoever polls must hear of it."""
    registers = overlay.krnl_rtl_1.register_map
    registers.fifo_in = 0xDEAD0000
    registers.length_r_in = registers.length_r_out = 3200
    registers.CTRL.AP_START = 1
    with pytest.raises(BusError, match="0xdead0000"):
        _poll(registers)


def test_a_hung_kernel_names_its_registers(standin: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """The watchdog is what stands between a student and a dead notebook."""
    monkeypatch.setenv("FPGACLASS_WATCHDOG", "20000")
    path = fpgaclass.card.write_xclbin(
        tmp_path / "moody.xclbin", standin.moody_design(), banks=standin.BANKS, link=standin.LINK
    )
    unit = pynq.Overlay(str(path)).moody_1
    buffer = pynq.allocate((16,), np.int32)
    with pytest.raises(HungKernelError, match=r"moody_1 hangs.*CTRL=0x1 \(AP_START\).*length_r_in=0x0"):
        unit.call(buffer, buffer, standin.NEVER, 0)
    unit.call(buffer, buffer, 500, 0)
    assert unit.device.timeline.events[-1].amount == 500


def test_a_full_bank_is_a_memory_error(overlay: Any) -> None:
    """pynq's own error is a number from the driver; ours says what is taken."""
    gc.collect()  # an earlier test's error may still hold a buffer in its traceback
    bank = overlay.device.get_memory_by_name("bank1")
    kept = bank.allocate((1 << 19,), np.int8)
    assert bank.num_buffers == 1
    with pytest.raises(MemoryError, match="bank1"):
        bank.allocate((1 << 20,), np.int8)
    kept.freebuffer()
    bank.allocate((1 << 20,), np.int8)


def test_buffers_leave_with_their_last_view(overlay: Any) -> None:
    """pynq frees a buffer with its scope; a slice that is still in use keeps it."""
    gc.collect()
    before = overlay.bank0.num_buffers
    with pynq.allocate((100, 32), np.int16) as x:
        assert overlay.bank0.num_buffers == before + 1
    assert overlay.bank0.num_buffers == before, "a with block frees at its end"
    del x
    y = pynq.allocate((100, 32), np.int16)[10:20]
    gc.collect()
    assert overlay.bank0.num_buffers == before + 1
    del y
    gc.collect()
    assert overlay.bank0.num_buffers == before


def test_wrong_files_are_refused_before_the_card_changes(overlay: Any, tmp_path: Path) -> None:
    """A corrupt or foreign file must not cost the design that is loaded."""
    real = Path(pynq.__file__).parent / "pl_server" / "default.xclbin"
    with pytest.raises(WrongCardError):
        pynq.Overlay(str(real))
    broken = tmp_path / "broken.xclbin"
    broken.write_bytes(real.read_bytes()[:1000])
    with pytest.raises(CardError, match="corrupt"):
        pynq.Overlay(str(broken))
    x, y = _buffers(overlay, _events(4))
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)


def test_a_kernel_on_two_banks_needs_targets(standin: Any, tmp_path: Path) -> None:
    """With several banks pynq cannot choose; the error names the attribute that can."""
    design = standin.sum_design()
    arguments = (design.arguments[0], dataclasses.replace(design.arguments[1], bank="bank1"))
    design = dataclasses.replace(design, arguments=(*arguments, *design.arguments[2:]))
    path = fpgaclass.card.write_xclbin(
        tmp_path / "two.xclbin", design, banks=standin.BANKS, link=standin.LINK
    )
    overlay = pynq.Overlay(str(path))
    with pytest.raises(CardError, match=r"several banks.*target=overlay\.bank0"):
        pynq.allocate((4,), np.int16)
    events = _events(20)
    x = pynq.allocate(events.shape, np.int16, target=overlay.bank0)
    y = pynq.allocate((20,), np.int16, target=overlay.bank1)
    x[:] = events
    x.sync_to_device()
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    y.sync_from_device()
    assert (np.array(y) == _sums(standin, events)).all()


def test_other_banks_need_the_old_buffers_gone(overlay: Any, standin: Any, tmp_path: Path) -> None:
    """Addresses of living buffers would mean something else under another memory layout."""
    x, y = _buffers(overlay, _events(4))
    path = fpgaclass.card.write_xclbin(
        tmp_path / "one.xclbin", standin.sum_design(), banks=standin.BANKS[:1], link=standin.LINK
    )
    with pytest.raises(CardError, match="still holds buffers"):
        pynq.Overlay(str(path))
    del x, y
    gc.collect()
    assert pynq.Overlay(str(path)).is_loaded()


def test_two_cards_hold_two_designs(path: Path, standin: Any) -> None:
    """Several cards on one machine: each with its design, memory and timeline."""
    cards = [fpgaclass.card.VirtualCard(index) for index in (7, 8)]
    overlays = [pynq.Overlay(str(path), device=card) for card in cards]
    assert [overlay.device.tag for overlay in overlays] == ["virtual7", "virtual8"]
    for seed, overlay in enumerate(overlays):
        events = _events(50, seed)
        x = pynq.allocate(events.shape, np.int16, target=overlay.device)
        y = pynq.allocate((50,), np.int16, target=overlay.bank0)
        x[:] = events
        x.sync_to_device()
        overlay.krnl_rtl_1.call(x, y, x.size, y.size)
        y.sync_from_device()
        assert (np.array(y) == _sums(standin, events)).all()
    assert all(overlay.is_loaded() for overlay in overlays)


def _run(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_number_of_cards_is_set_by_the_environment() -> None:
    """A class machine may play several cards, or none where there are real ones."""
    code = "import fpgaclass.card, pynq; print([d.tag for d in pynq.Device.devices])"
    assert _run(code, FPGACLASS_CARDS="3").strip() == "['virtual0', 'virtual1', 'virtual2']"
    code = (
        "import fpgaclass.card, pynq, warnings; warnings.simplefilter('ignore'); print(pynq.Device.devices)"
    )
    assert _run(code, FPGACLASS_CARDS="0").strip() == "[]"


def test_a_wrong_number_of_cards_is_refused() -> None:
    """A typo in the environment must not look like a machine without cards."""
    code = "import fpgaclass.card, pynq\ntry: pynq.Device.devices\nexcept ValueError as e: print(e)"
    assert "FPGACLASS_CARDS is 'two'" in _run(code, FPGACLASS_CARDS="two")


def test_a_forked_process_has_a_card_of_its_own(overlay: Any) -> None:
    """multiprocessing forks on Linux: the child has no worker thread, and must not wait for one."""
    x, y = _buffers(overlay, _events(4))
    overlay.krnl_rtl_1.call(x, y, x.size, y.size)
    child = multiprocessing.get_context("fork").Process(
        target=overlay.krnl_rtl_1.call, args=(x, y, x.size, y.size)
    )
    child.start()
    child.join(60)
    assert child.exitcode == 0


@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.proof)])
def test_calls_leak_nothing(overlay: Any, count: int) -> None:
    """A server calls for days."""
    x, y = _buffers(overlay, _events(4))
    kernel = overlay.krnl_rtl_1
    process = psutil.Process()

    def calls(count: int) -> int:
        for _ in range(count):
            kernel.call(x, y, x.size, y.size)
        gc.collect()
        return int(process.memory_info().rss)

    # The timeline is bounded; it is filled first where the calls would go on filling it.
    before, threads = calls(11_000 if count > 1000 else 200), threading.active_count()
    assert calls(count) - before < 2 << 20
    assert threading.active_count() == threads
