"""What a programme does to the renewal due next, held against the decisions that were made."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from sample_company.world import World
from tests.sample_company.world_core import demo_world, small_world


@pytest.fixture(scope="module")
def world() -> World:
    """The large company: a small one has few enrolments of each kind."""
    return demo_world()


@pytest.fixture(scope="module")
def enrolled(world: World) -> pd.DataFrame:
    """Enrolments whose next renewal was open and came due since, with the chance it really had."""
    rows = world.truth["truth_programs"]
    rows = rows[rows["due_on"].notna() & rows["due_on"].le(pd.Timestamp(world.config.last_day))]
    merged = {*world.truth["truth_merges"]["losing_account_id"]}
    rows = rows[~rows["account_id"].isin(merged) & rows["program_key"].eq("exec_sponsor")]
    had = np.where(rows["arm"] == "treated", rows["p_lost_with"], rows["p_lost_without"])
    return rows.assign(p_lost=had).reset_index(drop=True)


def decisions(world: World, enrolled: pd.DataFrame, *, is_evergreen: bool) -> pd.DataFrame:
    """Decisions made from the enrolment on about the renewal that was due next."""
    made = world.truth["truth_renewals"]
    made = made[made["is_evergreen"].eq(is_evergreen)]
    both = enrolled.merge(made, on="account_id", suffixes=("", "_made"))
    both = both[both["due_on_made"].le(both["due_on"]) & both["decided_on"].gt(both["enrolled_on"])]
    if not is_evergreen:
        return both[both["due_on_made"].eq(both["due_on"])]
    # What takes effect in the month of enrolment was drawn in the month before, if told later.
    return both[both["due_on_made"].ge(both["enrolled_on"] + pd.DateOffset(months=1))]


def test_every_assignment_has_its_truth(world: World) -> None:
    keys = ["program_key", "account_id", "arm", "enrolled_on"]
    served = world.tables["program_assignments"][keys].sort_values(keys, ignore_index=True)
    known = world.truth["truth_programs"]
    pd.testing.assert_frame_equal(served, known[keys].sort_values(keys, ignore_index=True))
    assert known["p_lost_with"].notna().eq(known["due_on"].notna()).all()


def test_only_the_helpful_one_changes_anything(world: World) -> None:
    rows = world.truth["truth_programs"].dropna(subset=["due_on"])
    helps = rows["p_lost_without"] - rows["p_lost_with"]
    helpful = rows["program_key"].eq("exec_sponsor")
    assert helps[~helpful].eq(0).all()
    assert helps[helpful & rows["p_lost_without"].gt(0)].gt(0).all()
    # The hazard falls to 55 %, so the log of the chance to stay does, over any number of decisions.
    stays = np.log1p(-rows.loc[helpful, ["p_lost_with", "p_lost_without"]])
    np.testing.assert_allclose(
        stays["p_lost_with"], 0.55 * stays["p_lost_without"], rtol=1e-9, atol=1e-15
    )


def test_a_term_is_decided_with_the_chance_foreseen(world: World, enrolled: pd.DataFrame) -> None:
    made = decisions(world, enrolled, is_evergreen=False)
    assert set(made["arm"]) == {"treated", "control"}
    assert len(made) > 300
    np.testing.assert_allclose(made["p_lost"], made["p_lost_made"], rtol=1e-12)


def test_a_rolling_contract_stays_with_the_chance_foreseen(
    world: World, enrolled: pd.DataFrame
) -> None:
    made = decisions(world, enrolled, is_evergreen=True)
    made = made.assign(stays=np.log1p(-made["p_lost_made"]))
    over = made.groupby(["account_id", "enrolled_on"]).agg(
        months=("stays", "size"), stays=("stays", "sum"), is_lost=("is_lost", "max"),
        foreseen=("p_lost", "first"), due_on=("due_on", "first"),
    ).reset_index()  # fmt: skip
    months = (over["due_on"].dt.year - over["enrolled_on"].dt.year) * 12
    months += over["due_on"].dt.month - over["enrolled_on"].dt.month
    # Who left, paused or was merged on the way did not make every decision.
    whole = over[~over["is_lost"] & over["months"].eq(months)]
    assert len(whole) > 200
    np.testing.assert_allclose(1 - np.exp(whole["stays"]), whole["foreseen"], rtol=1e-9)


def test_a_later_horizon_only_appends() -> None:
    start = date(2021, 1, 1)
    early = small_world(1, date(2025, 3, 17), start).truth["truth_programs"]
    late = small_world(1, date(2026, 6, 30), start).truth["truth_programs"]
    assert 0 < len(early) < len(late)
    pd.testing.assert_frame_equal(early, late.iloc[: len(early)], check_exact=True)
