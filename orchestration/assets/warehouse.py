"""Group `warehouse`: the dbt project, in two steps around what it both feeds and reads."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import dbt_assets

from orchestration.dbt import ON_APPENDED_FACTS, Dbt, Translator
from orchestration.installation import Night


def warehouse_assets(manifest: Mapping[str, Any]) -> list[dg.AssetsDefinition]:
    """Return the two dbt steps: what reads none of them, and what does."""

    @dbt_assets(
        manifest=manifest,
        exclude=ON_APPENDED_FACTS,
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
        select=ON_APPENDED_FACTS,
        name="build_marts_on_appended_facts",
        pool="warehouse",
        dagster_dbt_translator=Translator(),
    )
    def build_marts_on_appended_facts(
        context: dg.AssetExecutionContext, dbt: Dbt, night: Night
    ) -> Iterator[dg.Output[Any] | dg.AssetCheckResult | dg.AssetObservation]:
        yield from dbt.build(context, night.date, manifest)

    return [build_warehouse, build_marts_on_appended_facts]
