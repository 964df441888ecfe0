from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

import scoring
from scoring import bands
from scoring.config import TrainConfig
from scoring.errors import ClockError, FrameError
from scoring.history import CHURN_SCORES
from scoring.reasons import reasons_json
from tests.scoring.worlds import AS_OF, BANDS, SCORED_AT, world

QUICK = TrainConfig(replicates=2)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world(accounts=300)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> scoring.Model:
    return scoring.train(frame, "next_renewal", AS_OF, QUICK)


@pytest.fixture(scope="module")
def rows(frame: pd.DataFrame, model: scoring.Model) -> pd.DataFrame:
    return scoring.score(model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="run-1")


def test_columns_and_keys(rows: pd.DataFrame, frame: pd.DataFrame) -> None:
    assert list(rows.columns) == CHURN_SCORES.columns
    today = frame[frame["observed_on"] == pd.Timestamp(AS_OF)]
    assert rows["account_id"].tolist() == sorted(today["account_id"])
    assert set(rows["serves"]) == {"model"}
    assert rows["percentile"].max() == 1.0
    riskiest = rows.sort_values("p").iloc[-1]
    assert riskiest["percentile"] == 1.0


def test_published_contributions_sum_to_the_published_logit(rows: pd.DataFrame) -> None:
    for row in rows.itertuples():
        parts = json.loads(row.contributions)
        assert abs(sum(parts.values()) + row.base_logit - row.logit) < 1e-9
        assert abs(1 / (1 + np.exp(-row.logit)) - row.p) < 1e-9


def test_reasons_point_both_ways_and_name_peers(rows: pd.DataFrame, frame: pd.DataFrame) -> None:
    today = frame[frame["observed_on"] == pd.Timestamp(AS_OF)].set_index("account_id")
    seen = set()
    for row in rows.itertuples():
        reasons = json.loads(row.reasons)
        raising = [r for r in reasons if r["direction"] == "raises"]
        protecting = [r for r in reasons if r["direction"] == "protects"]
        assert len(raising) <= 3
        assert len(protecting) <= 2
        assert [r["rank"] for r in raising] == list(range(1, len(raising) + 1))
        sizes = [r["contribution"] for r in raising]
        assert sizes == sorted(sizes, reverse=True)
        assert all(r["contribution"] < 0 for r in protecting)
        parts = json.loads(row.contributions)
        for reason in reasons:
            assert parts[reason["group"]] == reason["contribution"]
            assert reason["feature"].startswith(f"f_{reason['group']}__")
            value = today.loc[row.account_id, reason["feature"]]
            assert (reason["value"] is None) == bool(pd.isna(value))
            peers = today[today["segment"] == today.loc[row.account_id, "segment"]]
            assert reason["peer_median"] == pytest.approx(
                float(peers[reason["feature"]].median()), abs=1e-6
            )
            seen.add(reason["direction"])
    assert seen == {"raises", "protects"}


def test_the_riskier_account_says_usage(rows: pd.DataFrame) -> None:
    first = json.loads(rows.sort_values("p").iloc[-1]["reasons"])[0]
    assert first["direction"] == "raises"
    assert first["group"] in ("usage", "relationship")


def test_reasons_leave_out_what_moves_next_to_nothing() -> None:
    spec = scoring.FeatureSpec({"f_a__x": "a", "f_b__y": "b"})
    x = np.array([[1.0, np.nan]])
    text = reasons_json(x, np.array([[0.5, 0.001]]), x, spec)[0]
    assert [r["group"] for r in json.loads(text)] == ["a"]


def test_a_model_may_not_score_its_own_past(frame: pd.DataFrame, model: scoring.Model) -> None:
    with pytest.raises(ClockError, match="may not score 2025-05-31"):
        scoring.score(
            model, frame, dt.date(2025, 5, 31), bands=BANDS, scored_at=SCORED_AT, run_id="r"
        )
    with pytest.raises(ClockError, match="as a backfill"):
        scoring.score(
            model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r", is_backfill=True
        )
    with pytest.raises(ClockError, match="time zone"):
        scoring.score(
            model, frame, AS_OF, bands=BANDS, scored_at=dt.datetime(2025, 7, 1), run_id="r"
        )


def test_a_backfilled_month_is_scored_by_an_earlier_model(frame: pd.DataFrame) -> None:
    month = dt.date(2024, 12, 31)
    earlier = scoring.train(frame, "next_renewal", dt.date(2024, 11, 30), QUICK)
    rows = scoring.score(
        earlier, frame, month, bands=BANDS, scored_at=SCORED_AT, run_id="r", is_backfill=True
    )
    assert rows["is_backfill"].all()
    assert (rows["training_cutoff_on"] < rows["as_of"]).all()
    assert set(rows["band_version"]) == {"2020-01"}
    # Nothing that happened afterwards changes it.
    known_then = frame[frame["observed_on"] <= pd.Timestamp(month)]
    again = scoring.score(
        earlier, known_then, month, bands=BANDS, scored_at=SCORED_AT, run_id="r", is_backfill=True
    )
    pd.testing.assert_frame_equal(rows, again)


def test_closed_accounts_are_not_scored(frame: pd.DataFrame, model: scoring.Model) -> None:
    today = frame["observed_on"] == pd.Timestamp(AS_OF)
    gone = frame.loc[today, "account_id"].iloc[:4]
    closed = frame.assign(is_open=~(today & frame["account_id"].isin(gone)))
    rows = scoring.score(model, closed, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    assert not set(gone) & set(rows["account_id"])
    nobody = scoring.score(
        model,
        frame.assign(is_open=False),
        AS_OF,
        bands=BANDS,
        scored_at=SCORED_AT,
        run_id="r",
    )
    assert nobody.empty
    assert list(nobody.columns) == CHURN_SCORES.columns


def test_an_installation_without_history_trains_and_scores_nothing(frame: pd.DataFrame) -> None:
    empty = frame.head(0)
    model = scoring.train(empty, "next_renewal", AS_OF, QUICK)
    assert model.serves == "segment_rate"
    rows = scoring.score(model, empty, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    assert rows.empty


def test_a_missing_feature_is_named(frame: pd.DataFrame, model: scoring.Model) -> None:
    with pytest.raises(FrameError, match="f_usage__breadth"):
        scoring.score(
            model,
            frame.drop(columns="f_usage__breadth"),
            AS_OF,
            bands=BANDS,
            scored_at=SCORED_AT,
            run_id="r",
        )


def test_bands_are_dated(rows: pd.DataFrame) -> None:
    now = bands.in_force(BANDS, AS_OF)
    assert now.version == "2025-01"
    assert now.assign(np.array([0.3, 0.299, 0.12, 0.0])) == ["high", "medium", "medium", "low"]
    assert bands.in_force(BANDS, dt.date(2024, 12, 31)).version == "2020-01"
    assert bands.in_force(BANDS, dt.date(2001, 1, 1)).version == "2020-01"
    assert (rows.loc[rows["band"] == "high", "p"] >= 0.3).all()
    with pytest.raises(FrameError, match="lowest band starts"):
        bands.in_force(BANDS[BANDS["band"] != "low"], AS_OF)


def test_proposed_bands_hold_the_asked_share_of_revenue() -> None:
    rng = np.random.default_rng(0)
    p, arr = rng.beta(1, 8, 5000), np.exp(rng.normal(9, 1, 5000))
    cuts = bands.propose(p, arr)
    share = arr[np.array(cuts.assign(p)) == "high"].sum() / arr.sum()
    assert share == pytest.approx(0.15, abs=0.01)
