"""What really happened, counted from the simulator's own ledgers: money, terms, renewals.

Belongs here: the truth that tests compare the pipeline with. Must not be here: anything read from
the tables of `billing`; the two are computed side by side from the same ledgers, never one from the
other.

Money is counted in integer cents and turned into major units at the end. The definitions are those
of the metric specification under its default policies; the docstring of `billing` spells them out.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sample_company.clock import (
    DAY,
    HOUR,
    anniversary,
    month_end_second,
    month_of_second,
    month_start_day,
    to_dates,
    to_timestamps,
)
from sample_company.world import contracts as con
from sample_company.world.billing import (
    I64,
    Book,
    Frames,
    Names,
    minor_units,
    net_values,
    optional,
    ordered,
    round_div,
)
from sample_company.world.schema import CAUSES, CURRENCIES, USD_PER_UNIT

Bools = NDArray[np.bool_]

GRACE_DAYS = 60
PAUSE_IS_CHURN_AFTER_DAYS = 90
#: Reference rates as integers over 10,000, so that money stays exact.
RATE_E4 = np.array([round(USD_PER_UNIT[c] * 10_000) for c in CURRENCIES], dtype=np.int64)


def item_mrr(state: dict[str, Any], currency: I64) -> tuple[I64, I64, I64, I64]:
    """MRR in cents of the plan item and the add-on: account currency, currency, USD, USD.

    Zero where the subscription does not exist, is in trial or paused.
    """
    plan, plan_off, addon, addon_off = net_values(state)
    del plan_off, addon_off
    counts = state["exists"] & ~state["paused"] & ~state["trial"]
    cents = 100 // minor_units(currency)
    points = np.rint(state["percent"] * 100).astype(np.int64)
    total = np.maximum(plan + addon, 1)
    off = np.minimum(state["amount_off"], total)
    out: list[I64] = []
    for gross in (plan, addon):
        by_percent = round_div(gross * (10_000 - points) * cents, 10_000 * state["bill"])
        # The amount is spread over the items in proportion, so each keeps (total - off) / total.
        by_amount = np.zeros_like(gross)
        rows = off > 0
        if rows.any():
            exact = [
                _ratio(int(g) * int(t - o) * int(c), int(t) * int(b))
                for g, t, o, c, b in zip(
                    gross[rows],
                    total[rows],
                    off[rows],
                    cents[rows],
                    state["bill"][rows],
                    strict=True,
                )
            ]
            by_amount[rows] = exact
        out.append(np.where(counts, np.where(rows, by_amount, by_percent), 0))
    usd = [round_div(cents_ * RATE_E4[currency], 10_000) for cents_ in out]
    return out[0], out[1], usd[0], usd[1]


def _ratio(numerator: int, denominator: int) -> int:
    """Half up, in unbounded integers (the products do not fit 64 bits)."""
    return (2 * numerator + denominator) // (2 * denominator)


class Holders:
    """Which account holds the contracts of which, over time."""

    def __init__(self, book: Book) -> None:
        self.merges = ordered(book.sim["merges"], "at_s", "loser")
        self._n = len(book.sim.accounts)

    def at_months(self, account: I64, month: I64) -> I64:
        """Account that holds what `account` signed, at the end of each month."""
        out = account.copy()
        # Few accounts ever merge, so the walk through the mergers touches only their rows.
        rows = np.flatnonzero(np.isin(account, self.merges["loser"].to_numpy()))
        holder, when = account[rows].copy(), month[rows]
        for loser, survivor, at in self.merges[["loser", "survivor", "at_s"]].to_numpy():
            holder[(holder == loser) & (when >= month_of_second(at))] = survivor
        out[rows] = holder
        return out

    def finally_(self, account: I64) -> I64:
        """Account that holds it after every merger known."""
        return self.at_months(account, np.full(len(account), 10**6, dtype=np.int64))


def _month_ends(book: Book, last_month: int) -> pd.DataFrame:
    """One row per subscription and month-end at which it is in force, with its state and money."""
    s = book.subs
    first = month_of_second(s["start_s"].to_numpy())
    end = np.minimum(s["end_s"].to_numpy(), book.horizon + 1)
    last = np.minimum(month_of_second(end), last_month)
    many = np.maximum(last - first + 1, 0)
    row = np.repeat(np.arange(len(s)), many)
    month = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    uid = s["uid"].to_numpy()[row]
    at = month_end_second(month)
    state = book.state(uid, at)
    currency = s["currency"].to_numpy()[row]
    plan_mrr, addon_mrr, plan_usd, addon_usd = item_mrr(state, currency)
    failing = (s["end_reason"].to_numpy() == con.PAYMENT_FAILED)[row]
    past_due = failing & (at >= s["end_s"].to_numpy()[row] - 24 * DAY + HOUR)
    keep = state["exists"]
    frame = pd.DataFrame(
        {
            "uid": uid,
            "account": s["account"].to_numpy()[row],
            "currency": currency,
            "month": month,
            "plan": state["plan"],
            "seats": state["seats"],
            "mrr": plan_mrr,
            "usd": plan_usd,
            "addon_mrr": addon_mrr,
            "addon_usd": addon_usd,
            "terms": _price_terms(state, currency, "price"),
            "addon_terms": _price_terms(state, currency, "addon"),
            "paused": state["paused"],
            "past_due": past_due,
        }
    )
    return frame[keep].reset_index(drop=True)


def _price_terms(state: dict[str, Any], currency: I64, price: str) -> I64:
    """A number for each price with what is taken off it: equal while neither changes."""
    columns = {name: state[name] for name in (price, "bill", "percent", "amount_off")}
    frame = pd.DataFrame({**columns, "currency": currency})
    return np.asarray(frame.groupby(list(frame), sort=False).ngroup(), dtype=np.int64)


def _account_months(
    ends: pd.DataFrame, holder: I64, last_month: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Dense account-months (holder, month, ...) and what they pay (holder, month, plan, terms)."""
    e = ends.assign(
        holder=holder,
        mrr_all=ends["mrr"] + ends["addon_mrr"],
        usd_all=ends["usd"] + ends["addon_usd"],
        paying_seats=np.where(ends["usd"] > 0, ends["seats"], 0),
        late_usd=np.where(ends["past_due"], ends["usd"], 0),
    )
    sums = e.groupby(["holder", "month"], as_index=False, sort=True).agg(
        mrr=("mrr_all", "sum"),
        usd=("usd_all", "sum"),
        seats=("paying_seats", "sum"),
        late=("late_usd", "sum"),
        paused=("paused", "max"),
        currency=("currency", "first"),
    )
    sums["exists"] = True
    spans = sums.groupby("holder", as_index=False).agg(first=("month", "min"))
    many = last_month - spans["first"].to_numpy() + 1
    row = np.repeat(np.arange(len(spans)), many)
    dense = pd.DataFrame(
        {
            "holder": spans["holder"].to_numpy()[row],
            "month": spans["first"].to_numpy()[row]
            + np.arange(len(row))
            - np.repeat(np.cumsum(many) - many, many),
        }
    )
    dense = dense.merge(sums, on=["holder", "month"], how="left")
    for name in ("mrr", "usd", "seats", "late"):
        dense[name] = dense[name].fillna(0).astype(np.int64)
    for name in ("paused", "exists"):
        dense[name] = dense[name].eq(True)
    plan = e[e["usd"] > 0][["holder", "month", "plan", "terms", "seats", "usd"]]
    addon = e[e["addon_usd"] > 0][["holder", "month", "addon_terms", "addon_usd"]]
    addon = addon.rename(columns={"addon_usd": "usd", "addon_terms": "terms"})
    plans = pd.concat([plan, addon.assign(plan=con.ADDON, seats=1)], ignore_index=True)
    plans = plans.groupby(["holder", "month", "plan", "terms"], as_index=False, sort=True).agg(
        seats=("seats", "sum"), usd=("usd", "sum")
    )
    return dense, plans


def _parts(plans: pd.DataFrame) -> pd.DataFrame:
    """Seats, price and plan parts (cents) of the change into each holder-month.

    Other seats at the same prices and discounts are seats; where both changed, seats count at the
    old average.
    """
    before = plans.assign(month=plans["month"] + 1)
    keys = ["holder", "month", "plan"]
    prices = plans.merge(before, on=[*keys, "terms"], how="outer", suffixes=("_1", "_0"))
    prices["same"] = prices["usd_1"].notna() & prices["usd_0"].notna()
    amounts = {name: (name, "sum") for name in ("seats_1", "seats_0", "usd_1", "usd_0")}
    both = prices.groupby(keys, as_index=False, sort=True).agg(**amounts, same=("same", "min"))
    two = both["usd_1"].gt(0) & both["usd_0"].gt(0)
    q0 = np.maximum(both["seats_0"].to_numpy(dtype=np.int64), 1)
    q1 = both["seats_1"].to_numpy(dtype=np.int64)
    m0, m1 = both["usd_0"].to_numpy(dtype=np.int64), both["usd_1"].to_numpy(dtype=np.int64)
    only_seats = both["same"].to_numpy(dtype=np.bool_) & (q1 != q0)
    seats = np.where(two, np.where(only_seats, m1 - m0, round_div((q1 - q0) * m0, q0)), 0)
    frame = pd.DataFrame(
        {
            "holder": both["holder"],
            "month": both["month"],
            "seats_part": seats,
            "price_part": np.where(two, m1 - m0 - seats, 0),
            "plan_part": np.where(two, 0, m1 - m0),
        }
    )
    return frame.groupby(["holder", "month"], as_index=False, sort=True).sum()


def _pause_length_days(book: Book) -> pd.DataFrame:
    """Pauses with whether they have come to churn by the horizon (more than 90 days)."""
    p = book.pauses
    lasted = np.minimum(p["end_s"].to_numpy(), book.horizon + 1) - p["start_s"].to_numpy()
    return p.assign(is_churn=lasted > PAUSE_IS_CHURN_AFTER_DAYS * DAY)


def _movements(
    book: Book,
    dense: pd.DataFrame,
    plans: pd.DataFrame,
    transfers: pd.DataFrame,
) -> pd.DataFrame:
    """Movements of every holder-month by the precedence of the metric specification.

    `transfers` holds (holder, month, transfer) in cents; it is taken out of the change first.
    """
    d = dense.sort_values(["holder", "month"], ignore_index=True)
    same = d["holder"].eq(d["holder"].shift())
    d["opening"] = np.where(same, d["usd"].shift(fill_value=0), 0)
    d = d.merge(transfers, on=["holder", "month"], how="left")
    d["transfer"] = d["transfer"].fillna(0).astype(np.int64)
    opening = (d["opening"] + d["transfer"]).to_numpy()
    closing = d["usd"].to_numpy()
    d["paid"] = (d["usd"] > 0).astype(np.int64)
    paid_before = d.groupby("holder", sort=False)["paid"].cumsum() - d["paid"]
    ever = (paid_before > 0).to_numpy() | (d["transfer"] > 0).to_numpy()
    pause = _pause_length_days(book)
    account = book.sub(pause["uid"].to_numpy(), "account")
    # Only a holder's single subscription ever pauses, so the pause is the holder's.
    out_key = pd.MultiIndex.from_arrays([account, month_of_second(pause["start_s"])])
    in_key = pd.MultiIndex.from_arrays([account, month_of_second(pause["end_s"])])
    short = ~pause["is_churn"].to_numpy()
    here = pd.MultiIndex.from_arrays([d["holder"], d["month"]])
    short_out, short_in = here.isin(out_key[short]), here.isin(in_key[short])
    grows, shrinks = closing > opening, closing < opening
    from_zero, to_zero = (opening == 0) & grows, (closing == 0) & shrinks
    kind = np.select(
        [
            from_zero & ~ever,
            from_zero & short_in,
            from_zero,
            to_zero & short_out,
            to_zero,
            grows,
            shrinks,
        ],
        ["new", "pause_in", "reactivation", "pause_out", "churn", "expansion", "contraction"],
        "",
    )
    d["movement_type"] = kind
    d["amount"] = np.abs(closing - opening)
    failed = book.subs[book.subs["end_reason"] == con.PAYMENT_FAILED]
    holders = Holders(book)
    ended = month_of_second(failed["end_s"].to_numpy())
    by = holders.at_months(failed["account"].to_numpy(), ended)
    involuntary = here.isin(pd.MultiIndex.from_arrays([by, ended]))
    d["is_involuntary"] = involuntary & (kind == "churn")
    d = d.merge(_parts(plans), on=["holder", "month"], how="left")
    split = d["movement_type"].isin(["expansion", "contraction"])
    for part in ("seats_part", "price_part", "plan_part"):
        d[part] = np.where(split, d[part].fillna(0), 0).astype(np.int64)
    # What came with a merger is a transfer, not part of the holder's own change.
    d["plan_part"] = np.where(split & (d["transfer"] != 0), closing - opening, d["plan_part"])
    for part in ("seats_part", "price_part"):
        d[part] = np.where(d["transfer"] != 0, 0, d[part])
    moved = d[d["movement_type"] != ""]
    transfer = d[d["transfer"] != 0].assign(movement_type="merge_transfer", is_involuntary=False)
    transfer["amount"] = transfer["transfer"]
    for part in ("seats_part", "price_part", "plan_part"):
        transfer[part] = 0
    return pd.concat([moved, transfer], ignore_index=True)


def _transfers(ends: pd.DataFrame, account_holder: I64, holders: Holders) -> pd.DataFrame:
    """Cents that changed holder in a month: what the loser held at the month-end before."""
    month = ends["month"].to_numpy()
    usd = (ends["usd"] + ends["addon_usd"]).to_numpy()
    after = holders.at_months(ends["account"].to_numpy(), month + 1)
    moved = after != account_holder
    parts = [
        pd.DataFrame(
            {"holder": who[moved], "month": month[moved] + 1, "transfer": sign * usd[moved]}
        )
        for who, sign in ((account_holder, -1), (after, 1))
    ]
    return pd.concat(parts).groupby(["holder", "month"], as_index=False).sum()


def _dates_of_month_end(month: Any) -> pd.DatetimeIndex:
    return to_dates(month_end_second(np.asarray(month, dtype=np.int64)))


def _movement_table(frame: pd.DataFrame, account_ids: NDArray[np.object_]) -> pd.DataFrame:
    f = ordered(frame, "month", "holder", "movement_type")
    return pd.DataFrame(
        {
            "account_id": account_ids[f["holder"].to_numpy(dtype=np.int64)],
            "month": _dates_of_month_end(f["month"]),
            "movement_type": f["movement_type"],
            "amount_usd": f["amount"] / 100,
            "seats_usd": f["seats_part"] / 100,
            "price_usd": f["price_part"] / 100,
            "plan_usd": f["plan_part"] / 100,
            "is_involuntary": f["is_involuntary"].astype(bool),
        }
    )


def _money(book: Book, names: Names, last_month: int) -> Frames:
    holders = Holders(book)
    ends = _month_ends(book, last_month)
    account = ends["account"].to_numpy()
    held = holders.at_months(account, ends["month"].to_numpy())
    dense, plans = _account_months(ends, held, last_month)
    transfers = _transfers(ends, held, holders)
    transfers = transfers[transfers["month"] <= last_month]
    movements = _movements(book, dense, plans, transfers)
    final = holders.finally_(account)
    dense_final, plans_final = _account_months(ends, final, last_month)
    nothing = pd.DataFrame(
        {c: np.array([], dtype=np.int64) for c in ("holder", "month", "transfer")}
    )
    surviving = _movements(book, dense_final, plans_final, nothing)
    dense = ordered(dense, "month", "holder")
    holder = dense["holder"].to_numpy()
    usd = dense["usd"].to_numpy()
    status = np.select(
        [
            (usd > 0) & (dense["late"] > 0),
            usd > 0,
            dense["paused"].to_numpy(dtype=np.bool_),
            dense["exists"].to_numpy(dtype=np.bool_),
        ],
        ["past_due", "paying", "paused", "free"],
        "none",
    )
    currency = book.sim.accounts.currency[holder]
    mrr = pd.DataFrame(
        {
            "account_id": names.account_ids[holder],
            "surviving_account_id": names.account_ids[holders.finally_(holder)],
            "month": _dates_of_month_end(dense["month"]),
            "currency": np.array(CURRENCIES, dtype=object)[currency],
            "mrr": dense["mrr"] / 100,
            "mrr_usd": usd / 100,
            "status_at_month_end": status,
            "seats": dense["seats"],
        }
    )
    return {
        "truth_mrr": mrr,
        "truth_movements": _movement_table(movements, names.account_ids),
        "truth_movements_surviving": _movement_table(surviving, names.account_ids),
    }


def _arr_usd(book: Book, uid: I64, at: I64) -> I64:
    """Cents a year of a subscription's state at an instant."""
    state = book.state(uid, at)
    _, _, plan, addon = item_mrr(state, book.sub(uid, "currency"))
    return 12 * (plan + addon)


def _terms(book: Book, names: Names) -> pd.DataFrame:
    t = ordered(
        pd.concat([book.sim["terms"], _side_terms(book)], ignore_index=True), "due_s", "uid"
    )
    uid, due = t["uid"].to_numpy(), t["due_s"].to_numpy()
    end = book.sub(uid, "end_s")
    now = book.horizon
    holders = Holders(book)
    s = book.subs
    later = s[s["replaces"] >= 0].set_index("replaces")
    next_uid = later["uid"].reindex(uid).fillna(-1).to_numpy(dtype=np.int64)
    next_start = later["start_s"].reindex(uid).fillna(con.NEVER).to_numpy(dtype=np.int64)
    # A subscription that is replaced was in its last term then; earlier terms were simply renewed.
    ended = end <= np.minimum(due, now)
    in_this_term = ended & (end > t["start_s"].to_numpy())
    superseded = in_this_term & (next_start <= due)
    late = in_this_term & ~superseded & (next_start <= due + GRACE_DAYS * DAY)
    waiting = in_this_term & ~superseded & ~late & (end == due)
    waiting &= now <= due + GRACE_DAYS * DAY
    came_due = due <= now
    state = book.state(uid, due)
    paused = came_due & ~in_this_term & state["paused"]
    # With notice given or the term running, the amount due is today's until the day itself.
    before = np.minimum(np.minimum(due, end) - 1, now)
    due_arr = _arr_usd(book, uid, before)
    after = np.where(came_due & ~in_this_term, _arr_usd(book, uid, due), 0)
    replaced = superseded | late
    arr_next = _arr_usd(
        book, np.where(replaced, next_uid, uid), np.where(replaced, next_start, due)
    )
    renewed = np.where(replaced, arr_next, np.where(paused, 0, after))
    renewal = np.select(
        [after > due_arr, after < due_arr],
        ["renewed_expanded", "renewed_contracted"],
        "renewed_flat",
    )
    outcome = np.select(
        [superseded, late, waiting, in_this_term, paused, came_due],
        ["superseded", "renewed_late", "pending", "lost", "paused", renewal],
        "open",
    )
    renewed_on = np.where(replaced, next_start, due)
    happened = replaced | (came_due & ~in_this_term & ~paused)
    failed = book.sub(uid, "end_reason") == con.PAYMENT_FAILED
    account = book.sub(uid, "account")
    return pd.DataFrame(
        {
            "account_id": names.account_ids[holders.at_months(account, month_of_second(due))],
            "subscription_id": names.subscription(uid),
            "term_no": t["term_no"],
            "start_on": to_dates(t["start_s"]),
            "due_on": to_dates(due),
            "term_months": t["months"],
            "ended_on": to_dates(np.where(in_this_term, end, 0), ~in_this_term),
            "due_arr_usd": due_arr / 100,
            "outcome": outcome,
            "renewed_arr_usd": np.where(happened, renewed, 0) / 100,
            "renewed_on": to_dates(np.where(happened, renewed_on, 0), ~happened),
            "next_subscription_id": optional(names.subscription(np.maximum(next_uid, 0)), replaced),
            "is_evergreen": t["is_evergreen"],
            "is_involuntary": failed & in_this_term,
        }
    )


def _side_terms(book: Book) -> pd.DataFrame:
    """Rolling terms of second subscriptions, which nobody decides about as contracts."""
    s = book.subs[book.subs["kind"] == con.SIDE]
    start = s["start_s"].to_numpy()
    first = month_of_second(start)
    last = np.minimum(s["end_s"].to_numpy() - 1, book.horizon)
    many = (month_of_second(last) - first) // 12 + 1
    row = np.repeat(np.arange(len(s)), many)
    number = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
    day = (start // DAY - month_start_day(first) + 1)[row]
    begin, due = (
        anniversary(first[row] + 12 * (number + k), day, (start % DAY)[row]) for k in (0, 1)
    )
    frame = pd.DataFrame(
        {
            "uid": s["uid"].to_numpy()[row],
            "term_no": number + 1,
            "start_s": begin,
            "due_s": due,
            "months": 12,
            "is_evergreen": True,
            "known_s": begin,
        }
    )
    begun: pd.DataFrame = frame[begin <= last[row]]
    return begun


def _renewals(book: Book, names: Names) -> pd.DataFrame:
    d = ordered(book.sim["decisions"], "decided_s", "uid")
    uid = d["uid"].to_numpy()
    holders = Holders(book)
    account = book.sub(uid, "account")
    causes = np.array([*CAUSES, None], dtype=object)
    frame = pd.DataFrame(
        {
            "account_id": names.account_ids[holders.at_months(account, d["month"].to_numpy())],
            "subscription_id": names.subscription(uid),
            "due_on": to_dates(d["due_s"]),
            "decided_on": to_dates(d["decided_s"]),
            "is_evergreen": d["is_evergreen"],
            "cycle_number": d["cycle"],
            "p_lost": d["p"],
            "is_lost": d["is_lost"],
            "cause": causes[d["cause"].to_numpy()],
            "stated_reason": causes[d["stated"].to_numpy()],
        }
    )
    for k, cause in enumerate(CAUSES):
        frame[f"hazard_{cause}"] = d[f"h{k}"]
    return frame


def _programs(book: Book, names: Names) -> pd.DataFrame:
    enrolled = ordered(book.sim["programs"], "at_s", "program", "account")
    never = enrolled["due_s"].eq(con.NEVER).to_numpy()
    return pd.DataFrame(
        {
            "program_key": np.array(con.PROGRAMS, dtype=object)[enrolled["program"].to_numpy()],
            "account_id": names.account_ids[enrolled["account"].to_numpy()],
            "arm": np.where(enrolled["treated"], "treated", "control"),
            "enrolled_on": to_dates(enrolled["at_s"]),
            "due_on": to_dates(np.where(never, 0, enrolled["due_s"]), never),
            "p_lost_without": enrolled["p_without"].where(~never),
            "p_lost_with": enrolled["p_with"].where(~never),
        }
    )


def build_truth(book: Book, names: Names, last_full_month: int) -> Frames:
    """Count every truth table of money, terms, renewals and mergers at the horizon."""
    merges = ordered(book.sim["merges"], "at_s", "loser")
    tables = _money(book, names, last_full_month)
    tables["truth_terms"] = _terms(book, names)
    tables["truth_renewals"] = _renewals(book, names)
    tables["truth_programs"] = _programs(book, names)
    tables["truth_merges"] = pd.DataFrame(
        {
            "losing_account_id": names.account_ids[merges["loser"].to_numpy()],
            "surviving_account_id": names.account_ids[merges["survivor"].to_numpy()],
            "merged_at": to_timestamps(merges["at_s"]),
        }
    )
    return tables
