"""The shape of delivered event files: their fields, looked at before they are read.

Belongs here: what a file is, which fields it has, and whether they are those that events need. Must
not be here: reading whole files (see `event_files`).

Footers of Parquet files and the first lines of others tell enough: the cost must not grow with the
events.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import drift, schemas
from ingestion.drift import DriftBlocked, Watch
from ingestion.reports import LoadReport
from ingestion.usage import event_columns

KINDS = {
    ".parquet": "parquet",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".csv": "csv",
}
# How much a file of a kind unpacks to.
_WEIGHTS = {".parquet": 6, ".gz": 9, ".zst": 9}
_LINES = 200
_ROWS = 50
_LINE_BYTES = 1 << 20


@dataclass(frozen=True)
class EventFile:
    """A delivered file.

    Attributes:
        path: where it lies.
        name: path below the configured place.
        size: bytes.
        mtime_ns: when it was last written.
        sha256: checksum promised by a manifest or computed; empty until known.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int
    sha256: str = ""

    @property
    def kind(self) -> str:
        """parquet, json or csv."""
        suffixes = [s for s in self.path.suffixes if s not in (".gz", ".zst")]
        return KINDS[suffixes[-1]]

    @property
    def weight(self) -> int:
        """Bytes once unpacked, roughly."""
        return self.size * _WEIGHTS.get(self.path.suffix, 1)


def sound(
    files: Sequence[EventFile],
    candidates: Mapping[str, tuple[str, ...]],
    watch: Watch,
    report: LoadReport,
) -> list[EventFile]:
    """Files whose fields are those that events need; the others wait and are named."""
    table = schemas.table("usage", "events")
    kept = []
    waiting: dict[str, list[str]] = {}
    for file in files:
        fields = _fields(file, candidates)
        lower = {name.lower(): name for name in fields}
        # Fields that may stand within another one are looked for in the sample only.
        sources = {
            column: tuple(lower.get(n.lower(), n) for n in names)
            for column, names in candidates.items()
            if column not in ("sent_at", "received_at")
        }
        try:
            watch.fields(table, fields, sources)
        except DriftBlocked as error:
            for change in error.changes:
                waiting.setdefault(change.sentence(), []).append(file.name)
        else:
            kept.append(file)
    _block(waiting, report)
    return kept


def unreadable(
    con: duckdb.DuckDBPyConnection,
    candidates: Mapping[str, tuple[str, ...]],
    watch: Watch,
    report: LoadReport,
) -> set[str]:
    """Takes files out of `staged` whose instants can no longer be read; returns their names."""
    table = schemas.table("usage", "events")
    found = con.execute(
        """
        select source_file, count(*) filter (where broken = 'event_at') as unread, count(*) as n
        from staged group by 1 having unread > n / 2 order by 1
        """
    ).fetchall()
    names: set[str] = set()
    waiting: dict[str, list[str]] = {}
    for name, count, total in found:
        try:
            watch.unreadable_counts(
                table,
                {"event_at": count},
                {"event_at": total},
                {"event_at": candidates["event_at"]},
            )
        except DriftBlocked as error:
            names.add(name)
            for change in error.changes:
                waiting.setdefault(change.sentence(), []).append(name)
    _block(waiting, report)
    for name in names:
        con.execute("delete from staged where source_file = ?", [name])
    return names


def _block(waiting: Mapping[str, list[str]], report: LoadReport) -> None:
    for sentence, names in waiting.items():
        others = f" and {len(names) - 1} other files" if len(names) > 1 else ""
        report.block(f"{names[0]}{others}: not loaded. {sentence}")


def _fields(file: EventFile, candidates: Mapping[str, tuple[str, ...]]) -> drift.Kinds:
    try:
        if file.kind == "parquet":
            found = _of_parquet(file.path)
        elif file.kind == "csv":
            found = _of_csv(file.path)
        else:
            found = dict(drift.kinds_of(_lines(file.path)))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, pa.ArrowInvalid):
        return {}  # no whole file; reading it says so
    instants = {name.lower() for column in event_columns.INSTANTS for name in candidates[column]}
    for name, kinds in found.items():
        if name in event_columns.JSON_COLUMNS:
            # One tool's export has an object here, another one's the same object as text.
            found[name] = frozenset({drift.OBJECT})
        elif name.lower() not in instants:
            found[name] = frozenset(k for k in kinds if k != drift.INSTANT)
    return found


def _of_parquet(path: Path) -> dict[str, frozenset[str]]:
    with pq.ParquetFile(path) as file:
        found = {f.name: frozenset({drift.arrow_kind(f.type)}) for f in file.schema_arrow}
        nested = [n for n in event_columns.JSON_COLUMNS if n in found]
        if nested:
            rows = next(file.iter_batches(_ROWS, columns=nested), None)
            some = rows.to_pylist() if rows is not None else []
            found.update(drift.kinds_of(values_within(row) for row in some))
    return found


def _of_csv(path: Path) -> dict[str, frozenset[str]]:
    with _opened(path) as handle:
        reader = csv.DictReader(handle)
        found: dict[str, set[str]] = {name: set() for name in reader.fieldnames or []}
        for row in islice(reader, _LINES):
            for name, value in row.items():
                if name in found and value:
                    kind = drift.written_kind(value)
                    found[name] |= {kind} if kind == drift.INSTANT else set()
    return {name: frozenset(kinds) for name, kinds in found.items()}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with _opened(path) as handle:
        for line in islice(handle, _LINES):
            try:
                value = orjson.loads(line[:_LINE_BYTES])
            except orjson.JSONDecodeError:
                continue
            if isinstance(value, dict):
                yield {k: _parsed(v) for k, v in value.items()} | values_within(value)


def _parsed(value: Any) -> Any:
    """Text that is an instant as one, so that all formats say the same."""
    if isinstance(value, str) and drift.written_kind(value) == drift.INSTANT:
        return datetime.fromisoformat(value)
    return value


def values_within(row: Mapping[str, Any]) -> dict[str, Any]:
    """Fields inside the nested ones, dotted: those that may fill a column, and nested ones.

    What else a sender writes into them is the sender's business.
    """
    asked = {name for names in event_columns.CANDIDATES.values() for name in names}
    found: dict[str, Any] = {}
    for name in event_columns.JSON_COLUMNS:
        value = row.get(name)
        if isinstance(value, str):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError:
                continue
        if isinstance(value, dict):
            for key, inner in value.items():
                dotted = f"{name}.{key}"
                if dotted in asked or isinstance(inner, dict | list):
                    found[dotted] = inner
    return found


def _opened(path: Path) -> io.TextIOBase:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="replace")
    if path.suffix == ".zst":
        import pyarrow

        stream = pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")
        return io.TextIOWrapper(stream, "utf-8", errors="replace")
    return path.open(encoding="utf-8", errors="replace")
