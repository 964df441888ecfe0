from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from scoring import splits
from scoring.errors import FrameError, LeakageError
from scoring.frame import FeatureSpec, changed_past, data_hash, leaking, prepare
from scoring.heads import NEXT_RENEWAL, SIGN_TODAY
from tests.scoring.worlds import AS_OF, world


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world(accounts=150)


@pytest.mark.parametrize(
    "name",
    [
        "f_contract__cancellation_reason_code",
        "f_usage__is_lost",
        "f_support__loss_reason",
        "f_billing__days_to_ended",
        "f_contract__notice_given",
        "f_usage__churn_flag",
        "f_plan__save_plan_open",
    ],
)
def test_fields_written_because_of_a_cancellation_are_refused(
    frame: pd.DataFrame, name: str
) -> None:
    with pytest.raises(LeakageError, match=name):
        prepare(frame.assign(**{name: 1.0}))


def test_a_feature_that_knows_the_outcome_is_found(frame: pd.DataFrame) -> None:
    lost = frame["label_is_lost"].astype("float64").fillna(0.0)
    planted = frame.assign(f_usage__innocent_name=lost + np.linspace(0, 0.1, len(frame)))
    (leak,) = leaking(prepare(planted))
    assert leak.feature == "f_usage__innocent_name"
    assert leak.auc == 1.0
    assert leaking(prepare(frame)) == ()
    assert leaking(prepare(planted), exempt=["f_usage__innocent_name"]) == ()


def test_a_feature_known_only_for_the_lost_is_found(frame: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    filled = np.where(frame["label_is_lost"].eq(1).fillna(False), rng.random(len(frame)), np.nan)
    (leak,) = leaking(prepare(frame.assign(f_usage__form_field=filled)))
    assert leak.feature == "f_usage__form_field"


def test_a_field_filled_in_for_a_handful_is_no_leak(frame: pd.DataFrame) -> None:
    outcome = frame["label_is_lost"].astype("float64")
    few = pd.concat([frame[outcome == k].drop_duplicates("account_id").head(6) for k in (0, 1)])
    filled = outcome.where(frame.index.isin(few.index))
    assert leaking(prepare(frame.assign(f_usage__form_field=filled))) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="label_due_on"), "lacks columns: label_due_on"),
        (lambda f: pd.concat([f, f.head(1)]), "1 repeated keys, first: account 001"),
        (lambda f: f.assign(f_badname=1.0), "f_badname"),
        (lambda f: f.assign(f_usage__ratio=np.inf), "infinite values in f_usage__ratio"),
        (lambda f: f.assign(label_is_lost=2), "other than 0, 1 and null"),
        (lambda f: f.assign(next_due_on="soon"), "next_due_on"),
        (lambda f: f.assign(account_id=None), "without account_id"),
    ],
)
def test_faults_are_named(frame: pd.DataFrame, change, message: str) -> None:
    with pytest.raises(FrameError, match=message):
        prepare(change(frame))


def test_missing_stays_missing_and_rows_are_ordered(frame: pd.DataFrame) -> None:
    prepared = prepare(frame.sample(frac=1.0, random_state=3))
    column = prepared.spec.columns.index("f_relationship__two_way_90d")
    assert np.isnan(prepared.x[:, column]).mean() == pytest.approx(0.3, abs=0.03)
    keys = list(zip(prepared.rows["observed_on"], prepared.rows["account_id"], strict=True))
    assert keys == sorted(keys)
    assert data_hash(prepared) == data_hash(prepare(frame))
    moved = frame.assign(f_usage__breadth=frame["f_usage__breadth"] + 1e-6)
    assert data_hash(prepared) != data_hash(prepare(moved))


def test_an_early_renewal_matures_no_sooner_than_a_loss_would() -> None:
    row = world(accounts=3).head(1)
    early = row.assign(
        label_is_lost=0,
        label_due_on=pd.Timestamp("2025-03-01"),
        label_known_on=pd.Timestamp("2024-10-01"),
    )
    prepared = prepare(early, grace_days=60)
    assert prepared.matured_on.iloc[0] == pd.Timestamp("2025-04-30")
    assert not prepared.matured_by(dt.date(2025, 4, 29)).any()
    assert prepared.matured_by(dt.date(2025, 4, 30)).all()


def test_every_fold_could_have_been_walked(frame: pd.DataFrame) -> None:
    prepared = prepare(frame)
    folds = splits.rolling_origin(prepared, AS_OF, eligible=NEXT_RENEWAL.teaches(prepared))
    assert len(folds) == 4
    for fold in folds:
        origin = pd.Timestamp(fold.origin)
        assert (prepared.matured_on.iloc[fold.train] <= origin).all()
        assert (prepared.rows["observed_on"].iloc[fold.test] > origin).all()
        # The embargo: between the last training row and the origin lies its whole label horizon.
        horizon = prepared.matured_on - prepared.rows["observed_on"]
        gap = origin - prepared.rows["observed_on"].iloc[fold.train]
        assert (gap >= horizon.iloc[fold.train]).all()
        ids = prepared.renewal_ids()
        assert not set(ids.iloc[fold.train]) & set(ids.iloc[fold.test])


def test_no_fold_where_history_is_too_short(frame: pd.DataFrame) -> None:
    young = frame[frame["observed_on"] > pd.Timestamp("2024-12-01")]
    assert splits.rolling_origin(prepare(young), AS_OF) == []


def test_groups_stay_whole() -> None:
    groups = [f"c{k % 37}" for k in range(300)]
    seen: list[int] = []
    for train, test in splits.grouped_folds(groups, 5, seed=1):
        assert not {groups[i] for i in train} & {groups[i] for i in test}
        seen.extend(test)
    assert sorted(seen) == list(range(300))


def test_sign_today_is_judged_by_the_last_two_months_only(frame: pd.DataFrame) -> None:
    prepared = prepare(frame)
    assert (SIGN_TODAY.teaches(prepared) == NEXT_RENEWAL.teaches(prepared)).all()
    mask = SIGN_TODAY.judges(prepared)
    lead = (prepared.rows["label_due_on"] - prepared.rows["observed_on"]).dt.days
    assert 0 < mask.sum() < len(mask) / 3
    assert lead[mask].between(0, 61).all()


def test_rows_past_their_due_date_teach_nothing(frame: pd.DataFrame) -> None:
    late = frame.assign(label_due_on=frame["observed_on"] - pd.Timedelta(days=1))
    assert not NEXT_RENEWAL.teaches(prepare(late)).any()


def test_changed_past_names_the_cell(frame: pd.DataFrame) -> None:
    spec = FeatureSpec.from_columns(list(frame.columns))
    month_later = frame.drop_duplicates("account_id").assign(observed_on=pd.Timestamp("2030-01-31"))
    later = pd.concat([frame, month_later])
    assert changed_past(frame, later, spec).empty
    later = later.reset_index(drop=True)
    later.loc[7, "f_usage__breadth"] += 1.0
    changed = changed_past(frame, later, spec)
    assert changed["feature"].tolist() == ["f_usage__breadth"]
    assert changed["account_id"].tolist() == [frame.loc[7, "account_id"]]
