"""Runs parts of the dbt project over a lake in a folder, for tests of its models on landed files.

Belongs here: how to call dbt and read its tables back. Must not be here: any expectation.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "dbt_project"


@dataclass(frozen=True)
class Warehouse:
    """A warehouse built from a lake by a part of the project.

    Only the parts named are copied: dbt reads a whole project again for each new as-of date.

    Attributes:
        folder: where lake, database and the copied project lie.
        parts: folders or models of the project under `models/`.
    """

    folder: Path
    parts: tuple[str, ...]

    @property
    def project(self) -> Path:
        """The copied part of the project."""
        copy = self.folder / "project"
        if not copy.exists():
            for name in ("dbt_project.yml", "profiles.yml", "macros", "tests/generic"):
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

    def command(self, select: str, as_of: str, **variables: Any) -> list[str]:
        """The command that builds the models selected and their parents."""
        return [
            str(Path(sys.executable).with_name("dbt")), "--no-use-colors", "run",
            "--project-dir", str(self.project), "--profiles-dir", str(self.project),
            "--target-path", str(self.folder / "target"),
            "--log-path", str(self.folder / "logs"),
            "--select", *select.split(),
            "--vars", yaml.safe_dump({"as_of": as_of, **variables}, default_flow_style=True),
        ]  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        """The environment of the command."""
        return {
            **os.environ,
            "TENURE_LAKE": str(self.lake),
            "TENURE_WAREHOUSE": str(self.file),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }

    def build(self, select: str, as_of: str, **variables: Any) -> None:
        """Builds the models selected and fails with dbt's own words."""
        done = subprocess.run(
            self.command(select, as_of, **variables),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query, instants in UTC."""
        with duckdb.connect(str(self.file), read_only=True) as con:
            con.execute("set timezone = 'UTC'")
            return con.execute(sql).fetchall()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)
