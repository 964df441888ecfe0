"""The questions that are scored, each a choice of rows over the same frame.

Belongs here: which rows teach a head and which it scores. Must not: fitting.
Every head's probability is that of the **bad** outcome, so that bands, percentiles and reasons read
the same way; "would they sign" is one minus it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scoring.arrays import Bools
from scoring.errors import ScoringError
from scoring.frame import Prepared


@dataclass(frozen=True)
class Head:
    """One question.

    Attributes:
        name: as in `churn_score_history.head`.
        question: what its probability means.
        max_lead_months: rows further from their renewal teach nothing about it; None: all teach.
        excludes: features it may not use, though the frame holds them.
    """

    name: str
    question: str
    max_lead_months: float | None = None
    excludes: tuple[str, ...] = ()

    def teaches(self, prepared: Prepared) -> Bools:
        """Rows this head may learn from, whatever their label's maturity.

        A row past its due date is a renewal already late: it would teach lateness, not risk.
        """
        observed, due = prepared.rows["observed_on"], prepared.rows["label_due_on"]
        mask = (due >= observed).to_numpy(dtype=np.bool_)
        if self.max_lead_months is not None:
            lead = (due - observed).dt.days.to_numpy(dtype=np.float64) / 30.4375
            mask = mask & (np.nan_to_num(lead, nan=np.inf) <= self.max_lead_months)
        return np.asarray(mask, dtype=np.bool_)


NEXT_RENEWAL = Head(
    "next_renewal",
    "probability that the account's next due renewal is lost",
)
SIGN_TODAY = Head(
    "sign_today",
    "probability that the account would not sign, were the contract submitted today",
    # Two months before its renewal an account shows what it shows when it decides; the score
    # applies that reading to every account, as if each were due today.
    max_lead_months=2.0,
    # It stands beside what people say, and the gap between the two is published: a second opinion
    # that had read the first would be none.
    excludes=("f_voice__human_sign_today", "f_voice__days_since_assessed"),
)
HEADS = {head.name: head for head in (NEXT_RENEWAL, SIGN_TODAY)}


def head_named(name: str) -> Head:
    """The head of that name.

    Raises:
        ScoringError: there is none.
    """
    if name not in HEADS:
        raise ScoringError(f"no head {name!r}; known: {', '.join(sorted(HEADS))}")
    return HEADS[name]
