"""What is due, what is forecast, what surprised us and why customers left."""

from __future__ import annotations

from datetime import date

import pandas as pd

from dashboards.filters import Filters
from dashboards.night import Night
from dashboards.queries.shared import ask

#: Superseded before it came due, or paused on the day: nothing was decided and nothing is due.
DUE = "(is_renewed or is_lost or outcome in ('open', 'pending'))"
#: The sums of `renewals.renewal_calendar` over single renewals, which have a region and an owner.
SUMS = """
    count(*) as terms_due,
    count(*) filter (where is_renewed) as terms_renewed,
    count(*) filter (where is_lost) as terms_lost,
    count(*) filter (where outcome in ('open', 'pending')) as terms_undecided,
    coalesce(cast(sum(due_arr_usd) as double), 0) as due_usd,
    coalesce(cast(sum(kept_arr_usd) filter (where is_renewed) as double), 0) as renewed_usd,
    coalesce(cast(sum(due_arr_usd) filter (where is_lost) as double), 0) as lost_usd,
    coalesce(cast(sum(due_arr_usd) filter (where is_renewed or is_lost) as double), 0)
        as decided_usd,
    renewed_usd + coalesce(sum(p_renewed_now * cast(due_arr_usd as double)), 0) as forecast_usd,
    sqrt(coalesce(
        sum(p_renewed_now * (1 - p_renewed_now) * power(cast(due_arr_usd as double), 2)), 0
    )) as forecast_sd_usd,
    terms_renewed / nullif(terms_renewed + terms_lost, 0) as logo_rate,
    renewed_usd / nullif(decided_usd, 0) as money_rate
"""


def months(night: Night) -> pd.DataFrame:
    """Return the months in which something is due: due_month (month-ends), in order."""
    return night.frame("select distinct due_month from renewals.renewals order by due_month")


def calendar(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return the calendar by month of due dates, both ends included.

    One row a month: due_month (month-end), terms_due, terms_renewed, terms_lost, terms_undecided
    (counts), due_usd, renewed_usd, lost_usd, decided_usd, forecast_usd, forecast_sd_usd (USD a
    year; decided_usd is what was due of decided terms, what they gave up in renewing included; the
    spread is the standard deviation, of independent renewals), logo_rate, money_rate (0-1, of the
    decided; missing where none is).
    """
    return _calendar(night, filters, first, last, "due_month", "group by due_month order by 1")


def outlook(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return the calendar summed over the months: one row, columns as `calendar` without month."""
    return _calendar(night, filters, first, last, "count(*) as terms", "")


def rates(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return renewal rates over the twelve months up to each month.

    One row a month whose renewals have begun to be decided: due_month, measure (by money, by
    logo), rate (0-1), decided (count of the twelve months).
    """
    return ask(
        night,
        f"""
        with by_month as (
            select
                due_month,
                count(*) filter (where is_renewed) as renewed,
                count(*) filter (where is_lost) as lost,
                coalesce(cast(sum(kept_arr_usd) filter (where is_renewed) as double), 0)
                    as renewed_usd,
                cast(sum(due_arr_usd) filter (where is_renewed or is_lost) as double)
                    as decided_usd
            from renewals.renewals
            where {_where(filters)} and due_month <= $as_of
            group by due_month
        ),
        years as (
            select
                due_month,
                sum(renewed) over year as renewed, sum(lost) over year as lost,
                sum(renewed_usd) over year as renewed_usd,
                sum(decided_usd) over year as decided_usd
            from by_month
            window year as (
                order by due_month range between interval 11 months preceding and current row
            )
        )
        select due_month, 'by money' as measure,
            renewed_usd / nullif(decided_usd, 0) as rate, renewed + lost as decided
        from years where due_month between $first and $last
        union all
        select due_month, 'by logo', renewed / nullif(renewed + lost, 0), renewed + lost
        from years where due_month between $first and $last
        order by 1, 2
        """.replace("$as_of", f"date '{night.as_of}'")
        .replace("$first", f"date '{first}'")
        .replace("$last", f"date '{last}'"),
        filters,
    )


def surprises(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return losses by finished quarter of due dates, and whether anybody had seen them coming.

    One row a quarter and kind: quarter_end_on, kind (foreseen, or a surprise by live scores, by
    walk-forward scores, or where no score existed), losses (count). The first quarter is whole.
    """
    return ask(
        night,
        f"""
        with quarters as (
            select
                cast(date_trunc('quarter', due_month) + interval 3 months - interval 1 day as date)
                    as quarter_end_on,
                {_surprises("live")} as live,
                {_surprises("walk_forward")} as walk_forward,
                {_surprises("none")} as unscored,
                count(*) filter (where is_lost) as lost
            from renewals.renewals
            where {_where(filters)} and {DUE}
                and due_month between date_trunc('quarter', date '{first}') and date '{last}'
            group by 1
            having quarter_end_on <= date '{night.as_of}'
        )
        select quarter_end_on, 'surprise (live scores)' as kind, live as losses from quarters
        union all
        select quarter_end_on, 'surprise (walk-forward scores)', walk_forward from quarters
        union all
        select quarter_end_on, 'surprise (no score yet)', unscored from quarters
        union all
        select quarter_end_on, 'foreseen', lost - live - walk_forward - unscored from quarters
        order by 1, 2
        """,
        filters,
    )


def flags(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return how many renewals had been flagged 90 days before, and how right that was: one row.

    Columns: decided, flagged, flagged_lost, lost (counts of terms), flagged_share,
    flag_precision, lost_flagged_share (0-1, missing where the base is empty).
    """
    return ask(
        night,
        f"""
        select
            count(*) as decided,
            count(*) filter (where was_at_risk_d90) as flagged,
            count(*) filter (where was_at_risk_d90 and is_lost) as flagged_lost,
            count(*) filter (where is_lost) as lost,
            count(*) filter (where was_at_risk_d90) / nullif(count(*), 0) as flagged_share,
            count(*) filter (where was_at_risk_d90 and is_lost)
                / nullif(count(*) filter (where was_at_risk_d90), 0) as flag_precision,
            count(*) filter (where was_at_risk_d90 and is_lost)
                / nullif(count(*) filter (where is_lost), 0) as lost_flagged_share
        from renewals.renewals
        where (is_lost or is_renewed)
            and due_on between date_trunc('month', date '{first}') and date '{last}'
            and due_on <= date '{night.as_of}'
            and {_where(filters)}
        """,
        filters,
    )


def drivers(night: Night, filters: Filters, first: date, last: date) -> pd.DataFrame:
    """Return why customers left, by the driver that words and data come to together.

    One row a driver, the most money first: driver (name), renewals (count), lost_usd (USD a year),
    share (0-1 of the money), stated_same, stated_other, not_stated (USD a year: the customer
    had said so, had said otherwise, had said nothing), owning_function.
    """
    return ask(
        night,
        f"""
        select
            driver_evidenced as driver,
            count(*) as renewals,
            cast(sum(lost_arr_usd) as double) as lost_usd,
            cast(sum(lost_arr_usd) as double)
                / nullif(sum(sum(cast(lost_arr_usd as double))) over (), 0) as share,
            {_money_where("driver_stated = driver_evidenced")} as stated_same,
            {_money_where("driver_stated <> driver_evidenced and driver_stated <> 'unknown'")}
                as stated_other,
            {_money_where("driver_stated = 'unknown' and driver_evidenced <> 'unknown'")}
                as not_stated,
            any_value(owning_function) as owning_function
        from renewals.departure_drivers
        where due_month between date '{first}' and date '{last}' and {_where(filters)}
        group by 1
        order by lost_usd desc, driver
        """,
        filters,
    )


def next_due(night: Night, filters: Filters, days: int = 90, limit: int = 10) -> pd.DataFrame:
    """Return the largest renewals of the next days, the most money first.

    One row an account: account_id, account_name, owner_id, next_due_on, days_to_renewal (days),
    arr_usd, expected_loss_arr_usd (USD a year), p_lost_next_renewal (0-1), band, has_plan_owner.
    """
    return ask(
        night,
        f"""
        select
            account_id, account_name, owner_id, next_due_on, days_to_renewal,
            cast(arr_usd as double) as arr_usd,
            cast(expected_loss_arr_usd as double) as expected_loss_arr_usd,
            p_lost_next_renewal, band, has_plan_owner
        from renewals.churn_risk
        where days_to_renewal between 0 and {days} and {_where(filters)}
        order by arr_usd desc, account_id
        limit {limit}
        """,
        filters,
    )


def _calendar(
    night: Night, filters: Filters, first: date, last: date, key: str, grouping: str
) -> pd.DataFrame:
    return ask(
        night,
        f"select {key}, {SUMS} from renewals.renewals"
        f" where due_month between date '{first}' and date '{last}'"
        f" and {DUE} and {_where(filters)} {grouping}",
        filters,
    )


def _where(filters: Filters) -> str:
    return filters.where(segment="segment", region="region", owner="owner_id")


def _surprises(basis: str) -> str:
    return f"count(*) filter (where is_surprise_loss and surprise_basis = '{basis}')"


def _money_where(condition: str) -> str:
    return f"cast(coalesce(sum(lost_arr_usd) filter (where {condition}), 0) as double)"
