"""A Keras model becomes a ``Firmware``: one call, every stage checked against the model to the bit."""

from fpgaclass.firmware.artifact import Firmware, Manifest
from fpgaclass.firmware.board import Board, Resources, board_names, load_board
from fpgaclass.firmware.build import agreement, build, prepare
from fpgaclass.firmware.checking.deviation import Deviation, deviation
from fpgaclass.firmware.checking.layers import LayerTrace
from fpgaclass.firmware.checking.trace import Trace, trace
from fpgaclass.firmware.checking.verify import Agreement
from fpgaclass.firmware.models.model import check_model
from fpgaclass.firmware.quantisation.precision import FixedPoint
from fpgaclass.firmware.quantisation.quantise import quantise
from fpgaclass.firmware.report import Report
from fpgaclass.firmware.sweep.point import SearchPoint
from fpgaclass.firmware.sweep.result import Budget, Search
from fpgaclass.firmware.sweep.search import grid, search
from fpgaclass.firmware.trees.conifer import read_trees
from fpgaclass.firmware.trees.logic import Trees
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
