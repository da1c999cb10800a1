"""What is committed is what the models say, under the label that keeps clear of Django's own."""

import io

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from sessions.models import WorkspaceSession


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration() -> None:
    output = io.StringIO()

    call_command("makemigrations", check=True, dry_run=True, stdout=output)

    assert "No changes detected" in output.getvalue()


def test_our_sessions_are_not_djangos() -> None:
    assert apps.get_app_config("sessions").name == "django.contrib.sessions"
    assert apps.get_app_config("gpu_sessions").name == "sessions"


@pytest.mark.django_db
def test_our_tables_say_whose_they_are() -> None:
    tables = connection.introspection.table_names()

    assert apps.get_model("gpu_sessions", "WorkspaceSession") is WorkspaceSession
    assert {name for name in tables if "workspacesession" in name or "sessionevent" in name} == {
        "gpu_sessions_workspacesession",
        "gpu_sessions_sessionevent",
    }
    assert "django_session" in tables
