"""For the API it is always noon."""

import pytest

from tests import make


@pytest.fixture(autouse=True)
def it_is_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pools", "reservations"):
        monkeypatch.setattr(f"gpuaas.api.v1.{module}.timezone.now", lambda: make.NOON)
