"""Records become typed rows, or rejects that say what is wrong without saying who."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import privacy, rows, schemas
from ingestion.schemas.model import Column, Table, Type

ALL = Table(
    "desk",
    "anything",
    "All types.",
    ("id",),
    (
        Column("id", Type.TEXT, "Id.", required=True),
        Column("n", Type.BIGINT, "Number."),
        Column("x", Type.DOUBLE, "Share.", minimum=0, maximum=1),
        Column("is_it", Type.BOOLEAN, "Truth."),
        Column("at", Type.TIMESTAMP, "Instant."),
        Column("on", Type.DATE, "Day."),
        Column("usd", Type.MONEY, "Money."),
        Column("unit", Type.UNIT_AMOUNT, "Unit amount."),
        Column("j", Type.JSON, "JSON."),
        Column("word", Type.TEXT, "Word.", allowed=("yes", "no")),
    ),
    is_versioned=False,
)


@pytest.mark.parametrize(
    ("column", "given_value", "landed"),
    [
        ("n", "12", 12),
        ("n", 12.0, 12),
        ("n", "-9223372036854775808", -(2**63)),
        ("x", "0.5", 0.5),
        ("x", 1, 1.0),
        ("is_it", "Yes", True),
        ("is_it", 0, False),
        ("at", 1_700_000_000, datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("at", "2026-01-31T09:30:00.000+0000", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("at", "2026-01-31T10:30:00+01:00", datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        ("at", "2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("on", "2026-01-31", date(2026, 1, 31)),
        ("on", "2026-01-31 00:00:00", date(2026, 1, 31)),
        ("usd", "12.345", Decimal("12.34")),
        ("usd", 0.1, Decimal("0.10")),
        ("unit", "0.000000000001", Decimal("0.000000000001")),
        ("j", {"b": 1, "a": [2]}, '{"a":[2],"b":1}'),
        ("word", "yes", "yes"),
    ],
)
def test_a_value_lands_as_it_was_meant(column: str, given_value: Any, landed: Any) -> None:
    good, bad = rows.build(ALL, [{"id": "1", column: given_value}])
    assert not bad
    assert good[column].to_pylist() == [landed]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("id", None, "required"),
        ("n", "1.5", "type"),
        ("n", True, "type"),
        ("n", 2**63, "type"),
        ("x", "nan", "type"),
        ("x", 1.01, "range"),
        ("x", -0.01, "range"),
        ("is_it", "perhaps", "type"),
        ("at", "yesterday", "type"),
        ("at", 10**14, "type"),
        ("on", "31.01.2026", "type"),
        ("usd", "12,50", "type"),
        ("usd", "1e30", "type"),
        ("word", "maybe", "allowed"),
    ],
)
def test_a_bad_value_rejects_its_row_and_no_other(column: str, value: Any, rule: str) -> None:
    records = [{"id": "1"}, {"id": "2", column: value}, {"id": "3"}]
    good, bad = rows.build(ALL, records)
    assert good["id"].to_pylist() == ["1", "3"]
    assert [(b.rule, b.field) for b in bad] == [(rule, column)]
    assert bad[0].remedy


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": st.one_of(st.none(), st.text(alphabet="ab", max_size=5), st.integers())},
            optional={
                c.name: st.one_of(
                    st.none(),
                    st.text(alphabet="0a.-e:T \ud800", max_size=8),
                    st.integers(),
                    st.floats(),
                    st.booleans(),
                    st.lists(st.integers(), max_size=2),
                )
                for c in ALL.fields[1:]
            },
        ),
        max_size=6,
    )
)
def test_nothing_is_lost_whatever_comes(records: list[dict[str, Any]]) -> None:
    good, bad = rows.build(ALL, records)
    assert good.num_rows + len(bad) == len(records)
    assert good.schema.equals(ALL.write_schema)
    assert good["id"].null_count == 0


def test_a_reject_names_nobody() -> None:
    contact = schemas.table("salesforce", "contact")
    record = {
        "id": "003",
        "is_deleted": "perhaps",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "title": "call +44 20 7946 0958 or ada@example.com",
        "left_on__c": "2026-01-31",
    }
    _, bad = rows.build(contact, [record])
    for word in ("Ada", "Lovelace", "example.com", "7946"):
        assert word not in bad[0].raw + bad[0].message
    assert "2026-01-31" in bad[0].raw


@pytest.mark.parametrize(
    "kept",
    ["2026-01-31", "2026-01-31T09:30:00.000+0000", "0015e00000AbCdEAAV", "1700000000", "v62.0"],
)
def test_masking_leaves_dates_and_ids_alone(kept: str) -> None:
    assert privacy.mask(kept) == kept


def test_equal_addresses_have_equal_hashes() -> None:
    assert privacy.hash_email(" Ada@Example.com ") == privacy.hash_email("ada@example.com")
    assert privacy.hash_email("") is None


@pytest.mark.parametrize(
    ("table", "record", "rule", "field"),
    [
        (("stripe", "subscription_items"), {"id": "si", "subscription_id": "s", "deleted": False,
         "quantity": -5}, "range", "quantity"),
        (("usage", "usage_monthly"), {"workspace_id": "w", "month": "2026-01-01",
         "licences": -1}, "range", "licences"),
        (("desk", "survey_responses"), {"survey_response_id": "s", "account_id": "a",
         "survey_type": "nps", "responded_on": "2126-01-01", "_deleted": False}, "future",
         "responded_on"),
        (("stripe", "charges"), {"id": "ch", "created": 7_000_000_000, "status": "failed"},
         "future", "created"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_kept_out(
    table: tuple[str, str], record: dict[str, Any], rule: str, field: str
) -> None:
    good, bad = rows.build(schemas.table(*table), [record | {"_version_at": 1}])
    assert good.num_rows == 0
    assert [(b.rule, b.field) for b in bad] == [(rule, field)]
    assert str(next(v for k, v in record.items() if k == field)) in bad[0].raw


def test_a_nested_value_of_plain_text_is_kept_as_json() -> None:
    good, bad = rows.build(ALL, [{"id": "1", "j": [1], "n": 1}, {"id": {"a": 1}}])
    assert good.num_rows == 1
    assert [b.rule for b in bad] == ["type"]
    contact = schemas.table("salesforce", "contact")
    record = {"id": "003", "is_deleted": False, "created_date": 1, "system_modstamp": 1,
              "_version_at": 1, "title": {"b": 2, "a": "x"}}  # fmt: skip
    good, bad = rows.build(contact, [record])
    assert good["title"].to_pylist() == ['{"a":"x","b":2}']
