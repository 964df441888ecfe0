"""What one night leaves behind, and what a second run of it changes: nothing."""

from __future__ import annotations

import json
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest

from publishing.publish import PUBLIC_SCHEMAS, content
from tests.end_to_end.conftest import NightOutcome, query, run_night

# One worker runs all tests of the night, or the night would be run once a worker.
pytestmark = pytest.mark.xdist_group("night")

MARTS = (
    "core.dim_accounts",
    "core.dim_people",
    "core.fct_mrr_movements",
    "core.fct_contract_terms",
    "core.fct_account_months",
    "core.fct_usage_daily",
    "renewals.renewals",
    "renewals.renewal_calendar",
    "renewals.churn_risk",
    "cohorts.revenue_retention",
    "cohorts.cohort_retention",
    "value.customer_value",
    "value.scenarios",
)


@pytest.fixture(scope="module")
def scores(night: NightOutcome) -> pd.DataFrame:
    """The score history as it lies in the lake."""
    return duckdb.sql(
        f"select * from '{night.home}/lake/scores/churn_score_history/*.parquet'"
    ).df()


def test_every_mart_is_published_and_has_rows(night: NightOutcome) -> None:
    published = content(night.database)
    assert {name.split(".")[0] for name in published} == set(PUBLIC_SCHEMAS)
    assert all(published[mart].row_count > 0 for mart in MARTS), published


def test_no_view_and_no_staging_is_published(night: NightOutcome) -> None:
    views = query(night.database, "select * from duckdb_views() where not internal")
    assert views.empty


def test_every_check_of_the_night_passed(night: NightOutcome) -> None:
    evaluations = night.result.get_asset_check_evaluations()
    assert len(evaluations) > 100
    assert [e.check_name for e in evaluations if not e.passed] == []


def test_a_second_run_changes_no_published_table_and_loads_nothing(
    night: NightOutcome, servers: Any, instance: dg.DagsterInstance
) -> None:
    before = content(night.database)
    again = run_night(night.home, night.as_of, servers, instance)
    assert content(again.database) == before
    assert again.rows_loaded() == 0


def test_every_open_account_has_one_score_of_each_head(
    night: NightOutcome, scores: pd.DataFrame
) -> None:
    open_accounts = query(
        night.warehouse,
        "select account_id from intermediate.int_account_features"
        f" where observed_on = date '{night.as_of}' and is_open",
    )
    live = scores[(scores["as_of"] == pd.Timestamp(night.as_of)) & ~scores["is_backfill"]]
    for _, rows in live.groupby("head"):
        assert sorted(rows["account_id"]) == sorted(open_accounts["account_id"])


def test_contributions_sum_to_the_logit(scores: pd.DataFrame) -> None:
    parts = scores["contributions"].map(lambda text: sum(json.loads(text).values()))
    assert len(scores) > 0
    assert ((parts + scores["base_logit"] - scores["logit"]).abs() < 1e-9).all()


def test_churn_risk_shows_every_open_account_with_reasons(night: NightOutcome) -> None:
    risk = query(night.database, "select * from renewals.churn_risk")
    assert risk["account_id"].is_unique
    assert risk["p_lost_next_renewal"].between(0, 1).all()
