"""Every claim that data can answer has columns that do, and those are described and tested."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.dbt import load_manifest
from tests.dbt import claims as said
from tests.dbt.claims import PAGE, PROOFS, ROOT, SUPPORTING, Answer, Claim


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return load_manifest()


@pytest.fixture(scope="module")
def answers(manifest: dict[str, Any]) -> list[Answer]:
    return said.answers(manifest)


@pytest.fixture(scope="module")
def claims() -> list[Claim]:
    return said.claims()


def test_claims_are_told_apart_and_asked_or_said_not_to_be_data(claims: list[Claim]) -> None:
    ids = [claim.claim for claim in claims]
    assert len(ids) == len(set(ids)) == 180
    assert {claim[0] for claim in ids} == set(said.THEMES)
    assert all(claim.says for claim in claims)
    unclear = [claim.claim for claim in claims if bool(claim.asks) == bool(claim.not_data_because)]
    assert unclear == [], "a claim asks something of data, or says why it cannot: one of the two"


def test_every_claim_that_is_data_has_a_column(claims: list[Claim], answers: list[Answer]) -> None:
    served = {claim for answer in answers for claim in answer.serves}
    assert [c.claim for c in claims if not c.not_data_because and c.claim not in served] == []
    assert [c.claim for c in claims if c.not_data_because and c.claim in served] == []


def test_no_column_serves_what_nobody_said(claims: list[Claim], answers: list[Answer]) -> None:
    known = {claim.claim for claim in claims}
    unknown = {
        (a.mart, a.column, claim) for a in answers for claim in a.serves if claim not in known
    }
    assert unknown == set()


def test_a_mart_serves_what_its_columns_serve(manifest: dict[str, Any]) -> None:
    for node in said.marts(manifest):
        of_columns = {claim for column in node["columns"].values() for claim in said.served(column)}
        assert set(said.served(node)) == of_columns, node["name"]
        assert bool(of_columns) != (node["name"] in SUPPORTING), node["name"]


def test_every_column_that_answers_is_described_and_tested(answers: list[Answer]) -> None:
    assert [f"{a.mart}.{a.column}" for a in answers if not a.description] == []
    assert [f"{a.mart}.{a.column}" for a in answers if not a.tests] == []


@pytest.mark.parametrize("test", PROOFS)
def test_a_registered_proof_is_there_and_looks_at_its_columns(
    test: str, manifest: dict[str, Any]
) -> None:
    file, _, name = test.partition("::")
    assert name in said.functions(test)
    text = (ROOT / file).read_text()
    columns = {node["name"]: set(node["columns"]) for node in said.marts(manifest)}
    for mart, proved in PROOFS[test].items():
        assert f"{mart}" in text
        assert set(proved) <= columns[mart]
        assert [column for column in proved if column not in text] == []


def test_what_is_missing_is_found(manifest: dict[str, Any]) -> None:
    """The checks above see a column without a test, and one whose words are gone."""
    bare = {
        "nodes": {
            key: {
                **node,
                "columns": {n: {**c, "description": ""} for n, c in node["columns"].items()},
            }
            for key, node in manifest["nodes"].items()
            if node["resource_type"] == "model"
        },
        "unit_tests": {},
    }
    found = said.answers(bare)
    assert found
    assert not any(answer.description for answer in found)
    proved = {(mart, c) for proof in PROOFS.values() for mart, cols in proof.items() for c in cols}
    assert {(a.mart, a.column) for a in found if a.tests} <= proved


def test_the_page_is_what_the_project_says(manifest: dict[str, Any]) -> None:
    """After a change: `python -m tests.dbt.claims` writes it anew."""
    assert PAGE.read_text() == said.page(manifest)
