"""The company's files: product events by day received, monthly usage, the success desk's sheets.

Belongs here: layout, formats, the manifest, and the promise that a file once written is never
written differently. Does not belong here: what happened (see `world`) or anything served over HTTP.

Layout below a folder:
    events/2026/05/events-2026-05-07.parquet   a day received; some days .jsonl or .jsonl.gz
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
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from sample_company.servers.versions import Versions, as_microseconds

if TYPE_CHECKING:
    from sample_company.world.build import World

Tables = Mapping[str, pd.DataFrame]
Progress = Callable[[str], None]
Days = Iterable[tuple[date, pd.DataFrame]]
#: Gives the events received from the first to the last day, day by day.
DaySource = Callable[[date, date], Days]
Format = Literal["parquet", "jsonl", "jsonl.gz"]

MANIFEST = "manifest.jsonl"
USAGE_MONTHLY = "usage_monthly.parquet"
_SAVE_EVERY = 31
_INSTANTS = ("event_at", "received_at")

#: Tables of the desk that are kept as files; assessments and plans live in the CRM instead.
DESK_TABLES = (
    "features", "releases", "entitlements", "success_measures", "success_measurements",
    "service_levels", "action_plan_objectives", "programs", "program_enrolments",
    "survey_responses", "advocacy_acts", "story_requests", "objectives", "incentives",
    "trigger_events", "function_costs", "competitors", "social_signals", "fx_rates",
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


def event_format(day: date) -> Format:
    """Most days are Parquet; the tool's older exports and outages left lines of JSON between."""
    number = day.toordinal() % 20
    if number == 7:
        return "jsonl"
    if number == 13:
        return "jsonl.gz"
    return "parquet"


def event_path(day: date) -> str:
    """Where a day's file lies, relative to the folder of events."""
    return f"{day:%Y/%m}/events-{day.isoformat()}.{event_format(day)}"


def extend_events(
    folder: Path, source: DaySource, first: date, last: date, progress: Progress = lambda _: None
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
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries = read_manifest(folder)
    missing = [
        day for day in _days(first, last) if event_path(day) not in entries
    ]  # a gap is filled as well
    new_rows = 0
    for start, stop in _runs(missing):
        for number, (day, frame) in enumerate(source(start, stop)):
            path = folder / event_path(day)
            body = render_events(frame, event_format(day))
            _write(path, body, _end_of(day))
            entries[event_path(day)] = {
                "path": event_path(day),
                "size": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
                "rows": len(frame),
                "received_on": day.isoformat(),
            }
            new_rows += len(frame)
            if number % _SAVE_EVERY == _SAVE_EVERY - 1:
                _save_manifest(folder, entries)
            if day.day == 1 and day.month in (1, 7):
                progress(f"event files up to {day.isoformat()}")
    if missing or not (folder / MANIFEST).exists():
        _save_manifest(folder, entries)
    days = sorted(str(entry["received_on"]) for entry in entries.values())
    return ExportReport(
        new_files=len(missing),
        new_rows=new_rows,
        files=len(entries),
        rows=sum(int(str(entry["rows"])) for entry in entries.values()),
        first_on=date.fromisoformat(days[0]) if days else None,
        last_on=date.fromisoformat(days[-1]) if days else None,
    )


def read_manifest(folder: Path) -> dict[str, dict[str, object]]:
    """The files that count, by path; empty if there is no manifest yet."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    return {entry["path"]: entry for entry in entries}


def _save_manifest(folder: Path, entries: Mapping[str, Mapping[str, object]]) -> None:
    ordered = sorted(entries.values(), key=lambda entry: str(entry["received_on"]))
    text = "".join(json.dumps(entry) + "\n" for entry in ordered)
    last = date.fromisoformat(str(ordered[-1]["received_on"])) if ordered else None
    _write(folder / MANIFEST, text.encode(), _end_of(last) if last else None)


def render_events(frame: pd.DataFrame, kind: Format) -> bytes:
    """A day's events in one of the three formats; the feature stands among the properties."""
    table = _event_table(frame)
    if kind == "parquet":
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        return buffer.getvalue()
    lines = "".join(_json_lines(table)).encode()
    if kind == "jsonl":
        return lines
    # Without a fixed time the same events would compress to different bytes.
    return gzip.compress(lines, compresslevel=6, mtime=0)


def _json_lines(table: pa.Table) -> Iterator[str]:
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    for name in _INSTANTS:
        millis = table.column(name).cast(pa.int64()).to_numpy() // 1_000
        text = np.datetime_as_string(millis.astype("datetime64[ms]"), unit="ms")
        columns[name] = [value + "Z" for value in text.tolist()]
    columns["properties"] = [json.loads(text) for text in columns["properties"]]
    names = list(columns)
    for values in zip(*columns.values(), strict=True):
        yield json.dumps(dict(zip(names, values, strict=True)), separators=(",", ":")) + "\n"


def _event_table(frame: pd.DataFrame) -> pa.Table:
    columns = []
    for column in _EVENT_SCHEMA:
        if column.name in _INSTANTS:
            micros = pd.DatetimeIndex(frame[column.name]).as_unit("us").asi8
            # Collectors keep milliseconds; all formats then say the same.
            columns.append(pa.array(micros // 1_000 * 1_000, type=column.type))
        elif column.name == "properties":
            columns.append(pa.array(_properties(frame), type=column.type))
        elif column.name in frame.columns:
            columns.append(_strings(frame[column.name]))
        else:
            columns.append(pa.nulls(len(frame), column.type))
    return pa.Table.from_arrays(columns, schema=_EVENT_SCHEMA)


def _strings(values: pd.Series) -> pa.Array:
    array = pa.Array.from_pandas(values, type=pa.large_string()).cast(pa.string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _properties(frame: pd.DataFrame) -> list[str]:
    """The properties as JSON text, the feature among them."""
    texts = frame["properties"].tolist() if "properties" in frame.columns else [None] * len(frame)
    features = frame["feature"].tolist() if "feature" in frame.columns else [None] * len(frame)
    # Plain Python: a day has a few thousand rows, for which column operations cost more.
    return [
        _with_feature(text if isinstance(text, str) else "{}", feature)
        for text, feature in zip(texts, features, strict=True)
    ]


def _with_feature(text: str, feature: object) -> str:
    if not isinstance(feature, str) or '"feature"' in text:
        return text
    head = '{"feature":' + encode_basestring_ascii(feature)
    return head + "}" if text == "{}" else head + "," + text[1:]


def write_usage_monthly(path: Path, usage_monthly: pd.DataFrame, before: date) -> int:
    """Write the workspace-months before the month in which raw events begin; number of rows.

    Args:
        path: the Parquet file; rewritten only if its content changes.
        usage_monthly: workspace_id, month, active_users, events, features_used, licences.
        before: first day of raw events; months from then on are left out.
    """
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
        rows += len(frame)
        text = frame.to_csv(index=False, lineterminator="\n")
        _write(folder / f"{name}.csv", text.encode(), now - timedelta(seconds=1))
    return rows


def desk_sheet(name: str, frame: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """One sheet as of `now`: known rows in their newest version, as text with ISO dates."""
    instant = as_microseconds(now)
    today = pd.Timestamp(now.astimezone(UTC).replace(tzinfo=None))
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
        progress: Progress = lambda _: None,
    ) -> None:
        self._world = world
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
            write_usage_monthly(self._folder / USAGE_MONTHLY, tables["usage_monthly"], first)
        return extend_events(self._folder / "events", self._source(), first, last, self._progress)

    def _raw_from(self, last: date) -> date:
        """First day received of which raw events are kept; fixed by the first export."""
        written = read_manifest(self._folder / "events")
        if written:
            return min(date.fromisoformat(str(e["received_on"])) for e in written.values())
        if self._event_days is not None:
            return last - timedelta(days=self._event_days - 1)
        from sample_company.world.usage import raw_from

        return min(raw_from(self._world.config), last)

    def _source(self) -> DaySource:
        world = self._world

        def days(first: date, last: date) -> Days:
            # Only exports of events need the generator of events.
            from sample_company.world.usage import iter_usage_days

            yield from iter_usage_days(cast(Any, world), first, last)

        return days

    def env(self) -> dict[str, str]:
        """Settings that point a reader at these files."""
        return {
            "TENURE_EVENTS_PATH": str(self._folder / "events"),
            "TENURE_DESK_PATH": str(self._folder / "desk"),
            "TENURE_USAGE_MONTHLY_PATH": str(self._folder / USAGE_MONTHLY),
            "TENURE_EVENTS_MANIFEST": str(self._folder / "events" / MANIFEST),
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
        os.utime(scratch, (changed_at.timestamp(), changed_at.timestamp()))
    scratch.replace(path)


def _end_of(day: date) -> datetime:
    return datetime.combine(day, time(23, 59, 59), tzinfo=UTC)


def _days(first: date, last: date) -> Iterator[date]:
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)


def _runs(days: list[date]) -> Iterator[tuple[date, date]]:
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
