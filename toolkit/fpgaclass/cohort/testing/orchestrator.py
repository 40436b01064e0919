"""The INDIGO PaaS Orchestrator on loopback, written from its documented behaviour, and the site behind it.

What matters for a cohort: POST is not idempotent; deployments come newest first, in pages; a DELETE before a
provider was chosen removes the row; a DELETE during creation may leave the machine behind (as reported for
the Infrastructure Manager); machines carry their node's tags and ``PAAS_DEP_UUID`` as metadata.
"""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from fpgaclass.cohort.testing.server import Answer, Application, Environ, FakeServer, serve

_BODY = {
    "template",
    "parameters",
    "callback",
    "timeoutMins",
    "providerTimeoutMins",
    "maxProvidersRetry",
    "keepLastAttempt",
    "userGroup",
}


@dataclass
class Rules:
    """How the Orchestrator behaves.

    Attributes:
        broker_s, deploy_s, delete_s: how long it takes to choose a site, to make, and to remove.
        flavours: those that the sites have.
        capacity: how many machines of a flavour there are; what is missing is endless.
        group: the user group that the token may use.
        expired: tokens that it does not take any more.
        leak: leave the machine behind when a deployment is deleted during its creation.
        page: deployments on a page.
    """

    broker_s: float = 0.0
    deploy_s: float = 0.0
    delete_s: float = 0.0
    flavours: list[str] = field(default_factory=lambda: ["m1.large", "alveo.u250"])
    capacity: dict[str, int] = field(default_factory=dict)
    group: str = "courses/fpga"
    expired: list[str] = field(default_factory=list)
    leak: bool = False
    page: int = 20


class _Orchestrator(Application):
    def __init__(self) -> None:
        super().__init__(Rules())

    def reset(self) -> None:
        """Empty it."""
        self.rules = Rules()
        self._deployments: dict[str, dict[str, Any]] = {}
        self._machines: dict[str, dict[str, Any]] = {}

    def things(self) -> Iterator[dict[str, Any]]:
        """Yield the machines of the site; deployments cost nothing, machines do."""
        self._tick()
        for machine in self._machines.values():
            yield {"kind": "machine", "id": machine["id"], "tags": machine["metadata"]}

    def answer(self, environ: Environ, body: bytes) -> Answer:
        """Answer a call."""
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].rstrip("/")
        query = {k: v[0] for k, v in urllib.parse.parse_qs(environ.get("QUERY_STRING", "")).items()}
        self._tick()
        if path == "/site/servers":
            return _json(200, list(self._machines.values()))
        if path.startswith("/site/servers/") and method == "DELETE":
            return _json(204 if self._machines.pop(path.rpartition("/")[2], None) else 404)
        scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer" or token in self.rules.expired:
            return _json(401, {"error": "invalid_token", "error_description": f"Invalid token: {token}"})
        if path == "/deployments":
            return self._post(json.loads(body)) if method == "POST" else self._list(query)
        found = re.match(r"/deployments/([\w-]+)(/template)?$", path)
        deployment = self._deployments.get(found[1]) if found else None
        if found is None or deployment is None:
            return _refused(404, "Not Found", f"The deployment <{path.rpartition('/')[2]}> doesn't exist")
        if found[2]:
            return "200 OK", [("Content-Type", "text/plain")], deployment["_template"].encode()
        return self._delete(deployment) if method == "DELETE" else _json(200, _view(deployment))

    def _post(self, asked: dict[str, Any]) -> Answer:
        odd = sorted(set(asked) - _BODY)
        if odd or "template" not in asked:
            return _refused(400, "Bad Request", f"unknown or missing properties {odd}")
        if asked.get("userGroup") != self.rules.group:
            return _refused(403, "Forbidden", f"{asked.get('userGroup')} is none of the user's groups")
        try:
            nodes = yaml.safe_load(asked["template"])["topology_template"]["node_templates"]
        except (yaml.YAMLError, TypeError, KeyError) as trouble:
            return _refused(400, "Bad Request", f"Error parsing the template: {trouble}")
        identity, now = str(uuid.uuid4()), time.time()
        self._deployments[identity] = {
            "uuid": identity,
            "creationTime": _stamp(now),
            "updateTime": _stamp(now),
            "status": "CREATE_IN_PROGRESS",
            "task": "NONE",
            "outputs": {},
            "userGroup": asked["userGroup"],
            "links": [{"rel": "self", "href": f"/deployments/{identity}"}],
            "_order": now,
            "_since": time.monotonic(),
            "_template": asked["template"],
            "_nodes": nodes,
            "_inputs": asked.get("parameters", {}),
        }
        self._tick()
        return _json(201, _view(self._deployments[identity]))

    def _list(self, query: dict[str, str]) -> Answer:
        rows = sorted(self._deployments.values(), key=lambda d: -d["_order"])
        page, size = int(query.get("page", 0)), min(int(query.get("size", 20)), self.rules.page)
        pages = -(-len(rows) // size)
        links = [{"rel": "self", "href": "/deployments"}]
        if page + 1 < pages:
            links.append({"rel": "next", "href": f"/deployments?page={page + 1}&size={size}"})
        content = [_view(row) for row in rows[page * size : (page + 1) * size]]
        about = {"size": size, "totalElements": len(rows), "totalPages": pages, "number": page}
        return _json(200, {"links": links, "content": content, "page": about})

    def _delete(self, deployment: dict[str, Any]) -> Answer:
        if deployment["status"].startswith("DELETE_") and deployment["status"] != "DELETE_FAILED":
            return _refused(409, "Conflict", f"Deployment already in {deployment['status']} state.")
        if "cloudProviderName" not in deployment:
            del self._deployments[deployment["uuid"]]
            return _json(204)
        early = deployment["status"] == "CREATE_IN_PROGRESS"
        deployment |= {"status": "DELETE_IN_PROGRESS", "_since": time.monotonic(), "_early": early}
        self._tick()
        return _json(204)

    def _tick(self) -> None:
        """Let time do its work."""
        for deployment in list(self._deployments.values()):
            age = time.monotonic() - deployment["_since"]
            if deployment["status"] == "CREATE_IN_PROGRESS" and age >= self.rules.broker_s:
                if "cloudProviderName" not in deployment:
                    self._deploy(deployment)
                done = age >= self.rules.broker_s + self.rules.deploy_s
                if deployment["status"] == "CREATE_IN_PROGRESS" and done:
                    address = f"192.0.2.{len(self._machines) % 250 + 1}"
                    deployment |= {
                        "status": "CREATE_COMPLETE",
                        "task": "NONE",
                        "outputs": {"node_ip": address},
                    }
            elif deployment["status"] == "DELETE_IN_PROGRESS" and age >= self.rules.delete_s:
                deployment["status"] = "DELETE_COMPLETE"
                if not (deployment.get("_early") and self.rules.leak):
                    self._free(deployment)

    def _deploy(self, deployment: dict[str, Any]) -> None:
        deployment |= {"cloudProviderName": "SITE", "task": "DEPLOYER", "physicalId": str(uuid.uuid4())}
        for name, node in deployment["_nodes"].items():
            if not node["type"].endswith("Compute"):
                continue
            asked = node["capabilities"]["host"]["properties"]["instance_type"]
            flavour = deployment["_inputs"][asked["get_input"]] if isinstance(asked, dict) else asked
            used = sum(machine["flavour"] == flavour for machine in self._machines.values())
            if flavour not in self.rules.flavours or used >= self.rules.capacity.get(flavour, 10**6):
                why = f"Error executing request to IM: no flavor or capacity for {flavour} on any provider"
                deployment |= {"status": "CREATE_FAILED", "task": "NONE", "statusReason": why}
                self._free(deployment)
                return
            identity = str(uuid.uuid4())
            tags = node.get("properties", {}).get("tags", {})
            self._machines[identity] = {
                "id": identity,
                "name": name,
                "flavour": flavour,
                "metadata": {**tags, "PAAS_DEP_UUID": deployment["uuid"]},
            }

    def _free(self, deployment: dict[str, Any]) -> None:
        for identity, machine in list(self._machines.items()):
            if machine["metadata"]["PAAS_DEP_UUID"] == deployment["uuid"]:
                del self._machines[identity]


def _view(deployment: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in deployment.items() if not name.startswith("_")}


def _stamp(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M+0000", time.gmtime(when))


def _json(status: int, data: Any = None) -> Answer:
    body = b"" if data is None else json.dumps(data).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    return f"{status} -", headers, body


def _refused(status: int, title: str, message: str) -> Answer:
    return _json(status, {"code": status, "title": title, "message": message})


class FakeOrchestrator(FakeServer):
    """The double in a process of its own, as a context manager; ``things`` are the site's machines."""

    module = __name__


if __name__ == "__main__":
    serve(_Orchestrator())
