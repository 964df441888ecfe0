"""Order of the modules, and of which tests lines are counted.

Belongs here: what concerns every test. Must not be here: anything that only one folder needs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.uncovered import uncovered

#: Modules of half a minute and more, the longest first: so the workers end at about the same time.
LONG = (
    "end_to_end/test_night.py",
    "truth/test_mess.py",
    "ingestion/test_hubspot.py",
    "ingestion/test_drift.py",
    "ingestion/test_salesforce.py",
    "ingestion/test_stripe.py",
    "dbt/test_either_crm.py",
    "ingestion/test_crash.py",
    "ingestion/test_deletions.py",
    "ingestion/test_postgres_usage.py",
    "dbt/test_usage_days.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long modules first; the order within a module stays."""
    items.sort(key=_rank)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count lines in the first test of a long module only: what the others run is run there too.

    A tracer takes a third of their time.
    """
    if _rank(item) == len(LONG) or _is_first(item):
        return (yield)
    with uncovered():
        return (yield)


def _rank(item: pytest.Item) -> int:
    return LONG.index(_module(item)) if _module(item) in LONG else len(LONG)


def _is_first(item: pytest.Item) -> bool:
    return item == next(other for other in item.session.items if _module(other) == _module(item))


def _module(item: pytest.Item) -> str:
    return "/".join(item.path.parts[-2:])
