"""The questions that are scored, each a choice of rows over the same frame.

Belongs here: which rows teach a head, which it scores, and what it makes of the frame first. Must
not: fitting.
Every head's probability is that of the **bad** outcome, so that percentiles and reasons read the
same way; "would they sign" is one minus it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from scoring import hazard
from scoring.arrays import Bools, Floats, logit
from scoring.config import ColdStart, GuideParams, TrainConfig
from scoring.errors import ScoringError
from scoring.frame import NOTICE, Prepared


@dataclass(frozen=True)
class Opinions:
    """What people said of accounts, which guides a head that asks the same question.

    Attributes:
        column: feature with the probability (0-1) of the good outcome that somebody gave.
        age: feature with the days since then.
        oldest: days up to which it is an opinion of the account as it stands in its row.
    """

    column: str
    age: str
    oldest: float = 31.0

    def beside(self, prepared: Prepared) -> Prepared:
        """The frame with what people said; as it is where it lacks the columns."""
        said = self.log_odds(prepared)
        return replace(prepared, opinions=said, opinion_columns=(self.column, self.age))

    def log_odds(self, prepared: Prepared) -> Floats | None:
        """Log odds of the bad outcome, shape (n,), NaN where nobody gave one; None without column.

        Nobody is surer than one in fifty: "certainly" is said more easily than it is meant.
        """
        columns = prepared.spec.columns
        if self.column not in columns or self.age not in columns:
            return None
        good, age = (prepared.x[:, columns.index(c)] for c in (self.column, self.age))
        said = np.clip(1.0 - good, 0.02, 0.98)
        return np.where(age <= self.oldest, logit(said), np.nan)


@dataclass(frozen=True)
class Head:
    """One question.

    Attributes:
        name: as in `churn_score_history.head`.
        question: what its probability means.
        judged_lead_months: all rows teach what goes with a loss; only those this near to their
            decision say how likely it is, and are measured. None: all do.
        asks_undecided: whether an account that gave notice has decided by it: what it does from
            then on teaches nothing. Otherwise accounts decide when they are due.
        excludes: features it may not use, though the frame holds them.
        reshape: (feature frame, grace days) to the head's own rows, labels and clocks; None: the
            feature frame as it is.
        derived: features that `reshape` adds. They are known in advance by what they are, so they
            may separate the outcomes as well as they like.
        chances_a_year: how often a year the question is put to an account, which the assumed rates
            of a company without history are spread over.
        has_bands: whether the cut-offs of the risk bands, made for renewals, mean anything here.
        guided_by: what people said, which guides it, where there are enough of them.
        config: parameters where training is given none.
    """

    name: str
    question: str
    judged_lead_months: float | None = None
    asks_undecided: bool = False
    excludes: tuple[str, ...] = ()
    reshape: Callable[[pd.DataFrame, int], pd.DataFrame] | None = None
    derived: tuple[str, ...] = ()
    chances_a_year: int = 1
    has_bands: bool = True
    guided_by: Opinions | None = None
    config: TrainConfig = field(default_factory=TrainConfig)

    def own_frame(self, frame: pd.DataFrame, grace_days: int) -> pd.DataFrame:
        """What training, comparing and scoring see of the feature frame."""
        return frame if self.reshape is None else self.reshape(frame, grace_days)

    def answered(self, prepared: Prepared, grace_days: int) -> Prepared:
        """The frame with the outcomes that this head's question has by then.

        Where the undecided are asked, a notice is the answer: final once the days of grace have
        passed since, as they must since the due date of a renewal. Waiting for the due date of
        those who leave, but not of those who stay, would have the leavers missing from every
        recent month. A notice that came to nothing counts when its renewal is final.
        """
        if not self.asks_undecided:
            return prepared
        notice = prepared.rows[NOTICE]
        is_leaving = notice.notna().to_numpy() & (prepared.y != 0.0)
        final_on = (notice + pd.Timedelta(days=grace_days)).where(is_leaving)
        return replace(
            prepared,
            y=np.where(is_leaving, 1.0, prepared.y),
            matured_on=pd.concat([prepared.matured_on, final_on], axis=1).min(axis=1),
        )

    def columns(self, names: Sequence[str]) -> list[str]:
        """Columns of `own_frame` over a frame with the columns ``names``."""
        return [*names, *(c for c in self.derived if c not in names)]

    def teaches(self, prepared: Prepared) -> Bools:
        """Rows this head may learn from, whatever their label's maturity.

        A row past its due date is a renewal already late: it would teach lateness, not risk.
        """
        rows = prepared.rows
        taught = rows["label_due_on"] >= rows["observed_on"]
        if self.asks_undecided:
            taught &= ~(rows[NOTICE] <= rows["observed_on"])
        return np.asarray(taught.to_numpy(dtype=np.bool_))

    def judges(self, prepared: Prepared) -> Bools:
        """Rows by which forecasts are calibrated and measured, of those that may teach."""
        taught = self.teaches(prepared)
        if self.judged_lead_months is None:
            return taught
        decided = prepared.rows["label_due_on"]
        if self.asks_undecided:
            decided = prepared.rows[["label_due_on", NOTICE]].min(axis=1)
        days = decided - prepared.rows["observed_on"]
        lead = days.dt.days.to_numpy(dtype=np.float64) / 30.4375
        return taught & (np.nan_to_num(lead, nan=np.inf) <= self.judged_lead_months)

    def cold_start(self, rules: ColdStart) -> ColdStart:
        """The rules for a company without history, whose rates and strengths are of renewals.

        One chance in n a year has the rate 1 - (1 - yearly)^(1/n), and n of them weigh what one
        renewal does.
        """
        n = self.chances_a_year
        if n == 1:
            return rules
        return replace(
            rules,
            prior_rate=round(1.0 - (1.0 - rules.prior_rate) ** (1.0 / n), 9),
            prior_strength=rules.prior_strength * n,
            segment_strength=rules.segment_strength * n,
        )


# What people say of many accounts shows how one like this looks to them. Of no account but those
# that are due does an outcome say what it would do; people are asked of all.
PEOPLE = Opinions("f_voice__human_sign_today", "f_voice__days_since_assessed")
NEXT_RENEWAL = Head(
    "next_renewal",
    "probability that the account's next due renewal is lost",
    guided_by=PEOPLE,
)
SIGN_TODAY = Head(
    "sign_today",
    "probability that the account would not sign, were the contract submitted today",
    # Two months before it decides an account shows what it shows when it does: those rows say how
    # likely a loss is, as if each account were due today. What goes with one is learnt from all.
    judged_lead_months=2.0,
    # An account that has given notice falls silent because it leaves. Who learns from that learns
    # how leavers look, and takes every quiet account for one.
    asks_undecided=True,
    config=TrainConfig(
        # Rows near the decision tell more than those that taught: their slope lies above one.
        slope_spread=None,
        # A renewal has one outcome and stands in a dozen rows, most of them months before it: what
        # they add to people's judgement of the day is held back so much more.
        guide=GuideParams(rest_c=0.0000125),
    ),
    # It stands beside what people say, and the gap between the two is published: a second opinion
    # that had read the first would be none.
    excludes=(PEOPLE.column, PEOPLE.age),
    guided_by=PEOPLE,
)
MONTHLY_LOSS = Head(
    "monthly_loss",
    "probability that the account holds no open contract one month on",
    reshape=hazard.monthly_frame,
    derived=hazard.TIMING,
    chances_a_year=12,
    # Most months nothing is due: by the cut-offs for renewals every account would be "low".
    has_bands=False,
    # Every month of every account is a row of its own: two windows of a year hold the same two
    # years as four of half a year, and cost half the fits.
    config=TrainConfig(origins=2, step_months=12),
)
HEADS = {head.name: head for head in (NEXT_RENEWAL, SIGN_TODAY, MONTHLY_LOSS)}


def head_named(name: str) -> Head:
    """The head of that name.

    Raises:
        ScoringError: there is none.
    """
    if name not in HEADS:
        raise ScoringError(f"no head {name!r}; known: {', '.join(sorted(HEADS))}")
    return HEADS[name]
