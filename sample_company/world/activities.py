"""What the vendor did with its customers: calls, mails, meetings, visits, reports, campaigns.

Belongs here: activities with their function, contact level, two-way flag and acknowledgement; who
took part; campaigns and their members. Their frequency follows the latent state: executives answer
where they are connected, users write where they get value.
Must not be here: support cases and surveys. Mail opens are left out on purpose: they measure
mail clients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.rng import F64, I64, U64
from sample_company.world.noise import Noise, fold, key_of, spread
from sample_company.world.office import (
    business_day,
    days,
    entry_lag,
    hours,
    naive,
    office_time,
    utc,
)
from sample_company.world.panel import (
    Days,
    Panel,
    Tables,
    dates,
    happened,
    only,
    record_ids,
)
from sample_company.world.people import pick_people
from sample_company.world.staff import Staff

#: Activity types that the CRM keeps as tasks; the others are calendar events.
TASKS = ("email", "call", "value_report", "social", "other")
_DURATION = {"call": 30, "meeting": 60, "visit": 180, "qbr": 90, "training": 120, "conference": 480}
_ATTENTION = {"SMB": 0.7, "mid-market": 2.0, "enterprise": 3.6}


@dataclass(frozen=True)
class Kind:
    """One habit: how often it happens in each account-month and how it looks."""

    name: str
    activity_type: str
    function: str
    level: str
    rate: F64
    answered: F64


def add_activities(tables: Tables, noise: Noise, panel: Panel) -> Tables:
    """Draw activities, participants, campaigns and campaign members.

    Args:
        tables: needs `spells` (from `add_people`), `employees`, `account_owners`, `opportunities`.
        noise: draws of the world's seed.
        panel: accounts and their months in service.

    Returns:
        activities (versions: an edit or an acknowledgement makes a new one), activity_participants,
        campaigns, campaign_members.
    """
    drawn = pd.concat(
        [_monthly(noise, panel, kind) for kind in _kinds(noise, panel)]
        + [_around_deals(noise, panel, tables["opportunities"])],
        ignore_index=True,
    )
    drawn["employee_id"] = _performers(noise, Staff.of(tables, panel), drawn)
    participants = _participants(noise, panel, tables["spells"], drawn)
    # A touch with nobody is not a touch; where no such person is known the activity falls away.
    drawn = drawn[drawn["activity_id"].isin(participants["activity_id"])].reset_index(drop=True)
    activities = _versions(noise, panel, drawn)
    campaigns, members = _campaigns(noise, panel, tables["spells"])
    return {
        "activities": activities,
        "activity_participants": happened(participants, "known_at", panel.horizon, "row").drop(
            columns="row"
        ),
        "campaigns": campaigns,
        "campaign_members": members,
    }


def deal_campaigns(tables: Tables) -> pd.DataFrame:
    """The campaign that each deal names as its source, for deals that have one.

    The newest to which somebody of the account responded within 120 days before the deal was
    entered.

    Args:
        tables: needs `opportunities`, `contacts`, `campaign_members`.

    Returns:
        opportunity_id, campaign_id, known_at (when the deal was entered).
    """
    deals = tables["opportunities"].drop_duplicates("opportunity_id")
    deals = deals[deals["opportunity_type"].isin(["new_business", "expansion", "win_back"])]
    home = tables["contacts"].drop_duplicates("contact_id").set_index("contact_id")["account_id"]
    members = tables["campaign_members"]
    responses = members[members["has_responded"]].drop_duplicates("campaign_member_id")
    responses = responses.assign(account_id=responses["contact_id"].map(home))
    found = pd.merge_asof(
        deals[["opportunity_id", "account_id", "created_at"]].sort_values(
            ["created_at", "opportunity_id"], kind="stable"
        ),
        responses[["account_id", "version_at", "campaign_id"]]
        .dropna()
        .sort_values(["version_at", "campaign_id"], kind="stable"),
        left_on="created_at",
        right_on="version_at",
        by="account_id",
        tolerance=pd.Timedelta(days=120),
    )
    found = found.rename(columns={"created_at": "known_at"})[
        ["opportunity_id", "campaign_id", "known_at"]
    ]
    return found.dropna(subset=["campaign_id"]).reset_index(drop=True)


def _performers(noise: Noise, staff: Staff, drawn: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Who did it: someone of the function in charge."""
    result = np.full(len(drawn), None, dtype=object)
    for function, part in drawn.groupby("function"):
        result[part.index.to_numpy()] = staff.member(
            noise,
            str(function),
            part["position"].to_numpy(),
            part["day"].to_numpy().astype("datetime64[D]"),
            part["key"].to_numpy(),
        )
    return result


def _kinds(noise: Noise, panel: Panel) -> list[Kind]:
    """Habits with their monthly rates. Connection shows in executives, value in users."""
    months = panel.months
    attention = pd.Series(months["segment"].to_numpy()).map(_ATTENTION).to_numpy(dtype=float)
    connection = months["exec_connection"].to_numpy(dtype=float)
    value = months["value_realised"].to_numpy(dtype=float)
    touched = months["touched"].to_numpy(dtype=float)
    visited = months["visited"].to_numpy(dtype=float)
    champion = months["champion_in_place"].to_numpy(dtype=float)
    heard = 1.0 - 0.97 * months["is_silent"].to_numpy(dtype=float)
    notice = months["is_notice_given"].to_numpy(dtype=float)
    quarter = (months["month_no"].to_numpy() + panel.of("key").astype(np.int64) % 3) % 3 == 0
    young = (months["tenure_months"].to_numpy() < 6).astype(float)
    ones = np.ones(len(months))
    # Tepid contacts answer too: without this floor a reply would give the latent state away.
    reply = np.clip(0.12 + 0.78 * connection, 0, 1) * heard
    user_reply = np.clip(0.25 + 0.55 * value, 0, 1) * heard
    exec_rate = (0.05 + 0.20 * connection) * np.sqrt(attention) * (1 - 0.5 * notice)
    return [
        Kind("exec_meeting", "meeting", "cs", "director_plus", 1.15 * touched, 0.95 * ones),
        Kind("exec_call", "call", "cs", "director_plus", 0.5 * exec_rate * heard, reply),
        Kind("exec_mail", "email", "executive", "director_plus", exec_rate * heard, reply),
        Kind("sales_exec_mail", "email", "sales", "director_plus", 0.06 * ones * attention, reply),
        Kind("visit", "visit", "cs", "director_plus", 2.5 * visited, 0.99 * ones),
        Kind(
            "manager_call",
            "call",
            "cs",
            "manager",
            (0.10 + 0.14 * champion) * attention * heard,
            np.clip(0.35 + 0.45 * champion, 0, 1) * heard,
        ),
        Kind(
            "manager_mail",
            "email",
            "cs",
            "manager",
            np.asarray(0.30 * attention**0.7, dtype=np.float64),
            np.clip(0.2 + 0.4 * champion + 0.2 * value, 0, 1) * heard,
        ),
        Kind(
            "user_mail",
            "email",
            "cs",
            "end_user",
            (0.10 + 0.35 * value) * attention**0.5,
            user_reply,
        ),
        Kind(
            "qbr",
            "qbr",
            "cs",
            "director_plus",
            quarter * np.clip(attention - 0.4, 0, 1) * (0.05 + 0.55 * connection) * heard,
            ones,
        ),
        Kind(
            "training",
            "training",
            "cs",
            "end_user",
            (0.015 + 0.06 * value + 0.12 * young) * attention**0.4 * heard,
            0.9 * ones,
        ),
        Kind(
            "value_report",
            "value_report",
            "cs",
            "director_plus",
            quarter * (0.06 + 0.50 * value * np.minimum(attention, 1.2)),
            reply,
        ),
        Kind("social", "social", "marketing", "manager", 0.03 * ones, 0.3 * heard),
        Kind(
            "conference",
            "conference",
            "marketing",
            "manager",
            (0.010 + 0.022 * connection) * attention**0.5 * heard,
            ones,
        ),
    ]


def _monthly(noise: Noise, panel: Panel, kind: Kind) -> pd.DataFrame:
    """Occasions of one habit: counted by month, dated on business days, kept within service."""
    months = panel.months
    key = months["key"].to_numpy()
    month_no = months["month_no"].to_numpy()
    count = noise.poisson(kind.rate, f"activities.{kind.name}", key, month_no)
    row, k = spread(count)
    occasion = fold(noise.bits(f"activities.{kind.name}.key", key[row], month_no[row], k))
    begin = months["month"].to_numpy().astype("datetime64[D]")[row]
    finish = (month_no[row] + 1).astype("datetime64[M]").astype("datetime64[D]")
    day = business_day(
        begin, finish - np.timedelta64(1, "D"), noise.uniform("activities.day", occasion)
    )
    frame = _frame(
        kind.activity_type,
        kind.function,
        kind.level,
        months["position"].to_numpy()[row],
        day,
        occasion,
    )
    frame["is_two_way"] = noise.chance(kind.answered[row], "activities.answered", occasion)
    frame["warmth"] = months["exec_connection"].to_numpy()[row]
    return frame[panel.serves(frame["position"], day)].reset_index(drop=True)


def _frame(
    activity_type: str, function: str, level: str, position: I64, day: Days, key: U64
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "activity_type": activity_type,
            "function": function,
            "level": level,
            "position": position,
            "day": day.astype("datetime64[s]"),
            "key": key,
            "opportunity_id": None,
            "is_two_way": True,
            "warmth": 0.5,
        }
    )


def _around_deals(noise: Noise, panel: Panel, opportunities: pd.DataFrame) -> pd.DataFrame:
    """Sales talks while a deal is open: from its creation to its close, then silence."""
    versions = opportunities.sort_values("version_at", kind="stable")
    first = versions.drop_duplicates("opportunity_id").set_index("opportunity_id")
    closed = versions[versions["is_closed"]].drop_duplicates("opportunity_id")
    ended = first.index.to_series().map(closed.set_index("opportunity_id")["version_at"])
    position = (
        first["account_id"]
        .map(pd.Series(panel.accounts.index, index=panel.accounts["account_id"]))
        .to_numpy(np.int64)
    )
    created = naive(first["created_at"]).astype("datetime64[D]")
    key = key_of(first.index.to_series())
    big = np.where(panel.at("segment", position) == "SMB", 1.0, 2.0)
    new = np.isin(first["opportunity_type"].to_numpy(), ["new_business", "win_back"])
    count = noise.poisson(np.where(new, 2.6, 1.0) * big, "activities.deal", key)
    row, k = spread(count)
    # Dated from the opening on, so that a deal still open today has the same past.
    occasion = noise.bits("activities.deal.key", key[row], k)
    wait = noise.exponential(np.where(new, 25.0, 40.0)[row], "activities.deal.wait", occasion)
    day = business_day(
        created[row] + days(wait),
        created[row] + days(wait + 7),
        noise.uniform("activities.day", occasion),
    )
    stop = naive(pd.Series(ended).astype("datetime64[us, UTC]")).astype("datetime64[D]")[row]
    kept = np.isnat(stop) | (day <= stop)
    kind = noise.choose(
        ["call", "meeting", "email"], [0.35, 0.25, 0.40], "activities.deal.type", occasion
    )
    level = noise.choose(
        ["director_plus", "manager", "end_user"], [0.5, 0.4, 0.1], "activities.deal.level", occasion
    )
    frame = _frame("email", "sales", "", position[row], day, occasion)
    frame = frame.assign(
        activity_type=kind,
        level=level,
        opportunity_id=first.index.to_numpy()[row],
        is_two_way=noise.chance(0.6, "activities.deal.answered", occasion),
    )
    return only(frame, kept)


def _participants(
    noise: Noise, panel: Panel, spells: pd.DataFrame, drawn: pd.DataFrame
) -> pd.DataFrame:
    """Main person of the wanted level, and at meetings one or two more."""
    is_task = drawn["activity_type"].isin(TASKS).to_numpy()
    key = drawn["key"].to_numpy()
    drawn["activity_id"] = np.where(is_task, record_ids("00T", key), record_ids("00U", key))
    position = drawn["position"].to_numpy()
    day = drawn["day"].to_numpy().astype("datetime64[D]")
    more = noise.pick([0.45, 0.35, 0.20], "activities.more_people", key)
    parts = []
    for number in range(3):
        chosen = np.flatnonzero((number == 0) | (~is_task & (more >= number)))
        level = drawn["level"].to_numpy(dtype=object)[chosen]
        wanted = level if number == 0 else np.full(chosen.size, "", dtype=object)
        people = pick_people(
            noise,
            f"activities.person.{number}",
            spells,
            position[chosen],
            day[chosen],
            key[chosen],
            wanted,
        )
        rows = chosen[people.index.to_numpy()]
        parts.append(
            pd.DataFrame(
                {
                    "activity_id": drawn["activity_id"].to_numpy()[rows],
                    "contact_id": spells["contact_id"].to_numpy()[people.to_numpy()],
                    "is_primary": number == 0,
                    "row": rows,
                }
            )
        )
    members = pd.concat(parts, ignore_index=True).drop_duplicates(["activity_id", "contact_id"])
    with_main = set(parts[0]["activity_id"])
    members = members[members["activity_id"].isin(with_main)].reset_index(drop=True)
    event = _event_at(noise, panel, drawn)
    members["known_at"] = utc(
        (event + entry_lag(noise, "activities", key))[members["row"].to_numpy()]
    )
    # The person in charge comes first among those entered at the same instant.
    members["row"] = members["activity_id"] + np.where(members["is_primary"], "0", "1")
    members.insert(
        0,
        "activity_participant_id",
        record_ids("0RE", fold(key_of(members["activity_id"]), key_of(members["contact_id"]))),
    )
    return members


def _event_at(noise: Noise, panel: Panel, drawn: pd.DataFrame) -> npt.NDArray[np.datetime64]:
    key = drawn["key"].to_numpy()
    return naive(
        office_time(
            drawn["day"].to_numpy().astype("datetime64[D]"),
            panel.at("zone", drawn["position"].to_numpy()),
            noise,
            "activities.time",
            key,
        )
    )


def _versions(noise: Noise, panel: Panel, drawn: pd.DataFrame) -> pd.DataFrame:
    """First entry, then the acknowledgement or a late correction of the duration."""
    key = drawn["key"].to_numpy()
    event = _event_at(noise, panel, drawn)
    known = event + entry_lag(noise, "activities", key)
    usual = drawn["activity_type"].map(_DURATION).fillna(0).to_numpy(dtype=np.int64)
    factor = noise.choose([0.5, 1.0, 1.5], [0.25, 0.55, 0.2], "activities.length", key)
    first = pd.DataFrame(
        {
            "activity_id": drawn["activity_id"],
            "version_at": utc(known),
            "account_id": panel.at("account_id", drawn["position"].to_numpy()),
            "opportunity_id": drawn["opportunity_id"].astype("str"),
            "employee_id": pd.Series(drawn["employee_id"]).astype("str"),
            "crm_object": np.where(drawn["activity_type"].isin(TASKS), "task", "event"),
            "activity_type": drawn["activity_type"],
            "event_at": utc(event),
            "known_at": utc(known),
            "duration_minutes": (usual * factor.astype(float)).astype(np.int64),
            "is_two_way": drawn["is_two_way"].astype(bool),
            "acknowledged_on": dates(np.full(key.size, np.datetime64("NaT", "D"))),
            "is_deleted": False,
        }
    )
    # Executives who read the report say so within three weeks, if they are connected at all.
    warm = np.clip(0.08 + 0.85 * drawn["warmth"].to_numpy(dtype=float), 0, 1)
    read = (drawn["activity_type"] == "value_report").to_numpy() & noise.chance(
        warm, "activities.acknowledged", key
    )
    wait = hours(24 * (1 + noise.exponential(6.0, "activities.acknowledged_after", key)))
    answered = np.maximum(event + wait, known + np.timedelta64(60, "s"))
    second = first.assign(
        version_at=utc(answered), acknowledged_on=dates(answered.astype("datetime64[D]"))
    )[read]
    edited = noise.chance(0.02, "activities.edited", key) & ~read
    late = known + hours(24 * (1 + noise.exponential(12.0, "activities.edited_after", key)))
    third = first.assign(version_at=utc(late), duration_minutes=first["duration_minutes"] + 15)
    wrong = noise.chance(0.004, "activities.deleted", key) & ~read & ~edited
    fourth = first.assign(version_at=utc(late), is_deleted=True)[wrong]
    rows = pd.concat([first, second, third[edited], fourth], ignore_index=True)
    return happened(rows, "version_at", panel.horizon)


@dataclass(frozen=True)
class Series:
    """A campaign that is held in the same months of every year."""

    campaign_type: str
    audience: str
    name: str
    months: tuple[int, ...]
    cost_usd: float
    share: float
    response: float


_SERIES = (
    Series("Conference", "customers", "User Conference", (10,), 120_000.0, 0.30, 0.22),
    Series("Event", "alumni", "Alumni Evening", (6, 12), 9_000.0, 0.25, 0.25),
    Series("Webinar", "customers", "Customer Webinar", (2, 5, 9, 11), 3_000.0, 0.22, 0.15),
    Series("Email", "customers", "Release Letter", (1, 4, 7, 10), 1_200.0, 0.12, 0.04),
    Series("Email", "prospects", "Prospect Nurture", (3, 8), 2_500.0, 0.30, 0.04),
    Series("Trigger", "prospects", "New Executive Welcome", (1, 4, 7, 10), 4_000.0, 0.35, 0.12),
)


def _campaigns(
    noise: Noise, panel: Panel, spells: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Campaigns of every year and the contacts invited to them."""
    begin = int(panel.months["month_no"].min()) if len(panel.months) else 0
    now = int(panel.horizon.astype("datetime64[M]").astype(np.int64))
    # Plans are made a month ahead and invitations go out two weeks ahead, so the campaigns of the
    # coming months are under way at the horizon.
    held = [
        (series, month)
        for month in range(begin + 2, now + 3)
        for series in _SERIES
        if month % 12 + 1 in series.months
    ]
    plan = [series for series, _ in held]
    month_no = np.asarray([month for _, month in held], dtype=np.int64)
    name = [f"{series.name} {1970 + m // 12}-{m % 12 + 1:02d}" for series, m in held]
    keys = key_of(pd.Series(name, dtype="str"))
    started = month_no.astype("datetime64[M]").astype("datetime64[D]")
    growth = 1.0 + (month_no - begin) / 60.0
    opened = started - np.timedelta64(30, "D")
    campaigns = pd.DataFrame(
        {
            "campaign_id": record_ids("701", keys),
            "version_at": utc(opened + np.timedelta64(9, "h")),
            "name": name,
            "campaign_type": [series.campaign_type for series in plan],
            "audience": [series.audience for series in plan],
            "status": "Planned",
            "started_on": dates(started),
            "ended_on": dates(started + np.timedelta64(20, "D")),
            "actual_cost_usd": np.nan,
            "is_deleted": False,
        }
    )
    paid = campaigns.assign(
        version_at=utc(started + np.timedelta64(35, "D")),
        status="Completed",
        actual_cost_usd=np.round(
            np.asarray([series.cost_usd for series in plan])
            * growth
            * (0.85 + 0.3 * noise.uniform("campaigns.cost", keys)),
            2,
        ),
    )
    invited = _invited(noise, panel, spells, plan, keys, started)
    return (
        happened(pd.concat([campaigns, paid], ignore_index=True), "version_at", panel.horizon),
        happened(
            _members(noise, panel, spells, campaigns, plan, keys, invited),
            "version_at",
            panel.horizon,
        ),
    )


def _invited(
    noise: Noise, panel: Panel, spells: pd.DataFrame, plan: list[Series], keys: U64, started: Days
) -> pd.DataFrame:
    """Pairs of campaign and person invited, a fortnight before it starts.

    Returns:
        campaign (row), person (row of spells), contact (key) and sent_on.
    """
    known_on = spells["known_on"].to_numpy().astype("datetime64[D]")
    end = spells["end"].to_numpy().astype("datetime64[D]")
    position = spells["position"].to_numpy()
    contact = spells["contact_key"].to_numpy()
    single = ~spells["is_duplicate"].to_numpy()
    found: list[tuple[int, I64, Days]] = []
    for number, (planned, day) in enumerate(zip(plan, started, strict=True)):
        sent_on = day - np.timedelta64(14, "D")
        known, here = single & (known_on < sent_on), end > sent_on
        serves = panel.serves(position, np.full(position.size, sent_on))
        audience = {
            "customers": known & here & serves,
            "alumni": known & ~here,
            "prospects": known & here & ~serves,
        }[planned.audience]
        people = np.flatnonzero(audience)
        drawn = noise.chance(planned.share, "campaigns.invited", contact[people], keys[number])
        found.append((number, people[drawn], np.full(int(drawn.sum()), sent_on)))
    people = np.concatenate([row[1] for row in found]) if found else np.empty(0, dtype=np.int64)
    campaign = np.repeat([row[0] for row in found], [row[1].size for row in found])
    sent = np.concatenate([row[2] for row in found]) if found else np.empty(0, "datetime64[D]")
    pairs = pd.DataFrame(
        {
            "campaign": campaign.astype(np.int64),
            "person": people,
            "contact": contact[people],
            "sent_on": sent.astype("datetime64[s]"),
        }
    )
    return pairs.drop_duplicates(["campaign", "contact"]).reset_index(drop=True)


def _members(
    noise: Noise,
    panel: Panel,
    spells: pd.DataFrame,
    campaigns: pd.DataFrame,
    plan: list[Series],
    keys: U64,
    pairs: pd.DataFrame,
) -> pd.DataFrame:
    """Campaign members: sent, and the response of those who respond (a second version)."""
    campaign, person = pairs["campaign"].to_numpy(), pairs["person"].to_numpy()
    contact, key = pairs["contact"].to_numpy(), keys[campaign]
    sent_on = pairs["sent_on"].to_numpy().astype("datetime64[D]")
    row = panel.row_of(spells["position"].to_numpy()[person], sent_on)
    value = panel.months["value_realised"].to_numpy(dtype=float)
    served = panel.serves(spells["position"].to_numpy()[person], sent_on)
    warmth = np.where(served, value[row] if value.size else 0.3, 0.3)
    kind = campaigns["campaign_type"].to_numpy(dtype=object)[campaign]
    base = np.asarray([series.response for series in plan])[campaign]
    responds = noise.chance(base * (0.4 + 1.2 * warmth), "campaigns.responds", contact, key)
    sent = sent_on.astype("datetime64[us]") + hours(
        8 + 2 * noise.uniform("campaigns.sent", contact, key)
    )
    answered = sent + hours(24 * 25 * noise.uniform("campaigns.answered", contact, key) + 1)
    member = fold(contact, key)
    first = pd.DataFrame(
        {
            "campaign_member_id": record_ids("00v", member),
            "version_at": utc(sent),
            "campaign_id": campaigns["campaign_id"].to_numpy()[campaign],
            "contact_id": spells["contact_id"].to_numpy()[person],
            "status": "Sent",
            "has_responded": False,
            "responded_at": utc(np.full(len(pairs), np.datetime64("NaT", "us"))),
            "is_deleted": False,
        }
    )
    came = np.isin(kind, ["Conference", "Event", "Webinar"])
    second = first.assign(
        version_at=utc(answered),
        responded_at=utc(answered),
        has_responded=True,
        status=np.where(came, "Attended", "Responded"),
    )[responds]
    return pd.concat([first, second], ignore_index=True)
