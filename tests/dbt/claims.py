"""What practitioners say about retention, and which column, formula and test answer each of it.

`python -m tests.dbt.claims` writes `docs/claims.md` anew, from `docs/claims.csv` (what is said) and
the parsed project (what answers it: `meta.serves` of marts and their columns, their descriptions,
the tests of dbt). Belongs here: how the page comes about, and which tests in Python stand for which
columns. Must not be here: what must hold of it, see `test_claims`.
"""

from __future__ import annotations

import ast
import csv
import functools
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestration.dbt import load_manifest

ROOT = Path(__file__).resolve().parents[2]
SAID = ROOT / "docs" / "claims.csv"
PAGE = ROOT / "docs" / "claims.md"
#: First letter of a claim's id, and what those claims are about.
THEMES = {
    "H": "Why relationships go cold",
    "C": "Renewals, success and value",
    "R": "After the renewal",
    "S": "The ten-year customer",
    "A": "Former users and former colleagues",
}
#: Marts that answer nothing themselves: what others are joined with.
SUPPORTING = {"dim_dates"}
#: Tests in Python that work columns of a mart out anew, or hold them against what really happened.
#: The file of each names the mart and the columns, or has all columns compared: see `test_claims`.
PROOFS: dict[str, dict[str, tuple[str, ...]]] = {
    "tests/truth/test_adoption_and_success.py::test_feature_adoption": {
        "adoption": ("feature_adoption_rate", "features_used_90d", "is_50pct_plus"),
    },
    "tests/truth/test_adoption_and_success.py::test_utilisation": {
        "adoption": ("utilisation_rate",),
    },
    "tests/truth/test_adoption_and_success.py::"
    "test_the_sticky_feature_shows_as_adopted_and_its_decoy_is_no_strategy": {
        "adoption": ("has_strategic_feature_adopted",),
        "dim_features": ("is_strategic",),
    },
    "tests/truth/test_adoption_and_success.py::test_attainment_of_every_measurement": {
        "success_outcomes": ("value", "attainment"),
    },
    "tests/truth/test_adoption_and_success.py::test_where_the_vendor_counts_something_else": {
        "success_outcomes": ("is_customer_metric",),
    },
    "tests/truth/test_adoption_and_success.py::test_nps_of_every_customer": {
        "voice": ("nps_12m",),
    },
    "tests/truth/test_adoption_and_success.py::test_what_each_origin_costs": {
        "acquisition_economics": ("acquisition_origin", "wins_costed"),
    },
    "tests/truth/test_adoption_and_success.py::test_every_plan_and_who_at_risk_has_none": {
        "action_plans": ("action_plan_id", "plan_state", "is_live"),
        "churn_risk": ("has_plan",),
    },
    "tests/truth/test_relationships.py::test_happy_users_hide_cold_executives": {
        "relationships": ("user_csat", "exec_user_gap", "has_happy_users_cold_executive"),
    },
    "tests/truth/test_relationships.py::test_the_index_follows_the_executives": {
        "relationships": ("disconnection_index", "is_relationship_at_risk"),
    },
    "tests/truth/test_relationships.py::test_alumni_and_who_came_back": {
        "alumni": ("left_account_id", "left_on", "destination_account_id", "is_mailable"),
    },
    "tests/truth/test_relationships.py::test_preference_drag": {
        "fct_opportunities": ("is_preference_drag",),
        "alumni": ("deals_brought", "deals_won"),
    },
    "tests/truth/demo_planted.py::"
    "test_the_sticky_feature_is_found_with_its_size_and_its_decoy_is_not": {
        "feature_stickiness": ("verdict", "odds_ratio", "naive_odds_ratio", "stickiness_rank"),
    },
    "tests/truth/demo_planted.py::test_visits_look_better_than_they_are": {
        "conventional_wisdom": ("observed_effect", "rate_exposed", "rate_unexposed", "verdict"),
    },
    "tests/truth/demo_planted.py::test_the_locked_in_are_unhappy_and_show": {
        "voice": ("is_unhappy_locked_in",),
    },
    "tests/truth/demo_planted.py::test_rip_and_replace_breaks_even_when_it_did": {
        "customer_value": ("rip_and_replace_breakeven_month", "cac_total_usd", "cac_paid_times"),
    },
    "tests/truth/demo_planted.py::test_who_is_counted_by_a_metric_of_ours_leaves_more": {
        "success_outcomes": ("alignment_loss_rate", "metric_alignment"),
    },
    "tests/truth/demo_planted.py::test_expected_cash_is_what_came": {
        "customer_value": ("bond_price_usd", "clv_npv_usd", "coupon_mrr_usd"),
    },
    "tests/truth/test_mess.py::test_duplicate_accounts": {"data_gaps": ("gap_type",)},
}


@dataclass(frozen=True)
class Claim:
    """Something said about retention.

    Attributes:
        claim: its id: a letter for the theme and a number.
        says: what is said.
        asks: the question that it makes one ask of one's own customers.
        not_data_because: why no column can answer it; empty where columns do.
        not_answered_yet: the part of the question that no column answers; mostly empty.
    """

    claim: str
    says: str
    asks: str
    not_data_because: str
    not_answered_yet: str


@dataclass(frozen=True)
class Answer:
    """A column that answers claims.

    Attributes:
        schema: of the mart.
        mart: that has the column.
        column: name.
        description: what it says, with its formula and unit.
        serves: ids of the claims.
        tests: what holds it, in words; empty when nothing does.
    """

    schema: str
    mart: str
    column: str
    description: str
    serves: tuple[str, ...]
    tests: tuple[str, ...]


def claims() -> list[Claim]:
    """All that is said, in the order of the file."""
    with SAID.open(newline="") as file:
        return [Claim(**row) for row in csv.DictReader(file)]


def marts(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Nodes of the public marts."""
    return sorted(
        (
            node
            for node in manifest["nodes"].values()
            if node["resource_type"] == "model" and "marts" in node["fqn"]
        ),
        key=lambda node: (node["schema"], node["name"]),
    )


def served(described: Mapping[str, Any]) -> list[str]:
    """Claims that a mart or a column says it answers."""
    meta = described.get("meta") or described.get("config", {}).get("meta") or {}
    return list(meta.get("serves", []))


def answers(manifest: Mapping[str, Any]) -> list[Answer]:
    """All columns that say they answer a claim."""
    tests = tests_by_column(manifest)
    return [
        Answer(
            schema=node["schema"],
            mart=node["name"],
            column=name,
            description=" ".join(column["description"].split()),
            serves=tuple(served(column)),
            tests=tuple(tests.get((node["name"], name), ())),
        )
        for node in marts(manifest)
        for name, column in node["columns"].items()
        if served(column)
    ]


def tests_by_column(manifest: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """What holds each column of each model: unit tests, data tests and proofs in Python."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    # By id: in which order dbt read the files is no part of the page.
    for _, unit in sorted(manifest["unit_tests"].items()):
        for column in _words_of_rows(unit["expect"]["rows"]):
            found[unit["model"], column].append(f"unit `{unit['name']}`")
    for _, node in sorted(manifest["nodes"].items()):
        if node["resource_type"] == "test":
            for model, column, words in _data_tests(node):
                found[model, column].append(words)
    for test, proved in PROOFS.items():
        name = test.partition("::")[2]
        for mart, columns in proved.items():
            for column in columns:
                found[mart, column].append(f"python `{name}`")
    return {key: list(dict.fromkeys(tests)) for key, tests in found.items()}


def _words_of_rows(rows: list[dict[str, Any]] | str | None) -> set[str]:
    """Columns that the expected rows of a unit test name."""
    if isinstance(rows, str):
        return set(re.findall(r"\w+", rows))
    return {column for row in rows or [] for column in row}


def _data_tests(node: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Model, column and words for each column that a data test looks at."""
    metadata = node.get("test_metadata")
    if metadata is None or not node.get("attached_node"):
        for model in node["depends_on"]["nodes"]:
            for column in set(re.findall(r"\w+", node["raw_code"])):
                yield model.rpartition(".")[2], column, f"test `{node['name']}`"
        return
    model = node["attached_node"].rpartition(".")[2]
    said = metadata["kwargs"]
    for columns in said.get("unique", []):
        for column in columns:
            yield model, column, "rule: unique"
    for column in said.get("not_null", []):
        yield model, column, "rule: never null"
    for column in said.get("accepted_values", {}):
        yield model, column, "rule: one of its words"
    for column in said.get("references", {}):
        yield model, column, "rule: refers to something"
    for name, expression in said.get("holds", {}).items():
        for column in set(re.findall(r"\w+", str(expression))):
            yield model, column, f"rule: {name}"


def functions(test: str) -> set[str]:
    """Names of the functions in the file of a registered test."""
    return _functions(test.partition("::")[0])


@functools.cache
def _functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def page(manifest: Mapping[str, Any]) -> str:
    """The page `docs/claims.md`."""
    by_claim: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers(manifest):
        for name in answer.serves:
            by_claim[name].append(answer)
    said = claims()
    data = [claim for claim in said if not claim.not_data_because]
    lines = [
        "<!-- Written by python -m tests.dbt.claims from claims.csv and the dbt project. -->",
        "# What is said about retention, and what answers it",
        "",
        f"{len(said)} things that practitioners say about keeping customers, each with the columns",
        f"of the published marts that answer it. {len(data)} can be asked of data;"
        f" {len(said) - len(data)} cannot,",
        "and say why. A column's words hold its formula and unit; what holds it are dbt's unit",
        "tests, rules that each row of each night must keep, and tests in Python that work it out",
        "anew or compare it with what really happened in a simulated company. A column named",
        "here without a description or a test, or a claim without a column, fails `make test`.",
        "",
        "The columns answer what is asked, of your customers. They do not prove what is said.",
    ]
    for letter, theme in THEMES.items():
        lines += ["", f"## {theme}"]
        for claim in said:
            if claim.claim.startswith(letter):
                lines += _section(claim, by_claim[claim.claim])
    return "\n".join(lines) + "\n"


def _section(claim: Claim, found: Iterable[Answer]) -> Iterator[str]:
    yield from ("", f"### {claim.claim} {claim.says}", "")
    if claim.not_data_because:
        yield f"Not data: {claim.not_data_because}."
        return
    yield from (claim.asks, "", "| column | what it says | held by |", "|---|---|---|")
    for answer in found:
        cells = (
            f"`{answer.schema}.{answer.mart}.{answer.column}`",
            answer.description,
            "; ".join(answer.tests),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    if claim.not_answered_yet:
        yield from ("", f"Not answered yet: {claim.not_answered_yet}.")


if __name__ == "__main__":
    PAGE.write_text(page(load_manifest()))
