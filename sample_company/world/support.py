"""Support cases: asked, answered, closed, rated.

Belongs here: cases as record versions. Their number follows seats, youth and a primary need that is
not met; their ratings follow the day-to-day experience of users, which may be fine while the
executives are leaving.
Must not be here: surveys (they ask about the vendor, not about one case).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sample_company.rng import F64
from sample_company.world.noise import Noise, spread
from sample_company.world.office import business_day, hours, naive, office_time, utc
from sample_company.world.panel import Panel, Tables, happened, record_ids
from sample_company.world.people import pick_people
from sample_company.world.staff import Staff

_TYPES = ["question", "problem", "bug", "feature_request"]
_RATE = {"SMB": 0.19, "mid-market": 0.36, "enterprise": 0.85}


def add_support(tables: Tables, noise: Noise, panel: Panel) -> Tables:
    """Draw support cases.

    Args:
        tables: needs `spells` (from `add_people`), `employees`, `account_owners`.
        noise: draws of the world's seed.
        panel: accounts and their months in service.

    Returns:
        cases (versions: opened, first answered, closed, rated).
    """
    months = panel.months
    key, month_no = months["key"].to_numpy(), months["month_no"].to_numpy()
    row, k = spread(noise.poisson(case_rate(panel), "support.cases", key, month_no))
    case = noise.bits("support.case", key[row], month_no[row], k)
    begin = months["month"].to_numpy().astype("datetime64[D]")[row]
    finish = (month_no[row] + 1).astype("datetime64[M]").astype("datetime64[D]")
    day = business_day(begin, finish - np.timedelta64(1, "D"), noise.uniform("support.day", case))
    position = months["position"].to_numpy()[row]
    kept = panel.serves(position, day)
    row, case, day, position = row[kept], case[kept], day[kept], position[kept]

    opened = naive(office_time(day, panel.at("zone", position), noise, "support.time", case))
    need = months["need"].to_numpy(dtype=float)[row]
    trouble = np.clip(1.0 - need, 0.0, 1.0)
    urgent = noise.uniform("support.priority", case) + 0.35 * trouble
    priority = np.select(
        [urgent > 0.96, urgent > 0.75, urgent > 0.35], ["Critical", "High", "Medium"], "Low"
    )
    case_type = np.where(
        noise.chance(0.6 * trouble, "support.about_need", case),
        "problem",
        noise.choose(_TYPES, [0.46, 0.30, 0.16, 0.08], "support.type", case),
    )
    pace = np.select(
        [priority == "Critical", priority == "High", priority == "Medium"], [0.3, 0.6, 1.0], 1.6
    )
    answered = opened + hours(0.1 + noise.exponential(5.0 * pace, "support.answer", case))
    hard = np.where(case_type == "bug", 2.5, 1.0) * (1.0 + 2.0 * trouble)
    closed = answered + hours(1 + noise.exponential(40.0 * pace * hard, "support.close", case))
    handoffs = noise.poisson(0.25 + 0.5 * (hard - 1.0), "support.handoffs", case)
    bug = (case_type == "bug") & noise.chance(0.62, "support.bug", case)

    first = pd.DataFrame(
        {
            "case_id": record_ids("500", case),
            "version_at": utc(opened),
            "account_id": panel.at("account_id", position),
            "contact_id": _callers(noise, panel, tables["spells"], position, day, case),
            "employee_id": pd.Series(
                Staff.of(tables, panel).member(noise, "support", position, day, case)
            ).astype("str"),
            "case_type": case_type,
            "priority": priority,
            "status": "New",
            "origin": noise.choose(
                ["Web", "Email", "Phone"], [0.55, 0.33, 0.12], "support.origin", case
            ),
            "opened_at": utc(opened),
            "first_response_at": _never(case.size),
            "closed_at": _never(case.size),
            "csat_score": pd.array([pd.NA] * case.size, dtype="Int64"),
            "handoffs": np.zeros(case.size, dtype=np.int64),
            "is_bug_confirmed": False,
            "is_deleted": False,
        }
    )
    working = first.assign(
        version_at=utc(answered),
        first_response_at=utc(answered),
        status="Working",
        handoffs=np.minimum(handoffs, 1),
    )
    solved = working.assign(
        version_at=utc(closed),
        closed_at=utc(closed),
        status="Closed",
        handoffs=handoffs,
        is_bug_confirmed=bug,
    )
    score = _ratings(noise, panel, row, case, answered - opened, closed - opened, handoffs)
    rates = noise.chance(0.42, "support.rates", case)
    rated_at = closed + hours(2 + noise.exponential(24.0, "support.rated_after", case))
    rated = solved.assign(version_at=utc(rated_at), csat_score=pd.array(score, dtype="Int64"))
    reopened_at = closed + hours(30 + noise.exponential(60.0, "support.reopen_after", case))
    reopens = noise.chance(0.03 + 0.08 * trouble, "support.reopens", case) & ~rates
    reopened = solved.assign(
        version_at=utc(reopened_at),
        status="Reopened",
        closed_at=_never(case.size),
        handoffs=handoffs + 1,
    )
    again = reopened_at + hours(5 + noise.exponential(30.0, "support.close_again", case))
    final = solved.assign(version_at=utc(again), closed_at=utc(again), handoffs=handoffs + 1)
    versions = pd.concat(
        [first, working, solved, rated[rates], reopened[reopens], final[reopens]], ignore_index=True
    )
    return {"cases": happened(versions, "version_at", panel.horizon)}


def case_rate(panel: Panel) -> F64:
    """Cases a month: seats, youth and an unmet need make more; silence makes none."""
    months = panel.months
    base = pd.Series(months["segment"].to_numpy()).map(_RATE).to_numpy(dtype=float)
    seats = np.clip(months["seats"].to_numpy(dtype=float) / 50.0, 0.2, 4.0) ** 0.35
    young = np.where(months["tenure_months"].to_numpy() < 4, 2.2, 1.0)
    need = 1.0 + 2.8 * np.clip(0.95 - months["need"].to_numpy(dtype=float), 0.0, 1.0)
    heard = 1.0 - 0.97 * months["is_silent"].to_numpy(dtype=float)
    paused = np.where(months["is_paused"].to_numpy(dtype=bool), 0.1, 1.0)
    return np.asarray(base * seats * young * need * heard * paused, dtype=np.float64)


def _ratings(
    noise: Noise,
    panel: Panel,
    row: np.ndarray,
    case: np.ndarray,
    answer_time: np.ndarray,
    solve_time: np.ndarray,
    handoffs: np.ndarray,
) -> np.ndarray:
    """Satisfaction with one case, 1 to 5."""
    months = panel.months
    happy = np.where(months["users_happy"].to_numpy(dtype=bool), 0.7, 0.0)
    mood = happy + 0.6 * (months["value_realised"].to_numpy(dtype=float) - 0.4)
    mood = mood - 1.2 * np.clip(0.95 - months["need"].to_numpy(dtype=float), 0, 1)
    slow = np.log1p(answer_time / np.timedelta64(1, "h")) * 0.12
    slow = slow + np.log1p(solve_time / np.timedelta64(1, "h")) * 0.08
    score = 4.6 + mood[row] - slow - 0.2 * handoffs + 0.7 * noise.normal("support.score", case)
    return np.asarray(np.clip(np.round(score), 1, 5), dtype=np.int64)


def _callers(
    noise: Noise,
    panel: Panel,
    spells: pd.DataFrame,
    position: np.ndarray,
    day: np.ndarray,
    case: np.ndarray,
) -> pd.Series:
    """Contact who opened the case: mostly a user; missing where nobody is known by name."""
    level = noise.choose(["end_user", "manager", ""], [0.6, 0.25, 0.15], "support.level", case)
    people = pick_people(noise, "support.caller", spells, position, day, case, level)
    caller = pd.Series(None, index=range(case.size), dtype="str")
    caller.iloc[people.index.to_numpy()] = spells["contact_id"].to_numpy()[people.to_numpy()]
    return caller


def _never(size: int) -> pd.Series:
    return utc(np.full(size, np.datetime64("NaT", "us")))
