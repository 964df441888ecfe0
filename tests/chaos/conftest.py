"""Runs the nightly command as a process of its own, so that it can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from orchestration.progress import STEP_NAMES
from sample_company import testing
from sample_company.world.build import build_world
from sample_company.world.config import WorldConfig

PROJECT = Path(__file__).resolve().parents[2]
PHASES = tuple(STEP_NAMES.values())
_LIMIT_SECONDS = 300

Night = Callable[[Path, date, Mapping[str, str], str | None, float], bool]


def _night(
    home: Path, as_of: date, settings: Mapping[str, str], kill_in: str | None, after: float
) -> bool:
    """Run a night, or kill it `after` seconds into the phase `kill_in`; True if it ended well."""
    home.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "orchestration.night", "--as-of", as_of.isoformat()],
        cwd=home,
        env={
            **os.environ,
            **settings,
            "TENURE_HOME": str(home),
            "DAGSTER_HOME": str(home),
            "PYTHONPATH": str(PROJECT),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if kill_in is not None and line.startswith(kill_in):
            time.sleep(after)
            process.send_signal(signal.SIGKILL)
            break
    process.wait(timeout=_LIMIT_SECONDS)
    if kill_in is None:
        assert process.returncode == 0, "".join(lines)
    return process.returncode == 0


@pytest.fixture(scope="session")
def run_night() -> Night:
    """The nightly command."""
    return _night


@pytest.fixture(scope="session")
def company() -> Iterator[tuple[Any, date, Mapping[str, str]]]:
    """A small company's servers, the night they are ready for, and the settings that reach them."""
    world = build_world(WorldConfig(size="small", seed=2))
    # Raw events of some months: what is tried is the dying, again and again.
    with testing.running(world, event_days=120) as running:
        yield running, world.config.last_day, running
