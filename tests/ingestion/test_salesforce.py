"""Salesforce: changes by stamp, deletions, quotas, and what the organisation lacks."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion.crm import salesforce, salesforce_config
from ingestion.crm.salesforce_client import Client
from ingestion.http import HttpError
from ingestion.lake import Lake
from ingestion.quality import gate
from ingestion.settings import SettingsError, load_settings
from sample_company.servers.salesforce import SalesforceSettings
from tests.ingestion.conftest import LOAD, NOW, Loaded, Serve, rows_of

TABLES = ("account", "contact", "opportunity", "task", "event_relation", "campaign_member", "user")


def _counts(lake: Lake, table: str, source: str = "salesforce") -> tuple[int, int]:
    sql = "select count(*) n, count(distinct (id, system_modstamp, is_deleted)) d from t"
    row = lake.read(source, table, sql).to_pylist()[0]
    return row["n"], row["d"]


def _live(lake: Lake, table: str) -> list[tuple[Any, ...]]:
    """Records that are there; those erased for good leave no trace in a fresh listing.

    A lookup to a record erased for good is emptied without a new stamp, which the monthly refresh
    sees.
    """
    columns = "* exclude (who_id, what_id)" if table == "task" else "*"
    return [r for r in rows_of(lake, "salesforce", table, columns) if not r[1]]


def test_everything_lands_once_then_nothing_is_new(lake: Lake, serve: Serve) -> None:
    with serve() as (_, settings):
        first = salesforce.run(settings, lake, **LOAD)
        again = salesforce.run(settings, lake, **LOAD)
    assert first.notes == []
    assert all(t.is_balanced for t in first.tables.values())
    assert (again.rows, again.load_ids, again.other_loads) == (0, [], {})
    for table in TABLES:
        rows, distinct = _counts(lake, table)
        assert rows == distinct > 20
    assert lake.read("desk", "risk_assessments").num_rows > 100
    assert lake.read("desk", "action_plans")["_deleted"].to_pylist().count(False) > 10
    for source, loads in first.loads_by_source().items():
        assert gate.check_load(lake, source, loads).passed


def test_changes_arrive_with_overlap_and_without_repeats(
    lake: Lake, serve: Serve, loaded: Loaded, tmp_path: Path
) -> None:
    loaded("salesforce", lake)
    later = LOAD | {"as_of": NOW + timedelta(days=15)}
    with serve(now=later["as_of"]) as (_, settings):
        report = salesforce.run(settings, lake, **later)
        whole = Lake.at(tmp_path / "whole")
        salesforce.run(settings, whole, **later)
    assert report.rows > 100
    assert all(t.is_balanced for t in report.tables.values())
    for table in TABLES:
        assert _live(lake, table) == _live(whole, table)
        rows, distinct = _counts(lake, table)
        assert rows == distinct


def test_deleted_and_merged_records_land_as_such(lake: Lake, loaded: Loaded) -> None:
    report = loaded("salesforce", lake)
    deleted = lake.read("salesforce", "account", "select * from t where is_deleted")
    assert deleted.num_rows == report.tables["account"].deletes > 0
    merged = lake.read("salesforce", "account", "select * from t where master_record_id <> ''")
    assert merged.num_rows > 0


def test_histories_hold_ids_and_no_names(lake: Lake, loaded: Loaded) -> None:
    loaded("salesforce", lake)
    owners = lake.read(
        "salesforce", "account_history", "select * from t where field = 'Owner'"
    ).to_pylist()
    assert owners
    assert all(r["new_value"].startswith("005") for r in owners)
    assert all(r["system_modstamp"] == r["created_date"] for r in owners)


def test_the_run_stops_honestly_at_the_quota_and_goes_on_next_night(
    lake: Lake, serve: Serve, tmp_path: Path
) -> None:
    limited = SalesforceSettings(daily_requests=9)
    with serve(salesforce=limited) as (company, settings):
        first = salesforce.run(settings, lake, **LOAD)
        assert first.partial
        assert "quota" in first.notes[-1]
        rows = first.rows
        for day in range(1, 5):
            company.set_now(NOW + timedelta(days=day))
            last = salesforce.run(settings, lake, **LOAD)
            rows += last.rows
    assert rows > first.rows > 0
    found, distinct = _counts(lake, "account")
    assert found == distinct


def test_the_ceiling_keeps_requests_for_others(
    lake: Lake, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(salesforce=SalesforceSettings(daily_requests=100)) as (company, _):
        monkeypatch.setenv("SALESFORCE_USAGE_CEILING", "0.05")
        report = salesforce.run(load_settings(), lake, **LOAD)
        assert report.partial
        assert company.salesforce.requests < 10


def test_a_token_that_expires_is_renewed(lake: Lake, serve: Serve) -> None:
    with serve(salesforce=SalesforceSettings(token_requests=4)) as (_, settings):
        report = salesforce.run(settings, lake, **LOAD)
    assert not report.partial
    assert _counts(lake, "account")[0] > 100


def test_wrong_credentials_fail_at_once(
    lake: Lake, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve() as (_, _settings):
        monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "wrong-and-secret")
        with pytest.raises(HttpError) as caught:
            salesforce.run(load_settings(), lake, **LOAD)
    assert "wrong-and-secret" not in str(caught.value)


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "cut_body", "repeat_page"])
def test_a_bad_vendor_changes_nothing(
    kind: Any, lake: Lake, serve: Serve, loaded: Loaded, tmp_path: Path
) -> None:
    small = SalesforceSettings(batch_size=500)
    sound = Lake.at(tmp_path / "sound")
    loaded("salesforce", sound)
    with serve(salesforce=small) as (company, settings):
        client = Client.of(settings)
        client.session.sleep = lambda _: None
        company.faults.add(kind, service="salesforce", path="queryAll|/query/", count=4, skip=6)
        salesforce.run(settings, lake, client=client, **LOAD)
        assert company.faults.fired() >= 3
    for table in TABLES:
        assert rows_of(lake, "salesforce", table) == rows_of(sound, "salesforce", table)
        assert lake.read("salesforce", table).num_rows == sound.read("salesforce", table).num_rows


def test_absent_objects_and_fields_are_named(
    lake: Lake, serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "objects:\n  Account:\n    columns:\n      segment__c: Tier__c\n"
        "  Health_Note__c:\n    desk: competitors\n    columns:\n"
        "      competitor_id: Name\n      competitor_name: Title__c\n  Campaign: null\n"
    )
    with serve() as (_, _settings):
        monkeypatch.setenv("SALESFORCE_OBJECTS", str(own))
        report = salesforce.run(load_settings(), lake, **LOAD)
    assert report.partial
    assert any(n.startswith("Health_Note__c: not loaded") for n in report.notes)
    assert any(n.startswith("Account: the organisation has no field Tier__c") for n in report.notes)
    assert lake.read("salesforce", "campaign").num_rows == 0
    assert set(lake.read("salesforce", "account")["segment__c"].to_pylist()) == {None}
    assert _counts(lake, "contact")[0] > 100


def test_a_wrong_configuration_says_what_to_do(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "objects:\n  Thing__c: {}\n  Account: {columns: {no_such: X, name: Description}}\n"
    )
    with pytest.raises(SettingsError) as caught:
        salesforce_config.load(own)
    text = "\n".join(caught.value.problems)
    assert "desk:" in text
    assert "no_such" in text
    assert "privacy" in text


def test_backfill_and_reset(lake: Lake, serve: Serve, loaded: Loaded) -> None:
    loaded("salesforce", lake)
    hand = {"run_id": "hand", "progress": LOAD["progress"]}
    with serve() as (_, settings):
        report = salesforce.backfill(
            settings, lake, resource="case", first=date(2026, 1, 1), last=date(2026, 3, 1), **hand
        )
        assert report.rows == 0
        salesforce.reset(settings, lake, resource="Campaign", run_id="hand")
        again = salesforce.run(settings, lake, **LOAD)
    assert again.tables["campaign"].rows > 0
    assert again.tables["case"].rows == 0
