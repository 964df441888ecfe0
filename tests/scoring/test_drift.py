"""Drift is told from chance, and past scores from what came."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from scoring import drift
from scoring.arrays import Floats, sigmoid
from scoring.frame import FeatureSpec, Prepared

AS_OF = dt.date(2025, 6, 30)
FEATURES = 24
SPEC = FeatureSpec({f"f_usage__x{j:02d}": "usage" for j in range(FEATURES)})


def night(rng: np.random.Generator, accounts: int = 300) -> Prepared:
    """Accounts of one day: numbers, counts and flags, a third of them missing now and then."""
    x = rng.normal(size=(accounts, FEATURES))
    x[:, 8:16] = rng.poisson(1.5, (accounts, 8))
    x[:, 16:20] = rng.random((accounts, 4)) < 0.2
    holes = rng.random((accounts, 8)) < 0.3
    x[:, ::3] = np.where(holes, np.nan, x[:, ::3])
    return as_prepared(x)


def as_prepared(x: Floats) -> Prepared:
    n = len(x)
    rows = pd.DataFrame(
        {"account_id": [f"a{i}" for i in range(n)], "observed_on": pd.Timestamp(AS_OF)}
    )
    never = pd.Series(pd.NaT, index=range(n))
    return Prepared(rows, np.ascontiguousarray(x), np.full(n, np.nan), never, SPEC)


def findings(report: pd.DataFrame) -> dict[str, drift.Finding]:
    return {
        "drifted": drift.drifted(report),
        "missing": drift.missing(report),
        "outside": drift.outside(report),
    }


def test_nights_without_change_warn_no_more_often_than_sampling_allows() -> None:
    rng = np.random.default_rng(8)
    nights, warned = 50, {"drifted": 0, "missing": 0, "outside": 0}
    passed_own_limit = 0
    for _ in range(nights):
        reference = drift.reference(night(rng))
        report = drift.report(reference, night(rng))
        passed_own_limit += int(report["is_drifted"].sum())
        for name, finding in findings(report).items():
            assert finding.is_enough
            warned[name] += not finding.rows.empty
    most = stats.binom.ppf(0.999, nights, drift.LEVEL)
    assert max(warned.values()) <= most, warned
    # One feature by itself passes its own limit in one of twenty: a night of them nearly always.
    assert 0.02 < passed_own_limit / (nights * FEATURES) < 0.09


def test_what_has_changed_is_found_and_named() -> None:
    rng = np.random.default_rng(3)
    reference = drift.reference(night(rng))
    x = night(rng).x.copy()
    x[:, 1] += 0.8
    x[:, 2] = np.where(rng.random(len(x)) < 0.3, np.nan, x[:, 2])
    x[:30, 4] = 50.0
    found = findings(drift.report(reference, as_prepared(x)))
    assert list(found["drifted"].rows["feature"])[:1] == ["f_usage__x01"]
    assert list(found["missing"].rows["feature"]) == ["f_usage__x02"]
    assert list(found["outside"].rows["feature"]) == ["f_usage__x04"]
    assert found["outside"].rows["outside_share"].iloc[0] == pytest.approx(
        (x[:, 4] == 50.0).sum() / (~np.isnan(x[:, 4])).sum(), abs=0.02
    )


def test_what_changed_years_ago_is_no_news_and_what_stopped_now_is() -> None:
    rng = np.random.default_rng(7)
    old, new, now = night(rng), night(rng), night(rng)
    old.x[:, 1] += 3.0
    old.x[:, 4] = np.nan
    rows = pd.concat([old.rows.assign(observed_on=pd.Timestamp("2021-06-30")), new.rows])
    both = as_prepared(np.concatenate([old.x, new.x]))
    training = Prepared(rows.reset_index(drop=True), both.x, both.y, both.matured_on, SPEC)
    reference = drift.reference(training)
    found = findings(drift.report(reference, now))
    assert found["drifted"].rows.empty
    assert found["missing"].rows.empty
    assert reference.features["f_usage__x01"].high == pytest.approx(old.x[:, 1].max())
    stopped = now.x.copy()
    stopped[:200, 4] = np.nan
    missing = drift.missing(drift.report(reference, as_prepared(stopped)))
    assert list(missing.rows["feature"]) == ["f_usage__x04"]


def test_what_differs_from_month_to_month_is_usual() -> None:
    rng = np.random.default_rng(9)
    months = [night(rng) for _ in range(6)]
    for shift, one in enumerate(months):
        # On some days of the week nobody works: that day all accounts were last active before it.
        one.x[:, 1] += 2.0 * (shift % 3 == 0)
    rows = [
        one.rows.assign(observed_on=pd.Timestamp(AS_OF) - pd.DateOffset(months=k))
        for k, one in enumerate(months)
    ]
    whole = as_prepared(np.concatenate([one.x for one in months]))
    training = Prepared(
        pd.concat(rows, ignore_index=True), whole.x, whole.y, whole.matured_on, SPEC
    )
    reference = drift.reference(training)
    for shift, is_found in ((2.0, False), (0.0, False), (6.0, True)):
        now = night(rng)
        now.x[:, 1] += shift
        report = drift.report(reference, now)
        assert report.loc[1, "is_drifted"]
        assert ("f_usage__x01" in set(drift.drifted(report).rows["feature"])) is is_found


def test_few_accounts_are_not_compared() -> None:
    rng = np.random.default_rng(3)
    many = drift.reference(night(rng))
    few = night(rng, accounts=drift.TOO_FEW - 1)
    for report in (
        drift.report(many, few),
        drift.report(drift.reference(few), night(rng)),
        drift.report(many, as_prepared(np.zeros((0, FEATURES)))),
    ):
        for finding in findings(report).values():
            assert not finding.is_enough
            assert finding.rows.empty


def cohort(
    rng: np.random.Generator, n: int, shift: float = 0.0, stretch: float = 1.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores 90 and 30 days before a renewal, and outcomes of the probabilities of the first."""
    z = rng.normal(-1.5, 1.0, n)
    accounts = [f"a{i:05d}" for i in range(n)]
    due = pd.Timestamp(AS_OF) - pd.to_timedelta(rng.integers(70, 340, n), "D")
    lost = rng.random(n) < sigmoid(shift + stretch * z)
    known = np.where(lost, due + pd.Timedelta(days=60), due - pd.Timedelta(days=20))
    outcomes = pd.DataFrame(
        {
            "account_id": accounts,
            "label_due_on": due,
            "label_is_lost": lost.astype(np.float64),
            "label_known_on": known,
        }
    )
    early = pd.DataFrame({"account_id": accounts, "as_of": due - pd.Timedelta(days=90)})
    late = pd.DataFrame({"account_id": accounts, "as_of": due - pd.Timedelta(days=30), "p": 0.5})
    return pd.concat([late, early.assign(p=sigmoid(z))], ignore_index=True), outcomes


def judge(told: tuple[pd.DataFrame, pd.DataFrame]) -> drift.Cohort:
    return drift.matured(*told, AS_OF, warning_days=120, grace_days=60)


def test_right_scores_are_seldom_found_wrong_and_wrong_ones_are() -> None:
    rng = np.random.default_rng(4)
    rights = [judge(cohort(rng, 400)) for _ in range(40)]
    assert all(one.is_enough and one.renewals == 400 for one in rights)
    assert sum(one.is_off(1) for one in rights) <= stats.binom.ppf(0.999, 40, drift.LEVEL)
    assert judge(cohort(rng, 400, shift=0.7)).is_off(3)
    assert judge(cohort(rng, 1500, shift=-0.75, stretch=0.4)).is_off(3)


def test_a_renewal_counts_once_by_its_first_score_and_only_when_either_could_be_final() -> None:
    rng = np.random.default_rng(5)
    scores, outcomes = cohort(rng, 300)
    whole = judge((scores, outcomes))
    first = scores[scores["p"] != 0.5]
    assert whole.expected == pytest.approx(first["p"].sum())
    assert whole.losses == outcomes["label_is_lost"].sum()
    # Due within the grace: the renewals are known, the losses are not.
    young = outcomes.assign(label_due_on=pd.Timestamp(AS_OF) - pd.Timedelta(days=30))
    assert judge((scores, young)).renewals == 0
    # A score of too long before says nothing of this renewal.
    early = scores.assign(as_of=scores["as_of"] - pd.Timedelta(days=200))
    assert judge((early, outcomes)).renewals == 0


def test_few_outcomes_are_no_verdict() -> None:
    few = judge(cohort(np.random.default_rng(6), 15))
    assert (few.renewals, few.is_enough, few.is_off(1)) == (15, False, False)
    rare = judge(cohort(np.random.default_rng(6), 40, shift=-3.0))
    assert rare.is_enough == (rare.expected >= drift.MATURED_EACH)
