"""What tokenomics keeps, one module per idea."""

from tokenomics.models.planning import EnteredPrices, SavedScenario

__all__ = ["EnteredPrices", "SavedScenario"]
