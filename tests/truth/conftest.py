"""Companies whose truth is known, landed through the connectors and built by dbt, one a seed.

Belongs here: how a company gets into a warehouse, once a session. Must not be here: what is
expected of it. Dagster, checks and scores take part in `tests/end_to_end`; here the data counts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files as desk
from ingestion.lake import Lake
from ingestion.settings import load_settings
from ingestion.usage import load as usage_load
from sample_company import testing
from sample_company.world.build import World, build_world
from sample_company.world.config import WorldConfig
from sample_company.world.usage import Usage, delivered_counts, raw_from

ROOT = Path(__file__).resolve().parents[2]
#: `small` over three seeds, or with TENURE_TRUTH=demo the large one.
SIZE: Any = os.environ.get("TENURE_TRUTH", "small")
CONFIGS = [WorldConfig(size=SIZE, seed=seed) for seed in ((1, 2, 3) if SIZE == "small" else (1,))]
#: Raw events of some months are enough for a small company: older months come as monthly sums.
EVENT_DAYS = 200 if SIZE == "small" else None


@dataclass(frozen=True)
class Case:
    """A company, what really happened in it, and the warehouse made of what its systems said.

    Attributes:
        seed: which company.
        world: what happened, with the truth tables.
        warehouse: the database that dbt built.
        reports: what each connector said of its load.
    """

    seed: int
    world: World
    warehouse: Path
    reports: dict[str, Any]

    @property
    def as_of(self) -> date:
        """The last day of the company."""
        return self.world.config.last_day

    def rows(self, sql: str) -> pd.DataFrame:
        """Rows of a query over the warehouse."""
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            connection.execute("set timezone = 'UTC'")
            return connection.execute(sql).df()

    def truth(self, table: str) -> pd.DataFrame:
        """A truth table."""
        return self.world.truth[table]

    def planted(self, mess: str) -> pd.DataFrame:
        """What was planted of one kind of mess."""
        table = self.world.truth["truth_mess"]
        return table[table["mess"] == mess].reset_index(drop=True)

    def pairs(self, mess: str) -> set[tuple[str, str]]:
        """Record and other record of each planted piece."""
        rows = self.planted(mess)
        return set(zip(rows["record_id"], rows["other_id"], strict=True))

    def listed_pairs(self, gap: str) -> set[tuple[str, str]]:
        """Record and other record of each gap that the warehouse lists."""
        sql = f"select record_id, other_id from operations.data_gaps where gap_type = '{gap}'"
        rows = self.rows(sql)
        return set(zip(rows["record_id"], rows["other_id"], strict=True))

    def events_from(self) -> pd.Timestamp:
        """First instant of the raw events that were landed."""
        first = self.as_of - timedelta(days=EVENT_DAYS - 1)
        return max(
            pd.Timestamp(first, tz="UTC"), pd.Timestamp(raw_from(self.world.config), tz="UTC")
        )

    def delivered(self) -> pd.DataFrame:
        """Deliveries of events by day of receipt and of event, see `usage.delivered_counts`."""
        first = self.events_from().date()
        usage = Usage.of(self.world.tables, self.world.config, since=first)
        return delivered_counts(usage, first, self.as_of)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that all companies share in turn, so that dbt parses the project once."""
    return tmp_path_factory.mktemp("truth")


@pytest.fixture(scope="session")
def worlds() -> Sequence[World]:
    """The companies that are tried."""
    return [build_world(config) for config in CONFIGS]


@pytest.fixture(
    scope="session", params=range(len(CONFIGS)), ids=lambda n: f"seed {CONFIGS[n].seed}"
)
def case(request: pytest.FixtureRequest, worlds: Sequence[World], place: Path) -> Case:
    """A company, landed and built."""
    return land_and_build(worlds[request.param], place)


def land_and_build(world: World, place: Path) -> Case:
    """Land what the company's systems say on the morning after its last day, and build all models.

    Args:
        world: the company.
        place: folder to work in; what another company left there is removed.
    """
    config = world.config
    for left in ("lake", "warehouse"):
        shutil.rmtree(place / left, ignore_errors=True)
    with testing.running(world, event_days=EVENT_DAYS) as company:
        before = dict(os.environ)
        os.environ.update(company, TENURE_HOME=str(place))
        try:
            settings = load_settings()
            lake = Lake.at(settings.home)
            reports = {
                run.__module__.rsplit(".", 1)[-1]: run(
                    settings, lake, run_id="truth", as_of=config.last_day, progress=_silent
                )
                for run in (desk.run, salesforce.run, stripe.run, usage_load.run)
            }
        finally:
            os.environ.clear()
            os.environ.update(before)
    _build(place, config.last_day)
    kept = place / f"seed{config.seed}.duckdb"
    (place / "warehouse" / "tenure.duckdb").replace(kept)
    return Case(config.seed, world, kept, reports)


def _silent(_: str) -> None:
    """No progress wanted."""


def _build(place: Path, as_of: date) -> None:
    (place / "warehouse").mkdir()
    project = str(ROOT / "dbt_project")
    target = str(place / "target")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dbt")), "--log-level-file", "none", "build"),
            *("--project-dir", project, "--profiles-dir", project),
            *("--target-path", target, "--log-path", target, "--no-use-colors"),
            *("--exclude-resource-type", "test", "--exclude-resource-type", "unit_test"),
            *("--vars", f"{{as_of: '{as_of}'}}"),
        ],
        env={
            **os.environ,
            "TENURE_LAKE": str(place / "lake"),
            "TENURE_WAREHOUSE": str(place / "warehouse" / "tenure.duckdb"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
