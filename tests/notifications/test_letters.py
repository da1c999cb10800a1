"""Mail, to a real server on loopback."""

from email import message_from_bytes, policy
from typing import Any

import pytest

from gpuaas.notifications import letters
from gpuaas.notifications.failures import NotDelivered
from gpuaas.notifications.wording import Text
from tests.notifications import receivers

TEXT = Text(title="Ready: Größe <b>", body="Your workspace can be opened.", path="/x/")


@pytest.fixture(autouse=True)
def by_smtp(settings: Any) -> Any:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_TIMEOUT = 5
    return settings


def send() -> None:
    letters.send(to="ada@example.com", text=TEXT, number=7)


def test_a_letter_arrives(by_smtp: Any) -> None:
    with receivers.mail_server() as (by_smtp.EMAIL_PORT, arrived):
        send()

    letter = message_from_bytes(arrived[0], policy=policy.default)
    assert (letter["To"], letter["Subject"]) == ("ada@example.com", TEXT.title)
    assert letter["Message-ID"] == "<gpuaas-7@127.0.0.1>"
    plain, html = (part.get_content() for part in letter.iter_parts())
    assert "http://127.0.0.1:8000/x/" in plain
    assert "Größe <b>" in plain
    assert "Größe &lt;b&gt;" in html


@pytest.mark.parametrize(
    ("answer", "is_final"), [("550 no such mailbox", True), ("450 try later", False)]
)
def test_a_refusal_is_final_only_if_the_server_says_so(
    by_smtp: Any, answer: str, *, is_final: bool
) -> None:
    with (
        receivers.mail_server(refuses=answer) as (by_smtp.EMAIL_PORT, arrived),
        pytest.raises(NotDelivered) as refused,
    ):
        send()

    assert refused.value.is_final == is_final
    assert arrived == []


def test_a_server_that_is_down_is_tried_again(by_smtp: Any) -> None:
    with receivers.mail_server() as (by_smtp.EMAIL_PORT, _):
        pass
    with pytest.raises(NotDelivered) as refused:
        send()

    assert not refused.value.is_final
