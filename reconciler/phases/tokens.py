"""Have the cluster make the tokens that owners of sessions asked for: nobody else here could."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

from gpuaas.inventory.models import Cluster
from reconciler import naming
from reconciler.cluster import ClusterRefused, Token
from reconciler.provision import Done, Job, Outcome
from reconciler.world import World
from sessions import selectors, services
from sessions.models import SHORTEST_TOKEN, ClusterToken

Answer: TypeAlias = Token | str


def due(cluster: Cluster, now: datetime) -> Iterable[ClusterToken]:
    """Return the tokens that somebody waits for."""
    return selectors.tokens_to_make(cluster, now=now)


def act(token: ClusterToken, world: World, now: datetime) -> Outcome | Job[Answer]:
    """Ask for one of the workspace's account, which is let into its own namespace alone.

    What passes by itself is asked again in the next pass; of two that were made, one is
    kept, and the other works for nobody, since nobody has it.
    """
    seconds = services.seconds_of(token=token, now=now)
    if timedelta(seconds=seconds) < SHORTEST_TOKEN:
        services.record_no_token(token=token, problem="the window is almost over", now=now)
        return Done()
    namespace = token.session.namespace
    world.changes.append(f"token for {namespace}")
    if world.dry_run:
        return Done()
    return Job(
        work=lambda: _made(world, namespace, seconds),
        record=lambda answer: _write_down(token, answer, now=now),
    )


def _made(world: World, namespace: str, seconds: int) -> Answer:
    try:
        return world.kube.request_token(namespace, naming.WORKSPACE, seconds=seconds)
    except ClusterRefused as refused:
        return f"the cluster refuses: {refused}"


def _write_down(token: ClusterToken, answer: Answer, *, now: datetime) -> Outcome:
    if isinstance(answer, str):
        services.record_no_token(token=token, problem=answer, now=now)
    else:
        services.record_token(token=token, text=answer.text, expires_at=answer.expires_at, now=now)
    return Done()
