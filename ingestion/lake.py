"""The lake: where landed files lie, which loads are finished, typed emptiness for what is absent.

Belongs here: paths, finished loads, anchors, reading back, removing what unfinished loads left.
Must not be here: how any vendor is read, or any rewriting of finished loads.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import engine, schemas
from ingestion.schemas import operations
from ingestion.schemas.model import Table

ANCHOR = "_anchor.parquet"
ANCHOR_DAY = "1970-01-01"
LOADS = "_dlt_loads"
FINISHED = 0
_FILE_NAME = re.compile(r"(\d+\.\d+)[.-]")


@dataclass(frozen=True)
class Lake:
    """A lake in a folder.

    Attributes:
        root: the folder, `lake/` of an installation.
        work: scratch space beside it (loader's working folders); safe to delete between runs.
    """

    root: Path
    work: Path

    @classmethod
    def at(cls, home: Path) -> Lake:
        """The lake of an installation whose state lives under `home`."""
        return cls(home / "lake", home / ".dlt-work")

    def source(self, source: str) -> Path:
        """Folder of a source."""
        return self.root / source

    def table(self, source: str, name: str) -> Path:
        """Folder of a table."""
        return self.root / source / name

    def finished_loads(self, source: str) -> set[str]:
        """Ids of the loads that count. A record cut off in writing does not."""
        found: set[str] = set()
        for file in sorted((self.source(source) / LOADS).glob("*.jsonl")):
            for line in file.read_bytes().splitlines():
                try:
                    record = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                if record.get("status") == FINISHED:
                    found.add(str(record["load_id"]))
        return found

    def files(self, source: str, name: str, *, loads: Iterable[str] | None = None) -> list[Path]:
        """Parquet files of a table that belong to finished loads (or to `loads`), in order."""
        wanted = set(loads) if loads is not None else self.finished_loads(source)
        folder = self.table(source, name)
        if not folder.is_dir():
            return []
        return sorted(f for f in folder.rglob("*.parquet") if load_id_of(f) in wanted)

    def read(
        self,
        source: str,
        name: str,
        sql: str = "select * from t",
        *,
        loads: Iterable[str] | None = None,
    ) -> pa.Table:
        """Rows of finished loads through a query over `t`; typed and empty if nothing landed.

        Args:
            source: the source.
            name: the table; one that is not declared is read as it lies.
            sql: query over `t`.
            loads: restrict to these loads.
        """
        files = [str(f) for f in self.files(source, name, loads=loads)]
        with engine.connect() as con:
            declared = schemas.find(source, name)
            if declared is not None:
                # Copied in: filters that joins push down cannot reach into Arrow tables.
                con.register("declared", declared.arrow_schema.empty_table())
                con.execute("create temp table anchor as select * from declared")
            if files:
                con.execute(
                    "create temp view landed as select * from "
                    f"read_parquet({_list(files)}, union_by_name = true, hive_partitioning = true)"
                )
            if declared is not None and files:
                con.execute(
                    "create temp view t as select * from landed "
                    "union all by name select * from anchor"
                )
            elif declared is not None:
                con.execute("create temp view t as select * from anchor")
            elif files:
                con.execute("create temp view t as select * from landed")
            else:
                return pa.table({})
            return con.execute(sql).to_arrow_table()


def ensure_anchors(lake: Lake) -> int:
    """Writes a zero-row file with the declared columns and types for every declared table.

    So a query over a table's folder always finds a file, and an absent source is an empty, typed
    table. A changed declaration rewrites its anchor.

    Returns:
        How many anchors were written.
    """
    written = 0
    for table in (*schemas.landed_tables(), *operations.tables()):
        path = anchor_path(lake, table)
        if path.exists() and pq.read_schema(path).equals(table.arrow_schema):
            continue
        write_parquet(table.arrow_schema.empty_table(), path)
        written += 1
    return written


def anchor_path(lake: Lake, table: Table) -> Path:
    """Where a table's anchor lies."""
    folder = lake.table(table.source, table.name)
    if table.partition is not None:
        folder = folder / f"{table.partition}={ANCHOR_DAY}"
    return folder / ANCHOR


def write_parquet(rows: pa.Table, path: Path, *, dictionary: Sequence[str] | None = None) -> None:
    """Writes a file so that readers see it whole or not at all.

    Args:
        rows: what to write.
        path: where.
        dictionary: columns whose values repeat; all if not given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    encoded = True if dictionary is None else list(dictionary)
    pq.write_table(rows, aside, compression="zstd", use_dictionary=encoded)
    aside.replace(path)


def load_id_of(file: Path) -> str:
    """Load id in a file's name: `<load_id>.<part>.parquet` (dlt) or `<load_id>-<n>.parquet`."""
    found = _FILE_NAME.match(file.name)
    return found.group(1) if found else ""


def new_load_id(lake: Lake, source: str) -> str:
    """A load id as dlt makes them (seconds since the epoch), after all finished ones."""
    newest = max(lake.finished_loads(source), default="0")
    stamp = f"{time.time():017.6f}"
    return max(stamp, f"{float(newest) + 0.000001:017.6f}")


def finish_load(lake: Lake, source: str, load_id: str) -> None:
    """Writes the record that makes a load count, last of all."""
    folder = lake.source(source) / LOADS
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "load_id": load_id,
        "schema_name": source,
        "status": FINISHED,
        "inserted_at": datetime.now(UTC).isoformat(),
        "schema_version_hash": None,
    }
    aside = folder / f".{load_id}.tmp"
    aside.write_bytes(orjson.dumps(record) + b"\n")
    aside.replace(folder / f"{source}__{load_id}.jsonl")


def clean_unfinished(lake: Lake, source: str) -> int:
    """Removes what loads that never finished have left.

    Only to be called by the one process that loads the source.

    Returns:
        How many files were removed.
    """
    finished = lake.finished_loads(source)
    removed = 0
    for record in (lake.source(source) / LOADS).glob("*.jsonl"):
        if not _is_whole(record):
            record.unlink()
            removed += 1
    for table in lake.source(source).glob("*"):
        if not table.is_dir() or table.name.startswith("_dlt"):
            continue
        for file in table.rglob("*"):
            if not file.is_file() or file.name == ANCHOR:
                continue
            is_aside = file.name.startswith(".")
            if is_aside or (file.suffix == ".parquet" and load_id_of(file) not in finished):
                file.unlink()
                removed += 1
    return removed


def _is_whole(record: Path) -> bool:
    try:
        return all(orjson.loads(line) for line in record.read_bytes().splitlines()) and (
            record.stat().st_size > 0
        )
    except orjson.JSONDecodeError:
        return False


def _list(files: Iterable[str]) -> str:
    return "[" + ", ".join("'" + f.replace("'", "''") + "'" for f in files) + "]"
