"""The company's Stripe objects as JSON, in the shape of the API version asked for.

Belongs here: which columns of the world fill which attribute, the shapes before and after the
breaking versions, nested lists, the event feed derived from changes. Does not belong here: paths,
paging, filters, expansion, errors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sample_company.servers.http import Json
from sample_company.servers.versions import Cache, Columns, Groups, Positions, Versions

Tables = Mapping[str, pd.DataFrame]
Object = dict[str, Json]
Row = dict[str, Any]

#: Versions with a breaking change that this module renders.
BASIL = "2025-03-31"
CLOVER = "2025-09-30"
NEWEST = "2026-10-28.endive"
#: Objects in a list that is part of another object; the rest is behind its `url`.
NESTED_LIMIT = 10
EVENT_DAYS = 30
_SECOND = 1_000_000


@dataclass(frozen=True)
class Version:
    """An API version as `Stripe-Version` names it."""

    name: str

    @classmethod
    def parse(cls, name: str) -> Version | None:
        """The version of that name, or None if there cannot be one."""
        return cls(name) if re.fullmatch(r"20\d\d-[01]\d-[0-3]\d(\.[a-z]+)?", name) else None

    @property
    def is_basil(self) -> bool:
        """From 2025-03-31 on: periods on items, parents of invoices and lines, pricing of lines."""
        return self.name[:10] >= BASIL

    @property
    def is_clover(self) -> bool:
        """From 2025-09-30 on: a discount names its coupon under `source`."""
        return self.name[:10] >= CLOVER


def stable_id(prefix: str, *parts: object, length: int = 24) -> str:
    """An id that depends on what it identifies only."""
    digest = hashlib.sha256("|".join(str(part) for part in parts).encode()).hexdigest()
    return f"{prefix}_{digest[:length]}"


def list_object(data: Sequence[Json], url: str, has_more: bool, **more: Json) -> Object:
    """A list as Stripe wraps it."""
    return {"object": "list", "data": list(data), "has_more": has_more, "url": url, **more}


@dataclass(frozen=True)
class Table:
    """A table of versions or facts with its columns at hand."""

    versions: Versions
    columns: Columns
    key: str

    @classmethod
    def of(cls, frame: pd.DataFrame, key: str, at: str = "version_at") -> Table:
        """Prepare a table; facts are created when they become known."""
        versions = Versions(frame, key, at)
        created = "created_at" if "created_at" in frame.columns else None
        if created is None:
            versions.frame["created_at"] = pd.to_datetime(versions.first_at(), unit="us", utc=True)
        return cls(versions, Columns(versions.frame), key)

    def rows(self, positions: Positions) -> list[Row]:
        """Rows as dictionaries of plain values."""
        return self.columns.rows(positions)


class StripeData:
    """Everything Stripe knows about the company, at any instant."""

    def __init__(self, tables: Tables, account_version: str = NEWEST) -> None:
        self.account_version = Version(account_version)
        self.customers = Table.of(_with_metadata(tables), "billing_customer_id")
        self.products = Table.of(tables["products"], "product_id", "known_at")
        self.prices = Table.of(tables["prices"], "price_id", "known_at")
        self.coupons = Table.of(tables["coupons"], "coupon_id", "known_at")
        self.subscriptions = Table.of(tables["subscription_versions"], "subscription_id")
        self.items = Table.of(tables["subscription_item_versions"], "subscription_item_id")
        self.discounts = Table.of(tables["discounts"], "discount_id", "known_at")
        self.invoices = Table.of(tables["invoices"], "invoice_id")
        self.lines = Table.of(tables["invoice_lines"], "invoice_line_id", "known_at")
        self.charges = Table.of(tables["charges"], "charge_id")
        self.credit_notes = Table.of(tables["credit_notes"], "credit_note_id", "known_at")
        self._items_of = Groups(self.items.versions.frame, "subscription_id")
        self._discounts_of_subscription = Groups(self.discounts.versions.frame, "subscription_id")
        self._discounts_of_customer = Groups(self.discounts.versions.frame, "billing_customer_id")
        self._lines_of = Groups(self.lines.versions.frame, "invoice_id")
        self._charges_of = Groups(self.charges.versions.frame, "invoice_id")
        self._invoices_of_subscription = Groups(self.invoices.versions.frame, "subscription_id")
        self._versions_of: dict[str, tuple[Table, Groups]] = {}
        for table in (
            self.customers, self.products, self.prices, self.coupons, self.subscriptions,
            self.items, self.discounts, self.invoices, self.lines, self.charges,
            self.credit_notes,
        ):  # fmt: skip
            self._versions_of[table.key] = (table, Groups(table.versions.frame, table.key))
        self._price_rows = {
            row["price_id"]: row for row in self.prices.rows(np.arange(len(self.prices.versions)))
        }
        self._coupon_rows = {
            row["coupon_id"]: row
            for row in self.coupons.rows(np.arange(len(self.coupons.versions)))
        }
        self._domains = _domains(tables)
        self._events: Cache[list[Object]] = Cache(size=2)

    # --- finding --------------------------------------------------------------------------------

    def newest(self, key: str, value: str, now: int) -> tuple[Table, int] | None:
        """Position of a record's newest version at `now`, deleted or not."""
        table, groups = self._versions_of[key]
        rows = groups.of(value)
        seen = rows[table.versions.at[rows] <= now]
        return (table, int(seen[-1])) if len(seen) else None

    def find(self, ident: str, now: int, version: Version) -> Object | None:
        """Any object by its id, for retrieval and expansion."""
        for prefix, key, render in self._renderers():
            if ident.startswith(prefix):
                found = self.newest(key, ident, now)
                return (
                    render(found[0].rows(np.asarray([found[1]])), now, version)[0]
                    if found
                    else None
                )
        found = self.newest("coupon_id", ident, now)
        return (
            self.render_coupons(found[0].rows(np.asarray([found[1]])), now, version)[0]
            if found
            else None
        )

    def _renderers(
        self,
    ) -> tuple[tuple[str, str, Callable[[list[Row], int, Version], list[Object]]], ...]:
        return (
            ("cus_", "billing_customer_id", self.render_customers),
            ("prod_", "product_id", self.render_products),
            ("price_", "price_id", self.render_prices),
            ("sub_", "subscription_id", self.render_subscriptions),
            ("si_", "subscription_item_id", self.render_items),
            ("in_", "invoice_id", self.render_invoices),
            ("ch_", "charge_id", self.render_charges),
            ("cn_", "credit_note_id", self.render_credit_notes),
            ("di_", "discount_id", self.render_discounts),
        )

    # --- rendering ------------------------------------------------------------------------------

    def render_customers(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Customers; a deleted one is only its id."""
        return [
            {"id": r["billing_customer_id"], "object": "customer", "deleted": True}
            if r["is_deleted"]
            else self._customer(r, now, version)
            for r in rows
        ]

    def _customer(self, r: Row, now: int, version: Version) -> Object:
        ident = r["billing_customer_id"]
        held = self._discounts_of_customer.of(ident)
        own = [
            d for d in self._attached(held, now)
            if d["subscription_id"] is None and d["subscription_item_id"] is None
        ]  # fmt: skip
        domain = self._domains.get(r["account_id"])
        return {
            "id": ident,
            "object": "customer",
            "address": None,
            "balance": 0,
            "created": r["created_at"],
            "currency": r["currency"],
            "default_source": None,
            "delinquent": r["is_delinquent"],
            "description": None,
            "discount": self.render_discounts(own[:1], now, version)[0] if own else None,
            "email": f"billing@{domain}" if domain else None,
            "invoice_prefix": ident[-8:].upper(),
            "invoice_settings": {
                "custom_fields": None, "default_payment_method": None, "footer": None,
                "rendering_options": None,
            },
            "livemode": False,
            "metadata": _metadata(
                account_id=r["metadata_account_id"],
                workspace_id=r.get("metadata_workspace_id"),
            ),
            "name": r["name"],
            "phone": None,
            "preferred_locales": [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": None,
        }  # fmt: skip

    def render_products(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Products."""
        return [
            {
                "id": r["product_id"],
                "object": "product",
                "active": True,
                "created": r["created_at"],
                "default_price": None,
                "description": None,
                "images": [],
                "livemode": False,
                "marketing_features": [],
                "metadata": _metadata(plan_family=r["plan_family"]),
                "name": r["name"],
                "package_dimensions": None,
                "shippable": None,
                "statement_descriptor": None,
                "tax_code": None,
                "type": "service",
                "unit_label": "seat",
                "updated": r["created_at"],
                "url": None,
            }
            for r in rows
        ]

    def render_prices(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Prices; all of this company's are per unit and licensed."""
        return [
            {
                "id": r["price_id"],
                "object": "price",
                "active": True,
                "billing_scheme": "per_unit",
                "created": r["created_at"],
                "currency": r["currency"],
                "custom_unit_amount": None,
                "livemode": False,
                "lookup_key": None,
                "metadata": {},
                "nickname": r["nickname"],
                "product": r["product_id"],
                "recurring": {
                    "interval": r["interval"], "interval_count": r["interval_count"],
                    "meter": None, "trial_period_days": None, "usage_type": "licensed",
                },
                "tax_behavior": "unspecified",
                "tiers_mode": None,
                "transform_quantity": None,
                "type": "recurring",
                "unit_amount": r["unit_amount"],
                "unit_amount_decimal": str(r["unit_amount"]),
            }
            for r in rows
        ]  # fmt: skip

    def render_coupons(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Coupons."""
        return [
            {
                "id": r["coupon_id"],
                "object": "coupon",
                "amount_off": _whole(r["amount_off"]),
                "created": r["created_at"],
                "currency": r["currency"],
                "duration": r["duration"],
                "duration_in_months": _whole(r["duration_in_months"]),
                "livemode": False,
                "max_redemptions": None,
                "metadata": {},
                "name": r["name"],
                "percent_off": r["percent_off"],
                "redeem_by": None,
                "times_redeemed": 0,
                "valid": True,
            }
            for r in rows
        ]

    def render_discounts(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Discounts; before 2025-09-30 the whole coupon, after it its id under `source`."""
        out: list[Object] = []
        for r in rows:
            discount: Object = {
                "id": r["discount_id"],
                "object": "discount",
                "checkout_session": None,
                "customer": r["billing_customer_id"],
                "end": r["end_at"],
                "invoice": None,
                "invoice_item": None,
                "promotion_code": None,
                "start": r["start_at"],
                "subscription": r["subscription_id"],
                "subscription_item": r["subscription_item_id"],
            }
            if version.is_clover:
                discount["source"] = {"coupon": r["coupon_id"], "type": "coupon"}
            else:
                coupon = self._coupon_rows[r["coupon_id"]]
                discount["coupon"] = self.render_coupons([coupon], now, version)[0]
            out.append(discount)
        return out

    def _attached(self, positions: Positions, now: int) -> list[Row]:
        """Discounts that their owner still shows at `now`."""
        known = positions[self.discounts.versions.at[positions] <= now]
        second = now // _SECOND
        return [
            row for row in self.discounts.rows(known)
            if row["start_at"] <= second
            and (row["attached_until"] is None or row["attached_until"] > second)
        ]  # fmt: skip

    def render_subscriptions(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Subscriptions with their items and discounts as of `now`."""
        return [self._subscription(r, now, version) for r in rows]

    def _subscription(self, r: Row, now: int, version: Version) -> Object:
        ident = r["subscription_id"]
        discounts = self._attached(self._discounts_of_subscription.of(ident), now)
        own = [d["discount_id"] for d in discounts if d["subscription_item_id"] is None]
        on_items: dict[str, list[str]] = {}
        for d in discounts:
            if d["subscription_item_id"] is not None:
                on_items.setdefault(d["subscription_item_id"], []).append(d["discount_id"])
        item_rows = self.items_at(ident, now)
        items = [
            self._item(item, r, on_items.get(item["subscription_item_id"], []), now, version)
            for item in item_rows
        ]
        bills = self._invoices_of_subscription.of(ident)
        bills = bills[self.invoices.versions.at[bills] <= now]
        latest: str | None = None
        if len(bills):
            created = self.invoices.columns.array("created_at")[bills]
            latest = str(self.invoices.columns.array("invoice_id")[bills[int(created.argmax())]])
        item_list = list_object(
            items[:NESTED_LIMIT],
            f"/v1/subscription_items?subscription={ident}",
            len(items) > NESTED_LIMIT,
        )
        paused = r["pause_behavior"]
        value: Object = {
            "id": ident,
            "object": "subscription",
            "application": None,
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": r["billing_cycle_anchor"],
            "billing_cycle_anchor_config": None,
            "billing_mode": {"flexible": None, "type": "classic"},
            "billing_thresholds": None,
            "cancel_at": r["cancel_at"],
            "cancel_at_period_end": r["cancel_at_period_end"],
            "canceled_at": r["canceled_at"],
            "cancellation_details": {
                "comment": None,
                "feedback": r["cancellation_feedback"],
                "reason": r["cancellation_reason"],
            },
            "collection_method": r["collection_method"],
            "created": r["created_at"],
            "currency": r["currency"],
            "customer": r["billing_customer_id"],
            "days_until_due": 30 if r["collection_method"] == "send_invoice" else None,
            "default_payment_method": None,
            "default_source": None,
            "default_tax_rates": [],
            "description": None,
            "discounts": own,
            "ended_at": r["ended_at"],
            "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
            "items": item_list,
            "latest_invoice": latest,
            "livemode": False,
            "metadata": _metadata(
                term_months=r["metadata_term_months"],
                replaces_subscription_id=r["metadata_replaces_subscription_id"],
                account_id=r["metadata_account_id"],
            ),
            "next_pending_invoice_item_invoice": None,
            "on_behalf_of": None,
            "pause_collection": (
                {"behavior": paused, "resumes_at": r["pause_resumes_at"]} if paused else None
            ),
            "payment_settings": {
                "payment_method_options": None, "payment_method_types": None,
                "save_default_payment_method": "off",
            },
            "pending_invoice_item_interval": None,
            "pending_setup_intent": None,
            "pending_update": None,
            "schedule": None,
            "start_date": r["start_at"],
            "status": r["status"],
            "test_clock": None,
            "transfer_data": None,
            "trial_end": r["trial_end"],
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": r["trial_start"],
        }  # fmt: skip
        if not version.is_basil:
            value["current_period_start"] = r["current_period_start"]
            value["current_period_end"] = r["current_period_end"]
            first = [d for d in discounts if d["subscription_item_id"] is None][:1]
            value["discount"] = self.render_discounts(first, now, version)[0] if first else None
            value["plan"] = items[0]["plan"] if len(items) == 1 else None
            value["quantity"] = items[0]["quantity"] if len(items) == 1 else None
            item_list["total_count"] = len(items)
        return value

    def items_at(self, subscription: str, now: int) -> list[Row]:
        """The items of a subscription that exist at `now`, oldest first."""
        positions = self._items_of.of(subscription)
        positions = positions[self.items.versions.at[positions] <= now]
        newest: dict[str, Row] = {}
        for row in self.items.rows(positions):
            newest[row["subscription_item_id"]] = row
        kept = [row for row in newest.values() if not row["is_deleted"]]
        return sorted(kept, key=lambda row: (row["created_at"], row["subscription_item_id"]))

    def render_items(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Subscription items, each with its subscription's period and its own discounts."""
        out: list[Object] = []
        for row in rows:
            found = self.newest("subscription_id", row["subscription_id"], now)
            assert found is not None  # noqa: S101  # an item is never known before its subscription
            subscription = found[0].rows(np.asarray([found[1]]))[0]
            held = self._attached(self._discounts_of_subscription.of(row["subscription_id"]), now)
            own = [
                d["discount_id"] for d in held
                if d["subscription_item_id"] == row["subscription_item_id"]
            ]  # fmt: skip
            out.append(self._item(row, subscription, own, now, version))
        return out

    def _item(
        self, r: Row, subscription: Row, discounts: list[str], now: int, version: Version
    ) -> Object:
        price = self.render_prices([self._price_rows[r["price_id"]]], now, version)[0]
        value: Object = {
            "id": r["subscription_item_id"],
            "object": "subscription_item",
            "billing_thresholds": None,
            "created": r["created_at"],
            "discounts": discounts,
            "metadata": {},
            "plan": _plan(price),
            "price": price,
            "quantity": r["quantity"],
            "subscription": r["subscription_id"],
            "tax_rates": [],
        }
        if version.is_basil:
            value["current_period_start"] = subscription["current_period_start"]
            value["current_period_end"] = subscription["current_period_end"]
        return value

    def render_invoices(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Invoices with the first ten of their lines."""
        # One look-up for the page: taking the lines invoice by invoice takes three times as long.
        found = [self._line_positions(r["invoice_id"], now) for r in rows]
        lines = iter(self.lines.rows(np.concatenate([np.empty(0, dtype=np.int64), *found])))
        return [
            self._invoice(r, [next(lines) for _ in range(len(positions))], now, version)
            for r, positions in zip(rows, found, strict=True)
        ]

    def _invoice(self, r: Row, lines: list[Row], now: int, version: Version) -> Object:
        ident = r["invoice_id"]
        discounts: dict[str, int] = {}
        for line in lines:
            if line["discount_id"] is not None:
                discounts[line["discount_id"]] = (
                    discounts.get(line["discount_id"], 0) + line["discount_amount"]
                )
        line_list = list_object(
            self.render_lines(lines[:NESTED_LIMIT], now, version),
            f"/v1/invoices/{ident}/lines",
            len(lines) > NESTED_LIMIT,
            total_count=len(lines),
        )
        value: Object = {
            "id": ident,
            "object": "invoice",
            "account_country": "US",
            "account_name": "Sample Company",
            "account_tax_ids": None,
            "amount_due": r["amount_due"],
            "amount_overpaid": 0,
            "amount_paid": r["amount_paid"],
            "amount_remaining": r["amount_remaining"],
            "amount_shipping": 0,
            "application": None,
            "attempt_count": r["attempt_count"],
            "attempted": r["attempt_count"] > 0,
            "auto_advance": r["status"] == "open",
            "automatic_tax": {
                "disabled_reason": None, "enabled": False, "liability": None, "provider": None,
                "status": None,
            },
            "automatically_finalizes_at": None,
            "billing_reason": r["billing_reason"],
            "collection_method": r["collection_method"],
            "created": r["created_at"],
            "currency": r["currency"],
            "custom_fields": None,
            "customer": r["billing_customer_id"],
            "customer_address": None,
            "customer_email": None,
            "customer_name": None,
            "customer_tax_exempt": "none",
            "default_payment_method": None,
            "default_source": None,
            "default_tax_rates": [],
            "description": None,
            "discounts": list(discounts),
            "due_date": r["due_at"],
            "effective_at": r["finalized_at"],
            "ending_balance": 0,
            "footer": None,
            "from_invoice": None,
            "hosted_invoice_url": None,
            "invoice_pdf": None,
            "issuer": {"type": "self"},
            "last_finalization_error": None,
            "latest_revision": None,
            "lines": line_list,
            "livemode": False,
            "metadata": _metadata(duplicate_of=r.get("metadata_duplicate_of")),
            "next_payment_attempt": None,
            "number": r["number"],
            "on_behalf_of": None,
            "period_end": r["period_end"],
            "period_start": r["period_start"],
            "post_payment_credit_notes_amount": 0,
            "pre_payment_credit_notes_amount": 0,
            "receipt_number": None,
            "starting_balance": 0,
            "statement_descriptor": None,
            "status": r["status"],
            "status_transitions": {
                "finalized_at": r["finalized_at"],
                "marked_uncollectible_at": r["marked_uncollectible_at"],
                "paid_at": r["paid_at"],
                "voided_at": r["voided_at"],
            },
            "subtotal": r["subtotal"],
            "subtotal_excluding_tax": r["subtotal"],
            "test_clock": None,
            "total": r["total"],
            "total_discount_amounts": [
                {"amount": amount, "discount": key} for key, amount in discounts.items()
            ],
            "total_excluding_tax": r["total"],
            "total_pretax_credit_amounts": [
                {"amount": amount, "discount": key, "type": "discount"}
                for key, amount in discounts.items()
            ],
            "webhooks_delivered_at": r["created_at"],
        }  # fmt: skip
        subscription = r["subscription_id"]
        if version.is_basil:
            value["total_taxes"] = []
            value["parent"] = (
                {
                    "quote_details": None,
                    "subscription_details": {"metadata": {}, "subscription": subscription},
                    "type": "subscription_details",
                }
                if subscription
                else None
            )
            return value
        charge = self._last_charge(ident, now)
        value["charge"] = charge["charge_id"] if charge else None
        value["payment_intent"] = charge["payment_intent_id"] if charge else None
        value["paid"] = r["status"] == "paid"
        value["paid_out_of_band"] = False
        value["subscription"] = subscription
        value["subscription_details"] = {"metadata": {} if subscription else None}
        value["tax"] = None
        value["total_tax_amounts"] = []
        value["discount"] = None
        return value

    def _last_charge(self, invoice: str, now: int) -> Row | None:
        positions = self._charges_of.of(invoice)
        positions = positions[self.charges.versions.at[positions] <= now]
        rows = self.charges.rows(positions)
        return max(rows, key=lambda row: row["created_at"]) if rows else None

    def line_rows(self, invoice: str, now: int) -> list[Row]:
        """The lines of an invoice in the order written."""
        return self.lines.rows(self._line_positions(invoice, now))

    def _line_positions(self, invoice: str, now: int) -> Positions:
        positions = self._lines_of.of(invoice)
        return positions[self.lines.versions.at[positions] <= now]

    def render_lines(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Invoice lines; the two shapes differ in price, proration and subscription."""
        return [self._line(r, now, version) for r in rows]

    def _line(self, r: Row, now: int, version: Version) -> Object:
        ident = r["invoice_line_id"]
        # Prorations and one-off charges reach an invoice as invoice items.
        invoice_item = stable_id("ii", ident) if r["is_proration"] or r["is_one_off"] else None
        credited: Object = (
            {
                "credited_items": {
                    "invoice": r["credited_invoice_id"],
                    "invoice_line_items": (
                        [r["credited_invoice_line_id"]] if r["credited_invoice_line_id"] else []
                    ),
                }
            }
            if r["is_credit_proration"]
            else {"credited_items": None}
        )
        has_discount = r["discount_id"] is not None
        value: Object = {
            "id": ident,
            "object": "line_item",
            "amount": r["amount"],
            "currency": r["currency"],
            "description": r["description"],
            "discount_amounts": (
                [{"amount": r["discount_amount"], "discount": r["discount_id"]}]
                if has_discount
                else []
            ),
            "discountable": not r["is_proration"],
            "discounts": [r["discount_id"]] if has_discount else [],
            "invoice": r["invoice_id"],
            "livemode": False,
            "metadata": {},
            "period": {"end": r["period_end"], "start": r["period_start"]},
            "pretax_credit_amounts": [],
            "quantity": r["quantity"],
        }
        price = self._price_rows.get(r["price_id"])
        if version.is_basil:
            details: Object = {
                "invoice_item": invoice_item,
                "proration": r["is_proration"],
                "proration_details": credited,
                "subscription": r["subscription_id"],
            }
            if r["is_one_off"]:
                value["parent"] = {
                    "invoice_item_details": details,
                    "subscription_item_details": None,
                    "type": "invoice_item_details",
                }
            else:
                details["subscription_item"] = r["subscription_item_id"]
                value["parent"] = {
                    "invoice_item_details": None,
                    "subscription_item_details": details,
                    "type": "subscription_item_details",
                }
            value["pricing"] = (
                {
                    "price_details": {"price": price["price_id"], "product": price["product_id"]},
                    "type": "price_details",
                    "unit_amount_decimal": str(price["unit_amount"]),
                }
                if price
                else None
            )
            value["subtotal"] = r["amount"]
            value["taxes"] = []
            return value
        rendered = self.render_prices([price], now, version)[0] if price else None
        value["amount_excluding_tax"] = r["amount"]
        value["plan"] = _plan(rendered) if rendered else None
        value["price"] = rendered
        value["proration"] = r["is_proration"]
        value["proration_details"] = credited
        value["subscription"] = r["subscription_id"]
        if invoice_item:
            value["invoice_item"] = invoice_item
        if r["subscription_item_id"] is not None:
            value["subscription_item"] = r["subscription_item_id"]
        value["tax_amounts"] = []
        value["tax_rates"] = []
        value["type"] = "invoiceitem" if invoice_item else "subscription"
        value["unit_amount_excluding_tax"] = str(price["unit_amount"]) if price else None
        return value

    def render_invoice_items(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Invoice items: the lines that did not come from a subscription's regular cycle."""
        out: list[Object] = []
        for r in rows:
            line = self._line(r, now, version)
            found = self.newest("invoice_id", r["invoice_id"], now)
            assert found is not None  # noqa: S101  # a line is never known before its invoice
            value: Object = {
                "id": stable_id("ii", r["invoice_line_id"]),
                "object": "invoiceitem",
                "amount": r["amount"],
                "currency": r["currency"],
                "customer": str(found[0].columns.array("billing_customer_id")[found[1]]),
                "date": r["created_at"],
                "description": r["description"],
                "discountable": line["discountable"],
                "discounts": line["discounts"],
                "invoice": r["invoice_id"],
                "livemode": False,
                "metadata": {},
                "period": line["period"],
                "proration": r["is_proration"],
                "quantity": r["quantity"],
                "tax_rates": [],
                "test_clock": None,
            }
            if version.is_basil:
                value["parent"] = (
                    {
                        "subscription_details": {
                            "subscription": r["subscription_id"],
                            "subscription_item": r["subscription_item_id"],
                        },
                        "type": "subscription_details",
                    }
                    if r["subscription_id"]
                    else None
                )
                value["pricing"] = line["pricing"]
            else:
                value["price"] = line["price"]
                value["subscription"] = r["subscription_id"]
            out.append(value)
        return out

    def render_charges(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Charges; from 2025-03-31 on they no longer name their invoice."""
        out: list[Object] = []
        for r in rows:
            ok = r["status"] == "succeeded"
            value: Object = {
                "id": r["charge_id"],
                "object": "charge",
                "amount": r["amount"],
                "amount_captured": r["amount"] if ok else 0,
                "amount_refunded": r["amount_refunded"],
                "application": None,
                "balance_transaction": None,
                "billing_details": {
                    "address": None, "email": None, "name": None, "phone": None, "tax_id": None,
                },
                "captured": ok,
                "created": r["created_at"],
                "currency": r["currency"],
                "customer": r["billing_customer_id"],
                "description": None,
                "disputed": r["is_disputed"],
                "failure_code": r["failure_code"],
                "failure_message": "Your card was declined." if r["failure_code"] else None,
                "fraud_details": {},
                "livemode": False,
                "metadata": {},
                "on_behalf_of": None,
                "outcome": {
                    "network_status": "approved_by_network" if ok else "declined_by_network",
                    "reason": None if ok else r["failure_code"],
                    "risk_level": "normal",
                    "type": "authorized" if ok else "issuer_declined",
                },
                "paid": ok,
                "payment_intent": r["payment_intent_id"],
                "payment_method": None,
                "receipt_email": None,
                "receipt_url": None,
                "refunded": r["is_refunded"],
                "source": None,
                "status": r["status"],
            }  # fmt: skip
            if not version.is_basil:
                value["invoice"] = r["invoice_id"]
            out.append(value)
        return out

    def render_invoice_payments(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """What ties a charge's payment intent to its invoice since charges no longer do."""
        return [
            {
                "id": stable_id("inpay", r["charge_id"]),
                "object": "invoice_payment",
                "amount_paid": r["amount"] if r["status"] == "succeeded" else None,
                "amount_requested": r["amount"],
                "created": r["created_at"],
                "currency": r["currency"],
                "invoice": r["invoice_id"],
                "is_default": True,
                "livemode": False,
                "payment": {"payment_intent": r["payment_intent_id"], "type": "payment_intent"}
                if r["payment_intent_id"]
                else {"charge": r["charge_id"], "type": "charge"},
                "status": "paid" if r["status"] == "succeeded" else "open",
                "status_transitions": {
                    "canceled_at": None,
                    "paid_at": r["created_at"] if r["status"] == "succeeded" else None,
                },
            }
            for r in rows
        ]

    def payments_of(self, invoice: str, now: int, version: Version) -> Object:
        """An invoice's payments, as expanding `payments` gives them."""
        positions = self._charges_of.of(invoice)
        positions = positions[self.charges.versions.at[positions] <= now]
        newest = {row["charge_id"]: row for row in self.charges.rows(positions)}
        data = self.render_invoice_payments(list(newest.values()), now, version)
        return list_object(
            data[:NESTED_LIMIT], f"/v1/invoice_payments?invoice={invoice}",
            len(data) > NESTED_LIMIT,
        )  # fmt: skip

    def render_credit_notes(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Credit notes."""
        out: list[Object] = []
        for r in rows:
            ident = r["credit_note_id"]
            value: Object = {
                "id": ident,
                "object": "credit_note",
                "amount": r["amount"],
                "amount_shipping": 0,
                "created": r["created_at"],
                "currency": r["currency"],
                "customer": r["billing_customer_id"],
                "customer_balance_transaction": None,
                "discount_amount": 0,
                "discount_amounts": [],
                "effective_at": r["created_at"],
                "invoice": r["invoice_id"],
                "lines": list_object([_credit_line(r)], f"/v1/credit_notes/{ident}/lines", False),
                "livemode": False,
                "memo": None,
                "metadata": {},
                "number": f"CN-{ident[-8:].upper()}",
                "out_of_band_amount": None,
                "pdf": "",
                "pre_payment_amount": r["amount"] if r["type"] == "pre_payment" else 0,
                "post_payment_amount": r["amount"] if r["type"] == "post_payment" else 0,
                "pretax_credit_amounts": [],
                "reason": r["reason"],
                "shipping_cost": None,
                "status": r["status"],
                "subtotal": r["amount"],
                "subtotal_excluding_tax": r["amount"],
                "total": r["amount"],
                "total_excluding_tax": r["amount"],
                "type": r["type"],
                "voided_at": None,
            }
            if version.is_basil:
                value["refunds"] = []
                value["total_taxes"] = []
            else:
                value["refund"] = None
                value["tax_amounts"] = []
            out.append(value)
        return out

    # --- the event feed -------------------------------------------------------------------------

    def events(self, now: int) -> list[Object]:
        """The events of the thirty days before `now`, newest first."""
        return self._events.get(now, lambda: self._derive_events(now))

    def _derive_events(self, now: int) -> list[Object]:
        since = now - EVENT_DAYS * 86_400 * _SECOND
        feed: list[tuple[int, int, Object]] = []

        def emit(at: int, kind: str, value: Object, previous: Object | None = None) -> None:
            data: Object = {"object": value}
            if previous is not None:
                data["previous_attributes"] = previous
            feed.append(
                (
                    at,
                    len(feed),
                    {
                        "id": stable_id("evt", kind, value["id"], at, length=24),
                        "object": "event",
                        "api_version": self.account_version.name,
                        "created": at // _SECOND,
                        "data": data,
                        "livemode": False,
                        "pending_webhooks": 0,
                        "request": {"id": None, "idempotency_key": None},
                        "type": kind,
                    },
                )
            )

        self._fact_events(since, now, emit)
        self._subscription_events(since, now, emit)
        for table, render, name in (
            (self.customers, self._customer_snapshots, _customer_kinds),
            (self.invoices, self.render_invoices, _invoice_kinds),
            (self.charges, self.render_charges, _charge_kinds),
        ):
            self._version_events(table, render, name, since, now, emit)
        self._discount_events(since, now, emit)
        feed.sort(key=lambda entry: (entry[0], entry[1]), reverse=True)
        return [event for _, _, event in feed]

    def _customer_snapshots(self, rows: list[Row], now: int, version: Version) -> list[Object]:
        """Customers as events carry them: a deleted one still has all its attributes."""
        return [self._customer(row, now, version) for row in rows]

    def _fact_events(self, since: int, now: int, emit: Callable[..., None]) -> None:
        version = self.account_version
        for table, render, kind in (
            (self.products, self.render_products, "product.created"),
            (self.prices, self.render_prices, "price.created"),
            (self.coupons, self.render_coupons, "coupon.created"),
            (self.credit_notes, self.render_credit_notes, "credit_note.created"),
        ):
            at = table.versions.at
            fresh = np.flatnonzero((at > since) & (at <= now))
            for position, value in zip(
                fresh.tolist(), render(table.rows(fresh), now, version), strict=True
            ):
                emit(int(at[position]), kind, value)

    def _version_events(
        self,
        table: Table,
        render: Callable[[list[Row], int, Version], list[Object]],
        kinds: Callable[[Row | None, Row], list[str]],
        since: int,
        now: int,
        emit: Callable[..., None],
    ) -> None:
        version = self.account_version
        at, codes = table.versions.at, table.versions.codes
        fresh = np.flatnonzero((at > since) & (at <= now))
        for position, row in zip(fresh.tolist(), table.rows(fresh), strict=True):
            instant = int(at[position])
            before: Row | None = None
            if position > 0 and codes[position - 1] == codes[position]:
                before = table.rows(np.asarray([position - 1]))[0]
            value = render([row], instant, version)[0]
            for kind in kinds(before, row):
                if kind == "charge.dispute.created":
                    emit(instant, kind, _dispute(row, instant // _SECOND))
                    continue
                changed = None
                if before is not None and not kind.endswith(".deleted"):
                    changed = _difference(render([before], instant - 1, version)[0], value)
                emit(instant, kind, value, changed)

    def _subscription_events(self, since: int, now: int, emit: Callable[..., None]) -> None:
        """A change of the subscription or of any of its items is one event of the subscription."""
        version = self.account_version
        instants: dict[str, set[int]] = {}
        for table in (self.subscriptions, self.items):
            at = table.versions.at
            fresh = np.flatnonzero((at > since) & (at <= now))
            owners = table.columns.array("subscription_id")[fresh]
            for owner, instant in zip(owners.tolist(), at[fresh].tolist(), strict=True):
                instants.setdefault(owner, set()).add(instant)
        for owner, changes in instants.items():
            for instant in sorted(changes):
                found = self.newest("subscription_id", owner, instant)
                if found is None:
                    continue
                row = found[0].rows(np.asarray([found[1]]))[0]
                value = self._subscription(row, instant, version)
                earlier = self.newest("subscription_id", owner, instant - 1)
                if earlier is None:
                    emit(instant, "customer.subscription.created", value)
                    continue
                before_row = earlier[0].rows(np.asarray([earlier[1]]))[0]
                before = self._subscription(before_row, instant - 1, version)
                if row["status"] == "canceled" and before_row["status"] != "canceled":
                    emit(instant, "customer.subscription.deleted", value)
                else:
                    changed = _difference(before, value)
                    emit(instant, "customer.subscription.updated", value, changed)

    def _discount_events(self, since: int, now: int, emit: Callable[..., None]) -> None:
        version = self.account_version
        table = self.discounts
        at = table.versions.at
        until = table.columns.array("attached_until") * _SECOND
        for instants, kind in ((at, "created"), (until, "deleted")):
            fresh = np.flatnonzero((instants > since) & (instants <= now) & (at <= now))
            for position, value in zip(
                fresh.tolist(),
                self.render_discounts(table.rows(fresh), now, version),
                strict=True,
            ):
                emit(int(instants[position]), f"customer.discount.{kind}", value)


def _customer_kinds(before: Row | None, row: Row) -> list[str]:
    if before is None:
        return ["customer.created"]
    return ["customer.deleted" if row["is_deleted"] else "customer.updated"]


def _invoice_kinds(before: Row | None, row: Row) -> list[str]:
    kinds: list[str] = []
    if row["is_deleted"]:
        return ["invoice.deleted"]
    if before is None:
        kinds.append("invoice.created")
    if row["finalized_at"] is not None and (before is None or before["finalized_at"] is None):
        kinds.append("invoice.finalized")
    status = row["status"]
    if before is None or before["status"] != status:
        kinds += {
            "paid": ["invoice.paid", "invoice.payment_succeeded"],
            "void": ["invoice.voided"],
            "uncollectible": ["invoice.marked_uncollectible"],
        }.get(status, [])
    attempts = before["attempt_count"] if before else 0
    if status == "open" and row["attempt_count"] > attempts:
        kinds.append("invoice.payment_failed")
    if before is not None:
        kinds.append("invoice.updated")
    return kinds


def _charge_kinds(before: Row | None, row: Row) -> list[str]:
    kinds: list[str] = []
    if before is None:
        kinds.append(f"charge.{row['status']}")
    if row["amount_refunded"] > (before["amount_refunded"] if before else 0):
        kinds.append("charge.refunded")
    if row["is_disputed"] and not (before and before["is_disputed"]):
        kinds.append("charge.dispute.created")
    return kinds or ["charge.updated"]


def _dispute(r: Row, created: int) -> Object:
    return {
        "id": stable_id("dp", r["charge_id"]),
        "object": "dispute",
        "amount": r["amount"],
        "charge": r["charge_id"],
        "created": created,
        "currency": r["currency"],
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": r["payment_intent_id"],
        "reason": "general",
        "status": "needs_response",
    }


def _difference(before: Object, after: Object) -> Object:
    """What changed, with the values before, as `previous_attributes` holds it."""
    return {
        key: before.get(key) for key in {**before, **after} if before.get(key) != after.get(key)
    }


def _plan(price: Object) -> Object:
    """The older plan object that still stands beside every price of an item."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": {},
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def _credit_line(r: Row) -> Object:
    return {
        "id": stable_id("cnli", r["credit_note_id"]),
        "object": "credit_note_line_item",
        "amount": r["amount"],
        "description": "Credit",
        "discount_amount": 0,
        "discount_amounts": [],
        "livemode": False,
        "quantity": 1,
        "type": "custom_line_item",
        "unit_amount": r["amount"],
    }


def _metadata(**values: Any) -> dict[str, str]:
    """Metadata as Stripe keeps it: text only, absent keys left out."""
    return {key: str(value) for key, value in values.items() if value is not None}


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


def _with_metadata(tables: Tables) -> pd.DataFrame:
    """Customers with the account their metadata names; the right one where no slip is noted."""
    frame = tables["billing_customers"]
    right = frame["account_id"]
    if "metadata_account_id" not in frame.columns:
        return frame.assign(metadata_account_id=right)
    return frame.assign(metadata_account_id=frame["metadata_account_id"].fillna(right))


def _domains(tables: Tables) -> dict[str, str]:
    accounts = tables["accounts"].drop_duplicates("account_id")
    known = accounts[accounts["domain"].notna()]
    return dict(zip(known["account_id"], known["domain"], strict=True))
