"""Sending: once, again after failures, and not at all when it is no use any more."""

from datetime import timedelta

import pytest
from django.core import mail

from gpuaas.accounts.models import Membership, Team, User
from gpuaas.notifications import letters, services
from gpuaas.notifications.events import Channel
from gpuaas.notifications.failures import NotDelivered
from gpuaas.notifications.models import Delivery, DeliveryState, Notice, OutboxMessage
from gpuaas.notifications.services import delivery as sending
from tests import make
from tests.notifications.tellers import announce, deliver

pytestmark = pytest.mark.django_db


@pytest.fixture
def team() -> Team:
    return make.team(slug="vision")


@pytest.fixture
def person(team: Team) -> User:
    return make.user(teams=[team], username="ada")


@pytest.fixture
def waiting(team: Team, person: User) -> Delivery:
    announce(team=team, to=person)
    services.fan_out(now=make.NOON)
    return Delivery.objects.get()


def refuse(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def send(**_: object) -> None:
        raise error

    monkeypatch.setattr(letters, "send", send)


def test_a_letter_has_text_and_html_and_a_link(waiting: Delivery) -> None:
    assert deliver() == 1

    letter = mail.outbox[0]
    assert isinstance(letter, mail.EmailMultiAlternatives)
    assert letter.to == ["ada@example.com"]
    assert letter.subject == "Failed: Your booking"
    link = "http://127.0.0.1:8000/reservations/8dcd9018-01cf-4716-a2cd-f1e36670ebca/"
    assert link in str(letter.body)
    assert link in str(letter.alternatives[0][0])
    assert letter.extra_headers["Message-ID"] == f"<gpuaas-{waiting.pk}@127.0.0.1>"


def test_it_is_sent_once(waiting: Delivery) -> None:
    assert [deliver(), deliver(), deliver(now=make.at(24))] == [1, 0, 0]

    waiting.refresh_from_db()
    assert (waiting.state, waiting.finished_at) == (DeliveryState.DONE, make.NOON)
    assert len(mail.outbox) == 1


def test_nothing_is_sent_before_it_is_due(waiting: Delivery) -> None:
    Delivery.objects.update(next_try_at=make.at(1))

    assert [deliver(now=make.NOON), deliver(now=make.at(1))] == [0, 1]


def test_what_fails_is_tried_again_later_each_time_and_given_up(
    waiting: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, NotDelivered("mail server: down"))
    now, pauses = make.NOON, []
    for _ in range(sending.MOST_ATTEMPTS):
        assert deliver(now=now) == 0
        waiting.refresh_from_db()
        pauses.append(waiting.next_try_at - now)
        assert waiting.last_error == "mail server: down"
        now = waiting.next_try_at

    assert waiting.state == DeliveryState.DEAD
    assert pauses[:4] == [timedelta(seconds=30 * 2**n) for n in range(4)]
    assert max(pauses[:-1]) == timedelta(hours=1)
    assert services.try_again(deliveries=[waiting], now=now) == 1
    monkeypatch.undo()
    assert deliver(now=now) == 1


def test_what_never_will_arrive_is_given_up_at_once(
    waiting: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, NotDelivered("no such mailbox", is_final=True))

    deliver()

    waiting.refresh_from_db()
    assert (waiting.state, waiting.attempts) == (DeliveryState.DEAD, 1)


def test_a_bug_in_one_delivery_does_not_stop_the_others(
    waiting: Delivery, team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make.user(teams=[team])
    announce(team=team, to=other, key="two")
    services.fan_out(now=make.NOON)
    send = letters.send

    def fail_for_ada(*, to: str, **rest: object) -> None:
        if to == "ada@example.com":
            raise ZeroDivisionError
        send(to=to, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(letters, "send", fail_for_ada)

    assert deliver() == 1
    assert mail.outbox[0].to == [other.email]
    waiting.refresh_from_db()
    assert (waiting.state, waiting.last_error) == (DeliveryState.WAITING, "ZeroDivisionError: ")


def test_a_crash_between_claim_and_sending_loses_nothing(waiting: Delivery) -> None:
    claimed = sending.claim(channel=Channel.EMAIL, avoiding=set(), now=make.NOON)

    assert claimed == waiting
    during = make.NOON + sending.CLAIM - timedelta(seconds=1)
    assert [deliver(now=during), deliver(now=make.NOON + sending.CLAIM)] == [0, 1]


def test_whoever_kills_each_worker_is_given_up_in_the_end(waiting: Delivery) -> None:
    for attempt in range(sending.MOST_ATTEMPTS):
        now = make.NOON + attempt * sending.CLAIM
        assert sending.claim(channel=Channel.EMAIL, avoiding=set(), now=now)

    assert deliver(now=make.at(24)) == 0
    waiting.refresh_from_db()
    assert (waiting.state, waiting.last_error) == (DeliveryState.DEAD, "tried too often")


def test_a_mark_that_comes_late_does_not_undo_another_workers(waiting: Delivery) -> None:
    slow = sending.claim(channel=Channel.EMAIL, avoiding=set(), now=make.NOON)
    assert slow is not None
    assert deliver(now=make.at(1)) == 1

    sending._failed(slow, "timed out", make.at(1), is_final=True)  # noqa: SLF001 -- its last act

    waiting.refresh_from_db()
    assert waiting.state == DeliveryState.DONE


@pytest.mark.parametrize("change", ["leaves", "inactive", "no address"])
def test_who_left_meanwhile_gets_nothing(waiting: Delivery, person: User, change: str) -> None:
    if change == "leaves":
        Membership.objects.filter(user=person).update(expires_at=make.NOON)
    elif change == "inactive":
        User.objects.filter(pk=person.pk).update(is_active=False)
    else:
        User.objects.filter(pk=person.pk).update(email="")

    deliver()

    waiting.refresh_from_db()
    assert mail.outbox == []
    assert waiting.state in {DeliveryState.SKIPPED, DeliveryState.DEAD}


def test_a_reminder_whose_deadline_has_passed_is_not_sent(team: Team, person: User) -> None:
    announce(team=team, to=person, event="reservation.ending", ends_at=make.at(1).isoformat())
    services.fan_out(now=make.NOON)

    deliver(now=make.at(1))

    assert mail.outbox == []
    assert Delivery.objects.get().state == DeliveryState.SKIPPED
    assert Notice.objects.count() == 1


def test_what_was_typed_is_shown_as_it_was_typed(team: Team, person: User) -> None:
    Team.objects.filter(pk=team.pk).update(name="<b>Vision</b>")
    purpose = "<script>alert(1)</script>\r\nBcc: all@example.com"
    announce(team=team, to=person, event="reservation.approved", purpose=purpose)
    services.fan_out(now=make.NOON)

    deliver()

    letter = mail.outbox[0]
    assert isinstance(letter, mail.EmailMultiAlternatives)
    html = str(letter.alternatives[0][0])
    assert "<script>" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;" in html
    assert "\n" not in letter.subject
    assert b"\nBcc:" not in letter.message().as_bytes()


def test_old_messages_are_forgotten_in_batches_but_not_what_waits(team: Team, person: User) -> None:
    for number in range(5):
        announce(team=team, to=person, key=f"old-{number}")
    services.fan_out(now=make.NOON)
    deliver()
    announce(team=team, to=person, key="waiting")
    services.fan_out(now=make.NOON)
    announce(team=team, to=person, key="new", at=make.at(3))
    announce(team=team, to=person, key="not fanned out")

    forgotten = [services.forget(before=make.at(2), at_most=3) for _ in range(3)]

    assert forgotten == [3, 2, 0]
    assert set(OutboxMessage.objects.values_list("key", flat=True)) == {
        "waiting",
        "new",
        "not fanned out",
    }
