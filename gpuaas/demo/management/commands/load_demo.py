"""``manage.py load_demo``: people, teams and a cluster to try the product with."""

from argparse import ArgumentParser
from datetime import datetime, timedelta

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from gpuaas import demo
from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import MembershipRole, OrganisationRole, User
from gpuaas.inventory import resource_types
from gpuaas.inventory import services as inventory
from gpuaas.inventory.models import Closure, ClosureKind, Pool
from reservations import facts
from reservations import services as reservations
from tokenomics import documents
from tokenomics.selectors import costs
from tokenomics.services import inputs, periods

CLUSTER = "demo"
VISION_BUDGET = {
    "budget_minor": 250_000,
    "currency": settings.CURRENCY,
    "gpu_hours_per_week": 120,
    "approval_above_minutes": 3 * 24 * 60,
}
WHOLE_GPU_MINOR_PER_HOUR = 480
MAINTENANCE_IN = timedelta(days=10)
MAINTENANCE_FOR = timedelta(hours=2)
LANGUAGE_BUDGET = {"budget_minor": 150_000, "currency": settings.CURRENCY}
ORGANISATION_ROLES = {
    "finn": OrganisationRole.FINANCE,
    "root": OrganisationRole.PLATFORM_ADMIN,
}


class Command(BaseCommand):
    help = "Load the demo organisation; loading it again changes nothing but the address given."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--workspace-url",
            default="https://{namespace}.apps.example.com/",
            help="where workspaces answer; contains {namespace}",
        )

    def handle(self, *args: object, workspace_url: str, **options: object) -> None:  # noqa: ARG002 -- Django's signature
        now = timezone.now()
        users = {
            login.username: accounts.ensure_user(
                now=now,
                username=login.username,
                password=login.password,
                email=f"{login.username}@example.com",
                first_name=login.first_name,
                last_name=login.last_name,
                organisation_role=ORGANISATION_ROLES.get(login.username, OrganisationRole.NONE),
            )
            for login in demo.LOGINS
        }
        vision = accounts.ensure_team(name="Vision", slug="vision", cost_centre="CC-4711", now=now)
        language = accounts.ensure_team(
            name="Language", slug="language", cost_centre="CC-4712", now=now
        )
        for username, role in (("ada", MembershipRole.MEMBER), ("mona", MembershipRole.MANAGER)):
            accounts.add_member(
                team=vision, user=users[username], role=role, granted_by=users["root"], now=now
            )
        for team, budget in ((vision, VISION_BUDGET), (language, LANGUAGE_BUDGET)):
            limits, _ = facts.team_rules(team)
            if limits.pk is None:
                reservations.set_team_rules(team=team, changes=budget, actor=users["root"], now=now)
        cluster = inventory.ensure_cluster(
            name=CLUSTER,
            display_name="Demo cluster",
            workspace_url_template=workspace_url,
        )
        pools = tuple(Pool.objects.filter(nodes__cluster=cluster).distinct())
        for pool in pools:
            _ensure_prices(pool, actor=users["root"], now=now)
            _ensure_maintenance(pool, actor=users["root"], now=now)
        _ensure_costs(actor=users["finn"], now=now)
        self.stdout.write(f"{len(users)} people, 2 teams, 1 cluster, {len(pools)} priced pools")


def _ensure_prices(pool: Pool, *, actor: User, now: datetime) -> None:
    """Give every type without a price the share of a whole GPU's that it computes with."""
    priced = set(facts.prices_of(pool).values_list("resource_name", flat=True))
    for each in resource_types.of(pool):
        if each.resource_name not in priced:
            reservations.set_price(
                pool=pool,
                resource_name=each.resource_name,
                minor_units_per_unit_hour=round(WHOLE_GPU_MINOR_PER_HOUR * each.compute_share),
                currency=settings.CURRENCY,
                valid_from=now,
                actor=actor,
                now=now,
            )


def _ensure_costs(*, actor: User, now: datetime) -> None:
    """Enter the example of a cost sheet, so that this month costs something."""
    example = documents.example_sheet()
    if not costs.sheets().exists() and settings.CURRENCY in example:
        inputs.enter_sheet(document=example, reason="An example", actor=actor, now=now)
    periods.keep_up_to_date(now=now)


def _ensure_maintenance(pool: Pool, *, actor: User, now: datetime) -> None:
    """Plan one evening of maintenance, so that there is one to see."""
    if Closure.objects.filter(pool=pool).exists():
        return
    starts_at = (now + MAINTENANCE_IN).replace(hour=20, minute=0, second=0, microsecond=0)
    inventory.plan_closure(
        target=pool,
        kind=ClosureKind.MAINTENANCE,
        starts_at=starts_at,
        ends_at=starts_at + MAINTENANCE_FOR,
        reason="Driver update",
        actor=actor,
        now=now,
    )
