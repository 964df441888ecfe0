"""A company small enough to know by heart: every test of the servers reads this one."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from sample_company.ids import salesforce_ids
from sample_company.world import schema

NOW = datetime(2026, 6, 10, tzinfo=UTC)
FILLERS = 450
ITEMS_OF_BIG = 12
LINES_OF_BIG = 23


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def sf(prefix: str, number: int) -> str:
    return str(salesforce_ids(prefix, np.asarray([number], dtype=np.uint64))[0])


ACME, BOREAL, LOSER = (sf("001", n) for n in (1, 2, 3))
ANNA, BEN = (sf("005", n) for n in (1, 2))
DEAL, TALK, VISIT = sf("006", 1), sf("00T", 1), sf("00U", 1)
CARA, DORA, ERASED = (sf("003", n) for n in (1, 2, 3))

_EMPTY: dict[str, Any] = {
    "str": None, "at": pd.NaT, "on": pd.NaT, "int": 0, "int?": pd.NA, "float": np.nan,
    "bool": False,
}  # fmt: skip


def frame(table: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of a table of the world's schema; what a row leaves out is missing, zero or false."""
    columns = schema.TABLES[table]
    unknown = {key for row in rows for key in row} - set(columns)
    assert not unknown, f"{table} has no columns {unknown}"
    filled = [{c: row.get(c, _EMPTY[kind]) for c, kind in columns.items()} for row in rows]
    if not filled:
        return schema.empty(columns)
    wide = pd.DataFrame(filled)
    for column, kind in columns.items():
        if kind in ("at", "on"):
            # A column without any instant has no zone of its own.
            wide[column] = pd.to_datetime(wide[column], utc=kind == "at")
    return schema.conform(wide, columns)


def _accounts() -> list[dict[str, Any]]:
    base = {"segment": "SMB", "region": "EMEA", "country": "DE", "currency": "EUR",
            "owner_employee_id": ANNA, "created_at": at("2024-01-05T09:00:00")}  # fmt: skip
    acme = {**base, "account_id": ACME, "name": "Acme", "domain": "acme.example",
            "billing_customer_id": "cus_acme", "workspace_id": "ws_acme"}  # fmt: skip
    loser = {**base, "account_id": LOSER, "name": "Acme GmbH", "domain": "acme.example"}
    rows = [
        {**acme, "version_at": at("2024-01-05T09:00:00"), "account_type": "Prospect"},
        {**acme, "version_at": at("2024-02-01T10:00:00"), "account_type": "Customer"},
        {**acme, "version_at": at("2026-06-02T08:30:00.5"), "account_type": "Customer",
         "owner_employee_id": BEN, "segment": "mid-market"},
        {**base, "account_id": BOREAL, "name": "Boreal's Best", "domain": "boreal.example",
         "version_at": at("2024-03-01T09:00:00"), "employee_count": 120},
        {**loser, "version_at": at("2024-04-01T09:00:00")},
        {**loser, "version_at": at("2026-06-05T12:00:00"), "is_deleted": True,
         "merged_into": ACME},
    ]  # fmt: skip
    for n in range(FILLERS):
        when = at("2025-01-01T00:00:00") + timedelta(minutes=n)
        rows.append({**base, "account_id": sf("001", 1000 + n), "name": f"Filler {n}",
                     "domain": f"f{n}.example", "version_at": when, "created_at": when,
                     "employee_count": n})  # fmt: skip
    return rows


def _subscriptions() -> list[dict[str, Any]]:
    base = {"subscription_id": "sub_acme", "billing_customer_id": "cus_acme", "currency": "eur",
            "created_at": at("2024-02-01T10:00:00"), "start_at": at("2024-02-01T10:00:00"),
            "billing_cycle_anchor": at("2024-02-01T10:00:00"),
            "current_period_start": at("2026-06-01T10:00:00"),
            "current_period_end": at("2026-07-01T10:00:00"),
            "collection_method": "charge_automatically", "metadata_account_id": ACME}  # fmt: skip
    gone = {**base, "subscription_id": "sub_gone", "billing_customer_id": "cus_gone",
            "metadata_term_months": 12}  # fmt: skip
    return [
        {**base, "version_at": at("2024-02-01T10:00:00"), "status": "active"},
        {**base, "version_at": at("2026-06-04T10:00:00"), "status": "active",
         "cancel_at_period_end": True, "cancel_at": at("2026-07-01T10:00:00"),
         "canceled_at": at("2026-06-04T10:00:00"),
         "cancellation_reason": "cancellation_requested"},
        {**gone, "version_at": at("2024-02-01T10:00:00"), "status": "active"},
        {**gone, "version_at": at("2026-06-03T10:00:00"), "status": "canceled",
         "canceled_at": at("2026-06-03T10:00:00"), "ended_at": at("2026-06-03T10:00:00")},
    ]  # fmt: skip


def _items() -> list[dict[str, Any]]:
    rows = [
        {"subscription_item_id": "si_acme", "subscription_id": "sub_acme", "quantity": 5,
         "price_id": "price_team", "version_at": at("2024-02-01T10:00:00"),
         "created_at": at("2024-02-01T10:00:00")},
        {"subscription_item_id": "si_acme", "subscription_id": "sub_acme", "quantity": 8,
         "price_id": "price_team", "version_at": at("2026-06-06T10:00:00"),
         "created_at": at("2024-02-01T10:00:00")},
    ]  # fmt: skip
    rows += [
        {"subscription_item_id": f"si_gone{n:02d}", "subscription_id": "sub_gone",
         "quantity": 1 + n, "price_id": "price_team", "version_at": at("2024-02-01T10:00:00"),
         "created_at": at("2024-02-01T10:00:00")}
        for n in range(ITEMS_OF_BIG)
    ]  # fmt: skip
    return rows


def _invoices() -> list[dict[str, Any]]:
    base = {"invoice_id": "in_acme", "billing_customer_id": "cus_acme", "number": "A-1",
            "subscription_id": "sub_acme", "billing_reason": "subscription_cycle",
            "collection_method": "charge_automatically", "currency": "eur", "subtotal": 10000,
            "total": 9000, "amount_due": 9000, "amount_remaining": 9000,
            "created_at": at("2026-06-01T10:00:00"), "finalized_at": at("2026-06-01T11:00:00"),
            "period_start": at("2026-06-01T10:00:00"),
            "period_end": at("2026-07-01T10:00:00")}  # fmt: skip
    rows = [
        {**base, "version_at": at("2026-06-01T11:00:00"), "status": "open"},
        {**base, "version_at": at("2026-06-02T11:00:00"), "status": "open", "attempt_count": 1},
        {**base, "version_at": at("2026-06-03T11:00:00"), "status": "paid", "attempt_count": 2,
         "amount_paid": 9000, "amount_remaining": 0, "paid_at": at("2026-06-03T11:00:00")},
    ]  # fmt: skip
    for n in range(250):
        when = at("2024-03-01T10:00:00") + timedelta(days=n)
        rows.append({**base, "invoice_id": f"in_old{n:03d}", "number": f"O-{n}", "status": "paid",
                     "billing_customer_id": "cus_gone", "subscription_id": "sub_gone",
                     "amount_paid": 9000, "amount_remaining": 0, "version_at": when,
                     "created_at": when, "paid_at": when, "finalized_at": when})  # fmt: skip
    return rows


def _lines() -> list[dict[str, Any]]:
    rows = []
    for n in range(LINES_OF_BIG):
        is_credit = n == 1
        rows.append({
            "invoice_line_id": f"il_acme{n:02d}", "invoice_id": "in_acme",
            "subscription_id": "sub_acme", "subscription_item_id": "si_acme",
            "price_id": "price_team", "description": "Team", "quantity": 5,
            "amount": -300 if is_credit else 1000, "currency": "eur",
            "discount_amount": 1000 if n == 0 else 0, "discount_id": "di_acme" if n == 0 else None,
            "period_start": at("2026-06-01T10:00:00"), "period_end": at("2026-07-01T10:00:00"),
            "is_proration": n in (1, 2), "is_credit_proration": is_credit,
            "credited_invoice_id": "in_old001" if is_credit else None,
            "credited_invoice_line_id": "il_old001" if is_credit else None,
            "known_at": at("2026-06-01T11:00:00"),
        })  # fmt: skip
    rows.extend(
        {"invoice_line_id": f"il_old{n:03d}", "invoice_id": f"in_old{n:03d}",
         "subscription_id": "sub_gone", "subscription_item_id": "si_gone00",
         "price_id": "price_team", "quantity": 1, "amount": 9000, "currency": "eur",
         "period_start": at("2024-03-01T10:00:00"), "period_end": at("2024-04-01T10:00:00"),
         "known_at": at("2024-03-01T10:00:00") + timedelta(days=n)}
        for n in range(250)
    )  # fmt: skip
    return rows


def _people() -> dict[str, pd.DataFrame]:
    base = {"account_id": ACME, "title": "Team Lead", "level": "manager", "consent_basis":
            "contract", "departure_terms": None, "left_on": pd.NaT, "former_contact_id": None,
            "is_email_opted_out": False, "is_deleted": False, "is_erased": False,
            "merged_into_contact_id": None, "created_at": at("2024-02-01T09:00:00")}  # fmt: skip
    cara = {**base, "contact_id": CARA, "first_name": "Cara", "last_name": "Stone",
            "email": "cara@acme.example", "roles": "champion;admin"}  # fmt: skip
    erased = {**base, "contact_id": ERASED, "first_name": "Evan", "last_name": "Gone",
              "email": "evan@acme.example", "roles": "user"}  # fmt: skip
    contacts = pd.DataFrame([
        {**cara, "version_at": at("2024-02-01T09:00:00")},
        {**base, "contact_id": DORA, "first_name": None, "last_name": "Reed", "roles": "user",
         "email": "dora@acme.example", "version_at": at("2024-02-02T09:00:00")},
        {**erased, "version_at": at("2024-02-03T09:00:00")},
        {**erased, "first_name": None, "last_name": None, "email": None, "is_deleted": True,
         "is_erased": True, "version_at": at("2026-06-07T09:00:00")},
    ])  # fmt: skip
    activity = {"account_id": ACME, "opportunity_id": None, "employee_id": ANNA,
                "duration_minutes": 30, "is_two_way": True, "acknowledged_on": pd.NaT,
                "is_deleted": False}  # fmt: skip
    activities = pd.DataFrame([
        {**activity, "activity_id": TALK, "crm_object": "task", "activity_type": "call",
         "event_at": at("2026-05-01T09:00:00"), "known_at": at("2026-05-01T12:00:00"),
         "version_at": at("2026-05-01T12:00:00")},
        {**activity, "activity_id": VISIT, "crm_object": "event", "activity_type": "qbr",
         "event_at": at("2026-05-02T09:00:00"), "known_at": at("2026-05-02T12:00:00"),
         "version_at": at("2026-05-02T12:00:00")},
    ])  # fmt: skip
    participants = pd.DataFrame([
        {"activity_participant_id": sf("0RE", n), "activity_id": act, "contact_id": who,
         "is_primary": first, "known_at": at("2026-05-02T12:00:00")}
        for n, (act, who, first) in enumerate(
            [(TALK, CARA, True), (VISIT, DORA, False), (VISIT, CARA, True)])
    ])  # fmt: skip
    assessments = pd.DataFrame([
        {"risk_assessment_id": "risk_1", "account_id": ACME, "employee_id": ANNA,
         "assessed_on": pd.Timestamp("2026-05-20"), "sign_today_share": 0.55,
         "justification_type": "usage", "known_at": at("2026-05-20T15:00:00")}
    ])  # fmt: skip
    return {"contacts": contacts, "activities": activities,
            "activity_participants": participants, "risk_assessments": assessments}  # fmt: skip


def tables() -> dict[str, pd.DataFrame]:
    made: dict[str, list[dict[str, Any]]] = {
        "accounts": _accounts(),
        "employees": [
            {"employee_id": who, "version_at": at("2023-01-02T08:00:00"), "full_name": name,
             "email": mail, "function": "cs", "hired_on": pd.Timestamp("2023-01-02")}
            for who, name, mail in ((ANNA, "Anna Berg", "anna@us.example"),
                                    (BEN, "Ben Okoro", "ben@us.example"))
        ],
        "opportunities": [
            {"opportunity_id": DEAL, "account_id": ACME, "name": "Acme 2024", "stage": stage,
             "opportunity_type": "new_business", "amount": amount, "currency": "EUR",
             "created_at": at("2024-01-10T09:00:00"), "version_at": when, "is_closed": closed,
             "is_won": closed, "close_on": pd.Timestamp("2024-02-01"), "owner_employee_id": ANNA,
             "contract_term_months": 12}
            for stage, amount, when, closed in (
                ("Prospecting", 1000.0, at("2024-01-10T09:00:00"), False),
                ("Closed Won", 1200.5, at("2024-02-01T10:00:00"), True))
        ],
        "billing_customers": [
            {"billing_customer_id": "cus_acme", "account_id": ACME, "name": "Acme",
             "currency": "eur", "created_at": at("2024-02-01T10:00:00"),
             "version_at": at("2024-02-01T10:00:00")},
            {"billing_customer_id": "cus_gone", "account_id": BOREAL, "name": "Boreal",
             "currency": "eur", "created_at": at("2024-02-01T10:00:00"),
             "version_at": at("2024-02-01T10:00:00")},
            {"billing_customer_id": "cus_gone", "account_id": BOREAL, "name": "Boreal",
             "currency": "eur", "created_at": at("2024-02-01T10:00:00"), "is_deleted": True,
             "version_at": at("2026-06-08T10:00:00")},
        ],
        "products": [{"product_id": "prod_team", "name": "Team", "plan_family": "team",
                      "known_at": at("2023-01-01T00:00:00")}],
        "prices": [{"price_id": "price_team", "product_id": "prod_team", "currency": "eur",
                    "unit_amount": 3200, "interval": "month", "interval_count": 1,
                    "nickname": "Team monthly", "known_at": at("2023-01-01T00:00:00")}],
        "coupons": [{"coupon_id": "TEN", "name": "Ten", "percent_off": 10.0, "duration": "forever",
                     "known_at": at("2023-01-01T00:00:00")}],
        "discounts": [
            {"discount_id": "di_acme", "coupon_id": "TEN", "billing_customer_id": "cus_acme",
             "subscription_id": "sub_acme", "start_at": at("2024-02-01T10:00:00"),
             "known_at": at("2024-02-01T10:00:00")},
            {"discount_id": "di_once", "coupon_id": "TEN", "billing_customer_id": "cus_acme",
             "subscription_id": "sub_acme", "start_at": at("2024-02-01T10:00:00"),
             "known_at": at("2024-02-01T10:00:00"), "attached_until": at("2024-02-01T11:00:00")},
        ],
        "subscription_versions": _subscriptions(),
        "subscription_item_versions": _items(),
        "invoices": _invoices(),
        "invoice_lines": _lines(),
        "charges": [
            {"charge_id": f"ch_acme{n}", "billing_customer_id": "cus_acme",
             "invoice_id": "in_acme", "payment_intent_id": f"pi_acme{n}", "amount": 9000,
             "currency": "eur", "status": status, "failure_code": code, "created_at": when,
             "version_at": seen, "is_disputed": disputed}
            for n, status, code, when, seen, disputed in (
                (1, "failed", "card_declined", at("2026-06-02T11:00:00"),
                 at("2026-06-02T11:00:00"), False),
                (2, "succeeded", None, at("2026-06-03T11:00:00"), at("2026-06-03T11:00:00"),
                 False),
                (2, "succeeded", None, at("2026-06-03T11:00:00"), at("2026-06-09T11:00:00"),
                 True))
        ],
        "credit_notes": [{"credit_note_id": "cn_1", "invoice_id": "in_acme", "status": "issued",
                          "billing_customer_id": "cus_acme", "type": "post_payment",
                          "reason": "duplicate", "amount": 500, "currency": "eur",
                          "known_at": at("2026-06-04T11:00:00")}],
    }  # fmt: skip
    return {name: frame(name, rows) for name, rows in made.items()} | _people()


def world() -> Any:
    """The pocket company as the world it would come from."""
    config = SimpleNamespace(last_day=date(2026, 6, 9), first_day=date(2024, 1, 1))
    return SimpleNamespace(config=config, tables=tables(), truth={})
