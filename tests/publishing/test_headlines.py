"""Whom to call first: in the watchlist's order."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from publishing import headlines

AS_OF = date(2026, 1, 31)
REASON = "seats in use: 20 % (peers 60 %), associated with a higher risk of loss"


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """A published night of three accounts: far has most at stake, near and unscored ask first."""
    database = tmp_path / "tenure.duckdb"
    with duckdb.connect(str(database)) as connection:
        for schema in ("core", "cohorts", "renewals"):
            connection.execute(f"create schema {schema}")
        connection.execute(
            "create table cohorts.revenue_retention as select date '2026-01-31' as month,"
            " 1000::decimal(18,2) as closing_mrr_usd, 900::decimal(18,2) as now_mrr_12m_usd,"
            " 800::decimal(18,2) as base_mrr_12m_usd, 700::decimal(18,2) as kept_mrr_12m_usd,"
            " 3 as paying_accounts"
        )
        connection.execute(
            "create table core.fct_contract_terms as select true as is_open,"
            " date '2026-03-01' as due_on, 120::decimal(18,2) as due_arr_usd"
        )
        connection.execute(
            "create table renewals.churn_risk as select * from (values"
            f" ('far', 'Far Ltd', 'SMB', 9000.00, 500, 0.5, 4500.00, '{REASON}', true, true, true),"
            " ('near', 'Near Ltd', 'SMB', 1000.00, 20, 0.4, 400.00, null, false, false, true),"
            " ('new', null, 'SMB', 500.00, 90, null, null, null, false, false, false)) as t"
            " (account_id, account_name, segment, arr_usd, days_to_renewal, p_lost_next_renewal,"
            " expected_loss_arr_usd, reason_1, has_plan, has_plan_owner, is_at_risk)"
        )
        connection.execute("alter table renewals.churn_risk add column reason_2 varchar")
        connection.execute("alter table renewals.churn_risk add column reason_3 varchar")
        connection.execute(
            "create table renewals.watchlist as select * from (values"
            " ('near', 1, 'New: a champion left.'), ('new', 2, 'New: a payment failed.'),"
            " ('far', 3, null)) as t (account_id, priority_rank, why_today)"
        )
    return database


def test_the_watchlist_says_whom_to_call_first_and_why(night: Path) -> None:
    told = headlines.read(night, AS_OF)
    assert told is not None
    assert [call.account for call in told.calls] == ["Near Ltd", "new", "Far Ltd"]
    assert [call.why_today for call in told.calls] == [
        "New: a champion left.",
        "New: a payment failed.",
        None,
    ]
    unscored = told.calls[1]
    assert (unscored.p_lost, unscored.expected_loss_usd, unscored.reasons) == (None, None, ())
    assert told.calls[2].reasons == ("seats in use: 20 % (peers 60 %)",)
    assert (told.mrr_usd, told.renewals_due, told.accounts_at_risk) == (Decimal(1000), 1, 2)


def test_what_did_not_hold_is_told_in_words(night: Path) -> None:
    assert headlines.checks_not_held(night) is None
    with duckdb.connect(str(night)) as connection:
        connection.execute(
            "create schema operations; create table operations.checks as select * from (values"
            " ('core.a', 'rules', 'passed', 'a is known', null),"
            " ('desk.b', 'expectations', 'warned', 'no unknown words', '4 words are not known.'),"
            " ('core.c', 'rules', 'failed', 'c names one row', null))"
            " as t (subject, check_name, outcome, what_is_checked, found)"
        )
    assert headlines.checks_not_held(night) == [
        "core.c: c names one row",
        "desk.b: 4 words are not known.",
    ]
