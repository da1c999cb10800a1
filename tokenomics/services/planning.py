"""Everything that changes what planning keeps."""

from datetime import datetime
from typing import ClassVar, Final

from django.db import IntegrityError, transaction

from gpuaas.accounts.models import Team, User
from gpuaas.audit import services as audit
from gpuaas.core.errors import DomainError
from tokenomics import documents
from tokenomics.models.planning import EnteredPrices, SavedScenario
from tokenomics.selectors import planning as selectors

MOST_SCENARIOS_PER_TEAM: Final = 200


class NotYourScenario(DomainError):
    """The team's scenarios may be seen, not written."""

    code: ClassVar[str] = "not_your_team"


class ScenarioNameTaken(DomainError):
    """The team has another scenario of that name."""

    code: ClassVar[str] = "name_taken"


class StaleScenario(DomainError):
    """Somebody changed the scenario meanwhile."""

    code: ClassVar[str] = "stale"


class TooManyScenarios(DomainError):
    """The team keeps as many as it may."""

    code: ClassVar[str] = "too_many_scenarios"


class PricesNotYours(DomainError):
    """Cloud prices are finance's and the platform administrators'."""

    code: ClassVar[str] = "not_your_prices"


def save_scenario(*, team: Team, document: str, actor: User, now: datetime) -> SavedScenario:
    """Keep ``document``, the YAML of a scenario, under the name inside it.

    Raises `documents.ScenarioRefused`, `NotYourScenario`, `ScenarioNameTaken` or
    `TooManyScenarios`.
    """
    _refuse_unless_writable(team, actor, now=now)
    name = documents.scenario_from(document).name
    if SavedScenario.objects.filter(team=team).count() >= MOST_SCENARIOS_PER_TEAM:
        message = f"{team} keeps {MOST_SCENARIOS_PER_TEAM} scenarios, the most it may: remove one"
        raise TooManyScenarios(message)
    try:
        with transaction.atomic():
            made = SavedScenario.objects.create(
                team=team,
                name=name,
                document=document,
                created_by=actor,
                created_at=now,
                updated_by=actor,
                updated_at=now,
            )
            _record("saved", made, actor, now=now)
    except IntegrityError as error:
        raise _taken(team, name) from error
    return made


def change_scenario(
    *, scenario: SavedScenario, document: str, version: int, actor: User, now: datetime
) -> SavedScenario:
    """Replace the document of ``scenario``, which was at ``version`` when the change was begun.

    Raises as `save_scenario`, and `StaleScenario` when it is at another version.
    """
    _refuse_unless_writable(scenario.team, actor, now=now)
    name = documents.scenario_from(document).name
    try:
        with transaction.atomic():
            changed = SavedScenario.objects.filter(pk=scenario.pk, version=version).update(
                name=name,
                document=document,
                version=version + 1,
                updated_by=actor,
                updated_at=now,
            )
            if not changed:
                message = f"{scenario} is not at version {version} any more: look again"
                raise StaleScenario(message)
            _record("changed", scenario, actor, now=now)
    except IntegrityError as error:
        raise _taken(scenario.team, name) from error
    scenario.refresh_from_db()
    return scenario


def remove_scenario(*, scenario: SavedScenario, actor: User, now: datetime) -> None:
    """Remove ``scenario`` for good; the trail keeps its name.  May raise `NotYourScenario`."""
    _refuse_unless_writable(scenario.team, actor, now=now)
    with transaction.atomic():
        _record("removed", scenario, actor, now=now)
        SavedScenario.objects.filter(pk=scenario.pk).delete()


def enter_prices(*, document: str, actor: User, now: datetime) -> EnteredPrices:
    """Make ``document``, the YAML of a price list, the installation's cloud prices from now on.

    Raises `PricesNotYours` or `documents.ScenarioRefused`.
    """
    if not selectors.may_enter_prices(actor):
        raise PricesNotYours("cloud prices are entered by finance or a platform administrator")
    prices = documents.prices_from(document)
    with transaction.atomic():
        made = EnteredPrices.objects.create(
            document=document,
            currency=prices.currency,
            read_on=prices.read_on,
            entered_by=actor,
            entered_at=now,
        )
        audit.record("prices.entered", subject=f"prices:{made.pk}", actor=actor, at=now)
    return made


def _refuse_unless_writable(team: Team, actor: User, *, now: datetime) -> None:
    if not selectors.teams_to_save_in(actor, now=now).filter(pk=team.pk).exists():
        raise NotYourScenario(f"you may look at the scenarios of {team}, not more")


def _taken(team: Team, name: str) -> ScenarioNameTaken:
    return ScenarioNameTaken(f"{team} has a scenario named {name}: choose another name")


def _record(what: str, scenario: SavedScenario, actor: User, *, now: datetime) -> None:
    audit.record(
        f"scenario.{what}",
        subject=f"scenario:{scenario.public_id}",
        actor=actor,
        at=now,
        team=scenario.team,
        name=scenario.name,
    )
