"""The mess that belongs to files of usage: which days are lines of JSON, which rows are broken.

Belongs here: the format of a day's file, rows that no sender should have written, how they are
spoilt, and the truth about them. Must not be here: good events (see `usage`), writing files.

Broken rows are few: one file in eight of columns has one, every file of lines one to three.
Everything is a pure function of seed and day, so a later horizon only adds rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from sample_company.clock import first_day
from sample_company.rng import Rng
from sample_company.world.noise import Noise, fold, key_of

Format = Literal["parquet", "jsonl", "jsonl.gz"]

#: What can be wrong with a row in any file, and only with a line of JSON.
_ANYWHERE = ("no_message_id", "no_event", "no_event_at", "before_2000", "future_date")
_LINES = ("cut_line", "no_json", "unreadable_event_at")
NEGATIVE_SHARE = 0.012
_FUTURE_DAYS = (30, 800)
_COLUMNS = ("mess", "object", "record_id", "other_id", "detail", "planted_at")


@dataclass(frozen=True)
class Broken:
    """A row that must not become an event.

    Attributes:
        file: path of the day's file below the folder of events.
        number: running number among the file's broken rows, from 0.
        kind: what is wrong.
        message_id: the row's id; None where it has none.
        event_at: what the row says; None where it says nothing.
        received_at: when it arrived, on the file's day.
        workspace_id: where it claims to come from.
        user_id: who it claims to be about.
    """

    file: str
    number: int
    kind: str
    message_id: str | None
    event_at: datetime | None
    received_at: datetime
    workspace_id: str
    user_id: str

    @property
    def event(self) -> str | None:
        """Name of the event."""
        return None if self.kind == "no_event" else "feature_used"

    @property
    def record_id(self) -> str:
        """The message id if a reader can find one, else file and number."""
        lost = self.message_id is None or self.kind in ("cut_line", "no_json")
        return f"{self.file}#{self.number}" if lost else str(self.message_id)

    def line(self) -> str:
        """The row as its line of JSON (without the line's end), spoilt where it must be."""
        if self.kind == "no_json":
            return "<html><head><title>502 Bad Gateway</title></head></html>"
        said = _iso(self.event_at)
        row = {
            "message_id": self.message_id,
            "event": self.event,
            "event_at": "31/02 25:61" if self.kind == "unreadable_event_at" else said,
            "received_at": _iso(self.received_at),
            "workspace_id": self.workspace_id,
            "user_id": self.user_id,
            "anonymous_id": None,
            "properties": {"client": "api"},
        }
        text = json.dumps(row, separators=(",", ":"))
        return text[: len(text) * 3 // 5] if self.kind == "cut_line" else text


def event_format(day: date) -> Format:
    """Most days are Parquet; the tool's older exports and outages left lines of JSON between."""
    number = day.toordinal() % 20
    if number == 7:
        return "jsonl"
    if number == 13:
        return "jsonl.gz"
    return "parquet"


def event_path(day: date, kind: Format | None = None) -> str:
    """Where a day's file lies, relative to the folder of events."""
    return f"{day:%Y/%m}/events-{day.isoformat()}.{kind or event_format(day)}"


def broken_between(seed: int, first: date, last: date, kind: Format | None = None) -> list[Broken]:
    """The broken rows of the files of some days, by file and number; workspaces are still open.

    Args:
        seed: the company's.
        first: first day received.
        last: last day received.
        kind: format of all files; None where it goes by the day.
    """
    noise = Noise(Rng(seed))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    numbers = np.asarray([day.toordinal() for day in days], dtype=np.int64)
    in_columns = noise.chance(0.12, "broken.any", numbers)
    in_lines = noise.whole(1, 3, "broken.lines", numbers)
    found = []
    for at, day in enumerate(days):
        path = event_path(day, kind)
        is_lines = not path.endswith(".parquet")
        count = int(in_lines[at]) if is_lines else int(in_columns[at])
        found += [_broken(noise, day, path, number) for number in range(count)]
    return found


def _broken(noise: Noise, day: date, path: str, number: int) -> Broken:
    keys = (np.asarray([day.toordinal()], dtype=np.int64), number)
    kinds = _ANYWHERE + (() if path.endswith(".parquet") else _LINES * 2)
    kind = kinds[int(noise.whole(0, len(kinds) - 1, "broken.kind", *keys)[0])]
    second = float(noise.uniform("broken.second", *keys)[0]) * 86_000.0
    received = datetime.combine(day, time(), tzinfo=UTC) + timedelta(seconds=int(second) + 60)
    ahead = int(noise.whole(*_FUTURE_DAYS, "broken.ahead", *keys)[0])
    said: datetime | None = received - timedelta(seconds=7)
    if kind in ("no_event_at", "unreadable_event_at"):
        said = None
    elif kind == "before_2000":
        said = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(second))
    elif kind == "future_date":
        said = received + timedelta(days=ahead)
    key = fold(*keys, 77)
    return Broken(
        file=path,
        number=number,
        kind=kind,
        message_id=None if kind == "no_message_id" else f"m_{int(key[0]):016x}",
        event_at=said,
        received_at=received,
        workspace_id="",
        user_id=f"u_{int(fold(key, 1)[0]):016x}"[:14],
    )


def with_places(
    broken: Sequence[Broken], workspace: Callable[[date, float], str | None]
) -> list[Broken]:
    """The rows with the workspaces they claim to come from.

    Args:
        broken: rows of `broken_between`.
        workspace: a customer's workspace on a day, chosen by a share (0-1).
    """
    return [
        replace(row, workspace_id=workspace(row.received_at.date(), _share(row)) or "ws_unknown")
        for row in broken
    ]


def _share(row: Broken) -> float:
    return (row.received_at.second * 60 + row.received_at.minute) / 3_600.0


def frame_of(broken: Sequence[Broken]) -> pd.DataFrame:
    """Broken rows of a file of columns, shaped like its events."""
    return pd.DataFrame(
        {
            "message_id": pd.Series([row.message_id for row in broken], dtype="str"),
            "event": pd.Series([row.event for row in broken], dtype="str"),
            "event_at": pd.Series([row.event_at for row in broken], dtype="datetime64[us, UTC]"),
            "received_at": pd.Series(
                [row.received_at for row in broken], dtype="datetime64[us, UTC]"
            ),
            "workspace_id": pd.Series([row.workspace_id for row in broken], dtype="str"),
            "user_id": pd.Series([row.user_id for row in broken], dtype="str"),
            "anonymous_id": pd.Series([None] * len(broken), dtype="str"),
            "feature": pd.Series([None] * len(broken), dtype="str"),
            "properties": pd.Series(['{"client":"api"}'] * len(broken), dtype="str"),
        }
    )


def negative_months(usage_monthly: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Broken rows of the monthly file: a few workspace-months stand there again, negative.

    Returns:
        Rows of the given columns, to be written after the good ones.
    """
    if usage_monthly.empty:
        return usage_monthly
    key = key_of(usage_monthly["workspace_id"])
    month_no = usage_monthly["month"].to_numpy().astype("datetime64[M]").astype(np.int64)
    noise = Noise(Rng(seed))
    chosen = noise.chance(NEGATIVE_SHARE, "broken.negative", key, month_no)
    seats = noise.chance(0.6, "broken.negative_seats", key, month_no)[chosen]
    spoilt = usage_monthly[chosen].copy()
    spoilt["events"] = spoilt["events"].where(seats, -spoilt["events"])
    spoilt["licences"] = spoilt["licences"].where(~seats, -spoilt["licences"])
    return spoilt


def negative_truth(usage_monthly: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The truth about `negative_months`; record_id is workspace and month, joined by '|'."""
    rows = negative_months(usage_monthly, seed)
    if rows.empty:
        return pd.DataFrame(columns=list(_COLUMNS))
    return pd.DataFrame(
        {
            "mess": np.where(rows["licences"] < 0, "negative_seats", "broken_row"),
            "object": "usage_monthly",
            "record_id": rows["workspace_id"] + "|" + rows["month"].dt.strftime("%Y-%m-%d"),
            "other_id": "usage_monthly.parquet",
            "detail": np.where(rows["licences"] < 0, "negative_licences", "negative_events"),
            "planted_at": rows["known_at"],
        }
    )


def broken_truth(broken: Sequence[Broken]) -> pd.DataFrame:
    """The truth about broken rows of event files."""
    return pd.DataFrame(
        {
            "mess": [
                "future_date" if row.kind == "future_date" else "broken_row" for row in broken
            ],
            "object": "usage_events",
            "record_id": [row.record_id for row in broken],
            "other_id": [row.file for row in broken],
            "detail": [row.kind for row in broken],
            "planted_at": pd.Series(
                [row.received_at for row in broken], dtype="datetime64[us, UTC]"
            ),
        }
    )


def monthly_counts(mess: str, counts: Mapping[int, int], last_full_month: int) -> pd.DataFrame:
    """Counts a month of receipt (by month number), finished months only, as rows of truth."""
    months = [month for month in sorted(counts) if month <= last_full_month]
    ends = [
        datetime.combine(first_day(month + 1), time(), tzinfo=UTC) - timedelta(microseconds=1)
        for month in months
    ]
    return pd.DataFrame(
        {
            "mess": mess,
            "object": "usage_events",
            "record_id": [f"{first_day(month):%Y-%m}" for month in months],
            "other_id": None,
            "detail": [str(counts[month]) for month in months],
            "planted_at": pd.Series(ends, dtype="datetime64[us, UTC]"),
        }
    )


def ordered(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One table of truth out of several, by instant, mess and record."""
    kinds = dict.fromkeys(_COLUMNS[:-1], "str") | {"planted_at": "datetime64[us, UTC]"}
    typed = [part[list(_COLUMNS)].astype(kinds) for part in parts if len(part)]
    if not typed:
        return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds.items()})
    return pd.concat(typed, ignore_index=True).sort_values(
        ["planted_at", "mess", "record_id"], kind="stable", ignore_index=True
    )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
