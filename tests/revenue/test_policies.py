"""Every policy has a var, a row of the seed, a test for each value, and its line in the docs.

`python -m tests.revenue.test_policies` writes docs/policies.md anew.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import yaml

from tests.warehouse import PROJECT, ROOT

PAGE = ROOT / "docs" / "policies.md"
#: Any number of days may be chosen.
DAYS = "days"


@dataclass(frozen=True)
class Policy:
    """A row of the seed."""

    policy: str
    value: str
    alternatives: str
    authority: str
    reason: str

    @property
    def is_days(self) -> bool:
        """Is it a number of days?"""
        return self.alternatives == DAYS

    @property
    def values(self) -> list[str]:
        """Readings that may be chosen, the default first."""
        return self.alternatives.split(";")

    @property
    def var(self) -> str:
        """Var of the project that chooses."""
        return self.policy if self.is_days else f"policy_{self.policy}"

    @property
    def stem(self) -> str:
        """How the names of its unit tests begin."""
        return f"policy_{self.policy}_"


@cache
def policies() -> tuple[Policy, ...]:
    """All rows of the seed."""
    with (PROJECT / "seeds" / "revenue" / "metric_policies.csv").open() as file:
        return tuple(Policy(**row) for row in csv.DictReader(file))


@cache
def variables() -> dict[str, Any]:
    """The vars of the project with their defaults."""
    described: dict[str, Any] = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())
    return dict(described["vars"])


@cache
def unit_tests() -> dict[str, dict[str, Any]]:
    """Unit tests of policies by name."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((PROJECT / "models").rglob("*.yml")):
        if "name: policy_" in (text := path.read_text()):
            for test in yaml.safe_load(text).get("unit_tests", []):
                if test["name"].startswith("policy_"):
                    found[test["name"]] = test
    return found


HEAD = """\
# Policies

Retention figures are argued over because each tool decides the hard cases silently. Here each is
decided by a named policy: a var of `dbt_project/dbt_project.yml` with a default, its alternatives,
the authority behind the default and the reason. The seed `metric_policies` holds the same rows
beside the figures; this page is written from it (`python -m tests.revenue.test_policies`).

To change one, set its var in `dbt_project/dbt_project.yml` and let the next night build: all
history is counted anew under it, so figures before and after stay comparable. A value that is no
alternative fails the build.

```yaml
vars:
  policy_paused: zero_at_once
```

| Var | Default | Alternatives | Authority | Why |
|---|---|---|---|---|
"""
FOOT = """
Each value has a dbt unit test beside the model that decides it, named
`policy_<policy>_<value>_<what it does>`. `tests/revenue` counts hundreds of random histories a
second time, in plain Python from the definitions alone, under the defaults and under each
alternative: the accounts that a policy concerns must change exactly as the definitions say, and no
other account may.
"""


def render() -> str:
    """The page of the policies, out of the seed."""
    return HEAD + "".join(map(_line, policies())) + FOOT


def _line(one: Policy) -> str:
    others = [f"`{value}`" for value in one.values if value != one.value] or ["none"]
    choice = "any number of days" if one.is_days else ", ".join(others)
    return f"| `{one.var}` | `{one.value}` | {choice} | {one.authority} | {one.reason} |\n"


@pytest.mark.parametrize("one", policies(), ids=lambda one: one.policy)
def test_each_row_is_complete_and_its_default_is_the_projects(one: Policy) -> None:
    assert one.authority
    assert one.reason
    assert one.is_days or one.values[0] == one.value
    assert str(variables()[one.var]) == one.value


def test_each_policy_var_has_a_row() -> None:
    rows = {one.var for one in policies()}
    assert {var for var in variables() if var.startswith("policy_")} <= rows


@pytest.mark.parametrize("one", policies(), ids=lambda one: one.policy)
def test_each_value_has_a_unit_test_by_its_name(one: Policy) -> None:
    """A number of days has one for the default and one for another number."""
    tests = {name: test for name, test in unit_tests().items() if name.startswith(one.stem)}
    if one.is_days:
        numbers = {name.removeprefix(one.stem).partition("_")[0]: name for name in tests}
        assert one.value in numbers
        assert len(numbers) > 1
        assert all(number.isdigit() for number in numbers)
        values = numbers
    else:
        values = {
            value: name
            for value in one.values
            for name in tests
            if name.startswith(f"{one.stem}{value}_")
        }
        assert set(values) == set(one.values)
    for value, name in values.items():
        chosen = tests[name].get("overrides", {}).get("vars", {})
        assert str(chosen.get(one.var, one.value)) == value


def test_no_unit_test_is_named_after_a_policy_that_is_not_there() -> None:
    stems = tuple(
        f"{one.stem}{'' if one.is_days else value}" for one in policies() for value in one.values
    )
    assert [name for name in unit_tests() if not name.startswith(stems)] == []


def test_each_policy_is_held_against_its_alternatives_at_each_build() -> None:
    check = (PROJECT / "tests" / "revenue" / "assert_policies_are_known.sql").read_text()
    assert [one.policy for one in policies() if f"'{one.policy}'" not in check] == []


def test_the_page_is_what_the_seed_says() -> None:
    """After a deliberate change: `python -m tests.revenue.test_policies` writes it anew."""
    assert PAGE.read_text() == render()


if __name__ == "__main__":
    PAGE.write_text(render())
