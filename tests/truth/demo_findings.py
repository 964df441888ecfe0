"""Findings of the large company against what its makers planted.

Belongs here: findings made as the night makes them and shown by the marts, held against effects
that are known. Must not be here: how anything is compared, see `tests/scoring`. The name keeps this
out of `make test`: only the large company has events enough, and `make truth` names the file.
"""

from __future__ import annotations

import shutil
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from ingestion.lake import Lake, ensure_anchors
from orchestration.assets.findings import findings_assets
from orchestration.installation import Installation, Night
from sample_company.world.latent import TRIGGER_LIFT
from tests.truth.conftest import Case
from tests.warehouse import Warehouse

REAL, DECOY = "new_executive", "office_move"
MARTS = ("predictive_actions", "trigger_discovery", "program_results")
STAGED = "stg_scores__action_findings stg_scores__trigger_findings stg_scores__program_findings"
#: Given to those who were doing well, and without any effect.
CHOSEN = "prog_health_review"
#: What stands for an executive who is in touch, which is what keeps customers in this world.
WARM = {"executive_meeting", "site_visit", "value_report_acknowledged", "advocacy_act"}


@pytest.fixture(scope="module")
def marts(
    case: Case, warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, pd.DataFrame]:
    """The marts after a first night of findings."""
    home = tmp_path_factory.mktemp("findings")
    installation = Installation(home=str(home))
    ensure_anchors(Lake.at(home))
    installation.warehouse.parent.mkdir(parents=True)
    shutil.copyfile(case.warehouse, installation.warehouse)
    assets = findings_assets()
    resources = {"installation": installation, "night": Night(as_of=case.as_of.isoformat())}
    assert dg.materialize(assets, resources=resources, selection=assets).success
    night = Warehouse(home)
    shutil.copyfile(case.warehouse, night.file)
    night.build(f"{STAGED} {' '.join(MARTS)}", case.as_of.isoformat())
    return {name: night.frame(f"select * from renewals.{name}") for name in MARTS}


def only(table: pd.DataFrame, **key: str) -> dict[str, Any]:
    """The one row of a key."""
    rows = table.loc[np.logical_and.reduce([table[c] == v for c, v in key.items()])]
    (row,) = rows.to_dict("records")
    return {str(name): value for name, value in row.items()}


def test_the_event_that_works_is_found_with_its_size(marts: dict[str, pd.DataFrame]) -> None:
    real = only(marts["trigger_discovery"], trigger_type=REAL, outcome="seats_added")
    assert real["verdict"] == "followed_by_more"
    assert real["rate_ratio_low"] <= TRIGGER_LIFT <= real["rate_ratio_high"]


def test_the_decoy_and_the_other_outcomes_are_not_found(marts: dict[str, pd.DataFrame]) -> None:
    found = marts["trigger_discovery"]
    decoy = found[found["trigger_type"] == DECOY]
    assert set(decoy["verdict"]) <= {"no_difference_shown", "refused"}
    estimated = only(decoy, outcome="seats_added")
    assert estimated["rate_ratio_low"] <= 1.0 <= estimated["rate_ratio_high"]
    called = found[found["verdict"].str.startswith("followed_by")]
    assert set(zip(called["trigger_type"], called["outcome"], strict=True)) == {
        (REAL, "seats_added")
    }


def test_nothing_good_is_said_to_lose_customers(marts: dict[str, pd.DataFrame]) -> None:
    found = marts["predictive_actions"]
    assert found["quarter_end_on"].nunique() == 4
    vendor = found[found["done_by"] == "vendor"]
    assert not vendor["verdict"].eq("predicts_loss").any()
    # Executives who are in touch are what keeps customers here: at equal risk foreseen, too.
    now = found[found["is_current"] & found["segment"].eq("all") & found["window_days"].eq(365)]
    warm = now[now["action"].isin(WARM)]
    assert len(warm) == len(WARM)
    assert warm["odds_ratio"].gt(1.0).all()
    assert warm["odds_ratio_low"].gt(1.0).any()


def test_what_was_given_to_the_healthy_is_not_called_a_success(
    marts: dict[str, pd.DataFrame],
) -> None:
    found = marts["program_results"]
    chosen = only(found, program_id=CHOSEN, outcome_measure="next_renewal_kept")
    assert chosen["method"] == "adjusted_comparison"
    assert chosen["compared_treated"] >= 100
    # The truth is nought: a number that holds it, or none.
    assert chosen["verdict"] in {"refused", "no_difference_shown"}
    assert chosen["naive_difference"] > 0.0


def test_visits_look_better_than_they_are(marts: dict[str, pd.DataFrame]) -> None:
    """Whom we visit renews more; at equal risk foreseen, much of that is gone."""
    found = marts["predictive_actions"]
    found = found[found["is_current"] & found["segment"].eq("all") & found["window_days"].eq(365)]
    visit = only(found, action="site_visit")
    kept, kept_without = visit["renewal_rate_with"], visit["renewal_rate_without"]
    naive = kept / (1 - kept) / (kept_without / (1 - kept_without))
    assert visit["odds_ratio"] < naive / 1.3
    assert visit["odds_ratio_high"] < naive, "the naive odds lie outside the adjusted interval"
