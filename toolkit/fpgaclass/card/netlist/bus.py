"""The memory side of a netlist's bench: AXI4 bursts in and out, checked as ``memory.cpp`` does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from fpgaclass.card.simulation.kernel_simulator import Status

_DECERR = 3
_OPEN_BURSTS = 16
_WORD = (1 << 64) - 1


class Pins:
    """A kernel's inputs as they are set, and where its outputs are.

    Args:
        inputs: names, in the order that the netlist takes them.
        outputs: names, in the order that it shows them.
    """

    def __init__(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        self.inputs = {name: position for position, name in enumerate(inputs)}
        self.out = {name: position for position, name in enumerate(outputs)}
        self.values = [0] * len(self.inputs)

    def set(self, name: str, value: int) -> None:
        """Set an input; a kernel may lack some, such as IDs and responses."""
        position = self.inputs.get(name)
        if position is not None:
            self.values[position] = value


@dataclass
class _Burst:
    """Beats that are under way; ``data`` is None where nothing is mapped."""

    due: int
    beats: int
    id: int
    data: memoryview | None


@dataclass
class _Held:
    """An address that waits to be accepted."""

    valid: bool = False
    address: int = 0
    length: int = 0


class Bus(ABC):
    """What is around a kernel, besides its control port: memory, and dice that refuse a share of the clocks.

    Args:
        pins: of the kernel.
        beat: bytes of a beat.
        read_latency: clocks from the start of a burst or transfer to its first beat.
        write_latency: clocks from its last beat to its answer.
        status: counters, which this updates.

    Attributes:
        regions: what is mapped at which address.
        message: how the kernel broke the bus's rules, if it did.
        last_transfer: the clock in which something last moved.
    """

    def __init__(self, pins: Pins, beat: int, read_latency: int, write_latency: int, status: Status) -> None:
        self._pins, self._beat, self._status = pins, beat, status
        self._read_latency, self._write_latency = read_latency, write_latency
        self._stall, self._random = 0, 1
        self._now = 0
        self.regions: dict[int, memoryview] = {}
        self.message = ""
        self.last_transfer = 0
        self.forget()

    def stall(self, permille: int, seed: int) -> None:
        """Refuse that share of the clocks at random."""
        self._stall, self._random = permille, seed * 2 + 1

    @abstractmethod
    def forget(self) -> None:
        """Forget what is under way."""

    @abstractmethod
    def drive(self, now: int) -> None:
        """Set the kernel's inputs for a clock."""

    @abstractmethod
    def transfer(self, shown: tuple[int, ...]) -> None:
        """Take note of what has moved in this clock."""

    def _ready(self) -> bool:
        if not self._stall:
            return True
        dice = self._random
        dice ^= dice << 13 & _WORD
        dice ^= dice >> 7
        dice ^= dice << 17 & _WORD
        self._random = dice
        return (dice >> 20) % 1000 >= self._stall

    def _find(self, address: int, size: int) -> memoryview | None:
        for base, region in self.regions.items():
            if base <= address and address + size <= base + len(region):
                return region[address - base :]
        return None

    def _fault(self, address: int, is_write: bool) -> None:
        if not self._status.fault:
            self._status.fault = 1
            self._status.fault_address, self._status.fault_is_write = address, int(is_write)

    def _broken(self, what: str) -> None:
        self.message = self.message or what


class MemoryBus(Bus):
    """What answers a kernel's memory port."""

    def forget(self) -> None:
        """Forget what is under way."""
        self._reads: deque[_Burst] = deque()
        self._writes: deque[_Burst] = deque()
        self._answers: deque[tuple[int, int, bool]] = deque()  # due, id, fault
        self._r_shown = self._b_shown = False
        self._ar_held, self._aw_held = _Held(), _Held()
        self._w_held: int | None = None

    def drive(self, now: int) -> None:
        """Set the kernel's inputs for a clock."""
        self._now = now
        values, positions, ready = self._pins.values, self._pins.inputs, self._ready
        read_ready = len(self._reads) < _OPEN_BURSTS and ready()
        write_ready = len(self._writes) < _OPEN_BURSTS and len(self._answers) < _OPEN_BURSTS and ready()
        values[positions["m_axi_gmem_ARREADY"]] = int(read_ready)
        values[positions["m_axi_gmem_AWREADY"]] = int(write_ready)
        values[positions["m_axi_gmem_WREADY"]] = int(bool(self._writes) and ready())
        if not self._r_shown and self._reads and now >= self._reads[0].due and ready():
            self._show_read(self._reads[0])
        if not self._b_shown and self._answers and now >= self._answers[0][0] and ready():
            self._pins.set("m_axi_gmem_BRESP", _DECERR if self._answers[0][2] else 0)
            self._pins.set("m_axi_gmem_BID", self._answers[0][1])
            self._b_shown = True
        values[positions["m_axi_gmem_RVALID"]] = int(self._r_shown)
        values[positions["m_axi_gmem_BVALID"]] = int(self._b_shown)

    def transfer(self, shown: tuple[int, ...]) -> None:
        """Take note of what has moved in this clock."""
        values, positions, out = self._pins.values, self._pins.inputs, self._pins.out
        valid = bool(shown[out["m_axi_gmem_ARVALID"]])
        moves = bool(valid and values[positions["m_axi_gmem_ARREADY"]])
        if valid or self._ar_held.valid:
            self._ar_held = self._check_address("AR", self._ar_held, valid, moves, shown)
        if self._r_shown and shown[out["m_axi_gmem_RREADY"]]:
            self._read_moves()
        if moves:
            self._reads.append(self._burst("AR", shown, self._read_latency))
            self._status.read_bursts += 1
        valid = bool(shown[out["m_axi_gmem_AWVALID"]])
        moves = bool(valid and values[positions["m_axi_gmem_AWREADY"]])
        if valid or self._aw_held.valid:
            self._aw_held = self._check_address("AW", self._aw_held, valid, moves, shown)
        self._write_moves(shown)
        if moves:
            self._writes.append(self._burst("AW", shown, 0))
            self._status.write_bursts += 1

    def _show_read(self, burst: _Burst) -> None:
        data = burst.data[: self._beat] if burst.data is not None else b"\xdb" * self._beat
        self._pins.set("m_axi_gmem_RDATA", int.from_bytes(data, "little"))
        self._pins.set("m_axi_gmem_RLAST", int(burst.beats == 1))
        self._pins.set("m_axi_gmem_RRESP", _DECERR if burst.data is None else 0)
        self._pins.set("m_axi_gmem_RID", burst.id)
        self._r_shown = True

    def _read_moves(self) -> None:
        burst = self._reads[0]
        if burst.data is not None:
            burst.data = burst.data[self._beat :]
        burst.beats -= 1
        if burst.beats == 0:
            self._reads.popleft()
        self._r_shown = False
        self.last_transfer = self._now
        self._status.read_beats += 1

    def _write_moves(self, shown: tuple[int, ...]) -> None:
        out, wvalid = self._pins.out, bool(shown[self._pins.out["m_axi_gmem_WVALID"]])
        data = shown[out["m_axi_gmem_WDATA"]]
        if self._w_held is not None and not (wvalid and data == self._w_held):
            self._broken("W changed before it was accepted")
        moves = bool(wvalid and self._pins.values[self._pins.inputs["m_axi_gmem_WREADY"]])
        self._w_held = data if wvalid and not moves else None
        if self._b_shown and shown[out["m_axi_gmem_BREADY"]]:
            self._answers.popleft()
            self._b_shown = False
            self.last_transfer = self._now
        if not moves:
            return
        burst = self._writes[0]
        if burst.data is not None:
            self._store(burst.data, data, shown[out["m_axi_gmem_WSTRB"]])
            burst.data = burst.data[self._beat :]
        burst.beats -= 1
        if bool(shown[out["m_axi_gmem_WLAST"]]) != (burst.beats == 0):
            self._broken("WLAST is not on the last beat of a burst")
        if burst.beats == 0:
            self._answers.append((self._now + self._write_latency, burst.id, burst.data is None))
            self._writes.popleft()
        self.last_transfer = self._now
        self._status.write_beats += 1

    def _store(self, into: memoryview, data: int, strobe: int) -> None:
        raw = data.to_bytes(self._beat, "little")
        if strobe == (1 << self._beat) - 1:
            into[: self._beat] = raw
            return
        for position in range(self._beat):
            if strobe >> position & 1:
                into[position] = raw[position]

    def _burst(self, channel: str, shown: tuple[int, ...], latency: int) -> _Burst:
        address = shown[self._pins.out[f"m_axi_gmem_{channel}ADDR"]]
        beats = shown[self._pins.out[f"m_axi_gmem_{channel}LEN"]] + 1
        named = self._pins.out.get(f"m_axi_gmem_{channel}ID")
        data = self._find(address, beats * self._beat)
        if data is None:
            self._fault(address, channel == "AW")
        self.last_transfer = self._now
        return _Burst(self._now + latency, beats, shown[named] if named is not None else 0, data)

    def _check_address(
        self, channel: str, held: _Held, valid: bool, moves: bool, shown: tuple[int, ...]
    ) -> _Held:
        """Check what holds for every AXI4 master: whole beats, inside 4 KB, and a VALID that waits."""
        port = f"m_axi_gmem_{channel}"
        address, length = shown[self._pins.out[f"{port}ADDR"]], shown[self._pins.out[f"{port}LEN"]]
        if held.valid and not (valid and address == held.address and length == held.length):
            self._broken(f"{channel} changed before it was accepted")
        if valid and not held.valid:
            whole = 1 << shown[self._pins.out[f"{port}SIZE"]] == self._beat
            if not whole or shown[self._pins.out[f"{port}BURST"]] != 1 or address % self._beat:
                self._broken(f"{channel} is not an aligned incrementing burst of whole beats")
            if (address & 4095) + (length + 1) * self._beat > 4096:
                self._broken(f"{channel} crosses 4 KB")
        return _Held(valid and not moves, address, length)
