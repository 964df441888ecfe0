"""Models trained as the night trains them, walked through a company's last years.

Belongs here: what is scored when by which model, and its outcome beside the oracle's chance. Must
not be here: what is expected of it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise

import pandas as pd

import scoring
from tests.truth.conftest import Case

YEARS = (3, 2, 1)
LEAD_DAYS = 90
SCORED_AT = datetime(2020, 1, 1, tzinfo=UTC)


def features_of(case: Case) -> pd.DataFrame:
    """The features as they leave the warehouse."""
    return case.rows(
        "select * from intermediate.int_account_features order by account_id, observed_on"
    )


def cutoffs(last_day: date) -> list[date]:
    """Month-ends up to which models learn, oldest first, and the last month-end that is scored."""
    month_start = pd.Timestamp(last_day).replace(day=1)
    ends = [month_start - pd.DateOffset(years=n) - pd.Timedelta(days=1) for n in (*YEARS, 0)]
    return [end.date() for end in ends]


def spans_of(last_day: date) -> list[tuple[date, date]]:
    """Month-end up to which each model learns, and the last day that it scores."""
    return list(pairwise(cutoffs(last_day)))


def walk_forward(
    features: pd.DataFrame, bands: pd.DataFrame, spans: list[tuple[date, date]], head: str
) -> pd.DataFrame:
    """Scores of each month-end by the model that was trained before its year.

    Returns:
        Keys, labels and cycle of the features, `p` and `serves`: a row an account and month-end.
    """
    parts = []
    observed = features["observed_on"].drop_duplicates().sort_values()
    for learned_to, last in spans:
        model = scoring.train(features, head, learned_to)
        for day in observed[observed.between(pd.Timestamp(learned_to), pd.Timestamp(last))][1:]:
            scores = scoring.score(
                model, features, day.date(), bands=bands, scored_at=SCORED_AT, run_id="truth",
                is_backfill=True,
            )  # fmt: skip
            parts.append(scores[["account_id", "p", "serves"]].assign(observed_on=day))
    keys = ["account_id", "observed_on", "next_due_on", "cycle_number", "label_is_lost"]
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
