"""`gpuaas.identity.signed_in` is what Django does itself, in fewer steps."""

from datetime import timedelta

import pytest
from django.contrib.auth import get_user
from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.identity.signed_in import PersonBackend, SessionStore
from tests import make

pytestmark = pytest.mark.django_db


def saved() -> str:
    store = SessionStore()
    store["seen"] = [1, "two"]
    store.save()
    assert store.session_key
    return store.session_key


def test_a_session_is_read_as_django_reads_it() -> None:
    key = saved()

    assert (
        dict(SessionStore(key).items())
        == dict(db.SessionStore(key).items())
        == {"seen": [1, "two"]}
    )


@pytest.mark.parametrize("expires_in", [timedelta(0), -timedelta(days=1)])
def test_a_session_that_expired_is_empty_and_loses_its_key(expires_in: timedelta) -> None:
    key = saved()
    Session.objects.update(expire_date=timezone.now() + expires_in)

    store = SessionStore(key)

    assert not dict(store.items())
    assert store.session_key is None


def test_a_session_nobody_has_is_empty() -> None:
    assert not dict(SessionStore("x" * 32).items())


def test_the_person_is_read_as_the_orm_reads_them() -> None:
    person = make.user(teams=[make.team()])

    found = PersonBackend().get_user(person.pk)

    assert found is not None
    orm = User.objects.get(pk=person.pk)
    columns = [field.attname for field in User._meta.concrete_fields]  # noqa: SLF001 -- documented by Django
    assert [getattr(found, name) for name in columns] == [getattr(orm, name) for name in columns]


def test_whoever_left_is_nobody() -> None:
    person = make.user()
    User.objects.update(is_active=False)

    assert PersonBackend().get_user(person.pk) is None
    assert PersonBackend().get_user(-1) is None


def test_a_login_lasts_from_request_to_request() -> None:
    person, browser = make.user(), Client()
    browser.force_login(person)
    request = HttpRequest()
    request.session = SessionStore(browser.session.session_key)

    assert get_user(request) == person
