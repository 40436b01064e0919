"""INFN Cloud behind the port: deployments of the INDIGO PaaS Orchestrator."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import yaml

from fpgaclass.cohort.errors import (
    AuthError,
    CapacityError,
    GoneError,
    LostError,
    ProviderError,
    QuotaError,
)
from fpgaclass.cohort.places import provisioning
from fpgaclass.cohort.plans import Kind, Plan
from fpgaclass.cohort.port import Capabilities, Finding, Found, Marker, Order, Provider, scrub
from fpgaclass.cohort.providers.infn.client import OrchestratorClient
from fpgaclass.cohort.providers.infn.token import Token
from fpgaclass.cohort.sites import Infn

_STATUS = {
    "CREATE_IN_PROGRESS": "pending",
    "CREATE_COMPLETE": "ready",
    "CREATE_FAILED": "failed",
    "UPDATE_IN_PROGRESS": "ready",
    "UPDATE_COMPLETE": "ready",
    "UPDATE_FAILED": "ready",
    "DELETE_IN_PROGRESS": "leaving",
    "DELETE_FAILED": "failed",
}
_SKEW_S = 120
ORPHAN = "~orphan"


class InfnProvider:
    """INFN Cloud.

    Args:
        settings: the cohort's ``infn`` part.
        capabilities: other rates and patience.
        site: the OpenStack project behind, to find machines that the Orchestrator lost; None connects
            ``settings.site_cloud``, if that is set.

    The Orchestrator takes no token with a POST and lists no tags. So the marker is in the template, which can
    be read back, and what has no answer is looked for before it is repeated.
    """

    name = "infn"

    def __init__(
        self, settings: Infn, *, capabilities: Capabilities | None = None, site: Provider | None = None
    ) -> None:
        self.capabilities = capabilities or Capabilities(
            grace_s=5.0, calls_per_second=5.0, workers=4, poll_s=10.0, user="fpgaclass"
        )
        self._settings = settings
        pause = min(0.5, self.capabilities.poll_s)
        self._client = OrchestratorClient(
            settings.orchestrator, Token(settings.oidc_account), self.capabilities.calls_per_second, pause
        )
        self._markers: dict[str, Marker | None] = {}
        self._site = site

    def close(self) -> None:
        """End the connections; the next call opens new ones."""
        self._client.close()

    def account(self) -> str:
        """See the port: the user, to whom alone the Orchestrator shows what they made."""
        return self._client.token.owner()

    def preflight(self, plan: Plan) -> tuple[Finding, ...]:
        """See the port. Quotas of the federated sites cannot be asked; ``cohort.quota`` can hold them."""
        try:
            answer = self._client.read("/deployments?size=1")
        except AuthError as trouble:
            return (Finding(False, trouble.what, trouble.next_step or ""),)
        findings = [
            Finding(True, f"the Orchestrator takes the token; {len(plan.resources)} deployments to make")
        ]
        left = self._client.token.seconds_left()
        if left < 600 and self._settings.oidc_account is None:
            step = "get a new one, or set cohort.infn.oidc_account, which renews it"
            findings.append(Finding(left > 60, f"the token ends in {left / 60:.0f} minutes", step))
        if stamp := answer.headers.get("date"):
            skew = abs((datetime.now(UTC) - parsedate_to_datetime(stamp)).total_seconds())
            if skew > _SKEW_S:
                step = "set this machine's clock (timedatectl set-ntp true)"
                findings.append(Finding(False, f"this machine's clock is {skew:.0f} s off", step))
        return tuple(findings)

    def inventory(self, cohort: str | None, kinds: Collection[Kind] | None = None) -> tuple[Found, ...]:
        """See the port."""
        if kinds is not None and "machine" not in kinds:
            return ()
        deployments = list(self._client.deployments())
        found = [thing for d in deployments if (thing := self._found(d, cohort)) is not None]
        return (*found, *self._lost_machines(cohort, {d["uuid"] for d in deployments if _lives(d)}))

    def create(self, order: Order) -> str:
        """See the port."""
        resource = order.resource
        distribution, _, version = resource.setting("image").partition(":")
        key = resource.setting("public_key")
        parameters: dict[str, Any] = {
            "instance_type": order.offer.size,
            "os_distribution": distribution,
            "disk_size": f"{resource.setting('disk_gb', '40')} GB",
            "users": [
                {
                    "os_user_name": self.capabilities.user,
                    "os_user_add_to_sudoers": True,
                    "os_user_ssh_public_key": key,
                }
            ],
        }
        if version:
            parameters["os_version"] = version
        body = {
            "template": template(order.marker),
            "parameters": parameters,
            "userGroup": self._settings.user_group,
            "keepLastAttempt": False,
            "timeoutMins": 60,
            "maxProvidersRetry": 3,
        }
        answer = self._client.change("POST", "/deployments", body)
        try:
            identity = str(self._client.json(answer)["uuid"])
        except (ProviderError, KeyError) as odd:
            # It was taken, and may have been done: the list of deployments tells.
            raise LostError(f"the answer to a POST has no uuid: {odd}", next_step="try again") from odd
        self._markers[identity] = order.marker
        return identity

    def complete(self, order: Order, identity: str) -> None:
        """Nothing is left to do: the template has it all."""

    def delete(self, found: Sequence[Found]) -> dict[str, ProviderError]:
        """See the port. What is still being created must not be deleted; the inventory calls it busy."""
        errors: dict[str, ProviderError] = {}
        lost = [thing for thing in found if thing.id.startswith("server:")]
        if lost and (site := self._behind()):
            plain = [replace(thing, id=thing.id.removeprefix("server:")) for thing in lost]
            errors |= {f"server:{name}": trouble for name, trouble in site.delete(plain).items()}
        for thing in found:
            if thing in lost:
                continue
            try:
                self._client.change("DELETE", f"/deployments/{thing.id}")
            except GoneError:
                continue
            except ProviderError as trouble:
                if trouble.code != "409":  # it is being deleted already
                    errors[thing.id] = trouble
        return errors

    def _found(self, deployment: dict[str, Any], cohort: str | None) -> Found | None:
        if not _lives(deployment):
            return None
        marker = self._marker(deployment["uuid"])
        if marker is None or (cohort is not None and marker.cohort != cohort):
            return None
        status, outputs = _STATUS.get(str(deployment["status"]), "pending"), deployment.get("outputs")
        trouble = _trouble(str(deployment.get("statusReason") or "")) if status == "failed" else None
        return Found(
            id=deployment["uuid"],
            kind="machine",
            marker=marker,
            status=status,
            zone=str(deployment.get("cloudProviderName") or ""),
            address=str(outputs.get("node_ip") or "") if isinstance(outputs, dict) else "",
            trouble=trouble,
            busy=deployment["status"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"),
        )

    def _marker(self, identity: str) -> Marker | None:
        """Return the marker in a deployment's template; a template never changes, so each is read once."""
        if identity not in self._markers:
            try:
                text = self._client.read(f"/deployments/{identity}/template").text
                self._markers[identity] = _read_marker(text)
            except GoneError:
                return None
        return self._markers[identity]

    def _lost_machines(self, cohort: str | None, known: set[str]) -> Iterator[Found]:
        """Yield machines of the site that carry our tags and whose deployment is gone."""
        site = self._behind()
        if site is None:
            return
        for thing in site.inventory(cohort, {"machine"}):
            if thing.zone not in known:
                marker = replace(thing.marker, key=thing.marker.key + ORPHAN)
                yield replace(thing, id=f"server:{thing.id}", marker=marker)

    def _behind(self) -> Provider | None:
        if self._site is None and self._settings.site_cloud:
            from fpgaclass.cohort.providers.openstack import SiteServers

            self._site = SiteServers(self._settings.site_cloud)
        return self._site


def template(marker: Marker) -> str:
    """Return the TOSCA template of a machine, with its marker as metadata and as the machine's tags."""
    document = yaml.safe_load(provisioning("tosca", "machine.yaml").read_text(encoding="utf-8"))
    document["metadata"] = marker.tags()
    document["topology_template"]["node_templates"]["machine"]["properties"]["tags"] = marker.tags()
    return yaml.safe_dump(document, sort_keys=False)


def _read_marker(text: str) -> Marker | None:
    """Return the marker of a template, anybody's: only plain words of its metadata count."""
    try:
        metadata = yaml.safe_load(text)["metadata"]
        return Marker.read({str(k): str(v) for k, v in metadata.items() if isinstance(v, str | int)})
    except (yaml.YAMLError, AttributeError, TypeError, KeyError, ValueError, RecursionError):
        return None


def _lives(deployment: dict[str, Any]) -> bool:
    return bool(deployment["status"] != "DELETE_COMPLETE")


def _trouble(reason: str) -> ProviderError:
    """Type a failed deployment; the Orchestrator gives a text and no code."""
    text = scrub(reason) or "the deployment failed without a reason"
    low = text.lower()
    if "quota" in low:
        return QuotaError(text, next_step="ask the site's managers for a higher quota, or plan less")
    if any(word in low for word in ("capacity", "no flavor", "no valid host", "not enough", "no suitable")):
        return CapacityError(text, next_step="seat.alternatives or cards.alternatives, or try again later")
    return ProviderError(text, next_step="look at the deployment's log in the dashboard")


__all__ = ["InfnProvider", "template"]
