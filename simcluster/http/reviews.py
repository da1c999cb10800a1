"""Questions to the API server: who am I, may I, and a token for a ServiceAccount, please."""

from typing import Any

from simcluster import errors
from simcluster.access import DEFAULT_TOKEN_SECONDS, SHORTEST_TOKEN_SECONDS, Access
from simcluster.objects import Object
from simcluster.rules.rbac import Request, User


def review(access: Access, plural: str, body: Object, user: User, namespace: str) -> Object:
    """Return the question with its answer."""
    spec = body.get("spec") or {}
    match plural:
        case "selfsubjectaccessreviews":
            status = _verdict(access, user, spec, namespace)
        case "subjectaccessreviews" | "localsubjectaccessreviews":
            other = User(spec.get("user", ""), frozenset(spec.get("groups") or []))
            status = _verdict(access, other, spec, namespace)
        case "selfsubjectrulesreviews":
            status = _rules(access, user, spec.get("namespace", ""))
        case _:
            info = {"username": user.name, "groups": sorted(user.groups)}
            status = {"userInfo": info | ({"uid": user.uid} if user.uid else {})}
    return {**body, "metadata": {}, "status": status}


def token(access: Access, account: Object, body: Object) -> Object:
    """Return the answer to a TokenRequest for a ServiceAccount."""
    spec = body.get("spec") or {}
    seconds = spec.get("expirationSeconds") or DEFAULT_TOKEN_SECONDS
    if seconds < SHORTEST_TOKEN_SECONDS:
        raise errors.invalid(
            "TokenRequest",
            "authentication.k8s.io",
            "",
            "spec.expirationSeconds",
            f"Invalid value: {seconds}: may not specify a duration less than 10 minutes",
        )
    issued, expires_at = access.issue(account, seconds, spec.get("audiences") or [])
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": account["metadata"]["name"]},
        "spec": {**spec, "expirationSeconds": seconds},
        "status": {"token": issued, "expirationTimestamp": expires_at},
    }


def _verdict(access: Access, user: User, spec: Object, namespace: str) -> Object:
    asked: dict[str, Any] = spec.get("resourceAttributes") or {}
    elsewhere: dict[str, Any] = spec.get("nonResourceAttributes") or {}
    request = Request(
        verb=asked.get("verb") or elsewhere.get("verb", ""),
        group=asked.get("group", ""),
        resource=asked.get("resource", ""),
        subresource=asked.get("subresource", ""),
        namespace=asked.get("namespace") or namespace,
        name=asked.get("name", ""),
        path=elsewhere.get("path", ""),
    )
    return {"allowed": access.allows(user, request)}


def _rules(access: Access, user: User, namespace: str) -> Object:
    rules = access.rules(user, namespace)
    return {
        "resourceRules": [rule for rule in rules if "nonResourceURLs" not in rule],
        "nonResourceRules": [rule for rule in rules if "nonResourceURLs" in rule],
        "incomplete": False,
    }
