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
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import drift, rejects, rows
from ingestion.known import Known
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.schemas.model import LOAD_ID, VERSION_AT, Table, Type
from ingestion.windows import INCREMENT, Window

SUFFIXES = (".csv", ".parquet")
UPDATED = "updated_at"
# A few unreadable rows are a slip of the hand and wait among the rejects; more is a broken file.
BROKEN_SHARE = 0.05
BROKEN_ALWAYS_FINE = 10
_KINDS_READ = 500
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
            with batch.or_block():
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
    content = _content(source)
    batch.watch.fields(table, content.kinds(table), _sources(table))
    records = list(_records(source, content, report))
    broken = [_unreadable(source, line) for line in content.broken]
    if len(broken) > BROKEN_SHARE * len(records) + BROKEN_ALWAYS_FINE:
        raise FileError(
            f"{source.name}: not loaded, {len(broken)} rows cannot be read; {broken[0].message} "
            f"{broken[0].remedy}"
        )
    for record in records:
        record["_version_at"] = record.get(UPDATED) or changed_at
        if "_source_file" in table.by_name:
            record["_source_file"] = source.name
            record["_deleted"] = False
    batch.add_rejects(table.name, broken)
    once, repeated = _unique(table, records)
    batch.add_rejects(table.name, repeated)
    with Known(lake, table) as known:
        fresh = batch.take(table, once, known=known)
        if "_deleted" in table.by_name and broken:
            # Which row is unreadable is not known, so none counts as removed.
            report.note(
                f"{source.name}: {len(broken)} rows cannot be read; until they are corrected, no "
                "row of this file counts as removed."
            )
        elif "_deleted" in table.by_name:
            origin = "origin = '" + source.name.replace("'", "''") + "'"
            gone = known.missing_from(_keys_present(table, records), origin)
            batch.add_made(table.name, _tombstones(lake, table, gone, changed_at))
            report.table(table.name).deletes += len(gone)
    batch.add_window(
        Window(table.name, INCREMENT, source.name, mark, is_last=True, rows=fresh.num_rows)
    )


def _keys_present(table: Table, records: Sequence[dict[str, Any]]) -> pa.Table:
    """Keys still present, those of rejected rows included where they can be read."""
    columns = tuple(replace(table.by_name[k], required=False, is_past=False) for k in table.key)
    keys = Table(table.source, table.name, "", table.key, columns, False)
    present, _ = rows.build(keys, [{k: r.get(k) for k in table.key} for r in records])
    return present


def _unique(
    table: Table, records: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[rejects.Reject]]:
    """The first sound row of each key and version; the later ones are rejects."""
    together: dict[tuple[str, ...], list[int]] = {}
    for i, record in enumerate(records):
        key = tuple(str(record.get(k) or "").strip() for k in (*table.key, VERSION_AT.name))
        together.setdefault(key, []).append(i)
    bad: dict[int, rejects.Reject] = {}
    for same in together.values():
        if len(same) == 1:
            continue
        # A faulty row keeps its own fault; the first sound one stands for the others.
        whole = [i for i in same if rows.build(table, [records[i]])[0].num_rows]
        for i in whole[1:]:
            bad[i] = rejects.reject(
                table,
                records[i],
                "unique_key",
                table.key[0],
                f"{', '.join(table.key)} is there twice in "
                f"{records[i].get('_source_file', 'the file')}.",
                "Keep one of the rows.",
            )
    return [r for i, r in enumerate(records) if i not in bad], list(bad.values())


def _unreadable(source: Source, row: _BrokenRow) -> rejects.Reject:
    """A reject of a row whose cells do not fit the header."""
    return rejects.reject(
        source.table,
        {"line": row.text, "_row": row.number, "_source_file": source.name}
        | dict.fromkeys(source.table.key, f"{source.name}#{row.number}"),
        "cells",
        "",
        f"{source.name}: row {row.number} has {row.cells} cells and the header {row.expected}.",
        "Put cells that contain the separator in quotes.",
    )


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


@dataclass(frozen=True)
class _BrokenRow:
    number: int
    cells: int
    expected: int
    text: str


@dataclass(frozen=True)
class _Content:
    """What a file holds: rows by number, rows that cannot be read, and types if it has any."""

    names: list[str]
    rows: list[tuple[int, dict[str, Any]]]
    broken: list[_BrokenRow]
    types: dict[str, str]

    def kinds(self, table: Table) -> dict[str, frozenset[str]]:
        """Kinds of the fields; text says nothing of its own, so only typed columns are read."""
        found: dict[str, frozenset[str]] = {}
        for name in self.names:
            column = table.by_name.get(name)
            if self.types:
                found[name] = frozenset({self.types[name]})
            elif column is None or column.type in (Type.TEXT, Type.JSON):
                found[name] = frozenset()
            else:
                filled = (r[name] for _, r in self.rows if r[name] is not None)
                some = Counter(drift.written_kind(str(v)) for v in islice(filled, _KINDS_READ))
                kind, count = some.most_common(1)[0] if some else ("", 0)
                # A slip of the hand in one row is no other type.
                is_telling = count >= drift.UNREADABLE and count > some.total() / 2
                found[name] = frozenset({kind} if is_telling else ())
        return found


def _sources(table: Table) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in table.by_name if name not in {*_MADE_HERE, "known_at"}}


def _records(source: Source, content: _Content, report: LoadReport) -> Iterator[dict[str, Any]]:
    known = set(source.table.by_name) - _MADE_HERE
    extra = sorted(set(content.names) - known - {UPDATED, "known_at"})
    if extra:
        report.note(f"{source.name}: column {', '.join(extra)} is not loaded; no table has it.")
    for number, record in content.rows:
        row = {k: v for k, v in record.items() if k in known or k == UPDATED}
        if "_row" in source.table.by_name:
            row["_row"] = number
        yield row


def _content(source: Source) -> _Content:
    return _parquet(source) if source.path.suffix == ".parquet" else _csv(source)


def _parquet(source: Source) -> _Content:
    try:
        table = pq.read_table(source.path)
    except (pa.ArrowInvalid, OSError) as error:
        raise FileError(f"{source.name}: not loaded, it is no whole Parquet file.") from error
    types = {f.name: drift.arrow_kind(f.type) for f in table.schema}
    return _Content(table.column_names, list(enumerate(table.to_pylist(), start=1)), [], types)


def _csv(source: Source) -> _Content:
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
    found: list[tuple[int, dict[str, Any]]] = []
    broken: list[_BrokenRow] = []
    number = 1
    try:
        for number, cells in enumerate(reader, start=2):
            if not any(cells):
                continue
            if len(cells) != len(names):
                joined = separator.join(cells)
                broken.append(_BrokenRow(number, len(cells), len(names), joined))
                continue
            found.append(
                (number, {n: (c if c.strip() else None) for n, c in zip(names, cells, strict=True)})
            )
    except csv.Error as error:
        raise FileError(
            f"{source.name}: not loaded, row {number + 1} cannot be read ({error}). Correct its "
            "quotes."
        ) from error
    return _Content(names, found, broken, {})


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
