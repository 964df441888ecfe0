"""The comparison itself: it must find what differs, or equality would prove nothing."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from tests.truth import compare as truth

AS_OF = date(2024, 12, 31)


def movement(**changes: object) -> pd.DataFrame:
    row: dict[str, object] = {
        "account_id": "a",
        "month": pd.Timestamp("2024-01-31"),
        "movement_type": "contraction",
        "amount_usd": 17.0,
        "seats_usd": -20.0,
        "price_usd": 8.0,
        "plan_usd": -5.0,
        "is_involuntary": False,
    }
    return pd.DataFrame([row | changes])


def found_movement() -> pd.DataFrame:
    """The same as the mart writes it: dates as objects, parts that sum to the amount."""
    return movement(month=date(2024, 1, 31), seats_usd=20.0, price_usd=-8.0, plan_usd=5.0)


def term(**changes: object) -> pd.DataFrame:
    row: dict[str, object] = {
        "subscription_id": "s",
        "start_on": pd.Timestamp("2023-01-31"),
        "due_on": pd.Timestamp("2024-01-31"),
        "ended_on": pd.NaT,
        "renewed_on": pd.Timestamp("2024-01-31"),
        "term_months": 12,
        "term_no": 1,
        "due_arr_usd": 100.0,
        "renewed_arr_usd": 120.0,
        "outcome": "renewed_expanded",
        "next_subscription_id": None,
        "is_evergreen": False,
        "is_involuntary": False,
    }
    return pd.DataFrame([row | changes])


def found_term(**changes: object) -> pd.DataFrame:
    names = {
        "start_on": "started_on",
        "term_no": "cycle_number",
        "next_subscription_id": "superseded_by_subscription_id",
    }
    return term(**changes).rename(columns=names)


def test_equal_frames_differ_in_nothing() -> None:
    assert truth.compare_movements(found_movement(), movement()).empty
    assert truth.compare_terms(found_term(), term(), AS_OF).empty


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"amount_usd": 17.01}, "amount_usd"),
        ({"seats_usd": -20.01}, "seats_usd"),
        ({"is_involuntary": True}, "is_involuntary"),
    ],
)
def test_a_cent_or_a_flag_is_found(change: dict[str, object], column: str) -> None:
    found = truth.compare_movements(found_movement(), movement(**change))
    assert found["column"].tolist() == [column]


def test_a_row_on_one_side_is_found() -> None:
    found = truth.compare_movements(found_movement(), movement(movement_type="churn"))
    assert found["column"].tolist() == ["row", "row"]
    assert sorted(found["expected"]) == [False, True]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"outcome": "renewed_flat"}, "outcome"),
        ({"due_on": pd.Timestamp("2024-01-30")}, "due_on"),
        ({"ended_on": pd.Timestamp("2024-01-31")}, "ended_on"),
        ({"term_no": 2}, "cycle_number"),
        ({"next_subscription_id": "t"}, "superseded_by_subscription_id"),
    ],
)
def test_another_outcome_date_or_successor_is_found(change: dict[str, object], column: str) -> None:
    assert truth.compare_terms(found_term(), term(**change), AS_OF)["column"].tolist() == [column]


def test_the_term_of_a_running_trial_is_waited_for() -> None:
    nothing = found_term().iloc[:0]
    assert truth.compare_terms(nothing, term(start_on=pd.Timestamp("2025-01-10")), AS_OF).empty
    assert len(truth.compare_terms(nothing, term(), AS_OF)) == 1


def test_repeated_keys_are_an_error() -> None:
    twice = pd.concat([movement(), movement()])
    with pytest.raises(ValueError, match="repeat"):
        truth.compare_movements(found_movement(), twice)


def test_survival_is_the_product_limit() -> None:
    months = pd.date_range("2024-01-31", periods=3, freq="ME")
    paid = {"leaves": [100, 0, 0], "stays": [100, 100, 100], "young": [None, None, 50]}
    rows = [
        {"surviving_account_id": name, "month": month, "mrr_usd": mrr}
        for name, values in paid.items()
        for month, mrr in zip(months, values, strict=True)
        if mrr is not None
    ]
    churn = pd.DataFrame([{"account_id": "leaves", "month": months[1], "movement_type": "churn"}])
    curve = truth.survival_of_truth(pd.DataFrame(rows), churn)
    ever = curve[curve["cohort_month"].eq("ever")]
    assert ever["logos_at_risk"].tolist() == [3, 2, 1]
    assert ever["survival_rate"].tolist() == [1.0, 0.5, 0.5]
