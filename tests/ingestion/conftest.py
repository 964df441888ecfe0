"""A company to load from, built once, served per test."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.reports import LoadReport
from ingestion.settings import Settings, load_settings
from ingestion.usage import event_files
from sample_company.testing import Running, running
from sample_company.world.build import World, build_world
from sample_company.world.config import WorldConfig
from tests.environment import in_environment

if TYPE_CHECKING:
    from sample_company.servers.postgres import PostgresServer

NOW = date(2026, 5, 1)
_NAMES = (
    "STRIPE_API_KEY",
    "STRIPE_API_BASE",
    "STRIPE_RECONCILE_DAYS",
    "SALESFORCE_LOGIN_URL",
    "SALESFORCE_CLIENT_ID",
    "SALESFORCE_CLIENT_SECRET",
    "SALESFORCE_OBJECTS",
    "SALESFORCE_API_VERSION",
    "SALESFORCE_USAGE_CEILING",
    "HUBSPOT_ACCESS_TOKEN",
    "HUBSPOT_API_URL",
    "HUBSPOT_OBJECTS",
    "HUBSPOT_USAGE_CEILING",
    "HUBSPOT_RECONCILE_DAYS",
    "TENURE_EVENTS_PATH",
    "TENURE_EVENTS_MANIFEST",
    "TENURE_EVENTS_COLUMNS",
    "TENURE_USAGE_MONTHLY_PATH",
    "TENURE_DESK_PATH",
    "TENURE_ENV_FILE",
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in _NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TENURE_HOME", str(tmp_path / "home"))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.at(tmp_path / "home")


@pytest.fixture(scope="session")
def world() -> World:
    return build_world(WorldConfig())


Serve = Callable[..., AbstractContextManager[tuple[Running, Settings]]]


@pytest.fixture
def serve(world: World, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Serves the company; gives it and the settings that lead to it."""

    @contextmanager
    def start(**options: Any) -> Iterator[tuple[Running, Settings]]:
        given = {"now": NOW, "event_days": 0} | options
        with running(world, **given) as company:
            for name, value in company.items():
                monkeypatch.setenv(name, value)
            yield company, load_settings()

    return start


def silent(_: str) -> None:
    """Takes progress lines and keeps them to itself."""


LOAD: dict[str, Any] = {"run_id": "run", "as_of": NOW, "progress": silent}
RUNS = {
    "stripe": stripe.run,
    "salesforce": salesforce.run,
    "desk": files.run,
    "usage": event_files.run,
}


@contextmanager
def served(world: World, home: Path, event_days: int = 0) -> Iterator[tuple[Running, Settings]]:
    """Serves the company for longer than a test."""
    with running(world, now=NOW, event_days=event_days) as company:
        with in_environment({**company, "TENURE_HOME": str(home)}):
            settings = load_settings()
        yield company, settings


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    """A PostgreSQL server; each test makes a database of its own."""
    # Few tests need the driver, which takes its time to load.
    from sample_company.servers.postgres import PostgresServer

    with PostgresServer() as running_server:
        yield running_server


Loaded = Callable[[str, Lake], LoadReport]


@pytest.fixture(scope="session")
def loaded(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """Fills a lake with what a first load of a service on `NOW` has landed; loads each once."""
    place = tmp_path_factory.mktemp("first")
    with served(world, place, event_days=3) as (_, settings):
        done: dict[str, tuple[Lake, LoadReport]] = {}

        def fill(service: str, lake: Lake) -> LoadReport:
            if service not in done:
                first = Lake.at(place / service)
                done[service] = (first, RUNS[service](settings, first, **LOAD))
            first, report = done[service]
            shutil.copytree(first.root, lake.root)
            return report

        yield fill


def rows_of(lake: Lake, source: str, table: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """Newest versions of a table, without what differs between two lakes, in a fixed order."""
    found = lake.read(
        source,
        table,
        f"""
        select {columns} from (
            select * exclude (_dlt_load_id), row_number() over (
                partition by id order by _version_at desc, _dlt_load_id desc
            ) as newness
            from t
        ) where newness = 1 order by all
        """,
    )
    return [tuple(r.values()) for r in found.to_pylist()]
