"""Order of the modules, and which of them share a worker.

Belongs here: what concerns every test. Must not be here: anything that only one folder needs.
"""

from __future__ import annotations

from pathlib import PurePath, PurePosixPath
from typing import Any

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

#: Modules (or folders) of half a minute and more, the longest first: the workers end together.
LONG = (
    "end_to_end",
    "truth",
    "revenue/test_hard_cases.py",
    "revenue/test_random_histories.py",
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
SHARING = ("end_to_end", "truth")


class TogetherWhatShares(LoadFileScheduling):  # type: ignore[misc]
    """A module to a worker, or a folder whose modules share what is dear to build."""

    def _split_scope(self, nodeid: str) -> str:
        return _unit(PurePosixPath(nodeid.partition("::")[0]))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Any:
    """Hand the tests out in the order of the collection; other ways of doing so stay xdist's."""
    return TogetherWhatShares(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long modules first; the order within a module stays."""
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    unit = _unit(item.path)
    return LONG.index(unit) if unit in LONG else len(LONG)


def _unit(module: PurePath) -> str:
    """What a worker takes at once: a folder or a module, as `LONG` writes it."""
    folder = module.parent.name
    return folder if folder in SHARING else f"{folder}/{module.name}"
