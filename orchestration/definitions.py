"""Everything Dagster sees, put together.

Belongs here: assembly. Must not be here: a definition of anything.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from orchestration.alerts import night_digest, run_failure_alert
from orchestration.assets.closes import closes_assets
from orchestration.assets.findings import findings_assets
from orchestration.assets.published import postgres_asset, published_asset
from orchestration.assets.score_checks import score_checks
from orchestration.assets.scores import scores_assets
from orchestration.assets.sources import SOURCES, lake_contract, source_assets
from orchestration.assets.warehouse import warehouse_assets
from orchestration.dbt import Dbt, load_manifest, mart_contracts
from orchestration.installation import Installation, Night
from orchestration.jobs import backfill_job, nightly_job, nightly_schedule, rebuild_closes_job


def build_definitions(overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Return fresh definitions.

    Args:
        overrides: resources by key (`installation`, `night`, `dbt`) in place of the usual ones.
    """
    manifest = load_manifest()
    contracts = mart_contracts(manifest)
    installation = (overrides or {}).get("installation", Installation())
    resources = {
        "installation": installation,
        "night": Night(),
        "dbt": Dbt(installation=installation),
        **(overrides or {}),
    }
    worked = [
        lake_contract,
        *(source_assets(source) for source in SOURCES),
        *warehouse_assets(manifest),
        *scores_assets(),
        *findings_assets(),
        *closes_assets(),
    ]
    watched = score_checks()
    return dg.Definitions(
        assets=[
            *worked,
            published_asset(contracts, manifest, [*worked, *watched]),
            postgres_asset(contracts),
        ],
        asset_checks=watched,
        jobs=[nightly_job(), backfill_job(), rebuild_closes_job()],
        schedules=[nightly_schedule()],
        sensors=[run_failure_alert, night_digest],
        resources=resources,
    )


defs = build_definitions()
