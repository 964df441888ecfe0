"""One load: batches per table, rejects and windows, written together by dlt or not at all.

Belongs here: the way from checked Arrow tables into `lake/<source>/` through dlt's filesystem
destination. Must not be here: where rows come from. The event loader writes its files itself (it is
columnar from end to end) but keeps to the same shape.

dlt's working folder is fresh for every load and thrown away: what it would remember (cursors,
pending packages) is in the lake's finished loads, so nothing local can contradict them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Lock, RLock
from typing import Any

import pyarrow as pa

from ingestion import drift, rejects, rows, windows
from ingestion.drift import DriftBlocked, Watch
from ingestion.known import Known
from ingestion.lake import Lake, clean_unfinished, ensure_anchors
from ingestion.rejects import Reject
from ingestion.reports import LoadReport, TableReport
from ingestion.schemas import operations
from ingestion.schemas.model import Table
from ingestion.suppression import Suppression
from ingestion.windows import Window

FLUSH_ROWS = 40_000
_dlt_lock = Lock()  # dlt keeps the active pipeline per process; loads take turns
_held: dict[Path, tuple[RLock, list[int]]] = {}
_held_lock = Lock()


@contextmanager
def holding(lake: Lake, source: str) -> Iterator[None]:
    """Holds a source's folder for one writer, among threads and processes.

    The operating system lets go when the process dies, however it dies.
    """
    lake.work.mkdir(parents=True, exist_ok=True)
    path = lake.work / f"{source}.lock"
    with _held_lock:
        lock, depth = _held.setdefault(path, (RLock(), [0]))
    with lock:
        depth[0] += 1
        try:
            if depth[0] > 1:
                yield
                return
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield
            finally:
                os.close(handle)
        finally:
            depth[0] -= 1


def begin(lake: Lake, source: str) -> None:
    """Prepares a source's folder: anchors in place, nothing left of loads that never finished."""
    ensure_anchors(lake)
    with holding(lake, source):
        clean_unfinished(lake, source)


@dataclass
class Landing:
    """A load in the making.

    Attributes:
        lake: the lake.
        source: folder it lands in.
        run_id: run it belongs to.
        report: told what happened; may be another source's (custom objects land with the desk).
        as_of: date the run is for; yesterday if not given.
    """

    lake: Lake
    source: str
    run_id: str
    report: LoadReport
    as_of: date | None = None
    _tables: dict[str, list[pa.Table]] = field(default_factory=dict)
    _rejects: list[Reject] = field(default_factory=list)
    _windows: list[Window] = field(default_factory=list)
    _pending: int = 0
    _mark: _Mark | None = None

    def __post_init__(self) -> None:
        """Sets the watch over the source's shape, and over people who have been erased."""
        self.watch = Watch(self.lake, self.source)
        self.suppressed = Suppression(self.lake)

    @property
    def seen_on(self) -> date:
        """The date by which what is met is dated."""
        return self.as_of or datetime.now(UTC).date() - timedelta(days=1)

    def add(self, table: Table, records: Sequence[rows.Record]) -> pa.Table:
        """Checks records and adds what fits; the rest becomes rejects.

        Returns:
            The rows added.
        """
        return self.take(table, records)

    def take(
        self,
        table: Table,
        records: Sequence[rows.Record],
        *,
        names: Mapping[str, str] | None = None,
        known: Known | None = None,
    ) -> pa.Table:
        """Checks records, counts them, and adds what is sound and not known.

        Args:
            table: the declaration.
            records: one mapping a row.
            names: column -> key under which the records hold it, where they are keyed otherwise.
            known: what has landed; rows that landed as they are count as known and are left out.

        Returns:
            The rows added.

        Raises:
            DriftBlocked: if the table must not land as it comes.
        """
        good, bad = rows.build(table, records, names)
        if bad:
            at_fault = {r.field for r in bad if r.rule == "type"}
            keys = {c: c if names is None else names.get(c, "") for c in at_fault}
            filled = {c: sum(r.get(k) is not None for r in records) for c, k in keys.items()}
            self.watch.unreadable(table, bad, filled, {c: (k, c) for c, k in keys.items()})
        self.watch.vocabulary(table, good)
        self.count(table.name, received=len(records))
        self.add_rejects(table.name, bad, is_counted=True)
        good = self.suppressed.redact(table, good)
        fresh = known.new_only(good) if known is not None else good
        self.count(table.name, deduplicated=good.num_rows - fresh.num_rows)
        self.add_rows(table.name, fresh, is_counted=True)
        return fresh

    def count(self, name: str, *, received: int = 0, deduplicated: int = 0, made: int = 0) -> None:
        """Counts rows that do not pass through `take`, or that `take` saw under another name."""
        if received or deduplicated or made:
            told = self.report.table(name)
            told.received += received
            told.deduplicated += deduplicated
            told.made += made

    def add_made(self, name: str, batch: pa.Table) -> None:
        """Adds rows written here for records that are no longer there."""
        self.count(name, made=batch.num_rows)
        self.add_rows(name, batch, is_counted=True)

    def add_rows(self, name: str, batch: pa.Table, *, is_counted: bool = False) -> None:
        """Adds checked rows, which have come from the source unless counted already."""
        if batch.num_rows:
            self._tables.setdefault(name, []).append(batch)
            self._pending += batch.num_rows
            self.count(name, received=0 if is_counted else batch.num_rows)

    def add_rejects(self, name: str, bad: Sequence[Reject], *, is_counted: bool = False) -> None:
        """Adds rows that were kept out."""
        self._rejects.extend(bad)
        if bad:
            self.report.table(name).rejects += len(bad)
            self.count(name, received=0 if is_counted else len(bad))

    @contextmanager
    def or_block(self) -> Iterator[None]:
        """Loads what follows, or nothing of it: a blocked table drops what it had pending.

        The report then says what is blocked, and the next resource can go on.
        """
        self._mark = self._here()
        try:
            yield
        except DriftBlocked as error:
            if self._mark is not None:
                self._back_to(self._mark)
            for change in error.changes:
                self.report.block(change.sentence())
        finally:
            self._mark = None

    def _here(self) -> _Mark:
        return _Mark(
            {name: len(parts) for name, parts in self._tables.items()},
            len(self._rejects),
            len(self._windows),
            self._pending,
            {name: replace(told) for name, told in self.report.tables.items()},
            len(self.watch.learned),
        )

    def _back_to(self, mark: _Mark) -> None:
        for name in list(self._tables):
            del self._tables[name][mark.tables.get(name, 0) :]
            if not self._tables[name]:
                del self._tables[name]
        del self._rejects[mark.rejects :]
        del self._windows[mark.windows :]
        self._pending = mark.pending
        self.report.tables.clear()
        self.report.tables.update({name: replace(told) for name, told in mark.told.items()})
        self.watch.forget(mark.learned)

    def add_window(self, window: Window, table: str = "") -> None:
        """Adds a finished stretch (of a table, if the resource has another name)."""
        self._windows.append(window)
        self.report.table(table or window.resource).windows += 1

    @property
    def is_due(self) -> bool:
        """Whether enough has gathered to be written."""
        return self._pending >= FLUSH_ROWS

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (
            self._tables
            or self._rejects
            or self._windows
            or self.watch.changes
            or self.watch.learned
        )

    def flush(self) -> str | None:
        """Writes what has gathered as one load.

        Returns:
            The load's id, or None if there was nothing.
        """
        if self.is_empty:
            return None
        now = datetime.now(UTC)
        batches = dict(self._tables)
        if self._rejects:
            kept = rejects.to_arrow(self._rejects, self.run_id, now, self.seen_on)
            batches[rejects.NAME] = [kept]
        if self._windows:
            batches[windows.NAME] = [windows.to_arrow(self._windows, self.run_id, now)]
        changes, learned = self.watch.take()
        self.report.changes += changes
        if changes:
            told_here = drift.to_arrow(changes, self.seen_on, self.run_id)
            batches[operations.SCHEMA_CHANGES.name] = [told_here]
        if learned:
            batches[operations.FIELDS.name] = [drift.fields_to_arrow(learned)]
        with holding(self.lake, self.source):
            load_id = _run_dlt(self.lake, self.source, batches)
        for name, parts in self._tables.items():
            told = self.report.table(name)
            told.rows += sum(p.num_rows for p in parts)
            told.bytes += sum(p.nbytes for p in parts)
        self._remember(load_id)
        self._tables, self._rejects, self._windows, self._pending = {}, [], [], 0
        if self._mark is not None:
            self._mark = self._here()
        return load_id

    def _remember(self, load_id: str) -> None:
        if self.source == self.report.source:
            self.report.load_ids.append(load_id)
        else:
            self.report.other_loads.setdefault(self.source, []).append(load_id)


@dataclass(frozen=True)
class _Mark:
    """How far a load had got: numbers of batches, rejects and windows, and what was told."""

    tables: dict[str, int]
    rejects: int
    windows: int
    pending: int
    told: dict[str, TableReport]
    learned: int


def _run_dlt(lake: Lake, source: str, batches: dict[str, list[pa.Table]]) -> str:
    # dlt reads settings from the environment when it is first used; none of these is a secret.
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    os.environ["NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID"] = "true"
    import dlt  # takes 0.8 s, which a run with nothing new need not pay

    lake.work.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"{source}-", dir=lake.work))
    _mark_initialised(lake.source(source))
    with _dlt_lock:
        try:
            pipeline = dlt.pipeline(
                pipeline_name=f"tenure_{source}",
                pipelines_dir=str(scratch),
                destination=dlt.destinations.filesystem(
                    bucket_url=str(lake.root),
                    layout="{table_name}/{load_id}.{file_id}.{ext}",
                    naming_convention="direct",
                ),
                dataset_name=source,
            )
            pipeline.config.restore_from_destination = False
            info = pipeline.run(_source(dlt, source, batches), loader_file_format="parquet")
            info.raise_on_failed_jobs()
            return str(info.loads_ids[-1])
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def _mark_initialised(folder: Path) -> None:
    # dlt refuses a folder that exists (the anchors made it) without its own mark of version 2.
    mark = folder / "init"
    if not mark.exists():
        folder.mkdir(parents=True, exist_ok=True)
        mark.write_text('{"initial_version": 2, "current_version": 2}', encoding="utf-8")


def _source(dlt: Any, source: str, batches: dict[str, list[pa.Table]]) -> Any:
    # Column names stay as declared; dlt's default would turn foo__c into foo_c.
    schema = dlt.Schema(source, normalizers={"names": "direct"})

    def landed() -> Iterator[Any]:
        for name, parts in batches.items():
            together = pa.concat_tables(parts).combine_chunks()
            yield dlt.resource([together], name=name, write_disposition="append")

    return dlt.source(landed, schema=schema, max_table_nesting=0)()
