"""A company of any size is streamed whole, in blocks, and a run that was killed is carried on.

The name keeps this out of `make test`: only benchmarks need such companies, and `make truth` names
the file.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from sample_company import benchmark, export
from sample_company.benchmark import Benchmark
from sample_company.rng import Rng
from sample_company.world import WorldConfig, build_world
from sample_company.world.noise import Noise
from sample_company.world.panel import build_panel
from sample_company.world.people import add_people
from sample_company.world.usage import Usage, delivered_counts

#: A company of less than four years is built in a moment.
HORIZON = date(2015, 6, 30)


def plan(out: Path, **changes: object) -> Benchmark:
    usual = Benchmark(
        accounts=600, out=out, horizon=HORIZON, event_days=20, block_accounts=300, workers=2
    )
    return replace(usual, **changes)  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def tables_of(config: WorldConfig) -> dict[str, pd.DataFrame]:
    """What usage needs of a company, and no more."""
    tables = build_world(config, observables=False).tables
    panel = build_panel(tables, config.last_day)
    return tables | add_people(tables, Noise(Rng(config.seed)), panel)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("benchmark") / "whole"
    lines: list[str] = []
    report = benchmark.run(plan(out), lines.append)
    assert (report.files, report.new_files) == (20, 20)
    assert any(line.startswith("block 2 of 2") for line in lines)
    assert any("days" in line for line in lines)
    return out


def test_every_day_is_there_and_nothing_of_the_scaffolding(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {"company.json", "events"}
    entries = export.read_manifest(written / "events")
    assert set(entries) == set(contents(written / "events")) - {export.MANIFEST}
    files = f"{written}/events/**/*.parquet"
    found = duckdb.sql(f"select count(*), count(distinct workspace_id) from '{files}'").fetchone()
    assert found is not None
    assert found[0] == sum(int(str(entry["rows"])) for entry in entries.values())
    assert found[1] > 40


def test_tables_are_written_block_by_block_and_own_the_events(
    written: Path, tmp_path: Path
) -> None:
    wanted = plan(tmp_path, with_tables=True, with_truth=True)
    benchmark._build_block(wanted, 0, tmp_path / ".blocks")
    for part, name in (("tables", "invoices"), ("tables", "activities"), ("truth", "truth_mrr")):
        assert len(pd.read_parquet(tmp_path / part / name / "block-0000.parquet")) > 10
    accounts = pd.read_parquet(tmp_path / "tables/accounts/block-0000.parquet")
    used = duckdb.sql(f"select workspace_id w, count(*) n from '{written}/events/**/*.parquet' "
                      "group by 1").df().set_index("w")["n"]  # fmt: skip
    share = used.reindex(accounts["workspace_id"].dropna().unique()).sum() / used.sum()
    assert 0.1 < share < 0.9, "events are of one block only"


def test_a_killed_run_is_carried_on_to_the_same_bytes(written: Path, tmp_path: Path) -> None:
    out = tmp_path / "broken"
    wanted = plan(out)
    benchmark._claim(wanted)
    benchmark._build_block(wanted, 1, out / ".blocks")
    some = {
        path: entry
        for path, entry in export.read_manifest(written / "events").items()
        if str(entry["received_on"]) < "2015-06-15"
    }
    for path in some:
        (out / "events" / path).parent.mkdir(parents=True, exist_ok=True)
        (out / "events" / path).write_bytes((written / "events" / path).read_bytes())
    export.save_manifest(out / "events", some)
    kept = {path: (out / "events" / path).stat().st_mtime_ns for path in some}
    # What a killed worker leaves: a file half written, a line half written.
    (out / "events/2015/06/events-2015-06-15.parquet.tmp").write_bytes(b"half")
    (out / "events/.manifest.0").write_text('{"path": "2015/06/events-2026-06')
    benchmark.run(wanted, lambda _: None)
    assert contents(out) == contents(written)
    assert kept == {path: (out / "events" / path).stat().st_mtime_ns for path in some}
    before = contents(out)
    assert benchmark.run(wanted, lambda _: None).new_files == 0
    assert contents(out) == before


def test_a_folder_of_another_company_is_left_alone(written: Path) -> None:
    with pytest.raises(ValueError, match="another company's files"):
        benchmark.run(plan(written, seed=2), lambda _: None)
    with pytest.raises(ValueError, match="accounts must be at least 1"):
        plan(written, accounts=0)


def test_one_block_is_the_company_itself(tmp_path: Path) -> None:
    wanted = plan(tmp_path / "one", accounts=300, workers=1, event_days=5)
    report = benchmark.run(wanted, lambda _: None)
    usage = Usage.of(tables_of(wanted.config), wanted.config)
    days = {day: pd.concat(parts) for day, parts in usage.days(wanted.first_day, HORIZON)}
    for day, frame in days.items():
        path = tmp_path / f"one/events/{export.event_path(day, 'parquet')}"
        found = pd.read_parquet(path)
        broken = len(found) - len(frame)
        assert 0 <= broken <= 1
        assert found["message_id"].head(len(frame)).tolist() == frame["message_id"].tolist()
    assert report.files == len(days)


def test_the_number_of_events_a_day_is_what_was_asked_for() -> None:
    first, last = date(2026, 6, 1), date(2026, 6, 30)
    # The largest few of so many customers still move the sum by a quarter.
    built = WorldConfig(size="custom", accounts=1_530, seed=1, horizon=last)
    tables = tables_of(built)
    counts = {}
    for wanted in (3_000, 10_000, 60_000):
        config = replace(built, events_per_day=wanted)
        table = delivered_counts(Usage.of(tables, config, since=first), first, last)
        counts[wanted] = (table["events"] + table["copies"]).sum() / table["received_on"].nunique()
    for wanted, found in counts.items():
        assert found == pytest.approx(wanted, rel=0.35), counts
    assert counts[60_000] / counts[10_000] == pytest.approx(6.0, rel=0.1)
    assert counts[10_000] / counts[3_000] == pytest.approx(10 / 3, rel=0.1)
