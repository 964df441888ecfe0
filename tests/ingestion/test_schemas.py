"""Declarations are complete, and policies about what may land hold."""

from __future__ import annotations

import pyarrow.parquet as pq
import pytest

from ingestion import privacy, schemas
from ingestion.crm import salesforce_config
from ingestion.lake import (
    Lake,
    anchor_path,
    clean_unfinished,
    ensure_anchors,
    finish_load,
    new_load_id,
    write_parquet,
)
from ingestion.schemas import operations
from ingestion.schemas.model import Table


@pytest.mark.parametrize("table", schemas.landed_tables(), ids=lambda t: f"{t.source}.{t.name}")
def test_every_table_says_what_it_is(table: Table) -> None:
    names = [c.name for c in table.columns]
    assert len(set(names)) == len(names)
    assert table.doc.endswith(".")
    assert set(table.key) <= set(names)
    assert all(c.doc.strip().endswith((".", "…")) for c in table.columns)
    assert {"_dlt_load_id"} <= set(names)
    assert ("_version_at" in names) == table.is_versioned


def test_nothing_lands_that_is_excluded_for_privacy_or_secret() -> None:
    secret = ("password", "secret", "token", "api_key", "card", "iban", "hosted_invoice_url")
    for table in schemas.landed_tables():
        for column in table.fields:
            assert column.name not in privacy.NEVER_LANDED
            assert not any(word in column.name for word in secret)


def test_columns_that_name_people_are_flagged() -> None:
    people = {
        ("salesforce", "contact"),
        ("salesforce", "user"),
        ("stripe", "customers"),
        ("hubspot", "contact"),
        ("hubspot", "owner"),
        ("hubspot", "user"),
    }
    flagged = {(t.source, t.name) for t in schemas.landed_tables() if t.pii_columns}
    assert flagged == people
    assert set(schemas.table("salesforce", "contact").pii_columns) == {
        "first_name",
        "last_name",
        "email",
    }


def test_configured_objects_are_the_declared_tables() -> None:
    objects = salesforce_config.load(None)
    own = {c.table.name for c in objects if c.table.source == "salesforce"}
    assert own == {t.name for t in schemas.landed_tables() if t.source == "salesforce"}
    for config in objects:
        for column, field in config.fields.items():
            if config.table.source == "salesforce" and config.cursor == "SystemModstamp":
                assert salesforce_config.snake(field) == column


def test_an_absent_source_is_an_empty_typed_table(lake: Lake) -> None:
    declared = (*schemas.landed_tables(), *operations.tables())
    assert ensure_anchors(lake) == len(declared)
    assert ensure_anchors(lake) == 0
    for table in declared:
        assert pq.read_schema(anchor_path(lake, table)).equals(table.arrow_schema)
        assert lake.read(table.source, table.name).num_rows == 0


def test_a_changed_declaration_rewrites_its_anchor(lake: Lake) -> None:
    ensure_anchors(lake)
    table = schemas.table("desk", "competitors")
    write_parquet(table.arrow_schema.remove(0).empty_table(), anchor_path(lake, table))
    assert ensure_anchors(lake) == 1
    assert pq.read_schema(anchor_path(lake, table)).equals(table.arrow_schema)


def test_only_finished_loads_are_read_and_leftovers_go(lake: Lake) -> None:
    ensure_anchors(lake)
    table = schemas.table("desk", "competitors")
    row = {"competitor_id": "c1", "competitor_name": "Other", "_deleted": False}
    done = new_load_id(lake, "desk")
    for load_id in (done, f"{float(done) + 5:.6f}"):
        full = row | {"_dlt_load_id": load_id}
        import pyarrow as pa

        rows = pa.Table.from_pylist([full], schema=table.arrow_schema)
        write_parquet(rows, lake.table("desk", "competitors") / f"{load_id}.0.parquet")
    finish_load(lake, "desk", done)
    cut = lake.source("desk") / "_dlt_loads" / "desk__cut.jsonl"
    cut.write_text('{"load_id": "99')
    assert lake.read("desk", "competitors")["_dlt_load_id"].to_pylist() == [done]
    assert clean_unfinished(lake, "desk") == 2
    assert not cut.exists()
    assert lake.read("desk", "competitors").num_rows == 1
    assert new_load_id(lake, "desk") > done
