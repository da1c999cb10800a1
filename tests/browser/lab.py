"""A pool with bookings of one's own, of the team and of others, and how its pages are looked at."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page

from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Pool
from reservations import services
from reservations.capacity import Window
from reservations.models import Reservation
from tests import make
from tests.make import GPU

WIDTHS: Final = (1440, 390)
SERIOUS: Final = {"serious", "critical"}


class Lab:
    """Bookings of tomorrow around ``noon``, and maintenance two days later."""

    def __init__(self) -> None:
        tomorrow = timezone.now() + timedelta(days=1)
        self.noon = tomorrow.replace(hour=12, minute=0, second=0, microsecond=0)
        self.pool: Pool = make.pool(slug="lab")
        self.team, others = make.team(slug="vision"), make.team(slug="audio")
        self.ada: User = make.user(teams=(self.team,), username="ada")
        self.mine = self.book(self.ada, 0, 4, "Fine-tuning 言語モデル")
        self.book(make.user(teams=(self.team,)), 1, 9, "Evaluation")
        stranger = make.user(teams=(others,))
        self.book(stranger, -6, 30, "secret", team=others, resource_name=GPU)
        make.closure(of=self.pool, at=Window(self.at(48), self.at(54)))

    def at(self, hours: float) -> datetime:
        return self.noon + timedelta(hours=hours)

    def book(
        self,
        by: User,
        first_hour: float,
        last_hour: float,
        purpose: str,
        *,
        team: Team | None = None,
        **wish: Any,
    ) -> Reservation:
        """Book through the service."""
        asked = make.wish(at=Window(self.at(first_hour), self.at(last_hour)), **wish)
        return services.admit(
            pool=self.pool,
            team=team or self.team,
            requested_by=by,
            wish=replace(asked, purpose=purpose),
            now=timezone.now(),
        )


def serious(page: Page) -> list[str]:
    """Return what axe-core finds on ``page`` that keeps people out, each with its first place."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0]['failureSummary']}"
        for each in found
        if each["impact"] in SERIOUS
    ]
