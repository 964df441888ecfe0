"""How recurring revenue moved, how much of it stays, and which part of the base is neglected."""

from __future__ import annotations

from datetime import date

import pandas as pd

from dashboards.filters import Filters
from dashboards.night import Night
from dashboards.queries.shared import ask

#: Movements in the order of the identity, and whether they add to or take from revenue.
MOVEMENTS = {
    "new_usd": 1,
    "reactivation_usd": 1,
    "expansion_usd": 1,
    "pause_in_usd": 1,
    "merge_transfer_usd": 1,
    "contraction_usd": -1,
    "pause_out_usd": -1,
    "churn_usd": -1,
}


def months(night: Night) -> pd.DataFrame:
    """Return the months with revenue figures: month (month-ends), in order."""
    return night.frame("select distinct month from cohorts.revenue_retention order by month")


def series(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return the state of revenue at each month-end, both ends included.

    One row a month: month, arr_usd (USD a year), mrr_usd (USD a month), paying_accounts (count),
    nrr (1 = kept), grr, logo_churn (0-1): over the twelve months up to it, formed from sums over
    the rows left; missing in the first year.
    """
    return ask(
        night,
        f"""
        select
            month,
            cast(sum(closing_arr_usd) as double) as arr_usd,
            cast(sum(closing_mrr_usd) as double) as mrr_usd,
            sum(paying_accounts) as paying_accounts,
            cast(sum(now_mrr_12m_usd) as double)
                / nullif(cast(sum(base_mrr_12m_usd) as double), 0) as nrr,
            cast(sum(kept_mrr_12m_usd) as double)
                / nullif(cast(sum(base_mrr_12m_usd) as double), 0) as grr,
            sum(lost_accounts_12m) / nullif(sum(base_accounts_12m), 0) as logo_churn,
            cast(sum(arr_walked_out_12m_usd) as double) as walked_out_usd,
            cast(sum(arr_from_5y_plus_usd) as double)
                / nullif(cast(sum(closing_arr_usd) as double), 0) as share_5y
        from cohorts.revenue_retention
        where month between date '{first}' and date '{last}' and {_where(filters)}
        group by month
        order by month
        """,
        filters,
    )


def movements(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return the movements from the opening of the first month to the closing of the last.

    One row: opening_usd, closing_usd, and each of MOVEMENTS as the mart has it (USD a month,
    losses positive); closing = opening + those that add - those that take, to the cent.
    """
    sums = ", ".join(f"cast(sum({name}) as double) as {name}" for name in MOVEMENTS)
    return ask(
        night,
        f"""
        select
            cast(sum(opening_mrr_usd) filter (where month = date '{first}') as double)
                as opening_usd,
            cast(sum(closing_mrr_usd) filter (where month = date '{last}') as double)
                as closing_usd,
            {sums}
        from cohorts.revenue_retention
        where month between date '{first}' and date '{last}' and {_where(filters)}
        """,
        filters,
    )


def bands(night: Night, quarters: int = 4) -> pd.DataFrame:
    """Return who loses and who is looked after, over the newest finished quarters together.

    One row a band from top to tail: attention_band, accounts (average of the quarters),
    touches_per_account (in the time), lost_arr_usd (USD a year), lost_arr_share, touch_share,
    arr_share (0-1 of the company), danger_ratio (lost_arr_share / touch_share), first_on, last_on
    (the days the quarters end on).
    """
    return night.frame(
        f"""
        with newest as (
            select *
            from cohorts.attention_bands
            qualify dense_rank() over (order by quarter_end_on desc) <= {quarters}
        ),
        sums as (
            select
                attention_band,
                avg(accounts) as accounts,
                sum(touches) / nullif(avg(accounts), 0) as touches_per_account,
                cast(sum(lost_arr_usd) as double) as lost_arr_usd,
                sum(cast(opening_arr_usd as double)) as opening_usd,
                sum(touches) as touches,
                min(quarter_end_on) as first_on,
                max(quarter_end_on) as last_on
            from newest
            group by attention_band
        )
        select
            attention_band, accounts, touches_per_account, lost_arr_usd,
            lost_arr_usd / nullif(sum(lost_arr_usd) over (), 0) as lost_arr_share,
            touches / nullif(sum(touches) over (), 0) as touch_share,
            opening_usd / nullif(sum(opening_usd) over (), 0) as arr_share,
            (lost_arr_usd / nullif(sum(lost_arr_usd) over (), 0))
                / nullif(touches / nullif(sum(touches) over (), 0), 0) as danger_ratio,
            first_on, last_on
        from sums
        order by case attention_band when 'top' then 1 when 'middle' then 2 else 3 end
        """
    )


def closes(night: Night) -> pd.DataFrame:
    """Return the closed months, newest first: what was reported, and what is known now.

    One row a month: month, closed_on, basis (live, rebuilt), reported_mrr_usd, mrr_usd,
    restated_usd (USD a month), restated_accounts (count), reported_nrr, nrr (1 = kept).
    """
    return night.frame(
        """
        select
            month, closed_on, basis,
            cast(reported_closing_mrr_usd as double) as reported_mrr_usd,
            cast(closing_mrr_usd as double) as mrr_usd,
            cast(restated_closing_mrr_usd as double) as restated_usd,
            restated_accounts,
            reported_nrr_rate as reported_nrr, nrr_rate as nrr
        from cohorts.month_closes
        order by month desc
        limit 12
        """
    )


def _where(filters: Filters) -> str:
    return filters.where(segment="segment", region="region")
