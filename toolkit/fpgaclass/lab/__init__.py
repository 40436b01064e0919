"""What a notebook imports: checks that explain themselves, a seed of one's own, and quiet libraries."""

from fpgaclass.lab import check
from fpgaclass.lab.check import CheckError
from fpgaclass.lab.contest import figure
from fpgaclass.lab.quiet import quiet
from fpgaclass.lab.reproducible import reproducible
from fpgaclass.lab.seeds import student_seed
from fpgaclass.lab.training import train

__all__ = ["CheckError", "check", "figure", "quiet", "reproducible", "student_seed", "train"]
