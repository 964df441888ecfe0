"""What is gone for good is marked as gone; a mass deletion is not believed."""

from __future__ import annotations

import shutil
from datetime import timedelta
from typing import Any

import pytest

from ingestion import deletions
from ingestion.billing import stripe
from ingestion.cli import main
from ingestion.crm import salesforce
from ingestion.lake import Lake
from ingestion.settings import load_settings
from sample_company.testing import Running
from sample_company.world.build import World
from tests.ingestion.conftest import LOAD, NOW, Loaded, Serve, rows_of

LATER = NOW + timedelta(days=9)


class Hiding:
    """Makes the company's Salesforce forget records, as if erased beyond its recycle bin."""

    def __init__(self, company: Running, monkeypatch: pytest.MonkeyPatch, ids: set[str]) -> None:
        service = company.servers.crm_service
        real = service.handle

        def handle(request: Any) -> Any:
            response = real(request)
            if b'"records"' not in response.body:
                return response
            import json

            body = json.loads(response.body)
            body["records"] = [r for r in body["records"] if r.get("Id") not in ids]
            return type(response)(response.status, json.dumps(body).encode(), response.headers)

        monkeypatch.setattr(service, "handle", handle)


def _state(lake: Lake, table: str) -> dict[str, bool]:
    return dict(rows_of(lake, "salesforce", table, "id, is_deleted"))


def test_records_gone_from_the_recycle_bin_get_tombstones(
    lake: Lake, serve: Serve, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded("salesforce", lake)
    with serve() as (company, settings):
        gone = {i for i, deleted in _state(lake, "campaign").items() if not deleted}
        gone = set(sorted(gone)[:2])
        Hiding(company, monkeypatch, gone)
        soon = salesforce.run(settings, lake, **(LOAD | {"as_of": NOW + timedelta(days=3)}))
        assert soon.tables.get("campaign") is None or soon.tables["campaign"].made == 0
        report = salesforce.run(settings, lake, **(LOAD | {"as_of": LATER}))
        again = salesforce.run(settings, lake, **(LOAD | {"as_of": LATER + timedelta(days=9)}))
    assert report.tables["campaign"].made == report.tables["campaign"].deletes == 2
    assert report.tables["campaign"].is_balanced
    assert again.tables["campaign"].made == 0
    assert {i for i, deleted in _state(lake, "campaign").items() if deleted} >= gone
    stamps = lake.read("salesforce", "campaign", "select * from t where is_deleted")
    at = [r["_version_at"] for r in stamps.to_pylist() if r["id"] in gone]
    assert {a.date() for a in at} == {LATER}
    assert all(r["name"] for r in stamps.to_pylist())  # the last landed version, marked


def test_a_mass_deletion_stops_loudly_and_a_person_may_insist(
    lake: Lake,
    serve: Serve,
    loaded: Loaded,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    loaded("salesforce", lake)
    with serve() as (company, settings):
        live = {i for i, deleted in _state(lake, "account").items() if not deleted}
        gone = set(sorted(live)[: len(live) // 4])
        Hiding(company, monkeypatch, gone)
        report = salesforce.run(settings, lake, **(LOAD | {"as_of": LATER}))
        (reason,) = report.blocked
        assert f"{len(gone)} of {len(live)}" in reason
        assert "reconcile salesforce account --limit 1" in reason
        assert not gone & {i for i, deleted in _state(lake, "account").items() if deleted}
        assert report.tables["contact"].windows > 0  # the others went on
        assert main(["reconcile", "salesforce", "account"]) == 1
        assert main(["reconcile", "salesforce", "account", "--limit", "1"]) == 0
    assert f"{len(gone)} records are marked as deleted" in capsys.readouterr().out
    assert {i for i, deleted in _state(lake, "account").items() if deleted} >= gone


def test_deleted_customers_are_found_by_event_and_by_listing(
    lake: Lake, serve: Serve, world: World, tmp_path: Any
) -> None:
    hand = {"run_id": "hand", "progress": LOAD["progress"], "limit": 0.5}
    planted = world.truth["truth_mess"]
    planted = planted[planted["mess"].eq("hard_delete") & planted["object"].eq("customers")]
    day = planted["planted_at"].max().date()
    with serve(now=day - timedelta(days=3)) as (company, settings):
        stripe.run(settings, lake, **LOAD)
        by_listing = Lake.at(tmp_path / "listing")
        shutil.copytree(lake.root, by_listing.root)
        before = dict(rows_of(lake, "stripe", "customers", "id, deleted"))
        company.set_now(day + timedelta(days=10))
        fed = stripe.run(settings, lake, **LOAD)
        stripe.reconcile(settings, by_listing, resource="customers", as_of=day, **hand)
    assert fed.tables["customers"].deletes > 0
    for found in (lake, by_listing):
        after = dict(rows_of(found, "stripe", "customers", "id, deleted"))
        gone = {i for i, deleted in after.items() if deleted and not before.get(i, True)}
        assert gone >= set(planted[planted["planted_at"].dt.date == day]["record_id"])


@pytest.mark.parametrize(
    ("gone", "live", "limit", "is_refused"),
    [(10, 12, 0.05, False), (11, 1000, 0.05, False), (51, 1000, 0.05, True), (51, 51, 1, False)],
)
def test_how_many_may_go(gone: int, live: int, limit: float, is_refused: bool) -> None:
    assert bool(deletions.refusal("s", "t", gone, live, limit)) is is_refused


def test_the_limit_is_a_setting(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve():
        monkeypatch.setenv("TENURE_DELETION_LIMIT", "0.2")
        assert load_settings().deletion_limit == 0.2
