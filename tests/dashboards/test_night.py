"""The night that pages are drawn from: found, opened read-only, reopened when the link changes."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from dashboards.night import DATABASE, NightError, current, open_night, published_folder
from dashboards.queries import shared
from tests.dashboards.nights import opened, show, write_night


def test_installation_is_where_tenure_home_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TENURE_HOME", str(tmp_path))
    assert published_folder() == tmp_path / "published"


def test_without_a_night_the_reader_is_told_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NightError, match="Run `make nightly`"):
        current(tmp_path / "published")


def test_a_damaged_file_is_named_and_not_a_stack_trace(tmp_path: Path) -> None:
    folder = write_night(tmp_path)
    (folder / DATABASE).write_bytes(b"no database")
    with pytest.raises(NightError, match=r"cannot be read .* `make rollback`"):
        opened(tmp_path)


def test_a_mart_that_is_missing_is_said_in_words(tmp_path: Path) -> None:
    write_night(tmp_path, without=["renewals.churn_risk"])
    with pytest.raises(NightError, match="lacks a table"):
        shared.choices(opened(tmp_path))


def test_a_column_that_is_missing_is_said_in_words(tmp_path: Path) -> None:
    write_night(tmp_path)
    with pytest.raises(NightError, match="lacks a column"):
        opened(tmp_path).frame("select no_such_column from renewals.churn_risk")


def test_it_cannot_be_written(tmp_path: Path) -> None:
    write_night(tmp_path)
    with pytest.raises(Exception, match="read-only"):
        opened(tmp_path).frame("delete from renewals.churn_risk")


def test_another_night_behind_the_link_is_another_identity(tmp_path: Path) -> None:
    first = write_night(tmp_path)
    before = current(tmp_path)
    write_night(tmp_path, "2026-02-01-b", date(2026, 2, 1))
    after = current(tmp_path)
    assert (open_night(before).as_of, open_night(after).as_of) == (
        date(2026, 1, 31),
        date(2026, 2, 1),
    )
    show(tmp_path, first)
    assert current(tmp_path) == before


def test_a_file_rewritten_in_place_is_another_identity(tmp_path: Path) -> None:
    # As the erasure of a person does.
    folder = write_night(tmp_path)
    before = current(tmp_path)
    os.utime(folder / DATABASE, ns=(before.written_ns + 1, before.written_ns + 1))
    assert current(tmp_path) != before


def test_names_are_shown_only_where_they_are_published(tmp_path: Path) -> None:
    write_night(tmp_path, without=["core.dim_people"])
    assert shared.owner_names(opened(tmp_path)) == {}


def test_meanings_are_those_of_the_models(tmp_path: Path) -> None:
    write_night(tmp_path)
    meanings = shared.definitions(opened(tmp_path))
    assert meanings["cohorts.revenue_retention.nrr_12m_rate"].startswith("Net revenue retention")
