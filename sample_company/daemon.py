"""The company as a process of its own: started once, found again, stopped, survived when killed.

Belongs here: the life of the background process, its state file, its control port, and the settings
file that points the product at it. Does not belong here: what that process does (see `serving`).

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
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import requests

from sample_company import store
from sample_company.servers.now import Clock, today_midnight

if TYPE_CHECKING:
    from sample_company.world import WorldConfig

MARK = "# Written by the sample company; it will overwrite this file."
SETTINGS_FILE = "tenure.env"
_START_TIMEOUT_SECONDS = 1800
_STOP_TIMEOUT_SECONDS = 20
#: The world is built to the end of the month this many days ahead, so that the clock can move on.
_AHEAD_DAYS = 7

Progress = Callable[[str], None]
Crm = Literal["salesforce", "hubspot"]
UsagePlace = Literal["files", "postgres", "both"]


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
        crm: `salesforce` or `hubspot`.
        usage: where raw events are: in `files`, in `postgres`, or in `both`.
        now: a clock that stands still; None for 00:00 UTC of the current day.
        idle_hours: stop after so many hours without a request.
    """

    size: str = "demo"
    seed: int = 1
    accounts: int | None = None
    events_per_day: int | None = None
    event_days: int | None = None
    crm: Crm = "salesforce"
    usage: UsagePlace = "files"
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
        # Asking a running company for its health must not load what builds worlds.
        from sample_company.world import WorldConfig

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
        if self.crm != "salesforce":
            given += ["--crm", self.crm]
        if self.usage != "files":
            given += ["--usage", self.usage]
        if self.now is not None:
            given += ["--now", self.now.isoformat()]
        return given


def home() -> Path:
    """Where settings and state lie: TENURE_HOME, or the project's folder."""
    given = os.environ.get("TENURE_HOME", "").strip()
    return Path(given).expanduser().resolve() if given else Path(__file__).resolve().parents[1]


def settings_file() -> Path:
    """The settings file that readers look at: TENURE_ENV_FILE, or tenure.env in the home."""
    named = os.environ.get("TENURE_ENV_FILE", "").strip()
    return Path(named) if named else home() / SETTINGS_FILE


def state_folder() -> Path:
    """Folder of the company's own state."""
    return home() / ".sample_company"


# --- the background process ---------------------------------------------------------------------


def start(plan: Plan, env_file: Path, progress: Progress) -> dict[str, Any]:
    """Start the company, or find it running; either way its files are up to date afterwards.

    Returns:
        What its control port says of its health.

    Raises:
        DaemonError: the settings file is somebody else's, or the process did not come up.
    """
    folder = state_folder()
    _check_settings_file(env_file)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        state = read_state(folder)
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
        state = read_state(folder)
        if state is None or _health(state) is None:
            return False
        _stop_process(state)
        return True


def status() -> dict[str, Any] | None:
    """What the running company says of itself; None if none is running."""
    state = read_state(state_folder())
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
        state = read_state(folder)
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


def write_state(
    folder: Path,
    plan: Plan,
    *,
    control: int,
    token: str,
    ports: tuple[int, int],
    env: dict[str, str],
) -> None:
    """Leave word of this process for those who look for it; readable by its user only."""
    state = {
        "pid": os.getpid(),
        "token": token,
        "control": control,
        "stripe": ports[0],
        "crm": ports[1],
        "plan": _identity(plan),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "env": env,
    }
    scratch = folder / f".daemon.{os.getpid()}.json"
    scratch.touch(mode=0o600)
    scratch.write_text(json.dumps(state, indent=1))
    scratch.replace(folder / "daemon.json")


def read_state(folder: Path) -> dict[str, Any] | None:
    """What the last process left; it may be dead by now."""
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
    state = read_state(state_folder())
    if state is None or _health(state) is None:
        raise DaemonError("No sample company is running. Start one: python -m sample_company start")
    method = "DELETE" if settings is None else "POST"
    answer = _ask(state, method, "/faults", settings)
    return [] if answer is None else list(answer["faults"])


def add_drift(settings: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Let the running company change a shape, or end all such changes; the changes in force.

    Raises:
        DaemonError: no company is running, or the change makes no sense.
    """
    state = read_state(state_folder())
    if state is None or _health(state) is None:
        raise DaemonError("No sample company is running. Start one: python -m sample_company start")
    method = "DELETE" if settings is None else "POST"
    answer = _ask(state, method, "/drift", settings, timeout=_START_TIMEOUT_SECONDS)
    return [] if answer is None else list(answer["drift"])


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


#: Any of these in the environment says that somebody has systems of their own.
_OWN_SOURCES = (
    "STRIPE_API_KEY",
    "STRIPE_API_BASE",
    "SALESFORCE_LOGIN_URL",
    "SALESFORCE_CLIENT_ID",
    "HUBSPOT_ACCESS_TOKEN",
    "TENURE_USAGE_POSTGRES_DSN",
    "TENURE_EVENTS_PATH",
    "TENURE_USAGE_MONTHLY_PATH",
    "TENURE_USAGE_POSTGRES_DSN",
    "TENURE_DESK_PATH",
)


def own_sources(env_file: Path) -> str | None:
    """Where somebody has configured systems of their own; None if nobody has."""
    named = [name for name in _OWN_SOURCES if os.environ.get(name, "").strip()]
    if named:
        return f"the environment ({named[0]})"
    if env_file.exists() and not env_file.read_text("utf-8", "replace").startswith(MARK):
        return str(env_file)
    return None


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
