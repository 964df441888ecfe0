"""Events into the lake, wherever they come from: rules of an event, and how it is written.

Rows are staged in DuckDB as `staged`; what is sound lands as one load: one file an event day,
sorted by workspace, user and instant, unique by message id, and `load_days` says which days it
touched. The client's clock decides nothing but the event's own day, and is corrected by its offset
on sending.

Belongs here: the clock, the rules, uniqueness within a load, writing. Must not be here: where rows
come from (`event_files`, `postgres`) or the names of senders' fields (`event_columns`).
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from ingestion import drift, privacy, rejects, schemas, windows
from ingestion.drift import Watch
from ingestion.lake import Lake, finish_load, write_parquet
from ingestion.rejects import Reject
from ingestion.reports import LoadReport
from ingestion.schemas import operations
from ingestion.schemas.model import LOAD_ID
from ingestion.windows import Window

SOURCE = "usage"
EVENTS = "events"
MEMORY = "3GB"
#: Columns of `staged`; beside them stand `line` (the text as delivered) and `broken` (the rule).
STAGED = ("message_id", "event", "event_at", "received_at", "workspace_id", "user_id",
          "anonymous_id", "feature", "properties", "source_file")  # fmt: skip
_SORTED = "event_on, workspace_id, user_id, event_at, message_id"
_EARLIEST = "2000-01-01"
_REJECT_SHOWN = 100_000
_ROWS_A_TURN = 200_000
_DAYS_WAITING = 64
_REPEATING = ("event", "workspace_id", "user_id", "feature", "source_file", LOAD_ID.name)

_RULES: dict[str, tuple[str, str, str]] = {
    "not_json": (
        "properties",
        "The line is no JSON object.",
        "Have the sender write one JSON object a line; deliver the file again under a new name.",
    ),
    "message_id": (
        "message_id",
        "The event has no message id.",
        "Have the sender give every event an id, or name its field in TENURE_EVENTS_COLUMNS.",
    ),
    "received_at": (
        "received_at",
        "Nobody noted when the event was received.",
        "Have the collector write the instant of receipt, and correct the event.",
    ),
    "received_ahead": (
        "received_at",
        "The event was received more than two days ahead of now.",
        "Correct the collector's clock and deliver the events again.",
    ),
    "future": (
        "event_at",
        "The event is dated more than two days after it was received.",
        "Correct the sender's clock and deliver the events again.",
    ),
    "event": (
        "event",
        "The event has no name.",
        "Have the sender name every event, or name its field in TENURE_EVENTS_COLUMNS.",
    ),
    "event_at": (
        "event_at",
        "The event's instant is missing or cannot be read.",
        "Write instants as 2026-01-31T09:30:00Z or as seconds since 1970.",
    ),
    "clock": (
        "event_at",
        f"The event's instant lies before {_EARLIEST}.",
        "Correct the sender's clock and deliver the events again.",
    ),
}


def judged(delivered: str) -> str:
    """SQL that corrects the clock of delivered rows and names the rule each breaks, if any.

    Args:
        delivered: query that gives the columns of STAGED, and sent_at, written_at (stands in for a
            missing received_at), is_object (whether the delivery could be read at all), line.
    """
    return f"""
        select message_id, event, least(corrected_at, received_at) as event_at, received_at,
            workspace_id, user_id, anonymous_id, feature, properties, source_file, line,
            case
                when not is_object then 'not_json'
                when message_id is null then 'message_id'
                when received_at is null then 'received_at'
                when received_at > now() + interval 2 days then 'received_ahead'
                when event is null then 'event'
                when corrected_at is null then 'event_at'
                when corrected_at > received_at + interval 2 days then 'future'
                when corrected_at < timestamptz '{_EARLIEST} 00:00:00+00' then 'clock'
            end as broken
        from (
            select message_id, event, workspace_id, user_id, anonymous_id, feature, properties,
                source_file, line, coalesce(is_object, false) as is_object,
                coalesce(received_at, written_at) as received_at,
                -- The client's clock is wrong by what it said on sending against what we saw.
                case when sent_at is not null and received_at is not null
                    then event_at + (received_at - sent_at) else event_at end as corrected_at
            from ({delivered})
        )
    """


def keep_first_receipts(con: duckdb.DuckDBPyConnection) -> None:
    """Makes `events` of `staged`: what is sound, each message once, as first received."""
    con.execute(
        """
        create or replace temp table repeated as
        select message_id from staged where broken is null group by 1 having count(*) > 1
        """
    )
    names = ", ".join(STAGED)
    con.execute(
        f"""
        create or replace temp view events as
        select {names}, event_at::date as event_on from staged
        where broken is null and message_id not in (select message_id from repeated)
        union all
        select {names}, event_at::date as event_on from (
            select *, row_number() over (
                partition by message_id order by received_at, source_file, event_at
            ) as delivery
            from staged
            where broken is null and message_id in (select message_id from repeated)
        )
        where delivery = 1
        """
    )


class _Nameless:
    """Keys for rows without a message id: by content, so that reading again gives them again."""

    def __init__(self) -> None:
        self._met: dict[str, int] = {}

    def __call__(self, row: Mapping[str, Any]) -> str:
        """The key of a row; equal rows are told apart by a number."""
        content = json.dumps(row, default=str, sort_keys=True).encode()
        digest = hashlib.sha256(content).hexdigest()[:16]
        self._met[digest] = self._met.get(digest, 0) + 1
        return f"{row['source_file']}#{digest}.{self._met[digest]}"


def rejected(
    con: duckdb.DuckDBPyConnection, remedies: Mapping[str, str] | None = None
) -> list[Reject]:
    """The broken rows of `staged` as rejects; a row without a message id is keyed by its content.

    Args:
        con: where they are staged.
        remedies: remedies by rule, where the usual ones do not fit the way in.
    """
    table = schemas.table(SOURCE, EVENTS)
    broken = con.execute(
        "select * exclude (broken), broken from staged where broken is not null limit "
        f"{_REJECT_SHOWN}"
    ).to_arrow_table()
    nameless = _Nameless()
    found = []
    for row in broken.to_pylist():
        rule = row.pop("broken")
        field, message, remedy = _RULES[rule]
        kept = {k: v for k, v in row.items() if v is not None and k != "line"}
        if row.get("line"):
            kept["line"] = privacy.mask(str(row["line"]))
        if row["message_id"] is None:
            kept["message_id"] = nameless(row)
        remedy = (remedies or {}).get(rule, remedy)
        found.append(rejects.reject(table, kept, rule, field, message, remedy))
    return found


def land(
    con: duckdb.DuckDBPyConnection,
    lake: Lake,
    load_id: str,
    window: Window,
    bad: Sequence[Reject],
    run_id: str,
    report: LoadReport,
    beside: Mapping[str, pa.Table] | None = None,
    *,
    watch: Watch | None = None,
    seen_on: date | None = None,
) -> int:
    """Writes `events` and what belongs to them as one load, its record last of all.

    Args:
        con: where `events` stands.
        lake: where to land.
        load_id: the load's id.
        window: what was read; its rows are counted here.
        bad: rejects of the load.
        run_id: the run, kept with rejects and windows.
        report: told what landed.
        beside: further tables of the load, without anything else asking for them.
        watch: what was noticed of the source's shape; lands with the load.
        seen_on: date the run is for; yesterday if not given.

    Returns:
        Events landed.
    """
    days = _write_days(con, lake, load_id, report)
    declared = schemas.table(SOURCE, "load_days")
    write_parquet(days.cast(declared.arrow_schema), _file(lake, "load_days", load_id))
    count = int(pc.sum(days["row_count"]).as_py() or 0)
    for name, table in (beside or {}).items():
        write_parquet(table, _file(lake, name, load_id))
    on = seen_on or datetime.now(UTC).date() - timedelta(days=1)
    if bad:
        table = rejects.to_arrow(bad, run_id, datetime.now(UTC), on)
        _write_marked(lake, rejects.NAME, load_id, table)
    if watch is not None:
        write_changes(lake, load_id, watch, on, run_id, report)
    write_windows(lake, load_id, [replace(window, rows=count)], run_id)
    finish_load(lake, SOURCE, load_id)
    report.load_ids.append(load_id)
    staged, broken = con.execute(
        "select count(*), count(*) filter (where broken is not null) from staged"
    ).fetchall()[0]
    told = report.table(EVENTS)
    told.rows += count
    told.windows += 1
    told.received += staged
    told.rejects += broken
    told.deduplicated += staged - broken - count
    report.table("load_days").rows += days.num_rows
    report.table("load_days").made += days.num_rows
    return count


def write_changes(
    lake: Lake, load_id: str, watch: Watch, seen_on: date, run_id: str, report: LoadReport
) -> None:
    """Writes what was noticed of the source's shape with a load."""
    changes, learned = watch.take()
    report.changes += changes
    if changes:
        table = drift.to_arrow(changes, seen_on, run_id)
        _write_marked(lake, operations.SCHEMA_CHANGES.name, load_id, table)
    if learned:
        table = drift.fields_to_arrow(learned)
        _write_marked(lake, operations.FIELDS.name, load_id, table)


def write_windows(lake: Lake, load_id: str, some: Sequence[Window], run_id: str) -> None:
    """Writes windows with the load that finished them."""
    table = windows.to_arrow(some, run_id, datetime.now(UTC))
    _write_marked(lake, windows.NAME, load_id, table)


@contextmanager
def engine(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of our own with bounded memory, spilling beside the lake."""
    spill = lake.work / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        con.execute("set timezone = 'UTC'")
        con.execute(f"set memory_limit = '{MEMORY}'")
        con.execute(f"set temp_directory = '{str(spill).replace(chr(39), chr(39) * 2)}'")
        con.execute("set preserve_insertion_order = false")
        yield con


# Writing


def _write_days(
    con: duckdb.DuckDBPyConnection, lake: Lake, load_id: str, report: LoadReport
) -> pa.Table:
    """Writes `events`, a file an event day, as the sorted rows stream past.

    Returns:
        Rows of `load_days`.
    """
    declared = schemas.table(SOURCE, EVENTS)
    names = ", ".join(n for n in declared.write_schema.names)
    reader = con.execute(
        f"select event_on, {names} from events order by {_SORTED}"
    ).to_arrow_reader(_ROWS_A_TURN)
    folder = lake.table(SOURCE, EVENTS)
    touched: list[tuple[date, date, int]] = []
    with ThreadPoolExecutor(2) as pool:
        writing: deque[Future[_Written]] = deque()

        def collect() -> None:
            done = writing.popleft().result()
            report.table(EVENTS).bytes += done.bytes
            touched.extend((done.day, received_on, rows) for received_on, rows in done.received)

        for day, parts in _days(reader):
            path = folder / f"event_on={day.isoformat()}" / f"{load_id}-0.parquet"
            writing.append(pool.submit(_write_day, day, parts, path, load_id))
            if len(writing) > _DAYS_WAITING:
                collect()
        while writing:
            collect()
    columns = list(zip(*sorted(touched), strict=True)) or [(), (), ()]
    return pa.table(
        {
            "load_id": pa.array([load_id] * len(touched), pa.string()),
            "event_on": pa.array(columns[0], pa.date32()),
            "received_on": pa.array(columns[1], pa.date32()),
            "row_count": pa.array(columns[2], pa.int64()),
            LOAD_ID.name: pa.array([load_id] * len(touched), pa.string()),
        }
    )


@dataclass(frozen=True)
class _Written:
    day: date
    bytes: int
    received: list[tuple[date, int]]


def _days(reader: pa.RecordBatchReader) -> Iterator[tuple[date, list[pa.Table]]]:
    """Rows of each event day; the stream is sorted by it."""
    day: date | None = None
    parts: list[pa.Table] = []
    for batch in reader:
        table = pa.Table.from_batches([batch])
        runs = pc.run_end_encode(table["event_on"].combine_chunks())
        rows = table.drop_columns(["event_on"])
        start = 0
        for end, on in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
            if day is not None and on != day:
                yield day, parts
                parts = []
            day = on
            parts.append(rows.slice(start, end - start))
            start = end
    if day is not None:
        yield day, parts


def _write_day(day: date, parts: Sequence[pa.Table], path: Path, load_id: str) -> _Written:
    declared = schemas.table(SOURCE, EVENTS)
    table = pa.concat_tables(parts).cast(declared.write_schema)
    marked = table.append_column(LOAD_ID.name, pa.array([load_id] * table.num_rows, pa.string()))
    # Ids and properties hardly repeat; a dictionary of them costs twice and saves nothing.
    write_parquet(marked, path, dictionary=_REPEATING)
    counts = pc.value_counts(table["received_at"].cast(pa.date32()))
    received = [(c["values"], c["counts"]) for c in counts.to_pylist()]
    return _Written(day, path.stat().st_size, received)


def _write_marked(lake: Lake, name: str, load_id: str, table: pa.Table) -> None:
    marked = table.append_column(LOAD_ID.name, pa.array([load_id] * table.num_rows, pa.string()))
    write_parquet(marked, _file(lake, name, load_id))


def _file(lake: Lake, name: str, load_id: str) -> Path:
    return lake.table(SOURCE, name) / f"{load_id}-0.parquet"
