"""From course.yaml and lab.py to what nbgrader releases, with each check proved."""

from fpgaclass.course.definition import Course, LabEntry, LatePolicy, LogIn, Seats
from fpgaclass.course.gate import GateReport, GateRun, gate
from fpgaclass.course.lab import Header, Lab, LabCell
from fpgaclass.course.notebook import (
    Drift,
    drift,
    is_partial,
    proof_line,
    source_notebook,
    student_notebook,
    student_path,
    unproved,
    write_student_notebooks,
)
from fpgaclass.course.release import release

__all__ = [
    "Course",
    "Drift",
    "GateReport",
    "GateRun",
    "Header",
    "Lab",
    "LabCell",
    "LabEntry",
    "LatePolicy",
    "LogIn",
    "Seats",
    "drift",
    "gate",
    "is_partial",
    "proof_line",
    "release",
    "source_notebook",
    "student_notebook",
    "student_path",
    "unproved",
    "write_student_notebooks",
]
