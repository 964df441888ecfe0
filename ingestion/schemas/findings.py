"""Landed tables of findings: what a quarter showed, appended once and read like any source.

Belongs here: the declarations, so that an installation without findings still has typed, empty
tables. Must not be here: how they are computed or written.
"""

from __future__ import annotations

from ingestion.schemas.model import Column, Table, Type

T, N, F, B, D, AT = (
    Type.TEXT,
    Type.BIGINT,
    Type.DOUBLE,
    Type.BOOLEAN,
    Type.DATE,
    Type.TIMESTAMP,
)
C = Column

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
_RUN = (
    C("found_on", D, "Date of the night that looked."),
    C("scored_at", AT, "Instant of its run."),
    C("run_id", T, "Run that computed it."),
)

TABLES: tuple[Table, ...] = (
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
            *_RUN,
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
            *_RUN,
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
            *_RUN,
        ),
    ),
)
