"""A company being served: its world, its files and its servers, until somebody stops it.

Belongs here: what the serving process does from its first line to its last, and its control port.
Does not belong here: finding, starting or stopping such a process (see `daemon`).
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sample_company import daemon, store
from sample_company.daemon import Plan, Progress
from sample_company.export import CompanyFiles, ExportReport, read_manifest
from sample_company.servers.company import CompanyServers
from sample_company.servers.faults import Fault
from sample_company.servers.http import Request, Response, Server, json_response
from sample_company.servers.hubspot_ids import as_hubspot_customer

if TYPE_CHECKING:
    from sample_company.servers.postgres import UsageDatabase
    from sample_company.world import World

CRM_NAMES = {"salesforce": "Salesforce", "hubspot": "HubSpot"}


class Company:
    """A world, its files and its servers, kept up with the clock."""

    def __init__(
        self, plan: Plan, folder: Path, progress: Progress, ports: tuple[int, int] = (0, 0)
    ) -> None:
        self._plan = plan
        self._clock = plan.clock()
        self._lock = threading.Lock()
        started = time.monotonic()
        config = plan.config()
        self.world: World = store.load_or_build(folder / "worlds", config, progress)
        if plan.crm == "hubspot":
            self.world = as_hubspot_customer(self.world)
        progress(f"{_summary(self.world)} ({time.monotonic() - started:.1f} s)")
        # Files name records of the CRM, so each CRM has files of its own.
        crm = "" if plan.crm == "salesforce" else f"-{plan.crm}"
        self.files_folder = folder / "files" / (store.company_key(config) + crm)
        self._files = CompanyFiles(
            self.world,
            self.files_folder,
            event_days=plan.event_days,
            with_events=plan.usage != "postgres",
            progress=progress,
        )
        # Before the database: where the ports are taken, all of this is done once more.
        self.servers = CompanyServers(self.world.tables, self._clock, crm=plan.crm, ports=ports)
        self.servers.drift.watch_files(
            self._refreshed,
            lambda: frozenset(read_manifest(self.files_folder / "events")),
        )
        self._database: UsageDatabase | None = None
        if plan.usage != "files":
            self._database = _database(self.world, self._files, progress)
            self._database.start()
        self.report: ExportReport = self.refresh()

    def refresh(self) -> ExportReport:
        """Write the files of days that are over since."""
        with self._lock:
            self.report = self._files.extend(self._clock())
            self.servers.drift.rewrite_files(self.files_folder)
            if self._database is not None:
                self._database.extend(self._clock())
            return self.report

    def _refreshed(self) -> None:
        self.refresh()

    def close(self) -> None:
        """Stop what is a process of its own."""
        if self._database is not None:
            self._database.stop()

    def env(self) -> dict[str, str]:
        """Settings that point the product at this company."""
        database = {} if self._database is None else self._database.env()
        return {**self.servers.env(), **self._files.env(), **database}

    def line(self) -> str:
        """One line about what is served."""
        report = self.report
        parts = [
            f"Stripe {self.servers.stripe.url}",
            f"{CRM_NAMES[self._plan.crm]} {self.servers.crm.url}",
        ]
        if self._database is not None:
            parts.append(f"{self._database.rows:,} events in PostgreSQL")
        parts.append(f"{report.rows:,} events in {report.files:,} files below {self.files_folder}")
        return (
            f"serving {self._plan.size if self._plan.accounts is None else 'custom'} company, seed "
            f"{self._plan.seed}, as of {self._clock():%Y-%m-%d %H:%M} UTC: {', '.join(parts)}"
        )


def _database(world: World, files: CompanyFiles, progress: Progress) -> UsageDatabase:
    # Its driver and its server are needed by those alone who ask for them.
    from sample_company.servers.postgres import UsageDatabase

    return UsageDatabase(world, first_day=files.raw_from, progress=progress)


def _summary(world: World) -> str:
    counts = (
        ("accounts", "account_id"), ("invoices", "invoice_id"), ("contacts", "contact_id"),
        ("activities", "activity_id"),
    )  # fmt: skip
    parts = [
        f"{world.tables[name][key].nunique():,} {name}"
        for name, key in counts
        if name in world.tables
    ]
    return "world: " + ", ".join(parts)


class _Control:
    """The control port: health, refresh, faults and stop, for whoever can read the state file."""

    name = "control"

    def __init__(self, company: Company, token: str, stop: threading.Event) -> None:
        self._company = company
        self._token = token
        self._stop = stop

    def page_key(self, request: Request) -> str:
        return request.path

    def fault_response(self, request: Request, fault: Fault) -> Response:
        return json_response({"error": fault.kind}, 500)

    def crash_response(self, request: Request, error: Exception) -> Response:
        return json_response({"error": f"{type(error).__name__}: {error}"}, 500)

    def handle(self, request: Request) -> Response:
        if request.headers.get("x-token") != self._token:
            return json_response({"error": "wrong token"}, 401)
        faults = self._company.servers.faults
        match request.method, request.path:
            case "GET", "/health":
                return json_response(
                    {
                        "pid": os.getpid(),
                        "line": self._company.line(),
                        "horizon": self._company.world.config.last_day.isoformat(),
                        "stripe_requests": self._company.servers.stripe.requests,
                        "crm_requests": self._company.servers.crm.requests,
                        "faults": faults.pending(),
                    }
                )
            case "POST", "/refresh":
                report = self._company.refresh()
                return json_response({"new_files": report.new_files, "line": self._company.line()})
            case "POST", "/faults":
                try:
                    faults.add(**json.loads(request.body))
                except (TypeError, ValueError) as error:
                    return json_response({"error": str(error)}, 400)
                return json_response({"faults": faults.pending()})
            case "DELETE", "/faults":
                faults.clear()
                return json_response({"faults": []})
            case "POST", "/drift":
                drift = self._company.servers.drift
                try:
                    drift.add(**json.loads(request.body))
                except (TypeError, ValueError) as error:
                    return json_response({"error": str(error)}, 400)
                return json_response({"drift": drift.pending()})
            case "DELETE", "/drift":
                self._company.servers.drift.clear()
                return json_response({"drift": []})
            case "POST", "/stop":
                self._stop.set()
                return json_response({"stopping": True})
        return json_response({"error": "unknown path"}, 404)


def serve(
    plan: Plan,
    folder: Path,
    progress: Progress,
    *,
    detached: bool = False,
    on_ready: Callable[[Company], None] = lambda _: None,
) -> None:
    """Serve until interrupted, told to stop, or idle for too long.

    Args:
        plan: which company.
        folder: the state folder.
        progress: told a line now and then.
        detached: whether this is the background process, which leaves a state file.
        on_ready: called once the servers answer.
    """
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    previous = daemon.read_state(folder) or {}
    try:
        company = Company(
            plan, folder, progress, (previous.get("stripe", 0), previous.get("crm", 0))
        )
    except OSError:
        # The ports of last time have been taken by somebody else.
        company = Company(plan, folder, progress)
    token = secrets.token_hex(16)
    control = Server(_Control(company, token, stop)).start()
    started = time.monotonic()
    with company.servers:
        if detached:
            daemon.write_state(
                folder,
                plan,
                control=control.port,
                token=token,
                ports=(company.servers.stripe.port, company.servers.crm.port),
                env=company.env(),
            )
        progress(company.line())
        on_ready(company)
        while not stop.wait(2.0):
            idle = time.monotonic() - max(started, company.servers.last_request_at)
            if idle > plan.idle_hours * 3600:
                progress(f"no request for {plan.idle_hours:g} hours, stopping")
                break
    control.stop()
    company.close()
    progress("stopped")
