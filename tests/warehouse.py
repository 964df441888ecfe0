"""Warehouses that dbt builds from a lake in a folder, for tests of models on landed files.

Belongs here: how to call dbt and read its tables back. Must not be here: any expectation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import yaml
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest

from tests.environment import in_environment

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "dbt_project"
UNTESTED = ("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")


@dataclass
class Warehouse:
    """A warehouse built from a lake by a part of the project.

    Only the parts named are copied, and they are parsed once: everything of the date is worked out
    when statements are compiled.

    Attributes:
        folder: where lake, database and the copied project lie.
        parts: folders or models of the project under `models/`.
        seeds: whether the project's seeds are copied too.
    """

    folder: Path
    parts: tuple[str, ...]
    seeds: bool = False
    _manifest: Manifest | None = None

    @property
    def project(self) -> Path:
        """The copied part of the project."""
        copy = self.folder / "project"
        if not copy.exists():
            seeds = ("seeds",) if self.seeds else ()
            for name in ("dbt_project.yml", "profiles.yml", "macros", "tests/generic", *seeds):
                _copy(PROJECT / name, copy / name)
            for part in self.parts:
                for file in (PROJECT / "models").glob(part):
                    _copy(file, copy / file.relative_to(PROJECT))
        return copy

    @property
    def lake(self) -> Path:
        """Root of the lake."""
        return self.folder / "lake"

    @property
    def file(self) -> Path:
        """The database."""
        return self.folder / "warehouse.duckdb"

    def clear(self) -> None:
        """Forgets lake and warehouse, keeps what dbt knows of the project."""
        shutil.rmtree(self.lake, ignore_errors=True)
        self.forget()

    def forget(self) -> None:
        """Forgets what was built."""
        for file in self.folder.glob("warehouse.duckdb*"):
            file.unlink()

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
                parsed = dbtRunner().invoke(["parse", *self._places()])
                assert isinstance(parsed.result, Manifest), parsed.exception
                self._manifest = parsed.result
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


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
