"""Files once written stay as they are, say the same in every format, and survive being killed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from sample_company import export
from sample_company.world import event_mess
from sample_company.world.usage import Usage, delivered_counts
from tests.sample_company.world_core import whole_small_world

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


# --- rows that are no events ----------------------------------------------------------------------


def broken_of(kind: event_mess.Format) -> list[event_mess.Broken]:
    found = event_mess.broken_between(1, date(2024, 1, 1), date(2026, 12, 31), kind)
    return event_mess.with_places(found, lambda day, share: f"ws_{day.month}_{share < 0.5}")


def test_every_kind_of_broken_row_occurs_where_it_can() -> None:
    everywhere = {"no_message_id", "no_event", "no_event_at", "before_2000", "future_date"}
    assert {row.kind for row in broken_of("parquet")} == everywhere
    lines = {"cut_line", "no_json", "unreadable_event_at"}
    assert {row.kind for row in broken_of("jsonl")} == everywhere | lines
    for rows in (broken_of("parquet"), broken_of("jsonl")):
        ids = [row.record_id for row in rows]
        assert len(set(ids)) == len(ids)
        for row in rows:
            assert row.received_at.date().isoformat() in row.file
            ahead = row.event_at is not None and row.event_at > row.received_at
            assert ahead == (row.kind == "future_date")


def test_broken_rows_stand_last_and_say_in_each_format_what_is_wrong(tmp_path: Path) -> None:
    frame = day_of_events(date(2026, 1, 3))
    rows = broken_of("parquet")[:40]
    (tmp_path / "d.parquet").write_bytes(rendered(frame, "parquet", rows))
    table = pq.read_table(tmp_path / "d.parquet").to_pylist()
    assert [row["message_id"] for row in table[: len(frame)]] == frame["message_id"].tolist()
    for row, said in zip(rows, table[len(frame) :], strict=True):
        assert (said["message_id"] is None) == (row.kind == "no_message_id")
        assert (said["event"] is None) == (row.kind == "no_event")
        assert (said["event_at"] is None) == (row.kind == "no_event_at")
        assert said["workspace_id"] == row.workspace_id
    rows = broken_of("jsonl")[:200]
    lines = rendered(frame, "jsonl", rows).decode().splitlines()
    assert lines[: len(frame)] == rendered(frame, "jsonl").decode().splitlines()
    for row, line in zip(rows, lines[len(frame) :], strict=True):
        if row.kind in ("cut_line", "no_json"):
            with pytest.raises(json.JSONDecodeError):
                json.loads(line)
        else:
            assert json.loads(line)["message_id"] == row.message_id


def test_what_is_in_the_files_is_what_truth_says(tmp_path: Path) -> None:
    world = whole_small_world()
    last = world.config.last_day
    first = last - timedelta(days=60)
    files = export.CompanyFiles(world, tmp_path, event_days=61)
    report = files.extend(datetime.combine(last, time(), UTC) + timedelta(days=1))
    assert (report.first_on, report.last_on) == (first, last)
    entries = export.read_manifest(tmp_path / "events").values()
    rows = pd.Series({entry["received_on"]: int(str(entry["rows"])) for entry in entries})
    good = delivered_counts(Usage.of(world.tables, world.config), first, last)
    by_day = good.groupby(good["received_on"].dt.strftime("%Y-%m-%d"))[["events", "copies"]].sum()
    mess = world.truth["truth_mess"]
    mess = mess[mess["object"].eq("usage_events")]
    bad = mess[mess["mess"].isin(["broken_row", "future_date"])]
    bad = bad[bad["planted_at"] >= pd.Timestamp(first, tz="UTC")]
    by_file = bad.groupby(bad["other_id"].str.extract(r"(\d{4}-\d\d-\d\d)")[0]).size()
    assert 5 < len(bad) < 0.01 * rows.sum()
    expected = by_day.sum(axis=1).add(by_file, fill_value=0).astype("int64")
    assert rows.sort_index().tolist() == expected.sort_index().tolist()
    counts = mess[mess["record_id"] == f"{last:%Y-%m}"].set_index("mess")["detail"].astype(int)
    month = good[good["received_on"] >= pd.Timestamp(last.replace(day=1))]
    assert counts["late_event"] == month["late"].sum()
    assert counts["resent_batch"] == month["copies"].sum()
    assert set(mess["record_id"]).isdisjoint(mess["other_id"].dropna())


def test_negative_months_stand_beside_the_good_ones(tmp_path: Path) -> None:
    world = whole_small_world()
    good = world.tables["usage_monthly"]
    bad = event_mess.negative_months(good, world.config.seed)
    truth = event_mess.negative_truth(good, world.config.seed)
    assert 0 < len(bad) < 0.05 * len(good)
    assert ((bad["events"] < 0) ^ (bad["licences"] < 0)).all()
    path = tmp_path / "usage_monthly.parquet"
    rows = export.write_usage_monthly(path, good, world.config.last_day, bad)
    assert rows == len(good) + len(bad)
    assert len(truth) == len(bad)
    assert set(truth["record_id"]) <= set(
        good["workspace_id"] + "|" + good["month"].dt.strftime("%Y-%m-%d"))  # fmt: skip
