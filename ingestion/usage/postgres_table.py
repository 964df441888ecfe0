"""A table of PostgreSQL that holds events: connecting with care, what it has, the SQL to read it.

Every read is one short read-only transaction with a statement timeout. Columns are named one by
one, and what a person has excluded or wants hashed is left out or hashed by the database itself, so
it reaches neither disk nor logs here.

Belongs here: the connection, its errors in plain sentences, columns, SQL. Must not be here: cursors
and windows (see `postgres`), or anything written.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import pyarrow as pa

from ingestion import drift, privacy
from ingestion.settings import SettingsError, UsagePostgresSettings
from ingestion.usage.event_columns import CANDIDATES

T = TypeVar("T")

PREFIX = "TENURE_USAGE_POSTGRES"
NEEDED = ("message_id", "event", "event_at", "received_at", "workspace_id")
INSTANTS = ("event_at", "sent_at", "received_at")
ATTEMPTS = 5
_FIRST_WAIT = 0.5
_CONNECT_SECONDS = 15
_LOCK_TIMEOUT = "30s"
_LOCAL = ("localhost", "127.0.0.1", "::1")
_JSON = ("json", "jsonb")
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_CALENDAR = ("timestamp with time zone", "timestamp without time zone", "date")
# Beyond these years neither Python nor people read an instant; infinity lies there as well.
_FIRST, _LAST = "0001-01-02", "9999-12-30"
#: What the server says when it cannot take us in just now, by SQLSTATE: connections, resources,
#: shutdown, conflicts with a standby's replay.
_PASSING_STATES = ("08", "53", "57P01", "57P02", "57P03", "40")
_PASSING_WORDS = (
    "connection refused", "timeout", "timed out", "starting up", "shutting down",
    "too many clients", "server closed the connection", "could not translate host name",
    "no connection to the server", "connection reset", "broken pipe", "recovery mode",
    "connection not open", "could not receive data", "eof detected", "terminating connection",
)  # fmt: skip


class PostgresError(Exception):
    """The database did not give what was asked for; says why and what to do, and no secret."""


class _PassingError(PostgresError):
    """May well go by itself."""


@dataclass(frozen=True)
class Column:
    """A column as the catalogue describes it: type without length, and whether we may read it."""

    name: str
    kind: str
    is_never_null: bool
    is_readable: bool


@dataclass(frozen=True)
class EventTable:
    """A table that was found fit to be read.

    Attributes:
        name: schema and table, for people.
        relation: ditto, quoted.
        received: the column of the cursor, quoted.
        received_kind: its type.
        columns: event's column -> SQL that gives it.
        kinds: event's instants -> DuckDB's type in which they arrive.
        estimate: rows as the server's statistics guess; -1 if it has none.
        notes: what a person should know.
    """

    name: str
    relation: str
    received: str
    received_kind: str
    columns: Mapping[str, str]
    kinds: Mapping[str, str]
    estimate: int
    notes: tuple[str, ...] = ()

    def literal(self, at: datetime) -> str:
        """An instant as SQL that compares with the cursor's column without losing its index."""
        text = f"timestamptz '{at.isoformat()}'"
        return (
            text
            if self.received_kind.endswith("with time zone")
            else f"({text} at time zone 'UTC')"
        )

    def select(self, where: str) -> str:
        """SQL that gives the events of a condition."""
        wanted = ", ".join(f"{sql} as {name}" for name, sql in self.columns.items())
        return f"select {wanted} from {self.relation} where {where}"


class Database:
    """A connection that reads only, opened when it is needed, and again when it broke (`with`)."""

    def __init__(
        self, settings: UsagePostgresSettings, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._connection: Any = None

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def patiently(self, work: Callable[[Database], T]) -> T:
        """Does some reading, all of it again when the connection breaks or the server is busy.

        Raises:
            PostgresError: the work failed in another way, or still did at the last attempt.
            SettingsError: the server says that the settings are wrong.
        """
        for attempt in range(ATTEMPTS):
            try:
                return work(self)
            except _PassingError:
                self._close()
                if attempt == ATTEMPTS - 1:
                    raise
                self._sleep(_FIRST_WAIT * 2**attempt * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One read-only transaction: all that is read in it is of one moment."""
        import adbc_driver_manager

        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read, read only")
                # Kept to the transaction, so that poolers between us and the server do no harm.
                cursor.execute(
                    f"""
                    select set_config('statement_timeout', '{self._timeout_ms}', true),
                        set_config('lock_timeout', '{_LOCK_TIMEOUT}', true),
                        set_config('timezone', 'UTC', true),
                        set_config('search_path', 'pg_catalog', true)
                    """
                )
                cursor.fetchall()
                yield Snapshot(cursor)
            self._connection.rollback()
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            self._close()
            raise self._told(error) from None
        except BaseException:
            self._close()
            raise

    @property
    def _timeout_ms(self) -> int:
        return max(1, round(self._settings.timeout_seconds * 1000))

    def _connect(self) -> Any:
        # Takes 0.2 s, which companies without such a table need not pay.
        import adbc_driver_postgresql.dbapi

        return adbc_driver_postgresql.dbapi.connect(_address(self._settings))

    def _close(self) -> None:
        import adbc_driver_manager

        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except (adbc_driver_manager.Error, pa.ArrowException, OSError, RuntimeError):
                return  # broken already

    def _told(self, error: Exception) -> Exception:
        """The error in our words; the driver's may hold the address, or a row's values."""
        state = getattr(error, "sqlstate", None) or ""
        said = str(error)
        low = said.lower()
        where = f"{PREFIX}_DSN"
        told: tuple[tuple[bool, str], ...] = (
            (
                state in ("28P01", "28000") or "password" in low or "no pg_hba.conf entry" in low
                or ('role "' in low and "does not exist" in low),
                f"{where}: the server refuses the user, its password or the way it connects. "
                "Correct them there, or have the server's administrator let this user in.",
            ),
            (
                'database "' in low and "does not exist" in low,
                f"{where} names a database that the server does not have. Correct the name.",
            ),
            (
                "ssl" in low and not state and "failed" in low and "closed" not in low,
                f"{where}: server and reader do not agree on encryption. If the server offers none "
                "and the network is your own, add ?sslmode=disable to the address.",
            ),
            (
                state == "42501",
                f"{where}: the user may not read the table. Grant it: "
                f"grant usage on schema {self._settings.schema}; "
                f"grant select on {self._settings.schema}.{self._settings.table}.",
            ),
            (
                state in ("42P01", "42703"),
                f"{PREFIX}_TABLE: the table or one of its columns has just gone. Run again; the "
                "check at the start says what is missing.",
            ),
        )  # fmt: skip
        for fits, sentence in told:
            if fits:
                return SettingsError([sentence])
        if state == "57014":
            return PostgresError(
                f"A statement on {self._settings.schema}.{self._settings.table} took longer than "
                f"{self._settings.timeout_seconds:g} s. Create an index on the column of receipt, "
                f"or raise {PREFIX}_TIMEOUT_SECONDS; what has landed stays."
            )
        line = privacy.mask(self._without_secrets(said.strip().splitlines()[0] if said else ""))
        if state.startswith(_PASSING_STATES) or any(w in low for w in _PASSING_WORDS):
            return _PassingError(
                f"The database of {where} does not answer, or broke off "
                f"({state or 'no SQLSTATE'}: {line}). Look whether it is up and can be reached "
                "from here; the next run goes on where this one stopped."
            )
        return PostgresError(f"PostgreSQL could not do it ({state or 'no SQLSTATE'}): {line}")

    def _without_secrets(self, text: str) -> str:
        address = self._settings.dsn.get_secret_value()
        word = urlsplit(address).password or ""
        for secret in (address, word, unquote(word)):
            if secret:
                text = text.replace(secret, privacy.REDACTED)
        return text


class Snapshot:
    """What one moment of the database holds."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a small result."""
        self._cursor.execute(sql)
        return [tuple(row) for row in self._cursor.fetchall()]

    def value(self, sql: str) -> Any:
        """The first cell of the first row; None if there is none."""
        found = self.rows(sql)
        return found[0][0] if found else None

    def batches(self, sql: str) -> Iterator[pa.RecordBatch]:
        """Rows as they stream in by binary COPY."""
        self._cursor.execute(sql)
        yield from self._cursor.fetch_record_batch()


def identity(database: Database, settings: UsagePostgresSettings) -> str:
    """Names the table among all databases: a cursor of one must never be used for another.

    The server's own identifier, which replicas share; its host where the server keeps that secret.
    """
    parts = urlsplit(settings.dsn.get_secret_value())

    def read(from_: Database) -> str:
        with from_.snapshot() as snapshot:
            if snapshot.value("select has_function_privilege('pg_control_system()', 'execute')"):
                return str(snapshot.value("select system_identifier from pg_control_system()"))
        return f"{parts.hostname}:{parts.port or 5432}"

    server = database.patiently(read)
    return f"{server}/{unquote(parts.path.strip('/'))}/{settings.schema}.{settings.table}"


#: Takes the columns with their kinds, the columns that may give each of an event's, and whether the
#: table is fit to be read.
Look = Callable[[drift.Kinds, Mapping[str, tuple[str, ...]], bool], None]


def inspect(
    database: Database, settings: UsagePostgresSettings, look: Look | None = None
) -> EventTable:
    """Looks whether the table is there and fit to be read.

    Args:
        database: where it is.
        settings: which table, and how it is to be read.
        look: shown the table's shape before anything is raised about its columns.

    Raises:
        SettingsError: with a message for each thing that is missing or wrong.
        PostgresError: the database does not answer.
    """

    def read(from_: Database) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
        with from_.snapshot() as snapshot:
            table = snapshot.rows(
                f"""
                select c.oid::bigint, c.reltuples::bigint, c.relkind::text,
                    has_schema_privilege(n.oid, 'usage'),
                    array_to_string(array(
                        select a.attname::text from pg_index i
                        join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
                        where i.indrelid = c.oid and i.indisvalid and i.indpred is null
                    ), E'\\n')
                from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where n.nspname = {_text(settings.schema)} and c.relname = {_text(settings.table)}
                    and c.relkind in ('r', 'p', 'v', 'm', 'f')
                """
            )
            if not table:
                return [], []
            return table, snapshot.rows(
                f"""
                select a.attname::text,
                    format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null),
                    a.attnotnull, has_column_privilege(a.attrelid, a.attnum, 'select')
                from pg_attribute a join pg_type t on t.oid = a.atttypid
                where a.attrelid = {int(table[0][0])} and a.attnum > 0 and not a.attisdropped
                order by a.attnum
                """
            )

    table, described = database.patiently(read)
    name = f"{settings.schema}.{settings.table}"
    if not table:
        raise SettingsError(
            [
                f"{PREFIX}_TABLE: there is no table or view {name} in the database. Correct the "
                "name, and write its schema in front unless it is public."
            ]
        )
    _, estimate, relkind, may_use_schema, leading = table[0]
    columns = {str(r[0]): Column(str(r[0]), str(r[1]), bool(r[2]), bool(r[3])) for r in described}
    problems = []
    if not may_use_schema:
        problems.append(
            f"{PREFIX}_TABLE: the user may not use schema {settings.schema}. Grant it: "
            f"grant usage on schema {settings.schema}."
        )
    plan = _Plan(name, settings, columns)
    sql = plan.columns()
    problems += plan.problems
    if look is not None:
        look(plan.kinds_of_columns(), plan.sources(), not problems)
    if problems:
        raise SettingsError(problems)
    received = plan.chosen["received_at"][0][0]
    notes = []
    if relkind in ("r", "p", "m") and received.name not in str(leading or "").split("\n"):
        notes.append(
            f"{name} has no index that begins with {received.name}: every run reads the whole "
            f"table. Create one: create index concurrently on {name} ({received.name})."
        )
    return EventTable(
        name,
        f"{_quoted(settings.schema)}.{_quoted(settings.table)}",
        _quoted(received.name),
        received.kind,
        sql,
        plan.kinds,
        int(estimate),
        tuple(notes),
    )


class _Plan:
    """Which column of the table gives which of the event, and the SQL for it."""

    def __init__(
        self, name: str, settings: UsagePostgresSettings, columns: Mapping[str, Column]
    ) -> None:
        self._name = name
        self._settings = settings
        self._columns = columns
        self.problems: list[str] = []
        self.kinds: dict[str, str] = {}
        self._excluded = self._named("EXCLUDE", settings.exclude)
        self._hashed = self._named("HASH", settings.hashed)
        self.chosen = {event: self._choose(event) for event in CANDIDATES}

    def columns(self) -> dict[str, str]:
        """Event's column -> SQL. What is missing or wrong stands among the problems."""
        found: dict[str, str] = {}
        for event, fields in self.chosen.items():
            for column, _ in fields:
                if not column.is_readable:
                    self._problem(
                        f"{PREFIX}_DSN: the user may not read column {column.name} of "
                        f"{self._name}. Grant it: grant select on {self._name}."
                    )
            parts = [self._expression(event, column, path) for column, path in fields]
            if event in INSTANTS:
                found[event] = parts[0] if parts else "null::timestamptz"
            else:
                found[event] = f"coalesce({', '.join(parts)})" if parts else "null::text"
        return found

    def kinds_of_columns(self) -> drift.Kinds:
        """The columns that may be read, and what their types hold."""
        return {
            name: frozenset({_kind(column.kind)})
            for name, column in self._columns.items()
            if () not in self._excluded.get(name, [])
        }

    def sources(self) -> dict[str, tuple[str, ...]]:
        """Event's column -> columns of the table that may give it."""
        found = {e: tuple(n for n in names if "." not in n) for e, names in CANDIDATES.items()}
        for event, own in self._settings.columns.items():
            column, _ = self._split(own)
            found[event] = (own if column is None else column.name,)
        return found

    def _named(self, setting: str, names: Iterable[str]) -> dict[str, list[tuple[str, ...]]]:
        """Column -> paths in it; an empty path is the column itself."""
        found: dict[str, list[tuple[str, ...]]] = {}
        for name in names:
            column, path = self._split(name)
            if column is None or (path and column.kind not in _JSON):
                self._problem(
                    f"{PREFIX}_{setting} names {name!r}, which {self._name} does not have. Correct "
                    "it: a misspelt name would let a value through."
                )
            else:
                found.setdefault(column.name, []).append(path)
        return found

    def _split(self, field: str) -> tuple[Column | None, tuple[str, ...]]:
        if field in self._columns:
            return self._columns[field], ()
        top, *path = field.split(".")
        return self._columns.get(top), tuple(path)

    def _choose(self, event: str) -> list[tuple[Column, tuple[str, ...]]]:
        own = self._settings.columns.get(event)
        if own is not None:
            column, path = self._split(own)
            if column is None or () in self._excluded.get(column.name, []):
                has = ", ".join(self._columns) or "none"
                why = "is excluded" if column is not None else "is not there"
                self._problem(
                    f"{PREFIX}_COLUMNS: column {own!r} for {event} {why}. {self._name} has {has}."
                )
                return []
            return self._fit(event, [(column, path)], is_told=True)
        found = [
            (column, path)
            for field in CANDIDATES[event]
            if (parts := self._split(field))[0] is not None
            for column, path in [parts]
            if column is not None
            and () not in self._excluded.get(column.name, [])
            # Whether a key is there at all cannot be told beforehand; what every event needs is
            # looked for inside JSON only where a person says so.
            and not (path and event in NEEDED)
        ]
        # A column of its own makes reaching into JSON needless.
        plain = [one for one in found if not one[1]][:1]
        fitting = self._fit(event, plain or found, is_told=False)
        if not fitting and event in NEEDED:
            has = ", ".join(self._columns) or "none"
            self._problem(
                f"{self._name} has no column for {event} (looked for {', '.join(CANDIDATES[event])}"
                f"). It has {has}. Name the right one: "
                f'{PREFIX}_COLUMNS={{"{event}": "..."}}.'
            )
        return fitting

    def _fit(
        self, event: str, fields: list[tuple[Column, tuple[str, ...]]], *, is_told: bool
    ) -> list[tuple[Column, tuple[str, ...]]]:
        """Fields whose type will do."""
        fitting = []
        for column, path in fields:
            problem = None
            if path and column.kind not in _JSON:
                problem = f"is {column.kind}, so nothing can be found inside it"
            elif event == "received_at" and (path or column.kind not in _CALENDAR):
                problem = "is no timestamp, which the cursor needs. Give a view with one"
            elif event == "properties" and column.kind not in (*_JSON, "text"):
                problem = "is no JSON"
            elif () in self._hashed.get(column.name, []) and event in (*INSTANTS, "properties"):
                problem = f"cannot be hashed whole. Take it out of {PREFIX}_HASH, or exclude it"
            if problem is None:
                fitting.append((column, path))
            elif is_told or not path:
                self._problem(f"Column {column.name} of {self._name}, for {event}, {problem}.")
        return fitting

    def _expression(self, event: str, column: Column, path: tuple[str, ...]) -> str:
        raw = _quoted(column.name)
        is_json = column.kind in _JSON
        is_hashed = () in self._hashed.get(column.name, [])
        if is_json:
            clean = self._clean(column)
            if event == "properties" and not path:
                return f"({clean})::text"
            text = f"(({clean}) #>> {_array(path)})" if path else f"({clean})::text"
        else:
            text = f"{raw}::text"
        if event in INSTANTS:
            return self._instant(event, column, raw, text if path else None)
        text = f"nullif({text}, '')"
        return _sha256(text) if is_hashed else text

    def _clean(self, column: Column) -> str:
        """A JSON column without what is excluded, and with hashes for what is hashed."""
        raw = _quoted(column.name)
        gone = [p for p in self._excluded.get(column.name, []) if p]
        hashed = [p for p in self._hashed.get(column.name, []) if p]
        if column.kind == "json":
            # The one text that is JSON and yet cannot be looked into.
            raw = f"case when position('\\u0000' in {raw}::text) = 0 then {raw}::jsonb end"
        if not gone and not hashed:
            return raw
        clean = f"({raw})"
        for path in gone:
            clean = f"({clean} #- {_array(path)})"
        for path in hashed:
            value = f"({clean} #>> {_array(path)})"
            clean = (
                f"(case when {value} is null then {clean} else jsonb_set({clean}, {_array(path)}, "
                f"to_jsonb({_sha256(value)}), false) end)"
            )
        # Whether a text or a list holds what must not pass cannot be told.
        return f"case when jsonb_typeof({raw}) = 'object' then {clean} end"

    def _instant(self, event: str, column: Column, raw: str, text: str | None) -> str:
        self.kinds[event] = "TIMESTAMP WITH TIME ZONE"
        if text is None and column.kind in _CALENDAR:
            zone = (
                "" if column.kind.endswith("with time zone") else "::timestamp at time zone 'UTC'"
            )
            between = f"{raw} between '{_FIRST}' and '{_LAST}'"
            return f"case when {between} then ({raw}{zone}) end::timestamptz"
        if text is None and column.kind in _NUMBERS:
            n = f"{raw}::float8"
            scaled = (
                f"case when {n} > 1e14 then {n} / 1e6 when {n} > 1e11 then {n} / 1e3 else {n} end"
            )
            return f"case when {n} between -6e10 and 2.5e17 then to_timestamp({scaled}) end"
        self.kinds[event] = "VARCHAR"
        return f"nullif({text or f'{raw}::text'}, '')"

    def _problem(self, sentence: str) -> None:
        if sentence not in self.problems:
            self.problems.append(sentence)


def _kind(type_: str) -> str:
    if type_ in _JSON:
        return drift.OBJECT
    if type_ in _NUMBERS:
        return drift.NUMBER
    if type_ in _CALENDAR:
        return drift.DATE if type_ == "date" else drift.INSTANT
    if type_.endswith("[]"):
        return drift.LIST
    return drift.BOOLEAN if type_ == "boolean" else drift.TEXT


def _address(settings: UsagePostgresSettings) -> str:
    """The address with what we need added; what the person wrote there wins."""
    parts = urlsplit(settings.dsn.get_secret_value())
    own = dict(parse_qsl(parts.query))
    more = {
        "application_name": "tenure",
        "connect_timeout": str(_CONNECT_SECONDS),
        "client_encoding": "UTF8",
        "keepalives_idle": "30",
    }
    if parts.hostname not in _LOCAL:
        more["sslmode"] = "require"
    return urlunsplit(parts._replace(query=urlencode(more | own)))


def _sha256(text: str) -> str:
    # As `privacy.hash_email` does, so that equal people compare equal wherever they come from.
    same = f"case when position('@' in {text}) > 0 then lower(btrim({text})) else {text} end"
    return f"encode(sha256(convert_to({same}, 'UTF8')), 'hex')"


def _array(path: Iterable[str]) -> str:
    return "array[" + ", ".join(_text(p) for p in path) + "]::text[]"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
