"""A night killed in any phase and run again publishes what an undisturbed one does."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from publishing.publish import PublishedTable, content
from tests.chaos.conftest import PHASES, Night

Company = tuple[Any, date, Mapping[str, str]]

# Early and late in a phase: before its first write is through, and between two of them.
DELAYS_SECONDS = (0.0, 0.7)


def published(home: Path) -> dict[str, PublishedTable]:
    return content(home / "published" / "current" / "tenure.duckdb")


def prepare(home: Path) -> Path:
    home.mkdir(parents=True)
    shutil.copy(Path(__file__).resolve().parents[2] / "dagster.yaml", home / "dagster.yaml")
    return home


@pytest.fixture(scope="session")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory, company: Company, run_night: Night
) -> dict[str, PublishedTable]:
    """What a night publishes when nobody kills it."""
    home = prepare(tmp_path_factory.mktemp("undisturbed") / "home")
    _, as_of, settings = company
    run_night(home, as_of, settings, None, 0)
    return published(home)


@pytest.mark.parametrize("delay", DELAYS_SECONDS)
@pytest.mark.parametrize("phase", PHASES)
def test_a_night_killed_and_run_again_publishes_the_same(
    phase: str,
    delay: float,
    tmp_path: Path,
    company: Company,
    run_night: Night,
    undisturbed: dict[str, PublishedTable],
) -> None:
    home = prepare(tmp_path / "home")
    _, as_of, settings = company
    run_night(home, as_of, settings, phase, delay)
    run_night(home, as_of, settings, None, 0)
    assert published(home) == undisturbed
