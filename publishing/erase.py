"""Erasing people from published nights and from the warehouse.

Belongs here: rewriting a retained night without the personal values of some people, and putting the
warehouse away so that the next night builds it anew. Must not be here: who asked to be erased, or
the lake.

A DuckDB file keeps what was deleted in its free blocks, so a night's file is written anew and put
in place of the old one. Readers who have it open keep what they see until they open it again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path

import duckdb

from publishing import nights
from publishing.nights import PublishError
from publishing.publish import DATABASE, content, read_manifest

# Columns that say who a person is, and those that say whose row it is.
PERSONAL = ("full_name", "first_name", "last_name", "email", "phone")
KEYS = ("person_id", "contact_id")
_MARK = ".erased-through"


def erased_people(lake: Path) -> list[str]:
    """Contacts that the lake says have been erased.

    Args:
        lake: the folder of the lake; its table `erasures/settled` says so.
    """
    files = sorted((lake / "erasures" / "settled").glob("*.parquet"))
    if not files:
        return []
    listed = ", ".join(f"'{_quoted(f)}'" for f in files)
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"select distinct contact_id from read_parquet([{listed}]) order by 1"
        ).fetchall()
    return [row[0] for row in rows]


def erase(published: Path, people: Collection[str]) -> list[str]:
    """Takes the personal values of these people out of every night that is kept.

    Safe to be killed and to be repeated: files are replaced whole, and a night without such values
    is left alone.

    Args:
        published: the folder of nights.
        people: ids of persons or contacts.

    Returns:
        Names of the nights rewritten.
    """
    rewritten = []
    for night in nights.nights(published) if people else []:
        affected = _affected(night.path / DATABASE, people)
        if not affected:
            continue
        for schema, table, columns, key in affected:
            file = night.path / "parquet" / schema / f"{table}.parquet"
            if file.exists():
                _rewrite_parquet(file, columns, key, people)
        aside = _rewritten_database(night.path / DATABASE, affected, people)
        _rewrite_manifest(night.path, aside)
        # Last of all: as long as the old file stands, the next run begins anew.
        aside.replace(night.path / DATABASE)
        rewritten.append(night.name)
    return rewritten


def reset_warehouse(warehouse: Path, people: Collection[str]) -> bool:
    """Removes the warehouse if it was built before one of these people was erased.

    It is rebuilt from the lake, the same night. Its free blocks would otherwise keep what was
    deleted.

    Args:
        warehouse: the DuckDB file.
        people: everybody erased so far.

    Returns:
        Whether it was removed.

    Raises:
        PublishError: if another process holds the file.
    """
    mark = warehouse.parent / _MARK
    through = hashlib.sha256("\n".join(sorted(people)).encode()).hexdigest()
    if not people or (mark.exists() and mark.read_text() == through):
        return False
    if warehouse.exists():
        try:
            duckdb.connect(str(warehouse)).close()
        except duckdb.IOException as error:
            raise PublishError(
                f"{warehouse} is in use, so the people erased cannot be taken out of it. Run the "
                "night again when nothing else works on it."
            ) from error
    existed = warehouse.exists()
    for path in (warehouse, warehouse.with_name(warehouse.name + ".wal")):
        path.unlink(missing_ok=True)
    mark.parent.mkdir(parents=True, exist_ok=True)
    aside = mark.with_name(f"{_MARK}.{os.getpid()}")
    aside.write_text(through)
    aside.replace(mark)
    return existed


Affected = tuple[str, str, tuple[str, ...], str]


def _affected(database: Path, people: Collection[str]) -> list[Affected]:
    """Tables that hold a personal value of these people: schema, name, columns, key."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("create temp table people (id varchar)")
        connection.executemany("insert into people values (?)", [[p] for p in sorted(people)])
        columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns "
            "where table_catalog = current_database() order by all"
        ).fetchall():
            columns.setdefault((schema, table), []).append(column)
        found: list[Affected] = []
        for (schema, table), names in columns.items():
            personal = tuple(n for n in names if n in PERSONAL)
            key = next((k for k in KEYS if k in names), None)
            if not personal or key is None:
                continue
            named = " or ".join(f'"{c}" is not null' for c in personal)
            row = connection.execute(
                f'select count(*) from "{schema}"."{table}" '
                f'where "{key}" in (select id from people) and ({named})'
            ).fetchone()
            if row and row[0]:
                found.append((schema, table, personal, key))
        return found


def _rewritten_database(
    database: Path, affected: Sequence[Affected], people: Collection[str]
) -> Path:
    """The database of a night without the values, beside the old one."""
    aside = database.with_name(f".{database.name}.{os.getpid()}")
    aside.unlink(missing_ok=True)
    changed = {(schema, table): (columns, key) for schema, table, columns, key in affected}
    with duckdb.connect() as connection:
        connection.execute(f"attach '{_quoted(database)}' as before (read_only)")
        connection.execute(f"attach '{_quoted(aside)}' as after_")
        tables = connection.execute(
            "select schema_name, table_name, comment from duckdb_tables() "
            "where database_name = 'before' order by all"
        ).fetchall()
        for schema, table, comment in tables:
            source, target = f'before."{schema}"."{table}"', f'after_."{schema}"."{table}"'
            connection.execute(f'create schema if not exists after_."{schema}"')
            columns, key = changed.get((schema, table), ((), ""))
            connection.execute(f"create table {target} as {_without(source, columns, key, people)}")
            if comment:
                connection.execute(f"comment on table {target} is '{_escaped(comment)}'")
            for column, text in connection.execute(
                "select column_name, comment from duckdb_columns() where database_name = 'before' "
                "and schema_name = ? and table_name = ? and comment is not null",
                [schema, table],
            ).fetchall():
                connection.execute(f"comment on column {target}.\"{column}\" is '{_escaped(text)}'")
        connection.execute("checkpoint after_")
        connection.execute("detach after_")
    return aside


def _rewrite_parquet(file: Path, columns: Sequence[str], key: str, people: Collection[str]) -> None:
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        source = f"read_parquet('{_quoted(file)}')"
        connection.execute(
            f"copy ({_without(source, columns, key, people)}) to '{_quoted(aside)}' "
            "(format parquet)"
        )
    aside.replace(file)


def _without(source: str, columns: Sequence[str], key: str, people: Collection[str]) -> str:
    """The table with the personal columns of these people empty, rows in their order."""
    if not columns:
        return f"select * from {source}"
    listed = ", ".join(f"'{_escaped(p)}'" for p in sorted(people))
    replaced = ", ".join(
        f'case when "{key}" in ({listed}) then null else "{c}" end as "{c}"' for c in columns
    )
    return f"select * replace ({replaced}) from {source}"


def _rewrite_manifest(night: Path, database: Path) -> None:
    """The night's own words about its content, after the content has changed.

    The time of its completion stays: nights are kept in that order.
    """
    path = night / "manifest.json"
    stat = path.stat()
    manifest = read_manifest(night)
    measured = content(database)
    manifest["tables"] = {n: asdict(measured[n]) for n in sorted(manifest["tables"])}
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(manifest, indent=2))
    os.utime(aside, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    aside.replace(path)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _escaped(text: str) -> str:
    return text.replace("'", "''")
