"""Which model serves a month after an upgrade: champion, challenger, refresh."""

from __future__ import annotations

import dataclasses
import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import scoring
from scoring import monthly, multiple, registry
from scoring.config import MultipleConfig, TrainConfig, TreeParams
from scoring.errors import ScoringError
from tests.scoring.worlds import AS_OF, SCORED_AT, with_losses, with_multiples, world

LAST_MONTH = dt.date(2025, 5, 31)
FEW_TREES = TreeParams(30, 8, 3, 0.1, 5.0, 30)
QUICK = TrainConfig(replicates=0, origins=4, trees=FEW_TREES, tiny_trees=FEW_TREES)
SIGNALS = ["f_usage__decline_28d", "f_relationship__two_way_90d"]
HEAD = "next_renewal"


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return world(accounts=320, base=-2.0, strength=2.0)


@pytest.fixture
def upgraded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Today's parameters of the head, which are not those that the champion was trained with."""
    head = dataclasses.replace(scoring.HEADS[HEAD], config=QUICK)
    monkeypatch.setitem(scoring.HEADS, HEAD, head)


def serve(models: Path, frame: pd.DataFrame, config: TrainConfig) -> scoring.Model:
    """A champion of the month before."""
    model = scoring.train(frame, HEAD, LAST_MONTH, config)
    registry.save(models, model)
    registry.consider(models, model, SCORED_AT)
    return model


def of_this_month(models: Path, frame: pd.DataFrame) -> tuple[scoring.Model, bool]:
    model, is_new = monthly.model_of(models, frame, HEAD, AS_OF, SCORED_AT)
    assert isinstance(model, scoring.Model)
    assert model.cutoff == AS_OF
    return model, is_new


def reasons(models: Path, head: str = HEAD) -> list[str]:
    return [d.reason for d in registry.promotions(models, head)]


@pytest.mark.usefixtures("upgraded")
def test_a_challenger_that_is_no_better_does_not_serve_its_own_month(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    champion = dataclasses.replace(QUICK, ridge_c=0.06)
    serve(tmp_path, frame, champion)
    model, is_new = of_this_month(tmp_path, frame)
    assert (is_new, model.config) == (True, champion)
    assert reasons(tmp_path) == ["first", "not_better", "refresh"]
    refused = registry.promotions(tmp_path, HEAD)[1]
    assert refused.comparison is not None
    assert refused.comparison["high"] >= 0.0
    # The same night again: what serves is found, and nothing is decided twice.
    again, is_new = of_this_month(tmp_path, frame)
    assert (is_new, again.version) == (False, model.version)
    assert reasons(tmp_path) == ["first", "not_better", "refresh"]


@pytest.mark.usefixtures("upgraded")
def test_a_night_killed_after_the_refusal_goes_on_with_the_champion(
    tmp_path: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(tmp_path, frame, dataclasses.replace(QUICK, ridge_c=0.06))
    consider, calls = registry.consider, []

    def killed(*given: object) -> registry.Promotion:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return consider(*given)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(registry, "consider", killed)
        with pytest.raises(KeyboardInterrupt):
            of_this_month(tmp_path, frame)
    model, _ = of_this_month(tmp_path, frame)
    assert model.config.ridge_c == 0.06
    assert registry.version_at(tmp_path, HEAD, AS_OF) == model.version
    assert "better" not in reasons(tmp_path)


@pytest.mark.usefixtures("upgraded")
def test_a_challenger_that_is_better_serves(tmp_path: Path) -> None:
    frame = world(accounts=550, base=-2.0, strength=3.0)
    blind = frame.drop(columns=SIGNALS)
    serve(tmp_path, blind, QUICK)
    model, _ = of_this_month(tmp_path, frame)
    assert set(SIGNALS) <= set(model.spec.columns)
    assert reasons(tmp_path) == ["first", "better"]


@pytest.mark.usefixtures("upgraded")
def test_a_champion_that_cannot_go_on_is_replaced(tmp_path: Path, frame: pd.DataFrame) -> None:
    old = frame.rename(columns={"f_usage__breadth": "f_usage__width"})
    serve(tmp_path, old, QUICK)
    model, _ = of_this_month(tmp_path, frame)
    assert "f_usage__breadth" in model.spec.columns
    assert reasons(tmp_path) == ["first", "succeeds"]


@pytest.mark.usefixtures("upgraded")
def test_without_an_outcome_to_compare_by_the_champion_goes_on(tmp_path: Path) -> None:
    frame = with_losses(5, accounts=100)
    champion = dataclasses.replace(QUICK, ridge_c=0.06)
    serve(tmp_path, frame, champion)
    model, _ = of_this_month(tmp_path, frame)
    assert (model.serves, model.config) == ("segment_rate", champion)
    assert reasons(tmp_path) == ["first", "not_compared", "refresh"]


def test_the_multiple_is_challenged_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = with_multiples(world(accounts=220), strength=0.12)
    weak = MultipleConfig(origins=1, ridge_strength=400.0, trees=TreeParams(1, 2, 1, 1e-4, 5.0, 10))
    model = multiple.train(frame, LAST_MONTH, weak)
    registry.save(tmp_path, model)
    registry.consider(tmp_path, model, SCORED_AT)
    better, is_new = monthly.model_of(tmp_path, frame, multiple.HEAD, AS_OF, SCORED_AT)
    assert is_new
    assert better.config == MultipleConfig()
    assert reasons(tmp_path, multiple.HEAD) == ["first", "better"]


def test_a_comparison_of_two_alike_says_so() -> None:
    frame = with_multiples(world(accounts=150), strength=0.12)
    config = MultipleConfig(origins=1)
    same = multiple.compare(frame, AS_OF, config, config).difference
    assert (same.estimate, same.low, same.high) == (0.0, 0.0, 0.0)
    few = frame[frame["account_id"] < "001000010"]
    with pytest.raises(ScoringError, match="too few renewals"):
        multiple.compare(few, AS_OF, config, config)
    assert np.isfinite(same.estimate)
