"""The whole company inside a test: servers in threads, files in a folder, a clock to turn.

Belongs here: what tests of other parts need to meet the company as a connector does. Does not
belong here: daemons, progress output, anything the product itself would import.

    with running(world, now=datetime(2026, 6, 1, tzinfo=UTC)) as company:
        for name, value in company.items():
            monkeypatch.setenv(name, value)
        company.faults.add("rate_limit", service="stripe", path="/v1/invoices", count=2)
        company.set_now(datetime(2026, 6, 2, tzinfo=UTC))
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sample_company import export
from sample_company.servers.company import CompanyServers, Crm
from sample_company.servers.drift import Drifts
from sample_company.servers.faults import Faults
from sample_company.servers.http import Server
from sample_company.servers.hubspot import HubSpotSettings
from sample_company.servers.hubspot_ids import as_hubspot_customer
from sample_company.servers.salesforce import SalesforceSettings
from sample_company.servers.stripe import StripeSettings

if TYPE_CHECKING:
    from sample_company.servers.postgres import UsageDatabase
    from sample_company.world.build import World


#: Where the raw events of a company are to be found.
Usage = Literal["files", "postgres", "both"]


class Running(dict[str, str]):
    """The settings of a running company (name to value), and handles to steer it.

    Attributes:
        world: the world being served.
        faults: what goes wrong on the wire, see `sample_company.servers.faults`.
        folder: where the company's files lie.
    """

    def __init__(
        self,
        world: World,
        now: datetime,
        folder: Path,
        event_days: int | None,
        stripe: StripeSettings | None,
        salesforce: SalesforceSettings | None,
        hubspot: HubSpotSettings | None = None,
        crm: Crm = "salesforce",
        usage: Usage = "files",
    ) -> None:
        super().__init__()
        if crm == "hubspot":
            world = as_hubspot_customer(world)
        self.world = world
        self.folder = folder
        self._now = now
        self._files = export.CompanyFiles(
            world, folder, event_days=event_days, with_events=usage != "postgres"
        )
        self._database = None if usage == "files" else _database(world, self._files)
        self.servers = CompanyServers(
            world.tables,
            lambda: self._now,
            stripe=stripe,
            salesforce=salesforce,
            hubspot=hubspot,
            crm=crm,
        )
        self.drift.watch_files(
            self._rewritten,
            lambda: frozenset(export.read_manifest(folder / "events")),
        )
        self.update(self.servers.env())
        self.update(self._files.env())

    @property
    def drift(self) -> Drifts:
        """Rules about how what is sent changes its shape, see `sample_company.servers.drift`."""
        return self.servers.drift

    @property
    def faults(self) -> Faults:
        """Rules about what goes wrong."""
        return self.servers.faults

    @property
    def stripe(self) -> Server:
        """The Stripe server; `.requests` counts what it was asked."""
        return self.servers.stripe

    @property
    def salesforce(self) -> Server:
        """The Salesforce server; `.requests` counts what it was asked."""
        return self.servers.salesforce

    @property
    def hubspot(self) -> Server:
        """The HubSpot server; `.requests` counts what it was asked."""
        return self.servers.hubspot

    @property
    def database(self) -> UsageDatabase:
        """The product's database, if usage is there; `.server` reaches it as its owner."""
        if self._database is None:
            raise ValueError("the usage lies in files only; ask for usage='postgres' or 'both'")
        return self._database

    def start_database(self) -> None:
        """Start the product's database, if there is one."""
        if self._database is not None:
            self._database.start()
            self.update(self._database.env())

    def stop_database(self) -> None:
        """Stop it."""
        if self._database is not None:
            self._database.stop()

    @property
    def now(self) -> datetime:
        """The company's clock."""
        return self._now

    def _rewritten(self) -> None:
        self.set_now(self._now)

    def set_now(self, now: datetime | date) -> None:
        """Turn the clock: servers show what is known by then, files reach up to the day before.

        Files never shrink when the clock is turned back.
        """
        self._now = _instant(now)
        self._files.extend(self._now)
        self.drift.rewrite_files(self.folder)
        if self._database is not None:
            self._database.extend(self._now)


@contextmanager
def running(
    world: World,
    now: datetime | date | None = None,
    *,
    folder: Path | None = None,
    event_days: int | None = None,
    stripe: StripeSettings | None = None,
    salesforce: SalesforceSettings | None = None,
    hubspot: HubSpotSettings | None = None,
    crm: Crm = "salesforce",
    usage: Usage = "files",
) -> Iterator[Running]:
    """Serve a world from threads of this process on free ports of the loopback interface.

    Args:
        world: the world to serve.
        now: the clock, aware; a date means its 00:00 UTC. Default: 00:00 after its last day.
        folder: where to write event files and desk sheets; a temporary folder by default.
        event_days: keep raw events of that many days before `now` only (files are the slow part);
            default: as many as the company keeps. 0 writes none.
        stripe: key, default version and rate limit of the Stripe account.
        salesforce: credentials, token life, quota and page size of the Salesforce org.
        hubspot: token, scopes and limits of the HubSpot account.
        crm: which of the two the company has; with HubSpot, every id of the world is HubSpot's.
        usage: where the raw events are: in files, in a table of PostgreSQL, or in both.

    Yields:
        A dictionary of settings with `.set_now()`, `.faults`, `.stripe`, `.salesforce` or
        `.hubspot`, `.folder`; `.world` is the world as served.
    """
    instant = _instant(now if now is not None else world.config.last_day + timedelta(days=1))
    own = folder is None
    place = folder or Path(tempfile.mkdtemp(prefix="sample-company-"))
    company = None
    try:
        company = Running(
            world, instant, place, event_days, stripe, salesforce, hubspot, crm, usage
        )
        company.start_database()
        company.set_now(instant)
        with company.servers:
            yield company
    finally:
        if company is not None:
            company.stop_database()
        if own:
            shutil.rmtree(place, ignore_errors=True)


def _database(world: World, files: export.CompanyFiles) -> UsageDatabase:
    # Only tests that ask for the database need its driver and its server.
    from sample_company.servers.postgres import UsageDatabase

    return UsageDatabase(world, first_day=files.raw_from, progress=lambda _: None)


def _instant(value: datetime | date) -> datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"the clock needs a time zone: {value.isoformat()} has none; use UTC")
        return value.astimezone(UTC)
    return datetime.combine(value, time(), tzinfo=UTC)
