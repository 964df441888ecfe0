"""The statements of models, run by DuckDB alone: what dbt is measured against.

Belongs here: what is known of a model once dbt has compiled it, and running it. Must not be here:
dbt, nor anything that imports it, whose start would count.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb


@dataclass(frozen=True)
class Place:
    """Where and when models are built.

    Attributes:
        folder: of the database and of what dbt leaves behind.
        as_of: the date whose knowledge counts.
    """

    folder: Path
    as_of: date

    @property
    def database(self) -> Path:
        """The database; its name is that of the catalogue, which statements name."""
        return self.folder / "tenure.duckdb"


@dataclass(frozen=True)
class Model:
    """A model that was built.

    Attributes:
        name: of the model.
        relation: full name of the table.
        statement: what selects its rows.
    """

    name: str
    relation: str
    statement: str


def by_duckdb(
    place: Place, models: Sequence[Model], settings: Mapping[str, str]
) -> dict[str, float]:
    """Run the statements of models one after the other.

    Args:
        place: where.
        models: in an order in which none reads a later one.
        settings: of the connection.

    Returns:
        Processor seconds of each, all threads together: what others do on the machine meanwhile
        does not count.
    """
    took = {}
    with duckdb.connect(str(place.database)) as connection:
        connection.execute("set enable_progress_bar = false")
        for name, value in settings.items():
            connection.execute(f"set {name} = '{value}'")
        for schema in sorted({model.relation.split(".")[1] for model in models}):
            connection.execute(f"create schema if not exists {schema}")
        for model in models:
            began = time.process_time()
            connection.execute(f"create or replace table {model.relation} as {model.statement}")
            took[model.name] = time.process_time() - began
    return took
