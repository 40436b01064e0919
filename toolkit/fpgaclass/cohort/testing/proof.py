"""The proof for the two clouds: ``python -m fpgaclass.cohort.testing.proof aws`` or ``infn``.

A share of the cases (``--share 0/2``) runs in a process of its own; a fault of ours can be planted, which the
proof must find.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fpgaclass.cohort.port import Capabilities, Marker, Order
from fpgaclass.cohort.sites import Infn
from fpgaclass.cohort.testing.faults import MODES, FaultMatrix, Proof

if TYPE_CHECKING:
    from collections.abc import Iterator

# Where new machines are listed at once, the look alone prevents doubles, and a missing token does no harm.
_TELLING: dict[str, dict[str, Any]] = {
    "no token": {
        "modes": ("lost-after", "kill-after"),
        "recoveries": ("resume",),
        "verbs_cut": ("apply",),
        "only": "RunInstances",
        "lag_s": 0.6,
    }
}
PLANTS = ("", "no token", "no tags", "no look")
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMJFWyQQR2pwRl/SUkqAXw9X1cQxbXY0uQHIuAyrVKZq proof"
_AWS = """\
provider: aws
region: eu-central-1
zones: [eu-central-1b]
max_cost: 100
ssh_from: [131.154.0.0/16]
seat: {size: m5.large, public_address: true, volume_gb: 10}
cards: {size: f2.6xlarge, count: 1}
aws:
  image: ami-0123456789abcdef0
  expiry_role: "arn:aws:iam::123456789012:role/expiry"
  budget_email: instructor@example.org
"""
_INFN = """\
provider: infn
seat: {size: m1.large}
cards: {size: alveo.u250, count: 1}
infn: {orchestrator: "http://127.0.0.1", user_group: courses/fpga}
"""


def prove(
    provider: str,
    *,
    share: tuple[int, int] = (0, 1),
    plant: str = "",
    modes: Sequence[str] = MODES,
    recoveries: Sequence[str] = ("resume", "destroy", "state lost"),
    verbs_cut: Sequence[str] = ("apply", "destroy"),
    only: str = "",
    lag_s: float = 0.0,
) -> Proof:
    """Run the matrix on one of the clouds.

    Args:
        provider: ``aws`` or ``infn``.
        share: (which, of how many) parts of the cases.
        plant: break the engine's safety on purpose: ``no token``, ``no tags`` or ``no look``.
        modes, recoveries, verbs_cut, only: which cases.
        lag_s: how long a new machine of AWS is not listed.
    """
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "proof")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "proof")
    os.environ.setdefault("FPGACLASS_OIDC_TOKEN", "proof")
    os.environ["NO_PROXY"] = "127.0.0.1"
    text = _AWS if provider == "aws" else _INFN

    def write(folder: Path, name: str) -> Path:
        (folder / "key.pub").write_text(_PUBLIC_KEY)
        (folder / "roster.csv").write_text("login\nada\n" if provider == "aws" else "login\nada\nemmy\n")
        path = folder / f"{name}.yaml"
        path.write_text(f"name: {name}\nroster: roster.csv\nhours: 4\npublic_key: key.pub\n{text}")
        return path

    with _planted(plant), _cloud(provider, 2 * lag_s) as (cloud, adapter):
        matrix = FaultMatrix(cloud, adapter, write, rules={"lag_s": lag_s} if lag_s else {})
        return matrix.run(share=share, modes=modes, recoveries=recoveries, verbs_cut=verbs_cut, only=only)


@contextmanager
def _cloud(provider: str, grace_s: float) -> Iterator[tuple[Any, Any]]:
    if provider == "aws":
        from fpgaclass.cohort.providers.aws import AwsProvider
        from fpgaclass.cohort.testing.aws import FakeAws

        tokens = Capabilities(frozenset({"machine", "volume", "expiry"}), grace_s, 1000.0, 1, 0.01)
        with FakeAws() as aws:
            yield aws, AwsProvider("eu-central-1", endpoint=aws.endpoint, capabilities=tokens)
    else:
        from fpgaclass.cohort.providers.infn import InfnProvider
        from fpgaclass.cohort.testing.orchestrator import FakeOrchestrator

        with FakeOrchestrator() as orchestrator:
            settings = Infn(orchestrator=orchestrator.endpoint, user_group="courses/fpga")
            quick = Capabilities(calls_per_second=1000.0, workers=1, poll_s=0.01)
            yield orchestrator, InfnProvider(settings, capabilities=quick)


@contextmanager
def _planted(plant: str) -> Iterator[None]:
    """Take one of the safeties out, to see that the proof notices."""
    from fpgaclass.cohort.engine import Apply

    broken: dict[str, list[tuple[type, str, Any]]] = {
        "": [],
        "no token": [(Order, "token", property(lambda _: os.urandom(12).hex()))],
        "no tags": [(Marker, "tags", lambda _: {})],
        "no look": [(Apply, "_look", lambda *_: False), (Apply, "_refresh", lambda _: None)],
    }
    good = [(owner, name, owner.__dict__[name]) for owner, name, _ in broken[plant]]
    for owner, name, value in broken[plant]:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in good:
            setattr(owner, name, value)


def main() -> int:
    """Run from the command line; print the proof as JSON; 1 when something was left or double."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("provider", choices=("aws", "infn"))
    parser.add_argument("--share", default="0/1")
    parser.add_argument("--plant", default="", choices=PLANTS)
    asked = parser.parse_args()
    which, of = (int(part) for part in asked.share.split("/"))
    started = time.monotonic()
    cases = _TELLING.get(asked.plant, {}) if asked.provider == "aws" else {}
    proof = prove(asked.provider, share=(which, of), plant=asked.plant, **cases)
    print(json.dumps({**asdict(proof), "seconds": round(time.monotonic() - started, 1)}, indent=1))
    return 1 if proof.bad else 0


if __name__ == "__main__":
    sys.exit(main())
