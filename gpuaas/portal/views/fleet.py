"""``/fleet/``: how clusters, nodes and the reconciler do, for platform administrators."""

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from gpuaas.accounts.models import User
from gpuaas.inventory import selectors as inventory
from gpuaas.portal.access import PortalRequest, for_administrators, for_people
from gpuaas.portal.cards import fleet as cards
from sessions import measures

if TYPE_CHECKING:
    from gpuaas.inventory.models import Node

NODES: Final = 50


@require_safe
@for_people
@for_administrators
def fleet(request: PortalRequest, user: User) -> HttpResponse:  # noqa: ARG001 -- the door knows who
    """Show each cluster with its nodes, how the reconciler does, and what failed."""
    now = timezone.now()
    nodes: defaultdict[str, list[Node]] = defaultdict(list)
    for node in inventory.nodes():
        nodes[node.cluster.name].append(node)
    types = inventory.types_by_node([node for each in nodes.values() for node in each])
    records = {each.cluster.name: each for each in measures.passes()}
    sessions = measures.sessions_by_state()
    lags = measures.start_lags_seconds(now=now)
    context = {
        "clusters": [
            cards.cluster_card(
                beat,
                records.get(beat.cluster),
                sessions=sessions,
                nodes=nodes[beat.cluster],
                types=types,
                at_most=NODES,
                is_stalled=beat.is_stalled(now=now, after=measures.stalled_after()),
            )
            for beat in measures.heartbeats()
        ],
        "failures": cards.failures(measures.failures_by_reason(now=now)),
        "lags": cards.lag_facts(
            [(share, measures.quantile(lags, share)) for share in measures.QUANTILES if lags]
        ),
        "started": len(lags),
    }
    return render(request, "portal/fleet.html", context)
