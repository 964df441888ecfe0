"""The step that publishes: what lies beside the tables, and what must not stop it."""

from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from orchestration import checks
from orchestration.assets.published import (
    CHECKS,
    DATA_QUALITY,
    DBT_DOCS,
    DOCS_PAGE,
    HAND_BACK,
    NIGHT,
    POSTGRES,
    postgres_asset,
    published_asset,
)
from orchestration.dbt import Dbt, DocsError
from orchestration.installation import Installation, Night
from publishing import hand_back, quality_page
from publishing.publish import MartContract
from sample_company.servers.postgres import PostgresServer
from tests.publishing.test_hand_back import COLUMNS

AS_OF = date(2026, 1, 31)


class Documented(Dbt):
    """dbt that has its page at hand."""

    def docs(self, as_of: date) -> str:
        return f"documentation as of {as_of}"


class Undocumented(Dbt):
    """dbt that cannot make its page."""

    def docs(self, as_of: date) -> str:
        raise DocsError("the catalogue is not whole")


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation whose warehouse holds what is read beside the marts."""
    monkeypatch.delenv("TENURE_PUBLISH_POSTGRES_DSN", raising=False)
    monkeypatch.delenv("TENURE_ENV_FILE", raising=False)
    installation = Installation(home=str(tmp_path))
    installation.warehouse.parent.mkdir()
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    with duckdb.connect(str(installation.warehouse)) as connection:
        connection.execute(
            f"""
            create schema renewals; create schema operations;
            create table renewals.churn_risk ({columns});
            insert into renewals.churn_risk (account_id, band) values ('a', 'high');
            create table operations.freshness (
                source_name text, table_name text, newest_known_on date, lag_days bigint,
                expected_lag_days bigint, is_stale boolean, has_facts boolean
            );
            create table operations.rejects (
                source_name text, table_name text, field text, rule text, remedy text,
                is_replayed boolean
            );
            create table operations.data_gaps (gap_type text);
            """
        )
    return installation


CHECKED = MartContract(
    "operations",
    "checks",
    {
        field.name: "boolean" if field.name == "is_blocking" else "varchar"
        for field in dataclasses.fields(checks.Check)
    },
)


@dg.asset_check(asset=dg.AssetKey(["scores", "history"]), description="Scores stand still.")
def standing() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=False, severity=dg.AssetCheckSeverity.WARN, description="Two features drift."
    )


@dg.asset_check(asset=dg.AssetKey(["renewals", "churn_risk"]), name="each_account_once")
def each_once() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=True, metadata={"unique_id": "test.each", "dagster_dbt/failed_row_count": 0}
    )


def run(installation: Installation, dbt: Dbt, **how: Any) -> dg.ExecuteInProcessResult:
    contracts = [MartContract("renewals", "churn_risk", COLUMNS), CHECKED]
    rules = {"unique": [["account_id"]], "not_null": ["band"], "holds": {"a band has a score": ""}}
    test = {"name": "each", "resource_type": "test", "test_metadata": {"kwargs": rules}}
    manifest = {"nodes": {"test.each": test}}
    before = [standing, each_once]
    after = [published_asset(contracts, manifest, before), postgres_asset(contracts)]
    resources: dict[str, Any] = {
        "installation": installation,
        "night": Night(as_of=AS_OF.isoformat()),
        "dbt": dbt,
    }
    with dg.DagsterInstance.ephemeral() as instance:
        # A run that takes up a failed one repeats no check that has passed.
        dg.materialize(before, instance=instance, selection=dg.AssetSelection.all_asset_checks())
        return dg.materialize(after, resources=resources, instance=instance, **how)


def test_readers_get_pages_and_hand_back_with_the_tables(installation: Installation) -> None:
    done = run(installation, Documented(installation=installation))
    keys = {event.asset_key for event in done.get_asset_materialization_events()}
    assert keys == {NIGHT, HAND_BACK, DATA_QUALITY, DBT_DOCS, CHECKS}
    current = installation.published / "current"
    assert (current / DOCS_PAGE).read_text() == "documentation as of 2026-01-31"
    assert "night of 2026-01-31" in (current / quality_page.FILE).read_text()
    assert (current / hand_back.FILE).read_text().splitlines()[1].startswith("a,2026-01-31,first,")
    assert (current / "model-card.md").exists()


def test_readers_can_ask_what_was_checked(installation: Installation) -> None:
    """In words; a warning says what was found."""
    done = run(installation, Documented(installation=installation))
    assert done.success
    with duckdb.connect(str(installation.published / "current" / "tenure.duckdb")) as night:
        rows = night.execute("select * from operations.checks order by subject").fetchall()
    assert rows == [
        ("renewals.churn_risk", "each_account_once", "built",
         "account_id names one row; band is never unknown; a band has a score",
         "passed", "0", None, False),
        ("scores.history", "standing", "scored", "Scores stand still.",
         "warned", None, "Two features drift.", False),
    ]  # fmt: skip


def test_a_night_is_published_without_documentation_if_need_be(installation: Installation) -> None:
    done = run(installation, Undocumented(installation=installation))
    keys = {event.asset_key for event in done.get_asset_materialization_events()}
    assert keys == {NIGHT, HAND_BACK, DATA_QUALITY, CHECKS}
    current = installation.published / "current"
    assert (current / "tenure.duckdb").exists()
    assert not (current / DOCS_PAGE).exists()


def test_postgresql_shows_the_same_night(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PostgresServer() as server:
        server.create_database("retention")
        monkeypatch.setenv("TENURE_PUBLISH_POSTGRES_DSN", server.url("retention"))
        done = run(installation, Documented(installation=installation))
        assert POSTGRES in {event.asset_key for event in done.get_asset_materialization_events()}
        with server.connected("retention") as connection, connection.cursor() as cursor:
            cursor.execute(
                "select as_of::text, account_id, band from publishing.night, renewals.churn_risk"
            )
            assert cursor.fetchall() == [("2026-01-31", "a", "high")]


def test_where_the_server_is_down_the_files_are_published_and_the_run_says_so(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_PUBLISH_POSTGRES_DSN", "postgresql://u:s3cret@127.0.0.1:9/x")
    done = run(installation, Documented(installation=installation), raise_on_error=False)
    assert not done.success
    (failure,) = done.filter_events(lambda event: event.is_step_failure)
    assert failure.step_key == "published__postgres"
    told = str(failure.step_failure_data.user_failure_data)
    assert "PostgreSQL was not published" in told
    assert "s3cret" not in told
    assert (installation.published / "current" / "tenure.duckdb").exists()


def test_documentation_that_dbt_cannot_make_is_an_error_with_its_reason(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> Any:
        failures = _[-1]
        failures.append("no catalogue today")
        return iter(())

    monkeypatch.setattr(Dbt, "_invoke", fail)
    with pytest.raises(DocsError, match="no catalogue today"):
        Dbt(installation=installation).docs(AS_OF)
