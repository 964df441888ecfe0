"""Whether today's features still look like the ones a model learnt from.

Belongs here: the training reference and the comparison with it. Must not: deciding what to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from scoring.arrays import Floats
from scoring.evaluation import psi, psi_limit
from scoring.frame import Prepared

BINS = 10
TOO_FEW = 50
"""Observations under which a distribution is not compared."""


@dataclass(frozen=True)
class FeatureReference:
    """One feature over the training rows: inner bin edges, counts, range, missing rate."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    low: float | None
    high: float | None
    missing_rate: float


@dataclass(frozen=True)
class Reference:
    """All features over the training rows.

    Attributes:
        accounts: distinct accounts; rows of one account repeat each other, so this, not the number
            of rows, is the sample size that the stability index's limit is computed from.
        features: by column.
    """

    accounts: int
    features: Mapping[str, FeatureReference]

    def to_text(self) -> str:
        """JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_text(cls, text: str) -> Reference:
        """The reference written by `to_text`."""
        record = json.loads(text)
        features = {
            name: FeatureReference(
                tuple(r["edges"]), tuple(r["counts"]), r["low"], r["high"], r["missing_rate"]
            )
            for name, r in record["features"].items()
        }
        return cls(record["accounts"], features)


def reference(training: Prepared) -> Reference:
    """Deciles of each feature over the training rows."""
    features: dict[str, FeatureReference] = {}
    for j, column in enumerate(training.spec.columns):
        values = training.x[:, j]
        known = values[~np.isnan(values)]
        if len(known) == 0:
            missing = 1.0 if len(values) else 0.0
            features[column] = FeatureReference((), (), None, None, missing)
            continue
        # A counter with many zeros has fewer distinct deciles, and so fewer bins.
        edges = np.unique(np.round(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]), 9))
        edges = edges[edges < known.max()]
        features[column] = FeatureReference(
            tuple(float(e) for e in edges),
            tuple(int(c) for c in _counts(known, edges)),
            round(float(known.min()), 9),
            round(float(known.max()), 9),
            round(1.0 - len(known) / len(values), 9),
        )
    return Reference(int(training.rows["account_id"].nunique()), features)


def report(past: Reference, current: Prepared, missing_jump: float = 0.1) -> pd.DataFrame:
    """Compare rows to be scored with the training reference.

    Args:
        past: of the model that will score.
        current: one row an account, as of one day.
        missing_jump: rise of the missing rate that is flagged.

    Returns:
        feature, psi, psi_limit, is_drifted, missing_rate_before, missing_rate_now,
        is_missing_jump, outside_share (of the training range); one row a feature.
    """
    rows = []
    for j, column in enumerate(current.spec.columns):
        was = past.features[column]
        values = current.x[:, j]
        known = values[~np.isnan(values)]
        missing = 1.0 - len(known) / len(values) if len(values) else float("nan")
        index = limit = float("nan")
        outside = float("nan")
        if was.low is not None and was.high is not None and len(known):
            outside = float(np.mean((known < was.low - 1e-9) | (known > was.high + 1e-9)))
            if len(known) >= TOO_FEW and len(was.counts) >= 2 and past.accounts >= TOO_FEW:
                now = _counts(known, np.array(was.edges))
                index = psi(np.array(was.counts, dtype=np.float64), now)
                limit = psi_limit(len(was.counts), past.accounts, len(known))
        rows.append(
            (
                column,
                index,
                limit,
                bool(index > limit),
                was.missing_rate,
                missing,
                bool(missing - was.missing_rate > missing_jump),
                outside,
            )
        )
    return pd.DataFrame(
        rows,
        columns=[
            "feature",
            "psi",
            "psi_limit",
            "is_drifted",
            "missing_rate_before",
            "missing_rate_now",
            "is_missing_jump",
            "outside_share",
        ],
    )


def _counts(known: Floats, edges: Floats) -> Floats:
    """Observations in each bin; a value on an edge belongs to the bin below it."""
    return np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1).astype(
        np.float64
    )
