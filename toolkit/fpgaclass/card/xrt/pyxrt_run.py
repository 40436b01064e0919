"""Runs of a kernel through AMD's ``pyxrt``, from what pynq writes into registers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from fpgaclass.core import CardError, HungKernelError

CONTROL = 0
AP_START, AP_DONE, AP_IDLE, AP_READY = 1, 2, 4, 8
_ENDED = ("COMPLETED", "ERROR", "ABORT", "TIMEOUT", "NORESPONSE", "SKERROR", "SKCRASHED")
_POLL_S = 0.001


class PyxrtWaitHandle:
    """What ``kernel.start`` returns.

    Args:
        run: the runtime's.
        name: of the kernel, for messages.
        xrt: the module ``pyxrt``.
    """

    def __init__(self, run: Any, name: str, xrt: Any) -> None:
        self._run, self._name, self._states = run, name, xrt.ert_cmd_state

    @property
    def _bo(self) -> PyxrtWaitHandle:
        return self  # pynq hands it to what is to wait for this run

    @property
    def _has_bo(self) -> bool:
        return not self.done

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        return self._run.state() in [getattr(self._states, f"ERT_CMD_STATE_{name}") for name in _ENDED]

    def wait(self) -> None:
        """Wait for the run's end.

        Raises:
            CardError, HungKernelError: it did not complete.
        """
        state = self._run.wait()
        if state == self._states.ERT_CMD_STATE_COMPLETED:
            return
        kind = HungKernelError if state == self._states.ERT_CMD_STATE_TIMEOUT else CardError
        what = f"{self._name} did not complete: the runtime says {getattr(state, 'name', state)}"
        raise kind(what, next_step="look at the kernel log (dmesg) and `xbutil examine`")

    async def wait_async(self) -> None:
        """Wait for the run's end in a coroutine."""
        while not self.done:
            await asyncio.sleep(_POLL_S)
        self.wait()


class KernelHandle:
    """One compute unit, and the copy of its registers.

    Args:
        xrt: the module ``pyxrt``.
        kernel: the runtime's.
        name: of the unit.
        registers: pynq's description of them.
        bo_at: gives the buffer object at a device address.
    """

    def __init__(
        self,
        xrt: Any,
        kernel: Any,
        name: str,
        registers: Mapping[str, Mapping[str, Any]],
        bo_at: Callable[[int], Any],
    ) -> None:
        self.name = name
        self._xrt, self._kernel, self._bo_at = xrt, kernel, bo_at
        self._arguments = {int(one["id"]): one for one in registers.values() if one.get("id") is not None}
        size = max((one["address_offset"] + one["size"] // 8 for one in registers.values()), default=16)
        self._copy = bytearray(size)
        self._run: PyxrtWaitHandle | None = None

    def launch(self, values: bytes) -> Any:
        """Start a run with the values of registers, from offset 0 on, and return it."""
        run = self._xrt.run(self._kernel)
        for position, about in sorted(self._arguments.items()):
            offset, size = about["address_offset"], about["size"] // 8
            raw = values[offset : offset + size]
            if str(about["type"]).rstrip().endswith("*"):
                run.set_arg(position, self._bo_at(int.from_bytes(raw, "little")))
            elif size == 4:
                run.set_arg(position, int.from_bytes(raw, "little", signed=True))
            else:
                what = f"argument {position} of {self.name} has {size} bytes, and pyxrt sets scalars of 4"
                raise CardError(what, next_step="use the C++ host for this kernel")
        run.start()
        return run

    def read(self, offset: int, length: int) -> bytes:
        """Read registers; the control register tells the state of the last run that registers started."""
        data = bytes(self._copy[offset : offset + length]).ljust(length, b"\0")
        if offset == CONTROL:
            return self._control().to_bytes(4, "little") + data[4:]
        return data

    def write(self, offset: int, data: bytes) -> None:
        """Write registers; AP_START starts a run."""
        end = min(len(self._copy), offset + len(data))
        self._copy[offset:end] = data[: max(0, end - offset)]
        if offset == CONTROL and len(data) == 4 and data[0] & AP_START:
            self._run = PyxrtWaitHandle(self.launch(bytes(self._copy)), self.name, self._xrt)

    def _control(self) -> int:
        if self._run is None:
            return AP_IDLE
        if not self._run.done:
            return AP_START
        run, self._run = self._run, None
        run.wait()
        return AP_DONE | AP_IDLE | AP_READY
