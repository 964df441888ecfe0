"""The monthly question: does the account still hold a contract one month on?

Belongs here: the question's rows, labels and clocks, out of the feature frame. Must not: fitting.

The feature frame has one row an account and month-end on which a contract was open, labelled by the
outcome of the renewal that was next. Here the label is whether the account was gone at the
following month-end. Losing one of two contracts is no loss of the account, a pause is no departure,
and a signature inside the grace is no homecoming: all of that is seen from rows up to a grace after
the following month-end, which is when the label may be learnt from. Later rows change nothing.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from scoring.arrays import Bools, Ints
from scoring.errors import FrameError
from scoring.frame import LABELS, as_days

IS_DUE = "f_timing__is_due_within_month"
MONTHS_TO_DUE = "f_timing__months_to_due"
TIMING = (IS_DUE, MONTHS_TO_DUE)
"""What the calendar says, known in advance: when the contract runs out."""

SHORTEST_MONTH_DAYS = 28


def monthly_frame(frame: pd.DataFrame, grace_days: int = 60) -> pd.DataFrame:
    """The feature frame with the month's labels and timing.

    Args:
        frame: rows as `int_account_features` publishes them, keys unique.
        grace_days: days after a due date in which a late renewal still counts as renewed.

    Returns:
        The same rows, index 0..n-1. ``label_due_on`` is one month on; ``label_is_lost`` is 1 where
        the account was gone by then for good, 0 where it was not, and null where that is not known,
        for paused accounts, and on days that are no month-ends (they ask the same question, but
        no later frame holds them). The timing features are added.
    """
    asked = ("account_id", "observed_on", "next_due_on", "months_to_renewal", *LABELS)
    missing = [c for c in asked if c not in frame.columns]
    if missing:
        raise FrameError(f"feature frame lacks columns: {', '.join(missing)}")
    own = frame.reset_index(drop=True)
    observed = as_days(own["observed_on"])
    due = as_days(own["next_due_on"])
    known = as_days(own["label_known_on"])
    is_month_end = observed.dt.is_month_end.to_numpy(dtype=np.bool_)
    month_on = one_month_on(observed)

    here, later = _presence(own["account_id"], observed, is_month_end, grace_days)
    outcome = pd.to_numeric(own["label_is_lost"], errors="coerce").astype("float64").to_numpy()
    # Of a month-end that is yet to come nothing is known, whatever the rows say.
    has_come = (month_on <= observed.max()).to_numpy(dtype=np.bool_) & is_month_end
    label = np.full(len(own), np.nan)
    label[has_come & (outcome == 0.0)] = 0.0
    label[has_come & (outcome == 1.0)] = 1.0
    label[has_come & (here | (later & (outcome == 1.0)))] = 0.0

    # A row at the next month-end settles it on that day, whenever the renewal itself is settled.
    settled = pd.concat([known, month_on], axis=1).max(axis=1, skipna=False)
    settled = settled.where(~here, month_on).where(~np.isnan(label))
    own = own.assign(label_is_lost=label, label_due_on=month_on, label_known_on=settled)
    own[IS_DUE] = np.where(due.isna(), np.nan, (due <= month_on).to_numpy(dtype=np.float64))
    own[MONTHS_TO_DUE] = pd.to_numeric(own["months_to_renewal"], errors="coerce")
    return own


def one_month_on(days: pd.Series) -> pd.Series:
    """The next month-end of a month-end; the same day of the next month of any other day."""
    calendar = days + pd.DateOffset(months=1)
    at_end = days + pd.offsets.MonthEnd(1)
    shifted: pd.Series = calendar.where(~days.dt.is_month_end, at_end)
    return shifted


def _presence(
    accounts: pd.Series, observed: pd.Series, is_month_end: Bools, grace_days: int
) -> tuple[Bools, Bools]:
    """Whether each row's account has a row at the next month-end; and within the grace after it."""
    codes, _ = pd.factorize(accounts.astype("str"), sort=True)
    month = (observed.dt.year * 12 + observed.dt.month).to_numpy(dtype=np.int64)
    reach = 1 + math.ceil(grace_days / SHORTEST_MONTH_DAYS)
    place = np.asarray(codes, dtype=np.int64) * 100_000 + month
    present = place[is_month_end]
    here = _is_in(place + 1, present)
    later = np.zeros(len(place), dtype=np.bool_)
    horizon = observed + pd.offsets.MonthEnd(1) + pd.Timedelta(days=grace_days)
    for months in range(2, reach + 1):
        within = (observed + pd.offsets.MonthEnd(months) <= horizon).to_numpy(dtype=np.bool_)
        later |= within & _is_in(place + months, present)
    return here, later


def _is_in(wanted: Ints, present: Ints) -> Bools:
    """Membership of each."""
    return np.asarray(np.isin(wanted, present), dtype=np.bool_)
