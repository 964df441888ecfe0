"""The gate: a load passes, or it is not built upon.

Belongs here: running a source's suite over a load's profile, and keeping the results as a table of
the lake (`lake/quality/results`). Must not be here: thresholds or measures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from ingestion.lake import Lake, finish_load, new_load_id, write_parquet
from ingestion.quality import profile

SOURCE = "quality"
TABLE = "results"
_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("table_name", pa.string()),
        ("expectation", pa.string()),
        ("is_blocking", pa.bool_()),
        ("passed", pa.bool_()),
        ("observed", pa.float64()),
        ("rows", pa.int64()),
        ("message", pa.string()),
        ("load_ids", pa.string()),
        ("checked_at", pa.timestamp("us", "UTC")),
        ("_dlt_load_id", pa.string()),
    ]
)


@dataclass(frozen=True)
class ExpectationResult:
    """One expectation about one table.

    Attributes:
        source: the source.
        table_name: the table.
        expectation: name of the measure, as in `suites.MEANINGS`.
        passed: whether it held.
        is_blocking: whether its failure blocks.
        observed: the measure (rows at fault).
        rows: rows the load brought to the table.
        message: the expectation in words and, if it failed, the remedy.
    """

    source: str
    table_name: str
    expectation: str
    passed: bool
    is_blocking: bool
    observed: float
    rows: int
    message: str


@dataclass(frozen=True)
class QualityResult:
    """The gate's answer.

    Attributes:
        passed: whether nothing blocking failed.
        results: every expectation about every table touched.
    """

    passed: bool
    results: list[ExpectationResult] = field(default_factory=list)

    def of_table(self, name: str) -> list[ExpectationResult]:
        """The results about one table."""
        return [r for r in self.results if r.table_name == name]

    def failures(self) -> list[ExpectationResult]:
        """What did not hold, blocking first."""
        return sorted((r for r in self.results if not r.passed), key=lambda r: not r.is_blocking)


def check_load(lake: Lake, source: str, load_ids: Sequence[str]) -> QualityResult:
    """Runs the source's suite over what these loads brought.

    Args:
        lake: the lake.
        source: the folder of the lake they landed in.
        load_ids: the loads; none means nothing to check, and passes.
    """
    frame = profile.of_loads(lake, source, load_ids) if load_ids else pd.DataFrame()
    if frame.empty:
        return QualityResult(True)
    from ingestion.quality import suites  # imports Great Expectations, for seconds

    allowed = (frame["rejects"] <= suites.REJECTS_ALWAYS_FINE) & (frame["rows"] > 0)
    fine = allowed | (frame["reject_share"] <= suites.REJECT_SHARE)
    frame["excess_rejects"] = frame["rejects"].where(~fine, 0)
    failed = _validate(frame, source)
    results = []
    for row in frame.to_dict("records"):
        for measure, meaning in suites.MEANINGS.items():
            passed = (row["table_name"], measure) not in failed
            message = (
                meaning.says
                if passed
                else (
                    f"Expected that {meaning.says}; {row[measure]:,.0f} rows of "
                    f"{row['table_name']} do not hold it. {meaning.remedy}"
                )
            )
            results.append(
                ExpectationResult(
                    source,
                    str(row["table_name"]),
                    measure,
                    passed,
                    meaning.is_blocking,
                    float(row[measure]),
                    int(row["rows"]),
                    message,
                )
            )
    _keep(lake, results, load_ids)
    return QualityResult(all(r.passed or not r.is_blocking for r in results), results)


def unpassed_loads(lake: Lake, source: str) -> list[str]:
    """Finished loads that no check has let through, in order.

    A load that failed, or whose run was killed before its check, must not slip through because the
    next run loads nothing new. Loads without rows are among them; checking those costs nothing.
    """
    kept = lake.read(
        SOURCE,
        TABLE,
        "select load_ids from t group by load_ids, source, _dlt_load_id"
        f" having bool_and(passed or not is_blocking) and source = '{source}'",
    )
    passed = {
        load_id
        for load_ids in (kept["load_ids"].to_pylist() if kept.num_rows else [])
        for load_id in load_ids.split(",")
    }
    return sorted(lake.finished_loads(source) - passed)


def accept(lake: Lake, source: str, reason: str) -> list[str]:
    """Lets the loads through that failed, on a person's word; kept with the results.

    Args:
        lake: the lake.
        source: whose loads.
        reason: why building on them is right; kept, so no personal data.

    Returns:
        Ids of the loads let through; none if none was held back.
    """
    held = unpassed_loads(lake, source)
    if held:
        told = ExpectationResult(source, "", "accepted", True, True, 0.0, 0, reason)
        _keep(lake, [told], held)
    return held


def _validate(frame: pd.DataFrame, source: str) -> set[tuple[str, str]]:
    """Table and measure of each expectation that does not hold."""
    import great_expectations as gx

    from ingestion.quality import suites

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
    batch = (
        context.data_sources.add_pandas("profiles")
        .add_dataframe_asset(source)
        .add_batch_definition_whole_dataframe("load")
        .get_batch({"dataframe": frame})
    )
    outcome = batch.validate(
        suites.suite(source),
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": ["table_name"],
        },
    )
    failed: set[tuple[str, str]] = set()
    for result in outcome.results:
        if result.success:
            continue
        config = result.expectation_config
        measure = str(config.kwargs["column"]) if config is not None else ""
        details: dict[str, Any] = result.result or {}
        if measure not in suites.MEANINGS:
            raise RuntimeError(f"The profile of {source} is not sound: {measure}")
        failed |= {(str(i["table_name"]), measure) for i in details["unexpected_index_list"]}
    return failed


def _keep(lake: Lake, results: Sequence[ExpectationResult], load_ids: Sequence[str]) -> None:
    load_id = new_load_id(lake, SOURCE)
    now = datetime.now(UTC)
    rows = [
        {
            "source": r.source,
            "table_name": r.table_name,
            "expectation": r.expectation,
            "is_blocking": r.is_blocking,
            "passed": r.passed,
            "observed": r.observed,
            "rows": r.rows,
            "message": r.message,
            "load_ids": ",".join(load_ids),
            "checked_at": now,
            "_dlt_load_id": load_id,
        }
        for r in results
    ]
    write_parquet(
        pa.Table.from_pylist(rows, schema=_SCHEMA),
        lake.table(SOURCE, TABLE) / f"{load_id}-0.parquet",
    )
    finish_load(lake, SOURCE, load_id)
