"""Every hard case decided by a named policy: each value moves exactly the numbers it should.

The four cases that subscription packages are known to get wrong stand here under their names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.revenue.book import History
from tests.revenue.hard_cases import HARD_CASES
from tests.revenue.histories import AS_OF, RATES, draw_histories
from tests.revenue.reference import Answer, Policies, answer
from tests.revenue.warehouse import (
    again,
    build,
    differences,
    found,
    revenue_warehouse,
    rows_of,
    terms_of,
)
from tests.warehouse import Warehouse

HISTORIES = 100


@dataclass(frozen=True)
class Alternative:
    """Another value of a policy.

    Attributes:
        policies: the policies of the reference.
        variables: the same as vars of the project.
        first: the first model that reads the policy; what is before it stays as it is.
        concerns: may this history be answered otherwise?
        cases: the accounts made by hand that must be.
    """

    policies: Policies
    variables: dict[str, Any]
    first: str
    concerns: Callable[[History], bool]
    cases: tuple[str, ...]


def has_status(status: str) -> Callable[[History], bool]:
    """Was a subscription ever in this status?"""
    return lambda one: any(s.status == status for x in one.subscriptions for s in x.statuses)


def has_request(one: History) -> bool:
    """Did somebody ask to cancel?"""
    return any(x.cancel_requested_at is not None for x in one.subscriptions)


def has_passing_discount(one: History) -> bool:
    """Was a discount granted that is not for good?"""
    return any(off.duration != "forever" for off in one.discounts)


def has_other_currency(one: History) -> bool:
    """Is something paid in another currency than dollars?"""
    return any(x.currency != "USD" for x in one.subscriptions)


def has_end_or_break(one: History) -> bool:
    """Did paid service ever stop?"""
    stops = any(x.ended_at is not None for x in one.subscriptions) or any(
        s.status in ("unpaid", "paused") for x in one.subscriptions for s in x.statuses
    )
    return stops or bool(one.discounts)


#: The policies whose models come last go first: what stands before them is then still the default.
ALTERNATIVES = {
    "reactivation within_90_days": Alternative(
        Policies(reactivation="within_90_days"),
        {"policy_reactivation": "within_90_days"},
        "int_account_month_changes",
        has_end_or_break,
        ("back_from_zero", "long_pause"),
    ),
    "currency rate_at_service_start": Alternative(
        Policies(currency="rate_at_service_start"),
        {"policy_currency": "rate_at_service_start"},
        "int_subscription_item_states",
        has_other_currency,
        ("euro",),
    ),
    "discounts forever_only": Alternative(
        Policies(discounts="forever_only"),
        {"policy_discounts": "forever_only"},
        "int_subscription_discounts",
        has_passing_discount,
        ("discount_repeating",),
    ),
    "paused zero_at_once": Alternative(
        Policies(paused="zero_at_once"),
        {"policy_paused": "zero_at_once"},
        "int_subscription_phases",
        has_status("paused"),
        ("short_pause",),
    ),
    "paused counts": Alternative(
        Policies(paused="counts"),
        {"policy_paused": "counts"},
        "int_subscription_phases",
        has_status("paused"),
        ("short_pause", "long_pause"),
    ),
    "pause_lapses_after_days": Alternative(
        Policies(pause_days=40),
        {"pause_lapses_after_days": 40},
        "int_subscription_phases",
        has_status("paused"),
        ("short_pause",),
    ),
    "past_due thirty_days": Alternative(
        Policies(past_due="thirty_days"),
        {"policy_past_due": "thirty_days"},
        "int_subscription_phases",
        has_status("past_due"),
        ("past_due",),
    ),
    "churn_date cancellation_request": Alternative(
        Policies(churn_date="cancellation_request"),
        {"policy_churn_date": "cancellation_request"},
        "int_subscription_phases",
        has_request,
        ("cancel_at_period_end", "annual_cancelled_in_mid_year"),
    ),
}


@dataclass(frozen=True)
class Built:
    """What the marts hold under the policies of a run."""

    answers: dict[str, Answer]
    rows: dict[str, set[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def histories() -> list[History]:
    """The company made by hand, and random histories beside it."""
    return [*HARD_CASES, *draw_histories(HISTORIES)]


@pytest.fixture(scope="module")
def warehouse(histories: list[History], tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """A warehouse under the defaults."""
    warehouse = revenue_warehouse(Path(tmp_path_factory.mktemp("hard_cases")))
    build(warehouse, histories, RATES, AS_OF)
    return warehouse


@pytest.fixture(scope="module")
def runs(warehouse: Warehouse, histories: list[History]) -> dict[str, Built]:
    """The marts under the defaults (`default`) and under each alternative."""
    built = {"default": Built(found(warehouse, histories), rows_of(warehouse, histories))}
    for name, other in ALTERNATIVES.items():
        again(warehouse, AS_OF, f"{other.first}+,+fct_account_months", **other.variables)
        built[name] = Built(found(warehouse, histories), rows_of(warehouse, histories))
    return built


@pytest.mark.parametrize("name", ["default", *ALTERNATIVES])
def test_each_policy_answers_as_the_definitions_say(
    name: str, runs: dict[str, Built], histories: list[History]
) -> None:
    policies = Policies() if name == "default" else ALTERNATIVES[name].policies
    wrong = [
        "\n".join([one.known(AS_OF).describe(), *lines[:10]])
        for one in histories
        if (lines := differences(answer(one, policies, RATES, AS_OF), runs[name].answers[one.name]))
    ]
    if wrong:
        pytest.fail(f"{len(wrong)} histories differ, the shortest:\n{min(wrong, key=len)}")


@pytest.mark.parametrize("name", ALTERNATIVES)
def test_each_policy_changes_the_accounts_it_concerns_and_no_other(
    name: str, runs: dict[str, Built], histories: list[History]
) -> None:
    other = ALTERNATIVES[name]
    changed = {
        one.name for one in histories if runs[name].rows[one.name] != runs["default"].rows[one.name]
    }
    concerned = {one.name for one in histories if other.concerns(one)}
    assert changed <= concerned
    made_by_hand = {one.name for one in HARD_CASES}
    assert set(other.cases) <= changed
    assert changed - made_by_hand


# --- the cases made by hand, in figures ---------------------------------------------------------


def revenue(runs: dict[str, Built], account: str, policy: str = "default") -> dict[str, Decimal]:
    """Revenue of an account by month, months with nothing left out."""
    mrr = runs[policy].answers[account].mrr
    return {f"{month:%Y-%m}": amount for (_, month), amount in sorted(mrr.items())}


def moves(runs: dict[str, Built], account: str, policy: str = "default") -> list[tuple[Any, ...]]:
    """Movements of an account: month, type, amount."""
    found = sorted(runs[policy].answers[account].movements, key=lambda m: m.month)
    return [(f"{m.month:%Y-%m}", m.movement_type, int(m.amount)) for m in found]


def test_known_wrong_annual_cancelled_in_mid_year(runs: dict[str, Built]) -> None:
    """It earns to the end of the paid service: no month longer, and none shorter."""
    case = "annual_cancelled_in_mid_year"
    assert list(revenue(runs, case)) == ["2023-01", "2023-02", "2023-03", "2023-04", "2023-05"]
    assert moves(runs, case) == [("2023-01", "new", 100), ("2023-06", "churn", 100)]
    asked = moves(runs, case, "churn_date cancellation_request")
    assert asked == [("2023-01", "new", 100), ("2023-05", "churn", 100)]


def test_known_wrong_trialing(runs: dict[str, Built], warehouse: Warehouse) -> None:
    """A trial has a contract and no money, and is in no rate's base."""
    assert revenue(runs, "trialing") == {}
    assert moves(runs, "trialing") == []
    assert moves(runs, "trial_then_paid") == [("2023-03", "new", 100)]
    months = warehouse.rows(
        "select strftime(month_end_on, '%Y-%m'), is_active, is_free, is_paying, tenure_months"
        " from core.fct_account_months"
        " where account_id = 'trialing' or (account_id = 'trial_then_paid' and is_free)"
        " order by account_id desc, month_end_on"
    )
    assert months == [
        ("2024-04", True, True, False, None),
        ("2023-01", True, True, False, None),
        ("2023-02", True, True, False, None),
    ]


def test_known_wrong_incomplete_expired(runs: dict[str, Built], warehouse: Warehouse) -> None:
    """A first payment that expired makes no customer: no month, no new, no churn."""
    assert revenue(runs, "incomplete_expired") == {}
    assert moves(runs, "incomplete_expired") == []
    for table in ("fct_account_months", "fct_contract_terms", "fct_subscription_states"):
        (count,) = warehouse.rows(
            f"select count(*) from core.{table} where account_id = 'incomplete_expired'"
        )
        assert count == (0,)


def test_known_wrong_back_from_zero(runs: dict[str, Built]) -> None:
    """Who fell to nothing and pays again is won back, not won."""
    assert moves(runs, "back_from_zero") == [
        ("2022-01", "new", 100),
        ("2022-06", "churn", 100),
        ("2023-03", "reactivation", 80),
    ]
    assert moves(runs, "back_soon")[-1] == ("2022-08", "reactivation", 100)
    within = "reactivation within_90_days"
    assert moves(runs, "back_from_zero", within)[-1] == ("2023-03", "new", 80)
    assert moves(runs, "back_soon", within)[-1] == ("2022-08", "reactivation", 100)


def test_a_pause_is_a_movement_and_a_long_one_a_departure(runs: dict[str, Built]) -> None:
    paused = [("2023-01", "new", 100), ("2023-05", "pause_out", 100), ("2023-07", "pause_in", 100)]
    left = [("2023-01", "new", 100), ("2023-05", "churn", 100)]
    assert moves(runs, "short_pause") == paused
    assert moves(runs, "long_pause") == [*left, ("2023-09", "reactivation", 100)]
    at_once = moves(runs, "short_pause", "paused zero_at_once")
    assert at_once == [*left, ("2023-07", "reactivation", 100)]
    assert moves(runs, "long_pause", "paused counts") == [("2023-01", "new", 100)]


def test_a_debt_counts_until_it_is_given_up_or_for_thirty_days(runs: dict[str, Built]) -> None:
    assert moves(runs, "past_due") == [("2023-01", "new", 100)]
    assert moves(runs, "past_due", "past_due thirty_days") == [
        ("2023-01", "new", 100),
        ("2023-04", "churn", 100),
        ("2023-05", "reactivation", 100),
    ]


def test_a_promotion_that_ends_is_an_expansion_or_nothing(runs: dict[str, Built]) -> None:
    promoted = [("2023-01", "new", 80), ("2023-04", "expansion", 20)]
    assert moves(runs, "discount_repeating") == promoted
    assert moves(runs, "discount_forever") == [("2023-01", "new", 80)]
    only = "discounts forever_only"
    assert moves(runs, "discount_repeating", only) == [("2023-01", "new", 100)]
    assert moves(runs, "discount_forever", only) == [("2023-01", "new", 80)]


def test_a_euro_is_worth_what_the_policy_says(runs: dict[str, Built]) -> None:
    assert set(revenue(runs, "euro").values()) == {Decimal("108.35")}
    start = revenue(runs, "euro", "currency rate_at_service_start")
    assert set(start.values()) == {Decimal("99.62")}


def test_new_and_gone_between_two_month_ends_is_in_neither(runs: dict[str, Built]) -> None:
    assert moves(runs, "between_month_ends") == []


def test_contracts_that_are_renewed_together_are_told_apart(
    warehouse: Warehouse, histories: list[History], runs: dict[str, Built]
) -> None:
    told = sorted(terms_of(warehouse, histories)["two_renewed"], key=lambda t: t.subscription)
    outcomes = [t.outcome for t in told if t.due_on == date(2023, 1, 10)]
    assert outcomes == ["renewed_flat", "renewed_expanded"]


def test_a_seat_more_is_seats_and_nothing_else(runs: dict[str, Built]) -> None:
    (grown,) = (m for m in runs["default"].answers["seats"].movements if m.seats is not None)
    assert (grown.month, grown.movement_type) == (date(2023, 2, 28), "expansion")
    assert (grown.seats, grown.price, grown.plan) == (Decimal(200), Decimal(0), Decimal(0))
