"""Role-based access control: rules, requests, and whether the one allows the other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from simcluster.objects import Object, name_of, namespace_of

Rule: TypeAlias = Object

MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"
UNAUTHENTICATED: Final = "system:unauthenticated"
SERVICE_ACCOUNTS: Final = "system:serviceaccounts"
SERVICE_ACCOUNT_PREFIX: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: frozenset[str] = field(default_factory=frozenset)
    uid: str = ""

    @property
    def is_master(self) -> bool:
        return MASTERS in self.groups


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked: a verb on a resource, or on a path that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def service_account(namespace: str, name: str, uid: str = "") -> User:
    """Return the user that a ServiceAccount is."""
    groups = frozenset({SERVICE_ACCOUNTS, f"{SERVICE_ACCOUNTS}:{namespace}", AUTHENTICATED})
    return User(f"{SERVICE_ACCOUNT_PREFIX}{namespace}:{name}", groups, uid)


def allows(rules: Iterable[Rule], request: Request) -> bool:
    """Return whether any rule allows the request."""
    return any(_rule_allows(rule, request) for rule in rules)


def covers(held: Sequence[Rule], wanted: Iterable[Rule]) -> bool:
    """Return whether ``held`` allows everything that ``wanted`` would (no one grants more)."""
    return all(allows(held, request) for rule in wanted for request in _requests_of(rule))


def is_subject(subject: Object, user: User, namespace: str) -> bool:
    """Return whether a subject of a binding in ``namespace`` means the user."""
    match subject.get("kind"):
        case "User":
            return bool(subject["name"] == user.name)
        case "Group":
            return subject["name"] in user.groups
        case _:
            place = subject.get("namespace") or namespace
            return user.name == f"{SERVICE_ACCOUNT_PREFIX}{place}:{subject['name']}"


def rules_for(
    user: User,
    *,
    bindings: Iterable[Object],
    roles: dict[tuple[str, str], list[Rule]],
) -> list[Rule]:
    """Return the rules that ``bindings`` give to the user.

    ``roles`` holds rules by namespace and name; a cluster role has an empty namespace.
    """
    rules: list[Rule] = []
    for binding in bindings:
        place = namespace_of(binding)
        if any(is_subject(subject, user, place) for subject in binding.get("subjects") or []):
            reference = binding["roleRef"]
            where = place if reference["kind"] == "Role" else ""
            rules += roles.get((where, reference["name"]), [])
    return rules


def rules_of(roles: Iterable[Object]) -> dict[tuple[str, str], list[Rule]]:
    """Return the rules of roles and cluster roles, by namespace and name."""
    return {(namespace_of(role), name_of(role)): role.get("rules") or [] for role in roles}


def denial(user: User, request: Request) -> str:
    """Return why a request is refused, in the API server's words."""
    if request.path:
        return f'User "{user.name}" cannot {request.verb} path "{request.path}"'
    where = (
        f'in the namespace "{request.namespace}"' if request.namespace else "at the cluster scope"
    )
    return (
        f'User "{user.name}" cannot {request.verb} resource "{request.full_resource}" '
        f'in API group "{request.group}" {where}'
    )


def _rule_allows(rule: Rule, request: Request) -> bool:
    if not _matches(rule.get("verbs"), request.verb):
        return False
    if request.path:
        return any(_path_matches(p, request.path) for p in rule.get("nonResourceURLs") or [])
    names = rule.get("resourceNames") or []
    return (
        _matches(rule.get("apiGroups"), request.group)
        and _resource_matches(rule.get("resources") or [], request)
        and (not names or request.name in names)
    )


def _matches(listed: Sequence[str] | None, value: str) -> bool:
    return value in (listed or []) or "*" in (listed or [])


def _resource_matches(listed: Sequence[str], request: Request) -> bool:
    return bool({"*", request.full_resource, f"*/{request.subresource}"} & set(listed))


def _path_matches(pattern: str, path: str) -> bool:
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def _requests_of(rule: Rule) -> Iterable[Request]:
    for verb in rule.get("verbs") or []:
        for path in rule.get("nonResourceURLs") or []:
            yield Request(verb, path=path)
        for group in rule.get("apiGroups") or []:
            for listed in rule.get("resources") or []:
                resource, _, subresource = listed.partition("/")
                for name in rule.get("resourceNames") or [""]:
                    yield Request(verb, group, resource, subresource, name=name)
