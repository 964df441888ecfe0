"""Which model scores which day, what a repeated night adds, and how a leak is told.

How models are fitted is in `tests/scoring`; here the company is so small that its segments' rates
serve, except where a leak has to be found.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import pytest

import scoring
from orchestration.assets.scores import (
    arr_multiple_history,
    backfill_cutoff,
    churn_score_backfill,
    churn_score_history,
    models,
    training_cutoff,
)
from orchestration.installation import Installation, Night
from scoring import history, multiple
from tests.scoring.worlds import AS_OF, BANDS, with_multiples, world

TABLES = (history.CHURN_SCORES, history.ARR_MULTIPLES)
MONTH_END, BEFORE = date(2025, 3, 31), date(2025, 2, 28)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return with_multiples(world(accounts=45, years=3, base=-3.5), strength=0.0)


def install(home: Path, frame: pd.DataFrame) -> Installation:
    """A warehouse that holds what scores are made of."""
    installation = Installation(home=str(home))
    installation.warehouse.parent.mkdir(parents=True)
    with duckdb.connect(str(installation.warehouse)) as connection:
        connection.execute("create schema intermediate; create schema seeds")
        connection.register("features", frame)
        connection.register("bands", BANDS)
        connection.execute(
            "create table intermediate.int_account_features as select * from features"
        )
        connection.execute("create table seeds.risk_bands as select * from bands")
    return installation


def run_night(installation: Installation, as_of: date) -> dg.ExecuteInProcessResult:
    steps = [models, churn_score_history, arr_multiple_history]
    resources = {"installation": installation, "night": Night(as_of=as_of.isoformat())}
    done = dg.materialize(steps, resources=resources, selection=steps)
    assert done.success
    return done


def backfill(installation: Installation, month_end: date) -> None:
    done = dg.materialize(
        [churn_score_backfill],
        resources={"installation": installation},
        partition_key=month_end.replace(day=1).isoformat(),
        selection=[churn_score_backfill],
    )
    assert done.success


def stored(installation: Installation, table: history.Table) -> pd.DataFrame:
    rows = history.read(installation.lake, table=table)
    return rows.drop(columns=["scored_at", "run_id"])


def test_a_backfilled_month_end_is_scored_by_the_month_before() -> None:
    for month_end in pd.date_range("2020-01-31", "2025-12-31", freq="ME"):
        cutoff = backfill_cutoff(month_end.date())
        assert cutoff < month_end.date()
        assert cutoff == (month_end.date().replace(day=1) - timedelta(days=1))
    assert training_cutoff(date(2025, 3, 31)) == date(2025, 3, 31)
    assert training_cutoff(date(2025, 3, 30)) == date(2025, 2, 28)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame) -> Installation:
    """An installation whose registry holds models of today before a past month is asked for."""
    installation = install(tmp_path_factory.mktemp("scores") / "home", frame)
    run_night(installation, AS_OF)
    backfill(installation, MONTH_END)
    return installation


def test_a_backfilled_month_uses_no_model_that_has_seen_beyond_it(night: Installation) -> None:
    for table in TABLES:
        rows = stored(night, table)
        past = rows[rows["is_backfill"]]
        assert len(past) > 20
        assert set(past["as_of"]) == {MONTH_END}
        assert set(past["training_cutoff_on"]) == {BEFORE}
        for head, version in past[["head", "model_version"]].drop_duplicates().to_numpy():
            manifest = json.loads((night.models / head / version / "manifest.json").read_text())
            assert manifest["training_cutoff_on"] == BEFORE.isoformat()
        live = rows[~rows["is_backfill"]]
        assert set(live["training_cutoff_on"]) == {AS_OF}
    heads = set(stored(night, history.CHURN_SCORES)["head"])
    assert heads == set(scoring.HEADS)
    assert set(stored(night, history.ARR_MULTIPLES)["head"]) == {multiple.HEAD}


def test_outcomes_of_afterwards_change_no_backfilled_score(
    tmp_path: Path, night: Installation, frame: pd.DataFrame
) -> None:
    other = frame.copy()
    late = ~(other["label_due_on"] + pd.Timedelta(days=60) <= pd.Timestamp(BEFORE))
    other.loc[late, "label_is_lost"] = 1 - other.loc[late, "label_is_lost"]
    other.loc[late, "label_arr_multiple"] = 3.0
    again = install(tmp_path / "home", other)
    backfill(again, MONTH_END)
    for table in TABLES:
        rows = stored(night, table)
        past = rows[rows["is_backfill"]].reset_index(drop=True)
        pd.testing.assert_frame_equal(stored(again, table), past)


def test_a_repeated_night_and_month_add_no_row(night: Installation) -> None:
    before = {p: p.read_bytes() for p in night.lake.rglob("*") if p.is_file()}
    done = run_night(night, AS_OF)
    backfill(night, MONTH_END)
    assert {p: p.read_bytes() for p in night.lake.rglob("*") if p.is_file()} == before
    for step in ("scores__churn_score_history", "scores__arr_multiple_history"):
        (event,) = done.asset_materializations_for_node(step)
        assert event.metadata["rows_appended"].value == 0
        assert event.metadata["accounts_scored"].value > 0


def test_a_leak_is_told_and_kept_out(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    frame = with_multiples(world(accounts=80, years=3, base=-0.5), strength=0.0)
    lost = frame["label_is_lost"].astype("float64").fillna(0.0)
    planted = frame.assign(f_usage__innocent_name=lost + np.linspace(0, 0.1, len(frame)))
    installation = install(tmp_path / "home", planted)
    resources = {"installation": installation, "night": Night(as_of=AS_OF.isoformat())}
    done = dg.materialize([models], resources=resources, selection=[models])
    (event,) = done.asset_materializations_for_node("scores__models")
    told = event.metadata["features_kept_out"].value
    assert told["next_renewal"][0]["feature"] == "f_usage__innocent_name"
    assert told["next_renewal"][0]["auc"] > 0.95
    warnings = [line for line in capfd.readouterr().err.splitlines() if "WARNING" in line]
    assert any(
        "next_renewal: kept out" in line and "f_usage__innocent_name (auc 1.000)" in line
        for line in warnings
    )
    (manifest,) = installation.models.glob("next_renewal/*/manifest.json")
    assert "f_usage__innocent_name" not in json.loads(manifest.read_text())["features"]
