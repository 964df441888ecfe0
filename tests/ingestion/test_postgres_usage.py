"""Events from a real PostgreSQL: every row once, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote

import pytest

from ingestion import rejects
from ingestion.lake import Lake
from ingestion.quality import gate
from ingestion.settings import (
    Settings,
    SettingsError,
    UsageSettings,
    load_settings,
)
from ingestion.usage import event_files, load, postgres, postgres_table
from ingestion.usage.postgres_table import PostgresError
from sample_company.servers.postgres import PostgresServer
from sample_company.testing import running
from sample_company.world.build import World
from tests.ingestion.conftest import LOAD, silent
from tests.ingestion.product_database import COLUMNS, TABLE, Place


@pytest.fixture
def place(server: PostgresServer, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    name = request.node.name.split("[")[0][:50] + str(abs(hash(request.node.name)) % 1000)
    return Place.made(server, name, tmp_path / "home")


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_table, "_FIRST_WAIT", 0.01)


def _ids(lake: Lake) -> list[str]:
    return sorted(lake.read("usage", "events")["message_id"].to_pylist())


def _numbered(first: int, last: int) -> list[str]:
    return sorted(f"m{i}" for i in range(first, last + 1))


def _rules(lake: Lake) -> dict[str, str]:
    return {r["rule"]: r["raw"] for r in rejects.read(lake, "usage").to_pylist()}


# Every row once


def test_what_lands_from_the_table_is_what_lands_from_files(
    world: World, lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from_files = Lake.at(tmp_path / "files")
    with running(world, date(2026, 5, 1), event_days=6, usage="both") as company:
        for name, value in company.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        assert settings.usage is not None
        table_only = Settings(
            settings.home, "test", usage=UsageSettings(None, postgres=settings.usage.postgres)
        )
        for day in (None, datetime(2026, 5, 1, 15, tzinfo=UTC), date(2026, 5, 3)):
            if day is not None:
                company.set_now(day)
            event_files.run(settings, from_files, **LOAD)
            report = load.run(table_only, lake, **LOAD)
            assert report.tables["events"].is_balanced
            assert report.tables["events"].rows > 0
            assert gate.check_load(lake, "usage", report.load_ids).passed
        assert load.run(table_only, lake, **LOAD).load_ids == []
        both = load.run(settings, from_files, **LOAD)
    # The table delivers what the files have delivered.
    assert both.tables["events"].rows == 0
    assert both.tables["events"].deduplicated > 0
    sql = """
        select message_id, event, event_at, min(received_at) as received_at, workspace_id, user_id,
            anonymous_id, feature, event_on, any_value(properties) as properties
        from t group by all order by all
    """
    expected, found = (of.read("usage", "events", sql).to_pylist() for of in (from_files, lake))
    for rows in (expected, found):
        for row in rows:
            row["properties"] = json.loads(row["properties"])
    assert len(expected) > 1_000
    assert found == expected
    days = "select sum(row_count)::bigint as n from t"
    assert lake.read("usage", "load_days", days)["n"].to_pylist() == [len(_ids(lake))]
    no_table_has = {"not_json", "unreadable"}
    wrong = {(r["rule"], r["field"]) for r in rejects.read(from_files, "usage").to_pylist()}
    mine = {(r["rule"], r["field"]) for r in rejects.read(lake, "usage").to_pylist()}
    assert mine <= {w for w in wrong if w[0] not in no_table_has}


def test_only_new_rows_after_the_first_time(place: Place, lake: Lake) -> None:
    place.add(1, 100)
    first = postgres.run(place.settings(), lake, **LOAD)
    again = postgres.run(place.settings(), lake, **LOAD)
    place.add(101, 103)
    later = postgres.run(place.settings(), lake, **LOAD)
    assert [r.tables["events"].rows for r in (first, again, later)] == [100, 0, 3]
    assert again.load_ids == []
    assert later.tables["events"].deduplicated == 100
    assert _ids(lake) == _numbered(1, 103)


def test_rows_committed_late_and_events_that_happened_long_ago(place: Place, lake: Lake) -> None:
    place.add(1, 4000, received_at="timestamptz '2026-03-01Z' + i * interval '2 minutes'")
    postgres.run(place.settings(), lake, **LOAD)
    # Received before rows that have landed, but committed only now; within the overlap.
    place.add(5001, 5003, received_at="timestamptz '2026-03-05 12:00Z'")
    # Received now, of a day long closed: the client was offline.
    place.add(
        6001,
        6002,
        received_at="timestamptz '2026-03-07Z'",
        occurred_at="timestamptz '2026-02-10 08:00Z'",
    )
    report = postgres.run(place.settings(), lake, **LOAD)
    assert report.tables["events"].rows == 5
    assert len(_ids(lake)) == len(set(_ids(lake))) == 4005
    opened = lake.read(
        "usage",
        "load_days",
        f"select event_on, row_count from t where load_id = '{report.load_ids[0]}' order by all",
    ).to_pylist()
    assert {"event_on": date(2026, 2, 10), "row_count": 2} in opened


def test_the_clients_clock_moves_no_cursor(place: Place, lake: Lake) -> None:
    place.add(1, 5, occurred_at="timestamptz '2030-01-01Z'")
    postgres.run(place.settings(overlap_hours=0), lake, **LOAD)
    place.add(6, 9)
    assert postgres.run(place.settings(overlap_hours=0), lake, **LOAD).tables["events"].rows == 4
    ahead = "select count(*) as n from t where event_at > received_at"
    assert lake.read("usage", "events", ahead)["n"].to_pylist() == [0]


def test_a_row_from_the_future_waits_and_hides_nothing(place: Place, lake: Lake) -> None:
    place.add(1, 5)
    place.add(6, 6, received_at="timestamptz '2999-01-01Z'")
    place.add(7, 7, received_at="'infinity'")
    report = postgres.run(place.settings(overlap_hours=0), lake, **LOAD)
    assert any("2 rows say they were received in the future" in n for n in report.notes)
    place.add(8, 9)
    postgres.run(place.settings(overlap_hours=0), lake, **LOAD)
    assert _ids(lake) == ["m1", "m2", "m3", "m4", "m5", "m8", "m9"]


def test_a_delivery_repeated_counts_once(place: Place, lake: Lake) -> None:
    place.add(1, 10)
    place.add(3, 4, received_at="timestamptz '2026-03-02Z'")
    report = postgres.run(place.settings(overlap_hours=1), lake, **LOAD)
    assert (report.rows - report.tables["load_days"].rows, report.rejects) == (10, 0)
    place.add(1, 2, received_at="timestamptz '2026-03-20Z'")
    postgres.run(place.settings(overlap_hours=1), lake, **LOAD)
    assert _ids(lake) == _numbered(1, 10)


@pytest.mark.parametrize("rows", [1, 7, 50])
def test_windows_part_the_work_and_never_one_instant(
    rows: int, place: Place, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WINDOW_ROWS", rows)
    place.add(1, 20, received_at="timestamptz '2026-03-01Z' + (i / 8) * interval '1 hour'")
    said: list[str] = []
    report = postgres.run(place.settings(), lake, **(LOAD | {"progress": said.append}))
    assert _ids(lake) == _numbered(1, 20)
    assert len(report.load_ids) == {1: 3, 7: 3, 50: 1}[rows]
    assert report.tables["events"].is_balanced
    assert "20 of about" in said[-1] or "20 rows read" in said[-1]


def test_killed_half_way_it_goes_on_where_it_was(
    place: Place, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.add(1, 6000, received_at="timestamptz '2026-01-01Z' + i * interval '20 minutes'")
    monkeypatch.setenv("TENURE_USAGE_POSTGRES_DSN", place.server.url(place.name))
    monkeypatch.setenv("TENURE_HOME", str(place.home))
    child = """
from datetime import date
from ingestion.lake import Lake
from ingestion.settings import load_settings
from ingestion.usage import postgres
postgres.WINDOW_ROWS = 500
settings = load_settings()
postgres.run(settings, Lake.at(settings.home), run_id="child", as_of=date(2026, 4, 30),
    progress=lambda line: print(line, flush=True))
"""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", child],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for number in (1, 2, 3):
        assert f"window {number} " in process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    landed = len(lake.finished_loads("usage"))
    assert 3 <= landed < 12
    monkeypatch.setattr(postgres, "WINDOW_ROWS", 500)
    report = postgres.run(place.settings(), lake, **LOAD)
    assert _ids(lake) == _numbered(1, 6000)
    assert 0 < report.tables["events"].deduplicated < 1000  # the overlap, not everything again
    assert not list(lake.root.rglob(".*.tmp"))


def test_a_connection_that_breaks_is_opened_again(
    place: Place, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WINDOW_ROWS", 10)
    place.add(1, 35)
    broken = []

    def break_it(_: str) -> None:
        if not broken:
            place.run(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where application_name = 'tenure' and datname = current_database()"
            )
            broken.append(True)

    postgres.run(place.settings(), lake, **(LOAD | {"progress": break_it}))
    assert broken
    assert _ids(lake) == _numbered(1, 35)


def test_backfill_finds_what_came_too_late_and_moves_no_cursor(place: Place, lake: Lake) -> None:
    place.add(1, 5)
    postgres.run(place.settings(overlap_hours=0), lake, **LOAD)
    place.add(6, 7, received_at="timestamptz '2026-02-10 12:00Z'")
    place.add(8, 8, received_at="timestamptz '2026-02-12 12:00Z'")
    assert postgres.run(place.settings(overlap_hours=0), lake, **LOAD).load_ids == []
    on = date(2026, 2, 10)
    report = postgres.backfill(
        place.settings(), lake, first=on, last=on, run_id="hand", progress=silent
    )
    assert report.tables["events"].rows == 2
    place.add(9, 9)
    assert postgres.run(place.settings(overlap_hours=0), lake, **LOAD).tables["events"].rows == 1
    assert _ids(lake) == ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m9"]


def test_reset_and_another_table_begin_anew(place: Place, lake: Lake) -> None:
    place.add(1, 5)
    postgres.run(place.settings(), lake, **LOAD)
    place.run(TABLE.replace("usage_events", "older"))
    place.run(f"insert into older ({COLUMNS}) values ('o1', '2020-03-01Z', '2020-03-01Z', 'w', "
              "null, 'e', null, null)")  # fmt: skip
    other = place.settings(schema="public", table="older")
    assert postgres.run(other, lake, **LOAD).tables["events"].rows == 1
    load.reset(lake, "events", run_id="hand")
    assert postgres.run(place.settings(), lake, **LOAD).tables["events"].rows == 5


def test_an_empty_table_is_fine(place: Place, lake: Lake) -> None:
    assert postgres.run(place.settings(), lake, **LOAD).load_ids == []
    assert "PostgreSQL answers" in postgres.check(place.settings())


# Broken rows, other shapes


def test_broken_rows_become_rejects_once_and_the_rest_lands(place: Place, lake: Lake) -> None:
    place.add(1, 10)
    place.add(11, 12, event_id="null")
    place.add(13, 13, event_id="''", properties="""'{"mail": "ada@example.com"}'::jsonb""")
    place.add(14, 14, event_name="null")
    place.add(15, 15, occurred_at="null")
    place.add(16, 16, occurred_at="timestamptz '1999-01-01Z'")
    place.add(17, 17, occurred_at="'-infinity'")
    place.add(18, 18, received_at="null")
    report = postgres.run(place.settings(), lake, **LOAD)
    assert report.rejects == 8
    assert report.tables["events"].is_balanced
    again = postgres.run(place.settings(), lake, **LOAD)
    assert (again.load_ids, again.rejects) == ([], 0)
    found = rejects.read(lake, "usage").to_pylist()
    assert sorted(r["rule"] for r in found) == [
        "clock", "event", "event_at", "event_at", "message_id", "message_id", "message_id",
        "received_at",
    ]  # fmt: skip
    assert all(r["remedy"] and "public.usage_events" in r["raw"] for r in found)
    assert "ada@example.com" not in json.dumps(found, default=str)
    assert _ids(lake) == _numbered(1, 10)
    place.run("update usage_events set event_id = 'm11' where event_id is null "
              "and received_at = '2026-03-01 00:11:05Z'")  # fmt: skip
    postgres.run(place.settings(), lake, **LOAD)
    assert _ids(lake) == _numbered(1, 11)


def test_other_types_and_names_of_columns(place: Place, lake: Lake) -> None:
    place.run(
        """
        create schema "Tracking";
        create table "Tracking"."Ereignisse" (
            id uuid, at timestamp, epoch bigint, sent double precision, tenant integer,
            person varchar(40), kind char(8), payload json
        );
        insert into "Tracking"."Ereignisse" values
            ('00000000-0000-0000-0000-000000000001', '2026-03-05 10:00', 1772704800000,
                1772704860, 7, 'p1', 'open', '{"a": {"feature id": "x"}}'),
            ('00000000-0000-0000-0000-000000000002', '2026-03-05 10:00', 1772704800, null, 8,
                '', 'open', '["no object", "\\u0000"]');
        create view "Tracking".shown as select * from "Tracking"."Ereignisse"
        """
    )
    columns = {
        "message_id": "id", "received_at": "at", "event_at": "epoch", "sent_at": "sent",
        "workspace_id": "tenant", "user_id": "person", "event": "kind", "properties": "payload",
        "feature": "payload.a.feature id",
    }  # fmt: skip
    for table in ("Ereignisse", "shown"):
        into = Lake.at(place.home / table)
        given = place.settings(schema="Tracking", table=table, columns=columns)
        report = postgres.run(given, into, **LOAD)
        assert any("has no index" in n for n in report.notes) == (table == "Ereignisse")
        first, second = sorted(
            into.read("usage", "events").to_pylist(), key=lambda r: r["message_id"]
        )
        assert first["message_id"] == "00000000-0000-0000-0000-000000000001"
        assert first["received_at"] == datetime(2026, 3, 5, 10, tzinfo=UTC)
        # The client says it sent a minute after it happened, and we saw that at ten.
        assert first["event_at"] == datetime(2026, 3, 5, 9, 59, tzinfo=UTC)
        assert (first["workspace_id"], first["feature"], first["event"]) == ("7", "x", "open")
        assert second["event_at"] == datetime(2026, 3, 5, 10, tzinfo=UTC)
        assert (second["user_id"], second["feature"]) == (None, None)


# Privacy


def test_excluded_and_hashed_columns_never_leave_the_database(place: Place, lake: Lake) -> None:
    secret = "hunter2-very-private"
    place.add(
        1,
        20,
        user_id="' Ada@Example.com'",
        event_id="case when i > 15 then null else 'm' || i end",
        properties=f"""('{{"feature": "export", "note": "{secret}", "who": {{"mail":
            "Ada@example.com", "age": 7}}}}')::jsonb""",
        email=f"'{secret}'",
    )
    place.add(21, 21, properties=f"""'["{secret}"]'::jsonb""", user_id="null")
    given = place.settings(
        exclude=("email", "properties.note"), hashed=("user_id", "properties.who.mail")
    )
    said: list[str] = []
    postgres.run(given, lake, **(LOAD | {"progress": said.append}))
    from ingestion.privacy import hash_email

    hashed = hash_email("ada@example.com")
    assert set(lake.read("usage", "events")["user_id"].to_pylist()) == {hashed, None}
    kept = [json.loads(p) for p in lake.read("usage", "events")["properties"].to_pylist() if p]
    assert kept[0] == {"feature": "export", "who": {"mail": hashed, "age": 7}}
    assert len(rejects.read(lake, "usage")) == 5
    for file in place.home.rglob("*"):
        if file.is_file():
            content = _unpacked(file)
            assert secret.encode() not in content, file
            assert b"xample.com" not in content, file
    assert secret not in "".join(said)


def _unpacked(file: Path) -> bytes:
    if file.suffix != ".parquet":
        return file.read_bytes()
    import pyarrow.parquet as pq

    return json.dumps(pq.read_table(file, partitioning=None).to_pylist(), default=str).encode()


# Settings and refusals


def _environment(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"TENURE_USAGE_POSTGRES_{name}", value)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"DSN": "host=db password=s3cret"}, "no address"),
        ({"DSN": "mysql://u:s3cret@db/x"}, "no address"),
        ({"DSN": "postgresql://u:s3cret/@db/x"}, "cannot be read"),
        ({"DSN": "postgresql://u:s3cret@x@db/x"}, "cannot be read"),
        ({"DSN": "postgresql://u:s3cret@db:many/x"}, "cannot be read"),
        ({"DSN": "postgresql://u:s3cret@db"}, "names no user or no database"),
        ({"TABLE": "t"}, "TENURE_USAGE_POSTGRES_TABLE is set but"),
        ({"DSN": "postgresql://u:s3cret@db/x", "TABLE": "a.b.c"}, "no name of a table"),
        ({"DSN": "postgresql://u:s3cret@db/x", "COLUMNS": "{"}, "no JSON of names"),
        ({"DSN": "postgresql://u:s3cret@db/x", "COLUMNS": '{"tenant": "t"}'}, "'tenant'"),
        ({"DSN": "postgresql://u:s3cret@db/x", "OVERLAP_HOURS": "-1"}, "OVERLAP_HOURS"),
        ({"DSN": "postgresql://u:s3cret@db/x", "TIMEOUT_SECONDS": "soon"}, "TIMEOUT_SECONDS"),
    ],
)
def test_wrong_settings_are_told_at_the_start(
    values: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _environment(monkeypatch, values)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_settings_are_read_and_hide_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    _environment(
        monkeypatch,
        {
            "DSN": "postgresql://u:s3cret%40@db/x",
            "TABLE": "product.events",
            "EXCLUDE": "email, properties.ip",
            "COLUMNS": '{"event": "kind"}',
        },
    )
    settings = load_settings()
    assert settings.sources == ("usage",)
    assert settings.usage is not None
    found = settings.usage.postgres
    assert found is not None
    assert (found.schema, found.table) == ("product", "events")
    assert found.exclude == ("email", "properties.ip")
    assert "s3cret" not in repr(settings)


def test_a_wrong_password_is_told_without_it(place: Place, lake: Lake) -> None:
    for user, word in (("postgres", "wr0ng@word"), ("n0body", "wr0ng@word")):
        dsn = f"postgresql://{user}:{quote(word, safe='')}@127.0.0.1:{place.server.port}/postgres"
        with pytest.raises(SettingsError) as caught:
            postgres.run(place.settings(dsn), lake, **LOAD)
        assert "TENURE_USAGE_POSTGRES_DSN: the server refuses the user" in str(caught.value)
        chain = [caught.value, caught.value.__cause__]
        assert not any("wr0ng" in str(e) or quote(word, safe="") in str(e) for e in chain)
        assert caught.value.__suppress_context__


def test_a_database_that_is_not_there_and_one_that_is_down(place: Place, lake: Lake) -> None:
    with pytest.raises(SettingsError, match="names a database that the server does not have"):
        postgres.run(place.settings(place.server.url("nowhere")), lake, **LOAD)
    with pytest.raises(PostgresError, match="does not answer") as caught:
        postgres.run(place.settings("postgresql://u:s3cret@127.0.0.1:9/x"), lake, **LOAD)
    assert "s3cret" not in str(caught.value)


def test_what_is_missing_is_all_named_at_once(place: Place, lake: Lake) -> None:
    place.run("alter table usage_events drop column workspace_id;\n"
              "alter table usage_events rename event_id to ident;\n"
              "alter table usage_events alter received_at type text")  # fmt: skip
    given = place.settings(
        columns={"user_id": "member"}, exclude=("emial",), hashed=("properties",)
    )
    with pytest.raises(SettingsError) as caught:
        postgres.run(given, lake, **LOAD)
    told = "\n".join(caught.value.problems)
    for part in (
        "no column for workspace_id",
        "no column for message_id",
        '"message_id": "..."',
        "Column received_at of public.usage_events, for received_at, is no timestamp",
        "column 'member' for user_id is not there",
        "EXCLUDE names 'emial'",
        "cannot be hashed whole",
    ):
        assert part in told
    with pytest.raises(SettingsError, match=r"no table or view public\.absent"):
        postgres.check(place.settings(table="absent"))
    assert not lake.finished_loads("usage")


def test_missing_permission_names_the_grant(place: Place, lake: Lake) -> None:
    place.add(1, 3)
    place.run("""
        do $$ begin if not exists (select from pg_roles where rolname = 'meagre') then
            create role meagre login password 'thin'; end if; end $$;
        grant select (event_id, received_at) on usage_events to meagre
    """)
    thin = place.server.url(place.name, "meagre", "thin")
    with pytest.raises(SettingsError) as caught:
        postgres.run(place.settings(thin), lake, **LOAD)
    assert "may not read column workspace_id" in str(caught.value)
    assert "grant select on public.usage_events" in str(caught.value)
    place.run("grant select on usage_events to meagre")
    postgres.run(place.settings(thin), lake, **LOAD)
    assert _ids(lake) == _numbered(1, 3)
    place.run("revoke usage on schema public from public")
    with pytest.raises(SettingsError, match="grant usage on schema public"):
        postgres.run(place.settings(thin), lake, **LOAD)


def test_reading_is_all_it_may_do_and_not_for_ever(place: Place, lake: Lake) -> None:
    place.add(1, 3)
    given = place.settings().usage
    assert given is not None
    assert given.postgres is not None
    with postgres_table.Database(given.postgres) as database, database.snapshot() as snapshot:
        assert snapshot.value("select current_setting('transaction_read_only')") == "on"
        assert (
            snapshot.value("select current_setting('transaction_isolation')") == "repeatable read"
        )
        assert snapshot.value("select current_setting('statement_timeout')") == "10min"
    with (
        pytest.raises(PostgresError, match="25006"),
        postgres_table.Database(given.postgres) as database,
        database.snapshot() as snapshot,
    ):
        snapshot.rows("delete from public.usage_events returning event_id")
    place.run(
        """
        create view slow as select e.* from usage_events e, pg_sleep(0.5)
        """
    )
    with pytest.raises(PostgresError, match=r"took longer than 0\.2 s"):
        postgres.run(place.settings(table="slow", timeout_seconds=0.2), lake, **LOAD)
