"""The same seed gives the same bytes, and a later horizon only appends."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from sample_company.world import WorldConfig, build_world
from sample_company.world.schema import TABLES
from tests.sample_company.world_core import small_world

EARLIER, LATER = date(2025, 3, 17), date(2026, 6, 30)
START = date(2021, 1, 1)
#: Truth is what is true as of the horizon; a pause may still turn into churn within 90 days, and a
#: contract that began is sometimes entered days later.
SETTLED = pd.Timestamp("2024-11-30")


@pytest.mark.parametrize("name", sorted(set(TABLES) - {"latent"}))
@pytest.mark.parametrize("seed", [1, 2])
def test_later_horizon_repeats_the_earlier_world(name: str, seed: int) -> None:
    early = small_world(seed, EARLIER, START).tables[name]
    late = small_world(seed, LATER, START).tables[name]
    clock = next((c for c in ("version_at", "known_at") if c in late), None)
    if clock is not None:
        late = late[late[clock] < pd.Timestamp("2025-03-18", tz="UTC")].reset_index(drop=True)
        assert len(early) > 0
    pd.testing.assert_frame_equal(early, late, check_exact=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_latent_state_of_past_months_does_not_change(seed: int) -> None:
    early, late = (small_world(seed, h, START).tables["latent"] for h in (EARLIER, LATER))
    late = late[late["month"] <= pd.Timestamp("2025-03-01")].reset_index(drop=True)
    pd.testing.assert_frame_equal(early, late, check_exact=True)


@pytest.mark.parametrize("name", ["truth_mrr", "truth_movements", "truth_renewals"])
@pytest.mark.parametrize("seed", [1, 2])
def test_settled_truth_does_not_change(name: str, seed: int) -> None:
    early, late = (small_world(seed, h, START).truth[name] for h in (EARLIER, LATER))
    clock = "decided_on" if name == "truth_renewals" else "month"
    frames = []
    for frame in (early, late):
        kept = frame[frame[clock] <= SETTLED].reset_index(drop=True)
        frames.append(kept.drop(columns="surviving_account_id", errors="ignore"))
    assert len(frames[0]) > 50
    pd.testing.assert_frame_equal(frames[0], frames[1], check_exact=True)


def test_final_outcomes_of_terms_do_not_change() -> None:
    early, late = (small_world(1, h, START).truth["truth_terms"] for h in (EARLIER, LATER))
    keys = ["subscription_id", "term_no"]
    final = early[(early["due_on"] <= pd.Timestamp("2024-12-31"))]
    both = final.merge(late, on=keys, suffixes=("", "_later"))
    assert len(both) == len(final) > 50
    for column in ("outcome", "due_arr_usd", "renewed_arr_usd", "due_on"):
        assert (both[column] == both[column + "_later"]).all()


def test_nothing_is_known_before_it_happens_or_after_the_horizon() -> None:
    world = small_world(1)
    end = pd.Timestamp(world.config.horizon_at)
    for name, frame in world.tables.items():
        for clock in ("version_at", "known_at"):
            if clock in frame:
                assert (frame[clock] <= end).all(), name


def test_wrong_configurations_are_refused() -> None:
    with pytest.raises(ValueError, match="accounts must be given"):
        WorldConfig(size="custom")
    with pytest.raises(ValueError, match="lies before the start"):
        WorldConfig(size="demo", horizon=date(2010, 1, 1))


@pytest.mark.parametrize("accounts", [1, 5, 60])
def test_a_company_may_be_very_small(accounts: int) -> None:
    config = WorldConfig(size="custom", accounts=accounts, seed=2, horizon=date(2016, 6, 30))
    world = build_world(config)
    assert len(world.truth["truth_mrr"]) > 0
    assert world.tables["contacts"]["account_id"].isin(world.tables["accounts"]["account_id"]).all()


def test_a_company_without_a_customer_is_refused() -> None:
    with pytest.raises(ValueError, match="has no customer yet on 2013-06-30: choose more"):
        build_world(WorldConfig(size="custom", accounts=1, horizon=date(2013, 6, 30)))
