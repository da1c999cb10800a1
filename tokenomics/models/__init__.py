"""What tokenomics keeps, one module per idea."""

from tokenomics.models.costs import (
    CostAdjustment,
    CostLine,
    CostPeriod,
    CostPool,
    CostStatement,
    IdlePolicy,
    PeriodState,
)
from tokenomics.models.exports import CostExport, CostExportPiece, Format
from tokenomics.models.inputs import CostCentre, CostCentreBudget, CostSheet
from tokenomics.models.meters import FinalReading, MeterSeries, MeterSpan
from tokenomics.models.past import DeviceSpan, TeamCostCentre
from tokenomics.models.planning import EnteredPrices, SavedScenario
from tokenomics.models.sums import CostByModel
from tokenomics.models.usage import GpuEntry, GpuHour, UsageDay, UsageEntry, UsageHour

__all__ = [
    "CostAdjustment",
    "CostByModel",
    "CostCentre",
    "CostCentreBudget",
    "CostExport",
    "CostExportPiece",
    "CostLine",
    "CostPeriod",
    "CostPool",
    "CostSheet",
    "CostStatement",
    "DeviceSpan",
    "EnteredPrices",
    "FinalReading",
    "Format",
    "GpuEntry",
    "GpuHour",
    "IdlePolicy",
    "MeterSeries",
    "MeterSpan",
    "PeriodState",
    "SavedScenario",
    "TeamCostCentre",
    "UsageDay",
    "UsageEntry",
    "UsageHour",
]
