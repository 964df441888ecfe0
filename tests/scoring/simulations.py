"""How often a method is right, counted over many simulated worlds.

Belongs here: levels of tests and coverage of intervals. Must not be here: what one world shows. The
name keeps this out of `make test`; `make truth` names the file.
"""

from __future__ import annotations

import numpy as np
import pytest

from scoring.actions import associate
from scoring.triggers import discover
from scoring.uplift import estimate
from tests.scoring.test_actions import quarter
from tests.scoring.test_triggers import company
from tests.scoring.test_uplift import COVARIATES, QUICK, programme


def test_the_idle_action_is_significant_in_at_most_seven_quarters_of_a_hundred() -> None:
    found = [associate(quarter(s), ["idle"]).iloc[0] for s in range(200)]
    called = np.array([bool(f["is_associated"]) for f in found])
    excluded = np.array([f["low"] > 1 or f["high"] < 1 for f in found])
    assert called.mean() <= 0.07
    # A test that never speaks would pass as well.
    assert called.mean() >= 0.01
    assert (called == excluded).mean() >= 0.99


def test_the_known_effect_lies_in_its_interval_as_often_as_promised() -> None:
    covered, estimates, truths = [], [], []
    for seed in range(40):
        table, truth = programme(seed)
        found = estimate(table, "is_enrolled", "is_kept", COVARIATES, config=QUICK)
        assert found.refusal is None
        # The naive difference has the wrong sign: the programme took on the weak accounts.
        assert found.naive < 0.05
        covered.append(found.low <= truth <= found.high)
        estimates.append(found.effect)
        truths.append(truth)
    assert sum(covered) >= 35
    assert np.mean(estimates) == pytest.approx(np.mean(truths), abs=0.015)


def test_an_idle_trigger_is_seldom_called_associated() -> None:
    p = np.concatenate([discover(*company(s))["p_value"].dropna().to_numpy() for s in range(30)])
    assert len(p) == 60
    assert np.mean(p <= 0.05) <= 0.1
    assert 0.35 < p.mean() < 0.65
