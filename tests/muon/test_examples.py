"""The examples in the docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

from fpgaclass import muon

MODULES = ["fpgaclass.muon", *(f"fpgaclass.muon.{m.name}" for m in pkgutil.iter_modules(muon.__path__))]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    """A reader copies them first."""
    module = importlib.import_module(name)
    names = {public: getattr(module, public) for public in dir(module)}
    failed, _ = doctest.testmod(module, extraglobs=names)
    assert not failed
