"""A month calculated: everything that it costs is paid by somebody, every hour is somebody's."""

from datetime import timedelta

import pytest
from django.db.models import Sum

from gpuaas.inventory.models import Device, DeviceState
from reservations import lifecycle
from reservations.capacity import Window
from tests import make
from tests.costs.october import (
    ALL_IN_ONE,
    OVER,
    STARTS,
    October,
    enter,
    finance,
    lines_of,
    october,
    team,
)
from tests.unit.planning.scenarios import worked
from tokenomics.core.lines import NS_PER_HOUR, LineKind
from tokenomics.models import CostLine, CostPeriod, CostPool, DeviceSpan, IdlePolicy
from tokenomics.selectors import costs as selectors
from tokenomics.services import calculation, past, periods

pytestmark = pytest.mark.django_db
EXAMPLE = worked("seed_hardware")["allocation"]


@pytest.fixture
def month() -> October:
    return october()


def calculated(month: October, *, policy: IdlePolicy = IdlePolicy.PLATFORM) -> CostPeriod:
    period = periods.set_idle_policy(period=month.period(), policy=policy, actor=month.by, now=OVER)
    return calculation.calculate(period, now=OVER)


def paid(month: October, name: str) -> int:
    lines = CostLine.objects.filter(reservation__in=month.bookings[name])
    return int(lines.aggregate(paid=Sum("amount_minor"))["paid"])


def of(kind: LineKind) -> int:
    lines = CostLine.objects.filter(kind=kind.value)
    return int(lines.aggregate(paid=Sum("amount_minor"))["paid"] or 0)


def test_the_reference_month_to_the_cent(month: October) -> None:
    enter(month.by, hardware=[], watts=[], other=[ALL_IN_ONE])

    period = calculated(month)

    shares = [paid(month, name) for name in ("R1", "R2", "R3", "R4")]
    # R1 comes in pieces here, since no booking is longer than 14 days.
    assert shares == pytest.approx(EXAMPLE["cents"][:4], abs=2)
    assert sum(shares) + of(LineKind.IDLE) == EXAMPLE["pool_cents"]
    assert of(LineKind.IDLE) == pytest.approx(EXAMPLE["cents"][4], abs=2)
    assert selectors.reconciliation(period).is_even


def test_the_reference_month_spread_over_bookings(month: October) -> None:
    enter(month.by, hardware=[], watts=[], other=[ALL_IN_ONE])

    period = calculated(month, policy=IdlePolicy.SPREAD)

    shares = [paid(month, name) for name in ("R1", "R2", "R3", "R4")]
    assert shares == pytest.approx(EXAMPLE["policyB"], abs=2)
    assert sum(shares) == EXAMPLE["pool_cents"]
    assert of(LineKind.IDLE) == 0
    assert selectors.reconciliation(period).is_even


def test_the_reference_month_at_a_standard_rate(month: October) -> None:
    rate = {"price_per_gpu_hour": "2", "valid_from": "2026-01-01", "source": "board"}
    enter(month.by, rates=[rate])

    period = calculated(month, policy=IdlePolicy.STANDARD_RATE)

    assert [paid(month, name) for name in ("R2", "R3", "R4")] == [20_000, 60_000, 5_000]
    assert of(LineKind.VARIANCE) == 182_828 - 122_200
    assert selectors.reconciliation(period).is_even


def test_used_and_unused_by_what_worked(month: October) -> None:
    enter(month.by, hardware=[], watts=[], other=[ALL_IN_ONE])
    for name, percent in (("R1", 55), ("R2", 20), ("R3", 70), ("R4", 5)):
        month.worked(name, percent)

    calculated(month)

    for name, share in (("R2", 0.20), ("R3", 0.70), ("R4", 0.05)):
        lines = CostLine.objects.filter(reservation__in=month.bookings[name])
        used = lines.get(kind=LineKind.BOOKED_USED.value)
        assert used.amount_minor == pytest.approx(paid(month, name) * share, abs=1)
        assert used.is_measured
        assert lines.get(kind=LineKind.BOOKED_UNUSED.value).gpu_ns > 0


@pytest.mark.parametrize(("percent", "kind"), [(100, "booked_used"), (0, "booked_unused")])
def test_what_worked_always_or_never_is_one_line(month: October, percent: int, kind: str) -> None:
    enter(month.by)
    month.worked("R3", percent)

    period = calculated(month)

    line = CostLine.objects.get(reservation__in=month.bookings["R3"])
    assert (line.kind, line.is_measured) == (kind, True)
    assert selectors.reconciliation(period).is_even


def test_what_was_not_measured_counts_as_used(month: October) -> None:
    enter(month.by)

    calculated(month)

    assert of(LineKind.BOOKED_UNUSED) == 0
    assert not CostLine.objects.filter(reservation__isnull=False, is_measured=True).exists()


def test_four_categories_and_where_they_come_from(month: October) -> None:
    enter(month.by)

    period = calculated(month)

    pools = {each.category: each.amount_minor for each in CostPool.objects.all()}
    assert pools == {"capital": 112_500, "maintenance": 50_000, "power": 13_200, "cooling": 7_128}
    assert CostPool.objects.get(category="capital").made_of[0]["source"] == "order 4711"
    assert period.summary["total_minor"] == 182_828
    assert period.summary["pools"]["lab"]["power"]["source"] == "nameplate"
    found = selectors.reconciliation(period)
    assert found.is_even
    assert sum(sum(each.values()) for each in found.by_centre.values()) == 182_828
    assert found.calendar_ns == 2 * 744 * NS_PER_HOUR
    assert found.hours["booked"] == 611 * NS_PER_HOUR


@pytest.mark.parametrize(("month_of", "hours"), [("2026-10", 745), ("2026-03", 743)])
def test_hours_add_up_when_the_clock_changes(
    month_of: str, hours: int, settings: pytest.FixtureRequest
) -> None:
    settings.FINANCE_TIME_ZONE = "Europe/Berlin"  # type: ignore[attr-defined]
    month = october(booked=month_of == "2026-10")
    enter(month.by)
    year, number = map(int, month_of.split("-"))
    period = periods.open_period(month=STARTS.date().replace(year, number), now=OVER)

    found = selectors.reconciliation(calculation.calculate(period, now=OVER))

    assert found.is_even
    assert found.calendar_ns == 2 * hours * NS_PER_HOUR


def test_what_the_platform_failed_the_platform_pays() -> None:
    month = october(booked=False)
    month.book(
        "lost",
        team=team("team-9", "CC-900"),
        hours=10,
        state=lifecycle.State.FAILED,
    )
    enter(month.by)
    month.worked("lost", 50)

    calculated(month)

    line = CostLine.objects.get(kind=LineKind.FAILED.value)
    assert line.cost_centre == "PLATFORM"
    assert line.team is not None
    assert line.reason == "service failure"
    assert line.amount_minor > 0


def test_a_closed_node_costs_nothing_and_a_broken_device_its_time() -> None:
    month = october(booked=False)
    enter(month.by)
    node = month.pool.nodes.get()
    make.closure(of=node, at=Window(STARTS, STARTS + timedelta(hours=24)))
    past.follow(now=STARTS)
    broken = Device.objects.get(node=node, resource_name=make.GPU)
    Device.objects.filter(pk=broken.pk).update(
        state=DeviceState.FAILED, state_changed_at=STARTS + timedelta(hours=100)
    )

    period = calculated(month)

    outages = CostLine.objects.filter(kind=LineKind.OUTAGE.value)
    planned = outages.filter(reason="planned")
    assert {each.amount_minor for each in planned} == {0}
    assert sum(each.gpu_ns for each in planned) == 2 * 24 * NS_PER_HOUR
    breakdown = outages.get(reason="breakdown")
    assert breakdown.gpu_ns == 644 * NS_PER_HOUR
    assert breakdown.amount_minor > 0
    found = selectors.reconciliation(period)
    assert found.is_even
    assert found.hours["outage"] == (48 + 644) * NS_PER_HOUR


def test_what_a_layout_leaves_is_stranded_and_paid_by_the_platform() -> None:
    month = october(booked=False)
    month.pool = make.pool(slug="half", devices={make.SLICE: 2})
    enter(month.by)

    period = calculated(month)

    stranded = CostLine.objects.get(kind=LineKind.STRANDED.value)
    assert stranded.gpu_ns == 744 * NS_PER_HOUR // 2
    assert stranded.cost_centre == "PLATFORM"
    assert selectors.reconciliation(period).is_even


def test_a_booking_keeps_the_cost_centre_it_was_made_under(month: October) -> None:
    enter(month.by)
    past.follow(now=STARTS + timedelta(days=3))
    team("team-1", "CC-999")
    month.book("later", team=team("team-1", "CC-999"), hours=0)

    calculated(month)

    centres = CostLine.objects.filter(reservation__in=month.bookings["R1"])
    assert {each.cost_centre for each in centres} == {"CC-100"}


def test_the_month_under_way_costs_what_has_passed(month: October) -> None:
    enter(month.by)
    half = STARTS + timedelta(hours=372, minutes=20)

    period = calculation.calculate(month.period(), now=half)

    assert period.calculated_until == STARTS + timedelta(hours=372)
    assert CostPool.objects.get(category="capital").amount_minor == 56_250
    found = selectors.reconciliation(period)
    assert found.is_even
    assert found.calendar_ns == 2 * 372 * NS_PER_HOUR


def test_a_month_in_its_first_hour_costs_nothing_yet(month: October) -> None:
    enter(month.by)

    period = calculation.calculate(month.period(), now=STARTS + timedelta(minutes=5))

    assert not period.lines.exists()
    assert selectors.reconciliation(period).is_even


def test_calculating_again_changes_nothing(month: October) -> None:
    enter(month.by)
    first = lines_of(calculated(month))

    again = lines_of(calculation.calculate(month.period(), now=OVER))

    assert again == first
    assert len(first) > 5


def test_what_names_a_pool_without_devices_is_the_platforms(month: October) -> None:
    make.pool(slug="empty", nodes=0)
    other = {**ALL_IN_ONE, "pool": "empty"}
    enter(month.by, hardware=[], watts=[], other=[other])

    period = calculated(month)

    line = CostLine.objects.get(amount_minor__gt=0)
    assert (line.kind, line.cost_centre, line.amount_minor) == ("idle", "PLATFORM", 182_828)
    assert selectors.reconciliation(period).is_even


def test_a_device_that_left_its_pool_is_nobodys(month: October) -> None:
    enter(month.by)
    month.pool.nodes.update(pool=None)

    with pytest.raises(calculation.CannotCalculate, match="nobody to share"):
        calculated(month)


def test_without_a_sheet_there_is_nothing_to_calculate_with(month: October) -> None:
    with pytest.raises(calculation.CannotCalculate, match="nobody has entered a cost sheet"):
        calculated(month)


def test_what_has_no_price_is_told_and_the_lines_stay(month: October) -> None:
    enter(month.by)
    lines = calculated(month).lines.count()
    enter(month.by, tariffs=[])

    with pytest.raises(calculation.CannotCalculate, match="tariffs: none covers 2026-10-01 00:00"):
        calculation.calculate(month.period(), now=OVER)

    period = month.period()
    assert "tariffs" in period.problem
    assert period.lines.count() == lines
    enter(month.by)
    with pytest.raises(calculation.CannotCalculate, match="rates: there is none for lab"):
        calculated(month, policy=IdlePolicy.STANDARD_RATE)


def test_lines_can_be_narrowed(month: October) -> None:
    enter(month.by)
    period = calculated(month)
    booking = month.bookings["R2"][0]

    def of_team() -> list[str]:
        teams = type(booking.team).objects.filter(pk=booking.team_id)
        return [each.reservation for each in lines_of(period, team__in=teams)]

    (line,) = lines_of(period, reservation=booking.pk)
    assert line.reservation == str(booking.public_id)
    assert (line.team, line.pool, line.user) == ("team-2", "lab", booking.requested_by.username)
    assert of_team() == [str(booking.public_id)]
    assert len(lines_of(period, cost_centre="CC-300")) == 1
    assert {line.kind for line in lines_of(period, cost_centre="PLATFORM")} == {LineKind.IDLE}


def test_devices_are_followed_through_their_states() -> None:
    month = october(booked=False)
    device = Device.objects.filter(node__pool=month.pool).earliest("pk")
    past.follow(now=STARTS)
    Device.objects.filter(pk=device.pk).update(
        state=DeviceState.FAILED, state_changed_at=STARTS + timedelta(hours=1)
    )
    past.follow(now=STARTS + timedelta(hours=2))
    past.follow(now=STARTS + timedelta(hours=3))

    spans = DeviceSpan.objects.filter(device=device).order_by("since")
    assert [(each.state, each.since, each.until) for each in spans] == [
        ("in_service", past.ALWAYS, STARTS + timedelta(hours=1)),
        ("failed", STARTS + timedelta(hours=1), None),
    ]


def test_what_was_broken_before_we_looked_was_in_service_before_that() -> None:
    month = october(booked=False)
    device = Device.objects.filter(node__pool=month.pool).earliest("pk")
    Device.objects.filter(pk=device.pk).update(state=DeviceState.FAILED, state_changed_at=STARTS)
    past.follow(now=OVER)
    new = make.device(of=month.pool.nodes.get(), ordinal=9)
    past.follow(now=OVER + timedelta(hours=1))

    found = DeviceSpan.objects.filter(device=device).order_by("since")
    assert [(each.state, each.since) for each in found] == [
        ("in_service", past.ALWAYS),
        ("failed", STARTS),
    ]
    assert DeviceSpan.objects.get(device=new).since == OVER + timedelta(hours=1)


def test_finance_is_who_may() -> None:
    assert selectors.may_enter_costs(finance())
    assert not selectors.may_enter_costs(make.user())
