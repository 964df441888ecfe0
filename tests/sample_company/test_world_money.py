from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tests.sample_company.world_core import (
    WORLDS,
    demo_world,
    derived_month_ends,
    newest,
    world_of,
)

MOVES = {
    "new": 1,
    "reactivation": 1,
    "expansion": 1,
    "pause_in": 1,
    "merge_transfer": 1,
    "contraction": -1,
    "churn": -1,
    "pause_out": -1,
}


def in_cents(series: pd.Series) -> pd.Series:
    return (series * 100).round().astype("int64")


@pytest.mark.parametrize(("size", "seed"), WORLDS)
@pytest.mark.parametrize(
    ("table", "holder"),
    [("truth_movements", "account_id"), ("truth_movements_surviving", "surviving_account_id")],
)
def test_movements_close_every_account_month_to_the_cent(
    size: str, seed: int, table: str, holder: str
) -> None:
    world = world_of(size, seed)
    mrr = world.truth["truth_mrr"]
    closing = in_cents(mrr.groupby([holder, "month"])["mrr_usd"].sum()).unstack(fill_value=0)
    moves = world.truth[table]
    assert set(moves["movement_type"]) <= set(MOVES)
    signed = in_cents(moves["amount_usd"]) * moves["movement_type"].map(MOVES)
    change = signed.groupby([moves["account_id"], moves["month"]]).sum().unstack(fill_value=0)
    change = change.reindex(index=closing.index, columns=closing.columns, fill_value=0)
    opening = closing.shift(axis=1, fill_value=0)
    assert (opening + change).equals(closing)
    one_type = moves[moves["movement_type"] != "merge_transfer"]
    assert not one_type.duplicated(["account_id", "month"]).any()
    positive = moves["movement_type"] != "merge_transfer"
    assert (moves.loc[positive, "amount_usd"] > 0).all()


def test_parts_sum_to_every_expansion_and_contraction() -> None:
    moves = demo_world().truth["truth_movements"]
    parts = sum(in_cents(moves[p]) for p in ("seats_usd", "price_usd", "plan_usd"))
    sign = moves["movement_type"].map({"expansion": 1, "contraction": -1}).fillna(0)
    assert (parts == in_cents(moves["amount_usd"]) * sign).all()
    split = moves[sign != 0]
    for part in ("seats_usd", "price_usd", "plan_usd"):
        assert (split[part] != 0).sum() > 100


def test_mergers_move_money_without_making_or_losing_any() -> None:
    world = demo_world()
    moves, merges = world.truth["truth_movements"], world.truth["truth_merges"]
    transfers = moves[moves["movement_type"] == "merge_transfer"]
    assert len(merges) >= 5
    assert len(transfers) == 2 * len(merges)
    assert (in_cents(transfers["amount_usd"]).groupby(transfers["month"]).sum() == 0).all()
    keys = transfers[transfers["amount_usd"] < 0].set_index(["account_id", "month"]).index
    churned = moves[moves["movement_type"] == "churn"].set_index(["account_id", "month"]).index
    assert not keys.isin(churned).any()
    assert "merge_transfer" not in set(world.truth["truth_movements_surviving"]["movement_type"])


@pytest.mark.parametrize(("size", "seed"), WORLDS)
def test_history_follows_from_what_billing_serves(size: str, seed: int) -> None:
    world = world_of(size, seed)
    states = derived_month_ends(world)
    truth = world.truth["truth_mrr"]
    # Contracts stay with the account that signed in Stripe; the survivor is the CRM's knowledge.
    survivors = world.truth["truth_accounts"].set_index("account_id")["surviving_account_id"]
    states["holder"] = states["account_id"].map(survivors)
    for column in ("mrr", "mrr_usd"):
        derived = states.groupby(["holder", "month"])[column].sum()
        derived = derived[derived != 0].astype(float).round(2)
        expected = truth.groupby(["surviving_account_id", "month"])[column].sum().round(2)
        expected = expected[expected != 0]
        assert len(derived) == len(expected)
        pd.testing.assert_series_equal(
            derived.sort_index(), expected.sort_index(), check_names=False, rtol=0, atol=1e-9
        )


def test_invoices_add_up_and_speak_of_periods() -> None:
    world = demo_world()
    invoices = newest(world.tables["invoices"], "invoice_id").set_index("invoice_id")
    lines = world.tables["invoice_lines"]
    assert lines["invoice_line_id"].is_unique
    assert lines["invoice_id"].isin(invoices.index).all()
    sums = lines.groupby("invoice_id")[["amount", "discount_amount"]].sum()
    assert sums["amount"].reindex(invoices.index).eq(invoices["subtotal"]).all()
    total = (sums["amount"] - sums["discount_amount"]).reindex(invoices.index)
    assert total.eq(invoices["total"]).all()
    paid = invoices[invoices["status"] == "paid"]
    assert (paid["amount_paid"] == paid["total"].clip(lower=0)).all()
    assert (paid["amount_remaining"] == 0).all()
    free = lines[~lines["is_proration"] & (lines["amount"] == lines["discount_amount"])]
    assert len(free) > 50


def test_proration_pairs_are_exact_to_the_second() -> None:
    lines = demo_world().tables["invoice_lines"]
    prorated = lines[lines["is_proration"]]
    credit = prorated[prorated["is_credit_proration"]]
    debit = prorated[~prorated["is_credit_proration"]]
    keys = ["invoice_id", "subscription_item_id", "period_start", "period_end"]
    pairs = credit.merge(debit, on=keys, suffixes=("_c", "_d"))
    assert len(pairs) == len(credit) == len(debit) > 300
    assert (credit["amount"] <= 0).all()
    assert (debit["amount"] >= 0).all()
    spoken = lines.set_index("invoice_line_id")
    source = spoken.loc[list(credit["credited_invoice_line_id"])]
    assert (source["price_id"].to_numpy() == credit["price_id"].to_numpy()).all()
    assert (source["quantity"].to_numpy() == credit["quantity"].to_numpy()).all()
    assert (source["invoice_id"].to_numpy() == credit["credited_invoice_id"].to_numpy()).all()
    # A regular line cut at the change: credited = its net amount x remaining / whole, rounded.
    whole = source[~source["is_proration"]]
    cut = credit[(~source["is_proration"]).to_numpy()]
    for line, back in zip(whole.itertuples(), cut.itertuples(), strict=True):
        share = Decimal((back.period_end - back.period_start).total_seconds())
        share /= Decimal((line.period_end - line.period_start).total_seconds())
        exact = (line.amount - line.discount_amount) * share
        assert abs(Decimal(-back.amount) - exact) <= Decimal("0.5")


def test_subscription_objects_agree_with_their_lines() -> None:
    t = demo_world().tables
    items = newest(t["subscription_item_versions"], "subscription_item_id")
    lines = t["invoice_lines"]
    lines = lines[~lines["is_credit_proration"] & ~lines["is_one_off"]]
    last = lines.sort_values("period_start", kind="stable").drop_duplicates(
        "subscription_item_id", keep="last"
    )
    both = items.merge(last, on="subscription_item_id", suffixes=("", "_line"))
    assert len(both) == len(items)
    assert (both["price_id"] == both["price_id_line"]).all()
    assert (both["quantity"] == both["quantity_line"]).all()
    assert set(t["prices"]["price_id"]) >= set(items["price_id"])
    versions = t["subscription_versions"]
    assert not versions.duplicated(["subscription_id", "version_at"]).any()
    ended = versions[versions["status"] == "canceled"]
    late = ended[ended["version_at"] > ended["ended_at"]]
    # Entered days after the due date it is valid from; everything else is told as it happens.
    assert (ended["ended_at"] <= ended["version_at"]).all()
    assert ((late["version_at"] - late["ended_at"]) < pd.Timedelta(days=26)).all()
    assert 0.005 < len(late) / len(ended) < 0.05
    assert (late["canceled_at"] == late["version_at"]).all()
    assert (late["cancellation_reason"] == "cancellation_requested").all()
    assert not ended["subscription_id"].duplicated().any()
    assert (newest(versions, "subscription_id")["ended_at"].notna().sum()) == len(ended)


def test_money_has_whole_cents_and_whole_yen() -> None:
    world = demo_world()
    for column in ("mrr", "mrr_usd"):
        value = world.truth["truth_mrr"][column] * 100
        assert np.allclose(value, value.round(), atol=1e-6)
    assert set(world.truth["truth_mrr"]["currency"]) == {"USD", "EUR", "GBP", "JPY"}
