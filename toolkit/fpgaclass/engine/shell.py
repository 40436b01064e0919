"""IPython without a kernel: cells run here, and leave the outputs that a notebook would show."""

from __future__ import annotations

import builtins
import io
import os
import sys
import types
from typing import Any

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from fpgaclass.engine.outputs import what_counts
from fpgaclass.engine.system import memfd_create

CUT = "\n[the rest was cut]\n"


class Recorder:
    """The outputs of one cell, as nbformat has them.

    Args:
        limit: how many bytes are kept.
    """

    def __init__(self, limit: int) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._left = limit
        self._clear_next = False
        self._kept: set[tuple[str, str | None]] = set()

    def stream(self, name: str, text: str) -> None:
        """Add what was printed; pieces of the same stream become one output, as nbclient does it."""
        if not text:
            return
        if not self._room(len(text)):
            self._keep({"output_type": "stream", "name": name, "text": text})
            return
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last.get("name") == name:
            last["text"] += text
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})

    def add(self, output: dict[str, Any]) -> None:
        """Add any other output."""
        if self._room(len(str(output))):
            self.outputs.append(output)
        else:
            self._keep(output)

    def _keep(self, output: dict[str, Any]) -> None:
        """Keep of an output for which there is no room what decides a mark, the first of each kind."""
        for short in what_counts([output]):
            kept = (short["output_type"], short.get("name"))
            if kept not in self._kept:
                self._kept.add(kept)
                self.outputs.append(short)

    def clear(self, wait: bool) -> None:
        """Forget what was shown, at once or when the next output comes."""
        if wait:
            self._clear_next = True
        else:
            self.outputs.clear()

    def _room(self, size: int) -> bool:
        if self._clear_next:
            self._clear_next = False
            self.outputs.clear()
        before, self._left = self._left, self._left - size
        if self._left < 0 <= before:
            self.outputs.append({"output_type": "stream", "name": "stdout", "text": CUT})
        return self._left >= 0


class _Stream(io.TextIOBase):
    """What stands in the place of sys.stdout or sys.stderr."""

    def __init__(self, shell: CellShell, name: str) -> None:
        self._shell, self.name = shell, name
        self._number = 1 if name == "stdout" else 2

    encoding = "utf-8"
    errors = "strict"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._shell.recorder.stream(self.name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return self._number


class _Publisher(DisplayPublisher):
    """Where display() leads."""

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,  # noqa: ARG002 - IPython's signature
        *,
        transient: Any = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        recorder = self.shell.recorder
        known = (transient or {}).get("display_id")
        if update and known is not None:
            for output in recorder.outputs:
                if output.get("#") == known:
                    output.update(data=dict(data), metadata=dict(metadata or {}))
            return
        output = {"output_type": "display_data", "data": dict(data), "metadata": dict(metadata or {})}
        recorder.add(output | ({"#": known} if known is not None else {}))

    def clear_output(self, wait: bool = False) -> None:
        self.shell.recorder.clear(wait)


class _Result(DisplayHook):
    """Where the value of a cell's last expression leads."""

    def start_displayhook(self) -> None: ...
    def write_output_prompt(self) -> None: ...
    def finish_displayhook(self) -> None: ...

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.recorder.add(
            {
                "output_type": "execute_result",
                "data": dict(format_dict),
                "metadata": dict(md_dict or {}),
                "execution_count": self.shell.execution_count,
            }
        )


class CellShell(InteractiveShell):
    """An IPython shell that records the outputs of cells; made once, before a process is forked."""

    displayhook_class = _Result
    display_pub_class = _Publisher

    def init_io(self) -> None:
        """Leave the terminal alone."""

    def enable_gui(self, gui: Any = None) -> None:
        """Notebooks have no window; `%matplotlib inline` asks for none."""

    failed_line: int | None = None
    """The line of the cell that ran last at which it raised an error."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: Any) -> None:
        self.failed_line = _line_of(evalue)
        self.recorder.add(
            {
                "output_type": "error",
                "ename": str(etype.__name__),
                "evalue": _text(evalue),
                "traceback": [str(line)[:20_000] for line in stb][:200],
            }
        )

    def record(self, source: str, limit: int, count: int) -> tuple[bool, list[dict[str, Any]], int]:
        """Run a cell.

        Args:
            source: its text.
            limit: bytes of output to keep.
            count: how many cells have run then, this one included; the two processes of a notebook share it.

        Returns:
            (whether it ran to its end without an error, its outputs, its execution count).
        """
        self.recorder, self.failed_line = Recorder(limit), None
        self.execution_count = count
        result = self.run_cell(source, store_history=True)  # type: ignore[no-untyped-call]
        outputs = self.take()
        return bool(result.success), outputs, count

    def take(self) -> list[dict[str, Any]]:
        """Return the outputs recorded so far, with what went past Python to the descriptors 1 and 2."""
        for number, name in ((1, "stdout"), (2, "stderr")):
            self.recorder.stream(name, _spilled(number))
        outputs = self.recorder.outputs
        for output in outputs:
            output.pop("#", None)
        self.recorder = Recorder(self.recorder._left)
        return outputs

    recorder = Recorder(0)


def make_shell() -> CellShell:
    """Return the shell of this process: one that writes nothing to disk and starts no threads."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.xmode = "Context"
    config.InteractiveShell.cache_size = 1000
    main = types.ModuleType("__main__")
    shell: CellShell = CellShell.instance(config=config, user_module=main)
    sys.modules["__main__"] = main
    return shell


def open_cells(shell: CellShell) -> None:
    """Lead this process's output into the shell; called once, after the fork."""
    for number in (1, 2):
        handle = memfd_create(f"fpgaclass-{number}")
        os.dup2(handle, number, inheritable=True)
        os.close(handle)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    sys.stdout = sys.__stdout__ = _Stream(shell, "stdout")  # type: ignore[assignment,misc]
    sys.stderr = sys.__stderr__ = _Stream(shell, "stderr")  # type: ignore[assignment,misc]
    builtins.input = _no_input


def _no_input(prompt: object = "") -> str:  # noqa: ARG001 - the signature of input()
    raise StdinNotImplementedError("raw_input was called, but this frontend does not support input requests.")


def _spilled(number: int) -> str:
    """Return what was written to a descriptor, and start it anew."""
    try:
        size = os.lseek(number, 0, os.SEEK_END)
        if size <= 0:
            return ""
        data = os.pread(number, min(size, 4_000_000), 0)
        os.ftruncate(number, 0)
        os.lseek(number, 0, os.SEEK_SET)
    except OSError:  # closed by the code, or no file any more
        return ""
    return data.decode(errors="replace")


def _line_of(error: Any) -> int | None:
    """Return the line at which a cell, and not what it called, raised an error."""
    trace = getattr(error, "__traceback__", None)
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_name in ("<module>", "<cell line: 1>") and "ipython-input" in code.co_filename:
            return int(trace.tb_lineno)
        trace = trace.tb_next
    return None


def _text(value: Any) -> str:
    try:
        return str(value)[:20_000]
    except Exception:
        return "(its text cannot be shown)"
