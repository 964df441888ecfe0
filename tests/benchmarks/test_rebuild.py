"""What benchmarks rely on: exponents, copies under other keys, what is rebuilt of what."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from benchmarks import growth, rebuild
from benchmarks.copies import copy_tables, own_keys
from benchmarks.people import people
from benchmarks.process import measured
from benchmarks.revenue import REVENUE
from orchestration.dbt import load_manifest


@pytest.mark.parametrize(("power", "factor"), [(0.5, 3.0), (1.0, 0.2), (2.0, 7.0)])
def test_an_exponent_is_the_power_whatever_the_factor(power: float, factor: float) -> None:
    sizes = [1_000.0, 10_000.0, 25_000.0]
    figures = [factor * size**power for size in sizes]
    assert growth.exponents(sizes, figures) == pytest.approx([power, power])


def test_what_costs_the_same_at_any_size_does_not_grow() -> None:
    assert growth.exponent((10, 3.0), (100, 3.0)) == 0


@pytest.mark.parametrize("point", [(0.0, 1.0), (10.0, 0.0), (5.0, 2.0)])
def test_growth_needs_two_sizes_and_figures_that_are_something(point: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="size"):
        growth.exponent((5.0, 1.0), point)


def test_the_slowest_at_the_last_size_come_first() -> None:
    times = [{"a": 1.0, "b": 2.0}, {"a": 9.0, "b": 3.0, "c": 1.0}]
    assert growth.ranked(times, 2) == [("a", [1.0, 9.0]), ("b", [2.0, 3.0])]
    assert growth.ranked(times, 3)[-1] == ("c", [None, 1.0])


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """A company with a merger, a bill without an account and a price list."""
    database = tmp_path / "company.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("create schema inputs")
        for name, rows in {
            "bills": "('b1', 'a1', 'p1', 10.25), ('b2', 'a2', 'p1', 5), ('b3', null, 'p2', 1)",
            "accounts": "('a1', null, 'x', 0), ('a2', 'a1', 'y', 0)",
            "prices": "('p1', 'pro', 'm', 0), ('p2', 'pro', 'y', 0)",
        }.items():
            columns = {
                "bills": "bill_id, account_id, price_id, amount",
                "accounts": "account_id, parent_account_id, segment, n",
                "prices": "price_id, plan_id, interval, n",
            }[name]
            sql = f"create table inputs.{name} as select * from (values {rows}) as t ({columns})"
            connection.execute(sql)
    return database


def test_copies_multiply_rows_and_sums_and_keep_keys_unique(company: Path, tmp_path: Path) -> None:
    target = tmp_path / "many.duckdb"
    copy_tables(company, target, [("inputs", "bills"), ("inputs", "accounts")], 7)
    with duckdb.connect(str(target), read_only=True) as connection:
        bills = connection.execute(
            "select count(*), count(distinct bill_id), sum(amount), count(account_id), "
            "count(distinct price_id) from inputs.bills"
        ).fetchall()
        assert bills == [(21, 21, 7 * 16.25, 14, 2)]
        # Each copy refers to its own account, and its accounts to one another.
        held = connection.execute(
            "select count(*), count(distinct accounts.account_id) from inputs.bills as bills "
            "inner join inputs.accounts as accounts using (account_id) "
        ).fetchall()
        assert held == [(14, 14)]
        families = connection.execute(
            "select count(*) from inputs.accounts as child "
            "inner join inputs.accounts as parent on child.parent_account_id = parent.account_id "
            "where split_part(child.account_id, '!', 2) = split_part(parent.account_id, '!', 2)"
        ).fetchall()
        assert families == [(7,)]


def test_what_all_companies_share_stays_single(company: Path, tmp_path: Path) -> None:
    target = tmp_path / "many.duckdb"
    copy_tables(company, target, [("inputs", "prices")], 5)
    with (
        duckdb.connect(str(target), read_only=True) as many,
        duckdb.connect(str(company), read_only=True) as one,
    ):
        sql = "select * from inputs.prices order by all"
        assert many.execute(sql).fetchall() == one.execute(sql).fetchall()
    assert own_keys(["price_id", "subscription_id", "status", "plan_id"]) == ["subscription_id"]


def test_nothing_is_written_over_or_copied_no_times(company: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        copy_tables(company, company, [("inputs", "prices")], 2)
    with pytest.raises(ValueError, match="not 0"):
        copy_tables(company, tmp_path / "none.duckdb", [("inputs", "prices")], 0)


def _node(path: str) -> dict[str, str]:
    folder, name = path.removesuffix(".sql").split("/")[-2:]
    kind = "seed" if path.endswith(".csv") else "model"
    return {
        "resource_type": kind,
        "original_file_path": path,
        "schema": folder,
        "name": name.removesuffix(".csv"),
    }


def test_the_scope_reaches_down_to_what_is_given_and_not_beneath() -> None:
    paths = {
        "retention": "models/marts/cohorts/revenue_retention.sql",
        "touches": "models/intermediate/touch/int_touches.sql",
        "usage": "models/intermediate/usage/int_usage_account_months.sql",
        "windows": "models/intermediate/usage/int_usage_windows.sql",
        "activities": "models/inputs/crm/input_activities.sql",
        "landed": "models/staging/crm/stg_task.sql",
        "value": "models/marts/value/customer_value.sql",
        "thresholds": "seeds/revenue/thresholds.csv",
    }
    parents = {
        "retention": ["touches", "usage", "thresholds"],
        "touches": ["activities", "source.tenure.anything"],
        "usage": ["windows"],
        "activities": ["landed"],
        "value": ["retention"],
    }
    scope = rebuild.find_scope(
        {
            "nodes": {key: _node(path) for key, path in paths.items()},
            "parent_map": {key: parents.get(key, []) for key in paths},
        },
        REVENUE.asked,
        REVENUE.given,
    )
    assert set(scope.names) == {"revenue_retention", "int_touches"}
    assert {name for _, name in scope.given} == {
        "int_usage_account_months",
        "input_activities",
        "thresholds",
    }


def test_work_is_done_and_measured_in_a_process_of_its_own() -> None:
    held = measured(eval, "len(b'x' * 200_000_000)")
    other = measured(os.getpid)
    assert held.result == 200_000_000 < held.peak_bytes
    # What this process has held of its own does not count.
    assert other.peak_bytes < 100_000_000
    assert other.result != os.getpid()
    assert 0.0 < other.cpu_seconds < held.cpu_seconds
    assert other.seconds > 0


def test_each_model_is_measured_once_and_every_mart_of_theirs_is() -> None:
    manifest = load_manifest()
    revenue, rest = (
        set(rebuild.find_scope(manifest, one.asked, one.given).names) for one in (REVENUE, people())
    )
    assert not revenue & rest
    marts = {
        node["name"]
        for node in manifest["nodes"].values()
        if node["original_file_path"].startswith(
            ("models/marts/cohorts/", "models/marts/renewals/", "models/marts/value/")
        )
        and node["resource_type"] == "model"
    }
    assert marts <= revenue | rest
