from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scoring.arrays import sigmoid
from scoring.errors import FrameError
from scoring.uplift import UpliftConfig, estimate

COVARIATES = ["health", "spend", "segment"]
QUICK = UpliftConfig(with_trees=False)


def programme(
    seed: int, n: int = 2000, effect: float = 0.6, pull: float = 0.8
) -> tuple[pd.DataFrame, float]:
    """Weak accounts are enrolled more often and kept less often; and the true mean effect."""
    rng = np.random.default_rng(seed)
    health, spend = rng.normal(size=n), rng.normal(size=n)
    small = rng.random(n) < 0.4
    chance = sigmoid(-0.3 - pull * health + 0.4 * pull * small)
    a = (rng.random(n) < chance).astype(int)
    base = 0.5 + 1.0 * health + 0.3 * spend - 0.5 * small
    y = (rng.random(n) < sigmoid(base + effect * a)).astype(int)
    table = pd.DataFrame(
        {
            "account": [f"a{k}" for k in range(n)],
            "health": health,
            "spend": np.where(rng.random(n) < 0.1, np.nan, spend),
            "segment": np.where(small, "SMB", "enterprise"),
            "is_enrolled": a,
            "is_kept": y,
        }
    )
    return table, float(np.mean(sigmoid(base + effect) - sigmoid(base)))


def test_no_effect_is_called_none_with_trees_in_the_blend() -> None:
    table, _ = programme(3, effect=0.0)
    found = estimate(table, "is_enrolled", "is_kept", COVARIATES, groups="account")
    assert found.refusal is None
    assert found.low < 0.0 < found.high
    assert found.naive < found.low
    assert found.balance["smd_before"].max() > 0.4
    assert found.balance["smd_after"].max() <= 0.1
    assert 50 < found.ess_control <= found.control


def test_without_overlap_it_is_refused() -> None:
    table, _ = programme(4, n=800, pull=8.0)
    found = estimate(table, "is_enrolled", "is_kept", COVARIATES, config=QUICK)
    assert found.refusal is not None
    assert np.isnan(found.effect)
    assert np.isnan(found.low)
    assert found.overlap_share < 0.6


def test_too_few_to_say_is_refused_by_their_effective_size() -> None:
    table, _ = programme(5, n=80, pull=0.2)
    found = estimate(table, "is_enrolled", "is_kept", COVARIATES, config=QUICK)
    assert found.refusal is not None
    assert "effective sample size of the treated" in found.refusal
    decided = programme(6)[0]
    decided["region"] = np.where(decided["is_enrolled"] == 1, "north", "south")
    other = estimate(decided, "is_enrolled", "is_kept", [*COVARIATES, "region"], config=QUICK)
    assert other.refusal is not None
    assert "'region = " in other.refusal


def test_rows_said_twice_do_not_narrow_the_interval() -> None:
    table, _ = programme(8, n=1000)
    twice = pd.concat([table, table], ignore_index=True)
    once = estimate(table, "is_enrolled", "is_kept", COVARIATES, config=QUICK)
    again = estimate(twice, "is_enrolled", "is_kept", COVARIATES, groups="account", config=QUICK)
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=0.1)
    assert estimate(table, "is_enrolled", "is_kept", COVARIATES, config=QUICK).effect == once.effect


def test_misuse_is_named() -> None:
    table, _ = programme(1, n=100)
    with pytest.raises(FrameError, match="lacks columns: gone"):
        estimate(table, "is_enrolled", "is_kept", ["gone"])
    with pytest.raises(FrameError, match="name some"):
        estimate(table, "is_enrolled", "is_kept", [])
    with pytest.raises(FrameError, match="cannot be covariates"):
        estimate(table, "is_enrolled", "is_kept", ["is_kept"])
    with pytest.raises(FrameError, match="'is_kept' holds values other"):
        estimate(table.assign(is_kept=0.5), "is_enrolled", "is_kept", COVARIATES)
    with pytest.raises(FrameError, match="0 treated rows"):
        estimate(table.assign(is_enrolled=0), "is_enrolled", "is_kept", COVARIATES)
