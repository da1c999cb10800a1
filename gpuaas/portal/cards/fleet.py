"""How each cluster does, for those who run it.  Pure: rows and measures in, finished text out."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from gpuaas.portal import wording
from gpuaas.portal.cards.bookings import Badge
from gpuaas.portal.cards.hardware import NodeCard, node_card

if TYPE_CHECKING:
    from gpuaas.inventory.models import Node
    from gpuaas.inventory.selectors import TypeCount
    from sessions.measures import Heartbeat
    from sessions.models import PassRecord

REASONS: Final[Mapping[str, "str | Promise"]] = {
    "image": gettext_lazy("An image could not be pulled"),
    "quota": gettext_lazy("A quota of the cluster refused it"),
    "no_room": gettext_lazy("No node had room for it"),
    "missed": gettext_lazy("Its window ended before it could start"),
    "refused": gettext_lazy("The cluster refused it"),
    "too_slow": gettext_lazy("It was not ready in time"),
    "other": gettext_lazy("Something else"),
}
_STATES: Final[Mapping[str, "str | Promise"]] = {
    "PROVISIONING": gettext_lazy("being prepared"),
    "READY": gettext_lazy("ready"),
    "STOPPING": gettext_lazy("being removed"),
}
_MOST: Final = 1000  # how wide a bar is drawn


@dataclass(frozen=True, slots=True)
class ClusterCard:
    """One cluster: whether the reconciler looks at it, what its passes came to, what is on it."""

    name: str
    badge: Badge
    looked_at: datetime | None
    facts: tuple[tuple[str, str], ...]
    last_error: str
    sessions: tuple[tuple[str, int], ...]
    nodes: tuple[NodeCard, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Failure:
    """How often a kind of failure happened; ``wide`` is its bar in thousandths of the longest."""

    reason: str
    count: int
    wide: int


def cluster_card(
    beat: "Heartbeat",
    record: "PassRecord | None",
    *,
    sessions: Mapping[tuple[str, str], int],
    nodes: "Collection[Node]",
    types: "Mapping[int, Iterable[TypeCount]]",
    at_most: int,
    is_stalled: bool,
) -> ClusterCard:
    """Return the card of the cluster that ``beat`` is of, with ``at_most`` of ``nodes``."""
    shown = sorted(nodes, key=_worst_first)[:at_most]
    return ClusterCard(
        name=beat.cluster,
        badge=_badge(beat, record, is_stalled=is_stalled),
        looked_at=beat.looked_at,
        facts=_facts(record),
        last_error=record.last_error if record else "",
        sessions=tuple(
            (str(_STATES.get(state, state)), count)
            for (cluster, state), count in sessions.items()
            if cluster == beat.cluster
        ),
        nodes=tuple(node_card(node, types.get(node.pk, ())) for node in shown),
        left_out=len(nodes) - len(shown),
    )


def failures(counted: "Counter[str]") -> tuple[Failure, ...]:
    """Return what failed by reason, the most frequent first; nothing where nothing did."""
    most = max(counted.values(), default=0)
    return tuple(
        Failure(str(REASONS.get(reason, reason)), count, count * _MOST // most)
        for reason, count in counted.most_common()
        if count
    )


def lag_facts(quantiles: Sequence[tuple[float, float]]) -> tuple[tuple[str, str], ...]:
    """Return the start lags as (name, value); ``quantiles`` are (share, seconds)."""
    return tuple(
        (
            _("%(percent)s of them within") % {"percent": f"{share * 100:.0f} %"},
            wording.duration(timedelta(seconds=seconds)),
        )
        for share, seconds in quantiles
    )


def _worst_first(node: "Node") -> tuple[bool, str]:
    in_order = node.is_ready and node.is_schedulable and not node.is_withdrawn
    return in_order and not node.frozen_because, node.name


def _badge(beat: "Heartbeat", record: "PassRecord | None", *, is_stalled: bool) -> Badge:
    if is_stalled:
        return Badge("stalled", _("Nobody looks at it"), "danger")
    if beat.looked_at is None:
        return Badge("starting", _("First look to come"), "info")
    if record and record.last_error:
        return Badge("failing", _("Last pass failed"), "warning")
    return Badge("looking", _("Looked after"), "success")


def _facts(record: "PassRecord | None") -> tuple[tuple[str, str], ...]:
    if record is None or not record.passes:
        return ((_("Passes"), _("none yet")),)
    answers: Counter[str] = Counter()
    for key, count in record.answers.items():
        code: Any = key.partition(" ")[2]
        answers["refused" if code[:1] in {"0", "4", "5"} else "answered"] += count
    return (
        (_("Passes"), f"{record.passes:,}"),
        (_("Passes that could not see it"), f"{record.failed_passes:,}"),
        (_("The last pass took"), _seconds(record.last_seconds)),
        (_("On average"), _seconds(record.seconds / record.passes)),
        (_("Items put off"), f"{record.put_off:,}"),
        (
            _("Requests"),
            _("%(all)s, %(refused)s of them refused or lost")
            % {"all": f"{answers.total():,}", "refused": f"{answers['refused']:,}"},
        ),
    )


def _seconds(number: float) -> str:
    return f"{number:.2f} s" if number < 10 else f"{number:.0f} s"  # noqa: PLR2004 -- digits
