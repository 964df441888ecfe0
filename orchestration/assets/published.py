"""Group `published`: what readers see."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration import checks
from orchestration.assets.scores import training_cutoff
from orchestration.dbt import Dbt, DocsError
from orchestration.installation import Installation, Night
from publishing import hand_back, nights, quality_page
from publishing.nights import PublishError
from publishing.postgres import load_settings, publish_to_postgres
from publishing.publish import MartContract, publish, published_night
from scoring import model_card, monthly, registry

NIGHT = dg.AssetKey(["published", "night"])
HAND_BACK = dg.AssetKey(["published", "hand_back"])
DATA_QUALITY = dg.AssetKey(["published", "data_quality"])
POSTGRES = dg.AssetKey(["published", "postgres"])
CHECKS = dg.AssetKey(checks.TABLE.split("."))
DBT_DOCS = dg.AssetKey(["published", "dbt_docs"])
CARD = "model-card.md"
DOCS_PAGE = "pages/dbt-docs.html"


def published_asset(
    contracts: Sequence[MartContract],
    manifest: Mapping[str, Any],
    checked_before: Sequence[dg.AssetsDefinition],
) -> dg.AssetsDefinition:
    """Return the step that publishes the marts of `contracts` and what lies beside them.

    One step, because readers see all of it or nothing: what lies beside the tables is made first,
    and shown with them by the same switch of the link.

    Args:
        contracts: the public marts.
        manifest: of the dbt project, which says what its tests hold the marts to.
        checked_before: the steps before, with their checks.
    """
    specs = {spec.key: spec for step in checked_before for spec in step.check_specs}
    marts = [dg.AssetKey([c.schema, c.name]) for c in contracts if c.full_name != checks.TABLE]
    of_checks = next((c for c in contracts if c.full_name == checks.TABLE), None)
    operations = [key for key in marts if key.path[0] == "operations"]

    @dg.multi_asset(
        name="published__night",
        specs=[
            dg.AssetSpec(
                NIGHT,
                group_name="published",
                kinds={"duckdb", "parquet"},
                deps=marts,
                description=(
                    "The public marts as `published/current/tenure.duckdb` and Parquet: built "
                    "aside, checked, then shown by switching one link. The last seven nights are "
                    "kept. Beside them `model-card.md` says how far the night's scores can be "
                    "trusted."
                ),
            ),
            dg.AssetSpec(
                HAND_BACK,
                group_name="published",
                kinds={"csv"},
                deps=[dg.AssetKey(["renewals", "churn_risk"])],
                description=(
                    f"`{hand_back.FILE}` beside the night: accounts whose score band or plan "
                    "changed since the night before, for the CRM."
                ),
            ),
            dg.AssetSpec(
                DATA_QUALITY,
                group_name="published",
                kinds={"html"},
                deps=operations,
                description=(
                    f"`{quality_page.FILE}` beside the night: what Great Expectations found in "
                    "what was loaded, what was kept out, what fell silent."
                ),
            ),
            dg.AssetSpec(
                CHECKS,
                group_name="published",
                kinds={"duckdb", "parquet"},
                deps=marts,
                skippable=True,
                description=(
                    f"`{checks.TABLE}`: what was checked before the night is shown, and what was "
                    "found."
                ),
            ),
            dg.AssetSpec(
                DBT_DOCS,
                group_name="published",
                kinds={"html"},
                deps=marts,
                skippable=True,
                description=(
                    f"`{DOCS_PAGE}` beside the night: every model and column, its lineage and its "
                    "metrics. A night is published without it if dbt cannot make it."
                ),
            ),
        ],
        pool="warehouse",
    )
    def night_(
        context: dg.AssetExecutionContext, installation: Installation, night: Night, dbt: Dbt
    ) -> Iterator[dg.MaterializeResult[Any]]:
        told = card(installation.models, night.date)
        evaluated = checks.evaluated(context.instance, specs)
        done = checks.rows(evaluated, manifest, installation.lake, specs)
        if of_checks:
            checks.write(installation.warehouse, of_checks, done)
        back = hand_back.hand_back(installation.warehouse, installation.published, night.date)
        quality = quality_page.page(installation.lake, installation.warehouse, night.date)
        beside = {CARD: told, hand_back.FILE: back.text, quality_page.FILE: quality}
        try:
            beside[DOCS_PAGE] = dbt.docs(night.date)
        except DocsError as error:
            context.log.warning(f"The night is published without dbt's documentation: {error}")
        result = publish(
            installation.warehouse,
            installation.published,
            contracts,
            as_of=night.date,
            run_id=context.run.run_id,
            beside=beside,
            progress=context.log.info,
        )
        rows = sum(table.row_count for table in result.tables.values())
        yield dg.MaterializeResult(
            asset_key=NIGHT,
            metadata={
                "as_of": night.date.isoformat(),
                "path": dg.MetadataValue.path(str(result.path)),
                "tables": len(result.tables),
                "dagster/row_count": rows,
                "model_card": dg.MetadataValue.md(told),
                "content": dg.MetadataValue.json(
                    {name: table.content_hash for name, table in result.tables.items()}
                ),
            },
        )
        yield dg.MaterializeResult(
            asset_key=HAND_BACK,
            metadata={
                "path": dg.MetadataValue.path(str(result.path / hand_back.FILE)),
                "compared_with": back.compared_with.isoformat() if back.compared_with else "none",
                "dagster/row_count": back.rows,
            },
        )
        if of_checks:
            yield dg.MaterializeResult(
                asset_key=CHECKS,
                metadata={
                    "dagster/row_count": len(done),
                    "did_not_hold": sum(check.outcome != checks.PASSED for check in done),
                },
            )
        for key, name in ((DATA_QUALITY, quality_page.FILE), (DBT_DOCS, DOCS_PAGE)):
            if name in beside:
                yield dg.MaterializeResult(
                    asset_key=key,
                    metadata={"path": dg.MetadataValue.path(str(result.path / name))},
                )

    return night_


def postgres_asset(contracts: Sequence[MartContract]) -> dg.AssetsDefinition:
    """Return the step that shows the published night in PostgreSQL, where one is set up."""

    @dg.multi_asset(
        name="published__postgres",
        specs=[
            dg.AssetSpec(
                POSTGRES,
                group_name="published",
                kinds={"postgres"},
                deps=[NIGHT],
                skippable=True,
                description=(
                    "The same night in the PostgreSQL of TENURE_PUBLISH_POSTGRES_DSN: in one "
                    "transaction, so that its readers see the night before until all of this one "
                    "is there, with the grants of its readers. Nothing where none is set."
                ),
            )
        ],
        pool="warehouse",
    )
    def postgres(
        context: dg.AssetExecutionContext, installation: Installation, night: Night
    ) -> Iterator[dg.MaterializeResult[Any]]:
        try:
            settings = load_settings(installation.root)
            if settings is None:
                context.log.info("No PostgreSQL is set up.")
                return
            # Of the date, not of the run: a run that takes up a failed one has not published.
            kept = nights.newest(installation.published, night.date)
            shown = publish_to_postgres(
                settings, published_night(kept.path), contracts, progress=context.log.info
            )
        except PublishError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        for note in shown.notes:
            context.log.warning(note)
        yield dg.MaterializeResult(
            asset_key=POSTGRES,
            metadata={
                "as_of": night.date.isoformat(),
                "tables": len(shown.rows),
                "dagster/row_count": sum(shown.rows.values()),
            },
        )

    return postgres


def card(models: Path, as_of: date) -> str:
    """Return the model card of the versions that scored the night."""
    versions = registry.versions_at(models, monthly.HEADS, training_cutoff(as_of))
    return model_card.of_registry(models, versions)
