"""Order of the modules.

Belongs here: what concerns every test. Must not be here: anything that only one folder needs.
"""

from __future__ import annotations

import pytest

#: Modules of half a minute and more, the longest first: so the workers end at about the same time.
LONG = (
    "end_to_end/test_night.py",
    "truth/test_mess.py",
    "ingestion/test_hubspot.py",
    "ingestion/test_drift.py",
    "ingestion/test_salesforce.py",
    "ingestion/test_stripe.py",
    "dbt/test_either_crm.py",
    "ingestion/test_deletions.py",
    "ingestion/test_postgres_usage.py",
    "dbt/test_usage_days.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long modules first; the order within a module stays."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    return LONG.index(_module(item)) if _module(item) in LONG else len(LONG)


def _module(item: pytest.Item) -> str:
    return "/".join(item.path.parts[-2:])
