"""What happened to a reservation, in words."""

from typing import Any

import pytest

from reservations import history
from tests import make


def entry(action: str, **data: Any) -> history.Entry:
    return history.entry_of(at=make.NOON, action=action, data=data)


@pytest.mark.parametrize(
    ("field", "before", "after", "said"),
    [
        (
            "ends_at",
            "2026-03-01T17:00:00+00:00",
            "2026-03-01T20:30:00+01:00",
            "end from 2026-03-01 17:00 UTC to 2026-03-01 19:30 UTC",
        ),
        ("units", 1, 2, "units from 1 to 2"),
        ("resource_name", make.GPU, make.SLICE, "type from Whole GPU to MIG slice 1g.24gb"),
        ("cpu_millicores", 4000, 500, "CPU cores from 4 to 0.5"),
        ("memory_mib", 16384, 1536, "memory from 16 GiB to 1.5 GiB"),
        ("storage_gib", 600, 100, "storage from 600 GiB to 100 GiB"),
        ("purpose", "", "training", "purpose from nothing to training"),
        ("requested_by", "ada", None, "requested by from ada to nothing"),
        ("starts_at", "not an instant", 7, "start from not an instant to 7"),
    ],
)
def test_a_change_is_said_in_the_words_of_its_field(
    field: str, before: object, after: object, said: str
) -> None:
    found = entry("reservation.changed", changes={field: [before, after]})

    assert [str(each) for each in found.changes] == [said]
    assert found.changes[0].field == field


def test_an_extension_says_both_ends() -> None:
    found = entry(
        "reservation.extended",
        came_from="2026-03-01T17:00:00+00:00",
        ends_at="2026-03-01T18:00:00+00:00",
    )

    assert (found.what, str(found.changes[0])) == (
        "Extended",
        "end from 2026-03-01 17:00 UTC to 2026-03-01 18:00 UTC",
    )


@pytest.mark.parametrize("data", [{}, {"changes": None}, {"changes": {"units": 3}}])
def test_what_an_old_event_lacks_is_left_out(data: dict[str, Any]) -> None:
    assert entry("reservation.canceled", **data).changes == ()


def test_an_action_without_words_of_its_own_is_readable() -> None:
    assert entry("reservation.owner_changed").what == "Owner changed"


def test_a_failure_is_a_problem_and_has_its_reason() -> None:
    found = entry("reservation.failed", reason="the node lost power")

    assert (found.is_problem, found.reason) == (True, "the node lost power")
