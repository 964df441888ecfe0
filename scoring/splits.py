"""Rolling origins: train on what was known, test on what was seen afterwards.

Belongs here: the choice of training and test rows in time. Must not: fitting.

Rows are split by the time of label knowledge, never at random: twelve rows of one term share one
outcome, and random rows gave an area of .946 where the truth was .56. A training row needs a label
that was final by the origin; a test row was observed after it. The span between a training row's
observation and its maturity (due date and grace) is the embargo, as long as the label's horizon.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoring.arrays import Bools, Ints
from scoring.errors import ScoringError
from scoring.frame import Prepared


@dataclass(frozen=True)
class Fold:
    """One origin: positions of the training and of the test rows."""

    origin: dt.date
    train: Ints
    test: Ints


def origins(as_of: dt.date, count: int, step_months: int) -> list[dt.date]:
    """``count`` origins before ``as_of``, ``step_months`` apart, oldest first."""
    if count < 1 or step_months < 1:
        raise ScoringError("rolling origins need at least one origin and one month of step")
    stamp = pd.Timestamp(as_of)
    back = [stamp - pd.DateOffset(months=step_months * k) for k in range(count, 0, -1)]
    return [b.date() for b in back]


def windows(
    prepared: Prepared,
    as_of: dt.date,
    *,
    count: int = 4,
    step_months: int = 6,
    eligible: Bools | None = None,
) -> list[Fold]:
    """Every origin's rows, be they few or none: training rows had matured, test rows came later.

    Args:
        prepared: the whole frame.
        as_of: last day of knowledge; a test label must have matured by it.
        count: origins.
        step_months: length of a test window; the last window ends at ``as_of``.
        eligible: rows that may be learnt from; default all.

    Returns:
        One fold an origin, oldest first.
    """
    allowed = np.ones(len(prepared), dtype=np.bool_) if eligible is None else eligible
    matured = prepared.matured_by(as_of) & allowed
    observed = prepared.rows["observed_on"]
    renewals, _ = pd.factorize(prepared.renewal_ids())
    folds: list[Fold] = []
    for origin in origins(as_of, count, step_months):
        end = pd.Timestamp(origin) + pd.DateOffset(months=step_months)
        train = prepared.matured_by(origin) & allowed
        inside = ((observed > pd.Timestamp(origin)) & (observed <= end)).to_numpy(dtype=np.bool_)
        folds.append(Fold(origin, np.flatnonzero(train), np.flatnonzero(matured & inside)))
    for fold in folds:
        _assert_apart(fold, renewals)
    return folds


def rolling_origin(
    prepared: Prepared,
    as_of: dt.date,
    *,
    count: int = 4,
    step_months: int = 6,
    min_losses: int = 5,
    eligible: Bools | None = None,
) -> list[Fold]:
    """Folds that a clerk could have walked through, each with both outcomes to learn from.

    Args:
        prepared: the whole frame.
        as_of: last day of knowledge; a test label must have matured by it.
        count: origins at most.
        step_months: length of a test window; the last window ends at ``as_of``.
        min_losses: distinct lost renewals that a training part needs.
        eligible: rows a head may learn from; default all.

    Returns:
        Folds, oldest first; empty where the history is too short.
    """
    walked = windows(prepared, as_of, count=count, step_months=step_months, eligible=eligible)
    renewals = prepared.renewal_ids()
    folds: list[Fold] = []
    for fold in walked:
        lost = fold.train[prepared.y[fold.train] == 1.0]
        has_both = len(lost) > 0 and bool((prepared.y[fold.train] == 0.0).any())
        if has_both and len(fold.test) and int(renewals.iloc[lost].nunique()) >= min_losses:
            folds.append(fold)
    return folds


def grouped_folds(groups: Sequence[object], count: int, seed: int) -> list[tuple[Ints, Ints]]:
    """Cross-validation folds that keep every group whole, for frames without a clock.

    Args:
        groups: one label a row (an account, a customer).
        count: folds.
        seed: of the shuffle of groups.

    Returns:
        (training positions, test positions), one pair a fold.
    """
    codes, distinct = pd.factorize(pd.Series(list(groups), dtype="object"), sort=True)
    if len(distinct) < count:
        raise ScoringError(f"{len(distinct)} groups cannot fill {count} folds")
    shuffled = np.random.default_rng(seed).permutation(len(distinct))
    fold_of_group = np.empty(len(distinct), dtype=np.int64)
    fold_of_group[shuffled] = np.arange(len(distinct)) % count
    fold_of_row = fold_of_group[codes]
    return [
        (np.flatnonzero(fold_of_row != k), np.flatnonzero(fold_of_row == k)) for k in range(count)
    ]


def _assert_apart(fold: Fold, renewals: Ints) -> None:
    """Refuse a fold in which one renewal stands on both sides."""
    shared = np.intersect1d(renewals[fold.train], renewals[fold.test])
    if len(shared):
        raise ScoringError(
            f"origin {fold.origin}: {len(shared)} renewals stand in training and in test; their "
            "rows were observed after their own outcome was final"
        )
