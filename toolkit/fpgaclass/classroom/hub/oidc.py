"""Login through the identity provider of a university: OpenID Connect, by oauthenticator.

course.yaml names the issuer and the client; the client's secret comes from the environment, and is written
nowhere. Who may come in is still the roster: the provider only says who it is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from fpgaclass.core import ClassroomError, ToolMissingError
from fpgaclass.course import LogIn

SECRET_VARIABLE = "FPGACLASS_OIDC_SECRET"
"""The environment variable with the client's secret."""

_PARTS = ("authorization", "token", "userinfo")


@dataclass(frozen=True)
class Provider:
    """An identity provider, as it describes itself.

    Attributes:
        name: what the login button says.
        client_id: what the provider calls this hub.
        authorize_url: where people are sent to log in.
        token_url: where the hub asks with what they bring back.
        userdata_url: where the hub asks who they are.
        username_claim: which of the answers names the person.
        users: that answer -> login name of the class, where the two differ.
    """

    name: str
    client_id: str
    authorize_url: str
    token_url: str
    userdata_url: str
    username_claim: str
    users: dict[str, str]


def find_provider(login: LogIn) -> Provider:
    """Ask the issuer where its parts are.

    Raises:
        ClassroomError: it does not answer, is not what it says, or the secret is missing.
        ToolMissingError: oauthenticator is not installed.
    """
    import importlib.util

    import httpx

    if importlib.util.find_spec("oauthenticator") is None:
        raise ToolMissingError(
            "login by OpenID Connect needs oauthenticator", next_step="pip install oauthenticator"
        )
    if not os.environ.get(SECRET_VARIABLE):
        step = f"export {SECRET_VARIABLE}=... (the secret that the provider gave for {login.client_id})"
        raise ClassroomError("the client's secret is missing", where=SECRET_VARIABLE, next_step=step)
    where = f"{login.issuer.rstrip('/')}/.well-known/openid-configuration"
    try:
        found = httpx.get(where, timeout=20, follow_redirects=True).raise_for_status().json()
        if found["issuer"].rstrip("/") != login.issuer.rstrip("/"):
            raise ValueError(f"it says that it is {found['issuer']}")
        authorize, token, userdata = (found[f"{name}_endpoint"] for name in _PARTS)
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as trouble:
        step = "check login.issuer in course.yaml, and that this machine reaches it"
        raise ClassroomError(
            f"the identity provider does not answer: {trouble}", where=where, next_step=step
        ) from trouble
    users = dict(login.users)
    return Provider(login.name, login.client_id, authorize, token, userdata, login.username_claim, users)


def configure(c: Any, provider: Provider, port: int) -> None:
    """Fill in JupyterHub's configuration for a class whose login is the provider's."""
    from oauthenticator.generic import GenericOAuthenticator  # type: ignore[import-untyped]

    def login_name(answers: dict[str, Any]) -> str:
        said = str(answers[provider.username_claim])
        if said not in provider.users and said.lower() in provider.users.values():
            return f"@{said}"  # the login name of somebody whom the provider calls otherwise: nobody's here
        return provider.users.get(said, said)

    c.JupyterHub.authenticator_class = GenericOAuthenticator
    c.GenericOAuthenticator.login_service = provider.name
    c.GenericOAuthenticator.client_id = provider.client_id
    c.GenericOAuthenticator.client_secret = os.environ[SECRET_VARIABLE]
    c.GenericOAuthenticator.authorize_url = provider.authorize_url
    c.GenericOAuthenticator.token_url = provider.token_url
    c.GenericOAuthenticator.userdata_url = provider.userdata_url
    c.GenericOAuthenticator.username_claim = login_name
    c.GenericOAuthenticator.oauth_callback_url = f"http://127.0.0.1:{port}/hub/oauth_callback"
    c.GenericOAuthenticator.scope = ["openid", "profile", "email"]
    c.GenericOAuthenticator.enable_pkce = True
