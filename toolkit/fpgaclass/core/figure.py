"""A matplotlib figure that carries its own description into the notebook.

The one module of this room that imports matplotlib, and the room does not import it: who plots does.
"""

from __future__ import annotations

import base64
import html
import io
from typing import Any

from matplotlib.figure import Figure


class DescribedFigure(Figure):
    """A Figure with ``alt_text``, which Jupyter writes into the page as the picture's alternative text.

    It needs no pyplot and no backend: nothing global changes, and nothing stays open.
    """

    alt_text: str = ""

    def _repr_mimebundle_(
        self,
        include: Any = None,  # noqa: ARG002  (IPython passes both by name)
        exclude: Any = None,  # noqa: ARG002
    ) -> dict[str, str]:
        """What Jupyter shows: an image element, since its own PNG output has no place for a description."""
        png = io.BytesIO()
        self.savefig(png, format="png", dpi=90, bbox_inches="tight")
        data = base64.b64encode(png.getvalue()).decode()
        image = (
            f'<img alt="{html.escape(self.alt_text)}" style="max-width:100%" '
            f'src="data:image/png;base64,{data}">'
        )
        # Where HTML is not trusted (another's notebook), the bare picture is shown.
        return {"text/html": image, "image/png": data, "text/plain": self.alt_text}
