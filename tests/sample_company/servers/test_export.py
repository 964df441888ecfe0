"""Files once written stay as they are, say the same in every format, and survive being killed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sample_company import export
from sample_company.world import event_mess

FIRST, LAST = date(2026, 1, 1), date(2026, 2, 20)


def day_of_events(day: date) -> pd.DataFrame:
    start = pd.Timestamp(day, tz="UTC")
    rows = day.day % 4
    return pd.DataFrame({
        "message_id": pd.Series([f"m-{day}-{n}" for n in range(rows)], dtype="str"),
        "event": pd.Series(["feature_used"] * rows, dtype="str"),
        "event_at": pd.Series([start + timedelta(seconds=n, microseconds=123_456)
                               for n in range(rows)], dtype="datetime64[us, UTC]"),
        "received_at": pd.Series([start + timedelta(minutes=n) for n in range(rows)],
                                 dtype="datetime64[us, UTC]"),
        "workspace_id": pd.Series(["ws_1"] * rows, dtype="str"),
        "user_id": pd.Series([None if n == 1 else f"u-{n}" for n in range(rows)], dtype="str"),
        "anonymous_id": pd.Series(["a-1" if n == 1 else None for n in range(rows)], dtype="str"),
        "feature": pd.Series([None if n == 0 else 'say "hi"' for n in range(rows)], dtype="str"),
        "properties": pd.Series(['{"client":"web"}' if n else "{}" for n in range(rows)],
                                dtype="str"),
    })  # fmt: skip


def source(first: date, last: date) -> Iterator[tuple[date, list[pd.DataFrame]]]:
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        frame = day_of_events(day)
        yield day, [frame[:1], frame[1:]]


def rendered(
    frame: pd.DataFrame, kind: event_mess.Format, broken: Sequence[event_mess.Broken] = ()
) -> bytes:
    sink = io.BytesIO()
    assert export.render_events(sink, [frame], kind, broken) == len(frame) + len(broken)
    return sink.getvalue()


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_every_day_is_written_once_and_the_manifest_tells_the_truth(tmp_path: Path) -> None:
    report = export.extend_events(tmp_path, source, FIRST, LAST)
    days = (LAST - FIRST).days + 1
    assert (report.new_files, report.files, report.first_on, report.last_on) == (
        days, days, FIRST, LAST)  # fmt: skip
    entries = export.read_manifest(tmp_path)
    assert len(entries) == days
    found = contents(tmp_path)
    for path, entry in entries.items():
        assert entry["sha256"] == found[path]
        assert entry["size"] == (tmp_path / path).stat().st_size
    assert {Path(p).suffix for p in entries} == {".parquet", ".jsonl", ".gz"}
    assert report.rows == sum(len(part) for _, parts in source(FIRST, LAST) for part in parts)


def test_a_later_export_adds_files_and_leaves_the_old_ones_byte_identical(tmp_path: Path) -> None:
    export.extend_events(tmp_path, source, FIRST, LAST - timedelta(days=10))
    before = contents(tmp_path)
    changed = {p: (tmp_path / p).stat().st_mtime_ns for p in before}
    report = export.extend_events(tmp_path, source, FIRST, LAST)
    after = contents(tmp_path)
    assert report.new_files == 10
    for path, digest in before.items():
        if path != export.MANIFEST:
            assert after[path] == digest
            assert (tmp_path / path).stat().st_mtime_ns == changed[path]
    again = export.extend_events(tmp_path, source, FIRST, LAST)
    assert again.new_files == 0
    assert contents(tmp_path) == after


def test_an_export_killed_half_way_is_completed_to_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    export.extend_events(whole, source, FIRST, LAST)

    def dying(first: date, last: date) -> Iterator[tuple[date, list[pd.DataFrame]]]:
        for day, parts in source(first, last):
            if day == date(2026, 2, 11):
                raise KeyboardInterrupt
            yield day, parts

    with pytest.raises(KeyboardInterrupt):
        export.extend_events(broken, dying, FIRST, LAST)
    assert 0 < len(export.read_manifest(broken)) < len(contents(broken))
    # What a killed write leaves behind is not taken for a file.
    stump = broken / (export.event_path(date(2026, 2, 11)) + ".tmp")
    stump.write_bytes(b"half")
    export.extend_events(broken, source, FIRST, LAST)
    assert contents(broken) == contents(whole)


def test_all_formats_say_the_same(tmp_path: Path) -> None:
    frame = day_of_events(date(2026, 1, 3))
    (tmp_path / "d.parquet").write_bytes(rendered(frame, "parquet"))
    table = pq.read_table(tmp_path / "d.parquet").to_pylist()
    lines = rendered(frame, "jsonl").decode().splitlines()
    zipped = gzip.decompress(rendered(frame, "jsonl.gz")).decode().splitlines()
    assert lines == zipped
    for row, line in zip(table, lines, strict=True):
        said = json.loads(line)
        assert said["properties"] == json.loads(row["properties"])
        for name in ("event_at", "received_at"):
            assert datetime.fromisoformat(said.pop(name)) == row[name]
        for name in ("message_id", "event", "workspace_id", "user_id", "anonymous_id"):
            assert said[name] == row[name]
    assert [json.loads(row["properties"]).get("feature") for row in table] == [
        None, 'say "hi"', 'say "hi"']  # fmt: skip
    assert table[1]["user_id"] is None


def test_monthly_usage_ends_where_raw_events_begin(tmp_path: Path) -> None:
    months = pd.DataFrame({
        "workspace_id": ["ws_1"] * 3,
        "month": pd.to_datetime(["2025-11-01", "2025-12-01", "2026-01-01"]),
        "active_users": [1, 2, 3], "events": [10, 20, 30], "features_used": [1, 1, 2],
        "licences": [5, 5, 5],
    })  # fmt: skip
    path = tmp_path / "usage_monthly.parquet"
    assert export.write_usage_monthly(path, months, date(2026, 1, 1)) == 2
    assert pq.read_table(path).column("month").to_pylist() == [
        date(2025, 11, 1), date(2025, 12, 1)]  # fmt: skip


NOW = datetime(2026, 6, 10, tzinfo=UTC)


def test_the_desk_shows_what_is_known_in_its_newest_version() -> None:
    steps = pd.DataFrame({
        "objective_id": ["s1", "s1", "s2"],
        "version_at": pd.to_datetime(["2026-06-01", "2026-06-09", "2026-06-11"], utc=True),
        "name": ["call", "call again", "later"],
        "done_on": pd.to_datetime([None, "2026-06-09", None]),
        "known_at": pd.to_datetime(["2026-06-01", "2026-06-01", "2026-06-11"], utc=True),
    })  # fmt: skip
    sheet = export.desk_sheet("action_plan_objectives", steps, NOW)
    assert sheet.to_dict("records") == [
        {"objective_id": "s1", "name": "call again", "done_on": "2026-06-09",
         "known_at": "2026-06-01T00:00:00Z"}
    ]  # fmt: skip


def test_the_desk_does_not_know_the_future() -> None:
    incentives = pd.DataFrame({
        "incentive_id": ["i1", "i2"],
        "valid_from": pd.to_datetime(["2025-01-01", "2026-07-01"]),
    })  # fmt: skip
    assert list(export.desk_sheet("incentives", incentives, NOW)["incentive_id"]) == ["i1"]
    rights = pd.DataFrame({
        "account_id": ["a", "b"], "feature_id": ["f", "f"],
        "entitled_from": pd.to_datetime(["2025-01-01", "2025-01-01"]),
        "entitled_to": pd.to_datetime(["2026-06-09", "2026-06-20"]),
        "is_open": [True, False],
    })  # fmt: skip
    sheet = export.desk_sheet("entitlements", rights, NOW)
    assert sheet["entitled_to"].fillna("").tolist() == ["2026-06-09", ""]
    assert sheet["is_open"].tolist() == ["true", "false"]


def test_a_sheet_is_rewritten_only_when_it_changes(tmp_path: Path) -> None:
    rivals = {"competitors": pd.DataFrame({"competitor_id": ["c1"], "competitor_name": ["Rival"]})}
    export.write_desk(tmp_path, rivals, NOW)
    path = tmp_path / "competitors.csv"
    assert datetime.fromtimestamp(path.stat().st_mtime, UTC) == NOW - timedelta(seconds=1)
    export.write_desk(tmp_path, rivals, NOW + timedelta(days=1))
    assert datetime.fromtimestamp(path.stat().st_mtime, UTC) == NOW - timedelta(seconds=1)
    rivals["competitors"].loc[1] = ["c2", "Other"]
    export.write_desk(tmp_path, rivals, NOW + timedelta(days=2))
    assert path.read_text() == "competitor_id,competitor_name\nc1,Rival\nc2,Other\n"
