"""``POST /api/v1/reservations/``: what it asks the database, and forms that are made once."""

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework import serializers

from gpuaas.api import inputs
from gpuaas.api.v1 import reservations
from tests import make
from tests.api.clients import client_of
from tests.make import SLICE

WISH = {
    "pool": "lab",
    "team": "vision",
    "resource_name": SLICE,
    "units": 1,
    "starts_at": "2026-03-01T13:00:00Z",
    "ends_at": "2026-03-01T17:00:00Z",
}


@pytest.mark.django_db
def test_a_booking_asks_the_database_for_what_it_needs(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    team = make.team(slug="vision")
    make.pool(slug="lab", devices={SLICE: 4})
    member = client_of(make.user(teams=[team]))
    wish = {**WISH, "cpu_millicores": 1000, "memory_mib": 1024, "storage_gib": 10}

    savepoints = 2 * 2  # of this test: around the check for one, and around the admission
    # who is asking; pool, team; may book, rules; the admission
    with django_assert_num_queries(2 + 2 + 1 + 1 + savepoints):
        response = member.post("/api/v1/reservations/", wish, format="json")

    assert response.status_code == 201, response.content
    assert response.json()["flag"] is None


@pytest.mark.parametrize("junk", [None, [], "text", {}, {**WISH, "units": "many"}])
def test_a_form_made_once_says_what_a_new_one_says(junk: object) -> None:
    form = reservations.ReservationInput()
    with pytest.raises(serializers.ValidationError) as again:
        inputs.read(form, junk)
    with pytest.raises(serializers.ValidationError) as anew:
        reservations.ReservationInput(data=junk).is_valid(raise_exception=True)

    assert again.value.get_full_details() == anew.value.get_full_details()


def test_a_form_made_once_keeps_nothing_of_what_it_read() -> None:
    form = reservations.ReservationInput()
    first = inputs.read(form, {**WISH, "purpose": "a", "override": ["lead_time"]})
    second = inputs.read(form, WISH)

    fresh = reservations.ReservationInput(data=WISH)
    fresh.is_valid(raise_exception=True)
    assert second == fresh.validated_data
    assert (first["purpose"], first["override"]) == ("a", ["lead_time"])
    assert not hasattr(form, "initial_data")
    assert timezone.is_aware(second["starts_at"])
