"""The success desk: what customer success keeps by hand about its customers.

Belongs here: human risk assessments, success measures and measurements, service levels of the
primary need, action plans, enrolments, advocacy, stories, trigger events, social signals.
Must not be here: what the vendor offers and pays for (that is `offer`).

A human assessment is the truth as a colleague could see it, plus optimism, plus noise; a happy user
base hides cold executives from it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sample_company.rng import F64, I64, U64
from sample_company.world.noise import Bool, Noise, either, fold, key_of, spread
from sample_company.world.offer import add_offer
from sample_company.world.office import business_day, days, hours, naive, utc
from sample_company.world.panel import FAR, Days, Panel, Tables, dates, happened, only, plain_ids
from sample_company.world.people import pick_people
from sample_company.world.schema import COMPETITORS
from sample_company.world.staff import Staff

_DAY = np.timedelta64(1, "D")

#: Measure, direction, unit, baseline, gain at full attainment (in the unit), share of it that the
#: vendor's own metric shows, how well it can be attributed.
MEASURES: tuple[tuple[str, str, str, float, float, str], ...] = (
    ("Average sales cycle", "lower_is_better", "days", 92.0, -28.0, "attributable"),
    ("Orders processed on time", "higher_is_better", "percent", 81.0, 14.0, "attributable"),
    ("Cost per case handled", "lower_is_better", "usd", 14.5, -4.5, "attributable"),
    ("Stock-outs a month", "lower_is_better", "count", 42.0, -25.0, "attributable"),
    ("Employee onboarding time", "lower_is_better", "days", 34.0, -12.0, "indirect"),
    ("Revenue per account manager", "higher_is_better", "usd_thousand", 410.0, 90.0, "indirect"),
    ("Deeper insight into operations", "higher_is_better", "score", 3.0, 4.0, "generic"),
    ("Audit findings", "lower_is_better", "count", 19.0, -12.0, "attributable"),
)
_KPIS = (
    "Documents processed the same day",
    "Transactions without manual work",
    "Reports ready by 8 am",
    "Searches answered at once",
)
_PLAN_STEPS = (
    "Meet the executive sponsor",
    "Agree on the success measure",
    "Train the new administrators",
    "Fix the open integration",
    "Report the value achieved",
    "Review the rollout to other teams",
)
#: Quarterly goals of a customer success manager with their targets.
_GOALS = (("net_new_relationships", 9.0), ("adoption_target", 0.8), ("story", 1.0))
_STORY_FORMATS = ["case_study", "reference_call", "blog", "webinar", "video", "stage"]


def add_desk(tables: Tables, noise: Noise, panel: Panel) -> Tables:
    """Draw every table of the success desk.

    Args:
        tables: needs `spells`, `activities`, `employees`, `account_owners`, `opportunities`,
            `trigger_exposures`, `program_assignments`.
        noise: draws of the world's seed.
        panel: accounts and their months in service.

    Returns:
        risk_assessments, success_measures, success_measurements, service_levels, action_plans,
        action_plan_objectives, programs, program_enrolments, advocacy_acts, story_requests,
        objectives, trigger_events, social_signals, and the tables of `offer`.
    """
    staff = Staff.of(tables, panel)
    measures = _measures(noise, panel)
    plans = _plans(noise, panel, staff)
    return {
        "risk_assessments": _assessments(noise, panel, staff),
        "success_measures": _measure_versions(noise, panel, measures),
        "success_measurements": _measurements(noise, panel, measures),
        "service_levels": _service_levels(noise, panel),
        "action_plans": _plan_versions(noise, panel, plans),
        "action_plan_objectives": _plan_steps(noise, panel, plans),
        "program_enrolments": _enrolments(tables),
        "advocacy_acts": _advocacy(noise, panel, tables["spells"], tables["opportunities"]),
        "story_requests": _stories(noise, panel, staff),
        "objectives": _objectives(noise, panel, staff),
        "trigger_events": _triggers(noise, panel, tables["trigger_exposures"]),
        "social_signals": _social(noise, panel, tables["spells"]),
        **add_offer(tables, noise, panel),
    }


def _column(panel: Panel, name: str) -> F64:
    return panel.months[name].to_numpy(dtype=np.float64)


def _drawn(noise: Noise, panel: Panel, rate: Any, purpose: str) -> tuple[I64, U64, Days]:
    """Occasions per account-month on business days in service: month row, key and day."""
    months = panel.months
    key, month_no = months["key"].to_numpy(), months["month_no"].to_numpy()
    row, k = spread(noise.poisson(rate, purpose, key, month_no))
    return _dated(
        noise, panel, row, noise.bits(purpose + ".key", key[row], month_no[row], k), purpose
    )


def _dated(noise: Noise, panel: Panel, row: I64, key: U64, purpose: str) -> tuple[I64, U64, Days]:
    months = panel.months
    begin = months["month"].to_numpy().astype("datetime64[D]")[row]
    finish = (
        (months["month_no"].to_numpy()[row] + 1).astype("datetime64[M]").astype("datetime64[D]")
    )
    day = business_day(begin, finish - _DAY, noise.uniform(purpose + ".day", key))
    kept = panel.serves(months["position"].to_numpy()[row], day)
    return row[kept], key[kept], day[kept]


def _known(noise: Noise, day: Days, key: U64, mean_hours: float) -> pd.Series:
    """When a hand-kept row was entered: the day's office hours or some days later."""
    lag = noise.exponential(mean_hours, "desk.lag", key)
    return utc(day.astype("datetime64[us]") + hours(15 + lag))


# --- judgement ------------------------------------------------------------------------------------


def visible_risk(panel: Panel) -> F64:
    """Sum of what a well-informed colleague would hold against a renewal (about -log p renew)."""
    away = 1.0 - _column(panel, "exec_connection")
    gone = 1.0 - _column(panel, "champion_in_place")
    small = (panel.months["segment"].to_numpy() == "SMB").astype(float)
    return np.asarray(
        0.22 * away**2 * (1 + gone)
        + 0.15 * (1.0 - _column(panel, "value_realised")) ** 2 * (0.5 + 0.7 * small)
        + 0.5 * np.clip(0.9 - _column(panel, "need"), 0, 1)
        + 0.10 * _column(panel, "competitor")
        + 0.03
        + 0.08 * small
        + 1.2 * _column(panel, "is_notice_given"),
        dtype=np.float64,
    )


def _assessments(noise: Noise, panel: Panel, staff: Staff) -> pd.DataFrame:
    """Would they sign today? About monthly for large accounts, less often for small ones."""
    months = panel.months
    key, month_no = months["key"].to_numpy(), months["month_no"].to_numpy()
    how_often = (
        pd.Series(months["segment"].to_numpy())
        .map({"SMB": 0.45, "mid-market": 0.80, "enterprise": 0.95})
        .to_numpy(dtype=float)
    )
    row = np.flatnonzero(noise.chance(how_often, "desk.assessed", key, month_no))
    row, key, day = _dated(
        noise, panel, row, noise.bits("desk.assessment", key[row], month_no[row]), "desk.assessment"
    )
    position = months["position"].to_numpy()[row]
    owner = staff.owner(position, day)
    fallback = staff.member(noise, "cs", position, day, key)
    who = np.where(pd.isna(owner), fallback, owner)
    # Optimism differs between people and lasts; the planted happy users mislead everyone.
    optimism = 0.55 + 0.45 * noise.normal("desk.optimism", key_of(pd.Series(who)))
    happy = _column(panel, "users_happy")[row] * _column(panel, "exec_cold")[row]
    truth = np.exp(-visible_risk(panel)[row])
    logit = (
        np.log(truth / (1 - truth))
        + optimism
        + 0.9 * happy
        + 0.75 * noise.normal("desk.judgement", key)
    )
    share = 1.0 / (1.0 + np.exp(-logit))
    connection = _column(panel, "exec_connection")[row]
    touched = _column(panel, "touched")[row]
    u = noise.uniform("desk.justification", key)
    why = np.select(
        [(touched > 0) & (u < 0.75), u < 0.10 + 0.25 * connection, u < 0.45, u < 0.62, u < 0.86],
        ["exec_confirmed", "measured_outcome", "usage", "support_only", "assumption"],
        "none",
    )
    table = pd.DataFrame(
        {
            "risk_assessment_id": plain_ids("risk_", key),
            "account_id": panel.at("account_id", position),
            "employee_id": pd.Series(who).astype("str"),
            "assessed_on": dates(day),
            "sign_today_share": np.round(np.clip(share, 0.02, 0.98) * 20) / 20,
            "justification_type": why,
            "known_at": _known(noise, day, key, 4.0),
        }
    )
    return happened(table[table["employee_id"].notna()], "known_at", panel.horizon)


# --- the customer's own measure -------------------------------------------------------------------


def _measures(noise: Noise, panel: Panel) -> pd.DataFrame:
    """Up to three measures per customer; most are asked for at the sale, some never."""
    customers = panel.accounts[panel.accounts["is_customer"]]
    key = customers["key"].to_numpy()
    count = noise.pick([0.18, 0.42, 0.28, 0.12], "desk.measures", key)
    row, k = spread(count)
    measure = noise.bits("desk.measure", key[row], k)
    start = _first_service(panel).to_numpy().astype("datetime64[D]")[customers.index.to_numpy()]
    asked = noise.pick([0.62, 0.12, 0.26], "desk.measure_asked", measure)
    wait = np.select(
        [asked == 0, asked == 1],
        [noise.whole(0, 20, "desk.measure_wait", measure), np.full(measure.size, 350)],
        noise.whole(60, 400, "desk.measure_late", measure),
    )
    kind = noise.whole(0, len(MEASURES) - 1, "desk.measure_kind", measure)
    factor = np.exp(0.35 * noise.normal("desk.measure_size", measure))
    table = np.asarray(MEASURES, dtype=object)[kind]
    base = table[:, 3].astype(float) * factor
    gain = table[:, 4].astype(float) * factor
    day = start[row] + days(wait)
    position = customers.index.to_numpy()[row]
    frame = pd.DataFrame(
        {
            "key": measure,
            "position": position,
            "day": day.astype("datetime64[s]"),
            "start": start[row].astype("datetime64[s]"),
            "name": table[:, 0],
            "direction": table[:, 1],
            "unit": table[:, 2],
            "baseline": np.round(base, 2),
            "gain": gain,
            "quality": table[:, 5],
            "asked_at": np.asarray(["sale", "renewal", "checkpoint"], dtype=object)[asked],
            "is_first": k == 0,
        }
    )
    return frame[panel.serves(position, day)].reset_index(drop=True)


def _first_service(panel: Panel) -> pd.Series:
    """First day of service per account row; missing for those who never bought."""
    first = panel.services.groupby("position")["start"].min()
    return first.reindex(panel.accounts.index)


def _measure_versions(noise: Noise, panel: Panel, measures: pd.DataFrame) -> pd.DataFrame:
    key = measures["key"].to_numpy()
    day = measures["day"].to_numpy().astype("datetime64[D]")
    generic = (measures["quality"] == "generic").to_numpy()
    quantified = ~generic & noise.chance(0.85, "desk.quantified", key)
    target = measures["baseline"] + measures["gain"] * (
        0.8 + 0.4 * noise.uniform("desk.target", key)
    )
    mismatch = _ever(panel, "is_metric_mismatch")[measures["position"].to_numpy()]
    known = _known(noise, day, key, 40.0)
    first = pd.DataFrame(
        {
            "success_measure_id": plain_ids("sm_", key),
            "version_at": known,
            "account_id": panel.at("account_id", measures["position"].to_numpy()),
            "measure_name": measures["name"],
            "direction": measures["direction"],
            "unit": measures["unit"],
            "baseline": np.where(quantified, measures["baseline"], np.nan),
            "target": np.where(quantified, np.round(target, 2), np.nan),
            "stakeholder_level": noise.choose(
                ["end_user", "manager", "director_plus"],
                [0.15, 0.45, 0.40],
                "desk.stakeholder",
                key,
            ),
            "is_quantified": quantified,
            "measure_quality": measures["quality"],
            "is_purchase_reason": measures["is_first"].to_numpy()
            & noise.chance(0.75, "desk.purchase_reason", key),
            # Where the metric is not the customer's, the vendor counts its own activity instead.
            "vendor_metric": np.where(mismatch, "Documents processed", measures["name"]),
            "asked_at": measures["asked_at"],
            "defined_on": dates(day),
            "confirmed_on": dates(np.full(key.size, FAR)),
            "known_at": known,
        }
    )
    confirmed = day + days(10 + noise.exponential(60.0, "desk.confirmed_after", key))
    agreed = noise.chance(0.55, "desk.confirmed", key) & panel.serves(
        measures["position"].to_numpy(), confirmed
    )
    second = first.assign(
        confirmed_on=dates(confirmed),
        version_at=np.maximum(_known(noise, confirmed, key, 20.0), known + pd.Timedelta(hours=1)),
    )[agreed]
    return happened(pd.concat([first, second], ignore_index=True), "version_at", panel.horizon)


def _ever(panel: Panel, name: str) -> Bool:
    """Whether a planted flag holds for an account, by account row."""
    flagged = panel.months.loc[panel.months[name].astype(bool), "position"].unique()
    return np.asarray(panel.accounts.index.isin(flagged), dtype=np.bool_)


def _measurements(noise: Noise, panel: Panel, measures: pd.DataFrame) -> pd.DataFrame:
    """Values at 0, 3, 6, 9, 12 … months: attainment follows the value realised."""
    months_left = panel.horizon.astype("datetime64[M]").astype(np.int64) - measures[
        "start"
    ].to_numpy().astype("datetime64[M]").astype(np.int64)
    row, k = spread(np.maximum(months_left // 3 + 1, 0))
    checkpoint = 3 * k
    key = fold(measures["key"].to_numpy()[row], checkpoint)
    base_day = measures["start"].to_numpy().astype("datetime64[D]")[row]
    day = base_day + days(checkpoint * 30.44 + noise.whole(0, 20, "desk.measured_on", key))
    position = measures["position"].to_numpy()[row]
    held = panel.row_of(position, day)
    asked = measures["day"].to_numpy().astype("datetime64[D]")[row]
    value_now = _column(panel, "value_realised")[held]
    # Small customers are measured seldom; nobody is measured at every checkpoint.
    size = np.where(panel.at("segment", position) == "SMB", 0.30, 0.55)
    kept = panel.serves(position, day) & (day >= asked) & noise.chance(size, "desk.measured", key)
    row, key, day, position = row[kept], key[kept], day[kept], position[kept]
    value_now, checkpoint = value_now[kept], checkpoint[kept]
    mismatch = _ever(panel, "is_metric_mismatch")[position]
    grown = np.minimum(checkpoint / 9.0, 1.0)
    attainment = grown * (0.1 + 1.15 * value_now) * np.where(mismatch, 0.25, 1.0)
    attainment = attainment + 0.12 * noise.normal("desk.measurement", key)
    value = measures["baseline"].to_numpy()[row] + measures["gain"].to_numpy()[row] * attainment
    worth = (
        np.maximum(attainment, 0)
        * _column(panel, "mrr_usd")[held[kept]]
        * 12
        * (1.0 + 0.6 * noise.uniform("desk.worth", key))
    )
    stated = noise.chance(0.5, "desk.worth_stated", key)
    table = pd.DataFrame(
        {
            "success_measurement_id": plain_ids("smm_", key),
            "success_measure_id": plain_ids("sm_", measures["key"].to_numpy()[row]),
            "account_id": panel.at("account_id", position),
            "measured_on": dates(day),
            "checkpoint_month": checkpoint,
            "value": np.round(value, 2),
            "value_usd": np.where(stated, np.round(worth, 2), np.nan),
            "known_at": _known(noise, day, key, 60.0),
        }
    )
    return happened(table, "known_at", panel.horizon)


def _service_levels(noise: Noise, panel: Panel) -> pd.DataFrame:
    """Monthly delivery of the primary need, known some days after the month's end."""
    months = panel.months
    key, month_no = months["key"].to_numpy(), months["month_no"].to_numpy()
    measured = noise.chance(0.78, "desk.kpi_measured", key)
    day = (month_no + 1).astype("datetime64[M]").astype("datetime64[D]") - _DAY
    row = np.flatnonzero(measured & panel.serves(months["position"].to_numpy(), day))
    key, month_no, day = key[row], month_no[row], day[row]
    contracted = np.asarray([90.0, 95.0, 97.0])[noise.pick([0.4, 0.4, 0.2], "desk.contracted", key)]
    need = _column(panel, "need")[row]
    value = contracted * (1.022 - 0.45 * (1.0 - need)) + 1.1 * noise.normal(
        "desk.kpi", key, month_no
    )
    table = pd.DataFrame(
        {
            "account_id": panel.at("account_id", months["position"].to_numpy()[row]),
            "measured_on": dates(day),
            "kpi_name": np.asarray(_KPIS, dtype=object)[
                noise.whole(0, len(_KPIS) - 1, "desk.kpi_name", key)
            ],
            "kpi_value": np.round(np.clip(value, 0, 100), 2),
            "contracted_level": contracted,
            "known_at": utc(
                day.astype("datetime64[us]")
                + hours(30 + 72 * noise.uniform("desk.kpi_lag", key, month_no))
            ),
        }
    )
    return happened(table, "known_at", panel.horizon)


# --- plans ----------------------------------------------------------------------------------------


def _plans(noise: Noise, panel: Panel, staff: Staff) -> pd.DataFrame:
    """Onboarding at the start, success plans now and then, save plans where trouble shows."""
    months = panel.months
    big = np.where(months["segment"].to_numpy() == "SMB", 0.25, 1.0)
    young = (months["tenure_months"].to_numpy() == 0).astype(float)
    seen = np.clip(visible_risk(panel) - 0.25, 0, 1)
    near = (
        (months["months_to_due"].to_numpy() <= 7) & (months["months_to_due"].to_numpy() >= 0)
    ).astype(float)
    rates = {
        "onboarding": 0.75 * young * big,
        "success": 0.012 * big,
        "save": (0.015 + 0.25 * near) * seen * big,
    }
    parts = []
    for kind, rate in rates.items():
        row, key, day = _drawn(noise, panel, np.minimum(rate, 1.0), f"desk.plan.{kind}")
        length = {"onboarding": 75, "success": 150, "save": 90}[kind]
        due = day + days(length * (0.7 + 0.6 * noise.uniform("desk.plan_length", key)))
        position = months["position"].to_numpy()[row]
        owner = staff.owner(position, day)
        owner = either(noise.chance(0.12, "desk.plan_unowned", key), None, owner)
        parts.append(
            pd.DataFrame(
                {
                    "key": key,
                    "position": position,
                    "plan_type": kind,
                    "day": day.astype("datetime64[s]"),
                    "due": due.astype("datetime64[s]"),
                    "owner_id": pd.Series(owner).astype("str"),
                    "cost": (400.0 if kind != "save" else 2_500.0)
                    * np.where(panel.at("segment", position) == "SMB", 0.4, 1.5),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _plan_versions(noise: Noise, panel: Panel, plans: pd.DataFrame) -> pd.DataFrame:
    key = plans["key"].to_numpy()
    day, due = (plans[name].to_numpy().astype("datetime64[D]") for name in ("day", "due"))
    opened = _known(noise, day, key, 10.0)
    first = pd.DataFrame(
        {
            "action_plan_id": plain_ids("plan_", key),
            "version_at": opened,
            "account_id": panel.at("account_id", plans["position"].to_numpy()),
            "owner_id": plans["owner_id"],
            "plan_type": plans["plan_type"],
            "opened_on": dates(day),
            "due_on": dates(due),
            "closed_on": dates(np.full(key.size, FAR)),
            "status": "open",
            "outcome": pd.Series(None, index=plans.index, dtype="str"),
            "cost_usd": np.round(0.3 * plans["cost"], 2),
            "known_at": opened,
        }
    )
    closed = due + days(noise.whole(-15, 45, "desk.plan_closed", key))
    stays = panel.serves(plans["position"].to_numpy(), closed)
    done = noise.uniform("desk.plan_outcome", key)
    outcome = np.where(
        ~stays,
        "customer_lost",
        np.where(done < 0.62, "achieved", np.where(done < 0.84, "partly_achieved", "abandoned")),
    )
    forgotten = noise.chance(0.10, "desk.plan_forgotten", key)
    second = first.assign(
        version_at=np.maximum(_known(noise, closed, key, 30.0), opened + pd.Timedelta(hours=1)),
        closed_on=dates(closed),
        status="closed",
        outcome=outcome,
        cost_usd=np.round(plans["cost"] * (0.7 + 0.9 * noise.uniform("desk.plan_cost", key)), 2),
    )[~forgotten]
    return happened(pd.concat([first, second], ignore_index=True), "version_at", panel.horizon)


def _plan_steps(noise: Noise, panel: Panel, plans: pd.DataFrame) -> pd.DataFrame:
    row, k = spread(noise.whole(2, 5, "desk.steps", plans["key"].to_numpy()))
    plan = plans["key"].to_numpy()[row]
    key = fold(plan, k, 3)
    day, due = (plans[name].to_numpy().astype("datetime64[D]")[row] for name in ("day", "due"))
    step_due = day + ((due - day) * (k + 1)) // 5
    opened = _known(noise, day, plan, 10.0)
    first = pd.DataFrame(
        {
            "objective_id": plain_ids("step_", key),
            "version_at": opened,
            "action_plan_id": plain_ids("plan_", plan),
            "name": np.asarray(_PLAN_STEPS, dtype=object)[
                (noise.whole(0, 5, "desk.step", plan) + k) % len(_PLAN_STEPS)
            ],
            "due_on": dates(step_due),
            "done_on": dates(np.full(key.size, FAR)),
            "known_at": opened,
        }
    )
    done = step_due + days(noise.whole(-8, 25, "desk.step_done", key))
    done = np.maximum(done, day)
    ready = noise.chance(0.68, "desk.step_ready", key) & panel.serves(
        plans["position"].to_numpy()[row], done
    )
    second = first.assign(
        done_on=dates(done),
        version_at=np.maximum(_known(noise, done, key, 20.0), opened + pd.Timedelta(hours=1)),
    )[ready]
    return happened(pd.concat([first, second], ignore_index=True), "version_at", panel.horizon)


def _enrolments(tables: Tables) -> pd.DataFrame:
    """The world's assignments under the programme's id."""
    assigned = tables["program_assignments"]
    return pd.DataFrame(
        {
            "program_id": "prog_" + assigned["program_key"].astype("str"),
            "account_id": assigned["account_id"],
            "arm": assigned["arm"],
            "enrolled_on": assigned["enrolled_on"],
            "known_at": assigned["known_at"],
        }
    ).reset_index(drop=True)


# --- voice and signals ----------------------------------------------------------------------------


def _advocacy(
    noise: Noise, panel: Panel, spells: pd.DataFrame, opportunities: pd.DataFrame
) -> pd.DataFrame:
    """Customers who speak for the vendor: connected ones that get value, not the silent."""
    rate = (
        0.055
        * _column(panel, "value_realised") ** 1.5
        * (0.2 + _column(panel, "exec_connection"))
        * (1 - _column(panel, "is_silent"))
    )
    row, key, day = _drawn(noise, panel, rate, "desk.advocacy")
    position = panel.months["position"].to_numpy()[row]
    people = pick_people(noise, "desk.advocate", spells, position, day, key)
    at = people.index.to_numpy()
    kind = noise.choose(
        [*_STORY_FORMATS, "referral"], [14, 30, 10, 8, 6, 5, 27], "desk.act", key[at]
    )
    # A call or a word of recommendation usually serves one deal; a story serves them all.
    helps = np.isin(kind, ["reference_call", "referral"]) & noise.chance(0.7, "desk.helps", key[at])
    account = panel.at("account_id", position[at])
    deal = np.where(helps, _open_deals(noise, opportunities, account, day[at], key[at]), None)
    table = pd.DataFrame(
        {
            "advocacy_act_id": plain_ids("adv_", key[at]),
            "account_id": account,
            "contact_id": spells["contact_id"].to_numpy()[people.to_numpy()],
            "act_type": kind,
            "occurred_on": dates(day[at]),
            "opportunity_id": pd.Series(deal, dtype="str"),
            "known_at": _known(noise, day[at], key[at], 48.0),
        }
    )
    return happened(table, "known_at", panel.horizon)


def _open_deals(
    noise: Noise, opportunities: pd.DataFrame, account: Any, day: Days, key: U64
) -> Any:
    """A new deal of another account that is open at the beginning of the day; None without any."""
    versions = opportunities[opportunities["opportunity_type"] == "new_business"]
    first = versions.drop_duplicates("opportunity_id")
    shut = versions[versions["is_closed"]].drop_duplicates("opportunity_id")
    closed = first["opportunity_id"].map(shut.set_index("opportunity_id")["version_at"])
    begin = naive(first["version_at"])
    end = naive(closed.astype("datetime64[us, UTC]"))
    end = np.where(np.isnat(end), np.datetime64("2200-01-01", "us"), end)
    ids, owner = first["opportunity_id"].to_numpy(), first["account_id"].to_numpy()
    deal_key = key_of(first["opportunity_id"])
    found = np.full(day.size, None, dtype=object)
    for row, at in enumerate(day.astype("datetime64[us]")):
        fits = np.flatnonzero((begin < at) & (end > at) & (owner != account[row]))
        if fits.size:
            rank = noise.bits("desk.deal_helped", key[row : row + 1], deal_key[fits])
            found[row] = ids[fits[np.argmin(rank)]]
    return found


def _stories(noise: Noise, panel: Panel, staff: Staff) -> pd.DataFrame:
    """Sales asks for customer stories by format; some requests are met."""
    months = panel.months
    row, key, day = _drawn(
        noise, panel, 0.006 + 0.004 * _column(panel, "value_realised"), "desk.story"
    )
    position = months["position"].to_numpy()[row]
    asker = staff.member(noise, "sales", position, day, key)
    known = _known(noise, day, key, 6.0)
    first = pd.DataFrame(
        {
            "story_request_id": plain_ids("story_", key),
            "version_at": known,
            "format": noise.choose(_STORY_FORMATS, [30, 34, 8, 6, 16, 6], "desk.story_format", key),
            "requested_by_id": pd.Series(asker).astype("str"),
            "requested_on": dates(day),
            "fulfilled_on": dates(np.full(key.size, FAR)),
            "account_id": pd.Series(None, index=range(key.size), dtype="str"),
            "known_at": known,
        }
    )
    told = day + days(noise.whole(10, 120, "desk.story_wait", key))
    met = noise.chance(0.15 + 0.6 * _column(panel, "value_realised")[row], "desk.story_met", key)
    met &= panel.serves(position, told)
    second = first.assign(
        fulfilled_on=dates(told),
        account_id=pd.Series(panel.at("account_id", position)),
        version_at=_known(noise, told, key, 12.0),
    )[met]
    return happened(pd.concat([first, second], ignore_index=True), "version_at", panel.horizon)


def _objectives(noise: Noise, panel: Panel, staff: Staff) -> pd.DataFrame:
    """Quarterly goals of customer success: relationships, adoption of one account, a story."""
    team = staff.people[staff.people["function"] == "cs"]
    hired = team["hired_on"].to_numpy().astype("datetime64[D]")
    left = team["left_on"].to_numpy().astype("datetime64[D]")
    first = panel.months["month_no"].min() if len(panel.months) else 0
    last = int(panel.horizon.astype("datetime64[M]").astype(np.int64))
    quarters = np.arange(int(first) + (-int(first)) % 3, last + 1, 3)
    begin = quarters.astype("datetime64[M]").astype("datetime64[D]")
    there = (hired[None, :] <= begin[:, None]) & ~(left[None, :] <= begin[:, None])
    when, who = np.nonzero(there)
    key = fold(key_of(team["employee_id"])[who], quarters[when])
    account = panel.customer_at(begin[when], noise.uniform("desk.objective_account", key))
    finish = (quarters + 3).astype("datetime64[M]").astype("datetime64[D]") - _DAY
    row, goal = spread(np.full(when.size, len(_GOALS)))
    kind = np.asarray([name for name, _ in _GOALS], dtype=object)[goal]
    about_one = kind == "adoption_target"
    table = pd.DataFrame(
        {
            "employee_objective_id": plain_ids("obj_", fold(key[row], goal)),
            "employee_id": team["employee_id"].to_numpy()[who[row]],
            "objective_type": kind,
            "period_start_on": dates(begin[when[row]]),
            "period_end_on": dates(finish[when[row]]),
            "target": np.asarray([target for _, target in _GOALS])[goal],
            "account_id": pd.Series(
                either(about_one, panel.at("account_id", account[row]), None), dtype="str"
            ),
            "known_at": utc(begin[when[row]] + np.timedelta64(9, "h")),
        }
    )
    return happened(only(table, ~about_one | (account[row] >= 0)), "known_at", panel.horizon)


def _triggers(noise: Noise, panel: Panel, exposures: pd.DataFrame) -> pd.DataFrame:
    """The planted events, and funding rounds and budget seasons that change nothing."""
    planted = pd.DataFrame(
        {
            "key": fold(
                key_of(exposures["account_id"]),
                key_of(exposures["trigger_type"]),
                exposures["occurred_on"].astype("datetime64[s]").astype("int64"),
            ),
            "account_id": exposures["account_id"],
            "trigger_type": exposures["trigger_type"],
            "occurred_on": exposures["occurred_on"],
            "known_at": exposures["known_at"],
        }
    )
    parts = [planted]
    for kind, rate in (("funding_round", 0.004), ("budget_season", 0.020), ("merger_news", 0.003)):
        row, key, day = _drawn(noise, panel, np.full(len(panel.months), rate), f"desk.{kind}")
        parts.append(
            pd.DataFrame(
                {
                    "key": key,
                    "trigger_type": kind,
                    "occurred_on": dates(day),
                    "account_id": panel.at("account_id", panel.months["position"].to_numpy()[row]),
                    "known_at": _known(noise, day, key, 100.0),
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    key = table.pop("key").to_numpy(dtype=np.uint64)
    table.insert(0, "trigger_event_id", plain_ids("trg_", key))
    table.insert(
        4,
        "source",
        noise.choose(["news", "social", "crm"], [0.55, 0.3, 0.15], "desk.trigger_source", key),
    )
    return happened(table, "known_at", panel.horizon)


def _social(noise: Noise, panel: Panel, spells: pd.DataFrame) -> pd.DataFrame:
    """Mentions of the vendor, and connections to a rival's staff: a burst when one is invited."""
    rival = _column(panel, "competitor")
    rates = {
        "mention": 0.03
        + 0.12 * _column(panel, "value_realised") * (1 - _column(panel, "is_silent")),
        "competitor_connection": 0.025 + 3.2 * np.clip(rival - 0.25, 0, 1) ** 1.3,
    }
    names = [name for name in COMPETITORS if name != "cmp_inhouse"]
    parts = []
    for kind, rate in rates.items():
        row, key, day = _drawn(noise, panel, rate, f"desk.social.{kind}")
        position = panel.months["position"].to_numpy()[row]
        people = pick_people(noise, "desk.social_who", spells, position, day, key)
        at = people.index.to_numpy()
        # One rival at a time: the same for all connections of an account within half a year.
        half = panel.months["month_no"].to_numpy()[row[at]] // 6
        which = noise.whole(0, len(names) - 1, "desk.rival", panel.at("key", position[at]), half)
        rival_id = np.asarray(names, dtype=object)[which]
        parts.append(
            pd.DataFrame(
                {
                    "social_signal_id": plain_ids("soc_", key[at]),
                    "account_id": panel.at("account_id", position[at]),
                    "contact_id": spells["contact_id"].to_numpy()[people.to_numpy()],
                    "signal_type": kind,
                    "competitor_id": pd.Series(
                        rival_id if kind == "competitor_connection" else None,
                        index=range(at.size),
                        dtype="str",
                    ),
                    "occurred_on": dates(day[at]),
                    "known_at": _known(noise, day[at], key[at], 30.0),
                }
            )
        )
    return happened(pd.concat(parts, ignore_index=True), "known_at", panel.horizon)
