"""Each way in which a source can change its shape, for each kind of source, ends as declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from ingestion import schemas, windows
from ingestion.drift import DriftBlocked, Watch, kinds_of, written_kind
from ingestion.lake import Lake
from ingestion.reports import LoadReport
from ingestion.settings import Settings, load_settings
from sample_company.world.build import World
from tests.ingestion.conftest import LOAD, NOW, RUNS, Loaded, Serve, served

LATER = NOW + timedelta(days=20)


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
    _blocks("salesforce", "Opportunity", "missing_column", "IsWon", "", "opportunity",
            "missing_column", "IsWon", ""),
    _passes("salesforce", "Opportunity", "type_change", "Amount", "text", "opportunity",
            "type_change", "Amount", "number -> text"),
    _blocks("salesforce", "Opportunity", "type_change", "Amount", "unreadable", "opportunity",
            "type_change", "Amount", "number -> text"),
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
    _blocks("desk", "survey_responses", "missing_column", "survey_type", "",
            "survey_responses", "missing_column", "survey_type", ""),
    _passes("desk", "survey_responses", "type_change", "responded_on", "instant",
            "survey_responses", "type_change", "responded_on", "date -> instant"),
    _blocks("desk", "survey_responses", "type_change", "score", "unreadable",
            "survey_responses", "type_change", "score", "number -> text"),
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
)  # fmt: skip


def _run(service: str, settings: Settings, lake: Lake, on: date) -> LoadReport:
    return RUNS[service](settings, lake, **(LOAD | {"as_of": on}))


def _together(cases: Iterable[Case]) -> list[tuple[Case, ...]]:
    """Cases that one load can show: those that block alone, the others unless of one field."""
    groups: list[list[Case]] = []
    for case in cases:
        group = next((g for g in groups if all(_fit(case, other) for other in g)), None)
        if group is None:
            groups.append([case])
        else:
            group.append(case)
    return [tuple(group) for group in groups]


def _fit(case: Case, other: Case) -> bool:
    alike = (case.object, case.field) == (other.object, other.field)
    return case.service == other.service and not (case.blocks or other.blocks or alike)


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


@pytest.fixture(scope="module")
def outcomes(
    world: World,
    loaded: Loaded,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Case], Outcome]:
    """What came of a case, each group of cases loaded once."""
    done: dict[int, Outcome] = {}

    def of(case: Case) -> Outcome:
        number = next(n for n, group in enumerate(GROUPS) if case in group)
        if number not in done:
            home = tmp_path_factory.mktemp("changed")
            done[number] = _changed(world, GROUPS[number], loaded, home)
        return done[number]

    return of


def _changed(world: World, cases: Sequence[Case], loaded: Loaded, home: Path) -> Outcome:
    service = cases[0].service
    lake = Lake.at(home)
    first = loaded(service, lake)
    before = _windows(lake, service)
    with served(world, home, 3 if service == "usage" else 0) as (company, settings):
        for case in cases:
            company.drift.add(
                case.kind, service=service, object=case.object, field=case.field, to=case.to
            )
        company.set_now(LATER)
        report = _run(service, settings, lake, LATER)
        again = _run(service, settings, lake, LATER)
    landed = lake.read(service, "_schema_changes")
    kept = landed.to_pylist() if landed.num_rows else []
    return Outcome(first, report, again, kept, before, _windows(lake, service))


def _windows(lake: Lake, service: str) -> int:
    return sum(not w.resource.startswith("ids") for w in windows.finished(lake, service))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name + "-" + c.field)
def test_a_change_ends_as_declared(case: Case, outcomes: Callable[[Case], Outcome]) -> None:
    outcome = outcomes(case)
    first, report = outcome.first, outcome.report
    assert (first.changes, first.blocked) == ([], [])
    told = [(c.kind, c.field, c.detail) for c in report.changes if c.table_name == case.table]
    if case.told[0]:
        assert case.told in told
    assert {(c["kind"], c["field"], c["detail"]) for c in outcome.kept} >= set(told)
    assert {c["seen_on"] for c in outcome.kept} <= {LATER}
    rows = report.tables.get(case.table)
    if case.blocks:
        (reason,) = report.blocked
        assert case.table in reason
        assert case.told[1] in reason
        assert case.told[2] in reason or case.kind == "type_change"
        assert any(c["outcome"] == "blocked" and c["remedy"] for c in outcome.kept)
        assert outcome.again.blocked == report.blocked  # it blocks until somebody decides
        assert rows is None or rows.rows == 0
    else:
        assert report.blocked == []
        assert all(c["outcome"] == "passed" for c in outcome.kept)
        assert outcome.again.changes == []  # told once
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
