"""The code of the pages about firmware, cards and boards, run from top to bottom as a reader would."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fpgaclass.card import VirtualCard

pynq = pytest.importorskip("pynq")
pytest.importorskip("hls4ml")
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def own_device() -> Iterator[None]:
    """A device without anything that other tests have left on it, as the active one."""
    before = pynq.Device.active_device
    pynq.Device.active_device = VirtualCard(12)
    yield
    pynq.Device.active_device = before


@pytest.mark.slow
@pytest.mark.usefixtures("own_device")
@pytest.mark.parametrize(("page", "board"), [("card.md", "alveo"), ("zynq.md", "pynq-z2")])
def test_every_block_runs(
    page: str, board: str, quantised_model: Any, events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that does not run as it stands is worse than none: it is the first that a student tries."""
    spec = importlib.util.find_spec("hls4ml")
    assert spec is not None
    drivers = f"templates/vivado_accelerator/{board}/python_drivers"
    monkeypatch.syspath_prepend(Path(str(spec.origin)).parent / drivers)
    monkeypatch.delitem(sys.modules, "axi_stream_driver", raising=False)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert len(blocks) >= 2
    names: dict[str, Any] = {"model": quantised_model, "events": events[:300]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in blocks:
            exec(block, names)
            assert (np.array(names["predictions"]) == names["firmware"].predict(events[:300])).all()


@pytest.mark.slow
def test_the_page_about_firmware_runs(float_model: Any, events: Any) -> None:
    """On a plain Keras model, which is what most people bring."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "firmware.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {"model": float_model, "events": events[:300]}
    for block in blocks:
        exec(block, names)
    assert [one.mismatches for one in names["agreed"]] == [0] * len(names["agreed"])
    assert names["found"].first_difference is None
