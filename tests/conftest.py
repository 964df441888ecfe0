"""Order of the modules, and which of them share a worker.

Belongs here: what concerns every test. Must not be here: anything that only one folder needs.
"""

from __future__ import annotations

import pytest

#: Modules (or folders) of half a minute and more, the longest first: so the workers end at about the same time.
LONG = (
    "end_to_end/test_night.py",
    "truth",
    "ingestion/test_hubspot.py",
    "ingestion/test_drift.py",
    "ingestion/test_salesforce.py",
    "ingestion/test_stripe.py",
    "dbt/test_either_crm.py",
    "ingestion/test_deletions.py",
    "ingestion/test_postgres_usage.py",
    "dbt/test_usage_days.py",
)


#: Folders whose modules share what is dear to build; elsewhere a worker takes a module.
SHARING = ("truth",)


# First, because the workers' plugin reads the marks in this very hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long modules first and keep together what shares; a module's own order stays."""
    items.sort(key=_rank)
    for item in items:
        folder = item.path.parent.name
        shared = folder if folder in SHARING else _module(item)
        item.add_marker(pytest.mark.xdist_group(shared))


def _rank(item: pytest.Item) -> int:
    name = item.path.parent.name if item.path.parent.name in SHARING else _module(item)
    return LONG.index(name) if name in LONG else len(LONG)


def _module(item: pytest.Item) -> str:
    return "/".join(item.path.parts[-2:])
