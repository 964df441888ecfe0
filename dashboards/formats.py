"""How figures are written, in one place.

Belongs here: numbers, dates and names as texts. Must not be here: where they come from, HTML.
Unknown is written as a dash, never as zero.
"""

from __future__ import annotations

import math
from datetime import date, datetime
from typing import Any

import pandas as pd

UNKNOWN = "–"
MINUS = "−"
#: Between a number and its sign: no line is broken there.
APART = "\u00a0"


def is_unknown(value: Any) -> bool:
    """Say whether a value of a frame is missing."""
    return (
        value is None
        or value is pd.NaT
        or (isinstance(value, float) and math.isnan(value))
        or (value is pd.NA)
    )


def money(value: Any) -> str:
    """Write US dollars in three digits: $51.5M, $3.25M, $870k, $912."""
    if is_unknown(value):
        return UNKNOWN
    amount = float(value)
    sign = MINUS if amount < 0 else ""
    size = abs(amount)
    # Rounded first, so that 999,999 becomes $1.00M and not $1000k.
    for limit, unit in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if float(f"{size:.3g}") >= limit:
            return f"{sign}${_three_digits(size / limit)}{unit}"
    return f"{sign}${size:,.0f}"


def money_exact(value: Any) -> str:
    """Write US dollars to the dollar: $51,461,611."""
    if is_unknown(value):
        return UNKNOWN
    amount = round(float(value))
    return f"{MINUS if amount < 0 else ''}${abs(amount):,}"


def share(value: Any, digits: int = 0) -> str:
    """Write a share (0-1) in per cent: 21 %."""
    if is_unknown(value):
        return UNKNOWN
    percent = round(100 * float(value), digits)
    return f"{MINUS if percent < 0 else ''}{abs(percent):.{digits}f}{APART}%"


def points(value: Any, digits: int = 0) -> str:
    """Write a change of a share (0-1) in percentage points with its sign: +3 pp."""
    if is_unknown(value):
        return UNKNOWN
    size = round(100 * float(value), digits)
    sign = MINUS if size < 0 else "+" if size > 0 else "±"
    return f"{sign}{abs(size):.{digits}f}{APART}pp"


def count(value: Any) -> str:
    """Write a count with its thousands apart: 1,412."""
    if is_unknown(value):
        return UNKNOWN
    return f"{MINUS if value < 0 else ''}{abs(round(float(value))):,}"


def number(value: Any, digits: int = 1) -> str:
    """Write a number with a fixed count of decimals: 2.1."""
    if is_unknown(value):
        return UNKNOWN
    rounded = round(float(value), digits)
    return f"{MINUS if rounded < 0 else ''}{abs(rounded):,.{digits}f}"


def ratio(value: Any) -> str:
    """Write a ratio: 3.4 ×."""
    return UNKNOWN if is_unknown(value) else f"{number(value)}{APART}×"


def months(value: Any) -> str:
    """Write a duration in months, above two years in years."""
    if is_unknown(value):
        return UNKNOWN
    length = float(value)
    if length >= 24:
        return f"{length / 12:.1f} years"
    return plural(round(length), "month")


def day(value: Any) -> str:
    """Write a date: 21 Nov 2026."""
    found = _as_date(value)
    return UNKNOWN if found is None else f"{found.day} {found:%b %Y}"


def month(value: Any) -> str:
    """Write a month by any day of it: Nov 2026."""
    found = _as_date(value)
    return UNKNOWN if found is None else f"{found:%b %Y}"


def quarter(value: Any) -> str:
    """Write a quarter by any day of it: Q3 2026."""
    found = _as_date(value)
    return UNKNOWN if found is None else f"Q{(found.month + 2) // 3} {found.year}"


def plural(number_of: int, singular: str, several: str | None = None) -> str:
    """Write a count with its noun: 1 account, 2 accounts."""
    noun = singular if number_of == 1 else several or f"{singular}s"
    return f"{number_of:,} {noun}"


def words(name: Any) -> str:
    """Write a name of the warehouse in words: value_not_realised becomes Value not realised."""
    if is_unknown(name) or name == "":
        return UNKNOWN
    text = str(name).replace("_", " ")
    return text[:1].upper() + text[1:]


def yes_no(value: Any) -> str:
    """Write a flag."""
    return UNKNOWN if is_unknown(value) else "yes" if value else "no"


def text(value: Any) -> str:
    """Write a text, a dash where there is none."""
    return UNKNOWN if is_unknown(value) or value == "" else str(value)


def _three_digits(value: float) -> str:
    rounded = float(f"{value:.3g}")
    return (
        f"{rounded:.2f}"
        if rounded < 10
        else f"{rounded:.1f}"
        if rounded < 100
        else f"{rounded:.0f}"
    )


def _as_date(value: Any) -> date | None:
    if is_unknown(value):
        return None
    if isinstance(value, (datetime, pd.Timestamp)):
        return value.date()
    if isinstance(value, date):
        return value
    found: date = pd.Timestamp(value).date()
    return found
