"""The Celery application.  The schedule names tasks and imports none of them."""

import os
from typing import Any

import structlog
from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gpuaas.settings.dev")

app = Celery("gpuaas")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.task_prerun.connect
def name_the_records_of_a_task(task_id: str, task: Any, **_: Any) -> None:
    """Let whatever a task logs carry its name and number."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
