"""Callers of the API, by what they are to one team."""

from typing import Any

from rest_framework.test import APIClient

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from tests import make
from tests.api import conformance

CALLERS = ("member", "manager", "viewer", "outsider", "anonymous", "finance", "admin", "leaver")


class CheckedClient(APIClient):
    """Holds every answer to the OpenAPI document."""

    def request(self, **request: Any) -> Any:
        response = super().request(**request)
        conformance.check(response, request["REQUEST_METHOD"])
        return response


def client_of(user: User | None) -> APIClient:
    client = CheckedClient()
    if user is not None:
        client.force_login(user)
    return client


def client(caller: str, *, team: Team) -> APIClient:
    """Return a client that is ``caller`` to ``team``."""
    if caller == "leaver":
        person = make.user()
        make.membership(of=team, whose=person, expires_at=make.NOON)
        return client_of(person)
    makers: dict[str, Any] = {
        "member": lambda: make.user(teams=[team]),
        "manager": lambda: make.user(teams=[team], role=MembershipRole.MANAGER),
        "viewer": lambda: make.user(teams=[team], role=MembershipRole.VIEWER),
        "outsider": lambda: make.user(teams=[make.team()]),
        "anonymous": lambda: None,
        "finance": lambda: make.user(organisation_role=OrganisationRole.FINANCE),
        "admin": lambda: make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
    }
    return client_of(makers[caller]())
