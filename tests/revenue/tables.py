"""Facts as the canonical inputs hold them on a day.

Belongs here: which fact is a row of which input. Must not be here: any rule of the business.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from tests.revenue.book import History, Price
from tests.revenue.reference import Rate

Rows = dict[str, list[dict[str, Any]]]
EARLY = datetime(2019, 1, 1, tzinfo=UTC)
SEGMENTS = ("SMB", "mid-market", "enterprise", None)


def tables(histories: Iterable[History], rates: list[Rate], as_of: date) -> Rows:
    """Rows of the inputs, by input, as they were known at the end of a day."""
    rows: Rows = defaultdict(list)
    rows["input_fx_rates"] = [vars(rate).copy() for rate in rates]
    prices: dict[str, Price] = {}
    for history in histories:
        known = history.known(as_of)
        number = sum(map(ord, history.name))
        for account in known.accounts:
            rows["input_accounts"].append(
                {
                    "account_id": account,
                    "name": account,
                    "segment": SEGMENTS[number % len(SEGMENTS)],
                    "region": "EMEA" if number % 3 else "APAC",
                    "is_test": False,
                    "is_deleted": False,
                    "created_at": EARLY,
                }
            )
        rows["input_customers"] += [
            {
                "billing_customer_id": customer,
                "account_id": account,
                "is_delinquent": False,
                "is_deleted": False,
                "created_at": EARLY,
            }
            for customer, account in known.customers
        ]
        rows["input_account_merges"] += [
            {
                "losing_account_id": m.losing,
                "surviving_account_id": m.surviving,
                "merged_at": m.at,
                "known_at": m.at,
            }
            for m in known.mergers
        ]
        rows["input_discounts"] += [
            {
                "discount_id": off.discount_id,
                "billing_customer_id": off.customer_id,
                "subscription_id": off.subscription_id,
                "subscription_item_id": off.item_id,
                "percent_off": None if off.percent is None else float(off.percent),
                "amount_off": off.amount,
                "duration": off.duration,
                "starts_at": off.starts_at,
                "ends_at": off.ends_at,
            }
            for off in known.discounts
        ]
        for one in known.subscriptions:
            ends = [*(s.at for s in one.statuses[1:]), None]
            for status, valid_to in zip(one.statuses, ends, strict=True):
                rows["input_subscription_versions"].append(
                    {
                        "subscription_id": one.subscription_id,
                        "account_id": dict(known.customers)[one.customer_id],
                        "billing_customer_id": one.customer_id,
                        "valid_from": status.at,
                        "valid_to": valid_to,
                        "status": status.status,
                        "currency": one.currency,
                        "started_at": one.started_at,
                        "trial_end_at": one.trial_end_at,
                        "cancel_requested_at": one.cancel_requested_at,
                        "ended_at": one.ended_at,
                        "term_months": one.term_months,
                        "is_involuntary": one.is_involuntary,
                        "replaces_subscription_id": one.replaces,
                        "known_at": status.known_at,
                    }
                )
            for item in one.items:
                prices[item.price.price_id] = item.price
                rows["input_subscription_items"].append(
                    {
                        "subscription_item_id": item.item_id,
                        "subscription_id": one.subscription_id,
                        "price_id": item.price.price_id,
                        "plan_id": item.price.plan_id,
                        "quantity": item.quantity,
                        "valid_from": item.starts_at,
                        "valid_to": item.ends_at,
                        "known_at": item.starts_at,
                    }
                )
    rows["input_prices"] = [_price(price) for price in prices.values()]
    return dict(rows)


def _price(price: Price) -> dict[str, Any]:
    minor = 1 if price.currency == "JPY" else 100

    def text(amount: Decimal) -> str:
        return format((amount * minor).normalize(), "f")

    tiers = [
        {
            "up_to": tier.up_to,
            "unit_amount": None,
            "unit_amount_decimal": text(tier.unit),
            "flat_amount": int(tier.flat * minor) if tier.flat else None,
            "flat_amount_decimal": text(tier.flat) if tier.flat else None,
        }
        for tier in price.tiers
    ]
    return {
        "price_id": price.price_id,
        "plan_id": price.plan_id,
        "currency": price.currency,
        "unit_amount": price.unit_amount,
        "interval": price.interval,
        "interval_count": price.interval_count,
        "usage_type": price.usage_type,
        "billing_scheme": "per_unit" if price.tiers_mode is None else "tiered",
        "tiers_mode": price.tiers_mode,
        "tiers": json.dumps(tiers) if tiers else None,
    }
