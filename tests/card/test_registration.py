"""When the virtual card joins pynq, in each order of imports. Each case needs a Python of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

DEVICES = "print([device.tag for device in pynq.Device.devices])"


def _run(code: str) -> str:
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", "a warning of another package is not what a student came for"
    return done.stdout.strip()


@pytest.mark.parametrize(
    "imports",
    [
        "import fpgaclass.card, pynq",
        "import warnings; warnings.simplefilter('ignore'); import pynq, fpgaclass.card",
        "import fpgaclass.card; from pynq.overlay import Overlay; import pynq",
        "from fpgaclass.card import VirtualCard; import pynq",
        "from fpgaclass.card import VirtualZynq; import pynq",
        "import fpgaclass.card; import importlib; importlib.reload(fpgaclass.card); import pynq",
    ],
)
def test_the_card_is_there_in_any_order(imports: str) -> None:
    """A notebook's cells import in any order; only asking for devices must come after both."""
    assert _run(f"{imports}; {DEVICES}") == "['virtual0']"


def test_pynq_is_not_imported_by_us() -> None:
    """Building firmware imports this room for its data; it must not pay pynq's half second for that."""
    assert _run("import fpgaclass.card, sys; print('pynq' in sys.modules)") == "False"


def test_pynq_keeps_its_own_loader() -> None:
    """Packages look for pynq's data files through its loader; a stand-in there would break them."""
    code = "import fpgaclass.card, pynq\n"
    code += "print({type(x).__name__ for x in (pynq.__spec__.loader, pynq.__loader__)})"
    assert _run(code) == "{'SourceFileLoader'}"


def test_without_pynq_the_rest_works() -> None:
    """Only the card itself needs pynq, and says how to get it."""
    code = (
        "import sys; sys.modules['pynq'] = None\n"
        "import fpgaclass.card as card\n"
        "card.Bank('bank0', 0, 4096, 'DDR4')\n"
        "try: card.VirtualCard\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert _run(code).startswith("ToolMissingError pynq cannot be imported")
