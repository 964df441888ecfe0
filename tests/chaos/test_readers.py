"""Readers ask without pause while the nightly command runs three nights, and meet whole nights."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sample_company.servers.postgres import PostgresServer
from tests.chaos.conftest import Night
from tests.chaos.test_kill import prepare
from tests.readers import FILE, SERVER, reading
from tests.warehouse import rows

#: A figure of each schema, and the night.
WHICH = """
    select
        (select max(as_of_on) from renewals.watchlist),
        (select sum(expected_loss_arr_usd) from renewals.churn_risk),
        (select count(*) from core.fct_touchpoints),
        (select sum(closing_mrr_usd) from cohorts.revenue_retention),
        (select count(*) from value.customer_value),
        (select count(*) from operations.data_gaps)
"""


def test_readers_meet_whole_nights_and_never_wait(
    tmp_path: Path, company: tuple[Any, date, Mapping[str, str]], run_night: Night
) -> None:
    home = prepare(tmp_path / "home")
    _, last, settings = company
    published = home / "published"
    with PostgresServer() as server:
        server.create_database("retention")
        dsn = server.url("retention")
        shown = {**settings, "TENURE_PUBLISH_POSTGRES_DSN": dsn}
        run_night(home, last - timedelta(days=3), shown, None, 0)
        with reading(published / "current" / "tenure.duckdb", dsn, WHICH) as stop:
            for days in (2, 1, 0):
                run_night(home, last - timedelta(days=days), shown, None, 0)
            seen = stop()
    nights = [
        [str(value) for value in rows(folder / "tenure.duckdb", WHICH)[0]]
        for folder in sorted(published.glob("20*"))
    ]
    assert len({tuple(night) for night in nights}) == 4
    for way in (FILE, SERVER):
        print(f"{way}: {seen[way].answers} answers, {seen[way].longest_wait_seconds:.3f} s at most")
        assert seen[way].errors == []
        assert seen[way].rows == nights
        assert seen[way].longest_wait_seconds < 1
        assert seen[way].answers > 100
