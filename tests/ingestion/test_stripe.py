"""Stripe: what the account holds lands once, and what changes is seen."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from ingestion import windows
from ingestion.billing import stripe
from ingestion.billing import stripe_shapes as shapes
from ingestion.http import HttpError
from ingestion.lake import Lake
from ingestion.quality import gate
from tests.ingestion.conftest import LOAD, NOW, Loaded, Serve, rows_of

TABLES = (
    "customers",
    "subscriptions",
    "subscription_items",
    "invoices",
    "invoice_lines",
    "charges",
)
STATE = "id, status, cancel_at_period_end, canceled_at, ended_at, customer_id"


def _by_id(lake: Lake, table: str, column: str) -> dict[str, Any]:
    return dict(rows_of(lake, "stripe", table, f"id, {column}"))


def test_everything_is_listed_once_then_nothing_is_new(lake: Lake, serve: Serve) -> None:
    with serve() as (company, settings):
        first = stripe.run(settings, lake, **LOAD)
        asked = company.stripe.requests
        again = stripe.run(settings, lake, **LOAD)
        assert company.stripe.requests - asked <= 5
    assert first.rows > 3000
    assert first.rejects == 0
    assert not first.partial
    assert (again.rows, again.load_ids) == (0, [])
    for table in TABLES:
        count = lake.read("stripe", table, "select count(*) n, count(distinct id) d from t")
        assert count.to_pylist()[0]["n"] == count.to_pylist()[0]["d"] > 100
    statuses = set(_by_id(lake, "subscriptions", "status").values())
    assert "canceled" in statuses
    assert gate.check_load(lake, "stripe", first.load_ids).passed


def test_lines_and_charges_are_complete(lake: Lake, loaded: Loaded) -> None:
    loaded("stripe", lake)
    off = lake.read(
        "stripe",
        "invoices",
        "select count(*) n from t where subtotal is not null and status <> 'draft'",
    )
    assert off["n"].to_pylist()[0] > 1000
    charged = lake.read("stripe", "charges", "select count(*) n, count(invoice_id) i from t")
    row = charged.to_pylist()[0]
    assert row["i"] / row["n"] > 0.95


def test_the_feed_brings_the_same_state_as_a_listing(
    lake: Lake, serve: Serve, loaded: Loaded, tmp_path: Any
) -> None:
    later = NOW + timedelta(days=20)
    loaded("stripe", lake)
    with serve(now=later) as (_, settings):
        fed = stripe.run(settings, lake, **LOAD)
        listed = Lake.at(tmp_path / "listed")
        stripe.run(settings, listed, **LOAD)
    assert fed.tables["events"].rows > 50
    for table in ("customers", "subscriptions", "invoices", "charges", "credit_notes", "prices"):
        columns = {"subscriptions": STATE, "invoices": "id, status, amount_paid, paid_at"}
        wanted = columns.get(table, "id")
        assert rows_of(lake, "stripe", table, wanted) == rows_of(listed, "stripe", table, wanted)
    assert gate.check_load(lake, "stripe", fed.load_ids).passed


def test_a_cancellation_is_a_version_dated_by_its_event(lake: Lake, serve: Serve) -> None:
    start = date(2026, 1, 5)
    with serve(now=start) as (company, settings):
        stripe.run(settings, lake, **LOAD)
        company.set_now(start + timedelta(days=26))
        stripe.run(settings, lake, **LOAD)
    ended = lake.read(
        "stripe",
        "subscriptions",
        f"""
        select id, min(_version_at) filter (where status = 'canceled') as seen_at,
            max(ended_at) as ended_at, count(*) as versions
        from t where id in (select id from t where ended_at >= '{start}') group by id
        """,
    ).to_pylist()
    assert len(ended) >= 2
    for row in ended:
        assert row["versions"] >= 2
        assert abs(row["seen_at"] - row["ended_at"]) < timedelta(minutes=5)


def test_a_gap_beyond_the_feed_forces_a_loud_listing(lake: Lake, serve: Serve) -> None:
    with serve(now=date(2026, 3, 1)) as (company, settings):
        stripe.run(settings, lake, **LOAD)
        company.set_now(date(2026, 5, 1))
        report = stripe.run(settings, lake, **LOAD)
    assert any("listed anew" in note for note in report.notes)
    assert 0 < report.tables["invoices"].rows < 400  # only what is new or changed lands


def test_listings_resume_at_the_last_finished_window(
    lake: Lake, serve: Serve, loaded: Loaded, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr("ingestion.landing.FLUSH_ROWS", 500)
    monkeypatch.setattr(stripe, "_BATCH", 300)
    with serve() as (company, settings):
        company.faults.add("status", service="stripe", path="/v1/invoices", skip=8, status=401)
        with pytest.raises(HttpError):
            stripe.run(settings, lake, **LOAD)
        before = windows.newest(windows.finished(lake, "stripe"), "invoices")
        assert before is not None
        assert before.cursor
        assert not before.is_last
        company.faults.clear()
        report = stripe.run(settings, lake, **LOAD)
    whole = Lake.at(tmp_path / "whole")
    loaded("stripe", whole)
    assert report.rows > 0
    for table in TABLES:
        assert rows_of(lake, "stripe", table, "id") == rows_of(whole, "stripe", table, "id")
        twice = lake.read("stripe", table, "select id from t group by all having count(*) > 1")
        assert twice.num_rows == 0


@pytest.mark.parametrize("kind", ["rate_limit", "server_error", "cut_body", "repeat_page"])
def test_a_bad_vendor_changes_nothing(
    kind: str, lake: Lake, serve: Serve, loaded: Loaded, tmp_path: Any
) -> None:
    sound = Lake.at(tmp_path / "sound")
    loaded("stripe", sound)
    with serve() as (company, settings):
        session = stripe.connect(settings)
        session.sleep = lambda _: None
        company.faults.add(kind, service="stripe", path="invoices", count=3, skip=2)
        stripe.run(settings, lake, session=session, **LOAD)
        assert company.faults.fired() == 3
    for table in ("invoices", "invoice_lines"):
        assert rows_of(lake, "stripe", table) == rows_of(sound, "stripe", table)
        assert lake.read("stripe", table).num_rows == sound.read("stripe", table).num_rows


def test_a_closed_resource_is_named_and_the_rest_lands(lake: Lake, serve: Serve) -> None:
    with serve() as (company, settings):
        company.faults.add(
            "status", service="stripe", path="/v1/credit_notes", count=None, status=403
        )
        report = stripe.run(settings, lake, **LOAD)
    assert report.partial
    assert any(note.startswith("credit_notes") for note in report.notes)
    assert report.tables["charges"].rows > 0


def test_backfill_and_reset_leave_the_nightly_state_alone(
    lake: Lake, serve: Serve, loaded: Loaded
) -> None:
    loaded("stripe", lake)
    window = {"first": date(2026, 1, 1), "last": date(2026, 1, 31)}
    hand = {"run_id": "hand", "progress": LOAD["progress"]}
    with serve() as (_, settings):
        before = windows.finished(lake, "stripe")
        report = stripe.backfill(settings, lake, resource="invoices", **window, **hand)
        assert windows.finished(lake, "stripe") == before
        assert report.rows == 0  # all of it had landed as it is
        stripe.reset(lake, resource="coupons", run_id="hand")
        again = stripe.run(settings, lake, **LOAD)
    assert again.tables["coupons"].windows == 1
    assert "invoices" not in again.tables
    with pytest.raises(ValueError, match="Choose one of"):
        stripe.reset(lake, resource="nonsense", run_id="hand")


LINE = {
    "id": "il_1", "amount": -500, "currency": "jpy", "quantity": 2,
    "period": {"start": 1, "end": 2}, "discount_amounts": [{"amount": 7, "discount": "di_1"}],
}  # fmt: skip
OLD = LINE | {
    "type": "subscription", "proration": True, "subscription": "sub_1",
    "subscription_item": "si_1", "price": {"id": "price_1"},
    "proration_details": {"credited_items": {"invoice": "in_0"}},
}  # fmt: skip
NEW = LINE | {
    "pricing": {"price_details": {"price": "price_1"}},
    "parent": {
        "type": "subscription_item_details",
        "subscription_item_details": {
            "proration": True, "subscription": "sub_1", "subscription_item": "si_1",
            "proration_details": {"credited_items": {"invoice": "in_0"}},
        },
    },
}  # fmt: skip


def test_both_shapes_of_a_line_land_alike() -> None:
    rows = shapes.new_rows()
    shapes.invoice_line(OLD, {"id": "in_1"}, 9, rows)
    shapes.invoice_line(NEW, {"id": "in_1"}, 9, rows)
    old, new = rows["invoice_lines"]
    assert old == new
    assert old["is_credit_proration"]
    assert old["amount"] == -500
    assert old["discount_amount"] == 7


def test_both_shapes_of_a_subscription_and_invoice_land_alike() -> None:
    base = {"id": "sub_1", "status": "active", "customer": {"id": "cus_1"}}
    period = {"current_period_start": 10, "current_period_end": 20}
    item = {"id": "si_1", "price": {"id": "price_1"}, "quantity": 3}
    discount = {"id": "di_1", "start": 1, "end": None}
    coupon = {"id": "co_1", "percent_off": 10, "duration": "forever"}
    rows = shapes.new_rows()
    shapes.subscription(
        base | period | {"items": {"data": [item]}, "discount": discount | {"coupon": coupon}},
        9,
        rows,
    )
    shapes.subscription(
        base
        | {
            "items": {"data": [item | period]},
            "discounts": [discount | {"source": {"coupon": coupon, "type": "coupon"}}],
        },
        9,
        rows,
    )
    for table in ("subscriptions", "subscription_items", "discounts"):
        old, new = rows[table]
        assert old == new
    rows = shapes.new_rows()
    shapes.invoice({"id": "in_1", "subscription": "sub_1"}, 9, rows)
    parent = {"subscription_details": {"subscription": "sub_1"}}
    shapes.invoice({"id": "in_1", "parent": parent}, 9, rows)
    old, new = rows["invoices"]
    assert old == new


def test_tiered_and_metered_prices_have_no_unit_amount() -> None:
    rows = shapes.new_rows()
    shapes.price({"id": "p", "billing_scheme": "tiered", "tiers": [{"up_to": 5}]}, 1, rows)
    shapes.price({"id": "q", "billing_scheme": "per_unit", "unit_amount": 0}, 1, rows)
    assert rows["prices"][0]["unit_amount_decimal"] is None
    assert rows["prices"][0]["tiers"] == [{"up_to": 5}]
    assert rows["prices"][1]["unit_amount_decimal"] == 0
