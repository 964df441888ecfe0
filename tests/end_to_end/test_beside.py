"""What lies beside the tables of a night: pages that open without a network, and the hand-back."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from publishing import hand_back, quality_page
from publishing.publish import content
from tests.browser import chromium
from tests.end_to_end.conftest import NightOutcome
from tests.warehouse import frame

DOCS = "pages/dbt-docs.html"


@pytest.fixture(scope="module")
def folder(night: NightOutcome) -> Path:
    """The folder that readers see."""
    return night.database.parent


def test_the_first_night_hands_every_account_back(night: NightOutcome, folder: Path) -> None:
    with (folder / hand_back.FILE).open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    risk = frame(night.database, "select account_id, band from renewals.churn_risk order by all")
    assert [line["account_id"] for line in lines] == list(risk["account_id"])
    assert [line["risk_band"] for line in lines] == list(risk["band"].fillna(""))
    assert {line["change"] for line in lines} == {"first"}


def test_the_pages_name_every_mart_and_every_table_checked(
    night: NightOutcome, folder: Path
) -> None:
    docs = (folder / DOCS).read_text()
    named = {name.split(".")[1] for name in content(night.database)} - {"checks"}
    assert all(f'"model.tenure.{name}"' in docs for name in named)
    assert '"source.tenure.operations.checks"' in docs
    assert '"metric.tenure.nrr_12m"' in docs
    assert str(night.home) not in docs
    quality = (folder / quality_page.FILE).read_text()
    results = frame(
        night.warehouse,
        f"select distinct source || '.' || table_name as name"
        f" from '{night.home}/lake/quality/results/*.parquet' where table_name <> ''",
    )
    assert set(re.findall(r"<summary>([a-z_.0-9]+):", quality)) == set(results["name"])


def test_the_pages_open_without_a_network(folder: Path) -> None:
    """In a browser that is cut off: nothing is asked for, nothing goes wrong, words are there."""
    asked: list[str] = []
    wrong: list[str] = []
    with chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(f"file://{(folder / DOCS).resolve()}#!/model/model.tenure.churn_risk")
        page.wait_for_selector("text=would they sign?")
        page.goto(f"file://{(folder / quality_page.FILE).resolve()}")
        assert "expectations about" in page.inner_text("body")
    assert wrong == []
    files = [url for url in asked if not url.startswith("data:")]
    assert [Path(url.partition("#")[0]).name for url in files] == [
        "dbt-docs.html",
        "data-quality.html",
    ]


def test_no_person_is_named_beside_the_tables(night: NightOutcome, folder: Path) -> None:
    people = frame(night.database, "select full_name, email from core.dim_people")
    personal = {v for c in people for v in people[c].dropna() if len(str(v)) > 5}
    assert len(personal) > 100
    for name in (hand_back.FILE, quality_page.FILE, "model-card.md"):
        text = (folder / name).read_text()
        assert [value for value in personal if str(value) in text] == [], name
