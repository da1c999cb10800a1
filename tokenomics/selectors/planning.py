"""What planning reads: scenarios that a person may see, and the prices that count."""

from datetime import datetime

from django.db.models import QuerySet

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import Team, User
from tokenomics import documents
from tokenomics.core.scenario import PriceList
from tokenomics.models.planning import EnteredPrices, SavedScenario


def teams_to_save_in(user: User, *, now: datetime) -> QuerySet[Team]:
    """Return the teams whose scenarios ``user`` may write: finance and administrators all."""
    if user.is_finance or user.is_platform_admin:
        return accounts.teams_visible_to(user, now=now)
    return accounts.teams_bookable_by(user, now=now)


def scenarios_visible_to(user: User, *, now: datetime) -> QuerySet[SavedScenario]:
    """Return the scenarios of the teams that ``user`` sees, by name."""
    visible = accounts.teams_visible_to(user, now=now)
    return SavedScenario.objects.filter(team__in=visible).select_related(
        "team", "created_by", "updated_by"
    )


def may_enter_prices(user: User) -> bool:
    """Return whether ``user`` may replace the installation's cloud prices."""
    return user.is_active and (user.is_finance or user.is_platform_admin)


def entered_prices() -> QuerySet[EnteredPrices]:
    """Return every version that was entered, the last first."""
    return EnteredPrices.objects.select_related("entered_by")


def prices() -> PriceList:
    """Return the cloud prices that count: the last entered, else those that came packaged."""
    last = entered_prices().first()
    return documents.prices_from(last.document) if last else documents.packaged_prices()
