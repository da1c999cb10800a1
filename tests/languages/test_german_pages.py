"""What a German reader sees is German: every page of the demo, and what mails and the API say."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from django.core import mail
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from gpuaas.accounts import services
from gpuaas.accounts.models import Team, User
from gpuaas.inventory.models import Node, Pool
from gpuaas.notifications import letters
from onebox import messages
from reservations.models import Reservation
from tests import make

# The same in both languages, or somebody's words: names in the demo, what stands in files.
ALLOWED = {"Start", "Language", "Planned maintenance", "Team", "Pool", "Status", "Name", "Version"}
PLAIN = (
    *("home", "mine", "timeline", "costs", "cost_files", "finance", "book", "hardware", "import"),
    *("notices", "bell", "preferences", "planning", "profile", "reservations", "all_series"),
    *("templates", "team_new", "teams", "tokens", "calendar_links", "fleet", "search"),
)
SAID_BY = ("aria-label", "title", "placeholder", "alt")


class Visible(HTMLParser):
    """Gather the texts that people see or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in {"script", "style", "code", "textarea", "pre"}
        self.texts += [value for name, value in attrs if name in SAID_BY and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in {"script", "style", "code", "textarea", "pre"}

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


def english() -> dict[str, re.Pattern[str]]:
    """Return each English text that German says otherwise, as a form to find it by."""
    forms = {}
    for domain in ("django", "sentences"):
        for each in messages.kept(domain, "de"):
            singular = each.id if isinstance(each.id, str) else each.id[0] if each.id else ""
            string = each.string or ""
            german = string if isinstance(string, str) else string[0]
            parts = re.split(r"%\(\w+\)s|%[sd]|\{\w*\}", re.sub(r"</?\w+[^>]*>", "", singular))
            told = "".join(parts)
            if not singular or singular == german or each.context or len(told.split()) < 1:
                continue
            if len(parts) > 1 and len(told.split()) < 3:  # "{0} of {1}" is in too much
                continue
            forms[singular] = re.compile(".+?".join(map(re.escape, parts)).replace("%%", "%"))
    return forms


def left_in_english(page: str, forms: dict[str, re.Pattern[str]]) -> Iterator[str]:
    visible = Visible()
    visible.feed(page)
    whole = {singular for singular, form in forms.items() if ".+?" not in form.pattern}
    for raw in visible.texts:
        text = " ".join(raw.split()).strip()
        bare = text.strip(" .,:;()·")
        if not re.search("[A-Za-z]{2}", text) or text in ALLOWED or bare in ALLOWED:
            continue
        if text in whole or bare in whole:
            yield text
        else:
            yield from (
                f"{text!r} ({singular!r})"
                for singular, form in forms.items()
                if singular not in whole and form.fullmatch(text)
            )


@pytest.fixture
def demo(db: None) -> User:
    call_command("load_demo")
    root = User.objects.get(username="root")
    services.change_profile(
        person=root, look=services.Look(language="de", time_zone="Europe/Berlin")
    )
    return root


def addresses() -> Iterator[str]:
    yield from (reverse(f"portal:{name}") for name in PLAIN)
    yield from (reverse("mfa_index"), reverse("usersessions_list"), "/no-such-page/")
    for team in Team.objects.all()[:1]:
        names = ("team", "team_edit", "team_archive", "team_limits", "member_add")
        yield from (reverse(f"portal:{name}", args=[team.slug]) for name in names)
    for pool in Pool.objects.all()[:1]:
        yield from (reverse(f"portal:{name}", args=[pool.slug]) for name in ("pool", "pool_rules"))
    for node in Node.objects.all()[:1]:
        yield reverse("portal:node", args=[node.pk])
    for booking in Reservation.objects.all()[:4]:
        yield reverse("portal:reservation", args=[booking.public_id])
        yield reverse("portal:live", args=[booking.public_id])
    yield from (reverse("portal:close"), reverse("portal:plan_layout"))


def test_no_page_says_in_english_what_the_catalog_says_in_german(
    client: Client, demo: User
) -> None:
    client.force_login(demo)
    forms = english()

    found = {}
    for address in addresses():
        answer = client.get(address)
        page = answer.content.decode()
        assert answer.status_code in {200, 404}, address
        if said := sorted(set(left_in_english(page, forms))):
            found[address] = said

    assert found == {}


def test_the_check_sees_english(client: Client, demo: User) -> None:
    services.change_profile(person=demo, look=services.Look(language="en-gb"))
    client.force_login(demo)

    page = client.get(reverse("portal:home")).content.decode()

    assert len(set(left_in_english(page, english()))) > 5


def test_the_api_speaks_english_unless_the_request_asks_otherwise(
    client: Client, demo: User
) -> None:
    client.force_login(demo)
    address = "/api/v1/reservations/00000000-0000-0000-0000-000000000000/"

    plain = client.get(address)
    german = client.get(address, headers={"accept-language": "de"})

    assert plain["Content-Language"] == "en-gb"
    assert german["Content-Language"] == "de"
    assert plain.json()["code"] == german.json()["code"]


def test_a_mail_is_in_the_language_and_the_zone_of_whom_it_goes_to(db: None) -> None:
    from gpuaas.core import sentences  # noqa: PLC0415
    from gpuaas.identity.locale import as_for  # noqa: PLC0415
    from gpuaas.notifications.wording import Text  # noqa: PLC0415

    person = make.user(username="otto")
    person.language, person.time_zone = "de", "Europe/Berlin"
    text = Text(
        "Ready: 1 x GPU", "Your workspace can be opened. It ends at 2026-07-01 10:00 UTC.", "/"
    )

    with as_for(person, otherwise="en-gb"):
        told = Text(sentences.as_read(text.title), sentences.as_read(text.body), text.path)
        letters.send(to="otto@example.com", text=told, number=1)

    sent = mail.outbox[0]
    assert sent.subject == "Bereit: 1 x GPU"
    assert (
        "Die Arbeitsumgebung kann geöffnet werden. Sie endet um 2026-07-01 12:00 CEST." in sent.body
    )
    assert "Diese Nachricht kommt wegen einer Rolle in GPUaaS." in sent.body
