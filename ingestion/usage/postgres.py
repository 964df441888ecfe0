"""Events from a table of PostgreSQL into the lake: appended rows, a window of them at a time.

The cursor is the instant of receipt, which the collector's clock writes, and never what the client
says. Rows may be committed later than they were received: each run reads again the last hours
before the newest row it knows, and drops by message id what has landed. Windows are stretches of
receipt of bounded size; each is one read-only transaction and one load, so a run that is killed
goes on at the window it was in.

Rows come as Arrow by binary COPY through ADBC. Measured with 1,000,000 events of seven columns on
two cores: reading alone, ADBC 340,000 rows/s in 125 MB, DuckDB's own scanner 510,000 in 160 MB,
connectorx 140,000-170,000 in 100-230 MB. ADBC is taken: sorting and writing cost more than reading,
and it alone keeps to one transaction with a timeout, streams, and names errors by SQLSTATE, so that
a missing column or permission can be told. All the way into sorted, unique Parquet, a million takes
6.7 s of one core and 650 MB, whatever the table's size; a run with nothing new takes 0.5 s.

Belongs here: cursor, windows, what has landed already. Must not be here: SQL over the table's
columns (see `postgres_table`), rules of an event and writing (see `event_landing`).

Deliberately not loaded: columns that are no part of an event. Deliberately not seen: rows changed
or deleted after they landed; events are facts.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import Any

import duckdb
import pyarrow as pa

from ingestion import drift, landing, rejects, schemas, windows
from ingestion.drift import DriftBlocked, Watch
from ingestion.lake import Lake, finish_load, load_id_of, new_load_id
from ingestion.rejects import Reject
from ingestion.reports import LoadReport
from ingestion.schemas.model import Table
from ingestion.settings import Settings, UsagePostgresSettings
from ingestion.usage import event_columns, event_landing, event_shapes
from ingestion.usage.event_landing import EVENTS, SOURCE
from ingestion.usage.postgres_table import (
    NEEDED,
    PREFIX,
    Database,
    EventTable,
    Snapshot,
    identity,
    inspect,
)
from ingestion.windows import BACKFILL, INCREMENT, RESET, Window

RESOURCE = "events_postgres"
#: Rows of a window, give or take those received in one same instant.
WINDOW_ROWS = 500_000
_AHEAD_HOURS = 1
#: Rows of a window looked at for fields inside JSON.
_ROWS_LOOKED_AT = 50
_BROKEN_SHOWN = 100_000
_REMEDIES = {
    "message_id": "Give every row an id, or name the column that holds it in "
    f"{PREFIX}_COLUMNS; then load again the day on which the row was received (backfill).",
    "received_at": "Write the instant of receipt when a row is inserted (default now()), and "
    "correct the row.",
    "event": f"Name every event, or name the column that does in {PREFIX}_COLUMNS; then load again "
    "the day on which the row was received (backfill).",
    "event_at": "Write instants as timestamp with time zone, 2026-01-31T09:30:00Z, or seconds "
    "since 1970; then load again the day on which the row was received (backfill).",
    "clock": "Correct the sender's clock and the row; then load again the day on which it was "
    "received (backfill).",
}


def run(
    settings: Settings,
    lake: Lake,
    *,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
) -> LoadReport:
    """Loads rows that have not landed yet; nothing if no table is configured.

    Args:
        settings: with a table of usage configured.
        lake: where to land.
        run_id: the run's id, kept with rejects and windows.
        as_of: the night's date, by which rejects are dated; all rows land, staging selects by
            `received_at`.
        progress: told a line a window.

    Raises:
        SettingsError: the table or a column is not there, or may not be read; a message each.
        PostgresError: the database does not answer, or takes longer than it may.
    """
    began = time.monotonic()
    report = LoadReport(SOURCE)
    if settings.usage is None or settings.usage.postgres is None:
        return report
    given = settings.usage.postgres
    landing.begin(lake, SOURCE)
    with _reading(given, lake, INCREMENT, run_id, report, progress, as_of) as load:
        load.increment(timedelta(hours=given.overlap_hours))
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
    """Lands what was received from `first` to `last` (UTC) and is missing; moves no cursor."""
    began = time.monotonic()
    report = LoadReport(SOURCE)
    if settings.usage is None or settings.usage.postgres is None:
        return report
    given = settings.usage.postgres
    landing.begin(lake, SOURCE)
    with _reading(given, lake, BACKFILL, run_id, report, progress) as load:
        load.stretch(_midnight(first), _midnight(last + timedelta(days=1)))
    report.seconds = time.monotonic() - began
    return report


def reset(lake: Lake, *, run_id: str) -> LoadReport:
    """Forgets how far the table was read and what of it has landed."""
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    with landing.holding(lake, SOURCE):
        load_id = new_load_id(lake, SOURCE)
        event_landing.write_windows(lake, load_id, [Window(RESOURCE, RESET)], run_id)
        finish_load(lake, SOURCE, load_id)
        report.load_ids.append(load_id)
    return report


def check(settings: Settings) -> str:
    """Looks at the table; returns what a person should read.

    Raises:
        SettingsError: the table or a column is not there, or may not be read.
        PostgresError: the database does not answer.
    """
    if settings.usage is None or settings.usage.postgres is None:
        return "No table of usage events is configured."
    with Database(settings.usage.postgres) as database:
        table = inspect(database, settings.usage.postgres)
    rows = f"about {table.estimate:,} rows" if table.estimate >= 0 else "rows not counted yet"
    return " ".join([f"PostgreSQL answers; {table.name} has {rows}.", *table.notes])


@dataclass(frozen=True)
class _Stretch:
    """Rows received from `start` (included) to `end` (excluded)."""

    start: datetime
    end: datetime
    is_last: bool


@contextmanager
def _reading(
    given: UsagePostgresSettings,
    lake: Lake,
    kind: str,
    run_id: str,
    report: LoadReport,
    progress: Callable[[str], None],
    seen_on: date | None = None,
) -> Iterator[_Load]:
    """A load of the table; if its shape forbids that, the report says so and the cursor stays."""
    with landing.holding(lake, SOURCE), Database(given) as database:
        generation = hashlib.sha256(identity(database, given).encode()).hexdigest()[:16]
        watch = Watch(lake, SOURCE, place=f"postgres {generation}")
        load = _Load(
            database, given, generation, lake, kind, run_id, report, progress, watch, seen_on
        )
        try:
            yield load
        except DriftBlocked as error:
            watch.forget(0)
            report.table(EVENTS)
            for change in error.changes:
                report.block(f"{load.name}: not loaded. {change.sentence()}")
        load.tell()


@dataclass
class _Load:
    """Reading one table in one run."""

    database: Database
    given: UsagePostgresSettings
    generation: str
    lake: Lake
    kind: str
    run_id: str
    report: LoadReport
    progress: Callable[[str], None]
    watch: Watch
    seen_on: date | None = None
    read: int = 0

    @property
    def name(self) -> str:
        """Schema and table, for people."""
        return f"{self.given.schema}.{self.given.table}"

    @cached_property
    def table(self) -> EventTable:
        """The table, found fit to be read, its shape compared with the one it had."""
        found = inspect(self.database, self.given, self._look)
        for note in found.notes:
            self.report.note(note)
        return found

    @cached_property
    def declared(self) -> Table:
        """The events as they are declared; without these columns no row of the table is one."""
        events = schemas.table(SOURCE, EVENTS)
        fields = (replace(c, needed=c.needed or c.name in NEEDED) for c in events.fields)
        return replace(events, fields=tuple(fields))

    def tell(self) -> None:
        """Lands what was noticed of the shape where nothing has landed that it could go with."""
        if self.watch.changes:
            load_id = new_load_id(self.lake, SOURCE)
            event_landing.write_changes(
                self.lake, load_id, self.watch, self._seen_on, self.run_id, self.report
            )
            finish_load(self.lake, SOURCE, load_id)
            self.report.load_ids.append(load_id)

    @property
    def _seen_on(self) -> date:
        return self.seen_on or datetime.now(UTC).date() - timedelta(days=1)

    def _look(
        self, kinds: drift.Kinds, sources: Mapping[str, tuple[str, ...]], is_fit: bool
    ) -> None:
        # A table that was never fit has not changed: its settings are wrong.
        if is_fit or self.watch.has_met(self.declared):
            self.watch.fields(self.declared, kinds, sources)

    def increment(self, overlap: timedelta) -> None:
        """Reads from the overlap before the cursor to the newest row."""
        r, relation = self.table.received, self.table.relation
        before = windows.newest(
            (
                w
                for w in windows.finished(self.lake, SOURCE)
                if w.generation in ("", self.generation)
            ),
            RESOURCE,
        )
        cursor = datetime.fromisoformat(before.cursor) if before and before.cursor else None

        def look(database: Database) -> tuple[datetime, datetime | None, int]:
            with database.snapshot() as snapshot:
                now = snapshot.value("select now()")
                ahead = self.table.literal(now + timedelta(hours=_AHEAD_HOURS))
                waiting = snapshot.value(
                    f"select count(*) from (select 1 from {relation} where {r} >= {ahead} "
                    "limit 1000) as ahead"
                )
                first = None
                if cursor is None:
                    first = self._instant(
                        snapshot, f"select min({r}) from {relation} where {r} > '0001-01-02'"
                    )
                return now, first, int(waiting)

        now, first, waiting = self.database.patiently(look)
        if waiting:
            self.report.note(
                f"{self.table.name}: {'1,000 or more' if waiting == 1000 else f'{waiting:,}'} rows "
                "say they were received in the future; they wait until that moment. Correct the "
                "collector's clock."
            )
        start = cursor - overlap if cursor is not None else first
        if start is None:
            start = now  # an empty table; broken rows may be there all the same
        self.stretch(start, now, cursor)

    def stretch(self, start: datetime, end: datetime, cursor: datetime | None = None) -> None:
        """Reads what was received from `start` to before `end`, window by window."""
        landed = _Landed(self.lake)
        number = 0
        while True:
            number += 1
            with event_landing.engine(self.lake) as con:
                stretch = self.database.patiently(partial(self._read, con, start, end))
                cursor = self._land(con, stretch, cursor, landed)
            self.progress(self._told(number))
            if stretch.is_last:
                return
            start = stretch.end

    def _read(
        self, con: duckdb.DuckDBPyConnection, start: datetime, end: datetime, database: Database
    ) -> _Stretch:
        """One window into `delivered`, all of one moment; from the beginning if tried again."""
        con.execute("create or replace temp table delivered as " + _empty(self.table))
        rows = 0
        with database.snapshot() as snapshot:
            stretch = self._cut(snapshot, start, end)
            r, literal = self.table.received, self.table.literal
            sql = self.table.select(
                f"{r} >= {literal(stretch.start)} and {r} < {literal(stretch.end)}"
            )
            if stretch.is_last and self.kind == INCREMENT:
                # No window holds rows without an instant of receipt; they become rejects.
                nowhere = self.table.select(f"{r} is null or {r} = '-infinity'")
                sql += f" union all ({nowhere} limit {_BROKEN_SHOWN})"
            for batch in snapshot.batches(sql):
                con.register("incoming", pa.Table.from_batches([batch]))
                con.execute("insert into delivered by name select * from incoming")
                con.unregister("incoming")
                rows += batch.num_rows
        self.read += rows
        return stretch

    def _cut(self, snapshot: Snapshot, start: datetime, end: datetime) -> _Stretch:
        """A window of about WINDOW_ROWS; rows received in one instant are never parted."""
        r, relation, literal = self.table.received, self.table.relation, self.table.literal
        within = f"from {relation} where {r} {{}} {literal(start)} and {r} < {literal(end)}"
        cut = self._instant(
            snapshot, f"select {r} {within.format('>=')} order by {r} offset {WINDOW_ROWS} limit 1"
        )
        if cut is not None and cut <= start:
            cut = self._instant(snapshot, f"select min({r}) {within.format('>')}")
        return _Stretch(start, cut or end, is_last=cut is None)

    def _instant(self, snapshot: Snapshot, sql: str) -> datetime | None:
        """A value of the column of receipt, as an instant; it may be a date or have no zone."""
        zone = "" if self.table.received_kind.endswith("with time zone") else " at time zone 'UTC'"
        found: datetime | None = snapshot.value(
            f"select (received::timestamp at time zone 'UTC') from ({sql}) as given(received)"
            if self.table.received_kind == "date"
            else f"select (received{zone}) from ({sql}) as given(received)"
        )
        return found.astimezone(UTC) if found is not None else None

    def _land(
        self,
        con: duckdb.DuckDBPyConnection,
        stretch: _Stretch,
        cursor: datetime | None,
        landed: _Landed,
    ) -> datetime | None:
        """Lands what of a window is new; returns the cursor after it."""
        newest = _one(con, "select max(received_at) from delivered") if stretch.is_last else None
        self._look_inside(con)
        con.execute(f"create temp table staged as {event_landing.judged(_columns(self.table))}")
        con.execute("drop table delivered")
        known = landed.of_staged(con)
        self._look_at_instants(con)
        event_landing.keep_first_receipts(con)
        broken = event_landing.rejected(con, _REMEDIES)
        bad = landed.unheard(broken)
        fresh = _one(con, "select count(*) from events")
        self._count(known, len(broken) - len(bad))
        reached = (newest if stretch.is_last else stretch.end) or cursor
        moved = cursor if reached is None else max(reached.astimezone(UTC), cursor or reached)
        if self.kind == BACKFILL:
            moved = None
        if not fresh and not bad and (moved == cursor or moved is None):
            told = self.report.table(EVENTS)
            told.received += len(broken)
            told.rejects += len(broken)
            return moved
        window = Window(
            RESOURCE,
            self.kind,
            self.generation,
            moved.isoformat() if moved else "",
            is_last=stretch.is_last,
        )
        load_id = new_load_id(self.lake, SOURCE)
        event_landing.land(
            con,
            self.lake,
            load_id,
            window,
            bad,
            self.run_id,
            self.report,
            watch=self.watch,
            seen_on=self._seen_on,
        )
        landed.add(load_id)
        return moved

    def _look_inside(self, con: duckdb.DuckDBPyConnection) -> None:
        """Compares the fields inside JSON with those that were there."""
        some = con.execute(f"select properties from delivered limit {_ROWS_LOOKED_AT}").fetchall()
        inside = (event_shapes.values_within({"properties": value}) for (value,) in some)
        self.watch.fields(self.declared, drift.kinds_of(inside), {})

    def _look_at_instants(self, con: duckdb.DuckDBPyConnection) -> None:
        """Tells a column whose type has changed for the worse from rows that are broken."""
        unread, total = con.execute(
            "select count(*) filter (where broken = 'event_at'), count(*) from staged"
        ).fetchall()[0]
        self.watch.unreadable_counts(self.declared, {"event_at": unread}, {"event_at": total})

    def _count(self, known: int, heard: int) -> None:
        """Counts what will not be landed or rejected, because that was done before."""
        told = self.report.table(EVENTS)
        told.received += known
        told.deduplicated += known + heard
        told.rejects -= heard

    def _told(self, number: int) -> str:
        of = f" of about {self.table.estimate:,}" if self.table.estimate >= self.read else ""
        return f"usage: window {number} of {self.table.name} landed, {self.read:,}{of} rows read"


class _Landed:
    """What has landed since the last reset, from wherever: message ids, and rejects."""

    def __init__(self, lake: Lake) -> None:
        marks = lake.read(SOURCE, windows.NAME).to_pylist()
        since = max(
            (
                str(w["_dlt_load_id"])
                for w in marks
                if w["kind"] == RESET and w["resource"] == RESOURCE
            ),
            default="0",
        )
        self._lake = lake
        self._loads = {i for i in lake.finished_loads(SOURCE) if i > since}
        self._rejects: set[str] | None = None

    def of_staged(self, con: duckdb.DuckDBPyConnection) -> int:
        """Takes out of `staged` what has landed; returns how many rows that were.

        An event keeps its day however often it comes, so only files of those days are looked at.
        """
        days = con.execute(
            "select distinct event_at::date from staged where broken is null order by all"
        ).fetchall()
        folders = [self._lake.table(SOURCE, EVENTS) / f"event_on={day[0]}" for day in days]
        files = [
            str(file)
            for folder in folders
            if folder.is_dir()
            for file in sorted(folder.glob("*.parquet"))
            if load_id_of(file) in self._loads
        ]
        if not files:
            return 0
        listed = ", ".join("'" + f.replace("'", "''") + "'" for f in files)
        ids = (
            "select message_id "
            f"from read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        )
        return int(_one(con, f"delete from staged where message_id in ({ids})"))

    def add(self, load_id: str) -> None:
        """Counts what a load of this run has landed."""
        self._loads.add(load_id)

    def unheard(self, bad: list[Reject]) -> list[Reject]:
        """Rejects that are not kept yet: the overlap brings each broken row again."""
        if bad and self._rejects is None:
            kept = rejects.read(self._lake, SOURCE)
            self._rejects = set(kept["reject_id"].to_pylist())
        seen = self._rejects or set()
        fresh = [r for r in bad if r.reject_id not in seen]
        seen.update(r.reject_id for r in fresh)
        return fresh


def _empty(table: EventTable) -> str:
    kinds = {c: table.kinds.get(c, "TIMESTAMP WITH TIME ZONE") for c in ("event_at", "sent_at")}
    kinds["received_at"] = "TIMESTAMP WITH TIME ZONE"
    columns = (f"null::{kinds.get(c, 'VARCHAR')} as {c}" for c in table.columns)
    return "select " + ", ".join(columns) + " where false"


def _columns(table: EventTable) -> str:
    """The columns of an event out of `delivered`, for `event_landing.judged`."""
    parts = []
    for name in table.columns:
        if table.kinds.get(name) == "VARCHAR":
            parts.append(f"{event_columns.instant(name, 'VARCHAR')} as {name}")
        else:
            parts.append(name)
    origin = f"postgres:{table.name}".replace("'", "''")
    return (
        f"select {', '.join(parts)}, '{origin}' as source_file, null::timestamptz as written_at, "
        "true as is_object, null::varchar as line from delivered"
    )


def _one(con: duckdb.DuckDBPyConnection, sql: str) -> Any:
    found = con.execute(sql).fetchone()
    return found[0] if found else None


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
