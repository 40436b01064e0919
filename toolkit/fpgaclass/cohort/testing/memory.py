"""A cloud in memory: quick, with every fault a cloud has, behind the same port as the real ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from fpgaclass.cohort.calls import Caller
from fpgaclass.cohort.errors import (
    AuthError,
    CapacityError,
    LostError,
    ProviderError,
    QuotaError,
    ThrottleError,
)
from fpgaclass.cohort.plans import Kind, Plan
from fpgaclass.cohort.port import Capabilities, Finding, Found, Order, SpentTokenError


@dataclass
class MemoryCloud:
    """What there is, and how the cloud behaves.

    Attributes:
        things: what exists, by id.
        tokens: client token to id, also of what is gone.
        capacity: how many machines of a (size, zone) there are; what is missing is endless.
        quota: how many machines the account may have.
        lag_s: how long something new is missing from the inventory.
        boot_s: how long a machine takes to be ready.
        rate: calls a second before it throttles; None never does.
        expired: the credentials have ended.
        account: whose the credentials are.
        lose: kinds of calls whose next answer gets lost after they took effect.
        calls, throttled: how many calls came, and how many were refused.
    """

    things: dict[str, Found] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    born: dict[str, float] = field(default_factory=dict)
    capacity: dict[tuple[str, str], int] = field(default_factory=dict)
    quota: int = 10**6
    lag_s: float = 0.0
    boot_s: float = 0.0
    rate: float | None = None
    expired: bool = False
    account: str = "111122223333"
    lose: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    throttled: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    _bucket: float = 0.0
    _filled: float = 0.0

    def call(self, name: str) -> None:
        """Count a call; refuse it when there are too many, or the credentials ended."""
        with self.lock:
            self.calls.append(name)
            if self.expired:
                raise AuthError("the token has expired", code="ExpiredToken", next_step="log in again")
            if self.rate is not None:
                now = time.monotonic()
                self._bucket = min(10.0, self._bucket + (now - self._filled) * self.rate)
                self._filled = now
                if self._bucket < 1:
                    self.throttled += 1
                    raise ThrottleError("too many calls", code="RequestLimitExceeded")
                self._bucket -= 1

    def maybe_lose(self, name: str) -> None:
        """Lose the answer of a call, if that was asked for."""
        if name in self.lose:
            self.lose.remove(name)
            raise LostError(f"no answer to {name}")


class MemoryProvider:
    """The adapter to a :class:`MemoryCloud`.

    Args:
        cloud: the cloud; several providers may share it.
        capabilities: what it claims to be able to do.
    """

    name = "memory"

    def __init__(self, cloud: MemoryCloud, capabilities: Capabilities | None = None) -> None:
        self.cloud = cloud
        self.capabilities = capabilities or Capabilities(
            tokens=frozenset({"machine", "volume"}), calls_per_second=10000, poll_s=0.01
        )
        self._caller = Caller(self.capabilities.calls_per_second, first_pause_s=0.01)

    def account(self) -> str:
        """See the port."""
        self._caller.read(lambda: self.cloud.call("account"))
        return self.cloud.account

    def preflight(self, plan: Plan) -> tuple[Finding, ...]:
        """See the port."""
        self._caller.read(lambda: self.cloud.call("preflight"))
        needed = len(plan.of_kind("machine"))
        return (Finding(True, f"{needed} machines fit"),)

    def inventory(self, cohort: str | None, kinds: Collection[Kind] | None = None) -> tuple[Found, ...]:
        """See the port."""
        self._caller.read(lambda: self.cloud.call("inventory"))
        now = time.monotonic()
        shown: list[Found] = []
        with self.cloud.lock:
            for thing in self.cloud.things.values():
                age = now - self.cloud.born[thing.id]
                if age < self.cloud.lag_s or (kinds is not None and thing.kind not in kinds):
                    continue
                if cohort is not None and thing.marker.cohort != cohort:
                    continue
                if thing.kind == "machine" and thing.status == "pending" and age >= self.cloud.boot_s:
                    thing = replace(thing, status="ready", address=f"192.0.2.{len(shown) % 250 + 1}")
                    self.cloud.things[thing.id] = thing
                shown.append(thing)
        return tuple(shown)

    def create(self, order: Order) -> str:
        """See the port."""
        return self._caller.change(lambda: self._create(order))

    def _create(self, order: Order) -> str:
        cloud, resource = self.cloud, order.resource
        cloud.call("create")
        with cloud.lock:
            token = order.token if resource.kind in self.capabilities.tokens else ""
            if token and token in cloud.tokens:
                if cloud.tokens[token] not in cloud.things:
                    raise SpentTokenError("the token is of a machine that is gone")
                return cloud.tokens[token]
            machines = [thing for thing in cloud.things.values() if thing.kind == "machine"]
            if resource.kind == "machine":
                if len(machines) >= cloud.quota:
                    raise QuotaError("the quota is used up", code="VcpuLimitExceeded")
                place = (order.offer.size, order.offer.zone)
                if sum((t.size, t.zone) == place for t in machines) >= cloud.capacity.get(place, 10**6):
                    raise CapacityError("none left", code="InsufficientInstanceCapacity")
            identity = f"{resource.kind}-{len(cloud.born):05d}"
            status = "pending" if resource.kind in ("machine", "volume", "address") else "ready"
            offer = order.offer
            thing = Found(identity, resource.kind, order.marker, status, offer.size, offer.zone)
            cloud.things[identity] = thing
            cloud.born[identity] = time.monotonic()
            if token:
                cloud.tokens[token] = identity
        cloud.maybe_lose("create")
        return identity

    def complete(self, order: Order, identity: str) -> None:
        """See the port."""
        assert order.resource.key
        self._caller.change(lambda: self.cloud.call("complete"))
        with self.cloud.lock:
            self.cloud.things[identity] = replace(self.cloud.things[identity], status="ready")
        self.cloud.maybe_lose("complete")

    def delete(self, found: Sequence[Found]) -> dict[str, ProviderError]:
        """See the port."""
        errors: dict[str, ProviderError] = {}
        for thing in found:
            try:
                self._caller.change(lambda: self.cloud.call("delete"))
                with self.cloud.lock:
                    self.cloud.things.pop(thing.id, None)
                self.cloud.maybe_lose("delete")
            except ProviderError as trouble:
                errors[thing.id] = trouble
        return errors
