"""Shapes of chance that the observable tables share, all drawn from the keyed `Rng`.

Belongs here: counts with a rate per row, waiting times, picks, keys of records made from keys of
their owners. Must not be here: anything that knows what a contact, a case or a month is, and any
source of randomness other than `sample_company.rng`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

from sample_company.rng import F64, I64, U64, Rng

Bool = npt.NDArray[np.bool_]

_NORMAL_ABOVE = 60.0
_KEYS = Rng(0)


def fold(*keys: Any) -> U64:
    """One 64-bit key per row out of several key columns (or scalars)."""
    return _KEYS.u64("key", *keys)


def key_of(texts: Any) -> U64:
    """64-bit key of each id, independent of row order (missing counts as the empty text)."""
    column = np.asarray(pd.Series(texts).fillna("").to_numpy(dtype=object), dtype="S")
    if column.size == 0:
        return np.empty(0, dtype=np.uint64)
    letters = np.ascontiguousarray(column).view(np.uint8).reshape(column.size, -1)
    folded = np.zeros(column.size, dtype=np.uint64)
    for position in range(letters.shape[1]):
        letter = letters[:, position]
        # Padding must not count, or a key would depend on the longest id in the column.
        folded = np.where(letter > 0, fold(folded, letter), folded)
    return folded


@dataclass(frozen=True)
class Noise:
    """Draws of one world. Every method is a pure function of the seed, its purpose and its keys."""

    rng: Rng

    def bits(self, purpose: str, *keys: Any) -> U64:
        """Uniform 64-bit words, one per row of the broadcast keys."""
        return self.rng.u64(purpose, *keys)

    def uniform(self, purpose: str, *keys: Any) -> F64:
        """Uniform numbers in the open interval (0, 1)."""
        return self.rng.uniform(purpose, *keys)

    def chance(self, share: Any, purpose: str, *keys: Any) -> Bool:
        """True with probability `share` (0-1, a number or one per row)."""
        return self.rng.chance(purpose, share, *keys)

    def normal(self, purpose: str, *keys: Any) -> F64:
        """Standard normal numbers."""
        return self.rng.normal(purpose, *keys)

    def exponential(self, mean: Any, purpose: str, *keys: Any) -> F64:
        """Exponential waiting times with the given mean, in the mean's unit."""
        return np.asarray(-np.log(self.uniform(purpose, *keys)) * mean, dtype=np.float64)

    def poisson(self, rate: Any, purpose: str, *keys: Any) -> I64:
        """Poisson counts, one rate per row."""
        u = self.uniform(purpose, *keys)
        return poisson_inverse(u, np.broadcast_to(np.asarray(rate, dtype=np.float64), u.shape))

    def whole(self, low: int, high: int, purpose: str, *keys: Any) -> I64:
        """Integers from low to high, both included."""
        return low + np.floor(self.uniform(purpose, *keys) * (high - low + 1)).astype(np.int64)

    def pick(self, weights: Any, purpose: str, *keys: Any) -> I64:
        """Index drawn in proportion to the weights."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        drawn = np.searchsorted(edges / edges[-1], self.uniform(purpose, *keys))
        return np.minimum(drawn, edges.size - 1).astype(np.int64)

    def choose(self, options: Any, weights: Any, purpose: str, *keys: Any) -> Any:
        """Option drawn in proportion to the weights; one per row."""
        return np.asarray(options, dtype=object)[self.pick(weights, purpose, *keys)]


def poisson_inverse(u: F64, rate: F64) -> I64:
    """Smallest k with P(X <= k) > u, X ~ Poisson(rate); above 60 the rounded normal."""
    counts = np.zeros(u.shape, dtype=np.int64)
    large = rate > _NORMAL_ABOVE
    if large.any():
        approximate = rate[large] + np.sqrt(rate[large]) * ndtri(u[large])
        counts[large] = np.maximum(np.round(approximate), 0).astype(np.int64)
    open_rows = np.flatnonzero(~large & (rate > 0))
    lam, left = rate[open_rows], u[open_rows].copy()
    term = np.exp(-lam)
    k = 0
    # 300 is out of reach at rates up to 60; the bound guards against rounding near u = 1.
    while open_rows.size and k < 300:
        left -= term
        keep = left >= 0
        open_rows, lam, left, term = open_rows[keep], lam[keep], left[keep], term[keep]
        k += 1
        counts[open_rows] = k
        term = term * lam / k
    return counts


def either(condition: Any, yes: Any, no: Any) -> Any:
    """One of two values per row, as `np.where`, whose types refuse None beside texts."""
    return np.where(np.asarray(condition, dtype=np.bool_), yes, no)


def spread(counts: Any) -> tuple[I64, I64]:
    """Row index and running number within the row for `counts` repetitions of each row.

    Returns:
        (row, k): row repeats 0..n-1 by its count; k numbers the repetitions of a row from 0.
    """
    repeats = np.asarray(counts, dtype=np.int64)
    row = np.repeat(np.arange(repeats.size, dtype=np.int64), repeats)
    first = np.cumsum(repeats) - repeats
    return row, np.arange(row.size, dtype=np.int64) - first[row]
