"""A night in a real PostgreSQL: whole, or the one before; readers never wait and never see half."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import duckdb
import pytest
from pydantic import SecretStr

from publishing.nights import PublishError
from publishing.postgres import PostgresSettings, load_settings, publish_to_postgres
from publishing.publish import MartContract, Published, publish
from sample_company.servers.postgres import PostgresServer

CONTRACTS = [
    MartContract(
        "core",
        "fct_money",
        {
            "account_id": "varchar", "night": "bigint", "mrr_usd": "decimal(18,2)",
            "rate": "double", "is_open": "boolean", "due_on": "date", "seen_at": "timestamptz",
            "total": "hugeint",
        },
        "What's earned.",
        {"mrr_usd": "US dollars; it's rounded"},
    ),
    MartContract("renewals", "churn_risk", {"account_id": "varchar", "night": "bigint"}),
    MartContract("core", "dim_people", {"person_id": "varchar", "night": "bigint"}),
]  # fmt: skip
ROWS = 10_000
COLUMN = ", 1 as added"


def night(tmp_path: Path, number: int, *, rows: int = ROWS, more: str = "") -> Published:
    warehouse = tmp_path / "tenure.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("set timezone = 'UTC'")
        for schema in ("core", "renewals"):
            connection.execute(f"create schema if not exists {schema}")
        connection.execute(
            f"""
            create or replace table core.fct_money as
            select 'a' || i as account_id, {number}::bigint as night,
                (i * 1.25)::decimal(18, 2) as mrr_usd, nullif(i, 3) / 7.0::double as rate,
                i % 2 = 0 as is_open, date '2024-02-29' + i::int as due_on,
                timestamptz '2024-02-29 12:00:00.123456+00' + i * interval 1 hour as seen_at,
                (170141183460469231731 * i)::hugeint as total{more}
            from range({rows}) t(i)
            """
        )
        for name, key in (("renewals.churn_risk", "account_id"), ("core.dim_people", "person_id")):
            connection.execute(
                f"create or replace table {name} as select 'é' || i as {key}, "
                f"{number}::bigint as night from range({rows}) t(i)"
            )
    return publish(
        warehouse,
        tmp_path / "published",
        contracts(more),
        as_of=date(2026, 1, number),
        run_id=f"run{number}",
    )


def contracts(more: str = "") -> list[MartContract]:
    if not more:
        return CONTRACTS
    wider = dict(CONTRACTS[0].columns) | {"added": "integer"}
    return [replace(CONTRACTS[0], columns=wider), *CONTRACTS[1:]]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer() as running:
        running.run(
            "create role analyst login password 'seen';\n"
            "create role people_team login password 'seen'"
        )
        yield running


@pytest.fixture
def target(server: PostgresServer, request: pytest.FixtureRequest) -> PostgresSettings:
    name = request.node.name[:50]
    server.create_database(name)
    return PostgresSettings(SecretStr(server.url(name)), "analyst", "people_team")


def rows(settings: PostgresSettings, sql: str) -> list[tuple[Any, ...]]:
    with (
        postgresql.connect(settings.dsn.get_secret_value()) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


def test_every_cell_arrives_with_its_type_and_meaning(
    target: PostgresSettings, tmp_path: Path
) -> None:
    shown = night(tmp_path, 1, rows=500)
    done = publish_to_postgres(target, shown, CONTRACTS)
    assert done.rows == {c.full_name: 500 for c in CONTRACTS}
    assert done.notes == []
    sql = "select * exclude (total), total::varchar as total from core.fct_money order by 1"
    with duckdb.connect(str(shown.path / "tenure.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        expected = connection.execute(sql).fetchall()
    found = rows(
        target,
        "select account_id, night, mrr_usd, rate, is_open, due_on, seen_at, total::text "
        'from core.fct_money order by account_id collate "C"',
    )
    assert [_plain(r) for r in found] == [_plain(r) for r in expected]
    assert rows(target, "select as_of, run_id from publishing.night") == [
        (date(2026, 1, 1), "run1")
    ]
    assert rows(
        target,
        "select obj_description('core.fct_money'::regclass), "
        "col_description('core.fct_money'::regclass, 3)",
    ) == [("What's earned.", "US dollars; it's rounded")]


def _plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(
        cell.timestamp() if hasattr(cell, "timestamp") else str(cell) if i == 2 else cell
        for i, cell in enumerate(row)
    )


def test_readers_neither_wait_nor_see_half_a_night(
    target: PostgresSettings, tmp_path: Path
) -> None:
    publish_to_postgres(target, night(tmp_path, 1), CONTRACTS)
    sql = """
        select (select count(*) from core.fct_money), (select min(night) from core.fct_money),
            (select max(night) from core.fct_money), (select count(*) from renewals.churn_risk),
            (select min(night) from renewals.churn_risk),
            (select max(night) from renewals.churn_risk),
            (select substr(run_id, 4)::bigint from publishing.night)
    """
    met: list[tuple[Any, ...]] = []
    firsts: dict[tuple[bool, int], tuple[Any, ...]] = {}
    errors: list[Exception] = []
    stop = threading.Event()

    def read(*, is_repeatable: bool) -> None:
        address = target.dsn.get_secret_value() + "?options=-c%20lock_timeout%3D1s"
        with postgresql.connect(address) as connection, connection.cursor() as cursor:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    if is_repeatable:
                        cursor.execute("set transaction isolation level repeatable read")
                    for _ in range(3 if is_repeatable else 1):
                        cursor.execute(sql)
                        seen = tuple(cursor.fetchone() or ())
                        met.append(seen)
                        firsts.setdefault((is_repeatable, number), seen)
                        if is_repeatable and firsts[True, number] != seen:
                            raise AssertionError("the night changed inside a transaction")
                    connection.rollback()
                    stop.wait(0.01)
                except Exception as error:  # noqa: BLE001  # told below, whatever it is
                    errors.append(error)
                    return

    readers = [threading.Thread(target=read, kwargs={"is_repeatable": r}) for r in (True, False)]
    for reader in readers:
        reader.start()
    for number in (2, 3):
        publish_to_postgres(target, night(tmp_path, number), CONTRACTS)
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert {(ROWS, n, n, ROWS, n, n, n) for n in (1, 2)} <= set(met)
    assert set(met) <= {(ROWS, n, n, ROWS, n, n, n) for n in (1, 2, 3)}


def test_views_of_others_stay_and_changed_columns_are_taken_over(
    target: PostgresSettings, tmp_path: Path
) -> None:
    publish_to_postgres(target, night(tmp_path, 1, rows=50), CONTRACTS)
    server_side = "create view public.mine as select count(*) as n, max(night) as night from"
    _run(target, f"{server_side} renewals.churn_risk")
    done = publish_to_postgres(target, night(tmp_path, 2, rows=60, more=COLUMN), contracts(COLUMN))
    assert done.notes == ["core.fct_money has other columns now and was made anew."]
    assert rows(target, "select * from public.mine") == [(60, 2)]
    assert rows(target, "select sum(added) from core.fct_money") == [(60,)]
    # A mart that is no more goes; one that a view of theirs needs is not taken from under it.
    less = contracts(COLUMN)[:1]
    shown = night(tmp_path, 3, rows=70, more=COLUMN)
    with pytest.raises(PublishError, match="2BP01"):
        publish_to_postgres(target, shown, less)
    assert rows(target, "select max(night) from core.fct_money") == [(2,)]
    _run(target, "drop view public.mine")
    done = publish_to_postgres(target, shown, less)
    assert len(done.notes) == 2
    assert rows(target, "select to_regclass('renewals.churn_risk')::text") == [(None,)]


def _run(settings: PostgresSettings, statement: str) -> None:
    with (
        postgresql.connect(settings.dsn.get_secret_value()) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)
        connection.commit()


def test_people_are_for_those_who_may(
    target: PostgresSettings, server: PostgresServer, tmp_path: Path
) -> None:
    publish_to_postgres(target, night(tmp_path, 1, rows=5), CONTRACTS)
    database = target.dsn.get_secret_value().rsplit("/", 1)[1]
    for role, may in (("analyst", False), ("people_team", True)):
        their = replace(target, dsn=SecretStr(server.url(database, role, "seen")))
        assert rows(their, "select count(*) from core.fct_money") == [(5,)]
        assert rows(their, "select count(*) from publishing.night") == [(1,)]
        if may:
            assert rows(their, "select count(*) from core.dim_people") == [(5,)]
        else:
            with pytest.raises(postgresql.ProgrammingError, match="permission denied"):
                rows(their, "select count(*) from core.dim_people")
        with pytest.raises(postgresql.ProgrammingError, match="permission denied"):
            rows(their, "delete from core.fct_money")


def test_a_failure_leaves_the_night_before(
    target: PostgresSettings, server: PostgresServer, tmp_path: Path
) -> None:
    publish_to_postgres(target, night(tmp_path, 1, rows=5), CONTRACTS)
    with pytest.raises(PublishError, match="Create the roles named in"):
        publish_to_postgres(
            replace(target, reader="nobody_there"), night(tmp_path, 2, rows=6), CONTRACTS
        )
    assert rows(target, "select distinct night from core.fct_money") == [(1,)]
    wrong = server.url("postgres", "postgres", "wr0ng@")
    with pytest.raises(PublishError) as caught:
        publish_to_postgres(
            replace(target, dsn=SecretStr(wrong)), night(tmp_path, 3, rows=6), CONTRACTS
        )
    assert "wr0ng" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_prefix_keeps_apart(target: PostgresSettings, tmp_path: Path) -> None:
    publish_to_postgres(replace(target, prefix="ret_"), night(tmp_path, 1, rows=5), CONTRACTS)
    assert rows(target, "select count(*) from ret_core.fct_money") == [(5,)]
    assert rows(target, "select to_regclass('core.fct_money')::text") == [(None,)]


def test_settings_are_optional_and_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DSN", "READER", "PEOPLE_READER", "PREFIX"):
        monkeypatch.delenv(f"TENURE_PUBLISH_POSTGRES_{name}", raising=False)
    monkeypatch.delenv("TENURE_ENV_FILE", raising=False)
    assert load_settings(tmp_path) is None
    (tmp_path / "tenure.env").write_text(
        "TENURE_PUBLISH_POSTGRES_DSN=postgresql://u:s3cret@db/x\n"
        "TENURE_PUBLISH_POSTGRES_READER=bi\n"
    )
    found = load_settings(tmp_path)
    assert found is not None
    assert found.reader == "bi"
    assert "s3cret" not in repr(found)
    monkeypatch.setenv("TENURE_PUBLISH_POSTGRES_DSN", "postgresql://u:s3cret/@db/x")
    with pytest.raises(PublishError, match="cannot be read") as caught:
        load_settings(tmp_path)
    assert "s3cret" not in str(caught.value)
    monkeypatch.delenv("TENURE_PUBLISH_POSTGRES_DSN")
    (tmp_path / "tenure.env").write_text("TENURE_PUBLISH_POSTGRES_READER=bi\n")
    with pytest.raises(PublishError, match="DSN is not"):
        load_settings(tmp_path)
