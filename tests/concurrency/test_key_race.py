"""One Idempotency-Key from many sides at once, with the claim and without."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from django.utils import timezone

from gpuaas.feeds.models import CalendarFeed
from gpuaas.idempotency import services
from gpuaas.idempotency.models import KeyedRequest
from tests import make
from tests.api.clients import client_of
from tests.concurrency.threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = 8
HEADERS = {"Idempotency-Key": "the same"}


@pytest.fixture
def asking() -> list[Callable[[], int]]:
    """Ask for a calendar link, which as such can be made any number of times."""
    person = make.user()

    def ask() -> Callable[[], int]:
        client = client_of(person)
        return lambda: (
            client.post("/api/v1/calendar-feeds/", {}, format="json", headers=HEADERS).status_code
        )

    return [ask() for _ in range(CLIENTS)]


def test_a_key_that_comes_many_times_at_once_is_done_once(asking: list[Callable[[], int]]) -> None:
    statuses = at_once(asking)

    assert sorted(statuses) == [201, *[409] * (CLIENTS - 1)]
    assert CalendarFeed.objects.count() == 1
    assert asking[0]() == 409  # its address was shown once
    assert CalendarFeed.objects.count() == 1


def test_without_the_claim_it_is_done_as_often_as_it_comes(
    asking: list[Callable[[], int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "claim", lambda **_: KeyedRequest(number=uuid4()))
    monkeypatch.setattr(services, "keep", lambda *_, **__: None)

    assert at_once(asking) == [201] * CLIENTS
    assert CalendarFeed.objects.count() == CLIENTS


def test_who_comes_back_for_a_dead_process_comes_alone(asking: list[Callable[[], int]]) -> None:
    asking[0]()
    CalendarFeed.objects.all().delete()
    KeyedRequest.objects.update(status=None, body=None, busy_until=timezone.now())

    statuses = at_once(asking)

    assert set(statuses) <= {201, 409}
    assert CalendarFeed.objects.count() == 1
    assert KeyedRequest.objects.get().tries == 2
