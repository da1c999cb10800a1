"""``{% load units %}``: numbers, names and moments in templates."""

import re
from datetime import UTC, datetime
from typing import Final

from django import template
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from gpuaas.core import sentences
from gpuaas.portal import wording

register = template.Library()

_UTC_IN_TEXT: Final = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d) UTC")

register.filter("memory", wording.memory)
register.filter("gpu_memory", wording.gpu_memory)
register.filter("storage", wording.storage)
register.filter("cores", wording.cores)
register.filter("duration", wording.duration)
register.filter("resource", wording.resource)
register.filter("product", wording.product)


@register.simple_tag
def instant(at: datetime, form: str = "full") -> SafeString:
    """Show a moment in the person's time zone, with JavaScript else in the browser's.

    In UTC it shows to whoever points at it.

    ``form``: "full", "time" (of day alone), or "countdown" (how long until then).
    """
    return format_html(
        '<time datetime="{}" data-form="{}" title="{}">{}</time>',
        at.astimezone(UTC).isoformat(timespec="seconds"),
        form,
        wording.utc(at),
        wording.instant(at),
    )


@register.filter
def with_instants(text: str) -> SafeString:
    """Mark the moments in a sentence of the domain, so that they show in local time too."""
    escaped = conditional_escape(sentences.in_language(text))
    marked = _UTC_IN_TEXT.sub(_as_instant, escaped)
    return mark_safe(marked)  # noqa: S308 -- escaped above; what is added is from digits only


def _as_instant(found: re.Match[str]) -> str:
    return instant(datetime.fromisoformat(f"{found[1]}T{found[2]}:00+00:00"))


@register.filter
def for_input(value: datetime | str | None) -> str:
    """Return a moment, parsed or as typed, in the form that a datetime-local input takes."""
    try:
        at = parse_datetime(value) if isinstance(value, str) else value
    except ValueError:
        at = None
    if at is None:
        return ""
    return f"{at if at.tzinfo is None else timezone.localtime(at):%Y-%m-%dT%H:%M}"
