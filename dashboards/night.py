"""The published night that pages are drawn from.

Belongs here: finding the night that readers see, opening it read-only, asking it. Must not be here:
which question is asked (`queries`), Streamlit. A night is never changed after it was published, so
one opened here may be kept until the link points elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
DATABASE = "tenure.duckdb"
MANIFEST = "manifest.json"
#: Static pages that a night may have beside its tables, what each shows, and their folder.
FOLDER = "pages"
BESIDE = {
    "data-quality.html": "What arrived, checked: every expectation on every load",
    "dbt-docs.html": "Every model, column and test, with lineage",
}


class NightError(Exception):
    """The night, or what is asked of it, is not there; the message says what to do."""


@dataclass(frozen=True)
class Identity:
    """Which night it is: its folder, and when its files were written.

    A date that is built again, and a person who is erased, change one or the other.
    """

    folder: Path
    written_ns: int


@dataclass(frozen=True)
class Night:
    """A published night, open for reading.

    Attributes:
        identity: which one; equal identities have equal tables.
        as_of: everything is as of the end of this day, UTC.
        run: the run that made it.
        tables: the tables it has, `schema.name`.
    """

    identity: Identity
    as_of: date
    run: str
    tables: frozenset[str]
    _connection: duckdb.DuckDBPyConnection = field(repr=False, compare=False)

    def frame(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Answer one query; money comes as float, dates as datetime64, unknown as missing.

        Raises:
            NightError: the night lacks a table or column that the query names.
        """
        try:
            with self._connection.cursor() as cursor:
                frame = cursor.execute(sql, dict(parameters or {})).df()
        except duckdb.CatalogException as error:
            raise NightError(_lacking("a table", error)) from error
        except duckdb.BinderException as error:
            raise NightError(_lacking("a column", error)) from error
        return frame

    def has(self, table: str) -> bool:
        """Say whether the night has a table, `schema.name`."""
        return table in self.tables

    def file(self, name: str) -> Path | None:
        """Return a file that was published beside the tables, or None when it was not."""
        path = self.identity.folder / name
        return path if path.is_file() else None

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()


def published_folder() -> Path:
    """Return the folder of nights of this installation: `published` under TENURE_HOME."""
    return Path(os.environ.get("TENURE_HOME") or ROOT) / "published"


def current(published: Path) -> Identity:
    """Return which night readers see now.

    Raises:
        NightError: nothing was published yet, or the link leads nowhere.
    """
    link = published / "current"
    try:
        folder = link.resolve(strict=True)
        written = max((folder / name).stat().st_mtime_ns for name in (MANIFEST, DATABASE))
    except OSError as error:
        raise NightError(
            f"No night has been published in {published} yet. Run `make nightly` and reload this "
            "page; if the state of the installation lies elsewhere, set TENURE_HOME to it."
        ) from error
    return Identity(folder, written)


def open_night(identity: Identity) -> Night:
    """Open a night for reading.

    Raises:
        NightError: its files are missing or damaged.
    """
    database = identity.folder / DATABASE
    try:
        manifest = json.loads((identity.folder / MANIFEST).read_text(encoding="utf-8"))
        # Nothing may be fetched from elsewhere because a file happens to name it.
        connection = duckdb.connect(
            str(database),
            read_only=True,
            config={"autoinstall_known_extensions": False, "threads": 2},
        )
        connection.execute("set timezone = 'UTC'")
        names = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where not internal"
        ).fetchall()
        return Night(
            identity,
            date.fromisoformat(manifest["as_of"]),
            str(manifest["run_id"]),
            frozenset(name for (name,) in names),
            connection,
        )
    except (OSError, ValueError, KeyError, duckdb.Error) as error:
        raise NightError(
            f"The night in {identity.folder} cannot be read ({type(error).__name__}). "
            "Run `make nightly` to publish it again, or `make rollback` to show the night before."
        ) from error


def _lacking(what: str, error: duckdb.Error) -> str:
    first = str(error).splitlines()[0]
    return (
        f"This night lacks {what} that is shown here, so it was published by another version of "
        f"Tenure or its models were not all built. Run `make nightly` to build it anew. ({first})"
    )
