"""The recipes of docs/connect-your-bi.md, run as they stand there, on a published night."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import pytest
from pydantic import SecretStr
from sqlalchemy import create_engine, inspect

from publishing import hand_back
from publishing.postgres import PostgresSettings, publish_to_postgres
from publishing.publish import contracts_of, published_night
from sample_company.servers.postgres import PostgresServer
from tests.end_to_end.conftest import NightOutcome
from tests.warehouse import ROOT, rows

PAGE = (ROOT / "docs" / "connect-your-bi.md").read_text()


def blocks(language: str) -> dict[str, str]:
    """Code of a language by the heading it stands under."""
    found = {}
    for section in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]:
        for code in re.findall(rf"^```{language}\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            found[section.partition("\n")[0]] = code
    return found


@pytest.fixture
def at_home(night: NightOutcome, monkeypatch: pytest.MonkeyPatch) -> NightOutcome:
    """The night, with its installation as the folder worked in."""
    monkeypatch.chdir(night.home)
    return night


def run(code: str) -> dict[str, Any]:
    left: dict[str, Any] = {}
    exec(code, left)
    return left


def counted(night: NightOutcome, table: str) -> int:
    return int(rows(night.database, f"select count(*) from {table}")[0][0])


def test_the_file_is_opened(at_home: NightOutcome, capfd: pytest.CaptureFixture[str]) -> None:
    run(blocks("python")["DuckDB file"])
    assert "expected_loss_arr_usd" in capfd.readouterr().out


def test_sqlalchemy_reads_it(at_home: NightOutcome) -> None:
    left = run(blocks("python")["SQLAlchemy and Superset"])
    assert len(left["calendar"]) == counted(at_home, "renewals.renewal_calendar") > 0
    # What Superset is given: the same with an absolute path; it lists schemas, tables and comments.
    (address,) = re.findall(r"`(duckdb:////\S+)`", PAGE)
    engine = create_engine(address.replace("/path/to", str(at_home.home)))
    shown = inspect(engine)
    assert "churn_risk" in shown.get_table_names("renewals")
    comments = {c["name"]: c["comment"] for c in shown.get_columns("churn_risk", "renewals")}
    assert comments["band"].startswith("high, medium or low risk")
    with pytest.raises(Exception, match="read-only"), engine.begin() as connection:
        connection.exec_driver_sql("create table core.mine as select 1 as n")
    engine.dispose()


def test_parquet_is_read(at_home: NightOutcome) -> None:
    left = run(blocks("python")["Parquet"])
    assert len(left["risk"]) == counted(at_home, "renewals.churn_risk")
    assert len(left["both"]) > 0


def test_postgresql_is_set_up_and_read(night: NightOutcome) -> None:
    shown = published_night(night.database.parent.resolve())
    wanted = {"core.dim_people", "renewals.churn_risk"}
    contracts = [c for c in contracts_of(shown.path) if c.full_name in wanted]
    password = dict(
        re.findall(
            r"create role (\w+) login password '([\w-]+)'", blocks("sql")["A PostgreSQL server"]
        )
    )
    with PostgresServer() as server:
        with postgresql.connect(server.url(), autocommit=True) as owner, owner.cursor() as cursor:
            for statement in blocks("sql")["A PostgreSQL server"].splitlines():
                cursor.execute(statement)

        def settings(user: str) -> PostgresSettings:
            dsn = server.url("retention", user, password[user])
            return PostgresSettings(SecretStr(dsn), "bi", "success")

        publish_to_postgres(settings("tenure"), shown, contracts)
        for user, may in (("bi", {"renewals.churn_risk"}), ("success", wanted)):
            with (
                postgresql.connect(settings(user).dsn.get_secret_value()) as connection,
                connection.cursor() as cursor,
            ):
                for table in wanted:
                    cursor.execute(f"select has_table_privilege('{table}', 'select')")
                    assert cursor.fetchone() == (table in may,)
                cursor.execute("select count(*) from renewals.churn_risk")
                assert cursor.fetchone() == (counted(night, "renewals.churn_risk"),)


def test_the_page_names_every_column_handed_back(night: NightOutcome) -> None:
    head = (night.database.parent / hand_back.FILE).read_text().partition("\n")[0]
    section = PAGE.partition("## Hand-back")[2].partition("\n## ")[0]
    assert set(head.split(",")) <= set(re.findall(r"`(\w+)`", section))


def test_links_on_the_page_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([\w-]+)\)", PAGE)) <= anchors
    assert Path(ROOT / "dbt_project" / "models" / "marts" / "metrics").is_dir()
