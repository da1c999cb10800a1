"""The Celery application.  The schedule names tasks and imports none of them."""

import os
from typing import Any

from celery import Celery, Task

from gpuaas.core import logs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gpuaas.settings.dev")


class NamedTask(Task):  # type: ignore[type-arg]  # celery is untyped
    """A task whose records carry its name and number."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Do the work."""
        with logs.about(task=self.name, task_id=self.request.id):
            return super().__call__(*args, **kwargs)


app = Celery("gpuaas", task_cls=NamedTask)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
