"""The whole small world through the servers: nothing is lost, invented or shown too early."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd
import pytest

from sample_company.servers.salesforce_objects import Catalogue
from sample_company.servers.stripe_objects import EVENT_DAYS
from sample_company.testing import Running, running
from sample_company.world import World
from tests.sample_company.servers.conftest import salesforce_sdk, stripe_sdk
from tests.sample_company.world_core import whole_small_world


@pytest.fixture(scope="module")
def world() -> World:
    return whole_small_world(1)


@pytest.fixture(scope="module")
def company(world: World) -> Iterator[Running]:
    with running(world, now=world.config.last_day, event_days=14) as served:
        yield served


def shown(frame: pd.DataFrame, key: str, company: Running) -> pd.DataFrame:
    at = "version_at" if "version_at" in frame.columns else "known_at"
    known = frame[frame[at] <= pd.Timestamp(company.now)]
    return known.sort_values(at, kind="stable").drop_duplicates(key, keep="last")


def in_bin_or_alive(frame: pd.DataFrame, key: str, company: Running) -> pd.DataFrame:
    """What `queryAll` can show: neither erased nor deleted for good."""
    known = shown(frame, key, company)
    for flag in ("is_purged", "is_erased"):
        if flag in known.columns:
            known = known[~known[flag].astype(bool)]
    return known


@pytest.mark.parametrize(
    ("resource", "table", "key", "params"),
    [
        ("subscriptions", "subscription_versions", "subscription_id", {"status": "all"}),
        ("invoices", "invoices", "invoice_id", {}),
        ("charges", "charges", "charge_id", {}),
        ("credit_notes", "credit_notes", "credit_note_id", {}),
        ("prices", "prices", "price_id", {}),
        ("coupons", "coupons", "coupon_id", {}),
    ],
)
def test_stripe_lists_what_is_known(
    world: World, company: Running, resource: str, table: str, key: str, params: dict[str, str]
) -> None:
    service = getattr(stripe_sdk(company).v1, resource)
    listed = {x.id for x in service.list({"limit": 100, **params}).auto_paging_iter()}
    known = shown(world.tables[table], key, company)
    if "is_deleted" in known.columns:
        known = known[~known["is_deleted"]]
    assert listed == set(known[key])
    assert listed or known.empty


def test_every_line_of_every_invoice_is_served_once(world: World, company: Running) -> None:
    served: list[str] = []
    for invoice in stripe_sdk(company).v1.invoices.list({"limit": 100}).auto_paging_iter():
        served += [line.id for line in invoice.lines.auto_paging_iter()]
    known = shown(world.tables["invoice_lines"], "invoice_line_id", company)
    alive = shown(world.tables["invoices"], "invoice_id", company)
    alive = alive[~alive["is_deleted"]]
    expected = known.loc[known["invoice_id"].isin(alive["invoice_id"]), "invoice_line_id"]
    assert sorted(served) == sorted(expected)


def test_every_recent_change_of_a_subscription_is_in_the_feed(
    world: World, company: Running
) -> None:
    events = stripe_sdk(company).v1.events.list({"type": "customer.subscription.*", "limit": 100})
    told = {(e.data.object["id"], e.created) for e in events.auto_paging_iter()}
    since = pd.Timestamp(company.now) - timedelta(days=EVENT_DAYS)
    versions = world.tables["subscription_versions"]
    recent = versions[(versions["version_at"] > since)
                      & (versions["version_at"] <= pd.Timestamp(company.now))]  # fmt: skip
    changed = set(zip(recent["subscription_id"],
                      recent["version_at"].astype("int64") // 1_000_000, strict=True))  # fmt: skip
    assert changed
    assert changed <= told


def test_every_object_counts_what_is_known(world: World, company: Running) -> None:
    sdk = salesforce_sdk(company)
    tables = {
        "Account": ("accounts", "account_id"), "Opportunity": ("opportunities", "opportunity_id"),
        "Case": ("cases", "case_id"), "Campaign": ("campaigns", "campaign_id"),
        "User": ("employees", "employee_id"),
        "Risk_Assessment__c": ("risk_assessments", "risk_assessment_id"),
        "Action_Plan__c": ("action_plans", "action_plan_id"),
    }  # fmt: skip
    for thing, (table, key) in tables.items():
        counted = sdk.query(f"SELECT COUNT() FROM {thing}", include_deleted=True)["totalSize"]
        assert counted == len(in_bin_or_alive(world.tables[table], key, company)) > 0, thing
    activities = in_bin_or_alive(world.tables["activities"], "activity_id", company)
    for thing, kind in (("Task", "task"), ("Event", "event")):
        counted = sdk.query(f"SELECT COUNT() FROM {thing}", include_deleted=True)["totalSize"]
        assert counted == (activities["crm_object"] == kind).sum() > 0
    people = in_bin_or_alive(world.tables["contacts"], "contact_id", company)
    counted = sdk.query("SELECT COUNT() FROM Contact", include_deleted=True)["totalSize"]
    assert counted == len(people) < world.tables["contacts"]["contact_id"].nunique()
    members = shown(world.tables["campaign_members"], "campaign_member_id", company)
    counted = sdk.query("SELECT COUNT() FROM CampaignMember", include_deleted=True)["totalSize"]
    # An invitation goes with the person invited.
    assert counted == members["contact_id"].isin(people["contact_id"]).sum() < len(members)


def test_nothing_of_the_truth_or_the_latent_state_is_served(world: World) -> None:
    hidden = {"latent", "spells", "program_assignments", "trigger_exposures"} & set(world.tables)
    planted = {c for name in hidden for c in world.tables[name].columns} | {
        c for frame in world.truth.values() for c in frame.columns}  # fmt: skip
    ordinary = {c for name, f in world.tables.items() if name not in hidden for c in f.columns}
    columns = {item.column for thing in Catalogue.of(world.tables).objects for item in thing.fields}
    assert columns & (planted - ordinary) == set()


def test_files_and_settings(world: World, company: Running) -> None:
    names = {p.name for p in (company.folder / "desk").iterdir()}
    assert {"success_measures.csv", "survey_responses.csv", "fx_rates.csv"} <= names
    # Assessments and plans are custom objects of the CRM; twice would count them double.
    assert not {"risk_assessments.csv", "action_plans.csv"} & names
    manifest = (company.folder / "events" / "manifest.jsonl").read_text().splitlines()
    assert len(manifest) == 14
    assert set(company) == {
        "STRIPE_API_KEY", "STRIPE_API_BASE", "SALESFORCE_LOGIN_URL", "SALESFORCE_CLIENT_ID",
        "SALESFORCE_CLIENT_SECRET", "TENURE_EVENTS_PATH", "TENURE_EVENTS_MANIFEST",
        "TENURE_USAGE_MONTHLY_PATH", "TENURE_DESK_PATH",
    }  # fmt: skip
    company.set_now(world.config.last_day + timedelta(days=1))
    assert len((company.folder / "events" / "manifest.jsonl").read_text().splitlines()) == 15
