"""`churn_score_history` in the lake: append-only, idempotent, complete or invisible.

Belongs here: the table's columns on disk, the load marker, what has been scored already.
Must not: computing scores; SQL.

A load is one Parquet file and, written last, one line in `_dlt_loads/<load_id>.jsonl`. A file
without its marker is a crash's remains: readers ignore it, and the next append replaces it, because
a load's name is made of the rows it holds.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.errors import FrameError
from scoring.scorer import COLUMNS

TABLE = "churn_score_history"
KEY = ("head", "as_of", "account_id", "is_backfill")
SCHEMA = pa.schema(
    [
        ("head", pa.string()),
        ("model_version", pa.string()),
        ("as_of", pa.date32()),
        ("account_id", pa.string()),
        ("p_raw", pa.float64()),
        ("p", pa.float64()),
        ("p_low", pa.float64()),
        ("p_high", pa.float64()),
        ("logit", pa.float64()),
        ("base_logit", pa.float64()),
        ("band", pa.string()),
        ("band_version", pa.string()),
        ("percentile", pa.float64()),
        ("months_to_renewal", pa.float64()),
        ("arr_usd", pa.float64()),
        ("reasons", pa.string()),
        ("contributions", pa.string()),
        ("serves", pa.string()),
        ("is_backfill", pa.bool_()),
        ("training_cutoff_on", pa.date32()),
        ("scored_at", pa.timestamp("us", tz="UTC")),
        ("run_id", pa.string()),
        ("_dlt_load_id", pa.string()),
        ("_version_at", pa.timestamp("us", tz="UTC")),
    ]
)


def append(lake_dir: Path, rows: pd.DataFrame) -> int:
    """Append the rows whose key is not there yet.

    One writer at a time, as for every source of the lake.

    Args:
        lake_dir: the lake; scores land in its `scores` folder.
        rows: as `scoring.score` returns them.

    Returns:
        Rows appended; 0 leaves no file behind.

    Raises:
        FrameError: a column is missing, or a key repeats within ``rows``.
    """
    missing = [c for c in COLUMNS if c not in rows.columns]
    if missing:
        raise FrameError(f"scores lack columns: {', '.join(missing)}")
    if rows.duplicated(list(KEY)).any():
        raise FrameError("scores repeat a key (head, as_of, account_id, is_backfill)")
    ensure_anchor(lake_dir)
    fresh = _without_known(lake_dir, rows)
    if fresh.empty:
        return 0
    fresh = fresh.sort_values(list(KEY), kind="stable").reset_index(drop=True)
    load_id = _load_id(fresh)
    # Scores of a day are knowledge of that day, though the run happens the morning after.
    end_of_day = pd.to_datetime(fresh["as_of"]) + pd.Timedelta(days=1) - pd.Timedelta(1, "us")
    landed = fresh[list(COLUMNS)].assign(
        _dlt_load_id=load_id, _version_at=end_of_day.dt.tz_localize("UTC")
    )
    for column in ("as_of", "training_cutoff_on"):
        landed[column] = pd.to_datetime(landed[column]).dt.date
    table = pa.Table.from_pandas(landed, schema=SCHEMA, preserve_index=False)
    table = table.replace_schema_metadata(None)
    folder = lake_dir / "scores" / TABLE
    _write_table(folder / f"{load_id}.0.parquet", table)
    marker = {
        "load_id": load_id,
        "schema_name": "scores",
        "status": 0,
        "inserted_at": fresh["scored_at"].max().isoformat(),
    }
    _write_bytes(
        lake_dir / "scores" / "_dlt_loads" / f"{load_id}.jsonl",
        (json.dumps(marker) + "\n").encode(),
    )
    return len(fresh)


def read(lake_dir: Path, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """Rows of finished loads, sorted by key.

    Args:
        lake_dir: the lake.
        columns: to read; default all.
    """
    wanted = list(columns) if columns is not None else SCHEMA.names
    folder = lake_dir / "scores" / TABLE
    finished = _finished(lake_dir)
    paths = sorted(p for p in folder.glob("*.parquet") if p.name[: -len(".0.parquet")] in finished)
    parts = [pq.read_table(path, columns=wanted, partitioning=None) for path in paths]
    empty = SCHEMA.empty_table().select(wanted)
    rows: pd.DataFrame = pa.concat_tables([empty, *parts]).to_pandas()
    order = [c for c in KEY if c in rows.columns]
    return rows.sort_values(order, kind="stable").reset_index(drop=True) if order else rows


def scored_days(lake_dir: Path, head: str, *, is_backfill: bool | None = None) -> list[dt.date]:
    """Days that hold scores of a head, oldest first; live, backfilled or (None) either."""
    rows = read(lake_dir, KEY)
    rows = rows[rows["head"] == head]
    if is_backfill is not None:
        rows = rows[rows["is_backfill"] == is_backfill]
    return sorted(set(rows["as_of"]))


def ensure_anchor(lake_dir: Path) -> None:
    """A zero-row file with the declared types, so that a reader finds an empty table."""
    path = lake_dir / "scores" / TABLE / "_anchor.parquet"
    if not path.exists():
        _write_table(path, SCHEMA.empty_table())
    (lake_dir / "scores" / "_dlt_loads").mkdir(parents=True, exist_ok=True)


def _without_known(lake_dir: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows whose key no finished load holds."""
    known = set(_keys(read(lake_dir, KEY)))
    return rows[[key not in known for key in _keys(rows)]]


def _keys(rows: pd.DataFrame) -> list[tuple[str, str, str, bool]]:
    """Comparable keys, whatever the type of the day's column."""
    days = pd.to_datetime(rows["as_of"]).dt.strftime("%Y-%m-%d")
    columns = (rows["head"], days, rows["account_id"].astype("str"), rows["is_backfill"])
    return [(str(h), str(d), str(a), bool(b)) for h, d, a, b in zip(*columns, strict=True)]


def _finished(lake_dir: Path) -> set[str]:
    """Load ids whose marker says status 0; a torn marker is no marker."""
    done: set[str] = set()
    for path in sorted((lake_dir / "scores" / "_dlt_loads").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except json.JSONDecodeError:
                continue
            if record.get("status") == 0:
                done.add(str(record["load_id"]))
    return done


def _load_id(rows: pd.DataFrame) -> str:
    """Newest day scored, then a hash of the keys in digits: sortable, and equal for equal rows."""
    keys = _keys(rows)
    digest = int(hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:12], 16)
    return f"{max(k[1] for k in keys).replace('-', '')}.{digest:015d}"


def _write_table(path: Path, table: pa.Table) -> None:
    """Parquet beside its place, then renamed into it."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    _write_bytes(path, sink.getvalue().to_pybytes())


def _write_bytes(path: Path, content: bytes) -> None:
    """Durable and atomic: readers see the whole file or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")
    with aside.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
