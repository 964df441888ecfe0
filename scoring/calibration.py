"""Platt scaling on the logit: a line, so that reasons stay additive.

Belongs here: fitting and applying the line. Must not: choosing the rows it is fitted on (they are
out-of-fold predictions of a rolling origin, see `scoring.training`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoring.arrays import Floats, sigmoid
from scoring.errors import ScoringError


@dataclass(frozen=True)
class Platt:
    """calibrated logit = intercept + slope x raw logit.

    Attributes:
        intercept: shift in log odds.
        slope: below one the raw logits were too extreme.
        covariance: 2 x 2, of (intercept, slope), clustered where clusters were given.
        is_fitted: False for the identity used where there was nothing to fit on.
    """

    intercept: float
    slope: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    is_fitted: bool = True

    def logit(self, raw: Floats) -> Floats:
        """Calibrated log odds."""
        return np.asarray(self.intercept + self.slope * raw, dtype=np.float64)

    def variance(self, raw: Floats) -> Floats:
        """Sampling variance of each calibrated logit that is due to the line itself."""
        (aa, ab), (_, bb) = self.covariance
        return np.asarray(np.maximum(aa + 2.0 * ab * raw + bb * raw**2, 0.0), dtype=np.float64)


IDENTITY = Platt(0.0, 1.0, ((0.0, 0.0), (0.0, 0.0)), is_fitted=False)


def fit_platt(
    raw: Floats,
    y: Floats,
    clusters: pd.Series | None = None,
    *,
    smooth: bool = True,
    fixed_slope: float | None = None,
    slope_spread: float | None = None,
    intercept_spread: float | None = None,
) -> Platt:
    """Maximum likelihood line of the outcomes on raw logits, by Newton's method.

    Args:
        raw: raw logits, shape (n,).
        y: outcomes 0/1, shape (n,).
        clusters: rows that err together; the covariance is then the clustered sandwich
            (Liang and Zeger 1986).
        smooth: Platt's targets (1999), (N+ + 1)/(N+ + 2) and 1/(N- + 2), which keep the line
            finite when the outcomes separate.
        fixed_slope: fit the intercept only.
        slope_spread: standard deviation around one that is expected of slopes beforehand (a normal
            prior): few outcomes bend the line little. They count as many as there are independent
            clusters of them, by Kish's design effect.

        intercept_spread: the same of the intercept, around nought.

    Raises:
        ScoringError: one outcome alone without smoothing, or lengths that differ.
    """
    if len(raw) != len(y) or len(y) == 0:
        raise ScoringError("calibration needs as many outcomes as logits, and at least one")
    positives = float(y.sum())
    if not smooth and positives in (0.0, float(len(y))):
        raise ScoringError("calibration without smoothing needs both outcomes")
    target = y.astype(np.float64)
    if smooth:
        high = (positives + 1.0) / (positives + 2.0)
        low = 1.0 / (len(y) - positives + 2.0)
        target = np.where(y == 1.0, high, low)
    design = np.column_stack([np.ones(len(raw)), raw])
    free = [0] if fixed_slope is not None else [0, 1]
    beta = np.array([0.0, 1.0 if fixed_slope is None else fixed_slope])
    if fixed_slope is None and float(np.ptp(raw)) == 0.0:
        free, beta = [0], np.array([0.0, 1.0])
    x = design[:, free]
    prior, expected = np.zeros(2), np.array([0.0, 1.0])
    for k, spread in enumerate((intercept_spread, slope_spread)):
        if spread is not None:
            prior[k] = _design_effect(clusters, len(y)) / spread**2
    for _ in range(100):
        p = sigmoid(design @ beta)
        gradient = x.T @ (target - p) - (prior * (beta - expected))[free]
        hessian = (x * (p * (1.0 - p))[:, None]).T @ x + np.diag(prior[free] + 1e-12)
        step = np.linalg.solve(hessian, gradient)
        largest = float(np.max(np.abs(step)))
        # Newton overshoots from a flat start; a bounded step keeps the likelihood rising.
        beta[free] += step * min(1.0, 4.0 / largest) if largest > 0.0 else step
        if largest < 1e-12:
            break
    covariance = np.zeros((2, 2))
    covariance[np.ix_(free, free)] = _sandwich(
        x, sigmoid(design @ beta), target, clusters, prior[free]
    )
    rounded = np.round(covariance, 12)
    return Platt(
        round(float(beta[0]), 12),
        round(float(beta[1]), 12),
        (
            (float(rounded[0, 0]), float(rounded[0, 1])),
            (float(rounded[1, 0]), float(rounded[1, 1])),
        ),
    )


def _design_effect(clusters: pd.Series | None, n: int) -> float:
    """Rows that one independent observation stands in, if those of a cluster say the same."""
    if clusters is None:
        return 1.0
    sizes = clusters.value_counts().to_numpy(dtype=np.float64)
    return float((sizes**2).sum()) / n


def _sandwich(
    x: Floats, p: Floats, target: Floats, clusters: pd.Series | None, prior: Floats
) -> Floats:
    """Covariance of the coefficients; plain inverse information without clusters."""
    weight = p * (1.0 - p)
    bread = np.linalg.inv((x * weight[:, None]).T @ x + np.diag(prior + 1e-12))
    if clusters is None:
        return np.asarray(bread, dtype=np.float64)
    codes, distinct = pd.factorize(clusters, sort=True)
    scores = np.zeros((len(distinct), x.shape[1]))
    np.add.at(scores, codes, x * (target - p)[:, None])
    groups = len(distinct)
    correction = groups / (groups - 1.0) if groups > 1 else 1.0
    return np.asarray(correction * bread @ (scores.T @ scores) @ bread, dtype=np.float64)
