"""The words a night ends with."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration import summary
from orchestration.progress import Facts, Phase
from publishing import headlines
from publishing.headlines import Call, Headlines

CALLS = (
    Call(
        "Near Ltd",
        "SMB",
        Decimal(1000),
        20,
        0.4,
        Decimal(400),
        "New: a champion left. Still: due in 20 days.",
        ("seats in use: 20 % (peers 60 %)", "cases: 4 (peers 1)"),
        False,
    ),
    Call("New Ltd", "SMB", Decimal(500), None, None, None, None, (), True),
)
FIGURES = Headlines(
    date(2026, 1, 31), Decimal(90), 1.1, None, 2, 1, Decimal(3), 1, Decimal(4), CALLS
)


def text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(headlines, "read", lambda database, as_of: FIGURES)
    facts = Facts([Phase("load_stripe", "Loading billing", 1.25, True)], {"stripe/a": 1200})
    return summary.text(date(2026, 1, 31), Path("home"), facts, 61.4)


def test_each_call_says_why_it_stands_there(monkeypatch: pytest.MonkeyPatch) -> None:
    told = " ".join(text(monkeypatch).split())
    calls = told[told.index("Call first") :]
    assert calls.index("Near Ltd") < calls.index("New Ltd")
    for words in ("New: a", "champion left.", "seats in use: 20", "$400", "40.0%", "20 d"):
        assert words in calls
    # Nothing is made up where nothing is known.
    assert "New Ltd $500 - n/a - yes most at stake" in calls
    assert "NRR 110.0%, GRR n/a" in told


def test_what_was_done_is_told_and_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    told = text(monkeypatch)
    assert "1,200 rows loaded, 0 rejected" in told
    assert "done in 61 s." in told
    # Rows are cut by columns, not by the terminal; paths may be longer than a line.
    rows = [line for line in told.splitlines() if not line.startswith("Published")]
    assert max(map(len, rows)) <= summary.WIDTH
