"""Declarations of every table that lands in the lake, each made once.

Belongs here: names, types, documentation, keys and personal-data flags of landed tables. They drive
validation, anchors and the transformer's sources. Must not be here: how a vendor is read.
"""

from __future__ import annotations

from functools import cache

from ingestion.schemas import closes, desk, hubspot, salesforce, scores, stripe, usage
from ingestion.schemas.model import Column, Table, Type

__all__ = ["Column", "Table", "Type", "find", "landed_tables", "table"]


@cache
def landed_tables() -> tuple[Table, ...]:
    """Every declared table of the lake, in the order source, declaration."""
    return (
        *stripe.TABLES,
        *salesforce.TABLES,
        *hubspot.TABLES,
        *usage.TABLES,
        *desk.TABLES,
        *scores.TABLES,
        *closes.TABLES,
    )


@cache
def _index() -> dict[tuple[str, str], Table]:
    return {(t.source, t.name): t for t in landed_tables()}


def find(source: str, name: str) -> Table | None:
    """The declaration of one table, or nothing."""
    return _index().get((source, name))


def table(source: str, name: str) -> Table:
    """The declaration of one table.

    Raises:
        KeyError: if no such table is declared.
    """
    found = find(source, name)
    if found is None:
        raise KeyError(f"no table {name!r} is declared for source {source!r}")
    return found
