"""The pages over the published night, read in a browser: figures of the marts, nothing broken."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium, screenshots
from tests.dashboards.agreement import PAGES
from tests.dashboards.reader import Reader, served
from tests.end_to_end.conftest import NightOutcome


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def reader(night: NightOutcome, browser: Browser) -> Iterator[Reader]:
    """One reader, who turns from page to page."""
    with served(night.home) as address:
        somebody = Reader(browser, address)
        somebody.open("")
        yield somebody


@pytest.mark.parametrize("title", PAGES)
def test_a_page_shows_what_the_marts_say(
    title: str, reader: Reader, night: NightOutcome, tmp_path_factory: pytest.TempPathFactory
) -> None:
    reader.turn_to(title)
    PAGES[title](reader, night.database)
    reader.picture(_pictures(tmp_path_factory) / f"{title.lower()}.png")
    assert reader.broken() == []


def test_a_filter_is_kept_from_page_to_page(reader: Reader) -> None:
    reader.turn_to("Today")
    reader.choose("Segment", "SMB")
    reader.turn_to("Trust")
    beside = reader.page.get_by_test_id("stSidebar").text_content() or ""
    assert "Not narrowed to SMB" in beside
    reader.turn_to("Renewals")
    chosen = reader.page.get_by_test_id("stSidebar").get_by_role("combobox", name="Segment")
    assert "SMB" in (chosen.input_value() or chosen.get_attribute("aria-label") or "")
    reader.choose("Segment", "All segments")
    assert reader.broken() == []


def test_the_first_page_goes_by_its_name_too(reader: Reader) -> None:
    answer = reader.page.request.get(f"{reader.address}/today?segment=SMB")
    assert (answer.status, answer.url) == (200, f"{reader.address}/?segment=SMB")


def _pictures(factory: pytest.TempPathFactory) -> Path:
    return screenshots(factory.getbasetemp() / "screenshots" / "small")
