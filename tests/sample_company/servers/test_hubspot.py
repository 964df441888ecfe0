"""The HubSpot server against HubSpot's own SDK, and on the wire where the SDK hides things."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import requests
from hubspot import HubSpot
from hubspot.crm.associations import BatchInputPublicObjectId as V3Inputs
from hubspot.crm.associations.v4 import (
    BatchInputPublicFetchAssociationsBatchRequest,
    PublicFetchAssociationsBatchRequest,
)
from hubspot.crm.objects import (
    BatchReadInputSimplePublicObjectId,
    Filter,
    FilterGroup,
    PublicObjectSearchRequest,
    SimplePublicObjectId,
)
from hubspot.crm.objects.exceptions import ApiException

from sample_company.servers.hubspot import HubSpotSettings
from sample_company.servers.hubspot_ids import as_hubspot_customer, record_id, record_ids
from sample_company.servers.hubspot_objects import Portal
from sample_company.servers.versions import as_microseconds
from sample_company.testing import Running, running
from tests.sample_company.servers import pocket
from tests.sample_company.world_core import whole_small_world

Serve = Callable[..., AbstractContextManager[Running]]
ACME, BOREAL, LOSER = (record_id(k) for k in (pocket.ACME, pocket.BOREAL, pocket.LOSER))
ANNA, BEN = record_id(pocket.ANNA), record_id(pocket.BEN)
CARA, DORA, ERASED = (record_id(k) for k in (pocket.CARA, pocket.DORA, pocket.ERASED))
DEAL, TALK, VISIT = (record_id(k) for k in (pocket.DEAL, pocket.TALK, pocket.VISIT))


@pytest.fixture(scope="module")
def _served() -> Iterator[Running]:
    with running(pocket.world(), now=pocket.NOW, event_days=0, crm="hubspot") as served:
        yield served


@pytest.fixture
def portal(_served: Running) -> Iterator[Running]:
    """One company for all tests of this module, as it was before each."""
    yield _served
    _served.set_now(pocket.NOW)
    _served.faults.clear()


def sdk(company: Running) -> Any:
    client = HubSpot(access_token=company["HUBSPOT_ACCESS_TOKEN"])
    client.config["host"] = None
    return _Local(client, company["HUBSPOT_API_URL"])


class _Local:
    """The SDK's own APIs, sent to the loopback interface; it offers no setting for that."""

    def __init__(self, client: HubSpot, url: str) -> None:
        self._client, self._url = client, url

    def api(self, path: str) -> Any:
        found: Any = self._client
        for name in path.split("."):
            found = getattr(found, name)
        found.api_client.configuration.host = self._url
        return found


class Wire:
    """Bare HTTP for what the SDK hides."""

    def __init__(self, company: Running, token: str | None = None) -> None:
        self.url = company["HUBSPOT_API_URL"]
        self.session = requests.Session()
        token = company["HUBSPOT_ACCESS_TOKEN"] if token is None else token
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str, **params: Any) -> requests.Response:
        return self.session.get(self.url + path, params=params, timeout=10)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.session.post(self.url + path, json=body, timeout=10)

    def search(self, name: str, *filters: dict[str, Any], **more: Any) -> requests.Response:
        body = {"filterGroups": [{"filters": list(filters)}] if filters else [], **more}
        return self.post(f"/crm/v3/objects/{name}/search", body)


@pytest.fixture
def wire(portal: Running) -> Wire:
    return Wire(portal)


def search(portal: Running, name: str, *groups: list[tuple[str, str, str]], **more: Any) -> Any:
    request = PublicObjectSearchRequest(
        filter_groups=[
            FilterGroup(filters=[Filter(property_name=p, operator=o, value=v) for p, o, v in group])
            for group in groups
        ],
        **more,
    )
    api = sdk(portal).api("crm.objects.search_api")
    return api.do_search(object_type=name, public_object_search_request=request)


def ids(results: Any) -> list[str]:
    return [r.id for r in results]


# --- ids -----------------------------------------------------------------------------------------


def test_every_id_of_the_world_is_renamed_the_same_way_everywhere() -> None:
    plain = pocket.world()
    world = as_hubspot_customer(plain)
    assert set(world.tables["accounts"]["account_id"]) >= {ACME, BOREAL, LOSER}
    assert world.tables["billing_customers"]["account_id"].tolist()[0] == ACME
    text = json.dumps([f.astype(str).to_dict() for f in world.tables.values()])
    keys = list(plain.tables["accounts"]["account_id"].unique())
    assert not any(key in text for key in keys)
    assert record_ids(plain.tables["accounts"]["account_id"]).nunique() == len(keys)
    assert {len(i) for i in world.tables["accounts"]["account_id"]} > {12}


def test_the_whole_world_is_served_and_nothing_of_the_truth() -> None:
    world = as_hubspot_customer(whole_small_world(1))
    portal = Portal.of(world.tables)
    now = as_microseconds(pocket.at(f"{world.config.last_day}T00:00:00"))
    tables = {
        "companies": ("accounts", "account_id"), "contacts": ("contacts", "contact_id"),
        "deals": ("opportunities", "opportunity_id"), "tickets": ("cases", "case_id"),
        "users": ("employees", "employee_id"),
        "p_campaign_members": ("campaign_members", "campaign_member_id"),
        "p_risk_assessments": ("risk_assessments", "risk_assessment_id"),
    }  # fmt: skip
    used: set[str] = set()
    for thing in portal.objects:
        used |= {p.column for p in thing.properties.values() if p.column}
        if thing.plural in tables:
            table, key = tables[thing.plural]
            frame = world.tables[table]
            at = "version_at" if "version_at" in frame else "known_at"
            known = frame[frame[at] < pocket.pd.Timestamp(now, unit="us", tz="UTC")]
            assert len(portal.view(thing, now).positions) == known[key].nunique() > 0
    engagements = sum(
        len(portal.view(thing, now).positions)
        for thing in portal.objects
        if thing.plural in ("calls", "emails", "meetings", "notes", "tasks")
    )
    touches = world.tables["activities"]
    assert (
        engagements
        == touches[touches["version_at"] < pocket.pd.Timestamp(now, unit="us", tz="UTC")][
            "activity_id"
        ].nunique()
    )
    hidden = {"latent", "spells", "program_assignments", "trigger_exposures"} & set(world.tables)
    planted = {c for name in hidden for c in world.tables[name].columns} | {
        c for frame in world.truth.values() for c in frame.columns
    }
    ordinary = {c for name, f in world.tables.items() if name not in hidden for c in f.columns}
    assert used & (planted - ordinary) == set()


# --- listing -------------------------------------------------------------------------------------


def test_the_sdk_pages_through_everything(portal: Running) -> None:
    companies = sdk(portal).api("crm.companies.basic_api")
    found, after = [], None
    while True:
        page = companies.get_page(limit=100, after=after, properties=["name", "is_test"])
        found += page.results
        if page.paging is None:
            break
        after = page.paging.next.after
    assert len(set(ids(found))) == len(found) == pocket.FILLERS + 2
    assert LOSER not in ids(found)
    acme = next(r for r in found if r.id == ACME)
    assert (acme.properties["name"], acme.properties["is_test"]) == ("Acme", "false")
    assert acme.updated_at.isoformat() == "2026-06-05T12:00:00+00:00"


def test_pages_may_be_short_and_not_the_last(wire: Wire) -> None:
    sizes, after = [], None
    while True:
        params = {"limit": 10} | ({"after": after} if after else {})
        page = wire.get("/crm/v3/objects/companies", **params).json()
        sizes.append(len(page["results"]))
        if "paging" not in page:
            break
        after = page["paging"]["next"]["after"]
    assert sum(sizes) == pocket.FILLERS + 2
    assert min(sizes[:-1]) < 10


def test_archived_records_are_listed_apart() -> None:
    world = pocket.world()
    deals = world.tables["opportunities"]
    last = deals.iloc[[-1]].assign(version_at=pocket.at("2026-06-08T10:00:00.25"), is_deleted=True)
    world.tables["opportunities"] = type(deals)(
        {c: [*deals[c], *last[c]] for c in deals.columns}
    ).astype(deals.dtypes)
    with running(world, now=pocket.NOW, event_days=0, crm="hubspot") as company:
        api = sdk(company).api("crm.deals.basic_api")
        assert ids(api.get_page().results) == []
        (gone,) = api.get_page(archived=True).results
        assert (gone.id, gone.archived) == (DEAL, True)
        assert gone.archived_at.isoformat() == "2026-06-08T10:00:00.250000+00:00"
        company.set_now(pocket.at("2026-06-08T10:00:00"))
        assert ids(api.get_page().results) == [DEAL]


def test_a_merged_company_lives_on_in_its_survivor(portal: Running, wire: Wire) -> None:
    record = wire.get(f"/crm/v3/objects/companies/{LOSER}", properties="hs_merged_object_ids")
    assert record.json()["id"] == ACME
    assert record.json()["properties"]["hs_merged_object_ids"] == LOSER
    told = wire.get(
        f"/crm/v3/objects/companies/{ACME}", propertiesWithHistory="hs_merged_object_ids"
    ).json()["propertiesWithHistory"]["hs_merged_object_ids"]
    assert [(t["value"], t["timestamp"]) for t in told] == [(LOSER, "2026-06-05T12:00:00.000Z")]
    assert wire.get("/crm/v3/objects/companies", archived="true").json()["results"] == []
    portal.set_now(pocket.at("2026-06-05T11:00:00"))
    assert wire.get(f"/crm/v3/objects/companies/{LOSER}").json()["id"] == LOSER


def test_an_erased_person_is_nowhere(portal: Running, wire: Wire) -> None:
    assert wire.get(f"/crm/v3/objects/contacts/{ERASED}").status_code == 404
    listed = [r["id"] for r in wire.get("/crm/v3/objects/contacts", limit=100).json()["results"]]
    assert sorted(listed) == sorted([CARA, DORA])
    assert wire.get("/crm/v3/objects/contacts", archived="true").json()["results"] == []
    portal.set_now(pocket.at("2026-06-07T08:00:00"))
    assert wire.get(f"/crm/v3/objects/contacts/{ERASED}").status_code == 200


def test_values_are_text_and_cleared_ones_empty(portal: Running, wire: Wire) -> None:
    deal = wire.get(
        f"/crm/v3/objects/deals/{DEAL}",
        properties="amount,closedate,hs_is_closed_won,contract_term_months,dealstage,teapot",
    ).json()
    assert deal["properties"] == {
        "amount": "1200.5",
        "closedate": "2024-02-01T00:00:00.000Z",
        "contract_term_months": "12",
        "dealstage": "closedwon",
        "hs_is_closed_won": "true",
    }
    default = wire.get(f"/crm/v3/objects/contacts/{CARA}").json()["properties"]
    assert {"lastmodifieddate", "createdate", "email"} <= set(default)
    assert "hs_lastmodifieddate" not in default


# --- batch reads ---------------------------------------------------------------------------------


def test_batches_give_properties_with_their_past(portal: Running) -> None:
    api = sdk(portal).api("crm.objects.batch_api")
    answer = api.read(
        object_type="companies",
        batch_read_input_simple_public_object_id=BatchReadInputSimplePublicObjectId(
            inputs=[SimplePublicObjectId(id=ACME), SimplePublicObjectId(id="12")],
            properties=["name", "segment"],
            properties_with_history=["segment", "hubspot_owner_id"],
        ),
    )
    (acme,) = answer.results
    assert acme.properties["segment"] == "mid-market"
    past = acme.properties_with_history
    assert [h.value for h in past["segment"]] == ["mid-market", "SMB"]
    assert [h.value for h in past["hubspot_owner_id"]] == [BEN, ANNA]
    assert past["segment"][0].timestamp.isoformat() == "2026-06-02T08:30:00.500000+00:00"
    assert (answer.num_errors, answer.errors[0].context["ids"]) == (1, ["12"])


@pytest.mark.parametrize(("history", "most"), [([], 100), (["name"], 50)])
def test_batches_have_a_size(wire: Wire, history: list[str], most: int) -> None:
    path = "/crm/v3/objects/companies/batch/read"
    inputs = [{"id": str(n)} for n in range(most + 1)]
    body = {"properties": ["name"], "propertiesWithHistory": history}
    assert wire.post(path, {**body, "inputs": inputs[:most]}).status_code == 207
    refused = wire.post(path, {**body, "inputs": inputs})
    assert (refused.status_code, refused.json()["category"]) == (400, "VALIDATION_ERROR")


# --- search --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([[("name", "EQ", "Acme")]], [ACME]),
        ([[("name", "EQ", "acme")]], [ACME]),
        ([[("hs_lastmodifieddate", "GTE", "1780655400000")]], [ACME]),
        ([[("hs_lastmodifieddate", "GTE", "2026-06-05T12:00:00Z")]], [ACME]),
        ([[("hs_lastmodifieddate", "GT", "2026-06-05T12:00:00Z")]], []),
        ([[("numberofemployees", "GT", "100"), ("name", "CONTAINS_TOKEN", "bor*")]], [BOREAL]),
        ([[("name", "EQ", "Acme")], [("name", "EQ", "Boreal's Best")]], [ACME, BOREAL]),
        ([[("workspace_id", "HAS_PROPERTY", "")]], [ACME]),
        ([[("segment", "NEQ", "SMB")]], [ACME]),
        ([[("createdate", "LT", "2024-02-01")]], [ACME, BOREAL]),
    ],
)
def test_the_sdk_filters(
    portal: Running, groups: list[list[tuple[str, str, str]]], expected: list[str]
) -> None:
    answer = search(portal, "companies", *groups, sorts=["name"], limit=10)
    assert (ids(answer.results), answer.total) == (expected, len(expected))


def test_values_in_and_between(wire: Wire) -> None:
    some = {"propertyName": "name", "operator": "IN", "values": ["acme", "filler 3"]}
    assert wire.search("companies", some).json()["total"] == 2
    span = {"propertyName": "numberofemployees", "operator": "BETWEEN", "value": "5",
            "highValue": "7"}  # fmt: skip
    assert wire.search("companies", span).json()["total"] == 3


def test_contacts_keep_their_time_of_change_elsewhere(wire: Wire) -> None:
    since = {"operator": "GTE", "value": "0"}
    asked = wire.search("contacts", {"propertyName": "hs_lastmodifieddate", **since}).json()
    assert asked["total"] == 0
    asked = wire.search("contacts", {"propertyName": "lastmodifieddate", **since}).json()
    assert asked["total"] == 2


def test_ids_compare_as_text(wire: Wire) -> None:
    by_id = {"sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}], "limit": 200}
    first = wire.search("companies", **by_id).json()["results"]
    keys = [r["id"] for r in first]
    assert keys == sorted(keys)
    assert keys != sorted(keys, key=int)
    beyond = {"propertyName": "hs_object_id", "operator": "GT", "value": keys[-1]}
    rest = wire.search("companies", beyond, **by_id).json()
    assert rest["total"] == pocket.FILLERS + 2 - 200
    assert rest["results"][0]["id"] > keys[-1]


def test_the_search_lags_behind(serve: Serve) -> None:
    with serve(crm="hubspot", now=pocket.at("2026-06-05T12:00:10"),
               hubspot=HubSpotSettings(search_lag_seconds=60)) as company:  # fmt: skip
        named = {"propertyName": "name", "operator": "EQ", "value": "Acme GmbH"}
        late = Wire(company).search("companies", named).json()
        # The index still has the loser of the merge; told as it is now, it is the survivor.
        assert [r["id"] for r in late["results"]] == [ACME]
        company.set_now(pocket.at("2026-06-05T12:01:00"))
        assert Wire(company).search("companies", named).json()["total"] == 0


def test_paging_stops_where_the_vendor_stops(serve: Serve) -> None:
    with serve(crm="hubspot", hubspot=HubSpotSettings(search_results=400)) as company:
        wire = Wire(company)
        page = wire.search("companies", limit=200, after="200").json()
        assert (page["total"], page["paging"]["next"]["after"]) == (pocket.FILLERS + 2, "400")
        beyond = wire.search("companies", limit=200, after="400")
        assert (beyond.status_code, beyond.json()["category"]) == (400, "VALIDATION_ERROR")
    with pytest.raises(ApiException) as caught, serve(crm="hubspot") as company:
        search(company, "companies", limit=1, after="10000")
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"sorts": ["name", "domain"]},
        {"filterGroups": [{"filters": [{"propertyName": "teapot", "operator": "EQ",
                                        "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "name", "operator": "LIKE",
                                        "value": "x"}]}]},
        {"filterGroups": [{"filters": [{"propertyName": "createdate", "operator": "GTE",
                                        "value": "yesterday"}]}]},
        {"filterGroups": [{"filters": []}] * 6},
        {"properties": ["a_long_name_of_a_property"] * 150},
        {"after": "next"},
    ],
)  # fmt: skip
def test_senseless_searches_are_refused(wire: Wire, body: dict[str, Any]) -> None:
    answer = wire.post("/crm/v3/objects/companies/search", body)
    assert answer.status_code == 400
    assert {"status", "message", "correlationId", "category"} <= set(answer.json())


# --- associations --------------------------------------------------------------------------------


def associated(portal: Running, name: str, other: str, *keys: str) -> dict[str, list[Any]]:
    answer = (
        sdk(portal)
        .api("crm.associations.v4.batch_api")
        .get_page(
            from_object_type=name,
            to_object_type=other,
            batch_input_public_fetch_associations_batch_request=(
                BatchInputPublicFetchAssociationsBatchRequest(
                    inputs=[PublicFetchAssociationsBatchRequest(id=k) for k in keys]
                )
            ),
        )
    )
    return {str(r._from.id): r.to for r in answer.results}


def test_the_sdk_reads_associations_both_ways(portal: Running) -> None:
    people = associated(portal, "companies", "contacts", ACME, BOREAL)
    assert set(people) == {ACME}
    assert sorted(str(p.to_object_id) for p in people[ACME]) == sorted([CARA, DORA])
    (home,) = associated(portal, "contacts", "companies", CARA)[CARA]
    assert str(home.to_object_id) == ACME
    assert [t.label for t in home.association_types] == ["Primary", None]
    met = associated(portal, "meetings", "contacts", VISIT)[VISIT]
    assert sorted(str(m.to_object_id) for m in met) == sorted([CARA, DORA])


def test_associations_are_paged_and_their_absence_is_told(serve: Serve) -> None:
    with serve(crm="hubspot", hubspot=HubSpotSettings(association_page=1)) as company:
        path = "/crm/v4/associations/companies/contacts/batch/read"
        wire = Wire(company)
        first = wire.post(path, {"inputs": [{"id": ACME}, {"id": BOREAL}]})
        assert first.status_code == 207
        (error,) = first.json()["errors"]
        assert error["subCategory"] == "crm.associations.NO_ASSOCIATIONS_FOUND"
        (entry,) = first.json()["results"]
        after = entry["paging"]["next"]["after"]
        second = wire.post(path, {"inputs": [{"id": ACME, "after": after}]}).json()["results"][0]
        assert "paging" not in second
        told = {str(t["toObjectId"]) for e in (entry, second) for t in e["to"]}
        assert told == {CARA, DORA}


def test_v3_associations_are_not_offered(portal: Running) -> None:
    api = sdk(portal).api("crm.associations.batch_api")
    with pytest.raises(Exception, match="404"):
        api.read("companies", "contacts", V3Inputs(inputs=[{"id": ACME}]))


# --- what the portal consists of -----------------------------------------------------------------


def test_properties_pipelines_and_schemas(portal: Running) -> None:
    properties = sdk(portal).api("crm.properties.core_api").get_all("companies").results
    by_name = {p.name: p for p in properties}
    assert (by_name["is_test"].type, by_name["is_test"].hubspot_defined) == ("bool", False)
    assert by_name["segment"].options[0].value == "SMB"
    (pipeline,) = sdk(portal).api("crm.pipelines.pipelines_api").get_all("deals").results
    stages = {s.id: (s.label, s.metadata["isClosed"]) for s in pipeline.stages}
    assert stages["closedwon"] == ("Closed Won", "true")
    own = sdk(portal).api("crm.schemas.core_api").get_all().results
    assert {s.name for s in own} == {"campaign_members", "risk_assessments", "action_plans"}


def test_engagements_go_by_kind(wire: Wire) -> None:
    (call,) = wire.get(
        "/crm/v3/objects/calls", properties="hs_timestamp,hs_call_duration,is_two_way"
    ).json()["results"]
    assert call["id"] == TALK
    assert call["properties"]["hs_call_duration"] == "1800000"
    (meeting,) = wire.get("/crm/v3/objects/0-47", properties="hs_activity_type").json()["results"]
    assert (meeting["id"], meeting["properties"]["hs_activity_type"]) == (VISIT, "QBR")
    (own,) = wire.get(
        "/crm/v3/objects/p_risk_assessments", properties="assessment_name,sign_today_share"
    ).json()["results"]
    assert own["properties"]["assessment_name"] == "risk_1"
    assert own["properties"]["sign_today_share"] == "0.55"


def test_owners_who_have_left_are_archived() -> None:
    world = pocket.world()
    staff = world.tables["employees"]
    gone = staff.iloc[[0]].assign(
        version_at=pocket.at("2026-05-01T17:00:00"), left_on=pocket.pd.Timestamp("2026-04-30")
    )
    world.tables["employees"] = pocket.frame(
        "employees",
        [dict(r) for part in (staff, gone) for r in part.to_dict("records")],
    )
    with running(world, now=pocket.NOW, event_days=0, crm="hubspot") as company:
        api = sdk(company).api("crm.owners.owners_api")
        assert ids(api.get_page().results) == [BEN]
        (anna,) = api.get_page(archived=True).results
        assert (anna.id, anna.first_name, anna.user_id) == (ANNA, "Anna", None)
        assert anna.user_id_including_inactive > 0


# --- limits and refusals -------------------------------------------------------------------------


def test_a_wrong_token_and_a_missing_scope_are_told(serve: Serve) -> None:
    with serve(crm="hubspot", hubspot=HubSpotSettings(closed=frozenset({"tickets"}))) as company:
        refused = Wire(company, "pat-wrong").get("/crm/v3/objects/companies")
        assert (refused.status_code, refused.json()["category"]) == (401, "INVALID_AUTHENTICATION")
        closed = Wire(company).get("/crm/v3/objects/tickets")
        assert (closed.status_code, closed.json()["category"]) == (403, "MISSING_SCOPES")
        needed = closed.json()["errors"][0]["context"]["requiredGranularScopes"]
        assert needed == ["crm.objects.tickets.read"]
        unknown = Wire(company).get("/crm/v3/objects/teapots")
        assert unknown.status_code == 400
        assert unknown.json()["message"] == "Unable to infer object type from: teapots"
        assert Wire(company).get("/crm/v3/teapots").status_code == 404


def test_limits_are_told_and_kept(serve: Serve) -> None:
    with serve(crm="hubspot", hubspot=HubSpotSettings(daily_requests=3)) as company:
        wire = Wire(company)
        first = wire.get("/crm/v3/objects/companies")
        assert first.headers["X-HubSpot-RateLimit-Daily-Remaining"] == "2"
        found = wire.search("companies")
        assert "X-HubSpot-RateLimit-Daily-Remaining" not in found.headers
        wire.get("/crm/v3/owners")
        over = wire.get("/crm/v3/owners")
        assert (over.status_code, over.json()["policyName"]) == (429, "DAILY")
        company.set_now(pocket.NOW + timedelta(days=1))
        assert wire.get("/crm/v3/owners").status_code == 200
    with serve(crm="hubspot", hubspot=HubSpotSettings(burst_requests=2)) as company:
        wire = Wire(company)
        answers = [wire.get("/crm/v3/owners") for _ in range(3)]
        assert [a.status_code for a in answers] == [200, 200, 429]
        assert answers[-1].json()["policyName"] == "TEN_SECONDLY_ROLLING"
    with serve(crm="hubspot", hubspot=HubSpotSettings(searches_per_second=2)) as company:
        wire = Wire(company)
        assert [wire.search("deals").status_code for _ in range(3)] == [200, 200, 429]


def test_faults_speak_hubspots_language(portal: Running, wire: Wire) -> None:
    portal.faults.add("rate_limit", service="hubspot", path="owners", retry_after=2)
    portal.faults.add("server_error", service="hubspot", path="search")
    portal.faults.add("expire_token", service="hubspot", path="properties")
    limited = wire.get("/crm/v3/owners")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "2")
    assert wire.search("companies").json()["category"] == "INTERNAL_ERROR"
    assert wire.get("/crm/v3/properties/deals").status_code == 401
    assert wire.get("/crm/v3/properties/deals").status_code == 200
    portal.faults.add("repeat_page", service="hubspot", path="objects/companies", skip=1)
    first = wire.get("/crm/v3/objects/companies", limit=100).json()
    after = first["paging"]["next"]["after"]
    assert wire.get("/crm/v3/objects/companies", limit=100, after=after).json() == first


def test_the_companies_settings_name_hubspot_only(portal: Running) -> None:
    assert {"HUBSPOT_ACCESS_TOKEN", "HUBSPOT_API_URL", "STRIPE_API_KEY"} <= set(portal)
    assert not any(name.startswith("SALESFORCE") for name in portal)
    with pytest.raises(AttributeError):
        _ = portal.salesforce
