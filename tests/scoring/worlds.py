"""Synthetic feature frames with a known truth: accounts, yearly renewals, a latent health."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

AS_OF = dt.date(2025, 6, 30)
SCORED_AT = dt.datetime(2025, 7, 1, 4, tzinfo=dt.UTC)
GRACE = pd.Timedelta(days=60)
BANDS = pd.DataFrame(
    {
        "band_version": ["2020-01", "2020-01", "2020-01", "2025-01", "2025-01", "2025-01"],
        "valid_from": ["2020-01-01"] * 3 + ["2025-01-01"] * 3,
        "band": ["high", "medium", "low"] * 2,
        "p_min": [0.5, 0.2, 0.0, 0.3, 0.12, 0.0],
    }
)


def world(
    accounts: int = 200,
    years: int = 5,
    seed: int = 1,
    base: float = -2.0,
    strength: float = 1.2,
    as_of: dt.date = AS_OF,
) -> pd.DataFrame:
    """Feature frame as of ``as_of``: month-ends and yearly renewals of ``accounts`` accounts.

    The loss probability of a renewal is sigmoid(base + strength x risk), where risk follows a
    persistent latent state that two features show with noise, one of them often missing.
    """
    rng = np.random.default_rng(seed)
    end = pd.Timestamp(as_of)
    first = end - pd.DateOffset(years=years)
    month_ends = pd.date_range(first, end, freq="ME")
    if month_ends[-1] != end:
        month_ends = month_ends.append(pd.DatetimeIndex([end]))
    segments = np.array(["SMB", "mid-market", "enterprise"])
    rows: list[dict[str, object]] = []
    for a in range(accounts):
        start = first + pd.Timedelta(days=int(rng.integers(0, 365)))
        segment = segments[int(rng.integers(0, 3))]
        arr = float(np.round(np.exp(rng.normal(9, 1)), 2))
        risk = float(rng.normal())
        cycle, due = 0, start + pd.DateOffset(years=1)
        path: list[tuple[pd.Timestamp, float, int, pd.Timestamp]] = []
        outcomes: dict[pd.Timestamp, tuple[int, pd.Timestamp]] = {}
        alive = True
        month_risk = risk
        for m in month_ends[month_ends >= start]:
            month_risk = 0.95 * month_risk + 0.3 * float(rng.normal())
            while alive and due <= m:
                p = 1 / (1 + np.exp(-(base + strength * month_risk)))
                is_lost = int(rng.random() < p)
                known = due + GRACE if is_lost else due - pd.Timedelta(days=20)
                outcomes[due] = (is_lost, known)
                alive = not is_lost
                cycle += 1
                due = due + pd.DateOffset(years=1)
            if not alive:
                break
            path.append((m, month_risk, cycle, due))
        for m, r, c, d in path:
            lost, known_on = outcomes.get(d, (None, None))
            final = known_on is not None and known_on <= end
            rows.append(
                {
                    "account_id": f"001{a:06d}",
                    "observed_on": m,
                    "segment": segment,
                    "attention_band": "middle",
                    "arr_usd": arr,
                    "months_to_renewal": round((d - m).days / 30.4375, 6),
                    "next_due_on": d,
                    "cycle_number": c + 1,
                    "tenure_months": round((m - start).days / 30.4375, 6),
                    "is_open": True,
                    "label_is_lost": lost if final else None,
                    "label_known_on": known_on if final else pd.NaT,
                    "label_due_on": d,
                    "f_usage__decline_28d": round(r + 0.4 * rng.normal(), 6),
                    "f_usage__breadth": round(-0.3 * r + rng.normal(), 6),
                    "f_relationship__two_way_90d": (
                        None if rng.random() < 0.3 else round(-r + 0.8 * rng.normal(), 6)
                    ),
                    "f_support__cases_90d": float(rng.poisson(2)),
                    "f_billing__failed_12m": float(rng.poisson(0.3)),
                    "f_contract__size": round(np.log(arr), 6),
                    "f_value__reports_12m": float(rng.poisson(1)) if rng.random() < 0.8 else None,
                }
            )
    frame = pd.DataFrame(rows)
    frame["label_is_lost"] = frame["label_is_lost"].astype("Int64")
    return frame


def with_losses(count: int, accounts: int = 400, seed: int = 3) -> pd.DataFrame:
    """A world of which exactly ``count`` renewals are lost and known; the others are kept."""
    frame = world(accounts=accounts, seed=seed)
    matured = frame["label_due_on"] + GRACE <= pd.Timestamp(AS_OF)
    renewal = frame["account_id"] + frame["label_due_on"].dt.strftime("|%Y-%m-%d")
    lost = sorted(renewal[(frame["label_is_lost"] == 1) & matured].unique())
    assert len(lost) >= count, f"the world has only {len(lost)} losses"
    spare = renewal.isin(lost[count:])
    # Outside the chosen losses the account renewed.
    frame.loc[spare, "label_is_lost"] = 0
    return frame


def with_multiples(frame: pd.DataFrame, strength: float, seed: int = 5) -> pd.DataFrame:
    """The world with a known multiple of each renewal made: 1.1 and noise of deviation .1.

    ``strength`` is what a unit of the account's size (the log of its revenue, about 9) adds to it.
    """
    rng = np.random.default_rng(seed)
    renewal = frame["account_id"] + frame["label_due_on"].dt.strftime("|%Y-%m-%d")
    codes, distinct = pd.factorize(renewal, sort=True)
    noise = rng.normal(0.0, 0.1, len(distinct))[codes]
    value = 1.1 + strength * (frame["f_contract__size"] - 9.0) + noise
    made = (frame["label_is_lost"] == 0).fillna(False).astype("bool")
    return frame.assign(label_arr_multiple=value.clip(lower=0.0).round(6).where(made))
