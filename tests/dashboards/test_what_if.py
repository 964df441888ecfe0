"""Sliders give what the warehouse's scenarios give: same formulas, same figures."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from dashboards import what_if
from dashboards.what_if import Growth

SEEDS = Path(__file__).resolve().parents[2] / "dbt_project" / "seeds"


def scenarios() -> dict[str, dict[str, str]]:
    """The scenarios of the seed by id, their inputs under their own names."""
    (path,) = SEEDS.rglob("scenario_definitions.csv")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        row["scenario_id"]: {**row, **dict(p.split("=") for p in row["inputs"].split(";"))}
        for row in rows
    }


def growth(row: dict[str, str]) -> Growth:
    periods, years = int(row["periods_per_year"]), int(row["years"])
    return Growth(float(row["growth"]), float(row["churn"]), periods, years)


@pytest.mark.parametrize(
    ("scenario", "answer"),
    [
        ("churn_30_three_years", lambda r: what_if.run_rate_lost(growth(r))),
        ("churn_30_annual_rates", lambda r: what_if.run_rate_lost(growth(r))),
        ("churn_30_monthly_rates", lambda r: what_if.run_rate_lost(growth(r))),
        ("churn_30_cumulative", lambda r: what_if.billings_lost(growth(r))),
        (
            "acv_100k_nrr_120",
            lambda r: what_if.payments_total(float(r["acv"]), float(r["nrr"]), int(r["years"])),
        ),
        (
            "bond_default_30",
            lambda r: what_if.bond_price(
                float(r["mrr"]), float(r["discount"]), float(r["default"]), int(r["years"])
            ),
        ),
        (
            "rip_and_replace_flat",
            lambda r: what_if.revenue_given_away(
                int(r["free_months"]), int(r["years"]), float(r["nrr"])
            ),
        ),
        (
            "payback_12_to_24",
            lambda r: what_if.payback_months(float(r["cac_multiple"]), float(r["gross_margin"])),
        ),
    ],
)
def test_a_slider_set_to_a_scenario_gives_its_figure(scenario: str, answer: object) -> None:
    row = scenarios()[scenario]
    assert callable(answer)
    assert answer(row) == pytest.approx(float(row["expected_value"]), abs=float(row["tolerance"]))


def test_lines_end_where_the_share_says() -> None:
    case = Growth(0.5, 0.3, 4, 3)
    ends = what_if.paths(case, 1000).groupby("line")["run_rate"].last()
    lost = 1 - ends["with churn"] / ends["without churn"]
    assert lost == pytest.approx(what_if.run_rate_lost(case))


def test_renewals_of_customers_who_differ_rise() -> None:
    # Fader and Hardie 2007, High End: retention of years 1 and 7.
    curve = what_if.renewal_curve(0.6681, 3.8061, 7)
    assert curve["rate"].iloc[0] == pytest.approx(0.851, abs=5e-4)
    assert curve["surviving"].iloc[-1] == pytest.approx(0.489, abs=5e-4)
    assert curve["rate"].is_monotonic_increasing
