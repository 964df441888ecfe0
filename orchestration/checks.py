"""What a night checked, as the table `operations.checks` that is published with it.

Belongs here: turning what Dagster remembers of checks into rows, and writing them into the
warehouse. Must not be here: a check, or whether one stops a night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from publishing import quality_page
from publishing.publish import MartContract

TABLE = "operations.checks"
PASSED, WARNED, FAILED = "passed", "warned", "failed"
LOADED, BUILT, SCORED = "loaded", "built", "scored"


@dataclass(frozen=True)
class Check:
    """One row; the fields are the columns of the contract.

    Attributes:
        subject: table that is checked, `schema.table`.
        check_name: as Dagster shows it.
        stage: LOADED, BUILT or SCORED.
        what_is_checked: in words.
        outcome: PASSED, WARNED or FAILED.
        rows_at_fault: count; None where rows are not what is counted.
        found: None where it holds.
        is_blocking: whether its failure stops a night.
    """

    subject: str
    check_name: str
    stage: str
    what_is_checked: str
    outcome: str
    rows_at_fault: int | None
    found: str | None
    is_blocking: bool


def evaluated(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey]
) -> list[dg.AssetCheckEvaluation]:
    """Return the newest evaluation of each check, in the order of their names.

    The newest, not this run's: a run that takes up a failed one does not repeat what has passed.
    """
    newest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    events = [record.event for record in newest.values() if record.event is not None]
    evaluations = [
        event.dagster_event.asset_check_evaluation_data
        for event in events
        if event.dagster_event is not None
        and event.dagster_event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    return sorted(evaluations, key=lambda e: (e.asset_key.path, e.check_name))


def rows(
    evaluations: Iterable[dg.AssetCheckEvaluation],
    manifest: Mapping[str, Any],
    lake: Path,
    specs: Mapping[dg.AssetCheckKey, dg.AssetCheckSpec],
) -> list[Check]:
    """Return what is published of the checks.

    Args:
        evaluations: as `evaluated` gives them.
        manifest: dbt's, whose tests are put in words.
        lake: root of the lake, where expectations keep what they found of each table: a load that
            brings nothing checks nothing, and what it found before still holds.
        specs: what a check says of itself, where it is no test of dbt.
    """
    tests = {node["name"]: node for node in manifest["nodes"].values() if _is_test(node)}
    expected = quality_page.newest(lake)
    found = []
    for evaluation in evaluations:
        subject = ".".join(evaluation.asset_key.path)
        name = evaluation.check_name
        told = evaluation.metadata.get("unique_id")
        test = manifest["nodes"].get(told.value) if told is not None else tests.get(name)
        if test is not None:
            count = evaluation.metadata.get("dagster_dbt/failed_row_count")
            found.append(
                _row(evaluation, subject, BUILT, in_words(test), _count(count), evaluation.passed)
            )
        elif results := expected.get(subject):
            found.append(_of_expectations(evaluation, subject, results))
        else:
            words = specs[evaluation.asset_check_key].description or ""
            stage = SCORED if evaluation.asset_key.path[0] == "scores" else LOADED
            found.append(_row(evaluation, subject, stage, words, None, evaluation.passed))
    return found


def write(warehouse: Path, contract: MartContract, checks: Sequence[Check]) -> None:
    """Write the table anew, in one step."""
    columns = ", ".join(f'"{name}" {kind}' for name, kind in contract.columns.items())
    names = [field.name for field in fields(Check)]
    marks = ", ".join("?" for _ in names)
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("begin")
        connection.execute(f"create schema if not exists {contract.schema}")
        connection.execute(f"create or replace table {contract.full_name} ({columns})")
        if checks:
            connection.executemany(
                f"insert into {contract.full_name} ({', '.join(names)}) values ({marks})",
                [astuple(check) for check in checks],
            )
        connection.execute("commit")


def in_words(test: Mapping[str, Any]) -> str:
    """Return what a test of dbt holds its model to: `account_id names one row; band is known`."""
    described = test.get("test_metadata")
    if test.get("description"):
        return str(test["description"]).strip()
    if described is None:
        # A statement of its own is named after what it asserts.
        return str(test["name"]).removeprefix("assert_").replace("_", " ")
    return "; ".join(_rules(described["kwargs"])) or str(described["name"]).replace("_", " ")


def _rules(rules: Mapping[str, Any]) -> Iterator[str]:
    for columns in rules.get("unique", []):
        yield f"{', '.join(columns)} {'names' if len(columns) == 1 else 'name'} one row"
    if combination := rules.get("columns"):
        yield f"{', '.join(combination)} name one row"
    if known := rules.get("not_null", []):
        yield f"{', '.join(known)} {'is' if len(known) == 1 else 'are'} never unknown"
    for column in rules.get("accepted_values", {}):
        yield f"{column} is one of its words"
    for column, target in rules.get("references", {}).items():
        yield f"{column} is in {str(target['to']).removeprefix('ref(').strip(chr(39) + ')')}"
    yield from rules.get("holds", {})


def _of_expectations(
    evaluation: dg.AssetCheckEvaluation, subject: str, results: Sequence[quality_page.Result]
) -> Check:
    broken = [result for result in results if not result.passed]
    return _row(
        evaluation,
        subject,
        LOADED,
        "; ".join(f"no {result.expectation.replace('_', ' ')}" for result in results),
        int(sum(result.observed for result in broken)),
        not broken,
        " ".join(result.message for result in broken),
    )


def _row(
    evaluation: dg.AssetCheckEvaluation,
    subject: str,
    stage: str,
    words: str,
    rows_at_fault: int | None,
    passed: bool,
    found: str = "",
) -> Check:
    is_warning = evaluation.severity is dg.AssetCheckSeverity.WARN
    return Check(
        subject=subject,
        check_name=evaluation.check_name,
        stage=stage,
        what_is_checked=words,
        outcome=PASSED if passed else WARNED if is_warning else FAILED,
        rows_at_fault=rows_at_fault,
        found=None if passed else (found or evaluation.description or None),
        is_blocking=bool(evaluation.blocking),
    )


def _is_test(node: Mapping[str, Any]) -> bool:
    return bool(node["resource_type"] == "test")


def _count(told: dg.MetadataValue[Any] | None) -> int | None:
    return None if told is None else int(told.value)
