"""What customers are worth, by money and by what money does not show."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import Filters
from dashboards.night import Night
from dashboards.queries.shared import ask

#: The newest month of the mart, with the names and places of its accounts.
NEWEST = """
    with newest as (
        select
            worth.*, accounts.name as account_name, accounts.owner_id, accounts.region
        from value.customer_value as worth
        left join core.dim_accounts as accounts on worth.account_id = accounts.account_id
        where worth.month_end_on = (select max(month_end_on) from value.customer_value)
    )
"""


def headline(night: Night, filters: Filters) -> pd.DataFrame:
    """Return what the customers are worth together, at the newest month-end: one row.

    Columns: month_end_on, customers (count), mrr_usd (USD a month), bond_price_usd, clv_usd,
    potential_usd, current_usd (USD over ten years), cac_usd (USD spent on those of known cost),
    ltv_to_cac (ratio over those of known cost), paid_back_share (0-1), default_12m (0-1, of the
    money).
    """
    return ask(
        night,
        f"""
        {NEWEST}
        select
            max(month_end_on) as month_end_on,
            count(*) as customers,
            cast(sum(coupon_mrr_usd) as double) as mrr_usd,
            cast(sum(bond_price_usd) as double) as bond_price_usd,
            cast(sum(clv_npv_usd) as double) as clv_usd,
            cast(sum(potential_10y_usd) as double) as potential_usd,
            cast(sum(current_10y_usd) as double) as current_usd,
            cast(sum(cac_total_usd) as double) as cac_usd,
            cast(sum(clv_npv_usd) filter (where cac_total_usd > 0) as double)
                / nullif(cast(sum(cac_total_usd) as double), 0) as ltv_to_cac,
            count(*) filter (where is_paid_back) / nullif(count(is_paid_back), 0)
                as paid_back_share,
            sum(default_hazard_12m * cast(coupon_mrr_usd as double))
                / nullif(sum(cast(coupon_mrr_usd as double))
                    filter (where default_hazard_12m is not null), 0) as default_12m
        from newest
        where {_where(filters)}
        """,
        filters,
    )


def by_segment(night: Night, filters: Filters) -> pd.DataFrame:
    """Return the worth of each segment at the newest month-end.

    One row a segment: segment, customers (count), bond_price_usd, clv_usd, potential_usd (USD over
    ten years), expected_years (mean years a customer is expected to stay within ten).
    """
    return ask(
        night,
        f"""
        {NEWEST}
        select
            coalesce(segment, '(unknown)') as segment,
            count(*) as customers,
            cast(sum(bond_price_usd) as double) as bond_price_usd,
            cast(sum(clv_npv_usd) as double) as clv_usd,
            cast(sum(potential_10y_usd) as double) as potential_usd,
            avg(expected_months) / 12 as expected_years
        from newest
        where {_where(filters)}
        group by 1
        order by clv_usd desc nulls last
        """,
        filters,
    )


def history(night: Night, filters: Filters) -> pd.DataFrame:
    """Return the worth of the whole base over time.

    One row a month of the last five years: month_end_on, bond_price_usd, clv_usd (USD).
    """
    return ask(
        night,
        f"""
        select
            worth.month_end_on,
            cast(sum(worth.bond_price_usd) as double) as bond_price_usd,
            cast(sum(worth.clv_npv_usd) as double) as clv_usd
        from value.customer_value as worth
        left join core.dim_accounts as accounts on worth.account_id = accounts.account_id
        where worth.month_end_on > date '{night.as_of}' - interval 60 months
            and {
            filters.where(
                segment="worth.segment", region="accounts.region", owner="accounts.owner_id"
            )
        }
        group by 1
        order by 1
        """,
        filters,
    )


def gaps(night: Night, filters: Filters, limit: int = 8) -> pd.DataFrame:
    """Return the accounts whose place by true value differs most from that by money.

    One row an account, as many with a gain as with a loss of places: account_id, account_name,
    clv_rank, true_value_rank (1 = most valuable), rank_gap (places; above 0 money alone
    undervalues it), clv_usd (USD), true_value (0-1), reason_1, reason_2 (dimensions).
    """
    return ask(
        night,
        f"""
        {NEWEST},
        placed as (
            select
                account_id, account_name, clv_rank, true_value_rank, rank_gap,
                cast(clv_npv_usd as double) as clv_usd, true_value_score as true_value,
                top_reason_1 as reason_1, top_reason_2 as reason_2,
                row_number() over (order by rank_gap desc, account_id) as from_top,
                row_number() over (order by rank_gap, account_id) as from_bottom
            from newest
            where rank_gap is not null and {_where(filters)}
        )
        select * exclude (from_top, from_bottom)
        from placed
        where (from_top <= {limit} and rank_gap > 0) or (from_bottom <= {limit} and rank_gap < 0)
        order by rank_gap desc, account_id
        """,
        filters,
    )


def places(night: Night, filters: Filters, limit: int = 1500) -> pd.DataFrame:
    """Return money against true value, for the accounts of the largest money.

    One row an account: account_name, clv_usd (USD), true_value (0-1), rank_gap (places).
    """
    return ask(
        night,
        f"""
        {NEWEST}
        select
            account_name, cast(clv_npv_usd as double) as clv_usd,
            true_value_score as true_value, rank_gap
        from newest
        where true_value_score is not null and clv_npv_usd > 0 and {_where(filters)}
        order by clv_usd desc, account_name
        limit {limit}
        """,
        filters,
    )


def scenarios(night: Night) -> pd.DataFrame:
    """Return the what-if statements and what the warehouse computes for them.

    One row a statement: scenario_id, statement, convention, formula, inputs, unit, expected_value,
    computed_value (in the unit), is_reproduced.
    """
    return night.frame(
        "select scenario_id, statement, convention, formula, inputs, unit, expected_value,"
        " computed_value, is_reproduced from value.scenarios order by scenario_id"
    )


def book(night: Night) -> pd.DataFrame:
    """Return where the company stands, for sliders to start from: one row.

    Columns: arr_usd (USD a year), logo_churn, arr_churn (0-1, of twelve months), nrr (1 = kept).
    """
    return night.frame(
        """
        select
            cast(sum(closing_arr_usd) as double) as arr_usd,
            sum(lost_accounts_12m) / nullif(sum(base_accounts_12m), 0) as logo_churn,
            1 - cast(sum(kept_mrr_12m_usd) as double)
                / nullif(cast(sum(base_mrr_12m_usd) as double), 0) as arr_churn,
            cast(sum(now_mrr_12m_usd) as double)
                / nullif(cast(sum(base_mrr_12m_usd) as double), 0) as nrr
        from cohorts.revenue_retention
        where month = (select max(month) from cohorts.revenue_retention)
        """
    )


def _where(filters: Filters) -> str:
    return filters.where(segment="segment", region="region", owner="owner_id")
