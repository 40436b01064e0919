"""The roles with real packages of Debian, through a proxy such as a university's."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from fpgaclass.cohort import hosts as setup
from fpgaclass.cohort import verbs
from fpgaclass.cohort.providers.local import why_not

MIRROR = "http://deb.debian.org/"


def _why_not() -> str:
    if why := why_not()[0]:
        return why
    if "\nID=debian\n" not in f"\n{Path('/etc/os-release').read_text()}":
        return "this machine, whose files the hosts see, is not Debian"
    return ""


WHY = _why_not()
pytestmark = [pytest.mark.proof, pytest.mark.skipif(bool(WHY), reason=WHY or "can be tested here")]


class Proxy(BaseHTTPRequestHandler):
    """Fetches from Debian's mirror what apt asks for."""

    def do_GET(self) -> None:
        if not self.path.startswith(MIRROR):
            self.send_error(403)
            return
        kept = {name: self.headers[name] for name in ("If-Modified-Since", "Range") if self.headers[name]}
        try:
            answer = urllib.request.urlopen(urllib.request.Request(self.path, headers=kept), timeout=60)
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            data = answer.read()
            self.send_response(answer.status)
            for name in ("Content-Type", "Last-Modified", "Content-Range"):
                if value := answer.headers.get(name):
                    self.send_header(name, value)
            if answer.status != 304:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


def _image() -> dict[str, tuple[str, bytes]]:
    """Return what a registry has of an image with one file in it: path to (type, data)."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        entry = tarfile.TarInfo("course.txt")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"muon"))
    layer = file.getvalue()
    about = {"architecture": "amd64", "os": "linux", "config": {}, "history": [{"created_by": "test"}]}
    about["rootfs"] = {"type": "layers", "diff_ids": [_digest(layer)]}
    config = json.dumps(about).encode()
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    of = "application/vnd.docker.container.image.v1+json"
    parts = [("config", of, config), ("layer", "application/vnd.docker.image.rootfs.diff.tar", layer)]
    sizes = [{"mediaType": m, "size": len(data), "digest": _digest(data)} for _, m, data in parts]
    whole = {"schemaVersion": 2, "mediaType": kind, "config": sizes[0], "layers": sizes[1:]}
    manifest = json.dumps(whole).encode()
    found = {f"/v2/course/blobs/{_digest(data)}": ("application/octet-stream", data) for _, _, data in parts}
    names = ("1", _digest(manifest))
    return (
        found | {f"/v2/course/manifests/{name}": (kind, manifest) for name in names} | {"/v2/": ("", b"{}")}
    )


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Images(BaseHTTPRequestHandler):
    """A registry with one image."""

    image = _image()
    pulled: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        kind, data = self.image.get(self.path, ("", b""))
        self.send_response(200 if data else 404)
        self.send_header("Content-Type", kind or "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if "manifests" in self.path:
            self.send_header("Docker-Content-Digest", _digest(data))
        self.end_headers()
        if self.command == "GET":
            self.pulled.append(self.path)
            self.wfile.write(data)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


def test_docker_and_xrt_as_debian_has_them(
    tmp_path: Path, shell: Callable[..., Any], serve: Callable[..., Any]
) -> None:
    """A real engine that pulls a real image; real XRT; and no card, which the last look at the node finds."""
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed")
    try:
        urllib.request.urlopen(f"{MIRROR}debian/dists/stable/InRelease", timeout=20).close()
    except OSError as trouble:
        pytest.skip(f"{MIRROR} cannot be reached: {trouble}")
    (tmp_path / "r.csv").write_text("login\nada\n")
    course = tmp_path / "cohort.yaml"
    course.write_text(f"name: debian-{os.getpid()}\nhours: 2\nroster: r.csv\ncards: {{count: 1}}\n")
    try:
        assert not verbs.apply(course, timeout_s=120).failed
        on = shell(course)
        with serve(Proxy) as proxy, serve(Images) as registry:
            place = registry.removeprefix("http://").rstrip("/")
            engine = {"storage-driver": "vfs", "iptables": False, "bridge": "none"}
            engine["insecure-registries"] = [place]
            for machine in ("seat/ada", "card/0"):
                on(
                    machine,
                    f"""echo 'Acquire::http::Proxy "{proxy}";' > /etc/apt/apt.conf.d/01proxy; """
                    "rm -f /usr/sbin/policy-rc.d; touch -d 2000-01-01 /var/lib/apt/lists; "
                    f"mkdir -p /etc/docker; echo '{json.dumps(engine)}' > /etc/docker/daemon.json",
                )
            variables = {
                "docker_images": [f"{place}/course:1"],
                "docker_service": False,  # no systemd runs there: the engine is started below
                "xrt_packages": ["libxrt-utils"],
                "card_kind": "alveo",
            }

            def configure() -> dict[str, Any]:
                return {host.host: host for host in setup.configure(course, variables=variables).hosts}

            first = configure()
            assert first["seat/ada"].failed.startswith("Images of the course: ")
            assert first["card/0"].failed == "The card is well: there is no card number 0"
            # What systemd would do: the control groups, and the engine.
            on(
                "seat/ada",
                "mount -t cgroup2 cgroup2 /sys/fs/cgroup; setsid dockerd > /var/log/dockerd 2>&1 &",
            )
            up = "docker version > /dev/null 2>&1 && exit; sleep 1"
            on("seat/ada", f"for n in $(seq 60); do {up}; done; tail -n 1 /var/log/dockerd >&2; exit 1")
            second = configure()
            assert not second["seat/ada"].failed, second["seat/ada"].failed
            assert any("/blobs/" in path for path in Images.pulled)
            assert [host.changed for host in configure().values()] == [0, 0]
        assert on("seat/ada", "dpkg-query -W -f '${Status}' docker.io") == "install ok installed"
        assert _digest(b"")[:7] in on("seat/ada", f"docker image inspect -f '{{{{.Id}}}}' {place}/course:1")
        assert "202210" in on("card/0", "dpkg-query -W -f '${Version}' libxrt-utils")
        print(on("seat/ada", "docker version --format '{{.Server.Version}}'"), "is the engine (measured)")
    finally:
        assert verbs.destroy(course).audit == ()
