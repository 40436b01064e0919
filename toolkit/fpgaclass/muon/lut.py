"""The look-up table: the classic way a trigger assigns pT, and the baseline to beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fpgaclass.core import InvalidInputError
from fpgaclass.muon.inputs import PAIRS, dphi_steps
from fpgaclass.muon.muons import Muons

_ADDRESSES = 1024
_IN_A_MEDIAN = 60  # muons an entry's median needs; neighbouring addresses are merged until it has them
_WIDEST = 40  # addresses on each side that may be merged


@dataclass(frozen=True)
class DeltaPhiTable:
    """pT from one azimuth difference, looked up in a memory.

    A muon's |dphi| of the best pair of stations addresses a table whose content is the median pT of the
    training muons there. The best pair is the first there is of MB1-MB2, MB1-MB3, MB1-MB4, MB2-MB3,
    MB2-MB4, MB3-MB4. Six tables of 1024 entries: in firmware, six small memories and nothing else.

    Attributes:
        tables: (6, 1024) float32, pT in GeV by |dphi| in steps of 1/4096 rad; it never rises with |dphi|.

    Example:
        >>> from fpgaclass.muon import simulate
        >>> table = DeltaPhiTable.fit(simulate(100_000, seed=1, spectrum="log_pt"))
        >>> pt = table.predict(simulate(1000, seed=2).with_stubs(2))
    """

    tables: NDArray[np.float32]

    @classmethod
    def fit(cls, muons: Muons) -> DeltaPhiTable:
        """Fill the tables from muons of known pT.

        Args:
            muons: the training sample. Its spectrum matters: a median knows only what it was shown.

        Raises:
            InvalidInputError: a pair of stations has fewer muons than one median needs.
        """
        steps, both = dphi_steps(muons)
        address = np.minimum(np.abs(steps), _ADDRESSES - 1)
        tables = np.empty((len(PAIRS), _ADDRESSES), np.float32)
        for k, (inner, outer) in enumerate(PAIRS):
            mask = both[:, k]
            if mask.sum() < _IN_A_MEDIAN:
                raise InvalidInputError(
                    f"only {mask.sum()} muons have stubs in MB{inner + 1} and MB{outer + 1}, "
                    f"and a median needs {_IN_A_MEDIAN}",
                    next_step="fit with more muons (some 10,000)",
                )
            tables[k] = _medians(address[mask, k], muons.pt[mask])
        tables.flags.writeable = False
        return cls(tables)

    def predict(self, muons: Muons) -> NDArray[np.float32]:
        """Return pT in GeV, (n,) float32; NaN for a muon with fewer than two stubs."""
        steps, both = dphi_steps(muons)
        address = np.minimum(np.abs(steps), _ADDRESSES - 1)
        best = both.argmax(axis=1)
        rows = np.arange(len(muons))
        pt = self.tables[best, address[rows, best]]
        return np.where(both.any(axis=1), pt, np.float32(np.nan))


def _medians(address: NDArray[np.int32], pt: NDArray[np.float32]) -> NDArray[np.float32]:
    """Median pT by address, over as many neighbours as it takes, made to fall with |dphi|.

    Below the bending of the hardest muons only wrong stubs are left, of any pT: the isotonic regression,
    weighted by the muons, overrules them.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(address, kind="stable")
    pt = pt[order]
    edges = np.searchsorted(address[order], np.arange(_ADDRESSES + 1))
    table = np.full(_ADDRESSES, np.nan)
    for entry in range(_ADDRESSES):
        for reach in range(_WIDEST + 1):
            start, stop = edges[max(entry - reach, 0)], edges[min(entry + reach + 1, _ADDRESSES)]
            if stop - start >= _IN_A_MEDIAN:
                break
        if stop > start:
            table[entry] = np.median(pt[start:stop])
    # Where training saw nothing the bending is larger than any it saw, and pT is the lowest.
    table = np.where(np.isnan(table), np.nanmin(table), table)
    weights = np.diff(edges) + 1e-3
    falling = isotonic_regression(np.log(table), weights=weights, increasing=False)
    return np.asarray(np.exp(falling.x), np.float32)
