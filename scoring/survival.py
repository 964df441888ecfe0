"""How long customers stay: shifted-beta-geometric and Kaplan-Meier.

Belongs here: survival mathematics on counts and durations. Must not: money, marts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, special, stats

from scoring.arrays import Floats
from scoring.errors import ScoringError

STRONGEST = 15.0
"""Logarithm of alpha + beta at which customers no longer differ."""


@dataclass(frozen=True)
class ShiftedBetaGeometric:
    """Contract survival with a Beta(alpha, beta) mixture of yearly loss rates.

    Fader and Hardie, "How to project customer retention", Journal of Interactive Marketing 2007.
    """

    alpha: float
    beta: float
    log_likelihood: float = float("nan")

    def survival(self, t: Floats) -> Floats:
        """Share surviving ``t`` renewals: B(alpha, beta + t) / B(alpha, beta)."""
        log_ratio = special.betaln(self.alpha, self.beta + t) - special.betaln(
            self.alpha, self.beta
        )
        return np.asarray(np.exp(log_ratio), dtype=np.float64)

    def retention(self, t: Floats) -> Floats:
        """Rate of the ``t``-th renewal: (beta + t - 1) / (alpha + beta + t - 1)."""
        return np.asarray((self.beta + t - 1) / (self.alpha + self.beta + t - 1), dtype=np.float64)

    def derl(self, renewals: int, discount: float) -> float:
        """Discounted expected residual lifetime after ``renewals`` renewals, in years of value.

        Fader and Hardie, "Customer-base valuation in a contractual setting: the perils of ignoring
        heterogeneity", Marketing Science 2010, eq. 6, counting from the next renewal's payment:
        (beta + n) / (alpha + beta + n) * 2F1(1, beta + n + 1; alpha + beta + n + 1; 1/(1 + d))
        with n = ``renewals``.
        """
        if renewals < 0 or discount <= 0.0:
            raise ScoringError("residual lifetime needs renewals >= 0 and a discount above zero")
        b, ab = self.beta + renewals, self.alpha + self.beta + renewals
        return float(b / ab * special.hyp2f1(1.0, b + 1.0, ab + 1.0, 1.0 / (1.0 + discount)))


def fit_sbg(survivors: Sequence[float]) -> ShiftedBetaGeometric:
    """Maximum likelihood from the survivors of one cohort at years 0, 1, ..., n.

    Args:
        survivors: counts (or any multiple of them), never rising.

    Raises:
        ScoringError: fewer than two years, or survivors that rise.
    """
    counts = np.asarray(survivors, dtype=np.float64)
    if len(counts) < 3 or (np.diff(counts) > 0).any() or counts[-1] < 0 or counts[0] <= 0:
        raise ScoringError("a cohort needs three or more survivor counts that never rise")
    lost, years = -np.diff(counts), np.arange(1, len(counts), dtype=np.float64)

    def negative(theta: Floats) -> float:
        a, b = np.exp(theta)
        # P(T = t) = B(alpha + 1, beta + t - 1) / B(alpha, beta)
        log_p = special.betaln(a + 1.0, b + years - 1.0) - special.betaln(a, b)
        log_s = special.betaln(a, b + years[-1]) - special.betaln(a, b)
        return -float(np.sum(lost * log_p) + counts[-1] * log_s)

    best = optimize.minimize(
        negative,
        np.zeros(2),
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-10, "maxiter": 4000},
    )
    alpha, beta = np.exp(best.x)
    return ShiftedBetaGeometric(float(alpha), float(beta), -float(best.fun))


def fit_sbg_renewals(number: Floats, is_lost: Floats) -> ShiftedBetaGeometric:
    """Maximum likelihood from single renewals of any age, seen from any of them on.

    The ``t``-th renewal is lost with alpha / (alpha + beta + t - 1), whoever came that far. A
    cohort's likelihood is the product of these over its customers' renewals, so a whole cohort
    gives what `fit_sbg` gives; a customer known only from the third renewal on counts from there.

    Args:
        number: of each renewal, the first being 1.
        is_lost: 1 where it was lost.

    Raises:
        ScoringError: lengths differ, a number is below one, or only one outcome occurs.
    """
    if len(number) != len(is_lost) or len(np.unique(is_lost)) < 2 or float(number.min()) < 1.0:
        raise ScoringError("renewals need their numbers from 1, and both outcomes among them")
    years, at = np.unique(number, return_inverse=True)
    lost = np.bincount(at, is_lost)
    kept = np.bincount(at, 1.0 - is_lost)

    def parameters(theta: Floats) -> tuple[float, float]:
        # Mean and strength: where customers do not differ, or long-standing ones leave more often,
        # the strength grows without end and the mean stays what it is.
        mean, strength = special.expit(theta[0]), np.exp(min(theta[1], STRONGEST))
        return float(mean * strength), float((1.0 - mean) * strength)

    def negative(theta: Floats) -> float:
        a, b = parameters(theta)
        whole = np.log(a + b + years - 1.0)
        return -float(lost @ (np.log(a) - whole) + kept @ (np.log(b + years - 1.0) - whole))

    rate = lost.sum() / (lost.sum() + kept.sum())
    best = optimize.minimize(
        negative,
        np.array([special.logit(rate), 1.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-9, "maxiter": 2000},
    )
    alpha, beta = parameters(best.x)
    return ShiftedBetaGeometric(alpha, beta, -float(best.fun))


def kaplan_meier(durations: Floats, is_event: Floats, level: float = 0.95) -> pd.DataFrame:
    """Product-limit survival (Kaplan and Meier 1958) with Greenwood's plain interval.

    Args:
        durations: time to loss or to censoring, one an account.
        is_event: 1 where lost, 0 where censored; censoring at a time follows losses at that time.
        level: of the interval.

    Returns:
        time, at_risk, events, survival, std_error, low, high; one row a time with a loss.
    """
    if len(durations) != len(is_event):
        raise ScoringError("durations and events differ in length")
    times = np.unique(durations[is_event == 1.0])
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    survival, hazard_sum = 1.0, 0.0
    rows = []
    for time in times:
        at_risk = int((durations >= time).sum())
        events = int(((durations == time) & (is_event == 1.0)).sum())
        survival *= 1.0 - events / at_risk
        if at_risk > events:
            hazard_sum += events / (at_risk * (at_risk - events))
        error = survival * float(np.sqrt(hazard_sum))
        low, high = max(0.0, survival - z * error), min(1.0, survival + z * error)
        rows.append((float(time), at_risk, events, survival, error, low, high))
    return pd.DataFrame(
        rows, columns=["time", "at_risk", "events", "survival", "std_error", "low", "high"]
    )
