"""Many workers tell people at the same time; each is told once.  Pairs: with the guard, without."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.db.models import QuerySet

from gpuaas.notifications import letters, services
from gpuaas.notifications.events import Channel
from gpuaas.notifications.models import Delivery, Notice, OutboxMessage
from gpuaas.notifications.services import delivery as sending
from reservations import services as reservations
from reservations.lifecycle import State
from tests import make
from tests.concurrency.threads import at_once
from tests.notifications.tellers import announce, deliver

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS, MESSAGES = 8, 40


def fill_the_outbox() -> None:
    team = make.team()
    person = make.user(teams=[team])
    for number in range(MESSAGES):
        announce(team=team, to=person, key=str(number))


def collect_letters(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sent: list[int] = []

    def send(*, number: int, **_: object) -> None:
        sent.append(number)

    monkeypatch.setattr(letters, "send", send)
    return sent


def test_eight_that_fan_out_at_once_tell_each_person_once() -> None:
    fill_the_outbox()

    counts = at_once([lambda: services.fan_out(now=make.NOON)] * WORKERS)

    assert sum(counts) == MESSAGES
    assert (Notice.objects.count(), Delivery.objects.count()) == (MESSAGES, MESSAGES)
    assert not OutboxMessage.objects.filter(fanned_out_at=None).exists()


def test_eight_that_deliver_at_once_send_each_letter_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fill_the_outbox()
    services.fan_out(now=make.NOON)
    sent = collect_letters(monkeypatch)

    counts = at_once([deliver] * WORKERS)

    assert sum(counts) == MESSAGES
    assert sorted(sent) == sorted(Delivery.objects.values_list("pk", flat=True))


def test_without_the_claims_row_lock_letters_are_sent_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # If this fails, the test above may pass for no reason.
    fill_the_outbox()
    services.fan_out(now=make.NOON)
    both_have_read = threading.Barrier(2, timeout=20)

    def unlocked(rows: QuerySet[Any], **_: object) -> QuerySet[Any]:
        return rows

    def first(rows: QuerySet[Any]) -> Any:
        found = next(iter(rows[:1]), None)
        both_have_read.wait()
        return found

    monkeypatch.setattr(QuerySet, "select_for_update", unlocked)
    monkeypatch.setattr(QuerySet, "first", first)
    claimed = at_once([claim_one] * 2)

    assert claimed[0] == claimed[1]


def claim_one() -> int | None:
    found = sending.claim(channel=Channel.EMAIL, avoiding=set(), now=make.NOON)
    return None if found is None else found.pk


def test_with_it_two_claims_are_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    fill_the_outbox()
    services.fan_out(now=make.NOON)

    claimed = at_once([claim_one] * 2)

    assert len(set(claimed)) == 2


def announcing(times: threading.Barrier) -> Callable[[], None]:
    def announce_it() -> None:
        times.wait()
        with transaction.atomic():
            services.announce(
                "reservation.failed", key="x", subject="r:1", team=None, at=make.NOON, data={}
            )

    return announce_it


def test_of_many_that_announce_the_same_one_row_stays() -> None:
    together = threading.Barrier(WORKERS, timeout=20)

    at_once([announcing(together)] * WORKERS)

    assert OutboxMessage.objects.count() == 1


def test_of_many_that_remind_at_once_one_row_stays() -> None:
    make.reservation(at=make.window(0, 4), state=State.ACTIVE)
    together = threading.Barrier(WORKERS, timeout=20)

    def remind() -> int:
        together.wait()
        return reservations.remind(now=make.at(3.75))

    at_once([remind] * WORKERS)

    assert OutboxMessage.objects.filter(event="reservation.ending").count() == 1
