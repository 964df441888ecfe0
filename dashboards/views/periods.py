"""The choice of a period of months, shared by the pages that look over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
import streamlit as st

from dashboards import formats

BETWEEN = "Between two months"


@dataclass(frozen=True)
class Period:
    """Months from the first to the last, both included, by their last days."""

    first: date
    last: date

    def __str__(self) -> str:
        """Write both ends."""
        return f"{formats.month(self.first)} to {formats.month(self.last)}"


def choose(
    months: Sequence[pd.Timestamp], presets: Mapping[str, tuple[int, int]], anchor: date, key: str
) -> Period:
    """Let the reader choose a period.

    Args:
        months: month-ends that have figures, in order; at least one.
        presets: name -> months before and after the month of `anchor`, the first is the default.
        anchor: the month that presets count from.
        key: apart from other choices of the page.
    """
    label = st.selectbox("Period", [*presets, BETWEEN], key=f"{key}_period", width=280)
    if label == BETWEEN:
        return _between(months, key)
    back, ahead = presets[label]
    at = pd.Timestamp(anchor) + pd.offsets.MonthEnd(0)
    first, last = at - pd.offsets.MonthEnd(back), at + pd.offsets.MonthEnd(ahead)
    inside = [month for month in months if first <= month <= last] or [months[-1]]
    return Period(inside[0].date(), inside[-1].date())


def _between(months: Sequence[pd.Timestamp], key: str) -> Period:
    left, right, _ = st.columns([1, 1, 3])
    newest_first = list(reversed(months))
    last = right.selectbox("To", newest_first, format_func=formats.month, key=f"{key}_to")
    first = left.selectbox(
        "From",
        [month for month in newest_first if month <= last],
        index=min(11, len(newest_first) - 1 - newest_first.index(last)),
        format_func=formats.month,
        key=f"{key}_from",
    )
    return Period(first.date(), last.date())
