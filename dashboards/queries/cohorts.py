"""Who stays, for how long, and what a cohort is worth by then."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import Filters
from dashboards.night import Night
from dashboards.queries.shared import ask

ALL = "(all)"
#: By what curves can be compared: column of the mart.
COMPARISONS = {"segment": "segment", "origin": "acquisition_origin"}


def curves(night: Night, filters: Filters, compare: str) -> pd.DataFrame:
    """Return survival by months since the first payment, one curve a group, all cohorts together.

    One row a group and month: group_name, tenure_month, survival, low, high (0-1; Kaplan-Meier
    with Greenwood's 95 % interval), cohort_size, at_risk (counts). Only groups of 20 accounts and
    more, and only months in which at least ten accounts were still followed.

    Args:
        night: the night asked.
        filters: the segment narrows curves compared by origin; compared by segment, to one curve.
        compare: a key of COMPARISONS, or `all` for one curve.
    """
    segment = filters.segment or ALL
    if compare == "segment" and not filters.segment:
        group, cut = "segment", f"acquisition_origin = '{ALL}' and segment <> '{ALL}'"
    elif compare == "origin":
        group, cut = "acquisition_origin", f"segment = $cut and acquisition_origin <> '{ALL}'"
    else:
        group, cut = "segment", f"acquisition_origin = '{ALL}' and segment = $cut"
    sql = f"""
        select
            {group} as group_name, tenure_month,
            survival_rate as survival, survival_low_rate as low, survival_high_rate as high,
            cohort_size, logos_at_risk as at_risk
        from cohorts.cohort_retention
        where cohort_level = 'ever' and is_reportable and logos_at_risk >= 10 and {cut}
        order by 1, 2
    """
    return night.frame(sql, {"cut": segment} if "$cut" in sql else None)


def triangle(night: Night, filters: Filters) -> pd.DataFrame:
    """Return the retention triangle: year of the first payment by years since.

    One row a cohort and year of tenure: cohort_year, tenure_year (whole years), cohort_size
    (count), logo_share (0-1, paying now over those old enough), money_share (1 = as at the
    start), survival (0-1), is_reportable (20 accounts and more).
    """
    return night.frame(
        """
        select
            cast(extract(year from cohort_month) as integer) as cohort_year,
            tenure_month // 12 as tenure_year,
            cohort_size,
            logos_paying / nullif(observed_logos, 0) as logo_share,
            nrr_index as money_share,
            survival_rate as survival,
            is_reportable
        from cohorts.cohort_retention
        where cohort_level = 'year' and segment = $segment and acquisition_origin = '(all)'
            and tenure_month % 12 = 0 and observed_logos = cohort_size
        order by 1, 2
        """,
        {"segment": filters.segment or ALL},
    )


def longest(night: Night, filters: Filters) -> pd.DataFrame:
    """Return who has stayed for long: one row over the customers of today.

    Columns: customers, of_5y, of_10y (counts), arr_usd, arr_10y_usd (USD a year),
    p_reach_year_10 (0-1, mean of the known), years_remaining (mean, years).
    """
    return ask(
        night,
        f"""
        select
            count(*) as customers,
            count(*) filter (where tenure_years >= 5) as of_5y,
            count(*) filter (where is_10y) as of_10y,
            cast(sum(arr_usd) as double) as arr_usd,
            cast(coalesce(sum(arr_usd) filter (where is_10y), 0) as double) as arr_10y_usd,
            avg(p_reach_year_10) as p_reach_year_10,
            avg(expected_years_remaining) as years_remaining
        from cohorts.longevity
        where is_customer and {filters.where(segment="segment")}
        """,
        filters,
    )
