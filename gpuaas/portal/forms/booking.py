"""The booking form: what people type, as a `Wish`."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo, available_timezones

from django import forms
from django.core import signing
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from gpuaas.core.language import later
from gpuaas.core.modes import AllocationMode
from gpuaas.portal.cards.types import TypeChoice
from reservations import policy
from reservations.capacity import Window
from reservations.recurrence import Every, Repeat
from reservations.services import Approval, Wish

if TYPE_CHECKING:
    from gpuaas.accounts.models import Team, User

NOW, LATER = "now", "later"
MORNING, UNTIL = "morning", "until"
HOURS: Final = {"1h": 1, "2h": 2, "4h": 4, "8h": 8}
LENGTHS: Final = (
    *((value, f"{hours} h") for value, hours in HOURS.items()),
    (MORNING, later("Until 9:00 next day")),
    (UNTIL, later("Until …")),
)
ONCE: Final = ""
REPEATS: Final = (
    (ONCE, later("Once")),
    (Every.DAY.value, later("Every day")),
    (Every.WEEKDAY.value, later("Every weekday, Monday to Friday")),
    (Every.WEEK.value, later("Every week, on that day")),
)
ZONES: Final = frozenset(available_timezones())
MODES: Final = (
    (AllocationMode.INTERACTIVE.value, later("Interactive ML")),
    (AllocationMode.INFERENCE.value, later("Inference containers")),
)
# How much CPU, memory and storage goes with the devices, measured by the fair share.
SIZES: Final = (("half", _("Half of it")), ("fair", _("Fair share")), ("double", _("Twice of it")))
FACTOR: Final = {"half": Fraction(1, 2), "double": Fraction(2)}
# The domain names its fields by unit; the form has its own.
FIELD_OF_PROBLEM: Final = {
    "resource_name": "type",
    "cpu_millicores": "cpu_cores",
    "memory_mib": "memory_gib",
    "until": "repeat_until",
    "count": "repeat_until",
}


class MomentField(forms.Field):
    """A moment as datetime-local inputs and scripts write it; without a zone it is the person's."""

    def to_python(self, value: object) -> datetime | None:
        if not value:
            return None
        try:
            at = parse_datetime(str(value))
        except ValueError:
            at = None
        if at is None:
            raise forms.ValidationError(gettext("Enter a date and a time."), code="invalid")
        aware = at if at.tzinfo else at.replace(tzinfo=timezone.get_current_timezone())
        return aware.astimezone(UTC)


class BookingForm(forms.Form):
    """Everything a booking needs.  Empty CPU, memory or storage: as ``size`` says."""

    key = forms.CharField(widget=forms.HiddenInput)
    team = forms.ChoiceField()
    type = forms.ChoiceField(error_messages={"required": later("Choose what to book.")})
    units = forms.IntegerField(min_value=1, max_value=1000, initial=1)
    begins = forms.ChoiceField(
        choices=((NOW, later("Now")), (LATER, later("At a time"))), initial=NOW
    )
    starts_at = MomentField(required=False)
    length = forms.ChoiceField(choices=LENGTHS, initial="4h")
    ends_at = MomentField(required=False)
    morning_at = MomentField(required=False)
    mode = forms.ChoiceField(choices=MODES, initial=MODES[0][0])
    size = forms.ChoiceField(required=False, choices=SIZES, initial="fair")
    cpu_cores = forms.IntegerField(required=False, min_value=1, max_value=100_000)
    memory_gib = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)
    storage_gib = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)
    purpose = forms.CharField(required=False, max_length=120)
    on_behalf_of = forms.CharField(required=False, max_length=150)
    repeat = forms.ChoiceField(required=False, choices=REPEATS)
    repeat_until = forms.DateField(required=False)
    time_zone = forms.CharField(required=False, max_length=64)
    override = forms.CharField(required=False, max_length=400)
    reason = forms.CharField(required=False, max_length=200)

    def __init__(
        self,
        *args: Any,
        user: "User",
        teams: "Sequence[Team]",
        types: Sequence[TypeChoice],
        now: datetime,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.cards = {card.value: card for card in types}
        self.offer_teams(teams)
        self.now = now
        self._salt = f"portal.booking:{user.pk}"
        self.fields["type"].choices = [(card.value, card.title) for card in types]  # type: ignore[attr-defined]
        self.fields["type"].initial = types[0].value if types else None

    def offer_teams(self, teams: "Iterable[Team]") -> None:
        """Let the person choose from ``teams``."""
        self.teams = {team.slug: team for team in teams}
        self.fields["team"].choices = [(team.slug, team.name) for team in self.teams.values()]  # type: ignore[attr-defined]
        self.fields["team"].initial = next(iter(self.teams), None)

    @property
    def public_id(self) -> uuid.UUID | None:
        """The number this form was given when it was shown: sent twice, it is one booking."""
        try:
            return uuid.UUID(signing.loads(self.data.get("key", ""), salt=self._salt))
        except (signing.BadSignature, ValueError):
            return None

    @property
    def key_to_send(self) -> str:
        """The key to send next: the same after a mistake, a new one where the old is no good."""
        if self.public_id:
            return str(self.data["key"])
        return signing.dumps(uuid.uuid4().hex, salt=self._salt)

    @property
    def chosen_card(self) -> TypeChoice:
        """The type that a valid form asks for."""
        return self.cards[self.cleaned_data["type"]]

    @property
    def chosen_team(self) -> "Team":
        """The team that a valid form books for."""
        return self.teams[self.cleaned_data["team"]]

    def clean_key(self) -> uuid.UUID:
        if self.public_id is None:
            raise forms.ValidationError(gettext("This form has expired: please send it again."))
        return self.public_id

    def clean(self) -> dict[str, Any]:
        """Work out the window."""
        data = super().clean() or self.cleaned_data
        if (
            data.get("repeat")
            and not data.get("repeat_until")
            and "repeat_until" not in self.errors
        ):
            self.add_error("repeat_until", gettext("Until which day should it be repeated?"))
        starts_at = self._starts_at(data)
        ends_at = self._ends_at(data, starts_at)
        if starts_at and ends_at:
            data["window"] = Window(starts_at, ends_at)
        return data

    def wish(self) -> Wish | None:
        """Return what the form asks for, as far as it can be read; None without type or window.

        A field that cannot be read counts as left out: it has its error already.
        """
        data = self.cleaned_data
        if "type" not in data or "window" not in data:
            return None
        card, units = self.chosen_card, data.get("units", 1)
        factor = FACTOR.get(data.get("size", ""), Fraction(1))
        shares = min(units, card.at_most) * factor  # of too many units, only those are wrong
        return Wish(
            public_id=data.get("key", uuid.UUID(int=0)),
            resource_name=card.resource_name,
            units=units,
            window=data["window"],
            mode=AllocationMode(data.get("mode", AllocationMode.INTERACTIVE)),
            cpu_millicores=(data.get("cpu_cores") or _some(card.share_cores * shares)) * 1000,
            memory_mib=(data.get("memory_gib") or _some(card.share_memory_gib * shares)) * 1024,
            storage_gib=data.get("storage_gib") or _some(card.share_storage_gib * factor),
            purpose=data.get("purpose", ""),
        )

    def repeated(self) -> Repeat | None:
        """Return how a valid form repeats its window; None: it does not."""
        every = self.cleaned_data.get("repeat")
        if not every:
            return None
        name = self.cleaned_data.get("time_zone", "")
        zone = ZoneInfo(name if name in ZONES else "UTC")
        return Repeat(Every(every), zone, until=self.cleaned_data["repeat_until"])

    def approval(self, person: "User") -> Approval | None:
        """Return which rules ``person`` sets aside by sending this form, if any."""
        codes = self.cleaned_data.get("override", "").split()
        if not codes:
            return None
        return Approval(by=person, override=frozenset(codes), reason=self.cleaned_data["reason"])

    def add_problems(self, problems: Iterable[policy.Problem]) -> None:
        """Put what the domain has against it beside the fields."""
        for problem in problems:
            field = FIELD_OF_PROBLEM.get(problem.field, problem.field)
            message = self.in_plain_words(problem.message)
            self.add_error(
                field if field in self.fields else None,
                forms.ValidationError(message, code=problem.code),
            )

    def in_plain_words(self, message: str) -> str:
        """Return a sentence of the domain with types called as people call them."""
        for card in self.cards.values():
            message = message.replace(card.resource_name, card.title)
        return f"{message[:1].upper()}{message[1:]}."

    def _starts_at(self, data: dict[str, Any]) -> datetime | None:
        if data.get("begins") == NOW:
            return self.now
        at: datetime | None = data.get("starts_at")
        if at is None:
            if "starts_at" not in self.errors:
                self.add_error("starts_at", gettext("When should it start?"))
            return None
        # An input has whole minutes: the current one means now, and is not in the past.
        return max(at, self.now) if at >= self.now.replace(second=0, microsecond=0) else at

    def _ends_at(self, data: dict[str, Any], starts_at: datetime | None) -> datetime | None:
        length = data.get("length", "")
        if length == UNTIL:
            at: datetime | None = data.get("ends_at")
            if at is None and "ends_at" not in self.errors:
                self.add_error("ends_at", gettext("When should it end?"))
            return at
        if starts_at is None:
            return None
        if length == MORNING:
            in_the_morning: datetime | None = data.get("morning_at")
            return in_the_morning or next_morning(starts_at)
        if length not in HOURS:
            return None
        return (starts_at + timedelta(hours=HOURS[length])).replace(second=0, microsecond=0)


def _some(share: Fraction) -> int:
    return max(1, int(share))


def next_morning(starts_at: datetime) -> datetime:
    """Return 9:00 UTC of the day after; the browser sends its own."""
    return (starts_at + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
