"""The few figures a person wants to see first, read from a published night.

Belongs here: queries over public marts. Must not be here: definitions (the marts have them), or
layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb


@dataclass(frozen=True)
class Call:
    """An account to call, and why.

    Attributes:
        account: its name.
        segment: of the account.
        arr_usd: annual recurring revenue.
        days_to_renewal: days to the due date; below zero it has passed.
        p_lost: probability that the renewal is lost; None where it was not scored.
        expected_loss_usd: that share of the revenue; None where it was not scored.
        why_today: what is new or still stands and asks for a call; None where money at stake is
            all there is.
        reasons: what the score is associated with, strongest first.
        has_plan: whether a plan is open and somebody accountable for it.
    """

    account: str
    segment: str
    arr_usd: Decimal
    days_to_renewal: int | None
    p_lost: float | None
    expected_loss_usd: Decimal | None
    why_today: str | None
    reasons: tuple[str, ...]
    has_plan: bool


@dataclass(frozen=True)
class Headlines:
    """A night's first figures.

    Attributes:
        month_end_on: the last complete month; MRR, NRR and GRR are of its close.
        mrr_usd: monthly recurring revenue, US dollars at the reference rate.
        nrr_12m, grr_12m: shares of the MRR of twelve months before; None without such a base.
        paying_accounts: accounts that paid at that close.
        renewals_due, renewals_due_arr_usd: contract terms due within 90 days of the night.
        accounts_at_risk, at_risk_arr_usd: accounts in the high band, or doubted by their own owner.
        calls: whom to call first, at most ten, in the order of the watchlist.
    """

    month_end_on: date
    mrr_usd: Decimal
    nrr_12m: float | None
    grr_12m: float | None
    paying_accounts: int
    renewals_due: int
    renewals_due_arr_usd: Decimal
    accounts_at_risk: int
    at_risk_arr_usd: Decimal
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class NewRisk:
    """An account of which something new speaks for a loss.

    Attributes:
        account: its name.
        arr_usd: annual recurring revenue.
        days_to_renewal: days to the due date; below zero it has passed.
        p_lost: probability that the renewal is lost; None where it was not scored.
        expected_loss_usd: that share of the revenue; None where it was not scored.
        why_today: what is new, and what still stands, in words.
        has_plan_owner: whether somebody is accountable for a plan.
    """

    account: str
    arr_usd: Decimal
    days_to_renewal: int | None
    p_lost: float | None
    expected_loss_usd: Decimal | None
    why_today: str
    has_plan_owner: bool


#: What is new and speaks for a loss; the other flags of the watchlist are dates and tasks.
RISK_FLAGS = (
    "notice_given",
    "champion_left",
    "sponsor_left",
    "band_became_high",
    "risk_jumped",
    "judged_below_half",
    "payment_failed",
    "past_due",
)


def new_risks(database: Path) -> list[NewRisk]:
    """Read the risks that are new in a night, those to call first at the top.

    Args:
        database: `tenure.duckdb` of a published night; one without a watchlist has no news.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        if not _has(connection, "renewals", "watchlist"):
            return []
        rows = connection.execute(
            """
            select
                coalesce(account_name, account_id), arr_usd, days_to_renewal, p_lost_next_renewal,
                expected_loss_arr_usd, why_today, has_plan_owner
            from renewals.watchlist
            where list_has_any(regexp_split_to_array(new_flags, '; *'), $flags)
            order by priority_rank
            """,
            {"flags": list(RISK_FLAGS)},
        ).fetchall()
    return [NewRisk(*row) for row in rows]


def checks_not_held(database: Path) -> list[str] | None:
    """Return the checks that did not hold, `table: what was found`; None where a night says none.

    Args:
        database: `tenure.duckdb` of a published night.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        if not _has(connection, "operations", "checks"):
            return None
        rows = connection.execute(
            "select subject || ': ' || coalesce(found, what_is_checked) from operations.checks"
            " where outcome <> 'passed' order by outcome, subject, check_name"
        ).fetchall()
    return [text for (text,) in rows]


def read(database: Path, as_of: date) -> Headlines | None:
    """Read the headlines of a night; None when no month has been closed yet.

    Args:
        database: `tenure.duckdb` of a published night.
        as_of: the date it is as of.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        revenue = _row(
            connection,
            """
            select
                month,
                sum(closing_mrr_usd),
                cast(sum(now_mrr_12m_usd) as double) / nullif(sum(base_mrr_12m_usd), 0),
                cast(sum(kept_mrr_12m_usd) as double) / nullif(sum(base_mrr_12m_usd), 0),
                cast(sum(paying_accounts) as bigint)
            from cohorts.revenue_retention
            where month <= $as_of
            group by month
            order by month desc
            limit 1
            """,
            as_of,
        )
        if revenue is None:
            return None
        due = _row(
            connection,
            """
            select count(*), coalesce(sum(due_arr_usd), 0)
            from core.fct_contract_terms
            where is_open and due_on > $as_of and due_on <= $as_of + interval 90 days
            """,
            as_of,
        ) or (0, Decimal(0))
        risk = connection.execute(
            "select count(*), coalesce(sum(arr_usd), 0) from renewals.churn_risk where is_at_risk"
        ).fetchone() or (0, Decimal(0))
        calls = connection.execute(_CALLS).fetchall()
    month, mrr, nrr, grr, paying = revenue
    return Headlines(
        month_end_on=month,
        mrr_usd=mrr,
        nrr_12m=nrr,
        grr_12m=grr,
        paying_accounts=paying,
        renewals_due=due[0],
        renewals_due_arr_usd=due[1],
        accounts_at_risk=risk[0],
        at_risk_arr_usd=risk[1],
        calls=tuple(_call(row) for row in calls),
    )


_CALLS = """
    select
        watch.why_today, coalesce(risk.account_name, risk.account_id), risk.segment, risk.arr_usd,
        risk.days_to_renewal, risk.p_lost_next_renewal, risk.expected_loss_arr_usd,
        [split_part(r, ', associated with', 1)
         for r in [risk.reason_1, risk.reason_2, risk.reason_3]],
        risk.has_plan and risk.has_plan_owner
    from renewals.watchlist as watch
    inner join renewals.churn_risk as risk on watch.account_id = risk.account_id
    order by watch.priority_rank
    limit 10
"""


def _has(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    return connection.execute(
        "select count(*) > 0 from duckdb_tables() where schema_name = ? and table_name = ?",
        [schema, table],
    ).fetchone() == (True,)


def _row(connection: duckdb.DuckDBPyConnection, sql: str, as_of: date) -> tuple[Any, ...] | None:
    return connection.execute(sql, {"as_of": as_of}).fetchone()


def _call(row: tuple[Any, ...]) -> Call:
    why_today, account, segment, arr, days, p, loss, reasons, has_plan = row
    told = tuple(reason for reason in reasons if reason)
    return Call(account, segment, arr, days, p, loss, why_today, told, has_plan)
