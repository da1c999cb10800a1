"""The Celery application.  The schedule names tasks and imports none of them."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gpuaas.settings.dev")

app = Celery("gpuaas")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
