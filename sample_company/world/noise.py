"""Random draws addressed by what they belong to, not by the order in which they are made.

Belongs here: the counter-based generator of the observable tables and the shapes drawn from it.
Must not be here: anything that knows what a contact, a case or a month is.

A sequential generator makes every draw depend on all draws before it, so one more account or one
more month would change the past. Here a draw is a pure function of (seed, purpose, keys): the same
account, month and occasion give the same number in every world that contains them, whatever else
the world holds. That is the prefix property by construction, and it needs no loop over months.

The mixing function is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

U64 = npt.NDArray[np.uint64]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_NORMAL_ABOVE = 60.0


def mix(values: U64) -> U64:
    """Scramble 64-bit words: each input bit changes about half of the output bits."""
    z = values ^ (values >> np.uint64(30))
    z *= _M1
    z ^= z >> np.uint64(27)
    z *= _M2
    z ^= z >> np.uint64(31)
    return z


def fold(*keys: Any) -> U64:
    """Combine key columns (integers of any width, or scalars) into one 64-bit key per row."""
    with np.errstate(over="ignore"):
        folded = np.zeros(1, dtype=np.uint64)
        for key in keys:
            word = np.atleast_1d(np.asarray(key))
            if word.dtype != np.uint64:
                word = word.astype(np.int64).view(np.uint64)
            folded = mix(folded + word + _GOLDEN)
    return folded


def key_of(texts: Any) -> U64:
    """64-bit key of each text (an id), independent of row order and library versions.

    Raises:
        ValueError: if a text is not plain ASCII, since ids always are.
    """
    column = np.asarray(pd.Series(texts).fillna("").to_numpy(dtype=object), dtype="S")
    if column.size == 0:
        return np.empty(0, dtype=np.uint64)
    width = column.dtype.itemsize
    letters = column.view(np.uint8).reshape(column.size, width)
    with np.errstate(over="ignore"):
        folded = np.zeros(column.size, dtype=np.uint64)
        for position in range(width):
            letter = letters[:, position].astype(np.uint64)
            # Padding must not count, or a key would depend on the longest id in the column.
            folded = np.where(letter > 0, mix(folded + letter + _GOLDEN), folded)
    return folded


class Noise:
    """Draws of one seed. Every method is a pure function of its purpose and keys."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def bits(self, purpose: str, *keys: Any) -> U64:
        """Uniform 64-bit words, one per row of the broadcast keys."""
        digest = hashlib.blake2b(f"{self.seed}|{purpose}".encode(), digest_size=8).digest()
        return fold(np.uint64(int.from_bytes(digest, "little")), *keys)

    def uniform(self, purpose: str, *keys: Any) -> F64:
        """Uniform numbers in the open interval (0, 1)."""
        words = self.bits(purpose, *keys) >> np.uint64(11)
        return (words.astype(np.float64) + 0.5) * 2.0**-53

    def chance(self, share: Any, purpose: str, *keys: Any) -> Bool:
        """True with probability `share` (0-1) per row."""
        return np.asarray(self.uniform(purpose, *keys) < share, dtype=np.bool_)

    def normal(self, purpose: str, *keys: Any) -> F64:
        """Standard normal numbers."""
        return np.asarray(ndtri(self.uniform(purpose, *keys)), dtype=np.float64)

    def exponential(self, mean: Any, purpose: str, *keys: Any) -> F64:
        """Exponential waiting times with the given mean, in the mean's unit."""
        return np.asarray(-np.log(self.uniform(purpose, *keys)) * mean, dtype=np.float64)

    def poisson(self, rate: Any, purpose: str, *keys: Any) -> I64:
        """Poisson counts by inversion of one uniform per row; normal approximation above 60."""
        u = self.uniform(purpose, *keys)
        return poisson_inverse(u, np.broadcast_to(np.asarray(rate, dtype=np.float64), u.shape))

    def whole(self, low: int, high: int, purpose: str, *keys: Any) -> I64:
        """Integers from low to high, both included."""
        span = high - low + 1
        return low + np.floor(self.uniform(purpose, *keys) * span).astype(np.int64)

    def pick(self, weights: Any, purpose: str, *keys: Any) -> I64:
        """Index drawn in proportion to the weights."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        return np.searchsorted(edges / edges[-1], self.uniform(purpose, *keys)).astype(np.int64)

    def choose(self, options: Any, weights: Any, purpose: str, *keys: Any) -> Any:
        """Option drawn in proportion to the weights; one per row."""
        return np.asarray(options, dtype=object)[self.pick(weights, purpose, *keys)]


def poisson_inverse(u: F64, rate: F64) -> I64:
    """Smallest k with P(X <= k) > u for X ~ Poisson(rate)."""
    counts = np.zeros(u.shape, dtype=np.int64)
    large = rate > _NORMAL_ABOVE
    if large.any():
        approximate = rate[large] + np.sqrt(rate[large]) * ndtri(u[large])
        counts[large] = np.maximum(np.round(approximate), 0).astype(np.int64)
    open_rows = np.flatnonzero(~large & (rate > 0))
    lam, left = rate[open_rows], u[open_rows].copy()
    term = np.exp(-lam)
    k = 0
    while open_rows.size and k < 300:
        left -= term
        keep = left >= 0
        open_rows, lam, left, term = open_rows[keep], lam[keep], left[keep], term[keep]
        k += 1
        counts[open_rows] = k
        term = term * lam / k
    return counts


def spread(counts: Any) -> tuple[I64, I64]:
    """Row index and running number within the row for `counts` repetitions of each row.

    Returns:
        (row, k): row repeats 0..n-1 by its count; k numbers the repetitions of a row from 0.
    """
    repeats = np.asarray(counts, dtype=np.int64)
    row = np.repeat(np.arange(repeats.size, dtype=np.int64), repeats)
    first = np.cumsum(repeats) - repeats
    return row, np.arange(row.size, dtype=np.int64) - first[row]
