"""Runs parts of the dbt project over a lake in a folder, for tests of its models on landed files.

Belongs here: how to call dbt and read its tables back. Must not be here: any expectation.
"""

from __future__ import annotations

import os
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
    """A warehouse built from a lake by a part of the project."""

    lake: Path
    file: Path

    def command(self, select: str, as_of: str, **variables: Any) -> list[str]:
        """The command that builds the models selected and their parents."""
        return [
            sys.executable, "-m", "dbt.cli.main", "run",
            "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT),
            "--target-path", str(self.file.with_suffix(".target")),
            "--log-path", str(self.file.with_suffix(".logs")),
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
