"""Readers ask without pause while the nightly command runs three nights, and meet whole nights."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from sample_company.servers.postgres import PostgresServer
from tests.chaos.conftest import Night
from tests.chaos.test_kill import prepare
from tests.readers import FILE, SERVER, Seen, reading
from tests.warehouse import ROOT, rows

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


@dataclass(frozen=True)
class Nights:
    """Three nights that readers saw come.

    Attributes:
        published: the folder of nights.
        shown: an answer for each night, the one before them included, in order.
        seen: what the readers of file and server saw.
    """

    published: Path
    shown: list[list[str]]
    seen: Mapping[str, Seen]


@pytest.fixture(scope="module")
def nights(
    tmp_path_factory: pytest.TempPathFactory,
    company: tuple[Any, date, Mapping[str, str]],
    run_night: Night,
) -> Nights:
    home = prepare(tmp_path_factory.mktemp("readers") / "home")
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
    answers = [
        [str(value) for value in rows(folder / "tenure.duckdb", WHICH)[0]]
        for folder in sorted(published.glob("20*"))
    ]
    return Nights(published, answers, seen)


@pytest.mark.parametrize("way", [FILE, SERVER])
def test_readers_meet_whole_nights_and_never_wait(way: str, nights: Nights) -> None:
    assert len({tuple(answer) for answer in nights.shown}) == 4
    seen = nights.seen[way]
    print(f"{way}: {seen.answers} answers, {seen.longest_wait_seconds:.3f} s at most")
    assert seen.errors == []
    assert seen.rows == nights.shown
    assert seen.longest_wait_seconds < 1
    assert seen.answers > 100


def test_the_command_asks_the_published_night(nights: Nights) -> None:
    """`make metrics` as the documentation has it, against the mart."""
    told = subprocess.run(
        ["make", "metrics", "METRICS=paying_accounts", "BY=revenue__segment"],
        check=True,
        cwd=ROOT,
        env={**os.environ, "TENURE_HOME": str(nights.published.parent)},
        capture_output=True,
        text=True,
    ).stdout
    sql = """
        select segment, sum(paying_accounts) from cohorts.revenue_retention
        where month = (select max(month) from cohorts.revenue_retention) group by 1
    """
    for segment, accounts in rows(nights.published / "current" / "tenure.duckdb", sql):
        assert re.search(rf"^{re.escape(segment)} +{accounts}$", told, re.MULTILINE), told
