"""What customers sign: the month-by-month simulation of contracts, as ledgers of dated facts.

Belongs here: who starts, changes, pauses, renews, leaves, returns or merges, when, and at what
price. Must not be here: how billing presents it (`billing`), what it adds up to (`truth`).

Every decision of a month is drawn in that month, from numbers keyed by (purpose, account, month),
and lands in a ledger with the instant from which it is known. Cutting the ledgers at a horizon
therefore gives what was known then, and a later horizon only appends.

Shape of a month, for accounts in force: latent step, programmes, mergers, failed payments, pauses,
early renewals, decisions to leave, renewals, ends, starts, changes inside a period. An account has
at most one of these in a month apart from a decision taken in the very month it takes effect, and a
change inside a period keeps at least two days' distance from any period boundary; so two readers
who treat "the same day" differently still find the same state.

Instants are whole seconds since the epoch. `uid` numbers a subscription: account index x 128 +
running number.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sample_company.clock import (
    DAY,
    HOUR,
    anniversary,
    days_in_month,
    month_of_second,
    month_start_day,
)
from sample_company.rng import Rng
from sample_company.world import latent as lat
from sample_company.world.config import WorldConfig
from sample_company.world.schema import CURRENCIES, MINOR_UNITS, ORIGINS, PLANS, USD_PER_UNIT

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

NEVER = np.int64(2**62)
#: Plans by number; the first four are a ladder.
PLAN_FAMILIES = ("starter", "team", "business", "enterprise", "addon", "analytics")
LIST_USD = np.array([PLANS[family][1] for family in PLAN_FAMILIES])
ADDON, ANALYTICS = 4, 5
RATE = np.array([USD_PER_UNIT[c] for c in CURRENCIES])
MINOR = np.array([MINOR_UNITS[c] for c in CURRENCIES], dtype=np.int64)
YEN = CURRENCIES.index("JPY")
#: A year costs this share of twelve months, a longer term less.
TERM_PRICE = {1: 1.0, 12: 0.85, 24: 0.82, 36: 0.80}

NOTICE_LAG_SHARE = (0.20, 0.30, 0.35, 0.15)
EVERGREEN_MONTH_IN_YEARS = 0.085

ENDS = ("voluntary", "payment_failed", "superseded", "late", "trial_not_converted", "with_main")
(VOLUNTARY, PAYMENT_FAILED, SUPERSEDED, LATE, TRIAL_NOT_CONVERTED, WITH_MAIN) = range(6)
STARTS = ("new", "win_back", "late", "early", "side")
(NEW, WIN_BACK, LATE_START, EARLY, SIDE) = range(5)
CHANGES = ("start", "renewal", "seats", "plan", "to_monthly")
(AT_START, AT_RENEWAL, SEATS, PLAN, TO_MONTHLY) = range(5)
DURATIONS = ("once", "repeating", "forever")
(ONCE, REPEATING, FOREVER) = range(3)
LEVELS = ("subscription", "customer", "item")


class Ledger:
    """Rows collected as arrays, month by month."""

    def __init__(self) -> None:
        self._parts: dict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, table: str, **columns: Any) -> None:
        """Append rows; scalars are broadcast to the longest column."""
        length = max(len(c) for c in columns.values() if isinstance(c, np.ndarray))
        if length:
            full = {k: np.broadcast_to(np.asarray(c), (length,)) for k, c in columns.items()}
            self._parts[table].append({k: np.array(c) for k, c in full.items()})

    def frame(self, table: str, columns: dict[str, Any]) -> pd.DataFrame:
        """Return all rows of a table as a frame; typed and empty when there are none."""
        parts = self._parts.get(table, [])
        if not parts:
            return pd.DataFrame({k: np.array([], dtype=t) for k, t in columns.items()})
        data = {k: np.concatenate([p[k] for p in parts]).astype(t) for k, t in columns.items()}
        return pd.DataFrame(data)


_I, _F, _B = np.int64, np.float64, np.bool_
LEDGERS: dict[str, dict[str, Any]] = {
    "subs": {
        "uid": _I,
        "account": _I,
        "start_s": _I,
        "anchor_s": _I,  # trial end, else start: periods and terms count from here
        "trial_end_s": _I,  # 0 without a trial
        "meta_term": _I,  # 0 when the term follows from the price
        "replaces": _I,  # uid, -1 for none
        "kind": _I,  # STARTS
        "known_s": _I,
        "is_invoiced": _B,  # paid by bank transfer on invoice, not by card
    },
    "changes": {
        "uid": _I,
        "at_s": _I,
        "plan": _I,
        "bill": _I,  # months between regular invoices
        "price": _I,  # minor units a seat and interval
        "seats": _I,
        "addon": _I,  # minor units an interval, 0 without
        "reason": _I,  # CHANGES
    },
    "discounts": {
        "uid": _I,
        "number": _I,
        "start_s": _I,
        "end_s": _I,  # exclusive; NEVER for forever
        "percent": _F,
        "amount": _I,  # minor units an invoice
        "duration": _I,  # DURATIONS
        "months": _I,
        "level": _I,  # LEVELS
    },
    "ends": {
        "uid": _I,
        "end_s": _I,
        "notice_s": _I,
        "reason": _I,  # ENDS
        "cause": _I,  # index of CAUSES, -1
        "stated": _I,
    },
    "pauses": {"uid": _I, "start_s": _I, "end_s": _I},
    "terms": {
        "uid": _I,
        "term_no": _I,
        "start_s": _I,
        "due_s": _I,
        "months": _I,
        "is_evergreen": _B,
        "known_s": _I,
    },
    "decisions": {
        "uid": _I,
        "due_s": _I,
        "decided_s": _I,
        "month": _I,
        "is_evergreen": _B,
        "cycle": _I,
        "p": _F,
        "is_lost": _B,
        "cause": _I,
        "stated": _I,
        **{f"h{k}": _F for k in range(8)},
    },
    "merges": {"loser": _I, "survivor": _I, "at_s": _I},
    "latent": {
        "account": _I,
        "month": _I,
        "uid": _I,
        "is_active": _B,
        "is_paused": _B,
        "is_free": _B,
        "is_notice_given": _B,
        "tenure": _I,
        "to_due": _I,
        "seats": _I,
        "plan": _I,
        "mrr_usd": _F,
        "e": _F,
        "v": _F,
        "need": _F,
        "comp": _F,
        "champion": _B,
        "champion_left": _B,
        "levels": _I,
        "touched": _B,
        "visited": _B,
        "locked_in": _B,
        "has_trigger": _B,
        "has_decoy": _B,
    },
    "programs": {
        "program": _I,
        "account": _I,
        "treated": _B,
        "at_s": _I,
        "due_s": _I,  # of the next renewal within the horizon, NEVER when there is none to decide
        "p_without": _F,  # chance that it is lost, had the account not been treated
        "p_with": _F,
    },
    "triggers": {"account": _I, "real": _B, "at_s": _I},
}
PROGRAMS = ("exec_sponsor", "newsletter", "health_review")
#: The only one that does anything: it lowers every hazard, for so many months.
HELPFUL, PROGRAM_MONTHS = 0, 12


@dataclass
class Simulation:
    """The finished simulation: constant attributes and ledgers cut at the horizon."""

    accounts: lat.Accounts
    horizon_s: int
    ledgers: dict[str, pd.DataFrame]

    def __getitem__(self, table: str) -> pd.DataFrame:
        return self.ledgers[table]


def list_price(plan: I64, currency: I64, bill: I64, factor: Any) -> I64:
    """Price a seat and interval in minor units, rounded to a price that one would print."""
    share = np.select([bill == b for b in TERM_PRICE], list(TERM_PRICE.values()), 1.0)
    minor = LIST_USD[plan] * bill * share * factor / RATE[currency] * MINOR[currency]
    yen = currency == YEN
    step = np.where(bill == 1, np.where(yen, 10, 50), np.where(yen, 100, 100))
    return np.asarray(np.maximum(1, np.rint(minor / step)) * step, dtype=np.int64)


def usd_a_month(price: I64, seats: I64, bill: I64, currency: I64) -> F64:
    """Approximate monthly USD before discounts; exact money is counted in `truth`."""
    return np.asarray(price * seats / MINOR[currency] / bill * RATE[currency], dtype=np.float64)


class Simulator:
    """State of every account between months; `run` moves it to the horizon."""

    def __init__(self, config: WorldConfig, rng: Rng) -> None:
        self.config, self.rng = config, rng
        self.a = lat.create_accounts(config, rng)
        self.state = lat.LatentState.initial(self.a)
        self.out = Ledger()
        n = len(self.a)

        def ints(value: int = 0) -> I64:
            return np.full(n, value, dtype=np.int64)

        def flags() -> Bools:
            return np.zeros(n, dtype=np.bool_)

        self.in_force, self.ever, self.merged, self.no_pause = flags(), flags(), flags(), flags()
        self.origin = self.a.origin.copy()
        self.n_subs, self.uid = ints(), ints(-1)
        self.anchor_day, self.anchor_sec, self.first_month = ints(), ints(), ints()
        self.bill, self.term, self.meta = ints(1), ints(12), ints()
        self.evergreen = flags()
        self.term_no, self.term_start, self.due = ints(), ints(), ints()
        self.lag, self.early = ints(), flags()
        self.plan, self.price, self.seats, self.addon = ints(), ints(), ints(), ints()
        self.invoiced = flags()
        self.n_discounts, self.free_until, self.discount_until = ints(), ints(), ints()
        self.end_month, self.end_s, self.ended_month = ints(-1), ints(), ints()
        self.paused_until = ints(-1)
        self.active_from = ints()
        self.next_month, self.next_s = ints(-1), ints()
        self.side, self.side_end_month = ints(-1), ints(-1)
        self.side_day, self.side_sec = ints(), ints()
        self.merge_month = ints(-1)
        self.locked_in = flags()
        self.started_month = ints(-1)
        i = self.a.index
        steps = rng.integers("negotiated", 0, 5, i)
        self.factor = np.array([1.0, 0.8, 0.7])[self.a.segment] + 0.05 * steps * (
            self.a.segment > 0
        )
        self.enrolled = [flags() for _ in PROGRAMS]

    # ------------------------------------------------------------------ helpers

    def _boundary(self, i: I64, month: int | I64) -> I64:
        return anniversary(month, self.anchor_day[i], self.anchor_sec[i])

    def _inside(self, purpose: str, i: I64, month: int) -> I64:
        """Pick an office hour in the month, at least two days from the period boundary."""
        day = self.rng.integers(purpose + "_day", 3, 23, i, month)
        anchor = np.minimum(self.anchor_day[i], days_in_month(month)) - 1
        day = np.where(np.abs(day - anchor) <= 2, day + 5, day)
        second = self.rng.integers(purpose + "_second", 8 * HOUR, 18 * HOUR, i, month)
        return np.asarray((month_start_day(month) + day) * DAY + second, dtype=np.int64)

    def _steady(self, i: I64, month: int) -> Bools:
        """Tell who is in force, unpaused, without notice or boundary event in this month."""
        return np.asarray(
            self.in_force[i]
            & (self.end_month[i] < 0)
            & (self.paused_until[i] <= month)
            & (month > self.active_from[i])
            & (month != self.due[i])
            & ~self.busy[i],
            dtype=np.bool_,
        )

    # ------------------------------------------------------------------ the month

    def run(self) -> Simulation:
        """Simulate every month up to the horizon's and cut the ledgers at the horizon."""
        for month in range(self.config.start_month, self.config.horizon_month + 1):
            self._month(month)
        return self._finish()

    def _month(self, month: int) -> None:
        self.busy = np.zeros(len(self.a), dtype=np.bool_)
        arrived = int(np.searchsorted(self.a.created_month, month, side="right"))
        everyone = self.a.index[:arrived]
        real = self.rng.chance("trigger", 0.02, everyone, month)
        decoy = self.rng.chance("decoy_trigger", 0.02, everyone, month)
        self.state.last_trigger[everyone[real]] = month
        self._record_triggers(everyone[real], month, True)
        self._record_triggers(everyone[decoy], month, False)

        i = everyone[self.in_force[:arrived]]
        lat.step(self.state, self.a, i, month, self.locked_in[i], self.rng)
        self._programs(i, month)
        self._mergers(i, month)
        self._failed_payments(i, month)
        self._pauses(i, month)
        self._early(i, month)
        self._leave_term(i, month)
        self._leave_evergreen(i, month)
        self._renew(i, month)
        self._sides(i, month)
        self._changes_inside(i, month)
        self._record_latent(i, month, real, decoy)
        self._end(i, month)
        self._start_again(everyone, month)
        self._first_starts(everyone, month)
        started = everyone[self.in_force[:arrived] & (self.started_month[:arrived] == month)]
        self._record_latent(np.setdiff1d(started, i), month, real, decoy)

    def _record_triggers(self, i: I64, month: int, real: bool) -> None:
        day = self.rng.integers("trigger_on", 0, 28, i, month, int(real))
        at = (month_start_day(month) + day) * DAY + 9 * HOUR
        self.out.add("triggers", account=i, real=real, at_s=at)

    def _programs(self, i: I64, month: int) -> None:
        age = month - self.config.start_month
        if age < 6 or age % 6 != 5:
            return
        for program in range(3):
            i_old = i[(month - self.term_start[i] >= 3) & ~self.enrolled[program][i]]
            if program == 2:
                # Not randomised: the healthy are chosen, so a naive comparison flatters it.
                picked = i_old[self.state.exec_connection[i_old] > 0.6]
                treated = np.ones(len(picked), dtype=np.bool_)
            else:
                picked = i_old[self.rng.chance("enrolled", 0.4, i_old, month, program)]
                treated = self.rng.chance("arm", 0.5, picked, program)
            self.enrolled[program][picked] = True
            at = (month_start_day(month)) * DAY + 9 * HOUR
            due, p_without, p_with = self._foreseen(picked, month, program)
            if program == HELPFUL:
                self.state.program_until[picked[treated]] = month + PROGRAM_MONTHS
            self.out.add(
                "programs",
                program=program,
                account=picked,
                treated=treated,
                at_s=at,
                due_s=due,
                p_without=p_without,
                p_with=p_with,
            )

    def _foreseen(self, i: I64, month: int, program: int) -> tuple[I64, F64, F64]:
        """Due instant of the next renewal after enrolment, and its chances of being lost.

        No programme moves the latent state, and what moves it is drawn by account and month. So it
        can be walked ahead to each decision as it will stand then, and the hazards be asked for
        twice. Payments that fail and pauses are left out: no programme touches them.

        Returns:
            Due dates (NEVER where none is open inside the horizon, decided already or not due),
            the chances of a loss without and with the programme.
        """
        first, past = month_start_day(month) + 1, month_start_day(month + PROGRAM_MONTHS)
        due = self._boundary(i, self.due[i])
        asked = (self.end_month[i] < 0) & (due // DAY >= first) & (due // DAY < past)
        kept = np.ones((2, len(i)))
        ahead = copy.deepcopy(self.state)
        until = ahead.program_until.copy()
        for later in range(month, month + PROGRAM_MONTHS + 1):
            if later > month:
                lat.step(ahead, self.a, i, later, self.locked_in[i], self.rng)
            monthly = self.evergreen[i] & (later < self.due[i]) & (self.paused_until[i] < later)
            at_once = ~self.evergreen[i] & ~self.early[i] & (self.due[i] - self.lag[i] == later)
            decides = np.flatnonzero(asked & (monthly | at_once))
            j = i[decides]
            years = self._years_at_stake(j)
            for world in range(2):
                ahead.program_until[j] = until[j]
                if world and program == HELPFUL:
                    ahead.program_until[j] = month + PROGRAM_MONTHS
                h = lat.hazards(ahead, self.a, self.origin, j, later, years)
                kept[world, decides] *= np.exp(-h.sum(axis=1))
        return np.where(asked, due, NEVER), 1.0 - kept[0], 1.0 - kept[1]

    def _years_at_stake(self, i: I64) -> F64:
        """Years of contract that one decision of each account is about."""
        of_a_term = np.where(self.term[i] == 12, 1.0, 0.8 * self.term[i] / 12)
        return np.where(self.evergreen[i], EVERGREEN_MONTH_IN_YEARS, of_a_term)

    def _mergers(self, i: I64, month: int) -> None:
        able = self._steady(i, month) & ~self.merged[i] & (self.side[i] < 0)
        able &= (self.due[i] - month > 3) & (month - self.active_from[i] > 2)
        pool = i[able]
        losers = pool[self.rng.chance("merged_away", 0.0005, pool, month)]
        if not len(losers):
            return
        pool = np.setdiff1d(pool, losers)
        rank = self.rng.uniform("buys", pool, month) - 0.5 * self.a.segment[pool]
        pool = pool[np.argsort(rank, kind="stable")]
        for currency in range(len(CURRENCIES)):
            children = losers[self.a.currency[losers] == currency]
            parents = pool[self.a.currency[pool] == currency][: len(children)]
            children = children[: len(parents)]
            if not len(children):
                continue
            at = self._inside("merger", children, month)
            self.out.add("merges", loser=children, survivor=parents, at_s=at)
            both = np.concatenate([children, parents])
            self.merged[children] = True
            self.merge_month[children] = month
            self.no_pause[both] = True
            self.busy[both] = True

    def _failed_payments(self, i: I64, month: int) -> None:
        able = self._steady(i, month) & (self.bill[i] == 1) & ~self.invoiced[i]
        able &= self.paused_until[i] < month
        able &= (month - self.term_start[i]) % 12 != 0
        pool = i[able]
        chance = np.array([0.0025, 0.0006, 0.0003])[self.a.segment[pool]]
        failing = pool[self.rng.chance("payment_fails", chance, pool, month)]
        failing = failing[self.free_until[failing] <= self._boundary(failing, month)]
        start = self._boundary(failing, month)
        # Four retries over 24 days, then the subscription is cancelled: Stripe's smart retries.
        end = start + 24 * DAY
        self._schedule_end(failing, end, start, PAYMENT_FAILED)
        self.busy[failing] = True

    def _pauses(self, i: I64, month: int) -> None:
        able = self._steady(i, month) & (self.bill[i] == 1) & ~self.no_pause[i]
        length = self.rng.choice("pause_length", (0.35, 0.30, 0.1, 0.1, 0.15), i, month)
        length = np.array([1, 2, 3, 4, 6])[length]
        start = self._boundary(i, month)
        able &= (self.free_until[i] <= start) & (self.discount_until[i] <= start)
        able &= self.evergreen[i] | (self.due[i] - month > 8)
        able &= self.rng.chance("pauses", 0.003, i, month)
        i, length, start = i[able], length[able], start[able]
        end = self._boundary(i, month + length)
        self.out.add("pauses", uid=self.uid[i], start_s=start, end_s=end)
        self.paused_until[i] = month + length
        self.busy[i] = True
        gone = (length >= 4) & self.rng.chance("never_resumes", 0.5, i, month)
        i, end = i[gone], end[gone]
        cause = np.full(len(i), 5, dtype=np.int64)
        self._schedule_end(i, end, end - HOUR, VOLUNTARY, cause, cause)

    def _schedule_end(
        self,
        i: I64,
        end: I64,
        notice: I64,
        reason: int,
        cause: I64 | None = None,
        stated: I64 | None = None,
    ) -> None:
        self.out.add(
            "ends",
            uid=self.uid[i],
            end_s=end,
            notice_s=notice,
            reason=reason,
            cause=-1 if cause is None else cause,
            stated=-1 if stated is None else stated,
        )
        self.end_month[i] = month_of_second(end)
        self.end_s[i] = end

    def _decide(
        self,
        i: I64,
        month: int,
        due: I64,
        decided: I64,
        evergreen: bool,
        entered: I64 | None = None,
    ) -> tuple[Bools, I64, I64]:
        """Draw who leaves and why; every decision goes to the ledger with the oracle's chance.

        A loss is known from `entered` on where that is given, anything else from `decided` on.
        """
        years = self._years_at_stake(i)
        h = lat.hazards(self.state, self.a, self.origin, i, month, years)
        p = 1.0 - np.exp(-h.sum(axis=1))
        lost = self.rng.chance("lost", p, i, month)
        cause = self.rng.choice("cause", h, i, month) if len(i) else np.zeros(0, dtype=np.int64)
        hidden = self.rng.chance("hides_reason", 0.35, i, month)
        excuse = np.where(self.rng.chance("excuse", 0.6, i, month), 4, 6)
        stated = np.where(hidden, excuse, cause)
        self.out.add(
            "decisions",
            uid=self.uid[i],
            due_s=due,
            decided_s=decided if entered is None else np.where(lost, entered, decided),
            month=month,
            is_evergreen=evergreen,
            cycle=self.term_no[i],
            p=p,
            is_lost=lost,
            cause=np.where(lost, cause, -1),
            stated=np.where(lost, stated, -1),
            **{f"h{k}": h[:, k] for k in range(8)},
        )
        return lost, cause, stated

    def _leave_term(self, i: I64, month: int) -> None:
        able = self.in_force[i] & ~self.evergreen[i] & (self.end_month[i] < 0) & ~self.early[i]
        able &= (self.due[i] - self.lag[i] == month) & (self.paused_until[i] <= month)
        i = i[able]
        due = self._boundary(i, self.due[i])
        hours = self.rng.integers("notice_hours", 1, 5, i, month)
        decided = np.where(self.lag[i] == 0, due - hours * HOUR, self._inside("notice", i, month))
        # The letter lay unopened: entered weeks after the term was due, and valid from that day.
        unread = (self.lag[i] == 0) & (self.side[i] < 0)
        often = min(0.75, 0.40 * self.config.rarity)
        unread &= self.rng.chance("cancelled_late", often, i, month)
        found = self.rng.integers("cancelled_late_by", 4, 25, i, month) * DAY
        entered = np.where(unread, due + found + hours * HOUR, decided)
        lost, cause, stated = self._decide(i, month, due, decided, False, entered)
        self._schedule_end(i[lost], due[lost], entered[lost], VOLUNTARY, cause[lost], stated[lost])
        self._presumed_term(i[lost & unread], due[lost & unread])
        late = ~lost & self.rng.chance("late", 0.06, i, month)
        j, due_j = i[late], due[late]
        self._schedule_end(j, due_j, decided[late], LATE)
        again = due_j - due_j % DAY + self.rng.integers("late_by", 3, 56, j, month) * DAY
        again = again + self.rng.integers("late_at", 8 * HOUR, 18 * HOUR, j, month)
        self.next_s[j], self.next_month[j] = again, month_of_second(again)
        self.busy[i[lost | late]] = True

    def _leave_evergreen(self, i: I64, month: int) -> None:
        able = self.in_force[i] & self.evergreen[i] & (self.end_month[i] < 0) & ~self.busy[i]
        able &= (month > self.active_from[i]) & (self.paused_until[i] < month)
        i = i[able]
        decided = self._boundary(i, month) + self.rng.integers(
            "evergreen_notice", 2 * DAY, 24 * DAY, i, month
        )
        end = self._boundary(i, month + 1)
        lost, cause, stated = self._decide(i, month, end, decided, True)
        i = i[lost]
        self._schedule_end(i, end[lost], decided[lost], VOLUNTARY, cause[lost], stated[lost])
        # The renewal of this very month, if any, still takes place.
        self.busy[i] = True

    def _grown(self, i: I64, month: int) -> tuple[I64, I64]:
        """Seats and price after a renewal: growth by value realised, split into both."""
        segment = self.a.segment[i]
        # A longer term makes up at its end for the years in which nothing was negotiated.
        g = (lat.GROWTH[segment] + 0.10 * (self.state.value[i] - 0.5)) * self.term[i] / 12
        g = np.maximum(-0.4, g + 0.10 * self.rng.normal("growth", i, month))
        rise = self.rng.chance("uplift", 0.55, i, month) * (
            0.02 + 0.01 * self.rng.integers("uplift_size", 0, 5, i, month)
        )
        step = np.where(self.bill[i] == 1, 1, MINOR[self.a.currency[i]])
        price = np.rint(self.price[i] * (1.0 + rise) / step).astype(np.int64) * step
        wanted = self.seats[i] * (1.0 + g) * self.price[i] / price
        seats = np.floor(wanted + self.rng.uniform("seat_rounding", i, month)).astype(np.int64)
        flat = self.rng.chance("flat", 0.12, i, month)
        seats = np.where(flat, self.seats[i], np.maximum(1, seats))
        return seats, np.where(flat, self.price[i], price)

    def _record_change(self, i: I64, at: I64, reason: int) -> None:
        self.out.add(
            "changes",
            uid=self.uid[i],
            at_s=at,
            plan=self.plan[i],
            bill=self.bill[i],
            price=self.price[i],
            seats=self.seats[i],
            addon=self.addon[i],
            reason=reason,
        )

    def _new_term(self, i: I64, start: I64, known: I64) -> None:
        due = self._boundary(i, self.due[i])
        self.out.add(
            "terms",
            uid=self.uid[i],
            term_no=self.term_no[i],
            start_s=start,
            due_s=due,
            months=self.term[i],
            is_evergreen=self.evergreen[i],
            known_s=known,
        )
        self.lag[i] = self.rng.choice("notice_lag", NOTICE_LAG_SHARE, self.uid[i], self.term_no[i])
        early = self.rng.chance("early", 0.07, self.uid[i], self.term_no[i])
        self.early[i] = early & (self.bill[i] >= 12) & ~self.evergreen[i]

    def _presumed_term(self, i: I64, due: I64) -> None:
        """The term that seemed to follow until a back-dated cancellation was entered."""
        self.out.add(
            "terms",
            uid=self.uid[i],
            term_no=self.term_no[i] + 1,
            start_s=due,
            due_s=self._boundary(i, self.due[i] + self.term[i]),
            months=self.term[i],
            is_evergreen=self.evergreen[i],
            known_s=due,
        )

    def _renew(self, i: I64, month: int) -> None:
        due = self.in_force[i] & (self.due[i] == month)
        due &= (self.end_month[i] < 0) | (self.end_month[i] > month)
        i = i[due]
        at = self._boundary(i, month)
        paused = self.paused_until[i] > month
        monthly = (self.bill[i] == 12) & (self.meta[i] == 0) & (self.a.segment[i] < lat.ENT)
        monthly &= (self.side[i] < 0) & self.rng.chance("to_monthly", 0.04, i, month)
        # The add-on must keep the plan's interval, and a yearly discount would outlive its year.
        monthly &= (self.addon[i] == 0) & (self.discount_until[i] <= at)
        seats, price = self._grown(i, month)
        frozen = paused | (self.end_month[i] >= 0)
        changed = ~frozen & ((seats != self.seats[i]) | (price != self.price[i])) & ~monthly
        j = i[changed]
        self.seats[j], self.price[j] = seats[changed], price[changed]
        self._record_change(j, at[changed], AT_RENEWAL)
        j = i[monthly & ~frozen]
        one = np.ones(len(j), dtype=np.int64)
        self.bill[j] = 1
        self.price[j] = list_price(self.plan[j], self.a.currency[j], one, self.factor[j])
        self.evergreen[j] = True
        self.term[j] = 12
        self._record_change(j, at[monthly & ~frozen], TO_MONTHLY)
        self.term_no[i] += 1
        self.term_start[i] = month
        self.due[i] = month + self.term[i]
        self._new_term(i, at, at)
        save = ~frozen & (self.discount_until[i] <= at) & (self.bill[i] <= 12)
        save &= self.rng.chance("save_discount", 0.05, i, month)
        j = i[save]
        self._discount(j, at[save], np.full(len(j), REPEATING), np.full(len(j), 12), month)
        self.busy[i] = True

    def _early(self, i: I64, month: int) -> None:
        able = self._steady(i, month) & self.early[i] & (self.due[i] - 2 == month)
        i = i[able]
        at = self._inside("early", i, month)
        old = self.uid[i].copy()
        self._schedule_end(i, at, at, SUPERSEDED)
        seats, price = self._grown(i, month)
        self.seats[i], self.price[i] = seats, price
        self._start(i, at, EARLY, month, old)
        self.busy[i] = True

    def _end(self, i: I64, month: int) -> None:
        done = self.in_force[i] & (self.end_month[i] == month)
        i = i[done]
        self.in_force[i] = False
        self.end_month[i] = -1
        # Never back before the grace of the term's own due date is over: see `truth`.
        self.ended_month[i] = np.maximum(month, self.due[i])
        sided = i[self.side[i] >= 0]
        self._end_side(sided, self.end_s[sided], self.end_s[sided], WITH_MAIN)

    def _start_again(self, everyone: I64, month: int) -> None:
        late = everyone[self.next_month[everyone] == month]
        self.next_month[late] = -1
        # A renewal signed late was still decided by the terms on the table: seats and price hold.
        self._start(late, self.next_s[late], LATE_START, month, self.uid[late].copy())
        gone = month - self.ended_month[everyone]
        able = self.ever[everyone] & ~self.in_force[everyone] & (self.next_month[everyone] < 0)
        able &= (gone >= 3) & (gone <= 48) & ~self.merged[everyone]
        able &= ~self.a.leaves_for_good[everyone]
        recent = month - self.state.last_trigger[everyone] <= lat.TRIGGER_MEMORY_MONTHS
        chance = 0.0016 * np.where(recent, lat.TRIGGER_LIFT, 1.0)
        back = everyone[able & self.rng.chance("comes_back", chance, everyone, month)]
        self.state.restart(back, self.a)
        self.origin[back] = ORIGINS.index("boomerang")
        day = self.rng.integers("back_on", 4, 28, back, month)
        at = (month_start_day(month) + day) * DAY
        at = at + self.rng.integers("back_at", 8 * HOUR, 18 * HOUR, back, month)
        self._sign(back, at, WIN_BACK, month)

    def _first_starts(self, everyone: I64, month: int) -> None:
        new = everyone[self.a.contract_month[everyone] == month]
        day = np.minimum(self.rng.integers("starts_on", 0, 31, new), days_in_month(month) - 1)
        # Anchors on the 29th of February and on a 31st are rare by chance, so some are chosen.
        length = days_in_month(month)
        day = np.where((length == 29) & self.rng.chance("leap_day", 0.6, new), 28, day)
        day = np.where((length == 31) & self.rng.chance("last_day", 0.03, new), 30, day)
        # Accounts are created in the first days of a month, so the contract must come after.
        day = np.maximum(day, np.where(self.a.created_month[new] == month, 4, 0))
        at = (month_start_day(month) + day) * DAY
        at = at + self.rng.integers("starts_at", 8 * HOUR, 18 * HOUR, new)
        self.first_month[new] = month
        self._sign(new, at, NEW, month)

    def _sign(self, i: I64, at: I64, kind: int, month: int) -> None:
        """Choose plan, seats and form of contract for a customer that starts or comes back."""
        rng, segment, n = self.rng, self.a.segment[i], self.n_subs[i]
        smb = segment == lat.SMB
        # Columns: evergreen, yearly, monthly bills under a year's contract, 2 years, 3 years.
        shares = np.array(
            [
                [0.50, 0.47, 0.0, 0.03, 0.0],
                [0.0, 0.78, 0.10, 0.07, 0.05],
                [0, 0.62, 0.06, 0.16, 0.16],
            ]
        )
        form = rng.choice("form", shares[segment], i, n) if len(i) else n
        by_price = rng.chance("long_price", 0.5, i, n)
        term = np.array([12, 12, 12, 24, 36])[form]
        bill = np.where((form == 0) | (form == 2), 1, np.where((form >= 3) & by_price, term, 12))
        ramp = ~smb & rng.chance("free_ramp", 0.06, i, n) & (kind == NEW)
        term, bill = np.where(ramp, 36, term), np.where(ramp, 1, bill)
        self.evergreen[i] = (form == 0) & ~ramp
        self.term[i], self.bill[i] = term, bill
        self.meta[i] = np.where((bill < term) & ~self.evergreen[i], term, 0)
        self.plan[i] = segment + rng.chance("plan", 0.4, i, n)
        self.price[i] = list_price(self.plan[i], self.a.currency[i], bill, self.factor[i])
        one = np.ones(len(i), dtype=np.int64)
        yearly = usd_a_month(self.price[i], one, bill, self.a.currency[i]) * 12
        size = 0.8 if kind == WIN_BACK else 1.0
        self.seats[i] = np.maximum(1, np.rint(size * self.a.acv_usd[i] / yearly)).astype(np.int64)
        with_addon = ~smb & ~ramp & rng.chance("addon", 0.15, i, n)
        addon = list_price(one * ADDON, self.a.currency[i], bill, one * 1.0)
        self.addon[i] = np.where(with_addon, addon, 0)
        self.invoiced[i] = ~smb & rng.chance("by_transfer", 0.8, i)
        long_unhappy = (term > 12) & rng.chance("locked_in", 0.25, i, n)
        self.locked_in[i] = long_unhappy
        trial = (kind == NEW) & ~ramp & (term == 12) & (self.meta[i] == 0) & (self.addon[i] == 0)
        trial &= rng.chance("trial", np.where(smb, 0.08, 0.04), i, n)
        days = np.where(rng.chance("trial_days", 0.5, i, n), 14, 30)
        trial_end = np.where(trial, at + days * DAY, 0)
        self.ever[i] = True
        self._start(i, at, kind, month, np.full(len(i), -1, dtype=np.int64), trial_end)
        j, at_j = i[ramp], at[ramp]
        months = np.array([6, 12, 18])[rng.choice("ramp_months", (0.2, 0.3, 0.5), j)]
        self._free_ramp(j, at_j, months)
        plain = ~ramp & ~trial & rng.chance("discounted", 0.16, i, n)
        j, at_j = i[plain], at[plain]
        duration = rng.choice("duration", (0.25, 0.45, 0.30), j, n[plain])
        months = np.array([3, 6, 12])[rng.choice("months", (0.4, 0.3, 0.3), j, n[plain])]
        months = np.where(self.bill[j] == 1, months, 12)
        # A repeating coupon that covers part of an invoice period would have two readings.
        duration = np.where((duration == REPEATING) & (self.bill[j] > 12), FOREVER, duration)
        self._discount(j, at_j, duration, months, month)

    def _start(
        self,
        i: I64,
        at: I64,
        kind: int,
        month: int,
        replaces: I64,
        trial_end: I64 | None = None,
    ) -> None:
        """Open a subscription with the plan, seats and term already set on the account."""
        if trial_end is None:
            trial_end = np.zeros(len(i), dtype=np.int64)
        anchor = np.where(trial_end > 0, trial_end, at)
        self.uid[i] = i * 128 + self.n_subs[i]
        self.n_subs[i] += 1
        day = np.asarray(anchor // DAY)
        anchor_month = month_of_second(anchor)
        self.anchor_day[i] = day - month_start_day(anchor_month) + 1
        self.anchor_sec[i] = anchor % DAY
        self.in_force[i] = True
        self.started_month[i] = month
        self.end_month[i] = -1
        if kind != EARLY:
            self.side[i] = self.side_end_month[i] = -1
        self.term_no[i] = np.where(replaces >= 0, self.term_no[i] + 1, 1)
        known = at
        if kind == NEW:
            # Some contracts reach billing days after they began: an edit to a month perhaps closed.
            backdated = (self.bill[i] >= 12) & self.invoiced[i] & (trial_end == 0)
            backdated &= self.rng.chance("backdated", 0.04 * self.config.rarity, i)
            delay = self.rng.integers("backdated_by", 3, 12, i) * DAY
            known = np.where(backdated, at + delay, at)
        self.term_start[i] = anchor_month
        self.active_from[i] = np.maximum(anchor_month, month_of_second(known))
        self.due[i] = anchor_month + self.term[i]
        self.free_until[i] = trial_end
        self.discount_until[i] = 0
        self.n_discounts[i] = 0
        self.paused_until[i] = -1
        self.out.add(
            "subs",
            uid=self.uid[i],
            account=i,
            start_s=at,
            anchor_s=anchor,
            trial_end_s=trial_end,
            meta_term=self.meta[i],
            replaces=replaces,
            kind=kind,
            known_s=known,
            is_invoiced=self.invoiced[i],
        )
        self._record_change(i, at, AT_START)
        quits = (trial_end > 0) & self.rng.chance("trial_fails", 0.3, i, month)
        j = i[quits]
        notice = trial_end[quits] - self.rng.integers("trial_notice", 1, 120, j) * HOUR
        self._schedule_end(j, trial_end[quits], notice, TRIAL_NOT_CONVERTED)
        self._new_term(i[~quits], anchor[~quits], at[~quits])

    def _discount(self, i: I64, at: I64, duration: I64, months: I64, month: int) -> None:
        """Grant one discount from `at`; never while another one runs."""
        rng, uid = self.rng, self.uid[i]
        k = self.n_discounts[i].copy()
        self.n_discounts[i] += 1
        start_month = month_of_second(at)
        length = np.where(duration == ONCE, self.bill[i], months)
        end = np.where(duration == FOREVER, NEVER, self._boundary(i, start_month + length))
        by_amount = (duration != ONCE) & rng.chance("amount_off", 0.3, uid, k)
        percent = np.array([10.0, 15.0, 20.0, 25.0, 50.0])[
            rng.choice("percent", (0.35, 0.2, 0.2, 0.15, 0.1), uid, k)
        ]
        percent = np.where((duration == FOREVER) & (percent > 20), 5.0, percent)
        value = self.price[i] * self.seats[i] + self.addon[i]
        step = MINOR[self.a.currency[i]]
        amount = np.maximum(1, np.rint(value * percent / 100 / step)).astype(np.int64) * step
        by_amount &= amount < value
        level = rng.choice("level", (0.8, 0.1, 0.1), uid, k)
        # Only a percentage on the one item there is: no question which item a discount belongs to.
        level = np.where((level == 2) & (by_amount | (self.addon[i] > 0)), 0, level)
        # A discount on the customer would reach a second subscription too, or one signed on return.
        alone = (self.a.segment[i] == lat.SMB) & (duration == REPEATING)
        level = np.where((level == 1) & ~alone, 0, level)
        self.out.add(
            "discounts",
            uid=uid,
            number=k,
            start_s=at,
            end_s=end,
            percent=np.where(by_amount, 0.0, percent),
            amount=np.where(by_amount, amount, 0),
            duration=duration,
            months=np.where(duration == REPEATING, months, 0),
            level=level,
        )
        self.discount_until[i] = end

    def _free_ramp(self, i: I64, at: I64, months: I64) -> None:
        end = self._boundary(i, month_of_second(at) + months)
        self.n_discounts[i] += 1
        self.out.add(
            "discounts",
            uid=self.uid[i],
            number=0,
            start_s=at,
            end_s=end,
            percent=100.0,
            amount=0,
            duration=REPEATING,
            months=months,
            level=0,
        )
        self.discount_until[i] = end
        self.free_until[i] = end

    def _sides(self, i: I64, month: int) -> None:
        """A second, monthly subscription of another department, on the main one's billing day."""
        ending = i[self.side_end_month[i] == month]
        self.side[ending] = -1
        self.side_end_month[ending] = -1
        has = i[(self.side[i] >= 0) & (self.side_end_month[i] < 0) & (self.end_month[i] < 0)]
        has = has[self.rng.chance("side_ends", 0.025, has, month) & ~self.busy[has]]
        at = anniversary(month + 1, self.side_day[has], self.side_sec[has])
        notice = self._inside("side_notice", has, month)
        notice = np.minimum(notice, at - HOUR)
        self._end_side(has, at, notice, VOLUNTARY)
        able = self._steady(i, month) & (self.bill[i] == 12) & (self.side[i] < 0)
        able &= ~self.merged[i] & (self.n_subs[i] < 100) & (self.a.segment[i] > lat.SMB)
        able &= self.rng.chance("side", 0.0012, i, month)
        i = i[able]
        at = self._boundary(i, month)
        self.side_day[i] = at // DAY - month_start_day(month) + 1
        self.side_sec[i] = at % DAY
        uid = i * 128 + self.n_subs[i]
        self.n_subs[i] += 1
        self.side[i] = uid
        currency = self.a.currency[i]
        one = np.ones(len(i), dtype=np.int64)
        price = list_price(one * ANALYTICS, currency, one, one * 1.0)
        seats = np.maximum(1, self.seats[i] // 5)
        self.out.add(
            "subs",
            uid=uid,
            account=i,
            start_s=at,
            anchor_s=at,
            trial_end_s=0,
            meta_term=0,
            replaces=-1,
            kind=SIDE,
            known_s=at,
            is_invoiced=self.invoiced[i],
        )
        self.out.add(
            "changes",
            uid=uid,
            at_s=at,
            plan=ANALYTICS,
            bill=1,
            price=price,
            seats=seats,
            addon=0,
            reason=AT_START,
        )
        self.busy[i] = True

    def _end_side(self, i: I64, at: I64, notice: I64, reason: int) -> None:
        open_side = self.side_end_month[i] < 0
        i, at, notice = i[open_side], at[open_side], notice[open_side]
        self.out.add(
            "ends",
            uid=self.side[i],
            end_s=at,
            notice_s=notice,
            reason=reason,
            cause=-1,
            stated=-1,
        )
        self.side_end_month[i] = month_of_second(at)

    def _changes_inside(self, i: I64, month: int) -> None:
        able = self._steady(i, month) & (self.free_until[i] <= self._boundary(i, month))
        i = i[able]
        recent = month - self.state.last_trigger[i] <= lat.TRIGGER_MEMORY_MONTHS
        more = self.rng.chance(
            "seats_more", 0.010 * np.where(recent, lat.TRIGGER_LIFT, 1.0), i, month
        )
        fewer = self.rng.chance("seats_fewer", 0.006, i, month) & ~more & (self.seats[i] > 2)
        up = self.rng.chance("upgrade", 0.0019, i, month) & (self.plan[i] < 3)
        down = self.rng.chance("downgrade", 0.0008, i, month) & (self.plan[i] > 0) & ~up
        at = self._inside("change", i, month)
        share = 0.05 + 0.15 * self.rng.uniform("seats_share", i, month)
        delta = np.maximum(1, np.rint(self.seats[i] * share)).astype(np.int64)
        new_plan = self.plan[i] + up - 1 * down
        moves = up | down
        ratio = LIST_USD[new_plan] / LIST_USD[self.plan[i]]
        step = np.where(self.bill[i] == 1, np.where(self.a.currency[i] == YEN, 10, 50), 100)
        price = np.maximum(1, np.rint(self.price[i] * ratio / step)).astype(np.int64) * step
        seats = self.seats[i] + np.where(more, delta, 0) - np.where(fewer, delta, 0)
        # Moving up rarely means buying as many seats of the dearer plan.
        fitted = np.maximum(1, np.rint(self.seats[i] * np.where(up, 0.75, 1.1))).astype(np.int64)
        j = i[moves]
        self.plan[j], self.price[j], self.seats[j] = new_plan[moves], price[moves], fitted[moves]
        self._record_change(j, at[moves], PLAN)
        resized = (more | fewer) & ~moves
        j = i[resized]
        self.seats[j] = np.maximum(1, seats[resized])
        self._record_change(j, at[resized], SEATS)

    def _record_latent(self, i: I64, month: int, real: Bools, decoy: Bools) -> None:
        i = i[~self.merged[i] | (self.merge_month[i] == month)]
        s = self.state
        ends_now = self.end_month[i] == month
        boundary = self._boundary(i, month)
        free = self.free_until[i] > boundary
        paused = self.paused_until[i] > month
        usd = usd_a_month(self.price[i], self.seats[i], self.bill[i], self.a.currency[i])
        self.out.add(
            "latent",
            account=i,
            month=month,
            uid=self.uid[i],
            is_active=~ends_now & ~self.merged[i],
            is_paused=paused,
            is_free=free,
            is_notice_given=self.end_month[i] >= 0,
            tenure=month - self.first_month[i],
            to_due=np.maximum(0, self.due[i] - month),
            seats=self.seats[i],
            plan=self.plan[i],
            mrr_usd=np.where(free | paused | ends_now, 0.0, np.round(usd, 2)),
            e=s.exec_connection[i],
            v=s.value[i],
            need=s.need[i],
            comp=s.competitor[i],
            champion=s.champion[i],
            champion_left=s.champion_left[i],
            levels=s.levels[i],
            touched=s.touched[i],
            visited=s.visited[i],
            locked_in=self.locked_in[i],
            has_trigger=real[i],
            has_decoy=decoy[i],
        )

    # ------------------------------------------------------------------ the cut

    def _finish(self) -> Simulation:
        horizon = int(self.config.horizon_at.timestamp())
        frames = {name: self.out.frame(name, columns) for name, columns in LEDGERS.items()}
        known = {
            "subs": "known_s",
            "changes": "at_s",
            "discounts": "start_s",
            "ends": "notice_s",
            "pauses": "start_s",
            "terms": "known_s",
            "decisions": "decided_s",
            "merges": "at_s",
            "programs": "at_s",
            "triggers": "at_s",
        }
        for name, column in known.items():
            frame = frames[name]
            frames[name] = frame[frame[column] <= horizon].reset_index(drop=True)
        signed = frames["subs"]["uid"]
        for name in ("changes", "discounts", "terms"):
            frame = frames[name]
            frames[name] = frame[frame["uid"].isin(signed)].reset_index(drop=True)
        ends = frames["ends"].set_index("uid")["end_s"]
        terms = frames["terms"]
        over = terms["uid"].map(ends).fillna(NEVER).to_numpy() <= terms["start_s"].to_numpy()
        frames["terms"] = terms[~over].reset_index(drop=True)
        return Simulation(self.a, horizon, frames)


def simulate(config: WorldConfig, rng: Rng) -> Simulation:
    """Run the company from its start to the horizon."""
    return Simulator(config, rng).run()
