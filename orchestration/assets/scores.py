"""Group `scores`: models trained once a month, scores appended every night, past months backfilled.

Belongs here: reading features out of the warehouse, handing them to `scoring/`, reporting. Must not
be here: how a model is fitted or a score explained.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

import scoring
from orchestration.installation import Installation, Night
from orchestration.reading import features, reading
from scoring import history, monthly, multiple

FEATURES = dg.AssetKey(["intermediate", "int_account_features"])
RISK_BANDS = dg.AssetKey(["seeds", "risk_bands"])
MODELS = dg.AssetKey(["scores", "models"])
HISTORY = dg.AssetKey(["scores", "churn_score_history"])
MULTIPLES = dg.AssetKey(["scores", "arr_multiple_history"])
BACKFILL = dg.AssetKey(["scores", "churn_score_backfill"])

# The first month-end worth scoring afterwards; earlier ones have nothing to learn from.
FIRST_BACKFILL_MONTH = "2012-01-01"


def scores_assets() -> list[dg.AssetsDefinition]:
    """Return the steps of the group."""
    return [models, churn_score_history, arr_multiple_history, churn_score_backfill]


def training_cutoff(as_of: date) -> date:
    """Return the last month-end up to `as_of`: models are trained once a month."""
    following = as_of + timedelta(days=1)
    return as_of if following.day == 1 else as_of.replace(day=1) - timedelta(days=1)


def backfill_cutoff(month_end: date) -> date:
    """Return the training cutoff for a past month-end: the month-end before it, never itself."""
    return training_cutoff(month_end - timedelta(days=1))


@dg.asset(
    key=MODELS,
    group_name="scores",
    kinds={"scikitlearn", "lightgbm"},
    deps=[FEATURES],
    pool="warehouse",
    description=(
        "One model per head and month, as text in the registry. Features that separate the "
        "outcomes alone are kept out and reported."
    ),
)
def models(
    context: dg.AssetExecutionContext, installation: Installation, night: Night
) -> dg.MaterializeResult[Any]:
    """Train this month's models unless they are there."""
    cutoff = training_cutoff(night.date)
    with reading(installation.warehouse) as connection:
        frame = features(connection)
    metadata: dict[str, Any] = {"training_cutoff": cutoff.isoformat()}
    kept_out: dict[str, list[dict[str, Any]]] = {}
    for head in monthly.HEADS:
        now = datetime.now(UTC)
        model, is_new = monthly.model_of(installation.models, frame, head, cutoff, now)
        context.log.info(
            f"{head}: model {model.version} ({model.recipe}), "
            f"{'trained now' if is_new else 'trained before'}, outcomes up to {cutoff}"
        )
        metadata[head] = dg.MetadataValue.json({"version": model.version, "recipe": model.recipe})
        if leaks := _kept_out(model.manifest):
            kept_out[head] = leaks
            context.log.warning(_leak_text(head, leaks))
    metadata["features_kept_out"] = dg.MetadataValue.json(kept_out)
    return dg.MaterializeResult(metadata=metadata)


@dg.asset(
    key=HISTORY,
    group_name="scores",
    kinds={"parquet"},
    deps=[MODELS, FEATURES, RISK_BANDS],
    pool="warehouse",
    description=(
        "Every score ever given, append-only: one row per open account, head and date, with band, "
        "reasons and contributions that sum to the logit. A second run adds nothing."
    ),
)
def churn_score_history(
    context: dg.AssetExecutionContext, installation: Installation, night: Night
) -> dg.MaterializeResult[Any]:
    """Score every open account as of the night."""
    cutoff = training_cutoff(night.date)
    return _scored(context, installation, scoring.HEADS, night.date, cutoff, is_backfill=False)


@dg.asset(
    key=MULTIPLES,
    group_name="scores",
    kinds={"parquet"},
    deps=[MODELS, FEATURES, RISK_BANDS],
    pool="warehouse",
    description=(
        "ARR after over ARR before, expected of each open account's next renewal if it is made, "
        "append-only. A second run adds nothing."
    ),
)
def arr_multiple_history(
    context: dg.AssetExecutionContext, installation: Installation, night: Night
) -> dg.MaterializeResult[Any]:
    """Forecast the size of every open account's next renewal as of the night."""
    cutoff = training_cutoff(night.date)
    return _scored(context, installation, [multiple.HEAD], night.date, cutoff, is_backfill=False)


@dg.asset(
    key=BACKFILL,
    group_name="scores",
    kinds={"parquet"},
    deps=[FEATURES, RISK_BANDS],
    pool="warehouse",
    partitions_def=dg.MonthlyPartitionsDefinition(start_date=FIRST_BACKFILL_MONTH),
    description=(
        "Scores and multiples of a past month-end, by models that had not seen beyond the month "
        "before; marked as backfill and never added to a count of live scores."
    ),
)
def churn_score_backfill(
    context: dg.AssetExecutionContext, installation: Installation
) -> dg.MaterializeResult[Any]:
    """Score the last day of the partition's month."""
    following = context.partition_time_window.end.date()
    month_end = following - timedelta(days=1)
    cutoff = backfill_cutoff(month_end)
    return _scored(context, installation, monthly.HEADS, month_end, cutoff, is_backfill=True)


def _scored(
    context: dg.AssetExecutionContext,
    installation: Installation,
    heads: Iterable[str],
    as_of: date,
    cutoff: date,
    *,
    is_backfill: bool,
) -> dg.MaterializeResult[Any]:
    """Append what the cutoff's models say of every open account on a day."""
    with reading(installation.warehouse) as connection:
        frame = features(connection)
        bands = connection.execute("select * from seeds.risk_bands").df()
    scored = appended = 0
    for head in heads:
        now = datetime.now(UTC)
        model, _ = monthly.model_of(installation.models, frame, head, cutoff, now)
        rows, table = monthly.score(
            model,
            frame,
            as_of,
            bands=bands,
            scored_at=now,
            run_id=context.run.run_id,
            is_backfill=is_backfill,
        )
        scored += len(rows)
        appended += history.append(installation.lake, rows, table)
    context.log.info(f"{scored:,} scores as of {as_of}, {appended:,} of them new")
    return dg.MaterializeResult(
        metadata={"accounts_scored": scored, "rows_appended": appended, "dagster/row_count": scored}
    )


def _kept_out(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(manifest["kept_out"])


def _leak_text(head: str, leaks: list[dict[str, Any]]) -> str:
    named = []
    for leak in leaks:
        ((measure, value),) = ((k, v) for k, v in leak.items() if k != "feature")
        named.append(f"{leak['feature']} ({measure} {value:.3f})")
    return (
        f"{head}: kept out of the model, because alone they know the outcome: {', '.join(named)}. "
        "Look for a field written after the decision, or for a missing known_at filter."
    )
