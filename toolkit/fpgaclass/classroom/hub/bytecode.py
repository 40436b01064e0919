"""What students' programs import, compiled once by who owns the environment: in a jail it is read-only.

Without it every server would compile two thousand modules as it starts, and every kernel those of its lab.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
from pathlib import Path

OF_SERVERS = (
    *("jupyterhub.singleuser.extension", "jupyterlab.labhubapp", "notebook.app", "jupyter_lsp"),
    *("jupyter_server_terminals", "jupyterlab_jupytext", "jupyter_server_mathjax", "notebook_shim"),
    *("nbgrader.server_extensions.assignment_list", "nbgrader.server_extensions.formgrader"),
    *("nbgrader.server_extensions.validate_assignment", "fpgaclass.classroom.exchange.plugins"),
)
"""What a server imports."""

OF_KERNELS = (
    *("ipykernel.kernelapp", "matplotlib.pyplot", "fpgaclass.lab", "fpgaclass.muon", "fpgaclass.card"),
    *("fpgaclass.firmware", "tensorflow", "hls4ml", "pynq"),
)
"""What the labs import."""

_PROGRAM = """
import ctypes, importlib, os, sys
os.nice(10)
ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL: it ends with the hub
for name in sys.argv[2:]:
    try:
        importlib.import_module(name)
    except Exception:
        pass
    with open(sys.argv[1], "a") as done:
        done.write(name + "\\n")
"""


def ensure_compiled(
    modules: tuple[str, ...] = OF_SERVERS + OF_KERNELS, marker: Path | None = None
) -> threading.Thread | None:
    """Import the modules once for each state of the environment, in the background: Python keeps them.

    A hub that ends earlier leaves the rest for the next.

    Args:
        modules: what to import; what is not installed is left out.
        marker: the file that says what was done; in the environment by default.

    Returns:
        The thread that waits for it, or None if it was done before, or the environment is not ours to write.
    """
    packages = Path(sysconfig.get_path("purelib"))
    if not os.access(packages, os.W_OK):
        return None
    done = marker or packages / ".fpgaclass-compiled"
    state = f"{sys.version.split()[0]} {_newest(packages)}"
    known = done.read_text().splitlines() if done.is_file() else []
    if known[:1] != [state]:
        done.write_text(f"{state}\n")
    left = [name for name in modules if known[:1] != [state] or name not in known]
    if not left:
        return None
    command = [sys.executable, "-W", "ignore", "-c", _PROGRAM, str(done), *left]
    allowed = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def work() -> None:
        nowhere = subprocess.DEVNULL
        subprocess.run(command, env=allowed, stdin=nowhere, stdout=nowhere, stderr=nowhere, check=False)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def _newest(packages: Path) -> int:
    """Return when a package was last installed: each leaves a folder of its own."""
    return max((path.stat().st_mtime_ns for path in packages.glob("*.dist-info")), default=0)
