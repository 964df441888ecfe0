"""The unit tests that stand beside the dbt models, run against the schema the night has built."""

from __future__ import annotations

import json

import pytest
from dbt.cli.main import dbtRunner

from orchestration.installation import DBT_PROJECT, Installation
from tests.end_to_end.conftest import NightOutcome

# One worker runs all tests of the night, or the night would be run once a worker.
pytestmark = pytest.mark.xdist_group("night")


def test_every_unit_test_of_a_model_holds(night: NightOutcome) -> None:
    installation = Installation(home=str(night.home))
    target = str(installation.dbt_target)
    with installation.dbt_environment():
        outcome = dbtRunner().invoke(
            [
                *("test", "--select", "test_type:unit"),
                *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
                *("--target-path", target, "--log-path", target, "--quiet"),
                *("--vars", json.dumps({"as_of": night.as_of.isoformat()})),
            ]
        )
    assert outcome.exception is None
    results = {r.node.name: r.status.value for r in outcome.result.results}
    assert len(results) > 60
    assert {name: status for name, status in results.items() if status != "pass"} == {}
