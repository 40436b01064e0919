"""A module with the names and manners of AMD's pyxrt, whose card runs RTL.

Written from the bindings' documented interface (XRT's Python API): what they take and what they refuse, down
to integers of Python only and of 32 bits, since pybind11 converts no others.
"""

from __future__ import annotations

import enum
import threading
from typing import Any, ClassVar

from fpgaclass.card import KernelDesign, KernelSimulator, compile_kernel

DESIGNS: dict[str, KernelDesign] = {}  # path of an xclbin -> what is on the card once it is loaded
CARDS = 1


class xclBOSyncDirection(enum.Enum):  # noqa: N801
    XCL_BO_SYNC_BO_TO_DEVICE = 0
    XCL_BO_SYNC_BO_FROM_DEVICE = 1


class ert_cmd_state(enum.Enum):  # noqa: N801
    ERT_CMD_STATE_NEW = 1
    ERT_CMD_STATE_QUEUED = 2
    ERT_CMD_STATE_COMPLETED = 4
    ERT_CMD_STATE_ERROR = 5
    ERT_CMD_STATE_ABORT = 6
    ERT_CMD_STATE_SUBMITTED = 7
    ERT_CMD_STATE_TIMEOUT = 8
    ERT_CMD_STATE_NORESPONSE = 9
    ERT_CMD_STATE_SKERROR = 10
    ERT_CMD_STATE_SKCRASHED = 11


class xrt_info_device(enum.Enum):  # noqa: N801
    name = 1


def enumerate_devices() -> int:
    return CARDS


class uuid:  # noqa: N801
    def __init__(self, text: str) -> None:
        self._text = text

    def to_string(self) -> str:
        return self._text


class device:  # noqa: N801
    def __init__(self, index: int) -> None:
        _plain(index)
        if index >= CARDS:
            raise RuntimeError(f"no such device '{index}'")
        self.design: KernelDesign | None = None
        self.buffers: list[bo] = []
        self.next_address = 0x4000000000

    def get_info(self, key: xrt_info_device) -> str:
        assert key is xrt_info_device.name
        return "xilinx_u55c_gen3x16_xdma_base_3"

    def load_xclbin(self, path: str) -> uuid:
        if type(path) is not str:
            raise TypeError("load_xclbin(): incompatible function arguments")
        if path not in DESIGNS:
            raise RuntimeError("load_axlf: Invalid argument")
        self.design = DESIGNS[path]
        return uuid(path)


class bo:  # noqa: N801
    class flags(enum.Enum):  # noqa: N801
        normal = 0

    normal: ClassVar[flags] = flags.normal

    def __init__(self, parent: Any, size: int, *rest: Any) -> None:
        _plain(size)
        self._parent, self._size = parent, size
        if isinstance(parent, bo):
            (offset,) = rest
            _plain(offset)
            if offset % 4096:
                raise RuntimeError("sub-buffer offset is not aligned")
            self._address = parent._address + offset
            return
        flag, group = rest
        if type(flag) is not bo.flags:
            raise TypeError("bo(): incompatible constructor arguments")
        _plain(group)
        self._host, self._device = bytearray(size), bytearray(b"\xa5" * (-(-size // 4096) * 4096))
        self._address = parent.next_address
        parent.next_address += len(self._device)
        parent.buffers.append(self)

    def size(self) -> int:
        return self._size

    def address(self) -> int:
        return self._address

    def map(self) -> memoryview:
        return memoryview(self._host)

    def sync(self, direction: xclBOSyncDirection, size: int, offset: int) -> None:
        _plain(size)
        _plain(offset)
        if offset + size > self._size:
            raise RuntimeError("sync out of range")
        here, there = self._host, self._device
        if direction is xclBOSyncDirection.XCL_BO_SYNC_BO_FROM_DEVICE:
            here, there = there, here
        there[offset : offset + size] = here[offset : offset + size]


class kernel:  # noqa: N801
    def __init__(self, card: device, loaded: uuid, name: str) -> None:
        assert isinstance(loaded, uuid)
        design = card.design
        known = (
            {design.name, *(f"{design.name}:{{{unit}}}" for unit in design.instance_names)} if design else {}
        )
        if design is None or name not in known:
            raise RuntimeError(f"no kernel {name}")
        self.card, self.design = card, design
        self.simulator = KernelSimulator(compile_kernel(design))
        self.lock = threading.Lock()

    def group_id(self, position: int) -> int:
        return 0 if self.design.arguments[position].is_pointer else -1


class run:  # noqa: N801
    def __init__(self, of: kernel) -> None:
        self._kernel, self._values = of, {}  # type: ignore[var-annotated]
        self._state = ert_cmd_state.ERT_CMD_STATE_NEW
        self._thread: threading.Thread | None = None

    def set_arg(self, position: int, value: Any) -> None:
        about = self._kernel.design.arguments[position]
        if about.is_pointer:
            if not isinstance(value, bo):
                raise TypeError("set_arg(): incompatible function arguments")
            self._values[position] = value.address()
            return
        _plain(value)
        if not -(1 << 31) <= value < 1 << 31:
            raise TypeError("set_arg(): incompatible function arguments")
        self._values[position] = value & 0xFFFFFFFF

    def start(self) -> None:
        self._state = ert_cmd_state.ERT_CMD_STATE_SUBMITTED
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def wait(self) -> ert_cmd_state:
        assert self._thread is not None
        self._thread.join()
        return self._state

    def state(self) -> ert_cmd_state:
        return self._state

    def _work(self) -> None:
        simulator = self._kernel.simulator
        with self._kernel.lock:
            simulator.unmap_all()
            for buffer in self._kernel.card.buffers:
                simulator.map(buffer.address(), buffer._device)
            for position, value in self._values.items():
                about = self._kernel.design.arguments[position]
                for shift in range(0, about.size, 4):
                    simulator.write(about.offset + shift, value >> 8 * shift & 0xFFFFFFFF)
            simulator.write(0, 1)
            try:
                simulator.run(watchdog=10_000)
                simulator.read(0)
                self._state = ert_cmd_state.ERT_CMD_STATE_COMPLETED
            except Exception:
                simulator.reset()
                self._state = ert_cmd_state.ERT_CMD_STATE_ERROR


def _plain(value: Any) -> None:
    if type(value) is not int:
        raise TypeError("incompatible function arguments")
