"""Closes in the lake: once, whole, and never again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion import closes
from ingestion.lake import Lake, ensure_anchors, write_parquet
from ingestion.schemas import table

MAY, JUNE = date(2024, 5, 31), date(2024, 6, 30)
SCHEMA = table(closes.SOURCE, closes.TABLE).write_schema


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.at(tmp_path)
    ensure_anchors(lake)
    return lake


def figures(month: date, closed_on: date, **mrr: int) -> pa.Table:
    """One account each, paying what is named at both ends of the month."""
    nothing = dict.fromkeys(name for name in SCHEMA.names if name.endswith("_usd"))
    fixed = {"month": month, "closed_on": closed_on, "basis": "live"}
    rows: list[dict[str, Any]] = [
        {**dict.fromkeys(nothing, Decimal(0)), **fixed, "account_id": account}
        | {"opening_mrr_usd": Decimal(amount), "closing_mrr_usd": Decimal(amount)}
        for account, amount in mrr.items()
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def frozen(lake: Lake) -> list[tuple[date, str, Decimal]]:
    rows = lake.read(closes.SOURCE, closes.TABLE, "select * from t order by month, account_id")
    return [(r["month"], r["account_id"], r["closing_mrr_usd"]) for r in rows.to_pylist()]


def test_a_month_is_closed_once_whatever_is_known_later(lake: Lake) -> None:
    assert closes.closed_months(lake) == {}
    assert closes.close_month(lake, figures(MAY, date(2024, 6, 5), b=7, a=100)) == 2
    assert closes.close_month(lake, figures(MAY, date(2024, 6, 6), a=90)) == 0
    assert closes.close_month(lake, figures(JUNE, date(2024, 7, 5), a=90)) == 1
    assert frozen(lake) == [(MAY, "a", 100), (MAY, "b", 7), (JUNE, "a", 90)]
    assert closes.closed_months(lake) == {MAY: date(2024, 6, 5), JUNE: date(2024, 7, 5)}


def test_what_a_killed_close_left_does_not_count_and_is_removed(lake: Lake) -> None:
    remains = lake.table(closes.SOURCE, closes.TABLE) / "1700000000.000001.0.parquet"
    torn = figures(MAY, date(2024, 6, 5), a=1)
    write_parquet(torn.append_column("_dlt_load_id", pa.array(["1700000000.000001"])), remains)
    assert closes.closed_months(lake) == {}
    assert closes.close_month(lake, figures(MAY, date(2024, 6, 5), a=100)) == 1
    assert not remains.exists()
    assert frozen(lake) == [(MAY, "a", 100)]


def test_a_close_is_one_month_on_one_day_with_one_row_an_account(lake: Lake) -> None:
    june = figures(JUNE, date(2024, 7, 5), a=1)
    with pytest.raises(ValueError, match=r"2024-05-31.*2024-06-30"):
        closes.close_month(lake, pa.concat_tables([june, figures(MAY, date(2024, 7, 5), a=1)]))
    with pytest.raises(ValueError, match="one month on one day"):
        closes.close_month(lake, pa.concat_tables([june, figures(JUNE, date(2024, 7, 6), b=1)]))
    with pytest.raises(ValueError, match="one month on one day"):
        closes.close_month(lake, june.slice(0, 0))
    with pytest.raises(ValueError, match="one row an account"):
        closes.close_month(lake, pa.concat_tables([june, june]))
    assert frozen(lake) == []
