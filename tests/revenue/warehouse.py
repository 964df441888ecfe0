"""The revenue models over canonical inputs that a test writes.

Belongs here: which models those are, what they read, and how their answers are compared with the
reference. Must not be here: any expectation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from dbt.artifacts.schemas.run import RunExecutionResult

from tests.revenue.book import History
from tests.revenue.reference import Answer, Movement, Rate, Term
from tests.revenue.tables import tables
from tests.warehouse import PROJECT, Warehouse

#: The marts asked.
ASKED = (
    "fct_subscription_states",
    "fct_account_months",
    "fct_mrr_movements",
    "fct_contract_terms",
    "revenue_retention",
)
#: What has nothing to do with revenue, and stays empty; inputs are given by each test.
BESIDE = (
    "int_account_pairs",
    "int_case_account_months",
    "int_people_account_months",
    "int_touch_account_months",
    "int_usage_account_months",
    "renewals",
)
REF = re.compile(r"ref\('(\w+)'\)")


def _parts() -> tuple[list[str], list[str]]:
    """Models to build and models given: all that the marts asked are made of, as paths."""
    models = PROJECT / "models"
    paths = {path.stem: path for path in models.rglob("*.sql")}
    built, given, waiting = [], [], list(ASKED)
    while waiting:
        path = paths[waiting.pop()]
        name = str(path.relative_to(models).with_suffix(""))
        if name in built or name in given:
            continue
        if name.startswith("inputs/") or path.stem in BESIDE:
            given.append(name)
        else:
            built.append(name)
            waiting += REF.findall(path.read_text())
    return sorted(built), sorted(given)


BUILT, GIVEN = _parts()
MODELS = " ".join(path.rpartition("/")[2] for path in BUILT)


def revenue_warehouse(folder: Path) -> Warehouse:
    """A warehouse that dbt builds the revenue models in; nothing is in it yet."""
    return Warehouse(folder, parts=tuple(f"{path}.sql" for path in BUILT), given=tuple(GIVEN))


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


def again(warehouse: Warehouse, as_of: date, select: str = MODELS, **variables: Any) -> None:
    """Builds the models selected over what is there, under the policies that the vars name."""
    done = warehouse.run("run", select, as_of.isoformat(), "--no-write-json", **variables)
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


def terms_of(warehouse: Warehouse, histories: Iterable[History]) -> dict[str, list[Term]]:
    """What the marts say of the contract terms of each history, by its name."""
    names = {account: one.name for one in histories for account in one.accounts}
    found: dict[str, list[Term]] = {name: [] for name in names.values()}
    for account, *rest in warehouse.rows(
        "select account_id, subscription_id, started_on, due_on, ended_on, outcome, due_arr_usd,"
        " renewed_arr_usd, superseded_by_subscription_id, term_months, is_evergreen"
        " from core.fct_contract_terms"
    ):
        found[names[account]].append(Term(account, *rest))
    return found


def rows_of(warehouse: Warehouse, histories: Iterable[History]) -> dict[str, set[tuple[Any, ...]]]:
    """All rows of the marts about each history, by its name."""
    names = {account: one.name for one in histories for account in one.accounts}
    found: dict[str, set[tuple[Any, ...]]] = {name: set() for name in names.values()}
    for table in (
        "intermediate.int_subscription_item_states",
        "core.fct_account_months",
        "core.fct_mrr_movements",
    ):
        for account, *rest in warehouse.rows(
            f"select account_id, * exclude (account_id) from {table}"
        ):
            found[names[account]].add((table, account, *rest))
    return found


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
