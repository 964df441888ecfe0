"""The rules of a model in one test: every kind can be broken, and the message names the column."""

from __future__ import annotations

import textwrap

import pytest

from tests.warehouse import Warehouse

TEAMS = "select 'a' as team_id union all select 'b'"
PEOPLE = """
    select 1 as person_id, 'a' as team_id, 'dev' as role, 10 as paid
    union all select 2, 'b', 'ops', 20
    {more}
"""
RULES = """
    version: 2
    models:
      - name: {name}
        data_tests:
          - rules:
              arguments:
                unique: [[person_id], [team_id, role]]
                not_null: [role]
                accepted_values: {{role: [dev, ops]}}
                references: {{team_id: {{to: ref('teams'), field: team_id}}}}
                holds: {{everybody is paid: paid > 0}}
"""
#: Model -> people too many, and what is said of them.
BROKEN = {
    "twice": ("union all select 2, 'a', 'ops', 5", "person_id is not unique (1)"),
    "pair_twice": ("union all select 3, 'a', 'dev', 5", "team_id, role is not unique (1)"),
    "without_role": ("union all select 3, 'a', null, 5", "role is null (1)"),
    "unknown_role": ("union all select 3, 'a', 'boss', 5", "role is none of dev, ops (1)"),
    "nowhere": ("union all select 3, 'z', 'ops', 5", "team_id is not in teams (1)"),
    "unpaid": (
        "union all select 3, 'a', 'ops', 0 union all select 4, null, 'ops', null",
        "everybody is paid does not hold (2)",
    ),
}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, str]]:
    """Status and message of the one test of each model."""
    warehouse = Warehouse(tmp_path_factory.mktemp("rules"), ())
    models = warehouse.project / "models"
    models.mkdir(exist_ok=True)
    (models / "teams.sql").write_text(TEAMS)
    for name, more in {"sound": "", **{name: more for name, (more, _) in BROKEN.items()}}.items():
        (models / f"{name}.sql").write_text(PEOPLE.format(more=more))
        (models / f"{name}.yml").write_text(textwrap.dedent(RULES.format(name=name)))
    done = warehouse.run("build", "path:models", "2024-01-01")
    return {
        result.node.attached_node.rsplit(".", 1)[-1]: (result.status.value, result.message or "")
        for result in done.result.results
        if result.node.resource_type == "test"
    }


def test_rules_that_hold_pass(said: dict[str, tuple[str, str]]) -> None:
    assert said["sound"][0] == "pass"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_names_its_column(name: str, said: dict[str, tuple[str, str]]) -> None:
    status, message = said[name]
    assert status == "error"
    assert f"{name}: {BROKEN[name][1]}" in message
    assert message.count("does not hold") + message.count(" is n") == 1
