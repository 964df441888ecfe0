"""The Stripe server against Stripe's own SDK, and on the wire where the SDK hides things."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import stripe

from sample_company.servers.stripe import StripeSettings
from sample_company.testing import Running
from tests.sample_company.servers import pocket
from tests.sample_company.servers.conftest import Rest, stripe_sdk

OLD, BASIL, CLOVER = "2024-06-20", "2025-03-31.basil", "2025-09-30.clover"


def test_the_sdk_pages_through_all_invoices_once_newest_first(company: Running) -> None:
    pages = stripe_sdk(company).v1.invoices.list({"limit": 100})
    found = list(pages.auto_paging_iter())
    assert [i.id for i in found[:2]] == ["in_acme", "in_old249"]
    assert len({i.id for i in found}) == len(found) == 251
    assert [i.created for i in found] == sorted((i.created for i in found), reverse=True)


def test_ending_before_gives_the_page_just_before_the_cursor(company: Running) -> None:
    page = stripe_sdk(company).v1.invoices.list({"limit": 3, "ending_before": "in_old100"})
    assert [i.id for i in page.data] == ["in_old103", "in_old102", "in_old101"]
    assert page.has_more


def test_nested_lists_are_cut_at_ten_and_can_be_followed(company: Running) -> None:
    client = stripe_sdk(company)
    invoice = client.v1.invoices.retrieve("in_acme")
    assert len(invoice.lines.data) == 10
    assert invoice.lines.has_more
    assert invoice.lines.url == "/v1/invoices/in_acme/lines"
    followed = [line.id for line in invoice.lines.auto_paging_iter()]
    assert followed == [f"il_acme{n:02d}" for n in range(pocket.LINES_OF_BIG)]
    items = client.v1.subscriptions.retrieve("sub_gone")["items"]
    assert len(items.data) == 10
    assert items.has_more
    rest = client.v1.subscription_items.list({"subscription": "sub_gone", "limit": 100})
    assert len(rest.data) == pocket.ITEMS_OF_BIG


def test_the_default_listing_of_subscriptions_hides_cancelled_ones(company: Running) -> None:
    def listed(**params: str) -> list[str]:
        return [s.id for s in stripe_sdk(company).v1.subscriptions.list(params).data]

    assert listed() == ["sub_acme"]
    assert set(listed(status="all")) == {"sub_acme", "sub_gone"}
    assert listed(status="canceled") == listed(status="ended") == ["sub_gone"]


@pytest.mark.parametrize("version", [OLD, BASIL, CLOVER])
def test_the_version_header_selects_the_shape(company: Running, version: str) -> None:
    client = stripe_sdk(company, version)
    subscription = client.v1.subscriptions.retrieve("sub_acme", {"expand": ["discounts"]}).to_dict()
    item = subscription["items"]["data"][0]
    invoice = client.v1.invoices.retrieve("in_acme").to_dict()
    normal, credit = invoice["lines"]["data"][0], invoice["lines"]["data"][1]
    charge = client.v1.charges.retrieve("ch_acme2").to_dict()
    end = int(pocket.at("2026-07-01T10:00:00").timestamp())
    if version == OLD:
        assert subscription["current_period_end"] == end
        assert "current_period_end" not in item
        assert invoice["subscription"] == "sub_acme"
        assert "parent" not in invoice
        assert normal["price"]["id"] == "price_team"
        assert (normal["type"], credit["type"]) == ("subscription", "invoiceitem")
        assert credit["proration"] is True
        assert credit["proration_details"]["credited_items"]["invoice"] == "in_old001"
        assert charge["invoice"] == "in_acme"
    else:
        assert "current_period_end" not in subscription
        assert item["current_period_end"] == end
        assert "subscription" not in invoice
        assert invoice["parent"]["subscription_details"]["subscription"] == "sub_acme"
        assert "price" not in normal
        assert normal["pricing"]["price_details"]["price"] == "price_team"
        details = credit["parent"]["subscription_item_details"]
        assert details["proration"] is True
        assert details["subscription_item"] == "si_acme"
        assert details["proration_details"]["credited_items"]["invoice_line_items"] == ["il_old001"]
        assert normal["parent"]["subscription_item_details"]["proration"] is False
        assert "invoice" not in charge
    discount = subscription["discounts"][0]
    if version == CLOVER:
        assert discount["source"] == {"coupon": "TEN", "type": "coupon"}
        assert "coupon" not in discount
    else:
        assert discount["coupon"]["percent_off"] == 10.0
        assert "source" not in discount


def test_discounts_are_ids_until_expanded_and_a_used_up_one_is_gone(company: Running) -> None:
    client = stripe_sdk(company, CLOVER)
    assert client.v1.subscriptions.retrieve("sub_acme").discounts == ["di_acme"]
    deep = client.v1.subscriptions.list({"expand": ["data.discounts.source.coupon"]})
    assert deep.data[0].discounts[0].source.coupon.name == "Ten"


def test_a_payment_finds_its_invoice_since_charges_do_not_name_it(company: Running) -> None:
    client = stripe_sdk(company, BASIL)
    payment = client.v1.invoice_payments.list(
        {"payment": {"type": "payment_intent", "payment_intent": "pi_acme2"}}
    ).data[0]
    assert (payment.invoice, payment.status) == ("in_acme", "paid")
    expanded = client.v1.invoices.retrieve("in_acme", {"expand": ["payments"]})
    assert {p.status for p in expanded.payments.data} == {"paid", "open"}


def test_a_deleted_customer_leaves_the_list_and_is_retrieved_as_a_stump(company: Running) -> None:
    client = stripe_sdk(company)
    assert [c.id for c in client.v1.customers.list().data] == ["cus_acme"]
    assert client.v1.customers.retrieve("cus_gone").to_dict() == {
        "id": "cus_gone", "object": "customer", "deleted": True,
    }  # fmt: skip


def test_the_clock_decides_what_is_visible(company: Running) -> None:
    client = stripe_sdk(company)
    company.set_now(pocket.at("2026-06-03T10:30:00"))
    assert client.v1.invoices.retrieve("in_acme").status == "open"
    assert client.v1.subscriptions.retrieve("sub_acme")["items"].data[0].quantity == 5
    assert len(client.v1.customers.list().data) == 2
    company.set_now(pocket.NOW)
    assert client.v1.invoices.retrieve("in_acme").status == "paid"
    assert client.v1.subscriptions.retrieve("sub_acme")["items"].data[0].quantity == 8


def test_the_feed_tells_each_change_once_newest_first_with_what_was_before(
    company: Running,
) -> None:
    events = list(stripe_sdk(company).v1.events.list({"limit": 5}).auto_paging_iter())
    assert [e.created for e in events] == sorted((e.created for e in events), reverse=True)
    assert len({e.id for e in events}) == len(events)
    told = [(e.type, e.data.object["id"]) for e in reversed(events)]
    assert told == [
        ("invoice.created", "in_acme"),
        ("invoice.finalized", "in_acme"),
        ("invoice.payment_failed", "in_acme"),
        ("invoice.updated", "in_acme"),
        ("charge.failed", "ch_acme1"),
        ("customer.subscription.deleted", "sub_gone"),
        ("invoice.paid", "in_acme"),
        ("invoice.payment_succeeded", "in_acme"),
        ("invoice.updated", "in_acme"),
        ("charge.succeeded", "ch_acme2"),
        ("customer.subscription.updated", "sub_acme"),
        ("credit_note.created", "cn_1"),
        ("customer.subscription.updated", "sub_acme"),
        ("customer.deleted", "cus_gone"),
        ("charge.dispute.created", told[-1][1]),
    ]
    asked = next(e for e in events if e.created == int(pocket.at("2026-06-04T10:00:00").timestamp())
                 and e.type == "customer.subscription.updated").to_dict()  # fmt: skip
    assert asked["data"]["object"]["cancel_at_period_end"] is True
    assert asked["data"]["previous_attributes"]["cancel_at_period_end"] is False
    seats = next(e for e in events if e.type == "customer.subscription.updated").to_dict()
    assert seats["data"]["object"]["items"]["data"][0]["quantity"] == 8
    assert seats["data"]["previous_attributes"]["items"]["data"][0]["quantity"] == 5


def test_an_event_shows_the_state_at_its_time_not_at_the_clocks(company: Running) -> None:
    events = stripe_sdk(company).v1.events.list({"types": ["invoice.payment_failed"]}).data
    snapshot = events[0].data.object
    assert (snapshot["status"], snapshot["attempt_count"]) == ("open", 1)


def test_the_feed_filters_by_type_and_time_and_forgets_after_thirty_days(company: Running) -> None:
    client = stripe_sdk(company)
    kinds = {e.type for e in client.v1.events.list(
        {"types": ["invoice.paid", "customer.deleted"]}).data}  # fmt: skip
    assert kinds == {"invoice.paid", "customer.deleted"}
    wild = {e.type for e in client.v1.events.list({"type": "charge.*"}).data}
    assert wild == {"charge.failed", "charge.succeeded", "charge.dispute.created"}
    since = int(pocket.at("2026-06-08T10:00:00").timestamp())
    late = client.v1.events.list({"created": {"gte": since}}).data
    assert [e.type for e in late] == ["charge.dispute.created", "customer.deleted"]
    company.set_now(pocket.at("2026-06-01T11:00:00") + timedelta(days=30))
    types = [e.type for e in client.v1.events.list({"limit": 100}).auto_paging_iter()]
    assert "invoice.created" not in types
    assert "invoice.paid" in types


def test_events_are_rendered_in_the_accounts_version_whatever_the_request_says(
    serve: Callable[..., AbstractContextManager[Running]],
) -> None:
    with serve(stripe=StripeSettings(api_version=OLD)) as company:
        event = stripe_sdk(company, CLOVER).v1.events.list(
            {"types": ["customer.subscription.deleted"]}
        ).data[0].to_dict()  # fmt: skip
    assert event["api_version"] == OLD
    assert "current_period_end" in event["data"]["object"]


def test_lists_filter(company: Running) -> None:
    client = stripe_sdk(company)
    assert [i.id for i in client.v1.invoices.list({"customer": "cus_acme"}).data] == ["in_acme"]
    assert [i.id for i in client.v1.invoices.list({"subscription": "sub_acme"}).data] == ["in_acme"]
    newer = {"created": {"gt": int(pocket.at("2026-01-01T00:00:00").timestamp())}}
    assert [i.id for i in client.v1.invoices.list(newer).data] == ["in_acme"]
    assert client.v1.invoices.list({"status": "void"}).data == []


def test_search(company: Running) -> None:
    client = stripe_sdk(company)
    found = client.v1.subscriptions.search(
        {"query": f"status:'active' AND metadata['account_id']:'{pocket.ACME}'"}
    )
    assert [s.id for s in found.data] == ["sub_acme"]
    assert client.v1.invoices.search({"query": "number~'O-24' -status:'open'"}).data
    pages = client.v1.invoices.search({"query": "total>100", "limit": 100})
    assert len(list(pages.auto_paging_iter())) == 251
    with pytest.raises(stripe.InvalidRequestError, match="parse"):
        client.v1.invoices.search({"query": "status:'paid' AND status:'open' OR total>1"})


def test_errors_have_stripes_form(company: Running, rest: Rest) -> None:
    client = stripe_sdk(company)
    with pytest.raises(stripe.InvalidRequestError) as missing:
        client.v1.invoices.retrieve("in_nowhere")
    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    assert str(missing.value.request_id).startswith("req_")
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("limit", {"limit": 101}, "less than or equal to 100"),
        ("colour", {"colour": "red"}, "unknown parameter"),
        ("starting_after", {"starting_after": "in_nowhere"}, "No such invoice"),
        ("expand", {"expand": ["data.teapot"]}, "cannot be expanded"),
        ("expand", {"expand": ["data.a.b.c.d.e"]}, "more than 4 levels"),
    ]
    for param, params, message in cases:
        with pytest.raises(stripe.InvalidRequestError, match=message) as wrong:
            client.v1.invoices.list(params)
        assert (wrong.value.http_status, wrong.value.param) == (400, param)
    stranger = stripe.StripeClient(
        "sk_test_wrong_key_1234", base_addresses={"api": company["STRIPE_API_BASE"]}
    )
    with pytest.raises(stripe.AuthenticationError, match="Invalid API Key"):
        stranger.v1.charges.list()
    assert rest.stripe("/v1/teapots").json()["error"]["type"] == "invalid_request_error"
    assert rest.stripe("/v1/charges", **{"Stripe-Version": "latest"}).status_code == 400
    assert rest.stripe("/v1/charges", key="").status_code == 401


def test_the_key_may_read_only(company: Running) -> None:
    with pytest.raises(stripe.PermissionError):
        stripe_sdk(company).v1.customers.create({"name": "Nobody"})
    assert len(stripe_sdk(company).v1.customers.list().data) == 1


def test_reading_twice_gives_the_same_bytes(rest: Rest) -> None:
    first, second = (rest.stripe("/v1/invoices?limit=100").content for _ in range(2))
    assert first == second
    first, second = (rest.stripe("/v1/events?limit=100").content for _ in range(2))
    assert first == second


def test_a_configured_rate_limit_answers_429_until_the_wait_is_over(
    serve: Callable[..., AbstractContextManager[Running]],
) -> None:
    with serve(stripe=StripeSettings(requests_per_second=5)) as company:
        rest = Rest(company)
        limited = next(a for a in (rest.stripe("/v1/charges") for _ in range(100)) if not a.ok)
        assert limited.status_code == 429
        assert limited.json()["error"]["code"] == "rate_limit"
        company.faults.add("rate_limit", service="stripe", retry_after=None)
        with pytest.raises(stripe.RateLimitError):
            stripe_sdk(company).v1.charges.list()
        time.sleep(float(limited.headers["Retry-After"]) + 0.2)
        assert rest.stripe("/v1/charges").ok
