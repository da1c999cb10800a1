"""What is wrong with a scenario, as its reader says it."""

import pytest

from tokenomics import documents


def problems_of(source: object) -> list[tuple[str, str]]:
    with pytest.raises(documents.ScenarioRefused) as refused:
        documents.scenario_from(source)
    return [(each.field, each.code) for each in refused.value.problems]


def message_of(source: object) -> str:
    with pytest.raises(documents.ScenarioRefused) as refused:
        documents.scenario_from(source)
    return str(refused.value)
