"""Tell a cluster's GPU Operator how its nodes are cut and shared, from the inventory.

First what the labels choose from, then the labels: they change only when a look has seen both
ConfigMaps as they should be.  The operator's pods see a changed ConfigMap about a minute after it
was written, and try again until then.  A node is partitioned anew only in a gap: the MIG manager
takes the device plugin of the whole node away, and fails where a GPU is in use.  For a planned
layout the gap is made: its node is cordoned until it is cut.
"""

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.conf import settings

from gpuaas.core import errors
from gpuaas.inventory import layouts, selectors, trust
from gpuaas.inventory import services as inventory
from gpuaas.inventory.gpu_operator import MIG_CONFIG_LABEL, PLUGIN_CONFIG_LABEL
from gpuaas.inventory.labels import NodeReport
from gpuaas.inventory.models import Cluster, PlannedLayout
from gpuaas.inventory.trust import Expected
from reconciler.cluster import FIELD_MANAGER, Manifest, ref_to
from reconciler.manifests import gpu_operator
from reconciler.provision import Done, Outcome, Waiting
from reconciler.world import World, drifted
from reservations import services as reservations
from sessions import selectors as sessions

logger = logging.getLogger(__name__)

_OUR_LABELS = (MIG_CONFIG_LABEL, PLUGIN_CONFIG_LABEL)


def ensure(
    cluster: Cluster,
    nodes: Iterable[Manifest],
    reports: Iterable[NodeReport],
    world: World,
    now: datetime,
) -> Outcome:
    """Make the operator's configuration, and the labels of ``nodes``, what the inventory says.

    A cluster whose operator others configure is left alone, and so is a node whose inventory does
    not say enough.  Planned layouts go on by one step each, as far as ``reports`` show that the
    last one is done.
    """
    if not cluster.gpu_operator_namespace:
        return Done()
    nodes, busy = list(nodes), sessions.nodes_in_use(cluster)
    went_on = _advance_layouts(cluster, nodes, reports, busy, world, now)
    rendering = selectors.operators_view(cluster)
    for name, why in rendering.unknown.items():
        logger.warning("layout unknown", extra={"node": name, "reason": why})
    maps = gpu_operator.config_maps(
        rendering,
        namespace=cluster.gpu_operator_namespace,
        installation=settings.INSTALLATION,
    )
    standing = [_stands(config_map, world) for config_map in maps]
    being_cut = selectors.being_cut(cluster)
    for node in nodes:
        name = node["metadata"]["name"]
        changes_before = len(world.changes)
        # Until a look has seen what they choose from, the labels stay.
        wanted = rendering.labels.get(name, {}) if all(standing) else {}
        _label(node, wanted, world, is_busy=name in busy, is_cordoned=name in being_cut)
        went_on |= name in being_cut and len(world.changes) > changes_before
    if not all(standing):
        return Waiting("the GPU Operator's configuration was written; its nodes' labels follow")
    if went_on:
        return Waiting("a planned layout went on: the next look shows how far")
    return Done()


def _stands(config_map: Manifest, world: World) -> bool:
    """Return whether it was seen as it should be; else apply it."""
    seen = world.picture.get(ref_to(config_map))
    world.ensure(config_map)
    return seen is not None and not drifted(config_map, seen)


def _label(
    node: Manifest, wanted: Mapping[str, str], world: World, *, is_busy: bool, is_cordoned: bool
) -> None:
    """Give ``node`` its labels and our cordon, or take that away; write only what differs.

    What we leave out is taken from the node, so what stays as it is is written along.
    """
    carried = node["metadata"].get("labels") or {}
    labels = {name: carried[name] for name in _OUR_LABELS if name in carried} | dict(wanted)
    if is_busy and MIG_CONFIG_LABEL in carried:
        labels[MIG_CONFIG_LABEL] = carried[MIG_CONFIG_LABEL]
    elif is_busy:
        labels.pop(MIG_CONFIG_LABEL, None)
    is_closed = bool((node.get("spec") or {}).get("unschedulable"))
    lacks_cordon = is_cordoned and not is_closed
    is_ours = is_closed and _cordoned_by_us(node)
    has_ours = is_ours and not is_cordoned
    if not (drifted(labels, carried) or lacks_cordon or has_ours):
        return
    name = node["metadata"]["name"]
    if drifted(labels, carried):
        chosen = ", ".join(f"{key}={value}" for key, value in labels.items())
        world.changes.append(f"label {name}: {chosen}")
    if lacks_cordon or has_ours:
        world.changes.append(f"{'cordon' if lacks_cordon else 'uncordon'} {name}")
    if not world.dry_run:
        # An administrator's cordon does not become ours: we would take it away.
        ours = is_cordoned and (is_ours or lacks_cordon)
        world.kube.apply(gpu_operator.node_labels(node, labels, is_cordoned=ours))


def _cordoned_by_us(node: Manifest) -> bool:
    """Return whether the cordon is ours: an administrator's stays."""
    return any(
        "f:unschedulable" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in node["metadata"].get("managedFields") or []
        if entry.get("manager") == FIELD_MANAGER
    )


def _advance_layouts(
    cluster: Cluster,
    nodes: Iterable[Manifest],
    reports: Iterable[NodeReport],
    busy: Collection[str],
    world: World,
    now: datetime,
) -> bool:
    """Make the step that is due of each planned layout; return whether one was."""
    standing = list(selectors.standing_layouts(cluster))
    if not standing:
        return False
    by_name = {node["metadata"]["name"]: node for node in nodes}
    shown = {report.name: report for report in reports}
    told = selectors.operators_view(cluster).labels
    expected = selectors.expected_on(cluster)
    went_on = False
    for layout in standing:
        name = layout.node.name
        seen = _seen(
            by_name.get(name),
            shown.get(name),
            label=told.get(name, {}).get(MIG_CONFIG_LABEL),
            expected=expected.get(name, {}),
            is_in_use=name in busy,
        )
        went_on |= _advance(layout, seen, shown.get(name), world, now)
    return went_on


def _seen(
    node: Manifest | None,
    report: NodeReport | None,
    *,
    label: str | None,
    expected: Mapping[str, Expected],
    is_in_use: bool,
) -> layouts.Seen:
    if node is None or report is None:
        return layouts.Seen(is_in_use=is_in_use, is_cordoned=False, is_cut=False)
    carries_it = (node["metadata"].get("labels") or {}).get(MIG_CONFIG_LABEL) == label
    is_done = report.is_ready and report.mig_state == trust.SUCCESS and carries_it
    return layouts.Seen(
        is_in_use=is_in_use,
        is_cordoned=bool((node.get("spec") or {}).get("unschedulable")),
        is_cut=is_done and not trust.doubt(report, expected),
        failed_because=(
            trust.doubt(report, None) if carries_it and report.mig_state == trust.FAILED else ""
        ),
    )


def _advance(
    layout: PlannedLayout,
    seen: layouts.Seen,
    report: NodeReport | None,
    world: World,
    now: datetime,
) -> bool:
    state, since = layouts.State(layout.state), layout.state_changed_at
    times = layouts.Times(layout.starts_at, layout.ends_at)
    step = layouts.next_step(state, times, seen, since=since, now=now)
    try:
        if step is not None:
            reservations.advance_layout(
                layout=layout, step=step, shown=report.devices if report else {}, now=now
            )
            world.changes.append(f"layout of {layout}: {step.to.label.lower()}")
            return True
        if why := layouts.is_late(state, times, seen, since=since, now=now):
            inventory.note_late(layout=layout, reason=why, now=now)
    except errors.DomainError as error:  # busy, or somebody else made the step: the next look
        logger.info("layout put off", extra={"layout": str(layout), "error": str(error)})
    return False
