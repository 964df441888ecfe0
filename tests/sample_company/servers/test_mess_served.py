"""The planted mess through the servers and sheets: shown, hidden and refused as the vendors do."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pandas as pd
import pytest
import stripe
from simple_salesforce.exceptions import SalesforceError

from sample_company.testing import Running, running
from sample_company.world import World
from tests.sample_company.servers.conftest import salesforce_sdk, stripe_sdk
from tests.sample_company.world_core import whole_small_world

GONE = [("opportunities", "Opportunity"), ("contacts", "Contact"), ("activities", "Task"),
        ("cases", "Case")]  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    return whole_small_world(1)


@pytest.fixture(scope="module")
def company(world: World) -> Iterator[Running]:
    with running(world, event_days=0) as served:
        yield served


def listed(world: World, mess: str, thing: str | None = None) -> pd.DataFrame:
    rows = world.truth["truth_mess"]
    rows = rows[rows["mess"] == mess]
    return rows if thing is None else rows[rows["object"] == thing]


def ids(sdk: Any, query: str) -> set[str]:
    return {row["Id"] for row in sdk.query_all(query, include_deleted=True)["records"]}


@pytest.mark.parametrize(("table", "thing"), GONE)
def test_what_is_deleted_for_good_leaves_no_tombstone_but_in_the_log_of_deletions(
    world: World, company: Running, table: str, thing: str
) -> None:
    row = listed(world, "hard_delete", table).iloc[-1]
    at = row["planted_at"]
    sdk = salesforce_sdk(company)
    one = f"SELECT Id FROM {thing} WHERE Id = '{row['record_id']}'"
    try:
        company.set_now((at - timedelta(hours=1)).to_pydatetime())
        assert ids(sdk, one) == {row["record_id"]}
        company.set_now((at + timedelta(hours=1)).to_pydatetime())
        assert ids(sdk, one) == set()
        log = getattr(sdk, thing).deleted(at - timedelta(days=20), at + timedelta(hours=1))
        assert row["record_id"] in {r["id"] for r in log["deletedRecords"]}
        with pytest.raises(SalesforceError, match="INVALID_REPLICATION_DATE"):
            getattr(sdk, thing).deleted(at - timedelta(days=40), at)
    finally:
        company.set_now(world.config.last_day + timedelta(days=1))
    assert ids(sdk, one) == set()


def test_what_belongs_to_a_vanished_record_vanishes_and_lookups_are_cleared(
    world: World, company: Running
) -> None:
    sdk = salesforce_sdk(company)
    people = world.tables["contacts"]
    hidden = set(people.loc[people["is_purged"] | people["is_erased"], "contact_id"])
    deals = set(listed(world, "hard_delete", "opportunities")["record_id"])
    table = world.tables["opportunity_contacts"]
    assert (table["opportunity_id"].isin(deals) | table["contact_id"].isin(hidden)).any()
    for thing, field, gone in (
        ("OpportunityContactRole", "OpportunityId", deals),
        ("OpportunityContactRole", "ContactId", hidden),
        ("OpportunityFieldHistory", "OpportunityId", deals),
        ("ContactHistory", "ContactId", hidden), ("CampaignMember", "ContactId", hidden),
        ("EventRelation", "RelationId", hidden), ("Task", "WhoId", hidden),
        ("Event", "WhoId", hidden), ("Case", "ContactId", hidden),
        ("Contact", "Former_Contact_Id__c", hidden),
    ):  # fmt: skip
        rows = sdk.query_all(f"SELECT Id, {field} FROM {thing}", include_deleted=True)["records"]
        assert rows
        assert not gone & {row[field] for row in rows}, (thing, field)


def test_a_deleted_customer_is_a_stump_and_its_subscriptions_stay(
    world: World, company: Running
) -> None:
    sdk = stripe_sdk(company).v1
    gone = set(listed(world, "hard_delete", "customers")["record_id"])
    shown = {c.id for c in sdk.customers.list({"limit": 100}).auto_paging_iter()}
    assert gone
    assert not gone & shown
    ident = min(gone)
    stump = sdk.customers.retrieve(ident)
    assert stump.deleted
    assert not hasattr(stump, "metadata")
    subs = sdk.subscriptions.list({"customer": ident, "status": "all"}).data
    assert subs
    assert {s.status for s in subs} == {"canceled"}
    known = world.tables["billing_customers"].set_index("billing_customer_id")["account_id"]
    account = known.loc[[ident]].iloc[0]
    crm = salesforce_sdk(company).query(
        f"SELECT Stripe_Customer_Id__c FROM Account WHERE Id = '{account}'"
    )
    assert crm["records"][0]["Stripe_Customer_Id__c"] == ident


def test_keys_are_served_as_they_were_typed(world: World, company: Running) -> None:
    sdk, billing = salesforce_sdk(company), stripe_sdk(company).v1
    wrong = listed(world, "wrong_foreign_key")
    fields = {"accounts": ("Account", "Stripe_Customer_Id__c"),
              "opportunities": ("Opportunity", "Stripe_Subscription_Id__c")}  # fmt: skip
    checked = set()
    for row in wrong[wrong["object"] != "survey_responses"].itertuples():
        checked.add(row.object)
        if row.object == "customers":
            served = billing.customers.retrieve(row.record_id).metadata["account_id"]
        else:
            thing, field = fields[row.object]
            query = f"SELECT {field} FROM {thing} WHERE Id = '{row.record_id}'"
            served = sdk.query(query)["records"][0][field]
        assert served == row.other_id
        if row.object == "opportunities":
            with pytest.raises(stripe.InvalidRequestError):
                billing.subscriptions.retrieve(served)
    assert checked
    orphans = listed(world, "orphan_workspace")
    orphans = orphans[orphans["other_id"].notna()]
    told = {r["Workspace_Id__c"] for r in sdk.query_all("SELECT Workspace_Id__c FROM Account")[
        "records"]}  # fmt: skip
    told |= {c.metadata["workspace_id"]
             for c in billing.customers.list({"limit": 100}).auto_paging_iter()}  # fmt: skip
    assert set(orphans["record_id"]) <= told


def test_finance_says_which_invoice_was_sent_again(world: World, company: Running) -> None:
    sdk = stripe_sdk(company).v1
    rows = listed(world, "duplicate_invoice")
    marked = 0
    for row in rows.itertuples():
        invoice = sdk.invoices.retrieve(row.record_id)
        first = sdk.invoices.retrieve(row.other_id)
        assert (invoice.total, invoice.customer) == (first.total, first.customer)
        assert (invoice.period_start, invoice.period_end) == (first.period_start, first.period_end)
        assert invoice.status in ("void", "uncollectible", "open")
        if invoice.status == "uncollectible":
            assert invoice.metadata["duplicate_of"] == row.other_id
            marked += 1
    assert marked


def test_a_back_dated_cancellation_is_told_when_it_is_entered(
    world: World, company: Running
) -> None:
    row = listed(world, "back_dated_cancellation").iloc[0]
    sdk = stripe_sdk(company).v1
    try:
        company.set_now((row["planted_at"] - timedelta(hours=1)).to_pydatetime())
        assert sdk.subscriptions.retrieve(row["record_id"]).status == "active"
        company.set_now((row["planted_at"] + timedelta(hours=1)).to_pydatetime())
        ended = sdk.subscriptions.retrieve(row["record_id"])
        assert ended.status == "canceled"
        assert ended.ended_at < ended.canceled_at
        feed = sdk.events.list({"type": "customer.subscription.deleted"}).data
        told = next(e for e in feed if e.data.object["id"] == row["record_id"])
        assert told.created == ended.canceled_at
    finally:
        company.set_now(world.config.last_day + timedelta(days=1))


def test_sheets_carry_rows_that_nobody_can_read(world: World, company: Running) -> None:
    broken = listed(world, "broken_row")
    found = 0
    for sheet, key, cells in (
        ("survey_responses", "survey_response_id", {"31.02.2025", "very good", ""}),
        ("success_measurements", "success_measurement_id", {"soon", "see e-mail", ""}),
    ):
        with (company.folder / "desk" / f"{sheet}.csv").open(newline="") as lines:
            rows = {row[key]: row for row in csv.DictReader(lines)}
        about = broken[broken["object"] == sheet]
        assert set(about["record_id"]) <= set(rows)
        for row in about.itertuples():
            assert rows[row.record_id][row.detail] in cells
            found += 1
    assert found > 3


def test_custom_objects_carry_impossible_values(world: World, company: Running) -> None:
    sdk = salesforce_sdk(company)
    query = "SELECT Name, Assessed_On__c, Sign_Today_Share__c FROM Risk_Assessment__c"
    rows = {r["Name"]: r for r in sdk.query_all(query)["records"]}
    for row in listed(world, "future_date", "risk_assessments").itertuples():
        assert rows[row.record_id]["Assessed_On__c"] > "2100"
    for row in listed(world, "broken_row", "risk_assessments").itertuples():
        assert rows[row.record_id]["Sign_Today_Share__c"] > 1
