"""Landed tables of the finance close: figures frozen as they were reported.

Belongs here: the declaration, so that an installation that never closed a month has a typed, empty
table. Must not be here: when a month is closed, or what its figures are.
"""

from __future__ import annotations

from ingestion.schemas.model import Column, Table, Type

T, M, D = Type.TEXT, Type.MONEY, Type.DATE
C = Column

TABLES: tuple[Table, ...] = (
    Table(
        "closes",
        "month_closes",
        "Recurring revenue of an account in a month as it was reported, never changed afterwards.",
        ("month", "account_id"),
        (
            C("account_id", T, "Account as it was called on the day of the close.", required=True),
            C("month", D, "Month closed (its last day).", required=True),
            C("closed_on", D, "Day whose knowledge was used.", required=True),
            C("basis", T, "live or rebuilt.", required=True, allowed=("live", "rebuilt")),
            C("opening_mrr_usd", M, "Recurring revenue at the month-end before, USD."),
            C("new_usd", M, "Movement `new`, USD a month."),
            C("reactivation_usd", M, "Movement `reactivation`, USD a month."),
            C("expansion_usd", M, "Movement `expansion`, USD a month."),
            C("contraction_usd", M, "Movement `contraction`, USD a month."),
            C("churn_usd", M, "Movement `churn`, USD a month."),
            C("pause_out_usd", M, "Movement `pause_out`, USD a month."),
            C("pause_in_usd", M, "Movement `pause_in`, USD a month."),
            C("merge_transfer_usd", M, "Movement `merge_transfer`, USD a month, signed."),
            C("closing_mrr_usd", M, "Recurring revenue at the month-end, USD."),
            C("mrr_12m_before_usd", M, "Recurring revenue twelve month-ends before, USD."),
        ),
        is_versioned=False,
    ),
)
