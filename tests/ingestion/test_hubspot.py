"""HubSpot: listing, then search; archived, merged and erased records; limits; what is absent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pandas as pd
import pytest

from ingestion import landing
from ingestion.crm import hubspot, hubspot_config
from ingestion.crm.hubspot_client import Client
from ingestion.http import HttpError
from ingestion.lake import Lake
from ingestion.quality import profile
from ingestion.settings import Settings, SettingsError, load_settings
from sample_company.servers.hubspot import HubSpotSettings
from sample_company.servers.hubspot_ids import record_id
from sample_company.testing import Running, running
from tests.ingestion.conftest import LOAD, NOW, Serve, rows_of, silent
from tests.sample_company.servers import pocket

TABLES = ("company", "contact", "deal", "ticket", "call", "meeting", "campaign_member", "user")
ACME, LOSER = record_id(pocket.ACME), record_id(pocket.LOSER)
POCKET_DAY = pocket.NOW.date()
NIGHT: dict[str, Any] = {"run_id": "run", "as_of": POCKET_DAY, "progress": silent}
FULL = "select * from t order by all"
OWN = "select * exclude (_dlt_load_id) from t order by all"
LEFT_OUT = ("tickets", "calls", "emails", "notes", "tasks", "users", "campaigns",
            "p_campaign_members", "p_risk_assessments", "p_action_plans")  # fmt: skip
KEPT = ("company", "company_history", "contact", "contact_history", "deal", "meeting")


@pytest.fixture
def few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a few objects are loaded: what is tested is the same for all."""
    own = tmp_path / "few.yaml"
    own.write_text("objects:\n" + "".join(f"  {name}: null\n" for name in LEFT_OUT))
    monkeypatch.setenv("HUBSPOT_OBJECTS", str(own))


@contextmanager
def tiny(
    monkeypatch: pytest.MonkeyPatch, world: Any = None, **options: Any
) -> Iterator[tuple[Running, Settings]]:
    """A company of a few hundred companies, two contacts and a deal."""
    given = {"now": pocket.NOW, "event_days": 0, "crm": "hubspot"} | options
    with running(world or pocket.world(), **given) as company:
        # The pocket company has no files of usage.
        for name in ("HUBSPOT_ACCESS_TOKEN", "HUBSPOT_API_URL"):
            monkeypatch.setenv(name, company[name])
        yield company, load_settings()


def patient(settings: Settings) -> Client:
    """A client that does not really wait."""
    client = Client.of(settings)
    client.session.sleep = lambda _: None
    return client


def live(lake: Lake, table: str) -> list[tuple[Any, ...]]:
    """Records that are there; merged and erased ones leave no trace in a fresh listing.

    Who is erased takes associations away without a time of change: the next full reading shows it.
    """
    own = "columns(c -> c not in ('contacts', 'contact_id', 'deal_id'))"
    return [r for r in rows_of(lake, "hubspot", table, own) if not r[1]]


def repeats(lake: Lake, table: str) -> int:
    sql = "select count(*) - count(distinct (id, _version_at, is_deleted)) as n from t"
    return int(lake.read("hubspot", table, sql)["n"][0].as_py())


def test_everything_lands_once_then_what_has_changed(
    lake: Lake, serve: Serve, tmp_path: Path
) -> None:
    with serve(crm="hubspot", event_days=0) as (company, settings):
        first = hubspot.run(settings, lake, **LOAD)
        asked = company.hubspot.requests
        again = hubspot.run(settings, lake, **LOAD)
        asked_again = company.hubspot.requests - asked
        company.set_now(NOW + timedelta(days=15))
        later = LOAD | {"as_of": NOW + timedelta(days=15)}
        changes = hubspot.run(settings, lake, **later)
        whole = Lake.at(tmp_path / "whole")
        hubspot.run(settings, whole, **later)

    assert first.notes == []
    assert all(t.is_balanced for t in first.tables.values())
    assert lake.read("desk", "risk_assessments").num_rows > 100
    assert lake.read("desk", "action_plans")["_deleted"].to_pylist().count(False) > 10
    for source, loads in first.loads_by_source().items():
        found = profile.of_loads(lake, source, loads).drop(columns=["table_name", "rows"])
        assert set(found.drop(columns=["rejects", "reject_share"]).sum()) == {0}

    assert (again.rows, again.load_ids, again.other_loads) == (0, [], {})
    assert asked_again < asked / 5

    assert changes.rows > 100
    assert all(t.is_balanced for t in changes.tables.values())
    for table in TABLES:
        assert live(lake, table) == live(whole, table), table
        assert len(live(lake, table)) > 20
        assert repeats(lake, table) == 0
    for table in ("company_history", "contact_history", "deal_history"):
        known = set(rows_of(lake, "hubspot", table))
        assert known >= set(rows_of(whole, "hubspot", table)), table


def test_associations_land_with_their_record(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    # One association a page: the rest must be fetched.
    with tiny(monkeypatch, hubspot=HubSpotSettings(association_page=1)) as (_, settings):
        hubspot.run(settings, lake, **NIGHT)
    (met,) = lake.read("hubspot", "meeting").to_pylist()
    people = {record_id(k) for k in (pocket.CARA, pocket.DORA)}
    assert met["company_id"] == ACME
    assert {p["id"] for p in orjson.loads(met["contacts"])} == people
    assert {r["company_id"] for r in lake.read("hubspot", "contact").to_pylist()} == {ACME}
    (plan,) = lake.read("desk", "risk_assessments").to_pylist()
    assert (plan["account_id"], plan["risk_assessment_id"]) == (ACME, "risk_1")


@pytest.mark.usefixtures("few")
def test_the_past_of_properties_lands_and_names_nobody(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tiny(monkeypatch) as (_, settings):
        hubspot.run(settings, lake, **NIGHT)
    sql = f"select property, value from t where company_id = '{ACME}' order by created_at"
    told = [tuple(r.values()) for r in lake.read("hubspot", "company_history", sql).to_pylist()]
    anna, ben = record_id(pocket.ANNA), record_id(pocket.BEN)
    assert told == [
        ("hubspot_owner_id", anna),
        ("hubspot_owner_id", ben),
        ("hs_merged_object_ids", LOSER),
    ]
    asked = {p for c in hubspot_config.load(None) for p in c.history}
    assert not asked & {"email", "firstname", "lastname", "phone"}


@pytest.mark.usefixtures("few")
def test_a_merged_or_erased_record_is_found_missing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pocket.at("2026-06-01T00:00:00")
    with tiny(monkeypatch, now=before) as (company, settings):
        hubspot.run(settings, lake, **NIGHT | {"as_of": before.date()})
        company.set_now(pocket.NOW)
        hubspot.run(settings, lake, **NIGHT)
    newest = {r[0]: r[1] for r in rows_of(lake, "hubspot", "company", "id, is_deleted")}
    assert (newest[LOSER], newest[ACME]) == (True, False)
    people = {r[0]: r[1] for r in rows_of(lake, "hubspot", "contact", "id, is_deleted")}
    assert people[record_id(pocket.ERASED)] is True
    assert people[record_id(pocket.CARA)] is False


def test_archived_records_are_tombstones_and_come_back(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = pocket.world()
    deals = world.tables["opportunities"]
    last = deals.iloc[[-1]]
    world.tables["opportunities"] = pd.concat([
        deals,
        last.assign(version_at=pocket.at("2026-06-02T09:00:00"), is_deleted=True),
        last.assign(version_at=pocket.at("2026-06-08T09:00:00")),
    ])  # fmt: skip
    assessments = world.tables["risk_assessments"]
    gone = assessments.assign(version_at=pocket.at("2026-06-02T09:00:00"), is_deleted=True)
    here = assessments.assign(version_at=assessments["known_at"], is_deleted=False)
    world.tables["risk_assessments"] = pd.concat([here, gone])
    with tiny(monkeypatch, world, now=pocket.at("2026-06-01T00:00:00")) as (company, settings):
        states = []
        for day in ("2026-06-01", "2026-06-03", "2026-06-04", "2026-06-09"):
            company.set_now(pocket.at(f"{day}T00:00:00"))
            report = hubspot.run(
                settings, lake, **NIGHT | {"as_of": date.fromisoformat(day) - timedelta(days=1)}
            )
            (deal,) = rows_of(lake, "hubspot", "deal", "is_deleted, _version_at")
            states.append((*deal, report.tables.get("deal", None) is not None))
    assert [s[0] for s in states] == [False, True, True, False]
    assert states[1][1] == pocket.at("2026-06-02T09:00:00")
    assert repeats(lake, "deal") == 0
    flags = lake.read("desk", "risk_assessments", FULL)["_deleted"].to_pylist()
    assert sorted(flags) == [False, True]


@pytest.mark.usefixtures("few")
def test_a_bulk_change_of_one_instant_arrives_whole(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = pocket.world()
    accounts = world.tables["accounts"]
    fillers = accounts[accounts["name"].str.startswith("Filler")]
    at = pocket.at("2026-06-09T10:00:00")
    world.tables["accounts"] = pd.concat([accounts, fillers.assign(version_at=at, region="APAC")])
    limits = HubSpotSettings(search_results=210)
    with tiny(monkeypatch, world, now=pocket.at("2026-06-09T00:00:00"), hubspot=limits) as (
        company,
        settings,
    ):
        hubspot.run(settings, lake, **NIGHT)
        company.set_now(pocket.NOW)
        report = hubspot.run(settings, lake, **NIGHT)
    assert report.tables["company"].rows == pocket.FILLERS
    regions = [r[0] for r in rows_of(lake, "hubspot", "company", "region")]
    assert regions.count("APAC") == pocket.FILLERS
    assert repeats(lake, "company") == 0


@pytest.mark.usefixtures("few")
def test_what_the_search_does_not_know_yet_comes_the_next_night(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = HubSpotSettings(search_lag_seconds=900)
    early = pocket.at("2026-06-02T08:35:00")
    with tiny(monkeypatch, now=pocket.at("2026-06-01T00:00:00"), hubspot=limits) as (
        company,
        settings,
    ):
        hubspot.run(settings, lake, **NIGHT)
        company.set_now(early)
        hubspot.run(settings, lake, **NIGHT)
        sql = f"select count(*) n from t where id = '{ACME}' and segment = 'mid-market'"
        assert lake.read("hubspot", "company", sql)["n"][0].as_py() == 0
        company.set_now(early + timedelta(minutes=20))
        hubspot.run(settings, lake, **NIGHT)
        assert lake.read("hubspot", "company", sql)["n"][0].as_py() == 1


def test_neither_addresses_nor_searches_grow_with_the_properties(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, int]] = []
    with tiny(monkeypatch) as (_, settings):
        client = Client.of(settings)
        plain = client.session.request

        def record(method: str, path: str, **options: Any) -> Any:
            address = path + "&".join(f"{k}={v}" for k, v in options.get("params") or ())
            size = len(orjson.dumps(options.get("json"))) if path.endswith("search") else 0
            asked.append((address, size))
            return plain(method, path, **options)

        client.session.request = record  # type: ignore[method-assign]
        hubspot.run(settings, lake, client=client, **NIGHT)
        hubspot.run(settings, lake, client=client, **NIGHT)
    assert max(len(address) for address, _ in asked) < 200
    assert 0 < max(size for _, size in asked) < 1_000


@pytest.mark.usefixtures("few")
def test_a_bad_vendor_changes_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    places = {"sound": Lake.at(tmp_path / "sound")}
    kinds: tuple[Any, ...] = ("rate_limit", "server_error", "cut_body", "repeat_page")
    with tiny(monkeypatch, now=pocket.at("2026-06-01T00:00:00")) as (company, settings):
        for kind in ("sound", *kinds):
            place = places.setdefault(kind, Lake.at(tmp_path / kind))
            company.set_now(pocket.at("2026-06-01T00:00:00"))
            company.faults.clear()
            if kind != "sound":
                path = "objects/companies" if kind == "repeat_page" else "objects|associations"
                company.faults.add(kind, service="hubspot", path=path, count=6, skip=2)
            hubspot.run(settings, place, client=patient(settings), **NIGHT)
            assert company.faults.fired() == (0 if kind == "sound" else 6)
            company.set_now(pocket.NOW)
            hubspot.run(settings, place, client=patient(settings), **NIGHT)
    for kind in kinds:
        for table in KEPT:
            expected = places["sound"].read("hubspot", table, OWN)
            assert places[kind].read("hubspot", table, OWN).equals(expected), (kind, table)


@pytest.mark.usefixtures("few")
def test_a_run_that_was_cut_off_goes_on_at_the_last_window(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(landing, "FLUSH_ROWS", 150)
    with tiny(monkeypatch) as (company, settings):
        calm = Lake.at(tmp_path / "calm")
        hubspot.run(settings, calm, **NIGHT)
        company.faults.add("status", service="hubspot", path="objects/companies/batch",
                           status=418, skip=4, count=None)  # fmt: skip
        with pytest.raises(HttpError, match="418"):
            hubspot.run(settings, lake, **NIGHT)
        landed = lake.read("hubspot", "company").num_rows
        assert 100 < landed < pocket.FILLERS
        company.faults.clear()
        before = company.hubspot.requests
        hubspot.run(settings, lake, **NIGHT)
        resumed = company.hubspot.requests - before
        again = hubspot.run(settings, lake, **NIGHT)
    assert resumed < before
    assert again.rows == 0
    for table in KEPT:
        assert lake.read("hubspot", table, OWN).equals(calm.read("hubspot", table, OWN)), table


@pytest.mark.usefixtures("few")
def test_the_run_stops_honestly_at_the_quota_and_goes_on_next_night(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "FLUSH_ROWS", 100)
    limits = HubSpotSettings(daily_requests=16)
    with tiny(monkeypatch, hubspot=limits) as (company, settings):
        first = hubspot.run(settings, lake, **NIGHT)
        assert first.partial
        assert "quota" in first.notes[-1]
        for day in range(1, 6):
            company.set_now(pocket.NOW + timedelta(days=day))
            last = hubspot.run(settings, lake, **NIGHT)
    assert last.rows < first.rows
    assert repeats(lake, "company") == 0
    assert lake.read("hubspot", "company").num_rows == pocket.FILLERS + 2


@pytest.mark.usefixtures("few")
def test_the_ceiling_keeps_requests_for_others(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with tiny(monkeypatch, hubspot=HubSpotSettings(daily_requests=100)) as (company, _):
        monkeypatch.setenv("HUBSPOT_USAGE_CEILING", "0.05")
        report = hubspot.run(load_settings(), lake, **NIGHT)
        assert report.partial
        assert company.hubspot.requests < 10


def test_a_wrong_token_fails_at_once_and_is_not_told(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tiny(monkeypatch) as (_, settings):
        assert "account 7300000" in hubspot.check(settings)
        monkeypatch.setenv("HUBSPOT_ACCESS_TOKEN", "pat-wrong-and-secret")
        with pytest.raises(HttpError) as caught:
            hubspot.run(load_settings(), lake, **NIGHT)
    assert caught.value.status == 401
    assert "pat-wrong-and-secret" not in str(caught.value)


def test_absent_objects_scopes_and_properties_are_named(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "objects:\n  companies:\n    columns:\n      region: sales_region\n"
        "  p_health_notes:\n    desk: competitors\n    columns:\n"
        "      competitor_id: note_name\n      competitor_name: title\n  campaigns: null\n"
    )
    limits = HubSpotSettings(closed=frozenset({"tickets", "owners"}))
    with tiny(monkeypatch, hubspot=limits) as (_, _settings):
        monkeypatch.setenv("HUBSPOT_OBJECTS", str(own))
        report = hubspot.run(load_settings(), lake, **NIGHT)
    assert report.partial
    said = "\n".join(report.notes)
    assert "owners: not loaded (403 MISSING_SCOPES)" in said
    assert "tickets: not loaded (403 MISSING_SCOPES)" in said
    assert "p_health_notes: not loaded (400 VALIDATION_ERROR)" in said
    assert "companies: the account has no property sales_region" in said
    assert set(lake.read("hubspot", "company")["region"].to_pylist()) == {None}
    assert lake.read("hubspot", "contact").num_rows == 2


def test_a_renamed_property_that_is_needed_blocks_its_table_alone(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("objects:\n  deals:\n    columns:\n      amount: deal_amount\n")
    with tiny(monkeypatch) as (_, _settings):
        monkeypatch.setenv("HUBSPOT_OBJECTS", str(own))
        report = hubspot.run(load_settings(), lake, **NIGHT)
    (reason,) = report.blocked
    assert "deal: the field deal_amount is missing" in reason
    assert lake.read("hubspot", "deal").num_rows == 0
    assert lake.read("hubspot", "company").num_rows > 100


def test_a_word_that_decides_blocks_until_it_is_explained(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    world = pocket.world()
    deals = world.tables["opportunities"]
    world.tables["opportunities"] = deals.assign(opportunity_type="upsell")
    own = tmp_path / "own.yaml"
    own.write_text("objects:\n  deals:\n    words:\n      type: [upsell]\n")
    with tiny(monkeypatch, world) as (_, settings):
        report = hubspot.run(settings, lake, **NIGHT)
        assert "type has a new value 'upsell'" in report.blocked[0]
        monkeypatch.setenv("HUBSPOT_OBJECTS", str(own))
        again = hubspot.run(load_settings(), lake, **NIGHT)
    assert again.blocked == []
    assert again.tables["deal"].rows == 1


def test_a_wrong_configuration_says_what_to_do(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "objects:\n  p_things: {}\n  companies: {columns: {no_such: x, name: phone}}\n"
        "  contacts: {history: [email]}\n  tickets: {history: [hs_pipeline_stage]}\n"
        "  p_plans: {desk: action_plans, columns: {plan_type: plan}}\n"
    )
    with pytest.raises(SettingsError) as caught:
        hubspot_config.load(own)
    text = "\n".join(caught.value.problems)
    for word in ("desk:", "no_such", "phone may not land", "past of email", "keeps no history",
                 "action_plan_id of action_plans must be filled"):  # fmt: skip
        assert word in text


def test_one_crm_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUBSPOT_API_URL", "https://api.hubapi.com")
    with pytest.raises(SettingsError, match="HUBSPOT_ACCESS_TOKEN is not"):
        load_settings()
    monkeypatch.setenv("HUBSPOT_ACCESS_TOKEN", "pat-1")
    assert load_settings().sources == ("hubspot",)
    monkeypatch.setenv("SALESFORCE_LOGIN_URL", "https://x.my.salesforce.com")
    monkeypatch.setenv("SALESFORCE_CLIENT_ID", "id")
    monkeypatch.setenv("SALESFORCE_CLIENT_SECRET", "secret")
    with pytest.raises(SettingsError, match="A company has one CRM"):
        load_settings()


@pytest.mark.usefixtures("few")
def test_backfill_refetch_reset_and_refresh(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    hand = {"run_id": "hand", "progress": silent}
    with tiny(monkeypatch) as (_, settings):
        hubspot.run(settings, lake, **NIGHT)
        report = hubspot.backfill(
            settings, lake, resource="companies", first=date(2025, 1, 1), last=date(2025, 1, 1),
            **hand,
        )  # fmt: skip
        assert report.rows == 0
        assert report.tables["company"].deduplicated == pocket.FILLERS
        report = hubspot.refetch(settings, lake, table="company", keys=[ACME, "None"], **hand)
        assert report.tables["company"].rows == 1
        hubspot.reset(settings, lake, resource="contacts", run_id="hand")
        again = hubspot.run(settings, lake, **NIGHT)
        assert again.tables["contact"].rows == 2
        monkeypatch.setattr(hubspot, "REFRESH", timedelta(seconds=-1))
        full = hubspot.run(settings, lake, **NIGHT)
    assert full.rows == 0
    assert any("contacts was read in full again" in n for n in full.notes)
