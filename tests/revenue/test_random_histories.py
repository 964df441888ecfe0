"""Hundreds of random histories: what the models say of each is what the definitions say of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.revenue.book import History
from tests.revenue.hard_cases import HARD_CASES
from tests.revenue.histories import AS_OF, RATES, draw_histories
from tests.revenue.reference import Answer, Policies, Retention, answer, retention, terms
from tests.revenue.warehouse import build, differences, found, revenue_warehouse, terms_of
from tests.warehouse import Warehouse

HISTORIES = 500
OUTCOMES = (
    *("renewed_flat", "renewed_expanded", "renewed_contracted", "renewed_late"),
    *("lost", "pending", "superseded", "paused", "open"),
)


@pytest.fixture(scope="module")
def histories() -> list[History]:
    """All histories, drawn once, and the company made by hand."""
    return [*draw_histories(HISTORIES), *HARD_CASES]


@pytest.fixture(scope="module")
def expected(histories: list[History]) -> dict[str, Answer]:
    """What the definitions say of each."""
    return {one.name: answer(one, Policies(), RATES, AS_OF) for one in histories}


@pytest.fixture(scope="module")
def warehouse(histories: list[History], tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """One warehouse of them all."""
    warehouse = revenue_warehouse(Path(tmp_path_factory.mktemp("histories")))
    build(warehouse, histories, RATES, AS_OF)
    return warehouse


@pytest.fixture(scope="module")
def answers(warehouse: Warehouse, histories: list[History]) -> dict[str, Answer]:
    """What the models say of each."""
    return found(warehouse, histories)


def test_the_models_agree_with_the_definitions(
    histories: list[History], expected: dict[str, Answer], answers: dict[str, Answer]
) -> None:
    wrong = {
        one: lines
        for one in histories
        if (lines := differences(expected[one.name], answers[one.name]))
    }
    if wrong:
        pytest.fail(_told(wrong))


def test_contract_terms_and_their_outcomes_agree(
    histories: list[History], warehouse: Warehouse
) -> None:
    told = terms_of(warehouse, histories)
    met: Counter[str] = Counter()
    wrong: dict[History, list[str]] = {}
    for one in histories:
        wanted, got = Counter(terms(one, Policies(), RATES, AS_OF)), Counter(told[one.name])
        met.update(term.outcome for term in wanted.elements())
        if wanted != got:
            wrong[one] = [f"expected {x}" for x in wanted - got]
            wrong[one] += [f"found    {x}" for x in got - wanted]
    if wrong:
        pytest.fail(_told(wrong))
    assert [outcome for outcome in OUTCOMES if not met[outcome]] == []


def test_net_and_gross_retention_agree_over_all_accounts(
    expected: dict[str, Answer], warehouse: Warehouse
) -> None:
    mrr = {key: value for one in expected.values() for key, value in one.mrr.items()}
    wanted = retention(mrr, AS_OF)
    got = {
        month: Retention(*rest)
        for month, *rest in warehouse.rows(
            "select month, sum(base_mrr_12m_usd), sum(now_mrr_12m_usd), sum(kept_mrr_12m_usd),"
            " cast(sum(base_accounts_12m) as bigint), cast(sum(lost_accounts_12m) as bigint)"
            " from cohorts.revenue_retention group by month"
        )
    }
    assert {month: got[month] for month in wanted} == wanted
    assert all(one.kept <= min(one.now, one.base) for one in wanted.values())
    assert sum(one.lost_accounts > 0 for one in wanted.values()) > 12


def test_the_histories_meet_every_hard_case(
    histories: list[History], expected: dict[str, Answer]
) -> None:
    assert len(histories) == HISTORIES + len(HARD_CASES)
    moved = Counter(m.movement_type for one in expected.values() for m in one.movements)
    assert (
        min(
            moved[kind]
            for kind in (
                *("new", "churn", "reactivation", "expansion", "contraction"),
                *("pause_out", "pause_in", "merge_transfer"),
            )
        )
        >= 10
    ), moved
    told = [one for history in histories for one in history.known(AS_OF).subscriptions]
    met = Counter(status.status for one in told for status in one.statuses)
    met.update(item.price.tiers_mode or item.price.usage_type for one in told for item in one.items)
    met.update(str(item.price.interval) for one in told for item in one.items)
    met.update(one.currency for one in told)
    met.update(
        f"{off.duration} {'percent' if off.percent else 'amount'}"
        for history in histories
        for off in history.known(AS_OF).discounts
    )
    met["told late"] = sum(one.end_known_at not in (None, one.ended_at) for one in told)
    met["not known yet"] = sum(
        len(one.known(AS_OF).subscriptions) < len(one.subscriptions) for one in histories
    )
    assert (
        min(
            met[case]
            for case in (
                *("trialing", "paused", "past_due", "unpaid", "canceled", "incomplete_expired"),
                *("licensed", "metered", "volume", "graduated", "day", "week", "month", "year"),
                *("USD", "EUR", "JPY", "told late", "not known yet"),
                *("once percent", "once amount", "repeating percent", "repeating amount"),
                *("forever percent", "forever amount"),
            )
        )
        >= 5
    ), met


def _told(wrong: dict[History, list[str]]) -> str:
    """The shortest of the histories that are answered otherwise, with both answers."""
    shortest = sorted(wrong, key=lambda one: len(one.known(AS_OF).describe()))[:3]
    stories = ["\n".join([one.known(AS_OF).describe(), *wrong[one][:12]]) for one in shortest]
    return f"{len(wrong)} histories differ, the shortest:\n\n" + "\n\n".join(stories)
