"""Which month a night closes, and how past months are closed afterwards.

Figures of real companies are in `tests/truth` and `tests/end_to_end`; here databases hold two
accounts, so that each case is a moment's work.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from ingestion import closes
from ingestion.lake import Lake, ensure_anchors
from orchestration.assets.closes import close_day, month_closes_rebuilt, newest_due
from orchestration.assets.closes import month_closes as nightly
from orchestration.dbt import Dbt
from orchestration.installation import Installation, Night

MAY, JUNE = date(2024, 5, 31), date(2024, 6, 30)


def write(database: Path, may: int, june: int) -> None:
    """A warehouse of two months and two accounts, of which one never paid."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema intermediate")
        connection.execute(
            "create table intermediate.int_month_ends as select * from (values"
            " (date '2024-05-31', date '2024-06-05'), (date '2024-06-30', date '2024-07-05'))"
            " as t(month_end_on, reported_from_on)"
        )
        names = ("new", "reactivation", "expansion", "contraction", "churn")
        names = (*names, "pause_out", "pause_in", "merge_transfer")
        nothing = ", ".join(f"0.0::decimal(18, 2) as {name}_usd" for name in names)
        connection.execute(
            "create table intermediate.int_account_month_money as"
            f" select *, {nothing}, null::decimal(18, 2) as mrr_12m_before_usd from (values"
            f" ('pays', date '{MAY}', {may}.0, {may}.0),"
            f" ('pays', date '{JUNE}', {may}.0, {june}.0), ('never', date '{JUNE}', 0.0, 0.0))"
            " as t(account_id, month_end_on, opening_mrr_usd, closing_mrr_usd)"
        )


class OlderKnowledge(Dbt):
    """Writes what a build as of an earlier date would have said."""

    def build_aside(self, select: str, as_of: date, database: Path) -> None:
        assert (select, as_of) == ("+int_account_month_money", date(2024, 6, 5))
        write(database, may=80, june=0)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    installation = Installation(home=str(tmp_path))
    ensure_anchors(Lake.at(tmp_path))
    write(installation.warehouse, may=100, june=120)
    return installation


def frozen(installation: Installation) -> list[dict[str, Any]]:
    columns = "account_id, month, closed_on, basis, closing_mrr_usd::int as mrr"
    sql = f"select {columns} from t order by month"
    rows: list[dict[str, Any]] = (
        Lake.at(installation.root).read(closes.SOURCE, closes.TABLE, sql).to_pylist()
    )
    return rows


def run_night(installation: Installation, as_of: str) -> None:
    resources = {"installation": installation, "night": Night(as_of=as_of)}
    assert dg.materialize([nightly], resources=resources, selection=[nightly]).success


def rebuild(installation: Installation, month: str) -> None:
    resources = {"installation": installation, "dbt": OlderKnowledge(installation=installation)}
    done = dg.materialize(
        [month_closes_rebuilt],
        resources=resources,
        partition_key=month,
        selection=[month_closes_rebuilt],
    )
    assert done.success


def test_the_newest_month_whose_day_has_come(installation: Installation) -> None:
    wanted = {"2024-06-04": None, "2024-06-05": MAY, "2024-07-04": MAY, "2024-07-05": JUNE}
    for as_of, month in wanted.items():
        assert newest_due(installation.warehouse, date.fromisoformat(as_of)) == month
    assert close_day(installation.warehouse, JUNE) == date(2024, 7, 5)
    assert close_day(installation.warehouse, date(2023, 1, 31)) is None


def test_a_night_closes_once_and_a_missed_day_is_made_up_for(installation: Installation) -> None:
    run_night(installation, "2024-06-04")
    assert frozen(installation) == []
    run_night(installation, "2024-07-07")
    run_night(installation, "2024-07-08")
    (row,) = frozen(installation)
    assert row == {
        "account_id": "pays",
        "month": JUNE,
        "closed_on": date(2024, 7, 7),
        "basis": "live",
        "mrr": 120,
    }


def test_a_past_month_is_closed_on_what_was_known_then(installation: Installation) -> None:
    run_night(installation, "2024-07-05")
    rebuild(installation, "2024-05-01")
    rebuild(installation, "2024-05-01")
    rebuild(installation, "2024-06-01")
    rebuild(installation, "2010-01-01")
    may, june = frozen(installation)
    assert (may["basis"], may["closed_on"], may["mrr"]) == ("rebuilt", date(2024, 6, 5), 80)
    assert (june["basis"], june["mrr"]) == ("live", 120)
    assert [p.name for p in installation.warehouse.parent.iterdir()] == ["tenure.duckdb"]
