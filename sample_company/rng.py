"""Random numbers keyed by what they are for, never by the order in which they are drawn.

Belongs here: the keyed hash and the distributions drawn from it. Must not be here: any state.
Because every number is a pure function of (seed, purpose, keys), a world with a later horizon
repeats the earlier one exactly, and adding a phenomenon does not disturb the others.

The hash is the finaliser of SplitMix64 (Steele, Lea, Flood 2014), applied once per key.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

U64 = NDArray[np.uint64]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = (np.uint64(s) for s in (30, 27, 31, 11))
_TWO53 = 1.0 / 9007199254740992.0


def _mix(x: U64) -> U64:
    x = (x ^ (x >> _S30)) * _M1
    x = (x ^ (x >> _S27)) * _M2
    return x ^ (x >> _S31)


def as_key(key: Any) -> U64:
    """Turn an int, or an array of ints, into hash keys (negative ints wrap round)."""
    return np.atleast_1d(np.asarray(key)).astype(np.int64).view(np.uint64)


@dataclass(frozen=True)
class Rng:
    """Keyed random numbers: `rng.uniform("churn", account_index, month)`.

    Keys are ints or equally long int arrays (an int is broadcast). The result has the length of the
    longest key; without array keys it has length one.
    """

    seed: int

    def u64(self, purpose: str, *keys: Any) -> U64:
        """64 random bits for each combination of keys."""
        digest = hashlib.blake2b(f"{self.seed}:{purpose}".encode(), digest_size=8).digest()
        state: U64 = np.array([int.from_bytes(digest, "little")], dtype=np.uint64)
        with np.errstate(over="ignore"):
            for key in keys:
                state = _mix((state ^ _mix(as_key(key) + _GOLDEN)) + _GOLDEN)
            return _mix(state + _GOLDEN)

    def uniform(self, purpose: str, *keys: Any) -> F64:
        """Uniform in the open interval (0, 1)."""
        bits = self.u64(purpose, *keys) >> _S11
        return (bits.astype(np.float64) + 0.5) * _TWO53

    def normal(self, purpose: str, *keys: Any) -> F64:
        """Standard normal."""
        return np.asarray(ndtri(self.uniform(purpose, *keys)), dtype=np.float64)

    def integers(self, purpose: str, low: Any, high: Any, *keys: Any) -> I64:
        """Integers from low (inclusive) to high (exclusive); both may be arrays."""
        span = np.asarray(high, dtype=np.int64) - np.asarray(low, dtype=np.int64)
        drawn = np.floor(self.uniform(purpose, *keys) * span).astype(np.int64)
        return np.asarray(low, dtype=np.int64) + np.minimum(drawn, span - 1)

    def choice(self, purpose: str, weights: Any, *keys: Any) -> I64:
        """Index into weights; weights is one row for all (k,) or a row each (n, k)."""
        shares = np.atleast_2d(np.asarray(weights, dtype=np.float64))
        cumulative = np.cumsum(shares, axis=1)
        cumulative /= cumulative[:, -1:]
        drawn = self.uniform(purpose, *keys)[:, None]
        index = (drawn > cumulative).sum(axis=1)
        return np.asarray(np.minimum(index, shares.shape[1] - 1), dtype=np.int64)

    def chance(self, purpose: str, probability: Any, *keys: Any) -> NDArray[np.bool_]:
        """True with the given probability (a number or an array)."""
        return np.asarray(self.uniform(purpose, *keys) < probability, dtype=np.bool_)

    def poisson(self, purpose: str, mean: float, *keys: Any) -> I64:
        """Poisson by inversion; past a mean of 50 the rounded normal stands in for it."""
        if mean > 50:
            drawn = np.rint(mean + np.sqrt(mean) * self.normal(purpose, *keys))
            return np.asarray(np.maximum(drawn, 0), dtype=np.int64)
        counts = np.arange(0, 200)
        log_mass = counts * np.log(max(mean, 1e-12)) - mean
        log_mass -= np.concatenate([[0.0], np.cumsum(np.log(counts[1:]))])
        cumulative = np.cumsum(np.exp(log_mass))
        drawn = np.searchsorted(cumulative, self.uniform(purpose, *keys))
        return np.asarray(drawn, dtype=np.int64)

    def generator(self, purpose: str, *keys: int) -> np.random.Generator:
        """Build a numpy generator for one purpose, for draws that have no natural key."""
        state = int(self.u64(purpose, *keys)[0])
        return np.random.Generator(np.random.Philox(state))
