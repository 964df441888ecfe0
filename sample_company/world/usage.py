"""Product usage: raw events by the day they were received, and monthly aggregates before that.

Belongs here: who of an account uses the product on which day, which features, and how the events
arrive (late, twice, for workspaces nobody owns). Breadth and frequency follow the value realised;
nobody uses the product outside the days of service.
Must not be here: file layouts of event exports, rows that are broken in them (see `event_mess`).

Work is done on columns, a stretch of days and a share of the users at a time, and every event is a
pure function of the world: any range of days gives the same events, in whatever order ranges are
asked for. Memory is a few hundred thousand events, and the account-months of the raw window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sample_company.ids import workspace_ids
from sample_company.rng import F64, I64, U64, Rng
from sample_company.world import event_mess
from sample_company.world.config import WorldConfig
from sample_company.world.noise import Bool, Noise, fold, spread
from sample_company.world.offer import DECOY, FEATURES, LADDER, STICKY, plan_rank, released_on
from sample_company.world.office import hours, utc
from sample_company.world.panel import (
    Days,
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
#: Events received a day in June 2026, by companies of the demo's size and of the small one's: the
#: mean over seeds, as a single seed's largest customers move it by a quarter.
_BASE_EVENTS_PER_DAY, _SMALL_EVENTS_PER_DAY = 7_400.0, 630.0
#: Workspaces of events that nobody owns: one in fifty of the demo company's and of the small one's.
_SANDBOXES, _SMALL_SANDBOXES, _SANDBOX_SHARE = 28, 4, 0.003
#: Monday to Sunday, relative.
_WEEKDAY = np.asarray([0.98, 1.06, 1.08, 1.04, 0.84, 0.07, 0.05])
#: January to December, relative.
_SEASON = np.asarray([0.98, 1.02, 1.05, 1.0, 0.98, 1.0, 0.88, 0.82, 1.05, 1.06, 1.04, 0.78])
#: When sessions start, by hour of the user's own clock: mornings, a lunch break, a few evenings.
_HOURS = np.asarray([0.2, 0.1, 0.1, 0.1, 0.2, 0.5, 1.6, 4.2, 8.8, 11.0, 11.4, 10.0,
                     6.4, 8.2, 10.2, 9.6, 7.8, 4.8, 2.1, 1.3, 1.1, 0.9, 0.6, 0.3])  # fmt: skip
_HOUR_EDGES = np.concatenate([[0.0], np.cumsum(_HOURS) / _HOURS.sum()])
_IDENTITY_MONTHS = 72
_CLIENTS = ('{"client":"web"}', '{"client":"mobile"}', '{"client":"api"}')
_MONTHS = 1 << 20
#: What is drawn at once: user-days, accounts of a month, events before they are handed on.
_CELLS, _ACCOUNTS, _BATCH, _RENDERED = 1_000_000, 8_000, 500_000, 250_000


class HasUsage(Protocol):
    """What usage needs of a world."""

    config: WorldConfig
    tables: dict[str, pd.DataFrame]


@dataclass(frozen=True)
class Usage:
    """A company's usage, ready to be drawn for any days.

    Attributes:
        config: size, seed and horizon.
        homes: a row an account: key, zone, workspace_id.
        months: a row an account-month in service, by month and account: position (row of homes),
            key, month_no, first and last (days of service), seats, rank of the plan, breadth (share
            of seats used), pull (how often), value_realised, sticky, decoy.
        people: a row a spell of somebody who uses the product: position, slot, contact_key,
            contact_id, known_on, end.
        released: release day of each feature.
    """

    config: WorldConfig
    homes: pd.DataFrame
    months: pd.DataFrame
    people: pd.DataFrame
    released: npt.NDArray[np.datetime64]
    noise: Noise = field(init=False)
    density: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "noise", Noise(Rng(self.config.seed)))
        target = self.config.events_per_day
        base = _BASE_EVENTS_PER_DAY * self.config.scale
        if self.config.size == "small":
            base = _SMALL_EVENTS_PER_DAY
        object.__setattr__(self, "density", 1.0 if target is None else target / base)

    @classmethod
    def of(
        cls,
        tables: Tables,
        config: WorldConfig,
        panel: Panel | None = None,
        since: date | None = None,
    ) -> Usage:
        """Prepare from the world's tables (`spells` and those that `build_panel` needs).

        Args:
            tables: the world's tables.
            config: the company's seed, size and horizon.
            panel: account-months, if they are there already.
            since: leave out what no event from then on needs; None keeps everything.
        """
        ready = panel or build_panel(tables, config.last_day)
        spells = tables["spells"]
        keys = spells["contact_key"].to_numpy(dtype=np.uint64)
        works = np.where(spells["level"].to_numpy() == "director_plus", 0.25, 0.95)
        uses = ~spells["is_duplicate"].to_numpy() & Noise(Rng(config.seed)).chance(
            works, "usage.person", keys
        )
        months = ready.months
        if since is not None:
            oldest = np.datetime64(since - timedelta(days=_LOOK_BACK_DAYS), "M")
            months = months[months["month_no"] >= oldest.astype(np.int64) - 1]
            uses &= spells["end"].to_numpy() >= oldest.astype("datetime64[s]")
        people = spells.loc[
            uses, ["position", "slot", "contact_key", "contact_id", "known_on", "end"]
        ]
        return cls(
            config=config,
            homes=ready.accounts[["key", "zone", "workspace_id"]],
            months=_behaviour(months),
            people=people.reset_index(drop=True),
            released=released_on(ready).to_numpy().astype("datetime64[D]"),
        )

    @classmethod
    def joined(cls, config: WorldConfig, parts: Sequence[Usage]) -> Usage:
        """One company out of several that share no account."""
        offsets = np.cumsum([0, *[len(part.homes) for part in parts]])
        months, people = (
            pd.concat(
                [
                    frame.assign(position=frame["position"] + offset)
                    for frame, offset in zip(frames, offsets, strict=False)
                ],
                ignore_index=True,
            )
            for frames in ([p.months for p in parts], [p.people for p in parts])
        )
        return cls(
            config=config,
            homes=pd.concat([part.homes for part in parts], ignore_index=True),
            months=months.sort_values(["month_no", "position"], kind="stable", ignore_index=True),
            people=people,
            released=parts[0].released,
        )

    # Columns as arrays: taken out of the frames once, not once a batch.

    @cached_property
    def _column(self) -> dict[str, npt.NDArray[Any]]:
        months = self.months
        return {
            "code": months["month_no"].to_numpy() * _MONTHS + months["position"].to_numpy(),
            "first": months["first"].to_numpy().astype("datetime64[D]"),
            "last": months["last"].to_numpy().astype("datetime64[D]"),
            "since": self.people["known_on"].to_numpy().astype("datetime64[D]"),
            "until": self.people["end"].to_numpy().astype("datetime64[D]"),
        }

    @cached_property
    def _zone(self) -> tuple[I64, list[str]]:
        zone = pd.Categorical(self.homes["zone"])
        return np.asarray(zone.codes, dtype=np.int64), list(zone.categories)

    @cached_property
    def _places(self) -> pa.Array:
        """Workspaces of the accounts, then those that nobody owns."""
        owned = self.homes["workspace_id"].fillna("").to_numpy(dtype=object)
        number = np.arange(self._sandboxes_opened.size)
        nobody = workspace_ids(self.noise.bits("usage.sandbox", number))
        return pa.array(np.concatenate([owned, nobody]), type=pa.large_string())

    @cached_property
    def _sandboxes_opened(self) -> Days:
        """The day from which each workspace that nobody owns is used; the first one from the start.

        They open over the years for which a company of this size is built.
        """
        is_small = self.config.size == "small"
        count = _SMALL_SANDBOXES if is_small else max(4, round(_SANDBOXES * self.config.scale))
        number = np.arange(count)
        years = 4.0 if is_small else 15.0
        after = self.noise.uniform("usage.sandbox_opened", number) * years * 365.0
        opened = np.datetime64(self.config.first_day, "D") + np.floor(after).astype(
            "timedelta64[D]"
        )
        return np.where(number == 0, np.datetime64(self.config.first_day, "D"), opened)

    def month_users(self, month_no: int) -> pd.DataFrame:
        """Users who may be active in a month.

        Returns:
            row (of months), key, pace (chance of activity on an average weekday),
            contact (row of people, -1 for users the CRM does not know).
        """
        low, high = np.searchsorted(self.months["month_no"].to_numpy(), [month_no, month_no + 1])
        block = self.months.iloc[low:high]
        known = self._known_users(month_no, low, block)
        # Licences held by name on the month's first day; a newcomer takes over nobody's before.
        begin = np.datetime64(month_no, "M").astype("datetime64[D]")
        named = self._column["since"][known["contact"]] < begin
        taken = np.bincount(known["row"].to_numpy()[named] - low, minlength=len(block))
        parts = [known]
        for at in range(0, len(block), _ACCOUNTS):
            some = slice(at, at + _ACCOUNTS)
            parts.append(self._unnamed_users(month_no, low + at, block.iloc[some], taken[some]))
        users = pd.concat(parts, ignore_index=True)
        keen = self.noise.normal("usage.keen", users["key"].to_numpy())
        keen = keen + 0.7 * (users["contact"].to_numpy() >= 0)
        pull = self.months["pull"].to_numpy()[users["row"].to_numpy()]
        users["pace"] = np.clip(np.exp(-3.50 + 1.15 * keen) * pull, 0.002, 0.95)
        return users

    def _unnamed_users(
        self, month_no: int, low: int, block: pd.DataFrame, taken: I64
    ) -> pd.DataFrame:
        """Users of whom the CRM knows nothing, on the licences that are left."""
        home = block["key"].to_numpy()
        # Some customers lend out logins: more people than licences.
        extra = 1.0 + 0.22 * self.noise.chance(0.12, "usage.shared_logins", home)
        seats = np.ceil(block["seats"].to_numpy(dtype=float) * extra)
        row, k = spread(np.maximum(seats - taken, 0))
        phase = self.noise.whole(0, _IDENTITY_MONTHS - 1, "usage.phase", home[row], k)
        key = fold(home[row], k, (month_no + phase) // _IDENTITY_MONTHS, 9)
        adopts = self.noise.uniform("usage.adopts", key) < block["breadth"].to_numpy()[row]
        return pd.DataFrame({"row": row[adopts] + low, "key": key[adopts], "contact": -1})

    def _known_users(self, month_no: int, low: int, block: pd.DataFrame) -> pd.DataFrame:
        """Users who are contacts: they stop when they leave the customer."""
        begin = np.datetime64(month_no, "M").astype("datetime64[D]")
        finish = np.datetime64(month_no + 1, "M").astype("datetime64[D]")
        here = np.flatnonzero((self._column["since"] < finish) & (self._column["until"] > begin))
        row = np.full(len(self.homes), -1, dtype=np.int64)
        row[block["position"].to_numpy()] = np.arange(len(block))
        at = row[self.people["position"].to_numpy()[here]]
        here, at = here[at >= 0], at[at >= 0]
        person = self.people["contact_key"].to_numpy(dtype=np.uint64)[here]
        key = fold(person, self.people["slot"].to_numpy()[here], 8)
        share = 0.35 + 0.65 * block["breadth"].to_numpy()[at]
        adopts = self.noise.uniform("usage.adopts", key) < share
        return only(pd.DataFrame({"row": at + low, "key": key, "contact": here}), adopts)

    def events_a_day(self, users: pd.DataFrame, month_no: int) -> float:
        """Events expected on an average day of a month."""
        pace = users["pace"].to_numpy()
        active = pace * _SEASON[month_no % 12] * _WEEKDAY.mean()
        return float((active * (1.35 + 2.6 * pace)).sum()) * self.density

    def events(
        self,
        users: pd.DataFrame,
        month_no: int,
        first: int,
        last: int,
        *,
        features: bool = True,
    ) -> pd.DataFrame:
        """All events of some local days of a month.

        Args:
            users: the month's users (`month_users`).
            month_no: the month.
            first: first day of the month to draw, from 0.
            last: last day to draw.
            features: whether to draw which feature was used.

        Returns:
            row, key (user), event_key, contact, position, event_at (naive UTC), session_start,
            feature (number, -1 for a sign-in). Sorted by nothing in particular.
        """
        share = max(1, _CELLS // (last - first + 1))
        parts = [
            self._events_of(users.iloc[at : at + share], month_no, first, last, features)
            for at in range(0, max(len(users), 1), share)
        ]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def _events_of(
        self, users: pd.DataFrame, month_no: int, first: int, last: int, features: bool
    ) -> pd.DataFrame:
        begin = np.datetime64(month_no, "M").astype("datetime64[D]")
        numbers = np.arange(first, last + 1)
        calendar = begin + numbers
        weekday = _WEEKDAY[(calendar.astype(np.int64) + 3) % 7]
        season = _SEASON[month_no % 12]
        key = users["key"].to_numpy()
        pace = users["pace"].to_numpy()
        # A thin company has fewer days of use, a dense one more events on each of them.
        thin, dense = min(self.density, 1.0), max(self.density, 1.0)
        chance = np.repeat(pace * season * thin, numbers.size) * np.tile(weekday, key.size)
        drawn = self.noise.uniform(
            "usage.active",
            np.repeat(key, numbers.size),
            month_no * 32 + np.tile(numbers, key.size),
        )
        active = np.flatnonzero(drawn < chance)
        user, day = active // numbers.size, active % numbers.size
        session = self.noise.bits("usage.session", key[user], month_no * 32 + numbers[day])
        more = self.noise.poisson(dense * (1.35 + 2.6 * pace[user]) - 1.0, "usage.more", session)
        at, k = spread(more + 1)
        user, day, session = user[at], day[at], session[at]
        event = fold(session, k)
        row = users["row"].to_numpy()[user]
        position = self.months["position"].to_numpy()[row]
        event_at = self._instants(calendar, day, position, session, event, k)
        contact = users["contact"].to_numpy()[user]
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
        frame = only(frame, self._serves(position, event_at) & self._is_there(contact, event_at))
        return frame.assign(feature=self._features(frame)) if features else frame

    def _instants(
        self,
        calendar: npt.NDArray[np.datetime64],
        day_no: I64,
        position: I64,
        session: U64,
        event: U64,
        k: I64,
    ) -> npt.NDArray[np.datetime64]:
        """Client clock: a session starts mostly in office hours, its events follow in minutes."""
        codes, names = self._zone
        offsets = _offset_hours(calendar, names)
        start = np.interp(self.noise.uniform("usage.hour", session), _HOUR_EDGES, np.arange(25.0))
        minutes = k * (1.0 + 14.0 * self.noise.uniform("usage.minute", event))
        local = start + minutes / 60.0 - offsets[codes[position], day_no]
        midnight = calendar.astype("datetime64[us]")[day_no]
        # Millisecond clocks, as browsers have.
        instants: npt.NDArray[np.datetime64] = midnight + (
            np.floor(local * 3_600_000) * 1_000
        ).astype("timedelta64[us]")
        return instants

    def _serves(self, position: I64, event_at: npt.NDArray[np.datetime64]) -> Bool:
        """Whether the account is in service on the UTC day of the event."""
        known = self._column["code"]
        if known.size == 0:
            return np.zeros(position.shape, dtype=np.bool_)
        month_no = event_at.astype("datetime64[M]").astype(np.int64)
        code = month_no * _MONTHS + position
        row = np.minimum(np.searchsorted(known, code), known.size - 1)
        day = event_at.astype("datetime64[D]")
        first, last = self._column["first"][row], self._column["last"][row]
        return np.asarray((known[row] == code) & (day >= first) & (day <= last), dtype=np.bool_)

    def _is_there(self, contact: I64, event_at: npt.NDArray[np.datetime64]) -> Bool:
        if self.people.empty:
            return np.ones(contact.size, dtype=np.bool_)
        day = event_at.astype("datetime64[D]")
        since, until = self._column["since"][contact], self._column["until"][contact]
        return np.asarray((contact < 0) | ((day >= since) & (day < until)), dtype=np.bool_)

    def _features(self, events: pd.DataFrame) -> I64:
        """Feature number per event; -1 for a sign-in.

        A feature that the plan lacks, that is not released yet or that this user does not touch
        gives way to the basic one.
        """
        event = events["event_key"].to_numpy()
        row = events["row"].to_numpy()
        months = self.months
        drawn = self.noise.pick([f[6] for f in FEATURES], "usage.feature", event)
        rank = months["rank"].to_numpy()[row]
        needed = np.asarray([LADDER.index(f[2]) if f[2] in LADDER else 99 for f in FEATURES])
        value = months["value_realised"].to_numpy()[row]
        reach = np.asarray([f[7] for f in FEATURES])[drawn] * (0.55 + 0.75 * value)
        for name, flag in ((STICKY, "sticky"), (DECOY, "decoy")):
            number = [f[0] for f in FEATURES].index(name)
            planted = np.where(months[flag].to_numpy()[row], 0.8, 0.03)
            reach = np.where(drawn == number, planted, reach)
        touches = self.noise.uniform("usage.touches", events["key"].to_numpy(), drawn) < reach
        released = events["event_at"].to_numpy().astype("datetime64[D]") >= self.released[drawn]
        drawn = np.where((needed[drawn] <= rank) & touches & released, drawn, 0)
        sign_in = events["session_start"].to_numpy() & self.noise.chance(
            0.40, "usage.sign_in", event
        )
        return np.where(sign_in, -1, drawn).astype(np.int64)

    def delivered(self, events: pd.DataFrame) -> pd.DataFrame:
        """Events as they were delivered: late ones late, re-sent batches twice.

        Returns:
            The given columns and received_at, is_late, is_copy; the first delivery is no copy.
        """
        event = events["event_key"].to_numpy()
        seconds = self.noise.exponential(8.0, "usage.network", event) + 0.2
        late = self.noise.chance(LATE_SHARE, "usage.late", event)
        behind = 86_400.0 * (1.0 + 19.0 * self.noise.uniform("usage.behind", event))
        delay = np.where(late, behind, seconds)
        received = events["event_at"].to_numpy() + (delay * 1e6).astype("timedelta64[us]")
        events = events.assign(received_at=received, is_late=late, is_copy=False)
        # A client repeats its batch when the answer is lost: all of a user's events of that hour.
        batch = fold(events["key"].to_numpy(), received.astype("datetime64[h]").astype(np.int64))
        twice = self.noise.chance(RESENT_SHARE, "usage.resent", batch)
        wait = np.where(self.noise.chance(0.6, "usage.resent_soon", batch), 0.05, 60.0)
        again = hours(wait * self.noise.uniform("usage.resent_after", batch) + 0.01)
        copies = events[twice].assign(received_at=(received + again)[twice], is_copy=True)
        return pd.concat([events, copies], ignore_index=True)

    def workspaces(self, rows: pd.DataFrame) -> I64:
        """Number of each event's workspace: the account's position, past them one nobody owns."""
        event = rows["event_key"].to_numpy()
        orphan = self.noise.chance(_SANDBOX_SHARE, "usage.orphan", event)
        opened = self._sandboxes_opened
        drawn = self.noise.whole(0, opened.size - 1, "usage.orphan_which", event)
        day = rows["event_at"].to_numpy().astype("datetime64[D]")
        drawn = np.where(opened[drawn] <= day, drawn, 0)
        return np.where(orphan, len(self.homes) + drawn, rows["position"].to_numpy())

    def rendered(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Deliveries with ids and texts, in the columns of the event files.

        Texts are made as Arrow columns, each distinct one once: a Python object per row would cost
        more than everything else together.
        """
        key, event = rows["key"].to_numpy(), rows["event_key"].to_numpy()
        number = rows["feature"].to_numpy()
        nameless = self.noise.chance(0.01, "usage.nameless", event)
        user, users = pd.factorize(key)
        contact = rows["contact"].to_numpy()
        # Product teams hand the CRM's contact id over where they know it.
        told = (number < 0) & (contact >= 0) & self.noise.chance(0.7, "usage.linked", key)
        client = self.noise.pick([0.78, 0.17, 0.05], "usage.client", event)
        who, linked = pd.factorize(np.where(told, contact, -1))
        person = (
            self.people["contact_id"].iloc[np.maximum(linked, 0)].tolist() if told.any() else []
        )
        properties = list(_CLIENTS) + [
            f'{{"client":"web","crm_contact_id":"{contact_id}"}}' for contact_id in person
        ]
        table = pa.table(
            {
                "message_id": plain_texts("m_", event, 16),
                "event": _texts((number >= 0).astype(np.int64), ["signed_in", "feature_used"]),
                "event_at": _instants(rows["event_at"]),
                "received_at": _instants(rows["received_at"]),
                "workspace_id": self._places.take(pa.array(self.workspaces(rows))),
                "user_id": _texts(np.where(nameless, -1, user), plain_texts("u_", users)),
                "anonymous_id": _texts(np.where(nameless, user, -1), plain_texts("a_", users)),
                "feature": _texts(number, [f[0] for f in FEATURES]),
                "properties": _texts(np.where(told, who + len(_CLIENTS), client), properties),
            }
        )
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def customer_workspace(self, day: date, share: float) -> str | None:
        """A workspace that was a customer's in the month before a day, chosen by a share (0-1).

        The month before, because it is complete: a later horizon must not change the choice.
        """
        month_no = (day.year - 1970) * 12 + day.month - 2
        low, high = np.searchsorted(self.months["month_no"].to_numpy(), [month_no, month_no + 1])
        if low == high:
            return None
        row = int(low) + int(share * (int(high) - int(low)))
        workspace = self.homes["workspace_id"].iloc[int(self.months["position"].iloc[row])]
        return workspace if isinstance(workspace, str) else None

    # --- days -----------------------------------------------------------------------------------

    def deliveries(
        self, first: date, last: date, *, features: bool = True
    ) -> Iterator[tuple[date, date, pd.DataFrame]]:
        """Deliveries received from the first to the last day, a stretch of days after the other.

        Args:
            first: first day of receipt.
            last: last day of receipt, at most the horizon.
            features: whether to draw which feature was used, which counts do not need.

        Yields:
            (first day, last day, deliveries received on them, in order of nothing in particular).
            The stretches are as long as memory allows and leave no day out.

        Raises:
            ValueError: if last lies after the world's horizon, or before first.
        """
        if last > self.config.last_day:
            raise ValueError(
                f"usage ends with the world on {self.config.last_day}; {last} is later"
            )
        if last < first:
            raise ValueError(f"the last day {last} lies before the first day {first}")
        oldest = max(first - timedelta(days=_LOOK_BACK_DAYS), self.config.first_day)
        held: list[pd.DataFrame] = []
        day = first
        for finished, drawn in self._stretches(
            oldest, last + timedelta(days=_LOOK_AHEAD_DAYS), features
        ):
            held.append(drawn[drawn["received_at"].to_numpy() >= np.datetime64(first, "us")])
            # Events of the next local day may already have happened in UTC.
            until = last if finished is None else min(last, finished - timedelta(days=1))
            if until < day:
                continue
            rows = pd.concat(held, ignore_index=True)
            ready = rows["received_at"].to_numpy() < np.datetime64(until + timedelta(days=1), "us")
            held = [rows[~ready]]
            yield day, until, rows[ready]
            day = until + timedelta(days=1)

    def _stretches(
        self, first: date, last: date, features: bool
    ) -> Iterator[tuple[date | None, pd.DataFrame]]:
        """Deliveries of the events of local days, with the last day drawn (None: all are)."""
        month_no = (first.year - 1970) * 12 + first.month - 1
        final = min((last.year - 1970) * 12 + last.month - 1, self.config.horizon_month)
        while month_no <= final:
            begin = np.datetime64(month_no, "M").astype("datetime64[D]").astype(date)
            end = np.datetime64(month_no + 1, "M").astype("datetime64[D]").astype(date)
            users = self.month_users(month_no)
            length = max(1, int(_BATCH / max(self.events_a_day(users, month_no), 1.0)))
            start = max((first - begin).days, 0)
            stop = min((end - begin).days - 1, (last - begin).days)
            for low in range(start, stop + 1, length):
                high = min(low + length - 1, stop)
                drawn = self.delivered(self.events(users, month_no, low, high, features=features))
                is_last = month_no == final and high == stop
                yield None if is_last else begin + timedelta(days=high), drawn
            month_no += 1

    def days(self, first: date, last: date) -> Iterator[tuple[date, Iterator[pd.DataFrame]]]:
        """Events by the UTC day of receipt, in order of receipt, days without events included.

        Yields:
            (day, its events in frames of bounded size). The frames of a day must be taken before
            the next day is asked for. Columns as in `iter_usage_days`.
        """
        for start, until, rows in self.deliveries(first, last):
            ordered = _in_order(rows)
            received = ordered["received_at"].to_numpy().astype("datetime64[D]")
            edges = np.arange(np.datetime64(start), np.datetime64(until) + 2)
            cuts = np.searchsorted(received, edges)
            cut = self._cutter(ordered)
            for number in range(cuts.size - 1):
                yield start + timedelta(days=number), cut(int(cuts[number]), int(cuts[number + 1]))

    def _cutter(self, rows: pd.DataFrame) -> Callable[[int, int], Iterator[pd.DataFrame]]:
        """Rendered slices of ordered deliveries; a small lot is rendered once, not day by day."""
        whole = self.rendered(rows) if len(rows) <= 2 * _BATCH else None

        def cut(low: int, high: int) -> Iterator[pd.DataFrame]:
            for at in range(low, max(high, low + 1), _RENDERED):
                part = slice(at, min(at + _RENDERED, high))
                yield (
                    self.rendered(rows.iloc[part])
                    if whole is None
                    else whole.iloc[part].reset_index(drop=True)
                )

        return cut


def _behaviour(months: pd.DataFrame) -> pd.DataFrame:
    """What of the latent state usage follows, a row an account-month."""
    value = months["value_realised"].to_numpy(dtype=float)
    happy = months["users_happy"].to_numpy(dtype=float)
    champion = months["champion_in_place"].to_numpy(dtype=float)
    paused = months["is_paused"].to_numpy(dtype=float)
    notice = months["is_notice_given"].to_numpy(dtype=float)
    need = np.clip(0.95 - months["need"].to_numpy(dtype=float), 0, 1)
    young = np.clip(months["tenure_months"].to_numpy(dtype=float) / 3.0, 0.35, 1.0)
    breadth = 0.08 + 0.72 * value + 0.07 * champion + 0.15 * happy - 0.2 * need
    pull = (0.40 + 1.15 * value) * (1 - 0.5 * need) * (1 - 0.45 * notice) * young
    columns = ["position", "key", "month_no", "first", "last", "seats"]
    return (
        months[columns]
        .assign(
            rank=plan_rank(months["plan_family"]).astype("int8"),
            breadth=np.clip(breadth, 0.03, 0.98),
            pull=pull * (1 - paused),
            value_realised=value,
            sticky=months["uses_sticky_feature"].to_numpy(dtype=bool),
            decoy=months["uses_decoy_feature"].to_numpy(dtype=bool),
        )
        .reset_index(drop=True)
    )


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
    for day, parts in Usage.of(world.tables, world.config).days(first, last):
        frames = list(parts)
        yield day, frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    order = np.lexsort((rows["event_key"].to_numpy(), rows["received_at"].to_numpy()))
    return rows.iloc[order]


# --- what was planted ---------------------------------------------------------------------------


def delivered_counts(usage: Usage, first: date, last: date) -> pd.DataFrame:
    """What arrived, counted exactly: the truth that totals of good events are compared with.

    Rows that are broken in the files are not among them.

    Returns:
        received_on, event_on (UTC days), events (first deliveries), late (those of them that came
        a day or more behind), copies (second deliveries). Rows of a day never change later.
    """
    parts = []
    for _, _, rows in usage.deliveries(first, last, features=False):
        late, copy = rows["is_late"].to_numpy(), rows["is_copy"].to_numpy()
        days = pd.DataFrame(
            {
                "received_on": rows["received_at"].to_numpy().astype("datetime64[D]"),
                "event_on": rows["event_at"].to_numpy().astype("datetime64[D]"),
                "events": (~copy).astype(np.int64),
                "late": (late & ~copy).astype(np.int64),
                "copies": copy.astype(np.int64),
            }
        ).astype({"received_on": "datetime64[s]", "event_on": "datetime64[s]"})
        parts.append(days.groupby(["received_on", "event_on"], as_index=False).sum())
    return pd.concat(parts, ignore_index=True)


def planted_mess(tables: Tables, config: WorldConfig) -> pd.DataFrame:
    """Every piece of mess in the files of usage, over the months of raw events.

    Args:
        tables: as for `Usage.of`, and `usage_monthly`.
        config: the company's seed, size and horizon.

    Returns:
        mess, object, record_id, other_id, detail, planted_at. `late_event` and `resent_batch` have
        a row a finished month of receipt (record_id) with the number of deliveries as detail;
        `orphan_workspace` a row a workspace that nobody owns; `broken_row` and `future_date` a row
        a row, with the file as other_id and what is wrong as detail.
    """
    first, last = raw_from(config), config.last_day
    usage = Usage.of(tables, config, since=first)
    begin = config.start_month
    late = np.zeros(config.horizon_month - begin + 1, dtype=np.int64)
    copies = late.copy()
    seen: dict[int, np.datetime64] = {}
    for _, _, rows in usage.deliveries(first, last, features=False):
        received = rows["received_at"].to_numpy()
        month = received.astype("datetime64[M]").astype(np.int64) - begin
        copy = rows["is_copy"].to_numpy()
        late += np.bincount(month[rows["is_late"].to_numpy() & ~copy], minlength=late.size)
        copies += np.bincount(month[copy], minlength=late.size)
        place = usage.workspaces(rows)
        orphan = place >= len(usage.homes)
        begun = pd.Series(received[orphan]).groupby(place[orphan]).min()
        for number, at in zip(begun.index.to_numpy(), begun.to_numpy(), strict=True):
            seen[number] = min(seen.get(number, at), at)

    def counts(of: I64) -> dict[int, int]:
        return {begin + int(at): int(of[at]) for at in np.flatnonzero(of)}

    parts = [
        event_mess.monthly_counts("late_event", counts(late), config.last_full_month),
        event_mess.monthly_counts("resent_batch", counts(copies), config.last_full_month),
        pd.DataFrame(
            {
                "mess": "orphan_workspace",
                "object": "workspaces",
                "record_id": [usage._places[number].as_py() for number in seen],
                "other_id": None,
                "detail": "events of a workspace that no account owns",
                "planted_at": utc(list(seen.values())),
            }
        ),
        event_mess.broken_truth(broken_events(usage, first, last)),
    ]
    if "usage_monthly" in tables:
        parts.append(event_mess.negative_truth(tables["usage_monthly"], config.seed))
    return event_mess.ordered(parts)


def broken_events(usage: Usage, first: date, last: date) -> list[event_mess.Broken]:
    """The broken rows of the files of some days; a pure function of seed and day."""
    broken = event_mess.broken_between(usage.config.seed, first, last)
    return event_mess.with_places(broken, usage.customer_workspace)


def add_usage(tables: Tables, noise: Noise, panel: Panel, config: WorldConfig) -> Tables:
    """Monthly aggregates of the months before raw events are kept.

    Returns:
        usage_monthly: workspace_id, month (first day), active_users, events, features_used,
        licences, known_at. Counted over users, with days and features in expectation.
    """
    usage = Usage.of(tables, config, panel)
    start = raw_from(config)
    limit = (start.year - 1970) * 12 + start.month - 1
    present = usage.months["month_no"].to_numpy()
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
    low, high = np.searchsorted(usage.months["month_no"].to_numpy(), [month_no, month_no + 1])
    block = usage.months.iloc[low:high]
    pace = users["pace"].to_numpy()
    month = np.datetime64(month_no, "M")
    begin = month.astype("datetime64[D]")
    finish = (month + 1).astype("datetime64[D]")
    weekdays = float(np.busday_count(begin, finish))
    active_days = pace * _SEASON[month_no % 12] * weekdays * min(usage.density, 1.0)
    seen = usage.noise.uniform("usage.month_seen", users["key"].to_numpy(), month_no) < (
        1.0 - np.exp(-active_days)
    )
    counts = usage.noise.poisson(
        active_days * (1.35 + 2.6 * pace) * max(usage.density, 1.0),
        "usage.month_events",
        users["key"].to_numpy(),
        month_no,
    )
    counts = np.where(seen, np.maximum(counts, 1), 0)
    at = users["row"].to_numpy() - low
    active = np.bincount(at, weights=seen, minlength=len(block))
    events = np.bincount(at, weights=counts, minlength=len(block))
    rank = block["rank"].to_numpy()
    open_features = sum(
        ((rank >= LADDER.index(f[2])) if f[2] in LADDER else np.zeros(len(block), dtype=bool))
        & bool(usage.released[number] < finish)
        for number, f in enumerate(FEATURES)
    )
    share = 1.0 - np.exp(-events / 40.0)
    used = np.round(np.asarray(open_features) * share * (0.5 + 0.5 * block["value_realised"]))
    frame = pd.DataFrame(
        {
            "workspace_id": usage.homes["workspace_id"].to_numpy()[block["position"].to_numpy()],
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
