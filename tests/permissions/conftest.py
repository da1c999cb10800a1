"""The world is made once, in a transaction that is never committed."""

from collections.abc import Iterator

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from tests.permissions.world import World, build


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    block = transaction.atomic()
    # As Django's own TestCase does it: services that want to be outermost are content with it.
    block._from_testcase = True  # type: ignore[attr-defined]  # noqa: SLF001
    with django_db_blocker.unblock(), block:
        yield build(timezone.now())
        transaction.set_rollback(True)
