"""The line from the checking process to the student's: requests out, plain values in."""

from __future__ import annotations

import contextlib
import io
import sys
import time
import types
from collections.abc import Callable, Iterator
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import numpy as np

from fpgaclass.engine.chance import follow, random_states
from fpgaclass.engine.outputs import as_list, clean_output, error_output
from fpgaclass.engine.remote import Remote, RemoteCallable, builtin_error, remote_function
from fpgaclass.engine.values import Decoder
from fpgaclass.engine.wire import Message, Wire, WireClosedError, WireError, WireTimeoutError

DIED = "the kernel died (out of memory, or the code ended it)"
STUCK = "the kernel did not answer any more"
_PLAIN = (type(None), int, float, complex, str, bytes, list, tuple, dict, set, np.ndarray, np.generic)
_SHOWN = ("display_data",)
_GRACE = 5.0


class GoneError(Exception):
    """The student's process is no more; its cells cannot run and its functions cannot be called."""


class TooLongError(Exception):
    """A cell or a call took longer than it may."""


class Line:
    """Ask the student's process, and read its answers as data.

    Args:
        wire: the line.
        interrupt: asks whoever started the student's process to interrupt it.
        end: asks for its end.
    """

    def __init__(self, wire: Wire, interrupt: Callable[[], None], end: Callable[[], None]) -> None:
        self._wire = wire
        self._interrupt, self._end = interrupt, end
        self._functions: dict[int, tuple[Any, int]] = {}
        self._errors: dict[int, type[Exception]] = {}
        self._waiting: list[float] = []
        self.lengths: dict[int, int] = {}
        self._random = b""
        self.gone = ""
        self.deadline = time.monotonic() + 600
        self.before_call: Callable[[], None] = lambda: None
        self.shared: Callable[[], dict[int, str]] = dict
        self.show: Callable[[dict[str, Any]], None] = lambda output: None  # noqa: ARG005

    def start(self, source: str, limit: int, count: int) -> None:
        """Start a cell, the ``count``-th that runs; `finish` has its outputs."""
        self._require()
        try:
            self._wire.send({"op": "run", "source": source, "limit": limit, "count": count})
        except WireClosedError as closed:
            self._lose(DIED)
            raise GoneError(self.gone) from closed
        self._waiting.append(self.deadline)

    def finish(self) -> dict[str, Any]:
        """Wait for the cell that was started, and return what it left.

        Raises:
            GoneError: the process ended, or does not answer.
        """
        if not self._waiting:
            return {}
        answer, late = self._receive(self._waiting.pop())
        header = answer.header
        outputs = [one for one in map(clean_output, as_list(header.get("outputs"))) if one]
        count = header.get("count")
        if late:
            text = "CellTimeoutError: the cell took longer than it may"
            outputs.append(error_output("CellTimeoutError", "the cell took longer than it may", [text]))
        ok = header.get("ok") is True and not late
        return {"outputs": outputs, "ok": ok, "count": count if type(count) is int else None}

    def ask(self, op: str, payload: Any = ..., **header: Any) -> Any:
        """Ask for something and return a plain value or a stand-in.

        Raises:
            GoneError: there is nobody to ask any more.
            TooLongError: the answer did not come in time.
            Exception: what the student's code raised, as a builtin exception or a class of that name.
        """
        return self._ask(op, header, [] if payload is ... else [self._dump(payload)])[0]

    def call(self, number: int, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Call something of the student's; lists, arrays and so on that it changed are changed here, too."""
        self.before_call()
        self.lengths.clear()
        buffers, header = [self._dump((list(arguments), keywords))], {"h": number}
        state = random_states()
        if state != self._random:
            buffers.append(state)
            header["random"] = 1
        value, answer = self._ask("call", header, buffers)
        same = not answer.get("random") or follow(answer["random"])
        self._random = random_states() if same else b""  # told anew at the next call
        if answer.get("changed") is True:
            value, changed = value
            for n, new in changed.items():
                _change(arguments[int(n)], new)
        return value

    def get(self, name: str) -> tuple[bool, Any]:
        """Return whether the student has a name, and its value."""
        value, answer = self._ask("get", {"name": name}, [])
        return answer.get("there") is True, value

    def iterate(self, number: int) -> Iterator[Any]:
        """Yield what something of the student's yields, one by one."""
        iterator = self.ask("iterate", h=number)
        while True:
            value, answer = self._ask("next", {"i": iterator}, [])
            if answer.get("end"):
                return
            yield value

    def _ask(self, op: str, header: dict[str, Any], buffers: list[bytes]) -> tuple[Any, dict[str, Any]]:
        self.settle()
        self._require()
        try:
            self._wire.send({"op": op, **header}, buffers)
        except WireClosedError as closed:
            self._lose(DIED)
            raise GoneError(self.gone) from closed
        answer, late = self._receive(self.deadline)
        for output in as_list(answer.header.get("outputs")):
            cleaned = clean_output(output)
            if cleaned and cleaned["output_type"] == "stream":
                print(cleaned["text"], end="", file=sys.stderr if cleaned["name"] == "stderr" else sys.stdout)
            elif cleaned and cleaned["output_type"] in _SHOWN:
                self.show(cleaned)
        if late:
            raise TooLongError("the student's code took longer than a cell may")
        if "error" in answer.header:
            raise self._raised(answer.header["error"])
        try:
            value = Decoder(answer.buffers, self._stand_in).decode(answer.header.get("value"))
        except WireError as trouble:
            raise WireError(f"the student's code gave {trouble}") from trouble
        return value, answer.header

    def settle(self) -> None:
        """Wait for a cell that still runs in the student's process; its outputs are kept for `finish`."""
        if self._waiting:
            self._settled = self.finish()

    _settled: dict[str, Any] | None = None

    def finished(self) -> dict[str, Any]:
        """Return the outputs of the cell that was started last, whether or not it was waited for."""
        found = self._settled if self._settled is not None else self.finish()
        self._settled = None
        return found

    def _receive(self, deadline: float) -> tuple[Message, bool]:
        late = False
        try:
            try:
                return self._wire.receive(deadline), False
            except WireTimeoutError:
                late = True
                self._interrupt()
                return self._wire.receive(time.monotonic() + _GRACE), True
        except WireTimeoutError:
            self._lose(STUCK)
        except WireClosedError:
            self._lose(STUCK if late else DIED)
        except WireError as trouble:
            self._lose(f"the kernel sent what cannot be read: {trouble}")
        raise GoneError(self.gone)

    def _require(self) -> None:
        if self.gone:
            raise GoneError(self.gone)

    def _lose(self, reason: str) -> None:
        self.gone = self.gone or reason
        self._end()

    def _stand_in(self, tree: dict[str, Any]) -> Any:
        number, kind = int(tree["h"]), tree.get("k")
        if kind == "function":
            function = remote_function(self, number, tree)
            self._functions[id(function)] = (function, number)
            return function
        if kind == "exception":
            return self._error_class(tree["m"])
        make = RemoteCallable if kind in ("class", "callable") else Remote
        return make(self, number, str(tree.get("n"))[:100])

    def _error_class(self, ancestry: list[Any]) -> type[Exception]:
        first = ancestry[0]
        if isinstance(first, str):
            return builtin_error(first)
        number, name = int(first[0]), str(first[1])[:100]
        if number not in self._errors:
            self._errors[number] = type(name, (self._error_class(ancestry[1:]),), {"__module__": "__main__"})
        return self._errors[number]

    def _raised(self, tree: Any) -> Exception:
        try:
            error_class, text = self._error_class(tree["m"][:50]), str(tree.get("text"))[:10_000]
            if error_class is RuntimeError and tree["m"][0] != "RuntimeError":
                text = f"{tree['m'][-1]}: {text}"
            plain = [one for one in as_list(tree.get("args")) if isinstance(one, str | int | float)]
            try:
                error = error_class(*(plain or [text]))
            except Exception:
                error = RuntimeError(f"{error_class.__name__}: {text}")
        except Exception:
            return RuntimeError("the student's code raised something that cannot be read")
        error.add_note(f"In the notebook:\n{str(tree.get('traceback'))[:6000]}")
        return error

    def _dump(self, value: Any) -> bytes:
        data = io.BytesIO()
        _Dumper(data, self._functions, self._errors, self.shared()).dump(value)
        return data.getvalue()


class _Dumper(cloudpickle.Pickler):  # type: ignore[misc]
    """Write what goes to the student's process: by value, or by the name that both sides know it by."""

    def __init__(self, file: Any, functions: Any, errors: Any, shared: dict[int, str]) -> None:
        super().__init__(file)
        self._functions, self._shared = functions, shared
        self._errors = {id(value): number for number, value in errors.items()}

    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Remote):
            return ("handle", value._number)
        if id(value) in self._functions:
            return ("handle", self._functions[id(value)][1])
        if id(value) in self._errors:
            return ("handle", self._errors[id(value)])
        if id(value) in self._shared:
            return ("name", self._shared[id(value)])
        return None


def is_plain(value: Any) -> bool:
    """Return whether a value can be sent as it is: what is not plain and known to both goes by its name."""
    return isinstance(value, (*_PLAIN, types.ModuleType, Remote))


def _change(old: Any, new: Any) -> None:
    with contextlib.suppress(TypeError, ValueError):
        if isinstance(old, list | bytearray):
            old[:] = new
        elif isinstance(old, dict | set):
            old.clear()
            old.update(new)
        elif isinstance(old, np.ndarray):
            old[...] = new
