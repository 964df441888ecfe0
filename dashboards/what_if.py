"""What-if answers, by the formulas that also value the customers.

Belongs here: putting numbers into the warehouse's own macros (`dbt_project/macros/value/`), which
stay the only place where the formulas are written. Must not be here: a formula. A macro is rendered
to SQL as dbt does it and computed by DuckDB, so a slider set to a scenario of `value.scenarios`
gives its figure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import duckdb
import jinja2
import pandas as pd

MACROS = Path(__file__).resolve().parents[1] / "dbt_project" / "macros" / "value"
FILES = ("money_over_time.sql", "shifted_beta_geometric.sql")


@dataclass(frozen=True)
class Growth:
    """How a book grows and leaks.

    Attributes:
        growth: new business a year over the book at the start of a period, simple (0-1).
        churn: loss a year, likewise (0-1).
        periods_per_year: how often both are compounded.
        years: how far to look.
    """

    growth: float
    churn: float
    periods_per_year: int
    years: int


def run_rate_lost(case: Growth) -> float:
    """Return the share (0-1) by which churn lowers the run-rate at the end of the last year."""
    return _compute("run_rate_lost", case.growth, case.churn, case.periods_per_year, case.years)


def billings_lost(case: Growth) -> float:
    """Return the share (0-1) by which churn lowers all billings of the years."""
    return _compute("billings_lost", case.growth, case.churn, case.periods_per_year, case.years)


def paths(case: Growth, start: float) -> pd.DataFrame:
    """Return the run-rate by quarter of a year, with churn and without.

    One row a time and line: years (from now), line, run_rate (in the unit of `start`).
    """
    rows = []
    for line, churn in (("without churn", 0.0), ("with churn", case.churn)):
        factor = _compute("growth_factor", case.growth, churn, case.periods_per_year)
        for period in range(case.years * case.periods_per_year + 1):
            years = period / case.periods_per_year
            rows.append({"years": years, "line": line, "run_rate": start * factor**period})
    return pd.DataFrame(rows)


def bond_price(mrr: float, discount_rate: float, default_rate: float, years: int) -> float:
    """Return the price (USD) of a coupon a month that ends at default; rates a year (0-1)."""
    return _compute("bond_price", mrr, discount_rate, default_rate, years)


def bond_prices(mrr: float, discount_rate: float, years: int) -> pd.DataFrame:
    """Return the bond price for default rates of 0 to 40 % a year: default_rate, price (USD)."""
    rates = [step / 50 for step in range(21)]
    prices = [bond_price(mrr, discount_rate, rate, years) for rate in rates]
    return pd.DataFrame({"default_rate": rates, "price": prices})


def payments_total(first_payment: float, net_retention: float, years: int) -> float:
    """Return the sum (USD) of yearly payments, each later one grown by net retention (1 = kept)."""
    return _compute("payments_total", first_payment, net_retention, years)


def payback_months(cac_multiple: float, gross_margin: float) -> float:
    """Return months until gross profit earned back an acquisition cost, given in years of ACV."""
    return _compute("payback_months", cac_multiple * 12.0, 1.0, gross_margin)


def revenue_given_away(free_months: int, years: int, net_retention: float) -> float:
    """Return the share (0-1) of the years' revenue that free months at the start give away."""
    return _compute("revenue_given_away", free_months, years, net_retention)


def renewal_curve(alpha: float, beta: float, renewals: int = 10) -> pd.DataFrame:
    """Return renewals of customers who differ (shifted-beta-geometric), from the first on.

    One row a renewal: renewal (1 is the first), rate (0-1), surviving (0-1, after it).
    """
    surviving, rows = 1.0, []
    for renewal in range(1, renewals + 1):
        rate = _compute("sbg_renewal_rate", alpha, beta, float(renewal))
        surviving *= rate
        rows.append({"renewal": renewal, "rate": rate, "surviving": surviving})
    return pd.DataFrame(rows)


@lru_cache(maxsize=4096)
def _compute(macro: str, *arguments: float) -> float:
    sql = getattr(_macros(), macro)(*[_literal(value) for value in arguments])
    with _engine().cursor() as cursor:
        row = cursor.execute(f"select cast({sql} as double)").fetchone()
    if row is None or row[0] is None:
        raise ValueError(f"{macro}{arguments} has no value: is a rate or duration zero?")
    return float(row[0])


def _literal(value: float) -> str:
    return f"cast({value!r} as double)"


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Something to compute with; it holds no table. Every use takes a cursor of its own."""
    return duckdb.connect(":memory:", config={"threads": 1})


@cache
def _macros() -> Any:
    """All macros of FILES as one module, rendered without anything of dbt."""
    environment = jinja2.Environment(autoescape=False, undefined=jinja2.StrictUndefined)  # noqa: S701
    # Later macros are only defined here: what of dbt they name is never called.
    text = "\n".join((MACROS / name).read_text(encoding="utf-8") for name in FILES)
    return environment.from_string(text).module
