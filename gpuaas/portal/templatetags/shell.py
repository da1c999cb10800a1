"""``{% load shell %}``: what surrounds every page."""

from dataclasses import dataclass

from django import template
from django.contrib.messages import constants
from django.forms import BoundField
from django.template import Context
from django.templatetags.static import static
from django.utils import timezone, translation
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from gpuaas.accounts import selectors as accounts
from gpuaas.accounts.models import CAN_BOOK, User
from gpuaas.core import sentences

register = template.Library()

SPRITE = "vendor/tabler-icons-3.51.0/icons.svg"
TONES = {
    constants.SUCCESS: ("success", "circle-check"),
    constants.WARNING: ("warning", "alert-triangle"),
    constants.ERROR: ("danger", "alert-triangle"),
}


@dataclass(frozen=True, slots=True)
class Person:
    """The signed-in person as the user menu shows them."""

    name: str
    initials: str
    role: str
    may_book: bool
    may_administer: bool
    runs_the_platform: bool


@register.simple_tag
def icon(name: str, extra: str = "") -> SafeString:
    """Draw one icon of the sprite; beside words it is decoration, so it is hidden from readers."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        extra,
        static(SPRITE),
        name,
    )


@register.simple_tag(takes_context=True)
def person(context: Context) -> Person | None:
    """Return who is signed in, or None; error pages have no request at all."""
    request = context.get("request")
    user = getattr(request, "user", None)
    return _person(user) if isinstance(user, User) else None


@register.simple_tag(takes_context=True)
def looks(context: Context) -> SafeString:
    """Say the person's time zone and theme to the scripts, where they have chosen."""
    user = getattr(context.get("request"), "user", None)
    if not isinstance(user, User):
        return SafeString()
    zone = format_html(' data-time-zone="{}"', user.time_zone) if user.time_zone else SafeString()
    return zone + format_html(' data-theme="{}"', user.theme)


@register.simple_tag
def words_script() -> SafeString:
    """Load what the scripts say, in another language than theirs."""
    language = (translation.get_language() or "en").partition("-")[0]
    if language == "en":
        return SafeString()
    return format_html('<script src="{}"></script>', static(f"portal/words-{language}.js"))


@register.simple_tag
def zone_note() -> str:
    """Say in which zone the page's times are."""
    zone = timezone.get_current_timezone_name()
    return _("Times are in UTC.") if zone == "UTC" else _("Times are in %(zone)s.") % {"zone": zone}


@register.filter
def spoken(text: str) -> str:
    """Say a sentence of the domain in the reader's language."""
    return sentences.in_language(text)


@register.filter
def control(field: BoundField) -> SafeString:
    """Draw a form field of somebody else's form in our look."""
    kind = getattr(field.field.widget, "input_type", "")
    look = "form-check-input" if kind in {"checkbox", "radio"} else "form-control"
    invalid = " is-invalid" if field.errors else ""
    return field.as_widget(attrs={"class": f"{look}{invalid}"})


@register.filter
def tone(level: int) -> str:
    """Return the colour of a message."""
    return TONES.get(level, ("info", ""))[0]


@register.filter
def tone_icon(level: int) -> str:
    """Return the icon of a message."""
    return TONES.get(level, ("", "info-circle"))[1]


def _person(user: User) -> Person:
    memberships = accounts.memberships_read(user, now=timezone.now())
    name = user.get_full_name() or user.get_username()
    organisation = user.get_organisation_role_display() if user.organisation_role else ""
    in_teams = [
        _("%(role)s of %(team)s") % {"role": each.get_role_display(), "team": each.team}
        for each in memberships
    ]
    return Person(
        name=name,
        initials="".join(word[0] for word in name.split()[:2]).upper(),
        role=organisation or ", ".join(in_teams) or _("In no team yet"),
        may_book=any(each.role in CAN_BOOK for each in memberships),
        may_administer=user.is_staff,
        runs_the_platform=user.is_platform_admin,
    )
