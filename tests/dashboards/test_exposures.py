"""Lineage reaches the reader: each page's exposure names exactly the marts that it reads."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pandas as pd
import pytest
import yaml

from dashboards.app_pages import ENTRIES
from dashboards.filters import Filters
from dashboards.night import Night
from dashboards.queries import shared
from tests.dashboards.nights import MARTS, contracts, opened, write_night

FILE = MARTS.parent / "exposures.yml"
#: One value for each kind of argument of a query; all filters are set.
ARGUMENTS: dict[str, Any] = {
    "filters": Filters("SMB", "EMEA", "005"),
    "first": date(2025, 1, 31),
    "last": date(2026, 1, 31),
    "account_id": "001",
    "text": "a",
    "compare": "segment",
}


class Recorded:
    """A night that notes what is asked of it."""

    def __init__(self, night: Night) -> None:
        self.night, self.tables = night, set[str]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.night, name)

    def frame(self, sql: str, parameters: dict[str, Any] | None = None) -> pd.DataFrame:
        self.tables |= tables_of(sql)
        return self.night.frame(sql, parameters)


def tables_of(sql: str) -> set[str]:
    """The tables with a schema that a query names."""
    row = duckdb.execute("select json_serialize_sql(?::varchar)", [sql]).fetchone()
    assert row is not None
    tree = json.loads(row[0])
    assert not tree["error"], tree
    return set(_tables(tree))


def _tables(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") == "BASE_TABLE" and node["schema_name"]:
            yield f"{node['schema_name']}.{node['table_name']}"
        for value in node.values():
            yield from _tables(value)
    elif isinstance(node, list):
        for value in node:
            yield from _tables(value)


def queries_of(module: ModuleType) -> list[Callable[..., pd.DataFrame]]:
    """The public queries of a module, those that it imports left out."""
    return [
        query
        for name, query in inspect.getmembers(module, inspect.isfunction)
        if not name.startswith("_") and query.__module__ == module.__name__ and name != "ask"
    ]


def read_by(module: ModuleType, night: Night) -> set[str]:
    """The tables that all queries of a module read together."""
    recorded = Recorded(night)
    for query in queries_of(module):
        names = list(inspect.signature(query).parameters.values())[1:]
        given = {p.name: ARGUMENTS[p.name] for p in names if p.default is p.empty}
        query(recorded, **given)
    return recorded.tables


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    published = tmp_path_factory.mktemp("published")
    write_night(published)
    return opened(published)


@pytest.fixture(scope="module")
def exposures() -> dict[str, Any]:
    return {entry["name"]: entry for entry in yaml.safe_load(FILE.read_text())["exposures"]}


def test_every_page_has_an_exposure_and_no_other_has(exposures: dict[str, Any]) -> None:
    assert set(exposures) == {f"page_{entry.path}" for entry in ENTRIES}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.path)
def test_a_page_reads_what_its_exposure_names(
    entry: Any, night: Night, exposures: dict[str, Any]
) -> None:
    # A view asks the module of its own name and what all pages ask, nothing else.
    asked = {
        module
        for module in vars(entry.view).values()
        if isinstance(module, ModuleType) and module.__name__.startswith("dashboards.queries")
    }
    assert [module.__name__.rsplit(".", 1)[-1] for module in asked] == [entry.path]
    read = read_by(asked.pop(), night) | read_by(shared, night)
    schemas = {name.split(".")[1]: name for name in contracts()}
    named = {
        schemas[re.findall(r"'(\w+)'\)", ref)[0]]
        for ref in exposures[f"page_{entry.path}"]["depends_on"]
    }
    assert named == read


def test_views_hold_no_sql() -> None:
    views = Path(inspect.getfile(ENTRIES[0].view)).parent
    for path in views.glob("*.py"):
        assert ".frame(" not in path.read_text(), path.name
