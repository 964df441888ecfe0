"""Office hours: when people at a customer in a given country write, meet and log in.

Belongs here: time zones, business days, the delay between an event and its entry into the CRM.
Must not be here: how often anything happens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.rng import U64
from sample_company.world.noise import Noise

Days = npt.NDArray[np.datetime64]

ZONE_OF_COUNTRY = {
    "United States": "America/New_York",
    "Canada": "America/Toronto",
    "Germany": "Europe/Berlin",
    "United Kingdom": "Europe/London",
    "Japan": "Asia/Tokyo",
    "Singapore": "Asia/Singapore",
}


def zones(country: pd.Series) -> npt.NDArray[np.object_]:
    """Time zone name of each account by its country; UTC for a country not listed."""
    return country.map(ZONE_OF_COUNTRY).fillna("UTC").to_numpy(dtype=object)


def business_day(first: Any, last: Any, share: Any) -> Days:
    """The business day (Monday to Friday) that lies `share` (0-1) of the way from first to last.

    Where the range holds no business day, the first day itself is returned.
    """
    start = np.asarray(first, dtype="datetime64[D]")
    end = np.asarray(last, dtype="datetime64[D]")
    count = np.busday_count(start, end + np.timedelta64(1, "D"))
    steps = np.floor(np.asarray(share) * np.maximum(count, 1)).astype(np.int64)
    day = np.busday_offset(start, np.minimum(steps, np.maximum(count - 1, 0)), roll="forward")
    return np.asarray(np.where(count > 0, day, start), dtype="datetime64[D]")


def office_time(
    day: Days, zone: npt.NDArray[np.object_], noise: Noise, purpose: str, *keys: Any
) -> pd.Series:
    """UTC instants between 8:30 and 17:30 local time (denser mid-morning) of the given days."""
    spread_hours = (noise.uniform(purpose + ".a", *keys) + noise.uniform(purpose + ".b", *keys)) / 2
    local = day.astype("datetime64[us]") + ((8.5 + 9.0 * spread_hours) * 3_600_000_000).astype(
        "timedelta64[us]"
    )
    return to_utc(local, zone)


def to_utc(local: npt.NDArray[np.datetime64], zone: npt.NDArray[np.object_]) -> pd.Series:
    """Local wall-clock times as UTC instants, daylight saving included."""
    result = np.empty(local.size, dtype="datetime64[us]")
    codes, names = pd.factorize(zone)
    for code, name in enumerate(names):
        rows = codes == code
        stamps = pd.DatetimeIndex(local[rows].astype("datetime64[us]"))
        # Office hours never fall into the hour that the clock change skips or repeats.
        result[rows] = (
            stamps.tz_localize(
                str(name), nonexistent="shift_forward", ambiguous=np.ones(len(stamps), dtype=bool)
            )
            .tz_convert("UTC")
            .tz_localize(None)
            .to_numpy()
        )
    return utc(result)


def utc(values: Any) -> pd.Series:
    """Naive UTC datetimes as a series of datetime64[us, UTC]."""
    stamps = np.asarray(values, dtype="datetime64[us]")
    return pd.Series(pd.DatetimeIndex(stamps).tz_localize("UTC").astype("datetime64[us, UTC]"))


def naive(values: pd.Series) -> npt.NDArray[np.datetime64]:
    """UTC instants as naive datetime64[us]."""
    return np.asarray(values.dt.tz_convert("UTC").dt.tz_localize(None), dtype="datetime64[us]")


def hours(amount: Any) -> Any:
    """Durations in whole microseconds from a number of hours."""
    return np.asarray(np.asarray(amount, dtype=np.float64) * 3_600_000_000).astype(
        "timedelta64[us]"
    )


def days(amount: Any) -> Any:
    """Durations in whole days."""
    return np.asarray(np.floor(np.asarray(amount, dtype=np.float64)), dtype=np.int64).astype(
        "timedelta64[D]"
    )


def entry_lag(noise: Noise, purpose: str, key: U64) -> Any:
    """Delay before people write something down: mostly hours, sometimes days, rarely two weeks."""
    kind = noise.pick([0.72, 0.23, 0.05], purpose + ".lag_kind", key)
    length = noise.uniform(purpose + ".lag", key)
    lag_hours = np.where(
        kind == 0,
        0.1 + 5.0 * length,
        np.where(kind == 1, 6.0 + 66.0 * length, 72.0 + 264.0 * length),
    )
    return hours(lag_hours)
