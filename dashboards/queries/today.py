"""Whom to call and why, what changed overnight, which accounts at risk nobody answers for."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import Filters
from dashboards.night import Night
from dashboards.queries.shared import ask

CALLS = """
    select
        priority_rank, account_id, account_name, segment, region, owner_id, why_today, reason_1,
        band, last_band, has_news, is_at_risk, has_plan_owner, next_due_on, days_to_renewal,
        cast(arr_usd as double) as arr_usd,
        cast(expected_loss_arr_usd as double) as expected_loss_arr_usd,
        cast(priority_usd as double) as priority_usd,
        p_lost_next_renewal, p_lost_change_last_night, p_lost_change_7d
    from renewals.watchlist
"""


def headline(night: Night, filters: Filters) -> pd.DataFrame:
    """Return one row of figures over the accounts with a contract in force.

    Columns: customers, to_call, with_news, at_risk, at_risk_no_owner (counts); arr_usd,
    expected_loss_usd, to_call_loss_usd, at_risk_arr_usd, at_risk_no_owner_arr_usd (USD a year);
    compared_with_on (date of the night compared with). Counts are 0 where no account is left.
    """
    return ask(
        night,
        f"""
        select
            count(*) as customers,
            count(*) filter (where why_today is not null) as to_call,
            count(*) filter (where has_news) as with_news,
            count(*) filter (where is_at_risk) as at_risk,
            count(*) filter (where is_at_risk and not has_plan_owner) as at_risk_no_owner,
            cast(sum(arr_usd) as double) as arr_usd,
            cast(sum(expected_loss_arr_usd) as double) as expected_loss_usd,
            cast(sum(expected_loss_arr_usd) filter (where why_today is not null) as double)
                as to_call_loss_usd,
            cast(coalesce(sum(arr_usd) filter (where is_at_risk), 0) as double)
                as at_risk_arr_usd,
            cast(coalesce(sum(arr_usd) filter (where is_at_risk and not has_plan_owner), 0)
                as double) as at_risk_no_owner_arr_usd,
            max(compared_with_on) as compared_with_on
        from renewals.watchlist
        where {_where(filters)}
        """,
        filters,
    )


def calls(night: Night, filters: Filters, limit: int = 10) -> pd.DataFrame:
    """Return the accounts with a reason to call today, in the order to call.

    One row an account: priority_rank, account_id, account_name, segment, region, owner_id,
    why_today, reason_1, band, last_band, has_news, is_at_risk, has_plan_owner, next_due_on,
    days_to_renewal (days), arr_usd, expected_loss_arr_usd, priority_usd (USD),
    p_lost_next_renewal (0-1), p_lost_change_last_night, p_lost_change_7d (differences of it).
    """
    return ask(
        night,
        f"{CALLS} where why_today is not null and {_where(filters)}"
        f" order by priority_rank limit {limit}",
        filters,
    )


def news(night: Night, filters: Filters, limit: int = 10) -> pd.DataFrame:
    """Return the accounts of which something is new since the night compared with, as `calls`."""
    return ask(
        night,
        f"{CALLS} where has_news and {_where(filters)} order by priority_rank limit {limit}",
        filters,
    )


def moved(night: Night, filters: Filters) -> pd.DataFrame:
    """Return how probabilities moved since the night compared with: one row.

    Columns: compared, risen, fallen (counts; by more than one percentage point), band_up,
    band_down (counts; to a riskier, to a safer band).
    """
    return ask(
        night,
        f"""
        select
            count(p_lost_change_last_night) as compared,
            count(*) filter (where p_lost_change_last_night > 0.01) as risen,
            count(*) filter (where p_lost_change_last_night < -0.01) as fallen,
            count(*) filter (where {_rank("band")} > {_rank("last_band")}) as band_up,
            count(*) filter (where {_rank("band")} < {_rank("last_band")}) as band_down
        from renewals.watchlist
        where {_where(filters)}
        """,
        filters,
    )


def without_owner(night: Night, filters: Filters, limit: int = 10) -> pd.DataFrame:
    """Return the accounts at risk for which nobody answers, the largest expected loss first.

    One row an account: account_id, account_name, owner_id, plan (none, or its type and state),
    next_due_on, days_to_renewal (days), arr_usd, expected_loss_arr_usd (USD a year),
    p_lost_next_renewal, p_sign_today_human (0-1).
    """
    return ask(
        night,
        f"""
        select
            risk.account_id, risk.account_name, risk.owner_id,
            case
                when risk.has_plan then risk.plan_type || ' plan without an owner'
                else 'no plan'
            end as plan,
            risk.next_due_on, risk.days_to_renewal,
            cast(risk.arr_usd as double) as arr_usd,
            cast(risk.expected_loss_arr_usd as double) as expected_loss_arr_usd,
            risk.p_lost_next_renewal, risk.p_sign_today_human
        from renewals.churn_risk as risk
        where risk.is_at_risk and not risk.has_plan_owner
            and {filters.where(segment="risk.segment", region="risk.region", owner="risk.owner_id")}
        order by risk.expected_loss_arr_usd desc nulls last, risk.account_id
        limit {limit}
        """,
        filters,
    )


def plans(night: Night, filters: Filters) -> pd.DataFrame:
    """Return how live plans stand: one row.

    Columns: live, overdue, without_owner, owner_left (counts of plans).
    """
    return ask(
        night,
        f"""
        select
            count(*) filter (where is_live) as live,
            count(*) filter (where is_live and plan_state = 'overdue') as overdue,
            count(*) filter (where is_live and not has_owner) as without_owner,
            count(*) filter (where is_live and has_owner and not is_owner_employed) as owner_left
        from renewals.action_plans
        where {filters.where(segment="segment", region="region", owner="account_owner_id")}
        """,
        filters,
    )


def _where(filters: Filters) -> str:
    return filters.where(segment="segment", region="region", owner="owner_id")


def _rank(band: str) -> str:
    return f"case {band} when 'low' then 1 when 'medium' then 2 when 'high' then 3 end"
