"""Columns and types of every table of world-core: what observables and servers may rely on.

Belongs here: names, types and the meaning of columns. Must not be here: how they are filled.

Conventions
- Types: `str` (pandas' string type, missing = NaN), `at` (datetime64[us, UTC]), `on`
  (datetime64[s], midnight, no zone), `int` (int64), `int?` (Int64), `float` (float64), `bool`.
- Mutable tables hold versions: the newest row with `version_at` <= T is the record at T;
  `is_deleted` marks a tombstone. Immutable facts carry `known_at`. Sorted by (version_at or
  known_at, id): appending a later horizon only adds rows.
- Money in Stripe tables is in integer minor units of its currency (JPY has none, so whole yen);
  elsewhere columns ending in `_usd` or `amount` are in major units, rounded to cents.
- A table listed in `TABLES` is in `World.tables`; one in `TRUTH` is in `World.truth` and is never
  served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pandas as pd

DTYPES = {
    "str": "str",
    "at": "datetime64[us, UTC]",
    "on": "datetime64[s]",
    "int": "int64",
    "int?": "Int64",
    "float": "float64",
    "bool": "bool",
}

SEGMENTS = ("SMB", "mid-market", "enterprise")
REGIONS = ("North America", "EMEA", "APAC")
ORIGINS = ("new_prospect", "alumni_led", "boomerang", "lost_deal", "rip_and_replace")
CAUSES = (
    "disconnection",
    "value_not_realised",
    "primary_need_unmet",
    "competitor",
    "price_budget",
    "business_change",
    "product_gap",
    "support",
)
#: competitor_id -> name, shared by accounts, opportunities and the competitors table.
COMPETITORS = {
    "cmp_bramble": "Bramble",
    "cmp_quillstack": "Quillstack",
    "cmp_northbeam": "Northbeam Suite",
    "cmp_oxbow": "Oxbow Cloud",
    "cmp_inhouse": "Built in-house",
}
#: Minor units per major unit. Yen have none.
MINOR_UNITS = {"USD": 100, "EUR": 100, "GBP": 100, "JPY": 1}
#: Constant reference rates.
USD_PER_UNIT = {"USD": 1.0, "EUR": 1.1, "GBP": 1.25, "JPY": 0.0075}
CURRENCIES = ("USD", "EUR", "GBP", "JPY")
#: Plan family -> (product name, list price in USD a seat and month). `addon` is flat, quantity 1.
PLANS = {
    "starter": ("Starter", 20.0),
    "team": ("Team", 35.0),
    "business": ("Business", 60.0),
    "enterprise": ("Enterprise", 95.0),
    "addon": ("Premium Support", 400.0),
    "analytics": ("Analytics Studio", 25.0),
}

TABLES: dict[str, dict[str, str]] = {
    # ------------------------------------------------------------------ CRM
    "accounts": {  # versions
        "account_id": "str",  # Salesforce id, 001...
        "version_at": "at",
        "name": "str",
        "domain": "str",
        "account_type": "str",  # Prospect, Customer, Former Customer
        "segment": "str",
        "region": "str",
        "country": "str",
        "industry": "str",
        "employee_count": "int",
        "acquisition_origin": "str",
        "displaced_competitor_id": "str",  # key of COMPETITORS, only rip_and_replace
        "currency": "str",  # USD, EUR, GBP, JPY
        "owner_employee_id": "str",
        "parent_account_id": "str",
        "billing_customer_id": "str",  # cus_..., missing until the first contract
        "workspace_id": "str",  # ws_..., missing until the first contract
        # The same two as somebody typed them into the CRM: now and then they lead nowhere.
        "crm_billing_customer_id": "str",
        "crm_workspace_id": "str",
        "is_test": "bool",
        "is_deleted": "bool",
        "merged_into": "str",  # account_id of the survivor
        "created_at": "at",
    },
    "account_owners": {  # owner history: a row when ownership changes
        "account_id": "str",
        "employee_id": "str",
        "previous_employee_id": "str",
        "owned_from": "at",
        "known_at": "at",
    },
    "employees": {  # versions
        "employee_id": "str",  # 005...
        "version_at": "at",
        "full_name": "str",
        "email": "str",
        "title": "str",
        "function": "str",  # sales, cs, support, marketing, product, engineering, executive
        "hired_on": "on",
        "left_on": "on",
        "destination_account_id": "str",  # the customer a leaver went to
        "is_deleted": "bool",
    },
    "opportunities": {  # versions
        "opportunity_id": "str",  # 006...
        "version_at": "at",
        "account_id": "str",
        "name": "str",
        "opportunity_type": "str",  # new_business, renewal, expansion, win_back
        "stage": "str",  # Prospecting, Proposal, Negotiation, Closed Won, Closed Lost
        "is_won": "bool",
        "is_closed": "bool",
        "amount": "float",  # a year's value in `currency`
        "currency": "str",
        "created_at": "at",
        "close_on": "on",  # expected, then actual
        "owner_employee_id": "str",
        "lead_source": "str",
        "contract_start_on": "on",
        "contract_term_months": "int?",
        "loss_reason": "str",  # stated; one of CAUSES, only closed lost
        "lost_to_competitor_id": "str",
        "acquisition_cost_usd": "float",  # closed-won new_business and win_back
        "subscription_id": "str",  # sub_... once won
        "crm_subscription_id": "str",  # the same as typed: now and then it leads nowhere
        "campaign_id": "str",  # primary campaign source; filled in with the observables
        "loss_reason_detail": "str",  # added to some lost deals months later
        "billing_amount": "float",  # not served: what `amount` would be without a slip
        "is_rip_and_replace": "bool",
        "is_deleted": "bool",
        "is_purged": "bool",  # gone from the recycle bin too
    },
    # ------------------------------------------------- inputs of observables, not served
    # one row per customer account and month from its first contract to its end or the horizon
    "latent": {
        "account_id": "str",
        "account_index": "int",  # order of creation; the key for keyed random numbers
        "month": "on",  # first day
        "month_no": "int",  # 0 = January 1970
        "segment": "str",
        # a contract is in force (paying, ramp, trial or paused) and not merged away
        "is_active": "bool",
        "is_paused": "bool",
        "is_free": "bool",  # trial or free ramp
        "is_notice_given": "bool",  # the customer has said it will leave
        "tenure_months": "int",
        "months_to_due": "int",  # to the next renewal of the main contract
        "seats": "int",
        "plan_family": "str",
        "mrr_usd": "float",  # approximate (list of the main contract); exact money is in truth_mrr
        "exec_connection": "float",  # 0-1
        "value_realised": "float",  # 0-1
        "need": "float",  # delivery of the primary need, 1 = met
        "competitor": "float",  # 0-1 pressure
        "champion_in_place": "bool",
        "champion_left": "bool",  # in this month
        "levels_known": "int",  # 1-3: end user, manager, director and above
        "touched": "bool",  # the vendor really reached an executive this month
        "visited": "bool",
        "fit": "float",  # standard normal, constant
        "users_happy": "bool",  # planted: happy users
        "exec_cold": "bool",  # planted: cold executives (with happy users)
        "is_silent": "bool",  # planted: never writes, calls or answers
        "is_locked_in": "bool",  # planted: unhappy under a multi-year contract
        "is_metric_mismatch": "bool",  # planted: the vendor's metric is not the customer's
        "uses_sticky_feature": "bool",  # lowers the hazard
        "uses_decoy_feature": "bool",  # goes with fit, harmless
        # a real trigger event this month (new_executive): expansion x3 for 3 months
        "has_trigger": "bool",
        "has_decoy_trigger": "bool",  # office_move: no effect
    },
    # the events behind has_trigger and has_decoy_trigger, prospects included
    "trigger_exposures": {
        "account_id": "str",
        "trigger_type": "str",  # new_executive (real lift) or office_move (decoy)
        "occurred_on": "on",
        "known_at": "at",
    },
    "program_assignments": {  # who was enrolled in which programme
        # exec_sponsor works, newsletter does not, health_review chose the healthy and does not
        "program_key": "str",
        "account_id": "str",
        "arm": "str",  # treated, control
        "enrolled_on": "on",
        "known_at": "at",
    },
    # ------------------------------------------------------------------ billing
    "billing_customers": {  # versions
        "billing_customer_id": "str",
        "version_at": "at",
        "account_id": "str",  # who signed (never rewritten after a merger)
        "metadata_account_id": "str",  # the same as in Stripe's metadata: a few lead nowhere
        "metadata_workspace_id": "str",  # a few lead nowhere
        "name": "str",
        "currency": "str",  # lower case, as Stripe has it
        "is_delinquent": "bool",
        "is_deleted": "bool",
        "created_at": "at",
    },
    "products": {
        "product_id": "str",
        "name": "str",
        "plan_family": "str",
        "known_at": "at",
    },
    "prices": {
        "price_id": "str",
        "product_id": "str",
        "currency": "str",  # lower case
        "unit_amount": "int",  # minor units per interval x interval_count and seat
        "interval": "str",  # month, year
        "interval_count": "int",
        "nickname": "str",
        "known_at": "at",
    },
    "coupons": {
        "coupon_id": "str",
        "name": "str",
        "percent_off": "float",
        "amount_off": "int?",  # minor units
        "currency": "str",  # with amount_off
        "duration": "str",  # once, repeating, forever
        "duration_in_months": "int?",
        "known_at": "at",
    },
    "subscription_versions": {
        "subscription_id": "str",
        "version_at": "at",
        "billing_customer_id": "str",
        "status": "str",  # trialing, active, past_due, canceled
        "currency": "str",  # lower case
        "created_at": "at",
        "start_at": "at",
        "billing_cycle_anchor": "at",
        "current_period_start": "at",
        "current_period_end": "at",
        "trial_start": "at",
        "trial_end": "at",
        "cancel_at_period_end": "bool",
        "cancel_at": "at",
        "canceled_at": "at",
        "ended_at": "at",
        "cancellation_reason": "str",  # cancellation_requested, payment_failed
        "cancellation_feedback": "str",  # Stripe's enum: too_expensive, switched_service, ...
        "pause_behavior": "str",  # void while paused
        "pause_resumes_at": "at",
        "collection_method": "str",  # charge_automatically, send_invoice
        "metadata_term_months": "int?",  # constant over the subscription's life; see billing
        "metadata_replaces_subscription_id": "str",
        "metadata_account_id": "str",
    },
    "subscription_item_versions": {
        "subscription_item_id": "str",
        "subscription_id": "str",
        "version_at": "at",
        "price_id": "str",
        "quantity": "int",
        "created_at": "at",
        "is_deleted": "bool",
    },
    "discounts": {
        "discount_id": "str",
        "coupon_id": "str",
        "billing_customer_id": "str",
        "subscription_id": "str",  # missing on customer level
        "subscription_item_id": "str",  # only item level
        "start_at": "at",
        "end_at": "at",  # missing for once and forever, as in Stripe
        "known_at": "at",
        # Not a field of Stripe: until when a list of the owner still shows the discount
        # (once: gone when its invoice is final; repeating: end_at; else the subscription's end).
        "attached_until": "at",
    },
    "invoices": {  # versions
        "invoice_id": "str",
        "version_at": "at",
        "billing_customer_id": "str",
        "subscription_id": "str",
        "number": "str",
        "status": "str",  # open, paid, void, uncollectible
        # subscription_create, subscription_cycle, subscription_update, manual
        "billing_reason": "str",
        "collection_method": "str",
        "currency": "str",
        "subtotal": "int",
        "total": "int",
        "amount_due": "int",
        "amount_paid": "int",
        "amount_remaining": "int",
        "attempt_count": "int",
        "created_at": "at",
        "period_start": "at",
        "period_end": "at",
        "due_at": "at",
        "finalized_at": "at",
        "paid_at": "at",
        "voided_at": "at",
        "marked_uncollectible_at": "at",
        "metadata_duplicate_of": "str",  # what finance wrote on an invoice sent twice
        "duplicate_of": "str",  # not served: the invoice it repeats, marked or not
        "is_deleted": "bool",
    },
    "invoice_lines": {
        "invoice_line_id": "str",
        "invoice_id": "str",
        "subscription_id": "str",
        "subscription_item_id": "str",
        "price_id": "str",
        "description": "str",
        "quantity": "int",
        "amount": "int",  # minor units, before discounts (a proration: net of them)
        "discount_amount": "int",  # minor units
        "discount_id": "str",
        "currency": "str",
        "period_start": "at",
        "period_end": "at",
        "is_proration": "bool",
        "is_credit_proration": "bool",  # "unused time": has proration_details.credited_items
        "is_one_off": "bool",
        "credited_invoice_id": "str",
        "credited_invoice_line_id": "str",
        "known_at": "at",
    },
    "charges": {  # versions
        "charge_id": "str",
        "version_at": "at",
        "billing_customer_id": "str",
        "invoice_id": "str",
        "payment_intent_id": "str",
        "amount": "int",
        "amount_refunded": "int",
        "currency": "str",
        "status": "str",  # succeeded, failed
        "is_refunded": "bool",
        "is_disputed": "bool",
        "failure_code": "str",
        "created_at": "at",
    },
    "credit_notes": {
        "credit_note_id": "str",
        "invoice_id": "str",
        "billing_customer_id": "str",
        "status": "str",  # issued
        "type": "str",  # post_payment
        "reason": "str",
        "amount": "int",
        "currency": "str",
        "known_at": "at",
    },
    "fx_rates": {
        "currency": "str",  # upper case
        "valid_from": "on",
        "usd_per_unit": "float",
    },
}

TRUTH: dict[str, dict[str, str]] = {
    "truth_mrr": {  # one row per holder and finished month-end from its first contract on
        "account_id": "str",  # who holds the contracts at that month-end (the survivor once merged)
        "surviving_account_id": "str",  # after every merger known at the horizon
        "month": "on",  # the month's last day
        "currency": "str",  # upper case
        "mrr": "float",  # account currency
        "mrr_usd": "float",
        "status_at_month_end": "str",  # paying, free, paused, past_due, none
        "seats": "int",  # of items in force that pay
    },
    "truth_movements": {  # holders as of each month, with merge_transfer
        "account_id": "str",
        "month": "on",
        "movement_type": "str",
        "amount_usd": "float",  # positive, merge_transfer signed
        "seats_usd": "float",  # signed parts of expansion (+) and contraction (-), else 0
        "price_usd": "float",
        "plan_usd": "float",
        "is_involuntary": "bool",
    },
    # the same, everything mapped to the final survivor: no transfers
    "truth_movements_surviving": {
        "account_id": "str",
        "month": "on",
        "movement_type": "str",
        "amount_usd": "float",
        "seats_usd": "float",
        "price_usd": "float",
        "plan_usd": "float",
        "is_involuntary": "bool",
    },
    "truth_terms": {
        "account_id": "str",  # holder at due_on (surviving)
        "subscription_id": "str",
        "term_no": "int",
        "start_on": "on",
        "due_on": "on",
        "term_months": "int",
        "ended_on": "on",  # if service ended in this term
        "due_arr_usd": "float",
        # see metrics: renewed_*, lost, pending, superseded, paused; open = not yet due
        "outcome": "str",
        "renewed_arr_usd": "float",
        "renewed_on": "on",
        "next_subscription_id": "str",  # of renewed_late and superseded
        "is_evergreen": "bool",
        "is_involuntary": "bool",
    },
    "truth_renewals": {  # every decision the oracle made, evergreen months included
        "account_id": "str",
        "subscription_id": "str",
        "due_on": "on",  # when the decision takes effect
        "decided_on": "on",
        "is_evergreen": "bool",
        "cycle_number": "int",
        "p_lost": "float",  # the oracle
        "is_lost": "bool",
        "cause": "str",  # only lost
        "stated_reason": "str",  # only lost
        "hazard_disconnection": "float",
        "hazard_value_not_realised": "float",
        "hazard_primary_need_unmet": "float",
        "hazard_competitor": "float",
        "hazard_price_budget": "float",
        "hazard_business_change": "float",
        "hazard_product_gap": "float",
        "hazard_support": "float",
    },
    "truth_programs": {  # every enrolment, and what the programme does to the renewal due next
        "program_key": "str",
        "account_id": "str",
        "arm": "str",
        "enrolled_on": "on",
        # due within 12 months; missing when none is, or when notice had been given
        "due_on": "on",
        # chance that it is lost, as the state will stand when it is decided; 0 when it was before
        "p_lost_without": "float",
        "p_lost_with": "float",
    },
    "truth_accounts": {  # planted flags, one row per account of the CRM
        "account_id": "str",
        "account_index": "int",
        "kind": "str",  # customer, prospect, duplicate, test
        "duplicate_of": "str",
        "surviving_account_id": "str",
        "segment": "str",
        "origin": "str",
        "first_contract_on": "on",
        "users_happy": "bool",
        "exec_cold": "bool",
        "is_silent": "bool",
        "is_metric_mismatch": "bool",
        "uses_sticky_feature": "bool",
        "uses_decoy_feature": "bool",
        "has_plan_change": "bool",
        "has_pause": "bool",
        "has_reactivation": "bool",
        "has_trial": "bool",
        "has_free_ramp": "bool",
        "is_merged_away": "bool",
    },
    "truth_merges": {
        "losing_account_id": "str",
        "surviving_account_id": "str",
        "merged_at": "at",
    },
}


def conform(frame: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
    """Return the frame with exactly the declared columns and types, in order.

    Raises:
        KeyError: a declared column is missing.
    """
    missing = [name for name in columns if name not in frame.columns]
    if missing:
        raise KeyError(f"columns {missing} are declared in the schema but were not built")
    typed: dict[str, Any] = {
        name: frame[name].astype(cast(Any, DTYPES[kind])) for name, kind in columns.items()
    }
    return pd.DataFrame(typed).reset_index(drop=True)


def empty(columns: Mapping[str, str]) -> pd.DataFrame:
    """Return a frame without rows, with the declared columns and types."""
    return pd.DataFrame({c: pd.Series([], dtype=DTYPES[kind]) for c, kind in columns.items()})
