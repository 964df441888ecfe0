"""Every planted piece of mess: there in the right share, listed in the truth, and consistent."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from sample_company.world import World, WorldConfig
from sample_company.world.mess import MESS_COLUMNS
from tests.sample_company.world_core import (
    demo_world,
    derived_month_ends,
    middling_world,
    newest,
    shared,
    small_world,
    whole_small_world,
)

SEEDS = (1, 2, 3)
#: Kinds of mess, each in how many of so many things (see `base`).
SHARES = [
    ("duplicate_account", "accounts", 0.025, 0.055),
    ("parent_buys_child", "customers", 0.003, 0.02),
    ("orphan_workspace", "customers", 0.012, 0.03),
    ("wrong_foreign_key", "customers", 0.012, 0.035),
    ("crm_amount_differs", "won deals", 0.012, 0.03),
    ("duplicate_invoice", "charged invoices", 0.006, 0.014),
    ("back_dated_invoice", "customers", 0.008, 0.04),
    ("back_dated_cancellation", "lost terms", 0.02, 0.09),
    ("refund", "charges", 0.006, 0.016),
    ("chargeback", "charges", 0.002, 0.007),
    ("failed_payment", "charges", 0.008, 0.03),
]


def listed(world: World, mess: str, thing: str | None = None) -> pd.DataFrame:
    rows = world.truth["truth_mess"]
    rows = rows[rows["mess"] == mess]
    return rows if thing is None else rows[rows["object"] == thing]


def base(world: World) -> dict[str, int]:
    kinds = world.truth["truth_accounts"]["kind"].value_counts()
    invoices = newest(world.tables["invoices"], "invoice_id")
    deals = newest(world.tables["opportunities"], "opportunity_id")
    terms = world.truth["truth_terms"]
    return {
        "accounts": int(kinds["customer"] + kinds["prospect"]),
        "customers": int(kinds["customer"]),
        "won deals": int(deals["is_won"].sum()),
        "charged invoices": int(((invoices["billing_reason"] != "manual")
                                 & (invoices["total"] > 0)).sum()),
        "lost terms": int((terms["outcome"] == "lost")[~terms["is_evergreen"]].sum()),
        "charges": world.tables["charges"]["charge_id"].nunique(),
    }  # fmt: skip


@pytest.mark.parametrize(("mess", "of", "low", "high"), SHARES)
def test_each_kind_has_its_share(mess: str, of: str, low: float, high: float) -> None:
    world = demo_world()
    assert low < len(listed(world, mess)) / base(world)[of] < high


@pytest.mark.parametrize(
    ("mess", "thing", "low", "high"),
    [("duplicate_contact", "contacts", 0.04, 0.08), ("erasure", "contacts", 0.004, 0.015),
     ("hard_delete", "contacts", 0.003, 0.015), ("hard_delete", "opportunities", 0.002, 0.015),
     ("hard_delete", "activities", 0.002, 0.008), ("hard_delete", "cases", 0.002, 0.008),
     ("closed_month_edit", "opportunities", 0.01, 0.04),
     ("closed_month_edit", "activities", 0.004, 0.02),
     ("future_date", "risk_assessments", 0.001, 0.006),
     ("broken_row", "risk_assessments", 0.001, 0.006),
     ("future_date", "survey_responses", 0.001, 0.006),
     ("broken_row", "survey_responses", 0.002, 0.011),
     ("wrong_foreign_key", "survey_responses", 0.002, 0.009),
     ("broken_row", "success_measurements", 0.001, 0.012)],
)  # fmt: skip
def test_each_kind_of_record_has_its_share(mess: str, thing: str, low: float, high: float) -> None:
    world = middling_world()
    keys = {"activities": "activity_id", "cases": "case_id", "contacts": "contact_id",
            "opportunities": "opportunity_id"}  # fmt: skip
    frame = world.tables[thing]
    records = frame[keys.get(thing, str(frame.columns[0]))].nunique()
    assert low < len(listed(world, mess, thing)) / records < high


def test_the_list_is_typed_complete_and_never_ahead_of_its_time() -> None:
    whole = middling_world()
    for world in (whole, *map(whole_small_world, SEEDS)):
        mess = world.truth["truth_mess"]
        assert tuple(mess.columns) == MESS_COLUMNS
        assert str(mess["planted_at"].dtype) == "datetime64[us, UTC]"
        assert (mess["planted_at"] <= pd.Timestamp(world.config.horizon_at)).all()
        assert mess["planted_at"].is_monotonic_increasing
        assert mess[["mess", "object", "record_id", "detail"]].notna().all().all()
        once = mess[~mess["mess"].isin(["closed_month_edit"])]
        assert not once.duplicated(["mess", "object", "record_id"]).any()
    found = set(whole.truth["truth_mess"]["mess"]) | set(
        whole_small_world(1).truth["truth_mess"]["mess"]
    )
    assert found >= {
        *(mess for mess, *_ in SHARES), "duplicate_contact", "erasure", "hard_delete",
        "closed_month_edit", "test_account", "future_date", "broken_row", "late_event",
        "resent_batch", "negative_seats",
    }  # fmt: skip


#: What the small company of every seed must have, or a test on it would prove nothing.
ALWAYS = {
    "duplicate_account", "duplicate_contact", "duplicate_invoice", "closed_month_edit",
    "hard_delete", "erasure", "crm_amount_differs", "orphan_workspace", "wrong_foreign_key",
    "test_account", "future_date", "broken_row", "chargeback", "refund", "failed_payment",
    "late_event", "resent_batch", "back_dated_cancellation", "back_dated_invoice",
    "negative_seats",
}  # fmt: skip


@pytest.mark.parametrize("seed", SEEDS)
def test_even_a_small_company_has_nearly_all_of_it(seed: int) -> None:
    assert ALWAYS - set(whole_small_world(seed).truth["truth_mess"]["mess"]) == set()


def test_a_later_horizon_only_adds_to_the_list() -> None:
    early, late = (
        shared(WorldConfig(size="small", seed=1, horizon=day, start=date(2022, 1, 1)), True)
        for day in (date(2025, 4, 17), date(2026, 1, 23))
    )
    kept = []
    for world in (early, late):
        rows = world.truth["truth_mess"]
        # How far back raw events reach, and who survives, depends on the horizon.
        rows = rows[~rows["object"].isin(["usage_events", "usage_monthly"])]
        rows = rows[(rows["mess"] != "orphan_workspace") | rows["other_id"].notna()]
        rows = rows[rows["planted_at"] < pd.Timestamp("2025-04-18", tz="UTC")]
        kept.append(rows.drop(columns="other_id").reset_index(drop=True))
    assert len(kept[0]) > 50
    pd.testing.assert_frame_equal(kept[0], kept[1], check_exact=True)


# --- money ----------------------------------------------------------------------------------------


def test_back_dated_cancellations_end_on_the_due_date_and_take_the_bill_back() -> None:
    world = demo_world()
    rows = listed(world, "back_dated_cancellation").set_index("record_id")
    subs = newest(world.tables["subscription_versions"], "subscription_id")
    subs = subs.set_index("subscription_id").loc[rows.index]
    terms = world.truth["truth_terms"].set_index("subscription_id").loc[rows.index]
    last = terms[~terms.index.duplicated(keep="last")]
    assert set(last["outcome"]) <= {"lost", "pending"}
    assert (last["due_on"] == subs["ended_at"].dt.tz_localize(None).dt.normalize()).all()
    assert not last["is_involuntary"].any()
    invoices = newest(world.tables["invoices"], "invoice_id")
    ended = invoices["subscription_id"].map(subs["ended_at"])
    after = invoices[invoices["period_start"] >= ended].set_index("invoice_id")
    assert len(after) == len(rows)
    assert set(after["status"]) == {"paid", "uncollectible"}
    notes = world.tables["credit_notes"].groupby("invoice_id")["amount"].sum()
    paid = after[(after["status"] == "paid") & (after["total"] > 0)]
    assert (notes.reindex(paid.index) == paid["amount_paid"]).all()
    # The CRM counted them as renewed on the day and was put right with the cancellation.
    deals = world.tables["opportunities"].query("opportunity_type == 'renewal' and is_closed")
    due = deals.merge(
        pd.DataFrame({"subscription_id": rows.index, "at": rows["planted_at"].to_numpy()}),
        on="subscription_id",
    )
    both = deals[deals["opportunity_id"].isin(due["opportunity_id"])]
    lost = both[~both["is_won"]].drop_duplicates("opportunity_id")
    assert len(lost) >= 0.9 * len(rows)
    assert (lost["loss_reason"].notna()).all()


def test_until_it_is_entered_nobody_knows_of_a_cancellation() -> None:
    start = date(2022, 1, 1)
    late = small_world(1, date(2026, 6, 30), start)
    row = listed(late, "back_dated_cancellation").iloc[0]
    due = date.fromisoformat(row["detail"].removeprefix("ended "))
    then = small_world(1, due + timedelta(days=2), start)
    assert then.config.last_day < row["planted_at"].date()
    terms = then.truth["truth_terms"].set_index("subscription_id").loc[[row["record_id"]]]
    renewed, after = terms["outcome"].tolist()[-2:]
    assert renewed.startswith("renewed_")
    assert after == "open"
    # By month: who holds a subscription after a merger is another matter.
    money = derived_month_ends(then).groupby("month")["mrr_usd"].sum().astype(float)
    truth = then.truth["truth_mrr"].groupby("month")["mrr_usd"].sum()
    assert (truth - money).abs().max() < 1e-6


def test_an_invoice_sent_again_repeats_the_first_and_is_taken_back_or_marked() -> None:
    invoices = newest(demo_world().tables["invoices"], "invoice_id").set_index("invoice_id")
    again = invoices[invoices["duplicate_of"].notna()]
    first = invoices.loc[list(again["duplicate_of"])]
    for column in ("total", "currency", "billing_customer_id", "period_start", "period_end"):
        assert (again[column].to_numpy() == first[column].to_numpy()).all(), column
    closed = again[again["created_at"] < pd.Timestamp("2026-11-01", tz="UTC")]
    assert set(closed["status"]) == {"void", "uncollectible"}
    marked = closed[closed["status"] == "uncollectible"]
    assert (marked["metadata_duplicate_of"] == marked["duplicate_of"]).all()
    assert 0.2 < len(marked) / len(closed) < 0.4
    assert closed.loc[closed["status"] == "void", "metadata_duplicate_of"].isna().all()


def test_anchors_on_leap_days_and_on_the_31st_keep_to_one_rule() -> None:
    found = 0
    for world in (demo_world(), *map(small_world, SEEDS)):
        subs = newest(world.tables["subscription_versions"], "subscription_id")
        anchor = subs.set_index("subscription_id")["billing_cycle_anchor"].dt.tz_localize(None)
        terms = world.truth["truth_terms"]
        on = terms["subscription_id"].map(anchor)
        leap = terms[(on.dt.month == 2) & (on.dt.day == 29)]
        found += len(leap)
        assert (leap["due_on"].dt.day == leap["due_on"].dt.days_in_month).all()
        long = terms[on.dt.day == 31]
        assert len(long) > 2
        assert (long["due_on"].dt.day == long["due_on"].dt.days_in_month).all()
    assert found > 30


def test_a_bought_child_keeps_its_contracts() -> None:
    world = demo_world()
    bought = listed(world, "parent_buys_child").set_index("record_id")
    accounts = newest(world.tables["accounts"], "account_id").set_index("account_id")
    child = accounts.loc[bought.index]
    assert (child["parent_account_id"] == bought["other_id"]).all()
    assert bought["other_id"].isin(accounts.index).all()
    assert not (bought.index == bought["other_id"]).any()
    merged = set(world.truth["truth_merges"]["losing_account_id"])
    moves = world.truth["truth_movements"].query("movement_type == 'merge_transfer'")
    assert not moves["account_id"].isin(set(bought.index) - merged - set(
        world.truth["truth_merges"]["surviving_account_id"])).any()  # fmt: skip


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_a_customer_can_always_be_found_from_one_side(seed: int) -> None:
    tables = small_world(seed).tables
    customers = newest(tables["billing_customers"], "billing_customer_id")
    accounts = newest(tables["accounts"], "account_id").set_index("account_id")
    says = customers["metadata_account_id"].eq(customers["account_id"]) & ~customers["is_deleted"]
    typed = customers["account_id"].map(accounts["crm_billing_customer_id"])
    assert (says | typed.eq(customers["billing_customer_id"])).all()
    assert not customers.loc[~says, "metadata_account_id"].isin(
        set(accounts.index) - set(customers.loc[customers["is_deleted"], "account_id"])
    ).any()  # fmt: skip
    nowhere = listed(small_world(seed), "wrong_foreign_key")["other_id"]
    real = {*accounts.index, *customers["billing_customer_id"],
            *tables["subscription_versions"]["subscription_id"]}  # fmt: skip
    assert not nowhere.isin(real).any()
    lost = listed(small_world(seed), "orphan_workspace")["record_id"]
    assert not lost.isin(accounts["workspace_id"]).any()


def test_only_listed_deals_differ_from_billing() -> None:
    world = demo_world()
    deals = newest(world.tables["opportunities"], "opportunity_id")
    won = deals.query("is_won and billing_amount.notna()")
    differs = set(won.loc[won["amount"] != won["billing_amount"], "opportunity_id"])
    assert differs == set(listed(world, "crm_amount_differs")["record_id"])
    ratio = won.loc[won["opportunity_id"].isin(differs)]
    assert np.allclose(ratio["amount"] / ratio["billing_amount"], 1.1, atol=0.001)


def test_deals_name_campaigns_that_somebody_answered_before() -> None:
    tables = middling_world().tables
    deals = tables["opportunities"].drop_duplicates("opportunity_id").dropna(subset="campaign_id")
    assert len(deals) > 30
    people = tables["contacts"].drop_duplicates("contact_id").set_index("contact_id")["account_id"]
    answers = tables["campaign_members"].query("has_responded")
    answers = answers.assign(account_id=answers["contact_id"].map(people))
    both = deals.merge(answers, on=["account_id", "campaign_id"], suffixes=("", "_answer"))
    in_time = both[both["version_at_answer"] <= both["created_at"]]
    assert set(in_time["opportunity_id"]) == set(deals["opportunity_id"])


def test_recommendations_help_deals_of_others_that_were_open() -> None:
    tables = middling_world().tables
    acts = tables["advocacy_acts"].dropna(subset="opportunity_id")
    assert len(acts) > 20
    assert set(acts["act_type"]) == {"reference_call", "referral"}
    versions = tables["opportunities"]
    deals = versions.drop_duplicates("opportunity_id").set_index("opportunity_id")
    shut = versions[versions["is_closed"]].drop_duplicates("opportunity_id")
    closed = acts["opportunity_id"].map(shut.set_index("opportunity_id")["version_at"])
    opened = acts["opportunity_id"].map(deals["created_at"])
    day = acts["occurred_on"].dt.tz_localize("UTC")
    assert (opened < day + pd.Timedelta(days=1)).all()
    assert ((closed > day) | closed.isna()).all()
    assert (acts["opportunity_id"].map(deals["account_id"]) != acts["account_id"]).all()


# --- people ---------------------------------------------------------------------------------------


def test_pairs_hold_one_person_each_and_every_duplicate() -> None:
    truth = middling_world().truth
    pairs, mess = truth["truth_people_pairs"], listed(middling_world(), "duplicate_contact")
    person = truth["truth_people"].drop_duplicates("contact_id").set_index("contact_id")
    one, two = (pairs[c].map(person["person_id"]) for c in ("contact_id", "other_contact_id"))
    assert (one == two).all()
    assert not pairs.duplicated(["contact_id", "other_contact_id"]).any()
    records = person[person.index.isin(middling_world().tables["contacts"]["contact_id"])]
    many = records["person_id"].value_counts()
    assert len(pairs) == (many * (many - 1) // 2).sum()
    told = {frozenset(p) for p in zip(pairs["contact_id"], pairs["other_contact_id"], strict=True)}
    twice = {frozenset(p) for p in zip(mess["record_id"], mess["other_id"], strict=True)}
    assert twice <= told
    by = pairs.groupby("kind")["evidence"].value_counts(normalize=True)
    assert by["duplicate"].reindex(["merged", "same_mail", "tagged_mail"]).sum() > 0.95
    assert by["job_change", "former_contact"] > 0.6


def test_spells_are_whole_and_say_when_the_crm_heard() -> None:
    world = middling_world()
    spells = world.truth["truth_spells"]
    assert not spells.duplicated(["person_id", "account_id", "started_on"]).any()
    over = spells.dropna(subset="ended_on")
    assert (over["started_on"] < over["ended_on"]).all()
    assert (over["ended_on"] <= pd.Timestamp(world.config.last_day)).all()
    ordered = spells.sort_values(["person_id", "account_id", "started_on"])
    same = ordered.duplicated(["person_id", "account_id"])
    before = ordered["ended_on"].shift()
    assert (ordered["started_on"] > before)[same].all()
    heard = over["departure_known_at"].dt.tz_localize(None)
    assert 0.6 < heard.notna().mean() < 0.95
    assert (heard > over["ended_on"])[heard.notna()].all()
    moved = spells["person_id"].value_counts()
    assert 0.05 < (moved > 1).mean() < 0.4


def test_nothing_happens_to_a_record_that_is_gone_for_good() -> None:
    tables = middling_world().tables
    for name, key in (("contacts", "contact_id"), ("opportunities", "opportunity_id"),
                      ("activities", "activity_id"), ("cases", "case_id")):  # fmt: skip
        frame = tables[name]
        gone = frame[frame["is_purged"]].set_index(key)["version_at"]
        assert gone.index.is_unique
        assert (frame.groupby(key)["version_at"].max().loc[gone.index] == gone).all()
        assert frame.loc[frame["is_purged"], "is_deleted"].all()
        assert len(gone) > 3, name
    lost = tables["opportunities"].query("is_purged")
    # No deal that won money disappears: money can always be followed.
    assert not lost["is_won"].any()
