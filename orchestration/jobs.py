"""The jobs, and when they run.

Belongs here: which assets a job holds, executors, the schedule. Must not be here: assets.
"""

from datetime import timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition,
)

from orchestration.assets.closes import REBUILT
from orchestration.assets.scores import BACKFILL

NIGHTLY = "nightly"


def nightly_job() -> UnresolvedAssetJobDefinition:
    """Everything but past months, in one process: starting processes would dominate."""
    return dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(BACKFILL, REBUILT),
        executor_def=dg.in_process_executor,
        description="Load, build, score and publish one night (resources.night.config.as_of).",
    )


def backfill_job() -> UnresolvedAssetJobDefinition:
    """Scores of past month-ends, one partition a month."""
    return dg.define_asset_job(
        "backfill",
        selection=dg.AssetSelection.assets(BACKFILL),
        executor_def=dg.in_process_executor,
        description="Score past month-ends with models that had not seen beyond them.",
    )


def rebuild_closes_job() -> UnresolvedAssetJobDefinition:
    """Past months that no night closed, one partition a month."""
    return dg.define_asset_job(
        "rebuild_closes",
        selection=dg.AssetSelection.assets(REBUILT),
        executor_def=dg.in_process_executor,
        description="Close past months on what the sources had said by their close days.",
    )


def nightly_schedule() -> dg.ScheduleDefinition:
    """At 02:00 UTC, for the day before."""

    @dg.schedule(
        job_name=NIGHTLY,
        cron_schedule="0 2 * * *",
        execution_timezone="UTC",
        name="nightly_at_02_utc",
        description="Every night at 02:00 UTC, as of the day before.",
    )
    def at_two(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        as_of = (context.scheduled_execution_time - timedelta(days=1)).date().isoformat()
        return dg.RunRequest(
            run_key=as_of, run_config={"resources": {"night": {"config": {"as_of": as_of}}}}
        )

    return at_two
