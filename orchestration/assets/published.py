"""Group `published`: what readers see."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from orchestration.installation import Installation, Night
from publishing.publish import MartContract, publish

NIGHT = dg.AssetKey(["published", "night"])


def published_asset(contracts: Sequence[MartContract]) -> dg.AssetsDefinition:
    """Return the step that publishes the marts of `contracts`."""

    @dg.asset(
        key=NIGHT,
        group_name="published",
        kinds={"duckdb", "parquet"},
        deps=[dg.AssetKey([c.schema, c.name]) for c in contracts],
        pool="warehouse",
        description=(
            "The public marts as `published/current/tenure.duckdb` and Parquet: built aside, "
            "checked, then shown by switching one link. The last seven nights are kept."
        ),
    )
    def night_(
        context: dg.AssetExecutionContext, installation: Installation, night: Night
    ) -> dg.MaterializeResult[Any]:
        result = publish(
            installation.warehouse,
            installation.published,
            contracts,
            as_of=night.date,
            run_id=context.run.run_id,
            progress=context.log.info,
        )
        rows = sum(table.row_count for table in result.tables.values())
        return dg.MaterializeResult(
            metadata={
                "as_of": night.date.isoformat(),
                "path": dg.MetadataValue.path(str(result.path)),
                "tables": len(result.tables),
                "dagster/row_count": rows,
                "content": dg.MetadataValue.json(
                    {name: table.content_hash for name, table in result.tables.items()}
                ),
            }
        )

    return night_
