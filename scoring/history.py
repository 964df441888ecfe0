"""Tables of scores in the lake: append-only, idempotent, complete or invisible.

Belongs here: the tables' columns on disk, the load marker, what has been scored already.
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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from scoring.errors import FrameError

_TEXT, _NUMBER, _DAY, _FLAG = pa.string(), pa.float64(), pa.date32(), pa.bool_()
_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Table:
    """A table of the lake's `scores` folder.

    Attributes:
        name: its folder.
        key: columns that are appended once; `as_of`, the day that the row is knowledge of, is one.
        types: what rows are given with, in the order on disk; `scored_at` among it.
    """

    name: str
    key: tuple[str, ...]
    types: Mapping[str, pa.DataType]

    @property
    def columns(self) -> list[str]:
        """Columns that rows are given with."""
        return list(self.types)

    @property
    def schema(self) -> pa.Schema:
        """Columns on disk: those given, the load, and the end of the day scored."""
        return pa.schema([*self.types.items(), ("_dlt_load_id", _TEXT), ("_version_at", _INSTANT)])


KEY = ("head", "as_of", "account_id", "is_backfill")
CHURN_SCORES = Table(
    "churn_score_history",
    KEY,
    {
        "head": _TEXT,
        "model_version": _TEXT,
        "as_of": _DAY,
        "account_id": _TEXT,
        "p_raw": _NUMBER,
        "p": _NUMBER,
        "p_low": _NUMBER,
        "p_high": _NUMBER,
        "logit": _NUMBER,
        "base_logit": _NUMBER,
        "band": _TEXT,
        "band_version": _TEXT,
        "percentile": _NUMBER,
        "months_to_renewal": _NUMBER,
        "arr_usd": _NUMBER,
        "reasons": _TEXT,
        "contributions": _TEXT,
        "serves": _TEXT,
        "is_backfill": _FLAG,
        "training_cutoff_on": _DAY,
        "scored_at": _INSTANT,
        "run_id": _TEXT,
    },
)
ARR_MULTIPLES = Table(
    "arr_multiple_history",
    KEY,
    {
        "head": _TEXT,
        "model_version": _TEXT,
        "as_of": _DAY,
        "account_id": _TEXT,
        "multiple": _NUMBER,
        "low": _NUMBER,
        "high": _NUMBER,
        "serves": _TEXT,
        "is_backfill": _FLAG,
        "training_cutoff_on": _DAY,
        "scored_at": _INSTANT,
        "run_id": _TEXT,
    },
)


def append(lake_dir: Path, rows: pd.DataFrame, table: Table = CHURN_SCORES) -> int:
    """Append the rows whose key is not there yet.

    One writer at a time, as for every source of the lake.

    Args:
        lake_dir: the lake; scores land in its `scores` folder.
        rows: with the table's columns, as `scoring.score` returns them.
        table: which one.

    Returns:
        Rows appended; 0 leaves no file behind.

    Raises:
        FrameError: a column is missing, or a key repeats within ``rows``.
    """
    missing = [c for c in table.columns if c not in rows.columns]
    if missing:
        raise FrameError(f"{table.name}: rows lack columns: {', '.join(missing)}")
    if rows.duplicated(list(table.key)).any():
        raise FrameError(f"{table.name}: rows repeat a key ({', '.join(table.key)})")
    ensure_anchor(lake_dir, table)
    fresh = _without_known(lake_dir, rows, table)
    if fresh.empty:
        return 0
    fresh = fresh.sort_values(list(table.key), kind="stable").reset_index(drop=True)
    load_id = _load_id(fresh, table)
    # Scores of a day are knowledge of that day, though the run happens the morning after.
    end_of_day = pd.to_datetime(fresh["as_of"]) + pd.Timedelta(days=1) - pd.Timedelta(1, "us")
    landed = fresh[table.columns].assign(
        _dlt_load_id=load_id, _version_at=end_of_day.dt.tz_localize("UTC")
    )
    for column, kind in table.types.items():
        if kind == _DAY:
            landed[column] = pd.to_datetime(landed[column]).dt.date
    written = pa.Table.from_pandas(landed, schema=table.schema, preserve_index=False)
    written = written.replace_schema_metadata(None)
    folder = lake_dir / "scores" / table.name
    _write_table(folder / f"{load_id}.0.parquet", written)
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


def read(
    lake_dir: Path, columns: Iterable[str] | None = None, table: Table = CHURN_SCORES
) -> pd.DataFrame:
    """Rows of finished loads, sorted by key.

    Args:
        lake_dir: the lake.
        columns: to read; default all.
        table: which one.
    """
    schema = table.schema
    wanted = list(columns) if columns is not None else schema.names
    folder = lake_dir / "scores" / table.name
    finished = _finished(lake_dir)
    paths = sorted(p for p in folder.glob("*.parquet") if p.name[: -len(".0.parquet")] in finished)
    parts = [pq.read_table(path, columns=wanted, partitioning=None) for path in paths]
    empty = schema.empty_table().select(wanted)
    rows: pd.DataFrame = pa.concat_tables([empty, *parts]).to_pandas()
    order = [c for c in table.key if c in rows.columns]
    return rows.sort_values(order, kind="stable").reset_index(drop=True) if order else rows


def scored_days(lake_dir: Path, head: str, *, is_backfill: bool | None = None) -> list[dt.date]:
    """Days that hold scores of a head, oldest first; live, backfilled or (None) either."""
    rows = read(lake_dir, KEY)
    rows = rows[rows["head"] == head]
    if is_backfill is not None:
        rows = rows[rows["is_backfill"] == is_backfill]
    return sorted(set(rows["as_of"]))


def ensure_anchor(lake_dir: Path, table: Table = CHURN_SCORES) -> None:
    """A zero-row file with the declared types, so that a reader finds an empty table."""
    path = lake_dir / "scores" / table.name / "_anchor.parquet"
    if not path.exists():
        _write_table(path, table.schema.empty_table())
    (lake_dir / "scores" / "_dlt_loads").mkdir(parents=True, exist_ok=True)


def _without_known(lake_dir: Path, rows: pd.DataFrame, table: Table) -> pd.DataFrame:
    """The rows whose key no finished load holds."""
    known = set(_keys(read(lake_dir, table.key, table), table))
    return rows[[key not in known for key in _keys(rows, table)]]


def _keys(rows: pd.DataFrame, table: Table) -> list[tuple[str | bool, ...]]:
    """Comparable keys, whatever the types of the columns; days as text, flags as flags."""
    columns: list[list[str | bool]] = []
    for column in table.key:
        kind = table.types[column]
        if kind == _DAY:
            columns.append(list(pd.to_datetime(rows[column]).dt.strftime("%Y-%m-%d")))
        elif kind == _FLAG:
            columns.append([bool(v) for v in rows[column]])
        else:
            columns.append([str(v) for v in rows[column]])
    return list(zip(*columns, strict=True))


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


def _load_id(rows: pd.DataFrame, table: Table) -> str:
    """Newest day scored, then a hash of the keys in digits: sortable, and equal for equal rows.

    The tables share their markers, so the hash is of the table as well.
    """
    text = json.dumps([table.name, _keys(rows, table)])
    digest = int(hashlib.sha256(text.encode()).hexdigest()[:12], 16)
    return f"{pd.to_datetime(rows['as_of']).max():%Y%m%d}.{digest:015d}"


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
