"""How much of the money comes back: ARR after over ARR before, given that a renewal is made.

Belongs here: the multiple's label, candidates, choice and interval, and rows of
`arr_multiple_history`. Must not: files, clocks, whether a renewal is made (that is `training`).

A renewal says little about its size beforehand, so the rival to beat is the mean of the account's
segment: a model serves only where its squared error, out of time and paired by row, is lower with
its whole interval over accounts. Origins, maturity and embargo are those of the renewal heads.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from scoring import drift, evaluation
from scoring.arrays import DECIMALS, Bools, Floats, Ints
from scoring.config import MultipleConfig
from scoring.errors import FrameError, ScoringError
from scoring.frame import FeatureSpec, Prepared, data_hash, prepare
from scoring.heads import NEXT_RENEWAL
from scoring.history import ARR_MULTIPLES
from scoring.members import Member
from scoring.ridge import fit_line
from scoring.scorer import check_clock
from scoring.splits import windows
from scoring.training import Comparison, libraries, version_of
from scoring.trees import fit_trees

HEAD = "arr_multiple"
LABEL = "label_arr_multiple"
QUESTION = "expected ratio of ARR after to ARR before, given that the next renewal is made"
SEGMENT_MEAN, RIDGE, TREES = "segment_mean", "ridge", "trees"
CANDIDATES = (RIDGE, TREES)


@dataclass(frozen=True)
class SegmentMeans:
    """Mean multiples, company-wide and by segment, each shrunk towards what it is part of."""

    overall: float
    segments: Mapping[str, float]

    def serve(self, segments: pd.Series) -> Floats:
        """The mean of each row's segment; of one never seen, the company's."""
        values = [self.segments.get(str(s), self.overall) for s in segments]
        return np.array(values, dtype=np.float64)


@dataclass(frozen=True)
class MultipleModel:
    """A model as it is served and stored.

    Attributes:
        head: 'arr_multiple'.
        version: content-derived: equal data and parameters have equal versions.
        recipe: 'segment_mean', 'ridge' or 'trees'.
        spec: features in model order.
        cutoff: last day of label knowledge.
        member: the fitted model, whose linear predictor is the multiple; None for 'segment_mean'.
        means: served when no member is.
        spread: what the interval's ends add to the multiple; None where too little was walked.
        reference: distribution of the training features, for drift.
        metrics: out-of-time quality, JSON-ready.
        manifest: what the model was made of, JSON-ready.
        config: parameters.
    """

    head: str
    version: str
    recipe: str
    spec: FeatureSpec
    cutoff: dt.date
    member: Member | None
    means: SegmentMeans
    spread: tuple[float, float] | None
    reference: drift.Reference
    metrics: Mapping[str, object]
    manifest: Mapping[str, object]
    config: MultipleConfig

    @property
    def serves(self) -> str:
        """'model', or 'segment_mean' where none is better, or the history is insufficient."""
        return SEGMENT_MEAN if self.member is None else "model"


@dataclass(frozen=True)
class _Walked:
    """Out-of-time multiples of every candidate: positions in the frame, origins, predictions."""

    at: Ints
    origins: list[dt.date]
    predicted: Mapping[str, Floats]


def train(
    frame: pd.DataFrame,
    as_of: dt.date,
    config: MultipleConfig | None = None,
    spec: FeatureSpec | None = None,
) -> MultipleModel:
    """Fit, validate and choose on the renewals that were final on ``as_of``.

    Args:
        frame: feature frame with ``label_arr_multiple``; rows observed later, or whose label
            matured later, teach nothing.
        as_of: training cutoff.
        config: parameters.
        spec: features; default every ``f_`` column.

    Returns:
        A model. With few renewals, or where nothing beats it, it serves the segment's mean.

    Raises:
        FrameError, LeakageError: the frame may not be learnt from.
    """
    # One thread adds in one order.
    with threadpool_limits(limits=1):
        return _train(frame, as_of, config or MultipleConfig(), spec)


def _train(
    frame: pd.DataFrame, as_of: dt.date, config: MultipleConfig, spec: FeatureSpec | None
) -> MultipleModel:
    """`train`, on one thread."""
    shaped = _shape(frame, as_of, config, spec)
    prepared, training = shaped.prepared, shaped.training
    renewals = int(training.renewal_ids().nunique())
    walked = _walk(shaped, as_of, config)
    recipe, choice, judged = _choose(prepared, walked, renewals, config)
    record: dict[str, object] = {
        "head": HEAD,
        "question": QUESTION,
        "training_cutoff_on": as_of.isoformat(),
        "data_sha256": data_hash(training),
        "rows": len(training),
        "accounts": int(training.rows["account_id"].nunique()),
        "renewals": renewals,
        "recipe": recipe,
        "choice": choice,
        "seed": config.seed,
        "parameters": config.as_record(),
        "features": list(prepared.spec.columns),
        "kept_out": shaped.kept_out,
        "libraries": libraries(),
    }
    version = version_of(record)
    return MultipleModel(
        head=HEAD,
        version=version,
        recipe=recipe,
        spec=prepared.spec,
        cutoff=as_of,
        member=None if recipe == SEGMENT_MEAN else _fit(recipe, training, config),
        means=segment_means(training, config),
        spread=_spread(prepared, walked, recipe, config),
        reference=drift.reference(training),
        metrics=_metrics(prepared, walked, recipe, judged, config),
        manifest={"model_version": version, **record},
        config=config,
    )


def score(
    model: MultipleModel,
    frame: pd.DataFrame,
    as_of: dt.date,
    *,
    scored_at: dt.datetime,
    run_id: str,
    is_backfill: bool = False,
) -> pd.DataFrame:
    """The multiple of every open account as it was known on ``as_of``.

    Args:
        model: trained on label knowledge up to ``as_of``; for a backfill, before it.
        frame: feature frame; only rows observed on ``as_of`` with an open contract are used.
        as_of: the day.
        scored_at: aware instant of the run; stored, and used for nothing else.
        run_id: of the run; stored.
        is_backfill: whether the day is past and the score was not there to be acted upon.

    Returns:
        One row an account, the columns of `history.ARR_MULTIPLES`, sorted by account_id; none where
        none was open. The interval is of the single renewal, and null where too little was walked
        to know it.

    Raises:
        ClockError: the model knew outcomes of the day's future.
        FrameError: the frame lacks the model's features.
    """
    check_clock(model.version, model.cutoff, as_of, scored_at, is_backfill=is_backfill)
    on_day = pd.to_datetime(frame["observed_on"]).dt.normalize() == pd.Timestamp(as_of)
    prepared = prepare(frame[on_day], model.spec, model.config.grace_days)
    prepared = prepared.take(prepared.rows["is_open"].to_numpy(dtype=np.bool_))
    rows = prepared.rows
    if model.member is None:
        multiple = model.means.serve(rows["segment"])
    else:
        multiple = _clipped(model.member.raw_logit(prepared.x), model.config)
    multiple = np.round(multiple, DECIMALS)
    low, high = model.spread if model.spread is not None else (np.nan, np.nan)
    scores = pd.DataFrame(
        {
            "head": model.head,
            "model_version": model.version,
            "as_of": rows["observed_on"],
            "account_id": rows["account_id"],
            "multiple": multiple,
            "low": np.round(np.maximum(multiple + low, 0.0), DECIMALS),
            "high": np.round(multiple + high, DECIMALS),
            "serves": model.serves,
            "is_backfill": is_backfill,
            "training_cutoff_on": pd.Timestamp(model.cutoff),
            "scored_at": pd.Timestamp(scored_at).tz_convert("UTC"),
            "run_id": run_id,
        }
    )
    return scores.sort_values("account_id", kind="stable").reset_index(drop=True)[
        ARR_MULTIPLES.columns
    ]


def segment_means(training: Prepared, config: MultipleConfig) -> SegmentMeans:
    """Means over distinct renewals (not rows), each segment shrunk to the company.

    The company's mean starts from ``prior_strength`` renewals at exactly what was due, a segment's
    from ``segment_strength`` at the company's mean.
    """
    renewals = training.renewals()
    weight = config.prior_strength
    overall = (weight + float(renewals["y"].sum())) / (weight + len(renewals))
    weight = config.segment_strength
    segments = {
        str(name): round((weight * overall + float(part.sum())) / (weight + len(part)), DECIMALS)
        for name, part in renewals.groupby("segment", sort=True)["y"]
    }
    return SegmentMeans(round(overall, DECIMALS), segments)


@dataclass(frozen=True)
class _Shaped:
    """Rows observed by the cutoff, those that teach, and the features that leak and are not in."""

    prepared: Prepared
    eligible: Bools
    training: Prepared
    kept_out: list[dict[str, object]]


def _shape(
    frame: pd.DataFrame, as_of: dt.date, config: MultipleConfig, spec: FeatureSpec | None
) -> _Shaped:
    """What training and comparing see of the frame."""
    prepared = prepare(frame, spec, config.grace_days, LABEL)
    prepared = prepared.take((prepared.rows["observed_on"] <= pd.Timestamp(as_of)).to_numpy())
    if (prepared.y < 0.0).any():
        raise FrameError(f"{LABEL} holds values below zero; ARR after over ARR before is none")
    prepared = replace(prepared, y=np.minimum(prepared.y, config.highest))
    eligible = NEXT_RENEWAL.teaches(prepared)
    taught = prepared.matured_by(as_of) & eligible
    kept_out = _leaking(prepared.take(taught), config)
    prepared = prepared.without([str(leak["feature"]) for leak in kept_out])
    return _Shaped(prepared, eligible, prepared.take(taught), kept_out)


def compare(
    frame: pd.DataFrame,
    as_of: dt.date,
    champion: MultipleConfig,
    challenger: MultipleConfig,
    champion_spec: FeatureSpec | None = None,
    challenger_spec: FeatureSpec | None = None,
) -> Comparison:
    """Walk both through the same rolling origins and pair their squared errors by row.

    Raises:
        ScoringError: no row was forecast by both.
    """
    told: list[pd.DataFrame] = []
    with threadpool_limits(limits=1):
        for config, spec in ((champion, champion_spec), (challenger, challenger_spec)):
            shared = replace(config, origins=champion.origins, step_months=champion.step_months)
            shaped = _shape(frame, as_of, shared, spec)
            walked = _walk(shaped, as_of, shared)
            if walked is None:
                raise ScoringError("too few renewals have matured to compare two procedures")
            renewals = int(shaped.training.renewal_ids().nunique())
            recipe, _, _ = _choose(shaped.prepared, walked, renewals, shared)
            keys = shaped.prepared.rows.loc[walked.at, ["account_id", "observed_on"]]
            error = (walked.predicted[recipe] - shaped.prepared.y[walked.at]) ** 2
            told.append(keys.assign(error=error))
    both = told[0].merge(told[1], on=["account_id", "observed_on"], suffixes=("", "_new"))
    if both.empty:
        raise ScoringError("no out-of-time row was forecast by both champion and challenger")
    difference = (both["error_new"] - both["error"]).to_numpy(dtype=np.float64)
    return Comparison(
        _mean_interval(difference, both["account_id"], champion.seed),
        len(both),
        int(both["account_id"].nunique()),
        champion.as_record(),
        challenger.as_record(),
    )


def _clipped(values: Floats, config: MultipleConfig) -> Floats:
    """A line can promise less than nothing; what was never taught is not promised either."""
    return np.asarray(np.clip(values, 0.0, config.highest), dtype=np.float64)


def _fit(recipe: str, training: Prepared, config: MultipleConfig) -> Member:
    """One candidate, fitted."""
    names = training.spec.columns
    if recipe == RIDGE:
        return fit_line(training.x, training.y, names, config.ridge_strength)
    return fit_trees(
        training.x,
        training.y,
        names,
        config.trees,
        objective="regression",
        seed=config.seed,
        threads=config.threads,
    )


def _walk(shaped: _Shaped, as_of: dt.date, config: MultipleConfig) -> _Walked | None:
    """Multiples of every candidate at every rolling origin; None where no origin had enough."""
    prepared, training = shaped.prepared, shaped.training
    if training.renewal_ids().nunique() < config.min_renewals or len(np.unique(training.y)) < 2:
        return None
    renewals = prepared.renewal_ids()
    at: list[Ints] = []
    origins: list[dt.date] = []
    predicted: dict[str, list[Floats]] = {name: [] for name in (SEGMENT_MEAN, *CANDIDATES)}
    folds = windows(
        prepared,
        as_of,
        count=config.origins,
        step_months=config.step_months,
        eligible=shaped.eligible,
    )
    for fold in folds:
        training, test = prepared.take(fold.train), prepared.take(fold.test)
        known = int(renewals.iloc[fold.train].nunique())
        if known < config.fold_renewals or len(test) == 0 or len(np.unique(training.y)) < 2:
            continue
        at.append(fold.test)
        origins.extend([fold.origin] * len(test))
        means = segment_means(training, config).serve(test.rows["segment"])
        predicted[SEGMENT_MEAN].append(means)
        for name in CANDIDATES:
            values = _fit(name, training, config).raw_logit(test.x)
            predicted[name].append(_clipped(values, config))
    if not at:
        return None
    together = {name: np.concatenate(parts) for name, parts in predicted.items()}
    return _Walked(np.concatenate(at), origins, together)


def _choose(
    prepared: Prepared, walked: _Walked | None, renewals: int, config: MultipleConfig
) -> tuple[str, str, dict[str, dict[str, float]]]:
    """The recipe, why, and each candidate's squared error less the mean's, with its interval."""
    if walked is None:
        return SEGMENT_MEAN, f"insufficient history: {renewals} renewals", {}
    y = prepared.y[walked.at]
    clusters = prepared.rows["account_id"].iloc[walked.at].reset_index(drop=True)
    base = (walked.predicted[SEGMENT_MEAN] - y) ** 2
    against: dict[str, dict[str, float]] = {}
    better: list[tuple[float, str]] = []
    for name in CANDIDATES:
        difference = (walked.predicted[name] - y) ** 2 - base
        interval = _mean_interval(difference, clusters, config.seed)
        against[name] = evaluation.as_record(interval)
        if interval.high < 0.0:
            # Rounded, so that a last bit cannot choose; ties go to the earlier candidate.
            better.append((round(interval.estimate, 9), name))
    if not better:
        return SEGMENT_MEAN, "nothing beat the segment's mean out of time", against
    return min(better, key=lambda b: b[0])[1], "lowest squared error out of time", against


def _mean_interval(values: Floats, clusters: pd.Series, seed: int) -> evaluation.Interval:
    """Mean with an interval over accounts, whose rows err together."""

    def mean(weights: Floats) -> float:
        return float(np.sum(weights * values) / np.sum(weights))

    return evaluation.clustered_bootstrap(mean, clusters, seed=seed)


def _residuals(prepared: Prepared, walked: _Walked, recipe: str) -> pd.DataFrame:
    """What renewals brought beyond the prediction, out of time, one row a row walked."""
    part = prepared.take(walked.at)
    return pd.DataFrame(
        {
            "renewal": part.renewal_ids(),
            "matured_on": part.matured_on,
            "origin": pd.to_datetime(pd.Series(walked.origins)),
            "residual": part.y - walked.predicted[recipe],
        }
    )


def _ends(residuals: pd.DataFrame, config: MultipleConfig) -> tuple[float, float] | None:
    """Quantiles of the residuals at both tails, around zero; None with too few renewals."""
    if residuals["renewal"].nunique() < config.min_residuals:
        return None
    tail = (1.0 - config.interval_level) / 2.0
    low, high = np.quantile(residuals["residual"], [tail, 1.0 - tail])
    return round(min(float(low), 0.0), DECIMALS), round(max(float(high), 0.0), DECIMALS)


def _spread(
    prepared: Prepared, walked: _Walked | None, recipe: str, config: MultipleConfig
) -> tuple[float, float] | None:
    """The interval's ends, from all that was walked."""
    return None if walked is None else _ends(_residuals(prepared, walked, recipe), config)


def _coverage(residuals: pd.DataFrame, config: MultipleConfig) -> dict[str, float]:
    """How many renewals an interval held that was made of what had matured by their origin."""
    held: list[Bools] = []
    for origin, rows in residuals.groupby("origin", sort=True):
        past = residuals[(residuals["origin"] < origin) & (residuals["matured_on"] <= origin)]
        ends = _ends(past, config)
        if ends is not None:
            held.append(rows["residual"].between(*ends).to_numpy(dtype=np.bool_))
    found = {"level": config.interval_level, "n": float(sum(len(h) for h in held))}
    if held:
        found["share"] = round(float(np.concatenate(held).mean()), 6)
    return found


def _metrics(
    prepared: Prepared,
    walked: _Walked | None,
    recipe: str,
    against_mean: Mapping[str, Mapping[str, float]],
    config: MultipleConfig,
) -> dict[str, object]:
    """Out-of-time quality of every candidate, and of the interval of the one that serves."""
    if walked is None:
        return {"recipe": recipe, "out_of_time_rows": 0}
    y = prepared.y[walked.at]
    return {
        "recipe": recipe,
        "out_of_time_rows": len(y),
        "out_of_time_renewals": int(prepared.renewal_ids().iloc[walked.at].nunique()),
        "origins": [o.isoformat() for o in sorted(set(walked.origins))],
        "mean_multiple": round(float(y.mean()), 6),
        "candidates": {name: _quality(y, p) for name, p in sorted(walked.predicted.items())},
        "squared_error_against_segment_mean": dict(against_mean),
        "interval": _coverage(_residuals(prepared, walked, recipe), config),
    }


def _quality(y: Floats, predicted: Floats) -> dict[str, float]:
    """Errors of a candidate; the bias is what a forecast of money would be off by."""
    error = predicted - y
    return {
        "mean_squared_error": round(float(np.mean(error**2)), 9),
        "mean_absolute_error": round(float(np.mean(np.abs(error))), 9),
        "bias": round(float(np.mean(error)), 9),
    }


def _leaking(training: Prepared, config: MultipleConfig) -> list[dict[str, object]]:
    """Features that alone order the multiples too well to be knowledge of before."""
    found: list[dict[str, object]] = []
    renewals = training.renewal_ids().to_numpy(dtype=object)
    for j, column in enumerate(training.spec.columns):
        known = ~np.isnan(training.x[:, j])
        x, y = training.x[known, j], training.y[known]
        if len(set(renewals[known])) < config.min_renewals:
            continue
        if len(np.unique(x)) < 2 or len(np.unique(y)) < 2:
            continue
        order = abs(float(stats.spearmanr(x, y).statistic))
        if order > config.leak_limit:
            found.append({"feature": column, "rank_correlation": round(order, 6)})
    return found
