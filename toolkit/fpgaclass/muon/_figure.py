"""A matplotlib figure that carries its own description into the notebook. Imports matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure


class DescribedFigure(Figure):
    """A Figure with ``alt_text``, which Jupyter writes into the page beside the picture.

    It needs no pyplot and no backend: nothing global changes, and nothing stays open.
    """

    alt_text: str = ""

    def _repr_mimebundle_(
        self,
        include: Any = None,  # noqa: ARG002  (IPython passes both by name)
        exclude: Any = None,  # noqa: ARG002
    ) -> tuple[Mapping[str, bytes], Mapping[str, Mapping[str, str]]]:
        """What Jupyter shows: the picture, and its alternative text as metadata."""
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=90, bbox_inches="tight")
        return {"image/png": png.getvalue()}, {"image/png": {"alt": self.alt_text}}
