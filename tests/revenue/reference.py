"""The metric definitions, written down a second time: slow, obvious, month by month.

Belongs here: what the definitions and policies say, in plain Python over plain facts with exact
fractions. Must not be here: anything taken from the project's SQL, or made to be fast.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import partial

from tests.revenue.book import Discount, History, ItemState, Price, Subscription, end_of

PAYING = ("active", "past_due")
INTERVALS_A_YEAR = {"day": 365, "week": 52, "month": 12, "year": 1}
CENT = Decimal("0.01")
NOTHING = Decimal("0.00")


@dataclass(frozen=True)
class Policies:
    """Every hard case decided; the defaults of the metric definitions."""

    discounts: str = "all"
    paused: str = "pause_movement"
    past_due: str = "counts_until_unpaid"
    churn_date: str = "end_of_paid_service"
    reactivation: str = "any_gap"
    currency: str = "constant_reference_rate"
    pause_days: int = 90
    past_due_days: int = 30
    reactivation_days: int = 90
    grace_days: int = 60


@dataclass(frozen=True)
class Rate:
    """US dollars for one unit of a currency from a day on."""

    currency: str
    valid_from: date
    usd_per_unit: Decimal
    is_reference: bool


@dataclass(frozen=True)
class Movement:
    """A movement of an account's recurring revenue between two month-ends."""

    account: str
    month: date
    movement_type: str
    amount: Decimal
    seats: Decimal | None = None
    price: Decimal | None = None
    plan: Decimal | None = None


@dataclass(frozen=True)
class Worth:
    """What an item is worth at an instant: paid, or paused and waited for."""

    item: ItemState
    terms: tuple[object, ...]
    paid: Decimal
    waiting: Decimal


# --- calendar ---------------------------------------------------------------------------------


def month_end(day: date) -> date:
    """Last day of a day's month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def month_ends(first: date, last: date) -> Iterator[date]:
    """Month-ends from a day's month to the last one that has passed by another day."""
    end = month_end(first)
    while end <= last:
        yield end
        end = month_end(end + timedelta(days=1))


def months_after(instant: datetime, months: int) -> datetime:
    """The same day months later, or the month's last where it is shorter."""
    number = instant.year * 12 + instant.month - 1 + months
    year, month = number // 12, number % 12 + 1
    return instant.replace(year=year, month=month, day=min(instant.day, monthrange(year, month)[1]))


def last_instant(day: date) -> datetime:
    """Last instant of a day."""
    return end_of(day) - timedelta(microseconds=1)


# --- one subscription at one instant -----------------------------------------------------------


class Life:
    """One subscription under given policies, as known at the end of a day."""

    def __init__(self, facts: Subscription, policies: Policies, as_of: date) -> None:
        self.facts = facts
        self.policies = policies
        self.as_of_end = end_of(as_of)

    @property
    def served_until(self) -> datetime | None:
        """End of paid service, or the day on which the customer asked, as the policy has it."""
        ends = [self.facts.ended_at]
        if self.policies.churn_date == "cancellation_request":
            ends.append(self.facts.cancel_requested_at)
        known = [end for end in ends if end is not None]
        return min(known) if known else None

    def status_at(self, at: datetime) -> str | None:
        """Status in force; None before the first and from the end of service on."""
        if self.served_until is not None and at >= self.served_until:
            return None
        held = None
        for status in self.facts.statuses:
            if status.at <= at:
                held = status.status
        return held

    def spell(self, at: datetime) -> tuple[datetime, datetime | None]:
        """From when to when (None: not ended) the status of an instant held without a break."""
        status = self.status_at(at)
        points = sorted({s.at for s in self.facts.statuses})
        start = max(p for p in points if p <= at)
        while (
            any(p < start for p in points)
            and self.status_at(start - timedelta(microseconds=1)) == status
        ):
            start = max(p for p in points if p < start)
        changes = [p for p in points if p > at and self.status_at(p) != status]
        if self.served_until is not None:
            changes.append(self.served_until)
        return start, min(changes) if changes else None

    def is_paying(self, at: datetime) -> bool:
        """Is money paid for service at this instant?"""
        status = self.status_at(at)
        if status == "past_due" and self.policies.past_due == "thirty_days":
            return at < self.spell(at)[0] + timedelta(days=self.policies.past_due_days)
        if status == "paused":
            return self.policies.paused == "counts"
        return status in PAYING

    def is_waited_for(self, at: datetime) -> bool:
        """Paused out of paid service, and either back in time or still to be expected back."""
        if self.status_at(at) != "paused" or self.policies.paused != "pause_movement":
            return False
        start, end = self.spell(at)
        if not self.is_paying(start - timedelta(microseconds=1)):
            return False
        until = self.as_of_end if end is None else end
        if until - start > timedelta(days=self.policies.pause_days):
            return False
        return end is None or self.is_paying(end)


# --- money -------------------------------------------------------------------------------------


def to_cent(value: Fraction) -> Decimal:
    """Half a cent goes up."""
    return Decimal((value * 100 + Fraction(1, 2)).__floor__()) * CENT


def interval_value(price: Price, quantity: int) -> Fraction:
    """What so many units cost for one interval, before discounts."""
    if price.tiers_mode is None:
        return Fraction(price.unit_amount or 0) * quantity
    value, below = Fraction(0), 0
    for tier in price.tiers:
        is_reached = quantity > below
        is_last = tier.up_to is None or quantity <= tier.up_to
        if price.tiers_mode == "volume" and is_last:
            return Fraction(tier.unit) * quantity + Fraction(tier.flat)
        if price.tiers_mode == "graduated" and is_reached:
            top = quantity if tier.up_to is None else min(quantity, tier.up_to)
            value += Fraction(tier.unit) * (top - below) + Fraction(tier.flat)
        below = tier.up_to or below
    return value


def discount_end(off: Discount, items: list[ItemState]) -> datetime | None:
    """End of a discount; one granted once covers one billing interval."""
    if off.ends_at is not None or off.duration != "once":
        return off.ends_at
    billed = [
        i.price for i in items if i.starts_at <= off.starts_at and not _ended(i, off.starts_at)
    ]
    ends = []
    for price in billed:
        if price.interval in ("month", "year"):
            months = price.interval_count * (12 if price.interval == "year" else 1)
            ends.append(months_after(off.starts_at, months))
        elif price.interval is not None:
            days = price.interval_count * (7 if price.interval == "week" else 1)
            ends.append(off.starts_at + timedelta(days=days))
    return max(ends) if ends else None


def _ended(item: ItemState, at: datetime) -> bool:
    return item.ends_at is not None and item.ends_at <= at


def reduced(value: Fraction, discounts: list[Discount]) -> Fraction:
    """Money off first, then the percentages, each of what is left; never below nothing."""
    value = max(
        value - sum((Fraction(off.amount or 0) for off in discounts), Fraction(0)), Fraction(0)
    )
    for off in discounts:
        value *= 1 - Fraction(off.percent or 0) / 100
    return value


def worths(
    life: Life, discounts: tuple[Discount, ...], rates: list[Rate], at: datetime
) -> list[Worth]:
    """What each recurring item of a subscription is worth a month at an instant, in US dollars."""
    is_paying, is_waited_for = life.is_paying(at), life.is_waited_for(at)
    if not is_paying and not is_waited_for:
        return []
    facts = life.facts
    items = [i for i in facts.items if i.starts_at <= at and not _ended(i, at)]
    recurring = [
        i for i in items if i.price.interval is not None and i.price.usage_type == "licensed"
    ]
    valid = []
    for off in discounts:
        if life.policies.discounts == "forever_only" and off.duration != "forever":
            continue
        end = discount_end(off, list(facts.items))
        if off.starts_at <= at and (end is None or at < end):
            valid.append(off)
    own = [o for o in valid if o.subscription_id == facts.subscription_id]
    of_customer = [
        o for o in valid if o.subscription_id is None and o.customer_id == facts.customer_id
    ]
    on_items = {i.item_id: [o for o in own if o.item_id == i.item_id] for i in recurring}
    # A discount of the customer gives way to one of the subscription.
    on_all = [o for o in own if o.item_id is None] or of_customer
    left = {
        i.item_id: reduced(interval_value(i.price, i.quantity), on_items[i.item_id])
        for i in recurring
    }
    together = sum(left.values(), Fraction(0))
    share = reduced(together, on_all) / together if together else Fraction(0)
    rate = rate_of(facts, life.policies, rates)
    found = []
    for item in recurring:
        price = item.price
        month = (
            left[item.item_id]
            * share
            * INTERVALS_A_YEAR[price.interval or ""]
            / (12 * price.interval_count)
        )
        value = to_cent(Fraction(to_cent(month)) * Fraction(rate))
        terms = (price.price_id, *map(_terms, (on_items[item.item_id], on_all)))
        found.append(
            Worth(
                item,
                terms,
                value if is_paying else NOTHING,
                value if is_waited_for else NOTHING,
            )
        )
    return found


def _terms(discounts: list[Discount]) -> tuple[Decimal, tuple[Decimal, ...]]:
    """What discounts take off, however many they are: money together, and each percentage."""
    money = sum((off.amount or Decimal(0) for off in discounts), Decimal(0))
    return money, tuple(sorted(off.percent for off in discounts if off.percent))


def rate_of(facts: Subscription, policies: Policies, rates: list[Rate]) -> Decimal:
    """US dollars a unit: the reference rate, or the rate in force when service started."""
    mine = sorted((r for r in rates if r.currency == facts.currency), key=lambda r: r.valid_from)
    if policies.currency == "constant_reference_rate":
        return next(r.usd_per_unit for r in mine if r.is_reference)
    started = facts.started_at.astimezone(UTC).date()
    before = [r for r in mine if r.valid_from <= started]
    return (before[-1] if before else mine[0]).usd_per_unit


# --- accounts, month by month ------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One subscription between two month-ends."""

    subscription: str
    customer: str
    opened: list[Worth]
    closed: list[Worth]

    @property
    def opening(self) -> Decimal:
        """Paid before."""
        return sum((w.paid for w in self.opened), NOTHING)

    @property
    def closing(self) -> Decimal:
        """Paid after."""
        return sum((w.paid for w in self.closed), NOTHING)

    @property
    def opening_waiting(self) -> Decimal:
        """Paused and waited for before."""
        return sum((w.waiting for w in self.opened), NOTHING)

    @property
    def closing_waiting(self) -> Decimal:
        """Paused and waited for after."""
        return sum((w.waiting for w in self.closed), NOTHING)

    @property
    def pause_out(self) -> Decimal:
        """Paid before, paused now."""
        is_paused = self.closing == 0 and self.closing_waiting > 0
        return self.opening if is_paused else NOTHING

    @property
    def pause_in(self) -> Decimal:
        """Paused before, paid now."""
        is_back = self.opening == 0 and self.opening_waiting > 0
        return self.closing if is_back else NOTHING


@dataclass(frozen=True)
class Answer:
    """What the definitions say of a history.

    Attributes:
        mrr: (surviving account, month-end) -> US dollars, months with nothing left out.
        movements: by account as it was then.
    """

    mrr: dict[tuple[str, date], Decimal]
    movements: list[Movement]


def holder(history: History, customer: str, at: datetime) -> str:
    """The account that a customer of billing belongs to at an instant."""
    account = dict(history.customers)[customer]
    became = {m.losing: m.surviving for m in history.mergers if m.at <= at}
    while account in became:
        account = became[account]
    return account


def answer(history: History, policies: Policies, rates: list[Rate], as_of: date) -> Answer:
    """Revenue by account-month and all movements of a history as known at the end of a day."""
    known = history.known(as_of)
    started = [s.at for one in known.subscriptions for s in one.statuses]
    if not started:
        return Answer({}, [])
    ends = list(month_ends(min(started).date(), as_of))
    lives = [Life(one, policies, as_of) for one in known.subscriptions]
    worth_at = {
        (life.facts.subscription_id, end): worths(life, known.discounts, rates, last_instant(end))
        for life in lives
        for end in ends
    }
    mrr: dict[tuple[str, date], Decimal] = defaultdict(lambda: NOTHING)
    movements: list[Movement] = []
    lines_of: dict[date, list[Line]] = {}
    previous: date | None = None
    for end in ends:
        lines = [
            Line(
                life.facts.subscription_id,
                life.facts.customer_id,
                worth_at[life.facts.subscription_id, previous] if previous else [],
                worth_at[life.facts.subscription_id, end],
            )
            for life in lives
        ]
        lines_of[end] = lines
        for line in lines:
            survivor = holder(known, line.customer, end_of(as_of))
            mrr[survivor, end] += line.closing
        for account in known.accounts:
            held = [x for x in lines if holder(known, x.customer, last_instant(end)) == account]
            before = {
                c for c, _ in known.customers if holder(known, c, last_instant(end)) == account
            }
            past = [[x for x in lines_of[e] if x.customer in before] for e in ends if e < end]
            own = [life for life in lives if life.facts.customer_id in before]
            gap = partial(_days_away, own, known, rates, previous, end)
            movements += _movements(account, end, held, past, policies, gap)
            moved = NOTHING
            if previous:
                for line in lines:
                    then = holder(known, line.customer, last_instant(previous))
                    now = holder(known, line.customer, last_instant(end))
                    if then != now:
                        moved += line.opening * ((now == account) - (then == account))
            if moved:
                movements.append(Movement(account, end, "merge_transfer", moved))
        previous = end
    return Answer({key: value for key, value in mrr.items() if value}, movements)


def _movements(
    account: str,
    month: date,
    lines: list[Line],
    past: list[list[Line]],
    policies: Policies,
    days_away: Callable[[], int | None],
) -> Iterator[Movement]:
    """Movements of one account between two month-ends, in their order of precedence."""
    opening = sum((x.opening for x in lines), NOTHING)
    closing = sum((x.closing for x in lines), NOTHING)
    closing_waiting = sum((x.closing_waiting for x in lines), NOTHING)
    if opening == 0 and closing == 0:
        return
    if not any(x.closing for month_lines in past for x in month_lines):
        yield Movement(account, month, "new", closing)
        return
    if closing == 0 and closing_waiting == 0:
        yield Movement(account, month, "churn", opening)
        return
    if opening == 0 and _was_gone(past):
        kind = "reactivation"
        if policies.reactivation == "within_90_days":
            days = days_away()
            kind = "new" if days is None or days > policies.reactivation_days else kind
        yield Movement(account, month, kind, closing)
        return
    paused = sum((x.pause_out for x in lines), NOTHING)
    resumed = sum((x.pause_in for x in lines), NOTHING)
    if paused:
        yield Movement(account, month, "pause_out", paused)
    if resumed:
        yield Movement(account, month, "pause_in", resumed)
    change = closing - opening + paused - resumed
    if change:
        sign = 1 if change > 0 else -1
        seats, price, plan = _parts([x for x in lines if not x.pause_out and not x.pause_in])
        kind = "expansion" if change > 0 else "contraction"
        yield Movement(account, month, kind, abs(change), sign * seats, sign * price, sign * plan)


def _was_gone(past: list[list[Line]]) -> bool:
    """Was there, since the account last paid, a month-end with nothing paid and none waited for?"""
    for lines in reversed(past):
        if any(x.closing for x in lines):
            return False
        if not any(x.closing_waiting for x in lines):
            return True
    return True


def _days_away(
    lives: list[Life], known: History, rates: list[Rate], previous: date | None, end: date
) -> int | None:
    """Days between the last paid day before a month-end and the first paid one after it."""
    if previous is None:
        return None
    day = timedelta(days=1)

    def is_paid(at: datetime) -> bool:
        return any(w.paid for life in lives for w in worths(life, known.discounts, rates, at))

    instants = sorted({turn for life in lives for turn in _turns(life, known)})
    closes = end_of(previous)
    if is_paid(closes - timedelta(microseconds=1)) or not is_paid(last_instant(end)):
        return None
    tick = timedelta(microseconds=1)
    left = [p for p in instants if p <= closes and is_paid(p - tick) and not is_paid(p)]
    back = [p for p in instants if p >= closes and is_paid(p) and not is_paid(p - tick)]
    if not left or not back:
        return None
    return int((back[0].date() - left[-1].date()) / day)


def _turns(life: Life, known: History) -> Iterator[datetime]:
    """Every instant at which money of a subscription may change."""
    for status in life.facts.statuses:
        yield status.at
        yield status.at + timedelta(days=life.policies.past_due_days)
    for item in life.facts.items:
        yield item.starts_at
        if item.ends_at is not None:
            yield item.ends_at
    for off in known.discounts:
        end = discount_end(off, list(life.facts.items))
        yield off.starts_at
        if end is not None:
            yield end
    if life.served_until is not None:
        yield life.served_until


def _parts(lines: list[Line]) -> tuple[Decimal, Decimal, Decimal]:
    """Seats, price and plan of what changed; plans are told apart, subscriptions are not.

    A plan taken up or given up is plan. Of a plan kept: all seats when only the number of seats
    changed, all price when only price or discount did; both at once: seats at the old average
    price, the new price on all seats.
    """
    seats = price = plan = NOTHING
    plans = {w.item.price.plan_id for x in lines for w in (*x.opened, *x.closed)}
    for plan_id in plans:
        before = [w for x in lines for w in x.opened if w.item.price.plan_id == plan_id and w.paid]
        after = [w for x in lines for w in x.closed if w.item.price.plan_id == plan_id and w.paid]
        paid_before = sum((w.paid for w in before), NOTHING)
        change = sum((w.paid for w in after), NOTHING) - paid_before
        units_before = sum(w.item.quantity for w in before)
        more = sum(w.item.quantity for w in after) - units_before
        if not before or not after:
            plan += change
        elif more and {w.terms for w in before} == {w.terms for w in after}:
            seats += change
        else:
            exact = paid_before * more / units_before
            part = exact.quantize(CENT, ROUND_HALF_UP)
            seats += part
            price += change - part
    return seats, price, plan


# --- all accounts together ---------------------------------------------------------------------


@dataclass(frozen=True)
class Retention:
    """What the accounts that paid a year ago pay now; net and gross rates follow."""

    base: Decimal
    now: Decimal
    kept: Decimal
    base_accounts: int
    lost_accounts: int


def retention(mrr: dict[tuple[str, date], Decimal], last: date) -> dict[date, Retention]:
    """Retention over twelve months at each month-end, of all accounts together."""
    accounts = {account for account, _ in mrr}
    found = {}
    for end in month_ends(min(month for _, month in mrr), last):
        before = month_end(end.replace(day=1, year=end.year - 1))
        pairs = [
            (mrr.get((one, before), NOTHING), mrr.get((one, end), NOTHING)) for one in accounts
        ]
        base = [(then, now) for then, now in pairs if then > 0]
        found[end] = Retention(
            sum((then for then, _ in base), NOTHING),
            sum((now for _, now in base), NOTHING),
            sum((min(then, now) for then, now in base), NOTHING),
            len(base),
            sum(now == 0 for _, now in base),
        )
    return found


# --- contract terms ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """A contract term and how it ended."""

    account: str
    subscription: str
    started_on: date
    due_on: date
    ended_on: date | None
    outcome: str
    due_arr: Decimal
    renewed_arr: Decimal | None
    next_subscription: str | None
    term_months: int
    is_evergreen: bool


@dataclass
class Contract:
    """A subscription that was in force after any trial."""

    life: Life
    account: str
    started_on: date
    anchor_on: date
    ended_on: date | None
    months: int
    is_evergreen: bool

    def starts(self, as_of: date) -> list[date]:
        """First days of its terms: always counted from the first, so that a 31st comes back."""
        found: list[date] = []
        while True:
            start = self.day(len(found))
            if start > as_of or (self.ended_on is not None and start >= self.ended_on):
                return found
            found.append(start)

    def day(self, term: int) -> date:
        """First day of a term, which is the due date of the one before."""
        anchor = datetime(*self.anchor_on.timetuple()[:3], tzinfo=UTC)
        return months_after(anchor, term * self.months).date()


def contracts(known: History, policies: Policies, as_of: date) -> list[Contract]:
    """Contracts with the length of their terms: as agreed, as paid for at once, or a year."""
    found = []
    for facts in known.subscriptions:
        life = Life(facts, policies, as_of)
        turns = sorted(set(_turns(life, known)))
        in_force = [
            item
            for turn in turns
            if life.status_at(turn)
            not in (None, "trialing", "incomplete", "incomplete_expired", "canceled")
            for item in facts.items
            if item.starts_at <= turn
            and not _ended(item, turn)
            and item.price.interval is not None
            and item.price.usage_type == "licensed"
        ]
        if not in_force:
            continue
        years = [
            (12 if i.price.interval == "year" else 1) * i.price.interval_count
            for i in in_force
            if i.price.interval in ("month", "year")
        ]
        long = [months for months in years if months >= 12]
        last = max(turns, key=lambda t: (life.status_at(t) is not None, t))
        end = life.served_until
        if life.status_at(last) == "unpaid":
            # Never paid again: it ended when it was given up, whenever the vendor closes it.
            end = life.spell(last)[0]
        found.append(
            Contract(
                life,
                holder(known, facts.customer_id, end_of(as_of)),
                facts.started_at.date(),
                (facts.trial_end_at or facts.started_at).date(),
                None if end is None else end.date(),
                facts.term_months or max(long, default=12),
                facts.term_months is None and not long,
            )
        )
    return found


def terms(history: History, policies: Policies, rates: list[Rate], as_of: date) -> list[Term]:
    """All contract terms of a history begun by a day, with their outcomes as of that day."""
    known = history.known(as_of)
    lives = contracts(known, policies, as_of)

    def arr(contract: Contract, at: datetime) -> Decimal:
        return 12 * sum(
            (w.paid for w in worths(contract.life, known.discounts, rates, at)), NOTHING
        )

    def ends_in(contract: Contract) -> date | None:
        """Due date of the term in which the contract ended."""
        starts = contract.starts(as_of)
        due = contract.day(len(starts))
        is_ended = contract.ended_on is not None and starts and contract.ended_on <= due
        return due if is_ended else None

    nexts = _successions(lives, {id(c): ends_in(c) for c in lives}, policies)
    found = []
    for contract in lives:
        for number, start in enumerate(contract.starts(as_of)):
            due = contract.day(number + 1)
            ended = contract.ended_on if contract.ended_on and contract.ended_on <= due else None
            following = nexts.get(id(contract)) if ended else None
            last_day = min(due, ended or due, as_of + timedelta(days=1)) - timedelta(days=1)
            due_arr = arr(contract, last_instant(last_day))
            renewed: Decimal | None = None
            if following is not None:
                renewed = arr(following, last_instant(following.started_on))
            elif ended is None and due <= as_of:
                renewed = arr(contract, last_instant(due))
            outcome = _outcome(contract, due, ended, following, due_arr, renewed, policies, as_of)
            if outcome == "lost":
                renewed = NOTHING
            elif outcome in ("open", "pending", "paused"):
                renewed = None
            found.append(
                Term(
                    contract.account,
                    contract.life.facts.subscription_id,
                    start,
                    due,
                    ended,
                    outcome,
                    due_arr,
                    renewed,
                    following.life.facts.subscription_id
                    if following and outcome in ("superseded", "renewed_late")
                    else None,
                    contract.months,
                    contract.is_evergreen,
                )
            )
    return found


def _outcome(
    contract: Contract,
    due: date,
    ended: date | None,
    following: Contract | None,
    due_arr: Decimal,
    renewed: Decimal | None,
    policies: Policies,
    as_of: date,
) -> str:
    """The one outcome of a term."""
    if following is not None and following.started_on != due:
        return "superseded" if following.started_on < due else "renewed_late"
    if ended is not None and following is None:
        is_final = ended < due or due + timedelta(days=policies.grace_days) <= as_of
        return "lost" if is_final else "pending"
    if due > as_of:
        return "open"
    if following is None and contract.life.status_at(last_instant(due)) == "paused":
        return "paused"
    if renewed == due_arr:
        return "renewed_flat"
    return "renewed_expanded" if (renewed or NOTHING) > due_arr else "renewed_contracted"


def _successions(
    lives: list[Contract], due_of: dict[int, date | None], policies: Policies
) -> dict[int, Contract]:
    """Which contract continues which: as billing says, else the account's next one in time.

    In time: from the end of service to the end of the grace; inside a term that was broken off, on
    the day of the end or the day after. One contract continues one: who comes first, by id at last.
    """
    pairs = []
    for old in lives:
        due = due_of[id(old)]
        if due is None or old.ended_on is None:
            continue
        for new in lives:
            replaces, start = new.life.facts.replaces, new.started_on
            is_declared = replaces == old.life.facts.subscription_id
            is_in_time = old.ended_on <= start <= due + timedelta(days=policies.grace_days) and (
                due <= start or start <= old.ended_on + timedelta(days=1)
            )
            is_inferred = replaces is None and new.account == old.account and is_in_time
            if new is not old and (is_declared or is_inferred):
                pairs.append((not is_declared, start, old, new))
    names = {id(c): c.life.facts.subscription_id for c in lives}
    found: dict[int, Contract] = {}
    taken: set[int] = set()
    for _, _, old, new in sorted(
        pairs, key=lambda p: (p[0], p[1], names[id(p[3])], names[id(p[2])])
    ):
        if id(old) not in found and id(new) not in taken:
            found[id(old)] = new
            taken.add(id(new))
    return found
