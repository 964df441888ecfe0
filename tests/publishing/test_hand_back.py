"""What goes back into the CRM: who changed since the night before, and nobody else."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from publishing.hand_back import FILE, hand_back
from publishing.publish import MartContract, publish

COLUMNS = {
    "account_id": "varchar",
    "band": "varchar",
    "p_lost_next_renewal": "double",
    "expected_loss_arr_usd": "decimal(18, 2)",
    "is_at_risk": "boolean",
    "next_due_on": "date",
    "reason_1": "varchar",
    "action_plan_id": "varchar",
    "plan_type": "varchar",
    "plan_owner_id": "varchar",
    "plan_due_on": "date",
}
CONTRACTS = [MartContract("renewals", "churn_risk", COLUMNS)]
CALM = {
    "band": "low",
    "p_lost_next_renewal": 0.1,
    "expected_loss_arr_usd": "12.50",
    "is_at_risk": False,
    "next_due_on": "2026-06-30",
    "reason_1": 'fewer "power users", associated with a higher risk of loss',
}
PLANNED = CALM | {"action_plan_id": "p1", "plan_type": "save", "plan_owner_id": "e1"}


class Nights:
    """A warehouse whose one mart is filled and published night by night."""

    def __init__(self, home: Path) -> None:
        self.warehouse = home / "warehouse" / "tenure.duckdb"
        self.published = home / "published"
        self.warehouse.parent.mkdir()

    def fill(self, accounts: dict[str, dict[str, Any]], columns: dict[str, str]) -> None:
        declared = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute("create schema if not exists renewals")
            connection.execute(f"create or replace table renewals.churn_risk ({declared})")
            for account, values in accounts.items():
                row = [account, *(values.get(name) for name in list(columns)[1:])]
                marks = ", ".join("?" for _ in row)
                connection.execute(f"insert into renewals.churn_risk values ({marks})", row)

    def run(self, day: int, **accounts: dict[str, Any]) -> dict[str, dict[str, str]]:
        """Publishes a night as the asset does; returns its rows by account."""
        self.fill(accounts, COLUMNS)
        as_of = date(2026, 1, day)
        back = hand_back(self.warehouse, self.published, as_of)
        night = publish(
            self.warehouse,
            self.published,
            CONTRACTS,
            as_of=as_of,
            run_id=f"run{day}",
            beside={FILE: back.text},
        )
        lines = list(csv.DictReader(io.StringIO((night.path / FILE).read_text())))
        assert len(lines) == back.rows
        return {line["account_id"]: line for line in lines}


@pytest.fixture
def nights(tmp_path: Path) -> Nights:
    return Nights(tmp_path)


def test_without_a_night_before_everybody_goes_back(nights: Nights) -> None:
    rows = nights.run(1, a=CALM, b=PLANNED)
    assert {account: row["change"] for account, row in rows.items()} == {"a": "first", "b": "first"}
    assert rows["b"] == {
        "account_id": "b",
        "as_of_on": "2026-01-01",
        "change": "first",
        "risk_band": "low",
        "p_lost_next_renewal": "0.1",
        "expected_loss_arr_usd": "12.50",
        "is_at_risk": "false",
        "next_due_on": "2026-06-30",
        "reason": CALM["reason_1"],
        "plan_id": "p1",
        "plan_type": "save",
        "plan_owner_id": "e1",
        "plan_due_on": "",
        "risk_band_before": "",
        "plan_id_before": "",
    }


def test_only_a_changed_band_or_plan_goes_back(nights: Nights) -> None:
    nights.run(
        1, still=CALM, rose=CALM, planned=CALM, handed_over=PLANNED, closed=PLANNED, both=CALM
    )
    rows = nights.run(
        2,
        still=CALM | {"p_lost_next_renewal": 0.19, "expected_loss_arr_usd": "20.00"},
        rose=CALM | {"band": "high", "is_at_risk": True},
        planned=PLANNED,
        handed_over=PLANNED | {"plan_owner_id": "e2"},
        closed=CALM,
        both=PLANNED | {"band": "high"},
    )
    changes = {account: row["change"] for account, row in rows.items()}
    assert changes == {
        "rose": "band", "planned": "plan", "handed_over": "plan", "closed": "plan",
        "both": "band;plan",
    }  # fmt: skip
    assert (rows["rose"]["risk_band_before"], rows["rose"]["risk_band"]) == ("low", "high")
    assert (rows["closed"]["plan_id_before"], rows["closed"]["plan_id"]) == ("p1", "")


def test_who_came_and_who_is_gone_are_told(nights: Nights) -> None:
    nights.run(1, stays=CALM, leaves=PLANNED)
    rows = nights.run(2, stays=CALM, comes=CALM | {"band": None, "p_lost_next_renewal": None})
    assert {account: row["change"] for account, row in rows.items()} == {
        "comes": "new",
        "leaves": "gone",
    }
    gone = rows["leaves"]
    assert (gone["as_of_on"], gone["risk_band_before"], gone["plan_id_before"]) == (
        "2026-01-02", "low", "p1",
    )  # fmt: skip
    assert (gone["risk_band"], gone["plan_id"], rows["comes"]["risk_band"]) == ("", "", "")


def test_a_night_built_again_hands_back_the_same(nights: Nights) -> None:
    nights.run(1, a=CALM, b=CALM)
    first = nights.run(2, a=CALM | {"band": "high"}, b=CALM)
    assert nights.run(2, a=CALM | {"band": "high"}, b=CALM) == first
    assert list(first) == ["a"]
    # A past night built anew compares with what was before it, not with what came after.
    assert {row["change"] for row in nights.run(1, a=CALM, b=CALM).values()} == {"first"}
    assert nights.run(4, a=CALM | {"band": "high"}, b=CALM) == {}


def test_a_night_of_an_older_version_is_no_night_to_compare_with(nights: Nights) -> None:
    old = {name: kind for name, kind in COLUMNS.items() if name != "plan_type"}
    nights.fill({"a": CALM}, old)
    publish(
        nights.warehouse,
        nights.published,
        [MartContract("renewals", "churn_risk", old)],
        as_of=date(2026, 1, 1),
        run_id="old",
    )
    assert nights.run(2, a=CALM)["a"]["change"] == "first"
