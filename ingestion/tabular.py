"""Files of rows (CSV, Parquet) into landed tables: read, checked, compared with what has landed.

Belongs here: what the success desk and the monthly usage share. Must not be here: which files are
read.

A file is the whole of what it holds: a row that has gone from it lands as deleted, a changed row as
a new version. A file that is gone altogether deletes nothing; it may be a disk that is not mounted.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import rejects, rows
from ingestion.known import Known
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.schemas.model import LOAD_ID, VERSION_AT, Table
from ingestion.windows import INCREMENT, Window

SUFFIXES = (".csv", ".parquet")
UPDATED = "updated_at"
_MADE_HERE = {VERSION_AT.name, LOAD_ID.name, "_row", "_source_file", "_deleted"}


class FileError(Exception):
    """A file that cannot be read as a whole; says which, why, and what to do."""


@dataclass(frozen=True)
class Source:
    """A file of one table.

    Attributes:
        path: where it lies.
        name: its name in the lake and in messages, relative to the configured place.
        table: the table it fills.
    """

    path: Path
    name: str
    table: Table


def load(
    lake: Lake,
    files: Sequence[Source],
    history: Sequence[Window],
    batch: Landing,
    report: LoadReport,
    progress: Callable[[str], None],
) -> None:
    """Lands what is new in the files; a file that cannot be read is named, the others go on."""
    last = {w.generation: w.cursor for w in history if w.generation}
    for source in files:
        mark = _mark(source.path, last.get(source.name, ""))
        if mark == last.get(source.name):
            continue
        try:
            _load_one(lake, source, mark, batch, report)
        except FileError as error:
            report.partial = True
            report.note(str(error))
            continue
        progress(f"{batch.source}: {source.name}")
        if batch.is_due:
            batch.flush()
    batch.flush()


def _load_one(lake: Lake, source: Source, mark: str, batch: Landing, report: LoadReport) -> None:
    table = source.table
    changed_at = datetime.fromtimestamp(source.path.stat().st_mtime, UTC)
    records = list(_records(source, report))
    for record in records:
        record["_version_at"] = record.get(UPDATED) or changed_at
        if "_source_file" in table.by_name:
            record["_source_file"] = source.name
            record["_deleted"] = False
    good, bad = rows.build(table, records)
    good, repeated = _unique(table, good)
    batch.add_rejects(table.name, [*bad, *repeated])
    with Known(lake, table) as known:
        fresh = known.new_only(good)
        batch.add_rows(table.name, fresh)
        if "_deleted" in table.by_name:
            origin = "origin = '" + source.name.replace("'", "''") + "'"
            kept = pa.table({k: _all_keys(table, k, records, good) for k in table.key})
            gone = known.missing_from(kept, origin)
            batch.add_rows(table.name, _tombstones(lake, table, gone, changed_at))
            report.table(table.name).deletes += len(gone)
    batch.add_window(
        Window(table.name, INCREMENT, source.name, mark, is_last=True, rows=fresh.num_rows)
    )


def _all_keys(table: Table, key: str, records: Sequence[Any], good: pa.Table) -> pa.Array:
    """Keys still present: of good rows, and of rejected ones where they can be read."""
    if good.num_rows == len(records):
        return good[key].combine_chunks()
    kind = table.by_name[key].type
    found: list[Any] = []
    for record in records:
        one, _ = rows.build(
            Table(table.source, table.name, "", (key,), (table.by_name[key],), False),
            [{key: record.get(key)}],
        )
        found.append(one[key][0].as_py() if one.num_rows else None)
    return pa.array(found, kind.arrow)


def _unique(table: Table, good: pa.Table) -> tuple[pa.Table, list[rejects.Reject]]:
    """The first row of each key and version; the later ones are rejects."""
    seen: set[tuple[Any, ...]] = set()
    keep: list[bool] = []
    bad: list[rejects.Reject] = []
    keys = good.select([*table.key, VERSION_AT.name]).to_pylist()
    for i, row in enumerate(keys):
        key = tuple(row.values())
        keep.append(key not in seen)
        if key in seen:
            record = good.slice(i, 1).to_pylist()[0]
            named = ", ".join(table.key)
            bad.append(
                rejects.reject(
                    table,
                    record,
                    "unique_key",
                    table.key[0],
                    f"{named} is there twice in {record.get('_source_file', 'the file')}.",
                    "Keep one of the rows.",
                )
            )
        seen.add(key)
    return (good.filter(pa.array(keep)), bad) if bad else (good, [])


def _tombstones(
    lake: Lake, table: Table, keys: Sequence[tuple[Any, ...]], at: datetime
) -> pa.Table:
    if not keys:
        return table.write_schema.empty_table()
    named = ", ".join(f'"{k}"' for k in table.key)
    columns = ", ".join(f'"{n}"' for n in table.write_schema.names)
    newest = lake.read(
        table.source,
        table.name,
        f"""
        select {columns} from (
            select *, row_number() over (
                partition by {named} order by _version_at desc, _dlt_load_id desc
            ) as newness
            from t
        )
        where newness = 1
        """,
    ).cast(table.write_schema)
    gone = set(keys)
    last = [r for r in newest.to_pylist() if tuple(r[k] for k in table.key) in gone]
    for row in last:
        row["_deleted"], row["_version_at"] = True, max(at, row["_version_at"])
    return pa.Table.from_pylist(last, schema=table.write_schema)


# Reading


def _records(source: Source, report: LoadReport) -> Iterator[dict[str, Any]]:
    if source.path.suffix == ".parquet":
        names, found = _parquet(source)
    else:
        names, found = _csv(source)
    known = set(source.table.by_name) - _MADE_HERE
    lacking = [c.name for c in source.table.fields if c.required and c.name in known - set(names)]
    if lacking:
        raise FileError(
            f"{source.name}: not loaded, the column {', '.join(lacking)} is missing. Add it to "
            "the header."
        )
    extra = sorted(set(names) - known - {UPDATED, "known_at"})
    if extra:
        report.note(f"{source.name}: column {', '.join(extra)} is not loaded; no table has it.")
    for number, record in found:
        row = {k: v for k, v in record.items() if k in known or k == UPDATED}
        if "_row" in source.table.by_name:
            row["_row"] = number
        yield row


def _parquet(source: Source) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    try:
        table = pq.read_table(source.path)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileError(f"{source.name}: not loaded, it is no whole Parquet file.") from error
    return table.column_names, enumerate(table.to_pylist(), start=1)


def _csv(source: Source) -> tuple[list[str], Iterator[tuple[int, dict[str, Any]]]]:
    try:
        text = source.path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise FileError(
            f"{source.name}: not loaded, line {line} is not UTF-8. Save the file as UTF-8."
        ) from error
    header = text.split("\n", 1)[0]
    separator = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    names = [n.strip() for n in next(reader, [])]
    if not names or len(set(names)) != len(names):
        raise FileError(
            f"{source.name}: not loaded, its header is empty or names a column twice. Correct row "
            "1."
        )
    return names, _csv_rows(source, reader, names)


def _csv_rows(
    source: Source, reader: Iterator[list[str]], names: list[str]
) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 1
    try:
        for number, cells in enumerate(reader, start=2):
            if not any(cells):
                continue
            if len(cells) != len(names):
                raise FileError(
                    f"{source.name}: not loaded, row {number} has {len(cells)} cells and the "
                    "header "
                    f"{len(names)}. Put cells that contain the separator in quotes."
                )
            yield number, {n: (c if c.strip() else None) for n, c in zip(names, cells, strict=True)}
    except csv.Error as error:
        raise FileError(
            f"{source.name}: not loaded, row {number + 1} cannot be read ({error}). Correct its "
            "quotes."
        ) from error


def _mark(path: Path, last: str) -> str:
    """What tells one content of a file from another; hashed only when its stamp has changed."""
    stat = path.stat()
    if last:
        before = orjson.loads(last)
        if before["size"] == stat.st_size and before["mtime_ns"] == stat.st_mtime_ns:
            return last
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if last and orjson.loads(last)["sha256"] == digest:
        return last
    mark = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": digest}
    return orjson.dumps(mark).decode()
