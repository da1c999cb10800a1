"""Every POST of the API with an Idempotency-Key: done once, and answered again."""

from http import HTTPStatus

import pytest
from django.db import connection, transaction
from django.urls import reverse

from tests.permissions.bodies import BODIES
from tests.permissions.table import Row, rows
from tests.permissions.world import OURS, World

pytestmark = pytest.mark.django_db
POSTS = [row for row in rows() if row.method == "POST" and row.name.startswith("api:")]
SECRETS = {"api:tokens", "api:calendar-feeds"}


@pytest.mark.parametrize("row", POSTS, ids=str)
def test_every_post_is_done_once(world: World, row: Row) -> None:
    role = next((each for each, outcome in row.expected.items() if outcome == "ok"), "manager")
    address = reverse(row.name, kwargs=world.things[row.kind].ours)
    made = BODIES.get(str(row))
    body = made(world, OURS) if made else {}
    point = transaction.savepoint()

    first, again = (
        world.client(role).post(
            address, body, content_type="application/json", headers={"Idempotency-Key": "k"}
        )
        for _ in range(2)
    )

    connection.needs_rollback = False
    transaction.savepoint_rollback(point)
    assert first.status_code < HTTPStatus.INTERNAL_SERVER_ERROR, first.content
    if row.name in SECRETS:
        assert (first.status_code, again.json()["code"]) == (201, "answer_not_kept")
    else:
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["Idempotency-Replayed"] == "true"
