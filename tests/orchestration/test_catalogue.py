"""The catalogue is a decision: assets, groups, schedules and contracts, against a snapshot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from ingestion.schemas import landed_tables
from orchestration import checks
from orchestration.assets.sources import SOURCES
from orchestration.dbt import load_manifest, mart_contracts
from orchestration.definitions import build_definitions

SNAPSHOT = Path(__file__).with_name("catalogue.json")
GROUPS = {"crm", "billing", "usage", "desk", "warehouse", "scores", "findings", "published"}


@pytest.fixture(scope="module")
def graph() -> Any:
    return build_definitions().resolve_asset_graph()


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return load_manifest()


def catalogue(graph: Any) -> dict[str, list[str]]:
    """Materialisable assets by group."""
    groups: dict[str, list[str]] = {}
    for key in sorted(graph.materializable_asset_keys):
        groups.setdefault(graph.get(key).group_name, []).append("/".join(key.path))
    return groups


def test_assets_and_groups_are_those_of_the_snapshot(graph: Any) -> None:
    """After a deliberate change: `python -m tests.orchestration.test_catalogue` writes it anew."""
    assert catalogue(graph) == json.loads(SNAPSHOT.read_text())


def test_groups_are_the_eight_of_the_design(graph: Any) -> None:
    assert {graph.get(key).group_name for key in graph.materializable_asset_keys} == GROUPS


def test_jobs_schedules_and_sensors() -> None:
    definitions = build_definitions()
    schedule = definitions.resolve_schedule_def("nightly_at_02_utc")
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "UTC")
    assert definitions.resolve_job_def("backfill").partitions_def is not None
    for sensor in ("run_failure_alert", "night_digest"):
        assert definitions.resolve_sensor_def(sensor).name == sensor


def test_every_source_of_the_dbt_project_is_an_asset(graph: Any, manifest: dict[str, Any]) -> None:
    keys = {
        dg.AssetKey([source["source_name"], source["name"]])
        for source in manifest["sources"].values()
        if source["source_name"] in {source.name for source in SOURCES} | {"scores", "closes"}
    }
    assert keys
    assert keys <= set(graph.materializable_asset_keys)


def test_declared_tables_and_dbt_sources_agree(manifest: dict[str, Any]) -> None:
    declared = {(t.source, t.name): {c.name for c in t.columns} for t in landed_tables()}
    for source in manifest["sources"].values():
        key = (source["source_name"], source["name"])
        if key in declared:
            assert set(source["columns"]) - {"_dlt_load_id", "_version_at"} <= declared[key], key


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    nodes = [
        node
        for node in (*manifest["nodes"].values(), *manifest["sources"].values())
        if node["resource_type"] in {"model", "source", "seed"}
    ]
    silent = [node["name"] for node in nodes if not node["description"].strip()]
    silent += [
        f"{node['name']}.{name}"
        for node in nodes
        for name, column in node["columns"].items()
        if not column["description"].strip()
    ]
    silent += [node["name"] for node in nodes if not node["columns"]]
    assert silent == []


def test_every_public_mart_has_an_enforced_contract(manifest: dict[str, Any]) -> None:
    contracts = {c.full_name for c in mart_contracts(manifest)} - {checks.TABLE}
    marts = {
        f"{node['schema']}.{node['name']}"
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and "marts" in node["fqn"]
    }
    assert len(marts) > 25
    assert contracts == marts


def test_nothing_of_the_date_is_written_down_when_the_project_is_parsed(
    manifest: dict[str, Any],
) -> None:
    """One parse serves every night: only statements, compiled at night, may read the date."""
    fallback = "1970-01-01"
    baked = [
        key
        for key, node in manifest["nodes"].items()
        if fallback in json.dumps([node["config"], node.get("unrendered_config"), node["meta"]])
    ]
    assert baked == []


if __name__ == "__main__":
    found = catalogue(build_definitions().resolve_asset_graph())
    SNAPSHOT.write_text(json.dumps(found, indent=1) + "\n")
