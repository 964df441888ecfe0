"""How many records may vanish at once before a person is asked.

Belongs here: the limit and what is said when it is passed. Must not be here: how a source lists
what it still has.

Records that vanish by the hundred are more often a lost permission, a wrong account or a listing
cut short than a clean-up. Tombstones for them would empty the marts in silence; so the run stops
loudly and writes none.
"""

from __future__ import annotations

LIMIT = 0.05
# A small table may lose this many however large their share.
ALWAYS_FINE = 10


def refusal(source: str, table: str, gone: int, live: int, limit: float) -> str:
    """Why so many deletions are not believed; empty if they are.

    Args:
        source: the source.
        table: the table.
        gone: records that have landed and are no longer listed.
        live: records that have landed and were not gone before.
        limit: largest believable share of them.
    """
    if gone <= ALWAYS_FINE or gone <= limit * live:
        return ""
    return (
        f"{table}: {gone:,} of {live:,} records that have landed are no longer there "
        f"({gone / live:.0%}; up to {limit:.0%} is believed). None is marked as deleted. Look "
        f"whether the user of {source} may still read all of them; if they are gone rightly, run "
        f"`python -m ingestion reconcile {source} {table} --limit 1`."
    )
