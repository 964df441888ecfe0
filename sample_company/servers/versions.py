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


class Columns:
    """Columns of a frame as plain values, taken row by row where they are needed.

    Instants become whole seconds since 1970, every kind of missing becomes None.
    """

    _NOTHING = np.iinfo(np.int64).min // 1_000_000

    def __init__(self, frame: pd.DataFrame) -> None:
        self.names = [str(name) for name in frame.columns]
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._instants: set[str] = set()
        for name in self.names:
            series = frame[name]
            if series.dtype.kind == "M":
                self._arrays[name] = microseconds(series) // 1_000_000
                self._instants.add(name)
            elif series.dtype == bool or series.dtype == np.int64:
                self._arrays[name] = series.to_numpy()
            else:
                plain = series.astype(object)
                self._arrays[name] = plain.where(series.notna(), None).to_numpy(dtype=object)

    def array(self, name: str) -> npt.NDArray[Any]:
        """A whole column; missing instants are a large negative number."""
        return self._arrays[name]

    def rows(self, positions: Positions) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        taken = []
        for name in self.names:
            values = self._arrays[name][positions].tolist()
            if name in self._instants:
                values = [None if value <= self._NOTHING + 1 else value for value in values]
            taken.append(values)
        return [dict(zip(self.names, row, strict=True)) for row in zip(*taken, strict=True)]


class Groups:
    """Rows of a frame by the value of one column, in the frame's order."""

    def __init__(self, frame: pd.DataFrame, column: str) -> None:
        codes, uniques = pd.factorize(frame[column])
        self._order = np.argsort(codes, kind="stable").astype(np.int64)
        bounds = np.searchsorted(codes[self._order], np.arange(len(uniques) + 1))
        self._bounds = bounds.astype(np.int64)
        self._codes = {str(value): code for code, value in enumerate(uniques)}

    def of(self, value: str) -> Positions:
        """Positions of the rows with that value."""
        code = self._codes.get(value)
        if code is None:
            return np.empty(0, dtype=np.int64)
        return self._order[self._bounds[code] : self._bounds[code + 1]]
