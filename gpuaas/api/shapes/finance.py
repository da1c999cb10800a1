"""What the API says of what finance enters, and of whether a month adds up."""

from rest_framework import serializers

from gpuaas.api.shapes import Shape


class CostSheetOutput(Shape):
    """One version of what the platform costs.  The last counts for months that are not closed."""

    number = serializers.IntegerField()
    currency = serializers.CharField()
    reason = serializers.CharField()
    entered_by = serializers.CharField()
    entered_at = serializers.DateTimeField()


class CostSheetTextOutput(CostSheetOutput):
    yaml = serializers.CharField()


class CostCentreOutput(Shape):
    """A cost centre, and this month (of UTC) of its budget, in minor units.

    ``is_charged``: its statements are booked, not only shown.  ``budget_minor`` null: no limit.
    """

    code = serializers.CharField()
    name = serializers.CharField()
    is_charged = serializers.BooleanField()
    currency = serializers.CharField()
    budget_minor = serializers.IntegerField(allow_null=True)
    blocks = serializers.BooleanField(help_text="Bookings that it does not pay are refused")
    actual_minor = serializers.IntegerField(help_text="For time that has passed")
    committed_minor = serializers.IntegerField(help_text="Booked for later")
    forecast_minor = serializers.IntegerField(help_text="At the end of the month")


class CostBudgetOutput(Shape):
    """What a cost centre may spend a month, from a month on; ``amount_minor`` null ends it."""

    cost_centre = serializers.CharField()
    valid_from = serializers.CharField(help_text="2026-10")
    amount_minor = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField()
    blocks = serializers.BooleanField()
    set_by = serializers.CharField()
    set_at = serializers.DateTimeField()


class CostPeriodOutput(Shape):
    """A month as finance sees it.  ``problem`` says why its last calculation came to nothing."""

    month = serializers.CharField(help_text="2026-10")
    state = serializers.CharField(help_text="open, soft_closed or closed")
    idle_policy = serializers.CharField()
    currency = serializers.CharField()
    cost_sheet = serializers.IntegerField(allow_null=True, help_text="The version of the inputs")
    calculated_at = serializers.DateTimeField(allow_null=True)
    calculated_until = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField()
    soft_closed_at = serializers.DateTimeField(allow_null=True)
    soft_closed_by = serializers.CharField(allow_null=True)
    closed_at = serializers.DateTimeField(allow_null=True)
    closed_by = serializers.CharField(allow_null=True)


class CostBalanceOutput(Shape):
    """What a category of a pool costs, and what lines pay of it."""

    pool = serializers.CharField()
    category = serializers.CharField()
    due_minor = serializers.IntegerField()
    paid_minor = serializers.IntegerField()
    difference_minor = serializers.IntegerField()


class ReconciliationOutput(Shape):
    """Whether a month adds up: all differences are 0 then, and no line has wrong sums.

    Hours are of whole GPUs; ``by_cost_centre`` has minor units by category, entered lines too.
    """

    is_even = serializers.BooleanField()
    balances = CostBalanceOutput(many=True)
    by_cost_centre = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField())
    )
    hours = serializers.DictField(
        child=serializers.CharField(), help_text="booked, idle, stranded, outage"
    )
    calendar_hours = serializers.CharField()
    hours_difference_ns = serializers.IntegerField()
    wrong_lines = serializers.IntegerField()


class AdjustmentOutput(Shape):
    """An amount that one person entered and another has to approve before it is a line."""

    id = serializers.UUIDField()
    month = serializers.CharField(help_text="2026-10")
    cost_centre = serializers.CharField()
    team = serializers.CharField(allow_null=True)
    category = serializers.CharField()
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    reason = serializers.CharField()
    corrects = serializers.CharField(allow_null=True, help_text="The closed month, 2026-09")
    entered_by = serializers.CharField()
    entered_at = serializers.DateTimeField()
    approved_by = serializers.CharField(allow_null=True)
    approved_at = serializers.DateTimeField(allow_null=True)
    rejected_at = serializers.DateTimeField(allow_null=True)


class StatementOutput(Shape):
    """What a closed month says of a cost centre; ``cost_centre`` null: of all of them.

    ``document`` is canonical JSON as text, the same for ever, and ``sha256`` its digest.
    """

    number = serializers.CharField(help_text="2026-10/000")
    cost_centre = serializers.CharField(allow_null=True)
    is_charged = serializers.BooleanField()
    amount_minor = serializers.IntegerField()
    currency = serializers.CharField()
    lines = serializers.IntegerField()
    lines_sha256 = serializers.CharField()
    sha256 = serializers.CharField()
    made_at = serializers.DateTimeField()
    document = serializers.CharField()
