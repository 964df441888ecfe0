"""A load in numbers: one row a table, computed by DuckDB from the load's own files.

Belongs here: measures that the expectations speak about. Must not be here: thresholds (see
`suites`).

The gate looks at this frame, not at the rows: its cost must not grow with a hundred million events.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ingestion import rejects, schemas
from ingestion.lake import Lake
from ingestion.schemas.model import Column, Table


def of_loads(lake: Lake, source: str, load_ids: Sequence[str]) -> pd.DataFrame:
    """Measures of the tables that these loads touched.

    Returns:
        One row a table: table_name, rows, missing_keys, repeated_keys, missing_versions,
        future_rows, bad_currencies, unknown_words, rejects, reject_share.
    """
    rejected = _rejected(lake, source, load_ids)
    found = []
    for table in schemas.landed_tables():
        if table.source != source:
            continue
        bad = rejected.get(table.name, 0)
        has_files = bool(lake.files(source, table.name, loads=load_ids))
        if not has_files and not bad:
            continue
        row = lake.read(source, table.name, _query(table), loads=load_ids).to_pylist()[0]
        count = int(row["rows"])
        share = bad / (bad + count) if bad else 0.0
        found.append({"table_name": table.name, **row, "rejects": bad, "reject_share": share})
    return pd.DataFrame(found)


def _query(table: Table) -> str:
    key = [f'"{k}"' for k in table.key]
    version = ["_version_at"] if table.is_versioned else []
    # Hashes keep the count of distinct keys small in memory; ten million collide about never.
    identity = f"hash({', '.join([*key, *version, '_dlt_load_id'])})"
    missing = " or ".join(f"{k} is null" for k in key)
    instants = [
        c.name
        for c in table.columns
        if c.name in ("_version_at", "received_at", "created", "created_date", "system_modstamp")
    ]
    future = " or ".join(f'"{c}" > now() + interval 2 days' for c in instants) or "false"
    currencies = [c.name for c in table.columns if c.name in ("currency", "currency_iso_code")]
    bad_currency = (
        " or ".join(f"not regexp_full_match({c}, '[A-Za-z]{{3}}')" for c in currencies) or "false"
    )
    # Words that decide have blocked before; the others are news, not errors.
    unknown = " or ".join(_unknown(c) for c in table.fields if c.words) or "false"
    versionless = "_version_at is null" if table.is_versioned else "false"
    return f"""
        select count(*) as rows,
            count(*) filter (where {missing}) as missing_keys,
            count(*) - count(distinct {identity}) as repeated_keys,
            count(*) filter (where {versionless}) as missing_versions,
            count(*) filter (where {future}) as future_rows,
            count(*) filter (where {bad_currency}) as bad_currencies,
            count(*) filter (where {unknown}) as unknown_words
        from t
    """


def _unknown(column: Column) -> str:
    listed = ", ".join("'" + w.replace("'", "''") + "'" for w in column.words)
    return f'"{column.name}" not in ({listed})'


def _rejected(lake: Lake, source: str, load_ids: Sequence[str]) -> dict[str, int]:
    rows = lake.read(source, rejects.NAME, loads=load_ids)
    counts: dict[str, int] = {}
    if rows.num_rows:
        for name in rows["table_name"].to_pylist():
            counts[name] = counts.get(name, 0) + 1
    return counts
