"""Planning: scenarios, plans, prices."""

from rest_framework import serializers

from gpuaas.api.shapes import Shape


class ExampleOutput(Shape):
    """A scenario, as YAML and as JSON."""

    yaml = serializers.CharField()
    scenario = serializers.DictField()


class PlanOutput(ExampleOutput):
    """Every answer to a scenario, and the scenario itself."""

    plan = serializers.DictField()


class SliceOutput(Shape):
    """A part of a GPU; ``gpu_equivalents`` is its share of one, as text."""

    name = serializers.CharField()
    memory_gib = serializers.IntegerField()
    gpu_equivalents = serializers.CharField()


class GpuOutput(Shape):
    """A GPU that a scenario may name."""

    name = serializers.CharField()
    title = serializers.CharField()
    slices = SliceOutput(many=True)


class CloudPricesOutput(Shape):
    """The cloud prices that count; who entered them is null for those that came with GPUaaS."""

    entered_by = serializers.CharField(allow_null=True)
    entered_at = serializers.DateTimeField(allow_null=True)
    prices = serializers.DictField()
    yaml = serializers.CharField()


class ClusterFileOutput(Shape):
    """A cluster's inventory as a file."""

    yaml = serializers.CharField()


class ImportOutput(Shape):
    """What an import changed, or would change."""

    dry_run = serializers.BooleanField()
    changes = serializers.ListField(child=serializers.CharField())
