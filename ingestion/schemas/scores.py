"""Landed tables of scores: facts that the scorer appends and that are read like any source.

Belongs here: the declaration, so that an installation without scores still has a typed, empty
table.
Must not be here: how they are computed or written.
"""

from __future__ import annotations

from ingestion.schemas.model import Column, Table, Type

T, J, F, AT, D = Type.TEXT, Type.JSON, Type.DOUBLE, Type.TIMESTAMP, Type.DATE
C = Column

TABLES: tuple[Table, ...] = (
    Table(
        "scores",
        "churn_score_history",
        "A score of an account as given on a day, never changed afterwards.",
        ("head", "as_of", "account_id", "is_backfill"),
        (
            C("head", T, "What is predicted, e.g. next_renewal.", required=True),
            C("model_version", T, "Content-derived version of the model.", required=True),
            C("as_of", D, "Day whose knowledge was used.", required=True),
            C("account_id", T, "Account scored.", required=True),
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
            C("is_backfill", Type.BOOLEAN, "Whether it was computed after the fact."),
            C("training_cutoff_on", D, "Last day of knowledge in training."),
            C("scored_at", AT, "When it was computed."),
            C("run_id", T, "Run that computed it."),
        ),
    ),
    Table(
        "scores",
        "arr_multiple_history",
        "How much a renewal was expected to bring, forecast on a day and never changed afterwards.",
        ("head", "as_of", "account_id", "is_backfill"),
        (
            C("head", T, "What is predicted: arr_multiple.", required=True),
            C("model_version", T, "Content-derived version of the model.", required=True),
            C("as_of", D, "Day whose knowledge was used.", required=True),
            C("account_id", T, "Account scored.", required=True),
            C("multiple", F, "ARR after over ARR before, given that the renewal is made."),
            C("low", F, "Lower end of its interval."),
            C("high", F, "Upper end of its interval."),
            C("serves", T, "model or segment_mean."),
            C("is_backfill", Type.BOOLEAN, "Whether it was computed after the fact."),
            C("training_cutoff_on", D, "Last day of knowledge in training."),
            C("scored_at", AT, "When it was computed."),
            C("run_id", T, "Run that computed it."),
        ),
    ),
)
