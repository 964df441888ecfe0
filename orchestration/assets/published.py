"""Group `published`: what readers see."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.assets.scores import training_cutoff
from orchestration.installation import Installation, Night
from publishing.nights import PublishError
from publishing.postgres import load_settings, publish_to_postgres
from publishing.publish import MartContract, publish
from scoring import HEADS, model_card, registry

NIGHT = dg.AssetKey(["published", "night"])
CARD = "model-card.md"


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
            "checked, then shown by switching one link. The last seven nights are kept. Beside "
            "them `model-card.md` says how far the night's scores can be trusted. Where "
            "TENURE_PUBLISH_POSTGRES_DSN is set, PostgreSQL shows the same night afterwards."
        ),
    )
    def night_(
        context: dg.AssetExecutionContext, installation: Installation, night: Night
    ) -> dg.MaterializeResult[Any]:
        try:
            postgres = load_settings(installation.root)
        except PublishError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        told = card(installation.models, night.date)
        result = publish(
            installation.warehouse,
            installation.published,
            contracts,
            as_of=night.date,
            run_id=context.run.run_id,
            beside={CARD: told},
            progress=context.log.info,
        )
        if postgres is not None:
            shown = publish_to_postgres(postgres, result, contracts, progress=context.log.info)
            for note in shown.notes:
                context.log.warning(note)
        rows = sum(table.row_count for table in result.tables.values())
        return dg.MaterializeResult(
            metadata={
                "as_of": night.date.isoformat(),
                "path": dg.MetadataValue.path(str(result.path)),
                "tables": len(result.tables),
                "in_postgres": postgres is not None,
                "dagster/row_count": rows,
                "model_card": dg.MetadataValue.md(told),
                "content": dg.MetadataValue.json(
                    {name: table.content_hash for name, table in result.tables.items()}
                ),
            }
        )

    return night_


def card(models: Path, as_of: date) -> str:
    """Return the model card of the versions that scored the night."""
    versions = registry.versions_at(models, HEADS, training_cutoff(as_of))
    return model_card.of_registry(models, versions)
