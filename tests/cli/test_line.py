"""What is held and not booked, from the command line: approval, and the line."""

import json
from datetime import timedelta
from typing import Any

import pytest

from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import MembershipRole, OrganisationRole
from gpuaas_cli import logins
from reservations import services
from tests import make
from tests.cli.conftest import Office, Terminal

BOOK = ("book", "1g.24gb", "--units", "4", "--start", "13:00", "--for", "4h")


@pytest.fixture
def boss(ada: Terminal, office: Office) -> Terminal:
    """Return the terminal of the team's manager."""
    person = make.user(teams=[office.team], role=MembershipRole.MANAGER, username="boss")
    _, token = accounts.create_token(
        person=person, name="pc", expires_at=make.at(9), longest=timedelta(days=1), now=make.NOON
    )
    return Terminal({**ada.env, logins.TOKEN: token})


def found(result: Any) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_asking_for_approval_and_getting_it(ada: Terminal, boss: Terminal, office: Office) -> None:
    services.set_team_rules(
        team=office.team,
        changes={"approval_above_units": 1},
        actor=make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        now=make.NOON,
    )

    asked = found(ada(*BOOK, "--json"))
    assert "waits for   approver" in ada("show", asked["id"]).stdout
    assert [each["id"] for each in found(boss("list", "--to-approve", "--json"))] == [asked["id"]]
    assert ada("approve", asked["id"]).exit_code == 1
    assert boss("reject", asked["id"]).exit_code == 2  # without a reason
    assert "APPROVED" in boss("approve", asked["id"], "--reason", "demo").stdout
    assert "boss" in ada("history", asked["id"], "--utc").stdout
    assert len(found(ada("history", asked["id"], "--json"))) == 2


def test_rejecting(ada: Terminal, boss: Terminal, office: Office) -> None:
    services.set_team_rules(
        team=office.team,
        changes={"approval_above_units": 1},
        actor=make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        now=make.NOON,
    )
    asked = found(ada(*BOOK, "--ask-approval", "--json"))

    assert "too many" in boss("reject", asked["id"], "--reason", "too many").stdout


def test_waiting_in_line(ada: Terminal) -> None:
    first = found(ada(*BOOK, "--json"))
    for word in ("take", "pass"):
        waiting = found(ada(*BOOK, "--wait", "--json"))
        assert waiting["state"] == "WAITLISTED"
        assert "place in line" in ada("show", waiting["id"]).stdout
        # It is not held yet.
        assert ada(word, waiting["id"]).exit_code == 1
        ada("cancel", waiting["id"], "--yes")
    assert [each["id"] for each in found(ada("list", "--json"))] == [first["id"]]
