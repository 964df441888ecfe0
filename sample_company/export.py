"""The company's files: product events by day received, monthly usage, the success desk's sheets.

Belongs here: layout, formats, the manifest, and the promise that a file once written is never
written differently. Does not belong here: what happened (see `world`) or anything served over HTTP.

Layout below a folder:
    events/2026/05/events-2026-05-07.parquet   a day received; some days .jsonl or .jsonl.gz; a few
                                               rows are broken (see `world.event_mess`)
    events/manifest.jsonl                      a file: path, size, sha256, rows, received_on
    usage_monthly.parquet                      workspace-months before raw events are kept
    desk/<table>.csv                           the success desk as it stands
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sample_company.servers.versions import Versions, as_microseconds
from sample_company.world import event_mess
from sample_company.world.event_mess import Broken, Format, event_path
from sample_company.world.usage import Usage, broken_events, raw_from

if TYPE_CHECKING:
    from sample_company.world.build import World

Tables = Mapping[str, pd.DataFrame]
Progress = Callable[[str], None]
#: A day's events in order of receipt, in frames of bounded size.
Parts = Iterable[pd.DataFrame]
#: Gives the events received from the first to the last day, day by day.
DaySource = Callable[[date, date], Iterable[tuple[date, Parts]]]
#: Gives the broken rows of the files of some days.
BrokenSource = Callable[[date, date], Sequence[Broken]]
Entry = dict[str, object]

MANIFEST = "manifest.jsonl"
USAGE_MONTHLY = "usage_monthly.parquet"
_SAVE_EVERY = 31
_INSTANTS = ("event_at", "received_at")
#: Columns that a dictionary makes smaller; message ids never repeat.
_REPEATING = ("event", "workspace_id", "user_id", "anonymous_id", "properties")

#: Tables of the desk that are kept as files; assessments and plans live in the CRM instead.
DESK_TABLES = (
    "features", "releases", "entitlements", "success_measures", "success_measurements",
    "service_levels", "action_plan_objectives", "programs", "program_enrolments",
    "survey_responses", "advocacy_acts", "story_requests", "objectives", "incentives",
    "trigger_events", "function_costs", "competitors", "social_signals", "fx_rates",
    "erasure_requests",
)  # fmt: skip
#: For tables without known_at: the date from which a row stands in the sheet.
_SINCE = {
    "features": "released_on", "releases": "released_on", "entitlements": "entitled_from",
    "programs": "started_on", "story_requests": "requested_on", "objectives": "period_start_on",
    "incentives": "valid_from", "function_costs": "month",
}  # fmt: skip
#: Columns that are filled in only when their day has come.
_LATER = ("entitled_to", "ended_on", "closed_on", "done_on", "fulfilled_on", "confirmed_on")

_EVENT_SCHEMA = pa.schema([
    ("message_id", pa.string()),
    ("event", pa.string()),
    ("event_at", pa.timestamp("us", tz="UTC")),
    ("received_at", pa.timestamp("us", tz="UTC")),
    ("workspace_id", pa.string()),
    ("user_id", pa.string()),
    ("anonymous_id", pa.string()),
    ("properties", pa.string()),
])  # fmt: skip


@dataclass(frozen=True)
class ExportReport:
    """What an export has written and what stands there now."""

    new_files: int
    new_rows: int
    files: int
    rows: int
    first_on: date | None
    last_on: date | None


def extend_events(
    folder: Path,
    source: DaySource,
    first: date,
    last: date,
    progress: Progress = lambda _: None,
    broken: BrokenSource = lambda *_: (),
) -> ExportReport:
    """Write the event files of the days that are still missing; files that exist stay untouched.

    Safe to be killed: a file counts when its manifest line is written, files appear whole or not at
    all, and a day written again has the same bytes.

    Args:
        folder: folder of event files.
        source: gives a day's events; deterministic per day.
        first: first day received that is kept raw.
        last: last day received.
        progress: told a line now and then.
        broken: gives the rows of the files that are no events.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = read_manifest(folder)
    missing = missing_days(entries, first, last)
    new_rows = 0
    for start, stop in runs(missing):
        spoilt = by_file(broken(start, stop))
        for number, (day, parts) in enumerate(source(start, stop)):
            path = event_path(day)
            entries[path] = write_day(folder, day, path, parts, spoilt.get(path, ()))
            new_rows += int(str(entries[path]["rows"]))
            if number % _SAVE_EVERY == _SAVE_EVERY - 1:
                save_manifest(folder, entries)
            if day.day == 1 and day.month in (1, 7):
                progress(f"event files up to {day.isoformat()}")
    if missing or not (folder / MANIFEST).exists():
        save_manifest(folder, entries)
    return report_of(entries, len(missing), new_rows)


def missing_days(
    entries: Mapping[str, Entry], first: date, last: date, kind: Format | None = None
) -> list[date]:
    """Days without a file that counts; a gap is filled as well."""
    return [day for day in _days(first, last) if event_path(day, kind) not in entries]


def report_of(entries: Mapping[str, Entry], new_files: int, new_rows: int) -> ExportReport:
    """What stands in a folder by its manifest, beside what was new."""
    days = sorted(str(entry["received_on"]) for entry in entries.values())
    return ExportReport(
        new_files=new_files,
        new_rows=new_rows,
        files=len(entries),
        rows=sum(int(str(entry["rows"])) for entry in entries.values()),
        first_on=date.fromisoformat(days[0]) if days else None,
        last_on=date.fromisoformat(days[-1]) if days else None,
    )


def by_file(broken: Iterable[Broken]) -> dict[str, list[Broken]]:
    """Broken rows by the file that carries them."""
    found: dict[str, list[Broken]] = {}
    for row in broken:
        found.setdefault(row.file, []).append(row)
    return found


def read_manifest(folder: Path) -> dict[str, Entry]:
    """The files that count, by path; empty if there is no manifest yet."""
    path = folder / MANIFEST
    return read_entries(path) if path.exists() else {}


def read_entries(path: Path) -> dict[str, Entry]:
    """Manifest lines by path of the file; a line that was cut off does not count."""
    entries: dict[str, Entry] = {}
    for line in path.read_text("utf-8").splitlines(keepends=True):
        if line.endswith("\n") and line.strip():
            entry = json.loads(line)
            entries[entry["path"]] = entry
    return entries


def save_manifest(folder: Path, entries: Mapping[str, Entry]) -> None:
    """Write the manifest, by day."""
    ordered = sorted(entries.values(), key=lambda entry: str(entry["received_on"]))
    text = "".join(json.dumps(entry) + "\n" for entry in ordered)
    last = date.fromisoformat(str(ordered[-1]["received_on"])) if ordered else None
    _write(folder / MANIFEST, text.encode(), _end_of(last) if last else None)


def write_day(
    folder: Path, day: date, name: str, parts: Parts, broken: Sequence[Broken] = ()
) -> Entry:
    """Write a day's file as its frames come, whole or not at all; its line of the manifest.

    Memory is a frame and a row group, whatever the size of the file.
    """
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".tmp")
    with scratch.open("wb") as sink:
        rows = render_events(sink, parts, name.split(".", 1)[1], broken)
    with scratch.open("rb") as written:
        digest = hashlib.file_digest(written, "sha256").hexdigest()
    size = scratch.stat().st_size
    _stamp(scratch, _end_of(day))
    scratch.replace(path)
    return {
        "path": name,
        "size": size,
        "sha256": digest,
        "rows": rows,
        "received_on": day.isoformat(),
    }


def render_events(
    sink: IO[bytes], parts: Parts, kind: Format | str, broken: Sequence[Broken] = ()
) -> int:
    """A day's events in one of the three formats, broken rows last; the number of rows.

    The feature stands among the properties, as product analytics tools have it.
    """
    if kind == "parquet":
        return _render_columns(sink, parts, broken)
    if kind == "jsonl":
        return _render_lines(sink, parts, broken)
    # Without a fixed time and name the same events would compress to different bytes.
    with gzip.GzipFile("", "wb", compresslevel=6, fileobj=sink, mtime=0) as zipped:
        return _render_lines(zipped, parts, broken)


def _render_columns(sink: IO[bytes], parts: Parts, broken: Sequence[Broken]) -> int:
    rows = 0
    with pq.ParquetWriter(
        sink, _EVENT_SCHEMA, compression="zstd", use_dictionary=list(_REPEATING)
    ) as writer:
        for frame in parts:
            writer.write_table(_event_table(frame))
            rows += len(frame)
        if broken:
            writer.write_table(_event_table(event_mess.frame_of(broken)))
    return rows + len(broken)


def _render_lines(sink: IO[bytes] | gzip.GzipFile, parts: Parts, broken: Sequence[Broken]) -> int:
    rows = 0
    for frame in parts:
        sink.write(b"".join(_json_lines(_event_table(frame))))
        rows += len(frame)
    for row in broken:
        sink.write(row.line().encode() + b"\n")
    return rows + len(broken)


def _json_lines(table: pa.Table) -> Iterator[bytes]:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    for name in _INSTANTS:
        millis = table.column(name).cast(pa.int64()).to_numpy() // 1_000
        text = np.datetime_as_string(millis.astype("datetime64[ms]"), unit="ms")
        columns[name] = [value + "Z" for value in text.tolist()]
    # The properties are JSON already.
    columns["properties"] = [orjson.Fragment(text) for text in columns["properties"]]
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield orjson.dumps(dict(zip(names, values, strict=True)), option=orjson.OPT_APPEND_NEWLINE)


def _event_table(frame: pd.DataFrame) -> pa.Table:
    columns = []
    for column in _EVENT_SCHEMA:
        if column.name in _INSTANTS:
            given = pa.array(pd.DatetimeIndex(frame[column.name]).as_unit("us"), type=column.type)
            # Collectors keep milliseconds; all formats then say the same.
            columns.append(pc.floor_temporal(given, unit="millisecond"))
        elif column.name == "properties":
            columns.append(_properties(frame))
        elif column.name in frame.columns:
            columns.append(_strings(frame[column.name]))
        else:
            columns.append(pa.nulls(len(frame), column.type))
    return pa.Table.from_arrays(columns, schema=_EVENT_SCHEMA)


def _strings(values: pd.Series) -> pa.Array:
    array = pa.Array.from_pandas(values, type=pa.large_string()).cast(pa.string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _properties(frame: pd.DataFrame) -> pa.Array:
    """The properties as JSON text, the feature among them."""
    empty = pa.nulls(len(frame), pa.string())
    text = _strings(frame["properties"]) if "properties" in frame.columns else empty
    text = pc.fill_null(text, "{}")
    if "feature" not in frame.columns:
        return text
    coded = _strings(frame["feature"]).dictionary_encode()
    heads = pa.array(['{"feature":' + json.dumps(f) for f in coded.dictionary.to_pylist()])
    head = heads.cast(pa.string()).take(coded.indices)
    rest = pc.if_else(
        pc.equal(text, "{}"),
        "}",
        pc.binary_join_element_wise(",", pc.utf8_slice_codeunits(text, 1), ""),
    )
    joined = pc.binary_join_element_wise(head, rest, "")
    plain = pc.or_(pc.is_null(head), pc.match_substring(text, '"feature"'))
    return pc.if_else(plain, text, joined)


def write_usage_monthly(
    path: Path, usage_monthly: pd.DataFrame, before: date, broken: pd.DataFrame | None = None
) -> int:
    """Write the workspace-months before the month in which raw events begin; number of rows.

    Args:
        path: the Parquet file; rewritten only if its content changes.
        usage_monthly: workspace_id, month, active_users, events, features_used, licences.
        before: first day of raw events; months from then on are left out.
        broken: rows that are no workspace-months, written last.
    """
    if broken is not None:
        usage_monthly = pd.concat([usage_monthly, broken], ignore_index=True)
    months = pd.to_datetime(usage_monthly["month"])
    if months.dt.tz is not None:
        months = months.dt.tz_localize(None)
    kept = usage_monthly[months < pd.Timestamp(before.replace(day=1))]
    table = pa.table(
        {
            "workspace_id": pa.array(kept["workspace_id"].astype(object), pa.string()),
            "month": pa.array(months[kept.index].dt.date, pa.date32()),
            **{
                name: pa.array(pd.to_numeric(kept[name]).astype("Int64"), pa.int64())
                for name in ("active_users", "events", "features_used", "licences")
                if name in kept.columns
            },
        }
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    _write(path, buffer.getvalue(), _end_of(before - timedelta(days=1)))
    return len(kept)


def write_desk(folder: Path, tables: Tables, now: datetime) -> int:
    """Write the desk's sheets as they stand at `now`; number of rows in all of them.

    A sheet is rewritten only if its content changes, and then carries the last second before `now`
    as its time of change: readers take that time for the version.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    for name in DESK_TABLES:
        if name not in tables:
            continue
        frame = desk_sheet(name, tables[name], now)
        if "desk_slips" in tables:
            frame = with_slips(name, frame, tables["desk_slips"], now)
        rows += len(frame)
        text = frame.to_csv(index=False, lineterminator="\n")
        _write(folder / f"{name}.csv", text.encode(), now - timedelta(seconds=1))
    return rows


def with_slips(name: str, sheet: pd.DataFrame, slips: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """The sheet with the rows below it in which somebody typed what cannot be read."""
    known = pd.to_datetime(slips["known_at"], utc=True) < pd.Timestamp(now)
    own = slips.loc[known & (slips["sheet"] == name), "cells"]
    if own.empty:
        return sheet
    typed = pd.DataFrame([json.loads(cells) for cells in own], columns=sheet.columns, dtype=object)
    return pd.concat([sheet.astype(object), typed], ignore_index=True)


def desk_sheet(name: str, frame: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """One sheet as of `now`: known rows in their newest version, as text with ISO dates."""
    instant = as_microseconds(now)
    today = pd.Timestamp(now.astimezone(UTC).replace(tzinfo=None))
    if name == "erasure_requests":
        # Who asks is known by the contact; that two contacts are one person, nobody has written.
        asked = pd.to_datetime(frame["requested_at"], utc=True)
        frame = frame[asked < pd.Timestamp(now)]
        frame = pd.DataFrame({
            "contact_id": frame["contact_id"],
            "requested_on": _naive(frame["requested_at"]).dt.floor("D"),
        })  # fmt: skip
        return pd.DataFrame({column: _text(frame[column]) for column in frame.columns})
    if "version_at" in frame.columns:
        versions = Versions(frame, str(frame.columns[0]))
        frame = versions.frame.iloc[np.sort(versions.visible(instant))]
        if "is_deleted" in frame.columns:
            frame = frame[~frame["is_deleted"].astype(bool)]
        # People do not number the rows of this sheet; the world does, to keep its versions apart.
        frame = frame.drop(
            columns=[
                "version_at",
                "is_deleted",
                *(["entitlement_id"] if name == "entitlements" else []),
            ],
            errors="ignore",
        )
    elif "known_at" in frame.columns:
        frame = frame[pd.to_datetime(frame["known_at"], utc=True) < pd.Timestamp(now)]
    elif name in _SINCE:
        since = _naive(frame[_SINCE[name]])
        frame = frame[~(since >= today)]
    shown = {}
    for column in frame.columns:
        values = frame[column]
        if column in _LATER:
            day = _naive(values)
            values = values.where(~(day >= today))
        shown[column] = _text(values)
    return pd.DataFrame(shown)


def _naive(values: pd.Series) -> pd.Series:
    return pd.to_datetime(values, utc=True).dt.tz_localize(None)


def _text(values: pd.Series) -> pd.Series:
    if values.dtype.kind == "M":
        pattern = "%Y-%m-%dT%H:%M:%SZ" if getattr(values.dtype, "tz", None) else "%Y-%m-%d"
        shown: pd.Series = values.dt.strftime(pattern)
        return shown
    if values.dtype == bool or str(values.dtype) == "boolean":
        return values.map({True: "true", False: "false"})
    return values


class CompanyFiles:
    """All files of a world below one folder, extended as time goes on."""

    def __init__(
        self,
        world: World,
        folder: Path,
        *,
        event_days: int | None = None,
        with_events: bool = True,
        progress: Progress = lambda _: None,
    ) -> None:
        self._world = world
        self._with_events = with_events
        self._first: date | None = None
        self._folder = folder
        self._event_days = event_days
        self._progress = progress
        for part in ("events", "desk"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def extend(self, now: datetime) -> ExportReport:
        """Write what has happened before `now` and is not written yet."""
        last = (now.astimezone(UTC) - timedelta(microseconds=1)).date()
        last = min(last, self._world.config.last_day)
        first = self._raw_from(last)
        tables = self._world.tables
        write_desk(self._folder / "desk", tables, now)
        if "usage_monthly" in tables:
            monthly = tables["usage_monthly"]
            write_usage_monthly(
                self._folder / USAGE_MONTHLY,
                monthly,
                first,
                event_mess.negative_months(monthly, self._world.config.seed),
            )
        if not self._with_events:
            self._first = first
            return report_of({}, 0, 0)
        return extend_events(
            self._folder / "events",
            lambda first, last: self._usage.days(first, last),
            first,
            last,
            self._progress,
            lambda first, last: broken_events(self._usage, first, last),
        )

    def raw_from(self, now: datetime) -> date:
        """First day received of which raw events are kept, of a company whose clock says `now`."""
        last = (now.astimezone(UTC) - timedelta(microseconds=1)).date()
        return self._raw_from(min(last, self._world.config.last_day))

    def _raw_from(self, last: date) -> date:
        """First day received of which raw events are kept; fixed by the first export."""
        if self._first is not None:
            return self._first
        written = read_manifest(self._folder / "events")
        if written:
            return min(date.fromisoformat(str(e["received_on"])) for e in written.values())
        if self._event_days is not None:
            return last - timedelta(days=self._event_days - 1)
        return min(raw_from(self._world.config), last)

    @cached_property
    def _usage(self) -> Usage:
        return Usage.of(self._world.tables, self._world.config)

    def env(self) -> dict[str, str]:
        """Settings that point a reader at these files."""
        events = {
            "TENURE_EVENTS_PATH": str(self._folder / "events"),
            "TENURE_EVENTS_MANIFEST": str(self._folder / "events" / MANIFEST),
        }
        return {
            **(events if self._with_events else {}),
            "TENURE_DESK_PATH": str(self._folder / "desk"),
            "TENURE_USAGE_MONTHLY_PATH": str(self._folder / USAGE_MONTHLY),
        }


# --- files --------------------------------------------------------------------------------------


def _write(path: Path, body: bytes, changed_at: datetime | None) -> None:
    """Put a file in place whole, unless it already has this content."""
    if path.exists() and path.stat().st_size == len(body) and path.read_bytes() == body:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_bytes(body)
    if changed_at is not None:
        _stamp(scratch, changed_at)
    scratch.replace(path)


def _stamp(path: Path, changed_at: datetime) -> None:
    os.utime(path, (changed_at.timestamp(), changed_at.timestamp()))


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), tzinfo=UTC)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def runs(days: list[date]) -> Iterator[tuple[date, date]]:
    """Runs of consecutive days."""
    start: date | None = None
    previous: date | None = None
    for day in days:
        if start is None or previous is None:
            start = day
        elif day - previous > timedelta(days=1):
            yield start, previous
            start = day
        previous = day
    if start is not None and previous is not None:
        yield start, previous
