"""AWS on loopback: the moto server, with the behaviours that moto lacks and a cohort depends on.

Added around moto: client tokens (also of what is gone), vCPU quotas, capacity by zone, retired types, things
that are not listed at once, Service Quotas and FPGA images; and faults: the n-th call is cut before or after
it takes effect, or its caller is killed there.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fpgaclass.cohort.testing.server import Answer, Application, Environ, FakeServer, serve

_VCPUS = {
    "f2.6xlarge": 24,
    "f2.12xlarge": 48,
    "f2.48xlarge": 192,
    "m5.large": 2,
    "m6i.large": 2,
    "t3.large": 2,
}
_LIVE = ("pending", "running", "stopping", "stopped")


@dataclass
class Rules:
    """How the cloud behaves; every field can be set by :meth:`FakeAws.control`.

    Attributes:
        quota: limits in vCPUs, by the first letter of the type (``f`` or any other as ``standard``).
        capacity: how many machines a ``type@zone`` has; what is missing is endless.
        lag_s: how long a new machine is not listed.
        refuse: codes to answer with instead, by action: ``{"RunInstances": ["InternalError"]}``.
    """

    quota: dict[str, int] = field(default_factory=lambda: {"f": 10**6, "standard": 10**6})
    capacity: dict[str, int] = field(default_factory=dict)
    lag_s: float = 0.0
    refuse: dict[str, list[str]] = field(default_factory=dict)


class _Cloud(Application):
    def __init__(self) -> None:
        from moto.server import (  # type: ignore[import-untyped,import-not-found,attr-defined,unused-ignore]
            DomainDispatcherApplication,
            create_backend_app,
        )

        self._moto = DomainDispatcherApplication(create_backend_app)
        super().__init__(Rules())

    def reset(self) -> None:
        """Empty the cloud."""
        from moto.moto_api._internal.models import (  # type: ignore[import-untyped,import-not-found,unused-ignore]
            moto_api_backend,
        )

        moto_api_backend.reset()
        self.rules = Rules()
        self._tokens: dict[str, tuple[str, Answer, list[str]]] = {}
        self._born: dict[str, float] = {}

    def things(self) -> Iterator[dict[str, Any]]:
        """Yield everything, from moto's own memory."""
        return _things()

    def name_of(self, environ: Environ, body: bytes) -> str:
        """Return the action's name."""
        return _action(environ, body)[0]

    def answer(self, environ: Environ, body: bytes) -> Answer:
        """Answer a call."""
        action, asked = _action(environ, body)
        return self._answer(environ, action, asked)

    def _answer(self, environ: Environ, action: str, asked: dict[str, str]) -> Answer:
        if self.rules.refuse.get(action):
            return _error(self.rules.refuse[action].pop(0), "asked for by the test")
        if action == "GetServiceQuota":
            family = "f" if b"L-74FC7D96" in environ["wsgi.input"].getvalue() else "standard"
            quota = {"Quota": {"Value": self.rules.quota[family]}}
            return "200 OK", [("Content-Type", "application/x-amz-json-1.1")], json.dumps(quota).encode()
        if action == "DescribeFpgaImages":
            return "200 OK", [("Content-Type", "text/xml")], _FPGA_IMAGES
        if action in ("RunInstances", "CreateVolume"):
            return self._create(environ, action, asked)
        if action == "DescribeInstances" and self.rules.lag_s:
            return self._without_the_new(environ)
        return self._ask_moto(environ)

    def _create(self, environ: Environ, action: str, asked: dict[str, str]) -> Answer:
        token = asked.get("ClientToken", "")
        same = json.dumps(dict(sorted(asked.items())))
        if token in self._tokens:
            before, answer, identities = self._tokens[token]
            if before != same:
                return _error("IdempotentParameterMismatch", "the token was used with other arguments")
            if action == "RunInstances" and not {m.id for m in _machines()} & set(identities):
                return _error("IdempotentInstanceTerminated", "the token is of a terminated instance")
            return answer
        if action == "RunInstances" and (refused := self._refusal(asked)):
            return refused
        status, headers, body = self._ask_moto(environ)
        if status.startswith("200"):
            identities = re.findall(r"<(?:instanceId|volumeId)>((?:i|vol)-[0-9a-f]+)", body.decode())
            self._born.update(dict.fromkeys(identities, time.monotonic()))
            if token:
                self._tokens[token] = (same, (status, headers, body), identities)
        return status, headers, body

    def _refusal(self, asked: dict[str, str]) -> Answer | None:
        size, zone = asked.get("InstanceType", ""), asked.get("Placement.AvailabilityZone", "")
        if size.startswith("f1."):
            return _error("Unsupported", f"{size} is retired")
        if size not in _VCPUS:
            return _error("InvalidParameterValue", f"Invalid value '{size}' for InstanceType.")
        family = "f" if size.startswith("f") else "standard"
        used = sum(_VCPUS.get(m.instance_type, 0) for m in _machines() if _family(m.instance_type) == family)
        if used + _VCPUS[size] > self.rules.quota[family]:
            return _error("VcpuLimitExceeded", "more vCPUs than the current limit allows")
        here = [m for m in _machines() if m.instance_type == size and m._placement.zone == zone]
        if len(here) >= self.rules.capacity.get(f"{size}@{zone}", 10**6):
            return _error("InsufficientInstanceCapacity", f"no {size} in {zone}", "500 Internal Server Error")
        return None

    def _without_the_new(self, environ: Environ) -> Answer:
        hidden = []
        for backend in _backends("ec2"):
            for name, reservation in list(backend.reservations.items()):
                ages = [time.monotonic() - self._born.get(m.id, 0.0) for m in reservation.instances]
                if min(ages) < self.rules.lag_s:
                    hidden.append((backend, name, backend.reservations.pop(name)))
        try:
            return self._ask_moto(environ)
        finally:
            for backend, name, reservation in hidden:
                backend.reservations[name] = reservation

    def _ask_moto(self, environ: Environ) -> Answer:
        said: list[Any] = []
        body = b"".join(self._moto(environ, lambda status, headers, _=None: said.extend((status, headers))))
        return said[0], said[1], body


def _family(size: str) -> str:
    return "f" if size.startswith("f") else "standard"


def _action(environ: Environ, body: bytes) -> tuple[str, dict[str, str]]:
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rpartition(".")[2], {}
    asked = {k: v[0] for k, v in urllib.parse.parse_qs(body.decode(errors="replace")).items()}
    return asked.get("Action", f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"), asked


def _error(code: str, text: str, status: str = "400 Bad Request") -> Answer:
    errors = f"<Errors><Error><Code>{code}</Code><Message>{text}</Message></Error></Errors>"
    answer = f"<?xml version='1.0'?><Response>{errors}<RequestID>r</RequestID></Response>".encode()
    return status, [("Content-Type", "text/xml"), ("Content-Length", str(len(answer)))], answer


_FPGA_IMAGES = (
    b"<DescribeFpgaImagesResponse xmlns='http://ec2.amazonaws.com/doc/2016-11-15/'><requestId>r</requestId>"
    b"<fpgaImageSet><item><fpgaImageId>afi-0123</fpgaImageId><fpgaImageGlobalId>agfi-0123</fpgaImageGlobalId>"
    b"<name>muon</name><state><code>available</code></state><createTime>2027-03-01T10:00:00.000Z</createTime>"
    b"</item><item><fpgaImageId>afi-4567</fpgaImageId><fpgaImageGlobalId>agfi-4567</fpgaImageGlobalId>"
    b"<name>tagger</name><state><code>failed</code><message>UNKNOWN_BITSTREAM_GENERATE_ERROR</message></state>"
    b"<createTime>2027-03-02T10:00:00.000Z</createTime></item></fpgaImageSet></DescribeFpgaImagesResponse>"
)


def _backends(service: str) -> Iterator[Any]:
    from moto.backends import get_backend  # type: ignore[import-untyped,import-not-found,unused-ignore]

    named: Any = get_backend
    for account in list(named(service).values()):
        yield from account.values()


def _machines() -> Iterator[Any]:
    for backend in _backends("ec2"):
        for reservation in backend.reservations.values():
            yield from (machine for machine in reservation.instances if machine._state.name in _LIVE)


def _things() -> Iterator[dict[str, Any]]:
    """Yield all that costs or clutters, straight from moto's memory: the judge of the proof."""

    def thing(kind: str, identity: str, tags: Any = ()) -> dict[str, Any]:
        return {"kind": kind, "id": identity, "tags": {tag["key"]: tag["value"] for tag in tags}}

    for machine in _machines():
        yield thing("machine", machine.id, machine.get_tags())
    for backend in _backends("ec2"):
        for address in backend.addresses:
            yield thing("address", address.allocation_id, address.get_tags())
        for volume in backend.volumes.values():
            root = volume.attachment and volume.attachment.device == "/dev/sda1"
            if not root:
                yield thing("volume", volume.id, volume.get_tags())
        for key in backend.key_pairs.values():
            yield thing("key", key.key_name, key.get_tags())
        for groups in backend.groups.values():
            yield from (thing("firewall", g.id, g.get_tags()) for g in groups.values() if g.name != "default")
    for backend in _backends("scheduler"):
        for group in backend.schedule_groups.values():
            yield from (thing("expiry", name) for name in group.schedules)
    for backend in _backends("budgets"):
        for budgets in backend.budgets.values():
            yield from (thing("budget", name) for name in budgets)


class FakeAws(FakeServer):
    """The server in a process of its own, as a context manager.

    Example:
        >>> with FakeAws() as aws:  # doctest: +SKIP
        ...     aws.control(capacity={"f2.6xlarge@eu-central-1a": 0})
        ...     provider = AwsProvider("eu-central-1", endpoint=aws.endpoint)
    """

    module = __name__


if __name__ == "__main__":
    serve(_Cloud())
