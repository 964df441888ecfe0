"""Forecasts that need no model: what a score must beat to be worth having.

Belongs here: the rivals of every head, each fitted on what was known at the same rolling origin.
Must not: measures (`scoring.evaluation`), the models they are compared with.

Three of them are what a company does without a model: one rate for all, one rate a segment, one
figure that everybody watches. The fourth knows only how often a customer has renewed: most of what
looks like loyalty is that those who would leave have left (Fader and Hardie 2007).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from scoring.arrays import Bools, Floats, Ints
from scoring.evaluation import log_loss
from scoring.frame import Prepared
from scoring.survival import fit_sbg_renewals

BASE_RATE = "base_rate"
SEGMENT_RATE = "segment_rate"
RENEWALS_MADE = "renewals_made"
ONE_FEATURE = "one_feature"

STRENGTH = 20.0
"""Rows that the overall rate counts as inside a segment or a bin."""
CHOSEN_ON = 10_000
"""Training rows at most by which the one feature is chosen; its rates are fitted on all."""
BINS = 10


@dataclass(frozen=True)
class Rivals:
    """What the rivals said of the rows walked.

    Attributes:
        p: probabilities by rival, each shape (m,).
        chosen: the one feature, by origin.
    """

    p: Mapping[str, Floats]
    chosen: Mapping[dt.date, str]


def walk(
    prepared: Prepared, eligible: Bools, positions: Ints, origins: Sequence[dt.date]
) -> Rivals:
    """Let every rival forecast the rows of a walk, knowing what the model knew at each origin.

    Args:
        prepared: the whole frame.
        eligible: rows that the head may learn from.
        positions: rows forecast.
        origins: the origin of each.
    """
    at = np.array(origins, dtype="datetime64[D]")
    names = (BASE_RATE, SEGMENT_RATE, RENEWALS_MADE, ONE_FEATURE)
    p = {name: np.zeros(len(positions)) for name in names}
    chosen: dict[dt.date, str] = {}
    for origin in sorted(set(origins)):
        here = at == np.datetime64(origin)
        train = np.flatnonzero(prepared.matured_by(origin) & eligible)
        test = positions[here]
        y = prepared.y[train]
        p[BASE_RATE][here] = y.mean()
        p[SEGMENT_RATE][here] = by_segment(prepared, train, test)
        p[RENEWALS_MADE][here] = by_renewals_made(prepared, train, test)
        feature = best_feature(prepared.x, prepared.y, train)
        chosen[origin] = prepared.spec.columns[feature]
        known, asked = prepared.x[train, feature], prepared.x[test, feature]
        p[ONE_FEATURE][here] = by_feature(known, y, asked)
    return Rivals(p, chosen)


def by_segment(prepared: Prepared, train: Ints, test: Ints) -> Floats:
    """The training rate of each row's segment, held to the overall rate where rows are few."""
    table = prepared.rows.loc[train, ["segment"]].assign(y=prepared.y[train])
    overall = float(table["y"].mean())
    sums = table.groupby("segment", sort=True)["y"].agg(["sum", "count"])
    rates = (sums["sum"] + STRENGTH * overall) / (sums["count"] + STRENGTH)
    served = prepared.rows["segment"].iloc[test].map(rates).astype("float64").fillna(overall)
    return np.asarray(served, dtype=np.float64)


def by_renewals_made(prepared: Prepared, train: Ints, test: Ints) -> Floats:
    """The shifted-beta-geometric rate of the renewal that is next, by its number.

    Fitted on renewals, not rows: a term has twelve of those. A row whose number is unknown gets the
    rate of all.
    """
    columns = ["account_id", "label_due_on", "cycle_number"]
    table = prepared.rows.loc[train, columns].assign(y=prepared.y[train])
    table = table.drop_duplicates(["account_id", "label_due_on"], keep="last")
    table = table[table["cycle_number"] >= 1.0]
    asked = prepared.rows["cycle_number"].to_numpy()[test]
    served = np.full(len(test), float(prepared.y[train].mean()))
    if table["y"].nunique() < 2:
        return served
    line = fit_sbg_renewals(table["cycle_number"].to_numpy(), table["y"].to_numpy())
    known = asked >= 1.0
    served[known] = 1.0 - line.retention(asked[known])
    return served


def best_feature(x: Floats, y: Floats, train: Ints) -> int:
    """The column that alone, in ten bins, explains the training outcomes best; the first of ties.

    Args:
        x: all features, shape (n, p).
        y: all outcomes, shape (n,).
        train: training rows, by date.
    """
    # Every k-th row: each date and nearly each account is among them.
    sample = train[:: -(-len(train) // CHOSEN_ON)]
    outcomes = y[sample]
    losses = [
        round(log_loss(outcomes, by_feature(x[sample, j], outcomes, x[sample, j])), 9)
        for j in range(x.shape[1])
    ]
    return int(np.argmin(losses))


def by_feature(known: Floats, y: Floats, asked: Floats) -> Floats:
    """Rates of a feature's training deciles and of its being missing, for other values of it.

    Args:
        known: training values, NaN where missing.
        y: training outcomes.
        asked: values to forecast.
    """
    overall = float(y.mean())
    values = known[~np.isnan(known)]
    inner = np.linspace(0.0, 1.0, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(values, inner)) if len(values) else np.zeros(0)

    def bins(column: Floats) -> Ints:
        found = np.searchsorted(edges, column, side="left")
        return np.where(np.isnan(column), len(edges) + 1, found).astype(np.int64)

    at = bins(known)
    lost = np.bincount(at, y, minlength=len(edges) + 2)
    rows = np.bincount(at, minlength=len(edges) + 2)
    rates = (lost + STRENGTH * overall) / (rows + STRENGTH)
    return np.asarray(rates[bins(asked)], dtype=np.float64)
