"""Event files into the lake: columnar from end to end, by DuckDB and Arrow.

A file is known by path, size and checksum; what is listed in the lake has landed. The client's
clock decides nothing but the event's own day, and is corrected by its offset on sending. Files are
taken in batches of bounded size; each batch is one load.

Belongs here: files, batches, reading lines that are broken. Must not be here: names of senders'
fields (see `event_columns`), rules of an event and writing (see `event_landing`), or anything that
needs all events at once.

Deliberately not loaded: IP addresses, user agents and page titles as columns of their own. They
stay in `properties` only where the sender puts them there.
"""

from __future__ import annotations

import csv
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pyarrow as pa

from ingestion import landing, windows
from ingestion.drift import Watch
from ingestion.lake import Lake, finish_load, new_load_id
from ingestion.reports import LoadReport
from ingestion.settings import Settings, UsageSettings
from ingestion.usage import event_columns, event_landing, event_shapes, monthly
from ingestion.usage.event_landing import EVENTS as EVENTS
from ingestion.usage.event_landing import SOURCE
from ingestion.usage.event_shapes import KINDS, EventFile
from ingestion.windows import BACKFILL, INCREMENT, RESET, Window

FILES = "_files"
# Bytes of a batch once unpacked.
BATCH_BYTES = 2_500_000_000
_FILE_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("load_id", pa.string()),
    ]
)


def run(
    settings: Settings,
    lake: Lake,
    *,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
) -> LoadReport:
    """Loads files that have not landed yet, and the monthly usage where configured.

    Args:
        settings: with usage configured.
        lake: where to land.
        run_id: the run's id, kept with rejects and windows.
        as_of: the night's date; all files land, staging selects by `received_at`.
        progress: told a line a batch.

    Raises:
        ValueError: if usage is not configured.
    """
    usage = _configured(settings)
    began = time.monotonic()
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    if usage.events_path is not None:
        with landing.holding(lake, SOURCE):
            files = _fresh(find(usage, report), _landed(lake), report)
            _load(lake, usage, files, INCREMENT, run_id, report, progress, as_of)
    extra = monthly.run(settings, lake, run_id=run_id, as_of=as_of, progress=progress)
    report.load_ids += extra.load_ids
    report.tables |= extra.tables
    report.notes += extra.notes
    report.partial |= extra.partial
    report.changes += extra.changes
    report.blocked += extra.blocked
    report.seconds = time.monotonic() - began
    return report


def backfill(
    settings: Settings,
    lake: Lake,
    *,
    first: date,
    last: date,
    run_id: str,
    progress: Callable[[str], None],
) -> LoadReport:
    """Reads files again that were last written from `first` to `last` (UTC) or name such a day."""
    usage = _configured(settings)
    began = time.monotonic()
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    with landing.holding(lake, SOURCE):
        files = [f for f in find(usage, report) if first <= _day_of(f) <= last]
        _load(lake, usage, files, BACKFILL, run_id, report, progress)
    report.seconds = time.monotonic() - began
    return report


def reset(lake: Lake, *, run_id: str) -> LoadReport:
    """Forgets which files have landed: the next run reads them all."""
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    with landing.holding(lake, SOURCE):
        load_id = new_load_id(lake, SOURCE)
        event_landing.write_windows(lake, load_id, [Window(EVENTS, RESET)], run_id)
        finish_load(lake, SOURCE, load_id)
        report.load_ids.append(load_id)
    return report


def check(settings: Settings) -> str:
    """Looks for files; returns what a person should read."""
    usage = _configured(settings)
    if usage.events_path is None:
        return f"Monthly usage is at {usage.monthly_path}; no event files are configured."
    event_columns.configured(usage.events_columns)
    report = LoadReport(SOURCE)
    return " ".join([f"{len(find(usage, report)):,} event files are there.", *report.notes])


def find(usage: UsageSettings, report: LoadReport) -> list[EventFile]:
    """Files that are there: those of the manifest if there is one, else all of a known kind."""
    place = usage.events_path
    if place is None:
        return []
    if usage.events_manifest is not None:
        return _of_manifest(usage.events_manifest, place, report)
    paths = [place] if place.is_file() else sorted(p for p in place.rglob("*") if p.is_file())
    root = place.parent if place.is_file() else place
    return [
        _stat(p, p.relative_to(root).as_posix())
        for p in paths
        if _is_known_kind(p) and not p.name.startswith((".", "_", "manifest."))
    ]


def _load(
    lake: Lake,
    usage: UsageSettings,
    files: Sequence[EventFile],
    kind: str,
    run_id: str,
    report: LoadReport,
    progress: Callable[[str], None],
    as_of: date | None = None,
) -> None:
    candidates = event_columns.configured(usage.events_columns)
    watch = Watch(lake, SOURCE)
    seen_on = as_of or datetime.now(UTC).date() - timedelta(days=1)
    batches = list(_batches(files))
    for number, batch in enumerate(batches, start=1):
        whole = event_shapes.sound(_verified(batch, report), candidates, watch, report)
        if whole:
            _load_batch(lake, candidates, whole, kind, run_id, report, watch, seen_on)
        progress(f"usage: batch {number} of {len(batches)}, {report.rows:,} events so far")
    if watch.changes:
        load_id = new_load_id(lake, SOURCE)
        event_landing.write_changes(lake, load_id, watch, seen_on, run_id, report)
        finish_load(lake, SOURCE, load_id)
        report.load_ids.append(load_id)


def _load_batch(
    lake: Lake,
    candidates: Mapping[str, tuple[str, ...]],
    files: Sequence[EventFile],
    kind: str,
    run_id: str,
    report: LoadReport,
    watch: Watch,
    seen_on: date,
) -> None:
    """One load: staged in DuckDB, written day by day, finished last of all."""
    load_id = new_load_id(lake, SOURCE)
    with event_landing.engine(lake) as con:
        readable = _stage(con, candidates, files, report)
        unreadable = event_shapes.unreadable(con, candidates, watch, report)
        if unreadable:
            readable = [f for f in readable if f.name not in unreadable]
            event_landing.keep_first_receipts(con)
            if not readable:
                return
        landed = [
            {
                "path": f.name,
                "size": f.size,
                "mtime_ns": f.mtime_ns,
                "sha256": f.sha256,
                "load_id": load_id,
            }
            for f in readable
        ]
        event_landing.land(
            con,
            lake,
            load_id,
            Window(EVENTS, kind, readable[-1].name if readable else "", is_last=True),
            event_landing.rejected(con),
            run_id,
            report,
            {FILES: pa.Table.from_pylist(landed, schema=_FILE_SCHEMA)},
            watch=watch,
            seen_on=seen_on,
        )


# Staging


def _stage(
    con: duckdb.DuckDBPyConnection,
    candidates: Mapping[str, tuple[str, ...]],
    files: Sequence[EventFile],
    report: LoadReport,
) -> list[EventFile]:
    """Fills `events` (sound, unique) and `broken` (with the rule broken); returns what was read."""
    con.register(
        "given",
        pa.table(
            {
                "filename": [str(f.path) for f in files],
                "source_file": [f.name for f in files],
                "written_at": pa.array(
                    [f.mtime_ns // 1000 for f in files], pa.timestamp("us", "UTC")
                ),
            }
        ),
    )
    # Copied in: filters that joins push down cannot reach into Arrow tables.
    con.execute("create temp table delivered as select * from given")
    con.unregister("given")
    readable: list[EventFile] = []
    parts: list[str] = []
    for kind in ("parquet", "json", "csv"):
        some = [f for f in files if f.kind == kind]
        if not some:
            continue
        sound, relation = _relation(con, kind, some, candidates, report)
        if sound:
            readable += sound
            parts.append(_mapped(con, relation, candidates))
    if not parts:
        parts = [
            "select "
            + ", ".join(
                f"null::varchar as {c}" for c in event_landing.STAGED if not c.endswith("_at")
            )
            + ", null::timestamptz as event_at, null::timestamptz as received_at, "
            "null::varchar as broken where false"
        ]
    con.execute("create temp table staged as " + " union all by name ".join(parts))
    event_landing.keep_first_receipts(con)
    return readable


def _relation(
    con: duckdb.DuckDBPyConnection,
    kind: str,
    files: Sequence[EventFile],
    candidates: Mapping[str, tuple[str, ...]],
    report: LoadReport,
) -> tuple[list[EventFile], str]:
    """A relation over the files of one kind; files that cannot be read at all are left out."""

    def over(some: Sequence[EventFile], *, strict: bool = True) -> str:
        listed = "[" + ", ".join("'" + str(f.path).replace("'", "''") + "'" for f in some) + "]"
        if kind == "parquet":
            return f"read_parquet({listed}, union_by_name = true, filename = true)"
        if kind == "csv":
            return (
                f"read_csv({listed}, all_varchar = true, header = true, union_by_name = true, "
                "filename = true)"
            )
        if not strict:
            # One line, one cell: the separator cannot occur in a line of JSON.
            return (
                f"(select filename, line, try_cast(line as json) as parsed from read_csv({listed}, "
                "columns = {'line': 'VARCHAR'}, header = false, delim = '\x01', quote = '', "
                "escape = '', filename = true, auto_detect = false, max_line_size = 16777216, "
                "null_padding = true) where trim(line) <> '')"
            )
        columns = event_columns.json_columns(candidates)
        spec = ", ".join(
            f"'{name.replace(chr(39), chr(39) * 2)}': '{t}'" for name, t in columns.items()
        )
        return (
            f"read_json({listed}, format = 'newline_delimited', columns = {{{spec}}}, "
            "filename = true, maximum_object_size = 16777216)"
        )

    if kind == "json":
        name = f"read_{kind}"
        try:
            con.execute(f"create temp table {name} as select * from {over(files)}")
            return list(files), name
        except duckdb.Error:
            con.execute(f"create temp table {name} as select * from {over(files, strict=False)}")
            return list(files), name
    try:
        con.execute(f"select * from {over(files)} limit 0")
        if kind == "csv":
            con.execute(f"create temp table read_csv_files as select * from {over(files)}")
            return list(files), "read_csv_files"
        return list(files), over(files)
    except duckdb.Error:
        sound = []
        for file in files:
            try:
                con.execute(f"select count(*) from {over([file])}").fetchone()
                sound.append(file)
            except duckdb.Error:
                report.partial = True
                report.note(
                    f"{file.name}: not loaded, it is no whole {kind} file. Deliver it again; it is "
                    "tried anew at the next run."
                )
        if kind == "csv" and sound:
            con.execute(f"create temp table read_csv_files as select * from {over(sound)}")
            return sound, "read_csv_files"
        return sound, over(sound) if sound else ""


def _mapped(
    con: duckdb.DuckDBPyConnection, relation: str, candidates: Mapping[str, tuple[str, ...]]
) -> str:
    """SQL that gives a relation the columns of an event and the rule it breaks, if any."""
    described = con.execute(f"describe select * from {relation}").fetchall()
    present = {str(r[0]): str(r[1]) for r in described}
    by_line = set(present) == {"filename", "line", "parsed"}
    if by_line:
        columns = event_columns.json_columns(candidates)
        inner = ", ".join(
            f"""json_extract{"" if kind == "JSON" else "_string"}(parsed, '$."{name}"') as "{name}"
            """
            for name, kind in columns.items()
        )
        relation = f"(select filename, line, parsed, {inner} from {relation})"
        present = dict(columns)
    found = event_columns.expressions(
        candidates, present, is_sparse=by_line or relation == "read_json"
    )
    is_object = "json_type(parsed) = 'OBJECT'" if by_line else "true"
    raw = "line" if by_line else "null::varchar"
    return event_landing.judged(
        f"""
        select {", ".join(f"{sql} as {name}" for name, sql in found.items())},
            {is_object} as is_object, {raw} as line, d.source_file, d.written_at
        from {relation} r join delivered d on r.filename = d.filename
        """
    )


# Files


def _fresh(
    files: Sequence[EventFile], landed: Mapping[str, list[Any]], report: LoadReport
) -> list[EventFile]:
    """Files that have not landed with the content they have now."""
    fresh: list[EventFile] = []
    for file in files:
        before = landed.get(file.name, [])
        if any(b["size"] == file.size and b["mtime_ns"] == file.mtime_ns for b in before):
            continue
        same_size = [b for b in before if b["size"] == file.size]
        if same_size:
            digest = file.sha256 or _digest(file.path)
            if any(b["sha256"] == digest for b in same_size):
                continue
        if before:
            report.note(f"{file.name} has changed since it landed and is loaded again.")
        fresh.append(file)
    return fresh


def _landed(lake: Lake) -> dict[str, list[Any]]:
    """What is known of landed files, by name, since the last reset."""
    resets = lake.read(SOURCE, windows.NAME)
    since = "0"
    if resets.num_rows:
        marks = [
            r["_dlt_load_id"]
            for r in resets.to_pylist()
            if r["kind"] == RESET and r["resource"] == EVENTS
        ]
        since = max(marks, default="0")
    found: dict[str, list[Any]] = {}
    for row in lake.read(SOURCE, FILES).to_pylist():
        if row["load_id"] > since:
            found.setdefault(row["path"], []).append(row)
    return found


def _verified(files: Sequence[EventFile], report: LoadReport) -> list[EventFile]:
    """Files with their checksum; one that is not what its manifest promises waits."""
    whole: list[EventFile] = []
    with ThreadPoolExecutor(2) as pool:
        for file, digest in zip(files, pool.map(_digest, [f.path for f in files]), strict=True):
            if file.sha256 and file.sha256 != digest:
                report.partial = True
                report.note(
                    f"{file.name}: not loaded, its checksum is not the manifest's. It may still be "
                    "being written; it is tried anew at the next run."
                )
                continue
            whole.append(EventFile(file.path, file.name, file.size, file.mtime_ns, digest))
    return whole


def _batches(files: Sequence[EventFile]) -> Iterator[list[EventFile]]:
    batch: list[EventFile] = []
    weight = 0
    for file in files:
        if batch and weight + file.weight > BATCH_BYTES:
            yield batch
            batch, weight = [], 0
        batch.append(file)
        weight += file.weight
    if batch:
        yield batch


def _of_manifest(manifest: Path, place: Path, report: LoadReport) -> list[EventFile]:
    """Files that the manifest lists: JSON lines or CSV with path, size, sha256 (or checksum)."""
    text = manifest.read_text(encoding="utf-8")
    found: list[EventFile] = []
    lines = (
        csv.DictReader(text.splitlines())
        if manifest.suffix == ".csv"
        else (
            _line(manifest, n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()
        )
    )
    for entry in lines:
        name = str(entry.get("path") or "")
        path = place / name
        if not name or not path.is_file() or not _is_known_kind(path):
            report.partial = True
            report.note(f"{name or 'A line'} of the manifest is no event file that is there.")
            continue
        file = _stat(path, name)
        size = entry.get("size")
        if size not in (None, "") and int(str(size)) != file.size:
            report.partial = True
            report.note(
                f"{name}: not loaded, it has {file.size} bytes and the manifest says {size}. It "
                "may "
                "still be being written; it is tried anew at the next run."
            )
            continue
        digest = str(entry.get("sha256") or entry.get("checksum") or "").removeprefix("sha256:")
        found.append(EventFile(file.path, name, file.size, file.mtime_ns, digest))
    return found


def _line(manifest: Path, number: int, line: str) -> dict[str, Any]:
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(
            f"{manifest.name}: line {number} is no JSON. Write one object a line, with path and "
            "size."
        ) from error
    if not isinstance(entry, dict):
        raise ValueError(f"{manifest.name}: line {number} is no JSON object.")
    return entry


def _stat(path: Path, name: str) -> EventFile:
    stat = path.stat()
    return EventFile(path, name, stat.st_size, stat.st_mtime_ns)


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _is_known_kind(path: Path) -> bool:
    suffixes = [s for s in path.suffixes if s not in (".gz", ".zst")]
    return bool(suffixes) and suffixes[-1] in KINDS


def _day_of(file: EventFile) -> date:
    """The day in a file's name, else the day it was last written (UTC)."""
    for i in range(len(file.path.name) - 9):
        try:
            return date.fromisoformat(file.path.name[i : i + 10])
        except ValueError:
            continue
    return datetime.fromtimestamp(file.mtime_ns / 1e9, UTC).date()


def _configured(settings: Settings) -> UsageSettings:
    if settings.usage is None:
        raise ValueError("Usage is not configured; set TENURE_EVENTS_PATH.")
    return settings.usage
