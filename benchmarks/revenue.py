"""Revenue, renewals and cohorts rebuilt in full, at 1,000, 10,000 and 100,000 accounts.

What is rebuilt: the models of revenue, the facts made of them, renewals and cohorts, and all that
stands between these and the canonical inputs (months of touches, people, cases, surveys, billing
and success among it), each in a table, by dbt, from nothing. What is given: the canonical inputs,
seeds, stored scores and closes, and

- which records look alike (`int_account_pairs`, `int_contact_pairs`): larger sizes are copies of
  one company, and copies look alike without end. What follows of the pairs is rebuilt;
- usage (`intermediate/usage/`), which has a path of its own and grows with events, not accounts.

Belongs here: which models, and what must come of them. Must not be here: how they are measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import rebuild

SIZES = rebuild.SIZES
REVENUE = rebuild.Rebuild(
    title="Revenue, renewals and cohorts",
    asked=(
        "models/intermediate/revenue/",
        "models/marts/cohorts/",
        "models/marts/core/fct_mrr_movements.sql",
        "models/marts/core/fct_subscription_states.sql",
        "models/marts/core/fct_contract_terms.sql",
        "models/marts/core/fct_account_months.sql",
        "models/marts/core/fct_month_closes.sql",
        "models/marts/renewals/renewals.sql",
        "models/marts/renewals/renewal_calendar.sql",
        "models/marts/renewals/departure_drivers.sql",
    ),
    given=(
        "models/staging/",
        "models/inputs/",
        "seeds/",
        "models/intermediate/usage/",
        "models/intermediate/accounts/int_account_pairs.sql",
        "models/intermediate/people/int_contact_pairs.sql",
    ),
    facts={
        "accounts": rebuild.ACCOUNTS,
        "account months": "count(*) from core.fct_account_months",
        "closing MRR of all months": "sum(closing_mrr_usd) from core.fct_account_months",
        "movements": "count(*) from core.fct_mrr_movements",
        "sum of movements": "sum(amount_usd) from core.fct_mrr_movements",
        "contract terms": "count(*) from core.fct_contract_terms",
        "renewals": "count(*) from renewals.renewals",
        "renewals scored": "count(p_lost_at_d90) from renewals.renewals",
        "departures": "count(*) from renewals.departure_drivers",
        "closed months' MRR": "sum(closing_mrr_usd) from core.fct_month_closes",
    },
    nothing={
        "months that do not add up": """
            count(*) from core.fct_account_months
            where opening_mrr_usd + new_usd + reactivation_usd + expansion_usd - contraction_usd
                - churn_usd - pause_out_usd + pause_in_usd + merge_transfer_usd <> closing_mrr_usd
        """,
    },
)


def run(sizes: Sequence[int], folder: Path) -> Iterator[str]:
    """Measure the sizes; see `rebuild.run`."""
    return rebuild.run(REVENUE, sizes, folder)
