"""The schedule: what runs, where, and that ticks never pile up."""

from typing import Any

import pytest

from gpuaas.celery import app

SCHEDULE: dict[str, dict[str, Any]] = app.conf.beat_schedule


@pytest.mark.parametrize(
    ("task", "seconds"),
    [
        ("reconciler.reconcile", 30),
        ("reconciler.heal", 30),
        ("reconciler.tend", 30),
        ("reconciler.collect_garbage", 300),
        ("identity.follow_directory", 900),
        ("idempotency.forget", 3600),
        ("audit.forget", 3600),
        ("tokenomics.write_exports", 5),
    ],
)
def test_a_task_runs_on_time_and_expires_before_the_next(task: str, seconds: int) -> None:
    (entry,) = (each for each in SCHEDULE.values() if each["task"] == task)

    assert entry["schedule"] == seconds
    assert entry["options"]["expires"] <= seconds


def test_what_is_scheduled_exists_and_has_its_queue() -> None:
    app.loader.import_default_modules()

    for entry in SCHEDULE.values():
        queue = "reconciler" if entry["task"].startswith("reconciler.") else "default"
        assert entry["task"] in app.tasks
        assert app.amqp.router.route({}, entry["task"])["queue"].name == queue


def test_a_task_whose_worker_died_comes_back() -> None:
    assert app.conf.task_acks_late
    assert app.conf.task_reject_on_worker_lost
    assert app.conf.worker_prefetch_multiplier == 1
