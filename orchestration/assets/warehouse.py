"""Group `warehouse`: the dbt project, in two steps around the scores it both feeds and reads."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from orchestration.dbt import SCORES, Dbt, Translator
from orchestration.installation import Night


def warehouse_assets(manifest: Mapping[str, Any]) -> list[dg.AssetsDefinition]:
    """Return the two dbt steps: what does not read stored scores, and what does."""

    @dbt_assets(
        manifest=manifest,
        exclude=SCORES,
        name="build_warehouse",
        pool="warehouse",
        dagster_dbt_translator=Translator(),
    )
    def build_warehouse(
        context: dg.AssetExecutionContext, dbt: Dbt, night: Night
    ) -> Iterator[dg.Output[Any] | dg.AssetCheckResult | dg.AssetObservation]:
        yield from dbt.build(context, night.date, manifest)

    @dbt_assets(
        manifest=manifest,
        select=SCORES,
        name="build_marts_on_scores",
        pool="warehouse",
        dagster_dbt_translator=Translator(),
    )
    def build_marts_on_scores(
        context: dg.AssetExecutionContext, dbt: Dbt, night: Night
    ) -> Iterator[dg.Output[Any] | dg.AssetCheckResult | dg.AssetObservation]:
        yield from dbt.build(context, night.date, manifest)

    return [build_warehouse, build_marts_on_scores]
