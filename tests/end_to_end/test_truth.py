"""What the marts say of money and renewals equals what really happened, to the cent."""

from __future__ import annotations

from typing import Any

import pytest

from sample_company.world.build import build_world
from sample_company.world.config import WorldConfig
from tests.end_to_end.conftest import SEED, NightOutcome, query
from tests.truth.compare import differences

# One worker runs all tests of the night, or the night would be run once a worker.
pytestmark = pytest.mark.xdist_group("night")


@pytest.fixture(scope="module")
def truth(night: NightOutcome, world: Any) -> Any:
    """What had really happened by the night: the world, ended on its date."""
    config = WorldConfig(size="small", seed=SEED, horizon=night.as_of, start=world.config.start)
    return build_world(config).truth


@pytest.fixture(scope="module")
def found(night: NightOutcome, truth: Any) -> Any:
    """Differences between the published core and the truth, by truth table."""
    tables = ("fct_account_months", "fct_mrr_movements", "fct_contract_terms")
    marts = {table: query(night.database, f"select * from core.{table}") for table in tables}
    assert all(len(mart) > 200 for mart in marts.values())
    return differences(marts, truth, night.as_of)


@pytest.mark.parametrize("table", ["truth_mrr", "truth_movements", "truth_terms"])
def test_the_night_equals_the_truth(table: str, found: Any) -> None:
    assert found[table].empty, found[table].head(20).to_string()
