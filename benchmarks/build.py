"""Models built by dbt, as a night builds them.

Belongs here: how dbt is called, and what it made of each model. Must not be here: which models.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import yaml
from dbt.cli.main import dbtRunner
from jinja2 import Template

from benchmarks.plain import Model, Place
from orchestration.dbt import load_parsed
from orchestration.installation import DBT_PROJECT


def by_dbt(place: Place, command: str, select: Sequence[str]) -> list[Model]:
    """Build models as a night does, parsed beforehand; tests are left out.

    Args:
        place: where and when.
        command: `run`, or `build` for seeds too.
        select: dbt's selection.

    Returns:
        What was built, in the order in which it was done.

    Raises:
        RuntimeError: dbt stopped, with its words.
    """
    lake = place.folder / "lake"
    os.environ["TENURE_LAKE"] = str(lake)
    os.environ["TENURE_WAREHOUSE"] = str(place.database)
    os.environ["DBT_SEND_ANONYMOUS_USAGE_STATS"] = "false"
    tests = ("test", "unit_test") if command == "build" else ()
    done = dbtRunner(manifest=load_parsed(lake)).invoke(
        [
            *(command, "--select", *select),
            *(word for kind in tests for word in ("--exclude-resource-type", kind)),
            *("--vars", yaml.safe_dump({"as_of": place.as_of.isoformat()})),
            *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
            *("--target-path", str(place.folder / "target")),
            *("--log-path", str(place.folder / "target")),
            *("--log-level", "none", "--log-level-file", "none"),
        ]
    )
    if done.exception is not None or done.result is None:
        raise RuntimeError(f"dbt stopped: {done.exception}")
    results = done.result.results  # type: ignore[union-attr]
    if not done.success:
        failed = [f"{one.node.name}: {one.message}" for one in results if one.status == "error"]
        raise RuntimeError("dbt could not build\n" + "\n".join(failed))
    nodes: list[Any] = [one.node for one in results]
    return [
        Model(node.name, node.relation_name, node.compiled_code)
        for node in nodes
        if node.resource_type == "model"
    ]


def profile_settings() -> dict[str, str]:
    """What the project's profile sets in every connection."""
    profile = yaml.safe_load((DBT_PROJECT / "profiles.yml").read_text())
    settings = profile["tenure"]["outputs"]["duckdb"]["settings"]
    return {
        name: Template(value).render(env_var=lambda key, default: os.environ.get(key, default))
        for name, value in settings.items()
    }
