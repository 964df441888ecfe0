"""Readers of the file and of PostgreSQL through three nights and back: whole nights, no waits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from publishing.__main__ import main as cli
from publishing.postgres import PostgresSettings, publish_to_postgres
from publishing.publish import contracts_of, published_night
from sample_company.servers.postgres import PostgresServer
from tests.publishing.test_postgres import CONTRACTS, night, rows
from tests.readers import FILE, SERVER, Seen, reading

DATABASE = "retention"
#: Which night each table is of, at its first and at its last row.
WHICH = """
    select
        (select min(night) from core.fct_money), (select max(night) from core.fct_money),
        (select count(*) from core.fct_money), (select min(night) from renewals.churn_risk),
        (select max(night) from renewals.churn_risk), (select count(*) from core.dim_people)
"""
ROWS = 10_000


@pytest.fixture(scope="module")
def settings() -> Iterator[PostgresSettings]:
    with PostgresServer() as server:
        server.create_database(DATABASE)
        yield PostgresSettings(SecretStr(server.url(DATABASE)))


def whole(number: int) -> list[str]:
    """What a reader of one night sees; each night has as many rows more as its number."""
    rows = str(ROWS + number)
    return [str(number), str(number), rows, str(number), str(number), rows]


def test_readers_meet_whole_nights_and_never_wait(
    settings: PostgresSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def publish_night(number: int) -> None:
        made = night(tmp_path, number, rows=ROWS + number)
        publish_to_postgres(settings, made, CONTRACTS)

    publish_night(1)
    dsn = settings.dsn.get_secret_value()
    current = tmp_path / "published" / "current" / "tenure.duckdb"
    with reading(current, dsn, WHICH) as stop:
        for number in (2, 3, 4):
            publish_night(number)
        monkeypatch.setenv("TENURE_PUBLISH_POSTGRES_DSN", dsn)
        assert cli(["--published", str(tmp_path / "published"), "rollback"]) == 0
        seen = stop()
    for way in (FILE, SERVER):
        check(seen[way], [whole(number) for number in (1, 2, 3, 4)])
        # Led back, readers meet a night they have met before.
        assert seen[way].rows[-1] == whole(4)
    assert capsys.readouterr().out.splitlines()[-1] == "PostgreSQL shows 2026-01-03-run3 now."
    assert rows(settings, "select as_of, run_id from publishing.night") == [
        (date(2026, 1, 3), "run3")
    ]
    assert rows(settings, WHICH) == [tuple(int(value) for value in whole(3))]


def check(seen: Seen, nights: list[list[str]]) -> None:
    assert seen.errors == []
    assert all(row in nights for row in seen.rows)
    assert seen.longest_wait_seconds < 1
    assert seen.answers > 10


def test_a_night_led_back_to_keeps_its_meanings_and_grants(
    settings: PostgresSettings, tmp_path: Path
) -> None:
    made = night(tmp_path, 1, rows=5)
    publish_to_postgres(settings, made, CONTRACTS)
    assert published_night(made.path) == made
    kept = {contract.full_name: contract for contract in contracts_of(made.path)}
    assert set(kept) == {contract.full_name for contract in CONTRACTS}
    assert kept["core.fct_money"].description == "What's earned."
    assert kept["core.fct_money"].column_descriptions == {"mrr_usd": "US dollars; it's rounded"}


def test_where_the_server_is_down_the_files_are_led_back_and_the_way_on_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 2):
        night(tmp_path, number, rows=5)
    published: Any = tmp_path / "published"
    monkeypatch.setenv("TENURE_PUBLISH_POSTGRES_DSN", "postgresql://u:s3cret@127.0.0.1:9/x")
    assert cli(["--published", str(published), "rollback"]) == 1
    assert (published / "current").readlink().name == "2026-01-01-run1"
    told = capsys.readouterr().err
    assert "Then: make rollback TO=2026-01-01" in told
    assert "s3cret" not in told
