"""Keyed random numbers, identifiers and the calendar."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from sample_company.clock import anniversary, days_in_month, month_of, to_dates
from sample_company.ids import salesforce_ids, stripe_ids
from sample_company.rng import Rng
from sample_company.world import WorldConfig, build_world
from sample_company.world.billing import round_div
from sample_company.world.names import company_names
from sample_company.world.schema import TABLES, TRUTH


def test_draws_depend_on_keys_and_not_on_company() -> None:
    rng = Rng(7)
    many = rng.uniform("x", np.arange(1_000), 5)
    assert np.array_equal(many[[3, 997]], rng.uniform("x", np.array([3, 997]), 5))
    assert not np.array_equal(many, rng.uniform("y", np.arange(1_000), 5))
    assert not np.array_equal(many, rng.uniform("x", np.arange(1_000), 6))
    assert not np.array_equal(many, Rng(8).uniform("x", np.arange(1_000), 5))


def test_distributions_have_their_moments() -> None:
    rng, keys = Rng(1), np.arange(200_000)
    uniform = rng.uniform("u", keys)
    assert uniform.min() > 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.003
    normal = rng.normal("n", keys)
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    whole = rng.integers("i", 3, 7, keys)
    assert set(np.unique(whole)) == {3, 4, 5, 6}
    share = np.bincount(rng.choice("c", (0.2, 0.3, 0.5), keys)) / len(keys)
    assert np.allclose(share, (0.2, 0.3, 0.5), atol=0.005)
    drawn = np.array([rng.poisson("p", 2.5, k)[0] for k in range(5_000)])
    assert abs(drawn.mean() - 2.5) < 0.1
    assert abs(rng.poisson("big", 400.0, keys).mean() - 400) < 1


def test_salesforce_ids_carry_the_documented_checksum() -> None:
    ids = salesforce_ids("001", Rng(1).u64("k", np.arange(5_000)))
    assert len(set(ids)) == 5_000
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    for value in ids[:200]:
        assert len(value) == 18
        assert value.startswith("001")
        tail = "".join(
            alphabet[sum(c.isupper() << k for k, c in enumerate(value[j : j + 5]))]
            for j in (0, 5, 10)
        )
        assert value[15:] == tail


def test_stripe_ids_have_prefix_and_length() -> None:
    ids = stripe_ids("sub_", Rng(1).u64("k", np.arange(50_000)))
    assert len(set(ids)) == 50_000
    assert {len(i) for i in ids} == {28}


def test_anniversary_returns_to_the_original_day() -> None:
    months = month_of(date(2024, 1, 1)) + np.arange(4)
    days = to_dates(anniversary(months, 31, 3_600)).strftime("%m-%d").tolist()
    assert days == ["01-31", "02-29", "03-31", "04-30"]
    leap = month_of(date(2024, 2, 1)) + 12 * np.arange(5)
    days = to_dates(anniversary(leap, 29, 0)).strftime("%Y-%m-%d").tolist()
    assert days == ["2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]
    assert days_in_month(month_of(date(2023, 2, 1))) == 28


def test_round_div_rounds_half_away_from_zero() -> None:
    assert round_div([5, -5, 4, -4, 15], [10, 10, 10, 10, 10]).tolist() == [1, -1, 0, 0, 2]


def test_company_domains_are_unique() -> None:
    index = np.arange(20_000)
    currency = np.full(len(index), "USD", dtype=object)
    _, domains = company_names(index, currency)
    assert len(set(domains)) == len(index)


@pytest.mark.parametrize("accounts", [20, 3_000])
def test_other_sizes_fill_every_table(accounts: int) -> None:
    world = build_world(
        WorldConfig(size="custom", accounts=accounts, horizon=date(2014, 6, 10)), observables=False
    )
    assert set(TABLES) == set(world.tables)
    assert {*TRUTH, "truth_mess"} == set(world.truth)
    customers = (world.truth["truth_accounts"]["kind"] == "customer").sum()
    assert customers < accounts
    assert len(world.tables["invoice_lines"]) >= customers
