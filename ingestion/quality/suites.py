"""Great Expectations suites, in code: what every load of a source must hold.

Belongs here: expectations with their thresholds and why. Must not be here: measuring (see
`profile`).

Importing this module imports Great Expectations (seconds), so only the gate does, and only when
something has landed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

# Read when the library is imported.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from great_expectations.core import ExpectationSuite
from great_expectations.expectations.core import (  # type: ignore[attr-defined]
    ExpectColumnValuesToBeBetween,
    ExpectColumnValuesToBeUnique,
    ExpectColumnValuesToNotBeNull,
)

# A few bad rows are the sender's slip and wait among the rejects; one in twenty is a broken feed.
REJECT_SHARE = 0.05
REJECTS_ALWAYS_FINE = 20


@dataclass(frozen=True)
class Meaning:
    """What a measure says to a person.

    Attributes:
        says: the expectation in words.
        remedy: what to do if it fails.
        is_blocking: whether a failure keeps the load from being built upon.
    """

    says: str
    remedy: str
    is_blocking: bool = True


MEANINGS: dict[str, Meaning] = {
    "missing_keys": Meaning("every row has its key", "Look at the source's newest records."),
    "repeated_keys": Meaning(
        "a load holds each version of a key once",
        "Reset the table (`python -m ingestion reset`) and load it again.",
    ),
    "missing_versions": Meaning(
        "every row says when its version became true", "Look at the source's change stamps."
    ),
    "future_rows": Meaning(
        "nothing is dated more than two days ahead",
        "Check the clock of the source and of this machine.",
    ),
    "excess_rejects": Meaning(
        f"no more than {REJECT_SHARE:.0%} of the rows are rejected",
        "See the rejects; correct the source; then `python -m ingestion replay-rejects`.",
    ),
    "bad_currencies": Meaning(
        "currencies are three-letter codes", "Correct the source's currencies.", is_blocking=False
    ),
    "unknown_words": Meaning(
        "statuses and types are words that are known",
        "Decide what the new word means and extend the staging model.",
        is_blocking=False,
    ),
}


def suite(source: str) -> ExpectationSuite:
    """The suite of a source, over the frame of `profile.of_loads`."""
    found = ExpectationSuite(name=f"{source}_loads")
    found.add_expectation(ExpectColumnValuesToNotBeNull(column="table_name"))
    found.add_expectation(ExpectColumnValuesToBeUnique(column="table_name"))
    for measure in MEANINGS:
        found.add_expectation(
            ExpectColumnValuesToBeBetween(column=measure, min_value=0, max_value=0)
        )
    return found
