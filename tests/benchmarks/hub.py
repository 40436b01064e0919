"""The hub: thirty people log in at once; how long until the last one is in JupyterLab."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from fpgaclass.classroom import Classroom
from fpgaclass.course import Course

LAB = Path(__file__).parents[1] / "classroom" / "data" / "lab.txt"
_STOCK = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.command = [{python!r}, "-m", "fpgaclass.classroom.hub.proxy"]
c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = "{folder}/homes/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser", "--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 600
c.Spawner.default_url = "/lab"
c.JupyterHub.cleanup_servers = True
"""


def rows(students: int = 30) -> list[dict[str, Any]]:
    """Measure, and return the row of the benchmark table.

    Args:
        students: how many log in at once.
    """
    with tempfile.TemporaryDirectory(prefix="fpgaclass-bench-") as folder:
        ours = _ours(Path(folder) / "ours", students)
        peer = _stock(Path(folder) / "stock", students)
    how = f"measured: seconds from the first log-in form until the last of {students} has JupyterLab's page; "
    how += "peer: a hub as it comes, with SimpleLocalProcessSpawner and no isolation, behind the same proxy"
    return [
        {"name": "hub.login_30", "ours": ours, "peer": peer, "ratio": peer / ours, "unit": "s", "how": how}
    ]


def _ours(folder: Path, students: int) -> float:
    names = [f"s{i:02d}" for i in range(students)]
    (folder / "notebooks" / "01_square").mkdir(parents=True)
    shutil.copy(LAB, folder / "notebooks" / "01_square" / "lab.py")
    course = folder / "course.yaml"
    lines = ["course_id: bench", "title: A benchmark", "notebooks: notebooks", "instructors: [teacher]"]
    lines += [f"students: [{', '.join(names)}]", "labs: [{name: 01_square, points: 3}]"]
    course.write_text("\n".join(lines))
    classroom = Classroom(Course.load(course), folder / "state")
    try:
        url = classroom.up(_free_ports(1)[0], foreground=False).url
        words = dict(line.split() for line in classroom.layout.logins.read_text().splitlines())
        return _all_in(str(url), {name: words[name] for name in names})
    finally:
        classroom.down()


def _stock(folder: Path, students: int) -> float:
    names = [f"s{i:02d}" for i in range(students)]
    for name in names:
        (folder / "homes" / name).mkdir(parents=True)
    port, hub, proxy = _free_ports(3)
    config = folder / "config.py"
    config.write_text(_STOCK.format(port=port, hub=hub, proxy=proxy, python=sys.executable, folder=folder))
    with _running([sys.executable, "-m", "jupyterhub", "--config", str(config)], folder):
        url = f"http://127.0.0.1:{port}"
        _wait(lambda: httpx.get(f"{url}/hub/health").status_code == 200, 120)
        return _all_in(url, dict.fromkeys(names, "x"))


def _all_in(url: str, people: dict[str, str]) -> float:
    """Return the seconds until everybody has JupyterLab."""
    failed: list[str] = []

    def come(name: str, password: str) -> None:
        try:
            _log_in(url, name, password)
        except (httpx.HTTPError, AssertionError) as trouble:
            failed.append(f"{name}: {trouble}")

    threads = [threading.Thread(target=come, args=person) for person in people.items()]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed, failed
    return time.monotonic() - started


def _log_in(url: str, name: str, password: str) -> None:
    with httpx.Client(follow_redirects=True, timeout=120) as web:
        hidden = re.search(r'name="_xsrf" value="([^"]+)"', web.get(f"{url}/hub/login").text)
        assert hidden
        fields = {"_xsrf": hidden[1], "username": name, "password": password}
        page = web.post(f"{url}/hub/login", data=fields)
        if "/spawn-pending/" not in str(page.url):
            page = web.get(f"{url}/hub/spawn")
        events = re.search(r'EventSource\("([^"]+)"\)', page.text)
        if events:  # the waiting page listens to the hub, and goes on when it says so
            with web.stream("GET", f"{url}{events[1]}", timeout=600) as told:
                for line in told.iter_lines():
                    assert '"failed": true' not in line, line
            page = web.get(f"{url}/user/{name}/lab")
        assert "jupyter-config-data" in page.text, page.url


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(120)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            if condition():
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    raise TimeoutError("the stock hub did not start")
