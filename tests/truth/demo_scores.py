"""Scores of the large company against the oracle, which knows the chance of each loss.

Belongs here: models trained as the night trains them, judged on later time. Must not be here: how
models are fitted, see `tests/scoring`. The name keeps this out of `make test`: only the large
company has losses enough, and `make truth` names the file.

Three models, each trained on what was known three, two and one year before the last day, score the
month-ends of the year that follows. A renewal is looked at 90 days before it is due, where the
product looks; the oracle's chance is that of the day on which it was decided.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

import scoring
from scoring.evaluation import auc, ece
from tests.truth.conftest import Case

HEAD = "next_renewal"
YEARS = (3, 2, 1)
LEAD_DAYS = 90
SCORED_AT = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def features(case: Case) -> pd.DataFrame:
    """The features as they leave the warehouse."""
    return case.rows(
        "select * from intermediate.int_account_features order by account_id, observed_on"
    )


@pytest.fixture(scope="module")
def bands(case: Case) -> pd.DataFrame:
    """The cut-offs of the risk bands."""
    return case.rows("select * from seeds.risk_bands")


def cutoffs(last_day: date) -> list[tuple[date, date]]:
    """Month-end up to which each model learns, and the last day that it scores."""
    month_start = pd.Timestamp(last_day).replace(day=1)
    ends = [month_start - pd.DateOffset(years=n) - pd.Timedelta(days=1) for n in (*YEARS, 0)]
    return [(a.date(), b.date()) for a, b in pairwise(ends)]


def walk_forward(
    features: pd.DataFrame, bands: pd.DataFrame, spans: list[tuple[date, date]]
) -> pd.DataFrame:
    """Scores of each month-end by the model that was trained before its year.

    Returns:
        The features' keys and labels with `p`, one row an account and month-end.
    """
    parts = []
    observed = features["observed_on"].drop_duplicates().sort_values()
    for learned_to, last in spans:
        model = scoring.train(features, HEAD, learned_to)
        for day in observed[observed.between(pd.Timestamp(learned_to), pd.Timestamp(last))][1:]:
            scores = scoring.score(
                model, features, day.date(), bands=bands, scored_at=SCORED_AT, run_id="truth",
                is_backfill=True,
            )  # fmt: skip
            parts.append(scores[["account_id", "p"]].assign(observed_on=day))
    keys = ["account_id", "observed_on", "next_due_on", "label_is_lost"]
    return pd.concat(parts).merge(features[keys], on=["account_id", "observed_on"])


def at_lead(scores: pd.DataFrame) -> pd.DataFrame:
    """The month-end nearest to 90 days before each renewal, at most half a month away."""
    due = pd.to_datetime(scores["next_due_on"])
    away = (due - scores["observed_on"] - pd.Timedelta(days=LEAD_DAYS)).abs()
    near = scores.assign(due_on=due, away=away)[away <= pd.Timedelta(days=16)]
    return near.sort_values("away", kind="stable").drop_duplicates(["account_id", "due_on"])


def with_oracle(case: Case, scores: pd.DataFrame) -> pd.DataFrame:
    """Decided renewals of contracts with a term, with outcome and true chance."""
    survivor = case.truth("truth_accounts").set_index("account_id")["surviving_account_id"]
    truth = case.truth("truth_renewals")
    truth = truth[~truth["is_evergreen"]]
    truth = truth.assign(account_id=truth["account_id"].map(survivor))
    columns = ["account_id", "due_on", "p_lost", "is_lost"]
    # Of accounts that merged, two contracts may be due on one day.
    known = truth[columns].drop_duplicates(["account_id", "due_on"], keep=False)
    both = at_lead(scores).merge(known, on=["account_id", "due_on"])
    return both[both["label_is_lost"].notna()]


@pytest.fixture(scope="module")
def judged(case: Case, features: pd.DataFrame, bands: pd.DataFrame) -> pd.DataFrame:
    """Renewals of three years, scored before and decided since."""
    return with_oracle(case, walk_forward(features, bands, cutoffs(case.as_of)))


def test_labels_are_what_happened(judged: pd.DataFrame) -> None:
    assert len(judged) > 500
    assert judged["label_is_lost"].astype(bool).eq(judged["is_lost"]).mean() > 0.99


def test_ranking_comes_near_the_oracle_and_never_past_it(judged: pd.DataFrame) -> None:
    lost = judged["is_lost"].to_numpy(dtype=float)
    reached = auc(lost, judged["p"].to_numpy(dtype=float))
    oracle = auc(lost, judged["p_lost"].to_numpy(dtype=float))
    # Past the oracle there is nothing to know but the outcome itself.
    assert oracle - 0.05 <= reached <= oracle + 0.02, (reached, oracle)


def test_scores_mean_what_they_say(judged: pd.DataFrame) -> None:
    error = ece(judged["is_lost"].to_numpy(dtype=float), judged["p"].to_numpy(dtype=float))
    assert error <= 0.05, error


def test_shuffled_outcomes_cannot_be_ranked(
    case: Case, features: pd.DataFrame, bands: pd.DataFrame
) -> None:
    first, last = cutoffs(case.as_of)[0][0], cutoffs(case.as_of)[-1][1]
    reached = []
    for seed in (1, 2, 3):
        shuffled = shuffle(features, seed)
        scores = at_lead(walk_forward(shuffled, bands, [(first, last)]))
        scores = scores[scores["label_is_lost"].notna()]
        lost = scores["label_is_lost"].to_numpy(dtype=float)
        reached.append(auc(lost, scores["p"].to_numpy(dtype=float)))
    assert 0.45 <= float(np.mean(reached)) <= 0.55, reached


def shuffle(features: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Outcomes dealt anew among the renewals; all rows about one renewal keep one outcome."""
    renewal = features.groupby(["account_id", "label_due_on"], sort=True, dropna=False).ngroup()
    labelled = features["label_is_lost"].notna()
    first = features[labelled].assign(renewal=renewal[labelled]).drop_duplicates("renewal")
    dealt = np.random.default_rng(seed).permutation(first["label_is_lost"].to_numpy())
    outcome = pd.Series(dealt, index=first["renewal"].to_numpy())
    label = renewal.map(outcome).where(labelled).astype(features["label_is_lost"].dtype)
    return features.assign(label_is_lost=label)
