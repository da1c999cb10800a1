"""What one booking did, in steps."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from gpuaas.portal.cards.activity import activity_card, count
from gpuaas.portal.cards.serving import examples_for
from reservations.lifecycle import State
from reservations.models import Reservation
from sessions.models import SessionState, WorkspaceSession
from tests import make
from tests.metering.test_ledger import booking_of, gpu, usage
from tokenomics import selectors
from tokenomics.selectors import Tokens
from tokenomics.services import usage as services

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def reservation() -> Reservation:
    """A booking from noon to four."""
    return make.reservation(at=make.window(0, 4), state=State.ACTIVE)


def tell(reservation: Reservation) -> None:
    one = usage(booking_of(reservation), "1", is_reading=True)
    later = {"started_at": make.NOON + 5 * MINUTE, "ended_at": make.NOON + 6 * MINUTE}
    services.record(
        [
            one,
            replace(one, event_id="2", model="other", prompt_cached=None),
            replace(one, event_id="3", **later),  # type: ignore[arg-type]
            replace(one, event_id="4", is_reading=False, generated=7777),
        ],
        now=make.NOON,
    )
    first = gpu(reservation, reservation.pool.cluster_id)
    services.record_gpus(
        [
            first,
            replace(first, event_id="unseen", gpu_uuid="GPU-2", active_ms=None, energy_mj=None),
        ],
        now=make.NOON,
    )


def test_steps_add_up_and_gateways_are_not_added_to_readings(reservation: Reservation) -> None:
    tell(reservation)

    found = selectors.activity_of(reservation, now=make.at(4))

    assert found.step == 2 * MINUTE
    assert found.tokens == (
        (make.NOON, Tokens(200, 20, 60)),
        (make.NOON + 6 * MINUTE, Tokens(100, 20, 30)),
    )
    assert found.by_model == (("qwen", Tokens(200, 40, 60)), ("other", Tokens(100, 0, 30)))
    assert found.total == Tokens(300, 40, 90)
    assert found.gpu_active == ((make.NOON, 0.5),)
    assert (found.mean_active, found.measured_ratio) == (0.5, 0.5)
    assert found.energy_kwh == pytest.approx(1000 / 3_600_000_000)


def test_where_nothing_was_read_what_gateways_told_counts(reservation: Reservation) -> None:
    services.record([usage(booking_of(reservation))], now=make.NOON)

    assert selectors.activity_of(reservation, now=make.at(1)).total == Tokens(100, 20, 30)


def test_a_booking_of_which_nothing_is_known(reservation: Reservation) -> None:
    found = selectors.activity_of(reservation, now=make.at(-1))
    card = activity_card(found)

    assert (found.mean_active, found.energy_kwh, found.measured_ratio) == (None, None, None)
    assert (card.has_gpus, card.has_tokens) == (False, False)
    assert card.facts == (("GPUs active", "not seen yet"), ("Tokens", "0"))


def test_words_say_what_was_measured(reservation: Reservation) -> None:
    tell(reservation)
    found = selectors.activity_of(reservation, now=make.at(1))

    assert "as far as it was measured" in dict(activity_card(found).facts)["Energy"]
    whole = replace(found, energy_kwh=1.25, measured_ratio=1.0)
    assert dict(activity_card(whole).facts)["Energy"] == "1.250 kWh"
    never = replace(found, energy_kwh=None, measured_ratio=0.0)
    assert "nameplate" in dict(activity_card(never).facts)["Energy"]


def test_numbers_as_people_say_them() -> None:
    assert [count(each) for each in (0, 950, 12_400, 3_000_000, 2 * 10**9)] == [
        "0",
        "950",
        "12.4 k",
        "3 M",
        "2 G",
    ]


def test_lines_to_copy_fit_what_is_booked(reservation: Reservation) -> None:
    def lines(**changes: object) -> list[str]:
        for name, value in changes.items():
            setattr(reservation, name, value)
        return [each.line for each in examples_for(reservation)]

    assert lines(mode="interactive", units=1) == ["serve ollama qwen3:0.6b --slots 0"]
    assert lines(mode="interactive", units=2)[0] == "serve vllm Qwen/Qwen2.5-7B-Instruct"
    assert lines(mode="inference", units=2, resource_name=make.GPU)[0].endswith("--slots 2")


def test_its_people_see_it_over_rest_and_on_the_page(
    reservation: Reservation, client: Client
) -> None:
    session = make.session(of=reservation, state=SessionState.READY)
    tell(reservation)
    client.force_login(reservation.requested_by)

    shown = client.get(reverse("api:session-activity", args=[session.public_id])).json()
    part = client.get(reverse("portal:activity", args=[reservation.public_id]))

    assert shown["models"][0]["model"] == "qwen"
    assert shown["gpu_active"][0]["active"] == 0.5
    assert "data-activity" in part.content.decode()
    client.force_login(make.user())
    assert client.get(reverse("api:session-activity", args=[session.public_id])).status_code == 404
    hidden = reverse("portal:activity", args=[reservation.public_id])
    assert client.get(hidden).status_code == 404


def test_its_page_asks_for_it_later_and_it_is_a_page_of_its_own_too(
    reservation: Reservation, client: Client
) -> None:
    session = make.session(of=reservation, state=SessionState.READY)
    tell(reservation)
    client.force_login(reservation.requested_by)
    page = reverse("portal:reservation", args=[reservation.public_id])
    activity = reverse("portal:activity", args=[reservation.public_id])

    assert activity not in client.get(page).content.decode()
    WorkspaceSession.objects.filter(pk=session.pk).update(ready_at=make.NOON)
    assert f'hx-get="{activity}"' in client.get(page).content.decode()
    assert "<html" in client.get(activity).content.decode()
    assert "<html" not in client.get(activity, headers={"HX-Request": "true"}).content.decode()
