"""RADL against the real Infrastructure Manager on loopback, with its Dummy cloud."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from fpgaclass.cohort.errors import ProviderError
from fpgaclass.cohort.plans import Offer, Resource
from fpgaclass.cohort.port import Marker, Order
from fpgaclass.cohort.providers.infn.radl import machine_radl

PINS = Path(__file__).parents[2] / "docker" / "requirements" / "manager.txt"
SERVER = """
import sys
from IM.config import Config
Config.REST_PORT, Config.REST_ADDRESS = int(sys.argv[1]), "127.0.0.1"
Config.DATA_DB, Config.LOG_FILE = f"sqlite://{sys.argv[2]}/im.db", f"{sys.argv[2]}/im.log"
Config.CONTEXTUALIZATION_DIR = sys.argv[2]
from IM.im_service import main
sys.argv = ["im_service"]
main()
"""
LOGIN = r"id = dummy; type = Dummy\nid = im; type = InfrastructureManager; username = u; password = p"
ORDER = Order(
    Resource("card/0", "machine", settings=(("disk_gb", "80"), ("public_key", "ssh-ed25519 AAAA x"))),
    Offer("alveo.u250", "", 0.0),
    Marker("bari27", "card/0", 1, datetime(2027, 3, 1, tzinfo=UTC)),
)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's packages are many, and its pins are not ours: it lives in an environment of its own."""
    place: Path = tmp_path_factory.mktemp("manager") / "venv"
    python = place / "bin" / "python"
    uv = [sys.executable, "-m", "uv"]
    for command in (
        [*uv, "venv", "-q", "--python", sys.executable, str(place)],
        [*uv, "pip", "install", "-q", "--python", str(python), "--require-hashes", "-r", str(PINS)],
    ):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(f"the Infrastructure Manager could not be installed: {done.stderr.strip()[-300:]}")
    return python


@pytest.fixture(scope="module")
def manager(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder: Path = tmp_path_factory.mktemp("im")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (folder / "out").open("w") as out:
        command = [str(python), "-c", SERVER, str(port), str(folder)]
        process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
    client.headers["AUTHORIZATION"] = LOGIN
    for _ in range(120):
        try:
            if client.get("/version").is_success:
                break
        except httpx.HTTPError:
            time.sleep(0.5)
    else:
        pytest.fail((folder / "out").read_text()[-500:])
    yield client
    process.kill()
    process.wait()


def test_the_manager_takes_our_machine_and_keeps_its_tags(manager: httpx.Client) -> None:
    """The grammar of RADL is nowhere checked but in the server; and without tags a sweep finds nothing."""
    radl = machine_radl(ORDER, image="ost://site/image", user="fpgaclass")
    made = manager.post("/infrastructures", content=radl, headers={"Content-Type": "text/plain"})
    assert made.status_code == 200, made.text
    path = "/infrastructures/" + made.text.rpartition("/")[2]
    said = manager.get(f"{path}/radl").text
    assert "instance_type = 'alveo.u250'" in said
    for name, value in ORDER.marker.tags().items():
        assert f"{name}={value}" in said
    assert manager.get(f"{path}/vms/0").status_code == 200
    # Its thread that configures machines may write one down again while it is being removed.
    for _ in range(60):
        assert manager.delete(path).status_code in (200, 404)
        if manager.get(path).status_code == 404:
            break
        time.sleep(0.5)
    else:
        pytest.fail("it was not removed")


def test_a_template_with_a_slip_is_refused(manager: httpx.Client) -> None:
    """So that the first test can fail."""
    radl = machine_radl(ORDER, image="ost://site/image", user="fpgaclass").replace("deploy", "deplay")
    refused = manager.post("/infrastructures", content=radl, headers={"Content-Type": "text/plain"})
    assert refused.status_code == 400


def test_a_quote_cannot_break_out() -> None:
    """RADL has no escape for it; a key's comment may hold anything."""
    with pytest.raises(ProviderError, match="quote"):
        machine_radl(ORDER, image="x' and cpu.count>=99 and y = '", user="u")
