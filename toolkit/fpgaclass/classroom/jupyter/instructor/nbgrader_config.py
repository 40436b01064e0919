"""nbgrader for the instructor's server: the same course, exchange and jail as `fpgaclass grade`."""

import os
from pathlib import Path

from fpgaclass.classroom.nbgrader_settings import configure

configure(
    get_config(),  # type: ignore[name-defined]  # noqa: F821
    course=Path(os.environ["HOME"]) / os.environ["FPGACLASS_COURSE"],
    exchange=os.environ["FPGACLASS_EXCHANGE"],
)
