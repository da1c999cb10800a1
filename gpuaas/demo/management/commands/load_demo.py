"""``manage.py load_demo``: people, teams and a cluster to try the product with."""

from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from gpuaas import demo
from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import MembershipRole, OrganisationRole
from gpuaas.inventory import services as inventory
from reservations import facts
from reservations import services as reservations

CLUSTER = "demo"
VISION_BUDGET = {
    "budget_minor": 250_000,
    "currency": settings.CURRENCY,
    "gpu_hours_per_week": 120,
    "approval_above_minutes": 3 * 24 * 60,
}
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
                username=login.username,
                password=login.password,
                email=f"{login.username}@example.com",
                first_name=login.first_name,
                last_name=login.last_name,
                organisation_role=ORGANISATION_ROLES.get(login.username, OrganisationRole.NONE),
            )
            for login in demo.LOGINS
        }
        vision = accounts.ensure_team(name="Vision", slug="vision", cost_centre="CC-4711")
        language = accounts.ensure_team(name="Language", slug="language", cost_centre="CC-4712")
        for username, role in (("ada", MembershipRole.MEMBER), ("mona", MembershipRole.MANAGER)):
            accounts.add_member(
                team=vision, user=users[username], role=role, granted_by=users["root"], now=now
            )
        for team, budget in ((vision, VISION_BUDGET), (language, LANGUAGE_BUDGET)):
            limits, _ = facts.team_rules(team)
            if limits.pk is None:
                reservations.set_team_rules(team=team, changes=budget, actor=users["root"], now=now)
        inventory.ensure_cluster(
            name=CLUSTER,
            display_name="Demo cluster",
            workspace_url_template=workspace_url,
        )
        self.stdout.write(f"{len(users)} people, 2 teams, 1 cluster")
