"""Order of the modules.

Belongs here: what concerns every test. Must not be here: anything that only one folder needs.
"""

from __future__ import annotations

import pytest

#: Modules of half a minute and more, the longest first: so the workers end at about the same time.
LONG = (
    "test_night.py",
    "test_mess.py",
    "test_hubspot.py",
    "test_drift.py",
    "test_salesforce.py",
    "test_stripe.py",
    "test_either_crm.py",
    "test_training.py",
    "test_crash.py",
    "test_usage_days.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long modules first; the order within a module stays."""
    items.sort(key=lambda item: _rank(item.path.name))


def _rank(name: str) -> int:
    return LONG.index(name) if name in LONG else len(LONG)
