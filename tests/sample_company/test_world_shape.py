"""The company has the shape that the marts need: who churns, why, and how much mess there is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sample_company.world.schema import CAUSES
from tests.sample_company.world_core import demo_world, newest


def auc(score: np.ndarray, label: np.ndarray) -> float:
    rank = pd.Series(score).rank().to_numpy()
    ones = label.sum()
    zeros = len(label) - ones
    return float((rank[label].sum() - ones * (ones + 1) / 2) / (ones * zeros))


@pytest.mark.parametrize(
    ("segment", "low", "high"),
    [("SMB", 0.21, 0.29), ("mid-market", 0.14, 0.21), ("enterprise", 0.03, 0.08)],
)
def test_logo_churn_a_year(segment: str, low: float, high: float) -> None:
    truth = demo_world().truth
    segments = truth["truth_accounts"].set_index("account_id")["segment"]
    mrr = truth["truth_mrr"]
    mrr = mrr[mrr["account_id"].map(segments) == segment]
    moves = truth["truth_movements"]
    lost = (moves["account_id"].map(segments) == segment) & (moves["movement_type"] == "churn")
    monthly = lost.sum() / (mrr["mrr_usd"] > 0).sum()
    assert low < 1 - (1 - monthly) ** 12 < high


def test_size_of_the_company() -> None:
    truth = demo_world().truth
    accounts, mrr = truth["truth_accounts"], truth["truth_mrr"]
    assert 1_350 < (accounts["kind"] == "customer").sum() < 1_700
    last = mrr[mrr["month"] == mrr["month"].max()]
    assert 500 < (last["mrr_usd"] > 0).sum() < 700


def test_oracle_knows_what_can_be_known_and_no_more() -> None:
    renewals = demo_world().truth["truth_renewals"]
    annual = renewals[~renewals["is_evergreen"]]
    assert 2_300 < len(annual) < 3_600
    lost = annual["is_lost"].to_numpy()
    assert 0.69 < auc(annual["p_lost"].to_numpy(), lost) < 0.77
    expected = annual["p_lost"].sum()
    spread = np.sqrt((annual["p_lost"] * (1 - annual["p_lost"])).sum())
    assert abs(lost.sum() - expected) < 4 * spread
    hazard = annual[[f"hazard_{c}" for c in CAUSES]].sum(axis=1)
    assert np.allclose(annual["p_lost"], 1 - np.exp(-hazard))


def test_disconnection_comes_first_and_is_hidden_by_excuses() -> None:
    lost = demo_world().truth["truth_renewals"].query("is_lost")
    causes = lost["cause"].value_counts(normalize=True)
    assert causes.index[0] == "disconnection"
    assert set(causes.index) == set(CAUSES)
    hidden = lost["stated_reason"] != lost["cause"]
    assert 0.27 < hidden.mean() < 0.36
    assert set(lost.loc[hidden, "stated_reason"]) == {"price_budget", "product_gap"}


@pytest.mark.parametrize(
    ("flag", "low", "high"),
    [
        ("has_plan_change", 0.07, 0.15),
        ("has_pause", 0.01, 0.05),
        ("has_reactivation", 0.015, 0.06),
        ("has_trial", 0.03, 0.07),
        ("has_free_ramp", 0.02, 0.05),
        ("is_merged_away", 0.004, 0.02),
        ("users_happy", 0.03, 0.07),
        ("is_silent", 0.04, 0.08),
    ],
)
def test_share_of_each_planted_shape(flag: str, low: float, high: float) -> None:
    accounts = demo_world().truth["truth_accounts"].query("kind == 'customer'")
    assert low < accounts[flag].mean() < high


def test_share_of_each_planted_mess() -> None:
    world = demo_world()
    accounts = world.truth["truth_accounts"]
    kinds = accounts["kind"].value_counts()
    real = kinds["customer"] + kinds["prospect"]
    assert 0.025 < kinds["duplicate"] / real < 0.055
    served = newest(world.tables["accounts"], "account_id")
    assert served.set_index("account_id")["is_test"].sum() == kinds["test"]
    invoices = newest(world.tables["invoices"], "invoice_id")
    manual = invoices[invoices["billing_reason"] == "manual"]
    charged = invoices[(invoices["billing_reason"] != "manual") & (invoices["total"] > 0)]
    assert 0.006 < (manual["status"] == "void").sum() / len(charged) < 0.014
    charges = newest(world.tables["charges"], "charge_id")
    troubled = charges["amount_refunded"].gt(0) | charges["is_disputed"]
    assert 0.008 < troubled.mean() < 0.025
    moves = world.truth["truth_movements"].query("movement_type == 'churn'")
    assert 0.01 < moves["is_involuntary"].mean() < 0.08
    terms = world.truth["truth_terms"]
    special = terms["outcome"].isin(["superseded", "renewed_late"]) | (terms["term_months"] > 12)
    assert 0.10 < special.mean() < 0.25
    deals = world.tables["opportunities"]
    won = deals[deals["is_won"] & (deals["opportunity_type"] == "new_business")]
    assert set(won["acquisition_cost_usd"].notna()) == {True}


def test_every_kind_of_movement_and_outcome_occurs() -> None:
    truth = demo_world().truth
    assert set(truth["truth_movements"]["movement_type"]) == {
        "new",
        "churn",
        "reactivation",
        "pause_out",
        "pause_in",
        "merge_transfer",
        "expansion",
        "contraction",
    }
    assert set(truth["truth_terms"]["outcome"]) == {
        "renewed_expanded",
        "renewed_flat",
        "renewed_contracted",
        "renewed_late",
        "lost",
        "pending",
        "superseded",
        "paused",
        "open",
    }


def test_anchors_on_the_31st_and_the_29th_of_february() -> None:
    versions = newest(demo_world().tables["subscription_versions"], "subscription_id")
    anchor = versions["billing_cycle_anchor"]
    assert (anchor.dt.day == 31).any()
    lines = demo_world().tables["invoice_lines"]
    regular = lines[~lines["is_proration"] & ~lines["is_one_off"]]
    regular = regular.merge(versions[["subscription_id", "billing_cycle_anchor", "trial_end"]])
    regular = regular[regular["period_start"] >= regular["billing_cycle_anchor"]]
    day = regular["billing_cycle_anchor"].dt.day
    clamped = np.minimum(day, regular["period_start"].dt.days_in_month)
    assert (regular["period_start"].dt.day == clamped).all()
    assert (day > regular["period_start"].dt.days_in_month).any()


def test_randomised_programme_has_a_real_effect_and_the_decoy_none() -> None:
    world = demo_world()
    assigned = world.tables["program_assignments"]
    assert set(assigned["program_key"]) == {"exec_sponsor", "newsletter", "health_review"}
    renewals = world.truth["truth_renewals"]
    annual = renewals[~renewals["is_evergreen"]]
    both = annual.merge(assigned, on="account_id")
    days = (both["decided_on"] - both["enrolled_on"]).dt.days
    both = both[days.between(0, 365)]
    risk = both.groupby(["program_key", "arm"])["p_lost"].mean()
    real = risk["exec_sponsor", "treated"] / risk["exec_sponsor", "control"]
    null = risk["newsletter", "treated"] / risk["newsletter", "control"]
    assert real < 0.75
    assert 0.85 < null < 1.18
    chosen = world.tables["program_assignments"].query("program_key == 'health_review'")
    assert set(chosen["arm"]) == {"treated"}


def test_sticky_feature_lowers_the_risk_and_its_decoy_only_seems_to() -> None:
    world = demo_world()
    renewals = world.truth["truth_renewals"].query("~is_evergreen")
    flags = world.truth["truth_accounts"].set_index("account_id")
    sticky = renewals["account_id"].map(flags["uses_sticky_feature"]).astype(bool)
    decoy = renewals["account_id"].map(flags["uses_decoy_feature"]).astype(bool)
    risk = renewals["p_lost"]
    assert risk[sticky].mean() / risk[~sticky].mean() < 0.85
    assert 0.80 < risk[decoy].mean() / risk[~decoy].mean() < 1.1


def test_real_trigger_trebles_expansions_and_the_decoy_does_not() -> None:
    tables = demo_world().tables
    latent = tables["latent"].query("is_active and not is_notice_given")
    deals = tables["opportunities"].query("opportunity_type == 'expansion'")
    month = deals["created_at"].dt.year * 12 + deals["created_at"].dt.month - 1 - 1970 * 12
    grown = pd.MultiIndex.from_arrays([deals["account_id"], month])
    here = pd.MultiIndex.from_arrays([latent["account_id"], latent["month_no"]])
    expands = here.isin(grown)

    def lift(kind: str) -> float:
        seen = tables["trigger_exposures"].query("trigger_type == @kind")
        on = seen["occurred_on"].dt.year * 12 + seen["occurred_on"].dt.month - 1 - 1970 * 12
        after = np.zeros(len(latent), dtype=bool)
        for months in range(4):
            after |= here.isin(pd.MultiIndex.from_arrays([seen["account_id"], on + months]))
        return float(expands[after].mean() / expands[~after].mean())

    assert 1.9 < lift("new_executive") < 3.6
    assert 0.7 < lift("office_move") < 1.35
