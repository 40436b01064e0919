"""The DMA around a stream kernel's netlist: that of ``stream.cpp`` of the harness, step by step."""

from __future__ import annotations

from dataclasses import dataclass

from fpgaclass.card.netlist.bus import Bus
from fpgaclass.card.simulation.stream_simulator import (
    ADDRESS,
    DECODE_ERROR,
    DMACR,
    DMASR,
    DONE_IRQ,
    ERROR_IRQ,
    HALTED,
    IDLE,
    INTERNAL_ERROR,
    LENGTH,
    LENGTH_BITS,
    RS,
    S2MM,
)

_WRITABLE, _AT_RESET, _ALWAYS, _INTERRUPTS = 0xFFFF7019, 0x00010002, 0x2, 0x7000


@dataclass
class _Channel:
    """One direction of the DMA."""

    control: int = _AT_RESET
    state: int = HALTED
    address: int = 0
    length: int = 0
    busy: bool = False
    due: int = 0  # when memory is ready for the transfer
    moved: int = 0  # bytes
    done_at: int = 0  # receiving: when the last write is answered; 0 while it goes on

    @property
    def interrupts(self) -> bool:
        return bool(self.state & self.control & _INTERRUPTS)

    def finish(self) -> None:
        self.busy = False
        self.state |= DONE_IRQ | IDLE
        if not self.control & RS:
            self.halt()

    def halt(self) -> None:
        self.state = (self.state | HALTED) & ~IDLE
        self.control &= ~RS

    def fail(self, error: int) -> None:
        self.busy = False
        self.state |= error | ERROR_IRQ
        self.halt()


class StreamBus(Bus):
    """What feeds and empties a kernel's streams.

    Attributes:
        length_mask: what a length register holds.
        ends_packets: whether the last beat of a transfer has TLAST.
    """

    length_mask = (1 << LENGTH_BITS) - 1
    ends_packets = True

    def forget(self) -> None:
        """Forget what is under way."""
        self.sending, self.receiving = _Channel(), _Channel()
        self._shown = False
        self._held: tuple[int, int, int] | None = None

    def drive(self, now: int) -> None:
        """Set the kernel's inputs for a clock."""
        self._now = now
        channel = self.sending
        if not self._shown and channel.busy and now >= channel.due and self._ready():
            self._offer(channel)
        self._pins.set("in_r_TVALID", int(self._shown))
        channel = self.receiving
        ready = channel.busy and not channel.done_at and now >= channel.due and self._ready()
        self._pins.set("out_r_TREADY", int(ready))

    def _offer(self, channel: _Channel) -> None:
        left = channel.length - channel.moved
        size = min(left, self._beat)
        data = self._find(channel.address + channel.moved, size)
        if data is None:
            self._fault(channel.address + channel.moved, is_write=False)
            channel.fail(DECODE_ERROR)
            return
        self._pins.set("in_r_TDATA", int.from_bytes(data[:size], "little"))
        self._pins.set("in_r_TKEEP", (1 << size) - 1)
        self._pins.set("in_r_TLAST", int(self.ends_packets and size == left))
        self._shown = True

    def transfer(self, shown: tuple[int, ...]) -> None:
        """Take note of what has moved in this clock."""
        values, positions, out = self._pins.values, self._pins.inputs, self._pins.out
        if self._shown and shown[out["in_r_TREADY"]]:
            self.sending.moved += values[positions["in_r_TKEEP"]].bit_count()
            self._shown = False
            self._status.read_beats += 1
            self.last_transfer = self._now
            if self.sending.moved == self.sending.length:
                self.sending.finish()
        valid = shown[out["out_r_TVALID"]]
        beat = (shown[out["out_r_TDATA"]], shown[out["out_r_TKEEP"]], shown[out["out_r_TLAST"]])
        if self._held is not None and not (valid and beat == self._held):
            self._broken("out_r changed before it was accepted")
        if valid:
            data, keep, last = beat
            if keep & (keep + 1) or (keep + 1 != 1 << self._beat and not last):
                self._broken("out_r has a hole in TKEEP")
            taken = values[positions["out_r_TREADY"]]
            self._held = None if taken else beat
            if taken:
                self._receive(data.to_bytes(self._beat, "little")[: keep.bit_count()], bool(last))
        channel = self.receiving
        if channel.done_at and self._now >= channel.done_at:
            channel.length = channel.moved
            channel.finish()
            channel.done_at = 0

    def _receive(self, data: bytes, last: bool) -> None:
        channel = self.receiving
        left = channel.length - channel.moved
        room = min(len(data), left)
        self.last_transfer = self._now
        self._status.write_beats += 1
        if room:
            place = self._find(channel.address + channel.moved, room)
            if place is None:
                self._fault(channel.address + channel.moved, is_write=True)
                channel.fail(DECODE_ERROR)
                return
            place[:room] = data[:room]
            channel.moved += room
        if len(data) > room or (len(data) == left and not last):  # more than was asked for
            self._fault(channel.address + channel.moved, is_write=True)
            channel.fail(INTERNAL_ERROR)
        elif last:
            channel.done_at = self._now + self._write_latency

    def read_register(self, offset: int) -> int:
        """Read a register of the DMA."""
        channel = self.sending if offset < S2MM else self.receiving
        values = {
            DMACR: channel.control | _ALWAYS,
            DMASR: channel.state,
            ADDRESS: channel.address,
            LENGTH: channel.length,
        }
        return values.get(offset if offset < S2MM else offset - S2MM, 0)

    def write_register(self, now: int, offset: int, value: int) -> None:
        """Write a register of the DMA, but for a reset."""
        sends = offset < S2MM
        channel, register = (self.sending, offset) if sends else (self.receiving, offset - S2MM)
        if register == DMACR:
            channel.control = value & _WRITABLE
            if not value & RS:
                if not channel.busy:
                    channel.halt()
            elif channel.state & (INTERNAL_ERROR | DECODE_ERROR):
                channel.control &= ~RS  # an error stays until a reset, and so does the halt that it brought
            else:
                channel.state &= ~HALTED
        elif register == DMASR:
            channel.state &= ~(value & _INTERRUPTS)
        elif register == ADDRESS:
            channel.address = value
        elif register == LENGTH:
            self._start(now, channel, value & self.length_mask, sends)

    def _start(self, now: int, channel: _Channel, length: int, sends: bool) -> None:
        if channel.busy:
            return
        channel.length = length
        if not length or channel.state & HALTED:
            return
        channel.state &= ~IDLE
        channel.moved = 0
        channel.due = now + (self._read_latency if sends else 0)
        channel.busy = True
        self.last_transfer = now
        if channel.address % self._beat:
            self._fault(channel.address, is_write=not sends)
            channel.fail(INTERNAL_ERROR)
