"""The words a night ends with."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration import summary
from orchestration.progress import Facts, Phase
from publishing import headlines
from publishing.headlines import Call, Headlines
from publishing.publish import MartContract, publish

CALLS = (
    Call(
        "Near Ltd",
        "SMB",
        Decimal(1000),
        20,
        0.4,
        Decimal(400),
        "New: a champion left. Still: due in 20 days.",
        ("seats in use: 20 % (peers 60 %)", "cases: 4 (peers 1)"),
        False,
    ),
    Call("New Ltd", "SMB", Decimal(500), None, None, None, None, (), True),
)
FIGURES = Headlines(
    date(2026, 1, 31), Decimal(90), 1.1, None, 2, 1, Decimal(3), 1, Decimal(4), CALLS
)


def text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(headlines, "read", lambda database, as_of: FIGURES)
    facts = Facts([Phase("load_stripe", "Loading billing", 1.25, True)], {"stripe/a": 1200})
    return summary.text(date(2026, 1, 31), Path("home"), facts, 61.4)


def test_each_call_says_why_it_stands_there(monkeypatch: pytest.MonkeyPatch) -> None:
    told = " ".join(text(monkeypatch).split())
    calls = told[told.index("Call first") :]
    assert calls.index("Near Ltd") < calls.index("New Ltd")
    for words in ("New: a", "champion left.", "seats in use: 20", "$400", "40.0%", "20 d"):
        assert words in calls
    # Nothing is made up where nothing is known.
    assert "New Ltd $500 - n/a - yes most at stake" in calls
    assert "NRR 110.0%, GRR n/a" in told


def test_what_was_done_is_told_and_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    told = text(monkeypatch)
    assert "1,200 rows loaded, 0 rejected" in told
    assert "done in 61 s." in told
    # Rows are cut by columns, not by the terminal; paths may be longer than a line.
    rows = [line for line in told.splitlines() if not line.startswith("Published")]
    assert max(map(len, rows)) <= summary.WIDTH


def test_after_a_failure_it_is_said_what_readers_see(tmp_path: Path) -> None:
    def said(run_id: str, *, with_postgres: bool) -> str:
        return summary.seen(tmp_path, run_id, with_postgres=with_postgres)

    assert said("new", with_postgres=True) == "Nothing has been published yet."
    warehouse = tmp_path / "tenure.duckdb"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema core; create table core.a as select 1 as n")
    contract = MartContract("core", "a", {"n": "integer"})
    publish(warehouse, tmp_path, [contract], as_of=date(2026, 1, 30), run_id="old")
    assert said("new", with_postgres=False) == "Readers still see the night of 2026-01-30."
    assert said("new", with_postgres=True) == (
        "Readers of the files still see the night of 2026-01-30; PostgreSQL shows what it showed "
        "before."
    )
    publish(warehouse, tmp_path, [contract], as_of=date(2026, 1, 31), run_id="new")
    only_postgres = said("new", with_postgres=True)
    assert "their readers see this night, of 2026-01-31. PostgreSQL shows what" in only_postgres
    phases = [Phase("published__postgres", "Showing it in PostgreSQL")]
    told = summary.failure_text(Facts(phases), "It is down.", Path("log"), only_postgres)
    assert "The night failed in: Showing it in PostgreSQL." in told
    assert only_postgres in told
