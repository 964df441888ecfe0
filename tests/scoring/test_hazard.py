"""The monthly question: its labels case by case, its clocks, and what it comes to."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

import scoring
from scoring.config import ColdStart, TrainConfig
from scoring.errors import FrameError
from scoring.frame import leaking, prepare
from scoring.hazard import IS_DUE, MONTHS_TO_DUE, TIMING, monthly_frame, one_month_on
from scoring.heads import MONTHLY_LOSS, NEXT_RENEWAL
from tests.scoring.worlds import AS_OF, BANDS, SCORED_AT, world

QUICK = TrainConfig(replicates=2)
LAST = "2024-12-31"


def rows(account: str, observed: list[str], due: str, lost: int | None, known: str | None):
    """Rows of one account whose next renewal is the same one."""
    days = pd.to_datetime(observed)
    return pd.DataFrame(
        {
            "account_id": account,
            "observed_on": days,
            "segment": "SMB",
            "attention_band": "tail",
            "arr_usd": 1000.0,
            "months_to_renewal": (pd.Timestamp(due) - days).days / 30.4375,
            "next_due_on": pd.Timestamp(due),
            "cycle_number": 1,
            "tenure_months": 3.0,
            "is_open": True,
            "label_is_lost": pd.array([lost] * len(days), dtype="Int64"),
            "label_known_on": pd.Timestamp(known) if known else pd.NaT,
            "label_due_on": pd.Timestamp(due),
            "f_usage__x": 0.0,
        }
    )


def labelled(*parts: pd.DataFrame, last: str = LAST) -> pd.DataFrame:
    """The parts beside an account that is there until the last day, by account and day."""
    months = [d.date().isoformat() for d in pd.date_range("2023-10-31", last, freq="ME")]
    stays = rows("stays", sorted({*months, last}), "2025-06-30", None, None)
    return monthly_frame(pd.concat([*parts, stays])).set_index(["account_id", "observed_on"])


CASES = {
    # Lost at its due date: final, and so learnt from, only after the grace.
    "lost": (
        [rows("a", ["2024-01-31", "2024-02-29", "2024-03-31"], "2024-04-15", 1, "2024-06-14")],
        {
            "2024-01-31": (0, "2024-02-29"),
            "2024-02-29": (0, "2024-03-31"),
            "2024-03-31": (1, "2024-06-14"),
        },
    ),
    "broken_off_inside_the_term": (
        [rows("a", ["2024-01-31"], "2024-11-15", 1, "2024-02-10")],
        {"2024-01-31": (1, "2024-02-29")},
    ),
    # Not there at the next month-end, signed inside the grace.
    "late": (
        [
            rows("a", ["2024-01-31", "2024-02-29"], "2024-03-10", 0, "2024-04-20"),
            rows("a", ["2024-04-30"], "2025-04-20", None, None),
        ],
        {"2024-02-29": (0, "2024-04-20")},
    ),
    "one_of_two_contracts_lost": (
        [
            rows("a", ["2024-03-31"], "2024-04-15", 1, "2024-06-14"),
            rows("a", ["2024-04-30"], "2024-09-15", None, None),
        ],
        {"2024-03-31": (0, "2024-04-30")},
    ),
    # The contract that was due is lost, another one was signed late: there after two months.
    "other_contract_signed_late": (
        [
            rows("a", ["2024-03-31"], "2024-04-15", 1, "2024-06-14"),
            rows("a", ["2024-05-31"], "2025-05-15", None, None),
        ],
        {"2024-03-31": (0, "2024-06-14")},
    ),
    "won_back_after_half_a_year": (
        [
            rows("a", ["2024-03-31"], "2024-04-15", 1, "2024-06-14"),
            rows("a", ["2024-10-31"], "2025-10-15", None, None),
        ],
        {"2024-03-31": (1, "2024-06-14")},
    ),
    "paused": (
        [rows("a", ["2024-03-31"], "2024-04-15", None, "2024-04-15")],
        {"2024-03-31": (None, None)},
    ),
    "pending": (
        [rows("a", ["2024-10-31"], "2024-11-15", None, None)],
        {"2024-10-31": (None, None)},
    ),
    "month_to_come": (
        [rows("a", [LAST], "2025-01-15", 1, "2024-12-31")],
        {LAST: (None, None)},
    ),
}


@pytest.mark.parametrize("case", sorted(CASES))
def test_labels(case: str) -> None:
    parts, expected = CASES[case]
    own = labelled(*parts)
    for day, (label, known_on) in expected.items():
        row = own.loc[("a", pd.Timestamp(day))]
        assert row["label_due_on"] == pd.Timestamp(day) + pd.offsets.MonthEnd(1)
        if label is None:
            assert np.isnan(row["label_is_lost"])
            assert pd.isna(row["label_known_on"])
        else:
            assert row["label_is_lost"] == label
            assert row["label_known_on"] == pd.Timestamp(known_on)


def test_a_day_inside_a_month_asks_but_teaches_nothing() -> None:
    as_of = "2024-05-21"
    gone = rows("a", ["2024-03-31"], "2024-04-15", 1, "2024-06-14")
    near = rows("b", ["2024-04-30", as_of], "2024-06-21", 0, "2024-05-01")
    own = labelled(gone, near, last=as_of)
    today = own.loc[("b", pd.Timestamp(as_of))]
    assert np.isnan(today["label_is_lost"])
    assert (today[IS_DUE], today["label_due_on"]) == (1.0, pd.Timestamp("2024-06-21"))
    # Its row of today stands in for no month-end, and the next one has not come.
    assert np.isnan(own.loc[("b", pd.Timestamp("2024-04-30")), "label_is_lost"])
    assert own.loc[("stays", pd.Timestamp("2024-03-31")), "label_is_lost"] == 0.0
    assert own.loc[("stays", pd.Timestamp(as_of)), IS_DUE] == 0.0


def test_one_month_on() -> None:
    days = pd.Series(pd.to_datetime(["2024-01-31", "2024-02-29", "2024-01-30", "2024-11-21"]))
    expected = pd.to_datetime(["2024-02-29", "2024-03-31", "2024-02-29", "2024-12-21"])
    assert one_month_on(days).tolist() == list(expected)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(FrameError, match="label_known_on"):
        monthly_frame(world(accounts=3).drop(columns="label_known_on"))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world(accounts=300, base=-1.5)


@pytest.fixture(scope="module")
def model(frame: pd.DataFrame) -> scoring.Model:
    return scoring.train(frame, "monthly_loss", AS_OF, QUICK)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_as_many_labels_as_accounts_left(seed: int) -> None:
    base = world(accounts=80, seed=seed)
    own = monthly_frame(base)
    left = base[(base["label_is_lost"] == 1).fillna(False)]["account_id"].unique()
    lost = own[own["label_is_lost"] == 1.0]
    assert len(left) > 5
    assert sorted(lost["account_id"]) == sorted(left)
    # And each on the account's last row.
    last = base.groupby("account_id")["observed_on"].max()
    assert (lost.set_index("account_id")["observed_on"] == last.loc[lost["account_id"]]).all()
    assert own[own["label_is_lost"] == 0.0].duplicated(["account_id", "observed_on"]).sum() == 0


def test_what_comes_later_changes_no_matured_label(frame: pd.DataFrame) -> None:
    cutoff = dt.date(2024, 2, 29)
    stamp = pd.Timestamp(cutoff)
    known = frame[frame["observed_on"] <= stamp].copy()
    late = ~(known["label_known_on"] <= stamp)
    known.loc[late, "label_is_lost"] = pd.NA
    known.loc[late, "label_known_on"] = pd.NaT
    then, now = prepare(monthly_frame(known)), prepare(monthly_frame(frame))
    now = now.take((now.rows["observed_on"] <= stamp).to_numpy())
    matured = now.matured_by(cutoff)
    assert (then.matured_by(cutoff) == matured).all()
    assert (then.y[matured] == now.y[matured]).all()
    assert matured.sum() > 1000
    # So the model of that month is the same, whatever has come since.
    one = scoring.train(known, "monthly_loss", cutoff, TrainConfig(replicates=0, origins=1))
    two = scoring.train(frame, "monthly_loss", cutoff, TrainConfig(replicates=0, origins=1))
    assert one.version == two.version


def test_timing_is_exempt_from_the_leakage_limit(frame: pd.DataFrame) -> None:
    prepared = prepare(monthly_frame(frame))
    training = prepared.take(prepared.matured_by(AS_OF))
    # A contract that can end on one day of the year nearly tells the month by itself.
    assert {leak.feature for leak in leaking(training, 0.9)} <= set(TIMING)
    assert leaking(training, 0.9)
    assert leaking(training, 0.9, exempt=TIMING) == ()


def test_the_hazard_is_calibrated(model: scoring.Model, frame: pd.DataFrame) -> None:
    assert model.serves == "model"
    assert set(TIMING) <= set(model.spec.columns)
    assert model.manifest["kept_out"] == []
    found = model.metrics["calibrated"]
    assert found["base_rate"] < 0.04
    assert found["ece"] < 0.006
    assert found["auc"] > 0.9
    assert 0.7 < found["calibration_slope"] < 1.4
    today = scoring.score(model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    due = frame[frame["observed_on"] == pd.Timestamp(AS_OF)].set_index("account_id")
    is_due = due.loc[today["account_id"], "months_to_renewal"].to_numpy() <= 1.0
    assert today.loc[is_due, "p"].mean() > 20 * today.loc[~is_due, "p"].mean()
    assert today.loc[is_due, "p"].mean() == pytest.approx(0.25, abs=0.12)


def test_contributions_sum_to_the_logit_and_there_is_no_band(
    model: scoring.Model, frame: pd.DataFrame
) -> None:
    today = scoring.score(model, frame, AS_OF, bands=BANDS, scored_at=SCORED_AT, run_id="r")
    assert len(today) > 50
    assert today["band"].isna().all()
    assert today["band_version"].isna().all()
    for row in today.itertuples():
        parts = json.loads(row.contributions)
        assert abs(sum(parts.values()) + row.base_logit - row.logit) < 1e-9
    assert {"timing"} <= set(json.loads(today["contributions"].iloc[0]))


def test_scoring_looks_at_the_day_alone(model: scoring.Model, frame: pd.DataFrame) -> None:
    score = {"bands": BANDS, "scored_at": SCORED_AT, "run_id": "r"}
    whole = scoring.score(model, frame, AS_OF, **score)
    alone = frame[frame["observed_on"] == pd.Timestamp(AS_OF)]
    pd.testing.assert_frame_equal(scoring.score(model, alone, AS_OF, **score), whole)


def test_a_company_without_history_is_not_told_that_one_in_eight_leaves_a_month(
    frame: pd.DataFrame,
) -> None:
    model = scoring.train(frame.head(0), "monthly_loss", AS_OF, QUICK)
    a, b = model.rates.overall
    yearly = 1.0 - (1.0 - a / (a + b)) ** 12
    assert yearly == pytest.approx(ColdStart().prior_rate, abs=1e-6)
    assert NEXT_RENEWAL.cold_start(ColdStart()) == ColdStart()


def test_a_challenger_is_compared_on_the_months_own_rows(frame: pd.DataFrame) -> None:
    frame = frame[frame["account_id"] < "001000150"]
    champion = TrainConfig(origins=2)
    blind = scoring.FeatureSpec({"f_support__cases_90d": "support"})
    found = scoring.compare(frame, "monthly_loss", AS_OF, champion, champion, champion_spec=blind)
    assert found.is_better
    months = prepare(monthly_frame(frame))
    assert found.rows <= int(months.matured_by(AS_OF).sum())


def test_columns_at_hand_include_what_the_head_derives(frame: pd.DataFrame) -> None:
    names = list(frame.columns)
    assert MONTHLY_LOSS.columns(names) == [*names, IS_DUE, MONTHS_TO_DUE]
    assert NEXT_RENEWAL.columns(names) == names
