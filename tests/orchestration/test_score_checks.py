"""The checks on the scores: one step, four verdicts, warnings that stop nothing."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import pandas as pd
import pytest

import scoring
from orchestration.assets import score_checks
from orchestration.assets.score_checks import (
    FEATURE_DRIFT,
    MATURED,
    MISSING_RATES,
    TRAINING_RANGE,
    feature_verdicts,
)
from orchestration.assets.scores import HISTORY, training_cutoff
from orchestration.installation import Installation, Night
from scoring import history, registry
from scoring.config import TreeParams
from tests.scoring.worlds import AS_OF, BANDS, SCORED_AT, world

FEW_TREES = TreeParams(40, 8, 3, 0.1, 5.0, 30)
QUICK = scoring.TrainConfig(replicates=0, origins=1, trees=FEW_TREES, tiny_trees=FEW_TREES)
ALL = {FEATURE_DRIFT, MISSING_RATES, TRAINING_RANGE, MATURED}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world(accounts=250, base=-1.5)


@pytest.fixture(scope="module")
def models(frame: pd.DataFrame) -> dict[str, scoring.Model]:
    return {
        name: scoring.train(frame, name, training_cutoff(AS_OF), QUICK) for name in scoring.HEADS
    }


@pytest.fixture(scope="module")
def home(
    frame: pd.DataFrame, models: dict[str, scoring.Model], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """An installation on the evening of its first scores."""
    root = tmp_path_factory.mktemp("home")
    (root / "warehouse").mkdir()
    with duckdb.connect(str(root / "warehouse" / "tenure.duckdb")) as connection:
        connection.execute("create schema intermediate")
        connection.register("frame", frame)
        connection.execute("create table intermediate.int_account_features as select * from frame")
    for model in models.values():
        registry.save(root / "models", model)
        registry.consider(root / "models", model, SCORED_AT)
        rows = scoring.score(model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
        history.append(root / "lake", rows)
    return root


def today(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["observed_on"] == pd.Timestamp(AS_OF)].reset_index(drop=True)


def test_one_step_gives_four_verdicts_that_stop_nothing(home: Path) -> None:
    scores = dg.AssetSpec(HISTORY)
    job = dg.Definitions(
        assets=[scores],
        asset_checks=score_checks.score_checks(),
        jobs=[dg.define_asset_job("watch", dg.AssetSelection.checks_for_assets(HISTORY))],
        resources={
            "installation": Installation(home=str(home)),
            "night": Night(as_of=AS_OF.isoformat()),
        },
    ).resolve_job_def("watch")
    result = job.execute_in_process()
    evaluations = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert set(evaluations) == ALL
    assert all(e.severity is dg.AssetCheckSeverity.WARN for e in evaluations.values())
    assert all(e.description for e in evaluations.values())
    # The scores are of today: what they say is yet to come.
    assert evaluations[MATURED].passed
    assert "Not enough yet: 0 scored renewals" in str(evaluations[MATURED].description)
    specs = [spec for check in score_checks.score_checks() for spec in check.check_specs]
    assert all(spec.description and not spec.blocking for spec in specs)


def test_what_has_drifted_warns_and_is_named(
    frame: pd.DataFrame, models: dict[str, scoring.Model]
) -> None:
    moved = today(frame)
    moved["f_usage__breadth"] += 2.0
    moved["f_value__reports_12m"] = np.nan
    moved["f_support__cases_90d"] = 1e6
    verdicts = feature_verdicts(models, moved)
    assert not any(verdict.passed for verdict in verdicts.values())
    for check, feature in (
        (FEATURE_DRIFT, "f_usage__breadth"),
        (MISSING_RATES, "f_value__reports_12m"),
        (TRAINING_RANGE, "f_support__cases_90d"),
    ):
        assert feature in {row["feature"] for row in verdicts[check].rows}
        assert verdicts[check].rows[0]["head"] in verdicts[check].text


def test_few_accounts_are_no_verdict(frame: pd.DataFrame, models: dict[str, scoring.Model]) -> None:
    for verdict in feature_verdicts(models, today(frame).head(20)).values():
        assert verdict.passed
        assert verdict.text.startswith("Not enough to compare: 50 accounts are needed")


def test_losses_that_were_not_forecast_warn(
    frame: pd.DataFrame, models: dict[str, scoring.Model]
) -> None:
    head = {"next_renewal": models["next_renewal"]}
    decided = frame[frame["label_is_lost"].notna()]
    told = pd.DataFrame(
        {
            "head": "next_renewal",
            "serves": "model",
            "is_backfill": False,
            "account_id": decided["account_id"],
            "as_of": decided["observed_on"],
        }
    )
    rate = float(decided["label_is_lost"].astype("float64").mean())
    for p, is_backfill, passed in ((rate, True, True), (rate / 4, False, False)):
        scores = told.assign(p=p, is_backfill=is_backfill)
        verdict = score_checks.matured_verdict(head, scores, frame, AS_OF)
        assert verdict.passed is passed, verdict.text
        assert ("backfilled" if is_backfill else "live") in verdict.text
