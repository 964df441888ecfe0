"""Event files: every event once, every file once, whatever is delivered."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestion import rejects
from ingestion.lake import Lake
from ingestion.quality import gate
from ingestion.settings import Settings, SettingsError, UsageSettings
from ingestion.usage import event_files
from sample_company.world.usage import Usage, broken_events
from tests.ingestion.conftest import LOAD, Serve

AT = "2026-03-05T10:00:00Z"


def _event(number: int, **more: Any) -> dict[str, Any]:
    return {
        "message_id": f"m{number}",
        "event": "feature_used",
        "event_at": AT,
        "received_at": "2026-03-05T10:00:05Z",
        "workspace_id": "ws_1",
        "user_id": "u1",
        "properties": {"feature": "export"},
    } | more


def _lines(events: list[Any]) -> bytes:
    return "".join((e if isinstance(e, str) else json.dumps(e)) + "\n" for e in events).encode()


def _settings(folder: Path, **more: Any) -> Settings:
    return Settings(folder, "test", usage=UsageSettings(folder, **more))


def _ids(lake: Lake) -> list[str]:
    return sorted(lake.read("usage", "events")["message_id"].to_pylist())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "events"
    place.mkdir()
    return place


def test_the_company_s_files_land_once_and_only_new_ones_after(lake: Lake, serve: Serve) -> None:
    with serve(event_days=25) as (company, settings):
        first = event_files.run(settings, lake, **LOAD)
        again = event_files.run(settings, lake, **LOAD)
        company.set_now(date(2026, 5, 3))
        later = event_files.run(settings, lake, **LOAD)
    usage = Usage.of(company.world.tables, company.world.config)
    broken = broken_events(usage, date(2026, 4, 6), date(2026, 4, 30))
    assert broken, "no broken row in these files"
    # Instants ahead of their receipt are taken back to it; everything else is refused.
    assert first.tables["events"].rejects == sum(row.kind != "future_date" for row in broken)
    assert (again.rows, again.load_ids) == (0, [])
    assert 0 < later.tables["events"].rows < first.tables["events"].rows / 5
    assert gate.check_load(lake, "usage", first.load_ids).passed
    sound = lake.read(
        "usage",
        "events",
        """
        select count(*) as n, count(feature) as features,
            count(*) filter (where event_on <> event_at::date) as misplaced,
            count(*) filter (where event_at > received_at) as ahead,
            count(distinct (_dlt_load_id, message_id)) as ids
        from t
        """,
    ).to_pylist()[0]
    assert sound["n"] == sound["ids"]
    assert sound["n"] * 0.5 < sound["features"] < sound["n"]  # logins and the like have none
    assert sound["misplaced"] == sound["ahead"] == 0
    days = lake.read("usage", "load_days", "select sum(row_count)::bigint as n from t")
    assert days["n"].to_pylist() == [sound["n"]]


def test_files_are_sorted_and_one_a_day(lake: Lake, folder: Path) -> None:
    events = [
        _event(i, workspace_id=f"ws_{i % 3}", user_id=None if i % 5 == 0 else f"u{i % 2}")
        for i in range(200)
    ]
    (folder / "a.jsonl").write_bytes(_lines(events))
    event_files.run(_settings(folder), lake, **LOAD)
    (file,) = lake.files("usage", "events")
    assert file.parent.name == "event_on=2026-03-05"
    import pyarrow.parquet as pq

    keys = [
        (r["workspace_id"], r["user_id"] is None, r["user_id"] or "")
        for r in pq.read_table(file, partitioning=None).to_pylist()
    ]
    assert keys == sorted(keys)


def test_repeats_within_a_load_land_once_as_first_received(lake: Lake, folder: Path) -> None:
    late = _event(1, received_at="2026-03-06T00:00:00Z", event="again")
    (folder / "a.jsonl").write_bytes(_lines([late, _event(2)]))
    (folder / "b.jsonl").write_bytes(_lines([_event(1), _event(1)]))
    report = event_files.run(_settings(folder), lake, **LOAD)
    assert _ids(lake) == ["m1", "m2"]
    assert set(lake.read("usage", "events")["event"].to_pylist()) == {"feature_used"}
    assert report.tables["events"].rows == 2


def test_bad_lines_become_rejects_and_the_rest_lands(lake: Lake, folder: Path) -> None:
    bad = [
        "{broken",
        "[1]",
        _event(2, message_id=None),
        _event(3, event=""),
        _event(4, event_at="soon"),
        _event(5, event_at="1999-12-31T00:00:00Z", properties={"mail": "ada@example.com"}),
        _event(7, event_at="2031-01-01T00:00:00Z"),
        _event(8, received_at="2126-01-01T00:00:00Z"),
    ]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(_lines([_event(1), *bad, _event(6)])))
    report = event_files.run(_settings(folder), lake, **LOAD)
    assert _ids(lake) == ["m1", "m6"]
    found = rejects.read(lake, "usage").to_pylist()
    assert sorted(r["rule"] for r in found) == [
        "clock",
        "event",
        "event_at",
        "future",
        "message_id",
        "not_json",
        "not_json",
        "received_ahead",
    ]
    assert report.rejects == 8
    assert report.tables["events"].is_balanced
    assert "ada@" not in "".join(r["raw"] for r in found)
    assert all(r["remedy"] and "a.jsonl.gz" in r["raw"] for r in found)


def test_the_clock_is_corrected_and_never_ahead(lake: Lake, folder: Path) -> None:
    events = [
        # The client is an hour behind: it says it sent at nine what we received at ten.
        _event(1, event_at="2026-03-05T08:59:00Z", sent_at="2026-03-05T09:00:00Z",
               received_at="2026-03-05T10:00:00Z"),
        _event(2, event_at="2026-03-06T09:00:00Z"),
        _event(3, event_at=1_772_704_800_000),
    ]  # fmt: skip
    (folder / "a.jsonl").write_bytes(_lines(events))
    event_files.run(_settings(folder), lake, **LOAD)
    at = dict(
        zip(
            *[lake.read("usage", "events")[c].to_pylist() for c in ("message_id", "event_at")],
            strict=True,
        )
    )
    assert at["m1"] == datetime(2026, 3, 5, 9, 59, tzinfo=UTC)
    assert at["m2"] == datetime(2026, 3, 5, 10, 0, 5, tzinfo=UTC)
    assert at["m3"] == datetime(2026, 3, 5, 10, 0, tzinfo=UTC)


def test_other_senders_names_and_kinds_of_file(lake: Lake, folder: Path) -> None:
    segment = {
        "messageId": "s1",
        "event": "Export",
        "originalTimestamp": AT,
        "receivedAt": AT,
        "userId": "u9",
        "context": {"groupId": "ws_9"},
        "properties": {"feature": "x"},
    }
    (folder / "segment.jsonl").write_bytes(_lines([segment]))
    (folder / "own.csv").write_text(
        f"message_id,event,event_at,received_at,tenant,user_id\nc1,Open,{AT},{AT},ws_8,\n"
    )
    settings = _settings(folder, events_columns='{"workspace_id": "tenant"}')
    event_files.run(settings, lake, **LOAD)
    found = {r["message_id"]: r for r in lake.read("usage", "events").to_pylist()}
    assert found["s1"]["workspace_id"] == "ws_9"
    assert found["s1"]["feature"] == "x"
    assert found["c1"]["workspace_id"] == "ws_8"
    assert found["c1"]["user_id"] is None
    with pytest.raises(SettingsError, match="TENURE_EVENTS_COLUMNS"):
        event_files.run(_settings(folder, events_columns='{"tenant": "x"}'), lake, **LOAD)


def test_a_file_is_known_by_content_not_by_its_date(lake: Lake, folder: Path) -> None:
    file = folder / "a.jsonl"
    file.write_bytes(_lines([_event(1)]))
    event_files.run(_settings(folder), lake, **LOAD)
    file.write_bytes(_lines([_event(1)]))
    import os

    os.utime(file, (1, 1))
    assert event_files.run(_settings(folder), lake, **LOAD).load_ids == []
    file.write_bytes(_lines([_event(1), _event(2)]))
    report = event_files.run(_settings(folder), lake, **LOAD)
    assert "has changed" in report.notes[0]
    assert set(_ids(lake)) == {"m1", "m2"}


def test_a_manifest_decides_and_a_file_in_writing_waits(lake: Lake, folder: Path) -> None:
    for name in ("a", "b", "c"):
        (folder / f"{name}.jsonl").write_bytes(_lines([_event(ord(name))]))
    whole = (folder / "a.jsonl").read_bytes()
    manifest = folder / "manifest.jsonl"
    manifest.write_bytes(
        _lines(
            [
                {
                    "path": "a.jsonl",
                    "size": len(whole),
                    "sha256": hashlib.sha256(whole).hexdigest(),
                },
                {"path": "b.jsonl", "size": 9999},
                {"path": "missing.jsonl", "size": 1},
            ]
        )
    )
    report = event_files.run(_settings(folder, events_manifest=manifest), lake, **LOAD)
    assert report.partial
    assert len(report.notes) == 2
    assert _ids(lake) == [f"m{ord('a')}"]


def test_a_broken_parquet_file_is_named_and_tried_again(lake: Lake, folder: Path) -> None:
    (folder / "a.jsonl").write_bytes(_lines([_event(1)]))
    (folder / "b.parquet").write_bytes(b"PAR1 and no more")
    report = event_files.run(_settings(folder), lake, **LOAD)
    assert report.partial
    assert any("b.parquet" in n for n in report.notes)
    assert _ids(lake) == ["m1"]
    again = event_files.run(_settings(folder), lake, **LOAD)
    assert any("b.parquet" in n for n in again.notes)


def test_batches_are_loads_of_their_own(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "BATCH_BYTES", 1)
    for number in range(3):
        (folder / f"{number}.jsonl").write_bytes(_lines([_event(number)]))
    report = event_files.run(_settings(folder), lake, **LOAD)
    assert len(report.load_ids) == 3
    assert report.load_ids == sorted(report.load_ids)
    assert _ids(lake) == ["m0", "m1", "m2"]


def test_backfill_and_reset_read_again(lake: Lake, folder: Path) -> None:
    (folder / "events-2026-03-05.jsonl").write_bytes(_lines([_event(1)]))
    (folder / "events-2026-03-06.jsonl").write_bytes(_lines([_event(2)]))
    settings = _settings(folder)
    event_files.run(settings, lake, **LOAD)
    day = date(2026, 3, 6)
    report = event_files.backfill(
        settings, lake, first=day, last=day, run_id="hand", progress=LOAD["progress"]
    )
    assert report.tables["events"].rows == 1
    assert event_files.run(settings, lake, **LOAD).load_ids == []
    event_files.reset(lake, run_id="hand")
    assert event_files.run(settings, lake, **LOAD).tables["events"].rows == 2
