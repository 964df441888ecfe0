"""What goes wrong on purpose goes wrong exactly as often as asked for."""

from __future__ import annotations

import time

import pytest
import requests
import stripe

from sample_company.servers.faults import Fault, Faults
from sample_company.testing import Running
from tests.sample_company.servers.conftest import Rest, salesforce_sdk, stripe_sdk


def test_rules_count_and_skip() -> None:
    faults = Faults()
    faults.add("server_error", service="stripe", path="invoices", skip=1, count=2)
    faults.add("slow", count=None, seconds=0)
    hits = [[f.kind for f in faults.take("stripe", "/v1/invoices")] for _ in range(4)]
    assert hits == [["slow"], ["server_error", "slow"], ["server_error", "slow"], ["slow"]]
    assert [f.kind for f in faults.take("salesforce", "/invoices")] == ["slow"]
    assert (faults.fired("server_error"), faults.fired()) == (2, 7)
    faults.clear()
    assert faults.take("stripe", "/v1/invoices") == []


def test_senseless_rules_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown fault"):
        Fault("earthquake")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="keep must be"):
        Fault("cut_body", keep=1.0)


def test_a_rate_limit_says_how_long_to_wait(company: Running, rest: Rest) -> None:
    company.faults.add("rate_limit", service="stripe", retry_after=3)
    answer = rest.stripe("/v1/invoices")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert rest.stripe("/v1/invoices").status_code == 200
    token = rest.token()
    company.faults.add("rate_limit", service="salesforce", retry_after=2)
    limited = rest.salesforce("/services/data/v62.0/limits", token)
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "2")


def test_server_errors_are_survived_by_the_sdk(company: Running) -> None:
    company.faults.add("server_error", service="stripe", path="/v1/charges", count=2)
    with pytest.raises(stripe.APIError):
        stripe_sdk(company, retries=0).v1.charges.list()
    assert len(stripe_sdk(company, retries=2).v1.charges.list().data) == 2
    assert company.faults.fired("server_error") == 2


@pytest.mark.parametrize("announce", ["full", "short"])
def test_a_cut_body_is_a_200_that_cannot_be_read(
    company: Running, rest: Rest, announce: str
) -> None:
    company.faults.add("cut_body", service="stripe", path="/v1/invoices", announce=announce)
    unreadable = (
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ConnectionError,
        requests.exceptions.JSONDecodeError,
    )
    with pytest.raises(unreadable):
        rest.stripe("/v1/invoices?limit=20").json()
    assert len(rest.stripe("/v1/invoices?limit=20").json()["data"]) == 20


def test_a_repeated_page_gives_rows_twice_but_loses_none(company: Running, rest: Rest) -> None:
    company.faults.add("repeat_page", service="stripe", path="/v1/invoices", skip=1)
    seen: list[str] = []
    cursor = ""
    while True:
        page = rest.stripe(f"/v1/invoices?limit=100{cursor}").json()
        seen += [row["id"] for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = f"&starting_after={page['data'][-1]['id']}"
    assert (len(seen), len(set(seen))) == (351, 251)
    company.faults.add("repeat_page", service="salesforce", path="/query", skip=1)
    token = rest.token()
    page = rest.salesforce("/services/data/v62.0/query", token, "SELECT Id FROM Account",
                           **{"Sforce-Query-Options": "batchSize=200"}).json()  # fmt: skip
    found = [r["Id"] for r in page["records"]]
    while not page["done"]:
        page = rest.salesforce(page["nextRecordsUrl"], token).json()
        found += [r["Id"] for r in page["records"]]
    assert (len(found), len(set(found))) == (652, 452)


def test_a_slow_page_is_late_but_right(company: Running, rest: Rest) -> None:
    company.faults.add("slow", path="/v1/products", seconds=0.3)
    started = time.monotonic()
    assert len(rest.stripe("/v1/products").json()["data"]) == 1
    assert time.monotonic() - started >= 0.3


def test_a_token_can_expire_in_the_middle(company: Running, rest: Rest) -> None:
    sdk = salesforce_sdk(company)
    company.faults.add("expire_token", service="salesforce", path="/query", skip=1)
    pages = [sdk.query("SELECT COUNT() FROM User")["totalSize"] for _ in range(3)]
    assert pages == [2, 2, 2]
    assert company.faults.fired("expire_token") == 1
    token = rest.token()
    company.faults.add("expire_token", service="salesforce", path="/limits")
    statuses = [rest.salesforce("/services/data/v62.0/limits", token).status_code for _ in "ab"]
    assert statuses == [401, 401]
