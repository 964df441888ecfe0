"""Closes, in group `warehouse`: months frozen as they are reported, past months closed afterwards.

Belongs here: which month a night closes, reading its figures out of a warehouse, reporting. Must
not be here: the figures themselves, or how they lie in the lake.
"""

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pyarrow as pa

from ingestion import closes
from ingestion.lake import Lake
from orchestration.dbt import Dbt
from orchestration.installation import Installation, Night
from orchestration.reading import reading

MONEY = dg.AssetKey(["intermediate", "int_account_month_money"])
MONTHS = dg.AssetKey(["intermediate", "int_month_ends"])
CLOSES = dg.AssetKey([closes.SOURCE, closes.TABLE])
REBUILT = dg.AssetKey([closes.SOURCE, "month_closes_rebuilt"])

# Earlier months have no subscription to close in most companies; one that has can move it.
FIRST_MONTH = "2000-01-01"


def closes_assets() -> list[dg.AssetsDefinition]:
    """Return the nightly step and the one for past months."""
    return [month_closes, month_closes_rebuilt]


@dg.asset(
    key=CLOSES,
    group_name="warehouse",
    kinds={"parquet"},
    deps=[MONEY, MONTHS],
    pool="warehouse",
    description=(
        "Every month as it was reported, append-only: closed by the first night on or after its "
        "close day, and never changed afterwards."
    ),
)
def month_closes(
    context: dg.AssetExecutionContext, installation: Installation, night: Night
) -> dg.MaterializeResult[Any]:
    """Close the newest month whose close day has come, unless it is closed."""
    lake = Lake.at(installation.root)
    month = newest_due(installation.warehouse, night.date)
    if month is None or month in closes.closed_months(lake):
        return dg.MaterializeResult(metadata={"rows_frozen": 0})
    rows = figures(installation.warehouse, month, night.date, basis="live")
    return _frozen(context, lake, rows, month, night.date)


@dg.asset(
    key=REBUILT,
    group_name="warehouse",
    kinds={"parquet"},
    deps=[MONTHS],
    pool="warehouse",
    partitions_def=dg.MonthlyPartitionsDefinition(start_date=FIRST_MONTH),
    description=(
        "A past month that no night closed, closed on what the sources had said by its close day; "
        "marked as rebuilt. A month that is closed stays as it is."
    ),
)
def month_closes_rebuilt(
    context: dg.AssetExecutionContext, installation: Installation, dbt: Dbt
) -> dg.MaterializeResult[Any]:
    """Rebuild revenue as of the close day in a database of its own, and close the month."""
    lake = Lake.at(installation.root)
    month = context.partition_time_window.end.date() - timedelta(days=1)
    closed_on = close_day(installation.warehouse, month)
    if closed_on is None:
        context.log.info(f"{month:%B %Y}: no subscription had begun, or it is not over yet")
        return dg.MaterializeResult(metadata={"rows_frozen": 0})
    if month in closes.closed_months(lake):
        context.log.info(f"{month:%B %Y} is closed already")
        return dg.MaterializeResult(metadata={"rows_frozen": 0})
    with TemporaryDirectory(dir=installation.warehouse.parent, prefix="close-") as folder:
        # Named like the warehouse: the name of the file is the name of the catalogue.
        aside = Path(folder) / installation.warehouse.name
        dbt.build_aside(f"+{MONEY.path[-1]}", closed_on, aside)
        rows = figures(aside, month, closed_on, basis="rebuilt")
    return _frozen(context, lake, rows, month, closed_on)


def newest_due(warehouse: Path, as_of: date) -> date | None:
    """Return the last month-end whose close day has come by `as_of`; None if there is none."""
    sql = (
        "select max(month_end_on) from intermediate.int_month_ends where reported_from_on <= $as_of"
    )
    return _one(warehouse, sql, {"as_of": as_of})


def close_day(warehouse: Path, month_end: date) -> date | None:
    """Return the day on which a month is closed; None for a month the warehouse does not have."""
    sql = "select reported_from_on from intermediate.int_month_ends where month_end_on = $month_end"
    return _one(warehouse, sql, {"month_end": month_end})


def figures(warehouse: Path, month_end: date, closed_on: date, *, basis: str) -> pa.Table:
    """Return what a warehouse says of a month, one row an account that had or moved any revenue.

    Args:
        warehouse: the database.
        month_end: last day of the month.
        closed_on: the day whose knowledge the warehouse holds.
        basis: `live` or `rebuilt`.
    """
    sql = """
        select
            account_id, month_end_on as month, $closed_on::date as closed_on, $basis as basis,
            opening_mrr_usd, new_usd, reactivation_usd, expansion_usd, contraction_usd, churn_usd,
            pause_out_usd, pause_in_usd, merge_transfer_usd, closing_mrr_usd, mrr_12m_before_usd
        from intermediate.int_account_month_money
        where month_end_on = $month_end
            and (opening_mrr_usd <> 0 or closing_mrr_usd <> 0 or merge_transfer_usd <> 0
                 or coalesce(mrr_12m_before_usd, 0) <> 0)
        order by account_id
    """
    asked = {"closed_on": closed_on, "basis": basis, "month_end": month_end}
    with reading(warehouse) as connection:
        return connection.execute(sql, asked).to_arrow_table()


def _one(warehouse: Path, sql: str, asked: dict[str, date]) -> date | None:
    with reading(warehouse) as connection:
        row = connection.execute(sql, asked).fetchone()
    return row[0] if row else None


def _frozen(
    context: dg.AssetExecutionContext, lake: Lake, rows: pa.Table, month: date, closed_on: date
) -> dg.MaterializeResult[Any]:
    # Before its first payment a company has nothing to report.
    frozen = closes.close_month(lake, rows) if rows.num_rows else 0
    context.log.info(f"{month:%B %Y} closed as known on {closed_on}: {frozen:,} accounts")
    return dg.MaterializeResult(
        metadata={
            "month": month.isoformat(),
            "closed_on": closed_on.isoformat(),
            "rows_frozen": frozen,
        }
    )
