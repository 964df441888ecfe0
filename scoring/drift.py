"""Whether a model still stands on the ground it was trained on.

Belongs here: the training reference, the comparison of today's features with it, and of past scores
with what came. Must not: deciding what to do.

Hundreds of comparisons are made each night, and one in twenty passes its own 95 % limit by chance.
So a finding counts only if it survives Benjamini and Hochberg's step-up over all features of the
night: where nothing has changed, at most one night in twenty finds anything.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from scoring.arrays import Bools, Floats, Ints
from scoring.evaluation import Interval, benjamini_hochberg, clustered_slope, psi, psi_limit
from scoring.frame import Prepared, as_days

BINS = 10
TOO_FEW = 50
"""Observations under which a distribution is not compared."""
LEVEL = 0.05
"""Share of nights without any change that may find one."""
MATERIAL = 0.25
"""Stability index that matters, should it be more than chance: what the trade calls a major shift
(Siddiqi, Credit Risk Scorecards, 2006). Alone it says nothing: small samples pass it by chance."""
UNUSUAL = 2.0
"""Times the index that a month of the last year showed against the year: days and seasons differ
for all accounts at once, which no sampling limit knows of."""
MISSING_JUMP = 0.1
"""Rise of a missing rate that matters, should it be more than chance."""
OUTSIDE = 0.01
"""Share of accounts outside the training range that matters, should it be more than chance."""
MATURED_RENEWALS, MATURED_EACH = 20, 5.0
"""Renewals, and expected ones of either outcome, that past scores are judged by at least."""
MATURED_DAYS = 365
"""Days back in which they fell due."""


@dataclass(frozen=True)
class FeatureReference:
    """One feature in training.

    Attributes:
        edges: inner edges of the bins, deciles of the last year's rows.
        counts: those rows in each bin.
        low, high: range over all training rows; None where nothing is known.
        missing_rate: share of the last year's rows without a value.
        usual: largest stability index of one of that year's months against the year.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    low: float | None
    high: float | None
    missing_rate: float
    usual: float = 0.0


@dataclass(frozen=True)
class Reference:
    """All features over the training rows.

    Attributes:
        accounts: distinct accounts of the last year; rows of one account repeat each other, so
            this, not the number of rows, is the sample size of the stability index's limit.
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
                **{**r, "edges": tuple(r["edges"]), "counts": tuple(r["counts"])}
            )
            for name, r in record["features"].items()
        }
        return cls(record["accounts"], features)


def reference(training: Prepared) -> Reference:
    """Deciles and missing rates over the last year's training rows, ranges over all of them.

    The last year, because a change of years ago is no news, and a source that has just stopped
    would hide behind the years before it was there; and a whole one, because months differ.
    """
    observed = training.rows["observed_on"]
    is_recent = (observed > observed.max() - pd.DateOffset(years=1)).to_numpy(dtype=np.bool_)
    month, _ = pd.factorize(observed[is_recent].dt.to_period("M"), sort=True)
    features: dict[str, FeatureReference] = {}
    for j, column in enumerate(training.spec.columns):
        whole = training.x[:, j][~np.isnan(training.x[:, j])]
        values = training.x[is_recent, j]
        is_known = ~np.isnan(values)
        known = values[is_known]
        low = round(float(whole.min()), 9) if len(whole) else None
        high = round(float(whole.max()), 9) if len(whole) else None
        if len(known) == 0:
            missing = 1.0 if len(values) else 0.0
            features[column] = FeatureReference((), (), low, high, missing)
            continue
        # A counter with many zeros has fewer distinct deciles, and so fewer bins.
        edges = np.unique(np.round(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]), 9))
        edges = edges[edges < known.max()]
        features[column] = FeatureReference(
            tuple(float(e) for e in edges),
            tuple(int(c) for c in _counts(known, edges)),
            low,
            high,
            round(1.0 - len(known) / len(values), 9),
            _usual(known, edges, month[is_known]),
        )
    return Reference(int(training.rows["account_id"][is_recent].nunique()), features)


def report(past: Reference, current: Prepared, missing_jump: float = MISSING_JUMP) -> pd.DataFrame:
    """Compare rows to be scored with the training reference.

    Args:
        past: of the model that will score.
        current: one row an account, as of one day.
        missing_jump: rise of the missing rate that is flagged.

    Returns:
        feature, rows, psi, psi_usual (of the last year's months), psi_limit (its own, from sample
        sizes), psi_p_value, is_drifted (over its own limit), missing_rate_before, missing_rate_now,
        missing_p_value, is_missing_jump, outside_share (of the training range), outside_p_value;
        one row a feature. A p-value is NaN where too few observations stand on either side.
    """
    rows = []
    for j, column in enumerate(current.spec.columns):
        was = past.features[column]
        values = current.x[:, j]
        known = values[~np.isnan(values)]
        n, m = len(values), len(known)
        missing = 1.0 - m / n if n else float("nan")
        index = limit = index_p = float("nan")
        outside = outside_p = float("nan")
        if was.low is not None and was.high is not None and m:
            beyond = int(np.sum((known < was.low - 1e-9) | (known > was.high + 1e-9)))
            outside = beyond / m
            if m >= TOO_FEW and past.accounts >= TOO_FEW:
                # What lies outside the range of n is Beta(2, n - 1) of the whole (Wilks 1941).
                n_known = max(2.0, past.accounts * (1.0 - was.missing_rate))
                outside_p = float(stats.betabinom.sf(beyond - 1, m, 2.0, n_known - 1.0))
                if len(was.counts) >= 2:
                    now = _counts(known, np.array(was.edges))
                    index = psi(np.array(was.counts, dtype=np.float64), now)
                    limit = psi_limit(len(was.counts), past.accounts, m)
                    scale = 1.0 / past.accounts + 1.0 / m
                    index_p = float(stats.chi2.sf(index / scale, len(was.counts) - 1))
        missing_p = float("nan")
        if n >= TOO_FEW and past.accounts >= TOO_FEW:
            missing_p = _rise_p_value(was.missing_rate, past.accounts, missing, n)
        rows.append(
            (
                column,
                n,
                index,
                was.usual,
                limit,
                index_p,
                bool(index > limit),
                was.missing_rate,
                missing,
                missing_p,
                bool(missing - was.missing_rate > missing_jump),
                outside,
                outside_p,
            )
        )
    return pd.DataFrame(
        rows,
        columns=[
            "feature",
            "rows",
            "psi",
            "psi_usual",
            "psi_limit",
            "psi_p_value",
            "is_drifted",
            "missing_rate_before",
            "missing_rate_now",
            "missing_p_value",
            "is_missing_jump",
            "outside_share",
            "outside_p_value",
        ],
    )


@dataclass(frozen=True)
class Finding:
    """What one comparison found.

    Attributes:
        is_enough: whether there was enough to compare; without, nothing is found.
        rows: what was found, worst first; empty where nothing was.
        compared: how many comparisons were made.
    """

    is_enough: bool
    rows: pd.DataFrame
    compared: int


def drifted(report: pd.DataFrame) -> Finding:
    """Features distributed otherwise than in training, beyond what sampling and months explain."""
    floor = np.maximum(MATERIAL, UNUSUAL * report["psi_usual"])
    return _found(report, "psi_p_value", (report["psi"] > floor).to_numpy(dtype=np.bool_))


def missing(report: pd.DataFrame) -> Finding:
    """Features whose missing rate has jumped, beyond what sampling explains."""
    return _found(report, "missing_p_value", report["is_missing_jump"].to_numpy(dtype=np.bool_))


def outside(report: pd.DataFrame) -> Finding:
    """Features with values that no training row had, of more accounts than chance explains."""
    matters = (report["outside_share"] > OUTSIDE).to_numpy(dtype=np.bool_)
    return _found(report, "outside_p_value", matters)


@dataclass(frozen=True)
class Cohort:
    """Scores of the renewals that fell due within a year and are decided, beside what came.

    Attributes:
        renewals: how many; each counts once, by its first score within the head's warning time.
        expected: losses that the scores add up to.
        losses: losses that came.
        p_value: of the difference, were the scores right; NaN where there is not enough.
        slope: calibration slope with its interval; None where it has none.
    """

    renewals: int
    expected: float
    losses: int
    p_value: float
    slope: Interval | None

    @property
    def is_enough(self) -> bool:
        """Whether a verdict is possible."""
        return bool(not np.isnan(self.p_value))

    def is_off(self, comparisons: int) -> bool:
        """Whether the scores were wrong in the large or in their spread.

        Args:
            comparisons: cohorts looked at together; each is tried in both ways.
        """
        level = LEVEL / (2.0 * comparisons)
        if not self.is_enough:
            return False
        if self.p_value < level or self.slope is None:
            return bool(self.p_value < level)
        error = (self.slope.high - self.slope.low) / (2.0 * float(stats.norm.ppf(0.975)))
        return bool(2.0 * stats.norm.sf(abs(self.slope.estimate - 1.0) / error) < level)


def matured(
    scores: pd.DataFrame, outcomes: pd.DataFrame, as_of: dt.date, warning_days: int, grace_days: int
) -> Cohort:
    """Hold past scores of one head and basis against the outcomes that are final now.

    Args:
        scores: account_id, as_of, p; of models, not of segment rates.
        outcomes: account_id, label_due_on, label_is_lost, label_known_on; any number of rows a
            renewal, as the head's own frame has them.
        as_of: what is known by then counts.
        warning_days: a renewal is forecast by the first score this many days before it or later.
        grace_days: days after due in which a late renewal still counts as renewed.
    """
    day = pd.Timestamp(as_of)
    renewals = outcomes.dropna(subset=["label_due_on"])
    renewals = renewals.drop_duplicates(["account_id", "label_due_on"], keep="last")
    due, known = (as_days(renewals[c]) for c in ("label_due_on", "label_known_on"))
    # Both outcomes could be final: before that the losses are known and the renewals are not.
    is_final = (known <= day) & (due + pd.Timedelta(days=grace_days) <= day)
    is_recent = due > day - pd.Timedelta(days=MATURED_DAYS)
    renewals = pd.DataFrame(
        {
            "account_id": renewals["account_id"].astype("str"),
            "due_on": due,
            "y": renewals["label_is_lost"].astype("float64").where(is_final & is_recent),
        }
    )
    told = pd.DataFrame(
        {
            "account_id": scores["account_id"].astype("str"),
            "as_of": as_days(scores["as_of"]),
            "p": scores["p"].astype("float64"),
        }
    )
    # A score speaks of the renewal that is next on its day.
    both = pd.merge_asof(
        told.sort_values(["as_of", "account_id"], kind="stable"),
        renewals.sort_values(["due_on", "account_id"], kind="stable"),
        left_on="as_of",
        right_on="due_on",
        by="account_id",
        direction="forward",
        tolerance=pd.Timedelta(days=warning_days),
    ).dropna(subset=["y"])
    both = both.drop_duplicates(["account_id", "due_on"], keep="first")
    y, p = both["y"].to_numpy(dtype=np.float64), both["p"].to_numpy(dtype=np.float64)
    n, expected, losses = len(both), float(p.sum()), int(y.sum())
    if n < MATURED_RENEWALS or min(expected, n - expected) < MATURED_EACH:
        return Cohort(n, expected, losses, float("nan"), None)
    spread = float(np.sqrt(np.sum(p * (1.0 - p))))
    p_value = float(2.0 * stats.norm.sf(abs(losses - expected) / spread))
    slope = None
    if min(losses, n - losses) >= MATURED_EACH:
        slope = clustered_slope(y, p, both["account_id"].reset_index(drop=True))
    return Cohort(n, expected, losses, p_value, slope)


def _found(report: pd.DataFrame, column: str, matters: Bools) -> Finding:
    """Comparisons that survive the step-up and matter, least probable first."""
    p_values = report[column].to_numpy(dtype=np.float64)
    compared = int((~np.isnan(p_values)).sum())
    survive, _ = benjamini_hochberg(p_values, LEVEL)
    rows = report[survive & matters].sort_values([column, "feature"], kind="stable")
    return Finding(compared > 0, rows.reset_index(drop=True), compared)


def _rise_p_value(before: float, n: int, now: float, m: int) -> float:
    """One-sided p-value of a share being higher than before (pooled two-sample z test)."""
    pooled = (before * n + now * m) / (n + m)
    spread = float(np.sqrt(pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)))
    return 1.0 if spread == 0.0 else float(stats.norm.sf((now - before) / spread))


def _usual(known: Floats, edges: Floats, month: Ints) -> float:
    """Largest index of a month's values against those of all months, of months with enough."""
    whole = _counts(known, edges)
    if len(whole) < 2:
        return 0.0
    parts = (known[month == one] for one in range(int(month.max()) + 1))
    found = [psi(whole, _counts(part, edges)) for part in parts if len(part) >= TOO_FEW]
    return round(max(found, default=0.0), 6)


def _counts(known: Floats, edges: Floats) -> Floats:
    """Observations in each bin; a value on an edge belongs to the bin below it."""
    return np.bincount(np.searchsorted(edges, known, side="left"), minlength=len(edges) + 1).astype(
        np.float64
    )
