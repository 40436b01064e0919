"""Cards that pynq 3.0.1 no longer drives, through AMD's ``pyxrt``, under pynq's own API.

pynq 3.0.1 speaks to cards through the old ``xcl*`` functions of XRT, up to version 2.16. Newer versions,
which a U55C needs, have Python bindings of their own: this device translates between the two. ``pyxrt`` gives
no access to a kernel's registers; ``register_map`` therefore works on a copy: arguments are remembered,
AP_START starts a run with them, and the control register tells the run's state.

Importing this module needs pynq and registers ``PyxrtCard`` with it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pynq.buffer import PynqBuffer
from pynq.pl_server.device import Device

from fpgaclass.card import buffers
from fpgaclass.card.launches import CommandBuffer
from fpgaclass.card.xrt.pyxrt_run import KernelHandle, PyxrtWaitHandle
from fpgaclass.core import BusError, CardError, WrongCardError

_PLATFORM = slice(352, 416)  # of an xclbin: the name of the platform it was built for
_FORCE = "FPGACLASS_PYXRT"

assert buffers  # its import makes PynqBuffer work with numpy 2


def _pyxrt() -> Any:
    try:
        return importlib.import_module("pyxrt")
    except (ImportError, OSError):  # OSError: its library is not the one it was built with
        return None


class PyxrtBuffer(PynqBuffer):  # type: ignore[misc]
    """A buffer whose memory belongs to AMD's runtime."""

    def freebuffer(self) -> None:
        """Give the memory back to the runtime."""
        if "memory" in vars(self):  # a view of it has none, and is freed on its own
            self.device.forget(self.bo)


class PyxrtMemory:
    """A bank of a card as pynq shows it."""

    def __init__(self, device: PyxrtCard, description: dict[str, Any]) -> None:
        self.device, self.desc = device, description
        self.idx: int = description["idx"]
        self.size: int = description["size"]
        self.base_address: int = description["base_address"]

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> PyxrtBuffer:
        """Return a buffer of that shape and type in this bank."""
        dtype = np.dtype(dtype)
        size = max(1, int(np.prod(shape)) * dtype.itemsize)
        bo, address = self.device.new_bo(size, self.idx)
        buffer = PyxrtBuffer(
            shape, dtype, buffer=bo.map(), device=self.device, device_address=address, bo=bo, coherent=False
        )
        buffer.memory = self
        return buffer

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PyxrtMemory) and (self.device, self.idx) == (other.device, other.idx)

    def __hash__(self) -> int:
        return hash((id(self.device), self.idx))


class PyxrtCard(Device):  # type: ignore[misc]
    """A card behind AMD's ``pyxrt``.

    It is there where ``pyxrt`` can be imported and pynq itself finds no card; ``FPGACLASS_PYXRT=1`` prefers
    it to pynq's own way, and ``FPGACLASS_PYXRT=0`` turns it off.
    """

    _probe_priority_ = 500

    @classmethod
    def _probe_(cls) -> list[PyxrtCard]:
        wanted, pyxrt = os.environ.get(_FORCE, ""), _pyxrt()
        own = sys.modules.get("pynq.pl_server.xrt_device")
        if pyxrt is None or wanted == "0" or (not wanted and own is not None and own.XrtDevice._probe_()):
            return []
        return [cls(index) for index in range(pyxrt.enumerate_devices())]

    def __init__(self, index: int = 0) -> None:
        super().__init__(f"pyxrt{index}")
        self.capabilities = {"REGISTER_RW": True, "CALLABLE": True, "ERT": True}
        self._xrt, self._index = _pyxrt(), index
        self._handle: Any = None
        self._uuid: Any = None
        self._kernels: dict[int, KernelHandle] = {}
        self._buffers: dict[int, Any] = {}

    @property
    def name(self) -> str:
        """The platform, as the runtime names it."""
        return str(self._open().get_info(self._xrt.xrt_info_device.name))

    def _open(self) -> Any:
        if self._handle is None:
            self._handle = self._xrt.device(self._index)
        return self._handle

    # Programming

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Return pynq's parser of an xclbin, once it is known not to be for virtual cards."""
        if partial:
            raise CardError("a card cannot be programmed in part through pyxrt")
        from pynq.pl_server.xclbin_parser import XclBin

        if b":virtual:" in Path(bitfile_name).read_bytes()[_PLATFORM]:
            raise WrongCardError(
                "this xclbin is for virtual cards, and this card is real",
                where=bitfile_name,
                next_step="build it with toolchain='vitis', or use device=fpgaclass.card.VirtualCard()",
            )
        return XclBin(bitfile_name)

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """Program the card."""
        self._kernels = {}
        try:
            self._uuid = self._open().load_xclbin(bitstream.bitfile_name)
        except RuntimeError as error:
            where = bitstream.bitfile_name
            raise CardError(f"{self.tag} cannot be programmed: {error}", where=where) from error
        self.post_download(bitstream, parser)

    def free_bitstream(self) -> None:
        """Forget the design; called by ``Overlay.free``."""
        self._kernels, self._uuid = {}, None
        self.timestamp = self.bitfile_name = None

    def close(self) -> None:
        """Let the runtime have the card back; called by ``Overlay.free``."""
        self._handle = None

    def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
        """Nothing to keep; part of pynq's interface."""

    # Memory

    @property
    def default_memory(self) -> PyxrtMemory:
        """The one bank that the design uses."""
        used = [one for one in self.mem_dict.values() if one["used"] and not one["streaming"]]
        if len(used) != 1:
            tags = ", ".join(one["tag"] for one in used) or "none"
            next_step = "pynq.allocate(..., target=overlay.<bank>)"
            raise CardError(f"the design does not use one bank ({tags})", next_step=next_step)
        return self.get_memory(used[0])

    def get_memory(self, description: dict[str, Any]) -> PyxrtMemory:
        """Return a bank by its entry of ``mem_dict``."""
        return PyxrtMemory(self, description)

    def get_memory_by_idx(self, idx: int) -> PyxrtMemory:
        """Return a bank by its index."""
        return self._memory_where("idx", idx)

    def get_memory_by_name(self, name: str) -> PyxrtMemory:
        """Return a bank by its tag."""
        return self._memory_where("tag", name)

    def _memory_where(self, key: str, value: object) -> PyxrtMemory:
        for description in self.mem_dict.values():
            if description[key] == value:
                return self.get_memory(description)
        raise CardError(f"{self.tag} has no bank with {key} {value}", where=", ".join(self.mem_dict))

    def new_bo(self, size: int, bank: int) -> tuple[Any, int]:
        """Return a buffer object of the runtime and its device address."""
        try:
            bo = self._xrt.bo(self._open(), size, self._xrt.bo.normal, bank)
        except RuntimeError as error:
            raise MemoryError(f"{self.tag} has no room for {size:,} bytes: {error}") from error
        address = int(bo.address())
        self._buffers[address] = bo
        return bo, address

    def forget(self, bo: Any) -> None:
        """Drop a buffer object; the runtime frees it with its last user."""
        for address, known in list(self._buffers.items()):
            if known is bo:
                del self._buffers[address]

    def flush(self, bo: Any, offset: int, _pointer: int, size: int) -> None:
        """Copy to the device; called by ``buffer.sync_to_device``."""
        bo.sync(self._xrt.xclBOSyncDirection.XCL_BO_SYNC_BO_TO_DEVICE, int(size), int(offset))

    def invalidate(self, bo: Any, offset: int, _pointer: int, size: int) -> None:
        """Copy from the device; called by ``buffer.sync_from_device``."""
        bo.sync(self._xrt.xclBOSyncDirection.XCL_BO_SYNC_BO_FROM_DEVICE, int(size), int(offset))

    def _bo_at(self, address: int) -> Any:
        """Return the buffer object at a device address: a whole one, or a part of one."""
        for base, bo in self._buffers.items():
            if base <= address < base + bo.size():
                return (
                    bo if address == base else self._xrt.bo(bo, bo.size() - (address - base), address - base)
                )
        raise BusError(
            f"no buffer lies at {address:#x}", where=self.tag, next_step="pass buffers of this card"
        )

    # Registers and runs

    def _kernel(self, cu_index: int) -> KernelHandle:
        if cu_index not in self._kernels:
            unit = next((one for one in self.ip_dict.values() if one.get("cu_index") == cu_index), None)
            if unit is None or self._uuid is None:
                raise CardError(
                    f"{self.tag} has no compute unit {cu_index}", next_step="open the overlay again"
                )
            kernel, _, instance = str(unit["cu_name"]).partition(":")
            name = f"{kernel}:{{{instance}}}" if instance else kernel
            try:
                handle = self._xrt.kernel(self._open(), self._uuid, name)
            except RuntimeError as error:
                raise CardError(f"{self.tag} has no kernel {name}: {error}") from error
            self._kernels[cu_index] = KernelHandle(self._xrt, handle, name, unit["registers"], self._bo_at)
        return self._kernels[cu_index]

    def _at(self, address: int, length: int) -> tuple[KernelHandle, int]:
        for unit in getattr(self, "ip_dict", {}).values():
            base = unit["phys_addr"]
            if base <= address and address + length <= base + unit["addr_range"]:
                return self._kernel(unit["cu_index"]), address - base
        raise BusError(
            f"no register answers at {address:#x}", where=self.tag, next_step="see overlay.ip_dict"
        )

    def read_registers(self, address: int, length: int) -> bytes:
        """Read the copy of a kernel's registers, or the state of its run."""
        kernel, offset = self._at(address, length)
        return kernel.read(offset, length)

    def write_registers(self, address: int, data: bytes) -> None:
        """Write to the copy of a kernel's registers; AP_START starts a run with what is there."""
        kernel, offset = self._at(address, len(data))
        kernel.write(offset, bytes(data))

    def open_context(self, description: dict[str, Any], shared: bool = True) -> int:
        """Return the index of a compute unit; called as pynq makes its driver."""
        del shared
        return int(description["cu_index"])

    def get_exec_bo(self, size: int = 1024) -> CommandBuffer:
        """Return a buffer for a launch."""
        return CommandBuffer(size)

    def execute_bo(self, bo: CommandBuffer) -> PyxrtWaitHandle:
        """Launch what pynq wrote into a buffer."""
        return self.execute_bo_with_waitlist(bo, ())

    def execute_bo_with_waitlist(
        self, bo: CommandBuffer, waits: Sequence[PyxrtWaitHandle]
    ) -> PyxrtWaitHandle:
        """Launch once others have ended; the host waits for them, as the runtime has no waiting lists."""
        from pynq._3rdparty import ert

        for earlier in waits:
            earlier.wait()
        packet = bo.as_packet(ert.ert_start_kernel_cmd)
        size = 4 * (packet.m_uert.m_start_cmd_struct.count - 1)
        start = ert.ert_start_kernel_cmd.data.offset
        kernel = self._kernel(int(packet.cu_mask).bit_length() - 1)
        return PyxrtWaitHandle(kernel.launch(bo.memory.raw[start : start + size]), kernel.name, self._xrt)

    def set_event_loop(self, loop: Any) -> None:
        """Nothing to arrange: ``wait_async`` works in any running loop."""
