"""What has to be approved: held meanwhile, then approved, rejected or lapsed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gpuaas.accounts.models import MembershipRole, OrganisationRole, Team, User
from gpuaas.audit import selectors as audit
from gpuaas.inventory.models import Device, DeviceState, Pool
from gpuaas.notifications.models import OutboxMessage
from reservations import facts, policy, selectors, services
from reservations.lifecycle import PendingOn, State
from reservations.models import Reservation
from reservations.services import Approval
from reservations.services.booking import APPROVE_WITHIN
from tests import make
from tests.make import SLICE

pytestmark = pytest.mark.django_db

MANAGER, PLATFORM_ADMIN = policy.Approver.MANAGER, policy.Approver.PLATFORM_ADMIN


@pytest.fixture
def admin() -> User:
    return make.user(organisation_role=OrganisationRole.PLATFORM_ADMIN)


@pytest.fixture
def team() -> Team:
    return make.team()


@pytest.fixture
def manager(team: Team) -> User:
    return make.user(teams=[team], role=MembershipRole.MANAGER)


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 4})


@pytest.fixture
def book(pool: Pool, team: Team, admin: User) -> Callable[..., Reservation]:
    """Book two units, of which the team's manager has to approve all above one."""
    services.set_team_rules(
        team=team, changes={"approval_above_units": 1}, actor=admin, now=make.NOON
    )

    def booked(units: int = 2, by: User | None = None, **asked: Any) -> Reservation:
        return services.admit(
            pool=pool,
            team=team,
            requested_by=by or make.user(teams=[team]),
            **{"wish": make.wish(units=units), "now": make.NOON, **asked},
        )

    return booked


def told(reservation: Reservation) -> list[str]:
    messages = OutboxMessage.objects.filter(subject=reservation.subject).order_by("pk")
    return [each.event for each in messages]


def test_what_breaks_only_a_threshold_waits_for_approval_and_holds_its_place(
    book: Callable[..., Reservation], pool: Pool
) -> None:
    pending = book(units=4)

    assert (pending.state, pending.pending_on) == (State.PENDING, PendingOn.APPROVER)
    assert (pending.approver, pending.held_until) == (MANAGER, pending.starts_at)
    assert pending.holds.count() == 4
    assert told(pending) == ["reservation.pending"]
    with pytest.raises(services.PoolFull):
        make.admitted(of=pool, wish=make.wish())


def test_it_is_not_held_for_ever(book: Callable[..., Reservation]) -> None:
    wish = make.wish(units=2, at=make.window(24 * 20, 24 * 20 + 4))

    assert book(wish=wish).held_until == make.NOON + APPROVE_WITHIN


def test_the_same_wish_again_is_the_same_booking(book: Callable[..., Reservation]) -> None:
    wish, person = make.wish(units=2), make.user()
    team = Team.objects.latest("pk")
    make.membership(of=team, whose=person)

    assert book(wish=wish, by=person) == book(wish=wish, by=person)


@pytest.mark.parametrize(
    ("changes", "by_manager", "asked", "outcome"),
    [
        ({}, False, {}, "PENDING 1"),
        ({}, True, {}, "approval_needed"),
        ({}, True, {"ask_approval": True}, "PENDING 1"),
        ({"concurrent_units": 1}, False, {}, "approval_needed too_many_units_at_once"),
        ({"concurrent_units": 1}, False, {"ask_approval": True}, "PENDING 1"),
        ({"budget_minor": 1}, False, {"ask_approval": True}, "PENDING 2"),
        ({}, False, {"wish": make.wish(units=9), "ask_approval": True}, "too_many_units"),
        ({}, False, {"wish": make.wish(units=2, at=make.window(0, 2))}, "approval_needed"),
    ],
)
def test_who_is_asked_and_what_is_refused_all_the_same(  # noqa: PLR0913 -- a table and its world
    *,
    changes: dict[str, Any],
    by_manager: bool,
    asked: dict[str, Any],
    outcome: str,
    book: Callable[..., Reservation],
    pool: Pool,
    team: Team,
    manager: User,
    admin: User,
) -> None:
    services.set_price(
        pool=pool,
        resource_name=SLICE,
        minor_units_per_unit_hour=100,
        currency="EUR",
        valid_from=make.NOON,
        actor=admin,
        now=make.NOON,
    )
    more = {**changes, "currency": "EUR"}
    services.set_team_rules(team=team, changes=more, actor=admin, now=make.NOON)

    try:
        booked = book(by=manager if by_manager else None, **asked)
    except services.WishRefused as refused:
        found = " ".join(sorted({each.code for each in refused.problems} - {"approval_needed"}))
        assert (found or "approval_needed") in outcome
    else:
        assert f"{booked.state} {booked.approver}" == outcome


def test_who_tried_to_set_it_aside_without_being_allowed_is_refused(
    book: Callable[..., Reservation], team: Team
) -> None:
    person = make.user(teams=[team])
    approval = Approval(by=person, override=frozenset({"approval_needed"}), reason="please")

    with pytest.raises(services.WishRefused):
        book(by=person, approval=approval)


def test_approved_it_is_booked_as_it_was_held(
    book: Callable[..., Reservation], manager: User, team: Team
) -> None:
    pending = book()
    devices = set(pending.holds.values_list("device", flat=True))

    services.approve(reservation=pending, actor=manager, now=make.at(0.5), reason="the release")

    kept = Reservation.objects.get(pk=pending.pk)
    assert (kept.state, kept.pending_on, kept.approver, kept.held_until) == (
        State.APPROVED,
        "",
        None,
        None,
    )
    assert (kept.overridden, kept.approved_by) == (["approval_needed"], manager)
    assert set(kept.holds.values_list("device", flat=True)) == devices
    assert told(kept) == ["reservation.pending", "reservation.approved"]
    (_, approved) = audit.history_of(kept.subject)
    assert approved.action == "reservation.approved"
    assert "the release" in approved.data["reason"]


def test_rejected_it_gives_everything_back_and_says_why(
    book: Callable[..., Reservation], manager: User, team: Team, pool: Pool
) -> None:
    pending = book(units=4)
    with pytest.raises(services.WishRefused, match="say why"):
        services.reject(reservation=pending, actor=manager, reason=" ", now=make.NOON)

    services.reject(reservation=pending, actor=manager, reason="next week", now=make.NOON)

    assert (pending.state, pending.held_until) == (State.CANCELED, None)
    assert "next week" in pending.state_reason
    assert told(pending) == ["reservation.pending", "reservation.rejected"]
    assert facts.used_by(team, now=make.NOON).units_now == 0
    make.admitted(of=pool, wish=make.wish(units=4))


@pytest.mark.parametrize(
    ("who", "managers_may", "outcome"),
    [
        ("member", True, "refused"),
        ("requester", True, "refused"),
        ("manager of another", True, "refused"),
        ("manager", True, "approved"),
        ("manager", False, "refused"),
        ("admin", False, "approved"),
    ],
)
def test_who_may_approve_is_a_matter_of_the_rules_as_they_are_now(
    who: str,
    managers_may: bool,
    outcome: str,
    pool: Pool,
    team: Team,
    manager: User,
    admin: User,
) -> None:
    changes = {"approval_above_units": 1, "managers_may_approve": not managers_may}
    services.set_pool_rules(pool=pool, changes=changes, actor=admin, now=make.NOON)
    pending = make.admitted(of=pool, by=team, wish=make.wish(units=2))
    assert pending.approver == (PLATFORM_ADMIN if managers_may else MANAGER)
    changes = {"managers_may_approve": managers_may}
    services.set_pool_rules(pool=pool, changes=changes, actor=admin, now=make.NOON)
    actor = {
        "member": make.user(teams=[team]),
        "requester": pending.requested_by,
        "manager of another": make.user(teams=[make.team()], role=MembershipRole.MANAGER),
        "manager": manager,
        "admin": admin,
    }[who]

    try:
        services.approve(reservation=pending, actor=actor, now=make.NOON)
    except services.NotYoursToApprove:
        assert outcome == "refused"
    else:
        assert outcome == "approved"
    assert (pending.state == State.APPROVED) == (outcome == "approved")


def test_what_nobody_can_set_aside_any_more_cannot_be_approved(
    book: Callable[..., Reservation], manager: User, team: Team, admin: User
) -> None:
    pending = book()
    services.set_team_rules(team=team, changes={}, pools=[make.pool()], actor=admin, now=make.NOON)

    with pytest.raises(services.WishRefused, match="may not book in"):
        services.approve(reservation=pending, actor=manager, now=make.NOON)
    assert pending.state == State.PENDING


def test_it_does_not_stand_against_itself_nor_does_the_time_that_passed(
    book: Callable[..., Reservation], manager: User, team: Team, pool: Pool, admin: User
) -> None:
    services.set_team_rules(team=team, changes={"concurrent_units": 2}, actor=admin, now=make.NOON)
    changes = {"lead_time_minutes": 45}
    services.set_pool_rules(pool=pool, changes=changes, actor=admin, now=make.NOON)
    pending = book()

    services.approve(reservation=pending, actor=manager, now=make.at(0.9))

    assert pending.overridden == ["approval_needed"]


@pytest.mark.parametrize("service", [services.approve, services.reject])
@pytest.mark.parametrize(
    ("state", "on", "at_hour", "refusal"),
    [
        (State.PENDING, PendingOn.APPROVER, 0.5, services.HoldLapsed),
        (State.PENDING, PendingOn.REQUESTER, 0, services.NotWaitingForThis),
        (State.APPROVED, PendingOn.APPROVER, 0, services.NotWaitingForThis),
    ],
)
def test_a_word_that_nobody_waits_for_changes_nothing(
    service: Callable[..., None],
    state: State,
    on: PendingOn,
    at_hour: float,
    refusal: type[Exception],
    admin: User,
) -> None:
    made = make.reservation(state=state, pending_on=on, held_until=make.at(0.5))

    with pytest.raises(refusal):
        service(reservation=made, actor=admin, now=make.at(at_hour), reason="because")
    assert Reservation.objects.get(pk=made.pk).state == state


@pytest.mark.parametrize("late", [timedelta(0), timedelta(hours=30)])
def test_what_nobody_approved_in_time_lapses_once_however_late(
    book: Callable[..., Reservation], late: timedelta, pool: Pool
) -> None:
    pending = book(units=4)
    assert services.lapse_due(now=make.at(1) - timedelta(seconds=1)) == []

    assert services.lapse_due(now=make.at(1) + late) == [pending]
    assert services.lapse_due(now=make.at(1) + late) == []

    pending.refresh_from_db()
    assert (pending.state, pending.released_at) == (State.CANCELED, make.at(1))
    assert pending.state_reason == "nobody approved it in time"
    assert told(pending) == ["reservation.pending", "reservation.rejected"]
    make.admitted(of=pool, wish=make.wish(units=4, at=make.window(1, 5)), now=make.at(1))


def test_a_hold_that_nobody_took_is_told_as_such() -> None:
    held = make.reservation(
        state=State.PENDING, pending_on=PendingOn.REQUESTER, held_until=make.at(0.5)
    )

    services.lapse_due(now=make.at(0.5))

    assert told(held) == ["reservation.hold_lapsed"]


def test_what_is_held_is_not_extended_and_not_started(pool: Pool) -> None:
    pending = make.reservation(of=pool, state=State.PENDING)

    with pytest.raises(services.CannotExtend, match="not approved yet"):
        services.extend(
            reservation=pending, ends_at=make.at(6), actor=pending.requested_by, now=make.NOON
        )
    assert not selectors.due_to_start(pool.cluster, now=make.at(2)).exists()
    assert not selectors.missed(pool.cluster, now=make.at(9)).exists()


def test_everybody_sees_what_they_may_approve(team: Team, manager: User, admin: User) -> None:
    def pending(until: datetime, approver: policy.Approver, by: Team = team) -> Reservation:
        made = make.reservation(by=by, state=State.PENDING, held_until=until)
        Reservation.objects.filter(pk=made.pk).update(approver=approver)
        return made

    later, sooner = pending(make.at(0.9), MANAGER), pending(make.at(0.5), MANAGER)
    large = pending(make.at(0.7), PLATFORM_ADMIN)
    foreign = pending(make.at(0.8), MANAGER, make.team())
    pending(make.NOON, MANAGER)
    make.reservation(by=team, state=State.PENDING, pending_on=PendingOn.REQUESTER)

    assert list(selectors.approvals_for(manager, now=make.NOON)) == [sooner, later]
    assert list(selectors.approvals_for(admin, now=make.NOON)) == [sooner, large, foreign, later]
    assert not selectors.approvals_for(make.user(teams=[team]), now=make.NOON).exists()


def test_a_booking_that_ends_is_no_more_in_the_queue(
    book: Callable[..., Reservation], manager: User
) -> None:
    pending = book(wish=replace(make.wish(units=2), purpose="a demo"))
    assert selectors.approvals_for(manager, now=make.NOON).get() == pending

    services.cancel(reservation=pending, actor=pending.requested_by, now=make.NOON)

    assert not selectors.approvals_for(manager, now=make.NOON).exists()


def test_what_is_pending_is_moved_when_its_device_fails(
    book: Callable[..., Reservation], manager: User, pool: Pool
) -> None:
    pending = book()
    (broken, *_) = pending.holds.values_list("device", flat=True)
    Device.objects.filter(pk=broken).update(state=DeviceState.FAILED)

    services.heal(pool=pool, now=make.NOON)

    held = set(pending.holds.values_list("device", flat=True))
    assert len(held) == 2
    assert broken not in held
    services.approve(
        reservation=Reservation.objects.get(pk=pending.pk), actor=manager, now=make.NOON
    )
