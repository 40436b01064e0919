"""What a detector reports about muons: arrays with one row a muon and one column a station."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError
from fpgaclass.muon.detector import N_STATIONS, PHI_B_STEPS, PHI_STEPS, SECTOR_WIDTH

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Muons:
    """Simulated muons: the truth, and the stubs that the four stations report. Read-only arrays.

    ``len(muons)`` is n; ``muons[mask]``, ``muons[indices]`` and ``muons[a:b]`` give some of them.

    Attributes:
        pt: (n,) float32, true transverse momentum at the vertex in GeV.
        eta: (n,) float32, true pseudorapidity at the vertex.
        phi: (n,) float32, true azimuth at the vertex in rad, in [0, 2 pi).
        charge: (n,) int8, +1 or -1.
        stub_phi: (n, 4) int16, azimuth from the sector's centre in steps of 1/4096 rad.
        stub_phi_b: (n, 4) int16, bending angle in steps of 1/512 rad, -512 to 511. Negative for mu+
            (in MB4 below some 10 GeV positive: the yoke has bent it back beyond the radial direction).
        quality: (n, 4) int8, 2 and 3 low, 4 to 6 high; -1 where there is no stub.
        sector: (n, 4) int8, 1 to 12; 0 where there is no stub.
        wheel: (n, 4) int8, -2 to 2; 0 where there is no stub.
        valid: (n, 4) bool, whether the station has a stub. Without one its numbers are 0 (quality -1).
        spectrum: name of the spectrum pT was drawn from; ``"gun"`` for muons of given kinematics.
        pt_range: lowest and highest pT in GeV that the spectrum spans.
    """

    pt: Array
    eta: Array
    phi: Array
    charge: Array
    stub_phi: Array
    stub_phi_b: Array
    quality: Array
    sector: Array
    wheel: Array
    valid: Array
    spectrum: str
    pt_range: tuple[float, float]

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            array = getattr(self, name)
            shape = (len(self.pt),) if name in _PER_MUON else (len(self.pt), N_STATIONS)
            if array.shape != shape:
                raise InvalidInputError(f"Muons.{name} has shape {array.shape}, expected {shape}")
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.pt)

    def __getitem__(self, which: Any) -> Muons:
        """Return some of the muons: a slice, a boolean mask (n,), or indices."""
        if isinstance(which, int | np.integer):
            which = slice(which, which + 1 or None)
        else:
            which = which if isinstance(which, slice) else np.asarray(which)
            if isinstance(which, np.ndarray) and which.dtype == bool and which.shape != (len(self),):
                raise InvalidInputError(f"the mask has shape {which.shape}, expected {(len(self),)}")
        return replace(self, **{name: getattr(self, name)[which] for name in _ARRAYS})

    @property
    def n_stubs(self) -> Array:
        """(n,) int64, number of stations with a stub, 0 to 4."""
        return np.asarray(self.valid.sum(axis=1))

    def with_stubs(self, minimum: int = 2) -> Muons:
        """Return the muons with at least this many stubs; two are the least that give a bending."""
        if not 0 <= minimum <= N_STATIONS:
            raise InvalidInputError(f"a muon has 0 to {N_STATIONS} stubs, so at least {minimum} is no choice")
        return self[self.n_stubs >= minimum]

    def global_phi(self) -> Array:
        """(n, 4) float64, azimuth of each stub in rad, in (-pi/12, 2 pi); NaN where there is none."""
        angle = self.stub_phi / PHI_STEPS + (self.sector.astype(float) - 1) * SECTOR_WIDTH
        return np.where(self.valid, angle, np.nan)

    def phi_b(self) -> Array:
        """(n, 4) float64, bending angle of each stub in rad; NaN where there is none."""
        return np.where(self.valid, self.stub_phi_b / PHI_B_STEPS, np.nan)

    def digest(self) -> str:
        """Return the SHA-256 (hex) of all arrays: the same for the same seed, on any machine."""
        total = hashlib.sha256()
        for name in _ARRAYS:
            array = getattr(self, name)
            total.update(f"{name} {array.dtype.str} {array.shape};".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()


_PER_MUON = ("pt", "eta", "phi", "charge")
_ARRAYS = tuple(f.name for f in fields(Muons) if f.name not in ("spectrum", "pt_range"))
