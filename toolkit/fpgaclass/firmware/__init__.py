"""A Keras model becomes a ``Firmware``: one call, every stage checked against the model to the bit."""

from fpgaclass.firmware.artifact import Firmware, Manifest
from fpgaclass.firmware.board import Board, Resources, board_names, load_board
from fpgaclass.firmware.build import agreement, build, prepare
from fpgaclass.firmware.models import check_model, quantise
from fpgaclass.firmware.precision import FixedPoint
from fpgaclass.firmware.report import Report
from fpgaclass.firmware.trace import LayerTrace, Trace, trace
from fpgaclass.firmware.verify import Agreement
from fpgaclass.firmware.words import Field, WordFormat

__all__ = [
    "Agreement",
    "Board",
    "Field",
    "Firmware",
    "FixedPoint",
    "LayerTrace",
    "Manifest",
    "Report",
    "Resources",
    "Trace",
    "WordFormat",
    "agreement",
    "board_names",
    "build",
    "check_model",
    "load_board",
    "prepare",
    "quantise",
    "trace",
]
