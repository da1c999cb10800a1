"""For the API it is always noon."""

import pytest

from tests import make


@pytest.fixture(autouse=True)
def it_is_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (
        "authentication",
        "once",
        "v1.audit",
        "v1.calendar_feeds",
        "v1.chances",
        "v1.history",
        "v1.inventory",
        "v1.kubeconfig",
        "v1.me",
        "v1.pools",
        "v1.reservations",
        "v1.series",
        "v1.sessions",
        "v1.templates",
        "v1.usage",
        "v1.decisions",
        "v1.planning",
        "v1.tokens",
        "v1.rules",
        "v1.notices",
    ):
        monkeypatch.setattr(f"gpuaas.api.{module}.timezone.now", lambda: make.NOON)
