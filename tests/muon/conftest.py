"""Samples that several tests look at; simulated once."""

from __future__ import annotations

import pytest

from fpgaclass import muon


@pytest.fixture(scope="session")
def training() -> muon.Muons:
    """What baselines are fitted on."""
    return muon.simulate(200_000, seed=4, spectrum="log_pt")


@pytest.fixture(scope="session")
def sample() -> muon.Muons:
    """What they are judged on: 96,000 muons with two stubs or more."""
    return muon.simulate(110_000, seed=5, spectrum="log_pt").with_stubs(2)


@pytest.fixture(scope="session")
def table(training: muon.Muons) -> muon.DeltaPhiTable:
    """The look-up table of the training sample."""
    return muon.DeltaPhiTable.fit(training)


@pytest.fixture(scope="session")
def fit(training: muon.Muons) -> muon.LikelihoodFit:
    """The likelihood fit of the training sample."""
    return muon.LikelihoodFit.fit(training)
