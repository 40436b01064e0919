"""What the fake clouds share: a server in a process of its own, and calls that are cut on demand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import asdict
from io import BytesIO
from types import TracebackType
from typing import Any

Environ = dict[str, Any]
Start = Callable[..., Any]
Answer = tuple[str, list[Any], bytes]

_CONTROL = "/_control"


class Application:
    """A WSGI application whose calls can be cut.

    Args:
        rules: a dataclass that says how the cloud behaves; ``control`` sets its fields.

    A fault is ``{"call": n, "mode": m}``: the n-th call from now is cut, ``lost-before`` or ``lost-after`` it
    takes effect; with ``kill-before`` and ``kill-after`` the process ``pid`` is killed at that point.
    """

    def __init__(self, rules: Any) -> None:
        self.rules = rules
        self.lock = threading.RLock()
        self.log: list[str] = []
        self._fault: dict[str, Any] = {}
        self._since_fault = 0
        self.reset()

    def reset(self) -> None:
        """Empty the cloud and set its rules back."""

    def things(self) -> Iterable[dict[str, Any]]:
        """Return everything that exists: kind, id and tags."""
        return ()

    def name_of(self, environ: Environ, body: bytes) -> str:
        """Return a call's name, for the log."""
        del body
        return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"

    def answer(self, environ: Environ, body: bytes) -> Answer:
        """Answer a call: status, headers, body."""
        raise NotImplementedError

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        """Serve one call (WSGI)."""
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(size) if size else b""
        environ["wsgi.input"] = BytesIO(body)
        if environ["PATH_INFO"] == _CONTROL:
            return self._controlled(body, start)
        with self.lock:
            self.log.append(self.name_of(environ, body))
            self._since_fault += 1
            mode = self._fault.get("mode", "") if self._fault.get("call") == self._since_fault else ""
            if mode.endswith("before"):
                self._cut(environ, mode)
            status, headers, answer = self.answer(environ, body)
            if mode.endswith("after"):
                self._cut(environ, mode)
        start(status, headers)
        return [answer]

    def _cut(self, environ: Environ, mode: str) -> None:
        if mode.startswith("kill"):
            os.kill(int(self._fault["pid"]), signal.SIGKILL)
        environ["werkzeug.socket"].shutdown(2)
        raise ConnectionAbortedError(mode)

    def _controlled(self, body: bytes, start: Start) -> Iterable[bytes]:
        with self.lock:
            wanted = json.loads(body or b"{}")
            if wanted.pop("reset", False):
                self.reset()
                self.log.clear()
            if "fault" in wanted:
                self._fault, self._since_fault = wanted.pop("fault"), 0
            for name, value in wanted.items():
                if name not in asdict(self.rules):
                    raise KeyError(name)
                setattr(self.rules, name, value)
            found = {"calls": len(self.log), "log": self.log[-500:], "things": list(self.things())}
            answer = json.dumps(found).encode()
        start("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))])
        return [answer]


class FakeServer:
    """A fake cloud in a process of its own, as a context manager; ``endpoint`` is its address."""

    module = ""

    def __enter__(self) -> Any:
        """Start it.

        Raises:
            RuntimeError: it did not start.
        """
        command = [sys.executable, "-m", self.module]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdout is not None
        self.endpoint = self._process.stdout.readline().strip()
        if not self.endpoint:
            raise RuntimeError(f"{self.module} did not start; are the packages of the tests installed?")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()

    def control(self, **rules: Any) -> dict[str, Any]:
        """Set rules (``reset=True`` empties the cloud); return calls, log and things."""
        request = urllib.request.Request(self.endpoint + _CONTROL, data=json.dumps(rules).encode())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def things(self) -> list[dict[str, Any]]:
        """Return everything that exists: kind, id and tags, from the cloud's own memory."""
        found: list[dict[str, Any]] = self.control()["things"]
        return found


def serve(application: Application) -> None:
    """Serve on a free port of loopback, print the address, and never return."""
    import logging

    from werkzeug.serving import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
        WSGIRequestHandler,
        make_server,
    )

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)

    class Handler(WSGIRequestHandler):  # type: ignore[misc,unused-ignore]
        protocol_version = "HTTP/1.1"

        def log(self, *_: Any) -> None:
            return

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Handler)
    print(f"http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
