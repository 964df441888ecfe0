"""The page of the data's quality: everything the gate said, nothing from elsewhere."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from publishing.quality_page import page

AS_OF = date(2026, 1, 31)


def result(table: str, expectation: str, *, passed: bool = True, **more: Any) -> dict[str, Any]:
    return {
        "source": "crm",
        "table_name": table,
        "expectation": expectation,
        "is_blocking": True,
        "passed": passed,
        "observed": 0.0 if passed else 17.0,
        "rows": 1234,
        "message": "every row has its key" if passed else "17 rows lack <a key>. Read it anew.",
        "load_ids": "1",
        "checked_at": datetime(2026, 1, 31, 2, 0, tzinfo=UTC),
        "_dlt_load_id": "1",
    } | more


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    file = tmp_path / "tenure.duckdb"
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            """
            create schema operations;
            create table operations.freshness as
                select 'crm' as source_name, 'contacts' as table_name,
                    date '2026-01-01' as newest_known_on, 30 as lag_days, 7 as expected_lag_days,
                    true as is_stale, true as has_facts;
            create table operations.rejects as
                select 'crm' as source_name, 'contacts' as table_name, 'email' as field,
                    'no_key' as rule, 'give it a key' as remedy, i = 0 as is_replayed
                from range(4) t(i);
            create table operations.data_gaps as select 'duplicate_contact' as gap_type;
            """
        )
    return file


def lake(tmp_path: Path, *rows: dict[str, Any]) -> Path:
    folder = tmp_path / "lake" / "quality" / "results"
    folder.mkdir(parents=True)
    for number, row in enumerate(rows):
        pq.write_table(pa.Table.from_pylist([row]), folder / f"{number}.parquet")
    return tmp_path / "lake"


def test_failures_come_first_with_their_remedy(tmp_path: Path, warehouse: Path) -> None:
    kept = lake(
        tmp_path,
        result("accounts", "missing_keys"),
        result("contacts", "missing_keys", passed=False),
        result("contacts", "future_rows", passed=False, is_blocking=False),
    )
    text = page(kept, warehouse, AS_OF)
    assert "3 expectations about 2 tables" in text
    assert "2 do not hold" in text
    assert "17 rows lack &lt;a key&gt;. Read it anew." in text
    assert text.index("fails, blocks") < text.index("Every expectation")
    assert text.index("fails, blocks") < text.index('<span class="warn">fails</span>')
    assert re.findall(r"<td[^>]*>give it a key</td><td[^>]*>(\d+)</td>", text) == ["3"]
    assert "duplicate_contact" in text
    assert "1 table fallen silent" in text


def test_the_newest_check_of_a_table_counts(tmp_path: Path, warehouse: Path) -> None:
    earlier = datetime(2026, 1, 30, 2, 0, tzinfo=UTC)
    word = {"expectation": "accepted", "message": "the owner says so"}
    kept = lake(
        tmp_path,
        result("accounts", "missing_keys", passed=False, checked_at=earlier),
        result("accounts", "missing_keys"),
        result("", "") | word,
    )
    text = page(kept, warehouse, AS_OF)
    assert "0 do not hold" in text
    assert "Every expectation holds." in text
    assert "the owner says so" in text


def test_a_lake_without_results_says_so(tmp_path: Path, warehouse: Path) -> None:
    assert "Nothing has been loaded yet." in page(tmp_path / "none", warehouse, AS_OF)


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path, warehouse: Path) -> None:
    text = page(lake(tmp_path, result("accounts", "missing_keys")), warehouse, AS_OF)
    assert not re.findall(r"(?:src|href|url|@import|<script|http)", text)
