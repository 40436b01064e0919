"""The process that runs a student's cells: it answers what the checking process asks, in plain values.

Nothing in here is trusted by anybody. It shares a process with the student's code, which may change all of
it; the checking process reads what comes out as data, and nothing else.
"""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from fpgaclass.engine.chance import plain_states, random_states, restore_states
from fpgaclass.engine.shell import CellShell
from fpgaclass.engine.values import Encoder
from fpgaclass.engine.wire import Message, Wire, WireClosedError

_FILES_BYTES = 64_000_000
_FILES = 500


class Answers:
    """The student's side of the line.

    Args:
        wire: the line to the checking process.
        shell: where the cells run.
    """

    def __init__(self, wire: Wire, shell: CellShell) -> None:
        self._wire = wire
        self._shell = shell
        self._kept: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}
        self._iterators: dict[int, Any] = {}
        self._limit = 2_000_000
        self._seen: dict[str, tuple[int, int]] = {}
        self._random = random_states()
        self._theirs = False
        signal.signal(signal.SIGINT, self._interrupted)

    def _interrupted(self, *_: object) -> None:
        """Interrupt the student's code, and never a message half-way: one that came late is for nothing."""
        if self._theirs:
            raise KeyboardInterrupt

    def serve(self) -> None:
        """Answer until the other side hangs up."""
        while True:
            try:
                asked = self._wire.receive()
            except WireClosedError:
                return
            self._answer(asked)

    def _answer(self, asked: Message) -> None:
        encoder = Encoder(self._keep)
        reply: dict[str, Any] = {}
        try:
            operation = getattr(self, f"_do_{asked.header['op']}")
            self._theirs = True
            value = operation(asked, reply)
            reply["value"] = encoder.encode(value)
            self._theirs = False
        except BaseException as raised:
            self._theirs = False
            if isinstance(raised, WireClosedError):
                raise
            encoder = Encoder(self._keep)
            reply["error"] = encoder.error(raised) | {"traceback": traceback.format_exc()[-6000:]}
        reply["outputs"] = self._shell.take()
        state = random_states()
        if state != self._random and asked.header["op"] == "call":
            reply["random"] = plain_states()
        self._random = state
        try:
            self._wire.send(reply, encoder.buffers)
        except WireClosedError:
            raise
        except Exception:
            self._wire.send({"error": {"m": ["ValueError"], "text": "the answer cannot be sent"}})

    def _keep(self, value: Any) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._kept)
            self._kept[len(self._kept)] = value
        return self._numbers[id(value)]

    # what can be asked

    def _do_setup(self, asked: Message, reply: dict[str, Any]) -> None:  # noqa: ARG002
        setup = self._load(asked)
        os.environ.update(setup["environment"])
        put_files(Path(setup["folder"]), setup["files"])

    def _do_run(self, asked: Message, reply: dict[str, Any]) -> None:
        self._limit = int(asked.header["limit"])
        header = asked.header
        ok, outputs, count = self._shell.record(header["source"], self._limit, header["count"])
        self._shell.recorder.outputs += outputs  # before the answer's own, in the order in which they came
        reply |= {"ok": ok, "count": count}

    def _do_get(self, asked: Message, reply: dict[str, Any]) -> Any:
        names = self._shell.user_ns
        reply["there"] = asked.header["name"] in names
        return names.get(asked.header["name"])

    def _do_set(self, asked: Message, reply: dict[str, Any]) -> None:  # noqa: ARG002
        self._shell.user_ns[asked.header["name"]] = self._load(asked)

    def _do_delete(self, asked: Message, reply: dict[str, Any]) -> None:  # noqa: ARG002
        self._shell.user_ns.pop(asked.header["name"], None)

    def _do_call(self, asked: Message, reply: dict[str, Any]) -> Any:
        arguments, keywords = self._load(asked)
        if asked.header.get("random"):
            restore_states(bytes(asked.buffers[1]))
        before = [_frozen(one) for one in arguments]
        result = self._kept[asked.header["h"]](*arguments, **keywords)
        changed = {
            str(n): one
            for n, (one, old) in enumerate(zip(arguments, before, strict=True))
            if old is not None and _frozen(one) != old
        }
        if changed:
            reply["changed"] = True
            return [result, changed]
        return result

    def _do_attribute(self, asked: Message, reply: dict[str, Any]) -> Any:  # noqa: ARG002
        return getattr(self._kept[asked.header["h"]], asked.header["name"])

    def _do_assign(self, asked: Message, reply: dict[str, Any]) -> None:  # noqa: ARG002
        setattr(self._kept[asked.header["h"]], asked.header["name"], self._load(asked))

    def _do_item(self, asked: Message, reply: dict[str, Any]) -> Any:  # noqa: ARG002
        return self._kept[asked.header["h"]][self._load(asked)]

    def _do_length(self, asked: Message, reply: dict[str, Any]) -> int:  # noqa: ARG002
        return len(self._kept[asked.header["h"]])

    def _do_iterate(self, asked: Message, reply: dict[str, Any]) -> int:  # noqa: ARG002
        number = len(self._iterators)
        self._iterators[number] = iter(self._kept[asked.header["h"]])
        return number

    def _do_next(self, asked: Message, reply: dict[str, Any]) -> Any:
        for value in self._iterators[asked.header["i"]]:
            return value
        reply["end"] = True
        return None

    def _do_convert(self, asked: Message, reply: dict[str, Any]) -> Any:  # noqa: ARG002
        value, to = self._kept[asked.header["h"]], asked.header["to"]
        if to == "array":
            return np.asarray(value)
        convert: Any = {"float": float, "int": int, "complex": complex, "str": str, "repr": repr}[to]
        return convert(value)

    def _do_equal(self, asked: Message, reply: dict[str, Any]) -> bool:  # noqa: ARG002
        return bool(self._kept[asked.header["h"]] == self._kept[asked.header["with"]])

    def _do_instance(self, asked: Message, reply: dict[str, Any]) -> bool:  # noqa: ARG002
        return isinstance(self._kept[asked.header["h"]], self._kept[asked.header["of"]])

    def _do_files(self, asked: Message, reply: dict[str, Any]) -> dict[str, bytes]:  # noqa: ARG002
        """Return the plain files below the working directory that changed since the last time."""
        # Asked before each check: IPython shows a warning anew in each cell, and so does this.
        self._shell.user_ns.pop("__warningregistry__", None)
        found: dict[str, bytes] = {}
        room = _FILES_BYTES
        for path in sorted(Path.cwd().rglob("*"))[: 4 * _FILES]:
            if path.is_symlink() or not path.is_file() or len(found) >= _FILES:
                continue
            stat = path.stat()
            name, mark = str(path.relative_to(Path.cwd())), (stat.st_mtime_ns, stat.st_size)
            if self._seen.get(name) != mark and stat.st_size <= room:
                found[name], self._seen[name] = path.read_bytes(), mark
                room -= stat.st_size
        return found

    def _load(self, asked: Message) -> Any:
        return _Loader(asked.buffers[0], self._kept, self._shell.user_ns).load()


class _Loader(pickle.Unpickler):
    """Read what the checking process sent: it is trusted, so pickle is good enough in this direction."""

    def __init__(self, data: Any, kept: dict[int, Any], names: dict[str, Any]) -> None:
        import io

        super().__init__(io.BytesIO(data))
        self._kept, self._names = kept, names

    def persistent_load(self, pid: Any) -> Any:
        kind, which = pid
        return self._kept[which] if kind == "handle" else self._names[which]


def _frozen(value: Any) -> Any:
    """Return something that differs if a list, dict, set or array was changed in place; None for others."""
    if type(value) in (list, dict, set, bytearray) or isinstance(value, np.ndarray):
        try:
            return pickle.dumps(value)
        except Exception:
            return None
    return None


def put_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write a submission's files and go there."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    os.chdir(folder)
