"""Who is asking, and whether they may: tokens, impersonation and RBAC over the stored objects."""

import base64
import hashlib
import hmac
import json
import secrets as random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from simcluster import certificates, errors
from simcluster.objects import Object, kinds, name_of, namespace_of, uid_of
from simcluster.rules import rbac
from simcluster.rules.rbac import Request, Rule, User
from simcluster.store import Store

ADMIN: Final = User("kubernetes-admin", frozenset({rbac.MASTERS, rbac.AUTHENTICATED}))
ANONYMOUS: Final = User("system:anonymous", frozenset({rbac.UNAUTHENTICATED}))
ISSUER: Final = "https://kubernetes.default.svc"
SHORTEST_TOKEN_SECONDS: Final = 600
DEFAULT_TOKEN_SECONDS: Final = 3600


def new_secrets() -> dict[str, str]:
    """Return fresh secrets: the administrator's token, the key of all others, a certificate."""
    certificate, key = certificates.self_signed()
    return {
        "admin": random.token_urlsafe(32),
        "key": random.token_urlsafe(32),
        "certificate": certificate,
        "certificate_key": key,
    }


class Access:
    """Authentication and authorization for one cluster."""

    def __init__(
        self, store: Store, secrets: dict[str, str], clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._clock = clock

    def user(self, authorization: str) -> User:
        """Return who a bearer token belongs to, or raise 401; without one, the anonymous user."""
        if not authorization:
            return ANONYMOUS
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise errors.unauthorized()
        if _is_same(token.strip(), self._secrets["admin"]):
            return ADMIN
        return self._service_account(self._verified(token.strip()))

    def impersonated(self, user: User, name: str, groups: Sequence[str]) -> User:
        """Return the user that ``user`` asks to act as, or raise 403."""
        for request in _impersonation(name, groups):
            self.check(user, request)
        if name.startswith(rbac.SERVICE_ACCOUNT_PREFIX):
            namespace, _, account = name.removeprefix(rbac.SERVICE_ACCOUNT_PREFIX).partition(":")
            return rbac.service_account(namespace, account)
        return User(name, frozenset({*groups, rbac.AUTHENTICATED}))

    def check(self, user: User, request: Request) -> None:
        """Raise 403 unless the user may do this."""
        if not self.allows(user, request):
            raise errors.forbidden(
                request.resource, request.group, request.name, rbac.denial(user, request)
            )

    def allows(self, user: User, request: Request) -> bool:
        """Return whether the user may do this."""
        return user.is_master or rbac.allows(self.rules(user, request.namespace), request)

    def rules(self, user: User, namespace: str) -> list[Rule]:
        """Return the rules that hold for the user in a namespace; none means cluster-wide ones."""
        bindings = self._store.every(kinds.CLUSTER_ROLE_BINDING)
        roles = self._store.every(kinds.CLUSTER_ROLE)
        if namespace:
            bindings = bindings + self._store.every(kinds.ROLE_BINDING, namespace)
            roles = roles + self._store.every(kinds.ROLE, namespace)
        return rbac.rules_for(user, bindings=bindings, roles=rbac.rules_of(roles))

    def issue(self, account: Object, seconds: int, audiences: Sequence[str]) -> tuple[str, str]:
        """Return a token for a ServiceAccount and the instant at which it expires."""
        now = self._clock()
        expires_at = now + timedelta(seconds=seconds)
        namespace = namespace_of(account)
        claims = {
            "aud": list(audiences) or [ISSUER],
            "exp": int(expires_at.timestamp()),
            "iat": int(now.timestamp()),
            "iss": ISSUER,
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name_of(account), "uid": uid_of(account)},
            },
            "sub": f"{rbac.SERVICE_ACCOUNT_PREFIX}{namespace}:{name_of(account)}",
        }
        body = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{body}.{self._signature(body)}", expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _service_account(self, claims: dict[str, Any]) -> User:
        bound = claims["kubernetes.io"]
        namespace, account = bound["namespace"], bound["serviceaccount"]
        found = self._store.get(kinds.SERVICE_ACCOUNT, namespace, account["name"])
        if found is None or uid_of(found) != account["uid"]:
            raise errors.unauthorized()
        return rbac.service_account(namespace, account["name"], account["uid"])

    def _verified(self, token: str) -> dict[str, Any]:
        body, _, signature = token.rpartition(".")
        if not _is_same(signature, self._signature(body)):
            raise errors.unauthorized()
        claims = _decoded(body.partition(".")[2])
        if datetime.fromtimestamp(claims["exp"], UTC) <= self._clock():
            raise errors.unauthorized()
        return claims

    def _signature(self, body: str) -> str:
        key = self._secrets["key"].encode()
        return _base64(hmac.new(key, body.encode(), hashlib.sha256).digest())


def _impersonation(name: str, groups: Sequence[str]) -> list[Request]:
    if name.startswith(rbac.SERVICE_ACCOUNT_PREFIX):
        namespace, _, account = name.removeprefix(rbac.SERVICE_ACCOUNT_PREFIX).partition(":")
        return [
            Request("impersonate", resource="serviceaccounts", namespace=namespace, name=account)
        ]
    requests = [Request("impersonate", resource="users", name=name)]
    return requests + [Request("impersonate", resource="groups", name=group) for group in groups]


def _encoded(claims: dict[str, Any]) -> str:
    return _base64(json.dumps(claims, separators=(",", ":")).encode())


def _decoded(part: str) -> dict[str, Any]:
    padded = part + "=" * (-len(part) % 4)
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(padded))
    return claims


def _is_same(token: str, other: str) -> bool:
    return hmac.compare_digest(token.encode(errors="surrogateescape"), other.encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
