"""Published nights of a few rows: every mart as its contract has it, empty until it is filled.

Belongs here: writing such nights. Must not be here: what is expected of the pages.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from dashboards.night import DATABASE, MANIFEST, Night, current, open_night

MARTS = Path(__file__).resolve().parents[2] / "dbt_project" / "models" / "marts"
AS_OF = date(2026, 1, 31)


@cache
def contracts() -> dict[str, Mapping[str, Any]]:
    """Every published table by `schema.name`, as its YAML describes it."""
    found = {}
    for path in sorted(MARTS.glob("*/*.yml")):
        described = yaml.safe_load(path.read_text()) or {}
        written = [table for source in described.get("sources", []) for table in source["tables"]]
        for table in (*described.get("models", []), *written):
            found[f"{path.parent.name}.{table['name']}"] = table
    return found


@cache
def _empty_database() -> bytes:
    """A file with every mart, each column explained, and no rows; made once."""
    script = []
    for table, model in contracts().items():
        columns = ", ".join(f'"{c["name"]}" {c["data_type"]}' for c in model["columns"])
        script += [f"create schema if not exists {table.split('.')[0]}"]
        script += [f"create table {table} ({columns})"]
        for column in model["columns"]:
            text = column["description"].replace("'", "''")
            script += [f"comment on column {table}.\"{column['name']}\" is '{text}'"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / DATABASE
        with duckdb.connect(str(path)) as connection:
            connection.execute(f"begin; {'; '.join(script)}; commit")
        return path.read_bytes()


def write_night(
    published: Path, name: str = "2026-01-31-a", as_of: date = AS_OF, without: Sequence[str] = ()
) -> Path:
    """Write a night whose marts are empty, and show it to readers.

    Args:
        published: the folder of nights.
        name: folder of the night.
        as_of: its date.
        without: marts, `schema.name`, that it lacks.
    """
    folder = published / name
    folder.mkdir(parents=True)
    (folder / DATABASE).write_bytes(_empty_database())
    if without:
        with duckdb.connect(str(folder / DATABASE)) as connection:
            connection.execute(";".join(f"drop table {table}" for table in without))
    (folder / MANIFEST).write_text(
        json.dumps({"as_of": as_of.isoformat(), "run_id": name, "tables": {}})
    )
    show(published, folder)
    return folder


def show(published: Path, folder: Path) -> None:
    """Switch the link that readers follow."""
    beside = published / ".switching"
    beside.symlink_to(folder.name)
    os.replace(beside, published / "current")  # noqa: PTH105  as the night does it


def fill(folder: Path, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to a mart; what is not given stays unknown."""
    with duckdb.connect(str(folder / DATABASE)) as connection:
        for row in rows:
            marks = ", ".join("?" for _ in row)
            connection.execute(
                f"insert into {table} ({', '.join(row)}) values ({marks})", list(row.values())
            )


def opened(published: Path) -> Night:
    """Open the night that readers see."""
    return open_night(current(published))
