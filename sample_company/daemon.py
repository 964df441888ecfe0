"""The company as a process of its own: started once, found again, stopped, survived when killed.

Belongs here: the life of the background process, its state file, its control port, and the settings
file that points the product at it. Does not belong here: what is served or exported.

State below `<home>/.sample_company/`:
    daemon.json     the running process: pid, ports, token; valid only if the control port agrees
    daemon.log      what the process printed
    worlds/         built worlds (see `store`)
    files/<company> event files, desk sheets, monthly usage
"""

from __future__ import annotations

import calendar
import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import requests

from sample_company import store
from sample_company.export import CompanyFiles, ExportReport
from sample_company.servers.company import Clock, CompanyServers, today_midnight
from sample_company.servers.faults import Fault
from sample_company.servers.http import Request, Response, Server, json_response
from sample_company.world import World, WorldConfig

MARK = "# Written by the sample company; it will overwrite this file."
SETTINGS_FILE = "tenure.env"
_START_TIMEOUT_SECONDS = 1800
_STOP_TIMEOUT_SECONDS = 20
#: The world is built to the end of the month this many days ahead, so that the clock can move on.
_AHEAD_DAYS = 7

Progress = Callable[[str], None]


class DaemonError(Exception):
    """Why the company could not be started or stopped, with the remedy."""


@dataclass(frozen=True)
class Plan:
    """Which company to serve and how.

    Attributes:
        size: `small`, `demo`, or None with `accounts`.
        seed: the world's seed.
        accounts: number of accounts for a company of another size.
        events_per_day: raw events a day, for benchmarks.
        event_days: raw events of so many days only; None for as many as the company keeps.
        now: a clock that stands still; None for 00:00 UTC of the current day.
        idle_hours: stop after so many hours without a request.
    """

    size: str = "demo"
    seed: int = 1
    accounts: int | None = None
    events_per_day: int | None = None
    event_days: int | None = None
    now: datetime | None = None
    idle_hours: float = 6.0

    def clock(self) -> Clock:
        """The clock of the servers."""
        if self.now is None:
            return today_midnight
        fixed = self.now
        return lambda: fixed

    def config(self) -> WorldConfig:
        """The world to build, up to the end of a month soon after the clock."""
        day = (self.clock()() + timedelta(days=_AHEAD_DAYS)).date()
        horizon = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        shown = (self.clock()() - timedelta(microseconds=1)).date()
        return WorldConfig(
            size="custom" if self.accounts is not None else self.size,  # type: ignore[arg-type]
            seed=self.seed,
            horizon=horizon,
            # A small company begins four years before the year on show, not the year built ahead.
            start=date(shown.year - 4, 1, 1) if self.size == "small" else None,
            accounts=self.accounts,
            events_per_day=self.events_per_day,
        )

    def arguments(self) -> list[str]:
        """The command line that says the same."""
        given = ["--seed", str(self.seed), "--idle-hours", str(self.idle_hours)]
        if self.accounts is not None:
            given += ["--accounts", str(self.accounts)]
        else:
            given += ["--size", self.size]
        if self.events_per_day is not None:
            given += ["--events-per-day", str(self.events_per_day)]
        if self.event_days is not None:
            given += ["--event-days", str(self.event_days)]
        if self.now is not None:
            given += ["--now", self.now.isoformat()]
        return given


def home() -> Path:
    """Where settings and state lie: TENURE_HOME, or the project's folder."""
    given = os.environ.get("TENURE_HOME", "").strip()
    return Path(given).expanduser().resolve() if given else Path(__file__).resolve().parents[1]


def state_folder() -> Path:
    """Folder of the company's own state."""
    return home() / ".sample_company"


# --- the served company -------------------------------------------------------------------------


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
        progress(f"{_summary(self.world)} ({time.monotonic() - started:.1f} s)")
        self.files_folder = folder / "files" / store.company_key(config)
        self._files = CompanyFiles(
            self.world, self.files_folder, event_days=plan.event_days, progress=progress
        )
        self.report: ExportReport = self.refresh()
        self.servers = CompanyServers(self.world.tables, self._clock, ports=ports)

    def refresh(self) -> ExportReport:
        """Write the files of days that are over since."""
        with self._lock:
            self.report = self._files.extend(self._clock())
            return self.report

    def env(self) -> dict[str, str]:
        """Settings that point the product at this company."""
        return {**self.servers.env(), **self._files.env()}

    def line(self) -> str:
        """One line about what is served."""
        report = self.report
        return (
            f"serving {self._plan.size if self._plan.accounts is None else 'custom'} company, seed "
            f"{self._plan.seed}, as of {self._clock():%Y-%m-%d %H:%M} UTC: "
            f"Stripe {self.servers.stripe.url}, Salesforce {self.servers.salesforce.url}, "
            f"{report.rows:,} events in {report.files:,} files below {self.files_folder}"
        )


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
                        "salesforce_requests": self._company.servers.salesforce.requests,
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
    previous = _read_state(folder) or {}
    try:
        company = Company(
            plan, folder, progress, (previous.get("stripe", 0), previous.get("salesforce", 0))
        )
    except OSError:
        # The ports of last time have been taken by somebody else.
        company = Company(plan, folder, progress)
    token = secrets.token_hex(16)
    control = Server(_Control(company, token, stop)).start()
    started = time.monotonic()
    with company.servers:
        if detached:
            _write_state(folder, plan, company, control.port, token)
        progress(company.line())
        on_ready(company)
        while not stop.wait(2.0):
            idle = time.monotonic() - max(started, company.servers.last_request_at)
            if idle > plan.idle_hours * 3600:
                progress(f"no request for {plan.idle_hours:g} hours, stopping")
                break
    control.stop()
    progress("stopped")


# --- the background process ---------------------------------------------------------------------


def start(plan: Plan, env_file: Path, progress: Progress) -> dict[str, Any]:
    """Start the company, or find it running; either way its files are up to date afterwards.

    Returns:
        What its control port says of its health.

    Raises:
        DaemonError: the settings file is somebody else's, or the process did not come up.
    """
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    _check_settings_file(env_file)
    with _locked(folder):
        state = _read_state(folder)
        health = _health(state)
        if state is not None and health is not None:
            if state["plan"] == _identity(plan) and _covers(health, plan):
                _ask(state, "POST", "/refresh", timeout=_START_TIMEOUT_SECONDS)
                progress("already running")
                _write_settings(env_file, state["env"])
                return _health(state) or health
            progress("stopping the company that was running: it is another one, or out of date")
            _stop_process(state)
        state = _spawn(plan, folder, progress)
        _write_settings(env_file, state["env"])
        answer = _health(state)
        if answer is None:
            raise DaemonError(f"The sample company does not answer. See {folder / 'daemon.log'}.")
        return answer


def stop() -> bool:
    """Stop the company; False if none was running.

    Raises:
        DaemonError: it did not stop in time.
    """
    folder = state_folder()
    if not folder.is_dir():
        return False
    with _locked(folder):
        state = _read_state(folder)
        if state is None or _health(state) is None:
            return False
        _stop_process(state)
        return True


def status() -> dict[str, Any] | None:
    """What the running company says of itself; None if none is running."""
    state = _read_state(state_folder())
    health = _health(state)
    return None if state is None or health is None else {**state, **health}


def _spawn(plan: Plan, folder: Path, progress: Progress) -> dict[str, Any]:
    log = folder / "daemon.log"
    command = [sys.executable, "-m", "sample_company", "serve", "--detached", *plan.arguments()]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as sink:
        process = subprocess.Popen(  # noqa: S603  # our own module with our own arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).resolve().parents[1],
            env=environment,
            start_new_session=True,
        )
    shown = 0
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        lines = log.read_text("utf-8", "replace").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        for line in whole[shown:]:
            if not line.startswith("serving "):
                progress(line.rstrip())
        shown = len(whole)
        if process.poll() is not None:
            tail = "".join(lines[-15:])
            raise DaemonError(f"The sample company ended while starting. It said:\n{tail}")
        state = _read_state(folder)
        if state is not None and state["pid"] == process.pid and _health(state) is not None:
            return state
        time.sleep(0.1)
    process.terminate()
    raise DaemonError(
        f"The sample company was not ready after {_START_TIMEOUT_SECONDS} s. See {log}; a smaller "
        "--size starts faster."
    )


def _identity(plan: Plan) -> dict[str, Any]:
    """What makes a running company the one asked for: the plan and the code."""
    return {
        "arguments": plan.arguments(),
        "code": store.fingerprint(),
    }


def _covers(health: dict[str, Any], plan: Plan) -> bool:
    """Whether the running world reaches up to the clock."""
    last = (plan.clock()() - timedelta(microseconds=1)).date()
    return date.fromisoformat(health["horizon"]) >= last


def _write_state(folder: Path, plan: Plan, company: Company, port: int, token: str) -> None:
    state = {
        "pid": os.getpid(),
        "token": token,
        "control": port,
        "stripe": company.servers.stripe.port,
        "salesforce": company.servers.salesforce.port,
        "plan": _identity(plan),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "env": company.env(),
    }
    scratch = folder / f".daemon.{os.getpid()}.json"
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(state, indent=1))
    scratch.replace(folder / "daemon.json")


def _read_state(folder: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((folder / "daemon.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return state


def _ask(
    state: dict[str, Any], method: str, path: str, body: object = None, timeout: float = 5.0
) -> dict[str, Any] | None:
    """The control port's answer; None if nobody answers there, or somebody else."""
    try:
        response = requests.request(
            method,
            f"http://127.0.0.1:{state['control']}{path}",
            headers={"X-Token": state["token"]},
            data=json.dumps(body) if body is not None else None,
            timeout=timeout,
        )
        answer: dict[str, Any] = response.json()
    except (requests.RequestException, ValueError):
        return None
    if response.status_code == 400:
        raise DaemonError(str(answer.get("error")))
    return answer if response.status_code == 200 else None


def _health(state: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if state is None else _ask(state, "GET", "/health")


def add_fault(settings: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Add a rule to the running company, or clear all rules; the rules then in force.

    Raises:
        DaemonError: no company is running, or the rule makes no sense.
    """
    state = _read_state(state_folder())
    if state is None or _health(state) is None:
        raise DaemonError("No sample company is running. Start one: python -m sample_company start")
    method = "DELETE" if settings is None else "POST"
    answer = _ask(state, method, "/faults", settings)
    return [] if answer is None else list(answer["faults"])


def _stop_process(state: dict[str, Any]) -> None:
    _ask(state, "POST", "/stop")
    deadline = time.monotonic() + _STOP_TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        if _health(state) is None:
            return
        time.sleep(0.1)
    raise DaemonError(
        f"The sample company (process {state['pid']}) did not stop within "
        f"{_STOP_TIMEOUT_SECONDS} s. End the process by hand."
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two starts at the same time become one after the other; a killed one leaves no lock."""
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


# --- the settings file --------------------------------------------------------------------------


def _check_settings_file(path: Path) -> None:
    if path.exists() and not path.read_text("utf-8", "replace").startswith(MARK):
        raise DaemonError(
            f"{path} was not written by the sample company and stays as it is. Move it away, or "
            "name another file: python -m sample_company start --env-file FILE (readers find it "
            "through TENURE_ENV_FILE)."
        )


def _write_settings(path: Path, env: dict[str, str]) -> None:
    _check_settings_file(path)
    text = settings_text(env)
    if path.exists() and path.read_text("utf-8") == text:
        return
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.touch(mode=0o600)
    scratch.write_text(text, "utf-8")
    scratch.replace(path)


def settings_text(env: dict[str, str]) -> str:
    """The settings file: the mark, then one setting a line."""
    lines = [
        MARK,
        "# Everything named here is simulated. For your own systems, put a file of yours here.",
    ]
    for name, value in env.items():
        plain = not any(c in value for c in " #\"'$\\")
        lines.append(f"{name}={value}" if plain else f"{name}={json.dumps(value)}")
    return "\n".join(lines) + "\n"
