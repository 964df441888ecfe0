"""Any table's columns as numbers: types cleaned, categories coded without a look at the answers.

Belongs here: reading numbers, flags and levels out of mixed columns, and the coding fitted on
training rows. Must not: models, folds, the choice of columns to refuse (see `scoring.tabular`).

A column's coded parts stay tied to it by ``source``, so that whatever a model attributes to the
parts can be added up to what it attributes to the column.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoring.arrays import DECIMALS, Floats, Ints, logit
from scoring.errors import FrameError

NUMBER, LEVEL = "number", "level"

BLANKS = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "?", "-", "<na>", "nat"})
"""Texts, in lower case, that mean "not known". "None" is not among them: it can be a level."""
FLAGS = {"yes": 1.0, "true": 1.0, "y": 1.0, "t": 1.0, "no": 0.0, "false": 0.0, "n": 0.0, "f": 0.0}
NUMERIC_SHARE = 0.95
"""Share of a text column's known values that must read as numbers for it to be one."""
MAX_LEVELS = 30
"""Levels that get a column of their own, the most frequent first."""
MIN_LEVEL_ROWS = 10
"""Training rows that a level needs for it."""
RATE_LEVELS = 8
"""A column with more levels also gets its levels' smoothed rate: trees split it at once."""
RATE_STRENGTH = 20.0
"""Rows that the overall rate counts as inside a level."""


@dataclass(frozen=True)
class Cleaned:
    """Columns of one frame after cleaning.

    Attributes:
        numbers: float column by name, NaN where unknown.
        levels: text column by name, "" where unknown.
        unread: texts that a numeric column held and that were no numbers, counted by name.
    """

    numbers: dict[str, Floats]
    levels: dict[str, pd.Series]
    unread: dict[str, int]


def kind_of(column: pd.Series) -> str:
    """Whether a column is read as a number or as a level."""
    if not _is_text(column):
        return NUMBER
    known = _texts(column)
    known = known[known != ""]
    if known.empty or set(known.str.lower()) <= set(FLAGS):
        return NUMBER
    return NUMBER if float(_numbers(known).notna().mean()) >= NUMERIC_SHARE else LEVEL


def clean(frame: pd.DataFrame, kinds: dict[str, str]) -> Cleaned:
    """Read every column of ``kinds`` as its kind.

    Args:
        frame: holds the columns; others are ignored.
        kinds: NUMBER or LEVEL by column.

    Raises:
        FrameError: a column is absent, or holds an infinite number.
    """
    absent = [c for c in kinds if c not in frame.columns]
    if absent:
        raise FrameError(f"the table lacks columns that the model reads: {', '.join(absent)}")
    numbers: dict[str, Floats] = {}
    levels: dict[str, pd.Series] = {}
    unread: dict[str, int] = {}
    for name, kind in kinds.items():
        column = frame[name].reset_index(drop=True)
        if kind == LEVEL:
            levels[name] = _texts(column)
            continue
        values, lost = as_number(column)
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise FrameError(
                f"column {name!r} holds an infinite value, first in row {row}: a division by zero "
                "upstream; make it missing"
            )
        numbers[name] = values
        if lost:
            unread[name] = lost
    return Cleaned(numbers, levels, unread)


def as_number(column: pd.Series) -> tuple[Floats, int]:
    """A column as floats, and how many known values were no number (they become missing).

    Booleans and yes/no are 1 and 0, dates are days since 1970, and thousands separators, currency
    signs and per cent signs are read over.
    """
    if pd.api.types.is_datetime64_any_dtype(column):
        days = (pd.to_datetime(column, utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
        return np.asarray(days.to_numpy(dtype=np.float64), dtype=np.float64), 0
    if not _is_text(column):
        floats = pd.to_numeric(column, errors="coerce").astype("Float64")
        return np.asarray(floats.to_numpy(dtype=np.float64, na_value=np.nan)), 0
    texts = _texts(column)
    values = _numbers(texts)
    known = texts != ""
    return np.asarray(values.to_numpy(dtype=np.float64)), int((known & values.isna()).sum())


@dataclass(frozen=True)
class Coding:
    """What a cleaned frame becomes: one entry of ``source`` for each coded column.

    Attributes:
        kinds: kind by column, in model order.
        levels: levels with a coded column of their own, by level column.
        rates: smoothed log odds of each level, for columns of many levels.
        prior: log odds of the training rows, for levels that none of them had.
        source: position of each coded column's column.
    """

    kinds: dict[str, str]
    levels: dict[str, tuple[str, ...]]
    rates: dict[str, dict[str, float]]
    prior: float
    source: tuple[int, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns in model order."""
        return tuple(self.kinds)

    def matrix(self, cleaned: Cleaned) -> Floats:
        """Coded columns, shape (n, len(source)), NaN where a number is unknown."""
        parts: list[Floats] = []
        for name, kind in self.kinds.items():
            if kind == NUMBER:
                parts.append(cleaned.numbers[name])
                continue
            texts = cleaned.levels[name]
            parts += [np.asarray(texts == level, dtype=np.float64) for level in self.levels[name]]
            if name in self.rates:
                parts.append(_rate(texts, self.rates[name], self.prior))
        if not parts:
            raise FrameError("no column is left to learn from")
        return np.column_stack(parts)

    def by_column(self, contributions: Floats) -> Floats:
        """Contributions of coded columns, shape (n, coded), added up by column: (n, columns)."""
        membership = np.zeros((len(self.source), len(self.kinds)))
        membership[np.arange(len(self.source)), list(self.source)] = 1.0
        return np.asarray(contributions @ membership, dtype=np.float64)


def fit_coding(
    cleaned: Cleaned, kinds: dict[str, str], y: Floats, rows: Ints, parts: Ints
) -> tuple[Coding, Floats]:
    """Fit the coding on training rows.

    A level's rate is learnt from outcomes, so a training row is shown the rate of the other parts
    only: with its own outcome inside, a level seen once would spell out the answer (Micci-Barreca
    2001 for the smoothing; cross-fitting against its leak).

    Args:
        cleaned: the whole frame.
        kinds: kind by column.
        y: outcomes of the whole frame.
        rows: positions of the training rows.
        parts: part of each training row, shape (len(rows),), groups whole.

    Returns:
        The coding for rows to come, and the matrix of the training rows.
    """
    levels: dict[str, tuple[str, ...]] = {}
    rates: dict[str, dict[str, float]] = {}
    own: dict[str, Floats] = {}
    source: list[int] = []
    outcome = y[rows]
    prior = float(logit(np.array([outcome.mean()]))[0])
    for at, (name, kind) in enumerate(kinds.items()):
        if kind == NUMBER:
            source.append(at)
            continue
        texts = cleaned.levels[name].iloc[rows].reset_index(drop=True)
        counts = texts.value_counts()
        # Most frequent first, then by name: value_counts leaves ties in the order of rows.
        ordered = sorted(counts.index, key=lambda t: (-int(counts[t]), t))
        kept = [t for t in ordered if counts[t] >= MIN_LEVEL_ROWS][:MAX_LEVELS]
        # Two levels need one column: the other is its zero.
        levels[name] = tuple(kept[1:] if len(ordered) == 2 and len(kept) == 2 else kept)
        source += [at] * len(levels[name])
        if len(ordered) > RATE_LEVELS:
            rates[name] = _level_rates(texts, outcome)
            own[name] = cross_fitted_rates(texts, outcome, parts)
            source.append(at)
    coding = Coding(dict(kinds), levels, rates, round(prior, DECIMALS), tuple(source))
    matrix = coding.matrix(take(cleaned, rows))
    for name, values in own.items():
        at = coding.columns.index(name)
        last = max(j for j, s in enumerate(coding.source) if s == at)
        matrix[:, last] = values
    return coding, matrix


def take(cleaned: Cleaned, rows: Ints) -> Cleaned:
    """The rows at these positions."""
    return Cleaned(
        {c: v[rows] for c, v in cleaned.numbers.items()},
        {c: v.iloc[rows].reset_index(drop=True) for c, v in cleaned.levels.items()},
        {},
    )


def _level_rates(texts: pd.Series, y: Floats) -> dict[str, float]:
    """Smoothed log odds of each level."""
    table = pd.DataFrame({"t": texts.to_numpy(), "y": y}).groupby("t", sort=True)["y"]
    overall = float(y.mean())
    mean = (table.sum() + RATE_STRENGTH * overall) / (table.count() + RATE_STRENGTH)
    values = np.round(logit(mean.to_numpy(dtype=np.float64)), DECIMALS)
    return {str(t): float(v) for t, v in zip(mean.index, values, strict=True)}


def cross_fitted_rates(texts: pd.Series, y: Floats, parts: Ints) -> Floats:
    """Each row's level rate as learnt from the other parts."""
    result = np.empty(len(y))
    for part in np.unique(parts):
        here = parts == part
        others = y[~here] if (~here).any() else y
        prior = float(logit(np.array([others.mean()]))[0])
        rates = _level_rates(texts[~here], others) if (~here).any() else {}
        result[here] = _rate(texts[here], rates, prior)
    return result


def _rate(texts: pd.Series, rates: dict[str, float], prior: float) -> Floats:
    return np.asarray(texts.map(rates).fillna(prior).to_numpy(dtype=np.float64), dtype=np.float64)


def _is_text(column: pd.Series) -> bool:
    return not (
        pd.api.types.is_numeric_dtype(column)
        or pd.api.types.is_bool_dtype(column)
        or pd.api.types.is_datetime64_any_dtype(column)
    )


def _texts(column: pd.Series) -> pd.Series:
    """Stripped texts, "" where unknown; numbers keep one spelling whatever type held them."""
    if not _is_text(column):
        column = column.map(
            lambda v: f"{v:g}" if isinstance(v, float) else str(v), na_action="ignore"
        )
    texts = column.astype("object").where(column.notna(), "").map(str).str.strip()
    return texts.where(~texts.str.lower().isin(BLANKS), "").astype("object")


def _numbers(texts: pd.Series) -> pd.Series:
    """Texts as numbers, dates as days since 1970, NaN where they are neither."""
    flags = texts.str.lower().map(FLAGS)
    stripped = texts.str.replace(r"[\s,$€£%]", "", regex=True)
    numbers = pd.to_numeric(stripped, errors="coerce").astype("float64")
    numbers = numbers.fillna(flags.astype("float64"))
    dated = texts.str.match(r"\d{4}-\d{2}-\d{2}([ T]|$)").astype("bool") & numbers.isna()
    if not dated.any():
        return numbers
    stamps = pd.to_datetime(texts[dated], utc=True, errors="coerce", format="ISO8601")
    days = (stamps - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    return numbers.where(~dated, days.reindex(texts.index))
