"""What a company's books say of its subscriptions: plain facts, each with its instants.

Belongs here: the facts, and which of them were known on a day. Must not be here: any definition of
a number, and how facts reach a warehouse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal


@dataclass(frozen=True)
class Tier:
    """Units up to a count (None: all further ones) cost so much each, and a flat sum."""

    up_to: int | None
    unit: Decimal
    flat: Decimal


@dataclass(frozen=True)
class Price:
    """A price of a plan; money in major units of the currency for one interval."""

    price_id: str
    plan_id: str
    currency: str
    interval: str | None
    interval_count: int
    unit_amount: Decimal | None
    tiers_mode: str | None = None
    tiers: tuple[Tier, ...] = ()
    usage_type: str = "licensed"


@dataclass(frozen=True)
class ItemState:
    """An item had this price and quantity for a while."""

    item_id: str
    price: Price
    quantity: int
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class Discount:
    """Percent or money off an item, a subscription or (neither named) all of a customer's."""

    discount_id: str
    customer_id: str
    subscription_id: str | None
    item_id: str | None
    percent: Decimal | None
    amount: Decimal | None
    duration: str
    starts_at: datetime
    ends_at: datetime | None


@dataclass(frozen=True)
class Status:
    """A status holds from an instant on, and was known from another."""

    status: str
    at: datetime
    known_at: datetime


@dataclass(frozen=True)
class Subscription:
    """A subscription with all that ever happened to it, in order of time."""

    subscription_id: str
    customer_id: str
    currency: str
    started_at: datetime
    statuses: tuple[Status, ...]
    items: tuple[ItemState, ...]
    trial_end_at: datetime | None = None
    cancel_requested_at: datetime | None = None
    ended_at: datetime | None = None
    end_known_at: datetime | None = None
    is_involuntary: bool = False
    term_months: int | None = None
    replaces: str | None = None


@dataclass(frozen=True)
class Merger:
    """One account was merged into another."""

    losing: str
    surviving: str
    at: datetime


@dataclass(frozen=True)
class History:
    """Accounts that have to do with each other: alone, or merged sooner or later."""

    name: str
    accounts: tuple[str, ...]
    customers: tuple[tuple[str, str], ...]
    subscriptions: tuple[Subscription, ...]
    discounts: tuple[Discount, ...] = ()
    mergers: tuple[Merger, ...] = ()

    def known(self, as_of: date) -> History:
        """The history as it was known at the end of a day: rows with both clocks by then."""
        end = end_of(as_of)
        return replace(
            self,
            subscriptions=tuple(
                _known(one, end) for one in self.subscriptions if one.started_at < end
            ),
            discounts=tuple(_granted(one, end) for one in self.discounts if one.starts_at < end),
            mergers=tuple(one for one in self.mergers if one.at < end),
        )

    def describe(self) -> str:
        """The facts, one a line."""
        lines = [f"history {self.name}: accounts {', '.join(self.accounts)}"]
        lines += [
            f"  {m.at:%Y-%m-%d %H:%M} {m.losing} merged into {m.surviving}" for m in self.mergers
        ]
        for one in self.subscriptions:
            lines.append(
                f"  {one.subscription_id} of {one.customer_id} {one.currency}"
                f" from {one.started_at:%Y-%m-%d %H:%M} trial to {one.trial_end_at}"
                f" cancel asked {one.cancel_requested_at} ended {one.ended_at}"
                f" (known {one.end_known_at}) term {one.term_months} replaces {one.replaces}"
            )
            lines += [
                f"    {s.at:%Y-%m-%d %H:%M} {s.status} (known {s.known_at:%Y-%m-%d})"
                for s in one.statuses
            ]
            for item in one.items:
                price = item.price
                amount = (
                    price.unit_amount
                    if price.tiers_mode is None
                    else (price.tiers_mode, price.tiers)
                )
                lines.append(
                    f"    {item.item_id} {item.starts_at:%Y-%m-%d %H:%M} - {item.ends_at}:"
                    f" {item.quantity} x {amount} {price.usage_type} of {price.plan_id}"
                    f" ({price.price_id}) every {price.interval_count} {price.interval}"
                )
        for off in self.discounts:
            lines.append(
                f"  discount {off.percent or ''}{'%' if off.percent else ''}{off.amount or ''}"
                f" on {off.item_id or off.subscription_id or off.customer_id}"
                f" {off.duration} {off.starts_at} - {off.ends_at}"
            )
        return "\n".join(lines)


def end_of(day: date) -> datetime:
    """First instant after a day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)


def _known(one: Subscription, end: datetime) -> Subscription:
    told = one.ended_at is not None and max(one.ended_at, one.end_known_at or one.ended_at) < end
    asked = one.cancel_requested_at is not None and one.cancel_requested_at < end
    return replace(
        one,
        statuses=tuple(s for s in one.statuses if s.at < end and s.known_at < end),
        items=tuple(
            replace(item, ends_at=item.ends_at if item.ends_at and item.ends_at < end else None)
            for item in one.items
            if item.starts_at < end
        ),
        cancel_requested_at=one.cancel_requested_at if asked else None,
        ended_at=one.ended_at if told else None,
        is_involuntary=one.is_involuntary and told,
    )


def _granted(one: Discount, end: datetime) -> Discount:
    """The end of a repeating discount is set when it is granted, any other is news of its day."""
    if one.duration == "repeating" or one.ends_at is None or one.ends_at < end:
        return one
    return replace(one, ends_at=None)
