"""One build of the same thing: the second finds it, two at once share it, a killed one leaves nothing."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fpgaclass.card
from fpgaclass.core import BuildError
from fpgaclass.firmware import Firmware, build, stages

_BUILD = """
import sys
import hgq, keras
from fpgaclass.firmware import build
model = keras.models.load_model(sys.argv[1], compile=False)
print("ready", flush=True)
sys.stdin.readline()
print(build(model, name="small").folder, flush=True)
"""


@pytest.fixture
def saved(quantised_model: Any, tmp_path: Path) -> Path:
    """The small model as a file, for other processes."""
    path = tmp_path / "small.keras"
    quantised_model.save(path)
    return path


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, but for the part of Verilator that is the same for all."""
    monkeypatch.setenv("FPGACLASS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


class _Builder:
    """Another process that builds the small model when it is told to."""

    def __init__(self, saved: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _BUILD, str(saved)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_for(self, words: str) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if words in line:
                return
        raise AssertionError(f"it never said {words!r}")


@pytest.fixture
def builder(saved: Path, cache: Path) -> Iterator[_Builder]:  # noqa: ARG001  (made first)
    """One such process, which is gone after the test."""
    one = _Builder(saved)
    yield one
    one.process.kill()
    one.process.communicate()


def test_two_at_once_build_once(
    builder: _Builder, quantised_model: Any, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two notebooks of one student, or a whole class on a shared cache: the second waits and says so."""
    builder.go()
    builder.wait_for("building small")
    ours = build(quantised_model, name="small")
    printed, said = builder.process.communicate(timeout=300)
    assert printed.strip() == str(ours.folder)
    here = capfd.readouterr().err
    assert "being built by another process: waiting for it" in here
    assert "synthesis" not in here, "we built nothing"
    assert "synthesis of the network" in said
    assert [path.name for path in (cache / "firmware").iterdir()] == [ours.folder.name]


def test_a_killed_build_leaves_nothing(builder: _Builder, quantised_model: Any, cache: Path) -> None:
    """A kernel that is restarted in a build: no half a firmware is found, and the next build tidies up."""
    builder.go()
    builder.wait_for("building small")
    time.sleep(random.Random().uniform(0.3, 3))
    builder.process.send_signal(signal.SIGKILL)
    builder.process.wait()
    assert not list((cache / "firmware").glob("[!.]*")), "nothing that looks like a firmware"
    assert list((cache / "firmware").glob(".*")), "it was killed in a build"
    built = build(quantised_model, name="small")
    assert [path.name for path in (cache / "firmware").iterdir()] == [built.folder.name]
    for room in ("kernels", "shells"):
        assert not list((cache / room).glob(".*"))
    assert not _tools_in(cache)


@pytest.mark.proof
def test_twenty_killed_builds_leave_nothing(saved: Path, cache: Path, quantised_model: Any) -> None:
    """The same at twenty moments: whatever was there, the next one is whole and alone."""
    chance = random.Random(1)
    killed = 0
    for _ in range(20):
        one = _Builder(saved)
        one.go()
        time.sleep(chance.uniform(0, 8))
        one.process.send_signal(signal.SIGKILL)
        one.process.communicate()
        for folder in (cache / "firmware").glob("[!.]*"):
            assert Firmware.load(folder).manifest.agreement["Verilated kernel"] == 0
            killed -= 1
            for path in sorted(folder.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            folder.rmdir()
        killed += 1
    assert killed >= 10
    built = build(quantised_model, name="small")
    assert [path.name for path in (cache / "firmware").iterdir()] == [built.folder.name]
    assert not [path for room in ("kernels", "shells") for path in (cache / room).glob(".*")]
    assert not _tools_in(cache)


def _tools_in(cache: Path) -> list[str]:
    """Programs that still run in the cache, some seconds later (a compiler's own child ends by itself)."""
    for _ in range(100):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str((process / "cwd").readlink()).startswith(str(cache)):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        if not found:
            return []
        time.sleep(0.1)
    return found


def test_a_stage_that_fails_ends_the_build_at_once(
    quantised_model: Any, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A C++ error after a second must not be told after half a minute of synthesis."""
    slow = tmp_path / "slow_yosys"
    slow.write_text('#!/bin/sh\nif [ "$1" = -V ]; then echo Yosys 0; else sleep 300; fi\n')
    slow.chmod(0o755)
    monkeypatch.setenv("FPGACLASS_YOSYS", str(slow))
    monkeypatch.setenv("FPGACLASS_CXX", "false")
    started = time.monotonic()
    with pytest.raises(BuildError, match="false failed with exit code 1") as failed:
        build(quantised_model, name="doomed")
    assert failed.value.where is not None
    assert Path(failed.value.where).is_file(), "the log that the message names is there"
    assert time.monotonic() - started < 200
    assert not list((cache / "firmware").iterdir())
    assert not _tools_in(cache)


def test_an_interrupted_build_stops_its_programs(
    quantised_model: Any, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop button of a notebook: the build ends now, not when synthesis has."""
    slow, started = tmp_path / "slow_yosys", tmp_path / "started"
    slow.write_text(
        f'#!/bin/sh\nif [ "$1" = -V ]; then echo Yosys 0; else touch "{started}"; sleep 300; fi\n'
    )
    slow.chmod(0o755)
    monkeypatch.setenv("FPGACLASS_YOSYS", str(slow))
    main = threading.main_thread().ident
    assert main is not None

    def press() -> None:
        deadline = time.monotonic() + 200
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        # sent to the thread that waits, as a terminal's would be: in another one it would not end the waiting
        signal.pthread_kill(main, signal.SIGINT)

    pressing = threading.Thread(target=press)
    pressing.start()
    with pytest.raises(KeyboardInterrupt):
        build(quantised_model, name="interrupted")
    pressing.join()
    assert time.time() - started.stat().st_mtime < 60, "it did not wait for synthesis"
    assert not list((cache / "firmware").iterdir())
    assert not _tools_in(cache)


def test_an_interrupt_that_python_drops_ends_the_build(
    quantised_model: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a model is traced, two Ctrl-C in a hundred come in a callback of TensorFlow's and are lost."""
    traced = stages.trace_network

    def pressed(model: Any) -> Any:
        thing = _Thing()
        _reference = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGINT))
        del thing
        return traced(model)

    monkeypatch.setattr(stages, "trace_network", pressed)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)  # where Python prints what it drops
    with pytest.raises(KeyboardInterrupt):
        build(quantised_model, name="dropped")
    assert not list((cache / "firmware").iterdir())


class _Thing:
    pass


@pytest.mark.parametrize(
    "file", ["card/payload.py", "card/zynq/hwh.py", "card/simulation/harness/stream.cpp",
             "card/simulation/harness/bench.hpp", "firmware/kernel.py",
             "firmware/shell/stream/stream_fixed.sv"]
)  # fmt: skip
def test_other_code_is_another_build(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another format, or proved on another test bench, must not be found under the old key."""
    # fpgaclass.firmware.build is the function; its module has the same name.
    module = sys.modules[build.__module__]
    package = Path(str(module.__file__)).parents[1]
    for room in ("card", "firmware"):
        shutil.copytree(package / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fpgaclass.card, "__file__", str(tmp_path / "card/__init__.py"))
    monkeypatch.setattr(module, "__file__", str(tmp_path / "firmware/build.py"))
    before = module._own_code()
    (tmp_path / file).write_text((tmp_path / file).read_text() + "\n")
    assert module._own_code() != before


def test_the_second_build_takes_less_than_a_second(quantised_model: Any) -> None:
    """A cell that is run again must not cost a minute again."""
    first = build(quantised_model, name="small")
    took = []
    for _ in range(3):  # the best of three: other work on this machine is not ours
        started = time.perf_counter()
        assert build(quantised_model, name="small").folder == first.folder
        took.append(time.perf_counter() - started)
    assert min(took) < 1
