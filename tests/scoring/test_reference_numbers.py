"""Published figures that the statistics must reproduce."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn.metrics import roc_auc_score

from scoring import evaluation
from scoring.arrays import sigmoid
from scoring.calibration import fit_platt
from scoring.survival import ShiftedBetaGeometric, fit_sbg, kaplan_meier

HIGH_END = [1000, 869, 743, 653, 593, 551, 517, 491]
REGULAR = [1000, 631, 468, 382, 326, 289, 262, 241]
BENJAMINI_HOCHBERG_1995 = np.array(
    [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
        *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0000),
    ]
)


def test_benjamini_hochberg_rejects_four_of_fifteen() -> None:
    shuffled = np.random.default_rng(0).permutation(15)
    rejected, q = evaluation.benjamini_hochberg(BENJAMINI_HOCHBERG_1995[shuffled])
    assert rejected.sum() == 4
    assert set(BENJAMINI_HOCHBERG_1995[shuffled][rejected]) == {0.0001, 0.0004, 0.0019, 0.0095}
    np.testing.assert_allclose(
        q, stats.false_discovery_control(BENJAMINI_HOCHBERG_1995[shuffled]), rtol=1e-12
    )


def test_untested_hypotheses_do_not_count() -> None:
    rejected, q = evaluation.benjamini_hochberg(np.array([0.03, np.nan, 0.04]))
    assert rejected.tolist() == [True, False, True]
    assert np.isnan(q[1])


def test_wilson_8_of_40() -> None:
    interval = evaluation.wilson(8, 40)
    assert (round(interval.low, 3), round(interval.high, 3)) == (0.105, 0.348)
    assert evaluation.wilson(0, 0).high == 1.0
    assert evaluation.wilson(0, 10).low == 0.0


def test_psi_without_drift_exceeds_a_tenth_in_a_third_of_samples() -> None:
    rng = np.random.default_rng(5)
    n, bins, runs = 200, 10, 4000
    share = np.full(bins, 1 / bins)
    values = np.array(
        [
            evaluation.psi(
                rng.multinomial(n, share).astype(float), rng.multinomial(n, share).astype(float)
            )
            for _ in range(runs)
        ]
    )
    assert 0.31 <= (values > 0.1).mean() <= 0.39
    # Against its own sampling limit the index keeps the promised level.
    assert 0.03 <= (values > evaluation.psi_limit(bins, n, n)).mean() <= 0.08


@pytest.mark.parametrize(
    ("survivors", "alpha", "beta", "log_likelihood"),
    [(HIGH_END, 0.6681, 3.8061, -1611.158), (REGULAR, 0.7041, 1.1820, -1680.265)],
)
def test_sbg_of_fader_and_hardie(
    survivors: list[int], alpha: float, beta: float, log_likelihood: float
) -> None:
    fit = fit_sbg(survivors)
    assert fit.alpha == pytest.approx(alpha, abs=0.001)
    assert fit.beta == pytest.approx(beta, abs=0.005)
    assert fit.log_likelihood == pytest.approx(log_likelihood, abs=0.001)


def test_derl_after_seven_renewals() -> None:
    model = ShiftedBetaGeometric(0.6681, 3.8061)
    assert model.derl(7, 0.10) == pytest.approx(7.530, abs=0.005)
    # The closed form is the discounted sum of conditional survival.
    t = np.arange(8, 4000, dtype=float)
    survival = model.survival(t) / model.survival(np.array([7.0]))
    assert model.derl(7, 0.10) == pytest.approx(float((survival / 1.1 ** (t - 8)).sum()), rel=1e-9)


def test_sbg_refuses_survivors_that_rise() -> None:
    with pytest.raises(ValueError, match="never rise"):
        fit_sbg([100, 80, 90])


def test_kaplan_meier_of_the_leukaemia_trial() -> None:
    # Freireich et al. 1963, 6-MP arm, the example of most textbooks.
    durations = np.array(
        [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    )
    lost = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0])
    table = kaplan_meier(durations.astype(float), lost.astype(float))
    assert table["survival"].round(4).tolist() == [
        0.8571,
        0.8067,
        0.7529,
        0.6902,
        0.6275,
        0.5378,
        0.4482,
    ]
    assert table["std_error"].round(4).tolist() == [
        0.0764,
        0.0869,
        0.0963,
        0.1068,
        0.1141,
        0.1282,
        0.1346,
    ]


def test_auc_equals_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(2)
    y = (rng.random(500) < 0.3).astype(float)
    score = np.round(rng.random(500) + 0.2 * y, 1)
    assert evaluation.auc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    assert np.isnan(evaluation.auc(np.ones(3), np.arange(3.0)))


def test_platt_equals_a_logistic_regression_with_clustered_errors() -> None:
    rng = np.random.default_rng(4)
    raw = rng.normal(-1, 1.5, 800)
    y = (rng.random(800) < sigmoid(0.3 + 0.6 * raw)).astype(float)
    clusters = pd.Series(rng.integers(0, 90, 800).astype(str))
    line = fit_platt(raw, y, clusters, smooth=False)
    peer = sm.Logit(y, sm.add_constant(raw)).fit(disp=0)
    np.testing.assert_allclose([line.intercept, line.slope], peer.params, atol=1e-8)
    robust = sm.Logit(y, sm.add_constant(raw)).fit(
        disp=0,
        cov_type="cluster",
        cov_kwds={"groups": pd.factorize(clusters)[0], "use_correction": True},
    )
    peer_covariance = np.asarray(robust.cov_params())
    correction = (90 / 89) / ((90 / 89) * (799 / 798))
    np.testing.assert_allclose(line.covariance, peer_covariance * correction, rtol=1e-6)


def test_calibration_line_reads_overconfidence() -> None:
    rng = np.random.default_rng(6)
    z = rng.normal(-1, 1, 20_000)
    y = (rng.random(20_000) < sigmoid(z)).astype(float)
    assert evaluation.calibration_line(y, sigmoid(2 * z))[1] == pytest.approx(0.5, abs=0.04)
    assert evaluation.ece(y, sigmoid(z)) < 0.01 < evaluation.ece(y, sigmoid(2 * z))


def test_clustered_interval_is_wider_than_rows_suggest() -> None:
    rng = np.random.default_rng(8)
    accounts = np.repeat(np.arange(60), 12)
    y = np.repeat((rng.random(60) < 0.3).astype(float), 12)

    def rate(weights: np.ndarray) -> float:
        return float((weights * y).sum() / weights.sum())

    by_account = evaluation.clustered_bootstrap(rate, pd.Series(accounts.astype(str)))
    by_row = evaluation.clustered_bootstrap(rate, pd.Series(np.arange(720).astype(str)))
    assert by_account.high - by_account.low > 2.5 * (by_row.high - by_row.low)


def test_band_honesty() -> None:
    table = evaluation.band_honesty(
        np.array([1.0] * 8 + [0.0] * 32 + [0.0]), pd.Series(["high"] * 40 + ["low"])
    )
    assert table["band"].tolist() == ["high", "low"]
    assert table.loc[0, ["n", "losses"]].tolist() == [40, 8]
    assert round(table.loc[0, "high"], 3) == 0.348
