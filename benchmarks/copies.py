"""A company many times over: the same rows under other keys.

Belongs here: which keys are a company's own, and how rows are copied. Must not be here: where the
rows come from, or what is built of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

#: Keys of what all copies share: price lists, campaigns and competitors stay as many as they are.
SHARED_KEYS = frozenset(
    {
        "plan_id",
        "price_id",
        "coupon_id",
        "campaign_id",
        "competitor_id",
        "displaced_competitor_id",
        "lost_to_competitor_id",
    }
)
#: Sorts before anything an id is made of, so that the order among the ids of a copy stays.
_MARK = "!"


def copy_tables(source: Path, target: Path, tables: Iterable[tuple[str, str]], copies: int) -> None:
    """Write tables of one database into another, the rows that belong to a company many times.

    A table without a key of its own (a price list, a seed) is copied once.

    Args:
        source: database to read.
        target: database to write; it must not exist.
        tables: schema and name of each.
        copies: how many times.

    Raises:
        FileExistsError: the target exists.
        ValueError: fewer than one copy.
    """
    if copies < 1:
        raise ValueError(f"there must be a copy, not {copies}")
    if target.exists():
        raise FileExistsError(f"{target} exists; name another file")
    with duckdb.connect(str(target)) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set enable_progress_bar = false")
        connection.execute(f"attach '{source}' as given (read_only)")
        for schema, name in tables:
            connection.execute(f"create schema if not exists {schema}")
            described = connection.execute(f"describe given.{schema}.{name}").fetchall()
            keys = own_keys([str(column) for column, *_ in described])
            rows = f"select * from given.{schema}.{name}"
            connection.execute(f"create table {schema}.{name} as {copied(rows, keys, copies)}")


def own_keys(columns: Iterable[str]) -> list[str]:
    """Columns that name something of one company: every id but those of what all share."""
    return [name for name in columns if name.endswith("_id") and name not in SHARED_KEYS]


def copied(rows: str, keys: Iterable[str], copies: int) -> str:
    """Statement that gives the rows of another so many times, each time under other keys."""
    marked = [f"{key} || '{_MARK}' || copies.copy as {key}" for key in keys]
    if not marked:
        return rows
    return (
        f"select rows.* replace ({', '.join(marked)}) "
        f"from range({copies}) as copies (copy) cross join ({rows}) as rows"
    )
