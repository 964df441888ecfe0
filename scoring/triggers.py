"""Which events are followed by an outcome more often than the same accounts' other time.

Belongs here: the self-controlled comparison of dated events and dated outcomes. Must not: models,
causes (an event can share its cause with the outcome), outcomes that end an account.

Every account is its own control, so whatever does not change about it - size, segment, a lively
nature that has more events and more outcomes - cancels out. What changes with time does not cancel;
therefore the default control is the window just before the event, and not the whole history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from scoring.arrays import Floats, Ints
from scoring.errors import FrameError, ScoringError
from scoring.evaluation import benjamini_hochberg

BEFORE, OTHER = "before", "other"
COLUMNS = (
    "trigger_type",
    "windows",
    "accounts",
    "days_after",
    "days_control",
    "outcomes_after",
    "outcomes_control",
    "rate_after",
    "rate_control",
    "rate_ratio",
    "low",
    "high",
    "p_value",
    "q_value",
    "is_associated",
    "refusal",
)
_SPAN = 200_000
"""Days that fit into an account's range of keys: five centuries."""


@dataclass(frozen=True)
class TriggerConfig:
    """How events and outcomes are compared.

    Attributes:
        window_days: length of the window after an event, from the day after it.
        control: 'before' (as many days before the event) or 'other' (all other observed days).
        min_windows: exposed windows below which a type is refused.
        min_outcomes: outcomes in both windows together below which it is refused.
        level: of the interval.
        q: tolerated share of false discoveries over types.
    """

    window_days: int = 90
    control: str = BEFORE
    min_windows: int = 20
    min_outcomes: int = 10
    level: float = 0.95
    q: float = 0.05


def discover(
    events: pd.DataFrame,
    outcomes: pd.DataFrame,
    observed: pd.DataFrame,
    config: TriggerConfig | None = None,
) -> pd.DataFrame:
    """Compare each trigger type's windows with the same accounts' control days.

    Given its number of outcomes, an account's share of them after events is binomial with
    probability r t1 / (r t1 + t0), for t1 exposed and t0 control days: the conditional Poisson
    likelihood of the self-controlled case series (Farrington 1995; Whitaker et al. 2006), whose
    root r is the rate ratio. Its variance is the sandwich over accounts; the p-value is that of the
    robust score test at r = 1, which holds with few accounts. Overlapping windows count a day once,
    as exposed; the day of an event is in neither window, since order within a day is unknown.

    Args:
        events: account_id, trigger_type, occurred_on (use the day it was known to ask what an
            alert would have been worth).
        outcomes: account_id, occurred_on; outcomes that can recur (an expansion, a contraction).
        observed: account_id, observed_from, observed_to; one row an account, both ends included.
        config: parameters.

    Returns:
        `COLUMNS`, one row a type, sorted by it; rates per 365 days. Where ``refusal`` holds a
        reason, the estimates are NaN and the type is not counted among the tests.

    Raises:
        FrameError: a column is missing, a date is none, or an account is observed twice.
        ScoringError: most outcomes end their account's observation: the window before an event
            could then never hold one.
    """
    config = config or TriggerConfig()
    if config.control not in (BEFORE, OTHER) or config.window_days < 1:
        raise ScoringError("control is 'before' or 'other', and a window has at least one day")
    _require(events, "events", ("account_id", "trigger_type", "occurred_on"))
    _require(outcomes, "outcomes", ("account_id", "occurred_on"))
    _require(observed, "observed", ("account_id", "observed_from", "observed_to"))
    if observed["account_id"].duplicated().any():
        raise FrameError("observed holds an account twice; give one span an account")
    accounts = pd.Index(observed["account_id"].astype("str"))
    first, last = _days(observed["observed_from"]), _days(observed["observed_to"])
    at, day = _located(outcomes, accounts, first, last)
    if len(at) and float(np.mean(last[at] - day <= 1)) > 0.5:
        raise ScoringError(
            "most outcomes end their account's observation; a window before an event can never "
            "hold such an outcome. Compare losses over renewals instead (`scoring.actions`)."
        )
    hits = np.sort(at * _SPAN + day)
    rows = []
    for name, part in events.groupby(events["trigger_type"].astype("str"), sort=True):
        who, when = _located(part, accounts, first, last)
        rows.append({"trigger_type": str(name), **_compared(who, when, hits, first, last, config)})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if len(table) == 0:
        return table
    table["p_value"] = table["p_value"].astype("float64")
    rejected, q_values = benjamini_hochberg(table["p_value"].to_numpy(), config.q)
    return table.assign(q_value=q_values, is_associated=rejected)


def _compared(
    who: Ints, when: Ints, hits: Ints, first: Ints, last: Ints, config: TriggerConfig
) -> dict[str, object]:
    """One type's figures."""
    steps = np.arange(1, config.window_days + 1, dtype=np.int64)
    after = _window(who, when, steps, first, last)
    if config.control == BEFORE:
        control = _window(who, when, -steps, first, last)
    else:
        exposed_accounts = np.unique(who)
        spans = [k * _SPAN + np.arange(first[k], last[k] + 1) for k in exposed_accounts]
        control = np.concatenate(spans) if spans else np.zeros(0, dtype=np.int64)
    control = np.setdiff1d(control, np.union1d(after, np.unique(who * _SPAN + when)))
    n = len(first)
    t1, t0 = _per_account(after, n), _per_account(control, n)
    n1 = _per_account(hits[np.isin(hits, after)], n)
    n0 = _per_account(hits[np.isin(hits, control)], n)
    # Without days on both sides an account compares nothing.
    both = (t1 > 0) & (t0 > 0)
    t1, t0, n1, n0 = t1[both], t0[both], n1[both], n0[both]
    windows = int(np.isin(who, np.flatnonzero(both)).sum())
    figures: dict[str, object] = {
        "windows": windows,
        "accounts": int(both.sum()),
        "days_after": int(t1.sum()),
        "days_control": int(t0.sum()),
        "outcomes_after": int(n1.sum()),
        "outcomes_control": int(n0.sum()),
        "rate_after": _rate(n1, t1),
        "rate_control": _rate(n0, t0),
        "rate_ratio": float("nan"),
        "low": float("nan"),
        "high": float("nan"),
        "p_value": float("nan"),
        "refusal": None,
    }
    total = int(n1.sum() + n0.sum())
    if windows < config.min_windows:
        figures["refusal"] = f"{windows} exposed windows; {config.min_windows} are needed"
    elif total < config.min_outcomes:
        figures["refusal"] = f"{total} outcomes in the windows; {config.min_outcomes} are needed"
    else:
        figures |= conditional_poisson(n1, n0, t1, t0, config.level)
    return figures


def conditional_poisson(
    n1: Floats, n0: Floats, t1: Floats, t0: Floats, level: float = 0.95
) -> dict[str, object]:
    """Rate ratio of two kinds of time within strata, with its clustered interval and p-value.

    Args:
        n1: outcomes in exposed time, one a stratum (account).
        n0: outcomes in control time.
        t1: exposed time, in any unit, above zero.
        t0: control time, in the same unit, above zero.
        level: of the interval.

    Returns:
        rate_ratio, low, high, p_value. Where one kind of time holds no outcome at all, half an
        outcome is added on each side, as a stratum of the pooled times, so that the ratio exists.
    """
    n = n1 + n0
    null = n1 - n * t1 / (t1 + t0)
    spread = float(np.sqrt(np.sum(null**2)))
    score = abs(float(null.sum())) / spread if spread > 0.0 else 0.0
    if n1.sum() == 0 or n0.sum() == 0:
        n1, n0 = np.append(n1, 0.5), np.append(n0, 0.5)
        t1, t0 = np.append(t1, t1.sum()), np.append(t0, t0.sum())
        n = n1 + n0
    beta = 0.0
    for _ in range(100):
        share = _share(beta, t1, t0)
        information = float(np.sum(n * share * (1.0 - share)))
        step = float(np.sum(n1 - n * share)) / information
        beta += float(np.clip(step, -2.0, 2.0))
        if abs(step) < 1e-12:
            break
    share = _share(beta, t1, t0)
    information = float(np.sum(n * share * (1.0 - share)))
    error = float(np.sqrt(np.sum((n1 - n * share) ** 2))) / information
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    return {
        "rate_ratio": float(np.exp(beta)),
        "low": float(np.exp(beta - z * error)),
        "high": float(np.exp(beta + z * error)),
        "p_value": float(2.0 * stats.norm.sf(score)),
    }


def _share(beta: float, t1: Floats, t0: Floats) -> Floats:
    """Expected share of a stratum's outcomes in exposed time."""
    weighted = np.exp(beta) * t1
    return np.asarray(weighted / (weighted + t0), dtype=np.float64)


def _window(who: Ints, when: Ints, steps: Ints, first: Ints, last: Ints) -> Ints:
    """Keys (account and day) of the observed days at these distances from the events."""
    days = (when[:, None] + steps[None, :]).ravel()
    of = np.repeat(who, len(steps))
    seen = (days >= first[of]) & (days <= last[of])
    return np.unique(of[seen] * _SPAN + days[seen])


def _per_account(keys: Ints, n: int) -> Floats:
    return np.bincount(keys // _SPAN, minlength=n).astype(np.float64)


def _rate(n: Floats, days: Floats) -> float:
    return float(n.sum() / days.sum() * 365.0) if days.sum() else float("nan")


def _located(rows: pd.DataFrame, accounts: pd.Index, first: Ints, last: Ints) -> tuple[Ints, Ints]:
    """Account positions and days of the rows that fall into their account's observation."""
    at = np.asarray(accounts.get_indexer(pd.Index(rows["account_id"].astype("str"))))
    day = _days(rows["occurred_on"])
    inside = at >= 0
    inside &= (day >= first[at]) & (day <= last[at]) if len(accounts) else False
    return at[inside].astype(np.int64), day[inside]


def _days(column: pd.Series) -> Ints:
    """Days since 1900, so that keys of two accounts never meet."""
    try:
        stamps = pd.to_datetime(column, utc=True, errors="raise")
    except (ValueError, TypeError) as error:
        raise FrameError(f"column {column.name} holds something that is no date") from error
    if stamps.isna().any():
        raise FrameError(f"column {column.name} has empty dates; every row needs its day")
    days = (stamps - pd.Timestamp("1900-01-01", tz="UTC")) // pd.Timedelta(days=1)
    return np.asarray(days.to_numpy(dtype=np.int64), dtype=np.int64)


def _require(frame: pd.DataFrame, name: str, needed: tuple[str, ...]) -> None:
    missing = [c for c in needed if c not in frame.columns]
    if missing:
        raise FrameError(f"{name} lacks columns: {', '.join(missing)}")
