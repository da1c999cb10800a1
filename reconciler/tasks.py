"""What Celery's beat triggers.  A missed tick loses nothing: the next finds the same."""

from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from reconciler import cycle, garbage, metering, waking
from reservations import services as reservations
from sessions import services as sessions

# What hangs goes on beside: starts and stops wait for the same worker.
METERS_PATIENCE: Final = timedelta(seconds=10)


@shared_task(name="reconciler.reconcile")
def reconcile() -> None:
    """One pass over every cluster; one that hangs does not hold up the next tick of the others.

    Before, it asks for one at each moment until the next tick when windows open.
    """
    interval = timedelta(seconds=settings.RECONCILE_INTERVAL_SECONDS)
    now = timezone.now()
    for moment in waking.due_between(now, now + interval):
        wake.apply_async(eta=moment, expires=moment + interval)
    cycle.run_on_each_cluster(clock=timezone.now, patience=cycle.LONGEST_PASS)


@shared_task(name="reconciler.wake")
def wake() -> None:
    """Run the same pass, because windows open now; it asks for no further one."""
    cycle.run_on_each_cluster(clock=timezone.now, patience=cycle.LONGEST_PASS)


@shared_task(name="reconciler.collect_garbage")
def collect_garbage() -> None:
    """One collection on every cluster."""
    garbage.collect_on_each_cluster(clock=timezone.now)


@shared_task(name="reconciler.read_meters")
def read_meters() -> None:
    """Read the meters of every cluster; one that hangs does not hold up the others."""
    metering.read_on_each_cluster(clock=timezone.now, patience=METERS_PATIENCE)


@shared_task(name="reconciler.heal")
def heal() -> None:
    """Move or flag the bookings whose hardware went away; it needs no cluster to answer."""
    reservations.heal_all(now=timezone.now())


@shared_task(name="reconciler.tend")
def tend() -> None:
    """End what was held and not taken, and let the lines advance; it needs no cluster either."""
    reservations.tend(now=timezone.now())
    sessions.forget_tokens(now=timezone.now())
