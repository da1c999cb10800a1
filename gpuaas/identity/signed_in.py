"""Who is signed in, by hand-written SQL.

Every page asks for the session and the person: for the ORM to put these together takes longer than
for PostgreSQL to answer.
"""

from typing import Any, Final

from allauth.account.auth_backends import AuthenticationBackend
from django.contrib.sessions.backends import db
from django.db import connection
from django.utils import timezone

from gpuaas.accounts.models import User
from gpuaas.core.rows import Columns

_SESSION: Final = """
SELECT session_key, session_data, expire_date FROM django_session
WHERE session_key = %s AND expire_date > %s
"""
_PERSON: Final = Columns(User, "person")
_PERSON_NUMBERED: Final = f"SELECT {_PERSON.sql} FROM accounts_user person WHERE person.id = %s"  # noqa: S608 -- names of our own columns


class SessionStore(db.SessionStore):
    """Django's sessions in the database, read by hand."""

    def _get_session_from_db(self) -> Any:
        with connection.cursor() as cursor:
            cursor.execute(_SESSION, [self.session_key, timezone.now()])
            row = cursor.fetchone()
        if row is None:
            self._session_key = None
            return None
        return self.model(*row)


class PersonBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth is untyped
    """allauth's way to log in; who has logged in is read by hand."""

    def get_user(self, user_id: Any) -> User | None:
        with connection.cursor() as cursor:
            cursor.execute(_PERSON_NUMBERED, [user_id])
            row = cursor.fetchone()
        user = row and _PERSON.read(row)
        return user if user and self.user_can_authenticate(user) else None
