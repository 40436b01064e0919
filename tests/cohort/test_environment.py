"""The students' environment with the project's real pins, on a real host without any way to PyPI."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from fpgaclass.cohort import bundle, verbs
from fpgaclass.cohort import hosts as setup
from fpgaclass.cohort.providers.local import why_not

PINS = Path(__file__).parents[2] / "docker" / "requirements" / "student.txt"
PYTHON = "/usr/bin/python3"
ROOM_GB = 6
WHY = why_not()[0]

pytestmark = [pytest.mark.proof, pytest.mark.skipif(bool(WHY), reason=WHY or "can be tested here")]


@pytest.fixture(scope="module")
def wheels() -> Path:
    """All that the pins name, got as docs/cohort.md tells, with the Python that the hosts have; kept."""
    stamp = hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]
    folder = Path(os.environ["FPGACLASS_CACHE"]) / f"wheels-{stamp}"
    if (folder / "complete").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(folder).free < ROOM_GB * 2**30:
        pytest.skip(f"{ROOM_GB} GB are needed in {folder}")
    made = subprocess.run(
        [PYTHON, "-m", "venv", f"{folder}.getter"], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"{PYTHON} makes no environment: {made.stdout.strip().splitlines()[0]}")
    started = time.monotonic()
    pip = [f"{folder}.getter/bin/pip", "download", "--require-hashes", "-r", str(PINS), "-d", str(folder)]
    got = subprocess.run([*pip, "-q", "--no-cache-dir"], capture_output=True, text=True, check=False)
    shutil.rmtree(f"{folder}.getter")
    if got.returncode:
        pytest.skip(f"no index has the pins: {(got.stderr.strip().splitlines() or ['no message'])[-1]}")
    print(f"the wheels were got in {time.monotonic() - started:.0f} s (measured)")
    (folder / "complete").touch()
    return folder


# README.md's way from a model to a card, of a network that is quick to build.
JOB = """
import fpgaclass.card, keras, numpy, pynq
from fpgaclass import firmware
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
built = firmware.build(model, board="u250")
events = numpy.random.default_rng(1).uniform(-1, 1, (16, 4)).astype("float32")
overlay = pynq.Overlay(built.path)
x = pynq.allocate((16, built.inputs.slot_words), built.inputs.dtype, target=overlay.bank0)
y = pynq.allocate((16, built.outputs.slot_words), built.outputs.dtype, target=overlay.bank0)
x[:] = built.encode(events)
x.sync_to_device()
overlay.krnl_rtl_1.call(x, y, x.size, y.size)
y.sync_from_device()
assert numpy.array_equal(built.decode(y), built.predict(events))
print("the card agrees")
"""


def _normal(pin: str) -> str:
    """Return ``name==version`` with the name as PyPI spells it."""
    name, _, version = pin.partition("==")
    return f"{canonicalize_name(name)}=={version}"


def _pinned(python: str) -> set[str]:
    """Return what the pins name for a version of Python."""
    lines = [line.rstrip("\\ ") for line in PINS.read_text().splitlines() if line[:1].isalnum()]
    here = {"python_full_version": python, "python_version": python.rpartition(".")[0]}
    wanted = [Requirement(line) for line in lines]
    return {_normal(f"{r.name}{r.specifier}") for r in wanted if not r.marker or r.marker.evaluate(here)}


def test_the_real_pins_on_a_host_without_a_way_out(
    wheels: Path, tmp_path: Path, shell: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    """Every package with its hash, from a mirror of one's own; a second run changes nothing; and it works."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    (tmp_path / "r.csv").write_text("login\nada\n")
    course = tmp_path / "cohort.yaml"
    course.write_text(f"name: pins-{os.getpid()}\nhours: 2\nroster: r.csv\n")
    toolkit = bundle.build_wheel(tmp_path)
    assert toolkit is not None
    try:
        assert not verbs.apply(course, timeout_s=120).failed
        on = shell(course)
        # The host sees this machine's files, and what its pip was told must not help.
        on("seat/ada", "rm -f /etc/pip.conf ~root/.config/pip/pip.conf ~root/.pip/pip.conf")
        got: list[str] = []

        class Mirror(SimpleHTTPRequestHandler):
            def log_message(self, form: str, *words: object) -> None:
                got.append(form % words)

        with serve(partial(Mirror, directory=str(wheels))) as address:
            variables = {
                "environment_install": True,
                "environment_packages": [],  # no repository of the distribution's can be reached, either
                "environment_python": PYTHON,
                "environment_wheels": address,
                "environment_pip": "--trusted-host 10.66.0.1",
                "requirements_file": str(PINS),
                "toolkit_wheel": str(toolkit),
            }
            done = setup.configure(course, variables=variables)
            assert not done.failed, done.failed
            assert any("tensorflow_cpu" in line for line in got), "over the network, as on a cloud"
            before = len(got)
            again = setup.configure(course, variables=variables)
            assert [(host.host, host.changed) for host in again.hosts] == [("seat/ada", 0)]
            assert len(got) == before
        files = [path for path in wheels.iterdir() if path.name != "complete"]
        size = on("seat/ada", "du -sm /opt/fpgaclass/environment").split()[0]
        print(
            f"{len(files)} files, {sum(f.stat().st_size for f in files) / 2**20:.0f} MB; first run "
            f"{done.seconds:.0f} s, second {again.seconds:.0f} s, {size} MB on the host (measured)"
        )

        ada = "su - ada -c"
        found = on(
            "seat/ada",
            f"{ada} 'python -c \"import tensorflow, hls4ml, pynq, fpgaclass.card as c; print(c)\"'",
        )
        assert "/opt/fpgaclass/environment/lib/" in found
        on("seat/ada", f"cat > /home/ada/job.py << 'EOF'\n{JOB}\nEOF")
        assert on("seat/ada", f"{ada} 'python job.py'").endswith("the card agrees")
        python = "/opt/fpgaclass/environment/bin/python"
        version = on("seat/ada", f"{python} -c 'import platform; print(platform.python_version())'")
        frozen = {_normal(line) for line in on("seat/ada", f"{python} -m pip freeze --all").splitlines()}
        assert _pinned(version) - frozen == set(), "exactly as pinned"
        assert on("seat/ada", f"{ada} 'touch /opt/fpgaclass/environment/x 2>&1 || true'").endswith("denied")
    finally:
        assert verbs.destroy(course).audit == ()
