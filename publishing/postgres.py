"""The published night in PostgreSQL as well, for BI tools that want a server.

Everything happens in one transaction: rows of the night before are deleted and those of this night
are copied in, so readers go on seeing the whole night before until the commit, and then the whole
of this one, even inside a transaction of theirs. Nobody waits for anybody. Tables stay the same
tables, so views and permissions that others put on them stay as well. (Building beside and renaming
was tried: whoever reads in a repeatable-read transaction, as extracts do, then finds tables empty,
and views keep showing the old ones.) Only a mart whose columns have changed is built beside and
takes the place of the old one last of all.

Belongs here: settings of that database, the copy, who may read it. Must not be here: what a night
holds (see `publish`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import duckdb
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from publishing.nights import PublishError
from publishing.publish import (
    DATABASE,
    MartContract,
    Published,
    contracts_of,
    published_night,
)

PREFIX = "TENURE_PUBLISH_POSTGRES"
#: The one table that names people.
PEOPLE = "core.dim_people"
_OWN = "publishing"
_ROWS_A_TURN = 100_000
_LOCK_TIMEOUT = "60s"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_TYPES = {
    "VARCHAR": "text",
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "TINYINT": "smallint",
    "DOUBLE": "double precision",
    "FLOAT": "real",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}
#: DuckDB's types that travel as another: PostgreSQL has no such whole numbers.
_CASTS = {"HUGEINT": "decimal(38, 0)", "UBIGINT": "decimal(20, 0)", "UINTEGER": "bigint"}


@dataclass(frozen=True)
class PostgresSettings:
    """Where to publish.

    Attributes:
        dsn: address of the database; its user owns what is published.
        reader: role that may read everything but the table that names people; none if empty.
        people_reader: role that may read that table too; none if empty.
        prefix: put in front of the schemas' names, where others use the database as well.
    """

    dsn: SecretStr
    reader: str = ""
    people_reader: str = ""
    prefix: str = ""


@dataclass
class PublishedToPostgres:
    """What was published: rows by mart, and what a person should know."""

    rows: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class _Raw(BaseSettings):
    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", case_sensitive=False, hide_input_in_errors=True
    )

    tenure_publish_postgres_dsn: SecretStr | None = None
    tenure_publish_postgres_reader: str = ""
    tenure_publish_postgres_people_reader: str = ""
    tenure_publish_postgres_prefix: str = ""


def load_settings(home: Path) -> PostgresSettings | None:
    """Settings from the environment, else from `tenure.env` in `home`; None if there are none.

    Raises:
        PublishError: the address is none, or a name is missing; says what to write.
    """
    named = os.environ.get("TENURE_ENV_FILE", "").strip()
    raw = _Raw(_env_file=Path(named).expanduser() if named else home / "tenure.env")
    others = {
        f"{PREFIX}_READER": raw.tenure_publish_postgres_reader,
        f"{PREFIX}_PEOPLE_READER": raw.tenure_publish_postgres_people_reader,
        f"{PREFIX}_PREFIX": raw.tenure_publish_postgres_prefix,
    }
    if raw.tenure_publish_postgres_dsn is None:
        given = [name for name, value in others.items() if value]
        if given:
            raise PublishError(
                f"{given[0]} is set but {PREFIX}_DSN is not. Set it to the database's address, or "
                f"unset {given[0]}."
            )
        return None
    _check_address(raw.tenure_publish_postgres_dsn.get_secret_value())
    return PostgresSettings(raw.tenure_publish_postgres_dsn, *others.values())


def show_night(settings: PostgresSettings, night: Path) -> PublishedToPostgres:
    """Show a night that is kept: after readers of the files were led back, or a person was erased.

    Args:
        settings: where.
        night: its folder.

    Raises:
        PublishError: the database refuses; readers there still see what they saw.
    """
    return publish_to_postgres(settings, published_night(night), contracts_of(night))


def publish_to_postgres(
    settings: PostgresSettings,
    night: Published,
    contracts: Sequence[MartContract],
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> PublishedToPostgres:
    """Copy a published night into PostgreSQL; readers see all of it or nothing of it.

    Args:
        settings: where.
        night: the night, as `publish` returned it.
        contracts: its marts.
        progress: called with one line per step.

    Raises:
        PublishError: the database refuses; readers there still see the night before.
    """
    done = PublishedToPostgres()
    made_anew: list[MartContract] = []
    with (
        _connected(settings) as connection,
        duckdb.connect(str(night.path / DATABASE), read_only=True) as source,
    ):
        source.execute("set timezone = 'UTC'")
        with connection.cursor() as cursor:
            _prepare(cursor)
            for contract in sorted(contracts, key=lambda c: c.full_name):
                rows, is_anew = _copy(cursor, source, contract, settings)
                _check_count(night, contract, rows)
                done.rows[contract.full_name] = rows
                made_anew += [contract] if is_anew else []
            for contract in made_anew:
                cursor.execute(f"drop table {_table(settings, contract)}")
                beside, name = _beside(contract), contract.name
                schema = _quoted(settings.prefix + contract.schema)
                cursor.execute(f"alter table {schema}.{_quoted(beside)} rename to {_quoted(name)}")
                done.notes.append(f"{contract.full_name} has other columns now and was made anew.")
            _remove_former(cursor, settings, contracts, done.notes)
            _sign(cursor, settings, night.as_of, night.run_id, contracts)
            _grant(cursor, settings, contracts)
        connection.commit()
    progress(f"PostgreSQL shows {len(done.rows)} tables, {sum(done.rows.values()):,} rows")
    _tidy(settings, contracts, done.notes)
    return done


def _tidy(settings: PostgresSettings, contracts: Sequence[MartContract], notes: list[str]) -> None:
    """Free the room of the deleted rows for the next night, and count anew for the planner."""
    try:
        with _connected(settings, autocommit=True) as connection, connection.cursor() as cursor:
            for contract in contracts:
                cursor.execute(f"vacuum (analyze) {_table(settings, contract)}")
    except PublishError as error:
        # The night is shown by now; the server's own vacuum will do.
        notes.append(f"Published, but not tidied up: {error}")


def _prepare(cursor: Any) -> None:
    cursor.execute("set local search_path = pg_catalog")
    cursor.execute("set local timezone = 'UTC'")
    # Whoever holds a lock on a table that must be made anew is not waited for all night.
    cursor.execute(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
    # Two nights at once would see each other's rows twice.
    cursor.execute("select pg_advisory_xact_lock(hashtext('tenure publishing'))")
    cursor.fetchall()


def _copy(
    cursor: Any,
    source: duckdb.DuckDBPyConnection,
    contract: MartContract,
    settings: PostgresSettings,
) -> tuple[int, bool]:
    """Put a mart's rows in place of those of the night before.

    Returns:
        How many rows, and whether they stand beside the old table because its columns differ.
    """
    columns = _columns(source, contract)
    schema = settings.prefix + contract.schema
    cursor.execute(f"create schema if not exists {_quoted(schema)}")
    before = _columns_there(cursor, schema, contract.name)
    is_anew = bool(before) and before != columns
    table = _beside(contract) if is_anew else contract.name
    name = f"{_quoted(schema)}.{_quoted(table)}"
    if is_anew or not before:
        declared = ", ".join(f"{_quoted(c)} {kind}" for c, kind in columns.items())
        cursor.execute(f"create table {name} ({declared})")
    else:
        cursor.execute(f"delete from {name}")
    _comment(cursor, name, contract)
    chosen = ", ".join(_cast(c, kind) for c, kind in _described(source, contract).items())
    reader = source.execute(
        f'select {chosen} from "{contract.schema}"."{contract.name}"'
    ).to_arrow_reader(_ROWS_A_TURN)
    cursor.adbc_ingest(table, reader, mode="append", db_schema_name=schema)
    cursor.execute(f"select count(*) from {name}")
    return int(cursor.fetchone()[0]), is_anew


def _beside(contract: MartContract) -> str:
    return f"{contract.name}__next"


def _columns(source: duckdb.DuckDBPyConnection, contract: MartContract) -> dict[str, str]:
    """Columns of a mart with PostgreSQL's types."""
    found = {}
    for column, kind in _described(source, contract).items():
        kind = _CASTS.get(kind, kind).upper()
        if kind.startswith("DECIMAL"):
            found[column] = kind.replace("DECIMAL", "numeric").replace(" ", "")
        elif kind in _TYPES:
            found[column] = _TYPES[kind]
        else:
            raise PublishError(
                f"{contract.full_name}: column {column} is {kind}, which publishing to PostgreSQL "
                "does not know. Cast it in the model, or to text."
            )
    return found


def _described(source: duckdb.DuckDBPyConnection, contract: MartContract) -> dict[str, str]:
    rows = source.execute(f'describe "{contract.schema}"."{contract.name}"').fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def _cast(column: str, kind: str) -> str:
    if kind in _CASTS:
        return f"cast({_quoted(column)} as {_CASTS[kind]}) as {_quoted(column)}"
    return _quoted(column)


def _columns_there(cursor: Any, schema: str, table: str) -> dict[str, str]:
    cursor.execute(
        f"""
        select a.attname::text, format_type(a.atttypid, a.atttypmod)
        from pg_attribute a
        join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = {_text(schema)} and c.relname = {_text(table)}
            and a.attnum > 0 and not a.attisdropped
        order by a.attnum
        """
    )
    short = {
        "timestamp with time zone": "timestamptz",
        "timestamp without time zone": "timestamp",
    }
    return {name: short.get(kind, kind) for name, kind in cursor.fetchall()}


def _check_count(night: Published, contract: MartContract, rows: int) -> None:
    promised = night.tables[contract.full_name].row_count
    if rows != promised:
        raise PublishError(
            f"{contract.full_name}: {rows:,} rows in PostgreSQL, {promised:,} in the night. "
            "Nothing was shown; run again."
        )


def _comment(cursor: Any, name: str, contract: MartContract) -> None:
    if contract.description:
        cursor.execute(f"comment on table {name} is {_text(contract.description.strip())}")
    for column, text in contract.column_descriptions.items():
        if text and column in contract.columns:
            cursor.execute(f"comment on column {name}.{_quoted(column)} is {_text(text.strip())}")


def _sign(
    cursor: Any,
    settings: PostgresSettings,
    as_of: date,
    run_id: str,
    contracts: Sequence[MartContract],
) -> None:
    """Write which night is shown, and which tables are ours."""
    own = _quoted(settings.prefix + _OWN)
    cursor.execute(
        f"create table if not exists {own}.night "
        "(as_of date, run_id text, published_at timestamptz)"
    )
    cursor.execute(f"delete from {own}.night")
    cursor.execute(
        f"insert into {own}.night values (date '{as_of}', {_text(run_id)}, clock_timestamp())"
    )
    cursor.execute(f"delete from {own}.tables")
    listed = ", ".join(f"({_text(settings.prefix + c.schema)}, {_text(c.name)})" for c in contracts)
    cursor.execute(f"insert into {own}.tables values {listed}")


def _remove_former(
    cursor: Any, settings: PostgresSettings, contracts: Sequence[MartContract], notes: list[str]
) -> None:
    """Drop marts that are no longer published, unless somebody's view needs them."""
    own = _quoted(settings.prefix + _OWN)
    cursor.execute(f"create schema if not exists {own}")
    cursor.execute(f"create table if not exists {own}.tables (schema_name text, table_name text)")
    cursor.execute(f"select schema_name, table_name from {own}.tables")
    kept = {(settings.prefix + c.schema, c.name) for c in contracts}
    for schema, table in cursor.fetchall():
        if (schema, table) not in kept:
            cursor.execute(f"drop table if exists {_quoted(schema)}.{_quoted(table)}")
            notes.append(f"{schema}.{table} is no longer published and was removed.")


def _grant(cursor: Any, settings: PostgresSettings, contracts: Sequence[MartContract]) -> None:
    schemas = {settings.prefix + c.schema for c in contracts} | {settings.prefix + _OWN}
    for role, with_people in ((settings.reader, False), (settings.people_reader, True)):
        if not role:
            continue
        for schema in sorted(schemas):
            cursor.execute(f"grant usage on schema {_quoted(schema)} to {_quoted(role)}")
        cursor.execute(
            f"grant select on {_quoted(settings.prefix + _OWN)}.night to {_quoted(role)}"
        )
        for contract in contracts:
            if with_people or contract.full_name != PEOPLE:
                name = _table(settings, contract)
                cursor.execute(f"grant select on {name} to {_quoted(role)}")


@contextmanager
def _connected(settings: PostgresSettings, *, autocommit: bool = False) -> Iterator[Any]:
    # Takes 0.2 s, which companies without such a database need not pay.
    import adbc_driver_manager
    import adbc_driver_postgresql.dbapi

    connection = None
    try:
        connection = adbc_driver_postgresql.dbapi.connect(_address(settings), autocommit=autocommit)
        yield connection
    except adbc_driver_manager.Error as error:
        # The driver's own words may hold the address.
        raise _told(error, settings) from None
    finally:
        if connection is not None:
            connection.close()


def _told(error: Exception, settings: PostgresSettings) -> PublishError:
    state = getattr(error, "sqlstate", None) or ""
    line = str(error).strip().splitlines()[0] if str(error).strip() else ""
    address = settings.dsn.get_secret_value()
    word = urlsplit(address).password or ""
    for secret in (address, word, unquote(word)):
        line = line.replace(secret, "[redacted]") if secret else line
    remedies: Mapping[str, str] = {
        "42501": "Its user must own what is published: grant create on the database to it.",
        "42704": f"Create the roles named in {PREFIX}_READER and {PREFIX}_PEOPLE_READER first.",
        "2BP01": "A view of yours needs a table whose columns have changed: drop the view, run "
        "again, and create it anew.",
        "55P03": "Somebody holds a lock on a table that must be made anew. End that session and "
        "run again.",
        "53100": "The server's disk is full.",
    }
    remedy = remedies.get(state, f"Look whether the database of {PREFIX}_DSN is up and lets us in.")
    return PublishError(
        f"PostgreSQL was not published ({state or 'no SQLSTATE'}: {line}). {remedy} "
        "Its readers still see what they saw before; the files are in place."
    )


def _address(settings: PostgresSettings) -> str:
    parts = urlsplit(settings.dsn.get_secret_value())
    more = {"application_name": "tenure", "connect_timeout": "15", "client_encoding": "UTF8"}
    if parts.hostname not in _LOCAL:
        more["sslmode"] = "require"
    return urlunsplit(parts._replace(query=urlencode(more | dict(parse_qsl(parts.query)))))


def _check_address(value: str) -> None:
    shape = "postgresql://user:password@host:5432/database"
    try:
        parts = urlsplit(value)
        is_whole = parts.port != 0 and bool(parts.hostname and parts.username)
        is_whole = is_whole and bool(parts.path.strip("/")) and parts.netloc.count("@") == 1
    except ValueError:
        is_whole = False
    if not is_whole or not value.startswith(("postgresql://", "postgres://")) or parts.fragment:
        raise PublishError(
            f"{PREFIX}_DSN cannot be read. Write it as {shape}; in a password, @ : / ? # % and "
            "spaces are written as %40 %3A %2F %3F %23 %25 and %20."
        )


def _table(settings: PostgresSettings, contract: MartContract) -> str:
    return f"{_quoted(settings.prefix + contract.schema)}.{_quoted(contract.name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
