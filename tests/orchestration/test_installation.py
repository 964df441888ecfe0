"""The date of a run, and where its state lies."""

import os
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import dagster as dg
import pytest

from orchestration.installation import Installation, Night, parse_as_of


def test_no_date_means_yesterday() -> None:
    assert parse_as_of("") == datetime.now(UTC).date() - timedelta(days=1)


def test_a_date_is_read() -> None:
    assert parse_as_of("2024-02-29").isoformat() == "2024-02-29"


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "31.01.2026"])
def test_what_is_no_date_is_named_with_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=rf"{text}.*Write it as"):
        parse_as_of(text)


def test_the_future_is_refused() -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    with pytest.raises(ValueError, match="future"):
        parse_as_of(tomorrow.isoformat())


def test_a_wrong_date_in_a_run_is_a_failure_without_retries() -> None:
    with pytest.raises(dg.Failure, match="not a date") as raised:
        _ = Night(as_of="soon").date
    assert not raised.value.allow_retries


def test_a_run_that_goes_on_past_midnight_keeps_its_date(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = []

    class NextWeek(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "NextWeek":
            return cls.fromtimestamp(datetime.now(tz).timestamp() + 7 * 86_400, tz)

    @dg.op(out=dg.Out(dg.Nothing))
    def evening(night: Night) -> None:
        dates.append(night.date)
        monkeypatch.setattr("orchestration.installation.datetime", NextWeek)

    @dg.op(ins={"after": dg.In(dg.Nothing)})
    def morning(night: Night) -> None:
        dates.append(night.date)

    @dg.job(resource_defs={"night": Night()})
    def run() -> None:
        morning(evening())

    before = parse_as_of("")
    run.execute_in_process()
    assert dates[0] == dates[1]
    assert dates[0] in {before, datetime.now(UTC).date() - timedelta(days=1)}


def test_dbt_sees_the_installation_and_the_environment_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_LAKE", "before")
    monkeypatch.delenv("TENURE_WAREHOUSE", raising=False)
    with Installation(home=str(tmp_path)).dbt_environment():
        assert os.environ["TENURE_LAKE"] == str(tmp_path / "lake")
        assert os.environ["TENURE_WAREHOUSE"] == str(tmp_path / "warehouse" / "tenure.duckdb")
    assert os.environ["TENURE_LAKE"] == "before"
    assert "TENURE_WAREHOUSE" not in os.environ
