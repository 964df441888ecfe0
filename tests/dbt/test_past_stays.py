"""What an earlier date knew is what a later date says of it: people and usage of past days."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ingestion import schemas
from ingestion.lake import Lake, ensure_anchors, finish_load, write_parquet
from tests.dbt.test_usage_days import land
from tests.warehouse import Warehouse

PARTS = (
    "staging/usage",
    "staging/lake",
    "staging/salesforce/_salesforce__sources.yml",
    "staging/salesforce/stg_salesforce__contact*",
    "staging/hubspot",
    "inputs/usage/input_usage_daily.*",
    "inputs/crm/input_contact_states.sql",
    "inputs/crm/input_employments.sql",
    "intermediate/usage/int_usage_windows.sql",
    "intermediate/usage/int_usage_workspace_windows.sql",
)
MODELS = "+input_employments +input_contact_states +int_usage_workspace_windows"
PEOPLE = """
    with night as (select timestamptz '{day} 00:00:00+00' + interval 1 day as ends_at)

    select
        spells.account_id,
        case when spells.end_known_at < ends_at then spells.ended_on end as ended_on,
        case when spells.end_known_at < ends_at then spells.roles else states.roles end as roles,
        case when spells.end_known_at < ends_at then spells.level else states.level end as level
    from night
    inner join inputs.input_employments as spells on spells.known_at < ends_at
    inner join inputs.input_contact_states as states
        on
            spells.contact_id = states.contact_id
            and states.valid_from < ends_at
            and coalesce(states.valid_to >= ends_at, true)
    order by all
"""
USAGE = """
    select observed_on, active_users_28d, active_users_90d, events_28d, events_90d
    from intermediate.int_usage_workspace_windows
    where observed_on <= date '2024-03-31'
    order by all
"""


def at(month: int, day: int, hour: int = 12) -> datetime:
    """An hour of a day in 2024."""
    return datetime(2024, month, day, hour, tzinfo=UTC)


def write(lake: Lake, load_id: str, table: str, rows: list[dict[str, Any]]) -> None:
    """Lands records as the loader of the CRM does."""
    stamped = [
        {
            "is_deleted": False,
            "system_modstamp": row["_version_at"],
            "_dlt_load_id": load_id,
        }
        | row
        for row in rows
    ]
    schema = schemas.table("salesforce", table).arrow_schema
    write_parquet(
        pa.Table.from_pylist(stamped, schema=schema),
        lake.table("salesforce", table) / f"{load_id}.parquet",
    )


def change(
    number: int, when: datetime, field: str, old: str | None, new: str | None
) -> dict[str, Any]:
    """A tracked change of the one contact."""
    return {
        "id": f"017{number:015}", "created_date": when, "_version_at": when,
        "contact_id": "003A", "field": field, "old_value": old, "new_value": new,
    }  # fmt: skip


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A champion, promoted in April and gone in May, and a usage day with an event in April."""
    warehouse = Warehouse(tmp_path, PARTS)
    lake = Lake(warehouse.lake, tmp_path)
    ensure_anchors(lake)
    write(
        lake,
        "1",
        "contact",
        [
            {
                "id": "003A", "created_date": at(1, 1), "_version_at": at(5, 20),
                "account_id": "001A", "title": "Director", "level__c": "director_plus",
                "roles__c": None, "left_on__c": date(2024, 5, 10),
            }
        ],
    )  # fmt: skip
    write(
        lake,
        "1",
        "contact_history",
        [
            change(1, at(2, 2), "Roles__c", "user", "champion"),
            change(2, at(4, 4), "Level__c", "manager", "director_plus"),
            change(3, at(5, 20), "Roles__c", "champion", None),
        ],
    )
    finish_load(lake, "salesforce", "1")
    land(
        lake,
        "1",
        [("m1", at(3, 30), at(3, 30), "u1"), ("m2", at(3, 30, 13), at(4, 2), "u1")],
    )
    return warehouse


def test_a_later_date_says_of_the_past_what_was_known_then(warehouse: Warehouse) -> None:
    known: dict[str, tuple[list[Any], list[Any]]] = {}
    for day in ("2024-01-31", "2024-03-31", "2024-04-30"):
        warehouse.forget()
        warehouse.build(MODELS, day)
        known[day] = (warehouse.rows(PEOPLE.format(day=day)), warehouse.rows(USAGE))

    # The warehouse of April goes on, as it does from night to night.
    warehouse.build(MODELS, "2024-05-31")

    for day, (people, _) in known.items():
        assert warehouse.rows(PEOPLE.format(day=day)) == people
    assert known["2024-01-31"][0] == [("001A", None, "user", "manager")]
    assert known["2024-03-31"][0] == [("001A", None, "champion", "manager")]
    assert known["2024-04-30"][0] == [("001A", None, "champion", "director_plus")]
    assert warehouse.rows(PEOPLE.format(day="2024-05-31")) == [
        ("001A", date(2024, 5, 10), "champion", "director_plus")
    ]
    assert known["2024-03-31"][1] == [(date(2024, 3, 31), 1, 1, 1, 1)]
    assert known["2024-04-30"][1] == known["2024-03-31"][1]
    assert warehouse.rows(USAGE) == known["2024-03-31"][1]
