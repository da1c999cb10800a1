"""What is left of a session, as meters.  Pure: what the cluster counts in, finished text out."""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Final

from django.utils.translation import gettext

from gpuaas.core.language import later
from gpuaas.inventory import quantities
from gpuaas.portal.cards.limits import Meter, meter
from gpuaas.portal.wording import cores, memory, plural, storage

_MIB: Final = 1024**2
_GIB: Final = 1024**3
_ALWAYS: Final[tuple[tuple[str, str, Callable[[Fraction], str]], ...]] = (
    ("limits.cpu", "CPU", lambda n: cores(int(n * 1000))),
    ("limits.memory", later("Memory"), lambda n: memory(int(n / _MIB))),
    ("requests.storage", later("Storage"), lambda n: storage(int(n / _GIB))),
    ("pods", later("Pods"), lambda n: plural(int(n), "pod")),
)


def quota_meters(
    *, hard: Mapping[str, str], used: Mapping[str, str], resource_name: str
) -> tuple[Meter, ...]:
    """Return a meter for the slots of the booked type, and for each of what everybody needs."""
    slots = (f"requests.{resource_name}", gettext("GPU slots"), lambda n: plural(int(n), "slot"))
    return tuple(_meters(hard, used, (slots, *_ALWAYS)))


def _meters(
    hard: Mapping[str, str],
    used: Mapping[str, str],
    wanted: tuple[tuple[str, str, Callable[[Fraction], str]], ...],
) -> Iterator[Meter]:
    for key, title, say in wanted:
        try:
            most, taken = (Fraction(quantities.parse(each[key])) for each in (hard, used))
        except (KeyError, ValueError):
            continue  # it is not counted, or not in a form we know: say nothing rather than wrong
        yield meter(title, None, [(taken, "actual", "")], most=most, say=say)
