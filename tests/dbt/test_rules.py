"""The rules of a model in one test: every kind can be broken, and the message names the column."""

from __future__ import annotations

import subprocess
import textwrap

import pytest

from tests.dbt.project import Warehouse

TEAMS = "select 'a' as team_id union all select 'b'"
PEOPLE = """
    select 1 as person_id, 'a' as team_id, 'dev' as role, 10 as paid
    union all select 2, 'b', 'ops', 20
    {more}
"""
RULES = """
    version: 2
    models:
      - name: people
        data_tests:
          - rules:
              arguments:
                unique: [[person_id], [team_id, role]]
                not_null: [role]
                accepted_values: {role: [dev, ops]}
                references: {team_id: {to: ref('teams'), field: team_id}}
                holds: {everybody is paid: paid > 0}
"""
BROKEN = {
    "union all select 2, 'a', 'ops', 5": "people: person_id is not unique (1)",
    "union all select 3, 'a', 'dev', 5": "people: team_id, role is not unique (1)",
    "union all select 3, 'a', null, 5": "people: role is null (1)",
    "union all select 3, 'a', 'boss', 5": "people: role is none of dev, ops (1)",
    "union all select 3, 'z', 'ops', 5": "people: team_id is not in teams (1)",
    "union all select 3, 'a', 'ops', 0 union all select 4, null, 'ops', null": (
        "people: everybody is paid does not hold (2)"
    ),
}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    warehouse = Warehouse(tmp_path_factory.mktemp("rules"), ())
    models = warehouse.project / "models"
    models.mkdir(exist_ok=True)
    (models / "teams.sql").write_text(TEAMS)
    (models / "people.yml").write_text(textwrap.dedent(RULES))
    return warehouse


def built(warehouse: Warehouse, more: str) -> subprocess.CompletedProcess[str]:
    """Builds and tests the people, some more of them than there should be."""
    (warehouse.project / "models" / "people.sql").write_text(PEOPLE.format(more=more))
    command = warehouse.command("teams people", "2024-01-01")
    command[command.index("run")] = "build"
    return subprocess.run(
        command, env=warehouse.environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_rules_that_hold_pass(warehouse: Warehouse) -> None:
    done = built(warehouse, "")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("more", BROKEN)
def test_a_broken_rule_names_its_column(warehouse: Warehouse, more: str) -> None:
    done = built(warehouse, more)
    assert done.returncode == 1, done.stdout
    assert BROKEN[more] in done.stdout
    assert done.stdout.count("does not hold") + done.stdout.count(" is n") >= 1
