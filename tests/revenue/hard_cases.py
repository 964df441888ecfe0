"""A company made by hand: one account for each hard case, and one without any.

Belongs here: the facts of each case. Must not be here: what they come to.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from tests.revenue.book import Discount, History, ItemState, Price, Status, Subscription


def at(day: str) -> datetime:
    """Nine o'clock of a day."""
    return datetime.fromisoformat(f"{day}T09:00:00").replace(tzinfo=UTC)


def told(
    name: str,
    *statuses: tuple[str, str],
    price: str = "100",
    interval: str = "month",
    currency: str = "USD",
    quantity: int = 1,
    ended: str | None = None,
    known: str | None = None,
    asked: str | None = None,
    trial_end: str | None = None,
    number: int = 0,
) -> Subscription:
    """A subscription by the days on which its statuses began, with one item."""
    subscription = f"{name}-s{number}"
    started = at(statuses[0][1])
    says = [Status(status, at(day), at(day)) for status, day in statuses]
    if ended is not None and statuses[-1][0] != "incomplete_expired":
        says.append(Status("canceled", at(ended), at(known or ended)))
    its_price = Price(f"{subscription}-p", "team", currency, interval, 1, Decimal(price))
    return Subscription(
        subscription,
        f"{name}-c",
        currency,
        started,
        tuple(says),
        (
            ItemState(
                f"{subscription}-i", its_price, quantity, started, at(ended) if ended else None
            ),
        ),
        trial_end_at=at(trial_end) if trial_end else None,
        cancel_requested_at=at(asked) if asked else None,
        ended_at=at(ended) if ended else None,
        end_known_at=at(known or ended) if ended else None,
    )


def alone(name: str, *subscriptions: Subscription, off: Discount | None = None) -> History:
    """An account on its own."""
    discounts = () if off is None else (off,)
    return History(name, (name,), ((f"{name}-c", name),), subscriptions, discounts)


def off(name: str, duration: str, start: str, end: str | None = None) -> Discount:
    """A fifth off a subscription."""
    return Discount(
        f"{name}-d",
        f"{name}-c",
        f"{name}-s0",
        None,
        Decimal(20),
        None,
        duration,
        at(start),
        at(end) if end else None,
    )


def _seats(one: Subscription, day: str, quantity: int) -> Subscription:
    item = one.items[0]
    return replace(
        one,
        items=(
            replace(item, ends_at=at(day)),
            replace(item, starts_at=at(day), quantity=quantity),
        ),
    )


HARD_CASES = [
    alone("plain", told("plain", ("active", "2022-03-10"))),
    alone("seats", _seats(told("seats", ("active", "2022-03-10")), "2023-02-10", 3)),
    # Asked in May, served and paid to the middle of June, recorded five days late; paid for a year.
    alone(
        "annual_cancelled_in_mid_year",
        told(
            "annual_cancelled_in_mid_year",
            ("active", "2023-01-10"),
            price="1200",
            interval="year",
            asked="2023-05-05",
            ended="2023-06-15",
            known="2023-06-20",
        ),
    ),
    alone(
        "trialing",
        told("trialing", ("trialing", "2024-04-20"), trial_end="2024-06-20"),
    ),
    alone(
        "trial_then_paid",
        told(
            "trial_then_paid",
            ("trialing", "2023-01-20"),
            ("active", "2023-03-05"),
            trial_end="2023-03-05",
        ),
    ),
    alone(
        "incomplete_expired",
        told(
            "incomplete_expired",
            ("incomplete", "2023-03-30"),
            ("incomplete_expired", "2023-04-01"),
            ended="2023-04-01",
        ),
    ),
    # Away from the middle of June to March.
    alone(
        "back_from_zero",
        told("back_from_zero", ("active", "2022-01-10"), ended="2022-06-15"),
        told("back_from_zero", ("active", "2023-03-05"), price="80", number=1),
    ),
    # Away for 50 days.
    alone(
        "back_soon",
        told("back_soon", ("active", "2022-01-10"), ended="2022-06-15"),
        told("back_soon", ("active", "2022-08-04"), number=1),
    ),
    alone(
        "between_month_ends",
        told("between_month_ends", ("active", "2023-03-05"), ended="2023-03-25"),
    ),
    alone(
        "short_pause",
        told(
            "short_pause",
            ("active", "2023-01-10"),
            ("paused", "2023-05-20"),
            ("active", "2023-07-10"),
        ),
    ),
    alone(
        "long_pause",
        told(
            "long_pause",
            ("active", "2023-01-10"),
            ("paused", "2023-05-20"),
            ("active", "2023-09-10"),
        ),
    ),
    alone(
        "past_due",
        told(
            "past_due",
            ("active", "2023-01-10"),
            ("past_due", "2023-03-10"),
            ("active", "2023-05-05"),
        ),
    ),
    alone(
        "cancel_at_period_end",
        told(
            "cancel_at_period_end", ("active", "2023-01-10"), asked="2023-03-15", ended="2023-06-10"
        ),
    ),
    alone(
        "discount_repeating",
        told("discount_repeating", ("active", "2023-01-10")),
        off=off("discount_repeating", "repeating", "2023-01-10", "2023-04-10"),
    ),
    alone(
        "discount_forever",
        told("discount_forever", ("active", "2023-01-10")),
        off=off("discount_forever", "forever", "2023-01-10"),
    ),
    # Two contracts end on one day, and two continue them on that day.
    alone(
        "two_renewed",
        told("two_renewed", ("active", "2022-01-10"), ended="2023-01-10"),
        told("two_renewed", ("active", "2022-01-10"), ended="2023-01-10", number=1),
        told("two_renewed", ("active", "2023-01-10"), number=2),
        told("two_renewed", ("active", "2023-01-10"), price="120", number=3),
    ),
    # Due 37 days ago, and not signed again.
    alone("pending", told("pending", ("active", "2022-04-10"), ended="2024-04-10")),
    alone("euro", told("euro", ("active", "2023-01-10"), currency="EUR")),
]
