"""pynq 3.0.1's own tests, fetched when they are needed, against the virtual device.

Which of them are run, and why the others are not, is written in docs/zynq.md.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from fpgaclass.core import cache_directory

_RUN = (
    "test_buffer.py",
    "test_mmio.py",
    "test_registers.py",
    "test_overlay.py",
    "test_bitstream.py",
    "test_axigpio.py",
)
# They look into memory that a device maps for MMIO, which ours has not: every access must reach the RTL.
_LEFT_OUT = (
    "tests/test_mmio.py::test_mmap_read",
    "tests/test_mmio.py::test_mmap_write",
    "tests/test_mmio.py::test_mmap_bad_length_write",
    "tests/test_registers.py::test_init_device",
)
_LEAST_PASSED = 200


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests of pynq's source distribution, with our devices in place of its mocks."""
    archive = cache_directory("pynq") / "pynq-3.0.1.tar.gz"
    if not archive.is_file():
        archive.parent.mkdir(parents=True, exist_ok=True)
        options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation", "-d", str(archive.parent)]
        # uv fetches no source distributions, and an environment that it made has no pip.
        pip = [
            sys.executable,
            "-m",
            "uv",
            "tool",
            "run",
            "--python",
            sys.executable,
            "--with",
            "setuptools",
            "pip",
        ]
        command = [*pip, "download", "-q", "pynq==3.0.1", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if not archive.is_file():
            pytest.skip(f"pynq's source distribution cannot be fetched: {done.stderr.strip()[-200:]}")
    folder = tmp_path_factory.mktemp("pynq")
    with tarfile.open(archive) as source:
        wanted = [member for member in source if member.name.startswith("pynq-3.0.1/tests/")]
        source.extractall(folder, wanted)
    tests = folder / "pynq-3.0.1" / "tests"
    (tests / "mock_devices.py").write_text((Path(__file__).parent / "pynq_devices.py").read_text())
    (tests / "conftest.py").write_text("import fpgaclass.card\n")
    return tests.parent


@pytest.mark.proof
def test_pynqs_own_tests_pass(suite: Path) -> None:
    """What pynq promises of buffers, registers, MMIO and overlays must hold of our device too."""
    options = ["-q", "-p", "no:cacheprovider", "-c", os.devnull]
    command = [sys.executable, "-W", "ignore", "-m", "pytest", *options]
    command += ["--rootdir", ".", *(f"tests/{name}" for name in _RUN)]
    command += [option for name in _LEFT_OUT for option in ("--deselect", name)]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False, timeout=300)
    print(done.stdout)
    assert done.returncode == 0, done.stdout[-3000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) >= _LEAST_PASSED
