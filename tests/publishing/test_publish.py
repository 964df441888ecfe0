"""The copy equals the warehouse, readers see whole nights only, nights can be taken back."""

import json
from datetime import date
from pathlib import Path

import duckdb
import pytest

from publishing import nights
from publishing.__main__ import main as cli
from publishing.publish import MartContract, PublishError, content, publish, read_manifest

CONTRACTS = [
    MartContract(
        "renewals",
        "churn_risk",
        {"account_id": "varchar", "p_lost": "double"},
        "Would they sign today? It's asked nightly.",
        {"p_lost": "probability, 0-1"},
    ),
    MartContract("core", "dim_accounts", {"account_id": "varchar"}),
    MartContract("core", "dim_plans", {"x": "integer"}, "A view in the warehouse."),
]


def fill(warehouse: Path, rows: int) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists renewals")
        connection.execute("create schema if not exists core")
        connection.execute("create schema if not exists staging")
        connection.execute(
            "create or replace table renewals.churn_risk as"
            f" select 'a' || i as account_id, i / 10.0::double as p_lost from range({rows}) t(i)"
        )
        connection.execute(
            "create or replace table core.dim_accounts as"
            f" select 'a' || i as account_id from range({rows}) t(i)"
        )
        connection.execute("create or replace table staging.secret as select 1 as x")
        connection.execute("create or replace view core.dim_plans as select x from staging.secret")


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "tenure.duckdb"
    fill(path, 5)
    return path


def publish_night(warehouse: Path, published: Path, as_of: str, run: str) -> Path:
    day = date.fromisoformat(as_of)
    return publish(warehouse, published, CONTRACTS, as_of=day, run_id=run).path


def test_the_copy_holds_the_public_marts_and_nothing_else(warehouse: Path, tmp_path: Path) -> None:
    published = tmp_path / "published"
    publish_night(warehouse, published, "2026-01-01", "aaaa")
    database = published / "current" / "tenure.duckdb"
    assert content(database) == content(warehouse)
    with duckdb.connect(str(database), read_only=True) as connection:
        schemas = {
            r[0]
            for r in connection.execute(
                "select distinct table_schema from information_schema.tables"
            ).fetchall()
        }
        comment = connection.execute(
            "select comment from duckdb_columns() where column_name = 'p_lost'"
        ).fetchone()
        views = connection.execute(
            "select count(*) from duckdb_views() where not internal"
        ).fetchone()
    assert schemas == {"core", "renewals"}
    assert comment == ("probability, 0-1",)
    assert views == (0,)
    parquet = published / "current" / "parquet" / "renewals" / "churn_risk.parquet"
    assert duckdb.sql(f"select count(*) from '{parquet}'").fetchone() == (5,)


def test_texts_lie_beside_what_readers_see(warehouse: Path, tmp_path: Path) -> None:
    night = publish(
        warehouse,
        tmp_path / "published",
        CONTRACTS,
        as_of=date(2026, 1, 1),
        run_id="aaaa",
        beside={"model-card.md": "# Card\n"},
    )
    shown = tmp_path / "published" / "current" / "model-card.md"
    assert shown.read_text() == "# Card\n"
    # What a night says of itself are its tables: a text changes none of them.
    assert set(read_manifest(night.path)["tables"]) == {c.full_name for c in CONTRACTS}


def test_content_hash_sees_values_and_duplicates_but_not_order(tmp_path: Path) -> None:
    tables = {
        "one": "values (1), (2), (2)",
        "two": "values (2), (1), (2)",
        "three": "values (1), (2)",
    }
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("create schema core")
        for name, rows in tables.items():
            connection.execute(f"create table core.{name} as select * from ({rows}) t(a)")
    found = content(tmp_path / "x.duckdb")
    assert found["core.one"] == found["core.two"]
    assert found["core.one"] != found["core.three"]


def test_a_missing_mart_leaves_readers_where_they_were(warehouse: Path, tmp_path: Path) -> None:
    published = tmp_path / "published"
    first = publish_night(warehouse, published, "2026-01-01", "aaaa")
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("drop table core.dim_accounts")
    with pytest.raises(PublishError, match=r"core\.dim_accounts is not in the warehouse"):
        publish_night(warehouse, published, "2026-01-02", "bbbb")
    assert nights.current(published) == first


def test_a_column_outside_the_contract_is_refused(warehouse: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("alter table core.dim_accounts add column surprise integer")
    with pytest.raises(PublishError, match="surprise"):
        publish_night(warehouse, tmp_path / "published", "2026-01-01", "aaaa")


def test_a_mart_that_lost_all_its_rows_is_not_published(warehouse: Path, tmp_path: Path) -> None:
    published = tmp_path / "published"
    publish_night(warehouse, published, "2026-01-01", "aaaa")
    fill(warehouse, 0)
    with pytest.raises(PublishError, match="had rows in 2026-01-01-aaaa"):
        publish_night(warehouse, published, "2026-01-02", "bbbb")


def test_seven_nights_are_kept_and_one_run_of_each(warehouse: Path, tmp_path: Path) -> None:
    published = tmp_path / "published"
    for day in range(1, 11):
        publish_night(warehouse, published, f"2026-01-{day:02d}", f"run{day}")
    publish_night(warehouse, published, "2026-01-10", "again")
    names = [night.name for night in nights.nights(published)]
    assert names == [f"2026-01-{d:02d}-run{d}" for d in range(4, 10)] + ["2026-01-10-again"]


def test_a_half_built_night_is_removed_by_the_next(warehouse: Path, tmp_path: Path) -> None:
    published = tmp_path / "published"
    left = nights.building_path(published, date(2026, 1, 1), "dead")
    left.mkdir(parents=True)
    publish_night(warehouse, published, "2026-01-01", "aaaa")
    assert not left.exists()


def test_rollback_shows_the_night_before(
    warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = tmp_path / "published"
    first = publish_night(warehouse, published, "2026-01-01", "aaaa")
    second = publish_night(warehouse, published, "2026-01-02", "bbbb")
    assert cli(["--published", str(published), "rollback"]) == 0
    assert nights.current(published) == first
    assert cli(["--published", str(published), "rollback"]) == 1
    assert "Nights kept: 2026-01-01, 2026-01-02" in capsys.readouterr().err
    assert cli(["--published", str(published), "rollback", "--to", "2026-01-02"]) == 0
    assert nights.current(published) == second
    assert cli(["--published", str(published), "list"]) == 0
    assert "* 2026-01-02-bbbb" in capsys.readouterr().out


def test_manifest_names_every_table(warehouse: Path, tmp_path: Path) -> None:
    night = publish_night(warehouse, tmp_path / "published", "2026-01-01", "aaaa")
    manifest = read_manifest(night)
    assert set(manifest["tables"]) == {
        "core.dim_accounts",
        "core.dim_plans",
        "renewals.churn_risk",
    }
    assert json.dumps(manifest)
