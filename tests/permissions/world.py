"""Two teams, everybody who could ask, and one of each thing they could ask for."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import yaml
from django.db import connection, transaction
from django.db.models import F
from django.test import Client

from gpuaas.accounts import services as accounts
from gpuaas.accounts.models import (
    ApiToken,
    Membership,
    MembershipRole,
    OrganisationRole,
    Team,
    User,
)
from gpuaas.audit.models import AuditEvent
from gpuaas.feeds import services as feeds
from gpuaas.feeds.models import CalendarFeed
from gpuaas.inventory import layouts
from gpuaas.inventory.models import Cluster
from gpuaas.notifications import services as notifications
from gpuaas.notifications.models import Delivery, Notice
from reservations import services as reservations
from reservations.capacity import Window
from reservations.lifecycle import PendingOn, State
from reservations.models import BookingTemplate, Reservation, Series
from reservations.recurrence import Every, Repeat
from sessions import services as sessions
from sessions.models import WorkspaceSession
from tests import make
from tests.notifications.tellers import announce
from tests.reports.months import ENDS, Month
from tests.unit.costs import sheets
from tests.unit.planning.scenarios import priceless
from tokenomics import documents
from tokenomics import services as planning
from tokenomics.core.lines import LineKind
from tokenomics.models import CostAdjustment, CostCentre, CostExport, CostSheet, SavedScenario
from tokenomics.services import exports, past

if TYPE_CHECKING:
    from tests.permissions.calls import Answer

NOWHERE: Final = UUID(int=0)
# Slugs that stand in no other text.
OURS: Final = "our-own-team"
THEIRS: Final = "the-other-team"


@dataclass(frozen=True)
class Thing:
    """How an address names one thing: ours, the other team's, and one that does not exist.

    ``theirs`` is None where a thing belongs to no team.
    """

    ours: dict[str, Any]
    theirs: dict[str, Any] | None
    missing: dict[str, Any]


@dataclass
class Side:
    """What one team has."""

    team: Team
    member: User
    manager: User
    viewer: User
    membership: Membership
    booked: Reservation
    running: Reservation
    pending: Reservation
    held: Reservation
    token: ApiToken
    event: AuditEvent
    session_pk: int
    scenario: SavedScenario
    notice: Notice
    feed: CalendarFeed
    secret: str
    series: Series
    template: BookingTemplate


@dataclass
class World:
    ours: Side
    theirs: Side
    things: dict[str, Thing]
    cookies: dict[str, str]
    bearer: str
    now: datetime
    pool_slug: str
    answers: "dict[tuple[str, str], Answer]" = field(default_factory=dict)

    def client(self, role: str) -> Client:
        """Return a new browser, or program, of ``role``."""
        if role == "token":
            return Client(
                headers={"Authorization": f"Bearer {self.bearer}"}, raise_request_exception=False
            )
        client = Client(raise_request_exception=False)
        if role in self.cookies:
            client.cookies["sessionid"] = self.cookies[role]
        return client


def build(now: datetime) -> World:
    """Make all of it, through the services."""
    make.user(username="newcomer")
    pool = make.pool(devices={make.SLICE: 8, make.GPU: 2})
    Cluster.objects.update(known_since=now - timedelta(days=1))  # and nothing ever looked at it
    ours, bearer = _side(OURS, pool, now)
    theirs, _ = _side(THEIRS, pool, now)
    leaver = make.user(username="leaver")
    make.membership(
        of=ours.team,
        whose=leaver,
        role=MembershipRole.MANAGER,
        expires_at=now - timedelta(days=1),
    )
    inactive = make.user(teams=[ours.team], role=MembershipRole.MANAGER, username="inactive")
    people: dict[str, User | None] = {
        "anonymous": None,
        "member": ours.member,
        "manager": ours.manager,
        "viewer": ours.viewer,
        "stranger": theirs.member,
        "their manager": theirs.manager,
        "finance": make.user(organisation_role=OrganisationRole.FINANCE),
        "platform admin": make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN),
        "leaver": leaver,
        "inactive": inactive,
    }
    connection.check_constraints()  # what a commit would do: the audit events get their links
    _month(pool, ours, theirs)
    cookies = {role: _cookie(person) for role, person in people.items() if person is not None}
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    return World(
        ours=ours,
        theirs=theirs,
        things=_things(ours, theirs),
        cookies=cookies,
        bearer=bearer,
        now=now,
        pool_slug=pool.slug,
    )


def _side(slug: str, pool: Any, now: datetime) -> tuple[Side, str]:
    team = make.team(slug=slug)
    member, manager, viewer = (
        make.user(teams=[team], role=role, username=f"{slug}-{role.value}")
        for role in (MembershipRole.MEMBER, MembershipRole.MANAGER, MembershipRole.VIEWER)
    )
    token, bearer = accounts.create_token(
        person=member,
        name="ci",
        expires_at=now + timedelta(days=1),
        longest=timedelta(days=1),
        now=now,
    )
    with transaction.atomic():
        accounts.note_use(token=token, now=now)
    running = make.reservation(
        of=pool,
        by=team,
        requested_by=member,
        at=Window(now - timedelta(hours=1), now + timedelta(hours=3)),
        state=State.ACTIVE,
    )
    session = make.session(of=running)
    sessions.share(reservation=running, name=viewer.username, actor=member, now=now)
    booked = make.admitted(
        of=pool,
        by=team,
        wish=make.wish(at=Window(now + timedelta(hours=24), now + timedelta(hours=28))),
        now=now,
    )
    ahead = Window(now + timedelta(hours=30), now + timedelta(hours=32))
    pending, held = (
        make.reservation(
            of=pool, by=team, at=ahead, state=State.PENDING, pending_on=on, created_at=now
        )
        for on in (PendingOn.APPROVER, PendingOn.REQUESTER)
    )
    scenario = planning.save_scenario(
        team=team, document=documents.yaml_of(priceless(name=slug)), actor=member, now=now
    )
    announce(team=team, to=member, key=slug, at=now)
    notifications.fan_out(now=now)
    # A number that stands in no page by chance.
    Notice.objects.filter(person=member, message__key=slug).update(id=F("id") + 700_000_000)
    notice = Notice.objects.get(person=member, message__key=slug)
    _, secret = feeds.create_feed(person=member, team=team, now=now)
    CalendarFeed.objects.filter(person=member).update(id=F("id") + 800_000_000)
    event = AuditEvent.objects.filter(team=team).latest("pk")
    Membership.objects.filter(team=team, user=viewer).update(id=F("id") + 900_000_000)
    membership = Membership.objects.get(team=team, user=viewer)
    side = Side(
        team,
        member,
        manager,
        viewer,
        membership,
        booked,
        running,
        pending,
        held,
        token,
        event,
        session.pk,
        scenario,
        notice,
        CalendarFeed.objects.get(person=member),
        secret,
        _series(pool, team, member, now),
        _template(pool, team, member, now),
    )
    return side, bearer


def _series(pool: Any, team: Team, member: User, now: datetime) -> Series:
    starts_at = now + timedelta(days=10)
    return reservations.book_series(
        pool=pool,
        team=team,
        requested_by=member,
        wish=make.wish(at=Window(starts_at, starts_at + timedelta(hours=1))),
        repeat=Repeat(Every.WEEK, ZoneInfo("UTC"), count=2),
        now=now,
    )


def _template(pool: Any, team: Team, member: User, now: datetime) -> BookingTemplate:
    return reservations.save_template(
        owner=member,
        team=team,
        pool=pool,
        name=f"nightly of {team.slug}",
        pattern=reservations.Pattern(make.SLICE, units=1, minutes=60),
        is_shared=True,
        now=now,
    )


def _month(pool: Any, *sides: Side) -> None:
    """Make a month in which the running booking of each side costs something."""
    month = Month(pool=pool)
    for side in sides:
        month.line(
            LineKind.BOOKED_USED,
            100,
            team=side.team,
            user=side.member,
            reservation=side.running,
            cost_centre=f"CC-{side.team.slug}",
        )
    month.summed()
    CostCentre.objects.create(code="CC-1")
    CostSheet.objects.create(
        document=yaml.safe_dump(sheets.plain()),
        currency="EUR",
        reason="first",
        entered_by=sides[0].member,
        entered_at=ENDS,
    )
    past.follow(now=ENDS)
    CostAdjustment.objects.create(
        period=month.period,
        cost_centre="CC-1",
        amount_minor=5,
        currency="EUR",
        reason="credit",
        entered_by=sides[0].member,
        entered_at=ENDS,
    )
    for side in sides:
        exports.ask(period=month.period, form="csv", actor=side.member, now=ENDS)


def _cookie(person: User) -> str:
    client = Client()
    client.force_login(person)
    return client.cookies["sessionid"].value


def _things(ours: Side, theirs: Side) -> dict[str, Thing]:
    def sided(name: str, of: Any, missing: Any) -> Thing:
        return Thing({name: of(ours)}, {name: of(theirs)}, {name: missing})

    def row(of: Any) -> Thing:
        return sided("object_id", of, 0)

    def shared(name: str, value: Any, missing: Any) -> Thing:
        return Thing({name: value}, None, {name: missing})

    node = ours.running.placed_on
    device = node.devices.earliest("pk")
    announcement = make.announcement()
    closure = make.closure(of=node, at=make.window(-48, -47))
    layout = make.layout(of=node, at=make.window(-48, -40), state=layouts.State.OVER)
    return {
        "": Thing({}, None, {}),
        "booked": sided("public_id", lambda side: side.booked.public_id, NOWHERE),
        "running": sided("public_id", lambda side: side.running.public_id, NOWHERE),
        "guest": Thing(
            {"public_id": ours.running.public_id, "username": ours.viewer.username},
            {"public_id": theirs.running.public_id, "username": theirs.viewer.username},
            {"public_id": NOWHERE, "username": "nobody"},
        ),
        "session": sided(
            "public_id",
            lambda side: WorkspaceSession.objects.get(pk=side.session_pk).public_id,
            NOWHERE,
        ),
        "pending": sided("public_id", lambda side: side.pending.public_id, NOWHERE),
        "held": sided("public_id", lambda side: side.held.public_id, NOWHERE),
        "series": sided("public_id", lambda side: side.series.public_id, NOWHERE),
        "template": sided("public_id", lambda side: side.template.public_id, NOWHERE),
        "series-row": row(lambda side: side.series.pk),
        "template-row": row(lambda side: side.template.pk),
        "token": sided("public_id", lambda side: side.token.public_id, "0" * 12),
        "team": sided("slug", lambda side: side.team.slug, "nowhere-team"),
        "member": Thing(
            {"slug": ours.team.slug, "number": ours.membership.pk},
            {"slug": theirs.team.slug, "number": theirs.membership.pk},
            {"slug": "nowhere-team", "number": 999_999_999},
        ),
        "notice": sided("number", lambda side: side.notice.pk, 0),
        "feed": sided("number", lambda side: side.feed.pk, 0),
        "month": shared("month", "2026-10", "1999-01"),
        "cost": Thing(
            {"month": "2026-10", "public_id": ours.running.public_id},
            {"month": "2026-10", "public_id": theirs.running.public_id},
            {"month": "2026-10", "public_id": NOWHERE},
        ),
        "export": sided(
            "public_id",
            lambda side: CostExport.objects.get(requested_by=side.member).public_id,
            NOWHERE,
        ),
        "adjustment": Thing(
            {"month": "2026-10", "public_id": CostAdjustment.objects.get().public_id},
            None,
            {"month": "2026-10", "public_id": NOWHERE},
        ),
        "cost-sheet": shared("number", CostSheet.objects.get().pk, 0),
        "secret": sided("secret", lambda side: side.secret, "nothing"),
        "named-team": sided("team", lambda side: side.team.slug, "nowhere-team"),
        "pool": shared("slug", ours.running.pool.slug, "nowhere"),
        "cluster": shared("name", node.cluster.name, "nowhere"),
        "node": shared("number", node.pk, 0),
        "device": shared("number", device.pk, 0),
        "announcement": shared("number", announcement.pk, 0),
        "announcement-row": shared("object_id", announcement.pk, 0),
        "closure": shared("number", 0, 0),
        "layout": shared("number", 0, 0),
        # rows of the admin site
        "team-row": row(lambda side: side.team.pk),
        "membership-row": row(lambda side: side.membership.pk),
        "person-row": row(lambda side: side.viewer.pk),
        "token-row": row(lambda side: side.token.pk),
        "event-row": row(lambda side: side.event.pk),
        "link-row": row(lambda side: side.event.link.pk),
        "reservation-row": row(lambda side: side.booked.pk),
        "session-row": row(lambda side: side.session_pk),
        "scenario-row": row(lambda side: side.scenario.pk),
        "message-row": row(lambda side: side.notice.message_id),
        "delivery-row": row(lambda side: _delivery_of(side.notice)),
        "cluster-row": shared("object_id", node.cluster_id, 0),
        "pool-row": shared("object_id", node.pool_id, 0),
        "node-row": shared("object_id", node.pk, 0),
        "device-row": shared("object_id", device.pk, 0),
        "closure-row": shared("object_id", closure.pk, 0),
        "layout-row": shared("object_id", layout.pk, 0),
        "nothing-row": shared("object_id", 0, 0),
        # what only the addresses of Django and allauth need
        "person": sided("id", lambda side: side.viewer.pk, 0),
        "app": shared("app_label", "accounts", "nothing"),
        "site": Thing({"content_type_id": 0, "object_id": 0}, None, {}),
        "key": shared("key", "nothing", "nothing"),
        "reset": Thing({"uidb36": "0", "key": "nothing"}, None, {}),
        "webauthn": shared("pk", 0, 0),
        "scenario": sided("public_id", lambda side: side.scenario.public_id, NOWHERE),
        "provider": shared("provider_id", "nothing", "nothing"),
    }


def _delivery_of(notice: Notice) -> int:
    return Delivery.objects.get(message=notice.message_id, person=notice.person_id).pk
