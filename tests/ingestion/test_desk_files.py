"""The desk's files: versions, deletions, and rows that do not fit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ingestion import rejects, replay
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.quality import gate
from ingestion.settings import DeskSettings, Settings, UsageSettings
from ingestion.usage import monthly
from tests.ingestion.conftest import LOAD, Serve

HEADER = "trigger_event_id,account_id,trigger_type,occurred_on,source\n"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    place = tmp_path / "desk"
    place.mkdir()
    return place


def _write(path: Path, text: str, at: int) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (at, at))


def _run(desk: Path, lake: Lake) -> Any:
    return files.run(Settings(desk, "test", desk=DeskSettings(desk)), lake, **LOAD)


def _versions(lake: Lake) -> list[tuple[Any, ...]]:
    sql = (
        "select trigger_event_id, trigger_type, _row, _deleted, epoch(_version_at)::bigint "
        "from t order by all"
    )
    return [tuple(r.values()) for r in lake.read("desk", "trigger_events", sql).to_pylist()]


def test_the_company_s_desk_lands_whole(lake: Lake, serve: Serve) -> None:
    with serve() as (company, settings):
        report = files.run(settings, lake, **LOAD)
        again = files.run(settings, lake, **LOAD)
        count = len(list((company.folder / "desk").glob("*.csv")))
    assert len(report.tables) == count
    assert all(t.is_balanced for t in report.tables.values())
    assert (again.rows, again.load_ids) == (0, [])
    assert gate.check_load(lake, "desk", report.load_ids).passed


def test_changes_and_removals_are_versions(lake: Lake, desk: Path) -> None:
    file = desk / "trigger_events.csv"
    _write(file, HEADER + "t1,a1,merger,2026-01-01,\nt2,a1,layoff,2026-01-02,news\n", 1000)
    _run(desk, lake)
    _write(file, HEADER + "t1,a1,takeover,2026-01-01,\nt3,a2,merger,2026-01-03,\n", 2000)
    report = _run(desk, lake)
    assert report.tables["trigger_events"].deletes == 1
    assert _versions(lake) == [
        ("t1", "merger", 2, False, 1000),
        ("t1", "takeover", 2, False, 2000),
        ("t2", "layoff", 3, False, 1000),
        ("t2", "layoff", 3, True, 2000),
        ("t3", "merger", 3, False, 2000),
    ]


def test_bad_rows_are_rejects_that_name_the_remedy(lake: Lake, desk: Path) -> None:
    text = (
        "\ufeffsurvey_response_id;account_id;survey_type;score;responded_on\n"
        "s1;a1;nps;9;2026-01-01\n"
        "s2;a1;mood;9;2026-01-01\n"
        "s3;;nps;9;2026-01-01\n"
        "s4;a1;nps;nine;2026-01-01\n"
        "s5;a1;nps;8;01.02.2026\n"
        "s1;a2;nps;1;2026-01-01\n"
    )
    _write(desk / "survey_responses.csv", text, 1000)
    report = _run(desk, lake)
    assert report.tables["survey_responses"].rows == 1
    found = {(r["record_key"], r["rule"], r["field"]) for r in rejects.read(lake).to_pylist()}
    assert found == {
        ("s2", "allowed", "survey_type"),
        ("s3", "required", "account_id"),
        ("s4", "type", "score"),
        ("s5", "type", "responded_on"),
        ("s1", "unique_key", "survey_response_id"),
    }
    assert gate.check_load(lake, "desk", report.load_ids).passed is True


def test_rows_that_cannot_be_read_are_rejects_and_nothing_counts_as_removed(
    lake: Lake, desk: Path
) -> None:
    file = desk / "trigger_events.csv"
    _write(file, HEADER + "t1,a1,merger,2026-01-01,\nt2,a1,layoff,2026-01-02,news\n", 1000)
    _run(desk, lake)
    _write(file, HEADER + "t1,a1,takeover,2026-01-01,\nt2,a1,layoff, and more,2026-01-02,x\n", 2000)
    report = _run(desk, lake)
    told = report.tables["trigger_events"]
    assert (told.rows, told.rejects, told.made, told.received) == (1, 1, 0, 2)
    assert told.is_balanced
    (reject,) = rejects.read(lake).to_pylist()
    assert (reject["rule"], reject["record_key"]) == ("cells", "trigger_events.csv#3")
    assert "layoff, and more" in reject["raw"]
    assert reject["seen_on"] == LOAD["as_of"]
    assert not any(v[3] for v in _versions(lake))


def test_a_rejected_row_is_no_removal(lake: Lake, desk: Path) -> None:
    file = desk / "trigger_events.csv"
    _write(file, HEADER + "t1,a1,merger,2026-01-01,\n", 1000)
    _run(desk, lake)
    _write(file, HEADER + "t1,a1,merger,someday,\n", 2000)
    report = _run(desk, lake)
    assert report.tables["trigger_events"].deletes == 0
    assert [v[3] for v in _versions(lake)] == [False]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("trigger_events.csv", HEADER + "t1,a1\n" * 11, "row 2 has 2 cells"),
        ("trigger_events.csv", "a,a\n", "names a column twice"),
        ("unknown_table.csv", "a\n1\n", "no table of the desk"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    lake: Lake, desk: Path, name: str, content: str, says: str
) -> None:
    (desk / name).write_text(content)
    (desk / "competitors.csv").write_text("competitor_id,competitor_name\nc1,Other\n")
    report = _run(desk, lake)
    assert any(says in note and name in note for note in report.notes)
    assert report.tables["competitors"].rows == 1


def test_other_encodings_are_told_not_guessed(lake: Lake, desk: Path) -> None:
    (desk / "competitors.csv").write_bytes("competitor_id,competitor_name\nc1,Süd".encode("cp1252"))
    report = _run(desk, lake)
    assert report.partial
    assert "UTF-8" in report.notes[0]


def test_reset_reads_a_table_again_and_replay_lands_what_now_fits(
    lake: Lake, desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(desk / "trigger_events.csv", HEADER + "t1,a1,merger,2026-01-01,\n", 1000)
    _write(desk / "competitors.csv", "competitor_id,competitor_name\nc1,\n", 1000)
    _run(desk, lake)
    files.reset(lake, resource="trigger_events", run_id="hand")
    assert _run(desk, lake).tables["trigger_events"].windows == 1
    settings = Settings(desk, "test", desk=DeskSettings(desk))
    nothing = replay.run(settings, lake, "desk", run_id="hand", progress=LOAD["progress"])
    assert (nothing.tried, nothing.landed) == (1, 0)
    from ingestion import schemas

    table = schemas.table("desk", "competitors")
    loose = tuple(
        type(c)(c.name, c.type, c.doc) if c.name == "competitor_name" else c for c in table.fields
    )
    relaxed = type(table)(table.source, table.name, table.doc, table.key, loose)
    monkeypatch.setitem(schemas._index(), ("desk", "competitors"), relaxed)
    done = replay.run(settings, lake, "desk", run_id="hand", progress=LOAD["progress"])
    assert (done.tried, done.landed) == (1, 1)
    assert lake.read("desk", "competitors")["competitor_id"].to_pylist() == ["c1"]
    assert rejects.read(lake)["is_replayed"].to_pylist() == [True]


def test_monthly_usage_lands_by_version(lake: Lake, desk: Path) -> None:
    file = desk / "usage_monthly.csv"
    head = "workspace_id,month,active_users,events,features_used,licences\n"
    _write(file, head + "ws_1,2020-01-01,5,100,3,10\nws_2,2020-01-01,-1,1,1,1\n", 1000)
    settings = Settings(desk, "test", usage=UsageSettings(None, monthly_path=file))
    first = monthly.run(settings, lake, **LOAD)
    _write(file, head + "ws_1,2020-01-01,6,100,3,10\n", 2000)
    second = monthly.run(settings, lake, **LOAD)
    assert (first.rows, first.rejects, second.rows) == (1, 1, 1)
    users = lake.read("usage", "usage_monthly", "select * from t order by _version_at")
    assert users["active_users"].to_pylist() == [5, 6]
