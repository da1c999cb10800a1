"""`gpuaas.settings.env`: typed, and loud when a value is missing or wrong."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from gpuaas.settings import env

NAME = "GPUAAS_A_SETTING_OF_THE_TESTS"


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)


def test_a_text_without_default_must_be_set() -> None:
    with pytest.raises(ImproperlyConfigured, match=f"{NAME} is not set"):
        env.env_str(NAME)


def test_a_text_may_have_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.env_str(NAME, "default") == "default"

    monkeypatch.setenv(NAME, "set")

    assert env.env_str(NAME, "default") == "set"


def test_a_secret_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from the file\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "secret"))

    assert env.env_secret(NAME) == "from the file"


def test_a_secrets_file_that_cannot_be_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(NAME, "the variable is no way out")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "missing"))

    with pytest.raises(ImproperlyConfigured, match="cannot be read"):
        env.env_secret(NAME)


def test_a_secret_without_variable_or_file_must_be_set() -> None:
    with pytest.raises(ImproperlyConfigured, match="is not set"):
        env.env_secret(NAME)


@pytest.mark.parametrize(
    ("value", "meaning"),
    [("1", True), ("True", True), ("yes", True), ("on", True), ("0", False), ("OFF", False)],
)
def test_a_yes_or_no(monkeypatch: pytest.MonkeyPatch, value: str, meaning: bool) -> None:
    monkeypatch.setenv(NAME, value)

    assert env.env_bool(NAME, default=not meaning) is meaning


@pytest.mark.parametrize("value", ["", "maybe", "2"])
def test_what_is_neither_yes_nor_no_is_an_error(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    assert env.env_bool(NAME, default=True)
    monkeypatch.setenv(NAME, value)

    with pytest.raises(ImproperlyConfigured, match="neither yes nor no"):
        env.env_bool(NAME, default=True)


def test_a_whole_number(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.env_int(NAME, 30) == 30

    monkeypatch.setenv(NAME, "5")

    assert env.env_int(NAME, 30) == 5


@pytest.mark.parametrize("value", ["", "5.5", "30s"])
def test_what_is_no_whole_number_is_an_error(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(NAME, value)

    with pytest.raises(ImproperlyConfigured, match="not a whole number"):
        env.env_int(NAME, 30)


def test_a_list_has_no_empty_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert env.env_list(NAME) == []

    monkeypatch.setenv(NAME, "a.example.com, b.example.com,,")

    assert env.env_list(NAME) == ["a.example.com", "b.example.com"]


def test_a_database_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        NAME, "postgresql://gpu%40aas:p%2Fw@db.example.com:5433/booking?sslmode=verify-full"
    )

    assert env.env_database(NAME) == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "booking",
        "USER": "gpu@aas",
        "PASSWORD": "p/w",
        "HOST": "db.example.com",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "verify-full"},
    }


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("sqlite:///db.sqlite3", "postgresql://"),
        ("mysql://u:secret@h/n", "postgresql://"),
        ("postgresql://u:secret@h:5432", "names no database"),
        ("postgresql://u:secret@h:port/n", "[Pp]ort"),
    ],
)
def test_a_wrong_database_address_is_an_error_that_keeps_the_password(
    monkeypatch: pytest.MonkeyPatch, address: str, complaint: str
) -> None:
    monkeypatch.setenv(NAME, address)

    with pytest.raises(ImproperlyConfigured, match=complaint) as refused:
        env.env_database(NAME)

    assert NAME in str(refused.value)
    assert "secret" not in str(refused.value)
