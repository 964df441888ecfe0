"""What the pictures say is counted right, and they are drawn small and the same every time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sample_company import plots
from sample_company.world import World
from tests.sample_company.world_core import middling_world


def company(paid: dict[str, list[float]], segment: str = "SMB") -> Any:
    """A company of a few payers; one list of monthly payments each, from December 2023."""
    months = pd.date_range("2023-12-31", periods=max(map(len, paid.values())), freq="ME")
    rows = [
        {"surviving_account_id": name, "account_id": name, "month": month, "mrr_usd": mrr}
        for name, values in paid.items()
        for month, mrr in zip(months, values, strict=False)
    ]
    accounts = pd.DataFrame({"account_id": list(paid), "segment": segment})
    return SimpleNamespace(truth={"truth_mrr": pd.DataFrame(rows), "truth_accounts": accounts})


@pytest.fixture(scope="module")
def world() -> World:
    return middling_world()


def test_churn_and_retention_of_a_year(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "_FEW", 2)
    paid = {"stays": [100.0] * 13, "leaves": [100.0] * 6 + [0.0] * 7,
            "grows": [100.0] * 6 + [200.0] * 7, "comes": [0.0] * 6 + [900.0] * 7}  # fmt: skip
    rates = plots.churn_and_nrr(company(paid)).iloc[0]
    assert (rates["year"], rates["customers"]) == (2024, 3)
    assert rates["churn"] == pytest.approx(1 / 3)
    assert rates["nrr"] == pytest.approx(1.0)


def test_survival_is_the_product_limit_and_a_pause_is_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(plots, "_FEW", 1)
    paid = {"leaves": [1.0, 1.0, 0.0, 0.0], "pauses": [1.0, 0.0, 1.0, 1.0],
            "young": [0.0, 0.0, 0.0, 1.0]}  # fmt: skip
    curve = plots.survival(company(paid)).set_index("month")["share"]
    # Three at risk after a month, then two, of whom one leaves.
    assert curve.loc[[1, 2, 3, 4]].tolist() == pytest.approx([1.0, 0.5, 0.5, 0.5])


def test_the_company_looks_like_one(world: World) -> None:
    rates = plots.churn_and_nrr(world).groupby("segment")
    churn = rates.apply(lambda r: np.average(r["churn"], weights=r["customers"]))
    assert 0.17 < churn["SMB"] < 0.33
    assert churn["mid-market"] < churn["SMB"]
    causes = plots.causes_of_loss(world).set_index("cause")
    assert causes["true"].idxmax() == "disconnection"
    assert causes.loc["price_budget", "stated"] > 1.5 * causes.loc["price_budget", "true"]
    share = plots.usage_by_hour(world)
    assert share.sum() == pytest.approx(1.0)
    assert share[5:].sum() < 0.05
    assert share[:, 9:17].sum() > 0.6
    assert share[:5, 12].sum() < share[:5, 10].sum(), "no lunch break"
    season = plots.renewals_by_month(world)
    assert season[["kept", "lost"]].to_numpy().sum() == pytest.approx(1.0)


def test_pictures_are_small_and_the_same_every_time(world: World, tmp_path: Path) -> None:
    first = list(plots.draw_all(world, tmp_path / "a"))
    again = list(plots.draw_all(world, tmp_path / "b"))
    assert len(first) == 6
    for one, other in zip(first, again, strict=True):
        assert one.name == other.name
        assert one.stat().st_size < 100_000
        assert one.read_bytes() == other.read_bytes(), one.name
