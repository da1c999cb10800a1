"""What the API says of a month's cost."""

from rest_framework import serializers

from gpuaas.api.shapes import Shape


class CostMonthOutput(Shape):
    """A month in the company's time zone.  ``total_minor`` is what the caller may see of it."""

    month = serializers.CharField(help_text="2026-10")
    state = serializers.CharField()
    currency = serializers.CharField()
    time_zone = serializers.CharField()
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    calculated_at = serializers.DateTimeField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    total_minor = serializers.IntegerField()


class TokensOutput(Shape):
    prompt_computed = serializers.IntegerField()
    prompt_cached = serializers.IntegerField()
    generated = serializers.IntegerField()


class PerMillionOutput(Shape):
    """Major units of the currency for a million tokens, by what is counted; null without tokens."""

    total = serializers.CharField(allow_null=True)
    processed = serializers.CharField(allow_null=True)
    weighted = serializers.CharField(allow_null=True)


class CostGroupOutput(Shape):
    """What one group costs.  Amounts are minor units; what a group cannot have is null.

    Figures per million divide ``covered_minor``, the cost of bookings with tokens.
    """

    key = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField()
    total_minor = serializers.IntegerField()
    used_minor = serializers.IntegerField(allow_null=True)
    unused_minor = serializers.IntegerField(allow_null=True)
    idle_minor = serializers.IntegerField(allow_null=True)
    other_minor = serializers.IntegerField(allow_null=True)
    gpu_hours = serializers.CharField(allow_null=True)
    bookings = serializers.IntegerField(allow_null=True)
    tokens = TokensOutput()
    covered_minor = serializers.IntegerField()
    per_million = PerMillionOutput()


class CostLineOutput(Shape):
    """One line.  ``amounts`` has minor units by category, which add up to ``amount_minor``."""

    number = serializers.IntegerField()
    kind = serializers.CharField()
    currency = serializers.CharField()
    amounts = serializers.DictField(child=serializers.IntegerField())
    amount_minor = serializers.IntegerField()
    cost_centre = serializers.CharField()
    team = serializers.CharField()
    user = serializers.CharField()
    project = serializers.CharField()
    pool = serializers.CharField()
    node = serializers.CharField()
    device = serializers.CharField()
    resource_name = serializers.CharField()
    reservation = serializers.UUIDField(allow_null=True)
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    device_hours = serializers.CharField()
    gpu_hours = serializers.CharField()
    is_measured = serializers.BooleanField(allow_null=True)
    corrects = serializers.CharField(allow_null=True)
    reason = serializers.CharField()


class BookingModelOutput(Shape):
    """What one model of a booking processed, and what of its cost it bears."""

    model = serializers.CharField()
    tokens = TokensOutput()
    amount_minor = serializers.IntegerField()
    per_million = PerMillionOutput()


class ReadingOutput(Shape):
    """An entry of the ledger.  A figure that was not told is null, which is not 0."""

    started_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField()
    arrived_at = serializers.DateTimeField()
    source = serializers.CharField()  # type: ignore[assignment]
    event_id = serializers.CharField()
    is_reading = serializers.BooleanField()
    engine = serializers.CharField()
    model = serializers.CharField()
    prompt_computed = serializers.IntegerField(allow_null=True)
    prompt_cached = serializers.IntegerField(allow_null=True)
    generated = serializers.IntegerField(allow_null=True)
    requests = serializers.IntegerField(allow_null=True)


class BookingCostOutput(Shape):
    """What a booking costs in a month, and what that is made of: lines, tokens, meters, inputs.

    ``coverage`` is the part of its time, 0 to 1, for which its engines were read.
    """

    reservation = serializers.UUIDField()
    currency = serializers.CharField()
    total_minor = serializers.IntegerField()
    lines = CostLineOutput(many=True)
    models = BookingModelOutput(many=True)
    coverage = serializers.FloatField(allow_null=True)
    readings = serializers.IntegerField(help_text="How many entries of the ledger there are")
    cost_sheet = serializers.IntegerField(allow_null=True, help_text="The version of the inputs")


class ExportOutput(Shape):
    """A file that was asked for.  ``url`` is there once it is made, ``problem`` if it cannot be."""

    id = serializers.UUIDField()
    month = serializers.CharField()
    format = serializers.CharField()
    requested_at = serializers.DateTimeField()
    lines = serializers.IntegerField()
    lines_done = serializers.IntegerField()
    done_at = serializers.DateTimeField(allow_null=True)
    size = serializers.IntegerField(allow_null=True, help_text="Bytes")
    sha256 = serializers.CharField(allow_null=True)
    problem = serializers.CharField()
    url = serializers.URLField(allow_null=True)
