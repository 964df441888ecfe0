"""The Salesforce server against simple-salesforce, and on the wire where it hides things."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceResourceNotFound,
)

from sample_company.servers.salesforce import SalesforceSettings
from sample_company.testing import Running
from tests.sample_company.servers import pocket
from tests.sample_company.servers.conftest import Rest, salesforce_sdk

Serve = Callable[..., AbstractContextManager[Running]]


@pytest.fixture
def sdk(company: Running) -> Salesforce:
    return salesforce_sdk(company)


def ids(answer: dict[str, Any]) -> list[str]:
    return [record["Id"] for record in answer["records"]]


def test_deleted_rows_are_in_query_all_only(sdk: Salesforce) -> None:
    text = "SELECT Id, IsDeleted, MasterRecordId FROM Account WHERE Name LIKE 'acme%'"
    assert ids(sdk.query(text)) == [pocket.ACME]
    found = sdk.query(text, include_deleted=True)["records"]
    loser = next(r for r in found if r["Id"] == pocket.LOSER)
    assert (loser["IsDeleted"], loser["MasterRecordId"]) == (True, pocket.ACME)


def test_pages_follow_the_batch_size_and_end(sdk: Salesforce, rest: Rest) -> None:
    token = rest.token()
    first = rest.salesforce(
        "/services/data/v62.0/query", token, "SELECT Id FROM Account ORDER BY CreatedDate, Id",
        **{"Sforce-Query-Options": "batchSize=200"},
    ).json()  # fmt: skip
    assert (len(first["records"]), first["done"]) == (200, False)
    assert first["totalSize"] == pocket.FILLERS + 2
    second = rest.salesforce(first["nextRecordsUrl"], token).json()
    third = rest.salesforce(second["nextRecordsUrl"], token).json()
    assert third["done"]
    assert "nextRecordsUrl" not in third
    everything = [*ids(first), *ids(second), *ids(third)]
    assert len(set(everything)) == len(everything) == pocket.FILLERS + 2
    assert everything == [r["Id"] for r in sdk.query_all_iter(
        "SELECT Id FROM Account ORDER BY CreatedDate, Id")]  # fmt: skip


def test_a_query_keeps_its_rows_when_the_clock_moves_between_pages(
    company: Running, rest: Rest
) -> None:
    token = rest.token()
    query = "SELECT Id, OwnerId FROM Account WHERE Is_Test__c = false ORDER BY Id DESC"
    company.set_now(pocket.at("2026-06-01T00:00:00"))
    options = {"Sforce-Query-Options": "batchSize=200"}
    page = rest.salesforce("/services/data/v62.0/query", token, query, **options).json()
    company.set_now(pocket.NOW)
    owners = {r["Id"]: r["OwnerId"] for r in page["records"]}
    while not page["done"]:
        page = rest.salesforce(page["nextRecordsUrl"], token).json()
        owners |= {r["Id"]: r["OwnerId"] for r in page["records"]}
    assert owners[pocket.ACME] == pocket.ANNA
    assert pocket.LOSER in owners


def test_instants_have_salesforces_form_and_whole_seconds(sdk: Salesforce) -> None:
    record = sdk.query(
        f"SELECT Id, CreatedDate, SystemModstamp FROM Account WHERE Id = '{pocket.ACME}'"
    )["records"][0]
    assert record["CreatedDate"] == "2024-01-05T09:00:00.000+0000"
    assert record["SystemModstamp"] == "2026-06-02T08:30:00.000+0000"
    assert record["attributes"]["type"] == "Account"
    assert record["attributes"]["url"].endswith(f"/sobjects/Account/{pocket.ACME}")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("SystemModstamp >= 2026-06-02T08:30:00Z", [pocket.ACME]),
        ("SystemModstamp > 2026-06-02T08:30:00Z", []),
        ("SystemModstamp >= 2026-06-02T10:30:00+02:00", [pocket.ACME]),
        ("Name = 'ACME'", [pocket.ACME]),
        ("Name = 'Boreal\\'s Best'", [pocket.BOREAL]),
        (f"Id = '{pocket.ACME[:15]}'", [pocket.ACME]),
        (f"Id IN ('{pocket.ACME}', '{pocket.BOREAL}')", [pocket.ACME, pocket.BOREAL]),
        ("Workspace_Id__c != null", [pocket.ACME]),
        ("(Name = 'Acme' OR Name LIKE 'Bor%') AND NumberOfEmployees > 100", [pocket.BOREAL]),
        ("NOT (Name LIKE 'Filler%') AND Segment__c = 'SMB'", [pocket.BOREAL]),
        ("Owner.Name = 'Ben Okoro'", [pocket.ACME]),
        ("Segment__c NOT IN ('SMB')", [pocket.ACME]),
        ("SystemModstamp = LAST_N_DAYS:10", [pocket.ACME]),
        ("CreatedDate < LAST_YEAR AND Name != 'Acme'", [pocket.BOREAL]),
    ],
)
def test_conditions(sdk: Salesforce, condition: str, expected: list[str]) -> None:
    assert ids(sdk.query(f"SELECT Id FROM Account WHERE {condition} ORDER BY Name")) == expected


def test_order_limit_offset_and_nulls(sdk: Salesforce) -> None:
    by_size = "SELECT Id, NumberOfEmployees FROM Account WHERE NumberOfEmployees >= 100 ORDER BY "
    largest = sdk.query(by_size + "NumberOfEmployees DESC LIMIT 2 OFFSET 1")["records"]
    assert [r["NumberOfEmployees"] for r in largest] == [448, 447]
    by_workspace = "SELECT Workspace_Id__c FROM Account ORDER BY Workspace_Id__c"
    assert sdk.query(by_workspace + " LIMIT 1")["records"][0]["Workspace_Id__c"] is None
    last = sdk.query(by_workspace + " NULLS LAST LIMIT 1")["records"][0]
    assert last["Workspace_Id__c"] == "ws_acme"


def test_keyset_paging_over_equal_stamps_meets_every_row_once(sdk: Salesforce) -> None:
    seen: list[str] = []
    stamp, last = "2000-01-01T00:00:00Z", "000000000000000AAA"
    while True:
        rows = sdk.query(
            "SELECT Id, CreatedDate FROM Contact WHERE CreatedDate > " + stamp + " OR "
            f"(CreatedDate = {stamp} AND Id > '{last}') ORDER BY CreatedDate, Id LIMIT 1"
        )["records"]
        if not rows:
            break
        seen.append(rows[0]["Id"])
        stamp, last = rows[0]["CreatedDate"].replace("+0000", "Z"), rows[0]["Id"]
    assert sorted(seen) == sorted([pocket.CARA, pocket.DORA])


def test_counts_and_aggregates(sdk: Salesforce) -> None:
    assert sdk.query("SELECT COUNT() FROM Account")["totalSize"] == pocket.FILLERS + 2
    record = sdk.query(
        "SELECT COUNT(Id) n, MAX(SystemModstamp), SUM(NumberOfEmployees) FROM Account"
    )["records"][0]
    assert record["n"] == pocket.FILLERS + 2
    assert record["expr1"] == "2026-06-02T08:30:00.000+0000"
    assert record["expr2"] == sum(range(pocket.FILLERS)) + 120


def test_activities_name_the_person_in_charge_and_everyone_invited(sdk: Salesforce) -> None:
    task = sdk.query("SELECT Id, WhoId, Type, TaskSubtype, AccountId FROM Task")["records"]
    assert [(t["Id"], t["WhoId"], t["Type"]) for t in task] == [(pocket.TALK, pocket.CARA, "Call")]
    event = sdk.query("SELECT Id, WhoId, Type, EndDateTime FROM Event")["records"][0]
    assert (event["WhoId"], event["Type"]) == (pocket.CARA, "QBR")
    assert event["EndDateTime"] == "2026-05-02T09:30:00.000+0000"
    invited = sdk.query(f"SELECT RelationId FROM EventRelation WHERE EventId = '{pocket.VISIT}'")
    assert {r["RelationId"] for r in invited["records"]} == {pocket.CARA, pocket.DORA}


def test_custom_objects_and_multi_select_fields(sdk: Salesforce) -> None:
    record = sdk.query("SELECT Id, Name, Account__c, Sign_Today_Share__c, CreatedDate "
                       "FROM Risk_Assessment__c")["records"][0]  # fmt: skip
    assert (record["Name"], record["Account__c"]) == ("risk_1", pocket.ACME)
    assert (record["Sign_Today_Share__c"], len(record["Id"])) == (0.55, 18)
    champions = sdk.query("SELECT Id FROM Contact WHERE Roles__c INCLUDES ('champion')")
    assert ids(champions) == [pocket.CARA]


def test_histories_tell_lookups_twice_and_have_no_stamp(sdk: Salesforce) -> None:
    changes = sdk.query(
        "SELECT AccountId, Field, DataType, OldValue, NewValue, CreatedDate FROM AccountHistory "
        "WHERE Field != 'created' AND CreatedDate >= 2026-06-01T00:00:00Z ORDER BY Field, DataType"
    )["records"]
    told = [(c["Field"], c["DataType"], c["OldValue"], c["NewValue"]) for c in changes]
    assert told == [
        ("Owner", "EntityId", pocket.ANNA, pocket.BEN),
        ("Owner", "Text", "Anna Berg", "Ben Okoro"),
        ("Segment__c", "Text", "SMB", "mid-market"),
    ]
    with pytest.raises(SalesforceMalformedRequest, match="No such column 'SystemModstamp'"):
        sdk.query("SELECT Id, SystemModstamp FROM AccountHistory")
    stages = sdk.query("SELECT OldValue, NewValue FROM OpportunityFieldHistory "
                       "WHERE Field = 'StageName'")["records"]  # fmt: skip
    assert [(s["OldValue"], s["NewValue"]) for s in stages] == [("Prospecting", "Closed Won")]


def test_an_erased_person_is_nowhere_but_among_the_deleted_ids(
    company: Running, sdk: Salesforce
) -> None:
    query = "SELECT Id FROM Contact"
    company.set_now(pocket.at("2026-06-07T08:00:00"))
    assert pocket.ERASED in ids(sdk.query(query))
    company.set_now(pocket.NOW)
    assert pocket.ERASED not in ids(sdk.query(query, include_deleted=True))
    gone = sdk.Contact.deleted(pocket.NOW - timedelta(days=10), pocket.NOW)
    assert [d["id"] for d in gone["deletedRecords"]] == [pocket.ERASED]


def test_users_cannot_be_deleted_so_they_have_no_such_field(sdk: Salesforce) -> None:
    names = {f["name"] for f in sdk.User.describe()["fields"]}
    assert {"Function__c", "IsActive", "Hired_On__c"} <= names
    assert "IsDeleted" not in names


def test_describe_matches_what_queries_give(sdk: Salesforce) -> None:
    for thing in sdk.describe()["sobjects"]:
        fields = [f["name"] for f in getattr(sdk, thing["name"]).describe()["fields"]]
        answer = sdk.query(f"SELECT {', '.join(fields)} FROM {thing['name']} LIMIT 1")
        for record in answer["records"]:
            assert set(record) == {"attributes", *fields}
    account = {f["name"]: f for f in sdk.Account.describe()["fields"]}
    assert account["OwnerId"]["referenceTo"] == ["User"]
    assert account["Segment__c"]["custom"]
    assert account["Segment__c"]["picklistValues"][0]["value"] == "SMB"


def test_single_records(sdk: Salesforce) -> None:
    assert sdk.Account.get(pocket.ACME)["Name"] == "Acme"
    with pytest.raises(SalesforceResourceNotFound):
        sdk.Account.get(pocket.LOSER)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id FROM Teapot", "INVALID_TYPE"),
        ("SELECT Colour FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Colour = 'red'", "INVALID_FIELD"),
        ("SELECT Id FROM Account ORDER BY Colour", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE SystemModstamp > '2026-01-01T00:00:00Z'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE SystemModstamp > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name > 3", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 'a' AND Name = 'b' OR Name = 'c'", "MALFORMED_QUERY"),
        ("SELECT FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id, Id FROM Account", "MALFORMED_QUERY"),
        ("SELECT * FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        ("SELECT Id, (SELECT Id FROM Contacts) FROM Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)", "MALFORMED_QUERY"),
        ("", "MALFORMED_QUERY"),
    ],
)
def test_wrong_queries_are_named(rest: Rest, query: str, code: str) -> None:
    answer = rest.salesforce("/services/data/v62.0/query", rest.token(), query)
    assert answer.status_code == 400
    assert [set(e) >= {"message", "errorCode"} for e in answer.json()] == [True]
    assert answer.json()[0]["errorCode"] == code


def test_unknown_locators_and_paths(rest: Rest) -> None:
    token = rest.token()
    stale = rest.salesforce("/services/data/v62.0/query/01g000000000999AAA-2000", token)
    assert (stale.status_code, stale.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    for path in ("/services/data/v62.0/sobjects/Teapot/describe", "/services/data/v7.0/query"):
        unknown = rest.salesforce(path, token)
        assert (unknown.status_code, unknown.json()[0]["errorCode"]) == (404, "NOT_FOUND")


def test_wrong_credentials_and_tokens(company: Running, rest: Rest) -> None:
    answer = requests.post(
        company["SALESFORCE_LOGIN_URL"] + "/services/oauth2/token",
        data={"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"},
        timeout=10,
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_id")
    refused = rest.salesforce("/services/data/v62.0/limits", "nonsense")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_tokens_may_be_short_lived(serve: Serve) -> None:
    with serve(salesforce=SalesforceSettings(token_requests=2)) as company:
        sdk = salesforce_sdk(company)
        # The SDK logs in again by itself, so six requests on tokens of two all succeed.
        assert [sdk.query("SELECT COUNT() FROM User")["totalSize"] for _ in range(6)] == [2] * 6
        rest = Rest(company)
        token = rest.token()
        statuses = [
            rest.salesforce("/services/data/v62.0/limits", token).status_code for _ in range(4)
        ]
        assert statuses == [200, 200, 401, 401]


def test_the_quota_is_for_a_day_and_is_told(serve: Serve) -> None:
    with serve(salesforce=SalesforceSettings(daily_requests=3)) as company:
        rest = Rest(company)
        token = rest.token()
        limits = rest.salesforce("/services/data/v62.0/limits", token)
        assert limits.headers["Sforce-Limit-Info"] == "api-usage=1/3"
        assert limits.json()["DailyApiRequests"] == {"Max": 3, "Remaining": 2}
        statuses = [
            rest.salesforce("/services/data/v62.0/limits", token).status_code for _ in range(3)
        ]
        assert statuses == [200, 200, 403]
        refused = rest.salesforce("/services/data/v62.0/limits", token)
        assert refused.json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
        company.set_now(pocket.NOW + timedelta(days=1))
        assert rest.salesforce("/services/data/v62.0/limits", token).status_code == 200


def test_an_expired_session_is_an_error_of_its_own(company: Running) -> None:
    sdk = Salesforce(session_id="gone", instance_url="https://x.my.salesforce.com",
                     session=salesforce_sdk(company).session)  # fmt: skip
    with pytest.raises((SalesforceExpiredSession, RuntimeError)):
        sdk.query("SELECT Id FROM Account")
