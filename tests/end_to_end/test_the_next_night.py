"""The night after: it adds to history and changes nothing that was known before."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest

from tests.end_to_end.conftest import NightOutcome, query, run_night

# One worker runs all tests of the night, or the night would be run once a worker.
pytestmark = pytest.mark.xdist_group("night")

ORDER = ["account_id", "observed_on"]
LABELS = ["label_is_lost", "label_known_on", "label_due_on"]


@pytest.fixture(scope="module")
def next_night(
    night: NightOutcome,
    world: Any,
    servers: Any,
    instance: dg.DagsterInstance,
    tmp_path_factory: pytest.TempPathFactory,
) -> NightOutcome:
    """A copy of the installation, one night on."""
    home = tmp_path_factory.mktemp("next") / "home"
    shutil.copytree(night.home, home, symlinks=True, ignore=shutil.ignore_patterns(".dlt"))
    servers.set_now(world.config.last_day + timedelta(days=1))
    return run_night(home, world.config.last_day, servers, instance)


def past_features(night: NightOutcome, before: str) -> pd.DataFrame:
    frame = query(
        night.warehouse,
        "select * from intermediate.int_account_features"
        f" where observed_on < date '{before}' order by account_id, observed_on",
    )
    return frame.drop(columns=LABELS)


def history(home: Path) -> pd.DataFrame:
    return duckdb.sql(
        f"select * from '{home}/lake/scores/churn_score_history/*.parquet'"
        " order by head, as_of, is_backfill, account_id"
    ).df()


def test_it_loads_what_is_new_and_not_everything(
    night: NightOutcome, next_night: NightOutcome
) -> None:
    assert 0 < next_night.rows_loaded() < night.rows_loaded() / 20


def test_features_of_the_past_do_not_change(night: NightOutcome, next_night: NightOutcome) -> None:
    month = night.as_of.replace(day=1).isoformat()
    before, after = past_features(night, month), past_features(next_night, month)
    assert len(before) > 0
    pd.testing.assert_frame_equal(before, after)


def test_scores_are_added_and_none_rewritten(night: NightOutcome, next_night: NightOutcome) -> None:
    before, after = history(night.home), history(next_night.home)
    kept = after[after["as_of"] <= pd.Timestamp(night.as_of)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, before)
    assert len(after) > len(before)


def test_both_nights_are_kept_and_readers_see_the_new_one(
    night: NightOutcome, next_night: NightOutcome
) -> None:
    published = next_night.home / "published"
    dates = sorted(path.name[:10] for path in published.glob("20*"))
    assert dates == [night.as_of.isoformat(), next_night.as_of.isoformat()]
    assert (published / "current").readlink().name.startswith(next_night.as_of.isoformat())
