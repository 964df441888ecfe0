"""Stripe's objects into landed rows; both API shapes, before and since 2025-03-31.

Belongs here: pure functions from one vendor object to rows keyed by column. Must not be
here: requests.

Deliberately not loaded: addresses, phones, tax ids, payment method details, shipping, invoice
PDFs and hosted links (nobody measures retention by them, and they are personal or secret). E-mail
addresses land only as a hash.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from ingestion import privacy

Obj = dict[str, Any]
Record = dict[str, Any]
Rows = defaultdict[str, list[Record]]


# What fills the columns that a table cannot do without; either API shape is enough.
FIELDS: dict[str, dict[str, tuple[str, ...]]] = {
    "customers": {"id": ("id",)},
    "products": {"id": ("id",)},
    "prices": {
        "id": ("id",),
        "created": ("created",),
        "currency": ("currency",),
        "type": ("type",),
        "billing_scheme": ("billing_scheme",),
        "interval": ("recurring.interval", "recurring"),
        "unit_amount_decimal": ("unit_amount_decimal", "unit_amount"),
    },
    "coupons": {"id": ("id",), "duration": ("duration",)},
    "subscriptions": {
        "id": ("id",),
        "created": ("created",),
        "customer_id": ("customer",),
        "status": ("status",),
        "currency": ("currency",),
        "cancel_at_period_end": ("cancel_at_period_end",),
        "canceled_at": ("canceled_at",),
        "ended_at": ("ended_at",),
        "trial_end": ("trial_end",),
    },
    "subscription_items": {
        "id": ("id",),
        "price_id": ("price", "plan"),
        "quantity": ("quantity",),
    },
    "invoices": {
        "id": ("id",),
        "created": ("created",),
        "customer_id": ("customer",),
        "status": ("status",),
        "currency": ("currency",),
        "total": ("total",),
        "amount_due": ("amount_due",),
        "amount_paid": ("amount_paid",),
    },
    "invoice_lines": {"id": ("id",), "amount": ("amount",), "quantity": ("quantity",)},
    "credit_notes": {
        "id": ("id",),
        "created": ("created",),
        "status": ("status",),
        "amount": ("amount",),
    },
    "charges": {
        "id": ("id",),
        "created": ("created",),
        "status": ("status",),
        "amount": ("amount",),
        "amount_refunded": ("amount_refunded",),
    },
}
# Nested objects whose fields are watched like the object's own. The rest is either landed as JSON
# (metadata, which the company fills) or nothing is read from it.
_WATCHED = ("recurring", "status_transitions", "cancellation_details", "pause_collection")
_PARTS = {"subscription": ("items", "subscription_items"), "invoice": ("lines", "invoice_lines")}


def watched(table: str, objects: Iterable[Obj]) -> Iterable[tuple[str, list[Obj]]]:
    """Objects as they are compared with the base line: by table, one level of nesting flat.

    Stumps of deleted objects are left out: they have lost their fields rightly.
    """
    whole = [o for o in objects if not o.get("deleted")]
    yield table, [_flat(o) for o in whole]
    part = next((_PARTS[o["object"]] for o in whole if o.get("object") in _PARTS), None)
    if part is not None:
        yield part[1], [_flat(p) for o in whole for p in nested(o.get(part[0]))]


def _flat(obj: Obj) -> Obj:
    found = dict(obj)
    for name in _WATCHED:
        inner = obj.get(name)
        if isinstance(inner, dict):
            found.update({f"{name}.{key}": value for key, value in inner.items()})
    return found


def new_rows() -> Rows:
    """An empty collection of rows by table."""
    return defaultdict(list)


def customer(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """A customer and the discount on it."""
    rows["customers"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "currency": obj.get("currency"),
            "delinquent": obj.get("delinquent"),
            "deleted": deleted or bool(obj.get("deleted")),
            "name": obj.get("name"),
            "email_hash": privacy.hash_email(obj.get("email")),
            "balance": obj.get("balance"),
            "metadata": obj.get("metadata"),
            "_version_at": at,
        }
    )
    if isinstance(obj.get("discount"), dict):
        discount(obj["discount"], at, rows, customer_id=obj.get("id"))


def product(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """A product."""
    rows["products"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "name": obj.get("name"),
            "active": obj.get("active"),
            "deleted": deleted or bool(obj.get("deleted")),
            "metadata": obj.get("metadata"),
            "_version_at": at,
        }
    )


def price(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """A price; a deleted one is only no longer active, for subscriptions may still hold it."""
    recurring = obj.get("recurring") or {}
    tiered = obj.get("billing_scheme") == "tiered"
    amount = obj.get("unit_amount_decimal")
    rows["prices"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "product_id": ref(obj.get("product")),
            "currency": obj.get("currency"),
            "type": obj.get("type"),
            "billing_scheme": obj.get("billing_scheme"),
            "usage_type": recurring.get("usage_type"),
            "interval": recurring.get("interval"),
            "interval_count": recurring.get("interval_count"),
            "unit_amount_decimal": None
            if tiered
            else (amount if amount is not None else obj.get("unit_amount")),
            "tiers_mode": obj.get("tiers_mode"),
            "tiers": obj.get("tiers") if tiered else None,
            "nickname": obj.get("nickname"),
            "active": False if deleted else obj.get("active"),
            "metadata": obj.get("metadata"),
            "_version_at": at,
        }
    )


def coupon(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """A coupon."""
    rows["coupons"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "name": obj.get("name"),
            "percent_off": obj.get("percent_off"),
            "amount_off": obj.get("amount_off"),
            "currency": obj.get("currency"),
            "duration": obj.get("duration"),
            "duration_in_months": obj.get("duration_in_months"),
            "deleted": deleted or bool(obj.get("deleted")),
            "_version_at": at,
        }
    )


def subscription(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """A subscription, its items, and the discounts on both."""
    del deleted  # a deleted subscription is a cancelled one; its payload says so itself
    items = nested(obj.get("items"))
    pause = obj.get("pause_collection") or {}
    cancellation = obj.get("cancellation_details") or {}
    starts = [i["current_period_start"] for i in items if i.get("current_period_start")]
    ends = [i["current_period_end"] for i in items if i.get("current_period_end")]
    rows["subscriptions"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "customer_id": ref(obj.get("customer")),
            "status": obj.get("status"),
            "currency": obj.get("currency"),
            "start_date": obj.get("start_date"),
            "billing_cycle_anchor": obj.get("billing_cycle_anchor"),
            "trial_start": obj.get("trial_start"),
            "trial_end": obj.get("trial_end"),
            "cancel_at": obj.get("cancel_at"),
            "cancel_at_period_end": obj.get("cancel_at_period_end"),
            "canceled_at": obj.get("canceled_at"),
            "ended_at": obj.get("ended_at"),
            "current_period_start": obj.get("current_period_start")
            or (min(starts) if starts else None),
            "current_period_end": obj.get("current_period_end") or (max(ends) if ends else None),
            "collection_method": obj.get("collection_method"),
            "pause_behavior": pause.get("behavior"),
            "pause_resumes_at": pause.get("resumes_at"),
            "cancellation_reason": cancellation.get("reason"),
            "cancellation_feedback": cancellation.get("feedback"),
            "metadata": obj.get("metadata"),
            "_version_at": at,
        }
    )
    owner = {"customer_id": ref(obj.get("customer")), "subscription_id": obj.get("id")}
    for found in _discounts(obj):
        discount(found, at, rows, **owner)
    for item in items:
        rows["subscription_items"].append(
            {
                "id": item.get("id"),
                "subscription_id": obj.get("id"),
                "price_id": ref(item.get("price")) or ref(item.get("plan")),
                "quantity": item.get("quantity"),
                "created": item.get("created"),
                "deleted": bool(item.get("deleted")),
                "_version_at": at,
            }
        )
        for found in _discounts(item):
            discount(found, at, rows, **owner, subscription_item_id=item.get("id"))


def invoice(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """An invoice, its lines, and the discounts on both."""
    moments = obj.get("status_transitions") or {}
    parent = _details(obj.get("parent"), "subscription_details")
    subscription_id = ref(obj.get("subscription")) or ref(parent.get("subscription"))
    rows["invoices"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "customer_id": ref(obj.get("customer")),
            "subscription_id": subscription_id,
            "status": "deleted" if deleted else obj.get("status"),
            "number": obj.get("number"),
            "billing_reason": obj.get("billing_reason"),
            "collection_method": obj.get("collection_method"),
            "currency": obj.get("currency"),
            "subtotal": obj.get("subtotal"),
            "total": obj.get("total"),
            "total_excluding_tax": obj.get("total_excluding_tax"),
            "amount_due": obj.get("amount_due"),
            "amount_paid": obj.get("amount_paid"),
            "amount_remaining": obj.get("amount_remaining"),
            "attempt_count": obj.get("attempt_count"),
            "period_start": obj.get("period_start"),
            "period_end": obj.get("period_end"),
            "due_date": obj.get("due_date"),
            "finalized_at": moments.get("finalized_at"),
            "paid_at": moments.get("paid_at"),
            "voided_at": moments.get("voided_at"),
            "marked_uncollectible_at": moments.get("marked_uncollectible_at"),
            "_version_at": at,
        }
    )
    owner = {"customer_id": ref(obj.get("customer")), "invoice_id": obj.get("id")}
    for found in _discounts(obj):
        discount(found, at, rows, **owner, subscription_id=subscription_id)
    for line in nested(obj.get("lines")):
        invoice_line(line, obj, at, rows)
        for found in _discounts(line):
            discount(found, at, rows, **owner, subscription_id=subscription_id)


def invoice_line(line: Obj, of: Obj, at: int, rows: Rows) -> None:
    """A line of an invoice."""
    parent = line.get("parent") or {}
    by_item = _details(parent, "subscription_item_details")
    by_hand = _details(parent, "invoice_item_details")
    details = by_item or by_hand
    price_details = _details(line.get("pricing"), "price_details")
    prorated = line.get("proration_details") or details.get("proration_details") or {}
    kind = line.get("type") or (
        "subscription" if parent.get("type") == "subscription_item_details" else "invoiceitem"
    )
    period = line.get("period") or {}
    amounts = line.get("discount_amounts") or []
    proration = line.get("proration")
    rows["invoice_lines"].append(
        {
            "id": line.get("id"),
            "invoice_id": of.get("id"),
            "subscription_id": ref(line.get("subscription")) or ref(details.get("subscription")),
            "subscription_item_id": ref(line.get("subscription_item"))
            or ref(details.get("subscription_item")),
            "price_id": ref(line.get("price")) or ref(price_details.get("price")),
            "type": kind,
            "quantity": line.get("quantity"),
            "amount": line.get("amount"),
            "currency": line.get("currency"),
            "period_start": period.get("start"),
            "period_end": period.get("end"),
            "is_proration": bool(proration if proration is not None else details.get("proration")),
            "is_credit_proration": bool(prorated.get("credited_items")),
            "discount_amount": sum(a.get("amount") or 0 for a in amounts),
            "discount_ids": [ref(a.get("discount")) for a in amounts],
            "_version_at": at,
        }
    )


def credit_note(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """A credit note."""
    del deleted  # credit notes are voided, never deleted
    rows["credit_notes"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "invoice_id": ref(obj.get("invoice")),
            "customer_id": ref(obj.get("customer")),
            "status": obj.get("status"),
            "type": obj.get("type"),
            "reason": obj.get("reason"),
            "amount": obj.get("amount"),
            "currency": obj.get("currency"),
            "_version_at": at,
        }
    )


def charge(obj: Obj, at: int, rows: Rows, *, deleted: bool = False) -> None:
    """A charge."""
    del deleted  # charges are never deleted
    rows["charges"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "customer_id": ref(obj.get("customer")),
            "invoice_id": ref(obj.get("invoice")),
            "payment_intent_id": ref(obj.get("payment_intent")),
            "amount": obj.get("amount"),
            "amount_refunded": obj.get("amount_refunded"),
            "currency": obj.get("currency"),
            "status": obj.get("status"),
            "paid": obj.get("paid"),
            "refunded": obj.get("refunded"),
            "disputed": obj.get("disputed"),
            "failure_code": obj.get("failure_code"),
            "_version_at": at,
        }
    )


def discount(obj: Obj, at: int, rows: Rows, **owner: str | None) -> None:
    """A discount, wherever it was met; what the object says itself wins over where it was met."""
    held = obj.get("coupon")
    if held is None:
        held = (obj.get("source") or {}).get("coupon")
    rule = held if isinstance(held, dict) else {}
    if any(obj.get(k) for k in ("subscription", "subscription_item", "invoice", "invoice_item")):
        # An invoice shows its subscription's discounts too; they are not the invoice's own.
        owner = {"customer_id": owner.get("customer_id")}
    rows["discounts"].append(
        {
            "id": obj.get("id"),
            "coupon_id": ref(held),
            "customer_id": ref(obj.get("customer")) or owner.get("customer_id"),
            "subscription_id": ref(obj.get("subscription")) or owner.get("subscription_id"),
            "subscription_item_id": ref(obj.get("subscription_item"))
            or owner.get("subscription_item_id"),
            "invoice_id": ref(obj.get("invoice")) or owner.get("invoice_id"),
            "start": obj.get("start"),
            "end": obj.get("end"),
            "percent_off": rule.get("percent_off"),
            "amount_off": rule.get("amount_off"),
            "currency": rule.get("currency"),
            "duration": rule.get("duration"),
            "duration_in_months": rule.get("duration_in_months"),
            "_version_at": at,
        }
    )


def event(obj: Obj, rows: Rows) -> None:
    """An entry of the change feed, without its payload."""
    changed = (obj.get("data") or {}).get("object") or {}
    rows["events"].append(
        {
            "id": obj.get("id"),
            "created": obj.get("created"),
            "type": obj.get("type"),
            "object_type": changed.get("object"),
            "object_id": changed.get("id"),
            "api_version": obj.get("api_version"),
            "_version_at": obj.get("created"),
        }
    )


def ref(value: Any) -> str | None:
    """The id of a reference, expanded or not."""
    if isinstance(value, dict):
        found = value.get("id")
        return str(found) if found is not None else None
    return value if isinstance(value, str) and value else None


def nested(value: Any) -> list[Obj]:
    """Objects of a nested list."""
    if isinstance(value, dict):
        return [v for v in value.get("data") or [] if isinstance(v, dict)]
    return []


def _discounts(obj: Obj) -> Iterable[Obj]:
    several = obj.get("discounts") or []
    one = obj.get("discount")
    found = [d for d in several if isinstance(d, dict)]
    if isinstance(one, dict) and all(d.get("id") != one.get("id") for d in found):
        found.append(one)
    return found


def _details(parent: Any, name: str) -> Obj:
    found = parent.get(name) if isinstance(parent, dict) else None
    return found if isinstance(found, dict) else {}
