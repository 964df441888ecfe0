"""A row taken out of a sheet of the desk is gone from that day on, and was there before."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from ingestion import schemas
from ingestion.lake import Lake, ensure_anchors, finish_load, write_parquet
from tests.warehouse import Warehouse

PARTS = (
    "staging/lake",
    "staging/desk/_desk__sources.yml",
    "staging/desk/stg_desk__risk_assessments.sql",
    "inputs/desk/input_risk_assessments.sql",
)
FOUND = "select risk_assessment_id, sign_today_share from inputs.input_risk_assessments order by 1"


def version(key: str, share: float, seen: datetime, *, deleted: bool = False) -> dict[str, object]:
    """One version of an assessment of the first of March."""
    return {
        "risk_assessment_id": key, "account_id": "001A", "employee_id": "005A",
        "assessed_on": date(2024, 3, 1), "sign_today_share": share, "_row": 2,
        "_source_file": "risk_assessments.csv", "_deleted": deleted, "_version_at": seen,
    }  # fmt: skip


def land(lake: Lake, load_id: str, rows: list[dict[str, object]]) -> None:
    """Lands versions as the loader of the desk does."""
    schema = schemas.table("desk", "risk_assessments").arrow_schema
    stamped = [{**row, "_dlt_load_id": load_id} for row in rows]
    write_parquet(
        pa.Table.from_pylist(stamped, schema=schema),
        lake.table("desk", "risk_assessments") / f"{load_id}.parquet",
    )
    finish_load(lake, "desk", load_id)


def test_a_removed_row_is_there_until_the_day_of_its_removal(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path, PARTS)
    lake = Lake(warehouse.lake, tmp_path)
    ensure_anchors(lake)
    first, later, last = (datetime(2024, 3, day, 9, tzinfo=UTC) for day in (2, 10, 20))
    land(lake, "1", [version("R1", 0.3, first), version("R2", 0.8, first)])
    land(lake, "2", [version("R1", 0.3, later, deleted=True)])
    land(lake, "3", [version("R1", 0.6, last), version("R2", 0.8, last, deleted=True)])

    states = {}
    for day in ("2024-03-05", "2024-03-10", "2024-03-20"):
        warehouse.build("+input_risk_assessments", day)
        states[day] = warehouse.rows(FOUND)
    assert states == {
        "2024-03-05": [("R1", 0.3), ("R2", 0.8)],
        "2024-03-10": [("R2", 0.8)],
        "2024-03-20": [("R1", 0.6)],
    }
