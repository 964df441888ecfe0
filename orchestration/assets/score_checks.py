"""Checks on the scores: do the models still stand on the ground they were trained on?

Belongs here: handing features, scores and outcomes to `scoring.drift`, and its findings to Dagster
as warnings. Must not be here: what counts as drift. Nothing here stops a night: a score given on
shifting ground is still better than none, and its readers are told.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from orchestration.assets.scores import HISTORY, training_cutoff
from orchestration.installation import Installation, Night
from orchestration.reading import reading
from scoring import drift, history, registry
from scoring.errors import RegistryError
from scoring.frame import prepare
from scoring.heads import HEADS, Head
from scoring.training import Model

FEATURE_DRIFT = "features_as_in_training"
MISSING_RATES = "missing_rates_as_in_training"
TRAINING_RANGE = "values_within_the_training_range"
MATURED = "forecast_losses_came"

_DESCRIPTIONS = {
    FEATURE_DRIFT: (
        "Population stability index of each feature over today's accounts against the last year "
        "learnt from. Warns where it passes what samples of these sizes reach by chance (over all "
        "features, one night in twenty without any change), twice what a month of that year "
        "showed, and 0.25."
    ),
    MISSING_RATES: (
        "Share of accounts whose feature is unknown. Warns where it has risen by more than 10 "
        "points since training and by more than chance: most often a source has stopped."
    ),
    TRAINING_RANGE: (
        "Share of accounts with a value that no training row had. Warns above 1 % and above "
        "chance: there the model answers by its edge, not by experience."
    ),
    MATURED: (
        "Renewals of the last year with a final outcome, each by its first score within the head's "
        "warning time: losses forecast against losses that came, and the calibration slope. Live "
        "scores; backfilled ones where too few live ones have matured."
    ),
}
_SHOWN = 20


@dataclass(frozen=True)
class Verdict:
    """A check's outcome as it is shown: passed or not, in a sentence, with the findings."""

    passed: bool
    text: str
    rows: Sequence[Mapping[Any, Any]]


def score_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks of the scores, one step for all."""
    return [watch_scores]


@dg.multi_asset_check(
    name="watch_scores",
    specs=[
        dg.AssetCheckSpec(name, asset=HISTORY, blocking=False, description=text)
        for name, text in _DESCRIPTIONS.items()
    ],
    pool="warehouse",
)
def watch_scores(
    context: dg.AssetCheckExecutionContext, installation: Installation, night: Night
) -> Iterator[dg.AssetCheckResult]:
    """Compare the night's features with the training's, and past scores with what came."""
    today, outcomes = _frames(installation.warehouse, night.date)
    models = _models(installation.models, night.date)
    scores = history.read(installation.lake)
    for name, verdict in {
        **feature_verdicts(models, today),
        MATURED: matured_verdict(models, scores, outcomes, night.date),
    }.items():
        if not verdict.passed:
            context.log.warning(verdict.text)
        yield dg.AssetCheckResult(
            asset_key=HISTORY,
            check_name=name,
            passed=verdict.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=verdict.text,
            metadata={"found": dg.MetadataValue.json(list(verdict.rows)[:_SHOWN])},
        )


def feature_verdicts(models: Mapping[str, Model], today: pd.DataFrame) -> dict[str, Verdict]:
    """Compare the day's accounts with each model's training reference.

    Args:
        models: by head.
        today: feature frame of one day.
    """
    reports = []
    for name, model in models.items():
        head = HEADS[name]
        own = head.own_frame(today, model.config.grace_days)
        current = prepare(own, model.spec, model.config.grace_days)
        # A head that learns the last months before a renewal meets other accounts by design: what
        # can have drifted is what those look like.
        alike = current.rows["is_open"].to_numpy() & head.teaches(current)
        report = drift.report(model.reference, current.take(alike))
        report.insert(0, "head", name)
        reports.append(report[~report["feature"].isin(head.derived)])
    report = pd.concat(reports, ignore_index=True)
    found = {
        FEATURE_DRIFT: (drift.drifted(report), "distributed otherwise than in training", "psi"),
        MISSING_RATES: (drift.missing(report), "unknown more often", "missing_rate_now"),
        TRAINING_RANGE: (drift.outside(report), "outside the training range", "outside_share"),
    }
    verdicts = {name: _of_features(*finding) for name, finding in found.items()}
    over = int(report["is_drifted"].sum())
    told = f" {over} of {found[FEATURE_DRIFT][0].compared} pass their own sampling limit."
    drifting = verdicts[FEATURE_DRIFT]
    if found[FEATURE_DRIFT][0].is_enough:
        verdicts[FEATURE_DRIFT] = replace(drifting, text=drifting.text + told)
    return verdicts


def matured_verdict(
    models: Mapping[str, Model], scores: pd.DataFrame, outcomes: pd.DataFrame, as_of: date
) -> Verdict:
    """Hold past scores against the outcomes that are final.

    Args:
        models: by head; what they say of each head's labels counts.
        scores: the history.
        outcomes: keys and labels of every feature row.
        as_of: what is known by then counts.
    """
    cohorts = {}
    for name, model in models.items():
        head, grace = HEADS[name], model.config.grace_days
        own = head.own_frame(outcomes, grace)
        of_head = scores[(scores["head"] == name) & (scores["serves"] == "model")]
        for is_backfill, basis in ((False, "live"), (True, "backfilled")):
            told = of_head[of_head["is_backfill"] == is_backfill]
            cohort = drift.matured(told, own, as_of, _warning_days(head), grace)
            cohorts[name] = (basis, cohort)
            if cohort.is_enough:
                break
    return _of_cohorts(cohorts)


def _of_features(finding: drift.Finding, what: str, figure: str) -> Verdict:
    if not finding.is_enough:
        return Verdict(
            True,
            f"Not enough to compare: {drift.TOO_FEW} accounts are needed, in training and today.",
            [],
        )
    rows = finding.rows
    if rows.empty:
        return Verdict(True, f"None of {finding.compared} features is {what}.", [])
    first = rows.iloc[0]
    return Verdict(
        False,
        f"{len(rows)} of {finding.compared} features {'is' if len(rows) == 1 else 'are'} {what}, "
        f"first {first['feature']} ({first['head']}: {figure} {first[figure]:.3f}).",
        rows.round(6).to_dict("records"),
    )


def _of_cohorts(cohorts: Mapping[str, tuple[str, drift.Cohort]]) -> Verdict:
    enough = {name: told for name, told in cohorts.items() if told[1].is_enough}
    if not enough:
        most = max((cohort.renewals for _, cohort in cohorts.values()), default=0)
        return Verdict(
            True,
            f"Not enough yet: {most} scored renewals of the last year are decided; "
            f"{drift.MATURED_RENEWALS} are needed, {drift.MATURED_EACH:g} losses and "
            f"{drift.MATURED_EACH:g} renewals expected among them.",
            [],
        )
    off = [name for name, (_, cohort) in enough.items() if cohort.is_off(len(enough))]
    told = "; ".join(
        f"{name} ({basis}): {cohort.expected:.1f} losses forecast among {cohort.renewals}, "
        f"{cohort.losses} came"
        + ("" if cohort.slope is None else f", slope {cohort.slope.estimate:.2f}")
        for name, (basis, cohort) in enough.items()
    )
    rows = [
        {
            "head": name,
            "basis": basis,
            "renewals": cohort.renewals,
            "losses_forecast": round(cohort.expected, 3),
            "losses": cohort.losses,
            "p_value": round(cohort.p_value, 6),
            "slope": None if cohort.slope is None else round(cohort.slope.estimate, 6),
            "is_off": name in off,
        }
        for name, (basis, cohort) in enough.items()
    ]
    return Verdict(not off, f"{told}.", rows)


def _warning_days(head: Head) -> int:
    """How long before its renewal a score of the head is meant to tell."""
    if head.judged_lead_months is not None:
        return round(head.judged_lead_months * 30.4375)
    return min(120, round(365 / head.chances_a_year))


def _models(models_dir: Path, as_of: date) -> dict[str, Model]:
    cutoff = training_cutoff(as_of)
    found = registry.versions_at(models_dir, HEADS, cutoff)
    for head in HEADS:
        if head not in found:
            raise RegistryError(f"no model of {head} up to {cutoff}: run the step before")
    return {head: registry.load(models_dir, head, version) for head, version in found.items()}


def _frames(warehouse: Path, as_of: date) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features of the day, and the columns of all days that outcomes are made of."""
    table = "intermediate.int_account_features"
    with reading(warehouse) as connection:
        today = connection.execute(
            f"select * from {table} where observed_on = ? order by account_id", [as_of]
        ).df()
        outcomes = connection.execute(
            "select account_id, observed_on, next_due_on, months_to_renewal, label_is_lost,"
            f" label_known_on, label_due_on from {table} order by account_id, observed_on"
        ).df()
    return today, outcomes
