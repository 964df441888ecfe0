"""Month-end closes in the lake: frozen once, idempotent, complete or invisible.

Belongs here: which months are closed, and adding one. Must not be here: which day closes a month,
or where its figures come from.
"""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from ingestion.lake import Lake, clean_unfinished, finish_load, new_load_id, write_parquet
from ingestion.schemas import table

SOURCE = "closes"
TABLE = "month_closes"


def closed_months(lake: Lake) -> dict[date, date]:
    """Months that are closed (their last days), and the day whose knowledge each was closed on."""
    rows = lake.read(SOURCE, TABLE, "select month, min(closed_on) as day from t group by month")
    months, days = rows["month"].to_pylist(), rows["day"].to_pylist()
    return dict(zip(months, days, strict=True))


def close_month(lake: Lake, rows: pa.Table) -> int:
    """Freezes a month, unless it has been closed before.

    One writer at a time, as for every source of the lake.

    Args:
        lake: the lake.
        rows: the declared columns of one month, one row an account.

    Returns:
        Rows frozen; 0 where the month was closed already.

    Raises:
        ValueError: no row, rows of several months or days, or an account twice. A month nobody paid
            in has nothing to close.
    """
    declared = table(SOURCE, TABLE).write_schema
    rows = rows.select(declared.names)
    months = set(rows["month"].to_pylist())
    if len(months) != 1 or len(set(rows["closed_on"].to_pylist())) != 1:
        raise ValueError(f"a close is one month on one day; got months {sorted(map(str, months))}")
    if len(set(rows["account_id"].to_pylist())) != rows.num_rows:
        raise ValueError("a close has one row an account")
    if months & closed_months(lake).keys():
        return 0
    clean_unfinished(lake, SOURCE)
    load_id = new_load_id(lake, SOURCE)
    landed = rows.sort_by("account_id").cast(declared)
    loads = pa.array([load_id] * landed.num_rows, pa.string())
    write_parquet(
        landed.append_column("_dlt_load_id", loads),
        lake.table(SOURCE, TABLE) / f"{load_id}.0.parquet",
    )
    finish_load(lake, SOURCE, load_id)
    return int(landed.num_rows)
