"""One small night, run once a session through the job that production runs, for many tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.definitions import build_definitions
from orchestration.installation import Installation
from sample_company import testing
from sample_company.world.build import build_world
from sample_company.world.config import WorldConfig
from tests.environment import in_environment

SEED = 1


@dataclass
class NightOutcome:
    """A night that was run: where its state lies and what Dagster recorded."""

    home: Path
    as_of: date
    result: dg.ExecuteInProcessResult

    @property
    def database(self) -> Path:
        return self.home / "published" / "current" / "tenure.duckdb"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse" / "tenure.duckdb"

    def rows_loaded(self) -> int:
        """Rows that landed in this run, over all sources."""
        return sum(
            value
            for event in self.result.get_asset_materialization_events()
            for key, entry in event.materialization.metadata.items()
            if key == "rows_loaded" and isinstance(value := entry.value, int)
        )


def run_night(
    home: Path, as_of: date, environment: Mapping[str, str], instance: dg.DagsterInstance
) -> NightOutcome:
    """Run the nightly job in this process, with the settings of `environment`."""
    with in_environment({**environment, "TENURE_HOME": str(home)}):
        installation = Installation(home=str(home))
        job = build_definitions({"installation": installation}).resolve_job_def("nightly")
        result = job.execute_in_process(
            instance=instance,
            run_config={"resources": {"night": {"config": {"as_of": as_of.isoformat()}}}},
        )
    return NightOutcome(home, as_of, result)


@pytest.fixture(scope="session")
def world() -> Any:
    """The small sample company."""
    return build_world(WorldConfig(size="small", seed=SEED))


@pytest.fixture(scope="session")
def servers(world: Any) -> Iterator[Any]:
    """Its servers on the morning of its last day, so that a next night exists."""
    # Raw events of some months are enough here, and files are the slow part of a small company.
    with testing.running(world, now=world.config.last_day, event_days=120) as running:
        yield running


@pytest.fixture(scope="session")
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance of its own, in memory: a night's events take long to write to disk."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(scope="session")
def night(
    tmp_path_factory: pytest.TempPathFactory,
    world: Any,
    servers: Any,
    instance: dg.DagsterInstance,
) -> NightOutcome:
    """The first night: full listings, everything built, scored and published."""
    home = tmp_path_factory.mktemp("installation")
    return run_night(home, world.config.last_day - timedelta(days=1), servers, instance)
