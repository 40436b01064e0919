"""A virtual device that is a Zynq board and nothing else.

Importing this module needs pynq and registers ``VirtualZynq`` with it, as ``device`` does for cards.
"""

from __future__ import annotations

from typing import Any

from fpgaclass.card.device import VirtualCard, positive
from fpgaclass.card.zynq import system as zynq
from fpgaclass.core import WrongCardError


class VirtualZynq(VirtualCard):
    """A virtual device that is a Zynq board and nothing else: it takes bit files only.

    ``FPGACLASS_BOARDS`` says how many this machine has (default 0). They come before virtual cards in
    ``pynq.Device.devices``: where there is one, it is the active device, as on a board.

    Attributes:
        tag: ``"virtual_zynq0"``, ...; the others are a ``VirtualCard``'s.
    """

    _probe_priority_ = 900
    _kind = "board"

    @classmethod
    def _probe_(cls) -> list[VirtualCard]:
        return [cls(index) for index in range(positive("FPGACLASS_BOARDS", 0))]

    def __init__(self, index: int = 0, tag: str = "virtual_zynq") -> None:
        super().__init__(index, tag)
        self.capabilities = dict(zynq.CAPABILITIES)

    def _form_of(self, bitfile_name: str) -> Any:
        if not bitfile_name.endswith(".bit"):
            raise WrongCardError(
                f"{self.tag} is a Zynq board, and this file is for a card",
                where=bitfile_name,
                next_step="build it for a Zynq board, or open it on a VirtualCard",
            )
        return zynq
