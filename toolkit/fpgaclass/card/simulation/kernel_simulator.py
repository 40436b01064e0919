"""A compiled kernel on its own clock: registers in, memory around it, cycles out."""

from __future__ import annotations

import ctypes
import weakref
from pathlib import Path
from typing import Any

from fpgaclass.core import BusError, CardError, HungKernelError, InvalidInputError

READ_LATENCY = 48
WRITE_LATENCY = 24
WATCHDOG = 1_000_000
DONE, BUDGET, HUNG, FAULT, BROKEN = range(5)


class Status(ctypes.Structure):
    """Counters of a kernel; cycles and transfers since it was made."""

    _fields_ = [
        (name, ctypes.c_uint64)
        for name in (
            "now", "run_cycles", "runs", "read_bursts", "read_beats", "write_bursts", "write_beats",
            "fault_address",
        )
    ] + [(name, ctypes.c_uint32) for name in ("running", "fault", "fault_is_write", "interrupt")]  # fmt: skip


def _load(library: Path) -> ctypes.CDLL:
    try:
        lib = ctypes.CDLL(str(library))
    except OSError as error:
        raise CardError(
            f"the simulator cannot be loaded: {error}",
            where=str(library),
            next_step="delete it and try again",
        ) from error
    handle, u32, u64 = ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint64
    lib.fk_new.restype = handle
    lib.fk_message.restype = ctypes.c_char_p
    for name, arguments in {
        "fk_free": (handle,),
        "fk_reset": (handle,),
        "fk_memory": (handle, u32, u32, u32, u64, ctypes.c_int),
        "fk_unmap_all": (handle,),
        "fk_map": (handle, u64, u64, ctypes.c_void_p),
        "fk_write": (handle, u32, u32),
        "fk_read": (handle, u32, ctypes.POINTER(u32)),
        "fk_run": (handle, u64, u64),
        "fk_idle": (handle, u64),
        "fk_status": (handle, ctypes.POINTER(Status)),
        "fk_message": (handle,),
    }.items():
        getattr(lib, name).argtypes = arguments
    return lib


def check_timing(read_latency: int, write_latency: int, stall_permille: int, seed: int) -> None:
    """Check what a simulator is told of its memory.

    Raises:
        InvalidInputError: one of them is out of range.
    """
    if min(read_latency, write_latency, seed) < 0 or not 0 <= stall_permille < 1000:
        raise InvalidInputError("latencies and seed are 0 or more, stall_permille is 0 to 999")


class KernelSimulator:
    """One instance of a kernel's RTL between an AXI4-Lite master and an AXI4 memory.

    The memory answers a read burst ``read_latency`` cycles after its address and a write burst
    ``write_latency`` cycles after its last beat, one beat a cycle, with up to 16 bursts open each way: a
    model of a card's DRAM, not a measurement of one. With ``stall_permille`` each of its channels refuses
    that fraction of the cycles at random, from ``seed``.

    Every burst is checked as AXI4 demands: whole aligned beats, no 4 KB boundary crossed, nothing that
    changes while it waits, WLAST where it belongs.

    Calls release the GIL; calls on one simulator must not overlap.

    Example:
        >>> simulator = KernelSimulator(compile_kernel(design))  # doctest: +SKIP
        >>> simulator.map(0x1000, bytearray(4096))  # doctest: +SKIP
        >>> simulator.write(0x0, 1)  # doctest: +SKIP
        >>> simulator.run()  # doctest: +SKIP
        92
    """

    def __init__(
        self,
        library: Path,
        *,
        read_latency: int = READ_LATENCY,
        write_latency: int = WRITE_LATENCY,
        stall_permille: int = 0,
        seed: int = 0,
        stop_on_fault: bool = True,
    ) -> None:
        check_timing(read_latency, write_latency, stall_permille, seed)
        self._lib = _load(library)
        self._handle = self._lib.fk_new()
        if not self._handle:
            raise CardError("the kernel's RTL fails as it starts", where=str(library))
        self._finalizer = weakref.finalize(self, self._lib.fk_free, self._handle)
        self._mapped: dict[int, Any] = {}
        self._lib.fk_memory(
            self._handle, read_latency, write_latency, stall_permille, seed, int(stop_on_fault)
        )

    def reset(self) -> None:
        """Pull the kernel's reset; registers go to zero and open transfers are forgotten."""
        self._check(self._lib.fk_reset(self._handle))

    def map(self, address: int, memory: Any) -> None:
        """Put a writable buffer of the host behind a device address; it stays in use until unmapped."""
        view = (ctypes.c_char * memoryview(memory).nbytes).from_buffer(memory)
        self._mapped[address] = view
        self._lib.fk_map(self._handle, address, len(view), ctypes.addressof(view))

    def unmap_all(self) -> None:
        """Forget all memory."""
        self._lib.fk_unmap_all(self._handle)
        self._mapped.clear()

    def write(self, offset: int, value: int) -> None:
        """Write a 32-bit register over AXI4-Lite."""
        self._check(self._lib.fk_write(self._handle, offset, value & 0xFFFFFFFF))

    def read(self, offset: int) -> int:
        """Read a 32-bit register over AXI4-Lite."""
        value = ctypes.c_uint32()
        self._check(self._lib.fk_read(self._handle, offset, ctypes.byref(value)))
        return value.value

    def idle(self, cycles: int) -> None:
        """Let the clock run, whatever the kernel does."""
        self._check(self._lib.fk_idle(self._handle, cycles))

    def advance(self, cycles: int, watchdog: int = WATCHDOG) -> bool:
        """Let a started kernel run for at most that many cycles; True when it is not running (any more).

        Raises:
            BusError: it asked for an address that nothing is mapped to.
            HungKernelError: it moved nothing over its memory port for ``watchdog`` cycles.
            CardError: it broke the rules of AXI4 or called ``$fatal``.
        """
        return self._check(self._lib.fk_run(self._handle, cycles, watchdog)) == DONE

    def run(self, max_cycles: int = 1 << 40, watchdog: int = WATCHDOG) -> int:
        """Let a started kernel run to its end and return its cycles.

        Cycles are exact: clocks from the first with ``ap_start`` high to the first with ``ap_done`` high.

        Raises:
            HungKernelError: it did not end within ``max_cycles``; otherwise as ``advance``.
        """
        if not self.advance(max_cycles, watchdog):
            raise HungKernelError(f"the kernel did not finish within {max_cycles:,} cycles")
        return self.cycles

    @property
    def status(self) -> Status:
        """Counters as of now."""
        status = Status()
        self._lib.fk_status(self._handle, ctypes.byref(status))
        return status

    @property
    def cycles(self) -> int:
        """Cycles of the last run that ended."""
        return int(self.status.run_cycles)

    def _check(self, outcome: int) -> int:
        if outcome not in (DONE, BUDGET):
            raise failure_of(outcome, self.status, self._lib.fk_message(self._handle).decode())
        return outcome


def failure_of(outcome: int, status: Status, message: str) -> CardError:
    """Return the error that a run's outcome stands for."""
    if outcome == FAULT:
        verb = "wrote to" if status.fault_is_write else "read from"
        return BusError(f"the kernel {verb} {status.fault_address:#x}, where nothing answers (AXI DECERR)")
    if outcome == HUNG:
        return HungKernelError("the kernel has stopped moving data and is not done")
    return CardError(f"the kernel broke: {message}")
