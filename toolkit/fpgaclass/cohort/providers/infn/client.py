"""Calls to the PaaS Orchestrator, with typed errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

from fpgaclass.cohort.calls import Caller
from fpgaclass.cohort.errors import (
    AuthError,
    GoneError,
    LostError,
    ProviderError,
    RefusedError,
    ThrottleError,
)
from fpgaclass.cohort.port import scrub
from fpgaclass.cohort.providers.infn.token import Token

_IDENTITY = re.compile(r"[A-Za-z0-9-]{1,64}")
_PAGE = re.compile(r"[?&]page=([0-9]{1,6})(&|$)")
_LOGIN = "get a new token (oidc-agent, or the dashboard), then run the command again"


class OrchestratorClient:
    """The REST interface of the Orchestrator.

    Args:
        address: where it is.
        token: who asks.
        calls_per_second: what to stay below.
        pause_s: the first pause after a refusal.
    """

    def __init__(self, address: str, token: Token, calls_per_second: float, pause_s: float) -> None:
        self.address = address.rstrip("/")
        self.token = token
        self._http = httpx.Client(timeout=60, trust_env=not self.address.startswith("http://127."))
        self._caller = Caller(calls_per_second, first_pause_s=pause_s)

    def close(self) -> None:
        """End the connections; the next call opens new ones."""
        self._http.close()
        self._http = httpx.Client(timeout=60, trust_env=not self.address.startswith("http://127."))

    def read(self, path: str) -> httpx.Response:
        """GET; asked again when the answer is lost."""
        return self._caller.read(lambda: self._call("GET", path))

    def change(self, method: str, path: str, data: Any = None) -> httpx.Response:
        """POST, PUT or DELETE; a lost answer raises LostError."""
        return self._caller.change(lambda: self._call(method, path, data))

    def deployments(self) -> Iterator[dict[str, Any]]:
        """Yield our deployments, over all pages.

        The list may move between pages, when somebody makes a deployment meanwhile; none is yielded twice.
        """
        path, number = "/deployments?createdBy=me&size=100", ""
        seen: set[str] = set()
        while True:
            page, before = self.json(self.read(path + number)), len(seen)
            try:
                for deployment in page.get("content", []):
                    if _IDENTITY.fullmatch(deployment["uuid"]) and deployment["uuid"] not in seen:
                        seen.add(deployment["uuid"])
                        yield {"status": "UNKNOWN", **deployment}
                following = [link["href"] for link in page.get("links", []) if link.get("rel") == "next"]
            except (AttributeError, TypeError, KeyError) as odd:
                raise self._odd(f"a list of deployments without {odd}") from odd
            # Of the link only the page's number counts: behind a proxy its host is another, and the token
            # must go nowhere else. A page with nothing new is the last, whatever it says of a next one.
            found = _PAGE.search(str(following[0])) if following and len(seen) > before else None
            if found is None:
                return
            number = f"&page={found[1]}"

    def json(self, answer: httpx.Response) -> dict[str, Any]:
        """Return an answer as data.

        Raises:
            ProviderError: it is something else, such as the page of a login or of a proxy.
        """
        try:
            data = answer.json()
        except ValueError:
            data = None
        if not isinstance(data, dict):
            raise self._odd(f"{answer.headers.get('content-type', 'something')}, and no JSON")
        return data

    def _odd(self, what: str) -> ProviderError:
        step = (
            "check cohort.infn.orchestrator: is it the Orchestrator's own address, and not the dashboard's?"
        )
        return ProviderError(f"the answer was {scrub(what)}", where=self.address, next_step=step)

    def _call(self, method: str, path: str, data: Any = None, again: bool = True) -> httpx.Response:
        where = f"{self.address} {method} {path.partition('?')[0]}"
        headers = {"Authorization": self.token.header()}
        try:
            answer = self._http.request(method, self.address + path, json=data, headers=headers)
        except httpx.ConnectError as error:
            step = "check cohort.infn.orchestrator and the network"
            raise LostError(f"no connection: {error}", where=where, next_step=step) from error
        except httpx.HTTPError as error:
            raise LostError(f"no answer: {scrub(str(error))}", where=where, next_step="try again") from error
        if answer.status_code == 401 and again and self.token.renew():
            return self._call(method, path, data, again=False)
        if answer.is_error:
            raise _typed(answer, where)
        return answer


def _typed(answer: httpx.Response, where: str) -> ProviderError:
    try:
        body = answer.json()
        text = str(body.get("message") or body.get("error_description") or body.get("title") or "")
    except (ValueError, AttributeError):
        text = answer.text[:200]
    code, said = str(answer.status_code), f"{answer.status_code}: {scrub(text)}"
    if answer.status_code == 401:
        return AuthError(
            f"the token has expired or is not taken ({said})", code=code, where=where, next_step=_LOGIN
        )
    if answer.status_code == 403:
        step = "check cohort.infn.user_group, and that the token has it (scope offline_access)"
        return AuthError(said, code=code, where=where, next_step=step)
    if answer.status_code == 404:
        return GoneError(said, code=code, where=where)
    if answer.status_code == 429:
        return ThrottleError(said, code=code, where=where)
    if answer.status_code == 400:
        step = "check provisioning/tosca/machine.yaml against the Orchestrator's TOSCA types"
        return RefusedError(f"the template was refused, {said}", code=code, where=where, next_step=step)
    if answer.status_code >= 500:
        return LostError(said, code=code, where=where, next_step="try again")
    return ProviderError(said, code=code, where=where)
