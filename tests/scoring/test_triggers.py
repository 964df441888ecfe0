from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from scoring import triggers
from scoring.errors import FrameError, ScoringError
from scoring.triggers import TriggerConfig, conditional_poisson, discover

START = pd.Timestamp("2022-01-01")
DAYS = 1095
ACCOUNTS = 250
Frames = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def company(seed: int, ratio: float = 1.0) -> Frames:
    """Lively accounts have more events and more outcomes; only `funding` changes the rate."""
    rng = np.random.default_rng(seed)
    lively = rng.gamma(1.0, 1.0, ACCOUNTS)
    events, outcomes = [], []
    for a in range(ACCOUNTS):
        daily = np.full(DAYS, 0.0015 * lively[a])
        for name, weight in (("funding", 1.0), ("hiring", 1.5)):
            for day in rng.integers(0, DAYS, rng.poisson(weight * lively[a])):
                events.append((f"a{a}", name, day))
                if name == "funding":
                    daily[day + 1 : day + 91] = 0.0015 * lively[a] * ratio
        outcomes += [(f"a{a}", day) for day in np.flatnonzero(rng.random(DAYS) < daily)]
    events += [(f"a{k}", "merger", 500) for k in range(6)]
    event = pd.DataFrame(events, columns=["account_id", "trigger_type", "day"])
    outcome = pd.DataFrame(outcomes, columns=["account_id", "day"])
    observed = pd.DataFrame({"account_id": [f"a{a}" for a in range(ACCOUNTS)]}).assign(
        observed_from=START, observed_to=START + pd.Timedelta(days=DAYS - 1)
    )
    for frame in (event, outcome):
        frame["occurred_on"] = START + pd.to_timedelta(frame["day"], "D")
    return event, outcome, observed


@pytest.mark.parametrize("control", [triggers.BEFORE, triggers.OTHER])
def test_the_planted_trigger_is_found_and_the_idle_one_is_not(control: str) -> None:
    found = discover(*company(3, ratio=2.5), TriggerConfig(control=control))
    found = found.set_index("trigger_type")
    funding = found.loc["funding"]
    assert funding["low"] < 2.5 < funding["high"]
    assert funding["rate_ratio"] > 1.6
    assert funding["is_associated"]
    assert not found.loc["hiring", "is_associated"]


def test_too_few_windows_are_refused_with_the_reason() -> None:
    found = discover(*company(3)).set_index("trigger_type")
    assert found.loc["merger", "refusal"] == "6 exposed windows; 20 are needed"
    assert np.isnan(found.loc["merger", "rate_ratio"])
    assert np.isnan(found.loc["merger", "q_value"])
    assert not found.loc["merger", "is_associated"]
    strict = discover(*company(3), TriggerConfig(min_outcomes=10_000))
    assert strict["refusal"].str.contains("needed").all()


def test_one_stratum_is_the_plain_ratio_of_rates() -> None:
    one = {"n1": 6.0, "n0": 4.0, "t1": 30.0, "t0": 60.0}
    found = conditional_poisson(*(np.array([v]) for v in one.values()))
    assert found["rate_ratio"] == pytest.approx((6 / 30) / (4 / 60))
    never = conditional_poisson(
        np.array([5.0, 6.0]), np.zeros(2), np.array([9.0, 9.0]), np.array([9.0, 9.0])
    )
    assert never["rate_ratio"] == pytest.approx(11.5 / 0.5)
    assert np.isfinite(float(str(never["high"])))


def test_days_count_once_and_only_while_observed() -> None:
    observed = pd.DataFrame(
        {"account_id": ["a"], "observed_from": ["2024-01-01"], "observed_to": ["2024-03-31"]}
    )
    events = pd.DataFrame(
        {
            "account_id": ["a", "a", "stranger"],
            "trigger_type": ["t", "t", "t"],
            "occurred_on": ["2024-01-11", "2024-01-16", "2024-01-16"],
        }
    )
    outcomes = pd.DataFrame({"account_id": ["a", "a"], "occurred_on": ["2024-01-16", "2024-01-20"]})
    row = discover(events, outcomes, observed, TriggerConfig(window_days=30)).iloc[0]
    # 12 January to 15 February, in two overlapping windows; ten days before the first event.
    assert (row["windows"], row["days_after"], row["days_control"]) == (2, 35, 10)
    assert (row["outcomes_after"], row["outcomes_control"]) == (2, 0)


def test_what_ends_an_account_cannot_be_its_own_control() -> None:
    events, outcomes, observed = company(1)
    lost = observed.assign(occurred_on=observed["observed_to"])
    with pytest.raises(ScoringError, match="end their account's observation"):
        discover(events, lost, observed)
    with pytest.raises(FrameError, match="an account twice"):
        discover(events, outcomes, pd.concat([observed, observed]))
    with pytest.raises(FrameError, match="events lacks columns: trigger_type"):
        discover(events.drop(columns="trigger_type"), outcomes, observed)
    assert discover(events.head(0), outcomes, observed).empty
