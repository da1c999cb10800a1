"""The company's identity provider as a program sees it: OpenID Connect over HTTPS.

Browsers are brought there and back by allauth.  This is the other conversation: asking, with a
person's refresh token, whether they are still there and in which groups.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import requests
from django.conf import settings

TIMEOUT_SECONDS: Final = (5, 10)  # to connect, to answer
# What the standard says when a refresh token is revoked, expired, or its owner gone.
_DEAD: Final = "invalid_grant"


class GrantDead(Exception):
    """The provider says that this person's grant is over."""


class Unreachable(Exception):
    """No answer that says anything about a person: an outage, or a mistake in our settings."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a refresh token was exchanged for; ``refresh_token`` is empty if it stays the same."""

    access_token: str
    refresh_token: str


@dataclass(slots=True)
class Provider:
    """One provider; its discovery document is fetched once in the life of this object."""

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    _http: requests.Session = field(default_factory=requests.Session, repr=False)
    _discovered: Mapping[str, Any] | None = field(default=None, repr=False)

    def renew(self, refresh_token: str) -> Grant:
        """Exchange a refresh token.

        Raises:
            GrantDead: the provider knows of no such grant any more.
            Unreachable: it did not answer, or not to the question.
        """
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        response = self._send("POST", self._endpoint("token_endpoint"), **self._signed(form))
        body = _object(response)
        if response.status_code != HTTPStatus.OK and body.get("error") == _DEAD:
            raise GrantDead(str(body.get("error_description") or _DEAD))
        access_token = body.get("access_token")
        if response.status_code != HTTPStatus.OK or not isinstance(access_token, str):
            raise Unreachable(_complaint("token endpoint", response, body))
        return Grant(access_token, str(body.get("refresh_token") or ""))

    def claims(self, access_token: str) -> Mapping[str, Any]:
        """Return what the provider says about the token's owner.

        Raises:
            Unreachable: it did not answer, or not to the question.
        """
        headers = {"Authorization": f"Bearer {access_token}"}
        response = self._send("GET", self._endpoint("userinfo_endpoint"), headers=headers)
        body = _object(response)
        if response.status_code != HTTPStatus.OK or not body.get("sub"):
            raise Unreachable(_complaint("userinfo endpoint", response, body))
        return body

    def _signed(self, form: dict[str, str]) -> dict[str, Any]:
        """Return the form with our name and secret where this provider looks for them."""
        methods = self._document().get("token_endpoint_auth_methods_supported") or [
            "client_secret_basic"
        ]
        if "client_secret_post" in methods:
            named = {"client_id": self.client_id, "client_secret": self.client_secret}
            return {"data": form | named}
        return {"data": form, "auth": (self.client_id, self.client_secret)}

    def _endpoint(self, name: str) -> str:
        address = self._document().get(name)
        if not isinstance(address, str):
            raise Unreachable(f"the discovery document has no {name}")
        return address

    def _document(self) -> Mapping[str, Any]:
        if self._discovered is None:
            address = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            response = self._send("GET", address)
            document = _object(response)
            if response.status_code != HTTPStatus.OK:
                raise Unreachable(_complaint("discovery document", response, document))
            self._discovered = document
        return self._discovered

    def _send(self, method: str, address: str, **options: Any) -> requests.Response:
        try:
            return self._http.request(
                method, address, timeout=TIMEOUT_SECONDS, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise Unreachable(type(error).__name__) from error


def configured() -> Provider | None:
    """Return the provider of the settings; None where there is none."""
    if not settings.OIDC_ISSUER:
        return None
    return Provider(settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET)


def _object(response: requests.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except requests.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _complaint(what: str, response: requests.Response, body: Mapping[str, Any]) -> str:
    reason = body.get("error") or "no usable answer"
    return f"{what}: HTTP {response.status_code}, {reason}"
