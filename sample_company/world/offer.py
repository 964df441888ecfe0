"""What the vendor offers, pays for and plans: features, programmes, incentives, costs, rivals.

Belongs here: tables that describe the vendor itself. Must not be here: anything about one customer,
except what its plan entitles it to.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from sample_company.rng import F64
from sample_company.world.noise import Noise, fold, key_of
from sample_company.world.office import hours, utc
from sample_company.world.panel import FAR, Panel, Tables, dates, happened, plain_ids
from sample_company.world.schema import COMPETITORS

#: Plans in rising order; each contains the features of those before it. `analytics` stands alone.
LADDER = ("starter", "team", "business", "enterprise")
#: Feature, plan from which it is included, strategic, months after the company's start, delight,
#: weight in usage, share of users who touch it at all.
FEATURES: tuple[tuple[str, str, str, bool, int, bool, float, float], ...] = (
    ("records", "Records", "starter", False, 0, False, 10.0, 1.00),
    ("search", "Search", "starter", False, 0, False, 7.0, 0.95),
    ("import", "Import", "starter", False, 0, False, 2.0, 0.45),
    ("comments", "Comments", "starter", False, 10, True, 3.0, 0.60),
    ("mobile", "Mobile App", "starter", False, 26, True, 3.0, 0.50),
    ("themes", "Board Themes", "starter", False, 60, True, 2.0, 0.70),
    ("reports", "Reports", "team", False, 0, False, 4.0, 0.60),
    ("workflows", "Workflows", "team", True, 18, False, 5.0, 0.80),
    ("sharing", "Guest Sharing", "team", False, 40, False, 2.0, 0.40),
    ("reminders", "Reminders", "team", False, 75, True, 2.0, 0.50),
    ("approvals", "Approvals", "business", False, 33, False, 2.5, 0.40),
    ("integrations", "Integrations", "business", False, 48, False, 2.5, 0.35),
    ("forecasts", "Forecasts", "business", False, 90, False, 1.5, 0.30),
    ("audit_log", "Audit Log", "enterprise", False, 52, False, 1.0, 0.20),
    ("sandbox", "Sandbox", "enterprise", False, 110, False, 1.0, 0.20),
    ("assistant", "Assistant", "team", False, 150, True, 3.0, 0.50),
    ("analytics_studio", "Analytics Studio", "analytics", False, 84, False, 2.0, 0.40),
)
#: The feature that lowers the chance of leaving, and the one that merely goes with a good fit.
STICKY, DECOY = "workflows", "themes"
_PROGRAMS = (
    (
        "exec_sponsor",
        "Executive Sponsor",
        "engagement",
        "executive meets sponsor each quarter",
        0,
        900.0,
        True,
    ),
    ("newsletter", "Customer Newsletter", "content", "customer reads product news", 0, 15.0, True),
    ("health_review", "Health Review", "review", "customer agrees on next steps", 0, 350.0, False),
    ("alumni", "Alumni Network", "alumni", "former users stay in touch", 30, 0.0, False),
    (
        "feature_tour",
        "Feature Tour",
        "feature_campaign",
        "customer adopts a new feature",
        24,
        0.0,
        False,
    ),
)
_INCENTIVES = (
    ("sales", "new_arr", 0.90, 0),
    ("sales", "renewal_rate", 0.10, 0),
    ("cs", "renewal_rate", 0.30, 0),
    ("cs", "activities", 0.50, 0),
    ("cs", "nrr", 0.20, 0),
    ("support", "time_to_close", 0.70, 0),
    ("support", "csat", 0.30, 0),
    ("marketing", "leads", 1.00, 0),
    ("product", "features_shipped", 1.00, 0),
    ("engineering", "features_shipped", 1.00, 0),
    ("executive", "arr", 0.60, 0),
    ("executive", "nrr", 0.40, 0),
)
#: Monthly cost of a head in USD, purpose, and one head per how many customers in force.
_FUNCTIONS = (
    ("sales", "acquisition", 13_500.0),
    ("marketing", "acquisition", 11_000.0),
    ("cs", "retention", 10_500.0),
    ("support", "retention", 7_500.0),
    ("sales", "retention", 13_500.0),
    ("product", "retention", 12_500.0),
    ("executive", "acquisition", 24_000.0),
)
_SPLIT = {
    ("sales", "acquisition"): 0.88,
    ("sales", "retention"): 0.12,
    ("product", "retention"): 1.0,
    ("executive", "acquisition"): 0.5,
}


def add_offer(tables: Tables, noise: Noise, panel: Panel) -> Tables:
    """Build what does not depend on one customer, and entitlements.

    Args:
        tables: needs `employees`, `program_assignments`.
        noise: draws of the world's seed.
        panel: accounts and their months in service.

    Returns:
        features, releases, entitlements, programs, incentives, function_costs, competitors.
    """
    start = _start(panel)
    return {
        "features": _features(panel),
        "releases": _releases(panel),
        "entitlements": _entitlements(panel),
        "programs": _programs(tables, start, panel),
        "incentives": _incentives(start),
        "function_costs": _function_costs(tables, noise, panel, start),
        "competitors": pd.DataFrame(
            {
                "competitor_id": list(COMPETITORS),
                "competitor_name": list(COMPETITORS.values()),
                "known_at": utc(np.full(len(COMPETITORS), start.astype("datetime64[us]"))),
            }
        ),
    }


def _start(panel: Panel) -> np.datetime64:
    """First month in which the CRM knew an account: the company's start, whatever the horizon."""
    entered = panel.accounts["entered_on"].to_numpy().astype("datetime64[M]")
    return np.datetime64(str(entered.min() if entered.size else panel.horizon)[:7], "M")


def released_on(panel: Panel) -> pd.Series:
    """Release day of each feature id. What a young company offers on day one counts as released."""
    start = _start(panel)
    # Seen from a company four years old, a feature of month 150 does not exist yet; the plan of
    # releases is squeezed so that every size of world has old, new and coming features.
    squeeze = 1.0 if start < np.datetime64("2015-01", "M") else 0.3
    month = [start + np.timedelta64(int(row[4] * squeeze), "M") for row in FEATURES]
    day = [0 if row[4] == 0 else 8 + (row[4] * 7) % 14 for row in FEATURES]
    values = [
        m.astype("datetime64[D]") + np.timedelta64(d, "D") for m, d in zip(month, day, strict=True)
    ]
    return pd.Series(np.asarray(values).astype("datetime64[s]"), index=[r[0] for r in FEATURES])


def _features(panel: Panel) -> pd.DataFrame:
    released = released_on(panel)
    frame = pd.DataFrame(
        {
            "feature_id": [row[0] for row in FEATURES],
            "feature_name": [row[1] for row in FEATURES],
            "plan_family": [row[2] for row in FEATURES],
            "is_strategic": [row[3] for row in FEATURES],
            "released_on": released.to_numpy(),
            "known_at": utc(released.to_numpy()),
        }
    )
    return happened(frame, "known_at", panel.horizon)


def _releases(panel: Panel) -> pd.DataFrame:
    """Each feature's first release and a bigger update about every fourteen months."""
    rows = []
    last = panel.horizon.astype("datetime64[M]")
    for number, (feature, *_, delight, _weight, _reach) in enumerate(FEATURES):
        first = released_on(panel)[feature].to_numpy().astype("datetime64[D]")
        rows.append((feature, first, delight))
        age = int((last - first.astype("datetime64[M]")).astype(np.int64))
        rows.extend(
            (
                feature,
                first + np.timedelta64(int(update * 426 + number * 11), "D"),
                (number + update) % 4 == 0,
            )
            for update in range(1, max(age, 0) // 14 + 2)
        )
    day = np.asarray([row[1] for row in rows], dtype="datetime64[D]")
    key = fold(key_of(pd.Series([row[0] for row in rows], dtype="str")), day.astype(np.int64))
    frame = pd.DataFrame(
        {
            "release_id": plain_ids("rel_", key),
            "feature_id": [row[0] for row in rows],
            "released_on": dates(day),
            "is_surprise_and_delight": [row[2] for row in rows],
            "known_at": utc(day.astype("datetime64[us]") + hours(9)),
        }
    )
    return happened(frame, "known_at", panel.horizon)


def plan_rank(family: pd.Series) -> pd.Series:
    """Position of a plan in the ladder; -1 for plans outside it."""
    return family.map({name: rank for rank, name in enumerate(LADDER)}).fillna(-1).astype("int64")


def _entitlements(panel: Panel) -> pd.DataFrame:
    """Features of the plan from the day it applies, closed and reopened with the service."""
    months = panel.months
    rank = plan_rank(months["plan_family"]).to_numpy()
    first_day = months["first"].to_numpy().astype("datetime64[D]")
    released = released_on(panel)
    stretches = panel.engagements()
    parts = []
    for feature, _, family, *_ in FEATURES:
        if family not in LADDER:
            continue
        entitled = rank >= LADDER.index(family)
        day = np.maximum(first_day, released[feature].to_numpy().astype("datetime64[D]"))
        frame = pd.DataFrame({"position": months["position"].to_numpy(), "day": day})[entitled]
        since = frame.groupby("position", as_index=False)["day"].min()
        held = stretches.merge(since, on="position")
        held = held[held["stop"] > held["day"]]
        position = held["position"].to_numpy()
        begin = np.maximum(held["start"].to_numpy(), held["day"].to_numpy()).astype("datetime64[D]")
        opened = pd.DataFrame(
            {
                "entitlement_id": plain_ids(
                    "ent_",
                    fold(panel.at("key", position), key_of([feature]), begin.astype(np.int64)),
                ),
                "version_at": utc(begin.astype("datetime64[us]") + hours(6)),
                "account_id": panel.at("account_id", position),
                "feature_id": feature,
                "entitled_from": dates(begin),
                "entitled_to": dates(np.full(position.size, FAR)),
            }
        )
        ended = held["stop"].to_numpy().astype("datetime64[D]")
        entered = held["entered"].to_numpy().astype("datetime64[D]")
        entered = np.where(entered > ended, entered + np.timedelta64(1, "D"), ended)
        closed = opened.assign(
            entitled_to=dates(ended),
            version_at=utc(entered.astype("datetime64[us]") + hours(7)),
        )[ended < FAR]
        parts += [opened, closed]
    return happened(pd.concat(parts, ignore_index=True), "version_at", panel.horizon)


def _programs(tables: Tables, start: np.datetime64, panel: Panel) -> pd.DataFrame:
    """Programmes with their cost so far: a version each January, per treated account."""
    assigned = tables["program_assignments"]
    treated = assigned[assigned["arm"] == "treated"]
    last_year = int(str(panel.horizon)[:4])
    parts = []
    for name, title, kind, action, wait, price, drawn in _PROGRAMS:
        begin = (start + np.timedelta64(wait, "M")).astype("datetime64[D]")
        enrolled = treated.loc[treated["program_key"] == name, "known_at"]
        for year in range(int(str(begin)[:4]), last_year + 1):
            at = max(begin, np.datetime64(f"{year}-01-01", "D"))
            so_far = int((enrolled < pd.Timestamp(str(at), tz="UTC")).sum())
            years = max((at - begin).astype(np.int64) / 365.25, 0.0)
            parts.append(
                pd.DataFrame(
                    {
                        "program_id": [f"prog_{name}"],
                        "version_at": utc(np.asarray([at.astype("datetime64[us]")])),
                        "program_name": title,
                        "program_type": kind,
                        "predicted_action": action,
                        "started_on": dates([begin]),
                        "ended_on": dates([FAR]),
                        "cost_usd": round(so_far * price + years * 6_000.0, 2),
                        "is_randomised": drawn,
                    }
                )
            )
    return happened(pd.concat(parts, ignore_index=True), "version_at", panel.horizon)


def _incentives(start: np.datetime64) -> pd.DataFrame:
    """What each function is paid for, as it was agreed at the start."""
    day = start.astype("datetime64[D]")
    return pd.DataFrame(
        {
            "incentive_id": [f"inc_{f}_{m}" for f, m, _, _ in _INCENTIVES],
            "function": [row[0] for row in _INCENTIVES],
            "metric": [row[1] for row in _INCENTIVES],
            "weight": [row[2] for row in _INCENTIVES],
            "valid_from": dates(np.full(len(_INCENTIVES), day)),
            "valid_to": dates(np.full(len(_INCENTIVES), FAR)),
            "known_at": utc(np.full(len(_INCENTIVES), day.astype("datetime64[us]"))),
        }
    )


def _function_costs(
    tables: Tables, noise: Noise, panel: Panel, start: np.datetime64
) -> pd.DataFrame:
    """Month by month: people employed x cost of a head, plus campaigns and travel."""
    last = panel.horizon.astype("datetime64[M]")
    months = np.arange(start, last + np.timedelta64(1, "M"))
    versions = tables["employees"].sort_values("version_at", kind="stable")
    people = versions.drop_duplicates("employee_id", keep="last")
    parts = []
    for function, purpose, cost in _FUNCTIONS:
        heads = _heads(people[people["function"] == function], months)
        heads = heads * _SPLIT.get((function, purpose), 1.0)
        month_no = months.astype(np.int64)
        key = key_of([f"{function}.{purpose}"])[0]
        spend = heads * cost * (1.03 ** ((month_no - month_no[0]) / 12))
        spend = spend * (1.05 + 0.15 * noise.uniform("offer.cost", month_no, key))
        end = (months + np.timedelta64(1, "M")).astype("datetime64[D]") - np.timedelta64(1, "D")
        parts.append(
            pd.DataFrame(
                {
                    "month": dates(end),
                    "function": function,
                    "purpose": purpose,
                    "cost_usd": np.round(spend, 2),
                    "headcount": np.round(heads, 2),
                    "known_at": utc(end.astype("datetime64[us]") + hours(24 * 6 + 10)),
                }
            )
        )
    return happened(pd.concat(parts, ignore_index=True), "known_at", panel.horizon)


def _heads(people: pd.DataFrame, months: np.ndarray) -> F64:
    hired = people["hired_on"].to_numpy().astype("datetime64[M]")
    left = people["left_on"].to_numpy().astype("datetime64[M]")
    left = np.where(np.isnat(left), np.datetime64("2200-01", "M"), left)
    there = (hired[:, None] <= months[None, :]) & (months[None, :] < left[:, None])
    return np.asarray(there.sum(axis=0), dtype=np.float64)
