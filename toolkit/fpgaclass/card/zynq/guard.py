"""A real board refuses a virtual bit file with a line that says so.

Without it, the board's configuration logic would find no sync word and the kernel's driver would report an
"invalid argument".
"""

from __future__ import annotations

import sys
from typing import Any

from fpgaclass.card.zynq.bitfile import refuse_virtual

_BOARDS = "pynq.pl_server.embedded_device"


def ensure_guarded() -> None:
    """Put the check before pynq's own reading of bit files, where pynq can program real boards."""
    if _BOARDS in sys.modules:
        handlers = sys.modules[_BOARDS]._bitstream_handlers
        if not getattr(handlers[".bit"], "refuses_virtual", False):
            handlers[".bit"] = _guarded(handlers[".bit"])


def _guarded(reader: type[Any]) -> type[Any]:
    def get_bin_data(self: Any) -> Any:
        refuse_virtual(self._filepath)
        return reader.get_bin_data(self)

    return type("GuardedBitfileHandler", (reader,), {"refuses_virtual": True, "get_bin_data": get_bin_data})
