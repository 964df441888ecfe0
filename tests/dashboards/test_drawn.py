"""Pages drawn without a browser: of empty and missing marts, of another night, of hostile names."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboards.app_pages import ENTRIES
from tests.dashboards.nights import contracts, fill, write_night

APP = Path(__file__).resolve().parents[2] / "dashboards" / "app.py"


def draw(path: str) -> None:
    """One page as the app draws it, for whoever has the installation in the environment."""
    from dashboards.app_pages import ENTRIES
    from dashboards.filters import Filters
    from dashboards.frame import page_of
    from dashboards.parts import section

    view = next(entry.view for entry in ENTRIES if entry.path == path)
    with section():
        view.show(page_of(Filters()))


@pytest.fixture(autouse=True)
def main_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page run by a test takes the place of the main module, which new processes start from."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], AppTest]:
    """Draws a page of the installation in `tmp_path`."""
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))

    def run(path: str) -> AppTest:
        return AppTest.from_function(draw, args=(path,), default_timeout=30).run()

    return run


def said(page: AppTest) -> str:
    """All notices of a page."""
    return " ".join(
        element.value for kind in (page.info, page.warning, page.error) for element in kind
    )


def paths() -> list[str]:
    return [entry.path for entry in ENTRIES]


@pytest.mark.parametrize("path", paths())
def test_an_empty_night_is_said_in_words(
    path: str, tmp_path: Path, drawn: Callable[[str], AppTest]
) -> None:
    write_night(tmp_path / "published")
    page = drawn(path)
    assert not page.exception
    assert said(page)


@pytest.mark.parametrize("path", paths())
def test_a_night_without_a_mart_says_what_to_run(
    path: str, tmp_path: Path, drawn: Callable[[str], AppTest]
) -> None:
    missing = [name for name in contracts() if not name.startswith(("core.dim_", "operations."))]
    write_night(tmp_path / "published", without=missing)
    page = drawn(path)
    assert not page.exception
    assert "Run `make nightly`" in said(page)


def test_without_a_night_the_app_says_what_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    page = AppTest.from_file(str(APP), default_timeout=30).run()
    assert not page.exception
    assert "Run `make nightly`" in page.error[0].value


def test_an_old_night_and_a_silent_source_are_said_beside_every_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_night(tmp_path / "published")
    silent: dict[str, Any] = {"source_name": "crm", "table_name": "task", "is_stale": True}
    fill(folder, "operations.freshness", [{**silent, "has_facts": True, "lag_days": 9}])
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    page = AppTest.from_file(str(APP), default_timeout=30).run()
    (beside,) = [element.value for element in page.sidebar.caption]
    assert "31 Jan 2026" in beside
    assert "has the night run?" in beside
    assert "1 landed table is silent" in beside


def test_the_next_click_after_the_link_was_switched_shows_the_new_night(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_night(tmp_path / "published")
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    page = AppTest.from_file(str(APP), default_timeout=30).run()
    assert "31 Jan 2026" in page.sidebar.caption[0].value
    write_night(tmp_path / "published", "2026-02-01-b", date(2026, 2, 1))
    assert "1 Feb 2026" in page.run().sidebar.caption[0].value


def test_an_address_that_names_nobody_is_said_and_never_markup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_night(tmp_path / "published")
    flags = dict.fromkeys(("is_merged", "is_test", "is_deleted"), False)
    fill(folder, "core.dim_accounts", [{"account_id": "a1", "name": "Near Ltd", **flags}])
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    page = AppTest.from_function(draw, args=("account",), default_timeout=30)
    page.query_params["id"] = "![x](http://elsewhere.example)"
    page.run()
    assert not page.exception
    assert "No account has the id xhttpelsewhere.example in this night" in said(page)
    assert page.selectbox[0].value == "a1"
    page.query_params["id"] = "a1"
    assert "No account has the id" not in said(page.run())


def test_what_comes_from_data_is_text_and_never_markup(
    tmp_path: Path, drawn: Callable[[str], AppTest]
) -> None:
    folder = write_night(tmp_path / "published")
    hostile = "<img src=x onerror=alert(1)>"
    call = {"account_id": '"><b>', "account_name": hostile, "priority_rank": 1}
    flags = {"has_news": False, "is_at_risk": False, "has_plan_owner": False}
    fill(folder, "renewals.watchlist", [{**call, **flags, "why_today": hostile}])
    page = drawn("today")
    markup = "".join(element.proto.body for element in page.get("html"))
    assert not page.exception
    assert "&lt;img src=x onerror=alert(1)&gt;" in markup
    assert "<img" not in markup
    assert "<b>" not in markup
