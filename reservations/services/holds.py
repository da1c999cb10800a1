"""Which devices are held for which booking, in the table that refuses to hold one twice."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from psycopg.types.range import TimestamptzRange

from gpuaas.audit import services as audit
from reservations.models import DeviceHold, Reservation


def hold(reservation: Reservation, devices: Iterable[int]) -> None:
    """Hold ``devices`` for the whole window."""
    during = TimestamptzRange(reservation.starts_at, reservation.ends_at, "[)")
    DeviceHold.objects.bulk_create(
        [DeviceHold(reservation=reservation, device_id=pk, during=during) for pk in devices]
    )


def exchange(moved: Mapping[int, Sequence[int]], *, at: datetime) -> None:
    """Exchange the devices of bookings that have not started.  All go before any comes."""
    if not moved:
        return
    reservations = Reservation.objects.select_related("team").in_bulk(list(moved))
    DeviceHold.objects.filter(reservation__in=list(moved)).delete()
    for pk, devices in moved.items():
        hold(reservations[pk], devices)
        audit.record(
            "reservation.devices_exchanged",
            subject=reservations[pk].subject,
            actor=None,
            team=reservations[pk].team,
            at=at,
            devices=list(devices),
        )


def move(
    reservation: Reservation,
    devices: Iterable[int],
    *,
    others: Mapping[int, Sequence[int]],
    at: datetime,
) -> None:
    """Hold ``devices`` instead, for what is left of the window; ``others`` exchange theirs."""
    DeviceHold.objects.filter(reservation=reservation).delete()
    exchange(others, at=at)
    during = TimestamptzRange(max(reservation.starts_at, at), reservation.ends_at, "[)")
    DeviceHold.objects.bulk_create(
        [DeviceHold(reservation=reservation, device_id=pk, during=during) for pk in devices]
    )


def release(reservation: Reservation, now: datetime) -> None:
    """Give the devices back from ``now`` on."""
    holds = DeviceHold.objects.filter(reservation=reservation)
    if now <= reservation.starts_at:
        holds.delete()
    else:
        holds.update(during=TimestamptzRange(reservation.starts_at, now, "[)"))
