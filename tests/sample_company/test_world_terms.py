from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.sample_company.world_core import (
    WORLDS,
    demo_world,
    newest,
    pauses_from_invoices,
    world_of,
)

RENEWED = ("renewed_expanded", "renewed_flat", "renewed_contracted")


@pytest.mark.parametrize(("size", "seed"), WORLDS)
def test_every_term_has_one_outcome_and_terms_follow_each_other(size: str, seed: int) -> None:
    world = world_of(size, seed)
    terms = world.truth["truth_terms"].sort_values(["subscription_id", "start_on"])
    assert not terms.duplicated(["subscription_id", "start_on"]).any()
    assert terms["outcome"].notna().all()
    follows = terms["subscription_id"] == terms["subscription_id"].shift()
    assert (terms["start_on"] == terms["due_on"].shift())[follows].all()
    goes_on = follows.shift(-1, fill_value=False)
    assert set(terms.loc[goes_on, "outcome"]) <= {*RENEWED, "paused"}
    # A term that was renewed is followed by another one of the same subscription.
    stopped = terms[~goes_on]
    ended = stopped["outcome"].isin(["lost", "superseded", "renewed_late", "pending", "open"])
    assert ended.all()


@pytest.mark.parametrize(("size", "seed"), WORLDS)
def test_outcomes_follow_from_what_billing_serves(size: str, seed: int) -> None:
    world = world_of(size, seed)
    terms = world.truth["truth_terms"]
    subs = newest(world.tables["subscription_versions"], "subscription_id")
    subs = subs.set_index("subscription_id")
    now = pd.Timestamp(world.config.horizon_at)
    today = pd.Timestamp(world.config.last_day)
    end = terms["subscription_id"].map(subs["ended_at"])
    end_on = end.dt.tz_localize(None).dt.normalize()
    heirs = subs.dropna(subset="metadata_replaces_subscription_id")
    heir = heirs.set_index("metadata_replaces_subscription_id")["start_at"]
    heir_on = terms["subscription_id"].map(heir).dt.tz_localize(None).dt.normalize()
    over = end.notna() & (end <= now) & (end_on <= terms["due_on"])
    within = heir_on <= terms["due_on"] + pd.Timedelta(days=60)
    expected = np.select(
        [
            over & (heir_on <= terms["due_on"]),
            over & within,
            over & (end_on == terms["due_on"]) & (today <= terms["due_on"] + pd.Timedelta(days=59)),
            over,
            terms["due_on"] > today,
        ],
        ["superseded", "renewed_late", "pending", "lost", "open"],
        "continued",
    )
    truth = terms["outcome"].where(~terms["outcome"].isin([*RENEWED, "paused"]), "continued")
    at_limit = (today - terms["due_on"]).dt.days.between(60, 60)
    assert (truth[~at_limit] == expected[~at_limit.to_numpy()]).all()


def test_renewed_money_orders_the_outcomes() -> None:
    terms = demo_world().truth["truth_terms"].set_index("outcome")
    more = terms.loc["renewed_expanded"]
    assert (more["renewed_arr_usd"] > more["due_arr_usd"]).all()
    less = terms.loc["renewed_contracted"]
    assert (less["renewed_arr_usd"] < less["due_arr_usd"]).all()
    flat = terms.loc["renewed_flat"]
    assert (less["renewed_arr_usd"] > 0).mean() > 0.9
    assert (flat["renewed_arr_usd"] == flat["due_arr_usd"]).all()
    assert (terms.loc["lost", "renewed_arr_usd"] == 0).all()
    assert terms.loc["lost", "renewed_on"].isna().all()
    for outcome in ("renewed_late", "superseded"):
        assert terms.loc[outcome, "next_subscription_id"].notna().all()


def test_every_loss_of_the_oracle_ends_a_term() -> None:
    world = demo_world()
    lost = world.truth["truth_renewals"].query("is_lost")
    due = lost[lost["due_on"] <= pd.Timestamp(world.config.last_day)]
    terms = world.truth["truth_terms"].set_index("subscription_id")
    outcome = terms[terms["ended_on"].notna()]["outcome"].reindex(due["subscription_id"])
    assert set(outcome) == {"lost", "pending"}


def test_long_pauses_are_churn_at_their_start_and_short_ones_are_pauses() -> None:
    world = demo_world()
    pauses = pauses_from_invoices(world)
    subs = newest(world.tables["subscription_versions"], "subscription_id")
    account = subs.set_index("subscription_id")["metadata_account_id"]
    pauses["account_id"] = pauses["subscription_id"].map(account)
    month_end = pd.offsets.MonthEnd(0)
    start = pauses["start"].dt.tz_localize(None).dt.normalize()
    pauses["month"] = (start + month_end).astype("datetime64[s]")
    now = pd.Timestamp(world.config.horizon_at)
    lasted = (pauses["end"].clip(upper=now) - pauses["start"]) > pd.Timedelta(days=90)
    found = pauses.merge(world.truth["truth_movements"], on=["account_id", "month"])
    found = found[found["movement_type"].isin(["churn", "pause_out"])]
    found = found.set_index("subscription_id")["movement_type"]
    done = pauses[pauses["month"] <= world.truth["truth_mrr"]["month"].max()]
    expected = pd.Series(np.where(lasted, "churn", "pause_out"), index=pauses["subscription_id"])
    assert set(expected) == {"churn", "pause_out"}
    assert len(found) >= len(done) - 1
    assert (
        found.groupby(level=0).first()
        == expected.groupby(level=0).first()[found.index.unique().sort_values()]
    ).all()


def test_a_customer_who_returns_without_a_link_returns_after_the_grace() -> None:
    world = demo_world()
    subs = newest(world.tables["subscription_versions"], "subscription_id")
    subs = subs[subs["metadata_replaces_subscription_id"].isna()]
    subs = subs.sort_values(["metadata_account_id", "start_at"])
    terms = world.truth["truth_terms"]
    last_due = terms.groupby("subscription_id")["due_on"].max()
    returns = world.tables["opportunities"].query("opportunity_type == 'win_back'")
    back = subs[subs["subscription_id"].isin(returns["subscription_id"])]
    assert len(back) > 20
    for row in back.itertuples():
        before = subs[
            (subs["metadata_account_id"] == row.metadata_account_id)
            & (subs["start_at"] < row.start_at)
        ]
        due = before["subscription_id"].map(last_due).max()
        if not pd.isna(due):
            assert row.start_at.tz_localize(None) - due > pd.Timedelta(days=60)
