"""The data that a kernel's maker hands to the card."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fpgaclass.card import Argument, Bank, KernelDesign, Link
from fpgaclass.core import InvalidInputError


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: Argument("2x", "uint", 0x10), "identifier"),
        (lambda: Argument("x", "quaternion", 0x10), "quaternion"),
        (lambda: Argument("x", "uint", 0x8), "0x8"),
        (lambda: Argument("x", "uint", 0x11), "0x11"),
        (lambda: Argument("x", "void*", 0x10), "bank"),
        (lambda: Argument("x", "uint", 0x10, "bank0"), "bank"),
        (lambda: Bank("", 0, 4096, "DDR4"), "tag"),
        (lambda: Bank("a" * 16, 0, 4096, "DDR4"), "tag"),
        (lambda: Bank("bank0", 0, 4096, "SRAM"), "SRAM"),
        (lambda: Bank("bank0", 1, 4096, "DDR4"), "4096"),
        (lambda: Bank("bank0", 0, 0, "HBM"), "4096"),
        (lambda: Link("slow", 0.0, 1.0, 0.0, 0.0, 0.0), "slow"),
        (lambda: Link("early", 1.0, 1.0, -1.0, 0.0, 0.0), "early"),
    ],
)
def test_what_a_card_cannot_have_is_refused(make: Any, names: str) -> None:
    """A wrong field would end as an unreadable xclbin or a division by zero much later."""
    with pytest.raises(InvalidInputError, match=names):
        make()


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"name": "a b"}, "a b"),
        ({"sources": {}}, "no sources"),
        ({"sources": {"../core.v": ""}}, "plain"),
        ({"clock_mhz": 0.0}, "MHz"),
        ({"instances": 16}, "16"),
        ({"interface": "wishbone"}, "wishbone"),
        ({"arguments": (Argument("x", "uint", 0x10), Argument("x", "uint", 0x20))}, "one name"),
        ({"arguments": (Argument("x", "void*", 0x10, "b"), Argument("y", "uint", 0x14))}, "overlaps"),
    ],
)
def test_a_design_that_cannot_be_is_refused(standin: Any, change: dict[str, Any], names: str) -> None:
    """A source named ../core.v would be written outside the folder of the build."""
    with pytest.raises(InvalidInputError, match=names):
        dataclasses.replace(standin.sum_design(), **change)


def test_the_digest_is_of_the_rtl_alone(standin: Any) -> None:
    """Another clock or another fact about the model must not compile the same RTL again."""
    design: KernelDesign = standin.sum_design()
    same = dataclasses.replace(design, clock_mhz=99.0, instances=3, about={"x": 1})
    other = dataclasses.replace(design, sources={**design.sources, "more.v": "// more"})
    assert same.digest == design.digest
    assert other.digest != design.digest


def test_instances_are_named_as_the_vendor_tools_name_them(standin: Any) -> None:
    """hls4ml's driver looks for krnl_rtl_1."""
    assert standin.sum_design(instances=2).instance_names == ("krnl_rtl_1", "krnl_rtl_2")
