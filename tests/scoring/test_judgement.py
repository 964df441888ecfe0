"""Rivals without a model, and intervals that count accounts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from scoring import baselines, evaluation
from scoring.arrays import Bools, Floats
from scoring.errors import ScoringError
from scoring.frame import Prepared, prepare
from scoring.survival import fit_sbg, fit_sbg_renewals
from tests.scoring.worlds import world

ORIGIN = dt.date(2024, 6, 30)
LATER = dt.date(2024, 12, 31)


@pytest.fixture(scope="module")
def prepared() -> Prepared:
    return prepare(world(accounts=250, base=-1.5))


def everything(prepared: Prepared) -> Bools:
    return np.ones(len(prepared), dtype=np.bool_)


def walked(prepared: Prepared) -> baselines.Rivals:
    observed = prepared.rows["observed_on"]
    inside = (observed > pd.Timestamp(ORIGIN)) & (observed <= pd.Timestamp(LATER))
    positions = np.flatnonzero(inside.to_numpy())
    return baselines.walk(prepared, everything(prepared), positions, [ORIGIN] * len(positions))


def clusters_of(n: int, size: int) -> pd.Series:
    return pd.Series(np.arange(n) // size)


def outcomes(n: int = 3000, seed: int = 5) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    p = rng.beta(1.5, 6.0, n)
    return (rng.random(n) < p).astype(np.float64), p


def test_single_renewals_give_what_their_cohort_gives() -> None:
    survivors = [1000, 869, 743, 653, 593, 551, 517, 491]
    whole = fit_sbg(survivors)
    lost = -np.diff(survivors)
    number = np.concatenate([np.full(n, t + 1.0) for t, n in enumerate(survivors[:-1])])
    is_lost = np.concatenate(
        [np.arange(n) < gone for n, gone in zip(survivors[:-1], lost, strict=True)]
    ).astype(np.float64)
    singly = fit_sbg_renewals(number, is_lost)
    assert (singly.alpha, singly.beta) == pytest.approx((whole.alpha, whole.beta), rel=1e-3)
    assert singly.log_likelihood == pytest.approx(whole.log_likelihood, abs=1e-4)


def test_customers_who_do_not_differ_are_lost_at_their_rate_whatever_their_age() -> None:
    number = np.repeat(np.arange(1.0, 6.0), 200)
    # The old leave a little more often than the young: nothing that mixing could explain.
    is_lost = (np.tile(np.arange(200), 5) < 20 + 4 * number).astype(np.float64)
    line = fit_sbg_renewals(number, is_lost)
    lost = 1.0 - line.retention(np.array([1.0, 3.0, 5.0]))
    assert lost == pytest.approx(is_lost.mean(), abs=1e-3)


def test_a_number_below_one_is_no_renewal() -> None:
    with pytest.raises(ScoringError, match="from 1"):
        fit_sbg_renewals(np.array([0.0, 1.0]), np.array([0.0, 1.0]))


def test_rivals_know_nothing_of_what_came_after_the_origin(prepared: Prepared) -> None:
    after = ~prepared.matured_by(ORIGIN)
    y = np.where(after, 1.0 - prepared.y, prepared.y)
    turned = Prepared(prepared.rows, prepared.x, y, prepared.matured_on, prepared.spec)
    before, again = walked(prepared), walked(turned)
    assert before.chosen == again.chosen
    for name in before.p:
        np.testing.assert_array_equal(before.p[name], again.p[name])


def test_each_rival_is_the_rate_it_says(prepared: Prepared) -> None:
    rivals = walked(prepared)
    train = prepared.take(prepared.matured_by(ORIGIN))
    assert set(rivals.p["base_rate"]) == {train.y.mean()}
    assert len(set(rivals.p["segment_rate"])) == prepared.rows["segment"].nunique()
    # The rate falls with the renewals made, or stays: those who would leave have left.
    observed = prepared.rows["observed_on"]
    inside = (observed > pd.Timestamp(ORIGIN)) & (observed <= pd.Timestamp(LATER))
    by_number = (
        pd.Series(rivals.p["renewals_made"])
        .groupby(prepared.rows["cycle_number"][inside].to_numpy())
        .agg(["min", "max"])
    )
    assert (by_number["min"] == by_number["max"]).all()
    assert (by_number["max"].diff().dropna() <= 0.0).all()


def test_the_one_feature_is_the_one_that_was_planted(prepared: Prepared) -> None:
    assert walked(prepared).chosen == {ORIGIN: "f_usage__decline_28d"}


def test_a_feature_speaks_by_its_bins_and_by_being_missing() -> None:
    known = np.array([0.0, 1.0] * 500 + [np.nan] * 500)
    y = np.concatenate([np.tile([0.0, 1.0], 500), np.tile([0.0, 0.0, 0.0, 1.0], 125)])
    low, high, missing = baselines.by_feature(known, y, np.array([0.0, 1.0, np.nan]))
    assert low < 0.05
    assert high > 0.95
    assert missing == pytest.approx(0.25, abs=0.02)


def test_an_area_by_weights_is_the_area_of_the_rows_drawn() -> None:
    y, p = outcomes(400)
    p = np.round(p, 2)
    clusters = clusters_of(400, 4)

    def by_rows(weights: Floats) -> float:
        counts = weights.astype(np.int64)
        return evaluation.auc(np.repeat(y, counts), np.repeat(p, counts))

    slow = evaluation.clustered_bootstrap(by_rows, clusters, draws=50)
    fast = evaluation.clustered_auc(y, p, clusters, draws=50)
    assert (fast.estimate, fast.low, fast.high) == pytest.approx(
        (slow.estimate, slow.low, slow.high), abs=1e-12
    )


def test_skill_is_nothing_over_oneself_and_less_than_nothing_over_the_truth() -> None:
    y, p = outcomes()
    clusters = clusters_of(len(y), 3)
    same = evaluation.clustered_skill(y, p, p, clusters)
    assert (same.estimate, same.low, same.high) == (0.0, 0.0, 0.0)
    rate = np.full(len(y), y.mean())
    over_rate = evaluation.clustered_skill(y, p, rate, clusters)
    assert 0.0 < over_rate.low < over_rate.estimate < over_rate.high
    assert over_rate.estimate == pytest.approx(evaluation.brier_skill(y, p))
    assert evaluation.clustered_skill(y, rate, p, clusters).high < 0.0


def test_rows_that_repeat_an_account_narrow_no_interval() -> None:
    y, p = outcomes(600)
    once = clusters_of(600, 1)
    often = pd.Series(np.tile(np.arange(600), 12))
    single = evaluation.clustered_brier(y, p, once)
    repeated = evaluation.clustered_brier(np.tile(y, 12), np.tile(p, 12), often)
    assert repeated.low == pytest.approx(single.low, abs=1e-12)
    slope = evaluation.clustered_slope(y, p, once)
    again = evaluation.clustered_slope(np.tile(y, 12), np.tile(p, 12), often)
    assert slope is not None
    assert again is not None
    assert again.high - again.low == pytest.approx(slope.high - slope.low, rel=1e-6)
    assert evaluation.effective_size(often) == pytest.approx(600.0)


def test_bins_add_up_and_hold_what_ece_is_made_of() -> None:
    y, p = outcomes()
    order = np.argsort(p)
    y, p = y[order], p[order]
    bins = evaluation.calibration_bins(y, p, clusters_of(len(y), 2))
    assert sum(b.n for b in bins) == len(y)
    assert sum(b.losses for b in bins) == y.sum()
    error = sum(b.n * abs(b.rate - b.mean_p) for b in bins) / len(y)
    assert error == pytest.approx(evaluation.ece(y, p))
    assert all(b.low <= b.rate <= b.high and b.effective_n == b.n / 2 for b in bins)
    assert [b.mean_p for b in bins] == sorted(b.mean_p for b in bins)


def test_perfect_forecasts_show_the_error_that_chance_gives() -> None:
    rng = np.random.default_rng(2)
    p = rng.beta(1.5, 6.0, 2000)
    errors, expected = [], []
    for _ in range(60):
        y = (rng.random(len(p)) < p).astype(np.float64)
        errors.append(evaluation.ece(y, p))
        bins = evaluation.calibration_bins(y, p, clusters_of(len(p), 1))
        expected.append(evaluation.ece_by_chance(bins))
    assert np.mean(errors) == pytest.approx(np.mean(expected), rel=0.08)
