"""What one small company has too few cases for: effects of programmes, causes of losses.

Belongs here: shares and estimates that are held against the truth over all companies at once (an
interval of 95 % misses one time in twenty). Must not be here: what is exact in each company. The
name keeps this out of `make test`; `make truth` names the file.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from tests.truth.compare import losses_with_causes
from tests.truth.conftest import Case

#: Drawn by lot; the first one works, the second does nothing.
DRAWN = {"prog_exec_sponsor": "exec_sponsor", "prog_newsletter": "newsletter"}
#: Not drawn by lot, does nothing, and was given to those who were doing well.
CHOSEN = "prog_health_review"


def counted_with_truth(case: Case) -> pd.DataFrame:
    """Accounts counted in either arm, with what the programme does to the renewal counted.

    Returns:
        `program_id`, `arm`, `is_same` (the truth is about this very renewal) and `averted`, by how
        much the programme lowers the chance that it is lost. Nothing is averted for what is not the
        same: second contracts, which no programme touches, and losses decided upon but not yet told
        on the day of enrolment.
    """
    counted = case.rows(
        """
        select program_id, account_id, arm, falls_on from intermediate.int_program_outcomes
        where outcome_measure = 'next_renewal_kept' and counting = 'counted'
        """
    )
    counted = counted[counted["program_id"].isin(list(DRAWN))]
    counted = counted.assign(program_key=counted["program_id"].map(DRAWN))
    truth = case.truth("truth_programs")
    both = counted.merge(truth, on=["program_key", "account_id"], suffixes=("", "_true"))
    assert len(both) >= 0.98 * len(counted)
    both["is_same"] = both["falls_on"].dt.date.eq(both["due_on"].dt.date)
    averted = both["p_lost_without"] - both["p_lost_with"]
    both["averted"] = averted.where(both["is_same"], 0.0)
    return both[["program_id", "arm", "is_same", "averted"]]


@pytest.fixture(scope="module")
def counted(cases: Sequence[Case]) -> pd.DataFrame:
    """Accounts counted in all companies."""
    return pd.concat([counted_with_truth(case).assign(seed=case.seed) for case in cases])


@pytest.fixture(scope="module")
def results(cases: Sequence[Case], counted: pd.DataFrame) -> pd.DataFrame:
    """Estimates of all companies; `true` beside them is what the treated really gained."""
    sql = "select * from renewals.program_results where outcome_measure = 'next_renewal_kept'"
    found = pd.concat([case.rows(sql).assign(seed=case.seed) for case in cases])
    treated = counted[counted["arm"] == "treated"]
    true = treated.groupby(["seed", "program_id"])["averted"].mean().rename("true")
    return found.merge(true.reset_index(), on=["seed", "program_id"])


def pooled(estimates: pd.DataFrame) -> tuple[float, float, float]:
    """Mean of estimates weighted by the inverse of their variance, and its 95 % interval."""
    error = (estimates["uplift_high"] - estimates["uplift_low"]) / (2 * 1.959964)
    weights = 1 / error**2
    mean = float((estimates["uplift"] * weights).sum() / weights.sum())
    half = 1.959964 / float(np.sqrt(weights.sum()))
    return mean, mean - half, mean + half


def test_the_renewal_counted_is_the_one_that_is_next(counted: pd.DataFrame) -> None:
    assert len(counted) > 300
    assert counted["is_same"].mean() >= 0.95


def test_the_truth_is_that_one_works_and_one_does_not(results: pd.DataFrame) -> None:
    true = results.groupby("program_id")["true"]
    assert true.min()["prog_exec_sponsor"] > 0.03
    assert true.max()["prog_newsletter"] == 0


def test_intervals_cover_the_truth(results: pd.DataFrame, cases: Sequence[Case]) -> None:
    assert len(results) == 2 * len(cases)
    assert results["refusal_reason"].isna().all()
    covers = results["uplift_low"].le(results["true"]) & results["uplift_high"].ge(results["true"])
    shown = ["seed", "program_id", "uplift_low", "uplift", "uplift_high", "true"]
    assert covers.sum() >= len(results) - 1, results[shown].to_string()


@pytest.mark.parametrize("program_id", DRAWN)
def test_all_companies_together_show_the_truth(results: pd.DataFrame, program_id: str) -> None:
    one = results[results["program_id"] == program_id]
    weights = one["accounts_treated"]
    true = float((one["true"] * weights).sum() / weights.sum())
    mean, low, high = pooled(one)
    assert low <= true <= high, (low, mean, high, true)


def test_what_was_not_drawn_is_refused_though_it_looks_good(cases: Sequence[Case]) -> None:
    flattered = []
    for case in cases:
        found = case.rows(
            f"select * from renewals.program_results where program_id = '{CHOSEN}'"
            " and outcome_measure in ('next_renewal_kept', 'paying_after_12_months')"
        )
        assert set(found["refusal_reason"]) == {"not_randomised"}
        assert found[["uplift", "uplift_low", "uplift_high"]].isna().all(axis=None)
        assert found["accounts_treated"].ge(20).all()
        flattered.append(found.set_index("outcome_measure")["naive_difference"])
    # Who compares with all the others believes in a programme that does nothing.
    assert pd.concat(flattered, axis=1).mean(axis=1).gt(0.03).all(), flattered


@pytest.fixture(scope="module")
def losses(cases: Sequence[Case]) -> pd.DataFrame:
    """Losses of all companies with their true causes."""
    sql = "select * from renewals.departure_drivers"
    return pd.concat(
        [losses_with_causes(case.rows(sql), case.truth("truth_renewals")) for case in cases],
        ignore_index=True,
    )


def test_evidence_is_right_more_often_than_what_was_said(losses: pd.DataFrame) -> None:
    right = {
        column: int(losses[column].eq(losses["cause"]).sum())
        for column in ("driver_stated", "driver_evidenced")
    }
    assert len(losses) > 75
    assert right["driver_evidenced"] > right["driver_stated"], (right, len(losses))


def test_excuses_were_seldom_the_cause(losses: pd.DataFrame) -> None:
    """Words that the evidence overruled were wrong more often than those it let stand."""
    known = losses[losses["stated_matches_evidence"].notna()]
    stands = known["stated_matches_evidence"].astype(bool)
    true = known["driver_stated"].eq(known["cause"])
    assert (~stands).sum() > 10
    assert true[~stands].mean() < 0.5 < true[stands].mean(), (true[~stands].mean(),)


def test_disconnection_comes_first(losses: pd.DataFrame) -> None:
    """By losses and by money, in truth and on the evidence."""
    for column in ("cause", "driver_evidenced"):
        by_driver = losses.groupby(column)["lost_arr_usd"].agg(["size", "sum"])
        for measure in ("size", "sum"):
            first = by_driver[measure].astype(float).sort_values().index[-1]
            assert str(first) == "disconnection", by_driver.to_string()
