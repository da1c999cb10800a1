"""API tokens: made, used, ended."""

from datetime import timedelta

import pytest

from gpuaas import tasks
from gpuaas.accounts import services
from gpuaas.accounts.models import ApiToken, User
from gpuaas.audit.models import AuditEvent
from tests import make

pytestmark = pytest.mark.django_db
YEAR = timedelta(days=365)


def created(person: User, *, name: str = "ci", hours: float = 24) -> ApiToken:
    made, _ = services.create_token(
        person=person, name=name, expires_at=make.at(hours), longest=YEAR, now=make.NOON
    )
    return made


def actions() -> list[str]:
    found = AuditEvent.objects.filter(action__startswith="token.").order_by("pk")
    return list(found.values_list("action", flat=True))


def test_the_secret_is_nowhere_in_the_database() -> None:
    made, text = services.create_token(
        person=make.user(), name="ci", expires_at=make.at(1), longest=YEAR, now=make.NOON
    )

    secret = text.rpartition("_")[2]
    assert secret not in repr(ApiToken.objects.values().get())
    assert secret not in repr(list(AuditEvent.objects.values()))
    assert made.is_live(make.NOON)
    assert str(made).startswith("ci of ")


@pytest.mark.parametrize(
    ("lives_for", "is_made"),
    [(timedelta(), False), (timedelta(seconds=1), True), (YEAR, True), (2 * YEAR, False)],
)
def test_a_token_has_an_end_that_is_not_too_far(lives_for: timedelta, is_made: bool) -> None:
    person = make.user()

    if not is_made:
        with pytest.raises(services.TokenRefused, match="365 days from now at the latest: 2027"):
            created(person, hours=lives_for / timedelta(hours=1))
    else:
        created(person, hours=lives_for / timedelta(hours=1))

    assert ApiToken.objects.exists() is is_made
    assert actions() == ["token.created"] * is_made


def test_a_name_is_free_again_once_its_token_is_revoked() -> None:
    person = make.user()
    first = created(person)
    created(make.user())  # somebody else's names do not matter

    with pytest.raises(services.TokenNameTaken, match="revoke it, or take another name"):
        created(person)
    services.revoke_token(token=first, actor=person, now=make.at(1))

    assert created(person).pk != first.pk


def test_there_are_so_many_and_not_more() -> None:
    person = make.user()
    many = [created(person, name=str(n)) for n in range(services.LIVE_AT_MOST)]

    with pytest.raises(services.TooManyTokens, match="20 tokens, the most: revoke one first"):
        created(person)
    services.revoke_token(token=many[0], actor=person, now=make.NOON)

    assert created(person).is_live(make.NOON)


def test_revoking_twice_is_revoking_once() -> None:
    person = make.user()
    token = created(person)

    services.revoke_token(token=token, actor=person, now=make.at(1))
    services.revoke_token(token=token, actor=person, now=make.at(2))

    assert token.revoked_at == make.at(1)
    assert not token.is_live(make.at(1))
    assert actions() == ["token.created", "token.revoked"]


def test_its_use_is_written_down_once_an_hour() -> None:
    token = created(make.user())
    noted = []

    for hour in (0, 0.5, 0.99, 1, 1.5):
        token.refresh_from_db()
        services.note_use(token=token, now=make.at(hour))
        token.refresh_from_db()
        noted.append(token.last_used_at)

    assert noted == [make.NOON] * 3 + [make.at(1)] * 2


def test_what_ended_long_ago_is_forgotten() -> None:
    person = make.user()
    created(person, name="expired", hours=1)
    services.revoke_token(token=created(person, name="revoked"), actor=person, now=make.NOON)
    created(person, name="live", hours=24 * 100)
    day = timedelta(days=1)

    assert services.forget_tokens(now=make.NOON + 90 * day) == 0
    assert services.forget_tokens(now=make.NOON + 91 * day) == 2

    assert list(ApiToken.objects.values_list("name", flat=True)) == ["live"]
    assert actions().count("token.created") == 3

    tasks.forget_tokens()  # by the clock of today, which is later than all of this
    assert not ApiToken.objects.exists()
