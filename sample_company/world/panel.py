"""The account-months that observables are drawn from, with everything a draw needs beside them.

Belongs here: joining accounts, latent state and service dates; version tables; record ids.
Must not be here: any behaviour. This module reads the latent state and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.world.noise import U64, key_of
from sample_company.world.office import naive, utc, zones

Tables = dict[str, pd.DataFrame]
Days = npt.NDArray[np.datetime64]

FAR = np.datetime64("2200-01-01", "D")
_ALPHABET = np.frombuffer(
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype=np.uint8
)
_CHECK = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)


@dataclass(frozen=True)
class Panel:
    """Accounts (one row each, by creation) and their months in service (by month, then account).

    accounts: account_id, key, segment, zone, domain, created_on, served_from, served_to, ...
    months: position (row of accounts), key, month, month_no, first, last, and the latent columns.
    """

    accounts: pd.DataFrame
    months: pd.DataFrame
    horizon: np.datetime64

    def column(self, name: str) -> npt.NDArray[Any]:
        """An account attribute repeated for every account-month."""
        return np.asarray(self.accounts[name].to_numpy()[self.months["position"].to_numpy()])


def record_ids(prefix: str, keys: U64) -> npt.NDArray[np.object_]:
    """Salesforce record ids of 18 characters from 64-bit keys.

    The last three characters are the vendor's checksum: one letter per five characters whose bits
    tell which of the five are upper case.
    """
    body = np.empty((keys.size, 15), dtype=np.uint8)
    body[:, :6] = np.frombuffer((prefix + "5f0").encode(), dtype=np.uint8)
    left = keys.copy()
    for position in range(14, 5, -1):
        body[:, position] = _ALPHABET[(left % np.uint64(62)).astype(np.int64)]
        left //= np.uint64(62)
    upper = ((body >= 65) & (body <= 90)).reshape(-1, 3, 5)
    check = _CHECK[(upper * np.array([1, 2, 4, 8, 16])).sum(axis=2)]
    letters = np.ascontiguousarray(np.concatenate([body, check], axis=1))
    return letters.view("S18").ravel().astype("U18").astype(object)


def plain_ids(prefix: str, keys: U64, length: int = 12) -> npt.NDArray[np.object_]:
    """Short ids such as `nps_4f…` from 64-bit keys, for what lives outside the CRM."""
    digits = np.empty((keys.size, length), dtype=np.uint8)
    hexadecimal = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    for position in range(length):
        shift = np.uint64(4 * position)
        digits[:, position] = hexadecimal[((keys >> shift) & np.uint64(15)).astype(np.int64)]
    text = np.ascontiguousarray(digits).view(f"S{length}").ravel().astype(f"U{length}")
    return np.asarray(prefix + text.astype(object), dtype=object)


def visible(frame: pd.DataFrame, clock: str, horizon: np.datetime64) -> pd.DataFrame:
    """Rows whose clock column lies at or before the horizon's last instant, in clock order."""
    end = pd.Timestamp(horizon.astype("datetime64[us]"), tz="UTC") + pd.Timedelta(days=1)
    kept = frame[frame[clock] < end]
    return kept.sort_values([clock, kept.columns[0]], kind="stable").reset_index(drop=True)


def on(days: Any) -> pd.Series:
    """Dates as datetime64[us, UTC] midnights (a date column of the world is a UTC midnight)."""
    return utc(np.asarray(days, dtype="datetime64[D]").astype("datetime64[us]"))
