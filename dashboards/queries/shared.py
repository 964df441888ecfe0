"""What every page asks: the choices of the filters, names of people, meanings of columns."""

from __future__ import annotations

import pandas as pd

from dashboards.filters import UNKNOWN, Filters
from dashboards.night import Night

PEOPLE = "core.dim_people"


def ask(night: Night, sql: str, filters: Filters) -> pd.DataFrame:
    """Answer a query whose conditions came from `filters`."""
    return night.frame(sql, filters.parameters(sql))


def definitions(night: Night) -> dict[str, str]:
    """Return what each column means, as dbt describes it: `schema.table.column` -> text."""
    rows = night.frame(
        "select schema_name || '.' || table_name || '.' || column_name as name, comment"
        " from duckdb_columns() where not internal and comment is not null"
    )
    return dict(zip(rows["name"], rows["comment"], strict=True))


def owner_names(night: Night) -> dict[str, str]:
    """Return the names of our own people by id; empty where no names are published."""
    if not night.has(PEOPLE):
        return {}
    rows = night.frame(
        "select person_id, full_name from core.dim_people"
        " where full_name <> '' and person_type in ('employee', 'ex_employee')"
    )
    return dict(zip(rows["person_id"], rows["full_name"], strict=True))


def choices(night: Night) -> pd.DataFrame:
    """Return what can be filtered by: kind (segment, region, owner) and value, one row each.

    Of accounts with a contract in force: their segments, regions and owners.
    """
    return night.frame(
        f"""
        select distinct 'segment' as kind, coalesce(segment, '{UNKNOWN}') as value
        from renewals.churn_risk
        union all
        select distinct 'region', coalesce(region, '{UNKNOWN}') from renewals.churn_risk
        union all
        select distinct 'owner', owner_id from renewals.churn_risk where owner_id is not null
        order by all
        """
    )


def sources_silent(night: Night) -> pd.DataFrame:
    """Return the landed tables that are silent for longer than normal.

    Columns: source_name, table_name, newest_known_on, lag_days (days), expected_lag_days (days).
    """
    return night.frame(
        "select source_name, table_name, newest_known_on, lag_days, expected_lag_days"
        " from operations.freshness where is_stale order by lag_days desc"
    )
