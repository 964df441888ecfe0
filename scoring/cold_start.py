"""What serves while losses are few.

Belongs here: the choice of recipe by matured losses, and segment rates with their prior.
Must not: fitting of models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from scoring.arrays import Floats, logit
from scoring.config import ColdStart
from scoring.frame import Prepared

SEGMENT_RATE = "segment_rate"
BLEND = "blend"
RIDGE = "ridge"
TREES = "trees"
GUIDED = "guided"
CANDIDATES = (BLEND, RIDGE, TREES)


def recipes(losses: int, rules: ColdStart) -> tuple[str, ...]:
    """The recipes that may compete after ``losses`` matured lost renewals.

    Under ``min_losses`` none but the segment's rate; up to ``choose_losses`` the blend alone, since
    too few losses exist to tell candidates apart; above it all three.
    """
    if losses < rules.min_losses:
        return (SEGMENT_RATE,)
    if losses <= rules.choose_losses:
        return (BLEND,)
    return CANDIDATES


@dataclass(frozen=True)
class SegmentRates:
    """Beta posteriors of the loss rate, company-wide and by segment.

    Attributes:
        overall: (a, b) of the company-wide posterior.
        segments: (a, b) by segment.
    """

    overall: tuple[float, float]
    segments: Mapping[str, tuple[float, float]]

    def serve(self, segments: pd.Series, level: float) -> tuple[Floats, Floats, Floats]:
        """Logits of the posterior mean, and the interval's ends as probabilities, one a row.

        A segment never seen gets the company-wide posterior.
        """
        pairs = [self.segments.get(str(s), self.overall) for s in segments]
        a = np.array([p[0] for p in pairs], dtype=np.float64)
        b = np.array([p[1] for p in pairs], dtype=np.float64)
        tail = (1.0 - level) / 2.0
        low = np.asarray(stats.beta.ppf(tail, a, b), dtype=np.float64)
        high = np.asarray(stats.beta.ppf(1.0 - tail, a, b), dtype=np.float64)
        return logit(a / (a + b)), low, high


def segment_rates(training: Prepared, rules: ColdStart) -> SegmentRates:
    """Posteriors from distinct matured renewals (not rows), each segment shrunk to the company.

    The company-wide rate has a Beta prior of ``prior_rate`` worth ``prior_strength`` renewals; a
    segment's prior is the company-wide posterior mean worth ``segment_strength`` renewals, and at
    least Jeffreys' half loss: a segment without a loss is not a segment without risk.
    """
    renewals = training.renewals()
    lost = float(renewals["y"].sum())
    a = rules.prior_rate * rules.prior_strength + lost
    b = (1.0 - rules.prior_rate) * rules.prior_strength + len(renewals) - lost
    mean = a / (a + b)
    segments: dict[str, tuple[float, float]] = {}
    for segment, part in renewals.groupby("segment", sort=True):
        lost_here = float(part["y"].sum())
        segments[str(segment)] = (
            round(max(mean * rules.segment_strength, 0.5) + lost_here, 9),
            round((1.0 - mean) * rules.segment_strength + len(part) - lost_here, 9),
        )
    return SegmentRates((round(a, 9), round(b, 9)), segments)
