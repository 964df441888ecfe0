"""Each way in which a source can change its shape, for each kind of source, ends as declared."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingestion import schemas, windows
from ingestion.crm import hubspot
from ingestion.drift import DriftBlocked, Watch, kinds_of, written_kind
from ingestion.lake import Lake
from ingestion.reports import LoadReport
from ingestion.settings import Settings, load_settings
from ingestion.usage import postgres
from sample_company.testing import Running, running
from sample_company.world.build import World
from tests.environment import in_environment
from tests.ingestion.conftest import LOAD, NOW, RUNS, Loaded, Serve, served
from tests.ingestion.product_database import Place
from tests.sample_company.servers import pocket

if TYPE_CHECKING:
    from sample_company.servers.postgres import PostgresServer

LATER = NOW + timedelta(days=20)
#: When the company that is known by heart has its first deal, and no contacts yet.
FIRST_RECORDS = date(2024, 1, 20)


@dataclass(frozen=True)
class Case:
    """A change, and what is declared to happen."""

    service: str
    object: str
    kind: str
    field: str
    to: str
    table: str
    told: tuple[str, str, str]
    blocks: bool

    @property
    def name(self) -> str:
        return f"{self.service}-{self.kind}-{'blocks' if self.blocks else 'passes'}"


def _passes(service: str, object_: str, kind: str, field: str, to: str, table: str,
            *told: str) -> Case:  # fmt: skip
    return Case(service, object_, kind, field, to, table, (told[0], told[1], told[2]), False)


def _blocks(service: str, object_: str, kind: str, field: str, to: str, table: str,
            *told: str) -> Case:  # fmt: skip
    return Case(service, object_, kind, field, to, table, (told[0], told[1], told[2]), True)


CASES = (
    # Stripe
    _passes("stripe", "invoices", "new_column", "loyalty_tier", "", "invoices",
            "new_column", "loyalty_tier", "text"),
    _passes("stripe", "charges", "nested_field", "routing", "", "charges",
            "nested_field", "routing", "object"),
    _passes("stripe", "invoices", "nested_field", "billing_reason", "", "invoices",
            "nested_field", "billing_reason", "text -> object"),
    _passes("stripe", "subscriptions", "new_value", "collection_method", "barter",
            "subscriptions", "new_value", "collection_method", "barter"),
    _blocks("stripe", "subscriptions", "new_value", "status", "frozen", "subscriptions",
            "new_value", "status", "frozen"),
    _blocks("stripe", "invoices", "renamed_column", "status", "state", "invoices",
            "renamed_column", "status", "state"),
    _blocks("stripe", "invoices", "missing_column", "total", "", "invoices",
            "missing_column", "total", ""),
    _passes("stripe", "invoices", "type_change", "amount_paid", "text", "invoices",
            "type_change", "amount_paid", "number -> text"),
    _blocks("stripe", "invoices", "type_change", "amount_paid", "unreadable", "invoices",
            "type_change", "amount_paid", "number -> text"),
    # Salesforce
    _passes("salesforce", "Account", "new_column", "Loyalty_Tier__c", "", "account",
            "new_column", "Loyalty_Tier__c", "text"),
    _passes("salesforce", "Contact", "nested_field", "Place__c", "", "contact",
            "nested_field", "Place__c", "object"),
    _passes("salesforce", "Opportunity", "nested_field", "LeadSource", "", "opportunity",
            "nested_field", "LeadSource", "text -> object"),
    _passes("salesforce", "Task", "new_value", "Type", "Carrier pigeon", "task",
            "new_value", "type", "Carrier pigeon"),
    _blocks("salesforce", "Opportunity", "new_value", "StageName", "Limbo", "opportunity",
            "new_value", "stage_name", "Limbo"),
    _blocks("salesforce", "Opportunity", "renamed_column", "Amount", "Amount_New__c",
            "opportunity", "renamed_column", "Amount", "Amount_New__c"),
    _passes("salesforce", "Account", "renamed_column", "Region__c", "Sales_Region__c",
            "account", "renamed_column", "Region__c", "Sales_Region__c"),
    _blocks("salesforce", "Contact", "missing_column", "AccountId", "", "contact",
            "missing_column", "AccountId", ""),
    _passes("salesforce", "Opportunity", "type_change", "Amount", "text", "opportunity",
            "type_change", "Amount", "number -> text"),
    _blocks("salesforce", "Case", "type_change", "ClosedDate", "unreadable", "case",
            "type_change", "ClosedDate", "instant -> text"),
    # The desk's sheets
    _passes("desk", "survey_responses", "new_column", "mood", "", "survey_responses",
            "new_column", "mood", ""),
    _passes("desk", "survey_responses", "nested_field", "respondent_level", "",
            "survey_responses", "new_value", "respondent_level",
            '{"source": "import", "value": "director_plus"}'),
    _passes("desk", "survey_responses", "new_value", "respondent_level", "board",
            "survey_responses", "new_value", "respondent_level", "board"),
    _blocks("desk", "survey_responses", "renamed_column", "responded_on", "answered_on",
            "survey_responses", "renamed_column", "responded_on", "answered_on"),
    _blocks("desk", "entitlements", "missing_column", "feature_id", "",
            "entitlements", "missing_column", "feature_id", ""),
    _passes("desk", "survey_responses", "type_change", "responded_on", "instant",
            "survey_responses", "type_change", "responded_on", "date -> instant"),
    _blocks("desk", "success_measurements", "type_change", "value", "unreadable",
            "success_measurements", "type_change", "value", "number -> text"),
    # Event files
    _passes("usage", "events", "new_column", "region", "", "events",
            "new_column", "region", "text"),
    _passes("usage", "events", "nested_field", "properties.device", "", "events",
            "nested_field", "properties.device", "object"),
    _passes("usage", "events", "new_value", "event", "teleported", "events", "", "", ""),
    _blocks("usage", "events", "renamed_column", "message_id", "message_key", "events",
            "renamed_column", "message_id", "message_key"),
    _blocks("usage", "events", "missing_column", "event_at", "", "events",
            "missing_column", "event_at", ""),
    _passes("usage", "events", "type_change", "event_at", "text", "events", "", "", ""),
    _blocks("usage", "events", "type_change", "event_at", "unreadable", "events",
            "type_change", "event_at", "instant -> text"),
    # HubSpot
    _passes("hubspot", "companies", "new_column", "loyalty_tier", "", "company",
            "new_column", "loyalty_tier", "text"),
    _passes("hubspot", "companies", "nested_field", "place", "", "company",
            "nested_field", "place", "object"),
    _passes("hubspot", "companies", "nested_field", "country", "", "company",
            "nested_field", "country", "text -> object"),
    _passes("hubspot", "companies", "new_value", "segment", "Kiosk", "company",
            "new_value", "segment", "Kiosk"),
    _passes("hubspot", "companies", "renamed_column", "region", "sales_region", "company",
            "renamed_column", "region", "sales_region"),
    _passes("hubspot", "companies", "type_change", "numberofemployees", "text", "company",
            "type_change", "numberofemployees", "number -> text"),
    _blocks("hubspot", "deals", "new_value", "dealtype", "upsell", "deal",
            "new_value", "type", "upsell"),
    _blocks("hubspot", "contacts", "renamed_column", "associatedcompanyid", "employer_id",
            "contact", "renamed_column", "associatedcompanyid", "employer_id"),
    _blocks("hubspot", "calls", "missing_column", "hs_timestamp", "", "call",
            "missing_column", "hs_timestamp", ""),
    _blocks("hubspot", "meetings", "type_change", "hs_timestamp", "unreadable", "meeting",
            "type_change", "hs_timestamp", "instant -> text"),
    # The product's database
    _passes("postgres", "usage_events", "new_column", "region", "", "events",
            "new_column", "region", "text"),
    _passes("postgres", "usage_events", "nested_field", "device", "", "events",
            "nested_field", "device", "object"),
    _passes("postgres", "usage_events", "nested_field", "properties.device", "", "events",
            "nested_field", "properties.device", "object"),
    _passes("postgres", "usage_events", "nested_field", "user_id", "", "events",
            "nested_field", "user_id", "text -> object"),
    _passes("postgres", "usage_events", "new_value", "event_name", "teleported", "events",
            "", "", ""),
    _passes("postgres", "usage_events", "type_change", "occurred_at", "text", "events",
            "type_change", "occurred_at", "instant -> text"),
    _blocks("postgres", "usage_events", "renamed_column", "event_id", "event_key", "events",
            "renamed_column", "event_id", "event_key"),
    _blocks("postgres", "usage_events", "missing_column", "workspace_id", "", "events",
            "missing_column", "workspace_id", ""),
    _blocks("postgres", "usage_events", "type_change", "occurred_at", "unreadable", "events",
            "type_change", "occurred_at", "instant -> text"),
)  # fmt: skip

#: What a change of the product's database is in SQL, by field and new form; and what rows written
#: after it hold.
_ALTERED: dict[tuple[str, str, str], tuple[str, dict[str, str]]] = {
    ("new_column", "region", ""): ("add region text", {}),
    ("nested_field", "device", ""): ("add device jsonb", {}),
    ("nested_field", "properties.device", ""): (
        "", {"properties": """'{"feature": "export", "device": {"os": "x"}}'::jsonb"""},
    ),
    ("nested_field", "user_id", ""): (
        "alter user_id type jsonb using to_jsonb(user_id)",
        {"user_id": "jsonb_build_object('value', 'u' || i % 7)"},
    ),
    ("new_value", "event_name", "teleported"): ("", {"event_name": "'teleported'"}),
    ("type_change", "occurred_at", "text"): ("alter occurred_at type text", {}),
    ("renamed_column", "event_id", "event_key"): ("rename event_id to event_key", {}),
    ("missing_column", "workspace_id", ""): ("drop workspace_id", {}),
    ("type_change", "occurred_at", "unreadable"): (
        "alter occurred_at type text using 'about ' || occurred_at",
        {"occurred_at": "'about noon'"},
    ),
}  # fmt: skip
_OBJECTS_LEFT_OUT = ("tickets", "emails", "notes", "tasks", "users", "campaigns",
                     "p_campaign_members", "p_risk_assessments", "p_action_plans")  # fmt: skip


def _together(cases: Iterable[Case]) -> list[tuple[Case, ...]]:
    """Cases that one load can show: fields that pass, and tables that do not need each other."""
    groups: list[list[Case]] = []
    for case in cases:
        group = next((g for g in groups if all(_fit(case, other) for other in g)), None)
        if group is None:
            groups.append([case])
        else:
            group.append(case)
    return [tuple(group) for group in groups]


def _fit(case: Case, other: Case) -> bool:
    if case.service != other.service:
        return False
    is_alone = case.blocks or other.blocks
    if case.table != other.table:
        # What Stripe tells of one object sends for others: where one is blocked, they wait.
        return case.service != "stripe" or not is_alone
    return not is_alone and case.field != other.field


GROUPS = _together(CASES)


@dataclass(frozen=True)
class Outcome:
    """A first load as ever, a load after a change, the same once more, and what the lake tells."""

    first: LoadReport
    report: LoadReport
    again: LoadReport
    kept: list[dict[str, Any]]
    windows_before: int
    windows_after: int


@dataclass(frozen=True)
class Source:
    """A source that has been loaded once.

    Attributes:
        first: that load.
        change: makes the changes of cases, and lets time go on to `LATER`.
        load: loads it as of `LATER`.
    """

    first: LoadReport
    change: Callable[[Sequence[Case]], None]
    load: Callable[[], LoadReport]


@pytest.fixture(scope="module")
def outcomes(
    world: World,
    loaded: Loaded,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Callable[[Case], Outcome]:
    """What came of a case, each group of cases loaded once."""
    done: dict[int, Outcome] = {}

    def source(service: str, home: Path, lake: Lake) -> AbstractContextManager[Source]:
        if service == "hubspot":
            return _hubspot(home, lake)
        if service == "postgres":
            return _postgres(request.getfixturevalue("server"), home, lake)
        return _vendor(world, service, loaded, home, lake)

    def of(case: Case) -> Outcome:
        number = next(n for n, group in enumerate(GROUPS) if case in group)
        if number not in done:
            home = tmp_path_factory.mktemp("changed")
            lake = Lake.at(home)
            with source(case.service, home, lake) as found:
                done[number] = _changed(found, GROUPS[number], lake)
        return done[number]

    return of


def _changed(source: Source, cases: Sequence[Case], lake: Lake) -> Outcome:
    folder = _FOLDERS.get(cases[0].service, cases[0].service)
    before = _windows(lake, folder)
    source.change(cases)
    report, again = source.load(), source.load()
    landed = lake.read(folder, "_schema_changes")
    kept = landed.to_pylist() if landed.num_rows else []
    return Outcome(source.first, report, again, kept, before, _windows(lake, folder))


_FOLDERS = {"postgres": "usage"}


def _windows(lake: Lake, folder: str) -> int:
    return sum(not w.resource.startswith("ids") for w in windows.finished(lake, folder))


def _run(service: str, settings: Settings, lake: Lake, on: date) -> LoadReport:
    return RUNS[service](settings, lake, **(LOAD | {"as_of": on}))


def _turn(company: Running, now: date, cases: Sequence[Case]) -> None:
    for case in cases:
        company.drift.add(
            case.kind, service=case.service, object=case.object, field=case.field, to=case.to
        )
    company.set_now(now)


@contextmanager
def _vendor(world: World, service: str, loaded: Loaded, home: Path, lake: Lake) -> Iterator[Source]:
    """A vendor of the small company, or its files."""
    first = loaded(service, lake)
    with served(world, home, 3 if service == "usage" else 0) as (company, settings):
        yield Source(
            first, partial(_turn, company, LATER), lambda: _run(service, settings, lake, LATER)
        )


@contextmanager
def _hubspot(home: Path, lake: Lake) -> Iterator[Source]:
    """HubSpot of a company of a few records, most of which come after the first load."""
    few = home / "few.yaml"
    few.write_text("objects:\n" + "".join(f"  {name}: null\n" for name in _OBJECTS_LEFT_OUT))
    world = pocket.world()
    accounts = world.tables["accounts"]
    world.tables["accounts"] = accounts[~accounts["name"].str.startswith("Filler")]
    with running(world, now=FIRST_RECORDS, event_days=0, crm="hubspot") as company:
        names = ("HUBSPOT_ACCESS_TOKEN", "HUBSPOT_API_URL")
        given = {"TENURE_HOME": str(home), "HUBSPOT_OBJECTS": str(few)}
        with in_environment(given | {name: company[name] for name in names}):
            settings = load_settings()

        def load(on: date = LATER) -> LoadReport:
            return hubspot.run(settings, lake, **(LOAD | {"as_of": on}))

        yield Source(load(FIRST_RECORDS), partial(_turn, company, pocket.NOW.date()), load)


@contextmanager
def _postgres(server: PostgresServer, home: Path, lake: Lake) -> Iterator[Source]:
    """A table of a few events in a database of its own."""
    place = Place.made(server, f"drift_{home.name}", home)
    place.add(1, 20)

    def change(cases: Sequence[Case]) -> None:
        cells: dict[str, str] = {}
        for case in cases:
            altered, values = _ALTERED[case.kind, case.field, case.to]
            if altered:
                place.run(f"alter table {case.object} {altered}")
            cells |= values
        gone = {c.field for c in cases if c.kind in ("missing_column", "renamed_column")}
        place.add(21, 40, without=gone, **cells)

    def load(on: date = LATER) -> LoadReport:
        return postgres.run(place.settings(), lake, **(LOAD | {"as_of": on}))

    yield Source(load(NOW), change, load)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name + "-" + c.field)
def test_a_change_ends_as_declared(case: Case, outcomes: Callable[[Case], Outcome]) -> None:
    outcome = outcomes(case)
    first, report = outcome.first, outcome.report
    assert (first.changes, first.blocked) == ([], [])
    told = [(c.kind, c.field, c.detail) for c in report.changes_of(case.table)]
    kept = [c for c in outcome.kept if c["table_name"] == case.table]
    reasons = [r for r in report.blocked if re.search(rf"\b{case.table}: ", r)]
    if case.told[0]:
        assert case.told in told
    assert {(c["kind"], c["field"], c["detail"]) for c in kept} >= set(told)
    assert {c["seen_on"] for c in kept} <= {LATER}
    rows = report.tables.get(case.table)
    if case.blocks:
        (reason,) = reasons
        assert case.told[1] in reason
        assert case.told[2] in reason or case.kind == "type_change"
        assert any(c["outcome"] == "blocked" and c["remedy"] for c in kept)
        assert outcome.again.blocked == report.blocked  # it blocks until somebody decides
        assert rows is None or rows.rows == 0
    else:
        assert reasons == []
        assert all(c["outcome"] == "passed" for c in kept)
        assert outcome.again.changes_of(case.table) == []  # told once
        assert rows is not None
        assert rows.rows > 0
        assert rows.rejects <= first.tables[case.table].rejects + 5
    assert all(t.is_balanced for t in report.tables.values())
    assert outcome.windows_after >= outcome.windows_before


def test_what_is_blocked_lands_when_it_is_as_before(
    lake: Lake, serve: Serve, loaded: Loaded, tmp_path: Any
) -> None:
    loaded("stripe", lake)
    with serve() as (company, settings):
        company.drift.add(
            "new_value", service="stripe", object="subscriptions", field="status", to="frozen"
        )
        company.set_now(LATER)
        assert _run("stripe", settings, lake, LATER).blocked
        company.drift.clear()
        report = _run("stripe", settings, lake, LATER)
        calm = Lake.at(tmp_path / "calm")
        _run("stripe", settings, calm, LATER)
    assert report.blocked == []
    assert report.tables["subscriptions"].rows > 0
    newest = "select id, arg_max(status, _version_at) as status from t group by 1 order by 1"
    for table in ("subscriptions", "invoices"):
        assert lake.read("stripe", table, newest).equals(calm.read("stripe", table, newest))


def test_a_person_s_word_lets_a_new_stage_in(
    lake: Lake,
    serve: Serve,
    loaded: Loaded,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> None:
    loaded("salesforce", lake)
    own = tmp_path / "own.yaml"
    own.write_text("objects:\n  Opportunity:\n    words:\n      stage_name: [Limbo]\n")
    with serve() as (company, settings):
        company.drift.add(
            "new_value", service="salesforce", object="Opportunity", field="StageName", to="Limbo"
        )
        company.set_now(LATER)
        assert _run("salesforce", settings, lake, LATER).blocked
        monkeypatch.setenv("SALESFORCE_OBJECTS", str(own))
        report = _run("salesforce", load_settings(), lake, LATER)
    assert report.blocked == []
    assert "Limbo" in lake.read("salesforce", "opportunity")["stage_name"].to_pylist()


def test_the_whole_first_load_is_the_base_line(lake: Lake) -> None:
    table = schemas.table("desk", "competitors")
    watch = Watch(lake, "desk")
    sources = {"competitor_id": ("competitor_id",), "competitor_name": ("competitor_name",)}
    watch.records(table, [{"competitor_id": "a", "competitor_name": "A"}], sources)
    watch.records(table, [{"competitor_id": 1, "competitor_name": "A", "more": [1]}], sources)
    assert watch.changes == []
    with pytest.raises(DriftBlocked, match="competitor_name"):
        watch.records(table, [{"competitor_id": "a"}], sources)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("12.5", "number"), ("yes", "boolean"), ("2026-01-31", "date"), ("a1", "text"),
     ("2026-01-31T00:00:00Z", "instant")],
)  # fmt: skip
def test_kinds_of_written_values(text: str, kind: str) -> None:
    assert written_kind(text) == kind


def test_kinds_of_values() -> None:
    kinds = kinds_of([{"a": 1, "b": None}, {"a": 1.5, "b": {"c": 1}, "d": [1]}])
    assert kinds == {
        "a": frozenset({"number"}), "b": frozenset({"object"}), "d": frozenset({"list"}),
    }  # fmt: skip
