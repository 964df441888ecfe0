"""Landed tables of scores and findings: facts that a night computes, read like any source.

Belongs here: the declarations, so that an installation without any still has typed, empty tables.
Must not be here: how they are computed or written.
"""

from __future__ import annotations

from ingestion.schemas.model import Column, Table, Type

T, J, N, F, B, D, AT = (
    Type.TEXT,
    Type.JSON,
    Type.BIGINT,
    Type.DOUBLE,
    Type.BOOLEAN,
    Type.DATE,
    Type.TIMESTAMP,
)
C = Column

_RUN = (
    C("scored_at", AT, "When it was computed."),
    C("run_id", T, "Run that computed it."),
)
_OF_WHAT = (
    C("model_version", T, "Content-derived version of the model.", required=True),
    C("as_of", D, "Day whose knowledge was used.", required=True),
    C("account_id", T, "Account scored.", required=True),
)
_BASIS = (
    C("is_backfill", B, "Whether it was computed after the fact."),
    C("training_cutoff_on", D, "Last day of knowledge in training."),
    *_RUN,
)
_TESTED = (
    C("low", F, "Lower end of its 95 % interval."),
    C("high", F, "Upper end of its 95 % interval; none where it is open."),
    C("p_value", F, "Probability of as much by chance alone (0-1)."),
)
_JUDGED = (
    C("q_value", F, "The same, corrected for all comparisons of the quarter (0-1)."),
    C("is_associated", B, "Whether the q-value is at most .05."),
    C("refusal", T, "Why nothing is estimated."),
)
_FOUND = (C("found_on", D, "Date of the night that looked."), *_RUN)

TABLES: tuple[Table, ...] = (
    Table(
        "scores",
        "churn_score_history",
        "A score of an account as given on a day, never changed afterwards.",
        ("head", "as_of", "account_id", "is_backfill"),
        (
            C("head", T, "What is predicted, e.g. next_renewal.", required=True),
            *_OF_WHAT,
            C("p_raw", F, "Uncalibrated probability (0-1)."),
            C("p", F, "Calibrated probability (0-1)."),
            C("p_low", F, "Lower end of its interval (0-1)."),
            C("p_high", F, "Upper end of its interval (0-1)."),
            C("logit", F, "Log-odds of p."),
            C("base_logit", F, "Log-odds before the account's own facts."),
            C("band", T, "high, medium or low; null where the cut-offs do not fit."),
            C("band_version", T, "Version of the cut-offs."),
            C("percentile", F, "Rank among scored accounts, 1 = riskiest."),
            C("months_to_renewal", F, "Months to the next due date."),
            C("arr_usd", F, "Annual recurring revenue at stake, USD."),
            C("reasons", J, "Ranked reasons with direction, value and peers' median."),
            C("contributions", J, "Contribution of each group of facts to the log-odds."),
            C("serves", T, "model or segment_rate."),
            *_BASIS,
        ),
    ),
    Table(
        "scores",
        "arr_multiple_history",
        "How much a renewal was expected to bring, forecast on a day and never changed afterwards.",
        ("head", "as_of", "account_id", "is_backfill"),
        (
            C("head", T, "What is predicted: arr_multiple.", required=True),
            *_OF_WHAT,
            C("multiple", F, "ARR after over ARR before, given that the renewal is made."),
            C("low", F, "Lower end of its interval."),
            C("high", F, "Upper end of its interval."),
            C("serves", T, "model or segment_mean."),
            *_BASIS,
        ),
    ),
    Table(
        "scores",
        "action_findings",
        "How renewals with an action compared with those without, as found for a quarter.",
        ("as_of", "action", "window_days", "segment"),
        (
            C("as_of", D, "Last day of the quarter.", required=True),
            C("action", T, "Action, e.g. site_visit.", required=True),
            C("window_days", N, "Length of the window in which it was done.", required=True),
            C("segment", T, "Segment, or all.", required=True),
            C("final_from_on", D, "First day on which its renewals became final."),
            C("renewals_with", N, "Renewals with the action."),
            C("renewals_without", N, "Renewals without it."),
            C("renewals_unknown", N, "Renewals of which it is not known."),
            C("renewed_with", N, "Renewed, of those with it."),
            C("renewed_without", N, "Renewed, of those without it."),
            C("renewal_rate_with", F, "Share renewed of those with it (0-1)."),
            C("renewal_rate_without", F, "Share renewed of those without it (0-1)."),
            C("lift", F, "Quotient of the two shares."),
            C("odds_ratio", F, "Odds of renewal with it over without, all else equal."),
            *_TESTED,
            *_JUDGED,
            *_FOUND,
        ),
    ),
    Table(
        "scores",
        "trigger_findings",
        "How often outcomes followed events, against the days before, as found for a quarter.",
        ("as_of", "trigger_type", "outcome"),
        (
            C("as_of", D, "Last day of the quarter.", required=True),
            C("trigger_type", T, "Type of the event.", required=True),
            C("outcome", T, "Outcome, e.g. seats_added.", required=True),
            C("window_days", N, "Days after the event that are compared."),
            C("windows", N, "Events with observed days on both sides."),
            C("accounts", N, "Accounts they happened at."),
            C("days_after", N, "Days after events."),
            C("days_control", N, "Days before them."),
            C("outcomes_after", N, "Outcomes on days after."),
            C("outcomes_control", N, "Outcomes on days before."),
            C("rate_after", F, "Outcomes a year after."),
            C("rate_control", F, "Outcomes a year before."),
            C("rate_ratio", F, "Quotient of the two rates within accounts."),
            *_TESTED,
            *_JUDGED,
            *_FOUND,
        ),
    ),
    Table(
        "scores",
        "program_findings",
        "What programmes changed that were not drawn by lot, as found for a quarter.",
        ("as_of", "program_id", "outcome_measure"),
        (
            C("as_of", D, "Last day of the quarter.", required=True),
            C("program_id", T, "Programme.", required=True),
            C("outcome_measure", T, "Outcome compared.", required=True),
            C("rounds", N, "Rounds of enrolment compared."),
            C("treated", N, "Accounts enrolled at them."),
            C("control", N, "Looks at accounts that could have been."),
            C("effect", F, "Share kept with the programme less share kept without."),
            *_TESTED,
            C("naive", F, "Plain difference of the shares."),
            C("ess_treated", F, "Effective sample size of the treated after weighting."),
            C("ess_control", F, "Effective sample size of the others."),
            C("overlap_share", F, "Share of rows whose chance of enrolment lay between .05, .95."),
            C("worst_covariate", T, "What still differs most after weighting."),
            C("worst_smd", F, "By how many standard deviations."),
            C("refusal", T, "Why nothing is estimated."),
            *_FOUND,
        ),
    ),
)
