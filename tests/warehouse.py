"""Warehouses that dbt builds from a lake in a folder, for tests of models on landed files.

Belongs here: how to call dbt and read its tables back. Must not be here: any expectation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

from orchestration.dbt import load_parsed
from tests.environment import in_environment

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "dbt_project"
UNTESTED = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


@dataclass
class Warehouse:
    """A warehouse built from a lake by a part of the project.

    The whole project is taken as the night has it parsed. Where parts are named only they are
    copied, and parsed once: everything of the date is worked out when statements are compiled.

    Attributes:
        folder: where lake, database and the copied project lie.
        parts: folders or models of the project under `models/`; None for the whole project.
        given: models under `models/` that the parts read and a test writes itself: dbt knows their
            names only.
    """

    folder: Path
    parts: tuple[str, ...] | None = None
    given: tuple[str, ...] = ()
    _manifest: Manifest | None = None

    @property
    def project(self) -> Path:
        """The project, or the copied part of it."""
        if self.parts is None:
            return PROJECT
        copy = self.folder / "project"
        if not copy.exists():
            for name in ("dbt_project.yml", "profiles.yml", "macros", "tests/generic"):
                _copy(PROJECT / name, copy / name)
            for part in self.parts:
                for file in (PROJECT / "models").glob(part):
                    _copy(file, copy / file.relative_to(PROJECT))
            for name in self.given:
                stub = copy / "models" / f"{name}.sql"
                stub.parent.mkdir(parents=True, exist_ok=True)
                stub.write_text("select 1 as given")
        return copy

    @property
    def lake(self) -> Path:
        """Root of the lake."""
        return self.folder / "lake"

    @property
    def file(self) -> Path:
        """The database."""
        return self.folder / "tenure.duckdb"

    def clear(self) -> None:
        """Forgets lake and warehouse, keeps what dbt knows of the project."""
        shutil.rmtree(self.lake, ignore_errors=True)
        self.forget()

    def forget(self) -> None:
        """Forgets what was built."""
        for file in self.folder.glob("tenure.duckdb*"):
            file.unlink()

    def give(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Writes all given models with the columns that the project documents; empty if not named.

        Raises:
            ValueError: rows for a model that is not given, or for a column it does not have.
        """
        names = {PurePosixPath(name).name for name in self.given}
        if unknown := rows.keys() - names:
            raise ValueError(f"not given: {sorted(unknown)}")
        self.forget()
        self.folder.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(self.file)) as connection:
            connection.execute("set timezone = 'UTC'")
            for path in self.given:
                _write(connection, path, rows.get(PurePosixPath(path).name, ()))

    def words(
        self, command: str, select: str, as_of: str, *more: str, **variables: Any
    ) -> list[str]:
        """What dbt is told: a command over the models selected, as of a date."""
        return [
            *(command, "--select", *select.split(), *more),
            *("--vars", yaml.safe_dump({"as_of": as_of, **variables}, default_flow_style=True)),
            *self._places(),
        ]

    @property
    def environment(self) -> dict[str, str]:
        """What dbt reads from the environment."""
        return {
            "TENURE_LAKE": str(self.lake),
            "TENURE_WAREHOUSE": str(self.file),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }

    def run(
        self, command: str, select: str, as_of: str, *more: str, **variables: Any
    ) -> dbtRunnerResult:
        """Runs a command of dbt and gives what came of each model and test."""
        with self._dbt():
            if self._manifest is None:
                self._manifest = load_parsed(self.lake) if self.parts is None else self._parse()
            words = self.words(command, select, as_of, *more, **variables)
            # A copy: dbt notes in it what it has compiled, and what is not built then is not found.
            return dbtRunner(manifest=self._manifest.deepcopy()).invoke(words)

    def build(self, select: str, as_of: str, **variables: Any) -> None:
        """Builds the models selected and their seeds; fails with dbt's own words."""
        done = self.run("build", select, as_of, *UNTESTED, **variables)
        assert done.exception is None, done.exception
        assert done.success, [r.message for r in done.result.results if r.status == "error"]

    def start(self, select: str, as_of: str, **variables: Any) -> subprocess.Popen[str]:
        """Starts to build the models selected in a process of its own."""
        dbt = str(Path(sys.executable).with_name("dbt"))
        return subprocess.Popen(
            [dbt, "--no-use-colors", *self.words("run", select, as_of, **variables)],
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query, instants in UTC."""
        return rows(self.file, sql)

    def frame(self, sql: str) -> pd.DataFrame:
        """Rows of a query as a frame, instants in UTC."""
        return frame(self.file, sql)

    def _parse(self) -> Manifest:
        parsed = dbtRunner().invoke(["parse", *self._places()])
        assert isinstance(parsed.result, Manifest), parsed.exception
        return parsed.result

    def _places(self) -> list[str]:
        project = str(self.project)
        return [
            *("--project-dir", project, "--profiles-dir", project),
            *("--target-path", str(self.folder / "target")),
            *("--log-path", str(self.folder / "logs"), "--log-level-file", "none"),
        ]

    @contextmanager
    def _dbt(self) -> Iterator[None]:
        with in_environment(self.environment):
            try:
                yield
            finally:
                # dbt keeps the file open for its process, which has other readers of it.
                DuckDBConnectionManager.close_all_connections()


def rows(database: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query over a DuckDB file, instants in UTC."""
    with _reading(database) as connection:
        return connection.execute(sql).fetchall()


def frame(database: Path, sql: str) -> pd.DataFrame:
    """Rows of a query over a DuckDB file as a frame, instants in UTC."""
    with _reading(database) as connection:
        return connection.execute(sql).df()


@contextmanager
def _reading(database: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def _write(
    connection: duckdb.DuckDBPyConnection, path: str, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Creates the table of a model and fills it."""
    folder, *parts = PurePosixPath(path).parts
    schema, name = (parts[0] if folder == "marts" else folder), parts[-1]
    described = yaml.safe_load((PROJECT / "models" / f"{path}.yml").read_text())
    (model,) = (one for one in described["models"] if one["name"] == name)
    types = {column["name"]: column.get("data_type", "varchar") for column in model["columns"]}
    if unknown := {column for row in rows for column in row} - types.keys():
        raise ValueError(f"{name} has no columns {sorted(unknown)}")
    connection.execute(f"create schema if not exists {schema}")
    columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
    connection.execute(f"create table {schema}.{name} ({columns})")
    if rows:
        # An Arrow table keeps decimals and instants as they are; a missing value is null.
        landed = pa.table({column: [row.get(column) for row in rows] for column in types})
        connection.register("landed", landed)
        connection.execute(f"insert into {schema}.{name} by name select * from landed")
        connection.unregister("landed")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
