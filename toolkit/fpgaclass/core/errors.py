"""The one tree of exceptions.

::

    FpgaClassError                 the work failed (exit code 1)
    ├── UsageError                 the command or call was wrong (exit code 2)
    │   ├── InvalidInputError      an argument, array or file does not fit (also a ValueError)
    │   └── CourseError            course.yaml, a lab or a notebook is not right
    ├── ToolMissingError           a program or package is not on this machine
    ├── StoppedError               work that was given up because another part of it failed
    ├── DiskFullError              no room for what is to be written
    ├── FirmwareError
    │   ├── UnsupportedLayerError  a layer that no toolchain here can build
    │   └── BuildError             a tool of the flow died or disagreed
    ├── CardError
    │   ├── WrongCardError         firmware of a real card on the virtual one, or the reverse
    │   ├── BusError               the AXI bus answered DECERR or SLVERR
    │   └── HungKernelError        the watchdog stopped a kernel that never finished
    ├── ClassroomError             the hub, the exchange or the grading
    └── CohortError                seats in a cloud (drawn further in cohort/errors.py)
"""

from __future__ import annotations


class FpgaClassError(Exception):
    """Something failed; says what, where it was seen, and what to do next.

    Args:
        what: what failed, one line, without a full stop.
        where: where it was looked for or seen (a path, a layer, a register), if that helps.
        next_step: the next command or change to make, if there is one.

    Example:
        >>> str(FpgaClassError("no C++ compiler", where="PATH", next_step="apt-get install g++"))
        'no C++ compiler (looked in: PATH). Next: apt-get install g++'
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str | None = None, next_step: str | None = None) -> None:
        self.what = what
        self.where = where
        self.next_step = next_step
        text = what
        if where:
            text += f" (looked in: {where})"
        if next_step:
            text += f". Next: {next_step}"
        super().__init__(text)


class UsageError(FpgaClassError):
    """The command or the call was used wrongly."""

    exit_code = 2


class InvalidInputError(UsageError, ValueError):
    """An argument, an array or a file does not fit what is asked."""


class CourseError(UsageError):
    """The course definition, a lab or a notebook is not right."""


class ToolMissingError(FpgaClassError):
    """A program or package that the work needs is not on this machine."""


class StoppedError(FpgaClassError):
    """Work was given up because another part of it failed; that part's error is the one to show."""


class DiskFullError(FpgaClassError):
    """There is no room for what is to be written; what is there already is whole."""


class FirmwareError(FpgaClassError):
    """A model could not become firmware."""


class UnsupportedLayerError(FirmwareError):
    """A layer of the model cannot be built by the chosen toolchain."""


class BuildError(FirmwareError):
    """A tool of the flow died, or two stages of it disagreed."""


class CardError(FpgaClassError):
    """A card, real or virtual, refused or failed."""


class WrongCardError(CardError):
    """Firmware for another kind of card."""


class BusError(CardError):
    """The bus answered an access with DECERR or SLVERR."""


class HungKernelError(CardError):
    """A kernel did not finish within its watchdog's limit."""


class ClassroomError(FpgaClassError):
    """The hub, the exchange or the grading failed."""


class CohortError(FpgaClassError):
    """Planning, making or removing a cohort failed."""
