"""The model of the link."""

from __future__ import annotations

import doctest

import pytest

from fpgaclass.card.measuring import pcie
from fpgaclass.core import InvalidInputError


def test_the_example_runs() -> None:
    """An example that is wrong is worse than none."""
    assert doctest.testmod(pcie) == (0, 1)


def test_raw_rates_are_those_of_the_standard() -> None:
    """Published rates of a x16 link, GB/s one way, before the packets' own overhead."""
    published = {1: 4.0, 2: 8.0, 3: 15.754, 4: 31.508, 5: 63.015}
    for generation, rate in published.items():
        raw = pcie.pcie_bytes_per_s(generation, 16) * (pcie.PAYLOAD + pcie.OVERHEAD) / pcie.PAYLOAD
        assert raw / 1e9 == pytest.approx(rate, abs=1e-3)


def test_lanes_add_up() -> None:
    """A card in a slot of eight lanes has half the bandwidth."""
    assert pcie.pcie_bytes_per_s(4, 8) == pytest.approx(pcie.pcie_bytes_per_s(3, 16))


@pytest.mark.parametrize(("generation", "lanes"), [(0, 16), (7, 16), (3, 3), (3, 32)])
def test_links_that_do_not_exist_are_refused(generation: int, lanes: int) -> None:
    """A typing error in a board's file must not become a speed."""
    with pytest.raises(InvalidInputError):
        pcie.pcie_link(generation, lanes, 1e-5, 1e-6, 5e-6)
