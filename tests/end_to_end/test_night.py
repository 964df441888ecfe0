"""The night, whole: what it leaves behind, its repetition, and the night after.

One module, because tests of one module share a worker: the night is run once, not once a worker.
The order matters in one place: what is asked of the first night, and its repetition, come before
the company's clock is turned and the next night runs.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from orchestration.assets.score_checks import FEATURE_DRIFT, TRAINING_RANGE
from orchestration.assets.scores import HISTORY
from orchestration.dbt import load_parsed
from orchestration.installation import DBT_PROJECT, Installation
from publishing.publish import PUBLIC_SCHEMAS, content
from scoring import HEADS
from tests.end_to_end.conftest import NightOutcome, run_night
from tests.warehouse import frame

MARTS = (
    "core.dim_accounts",
    "core.dim_people",
    "core.fct_mrr_movements",
    "core.fct_contract_terms",
    "core.fct_account_months",
    "core.fct_usage_daily",
    "core.fct_month_closes",
    "renewals.renewals",
    "renewals.renewal_calendar",
    "renewals.departure_drivers",
    "renewals.predictive_actions",
    "renewals.program_results",
    "renewals.trigger_discovery",
    "renewals.churn_risk",
    "cohorts.revenue_retention",
    "cohorts.cohort_retention",
    "cohorts.revenue_concentration",
    "cohorts.winback",
    "cohorts.special_prospects",
    "cohorts.month_closes",
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
    views = frame(night.database, "select * from duckdb_views() where not internal")
    assert views.empty


def test_every_check_of_the_night_passed(night: NightOutcome) -> None:
    evaluations = night.result.get_asset_check_evaluations()
    assert len(evaluations) > 100
    failed = [e for e in evaluations if not e.passed]
    # A young company has seen no long term end and counts users anew since last year: its models
    # meet what they have not learnt from, and say so.
    watched = [e for e in failed if e.asset_key == HISTORY]
    assert {e.check_name for e in watched} <= {FEATURE_DRIFT, TRAINING_RANGE}
    assert all(e.severity is dg.AssetCheckSeverity.WARN for e in watched)
    assert [e.check_name for e in failed if e not in watched] == []


def test_a_second_run_changes_no_published_table_and_loads_nothing(
    night: NightOutcome, servers: Any, instance: dg.DagsterInstance
) -> None:
    before = content(night.database)
    again = run_night(night.home, night.as_of, servers, instance)
    assert content(again.database) == before
    assert again.rows_loaded() == 0


def test_the_month_is_closed_as_the_night_knew_it(night: NightOutcome) -> None:
    (close,) = frame(night.database, "select * from cohorts.month_closes").to_dict("records")
    assert (close["basis"], close["closed_on"].date()) == ("live", night.as_of)
    assert close["month"].date() == night.as_of.replace(day=1) - timedelta(days=1)
    assert close["reported_closing_mrr_usd"] == close["closing_mrr_usd"] > 0
    assert close["restated_accounts"] == 0


def test_every_open_account_has_one_score_of_each_head(
    night: NightOutcome, scores: pd.DataFrame
) -> None:
    open_accounts = frame(
        night.warehouse,
        "select account_id from intermediate.int_account_features"
        f" where observed_on = date '{night.as_of}' and is_open",
    )
    multiples = duckdb.sql(
        f"select * from '{night.home}/lake/scores/arr_multiple_history/*.parquet'"
    ).df()
    given = pd.concat([scores, multiples])
    live = given[(given["as_of"] == pd.Timestamp(night.as_of)) & ~given["is_backfill"]]
    assert set(live["head"]) == {*HEADS, "arr_multiple"}
    for _, rows in live.groupby("head"):
        assert sorted(rows["account_id"]) == sorted(open_accounts["account_id"])


def test_contributions_sum_to_the_logit(scores: pd.DataFrame) -> None:
    parts = scores["contributions"].map(lambda text: sum(json.loads(text).values()))
    assert len(scores) > 0
    assert ((parts + scores["base_logit"] - scores["logit"]).abs() < 1e-9).all()


def test_churn_risk_shows_every_open_account_with_reasons(night: NightOutcome) -> None:
    risk = frame(night.database, "select * from renewals.churn_risk")
    assert risk["account_id"].is_unique
    assert risk["p_lost_next_renewal"].between(0, 1).all()
    assert risk["p_lost_next_month"].between(0, 1).all()
    # Within a month fewer leave than at the renewal, which for most is further off.
    assert risk["p_lost_next_month"].mean() < risk["p_lost_next_renewal"].mean()
    assert risk["expected_arr_multiple"].between(0.5, 2).all()


def test_no_outer_join_compares_every_row_with_every_other(night: NightOutcome) -> None:
    """Such a join is as slow as its tables are large, squared; docs/scale.md says how it comes."""
    compiled = Installation(home=str(night.home)).dbt_target / "compiled" / "tenure" / "models"
    models = [path for path in compiled.rglob("*.sql") if path.parent.suffix != ".yml"]
    assert len(models) > 150
    slow = []
    with duckdb.connect(str(night.warehouse), read_only=True) as connection:
        for path in models:
            plan = connection.execute(f"explain (format json) {path.read_text()}").fetchall()
            nodes = json.loads(plan[0][1])
            while nodes:
                node = nodes.pop()
                nodes += node["children"]
                kind = node.get("extra_info", {}).get("Join Type", "INNER")
                if "BLOCKWISE_NL_JOIN" in node["name"] and kind != "INNER":
                    slow.append(path.stem)
    assert slow == []


def test_every_unit_test_of_a_model_holds(night: NightOutcome) -> None:
    installation = Installation(home=str(night.home))
    places = (
        *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
        *("--target-path", str(installation.dbt_target), "--quiet"),
        *("--log-path", str(installation.dbt_target)),
    )
    with installation.dbt_environment():
        outcome = dbtRunner(manifest=load_parsed(installation.lake)).invoke(
            [
                *("test", "--select", "test_type:unit", *places),
                *("--vars", json.dumps({"as_of": night.as_of.isoformat()})),
            ]
        )
        # dbt keeps the file open for its process, in which the next night runs.
        DuckDBConnectionManager.close_all_connections()
    assert outcome.exception is None
    results = {r.node.name: r.status.value for r in outcome.result.results}
    assert len(results) > 60
    assert {name: status for name, status in results.items() if status != "pass"} == {}


LABELS = [
    *("label_is_lost", "label_arr_multiple", "label_known_on", "label_notice_on"),
    "label_due_on",
]


@pytest.fixture(scope="module")
def kept(night: NightOutcome, tmp_path_factory: pytest.TempPathFactory) -> NightOutcome:
    """The first night's state, put aside before the next one."""
    home = tmp_path_factory.mktemp("kept") / "home"
    for part in ("warehouse/tenure.duckdb", "lake/scores"):
        source, target = night.home / part, home / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return replace(night, home=home)


@pytest.fixture(scope="module")
def next_night(
    kept: NightOutcome, night: NightOutcome, world: Any, servers: Any, instance: dg.DagsterInstance
) -> NightOutcome:
    """The night after, in the same installation."""
    assert kept.warehouse.exists()
    servers.set_now(world.config.last_day + timedelta(days=1))
    return run_night(night.home, world.config.last_day, servers, instance)


def past_features(night: NightOutcome, before: str) -> pd.DataFrame:
    features = frame(
        night.warehouse,
        "select * from intermediate.int_account_features"
        f" where observed_on < date '{before}' order by account_id, observed_on",
    )
    return features.drop(columns=LABELS)


def history(home: Path) -> pd.DataFrame:
    return duckdb.sql(
        f"select * from '{home}/lake/scores/churn_score_history/*.parquet'"
        " order by head, as_of, is_backfill, account_id"
    ).df()


def test_it_loads_what_is_new_and_not_everything(
    night: NightOutcome, next_night: NightOutcome
) -> None:
    assert 0 < next_night.rows_loaded() < night.rows_loaded() / 20


def test_features_of_the_past_do_not_change(kept: NightOutcome, next_night: NightOutcome) -> None:
    month = kept.as_of.replace(day=1).isoformat()
    before, after = past_features(kept, month), past_features(next_night, month)
    assert len(before) > 0
    pd.testing.assert_frame_equal(before, after)


def test_scores_are_added_and_none_rewritten(kept: NightOutcome, next_night: NightOutcome) -> None:
    before, after = history(kept.home), history(next_night.home)
    old = after[after["as_of"] <= pd.Timestamp(kept.as_of)].reset_index(drop=True)
    pd.testing.assert_frame_equal(old, before)
    assert len(after) > len(before)


def test_both_nights_are_kept_and_readers_see_the_new_one(
    night: NightOutcome, next_night: NightOutcome
) -> None:
    published = next_night.home / "published"
    dates = sorted(path.name[:10] for path in published.glob("20*"))
    assert dates == [night.as_of.isoformat(), next_night.as_of.isoformat()]
    assert (published / "current").readlink().name.startswith(next_night.as_of.isoformat())
