"""What a booking in trouble can be exchanged for: `reservations.services.accept_offer`."""

from dataclasses import replace

import pytest

from gpuaas.accounts.models import MembershipRole
from gpuaas.core.errors import DomainError
from gpuaas.inventory.models import Device, DeviceState, Pool
from reservations import selectors, services
from reservations.lifecycle import State
from reservations.models import BookingFlag, DeviceHold, Reservation
from reservations.services import rebooking
from tests import make
from tests.make import GPU, SLICE

# Admission commits by itself: nothing may enclose it.
pytestmark = pytest.mark.django_db


def in_trouble(pool: Pool, *, state: State = State.APPROVED, starts: float = 1) -> Reservation:
    """Return a flagged booking of the only slice of ``pool``, which failed."""
    booked = make.reservation(of=pool, at=make.window(starts, 5), state=state)
    Device.objects.filter(pk=booked.holds.get().device_id).update(state=DeviceState.FAILED)
    services.heal(pool=pool, now=make.NOON)
    return booked


def offers_of(booked: Reservation) -> list[services.Offer]:
    return services.offers_for(reservation=booked, now=make.NOON)


def accept(booked: Reservation, number: str, hour: float = 0) -> Reservation:
    return services.accept_offer(
        reservation=booked, number=number, actor=booked.requested_by, now=make.at(hour)
    )


@pytest.fixture
def pool() -> Pool:
    return make.pool(devices={SLICE: 1, GPU: 1}, slug="lab")


def test_the_same_later_other_types_and_other_pools_are_offered(pool: Pool) -> None:
    for device in make.node(of=pool, devices={SLICE: 1}).devices.all():
        make.closure(of=device.node, at=make.window(-1, 5))
    booked, other = in_trouble(pool), make.pool(devices={SLICE: 1}, slug="other")
    make.pool(devices={GPU: 1}, slug="without-slices")

    found = {(o.pool, o.wish.resource_name, o.wish.window) for o in offers_of(booked)}

    assert found == {
        (pool, SLICE, make.window(5, 9)),
        (pool, GPU, make.window(1, 5)),
        (other, SLICE, make.window(1, 5)),
    }


def test_what_rules_forbid_is_not_offered(pool: Pool) -> None:
    booked = in_trouble(pool)
    Reservation.objects.filter(pk=booked.pk).update(cpu_millicores=1)
    booked.refresh_from_db()

    assert offers_of(booked) == []


def test_an_offer_is_booked_and_the_old_one_canceled(pool: Pool) -> None:
    booked = in_trouble(pool)
    (offer,) = offers_of(booked)

    new = accept(booked, offer.number)

    booked.refresh_from_db()
    assert (booked.state, new.state) == ("CANCELED", "APPROVED")
    assert (new.resource_name, new.requested_by, new.team) == (
        GPU,
        booked.requested_by,
        booked.team,
    )
    assert set(DeviceHold.objects.values_list("reservation", flat=True)) == {new.pk}
    assert accept(booked, offer.number).pk == new.pk  # sent twice


def test_what_runs_is_given_back_and_booked_anew_from_now_on(pool: Pool) -> None:
    booked = in_trouble(pool, state=State.ACTIVE, starts=-1)
    (offer,) = offers_of(booked)

    new = accept(booked, offer.number)

    booked.refresh_from_db()
    assert booked.state == "COMPLETED"
    assert new.starts_at == make.NOON + rebooking.STEP
    assert new.ends_at == booked.ends_at


def test_nothing_is_offered_for_the_last_minutes(pool: Pool) -> None:
    booked = in_trouble(pool)

    assert services.offers_for(reservation=booked, now=make.at(4.95)) == []


def test_an_offer_that_is_gone_changes_nothing_and_brings_the_present_ones(pool: Pool) -> None:
    booked, other = in_trouble(pool), make.pool(devices={SLICE: 1})
    gone = next(each for each in offers_of(booked) if each.wish.resource_name == GPU)
    make.reservation(of=pool, resource_name=GPU)

    with pytest.raises(services.OfferGone) as refused:
        accept(booked, gone.number)

    assert [each.pool for each in refused.value.offers if each.wish.window == booked.window] == [
        other
    ]
    booked.refresh_from_db()
    assert (booked.state, booked.holds.count()) == ("APPROVED", 1)


def test_room_that_is_lost_under_the_lock_leaves_the_old_booking_as_it_was(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = in_trouble(pool)
    (offer,) = offers_of(booked)
    make.reservation(of=pool, resource_name=GPU)
    stale = replace(offer)
    monkeypatch.setattr(rebooking, "offers_for", lambda **_: [stale])

    with pytest.raises(services.OfferGone):
        accept(booked, offer.number)

    booked.refresh_from_db()
    assert (booked.state, booked.holds.count(), Reservation.objects.count()) == ("APPROVED", 1, 2)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [("resolved", services.NotFlagged), ("canceled", services.NotFlagged)],
)
def test_only_what_is_in_trouble_is_exchanged(
    pool: Pool, change: str, refusal: type[DomainError], monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = in_trouble(pool)
    (offer,) = offers_of(booked)
    if change == "resolved":
        BookingFlag.objects.update(resolved_at=make.NOON)
    else:  # between our read and our write
        other = Reservation.objects.get(pk=booked.pk)
        services.cancel(reservation=other, actor=booked.requested_by, now=make.NOON)
        monkeypatch.setattr(rebooking, "offers_for", lambda **_: [offer])

    with pytest.raises(refusal):
        accept(booked, offer.number)
    assert Reservation.objects.count() == 1


def test_a_viewer_accepts_nothing(pool: Pool) -> None:
    booked = in_trouble(pool)
    viewer = make.user(teams=[booked.team], role=MembershipRole.VIEWER)

    with pytest.raises(services.NotYourTeam):
        services.accept_offer(reservation=booked, number="", actor=viewer, now=make.NOON)


def test_a_flag_is_read_along_or_asked_for(pool: Pool) -> None:
    booked = in_trouble(pool)
    rows = Reservation.objects.all()

    assert selectors.flagged(rows).get() == booked
    assert selectors.flag_of(booked) == selectors.flag_of(selectors.with_flags(rows).get())
    services.cancel(reservation=booked, actor=booked.requested_by, now=make.NOON)
    assert selectors.flag_of(booked) is None
    assert not selectors.flagged(rows).exists()
