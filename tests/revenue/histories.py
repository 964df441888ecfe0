"""Random histories of subscriptions, every hard case among them.

Belongs here: what may happen to a customer, and in which order. Must not be here: what it comes to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.revenue.book import (
    Discount,
    History,
    ItemState,
    Merger,
    Price,
    Status,
    Subscription,
    Tier,
)
from tests.revenue.reference import Rate, months_after

AS_OF = date(2024, 5, 17)
BEGINNING = datetime(2020, 11, 30, tzinfo=UTC)
DAYS = (AS_OF - BEGINNING.date()).days
PLANS = ("starter", "team", "addon")
RATES = [
    Rate("USD", date(1970, 1, 1), Decimal("1"), True),
    Rate("EUR", date(2021, 6, 1), Decimal("1.0835"), True),
    Rate("EUR", date(2022, 9, 1), Decimal("0.9962"), False),
    Rate("JPY", date(2020, 1, 1), Decimal("0.00917"), True),
    Rate("JPY", date(2023, 1, 1), Decimal("0.0076"), False),
]
INTERVALS = (
    ("month", 1),
    ("month", 1),
    ("year", 1),
    ("year", 1),
    ("month", 3),
    ("month", 6),
    ("week", 1),
    ("week", 2),
    ("day", 1),
    ("day", 30),
    ("year", 2),
    ("year", 3),
)
GAPS = st.one_of(st.integers(1, 40), st.integers(20, 200))
EVENTS = (
    "quantity",
    "quantity",
    "price",
    "plan",
    "add",
    "drop",
    "quantity and price",
    "pause",
    "long pause",
    "past due",
    "unpaid",
    "cancel at period end",
    "cancel",
    "cancel told late",
    "cancel in a pause",
    "quantity at due",
    "price at due",
    "end at due",
    "end at due",
    *("discount",) * 4,
)
KINDS = (*("unit",) * 6, "fraction", "graduated", "volume", "metered")
OPENINGS = (*("active",) * 6, "trial", "trial", "incomplete", "expired", "ramp")
PERCENTS = tuple(Decimal(p) for p in ("5", "10", "12.5", "33.33", "50", "100"))


@dataclass
class _Draft:
    """A subscription while it is told."""

    subscription_id: str
    customer_id: str
    currency: str
    interval: tuple[str, int]
    now: datetime
    statuses: list[Status] = field(default_factory=list)
    items: list[ItemState] = field(default_factory=list)
    asked_at: datetime | None = None
    ended_at: datetime | None = None
    end_known_at: datetime | None = None
    is_involuntary: bool = False
    trial_end_at: datetime | None = None
    term_months: int | None = None

    def to_due(self) -> None:
        """Time goes on to the next due date of the contract."""
        unit, count = self.interval
        paid = count * {"year": 12, "month": 1}.get(unit, 0)
        months = self.term_months or (paid if paid >= 12 else 12)
        anchor = self.trial_end_at or self.statuses[0].at
        terms = 1
        while months_after(anchor, terms * months) <= self.now:
            terms += 1
        self.now = months_after(anchor, terms * months)

    def say(self, status: str, known_at: datetime | None = None) -> None:
        """A status holds from now on."""
        self.statuses.append(Status(status, self.now, known_at or self.now))

    def open_items(self) -> list[int]:
        """Positions of the item states in force."""
        return [n for n, item in enumerate(self.items) if item.ends_at is None]

    def change(self, position: int, **changes: Any) -> None:
        """An item goes on with another price or quantity."""
        old = self.items[position]
        if old.starts_at >= self.now:
            self.items[position] = replace(old, **changes)
            return
        self.items[position] = replace(old, ends_at=self.now)
        self.items.append(replace(old, starts_at=self.now, **changes))

    def end(self, known_at: datetime | None = None, *, is_involuntary: bool = False) -> None:
        """Service ends now."""
        self.ended_at = self.now
        self.end_known_at = known_at or self.now
        self.is_involuntary = is_involuntary
        self.say("canceled", self.end_known_at)
        for position in self.open_items():
            self.items[position] = replace(self.items[position], ends_at=self.now)


def draw_price(
    draw: st.DrawFn, name: str, plan: str, currency: str, interval: tuple[str, int]
) -> Price:
    """A price of a plan: mostly so much a unit, sometimes in tiers, seldom metered."""
    kind = draw(st.sampled_from(KINDS))
    whole = currency == "JPY"
    amount = Decimal(draw(st.integers(1, 40_000)))
    amount = amount if whole else amount / 100
    price = Price(name, plan, currency, interval[0], interval[1], amount)
    if kind == "fraction" and not whole:
        return replace(price, unit_amount=Decimal(draw(st.integers(1, 99_999))) / 10_000)
    if kind == "metered":
        return replace(price, usage_type="metered", unit_amount=None)
    if kind in ("graduated", "volume"):
        first = draw(st.integers(1, 10))
        flat = draw(st.sampled_from((Decimal(0), Decimal(9), Decimal(50))))
        tiers: tuple[Tier, ...] = (
            Tier(first, amount, Decimal(0)),
            Tier(
                first + draw(st.integers(1, 15)), (amount * 3 / 4).quantize(Decimal("0.0001")), flat
            ),
            Tier(None, (amount / 2).quantize(Decimal("0.0001")), Decimal(0)),
        )
        if whole:
            tiers = tuple(replace(t, unit=t.unit.quantize(Decimal(1))) for t in tiers)
        return replace(price, unit_amount=None, tiers_mode=kind, tiers=tiers)
    return price


def draw_subscription(
    draw: st.DrawFn, name: str, customer: str, earliest: int, before: Subscription | None
) -> tuple[Subscription, list[Discount], int]:
    """One subscription from a day on, or continuing another; and the day after its story."""
    start = BEGINNING + timedelta(
        days=earliest + draw(st.integers(0, max(DAYS - earliest, 1))),
        hours=draw(st.sampled_from((0, 0, 9, 23))),
    )
    replaces = None
    if before is not None and before.ended_at is not None:
        start = before.ended_at + timedelta(days=draw(st.sampled_from((0, 0, 1, 2, 59, 60, 61))))
        replaces = before.subscription_id if draw(st.booleans()) else None
    currency = draw(st.sampled_from(("USD", "USD", "EUR", "JPY")))
    draft = _Draft(name, customer, currency, draw(st.sampled_from(INTERVALS)), start)
    draft.term_months = draw(st.sampled_from((None, None, None, 6, 12, 24)))
    discounts: list[Discount] = []
    numbers = iter(range(1000))

    def price(plan: str) -> Price:
        return draw_price(draw, f"{name}-p{next(numbers)}", plan, currency, draft.interval)

    def add(plan: str) -> None:
        item = f"{name}-i{next(numbers)}"
        draft.items.append(ItemState(item, price(plan), draw(st.integers(1, 60)), draft.now, None))

    def discount() -> None:
        level = draw(st.sampled_from(("subscription", "subscription", "customer", "item")))
        duration = draw(st.sampled_from(("once", "repeating", "forever")))
        is_percent = draw(st.booleans()) or draw(st.booleans())
        ends = None
        if duration == "repeating":
            ends = months_after(draft.now, draw(st.integers(1, 12)))
        elif duration == "forever" and draw(st.booleans()):
            ends = draft.now + timedelta(days=draw(st.integers(10, 300)))
        opened = [draft.items[n].item_id for n in draft.open_items()]
        whole = Decimal(draw(st.integers(1, 60)))
        discounts.append(
            Discount(
                f"{name}-d{next(numbers)}",
                customer,
                None if level == "customer" else name,
                draw(st.sampled_from(tuple(opened))) if level == "item" and opened else None,
                draw(st.sampled_from(PERCENTS)) if is_percent else None,
                None if is_percent else (whole * 100 if currency == "JPY" else whole),
                duration,
                draft.now,
                ends,
            )
        )

    add(PLANS[0])
    if draw(st.integers(0, 3)) == 0:
        add(draw(st.sampled_from(PLANS[1:])))
    opening = draw(st.sampled_from(OPENINGS))
    if opening == "trial":
        draft.say("trialing")
        draft.now += timedelta(days=draw(st.integers(7, 45)))
        draft.trial_end_at = draft.now
        after = draw(st.sampled_from(("active", "active", "active", "paused", "cancel")))
        if after == "cancel":
            draft.asked_at = draft.now
            draft.end()
        else:
            draft.say(after)
            if after == "paused" and draw(st.booleans()):
                draft.now += timedelta(days=draw(st.integers(1, 120)))
                draft.say("active")
    elif opening in ("incomplete", "expired"):
        draft.say("incomplete")
        draft.now += timedelta(hours=23)
        if opening == "expired":
            draft.end()
            draft.statuses[-1] = replace(draft.statuses[-1], status="incomplete_expired")
        else:
            draft.say("active")
    else:
        draft.say("active")
        if opening == "ramp":
            months = draw(st.integers(1, 9))
            discounts.append(
                Discount(
                    f"{name}-ramp",
                    customer,
                    name,
                    None,
                    Decimal(100),
                    None,
                    "repeating",
                    draft.now,
                    months_after(draft.now, months),
                )
            )
    for event in draw(st.lists(st.sampled_from(EVENTS), max_size=7)):
        if draft.ended_at is not None or (draft.now - BEGINNING).days > DAYS + 40:
            break
        if draft.statuses[-1].status == "paused":
            draft.now += timedelta(days=draw(GAPS))
            draft.say("active")
        draft.now += timedelta(days=draw(GAPS), hours=draw(st.sampled_from((0, 0, 5))))
        _happen(draw, draft, event, price, add, discount)
    told = Subscription(
        name,
        customer,
        currency,
        start,
        tuple(draft.statuses),
        tuple(draft.items),
        trial_end_at=draft.trial_end_at,
        cancel_requested_at=draft.asked_at,
        ended_at=draft.ended_at,
        end_known_at=draft.end_known_at,
        is_involuntary=draft.is_involuntary,
        term_months=draft.term_months,
        replaces=replaces,
    )
    return told, discounts, (draft.now - BEGINNING).days


def _happen(
    draw: st.DrawFn, draft: _Draft, event: str, price: Any, add: Any, discount: Any
) -> None:
    """One thing happens to a subscription that is in service."""
    if event.endswith(" at due"):
        draft.to_due()
    opened = draft.open_items()
    position = draw(st.sampled_from(tuple(opened)))
    item = draft.items[position]
    if event in ("quantity", "quantity at due"):
        draft.change(position, quantity=draw(st.integers(1, 60)))
    elif event in ("price", "price at due"):
        draft.change(position, price=price(item.price.plan_id))
    elif event == "quantity and price":
        draft.change(position, quantity=draw(st.integers(1, 60)), price=price(item.price.plan_id))
    elif event == "plan":
        draft.change(position, price=price(draw(st.sampled_from(PLANS))))
    elif event == "add":
        add(draw(st.sampled_from(PLANS)))
    elif event == "drop" and len(opened) > 1:
        draft.items[position] = replace(item, ends_at=draft.now)
        if item.starts_at >= draft.now:
            del draft.items[position]
    elif event in ("pause", "long pause", "cancel in a pause"):
        draft.say("paused")
        days = st.integers(80, 200) if event == "long pause" else st.integers(1, 91)
        draft.now += timedelta(days=draw(days))
        if event == "cancel in a pause":
            draft.asked_at = draft.now
            draft.end()
        else:
            draft.say("active")
    elif event in ("past due", "unpaid"):
        draft.say("past_due")
        draft.now += timedelta(days=draw(st.integers(1, 60)))
        after = draw(st.sampled_from(("active", "active", "unpaid", "canceled")))
        if event == "unpaid" or after == "unpaid":
            draft.say("unpaid")
            draft.now += timedelta(days=draw(GAPS))
            after = draw(st.sampled_from(("active", "canceled")))
        if after == "active":
            draft.say("active")
        else:
            draft.end(is_involuntary=True)
    elif event == "cancel at period end":
        draft.asked_at = draft.now
        draft.now += timedelta(days=draw(st.integers(1, 340)))
        draft.end()
    elif event == "end at due":
        draft.end()
    elif event == "cancel":
        draft.asked_at = draft.now
        draft.end()
    elif event == "cancel told late":
        draft.asked_at = draft.now
        draft.end(draft.now + timedelta(days=draw(st.integers(1, 70))))
    elif event == "discount":
        discount()


@st.composite
def histories(draw: st.DrawFn, name: str = "h") -> History:
    """One to three accounts with one to three subscriptions each, merged or not."""
    count = draw(st.sampled_from((1, 1, 1, 1, 2, 3)))
    accounts = tuple(f"{name}-a{n}" for n in range(count))
    customers = [(f"{name}-c{n}", account) for n, account in enumerate(accounts)]
    if draw(st.integers(0, 5)) == 0:
        customers.append((f"{name}-c9", accounts[0]))
    told: list[Subscription] = []
    discounts: list[Discount] = []
    for customer, _ in customers:
        earliest, before = 0, None
        for number in range(draw(st.integers(1, 3))):
            one, its_discounts, after = draw_subscription(
                draw, f"{customer}-s{number}", customer, earliest, before
            )
            told.append(one)
            discounts += its_discounts
            # The next one continues this one, comes after it or stands beside it.
            what = draw(st.integers(0, 2))
            before = one if what == 0 else None
            earliest = min(after, DAYS) if what == 1 else earliest
    mergers = tuple(
        Merger(
            losing,
            surviving,
            BEGINNING + timedelta(days=draw(st.integers(100, DAYS + 20)), hours=12),
        )
        for losing, surviving in zip(accounts[1:], accounts, strict=False)
        if draw(st.booleans())
    )
    return History(name, accounts, tuple(customers), tuple(told), tuple(discounts), mergers)


def draw_histories(count: int, number: int = 1) -> list[History]:
    """So many different histories; each has a name of its own.

    Hypothesis takes constants of the modules loaded among its numbers: the same number draws the
    same histories where the same modules are loaded, and others elsewhere.
    """
    found: dict[str, History] = {}

    @seed(number)
    @settings(
        max_examples=count * 3 // 2,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        name = f"h{len(found)}"
        history = data.draw(histories(name))
        # Hypothesis tries the same again now and then.
        found.setdefault(repr(history).replace(name, ""), history)

    draw()
    return list(found.values())[:count]
