"""The name that was meant."""

from __future__ import annotations

import pytest

from fpgaclass.firmware.nearest import did_you_mean, nearest

_BOARDS = ["u250", "u200", "u50", "pynq-z2"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("U250", ["u250"]),
        ("pynqz2", ["pynq-z2"]),
        ("u20", ["u200", "u250"]),
        ("stratix", []),
        (7, []),
    ],
)
def test_the_nearest_names_are_proposed_if_any_is_near(written: object, meant: list[str]) -> None:
    """A proposal that is far off is worse than none: it would be tried. Of two as near, both are."""
    assert nearest(written, _BOARDS) == meant
    assert did_you_mean(written, _BOARDS) == (
        f"did you mean {' or '.join(map(repr, meant))}?" if meant else ""
    )
    assert not nearest("any", [])
