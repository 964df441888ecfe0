"""The gate blocks what must not be built upon; the command line does what it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingestion import landing, schemas
from ingestion.cli import main
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.quality import gate
from ingestion.reports import LoadReport
from tests.ingestion.conftest import Serve

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def _land(lake: Lake, rows: list[dict[str, object]]) -> list[str]:
    landing.begin(lake, "stripe")
    report = LoadReport("stripe")
    batch = Landing(lake, "stripe", "run", report)
    batch.add(schemas.table("stripe", "coupons"), rows)
    batch.flush()
    return report.load_ids


def _coupon(number: int, **more: object) -> dict[str, object]:
    return {"id": f"c{number}", "deleted": False, "duration": "once", "_version_at": NOW} | more


def test_a_sound_load_passes_and_the_results_are_kept(lake: Lake) -> None:
    loads = _land(lake, [_coupon(n, currency="usd") for n in range(5)])
    result = gate.check_load(lake, "stripe", loads)
    assert result.passed
    assert {r.table_name for r in result.results} == {"coupons"}
    kept = lake.read("quality", "results")
    assert kept.num_rows == len(result.results)
    assert all(kept["passed"].to_pylist())
    assert gate.check_load(lake, "stripe", []).results == []


@pytest.mark.parametrize(
    ("rows", "measure", "blocks"),
    [
        ([_coupon(1), _coupon(1)], "repeated_keys", True),
        ([_coupon(1, _version_at=datetime.now(UTC) + timedelta(days=9))], "future_rows", True),
        ([_coupon(n, id=None if n % 2 else n) for n in range(60)], "excess_rejects", True),
        ([_coupon(1, id=None)], "excess_rejects", True),
        ([_coupon(1, currency="dollars")], "bad_currencies", False),
    ],
)
def test_a_load_that_is_not_sound_is_told(
    lake: Lake, rows: list[dict[str, object]], measure: str, blocks: bool
) -> None:
    result = gate.check_load(lake, "stripe", _land(lake, rows))
    (failure,) = result.failures()
    assert (failure.expectation, failure.is_blocking) == (measure, blocks)
    assert result.passed is not blocks
    assert "coupons" in failure.message


def test_a_load_that_failed_or_was_never_checked_does_not_slip_through(lake: Lake) -> None:
    sound = _land(lake, [_coupon(1)])
    assert gate.unpassed_loads(lake, "stripe") == sound
    assert gate.check_load(lake, "stripe", sound).passed
    assert gate.unpassed_loads(lake, "stripe") == []
    unsound = _land(lake, [_coupon(2), _coupon(2)])
    assert not gate.check_load(lake, "stripe", unsound).passed
    assert gate.unpassed_loads(lake, "stripe") == unsound
    assert gate.accept(lake, "stripe", "the vendor sent one record twice") == unsound
    assert gate.unpassed_loads(lake, "stripe") == []


def test_a_few_rejects_are_no_reason_to_stop(lake: Lake) -> None:
    loads = _land(lake, [_coupon(n, id=None if n == 0 else n) for n in range(8)])
    assert gate.check_load(lake, "stripe", loads).passed


def test_check_load_backfill_reset_replay(
    serve: Serve, capsys: pytest.CaptureFixture[str], lake: Lake
) -> None:
    with serve() as (company, _):
        assert main(["check"]) == 0
        assert main(["load", "all"]) == 0
        assert main(["load", "all"]) == 0
        day = ["--from", "2026-04-01", "--to", "2026-04-30"]
        assert main(["backfill", "stripe", "invoices", *day]) == 0
        assert main(["reset", "desk", "competitors"]) == 0
        assert main(["reset", "usage", "nonsense"]) == 2
        assert main(["replay-rejects"]) == 0
        company.faults.add("status", service="stripe", path="events", count=None, status=401)
        assert main(["check"]) == 1
        assert main(["load", "stripe"]) == 1
        key = company["STRIPE_API_KEY"]
    said = capsys.readouterr().out
    assert key not in said
    assert "read in full at the next load" in said
    assert lake.read("stripe", "invoices").num_rows > 100


def test_without_settings_the_command_says_what_to_set(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["load", "all"]) == 2
    assert "STRIPE_API_KEY" in capsys.readouterr().out
