"""Nights that are kept forget a person, and nothing else about them changes."""

from datetime import date
from pathlib import Path

import duckdb
import pytest

from publishing import erase, nights
from publishing.publish import DATABASE, MartContract, content, publish, read_manifest

CONTRACTS = [
    MartContract(
        "core",
        "dim_people",
        {"person_id": "varchar", "full_name": "varchar", "email": "varchar", "title": "varchar"},
        "Who is there?",
        {"email": "Where they're reached."},
    ),
    MartContract("renewals", "churn_risk", {"account_id": "varchar"}),
]
SECRETS = ("Zdenka Quillfeather", "zq@old.example")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    warehouse = tmp_path / "tenure.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema core; create schema renewals")
        connection.execute(
            "create table core.dim_people as select 'p' || i as person_id, 'N ' || i as full_name,"
            " i || '@x.example' as email, 'CFO' as title from range(5000) t(i)"
        )
        connection.execute(
            "update core.dim_people set full_name = ?, email = ? where person_id = 'p7'",
            list(SECRETS),
        )
        connection.execute("create table renewals.churn_risk as select 'a1' as account_id")
    for day, run in ((1, "aaaa"), (2, "bbbb")):
        publish(warehouse, tmp_path / "published", CONTRACTS, as_of=date(2026, 1, day), run_id=run)
    return tmp_path / "published"


def _bytes_with_a_secret(published: Path) -> list[Path]:
    files = [p for p in published.rglob("*") if p.is_file()]
    return [p for p in files if any(s.encode() in p.read_bytes() for s in SECRETS)]


def test_every_night_forgets_and_shows_the_rest_as_before(published: Path) -> None:
    shown = nights.current(published)
    order = [n.name for n in nights.nights(published)]
    assert _bytes_with_a_secret(published)
    assert len(erase.erase(published, ["p7", "p-unknown"])) == 2
    assert _bytes_with_a_secret(published) == []
    assert nights.current(published) == shown
    assert [n.name for n in nights.nights(published)] == order
    for night in nights.nights(published):
        with duckdb.connect(str(night.path / DATABASE), read_only=True) as connection:
            rows = connection.execute("select * from core.dim_people order by rowid").fetchall()
            said = connection.execute(
                "select comment from duckdb_tables() where table_name = 'dim_people'"
            ).fetchone()
        assert len(rows) == 5000
        assert rows[7] == ("p7", None, None, "CFO")
        assert rows[8] == ("p8", "N 8", "8@x.example", "CFO")
        assert said == ("Who is there?",)
        told = read_manifest(night.path)["tables"]
        measured = content(night.path / DATABASE)
        assert {n: t.content_hash for n, t in measured.items()} == {
            n: t["content_hash"] for n, t in told.items()
        }
        parquet = night.path / "parquet" / "core" / "dim_people.parquet"
        with duckdb.connect() as connection:
            assert connection.execute(f"select * from '{parquet}'").fetchall() == rows


def test_again_it_changes_nothing(published: Path) -> None:
    erase.erase(published, ["p7"])
    stamps = {p: p.stat().st_mtime_ns for p in published.rglob("*") if p.is_file()}
    assert erase.erase(published, ["p7"]) == []
    assert {p: p.stat().st_mtime_ns for p in published.rglob("*") if p.is_file()} == stamps


@pytest.mark.parametrize("step", ["_rewritten_database", "_rewrite_manifest"])
def test_killed_on_the_way_it_is_finished_the_next_time(
    published: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def after(*given: object) -> None:
        real(*given)
        raise OSError

    real = getattr(erase, step)
    with monkeypatch.context() as patched:
        patched.setattr(erase, step, after)
        with pytest.raises(OSError):  # noqa: PT011
            erase.erase(published, ["p7"])
    erase.erase(published, ["p7"])
    assert _bytes_with_a_secret(published) == []
    for night in nights.nights(published):
        told = read_manifest(night.path)["tables"]
        measured = content(night.path / DATABASE)
        assert {n: t.content_hash for n, t in measured.items()} == {
            n: t["content_hash"] for n, t in told.items()
        }
