"""Groups `crm`, `billing`, `usage`, `desk`: what each source's tables are, and loading them.

Belongs here: one asset per landed table, one step per source, the expectations as checks. Must not
be here: how a source is read (`ingestion/`).
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ingestion import erasure
from ingestion import lake as lake_module
from ingestion.billing import stripe
from ingestion.crm import hubspot, salesforce
from ingestion.desk import files as desk_files
from ingestion.lake import Lake
from ingestion.quality import gate
from ingestion.quality.gate import QualityResult
from ingestion.reports import LoadReport
from ingestion.schemas import landed_tables, operations
from ingestion.settings import Settings, SettingsError, load_settings
from ingestion.usage import load as usage
from orchestration import processes
from orchestration.installation import Installation, Night
from publishing import erase as publishing_erase

LAKE_CONTRACT = dg.AssetKey(["lake", "contract"])
EXPECTATIONS = "expectations"
# What a source has beside its own tables: rows kept out, and changes of its shape.
BESIDE = (operations.REJECTS, operations.SCHEMA_CHANGES)

_SECONDS_BETWEEN_LINES = 3.0

# A vendor's bad minutes, not its bad day: 30 s, 1 min, 2 min.
RETRIES = dg.RetryPolicy(max_retries=3, delay=30, backoff=dg.Backoff.EXPONENTIAL)


@dataclass(frozen=True)
class Source:
    """A source: its folder in the lake, its group, and the connector that loads it."""

    name: str
    group: str
    kind: str
    run: Callable[..., LoadReport]


SOURCES = (
    Source("salesforce", "crm", "salesforce", salesforce.run),
    Source("hubspot", "crm", "hubspot", hubspot.run),
    Source("stripe", "billing", "stripe", stripe.run),
    Source("usage", "usage", "file", usage.run),
    Source("desk", "desk", "csv", desk_files.run),
)


@dg.asset(
    key=LAKE_CONTRACT,
    group_name="warehouse",
    kinds={"parquet"},
    description=(
        "An empty, typed file for every declared table, so a source that is absent reads as empty. "
        "Runs first: it also ends the records of runs that were killed."
    ),
)
def lake_contract(
    context: dg.AssetExecutionContext, installation: Installation
) -> dg.MaterializeResult[Any]:
    """Prepare the lake and the instance for a run."""
    processes.mark(context.instance, context.run.run_id)
    ended = processes.end_dead_runs(context.instance, context.run.run_id)
    _settings()
    written = lake_module.ensure_anchors(Lake.at(installation.root))
    return dg.MaterializeResult(
        metadata={"anchors_written": written, "dead_runs_ended": len(ended)}
    )


def source_assets(source: Source) -> dg.AssetsDefinition:
    """Return the step that loads one source: an asset and a blocking check per landed table."""
    tables = [table for table in landed_tables() if table.source == source.name]
    specs = [
        dg.AssetSpec(
            key=[source.name, table.name],
            group_name=source.group,
            kinds={source.kind, "parquet"},
            description=table.doc,
            deps=[LAKE_CONTRACT],
        )
        for table in tables
    ]
    beside = [
        dg.AssetSpec(
            key=[source.name, table.name],
            group_name=source.group,
            kinds={"parquet"},
            description=table.doc,
            deps=[LAKE_CONTRACT],
        )
        for table in BESIDE
    ]
    checks = [
        dg.AssetCheckSpec(
            EXPECTATIONS,
            asset=spec.key,
            blocking=True,
            description="Great Expectations on what this run loaded; a failure stops the night.",
        )
        for spec in specs
    ]

    @dg.multi_asset(
        name=f"load_{source.name}",
        specs=[*specs, *beside],
        check_specs=checks,
        retry_policy=RETRIES,
        pool=f"source_{source.name}",
    )
    def load(
        context: dg.AssetExecutionContext, installation: Installation, night: Night
    ) -> Iterator[dg.MaterializeResult[Any]]:
        lake = Lake.at(installation.root)
        settings = _settings()
        report = LoadReport(source.name)
        if source.name not in settings.sources:
            context.log.info(f"{source.name} is not configured: its tables stay empty.")
        else:
            try:
                report = source.run(
                    settings,
                    lake,
                    run_id=context.run.run_id,
                    as_of=night.date,
                    progress=_every_few_seconds(context.log.info),
                )
            except SettingsError as error:
                # A table or column that is not there will not be there in a minute either.
                raise dg.Failure(str(error), allow_retries=False) from error
            for line in (report.summary(), *report.notes):
                context.log.info(line)
        _erase(context, installation, night, lake)
        results = {
            folder: gate.check_load(lake, folder, gate.unpassed_loads(lake, folder))
            for folder in report.loads_by_source()
        }
        quality = results[source.name]
        for spec in specs:
            name = spec.key.path[-1]
            yield dg.MaterializeResult(
                asset_key=spec.key,
                metadata=_metadata(report, name),
                check_results=[_check(quality, spec.key)],
            )
        yield from _told_beside(source, report)
        if report.blocked:
            raise dg.Failure("\n".join(report.blocked), allow_retries=False)
        # Custom objects of a CRM land with the desk, whose own step checks only what it loaded.
        elsewhere = [r for folder, r in results.items() if folder != source.name and not r.passed]
        if elsewhere:
            raise dg.Failure(
                "\n".join(f.message for r in elsewhere for f in r.failures()), allow_retries=False
            )

    return load


def _told_beside(source: Source, report: LoadReport) -> Iterator[dg.MaterializeResult[Any]]:
    told: dict[str, dict[str, Any]] = {
        operations.REJECTS.name: {"rows_loaded": report.rejects},
        operations.SCHEMA_CHANGES.name: {
            "rows_loaded": len(report.changes),
            "changes": dg.MetadataValue.json([change.sentence() for change in report.changes]),
            "blocked": dg.MetadataValue.json(report.blocked),
        },
    }
    for name, metadata in told.items():
        yield dg.MaterializeResult(asset_key=[source.name, name], metadata=metadata)


def _erase(
    context: dg.AssetExecutionContext, installation: Installation, night: Night, lake: Lake
) -> None:
    """Erase whoever asked for it, before anything is built on what has landed."""
    erasure.run_pending(lake, as_of=night.date, progress=context.log.info)
    people = erasure.settled(lake)
    rewritten = publishing_erase.erase(installation.published, people)
    if rewritten:
        context.log.info(f"erased from the published nights {', '.join(rewritten)}")
    if publishing_erase.reset_warehouse(installation.warehouse, people):
        context.log.info("the warehouse is built anew, for somebody was erased")


def _every_few_seconds(say: Callable[[str], None]) -> Callable[[str], None]:
    """Let a line through when the last one is a while ago: people read along."""
    last = time.monotonic()

    def throttled(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            say(line)

    return throttled


def _metadata(report: LoadReport, table: str) -> dict[str, Any]:
    told = report.tables.get(table)
    if told is None:
        return {"rows_loaded": 0, "rejects": 0}
    return {
        "rows_received": told.received,
        "rows_loaded": told.rows,
        "deduplicated": told.deduplicated,
        "rejects": told.rejects,
        "schema_changes": dg.MetadataValue.json(
            [change.sentence() for change in report.changes_of(table)]
        ),
        "deletes": told.deletes,
        "windows": told.windows,
        "bytes": told.bytes,
        "is_partial": report.partial,
    }


def _check(quality: QualityResult, key: dg.AssetKey) -> dg.AssetCheckResult:
    results = quality.of_table(key.path[-1])
    failures = [result for result in results if not result.passed]
    is_blocked = any(result.is_blocking for result in failures)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=EXPECTATIONS,
        passed=not failures,
        severity=dg.AssetCheckSeverity.ERROR if is_blocked else dg.AssetCheckSeverity.WARN,
        metadata={
            "expectations": len(results),
            "failures": dg.MetadataValue.json([failure.message for failure in failures]),
        },
    )


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        raise dg.Failure(str(error), allow_retries=False) from error
