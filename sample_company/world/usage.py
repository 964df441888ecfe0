"""Product usage: raw events by the day they were received, and monthly aggregates before that.

Belongs here: who of an account uses the product on which day, which features, and how the events
arrive (late, twice). Breadth and frequency follow the value realised; nobody uses the product
outside the days of service.
Must not be here: file layouts of event exports.

Work is done a month at a time on columns, and a month is a pure function of the world: any range of
days gives the same events, in whatever order ranges are asked for. Memory is one month of events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sample_company.rng import F64, I64, U64, Rng
from sample_company.world.config import WorldConfig
from sample_company.world.noise import Noise, fold, spread
from sample_company.world.offer import DECOY, FEATURES, LADDER, STICKY, plan_rank, released_on
from sample_company.world.office import hours, naive, utc
from sample_company.world.panel import (
    Panel,
    Tables,
    build_panel,
    dates,
    happened,
    only,
    plain_texts,
)

#: Months of raw events before the horizon's month; older usage exists as monthly aggregates.
RAW_MONTHS = 36
LATE_SHARE, RESENT_SHARE = 0.02, 0.03
#: Late events come up to 20 days after, and may be sent again three days later; a day of margin.
_LOOK_BACK_DAYS = 25
_LOOK_AHEAD_DAYS = 1
_BASE_EVENTS_PER_DAY = 6_000.0
#: Monday to Sunday, relative.
_WEEKDAY = np.asarray([0.98, 1.06, 1.08, 1.04, 0.84, 0.07, 0.05])
#: January to December, relative.
_SEASON = np.asarray([0.98, 1.02, 1.05, 1.0, 0.98, 1.0, 0.88, 0.82, 1.05, 1.06, 1.04, 0.78])
_IDENTITY_MONTHS = 72
_ORPHAN_WORKSPACE = "ws_0sandbox0000"
_CLIENTS = ('{"client":"web"}', '{"client":"mobile"}', '{"client":"api"}')
_MICRO_HOUR = 3_600_000_000


class HasUsage(Protocol):
    """What usage needs of a world."""

    config: WorldConfig
    tables: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Usage:
    """A world's usage, ready to be drawn month by month."""

    noise: Noise
    panel: Panel
    people: pd.DataFrame
    released: npt.NDArray[np.datetime64]
    density: float

    @classmethod
    def of(cls, tables: Tables, config: WorldConfig, panel: Panel | None = None) -> Usage:
        """Prepare from the world's tables (`spells` and those that `build_panel` needs)."""
        ready = panel or build_panel(tables, config.last_day)
        spells = tables["spells"]
        keys = spells["contact_key"].to_numpy(dtype=np.uint64)
        noise = Noise(Rng(config.seed))
        works = np.where(spells["level"].to_numpy() == "director_plus", 0.25, 0.95)
        uses = ~spells["is_duplicate"].to_numpy() & noise.chance(works, "usage.person", keys)
        target = config.events_per_day
        density = 1.0 if target is None else target / (_BASE_EVENTS_PER_DAY * config.scale)
        released = released_on(ready).to_numpy().astype("datetime64[D]")
        return cls(noise, ready, spells[uses].reset_index(drop=True), released, density)

    def month_users(self, month_no: int) -> pd.DataFrame:
        """Users who may be active in a month.

        Returns:
            row (of panel.months), key, pace (chance of activity on an average weekday),
            contact (row of people, -1 for users the CRM does not know).
        """
        months = self.panel.months
        low, high = np.searchsorted(months["month_no"].to_numpy(), [month_no, month_no + 1])
        block = months.iloc[low:high]
        known = self._known_users(month_no, low, block)
        # Licences held by name on the month's first day; a newcomer takes over nobody's before.
        begin = np.datetime64(month_no, "M").astype("datetime64[D]")
        named = self.people["known_on"].to_numpy().astype("datetime64[D]")[known["contact"]] < begin
        taken = np.bincount(known["row"].to_numpy()[named] - low, minlength=len(block))
        home = block["key"].to_numpy()
        # Some customers lend out logins: more people than licences.
        extra = 1.0 + 0.22 * self.noise.chance(0.12, "usage.shared_logins", home)
        seats = np.ceil(block["seats"].to_numpy(dtype=float) * extra)
        row, k = spread(np.maximum(seats - taken, 0))
        phase = self.noise.whole(0, _IDENTITY_MONTHS - 1, "usage.phase", home[row], k)
        key = fold(home[row], k, (month_no + phase) // _IDENTITY_MONTHS, 9)
        adopts = self.noise.uniform("usage.adopts", key) < self._breadth(block)[row]
        anonymous = pd.DataFrame({"row": row[adopts] + low, "key": key[adopts], "contact": -1})
        users = pd.concat([known, anonymous], ignore_index=True)
        keen = self.noise.normal("usage.keen", users["key"].to_numpy())
        keen = keen + 0.7 * (users["contact"].to_numpy() >= 0)
        pull = self._frequency(block)[users["row"].to_numpy() - low]
        users["pace"] = np.clip(np.exp(-3.50 + 1.15 * keen) * pull, 0.002, 0.95)
        return users

    def _known_users(self, month_no: int, low: int, block: pd.DataFrame) -> pd.DataFrame:
        """Users who are contacts: they stop when they leave the customer."""
        begin = np.datetime64(month_no, "M").astype("datetime64[D]")
        finish = np.datetime64(month_no + 1, "M").astype("datetime64[D]")
        start = self.people["known_on"].to_numpy().astype("datetime64[D]")
        end = self.people["end"].to_numpy().astype("datetime64[D]")
        here = np.flatnonzero((start < finish) & (end > begin))
        row = pd.Series(np.arange(len(block)), index=block["position"].to_numpy())
        at = (
            pd.Series(self.people["position"].to_numpy()[here])
            .map(row)
            .fillna(-1)
            .to_numpy(dtype=np.int64)
        )
        here, at = here[at >= 0], at[at >= 0]
        person = self.people["contact_key"].to_numpy(dtype=np.uint64)[here]
        key = fold(person, self.people["slot"].to_numpy()[here], 8)
        adopts = self.noise.uniform("usage.adopts", key) < 0.35 + 0.65 * self._breadth(block)[at]
        return only(pd.DataFrame({"row": at + low, "key": key, "contact": here}), adopts)

    @staticmethod
    def _breadth(block: pd.DataFrame) -> F64:
        """Share of the seats that are used at all in a month."""
        value = block["value_realised"].to_numpy(dtype=float)
        happy = block["users_happy"].to_numpy(dtype=float)
        champion = block["champion_in_place"].to_numpy(dtype=float)
        need = np.clip(0.95 - block["need"].to_numpy(dtype=float), 0, 1)
        share = 0.08 + 0.72 * value + 0.07 * champion + 0.15 * happy - 0.2 * need
        return np.clip(share, 0.03, 0.98)

    @staticmethod
    def _frequency(block: pd.DataFrame) -> F64:
        """How often those who use it do, relative."""
        value = block["value_realised"].to_numpy(dtype=float)
        need = np.clip(0.95 - block["need"].to_numpy(dtype=float), 0, 1)
        paused = block["is_paused"].to_numpy(dtype=float)
        notice = block["is_notice_given"].to_numpy(dtype=float)
        young = np.clip(block["tenure_months"].to_numpy(dtype=float) / 3.0, 0.35, 1.0)
        pull = (0.40 + 1.15 * value) * (1 - 0.5 * need) * (1 - 0.45 * notice) * young
        return np.asarray(pull * (1 - paused), dtype=np.float64)

    def month_events(self, month_no: int) -> pd.DataFrame:
        """All events of a month by local day, each with its (first) instant of receipt.

        Returns:
            row, key (user), event_key, contact, position, event_at and received_at (naive UTC),
            feature (number, -1 for a sign-in). Sorted by nothing in particular.
        """
        users = self.month_users(month_no)
        begin = np.datetime64(month_no, "M").astype("datetime64[D]")
        length = int((np.datetime64(month_no + 1, "M").astype("datetime64[D]") - begin).astype(int))
        calendar = begin + np.arange(length)
        weekday = _WEEKDAY[(calendar.astype(np.int64) + 3) % 7]
        season = _SEASON[month_no % 12]
        key = users["key"].to_numpy()
        pace = users["pace"].to_numpy()
        # Users x days at once: a month of the demo company is about a million cells.
        cells = np.repeat(key, length)
        day_no = np.tile(np.arange(length), key.size)
        chance = np.repeat(pace * season, length) * np.tile(weekday, key.size)
        active = np.flatnonzero(
            self.noise.uniform("usage.active", cells, month_no * 32 + day_no) < chance
        )
        user, day_no = active // length, day_no[active]
        session = self.noise.bits("usage.session", key[user], month_no * 32 + day_no)
        more = self.noise.poisson((0.35 + 2.6 * pace[user]) * self.density, "usage.more", session)
        more += np.int64(self.density > 1.5) * int(self.density)
        at, k = spread(more + 1)
        user, day_no, session = user[at], day_no[at], session[at]
        event = fold(session, k)
        row = users["row"].to_numpy()[user]
        position = self.panel.months["position"].to_numpy()[row]
        event_at = self._instants(calendar, day_no, position, session, event, k)
        contact = users["contact"].to_numpy()[user]
        kept = self.panel.serves(position, event_at) & self._still_there(contact, event_at)
        frame = pd.DataFrame(
            {
                "row": row,
                "key": key[user],
                "event_key": event,
                "contact": contact,
                "position": position,
                "event_at": event_at,
                "session_start": k == 0,
            }
        )
        frame = only(frame, kept)
        frame["feature"] = self._features(frame)
        return frame

    def _instants(
        self,
        calendar: npt.NDArray[np.datetime64],
        day_no: I64,
        position: I64,
        session: U64,
        event: U64,
        k: I64,
    ) -> npt.NDArray[np.datetime64]:
        """Client clock: a session starts in office hours, its events follow within minutes."""
        zone = pd.Categorical(self.panel.accounts["zone"])
        offsets = _offset_hours(calendar, list(zone.categories))
        start = 7.5 + 10.0 * self.noise.uniform("usage.hour", session)
        minutes = k * (1.0 + 14.0 * self.noise.uniform("usage.minute", event))
        local = start + minutes / 60.0 - offsets[np.asarray(zone.codes)[position], day_no]
        midnight = calendar.astype("datetime64[us]")[day_no]
        # Millisecond clocks, as browsers have.
        instants: npt.NDArray[np.datetime64] = midnight + (
            np.floor(local * 3_600_000) * 1_000
        ).astype("timedelta64[us]")
        return instants

    def _still_there(self, contact: I64, event_at: npt.NDArray[np.datetime64]) -> Any:
        day = event_at.astype("datetime64[D]")
        if self.people.empty:
            return np.ones(contact.size, dtype=bool)
        start = self.people["known_on"].to_numpy().astype("datetime64[D]")[contact]
        end = self.people["end"].to_numpy().astype("datetime64[D]")[contact]
        return (contact < 0) | ((day >= start) & (day < end))

    def _features(self, events: pd.DataFrame) -> I64:
        """Feature number per event; -1 for a sign-in.

        A feature that the plan lacks, that is not released yet or that this user does not touch
        gives way to the basic one.
        """
        event = events["event_key"].to_numpy()
        row = events["row"].to_numpy()
        months = self.panel.months
        drawn = self.noise.pick([f[6] for f in FEATURES], "usage.feature", event)
        rank = plan_rank(months["plan_family"]).to_numpy()[row]
        needed = np.asarray([LADDER.index(f[2]) if f[2] in LADDER else 99 for f in FEATURES])
        value = months["value_realised"].to_numpy(dtype=float)[row]
        reach = np.asarray([f[7] for f in FEATURES])[drawn] * (0.55 + 0.75 * value)
        for name, flag in ((STICKY, "uses_sticky_feature"), (DECOY, "uses_decoy_feature")):
            number = [f[0] for f in FEATURES].index(name)
            planted = np.where(months[flag].to_numpy(dtype=bool)[row], 0.8, 0.03)
            reach = np.where(drawn == number, planted, reach)
        touches = self.noise.uniform("usage.touches", events["key"].to_numpy(), drawn) < reach
        released = events["event_at"].to_numpy().astype("datetime64[D]") >= self.released[drawn]
        drawn = np.where((needed[drawn] <= rank) & touches & released, drawn, 0)
        sign_in = events["session_start"].to_numpy() & self.noise.chance(
            0.40, "usage.sign_in", event
        )
        return np.where(sign_in, -1, drawn).astype(np.int64)

    def deliveries(self, month_no: int) -> pd.DataFrame:
        """Events of a month as they were delivered: late ones late, re-sent batches twice."""
        events = self.month_events(month_no)
        event = events["event_key"].to_numpy()
        seconds = self.noise.exponential(8.0, "usage.network", event) + 0.2
        late = self.noise.chance(LATE_SHARE, "usage.late", event)
        behind = 86_400.0 * (1.0 + 19.0 * self.noise.uniform("usage.behind", event))
        delay = np.where(late, behind, seconds)
        received = events["event_at"].to_numpy() + (delay * 1e6).astype("timedelta64[us]")
        events["received_at"] = received
        # A client repeats its batch when the answer is lost: all of a user's events of that hour.
        batch = fold(events["key"].to_numpy(), received.astype("datetime64[h]").astype(np.int64))
        twice = self.noise.chance(RESENT_SHARE, "usage.resent", batch)
        wait = np.where(self.noise.chance(0.6, "usage.resent_soon", batch), 0.05, 60.0)
        again = hours(wait * self.noise.uniform("usage.resent_after", batch) + 0.01)
        copies = events[twice].assign(received_at=(received + again)[twice])
        return pd.concat([events, copies], ignore_index=True)

    def rendered(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Deliveries with ids and texts, in the columns of the event files.

        Texts are made as Arrow columns, each distinct one once: a Python object per row would cost
        more than everything else together.
        """
        key, event = rows["key"].to_numpy(), rows["event_key"].to_numpy()
        number, position = rows["feature"].to_numpy(), rows["position"].to_numpy()
        nameless = self.noise.chance(0.01, "usage.nameless", event)
        orphan = self.noise.chance(0.003, "usage.orphan", event)
        workspace = np.where(orphan, len(self.panel.accounts), position)
        places = [*self.panel.accounts["workspace_id"].fillna(""), _ORPHAN_WORKSPACE]
        user, users = pd.factorize(key)
        contact = rows["contact"].to_numpy()
        # Product teams hand the CRM's contact id over where they know it.
        told = (number < 0) & (contact >= 0) & self.noise.chance(0.7, "usage.linked", key)
        client = self.noise.pick([0.78, 0.17, 0.05], "usage.client", event)
        who, linked = pd.factorize(np.where(told, contact, -1))
        person = self.people["contact_id"].to_numpy(dtype=object)
        properties = list(_CLIENTS) + [
            f'{{"client":"web","crm_contact_id":"{person[c]}"}}' if c >= 0 else "" for c in linked
        ]
        table = pa.table(
            {
                "message_id": plain_texts("m_", event, 16),
                "event": _texts((number >= 0).astype(np.int64), ["signed_in", "feature_used"]),
                "event_at": _instants(rows["event_at"]),
                "received_at": _instants(rows["received_at"]),
                "workspace_id": _texts(workspace, places),
                "user_id": _texts(np.where(nameless, -1, user), plain_texts("u_", users)),
                "anonymous_id": _texts(np.where(nameless, user, -1), plain_texts("a_", users)),
                "feature": _texts(number, [f[0] for f in FEATURES]),
                "properties": _texts(np.where(told, who + len(_CLIENTS), client), properties),
            }
        )
        frame: pd.DataFrame = table.to_pandas()
        return frame


def _texts(number: I64, values: Any) -> pa.Array:
    """Text per row by its number; missing where the number is negative."""
    texts = pa.array(values, type=pa.large_string())
    return texts.take(pa.array(number, mask=number < 0))


def _instants(column: pd.Series) -> pa.Array:
    return pa.array(column.to_numpy(dtype="datetime64[us]")).cast(pa.timestamp("us", tz="UTC"))


def raw_from(config: WorldConfig) -> date:
    """First day of the raw events; usage before it exists as monthly aggregates only."""
    month = max(config.horizon_month - RAW_MONTHS + 1, config.start_month)
    return date(1970 + month // 12, month % 12 + 1, 1)


def iter_usage_days(
    world: HasUsage, first: date, last: date
) -> Iterator[tuple[date, pd.DataFrame]]:
    """Events by the UTC day of receipt, in order of receipt, days without events included.

    Args:
        world: a built world.
        first: first day of receipt; events from before it that arrive late are included.
        last: last day of receipt, at most the horizon.

    Yields:
        (day, frame) with message_id, event, event_at, received_at, workspace_id, user_id (may be
        missing), anonymous_id, feature (missing for sign-ins), properties (JSON text).

    Raises:
        ValueError: if last lies after the world's horizon, or before first.
    """
    if last > world.config.last_day:
        raise ValueError(f"usage ends with the world on {world.config.last_day}; {last} is later")
    if last < first:
        raise ValueError(f"the last day {last} lies before the first day {first}")
    usage = Usage.of(world.tables, world.config)
    oldest = max(first - timedelta(days=_LOOK_BACK_DAYS), world.config.first_day)
    month_no = (oldest.year - 1970) * 12 + oldest.month - 1
    newest = last + timedelta(days=_LOOK_AHEAD_DAYS)
    final = min((newest.year - 1970) * 12 + newest.month - 1, world.config.horizon_month)
    held = pd.DataFrame()
    day = first
    while month_no <= final:
        month = usage.deliveries(month_no)
        month = month[month["received_at"] >= np.datetime64(first, "us")]
        held = pd.concat([held, month], ignore_index=True) if len(held) else month
        month_no += 1
        # Events of the next month's first local day may already have happened in UTC.
        finished = np.datetime64(month_no, "M").astype("datetime64[D]").astype(date)
        until = last if month_no > final else min(last, finished - timedelta(days=2))
        edge = np.datetime64(until + timedelta(days=1), "us")
        ready = held["received_at"].to_numpy() < edge
        batch = usage.rendered(_in_order(held[ready]))
        held = held[~ready]
        received = naive(batch["received_at"]).astype("datetime64[D]")
        while day <= until:
            low, high = np.searchsorted(received, [np.datetime64(day), np.datetime64(day) + 1])
            yield day, batch.iloc[low:high].reset_index(drop=True)
            day += timedelta(days=1)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    order = np.lexsort((rows["event_key"].to_numpy(), rows["received_at"].to_numpy()))
    return rows.iloc[order]


def add_usage(tables: Tables, noise: Noise, panel: Panel, config: WorldConfig) -> Tables:
    """Monthly aggregates of the months before raw events are kept.

    Returns:
        usage_monthly: workspace_id, month (first day), active_users, events, features_used,
        licences, known_at. Counted over users, with days and features in expectation.
    """
    usage = Usage.of(tables, config, panel)
    start = raw_from(config)
    limit = (start.year - 1970) * 12 + start.month - 1
    present = panel.months["month_no"].to_numpy()
    parts = [usage_month(usage, int(m)) for m in np.unique(present[present < limit])]
    columns = [
        "workspace_id",
        "month",
        "active_users",
        "events",
        "features_used",
        "licences",
        "known_at",
    ]
    empty = pd.DataFrame({name: pd.Series([], dtype="object") for name in columns})
    table = pd.concat(parts, ignore_index=True) if parts else empty
    return {"usage_monthly": table if table.empty else happened(table, "known_at", panel.horizon)}


def usage_month(usage: Usage, month_no: int) -> pd.DataFrame:
    """Aggregates of one month per workspace, by the same users and paces as the raw events."""
    users = usage.month_users(month_no)
    low, high = np.searchsorted(usage.panel.months["month_no"].to_numpy(), [month_no, month_no + 1])
    block = usage.panel.months.iloc[low:high]
    pace = users["pace"].to_numpy()
    month = np.datetime64(month_no, "M")
    begin = month.astype("datetime64[D]")
    finish = (month + 1).astype("datetime64[D]")
    weekdays = float(np.busday_count(begin, finish))
    active_days = pace * _SEASON[month_no % 12] * weekdays
    seen = usage.noise.uniform("usage.month_seen", users["key"].to_numpy(), month_no) < (
        1.0 - np.exp(-active_days)
    )
    counts = usage.noise.poisson(
        active_days * (1.35 + 2.6 * pace) * usage.density,
        "usage.month_events",
        users["key"].to_numpy(),
        month_no,
    )
    counts = np.where(seen, np.maximum(counts, 1), 0)
    at = users["row"].to_numpy() - low
    active = np.bincount(at, weights=seen, minlength=len(block))
    events = np.bincount(at, weights=counts, minlength=len(block))
    rank = plan_rank(block["plan_family"]).to_numpy()
    open_features = sum(
        ((rank >= LADDER.index(f[2])) if f[2] in LADDER else np.zeros(len(block), dtype=bool))
        & bool(usage.released[number] < finish)
        for number, f in enumerate(FEATURES)
    )
    share = 1.0 - np.exp(-events / 40.0)
    used = np.round(np.asarray(open_features) * share * (0.5 + 0.5 * block["value_realised"]))
    frame = pd.DataFrame(
        {
            "workspace_id": usage.panel.at("workspace_id", block["position"].to_numpy()),
            "month": dates(np.full(len(block), begin)),
            "active_users": active.astype(np.int64),
            "events": events.astype(np.int64),
            "features_used": used.to_numpy(dtype=np.int64),
            "licences": block["seats"].to_numpy(dtype=np.int64),
            "known_at": utc(np.full(len(block), finish + np.timedelta64(30, "h"))),
        }
    )
    return frame[frame["events"] > 0]


def _offset_hours(calendar: npt.NDArray[np.datetime64], zones: list[str]) -> F64:
    """UTC offset at noon of each zone and day, in hours."""
    noon = pd.DatetimeIndex(calendar.astype("datetime64[s]") + np.timedelta64(12, "h"))
    table = np.empty((len(zones), len(calendar)))
    for number, zone in enumerate(zones):
        there = noon.tz_localize(zone)
        away = noon.to_numpy() - there.tz_convert("UTC").tz_localize(None).to_numpy()
        table[number] = away / np.timedelta64(1, "s") / 3_600.0
    return table
