"""A closed month against what had happened and been told by the day of its close.

Belongs here: what was reported, and what was restated since. Must not be here: revenue as it is
known now, see `test_mess`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pandas as pd
import pytest

from sample_company.world.build import build_world
from tests.truth.compare import compare
from tests.truth.conftest import Case, told_late


@pytest.fixture(scope="module")
def reported(case: Case) -> pd.DataFrame:
    """What was frozen."""
    return case.rows("select * from core.fct_month_closes")


@pytest.fixture(scope="module")
def told(case: Case) -> pd.DataFrame:
    """The truth of the month in a company that ends on the day of the close."""
    config = case.world.config
    month, closed_on = told_late(case.world)
    then = build_world(replace(config, start=config.first_day, horizon=closed_on))
    return of_month(then.truth["truth_mrr"], month)


def of_month(truth: pd.DataFrame, month: date) -> pd.DataFrame:
    """Rows of a month."""
    return truth[truth["month"].eq(pd.Timestamp(month))]


def of_account(truth: pd.DataFrame) -> pd.DataFrame:
    """Revenue of each account that pays."""
    sums = truth.groupby("surviving_account_id", as_index=False)["mrr_usd"].sum()
    sums = sums.rename(columns={"surviving_account_id": "account_id"})
    return sums[sums["mrr_usd"].gt(0)]


def test_what_was_reported_is_what_had_been_told(
    case: Case, reported: pd.DataFrame, told: pd.DataFrame
) -> None:
    month, closed_on = told_late(case.world)
    assert set(reported["month"].dt.date) == {month}
    assert set(reported["closed_on"].dt.date) == {closed_on}
    found = reported[["account_id", "closing_mrr_usd"]].set_axis(["account_id", "mrr_usd"], axis=1)
    found = found[found["mrr_usd"].astype(float).ne(0)]
    differs = compare(found, of_account(told), key=["account_id"], money=["mrr_usd"])
    assert differs.empty, differs.to_string()


def test_what_was_told_later_is_restated(case: Case, told: pd.DataFrame) -> None:
    month, _ = told_late(case.world)
    now = of_month(case.truth("truth_mrr"), month)
    close = case.rows("select * from cohorts.month_closes").iloc[0]
    assert close["basis"] == "rebuilt"
    assert float(close["reported_closing_mrr_usd"]) == round(told["mrr_usd"].sum(), 2)
    assert float(close["closing_mrr_usd"]) == round(now["mrr_usd"].sum(), 2)
    assert float(close["restated_closing_mrr_usd"]) != 0
    # Both under the names that accounts have now: who merged since is not restated by that.
    survivors = case.truth("truth_accounts").set_index("account_id")["surviving_account_id"]
    renamed = told.assign(surviving_account_id=told["account_id"].map(survivors))
    before, after = of_account(renamed), of_account(now)
    both = before.merge(after, on="account_id", how="outer", suffixes=("_then", "_now")).fillna(0)
    differ = both["mrr_usd_then"].sub(both["mrr_usd_now"]).abs().gt(0.005).sum()
    # Of an account that is restated at the month's end the opening may have been restated too.
    assert close["restated_accounts"] >= differ > 0
