"""What the billing system recorded: products, prices, subscriptions, invoices to the cent.

Belongs here: rendering of the contract ledgers as Stripe objects. Must not be here: decisions of
customers, and no recurring revenue (see `truth`, which never reads this module's tables).

How each truth can be derived from what Stripe and Salesforce serve
==================================================================== Stripe keeps the present of a
subscription, 30 days of events, and all invoices. Everything below is true of every subscription
here, so history before the first load follows from invoice lines alone.

**Instants.** All in UTC, whole seconds. A state holds from its instant (inclusive) to the next one
(exclusive). Month-end is the last instant of the month. Period boundaries: day of
`billing_cycle_anchor` in each month, clamped to the month's end (31 Jan -> 28 Feb -> 31 Mar), at
the anchor's time of day. With a trial the anchor is `trial_end`. Only a change of interval at a
boundary changes the length of periods, never the anchor.

**Price and quantity of an item over time.** Take the lines of the item that are not credit
prorations (`is_credit_proration` false) and not one-off, of invoices in any status, void ones too.
Each states price and quantity from its `period.start`; it holds until the next such line's
`period.start`, the last one until the subscription ends (`ended_at`). There is a regular line at
each period start (also with 100 % discount; also in trial, amount 0 and then period = trial;
back-dated contracts have it on an invoice created some days later), and for every change inside a
period, at the very instant, an invoice with billing_reason `subscription_update` (the vendor's
setting is `always_invoice`) with one pair of proration lines per item changed: credit "Unused time
on ..." (negative, old price, with `proration_details.credited_items`) and debit "Remaining time on
...". Both carry period = change instant to period end. Prorated to the second: round(price x
quantity x (1 - discount) x remaining / whole period), half away from zero. Changes at a boundary
(price rise, seats, annual to monthly at renewal) show only as the new regular line. Two changes of
one item never share an instant. `subscription_item_versions` says the same.

**Months of a price**: interval month x count, or year x count x 12 (2- and 3-year prices exist:
year x 2, x 3).

**MRR of an item** in account currency = round(unit price x quantity / months x (1 - rate), 2), half
away from zero, also for JPY (two decimals). rate = percent_off / 100, or for amount_off: min(1,
amount_off / sum of price x quantity over the subscription's items), so with one item (price x
quantity - amount_off) / months. USD = round(item's mrr x usd_per_unit, 2). Account = sum of items.
Do it in decimals (a double such as 10.025 rounds down).

**Discounts.** At most one discount reaches an item at a time (levels: subscription, customer,
item). It holds from `start` to `end`; `once` and `forever` have no `end`, as in Stripe: forever
runs to the subscription's end, once covers the regular period it was granted in, i.e. ends at the
first period start after `start`. A discount whose time is over is no longer listed on its owner,
but every invoice it touched has it (expand `discounts`), and the lines carry `discount_amounts`.
`start` and `end` are period boundaries. Customer-level ones repeat
for some months; the customer has one subscription in that time.

**Trial** (status trialing): MRR 0 until `trial_end`; not converted: `ended_at` = `trial_end`, never
MRR. **Free ramp**: 100 % repeating coupon of 6, 12 or 18 months on a monthly bill under a 36-month
contract: MRR 0, contract active.

**Pause** (`pause_collection`, behavior void): only monthly bills, always whole periods, no
proration. The regular invoices of paused periods are created and voided at once (`status` void,
`voided_at`); the subscription stays active. So a pause = consecutive void subscription_cycle
invoices: from the period start of the first line to the period end of the last. Nothing else is
ever void. A pause that ends in a cancellation ends at that boundary. Policy: a pause that has
lasted more than 90 days (days between the instants > 90) is churn, dated at the pause start.

**Past due**: a failed payment at a period start; status past_due until paid (days later; nothing
changes) or until cancelled 24 days later (`ended_at`, cancellation_details.reason `payment_failed`;
its last invoice is marked uncollectible). MRR counts until `ended_at`. This churn is involuntary.

**End of service** = `ended_at` (equal to the period end with cancel_at_period_end, asked for at
`canceled_at`). No credit for unused time is given (prorate false). Subscriptions replaced early end
at the new one's `start_date`. A **back-dated cancellation** is entered (`canceled_at`) days after
`ended_at`, which is the due date; the period billed in between is paid back whole, or its invoice
is marked uncollectible, and it counts for nothing.

**What is not there any more.** A customer who left for good is deleted some months later: lists
leave it out, its subscriptions and invoices stay and name it, and the CRM still knows whose it was.
**Keys that lead nowhere**: customer.metadata (account_id, workspace_id) and the CRM's text fields
(Stripe_Customer_Id__c, Stripe_Subscription_Id__c, Workspace_Id__c) are typed by people; never both
sides of the link between a customer and its account are wrong.
**Invoices sent twice**: a second, manual invoice over the same period and amount, voided days later
or marked with metadata.duplicate_of.

**Terms.** `metadata.term_months` (24, 36, or 12 on monthly bills) if present, else interval x count
if >= 12 months, else evergreen with rolling 12 months. Terms count from the anchor (trial end or
start), each due N x months later at the boundary; after annual to monthly (same subscription, at a
due boundary) rolling terms follow. Metadata never changes. With D the due instant, S the
subscription:
  - S in force at D: `paused` if D lies in a pause (start <= D < end), else `renewed_expanded / flat
   / contracted`: ARR of S from D on (12 x its MRR in USD at D) against ARR just before D (the due
   ARR). No other change comes within two days of D.
  - S ended at E <= D: `superseded` if a subscription with metadata.replaces_subscription_id = S
   started at or before D (it starts at E); `renewed_late` if such a one started in (D, D + 60
   days]; otherwise lost; while as-of <= D + 60 days and E = D: `pending`. E < D (evergreens, failed
   payments) is lost at once; `due_on` stays the scheduled date, `ended_on` says when.
  - D after as-of and S in force: `open`. The due ARR is 12 x MRR in USD one second before D, before
   E if S ended earlier, or at the as-of instant while open; 0 while paused or free. A subscription
   in a trial that did not convert has no term. A customer who comes back without the replaces link
   starts more than 60 days after D.

**Accounts.** customer.metadata.account_id is the CRM account that signed and never changes; after a
merger the CRM's MasterRecordId leads to the survivor. In `truth_mrr` and `truth_movements` the
loser holds its contracts at month-ends before the merger and the survivor after (merge_transfer: -x
and +x, x = the loser's opening MRR); `truth_movements_surviving` maps everything to the final
survivor at all times instead.

**Movements**, from month-end to month-end per holder, one type each (plus merge_transfer, which is
taken out first; plus pause parts, which concern only holders with a single subscription): opening 0
-> closing > 0: `new` if never paying at an earlier month-end, `pause_in` if the holder's zero was a
pause of at most 90 days that began after it last paid, else `reactivation`. opening > 0 -> closing
0: `pause_out` if paused at closing (and the pause does not come to more than 90 days by the as-of
date), else `churn`. Both > 0: `expansion` or `contraction` by the sign of the difference. Parts:
per plan (product) of the holder, m = sum of item MRR in USD, q = sum of quantities, over items with
m > 0: on both sides present: seats = round((q1 - q0) x m0 / q0, 2), price = m1 - m0 - seats; on one
side only: plan = m1 - m0.

**CRM money**: opportunity amounts differ from billing in 2 % of cases; billing wins.
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
    month_of_second,
    month_start_day,
    to_dates,
    to_timestamps,
)
from sample_company.ids import salesforce_ids, stripe_ids, workspace_ids
from sample_company.rng import Rng
from sample_company.world import contracts as con
from sample_company.world.schema import CAUSES, CURRENCIES, MINOR_UNITS, PLANS, USD_PER_UNIT

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]
Frames = dict[str, pd.DataFrame]

RETRY_AFTER = 3 * DAY
FINALISED_AFTER = HOUR
#: Customers whose link to the CRM, or to a workspace, leads nowhere on one of the two sides.
WRONG_KEY_SHARE = 0.007
ORPHAN_SHARE = 0.01
FEEDBACK = {
    "price_budget": "too_expensive",
    "competitor": "switched_service",
    "product_gap": "missing_features",
    "value_not_realised": "unused",
    "support": "customer_service",
}


def round_div(numerator: Any, denominator: Any) -> I64:
    """Integer quotient rounded half away from zero."""
    num = np.asarray(numerator, dtype=np.int64)
    den = np.asarray(denominator, dtype=np.int64)
    half = (2 * np.abs(num) + den) // (2 * den)
    return np.asarray(np.sign(num) * half, dtype=np.int64)


class Lookup:
    """Newest row at or before an instant, for rows sorted by (uid, instant)."""

    def __init__(self, uid: I64, at: I64) -> None:
        self._uid = uid
        self._key = (uid << 33) + at

    def __call__(self, uid: I64, at: I64) -> tuple[I64, Bools]:
        """Return row positions and whether such a row exists (position 0 where not)."""
        position = np.searchsorted(self._key, (uid << 33) + at, side="right") - 1
        if not len(self._uid):
            return np.zeros(len(uid), dtype=np.int64), np.zeros(len(uid), dtype=np.bool_)
        safe = np.maximum(position, 0)
        found = (position >= 0) & (self._uid[safe] == uid)
        return np.where(found, safe, 0), found


def ordered(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Sort stably by columns and renumber."""
    return frame.sort_values(list(columns), kind="stable", ignore_index=True)


class Book:
    """The contract ledgers, sorted and joined, with lookups of the state at an instant."""

    def __init__(self, sim: con.Simulation) -> None:
        subs = ordered(sim["subs"], "uid")
        ends = sim["ends"].set_index("uid")
        if not ends.index.is_unique:
            raise ValueError("a subscription ends twice; the simulation is inconsistent")
        ends = ends.reindex(subs["uid"])
        subs["end_s"] = ends["end_s"].fillna(con.NEVER).to_numpy(dtype=np.int64)
        subs["notice_s"] = ends["notice_s"].fillna(con.NEVER).to_numpy(dtype=np.int64)
        subs["end_reason"] = ends["reason"].fillna(-1).to_numpy(dtype=np.int64)
        subs["stated"] = ends["stated"].fillna(-1).to_numpy(dtype=np.int64)
        # Until when billing went on: past the end where the cancellation was back-dated.
        late = subs["end_reason"].eq(con.VOLUNTARY) & (subs["notice_s"] > subs["end_s"])
        subs["billed_s"] = np.where(late, subs["notice_s"], subs["end_s"])
        accounts = sim.accounts
        subs["currency"] = accounts.currency[subs["account"].to_numpy()]
        self.sim = sim
        self.horizon = sim.horizon_s
        self.subs = subs
        self.uid = subs["uid"].to_numpy()
        self.changes = ordered(sim["changes"], "uid", "at_s")
        self.discounts = ordered(sim["discounts"], "uid", "start_s")
        self.pauses = ordered(sim["pauses"], "uid", "start_s")
        self.change_at = Lookup(self.changes["uid"].to_numpy(), self.changes["at_s"].to_numpy())
        self.discount_at = Lookup(
            self.discounts["uid"].to_numpy(), self.discounts["start_s"].to_numpy()
        )
        self.pause_at = Lookup(self.pauses["uid"].to_numpy(), self.pauses["start_s"].to_numpy())

    def row(self, uid: I64) -> I64:
        """Row of each subscription in `subs`."""
        return np.searchsorted(self.uid, uid)

    def sub(self, uid: I64, column: str) -> NDArray[Any]:
        """Return one column of `subs` for each uid."""
        return self.subs[column].to_numpy()[self.row(uid)]

    def state(self, uid: I64, at: I64) -> Frames | dict[str, NDArray[Any]]:
        """Plan, price, seats, add-on, discount and pause of each subscription at an instant."""
        k, known = self.change_at(uid, at)
        out: dict[str, NDArray[Any]] = {
            name: self.changes[name].to_numpy()[k]
            for name in ("plan", "bill", "price", "seats", "addon", "at_s")
        }
        out["exists"] = known & (at < self.sub(uid, "end_s"))
        d, found = self.discount_at(uid, at)
        out["percent"], out["amount_off"] = np.zeros(len(uid)), np.zeros(len(uid), dtype=np.int64)
        out["discount"] = np.full(len(uid), -1, dtype=np.int64)
        if len(self.discounts):
            holds = found & (at < self.discounts["end_s"].to_numpy()[d])
            out["percent"] = np.where(holds, self.discounts["percent"].to_numpy()[d], 0.0)
            out["amount_off"] = np.where(holds, self.discounts["amount"].to_numpy()[d], 0)
            out["discount"] = np.where(holds, d, -1)
        p, found = self.pause_at(uid, at)
        out["paused"] = np.zeros(len(uid), dtype=np.bool_)
        if len(self.pauses):
            out["paused"] = found & (at < self.pauses["end_s"].to_numpy()[p])
        out["trial"] = at < self.sub(uid, "trial_end_s")
        return out

    def periods(self) -> pd.DataFrame:
        """Billing periods begun by the horizon: uid, start_s, end_s (scheduled), bill, is_trial."""
        subs = self.subs
        phases = self.changes[["uid", "at_s", "bill"]]
        switch = phases[
            (phases["bill"] != phases["bill"].shift()) | (phases["uid"] != phases["uid"].shift())
        ].reset_index(drop=True)
        uid = switch["uid"].to_numpy()
        anchor = self.sub(uid, "anchor_s")
        begin = np.maximum(switch["at_s"].to_numpy(), anchor)
        following = np.append(switch["at_s"].to_numpy()[1:], con.NEVER)
        same = np.append(uid[1:] == uid[:-1], False)
        limit = np.minimum(np.where(same, following, con.NEVER), self.sub(uid, "billed_s"))
        limit = np.minimum(limit, self.horizon + 1)
        anchor_month = month_of_second(anchor)
        day = anchor // DAY - month_start_day(anchor_month) + 1
        bill = switch["bill"].to_numpy()
        first = month_of_second(begin)
        many = np.where(limit > begin, (month_of_second(limit) - first) // bill + 1, 0)
        row = np.repeat(np.arange(len(uid)), many)
        k = np.arange(len(row)) - np.repeat(np.cumsum(many) - many, many)
        month = first[row] + k * bill[row]
        second = (anchor % DAY)[row]
        start = anniversary(month, day[row], second)
        end = anniversary(month + bill[row], day[row], second)
        frame = pd.DataFrame({"uid": uid[row], "start_s": start, "end_s": end, "bill": bill[row]})
        frame = frame[start < limit[row]].assign(is_trial=False)
        trial = subs[subs["trial_end_s"] > 0]
        trials = pd.DataFrame(
            {
                "uid": trial["uid"],
                "start_s": trial["start_s"],
                "end_s": trial["trial_end_s"],
                "bill": 1,
                "is_trial": True,
            }
        )
        return ordered(pd.concat([frame, trials], ignore_index=True), "uid", "start_s")


class Names:
    """Vendor ids of everything in the book, as pure functions of the keys."""

    def __init__(self, rng: Rng, account_ids: NDArray[np.object_]) -> None:
        self.rng = rng
        self.account_ids = account_ids

    def make(self, prefix: str, purpose: str, *keys: Any, length: int = 24) -> NDArray[np.object_]:
        """Ids with a Stripe prefix for arrays of keys."""
        return stripe_ids(prefix, self.rng.u64("id_" + purpose, *keys), length)

    def customer(self, account: I64) -> NDArray[np.object_]:
        """cus_ id of an account index."""
        return self.make("cus_", "customer", account, length=14)

    def subscription(self, uid: I64) -> NDArray[np.object_]:
        """sub_ id of a uid."""
        return self.make("sub_", "subscription", uid)

    def item(self, uid: I64, number: Any) -> NDArray[np.object_]:
        """si_ id of a subscription's item: 0 the plan, 1 the add-on."""
        return self.make("si_", "item", uid, number, length=14)

    def price(self, plan: I64, currency: I64, bill: I64, price: I64) -> NDArray[np.object_]:
        """price_ id of the combination."""
        return self.make("price_", "price", plan, currency, bill, price)

    def product(self, plan: I64) -> NDArray[np.object_]:
        """prod_ id of a plan number."""
        return self.make("prod_", "product", plan, length=14)

    def invoice(self, uid: I64, at: I64) -> NDArray[np.object_]:
        """in_ id of the invoice of a subscription for an instant."""
        return self.make("in_", "invoice", uid, at)

    def line(self, uid: I64, number: Any, at: I64, credit: Any = 0) -> NDArray[np.object_]:
        """il_ id of the line of an item that speaks from an instant."""
        return self.make("il_", "line", uid, number, at, credit)

    def discount(self, uid: I64, number: I64) -> NDArray[np.object_]:
        """di_ id."""
        return self.make("di_", "discount", uid, number)


def lower(currency: I64) -> NDArray[np.object_]:
    """Stripe's currency codes."""
    return np.array([c.lower() for c in CURRENCIES], dtype=object)[currency]


def nullable_ints(values: NDArray[Any], present: Bools) -> pd.Series[Any]:
    """Integers where present, else missing, as pandas' nullable integers."""
    return pd.Series(np.asarray(values, dtype=np.int64)).astype("Int64").where(pd.Series(present))


def optional(values: NDArray[Any], present: Bools) -> NDArray[np.object_]:
    """Values where present, else None."""
    out = np.asarray(values, dtype=object).copy()
    out[~np.asarray(present)] = None
    return out


def _catalogue(book: Book, names: Names, start_s: int) -> Frames:
    plans = np.arange(len(con.PLAN_FAMILIES))
    products = pd.DataFrame(
        {
            "product_id": names.product(plans),
            "name": [PLANS[f][0] for f in con.PLAN_FAMILIES],
            "plan_family": con.PLAN_FAMILIES,
            "known_at": to_timestamps(np.full(len(plans), start_s)),
        }
    )
    c = book.changes
    uid = c["uid"].to_numpy()
    used = pd.DataFrame(
        {
            "plan": c["plan"],
            "currency": book.sub(uid, "currency"),
            "bill": c["bill"],
            "price": c["price"],
            "at": np.maximum(c["at_s"].to_numpy(), book.sub(uid, "known_s")),
        }
    )
    addon = used.assign(plan=con.ADDON, price=c["addon"])[c["addon"] > 0]
    used = pd.concat([used, addon], ignore_index=True)
    keys = ["plan", "currency", "bill", "price"]
    first_use: pd.DataFrame = used.groupby(keys, as_index=False).agg(at=("at", "min"))
    used = ordered(first_use, "at", *keys)
    plan, currency, bill, price = (used[k].to_numpy() for k in keys)
    yearly = bill >= 12
    family = np.array([PLANS[f][0] for f in con.PLAN_FAMILIES], dtype=object)[plan]
    prices = pd.DataFrame(
        {
            "price_id": names.price(plan, currency, bill, price),
            "product_id": names.product(plan),
            "currency": lower(currency),
            "unit_amount": price,
            "interval": np.where(yearly, "year", "month"),
            "interval_count": np.where(yearly, bill // 12, bill),
            "nickname": family,
            "known_at": to_timestamps(used["at"]),
        }
    )
    return {"products": products, "prices": prices}


def _discounts(book: Book, names: Names) -> Frames:
    d = book.discounts
    uid = d["uid"].to_numpy()
    currency = book.sub(uid, "currency")
    by_amount = d["amount"].to_numpy() > 0
    percent_key = np.rint(d["percent"].to_numpy() * 100).astype(np.int64)
    duration, months = d["duration"].to_numpy(), d["months"].to_numpy()
    coupon = names.make(
        "",
        "coupon",
        percent_key,
        d["amount"].to_numpy(),
        np.where(by_amount, currency, -1),
        duration,
        months,
        length=8,
    )
    known = np.maximum(d["start_s"].to_numpy(), book.sub(uid, "known_s"))
    off = np.where(by_amount, "Amount off", np.char.add(percent_key.astype(str), "bp off"))
    coupons = pd.DataFrame(
        {
            "coupon_id": coupon,
            "name": off,
            "percent_off": np.where(by_amount, np.nan, d["percent"]),
            "amount_off": nullable_ints(d["amount"].to_numpy(), by_amount),
            "currency": optional(lower(currency), by_amount),
            "duration": np.array(con.DURATIONS, dtype=object)[duration],
            "duration_in_months": nullable_ints(months, duration == con.REPEATING),
            "known_at": to_timestamps(known),
        }
    )
    coupons = ordered(coupons, "known_at", "coupon_id").drop_duplicates("coupon_id")
    level = d["level"].to_numpy()
    start, end = d["start_s"].to_numpy(), d["end_s"].to_numpy()
    bounded = duration == con.REPEATING
    attached = np.where(duration == con.ONCE, known + FINALISED_AFTER, end)
    discounts = pd.DataFrame(
        {
            "discount_id": names.discount(uid, d["number"].to_numpy()),
            "coupon_id": coupon,
            "billing_customer_id": names.customer(uid // 128),
            "subscription_id": optional(names.subscription(uid), level != 1),
            "subscription_item_id": optional(names.item(uid, 0), level == 2),
            "start_at": to_timestamps(start),
            "end_at": to_timestamps(np.where(bounded, end, 0), ~bounded),
            "known_at": to_timestamps(known),
            "attached_until": to_timestamps(
                np.where(duration == con.FOREVER, 0, attached), duration == con.FOREVER
            ),
        }
    )
    return {"coupons": coupons, "discounts": ordered(discounts, "known_at", "discount_id")}


def net_values(state: dict[str, Any]) -> tuple[I64, I64, I64, I64]:
    """Gross and discount (minor units an interval) of the plan item and the add-on item."""
    plan = state["price"] * state["seats"]
    addon = np.asarray(state["addon"])
    points = np.rint(state["percent"] * 100).astype(np.int64)
    total = np.maximum(plan + addon, 1)
    off = np.minimum(state["amount_off"], total)
    addon_off = np.where(off > 0, round_div(off * addon, total), round_div(addon * points, 10_000))
    plan_off = np.where(off > 0, off - addon_off, round_div(plan * points, 10_000))
    return plan, plan_off, addon, addon_off


def _lines(book: Book, names: Names, periods: pd.DataFrame) -> pd.DataFrame:
    """Every recurring line, with the keys of its invoice (uid, invoice_at)."""
    parts: list[pd.DataFrame] = []
    uid, start = periods["uid"].to_numpy(), periods["start_s"].to_numpy()
    state = book.state(uid, start)
    plan, plan_off, addon, addon_off = net_values(state)
    trial = periods["is_trial"].to_numpy()
    created = np.maximum(start, book.sub(uid, "known_s"))
    for number, gross, off in ((0, plan, plan_off), (1, addon, addon_off)):
        keep = (gross > 0) if number else np.ones(len(uid), dtype=np.bool_)
        parts.append(
            pd.DataFrame(
                {
                    "uid": uid,
                    "invoice_at": start,
                    "created_s": created,
                    "item": number,
                    "at_s": start,
                    "end_s": periods["end_s"].to_numpy(),
                    "plan": con.ADDON if number else state["plan"],
                    "bill": state["bill"],
                    "price": addon if number else state["price"],
                    "quantity": 1 if number else state["seats"],
                    "amount": np.where(trial, 0, gross),
                    "off": np.where(trial, 0, off),
                    "discount": np.where(trial, -1, state["discount"]),
                    "kind": np.where(trial, 3, 0),  # 0 regular, 1 credit, 2 debit, 3 trial
                    "credited_at": -1,
                }
            )[keep]
        )
    c = book.changes
    inside = c[c["reason"].isin([con.SEATS, con.PLAN])]
    uid, at = inside["uid"].to_numpy(), inside["at_s"].to_numpy()
    k, _ = Lookup(periods["uid"].to_numpy(), periods["start_s"].to_numpy())(uid, at)
    begin, end = periods["start_s"].to_numpy()[k], periods["end_s"].to_numpy()[k]
    for kind, seen_at in ((1, at - 1), (2, at)):
        state = book.state(uid, seen_at)
        gross, off, _, _ = net_values(state)
        amount = round_div((gross - off) * (end - at), end - begin)
        parts.append(
            pd.DataFrame(
                {
                    "uid": uid,
                    "invoice_at": at,
                    "created_s": at,
                    "item": 0,
                    "at_s": at,
                    "end_s": end,
                    "plan": state["plan"],
                    "bill": state["bill"],
                    "price": state["price"],
                    "quantity": state["seats"],
                    "amount": -amount if kind == 1 else amount,
                    "off": 0,
                    "discount": -1,
                    "kind": kind,
                    "credited_at": np.maximum(begin, state["at_s"]) if kind == 1 else -1,
                }
            )
        )
    return ordered(pd.concat(parts, ignore_index=True), "created_s", "uid", "kind", "item")


def _line_table(book: Book, names: Names, lines: pd.DataFrame) -> pd.DataFrame:
    uid, item = lines["uid"].to_numpy(), lines["item"].to_numpy()
    kind, at = lines["kind"].to_numpy(), lines["at_s"].to_numpy()
    currency = book.sub(uid, "currency")
    plan = lines["plan"].to_numpy()
    label = np.array([PLANS[f][0] for f in con.PLAN_FAMILIES], dtype=object)[plan]
    day = to_dates(at).strftime("%d %b %Y").to_numpy(dtype=object)
    seats = lines["quantity"].to_numpy().astype(str).astype(object) + " \u00d7 " + label
    text = np.select(
        [kind == 1, kind == 2, kind == 3],
        [
            "Unused time on " + seats + " after " + day,
            "Remaining time on " + seats + " after " + day,
            "Trial period for " + label,
        ],
        seats,
    )
    has_discount = lines["discount"].to_numpy() >= 0
    number = np.zeros(len(lines), dtype=np.int64)
    if len(book.discounts):
        number = book.discounts["number"].to_numpy()[np.maximum(lines["discount"], 0)]
    credit = kind == 1
    credited = lines["credited_at"].to_numpy()
    return pd.DataFrame(
        {
            "invoice_line_id": names.line(uid, item, at, credit.astype(np.int64)),
            "invoice_id": names.invoice(uid, lines["invoice_at"].to_numpy()),
            "subscription_id": names.subscription(uid),
            "subscription_item_id": names.item(uid, item),
            "price_id": names.price(
                plan, currency, lines["bill"].to_numpy(), lines["price"].to_numpy()
            ),
            "description": text,
            "quantity": lines["quantity"],
            "amount": lines["amount"],
            "discount_amount": lines["off"],
            "discount_id": optional(names.discount(uid, number), has_discount),
            "currency": lower(currency),
            "period_start": to_timestamps(at),
            "period_end": to_timestamps(lines["end_s"]),
            "is_proration": (kind == 1) | (kind == 2),
            "is_credit_proration": credit,
            "is_one_off": False,
            "credited_invoice_id": optional(names.invoice(uid, credited), credit),
            "credited_invoice_line_id": optional(names.line(uid, item, credited, 0), credit),
            "known_at": to_timestamps(lines["created_s"]),
        }
    )


def _invoice_facts(
    book: Book, rng: Rng, lines: pd.DataFrame, periods: pd.DataFrame
) -> pd.DataFrame:
    """One row per invoice with its amounts and its fate: paid, failed, void."""
    keys = ["uid", "invoice_at"]
    facts = lines.groupby(keys, as_index=False, sort=True).agg(
        created_s=("created_s", "first"),
        subtotal=("amount", "sum"),
        off=("off", "sum"),
        kind=("kind", "min"),
        end_s=("end_s", "max"),
    )
    uid, at = facts["uid"].to_numpy(), facts["invoice_at"].to_numpy()
    total = (facts["subtotal"] - facts["off"]).to_numpy()
    facts["total"] = total
    k, _ = Lookup(periods["uid"].to_numpy(), periods["start_s"].to_numpy())(uid, at)
    facts["period_s"] = periods["start_s"].to_numpy()[k]
    cycle = (facts["kind"] == 0).to_numpy() & (at > book.sub(uid, "start_s"))
    facts["reason"] = np.where(cycle, 1, np.where(at == book.sub(uid, "start_s"), 0, 2))
    state = book.state(uid, at)
    facts["is_void"] = cycle & state["paused"]
    end = book.sub(uid, "end_s")
    failed_end = book.sub(uid, "end_reason") == con.PAYMENT_FAILED
    facts["is_unpaid"] = cycle & failed_end & (at == end - 24 * DAY)
    charged = (total > 0) & ~facts["is_void"].to_numpy()
    by_transfer = book.sub(uid, "is_invoiced")
    facts["by_transfer"] = by_transfer
    facts["charged"] = charged
    retried = charged & cycle & ~by_transfer & ~facts["is_unpaid"].to_numpy()
    facts["retried"] = retried & rng.chance("retried", 0.02, uid, at)
    created = facts["created_s"].to_numpy()
    final = created + np.where(cycle, FINALISED_AFTER, 0)
    days = 8 + np.floor(-20.0 * np.log(rng.uniform("pays_after", uid, at))).astype(np.int64)
    wait = np.where(by_transfer, np.minimum(days, 75) * DAY, 0)
    wait = np.where(facts["retried"], RETRY_AFTER, wait)
    facts["final_s"] = final
    facts["paid_s"] = np.where(charged, final + wait, final)
    # A period billed before the cancellation was entered: paid back, or never to be collected.
    billed = book.sub(uid, "billed_s")
    in_vain = charged & (at >= end)
    facts["is_paid_back"] = in_vain & (facts["paid_s"].to_numpy() < billed)
    facts["is_written_off"] = in_vain & ~facts["is_paid_back"].to_numpy()
    facts["closed_s"] = np.where(in_vain, billed, end)
    return facts


def _invoice_versions(book: Book, names: Names, facts: pd.DataFrame) -> pd.DataFrame:
    """Draft, open, then paid, void or uncollectible; only the steps that differ."""
    f = facts
    void = f["is_void"].to_numpy()
    unpaid = f["is_unpaid"].to_numpy() | f["is_written_off"].to_numpy()
    created, final, paid = (f[c].to_numpy() for c in ("created_s", "final_s", "paid_s"))
    end = f["closed_s"].to_numpy()
    steps = [
        (created, ~void & (final > created), "draft"),
        (final, ~void & (unpaid | (paid > final)), "open"),
        (paid, ~void & ~unpaid, "paid"),
        (created, void, "void"),
        (np.where(unpaid, end, 0), unpaid, "uncollectible"),
    ]
    parts = []
    for at, keep, status in steps:
        part = f[keep].copy()
        part["version_s"], part["status"] = at[keep], status
        parts.append(part)
    v = pd.concat(parts, ignore_index=True)
    v = v[v["version_s"] <= book.horizon].reset_index(drop=True)
    uid, at = v["uid"].to_numpy(), v["invoice_at"].to_numpy()
    status = v["status"].to_numpy()
    total = v["total"].to_numpy()
    due = np.maximum(total, 0)
    done = status == "paid"
    draft = status == "draft"
    amount_paid = np.where(done, due, 0)
    by_transfer = v["by_transfer"].to_numpy()
    tries = np.where(v["retried"] & done, 2, np.where(draft | (due == 0) | by_transfer, 0, 1))
    tries = np.where((status == "uncollectible") & v["is_unpaid"].to_numpy(), 4, tries)
    row = names.rng.u64("invoice_number", uid, at) % np.uint64(10**8)
    void_ = status == "void"
    lost = status == "uncollectible"
    return pd.DataFrame(
        {
            "invoice_id": names.invoice(uid, at),
            "version_at": to_timestamps(v["version_s"]),
            "billing_customer_id": names.customer(uid // 128),
            "subscription_id": names.subscription(uid),
            "number": np.char.add("INV-", np.char.zfill(row.astype(str), 8)).astype(object),
            "status": status,
            "billing_reason": np.array(
                ["subscription_create", "subscription_cycle", "subscription_update"], dtype=object
            )[v["reason"].to_numpy()],
            "collection_method": np.where(by_transfer, "send_invoice", "charge_automatically"),
            "currency": lower(book.sub(uid, "currency")),
            "subtotal": v["subtotal"],
            "total": total,
            "amount_due": due,
            "amount_paid": amount_paid,
            "amount_remaining": np.where(void_, 0, due - amount_paid),
            "attempt_count": tries,
            "created_at": to_timestamps(v["created_s"]),
            "period_start": to_timestamps(v["period_s"]),
            "period_end": to_timestamps(v["end_s"]),
            "due_at": to_timestamps(v["final_s"] + 30 * DAY, ~by_transfer),
            "finalized_at": to_timestamps(v["final_s"], draft),
            "paid_at": to_timestamps(v["paid_s"], ~done),
            "voided_at": to_timestamps(v["created_s"], ~void_),
            "marked_uncollectible_at": to_timestamps(np.where(lost, v["version_s"], 0), ~lost),
            "metadata_duplicate_of": None,
            "duplicate_of": None,
            "is_deleted": False,
        }
    )


def _manual_invoices(book: Book, names: Names, facts: pd.DataFrame) -> Frames:
    """One-off work, and invoices that were sent twice: billing without recurring meaning."""
    rng = names.rng
    uid, at = facts["uid"].to_numpy(), facts["invoice_at"].to_numpy()
    twice = facts["charged"].to_numpy() & rng.chance("sent_twice", 0.01, uid, at)
    first = (facts["reason"] == 0).to_numpy() & (facts["total"] > 0).to_numpy()
    services = first & facts["by_transfer"].to_numpy() & rng.chance("services", 0.15, uid, at)
    frames: list[pd.DataFrame] = []
    lines: list[pd.DataFrame] = []
    for keep, label, key in ((twice, "Invoice sent again", 1), (services, "Onboarding package", 2)):
        f = facts[keep]
        u, a = f["uid"].to_numpy(), f["invoice_at"].to_numpy()
        created = f["created_s"].to_numpy() + key * HOUR
        amount = f["total"].to_numpy() if key == 1 else round_div(f["total"].to_numpy(), 10)
        invoice = names.make("in_", "manual", u, a, key)
        number = rng.u64("manual_number", u, a, key) % np.uint64(10**8)
        begin = f["period_s"].to_numpy() if key == 1 else created
        # What was charged for a change counts from the change, and so does its twin.
        line_begin = np.where(f["reason"] == 2, a, begin) if key == 1 else begin
        finish = f["end_s"].to_numpy() if key == 1 else created
        # Finance takes most of them back and only writes on the others what they are.
        kept = rng.chance("only_marked", 0.3, u, a) & (key == 1)
        ended = np.where(kept, "uncollectible", "void" if key == 1 else "paid")
        for status, version in (
            (np.full(len(f), "open"), created),
            (ended, created + 2 * DAY),
        ):
            closed = np.isin(status, ["void", "paid"])
            settled = status == "paid"
            written_off = status == "uncollectible"
            frames.append(
                pd.DataFrame(
                    {
                        "invoice_id": invoice,
                        "version_at": to_timestamps(version),
                        "billing_customer_id": names.customer(u // 128),
                        "subscription_id": None,
                        "number": np.char.add("MAN-", number.astype(str)).astype(object),
                        "status": status.astype(object),
                        "billing_reason": "manual",
                        "collection_method": "send_invoice",
                        "currency": lower(book.sub(u, "currency")),
                        "subtotal": amount,
                        "total": amount,
                        "amount_due": amount,
                        "amount_paid": np.where(settled, amount, 0),
                        "amount_remaining": np.where(closed, 0, amount),
                        "attempt_count": 0,
                        "created_at": to_timestamps(created),
                        "period_start": to_timestamps(begin),
                        "period_end": to_timestamps(finish),
                        "due_at": to_timestamps(created + 30 * DAY),
                        "finalized_at": to_timestamps(created),
                        "paid_at": to_timestamps(created + 2 * DAY, ~settled),
                        "voided_at": to_timestamps(created + 2 * DAY, ~closed | settled),
                        "marked_uncollectible_at": to_timestamps(version, ~written_off),
                        "metadata_duplicate_of": optional(names.invoice(u, a), written_off),
                        "duplicate_of": names.invoice(u, a) if key == 1 else None,
                        "is_deleted": False,
                    }
                )
            )
        lines.append(
            pd.DataFrame(
                {
                    "invoice_line_id": names.make("il_", "manual_line", u, a, key),
                    "invoice_id": invoice,
                    "subscription_id": None,
                    "subscription_item_id": None,
                    "price_id": None,
                    "description": label,
                    "quantity": 1,
                    "amount": amount,
                    "discount_amount": 0,
                    "discount_id": None,
                    "currency": lower(book.sub(u, "currency")),
                    "period_start": to_timestamps(line_begin),
                    "period_end": to_timestamps(finish),
                    "is_proration": False,
                    "is_credit_proration": False,
                    "is_one_off": True,
                    "credited_invoice_id": None,
                    "credited_invoice_line_id": None,
                    "known_at": to_timestamps(created),
                }
            )
        )
    return {"invoices": pd.concat(frames), "invoice_lines": pd.concat(lines)}


def _payments(book: Book, names: Names, facts: pd.DataFrame) -> Frames:
    """Charges with their failures, refunds and disputes, and the credit notes of refunds."""
    rng = names.rng
    f = facts[facts["charged"]].reset_index(drop=True)
    uid, at = f["uid"].to_numpy(), f["invoice_at"].to_numpy()
    final, paid = f["final_s"].to_numpy(), f["paid_s"].to_numpy()
    unpaid, retried = f["is_unpaid"].to_numpy(), f["retried"].to_numpy()
    back, never_paid = f["is_paid_back"].to_numpy(), f["is_written_off"].to_numpy()
    settled = ~unpaid & ~never_paid
    refunded = settled & (back | rng.chance("refunded", 0.010, uid, at))
    disputed = settled & ~refunded & rng.chance("disputed", 0.004, uid, at)
    later = paid + rng.integers("refund_after", 4, 30, uid, at) * DAY
    later = np.where(back, f["closed_s"].to_numpy(), later)
    share = np.where(back, 10, rng.integers("refund_share", 1, 6, uid, at))
    total = f["total"].to_numpy()
    refund = np.maximum(1, total * share // 10)
    nothing = np.zeros(len(f), dtype=np.int64)
    rows = [(settled, 0, paid, paid, "succeeded", nothing, False, False)]
    for attempt, delay in enumerate((0, 3 * DAY, 8 * DAY, 15 * DAY), start=1):
        failing = unpaid if attempt > 1 else unpaid | retried
        tried = final + delay
        rows.append((failing, attempt, tried, tried, "failed", nothing, False, False))
    rows.append((refunded, 0, paid, later, "succeeded", refund, True, False))
    rows.append((disputed, 0, paid, later, "succeeded", nothing, False, True))
    parts = []
    for keep, attempt, made, version, status, back, is_refund, is_dispute in rows:
        u, a = uid[keep], at[keep]
        parts.append(
            pd.DataFrame(
                {
                    "charge_id": names.make("ch_", "charge", u, a, attempt),
                    "version_s": version[keep],
                    "billing_customer_id": names.customer(u // 128),
                    "invoice_id": names.invoice(u, a),
                    "payment_intent_id": names.make("pi_", "intent", u, a),
                    "amount": total[keep],
                    "amount_refunded": back[keep],
                    "currency": lower(book.sub(u, "currency")),
                    "status": status,
                    "is_refunded": is_refund & (back[keep] == total[keep]),
                    "is_disputed": is_dispute,
                    "failure_code": "card_declined" if status == "failed" else None,
                    "created_at": to_timestamps(made[keep]),
                }
            )
        )
    charges = pd.concat(parts, ignore_index=True)
    charges = charges[charges["version_s"] <= book.horizon]
    charges["version_at"] = to_timestamps(charges["version_s"])
    keep = refunded & (later <= book.horizon)
    u, a = uid[keep], at[keep]
    notes = pd.DataFrame(
        {
            "credit_note_id": names.make("cn_", "credit_note", u, a),
            "invoice_id": names.invoice(u, a),
            "billing_customer_id": names.customer(u // 128),
            "status": "issued",
            "type": "post_payment",
            "reason": np.where(share[keep] > 3, "order_change", "product_unsatisfactory"),
            "amount": refund[keep],
            "currency": lower(book.sub(u, "currency")),
            "known_at": to_timestamps(later[keep]),
        }
    )
    return {"charges": charges, "credit_notes": ordered(notes, "known_at", "credit_note_id")}


def _subscription_versions(
    book: Book, names: Names, periods: pd.DataFrame, facts: pd.DataFrame
) -> pd.DataFrame:
    """Everything that ever happens to the object, forward filled. -1 marks "cleared"."""
    s = book.subs
    never = con.NEVER

    def event(uid: Any, at: Any, order: int, **values: Any) -> pd.DataFrame:
        return pd.DataFrame({"uid": uid, "at": at, "order": order, **values})

    trial = s["trial_end_s"] > 0
    first_end = periods.drop_duplicates("uid").set_index("uid")["end_s"].reindex(s["uid"])
    parts = [
        event(
            s["uid"],
            s["known_s"],
            0,
            status=np.where(trial, 1, 0),
            period_start=s["start_s"],
            period_end=first_end.to_numpy(),
            flag=0,
            cancel_at=-1,
            canceled_at=-1,
            ended_at=-1,
            pause=0,
            resumes_at=-1,
        )
    ]
    cycle = periods[~periods["is_trial"]]
    known = book.sub(cycle["uid"].to_numpy(), "known_s")
    cycle = cycle[(cycle["start_s"] > known).to_numpy()]
    status = np.where(book.sub(cycle["uid"].to_numpy(), "anchor_s") == cycle["start_s"], 0, np.nan)
    parts.append(
        event(
            cycle["uid"],
            cycle["start_s"],
            1,
            status=status,
            period_start=cycle["start_s"],
            period_end=cycle["end_s"],
        )
    )
    p = book.pauses
    parts.append(event(p["uid"], p["start_s"], 2, pause=1, resumes_at=p["end_s"]))
    parts.append(event(p["uid"], p["end_s"], 2, pause=0, resumes_at=-1))
    # A failed payment is known at once, but nobody asked for the end.
    failed = s["end_reason"] == con.PAYMENT_FAILED
    noticed = s[(s["notice_s"] < s["end_s"]) & ~failed]
    parts.append(
        event(
            noticed["uid"],
            noticed["notice_s"],
            3,
            flag=1,
            cancel_at=noticed["end_s"],
            canceled_at=noticed["notice_s"],
        )
    )
    retried = facts[facts["retried"]]
    parts.append(event(retried["uid"], retried["final_s"], 4, status=2))
    parts.append(event(retried["uid"], retried["paid_s"], 4, status=0))
    unpaid = facts[facts["is_unpaid"]]
    parts.append(event(unpaid["uid"], unpaid["final_s"], 4, status=2))
    ended = s[s["end_s"] < never]
    at_once = (ended["notice_s"] >= ended["end_s"]) | failed[ended.index]
    parts.append(
        event(
            ended["uid"],
            ended["billed_s"],
            9,
            status=3,
            ended_at=ended["end_s"],
            canceled_at=np.where(at_once, ended["billed_s"], np.nan),
            pause=0,
            resumes_at=-1,
        )
    )
    e = ordered(pd.concat(parts, ignore_index=True), "uid", "at", "order")
    filled = [c for c in e.columns if c not in ("uid", "at", "order")]
    e[filled] = e.groupby("uid", sort=False)[filled].ffill()
    e = e.drop_duplicates(["uid", "at"], keep="last")
    end = book.sub(e["uid"].to_numpy(), "billed_s")
    e = e[(e["at"] <= book.horizon) & (e["at"] <= end)].reset_index(drop=True)
    uid = e["uid"].to_numpy()

    def at(column: str) -> pd.DatetimeIndex:
        values = e[column].to_numpy().astype(np.int64)
        return to_timestamps(np.maximum(values, 0), values < 0)

    def sub(column: str) -> NDArray[Any]:
        return book.sub(uid, column)

    trial_end = sub("trial_end_s")
    reason = sub("end_reason")
    stated = sub("stated")
    told = (e["canceled_at"] >= 0).to_numpy() & (reason >= 0)
    feedback = np.array([FEEDBACK.get(c, "other") for c in CAUSES] + [None], dtype=object)[stated]
    why = np.where(reason == con.PAYMENT_FAILED, "payment_failed", "cancellation_requested")
    meta = sub("meta_term")
    replaces = sub("replaces")
    return pd.DataFrame(
        {
            "subscription_id": names.subscription(uid),
            "version_at": to_timestamps(e["at"]),
            "billing_customer_id": names.customer(uid // 128),
            "status": np.array(["active", "trialing", "past_due", "canceled"], dtype=object)[
                e["status"].to_numpy().astype(np.int64)
            ],
            "currency": lower(sub("currency")),
            "created_at": to_timestamps(sub("known_s")),
            "start_at": to_timestamps(sub("start_s")),
            "billing_cycle_anchor": to_timestamps(sub("anchor_s")),
            "current_period_start": at("period_start"),
            "current_period_end": at("period_end"),
            "trial_start": to_timestamps(sub("start_s"), trial_end == 0),
            "trial_end": to_timestamps(trial_end, trial_end == 0),
            "cancel_at_period_end": (e["flag"] > 0).to_numpy(),
            "cancel_at": at("cancel_at"),
            "canceled_at": at("canceled_at"),
            "ended_at": at("ended_at"),
            "cancellation_reason": optional(why, told),
            "cancellation_feedback": optional(feedback, told & (stated >= 0)),
            "pause_behavior": optional(np.full(len(e), "void"), (e["pause"] > 0).to_numpy()),
            "pause_resumes_at": at("resumes_at"),
            "collection_method": np.where(
                sub("is_invoiced"), "send_invoice", "charge_automatically"
            ),
            "metadata_term_months": nullable_ints(meta, meta > 0),
            "metadata_replaces_subscription_id": optional(
                names.subscription(np.maximum(replaces, 0)), replaces >= 0
            ),
            "metadata_account_id": names.account_ids[uid // 128],
        }
    )


def _item_versions(book: Book, names: Names) -> pd.DataFrame:
    c = book.changes
    uid = c["uid"].to_numpy()
    currency = book.sub(uid, "currency")
    known = np.maximum(c["at_s"].to_numpy(), book.sub(uid, "known_s"))
    bill = c["bill"].to_numpy()

    def rows(number: int, keep: Bools, plan: I64, price: I64, quantity: I64) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "subscription_item_id": names.item(uid[keep], number),
                "subscription_id": names.subscription(uid[keep]),
                "version_at": to_timestamps(known[keep]),
                "price_id": names.price(plan[keep], currency[keep], bill[keep], price[keep]),
                "quantity": quantity[keep],
                "created_at": to_timestamps(book.sub(uid[keep], "known_s")),
                "is_deleted": False,
            }
        )

    everything = np.ones(len(c), dtype=np.bool_)
    addon = c["addon"].to_numpy()
    starts = (c["reason"] == con.AT_START).to_numpy() & (addon > 0)
    one = np.ones(len(c), dtype=np.int64)
    plan_rows = rows(
        0, everything, c["plan"].to_numpy(), c["price"].to_numpy(), c["seats"].to_numpy()
    )
    return pd.concat([plan_rows, rows(1, starts, one * con.ADDON, addon, one)], ignore_index=True)


def _customers(book: Book, names: Names, account_names: NDArray[np.object_]) -> pd.DataFrame:
    s = book.subs
    first = s.groupby("account", as_index=False).agg(known_s=("known_s", "min"))
    failed = s[s["end_reason"] == con.PAYMENT_FAILED]
    failing = pd.DataFrame(
        {
            "account": failed["account"],
            "known_s": failed["end_s"] - 24 * DAY + FINALISED_AFTER,
            "late": True,
        }
    )
    v = pd.concat(
        [first.assign(late=False), failing, _deletions(book, names.rng)], ignore_index=True
    )
    v = ordered(v[v["known_s"] <= book.horizon], "account", "known_s")
    v["late"] = v.groupby("account")["late"].ffill().astype(bool)
    account = v["account"].to_numpy()
    created = first.set_index("account")["known_s"].reindex(account).to_numpy()
    rng, a = names.rng, book.sim.accounts
    # Whoever is deleted can only be found through the CRM, so there the keys are right.
    wrong = rng.chance("customer_key_typo", WRONG_KEY_SHARE, account) & ~a.leaves_for_good[account]
    lost = rng.chance("workspace_key_typo", ORPHAN_SHARE, account)
    return pd.DataFrame(
        {
            "billing_customer_id": names.customer(account),
            "version_at": to_timestamps(v["known_s"]),
            "account_id": names.account_ids[account],
            "metadata_account_id": np.where(
                wrong,
                salesforce_ids("001", rng.u64("id_account_typo", account)),
                names.account_ids[account],
            ),
            "metadata_workspace_id": workspace_ids(
                np.where(
                    lost,
                    rng.u64("id_workspace_typo", account),
                    rng.u64("id_workspace", account),
                )
            ),
            "name": account_names[account],
            "currency": lower(book.sim.accounts.currency[account]),
            "is_delinquent": v["late"],
            "is_deleted": v["deleted"].eq(True),
            "created_at": to_timestamps(created),
        }
    )


def _deletions(book: Book, rng: Rng) -> pd.DataFrame:
    """When the customers who never come back are deleted: months after the last invoice."""
    s = book.subs
    over = (s["end_s"] < con.NEVER) & (s["kind"] != con.SIDE)
    over &= ~s["end_reason"].isin([con.SUPERSEDED, con.LATE])
    gone = s[over & book.sim.accounts.leaves_for_good[s["account"].to_numpy()]]
    account = gone["account"].to_numpy()
    wait = rng.integers("deleted_after", 150, 450, account) * DAY
    return pd.DataFrame(
        {"account": account, "known_s": gone["billed_s"].to_numpy() + wait, "deleted": True}
    )


def build_billing(
    book: Book, names: Names, account_names: NDArray[np.object_], start_s: int
) -> Frames:
    """Render the contract ledgers as the tables of the billing system.

    Args:
        book: Sorted ledgers.
        names: Vendor ids.
        account_names: Company name per account index.
        start_s: First second of the company (products exist from then on).
    """
    periods = book.periods()
    lines = _lines(book, names, periods)
    facts = _invoice_facts(book, names.rng, lines, periods)
    manual = _manual_invoices(book, names, facts)
    tables: Frames = {}
    tables.update(_catalogue(book, names, start_s))
    tables.update(_discounts(book, names))
    tables.update(_payments(book, names, facts))
    horizon = pd.Timestamp(book.horizon, unit="s", tz="UTC")
    invoices = pd.concat(
        [_invoice_versions(book, names, facts), manual["invoices"]], ignore_index=True
    )
    all_lines = pd.concat(
        [_line_table(book, names, lines), manual["invoice_lines"]], ignore_index=True
    )
    tables["invoices"] = ordered(
        invoices[invoices["version_at"] <= horizon], "version_at", "invoice_id"
    )
    tables["invoice_lines"] = ordered(
        all_lines[all_lines["known_at"] <= horizon], "known_at", "invoice_id", "invoice_line_id"
    )
    tables["charges"] = ordered(tables["charges"], "version_at", "charge_id")
    tables["subscription_versions"] = ordered(
        _subscription_versions(book, names, periods, facts), "version_at", "subscription_id"
    )
    tables["subscription_item_versions"] = ordered(
        _item_versions(book, names), "version_at", "subscription_item_id"
    )
    tables["billing_customers"] = ordered(
        _customers(book, names, account_names), "version_at", "billing_customer_id"
    )
    tables["fx_rates"] = pd.DataFrame(
        {
            "currency": list(USD_PER_UNIT),
            "valid_from": to_dates(np.full(len(USD_PER_UNIT), start_s)),
            "usd_per_unit": list(USD_PER_UNIT.values()),
        }
    )
    return tables


def minor_units(currency: I64) -> I64:
    """Minor units per major unit of each currency index."""
    return np.array([MINOR_UNITS[c] for c in CURRENCIES], dtype=np.int64)[currency]
