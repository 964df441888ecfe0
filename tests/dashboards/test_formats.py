"""How figures are written."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest

from dashboards import formats


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "$0"),
        (912.4, "$912"),
        (1000, "$1.00k"),
        (870_400, "$870k"),
        (999_999, "$1.00M"),
        (51_461_610.72, "$51.5M"),
        (1_234_567_890, "$1.23B"),
        (-35_524.92, "−$35.5k"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_money_has_three_digits(value: Any, written: str) -> None:
    assert formats.money(value) == written


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.215, 0, "22\u00a0%"),
        (1.0148, 1, "101.5\u00a0%"),
        (-0.004, 0, "0\u00a0%"),
        (pd.NA, 0, "–"),
    ],
)
def test_shares_are_in_per_cent(value: Any, digits: int, written: str) -> None:
    assert formats.share(value, digits) == written


def test_changes_have_their_sign() -> None:
    assert [formats.points(v) for v in (0.031, -0.031, 0.0)] == [
        "+3\u00a0pp",
        "−3\u00a0pp",
        "±0\u00a0pp",
    ]


def test_dates_are_written_in_full() -> None:
    day = date(2026, 11, 1)
    assert formats.day(day) == "1 Nov 2026"
    assert formats.day(pd.Timestamp(day)) == "1 Nov 2026"
    assert (formats.month(day), formats.quarter(day)) == ("Nov 2026", "Q4 2026")
    assert formats.day(pd.NaT) == "–"


def test_counts_have_their_nouns() -> None:
    assert formats.plural(1, "account") == "1 account"
    assert formats.plural(1412, "account") == "1,412 accounts"
    assert (formats.months(11.6), formats.months(36)) == ("12 months", "3.0 years")


def test_names_of_the_warehouse_become_words() -> None:
    assert formats.words("value_not_realised") == "Value not realised"
    assert formats.words(None) == "–"
