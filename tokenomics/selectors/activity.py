"""What one booking's GPUs and models did over its time, in steps that a chart can show."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import connection

from tokenomics.selectors.usage import Coverage, coverage_of

if TYPE_CHECKING:
    from reservations.models import Reservation

MOST_STEPS: Final = 120
SHORTEST_STEP: Final = timedelta(minutes=1)
_MJ_PER_KWH: Final = 3_600_000_000
_GPUS: Final = """
SELECT floor(extract(epoch FROM ended_at - %(since)s) / %(step)s)::int, sum(seen_ms)::bigint,
    coalesce(sum(seen_ms) FILTER (WHERE active_ms IS NOT NULL), 0)::bigint,
    coalesce(sum(active_ms), 0)::bigint,
    coalesce(sum(seen_ms) FILTER (WHERE energy_mj IS NOT NULL), 0)::bigint,
    coalesce(sum(energy_mj), 0)::bigint
FROM tokenomics_gpuentry WHERE reservation_id = %(reservation)s GROUP BY 1 ORDER BY 1
"""
_TOKENS: Final = """
SELECT floor(extract(epoch FROM ended_at - %(since)s) / %(step)s)::int, is_reading, model,
    coalesce(sum(prompt_computed), 0)::bigint, coalesce(sum(prompt_cached), 0)::bigint,
    coalesce(sum(generated), 0)::bigint
FROM tokenomics_usageentry WHERE reservation_id = %(reservation)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by where they came from; what was not told counts as nothing."""

    prompt_computed: int = 0
    prompt_cached: int = 0
    generated: int = 0

    def __add__(self, other: "Tokens") -> "Tokens":
        return Tokens(
            self.prompt_computed + other.prompt_computed,
            self.prompt_cached + other.prompt_cached,
            self.generated + other.generated,
        )

    @property
    def total(self) -> int:
        return self.prompt_computed + self.prompt_cached + self.generated


@dataclass(frozen=True, slots=True)
class Activity:
    """What a booking did.  Each step is ``step`` long and known by its beginning.

    ``gpu_active`` is from 0 to 1, over all GPUs and slices that it holds; a step that nobody saw
    is not in it.  ``energy_kwh`` is what was measured, in ``measured_ratio`` of the seen time;
    both are None before anything was seen.
    """

    since: datetime
    until: datetime
    step: timedelta
    gpu_active: tuple[tuple[datetime, float], ...]
    tokens: tuple[tuple[datetime, Tokens], ...]
    by_model: tuple[tuple[str, Tokens], ...]
    energy_kwh: float | None
    measured_ratio: float | None
    coverage: Coverage

    @property
    def mean_active(self) -> float | None:
        """How active its GPUs were in the steps that were seen."""
        seen = [active for _, active in self.gpu_active]
        return sum(seen) / len(seen) if seen else None

    @property
    def total(self) -> Tokens:
        return sum((each for _, each in self.by_model), Tokens())


def activity_of(reservation: "Reservation", *, now: datetime) -> Activity:
    """Return what the booking's GPUs and models did until ``now``, in four queries.

    Where its engines were read, what gateways told is left out: it is the same tokens.
    """
    since = reservation.starts_at
    until = max(since, min(reservation.released_at or reservation.ends_at, now))
    step = max(SHORTEST_STEP, _whole_minutes((until - since) / MOST_STEPS))
    asked: dict[str, Any] = {
        "since": since,
        "step": step.total_seconds(),
        "reservation": reservation.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(_GPUS, asked)
        gpus = cursor.fetchall()
        cursor.execute(_TOKENS, asked)
        rows = cursor.fetchall()
    has_readings = any(is_reading for _, is_reading, *_ in rows)
    by_step: defaultdict[int, Tokens] = defaultdict(Tokens)
    by_model: defaultdict[str, Tokens] = defaultdict(Tokens)
    for number, is_reading, model, *figures in rows:
        if is_reading == has_readings:
            by_step[number] += Tokens(*figures)
            by_model[model] += Tokens(*figures)
    seen_ms, measured_ms, energy_mj = (sum(row[column] for row in gpus) for column in (1, 4, 5))
    return Activity(
        since=since,
        until=until,
        step=step,
        gpu_active=tuple(
            (since + number * step, active / told) for number, _, told, active, _, _ in gpus if told
        ),
        tokens=tuple((since + number * step, each) for number, each in sorted(by_step.items())),
        by_model=tuple(sorted(by_model.items(), key=lambda each: (-each[1].total, each[0]))),
        energy_kwh=energy_mj / _MJ_PER_KWH if measured_ms else None,
        measured_ratio=measured_ms / seen_ms if seen_ms else None,
        coverage=coverage_of(reservation, now=now),
    )


def _whole_minutes(length: timedelta) -> timedelta:
    return timedelta(minutes=-(-length // timedelta(minutes=1)))
