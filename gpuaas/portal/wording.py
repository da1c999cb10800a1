"""Numbers and names as people say them, in their language and time zone."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.utils import timezone
from django.utils.dateformat import format as date_format
from django.utils.formats import get_format
from django.utils.translation import gettext, ngettext, pgettext

from gpuaas.core import words
from gpuaas.core.language import later
from gpuaas.core.sentences import in_language
from gpuaas.inventory.mig import WHOLE
from gpuaas.inventory.promise import Guarantee

if TYPE_CHECKING:
    from gpuaas.inventory.promise import Promise

_NUMBER: Final = re.compile(r"\d[\d,.]*\d")
_SWAPPED: Final = str.maketrans(",.", ".,")
_BINARY_STEP: Final = 1024  # from MiB to GiB, from GiB to TiB


def resource(name: str) -> str:
    """Return what people call a resource type: ``Whole GPU``, ``MIG slice 1g.24gb``."""
    return in_language(words.resource(name))


def amount(units: int, resource_name: str) -> str:
    """Return how many of what."""
    return f"{units} {words.TIMES} {resource(resource_name)}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return ``3 cores`` or ``1 core``."""
    return ngettext(f"%d {one}", f"%d {many or one + 's'}", number) % number


def memory(mebibytes: int) -> str:
    """Return main memory: ``188 GiB``, below one GiB ``512 MiB``."""
    if mebibytes < _BINARY_STEP:
        return f"{mebibytes} MiB"
    return f"{_short(mebibytes / _BINARY_STEP)} GiB"


def in_digits(text: str) -> str:
    """Return numbers written the English way, ``1,234.5``, as the reader writes them."""
    point = get_format("DECIMAL_SEPARATOR")
    if point == ".":
        return text
    return _NUMBER.sub(lambda found: found[0].translate(_SWAPPED), text)


def gpu_memory(mebibytes: int) -> str:
    """Return GPU memory as it stands on the box, ``96 GB``: drivers report a little less."""
    return f"{int(mebibytes / _BINARY_STEP + 0.5)} GB"


def storage(gibibytes: int) -> str:
    """Return storage: ``600 GiB``, from 1024 on ``2.5 TiB``."""
    if gibibytes < _BINARY_STEP:
        return f"{gibibytes} GiB"
    return f"{_short(gibibytes / _BINARY_STEP)} TiB"


def cores(millicores: int) -> str:
    """Return CPU: ``25 cores``, ``0.5 cores``."""
    number = _short(millicores / 1000)
    return ngettext("%(number)s core", "%(number)s cores", 1 if number == "1" else 2) % {
        "number": number
    }


def duration(length: timedelta) -> str:
    """Return the two largest parts of a length: ``2 d 3 h``, ``45 min``, ``12 s``."""
    seconds = max(0, int(length.total_seconds()))
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    units = ((days, gettext("d")), (hours, gettext("h")), (minutes, gettext("min")))
    parts = [f"{n} {unit}" for n, unit in units if n]
    return " ".join(parts[:2]) or f"{seconds} s"


def instant(at: datetime) -> str:
    """Return a moment in the time zone that is active, and the zone's name."""
    local = timezone.localtime(at)
    form = pgettext("a date and a time of day, for Django's date filter", "j M Y, H:i")
    return f"{date_format(local, form)} {local.tzname()}"


def utc(at: datetime) -> str:
    """Return a moment in UTC, for whoever points at it."""
    form = pgettext("a date and a time of day, for Django's date filter", "j M Y, H:i")
    return f"{date_format(at.astimezone(UTC), form)} UTC"


def product(name: str) -> str:
    """Return the product name of a label, readable: no dashes, no profile at the end."""
    return name.partition("-MIG-")[0].replace("-", " ")


def what_fits(mebibytes: int) -> str:
    """Return which language models a device of that memory carries, as a rule of thumb."""
    for least_gib, sentence in _FITS:
        if mebibytes >= least_gib * _BINARY_STEP:
            return sentence
    return gettext("Notebooks, small models and tests")


# The weights with room for context: 2 bytes a parameter, about 0.6 when quantised to 4 bits.
_FITS = (
    (88, later("A 70B model, quantised; fine-tuning of a 7B model")),
    (44, later("A 14B model, or a 32B model, quantised")),
    (21, later("A 7B model, or a 14B model, quantised")),
    (10, later("A 3B model, or a 7B model, quantised")),
)


def _short(number: float) -> str:
    return in_digits(f"{number:.1f}".removesuffix(".0"))


def guarantee(promised: "Promise", resource_name: str) -> str:
    """Return in two words whose a device is: ``Exclusive slice``, ``Shared with other teams``."""
    kind = "GPU" if resource_name == WHOLE else gettext("slice")
    if promised.guarantee == Guarantee.SHARED:
        return gettext("Shared with other teams")
    if promised.guarantee == Guarantee.TIME_SHARED:
        return gettext("Your {kind} alone, time-shared inside your session").format(kind=kind)
    return gettext("Exclusive {kind}").format(kind=kind)


def what_guarantee_means(promised: "Promise") -> str:
    """Return what it means for containers, in a sentence or two."""
    if promised.guarantee == Guarantee.SHARED:
        return gettext(
            "Up to {slots} containers take turns on a device, other teams' among "
            "them: nothing separates their memory and faults from yours."
        ).format(slots=promised.slots)
    if promised.guarantee == Guarantee.EXCLUSIVE:
        return gettext("One container at a time has it, and it is yours: nobody else's runs on it.")
    own = (
        gettext("All")
        if promised.slots is None
        else gettext("Up to {slots}").format(slots=promised.slots)
    )
    return gettext(
        "{own} of your own containers take turns on it and share its memory; "
        "nobody else's run on it."
    ).format(own=own)


def compute(share: Decimal) -> str:
    """Return the part of a GPU: ``25 % of a GPU's compute``, ``all of a GPU's compute``."""
    part = gettext("all") if share == 1 else f"{(share * 100).normalize():f} %"
    return gettext("{part} of a GPU's compute").format(part=part)
