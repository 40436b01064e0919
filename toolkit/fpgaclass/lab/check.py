"""Checks for notebooks: each compares, and says in words what is wrong.

A check that fails raises `CheckError`, an AssertionError that a notebook shows as one line instead of a
traceback. A check that passes returns None and prints nothing: nbgrader reads a number as partial credit and
anything on stderr as zero.

Every comparison needs a tolerance, and the reason for it belongs in a comment beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["CheckError", "above", "below", "between", "close", "equal", "shape", "that"]


class CheckError(AssertionError):
    """What a student wrote does not do what the task asks; the message says what was seen."""

    def _render_traceback_(self) -> list[str]:
        """Show one line in IPython: the student has no use for the inside of the check."""
        return [f"\x1b[0;31mNot yet\x1b[0m: {self}"]


def that(condition: Any, otherwise: str) -> None:
    """Check that a condition holds.

    Args:
        condition: a single truth value.
        otherwise: what to tell the student when it does not hold.
    """
    if not bool(condition):
        raise CheckError(otherwise)


def shape(name: str, got: Any, expected: Sequence[int | None]) -> None:
    """Check the shape of an array; None in ``expected`` allows any length of that axis.

    Args:
        name: what the student calls the array.
        got: the array.
        expected: its shape, such as ``(None, 27)``.
    """
    array = _array(name, got, numeric=False)
    fits = len(array.shape) == len(expected) and all(
        want is None or have == want for have, want in zip(array.shape, expected, strict=True)
    )
    if fits:
        return
    want = "(" + ", ".join("any" if n is None else str(n) for n in expected) + ")"
    hint = ""
    if array.shape[::-1] == tuple(expected):
        hint = " It looks transposed: try .T"
    elif array.size and tuple(n for n in array.shape if n != 1) == tuple(n for n in expected if n != 1):
        hint = " It has an axis of length 1 too many or too few: look at reshape or [:, 0]"
    raise CheckError(f"{name} has shape {array.shape}, and {want} is needed.{hint}")


def close(
    name: str,
    got: Any,
    expected: ArrayLike,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    unit: str = "",
) -> None:
    """Check that numbers agree with the expected ones: ``|got - expected| <= atol + rtol * |expected|``.

    Args:
        name: what is compared, in the student's words.
        got: a number or an array of them.
        expected: a number or an array of the same shape (a number compares with every element).
        rtol: relative tolerance.
        atol: absolute tolerance, in ``unit``.
        unit: the unit of the numbers, for the message.

    Raises:
        CheckError: it says where the largest difference is, and whether a usual slip explains it
            (a sign, a factor of two, degrees for radians, 1000 between units).

    Example:
        >>> close("kappa", 0.31, 0.30, rtol=0.1, unit="rad GeV")
        >>> close("kappa", -0.30, 0.30, rtol=0.1, unit="rad GeV")
        Traceback (most recent call last):
        fpgaclass.lab.check.CheckError: kappa is -0.3 rad GeV; expected 0.3 ± 0.03. The sign is reversed.
    """
    want = np.asarray(expected, dtype=float)
    have = _array(name, got)
    if want.shape not in ((), have.shape):
        shape(name, have, want.shape)
    allowed = np.broadcast_to(atol + rtol * np.abs(want), have.shape)
    target = np.broadcast_to(want, have.shape)
    wrong = np.abs(have - target) > allowed
    if not wrong.any():
        return
    slip = _usual_slip(have, target, allowed)
    unit = f" {unit}" if unit else ""
    if have.ndim == 0:
        raise CheckError(f"{name} is {_short(have)}{unit}; expected {_within(target, allowed)}.{slip}")
    worst = np.unravel_index(np.argmax(np.abs(have - target) - allowed), have.shape)
    raise CheckError(
        f"{name} is off in {int(wrong.sum())} of {wrong.size} values; the worst, [{_place(worst)}], is"
        f" {_short(have[worst])}{unit} where {_within(target[worst], allowed[worst])} is expected.{slip}"
    )


def equal(name: str, got: Any, expected: Any) -> None:
    """Check that integers, words or arrays of them are exactly the same.

    Args:
        name: what is compared, in the student's words.
        got: what the student has.
        expected: what it must be; floats do not belong here, see `close`.
    """
    want = np.asarray(expected)
    have = _array(name, got, numeric=False)
    if have.shape != want.shape:
        shape(name, have, want.shape)
    if want.dtype.kind in "iub" and have.dtype.kind not in "iub":
        raise CheckError(f"{name} holds {have.dtype} values, and whole numbers are needed.")
    if have.dtype.kind == "O":
        raise CheckError(f"{name} is a {type(got).__name__}, and that cannot be compared.")
    wrong = have != want
    if not np.any(wrong):
        return
    if want.ndim == 0:
        raise CheckError(f"{name} is {_exact(have[()])}; expected {_exact(want[()])}.")
    first = tuple(int(n) for n in np.argwhere(wrong)[0])
    raise CheckError(
        f"{name} differs in {int(np.sum(wrong))} of {want.size} values; the first, [{_place(first)}],"
        f" is {_exact(have[first])} where {_exact(want[first])} is expected."
    )


def below(name: str, got: Any, limit: float, *, unit: str = "", why: str = "") -> None:
    """Check that a number is at most ``limit``; ``why`` tells the student where the limit comes from."""
    value = _number(name, got)
    if value > limit:
        raise CheckError(_limit(name, value, "at most", limit, unit, why))


def above(name: str, got: Any, limit: float, *, unit: str = "", why: str = "") -> None:
    """Check that a number is at least ``limit``; ``why`` tells the student where the limit comes from."""
    value = _number(name, got)
    if value < limit:
        raise CheckError(_limit(name, value, "at least", limit, unit, why))


def between(name: str, got: Any, low: float, high: float, *, unit: str = "", why: str = "") -> None:
    """Check that a number lies from ``low`` to ``high``, both included."""
    above(name, got, low, unit=unit, why=why)
    below(name, got, high, unit=unit, why=why)


def _limit(name: str, value: float, word: str, limit: float, unit: str, why: str) -> str:
    unit = f" {unit}" if unit else ""
    reason = f" ({why})" if why else ""
    return f"{name} is {_short(value)}{unit}; it should be {word} {_short(limit)}{unit}{reason}."


def _number(name: str, got: Any) -> float:
    value = _array(name, got)
    if value.size != 1:
        raise CheckError(f"{name} should be a single number, and has shape {value.shape}.")
    return float(value.reshape(()))


def _array(name: str, got: Any, *, numeric: bool = True) -> np.ndarray[Any, np.dtype[Any]]:
    """Return what the student gave as a plain array, or say why that cannot be."""
    if got is None:
        raise CheckError(f"{name} is None. Is a return missing?")
    if got is Ellipsis:
        raise CheckError(f"{name} is still '...': it waits for your answer.")
    if callable(got):
        raise CheckError(f"{name} is a function. Was it called, with its brackets?")
    try:
        array = np.array(got, dtype=float) if numeric else np.array(got)
    except (TypeError, ValueError) as trouble:
        raise CheckError(f"{name} is a {type(got).__name__}, and numbers are needed ({trouble}).") from None
    if numeric and not np.isfinite(array).all():
        bad = int((~np.isfinite(array)).sum())
        raise CheckError(
            f"{name} holds {bad} value(s) that are not finite (NaN or infinite) of {array.size}."
        )
    return array


def _usual_slip(have: Any, want: Any, allowed: Any) -> str:
    """Say whether one of the usual slips turns what is there into what is expected."""
    slips = (
        (-1.0, "The sign is reversed."),
        (2.0, "It is half of what is expected."),
        (0.5, "It is twice what is expected."),
        (np.pi / 180, "Degrees where radians are expected?"),
        (180 / np.pi, "Radians where degrees are expected?"),
        (1000.0, "A factor 1000 is missing: look at the units."),
        (0.001, "It is a factor 1000 too large: look at the units."),
    )
    for factor, text in slips:
        if (np.abs(have * factor - want) <= allowed).all():
            return f" {text}"
    if have.ndim == 0:
        return ""
    if have.size > 1 and np.ptp(have) == 0 and np.ptp(want) > 0:
        return " All values are the same."
    if have.ndim == 1 and (np.abs(have[::-1] - want) <= allowed).all():
        return " The order is reversed."
    if (np.abs(np.abs(have) - np.abs(want)) <= allowed).all():
        return " The sizes are right and some signs are not."
    return ""


def _within(target: Any, allowed: Any) -> str:
    # A tolerance for the last bits of floating point tells a student nothing.
    tight = float(allowed) <= 1e-8 * max(1.0, abs(float(target)))
    return f"{float(target):.6g}" if tight else f"{_short(target)} ± {_short(allowed)}"


def _exact(value: Any) -> str:
    """Return a value in full; words (unsigned numbers) in hexadecimal, where their halves can be seen."""
    return f"{value:#0{2 + 2 * value.itemsize}x}" if value.dtype.kind == "u" else str(value)


def _place(index: Iterable[Any]) -> str:
    return ", ".join(str(int(n)) for n in index)


def _short(value: Any) -> str:
    return f"{float(value):.4g}"
