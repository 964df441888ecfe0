"""Usage is replaced by day: the table is a function of lake and as-of date, whatever it held."""

from __future__ import annotations

import itertools
import json
import signal
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from ingestion import schemas
from ingestion.lake import Lake, ensure_anchors, write_parquet
from tests.warehouse import Warehouse

MODELS = "+input_usage_daily"
PARTS = ("staging/usage", "staging/lake", "inputs/usage/input_usage_daily.*")
CONTENT = """
    select workspace_id, product_user_id, usage_on, feature_id, events, known_through
    from inputs.input_usage_daily
    order by all
"""
EVENTS = schemas.table("usage", "events")
LOAD_DAYS = schemas.table("usage", "load_days")
Event = tuple[str, datetime, datetime, str]


def land(lake: Lake, load_id: str, events: Iterable[Event], *, finished: bool = True) -> None:
    """Lands events (message id, happened, received, user) as the event loader does."""
    touched: dict[tuple[date, date], int] = {}
    for day, group in itertools.groupby(sorted(events, key=lambda e: e[1]), lambda e: e[1].date()):
        rows = [
            {
                "message_id": message, "event": "feature_used", "event_at": happened,
                "received_at": received, "workspace_id": "ws_1", "user_id": user,
                "feature": "export", "properties": "{}", "_dlt_load_id": load_id,
            }
            for message, happened, received, user in group
        ]  # fmt: skip
        for row in rows:
            key = (day, row["received_at"].date())
            touched[key] = touched.get(key, 0) + 1
        table = pa.Table.from_pylist(rows, schema=EVENTS.arrow_schema)
        write_parquet(table, lake.table("usage", "events") / f"event_on={day}/{load_id}-0.parquet")
    days = [
        {
            "load_id": load_id, "event_on": event_on, "received_on": received_on,
            "row_count": count, "_dlt_load_id": load_id,
        }
        for (event_on, received_on), count in touched.items()
    ]  # fmt: skip
    write_parquet(
        pa.Table.from_pylist(days, schema=LOAD_DAYS.arrow_schema),
        lake.table("usage", "load_days") / f"{load_id}.parquet",
    )
    if finished:
        finish(lake, load_id)


def finish(lake: Lake, load_id: str) -> None:
    """Makes a load count."""
    folder = lake.source("usage") / "_dlt_loads"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"usage__{load_id}.jsonl").write_text(
        json.dumps({"load_id": load_id, "status": 0}) + "\n"
    )


def at(day: int, hour: int = 12) -> datetime:
    """An hour of a day counted from 1 March 2024."""
    return datetime(2024, 3, 1, hour, tzinfo=UTC) + timedelta(days=day)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return Warehouse(tmp_path_factory.mktemp("usage"), PARTS)


@pytest.fixture
def warehouse(place: Warehouse) -> Warehouse:
    place.clear()
    return place


@pytest.fixture
def empty_lake(warehouse: Warehouse, tmp_path: Path) -> Lake:
    lake = Lake(warehouse.lake, tmp_path)
    ensure_anchors(lake)
    return lake


@pytest.fixture
def lake(empty_lake: Lake) -> Lake:
    lake = empty_lake
    land(
        lake,
        "1",
        [(f"m{d}-{n}", at(d, n), at(d, n), f"u{n % 3}") for d in range(6) for n in range(10)],
    )
    return lake


def fresh(warehouse: Warehouse, as_of: str) -> list[tuple[object, ...]]:
    """What a warehouse without a past holds; the one with a past is put back."""
    kept = warehouse.file.with_name("kept")
    warehouse.file.rename(kept)
    warehouse.build(MODELS, as_of)
    rows = warehouse.rows(CONTENT)
    warehouse.forget()
    kept.rename(warehouse.file)
    return rows


def test_later_and_earlier_dates_give_what_a_fresh_build_gives(
    lake: Lake, warehouse: Warehouse
) -> None:
    warehouse.build(MODELS, "2024-03-05")
    assert sum(row[4] for row in warehouse.rows(CONTENT)) == 50

    late = [(f"late{n}", at(1), at(6, n), "u0") for n in range(3)]
    again = [("m1-4", at(1, 4), at(6, 20), "u1")]
    land(lake, "2", [("m6", at(6), at(6), "u9"), *late, *again])
    land(lake, "3", [("never", at(2), at(6), "u9")], finished=False)
    warehouse.build(MODELS, "2024-03-07")
    after = warehouse.rows(CONTENT)
    assert after == fresh(warehouse, "2024-03-07")
    assert sum(row[4] for row in after) == 60 + 1 + 3, "the repeated message counts once"

    warehouse.build(MODELS, "2024-03-03")
    before = warehouse.rows(CONTENT)
    assert before == fresh(warehouse, "2024-03-03")
    assert sum(row[4] for row in before) == 30, "what was received later is not known"


def test_only_days_with_news_are_replaced(lake: Lake, warehouse: Warehouse) -> None:
    warehouse.build(MODELS, "2024-03-07")
    for day in range(6):
        if day > 3:  # beyond the neighbours' neighbours files vanish: reading them would show
            folder = lake.table("usage", "events") / f"event_on={at(day).date()}"
            for file in folder.iterdir():
                file.unlink()
    land(lake, "2", [("late", at(1), at(6), "u0")])
    warehouse.build(MODELS, "2024-03-07")
    assert sum(row[4] for row in warehouse.rows(CONTENT)) == 61


def test_a_message_of_around_midnight_counts_on_one_day(lake: Lake, warehouse: Warehouse) -> None:
    by_day = "select usage_on, sum(events) from inputs.input_usage_daily group by 1 order by 1"
    land(lake, "2", [("night", at(1, 23), at(6, 2), "u1"), ("night", at(2, 0), at(6, 4), "u1")])
    warehouse.build(MODELS, "2024-03-07")
    counts = dict(warehouse.rows(by_day))
    assert (counts[at(1).date()], counts[at(2).date()]) == (11, 10)

    # A file that was late itself: the message had come first under the day after.
    land(lake, "3", [("night", at(2, 0), at(5, 1), "u1")])
    warehouse.build(MODELS, "2024-03-07")
    counts = dict(warehouse.rows(by_day))
    assert (counts[at(1).date()], counts[at(2).date()]) == (10, 11)
    assert warehouse.rows(CONTENT) == fresh(warehouse, "2024-03-07")

    warehouse.build(MODELS, "2024-03-05")
    assert sum(row[4] for row in warehouse.rows(CONTENT)) == 50, "not known yet"


def test_killed_build_leaves_nothing_half_done(empty_lake: Lake, warehouse: Warehouse) -> None:
    lake, days = empty_lake, 200
    land(lake, "1", [(f"m{d}", at(d), at(d), "u") for d in range(days)])
    as_of = str(at(days).date())
    warehouse.build(MODELS, str(at(days // 2).date()))
    land(lake, "2", [(f"n{d}", at(d), at(days), "u") for d in range(days)])

    started = False
    with warehouse.start(MODELS, as_of, events_per_batch=1) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "START sql overwrite_days" in line:
                started = True
                time.sleep(0.7)  # two hundred batches, one a day, take several seconds
                run.send_signal(signal.SIGKILL)
                break
        run.wait()
    assert started
    assert run.returncode == -signal.SIGKILL, "the build was over before it could be killed"
    assert sum(row[4] for row in warehouse.rows(CONTENT)) == days // 2 + 1, "as it was before"

    warehouse.build(MODELS, as_of)
    assert sum(row[4] for row in warehouse.rows(CONTENT)) == 2 * days
