"""Companies whose truth is known, landed through the connectors and built by dbt, one a seed.

Belongs here: how a company gets into a warehouse, once a session. Must not be here: what is
expected of it. Dagster, checks and scores take part in `tests/end_to_end`; here the data counts.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ingestion import closes
from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files as desk
from ingestion.lake import Lake
from ingestion.settings import load_settings
from ingestion.usage import load as usage_load
from orchestration.assets.closes import figures
from sample_company import testing
from sample_company.world.build import World, build_world
from sample_company.world.config import WorldConfig
from sample_company.world.usage import Usage, delivered_counts, raw_from
from tests.environment import in_environment
from tests.warehouse import Warehouse, frame

#: What TENURE_TRUTH may name: one small company, three of them, the large one, or three of it.
COMPANIES = {
    # Six is the first in which every kind of mess and story occurs.
    "one": [WorldConfig(size="small", seed=6)],
    "three": [WorldConfig(size="small", seed=seed) for seed in (1, 2, 3)],
    "demo": [WorldConfig(size="demo", seed=1)],
    "demos": [WorldConfig(size="demo", seed=seed) for seed in (1, 2, 3)],
}
CHOSEN = os.environ.get("TENURE_TRUTH", "one")
CONFIGS = COMPANIES[CHOSEN]
#: Raw events of some months are enough for a small company: older months come as monthly sums.
EVENT_DAYS = None if CHOSEN in ("demo", "demos") else 200


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
        return frame(self.warehouse, sql)

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
        first = pd.Timestamp(raw_from(self.world.config), tz="UTC")
        if EVENT_DAYS is None:
            return first
        return max(first, pd.Timestamp(self.as_of - timedelta(days=EVENT_DAYS - 1), tz="UTC"))

    def delivered(self) -> pd.DataFrame:
        """Deliveries of events by day of receipt and of event, see `usage.delivered_counts`."""
        first = self.events_from().date()
        usage = Usage.of(self.world.tables, self.world.config, since=first)
        return delivered_counts(usage, first, self.as_of)


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """What all companies share in turn, so that dbt parses the project once."""
    return Warehouse(tmp_path_factory.mktemp("truth"))


@pytest.fixture(scope="session")
def worlds() -> Sequence[World]:
    """The companies that are tried."""
    return [build_world(config) for config in CONFIGS]


@pytest.fixture(scope="session")
def built(worlds: Sequence[World], warehouse: Warehouse) -> Callable[[int], Case]:
    """Lands and builds a company when it is first asked for, by its place in the list."""
    return functools.cache(lambda number: land_and_build(worlds[number], warehouse))


@pytest.fixture(
    scope="session", params=range(len(CONFIGS)), ids=lambda n: f"seed {CONFIGS[n].seed}"
)
def case(request: pytest.FixtureRequest, built: Callable[[int], Case]) -> Case:
    """A company, landed and built."""
    return built(request.param)


@pytest.fixture(scope="session")
def cases(built: Callable[[int], Case]) -> Sequence[Case]:
    """All companies, for what is too rare in one of them to be counted there."""
    return [built(number) for number in range(len(CONFIGS))]


def land_and_build(world: World, warehouse: Warehouse) -> Case:
    """Land what the company's systems say on the morning after its last day, and build all models.

    One month is closed as if it had been closed before all of it was told.

    Args:
        world: the company.
        warehouse: where; what another company left there is removed.
    """
    config = world.config
    month, closed_on = told_late(world)
    warehouse.clear()
    with testing.running(world, event_days=EVENT_DAYS) as company:
        with in_environment({**company, "TENURE_HOME": str(warehouse.folder)}):
            settings = load_settings()
        lake = Lake.at(settings.home)
        reports = {
            run.__module__.rsplit(".", 1)[-1]: run(
                settings, lake, run_id="truth", as_of=config.last_day, progress=_silent
            )
            for run in (desk.run, salesforce.run, stripe.run, usage_load.run)
        }
    warehouse.build("+int_account_month_money", closed_on.isoformat())
    closes.close_month(lake, figures(warehouse.file, month, closed_on, basis="rebuilt"))
    warehouse.forget()
    warehouse.build("*", config.last_day.isoformat())
    kept = warehouse.folder / f"seed{config.seed}.duckdb"
    warehouse.file.replace(kept)
    return Case(config.seed, world, kept, reports)


def told_late(world: World) -> tuple[date, date]:
    """A month that its own end did not know all of, and a day before the rest of it was told.

    Of the cancellations and contracts that were dated back over a month's end, the last.
    """
    mess = world.truth["truth_mess"]
    late = mess[mess["mess"].isin(["back_dated_cancellation", "back_dated_invoice"])]
    effective = pd.to_datetime(late["detail"].str.extract(r"(\d{4}-\d\d-\d\d)", expand=False))
    month_ends = effective + pd.offsets.MonthEnd(0)
    told_on = late["planted_at"].dt.tz_localize(None).dt.normalize()
    last = told_on[told_on > month_ends].idxmax()
    return month_ends[last].date(), (told_on[last] - pd.Timedelta(days=1)).date()


def _silent(_: str) -> None:
    """No progress wanted."""
