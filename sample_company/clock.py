"""Calendar arithmetic on arrays, in UTC.

Belongs here: months as integers (0 = January 1970), days and seconds since the epoch, the
anniversary rule. Must not be here: what happens on those dates.

The anniversary rule is Stripe's and the product's: a day 29-31 falls on the month's last day where
the month is shorter, and returns to the original day afterwards.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

I64 = NDArray[np.int64]

DAY = 86_400
HOUR = 3_600


def month_of(day: date) -> int:
    """Month number of a date (0 = January 1970)."""
    return (day.year - 1970) * 12 + day.month - 1


def first_day(month: int) -> date:
    """First day of a month number."""
    return date(1970 + month // 12, month % 12 + 1, 1)


def month_start_day(month: Any) -> I64:
    """Days since the epoch of the first day of each month number."""
    months = np.asarray(month, dtype=np.int64).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64)


def days_in_month(month: Any) -> I64:
    """Length of each month in days."""
    months = np.asarray(month, dtype=np.int64)
    return month_start_day(months + 1) - month_start_day(months)


def anniversary(month: Any, anchor_day: Any, second_of_day: Any) -> I64:
    """Seconds since the epoch of the anchor day (1-31) in each month, clamped to its end."""
    months = np.asarray(month, dtype=np.int64)
    day = np.minimum(np.asarray(anchor_day, dtype=np.int64), days_in_month(months))
    return (month_start_day(months) + day - 1) * DAY + np.asarray(second_of_day, dtype=np.int64)


def month_end_second(month: Any) -> I64:
    """Last whole second of each month."""
    return month_start_day(np.asarray(month, dtype=np.int64) + 1) * DAY - 1


def month_of_second(second: Any) -> I64:
    """Month number of each instant given in seconds since the epoch."""
    seconds = np.asarray(second, dtype=np.int64).astype("datetime64[s]")
    return seconds.astype("datetime64[M]").astype(np.int64)


def to_timestamps(second: Any, missing: NDArray[np.bool_] | None = None) -> pd.DatetimeIndex:
    """Seconds since the epoch as datetime64[us, UTC]; where `missing`, NaT."""
    values = np.asarray(second, dtype=np.int64).astype("datetime64[s]").astype("datetime64[us]")
    if missing is not None:
        values = np.where(missing, np.datetime64("NaT", "us"), values)
    return pd.DatetimeIndex(values).tz_localize("UTC")


def to_dates(second: Any, missing: NDArray[np.bool_] | None = None) -> pd.DatetimeIndex:
    """UTC date of each instant as datetime64[s] (midnight, without zone)."""
    seconds = np.asarray(second, dtype=np.int64)
    values = (seconds - seconds % DAY).astype("datetime64[s]")
    if missing is not None:
        values = np.where(missing, np.datetime64("NaT", "s"), values)
    return pd.DatetimeIndex(values)


def end_of_day(day: date) -> datetime:
    """Last microsecond of a date in UTC: what "as of" that date means."""
    return datetime(day.year, day.month, day.day, 23, 59, 59, 999_999, tzinfo=UTC)
