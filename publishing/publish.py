"""Builds a night aside, checks it, and lets readers see it.

Belongs here: the copy of the public marts into `tenure.duckdb` and Parquet, and the checks that
stand between a copy and its readers. Must not be here: which folders exist and which one is shown
(`nights`).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from publishing import nights
from publishing.nights import PublishError

DATABASE = "tenure.duckdb"
PUBLIC_SCHEMAS = ("core", "renewals", "cohorts", "value", "operations")
# Lists of what is wrong: that they empty is what their readers work for.
MAY_EMPTY = "operations"


@dataclass(frozen=True)
class MartContract:
    """What a mart promises its readers: `schema.name`, columns in order, texts for both.

    Attributes:
        schema: one of PUBLIC_SCHEMAS.
        name: table name.
        columns: column name -> SQL type as the contract declares it.
        description: what the table answers.
        column_descriptions: column name -> meaning and unit.
    """

    schema: str
    name: str
    columns: Mapping[str, str]
    description: str = ""
    column_descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_name(self) -> str:
        """`schema.name`."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class PublishedTable:
    """One published table: rows, and a hash of its content that does not depend on row order."""

    row_count: int
    content_hash: str


@dataclass(frozen=True)
class Published:
    """A published night."""

    path: Path
    as_of: date
    run_id: str
    tables: dict[str, PublishedTable]


def publish(
    warehouse: Path,
    published: Path,
    contracts: Sequence[MartContract],
    *,
    as_of: date,
    run_id: str,
    beside: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Published:
    """Copy the marts of `contracts` out of the warehouse, check the copy, switch `current` to it.

    Nothing that readers see changes before the last step; a run killed earlier leaves a folder that
    the next one removes.

    Args:
        warehouse: the DuckDB file the marts were built in; opened read-only.
        published: the folder of nights.
        contracts: the public marts; nothing else is published.
        as_of: the date the marts are as of.
        run_id: names the folder.
        beside: texts that lie in the folder too, by file name; a name may hold a folder.
        progress: called with one line per step.

    Raises:
        PublishError: if a mart is missing, differs from its contract, or lost all its rows since
            the last night.
    """
    if not contracts:
        raise PublishError("There is no public mart to publish: is the dbt project parsed?")
    published.mkdir(parents=True, exist_ok=True)
    building = nights.building_path(published, as_of, run_id)
    if building.exists():
        shutil.rmtree(building)
    (building / "parquet").mkdir(parents=True)
    tables = _copy(warehouse, building, contracts)
    progress(f"copied {len(tables)} tables, {sum(t.row_count for t in tables.values()):,} rows")
    _check_against_last_night(tables, nights.current(published), published)
    for name, text in (beside or {}).items():
        (building / name).parent.mkdir(parents=True, exist_ok=True)
        (building / name).write_text(text, encoding="utf-8", newline="\n")
    _write_manifest(building, as_of, run_id, tables)
    final = nights.final_path(published, as_of, run_id)
    if final.exists():
        shutil.rmtree(final)
    building.rename(final)
    nights.switch(published, final)
    nights.prune(published)
    return Published(final, as_of, run_id, tables)


def read_manifest(night: Path) -> dict[str, Any]:
    """Return what a night says of itself: as_of, run_id, tables with rows and content hash."""
    manifest: dict[str, Any] = json.loads((night / "manifest.json").read_text())
    return manifest


def published_night(night: Path) -> Published:
    """Return a night that is kept, as `publish` returned it when it was made."""
    told = read_manifest(night)
    tables = {name: PublishedTable(**table) for name, table in told["tables"].items()}
    return Published(night, date.fromisoformat(told["as_of"]), told["run_id"], tables)


def contracts_of(night: Path) -> list[MartContract]:
    """Return what the marts of a night that is kept promise, as its own file says."""
    with duckdb.connect(str(night / DATABASE), read_only=True) as connection:
        found = _columns_of(connection, Path(DATABASE).stem)
        comments = dict(
            connection.execute(
                "select schema_name || '.' || table_name, comment from duckdb_tables()"
            ).fetchall()
        )
        of_columns: dict[str, dict[str, str]] = {}
        for table, column, comment in connection.execute(
            "select schema_name || '.' || table_name, column_name, comment from duckdb_columns()"
            " where comment is not null"
        ).fetchall():
            of_columns.setdefault(table, {})[column] = comment
    return [
        MartContract(
            schema=name.partition(".")[0],
            name=name.partition(".")[2],
            columns=found[name],
            description=comments.get(name) or "",
            column_descriptions=of_columns.get(name, {}),
        )
        for name in sorted(read_manifest(night)["tables"])
    ]


def content(database: Path, schemas: Sequence[str] = PUBLIC_SCHEMAS) -> dict[str, PublishedTable]:
    """Return rows and content hash of every table in `schemas` of a DuckDB file.

    The hash is the sum of DuckDB's row hashes, so it sees duplicates and ignores row order.
    """
    with duckdb.connect(str(database), read_only=True) as connection:
        names = connection.execute(
            "select table_schema, table_name from information_schema.tables"
            " where list_contains(?, table_schema) order by all",
            [list(schemas)],
        ).fetchall()
        return {
            f"{schema}.{name}": _measure(connection, f'"{schema}"."{name}"')
            for schema, name in names
        }


def _copy(
    warehouse: Path, building: Path, contracts: Sequence[MartContract]
) -> dict[str, PublishedTable]:
    tables: dict[str, PublishedTable] = {}
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach '{_quoted(building / DATABASE)}' as night")
        # A view names the catalog it was made in: the warehouse must go by the name of its file.
        connection.execute(f"attach '{_quoted(warehouse)}' as \"{warehouse.stem}\" (read_only)")
        found = _columns_of(connection, warehouse.stem)
        for contract in sorted(contracts, key=lambda c: c.full_name):
            _check_contract(contract, found.get(contract.full_name))
            source = f'"{warehouse.stem}"."{contract.schema}"."{contract.name}"'
            target = f'night."{contract.schema}"."{contract.name}"'
            connection.execute(f'create schema if not exists night."{contract.schema}"')
            connection.execute(f"create table {target} as select * from {source}")
            _comment(connection, target, contract)
            folder = building / "parquet" / contract.schema
            folder.mkdir(exist_ok=True)
            file = folder / f"{contract.name}.parquet"
            connection.execute(f"copy {target} to '{_quoted(file)}' (format parquet)")
            tables[contract.full_name] = _measure(connection, target)
            _check_parquet(connection, file, tables[contract.full_name], contract)
        connection.execute("checkpoint night")
        connection.execute("detach night")
    return tables


def _columns_of(connection: duckdb.DuckDBPyConnection, catalog: str) -> dict[str, dict[str, str]]:
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
        " where database_name = ? order by table_name, column_index",
        [catalog],
    ).fetchall()
    found: dict[str, dict[str, str]] = {}
    for table, column, data_type in rows:
        found.setdefault(table, {})[column] = data_type
    return found


def _check_contract(contract: MartContract, found: Mapping[str, str] | None) -> None:
    if found is None:
        raise PublishError(
            f"{contract.full_name} is not in the warehouse: it was not built. "
            "Look at the dbt step of this run."
        )
    missing = [name for name in contract.columns if name not in found]
    extra = [name for name in found if name not in contract.columns]
    if missing or extra:
        raise PublishError(
            f"{contract.full_name} differs from its contract "
            f"(missing: {missing}, undeclared: {extra}). "
            "Change the model or its YAML so that both say the same."
        )


def _check_parquet(
    connection: duckdb.DuckDBPyConnection, file: Path, table: PublishedTable, contract: MartContract
) -> None:
    row = connection.execute(f"select count(*) from read_parquet('{_quoted(file)}')").fetchone()
    written = row[0] if row else 0
    if written != table.row_count:
        raise PublishError(
            f"{contract.full_name}: {written} rows in Parquet, {table.row_count} in DuckDB. "
            "The disk may be full; free space and run again."
        )


def _check_against_last_night(
    tables: Mapping[str, PublishedTable], shown: Path | None, published: Path
) -> None:
    if shown is None:
        return
    before = read_manifest(shown)["tables"]
    emptied = [
        name
        for name, table in tables.items()
        if table.row_count == 0
        and before.get(name, {}).get("row_count", 0) > 0
        and name.split(".")[0] != MAY_EMPTY
    ]
    if emptied:
        raise PublishError(
            f"{', '.join(emptied)} had rows in {shown.name} and has none now: not published. "
            f"If that is right, remove {published / 'current'} and run again."
        )


def _comment(connection: duckdb.DuckDBPyConnection, target: str, contract: MartContract) -> None:
    if contract.description:
        connection.execute(f"comment on table {target} is '{_escaped(contract.description)}'")
    for column, text in contract.column_descriptions.items():
        if text:
            connection.execute(f"comment on column {target}.\"{column}\" is '{_escaped(text)}'")


def _measure(connection: duckdb.DuckDBPyConnection, table: str) -> PublishedTable:
    row = connection.execute(
        f"select count(*), coalesce(sum(cast(hash(t) as hugeint)), 0) from {table} as t"
    ).fetchone()
    count, total = row if row else (0, 0)
    return PublishedTable(int(count), f"{int(total):x}")


def _write_manifest(
    building: Path, as_of: date, run_id: str, tables: Mapping[str, PublishedTable]
) -> None:
    manifest = {
        "as_of": as_of.isoformat(),
        "run_id": run_id,
        "tables": {name: asdict(table) for name, table in sorted(tables.items())},
    }
    with (building / "manifest.json").open("w") as file:
        json.dump(manifest, file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _escaped(text: str) -> str:
    return text.strip().replace("'", "''")
