"""Muons in the barrel: simulation, features, baselines, metrics and plots.

The way of the data: ``simulate`` gives ``Muons`` (truth and stubs); ``features`` turns the stubs into the
27 inputs of a pT regressor and ``standardise`` brings them to unit size; ``to_target`` and ``from_target``
go between pT and what a network learns. ``DeltaPhiTable`` and ``LikelihoodFit`` assign pT without a network.
``resolution``, ``turn_on`` and ``rate`` say how well, and the ``plot_*`` functions show it.

Everything here is *simulated*; ``fpgaclass.muon.detector`` says from which numbers and how well.

Example:
    >>> from fpgaclass import muon
    >>> sample = muon.simulate(20_000, seed=7, spectrum="log_pt").with_stubs(2)
    >>> X, y = muon.standardise(muon.features(sample)), muon.to_target(sample.pt)
    >>> X.shape[1]
    27
"""

from fpgaclass.muon.detector import BARREL, Absorber, Detector, FieldZone
from fpgaclass.muon.display import plot_event
from fpgaclass.muon.inputs import (
    FEATURE_NAMES,
    FEATURES,
    Feature,
    features,
    from_target,
    standardise,
    to_target,
)
from fpgaclass.muon.likelihood import LikelihoodFit
from fpgaclass.muon.lut import DeltaPhiTable
from fpgaclass.muon.muons import Muons
from fpgaclass.muon.performance import Resolution, clopper_pearson, resolution
from fpgaclass.muon.plots import plot_rate, plot_resolution, plot_turn_on, subplots
from fpgaclass.muon.simulation import gun, simulate
from fpgaclass.muon.spectra import SPECTRA, Spectrum
from fpgaclass.muon.transport import Trajectory, trajectory
from fpgaclass.muon.trigger import Rate, TurnOn, cut_at, minimum_bias_weight, rate, turn_on

__all__ = [  # noqa: RUF022  (plainly sorted, as in every room; ruff would put constants first)
    "Absorber",
    "BARREL",
    "DeltaPhiTable",
    "Detector",
    "FEATURES",
    "FEATURE_NAMES",
    "Feature",
    "FieldZone",
    "LikelihoodFit",
    "Muons",
    "Rate",
    "Resolution",
    "SPECTRA",
    "Spectrum",
    "Trajectory",
    "TurnOn",
    "clopper_pearson",
    "cut_at",
    "features",
    "from_target",
    "gun",
    "minimum_bias_weight",
    "plot_event",
    "plot_rate",
    "plot_resolution",
    "plot_turn_on",
    "rate",
    "resolution",
    "simulate",
    "standardise",
    "subplots",
    "to_target",
    "trajectory",
    "turn_on",
]
