"""The revenue models over canonical inputs that a test writes.

Belongs here: which models those are, what they read, and how their answers are compared with the
reference. Must not be here: any expectation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from dbt.artifacts.schemas.run import RunExecutionResult

from tests.revenue.book import History
from tests.revenue.reference import Answer, Movement, Rate
from tests.revenue.tables import tables
from tests.warehouse import Warehouse

REVENUE = (
    "int_month_ends",
    "int_customer_holders",
    "int_subscription_phases",
    "int_subscription_discounts",
    "int_price_tiers",
    "int_subscription_item_spans",
    "int_subscription_item_reductions",
    "int_subscription_item_states",
    "int_subscription_item_months",
    "int_subscription_month_changes",
    "int_account_month_changes",
    "int_account_month_parts",
    "int_contracts",
    "int_contract_segments",
    "int_contract_terms",
    "int_contract_successions",
    "int_contract_chains",
)
#: Paths under `models/`, without an ending.
BUILT = (
    "intermediate/accounts/int_account_merge_map",
    "intermediate/accounts/int_account_map",
    "intermediate/accounts/int_billing_customer_map",
    *(f"intermediate/revenue/{name}" for name in REVENUE),
    "marts/core/dim_accounts",
    "marts/core/fct_mrr_movements",
    "marts/core/fct_account_months",
    "marts/core/fct_contract_terms",
)
GIVEN = (
    "inputs/billing/input_customers",
    "inputs/billing/input_discounts",
    "inputs/billing/input_fx_rates",
    "inputs/billing/input_plans",
    "inputs/billing/input_prices",
    "inputs/billing/input_subscription_items",
    "inputs/billing/input_subscription_versions",
    "inputs/crm/input_account_merges",
    "inputs/crm/input_account_owners",
    "inputs/crm/input_accounts",
    "intermediate/accounts/int_account_pairs",
    "intermediate/people/int_people_account_months",
    "intermediate/touch/int_touch_account_months",
    "intermediate/usage/int_usage_account_months",
    "intermediate/touch/int_case_account_months",
)
MODELS = " ".join(path.rpartition("/")[2] for path in BUILT)


def revenue_warehouse(folder: Path) -> Warehouse:
    """A warehouse that dbt builds the revenue models in; nothing is in it yet."""
    return Warehouse(folder, parts=tuple(f"{path}.sql" for path in BUILT), given=GIVEN)


def build(
    warehouse: Warehouse,
    histories: Iterable[History],
    rates: list[Rate],
    as_of: date,
    **variables: Any,
) -> None:
    """Writes what was known of the histories on a day and builds the models over it."""
    warehouse.give(tables(histories, rates, as_of))
    again(warehouse, as_of, **variables)


def again(warehouse: Warehouse, as_of: date, **variables: Any) -> None:
    """Builds the models over what was given, under other policies."""
    done = warehouse.run("run", MODELS, as_of.isoformat(), **variables)
    assert done.exception is None, done.exception
    assert isinstance(done.result, RunExecutionResult)
    assert done.success, [r.message for r in done.result.results if r.status == "error"]


def found(warehouse: Warehouse, histories: Iterable[History]) -> dict[str, Answer]:
    """What the marts say of each history, by its name."""
    names = {account: one.name for one in histories for account in one.accounts}
    answers = {name: Answer({}, []) for name in set(names.values())}
    for account, month, amount in warehouse.rows(
        "select account_id, month_end_on, closing_mrr_usd from core.fct_account_months"
        " where closing_mrr_usd <> 0"
    ):
        answers[names[account]].mrr[account, month] = amount
    for account, *rest in warehouse.rows(
        "select account_id, month, movement_type, amount_usd, seats_usd, price_usd, plan_usd"
        " from core.fct_mrr_movements"
    ):
        answers[names[account]].movements.append(Movement(account, *rest))
    return answers


def differences(expected: Answer, answer: Answer) -> list[str]:
    """What the marts say otherwise than the reference, one line a difference."""
    lines = [
        f"mrr {account} {month}: expected {expected.mrr.get(key)}, found {answer.mrr.get(key)}"
        for key in sorted(expected.mrr.keys() | answer.mrr.keys())
        if expected.mrr.get(key) != answer.mrr.get(key)
        for account, month in [key]
    ]
    wanted, got = Counter(expected.movements), Counter(answer.movements)
    lines += [f"expected {one}" for one in (wanted - got).elements()]
    lines += [f"found    {one}" for one in (got - wanted).elements()]
    return lines
