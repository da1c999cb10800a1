"""Keep count of the passes over each cluster: one row a cluster, whoever runs them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from gpuaas.inventory.models import Cluster
from sessions.models import PassRecord

# Upper bounds of the histogram's buckets, in seconds.
BUCKETS_SECONDS: Final = (0.5, 1, 2, 5, 10, 20, 30, 60)


def record_pass(
    *,
    cluster: Cluster,
    seconds: float,
    answers: Mapping[tuple[str, int], int],
    put_off: int,
    error: str,
    now: datetime,
) -> None:
    """Add one pass over ``cluster``; with an ``error`` it is one that could not see the cluster.

    Called under the cluster's lock: nobody else writes the row.
    """
    record, _ = PassRecord.objects.get_or_create(cluster=cluster)
    for (verb, status), count in answers.items():
        key = f"{verb} {status}"
        record.answers[key] = record.answers.get(key, 0) + count
    record.last_error = error[:500]
    if error:
        record.failed_passes += 1
    else:
        record.passes += 1
        record.seconds += seconds
        record.last_seconds = seconds
        record.completed_at = now
        record.put_off += put_off
        for bound in BUCKETS_SECONDS:
            if seconds <= bound:
                record.at_most[str(bound)] = record.at_most.get(str(bound), 0) + 1
    record.save()
