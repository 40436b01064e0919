"""From course.yaml and lab.py to what nbgrader releases, with each check proved."""

from fpgaclass.course.lab import Header, Lab, LabCell

__all__ = ["Header", "Lab", "LabCell"]
