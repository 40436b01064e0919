"""A Keras model becomes a ``Firmware``: one call, every stage checked against the model to the bit."""

from fpgaclass.firmware.artifact import Firmware, Manifest
from fpgaclass.firmware.board import Board, Resources, board_names, load_board
from fpgaclass.firmware.build import agreement, build, prepare
from fpgaclass.firmware.conifer_trees import read_trees
from fpgaclass.firmware.deviation import Deviation, deviation
from fpgaclass.firmware.layers import LayerTrace
from fpgaclass.firmware.models import check_model
from fpgaclass.firmware.precision import FixedPoint
from fpgaclass.firmware.quantise import quantise
from fpgaclass.firmware.report import Report
from fpgaclass.firmware.search import grid, search
from fpgaclass.firmware.search_point import SearchPoint
from fpgaclass.firmware.search_result import Budget, Search
from fpgaclass.firmware.trace import Trace, trace
from fpgaclass.firmware.trees import Trees
from fpgaclass.firmware.verify import Agreement
from fpgaclass.firmware.vitis import bundle, read_back
from fpgaclass.firmware.words import Field, WordFormat

__all__ = [
    "Agreement",
    "Board",
    "Budget",
    "Deviation",
    "Field",
    "Firmware",
    "FixedPoint",
    "LayerTrace",
    "Manifest",
    "Report",
    "Resources",
    "Search",
    "SearchPoint",
    "Trace",
    "Trees",
    "WordFormat",
    "agreement",
    "board_names",
    "build",
    "bundle",
    "check_model",
    "deviation",
    "grid",
    "load_board",
    "prepare",
    "quantise",
    "read_back",
    "read_trees",
    "search",
    "trace",
]
