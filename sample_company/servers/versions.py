"""Tables of versions, and what of them is visible at an instant.

Belongs here: the one rule of visibility (newest version not after the clock) and fast access to the
columns of the visible rows. Does not belong here: anything about a vendor or about a certain table.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

Positions = npt.NDArray[np.int64]
T = TypeVar("T")


def microseconds(instants: pd.Series) -> npt.NDArray[np.int64]:
    """UTC instants (or days) as microseconds since 1970; a missing one is the smallest integer."""
    values = pd.to_datetime(instants, utc=True).dt.tz_localize(None)
    result: npt.NDArray[np.int64] = values.to_numpy(dtype="datetime64[us]").astype(np.int64)
    return result


def as_microseconds(instant: datetime) -> int:
    """One aware instant as microseconds since 1970."""
    since = instant.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


class Versions:
    """Rows (key, version_at, ...) in order of key and version; a key's newest row is its state."""

    def __init__(self, frame: pd.DataFrame, key: str, version_at: str = "version_at") -> None:
        at = microseconds(frame[version_at])
        if (at == np.iinfo(np.int64).min).any():
            raise ValueError(f"{key}: every version needs a {version_at}")
        codes, uniques = pd.factorize(frame[key])
        order = np.lexsort((np.arange(len(frame)), at, codes))
        self.frame = frame.iloc[order].reset_index(drop=True)
        self.key = key
        self.at: npt.NDArray[np.int64] = at[order]
        self.codes: npt.NDArray[np.int64] = codes[order].astype(np.int64)
        self.keys = len(uniques)

    def __len__(self) -> int:
        return len(self.frame)

    def visible(self, now: int) -> Positions:
        """Positions of each key's newest version at or before `now` (microseconds)."""
        seen = np.flatnonzero(self.at <= now)
        if len(seen) == 0:
            return seen.astype(np.int64)
        codes = self.codes[seen]
        is_last = np.empty(len(seen), dtype=bool)
        is_last[-1] = True
        np.not_equal(codes[1:], codes[:-1], out=is_last[:-1])
        return seen[is_last].astype(np.int64)

    def first_at(self) -> npt.NDArray[np.int64]:
        """For every row, the instant of its key's first version."""
        starts = np.ones(len(self.codes), dtype=bool)
        np.not_equal(self.codes[1:], self.codes[:-1], out=starts[1:])
        return self.at[np.maximum.accumulate(np.where(starts, np.arange(len(starts)), 0))]


class Cache(Generic[T]):
    """The last few values computed for a key; one thread computes, the others wait."""

    def __init__(self, size: int = 4) -> None:
        self._size = size
        self._values: dict[Hashable, T] = {}
        self._lock = Lock()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value for the key, computed at most once while it stays among the newest."""
        with self._lock:
            if key not in self._values:
                while len(self._values) >= self._size:
                    del self._values[next(iter(self._values))]
                self._values[key] = compute()
            return self._values[key]


def plain(values: Any) -> list[Any]:
    """A column as Python values in which every kind of missing is None."""
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    return [None if missing else value for value, missing in zip(
        series.tolist(), series.isna().tolist(), strict=True)]
