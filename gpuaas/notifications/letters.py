"""A message as an e-mail, plain and HTML."""

import smtplib
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from gpuaas.notifications.failures import NotDelivered
from gpuaas.notifications.wording import Text

_FIRST_PERMANENT: Final = 500  # of SMTP's reply codes


def send(*, to: str, text: Text, number: int) -> None:
    """Hand one e-mail to the mail server.  ``number`` makes its Message-ID: the same each time.

    Raises:
        NotDelivered: the server did not take it; final if it never will.
    """
    context = {
        "text": text,
        "link": settings.BASE_URL.rstrip("/") + text.path,
        "preferences": settings.BASE_URL.rstrip("/") + "/notices/preferences/",
    }
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    letter = EmailMultiAlternatives(
        subject=text.title,
        body=render_to_string("notifications/letter.txt", context),
        to=[to],
        headers={"Message-ID": f"<gpuaas-{number}@{host}>", "Auto-Submitted": "auto-generated"},
    )
    letter.attach_alternative(render_to_string("notifications/letter.html", context), "text/html")
    try:
        letter.send()
    except smtplib.SMTPRecipientsRefused as refused:
        codes = [code for code, _ in refused.recipients.values()]
        is_final = all(code >= _FIRST_PERMANENT for code in codes)
        raise NotDelivered(f"recipient refused: {codes}", is_final=is_final) from refused
    except smtplib.SMTPResponseException as answer:
        # Wrong credentials are ours to mend: they are no reason to lose everybody's mail.
        is_final = answer.smtp_code >= _FIRST_PERMANENT and not isinstance(
            answer, (smtplib.SMTPAuthenticationError, smtplib.SMTPSenderRefused)
        )
        raise NotDelivered(f"mail server: {answer.smtp_code}", is_final=is_final) from answer
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered(f"mail server: {type(error).__name__}: {error}") from error
