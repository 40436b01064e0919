"""A matplotlib figure that shows itself in a notebook, with its description. Imports matplotlib."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure


class DescribedFigure(Figure):
    """A figure with ``alt_text``, which Jupyter writes beside the picture."""

    alt_text: str = ""

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, bytes], dict[str, dict[str, str]]]:
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=90, bbox_inches="tight")
        return {"image/png": png.getvalue()}, {"image/png": {"alt": self.alt_text}}
