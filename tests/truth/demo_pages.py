"""The pages over a published night of the large company: figures, speed, light and dark.

Belongs here: what only a company of its size shows. Must not be here: how pages are driven, see
`tests/dashboards`. The name keeps this out of `make test`. TENURE_PAGES_HOME names the installation
whose published night is read; without it, the one that TENURE_HOME names or the project's own.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium, screenshots
from tests.dashboards.agreement import PAGES
from tests.dashboards.reader import ROOT, Reader, served

HOME = Path(os.environ.get("TENURE_PAGES_HOME") or os.environ.get("TENURE_HOME") or ROOT)
DATABASE = HOME / "published" / "current" / "tenure.duckdb"
SECONDS = 2.0


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    assert DATABASE.is_file(), (
        f"No published night in {HOME}: run `make nightly`, or set TENURE_PAGES_HOME to an "
        "installation that has one."
    )
    with served(HOME) as served_at:
        yield served_at


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return screenshots(tmp_path_factory.getbasetemp() / "screenshots" / "demo")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("title", PAGES)
def test_a_page_shows_what_the_marts_say(
    title: str, scheme: str, browser: Browser, address: str, pictures: Path
) -> None:
    reader = Reader(browser, address, scheme)
    reader.open("" if title == "Today" else title.lower())
    reader.picture(pictures / f"{title.lower()}-{scheme}.png")
    PAGES[title](reader, DATABASE)
    assert reader.broken() == []
    reader.page.context.close()


@pytest.mark.parametrize("title", PAGES)
def test_a_page_is_there_within_two_seconds(title: str, browser: Browser, address: str) -> None:
    # Opened as a reader does who has the page open and turns to another; the middle of three.
    reader = Reader(browser, address)
    reader.open("trust" if title != "Trust" else "")
    other = "Today" if title == "Trust" else "Trust"
    taken = []
    for _ in range(3):
        taken.append(reader.turn_to(title))
        reader.turn_to(other)
    reader.page.context.close()
    assert statistics.median(taken) < SECONDS, taken
