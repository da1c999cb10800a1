"""What tokenomics keeps, one module per idea."""

from tokenomics.models.meters import FinalReading, MeterSeries, MeterSpan
from tokenomics.models.planning import EnteredPrices, SavedScenario
from tokenomics.models.usage import GpuEntry, GpuHour, UsageDay, UsageEntry, UsageHour

__all__ = [
    "EnteredPrices",
    "FinalReading",
    "GpuEntry",
    "GpuHour",
    "MeterSeries",
    "MeterSpan",
    "SavedScenario",
    "UsageDay",
    "UsageEntry",
    "UsageHour",
]
