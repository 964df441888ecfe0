"""From a feature frame to a served model.

Belongs here: the order of work - check, choose rows, walk the rolling origins, choose the recipe,
calibrate, fit, replicate, describe. Must not: files, clocks, algorithms themselves.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import platform
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import lightgbm
import numpy as np
import pandas as pd
import scipy
import sklearn
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from scoring import cold_start, drift, evaluation, judgement
from scoring.arrays import Bools, Floats, Ints, logit, sigmoid
from scoring.calibration import IDENTITY, Platt, fit_platt
from scoring.cold_start import GUIDED, SEGMENT_RATE, SegmentRates
from scoring.config import GuideParams, TrainConfig
from scoring.errors import LeakageError, ScoringError
from scoring.frame import FeatureSpec, Leak, Prepared, data_hash, leaking, prepare
from scoring.guided import fit_guided
from scoring.heads import Head, head_named
from scoring.jobs import side_by_side
from scoring.members import Member, mean_explanation
from scoring.reasons import importance
from scoring.ridge import fit_ridge
from scoring.splits import Fold, rolling_origin
from scoring.trees import fit_trees

RIDGE_PART, TREES_PART, TINY_TREES_PART = "ridge", "trees", "tiny_trees"
GUIDED_PART = "guided"
PARTS: Mapping[str, tuple[str, ...]] = {
    cold_start.SEGMENT_RATE: (),
    cold_start.RIDGE: (RIDGE_PART,),
    cold_start.TREES: (TREES_PART,),
    cold_start.BLEND: (RIDGE_PART, TINY_TREES_PART),
    cold_start.GUIDED: (GUIDED_PART,),
}
"""What a recipe takes the mean of."""

LEAD_BUCKETS = ((0, 60), (60, 120), (120, 240), (240, 10_000))
"""Days to the renewal by which out-of-time quality is reported."""
IMPORTANCE_ROWS = 2_000
"""Accounts by which a model's use of its features is told."""


@dataclass(frozen=True)
class Model:
    """A model as it is served and stored.

    Attributes:
        head: name of the head.
        version: content-derived: equal data and parameters have equal versions.
        recipe: 'segment_rate', 'ridge', 'trees' or 'blend'.
        spec: features in model order.
        cutoff: last day of label knowledge.
        members: fitted models whose mean logit is the raw logit; empty for 'segment_rate'.
        calibrator: the line on the raw logit.
        replicates: the members refitted without (or with only) one group of accounts each.
        replicate_scale: factor on the squared deviations of the replicates that makes a variance.
        rates: segment rates, served when no member is.
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
    members: tuple[Member, ...]
    calibrator: Platt
    replicates: tuple[tuple[Member, ...], ...]
    replicate_scale: float
    rates: SegmentRates
    reference: drift.Reference
    metrics: Mapping[str, object]
    manifest: Mapping[str, object]
    config: TrainConfig

    @property
    def serves(self) -> str:
        """'model', or 'segment_rate' where the history is insufficient."""
        return SEGMENT_RATE if self.recipe == SEGMENT_RATE else "model"


@dataclass(frozen=True)
class OutOfTime:
    """Predictions that no training row of their own time or later has touched.

    Attributes:
        positions: rows of the prepared frame, shape (m,).
        origins: the fold's origin of each.
        raw: raw logits by recipe, each shape (m,).
    """

    positions: np.ndarray[tuple[int], np.dtype[np.int64]]
    origins: Sequence[dt.date]
    raw: Mapping[str, Floats]

    def only(self, rows: Bools) -> OutOfTime:
        """The predictions of some rows of the frame."""
        kept = rows[self.positions]
        return OutOfTime(
            self.positions[kept],
            [origin for origin, is_kept in zip(self.origins, kept, strict=True) if is_kept],
            {recipe: raw[kept] for recipe, raw in self.raw.items()},
        )


def train(
    frame: pd.DataFrame | Prepared,
    head: str | Head,
    as_of: dt.date,
    config: TrainConfig | None = None,
    spec: FeatureSpec | None = None,
) -> Model:
    """Fit, validate and calibrate a head on what was known on ``as_of``.

    Args:
        frame: feature frame; rows observed later, or whose label matured later, teach nothing. A
            prepared one is taken as the head's own.
        head: which question.
        as_of: training cutoff.
        config: parameters; default the head's own.
        spec: features; default every ``f_`` column.

    Returns:
        A model. With too few losses, or without skill out of time, it serves segment rates.
        Features that separate the outcomes alone are kept out of it; its manifest names them.

    Raises:
        FrameError, LeakageError: the frame may not be learnt from, see `shape`.
    """
    head = head if isinstance(head, Head) else head_named(head)
    # One thread adds in one order; and on a busy machine waiting threads cost more than they bring.
    with threadpool_limits(limits=1):
        return _train(frame, head, as_of, config or head.config, spec)


def _train(
    frame: pd.DataFrame | Prepared,
    head: Head,
    as_of: dt.date,
    config: TrainConfig,
    spec: FeatureSpec | None,
) -> Model:
    """`train`, on one thread."""
    shaped = shape(frame, head, as_of, config, spec)
    prepared, training, eligible = shaped.prepared, shaped.training, shaped.eligible

    losses = training.losses()
    renewals = int(training.renewal_ids().nunique())
    possible = _possible(training, config)
    walked = walk(prepared, as_of, possible, config, eligible)
    recipe = choose(prepared, walked, possible, config.seed)
    out_of_time = walked.only(shaped.judged)
    calibrator, note = _calibrate(prepared, out_of_time, recipe, config)
    if recipe != SEGMENT_RATE and calibrator.slope < config.min_slope:
        recipe, calibrator, note = SEGMENT_RATE, IDENTITY, "no skill out of time"

    members = fit_recipe(recipe, training, config)
    replicates, scale = _replicates(recipe, training, config)
    record: dict[str, object] = {
        "head": head.name,
        "question": head.question,
        "training_cutoff_on": as_of.isoformat(),
        "data_sha256": data_hash(training),
        "rows": len(training),
        "accounts": int(training.rows["account_id"].nunique()),
        "renewals": renewals,
        "losses": losses,
        "recipe": recipe,
        "calibration": note,
        "seed": config.seed,
        "parameters": config.as_record(),
        "features": list(prepared.spec.columns),
        "kept_out": [leak.as_record() for leak in shaped.kept_out],
        "libraries": libraries(),
    }
    version = version_of(record)
    return Model(
        head=head.name,
        version=version,
        recipe=recipe,
        spec=prepared.spec,
        cutoff=as_of,
        members=members,
        calibrator=calibrator,
        replicates=replicates,
        replicate_scale=scale,
        rates=cold_start.segment_rates(training, head.cold_start(config.cold_start)),
        reference=drift.reference(training),
        metrics=_metrics_of(head, shaped, out_of_time, recipe, config)
        | {"importance": _importance(members, calibrator, prepared)},
        manifest={"model_version": version, **record},
        config=config,
    )


@dataclass(frozen=True)
class Shaped:
    """A head's rows: what may teach and judge it, and the features that leak and were kept out."""

    prepared: Prepared
    eligible: Bools
    judged: Bools
    training: Prepared
    kept_out: tuple[Leak, ...]


def shape(
    frame: pd.DataFrame | Prepared,
    head: Head,
    as_of: dt.date,
    config: TrainConfig,
    spec: FeatureSpec | None = None,
) -> Shaped:
    """Rows observed by ``as_of`` without what the head excludes and what leaks.

    Whoever trains, compares or judges a head comes through here, so all see the same rows. Leaks
    are looked for among the rows that would teach, and kept out of every fold.

    Raises:
        FrameError: the frame may not be learnt from.
        LeakageError: a feature is on the deny-list, or every feature leaks.
    """
    if isinstance(frame, Prepared):
        prepared = frame
    else:
        own = head.own_frame(frame, config.grace_days)
        prepared = head.answered(prepare(own, spec, config.grace_days), config.grace_days)
    if head.guided_by is not None and config.guide is not None:
        prepared = head.guided_by.beside(prepared)
    prepared = prepared.without(head.excludes)
    # Rows observed after the cutoff must not even shape a median or a hash.
    prepared = prepared.take((prepared.rows["observed_on"] <= pd.Timestamp(as_of)).to_numpy())
    eligible = head.teaches(prepared)
    taught = prepared.matured_by(as_of) & eligible
    leaks = leaking(prepared.take(taught), config.leak_limit, exempt=head.derived)
    names = [leak.feature for leak in leaks]
    if len(names) == len(prepared.spec.columns):
        raise LeakageError(
            f"every feature separates the outcomes alone: {', '.join(names)}. Look for fields "
            "written after the decision, or for a missing known_at filter."
        )
    prepared = prepared.without(names)
    return Shaped(prepared, eligible, head.judges(prepared), prepared.take(taught), leaks)


def walk(
    prepared: Prepared,
    as_of: dt.date,
    recipes: Sequence[str],
    config: TrainConfig,
    eligible: Bools | None = None,
) -> OutOfTime:
    """Out-of-time raw logits of every recipe at every rolling origin."""
    if tuple(recipes) == (SEGMENT_RATE,):
        return OutOfTime(np.zeros(0, dtype=np.int64), [], {})
    folds: list[Fold] = rolling_origin(
        prepared,
        as_of,
        count=config.origins,
        step_months=config.step_months,
        min_losses=config.fold_losses,
        eligible=eligible,
    )

    def logits_of(fold: Fold, part: str) -> Floats:
        train = _some_accounts(prepared, fold.train, config)
        fitted = fit_part(part, prepared.take(train), config)
        return fitted.raw_logit(prepared.x[fold.test])

    # The blend's ridge is the ridge: each algorithm is fitted once a fold.
    parts = sorted({part for recipe in recipes for part in PARTS[recipe]})
    wanted = [(k, part) for k in range(len(folds)) for part in parts]
    found = side_by_side([partial(logits_of, folds[k], part) for k, part in wanted])
    logits = dict(zip(wanted, found, strict=True))
    raw: dict[str, list[Floats]] = {r: [] for r in recipes}
    for k in range(len(folds)):
        for recipe in recipes:
            mean = np.mean([logits[k, part] for part in PARTS[recipe]], axis=0)
            raw[recipe].append(np.asarray(mean, dtype=np.float64))
    if not folds:
        return OutOfTime(np.zeros(0, dtype=np.int64), [], {})
    return OutOfTime(
        np.concatenate([f.test for f in folds]),
        [f.origin for f in folds for _ in f.test],
        {r: np.concatenate(parts) for r, parts in raw.items()},
    )


def _some_accounts(prepared: Prepared, positions: Ints, config: TrainConfig) -> Ints:
    """Rows of about as many whole accounts as the configuration lets a fold learn from."""
    groups = -(-len(positions) // config.fold_rows)
    if groups < 2:
        return positions
    accounts = prepared.rows["account_id"].iloc[positions]
    kept = positions[_groups_of(accounts, groups, f"fold {config.seed}") == 0]
    return kept if len(np.unique(prepared.y[kept])) == 2 else positions


def _groups_of(accounts: pd.Series, groups: int, salt: str) -> Ints:
    """A group for each row, the same for all rows of an account, drawn by a hash of it."""
    codes, distinct = pd.factorize(accounts)
    drawn = [zlib.crc32(f"{salt}|{account}".encode()) % groups for account in distinct]
    return np.array(drawn, dtype=np.int64)[codes]


def choose(
    prepared: Prepared, out_of_time: OutOfTime, recipes: Sequence[str], seed: int = 7
) -> str:
    """The recipe of lowest out-of-time log loss; the first of ``recipes`` where none was walked.

    Each candidate is scored on all folds together, uncalibrated: calibration comes after. People
    are listened to unless outcomes contradict them: the guided recipe serves where no other is
    better by more than chance (the whole clustered interval), since outcomes are of the few
    accounts that were due, and it is asked about all.
    """
    if len(recipes) == 1 or len(out_of_time.positions) == 0:
        return recipes[0]
    y = prepared.y[out_of_time.positions]
    # Rounded, so that a last bit cannot choose; ties go to the simpler, earlier name.
    loss = {r: round(evaluation.log_loss(y, sigmoid(out_of_time.raw[r])), 9) for r in recipes}
    best = min(recipes, key=lambda r: (loss[r], recipes.index(r)))
    if best == GUIDED or GUIDED not in recipes:
        return best
    accounts = prepared.rows["account_id"].iloc[out_of_time.positions].reset_index(drop=True)
    p, guided = (sigmoid(out_of_time.raw[r]) for r in (best, GUIDED))
    worse = evaluation.paired_log_loss(y, p, guided, accounts, seed=seed)
    return best if worse.low > 0.0 else GUIDED


def fit_recipe(recipe: str, rows: Prepared, config: TrainConfig) -> tuple[Member, ...]:
    """The members of one recipe, fitted; none for the segment's rate."""
    return tuple(side_by_side([partial(fit_part, part, rows, config) for part in PARTS[recipe]]))


def fit_part(part: str, rows: Prepared, config: TrainConfig) -> Member:
    """One algorithm of a recipe, fitted."""
    x, y, columns = rows.x, rows.y, rows.spec.columns
    if part == GUIDED_PART:
        if guide := _guide(rows, config):
            return fit_guided(
                x, y, *guide, columns,
                unread=rows.opinion_columns, seed=config.seed, threads=config.threads,
            )  # fmt: skip
        # At an origin before people were asked something else would have served.
        part = RIDGE_PART
    if part == RIDGE_PART:
        return fit_ridge(x, y, columns, config.ridge_c)
    params = config.tiny_trees if part == TINY_TREES_PART else config.trees
    return fit_trees(x, y, columns, params, seed=config.seed, threads=config.threads)


def version_of(record: Mapping[str, object]) -> str:
    """Sixteen hexadecimal digits of the record's SHA-256: no clock, no counter."""
    text = json.dumps(record, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _possible(training: Prepared, config: TrainConfig) -> tuple[str, ...]:
    """What losses and judgements allow; nothing where every renewal ended alike."""
    recipes = cold_start.recipes(training.losses(), config.cold_start)
    if recipes == (SEGMENT_RATE,) or len(np.unique(training.y)) < 2:
        return (SEGMENT_RATE,)
    return (GUIDED, *recipes) if _guide(training, config) else recipes


def _guide(rows: Prepared, config: TrainConfig) -> tuple[Floats, GuideParams] | None:
    """What people said of these rows; None where it is too little, or too much alike."""
    if rows.opinions is None or config.guide is None:
        return None
    said = ~np.isnan(rows.opinions)
    is_enough = (
        said.sum() >= config.guide.min_judged
        and rows.rows["account_id"][said].nunique() >= config.guide.min_accounts
        and np.ptp(rows.opinions[said]) > 0.0
    )
    if not is_enough:
        return None
    groups = -(-int(said.sum()) // config.guide.some_judged)
    if groups < 2:
        return rows.opinions, config.guide
    # What people weigh is learnt long before there are so many judgements.
    group = _groups_of(rows.rows["account_id"], groups, f"guide {config.seed}")
    return np.where(group == 0, rows.opinions, np.nan), config.guide


def _calibrate(
    prepared: Prepared, out_of_time: OutOfTime, recipe: str, config: TrainConfig
) -> tuple[Platt, str]:
    """The line on out-of-time logits; only its intercept where few losses were walked."""
    if recipe == SEGMENT_RATE:
        return IDENTITY, "none: segment rates"
    if len(out_of_time.positions) == 0:
        return IDENTITY, "identity: no origin had enough losses"
    part = prepared.take(out_of_time.positions)
    raw = out_of_time.raw[recipe]
    accounts = part.rows["account_id"]
    if part.losses() < config.cold_start.min_losses:
        # A handful of losses would trade a known bias for noise; and the models that were walked
        # had learnt from still fewer, so that what they missed is not what this one will miss.
        line = fit_platt(
            raw, part.y, accounts, fixed_slope=1.0, intercept_spread=config.intercept_spread
        )
        return line, "intercept only, held to nought: few losses"
    free = fit_platt(raw, part.y, accounts)
    if free.slope < config.min_slope:
        return free, "platt on rolling-origin logits"
    line = fit_platt(raw, part.y, accounts, slope_spread=config.slope_spread)
    return line, "platt on rolling-origin logits, its slope held to one where they are few"


def _replicates(
    recipe: str, training: Prepared, config: TrainConfig
) -> tuple[tuple[tuple[Member, ...], ...], float]:
    """Refits on groups of accounts, and the scale that turns their spread into a variance.

    Delete-a-group jackknife, (G-1)/G times the sum of squared deviations; on large frames n of D
    random groups, 1/(D(n-1)) times it (Wolter, Introduction to Variance Estimation, 2007, ch. 2
    and 4). Groups are whole accounts, drawn by a hash of the account.
    """
    groups = config.replicates
    if recipe == SEGMENT_RATE or groups < 2:
        return (), 0.0
    is_large = len(training) > config.replicate_rows
    # Of a very large frame as many groups are drawn as keep each small, and the first are fitted.
    drawn = max(groups, -(-len(training) // config.fold_rows)) if is_large else groups
    group = _groups_of(training.rows["account_id"], drawn, str(config.seed))
    masks = [group == g if is_large else group != g for g in range(groups)]
    masks = [mask for mask in masks if len(np.unique(training.y[mask])) == 2]

    def without_or_with(mask: Bools, part: str) -> Member:
        return fit_part(part, training.take(mask), config)

    parts = PARTS[recipe]
    members = side_by_side([partial(without_or_with, mask, p) for mask in masks for p in parts])
    fitted = [tuple(members[k : k + len(parts)]) for k in range(0, len(members), len(parts))]
    n = len(fitted)
    if n < 2:
        return (), 0.0
    return tuple(fitted), 1.0 / (drawn * (n - 1.0)) if is_large else (n - 1.0) / n


def _metrics_of(
    head: Head, shaped: Shaped, out_of_time: OutOfTime, recipe: str, config: TrainConfig
) -> dict[str, object]:
    """`_metrics`, without the figures by lead where accounts do not decide when they are due."""
    found = _metrics(shaped.prepared, shaped.eligible, out_of_time, recipe, config)
    return {k: v for k, v in found.items() if k != "leads" or not head.asks_undecided}


def _metrics(
    prepared: Prepared,
    eligible: Bools,
    out_of_time: OutOfTime,
    recipe: str,
    config: TrainConfig,
) -> dict[str, object]:
    """Quality on rolling-origin rows: raw by recipe; calibrated as it would have been then."""
    if len(out_of_time.positions) == 0 or recipe == SEGMENT_RATE:
        return {
            "recipe": recipe,
            "out_of_time_rows": len(out_of_time.positions),
            "candidates": _candidates(prepared, out_of_time),
        }
    part = prepared.take(out_of_time.positions)
    raw = out_of_time.raw[recipe]
    origins = list(out_of_time.origins)
    forward = _forward_calibrated(part, raw, origins, config)
    told = ~np.isnan(forward)
    metrics: dict[str, object] = {
        "recipe": recipe,
        "out_of_time_rows": len(raw),
        "candidates": _candidates(prepared, out_of_time),
        "origins": [o.isoformat() for o in sorted(set(origins))],
    }
    if told.any():
        metrics["calibrated"] = evaluation.summary(part.y[told], forward[told])
        metrics |= judgement.judged(
            prepared, eligible, out_of_time.positions, origins, forward, config.seed
        )
        judged = part.take(told)
        metrics["leads"] = judgement.by_lead(judged, forward[told], LEAD_BUCKETS, config.seed)
    return metrics


def _importance(
    members: Sequence[Member], calibrator: Platt, prepared: Prepared
) -> list[dict[str, object]]:
    """What the feature groups contribute over the last day's accounts, at most some thousands."""
    if not members:
        return []
    days = prepared.rows["observed_on"]
    last = np.flatnonzero((days == days.max()).to_numpy())
    some = last[:: -(-len(last) // IMPORTANCE_ROWS)]
    contributions, _ = mean_explanation(members, prepared.x[some])
    return importance(contributions * calibrator.slope, prepared.spec)


def _candidates(prepared: Prepared, out_of_time: OutOfTime) -> dict[str, dict[str, float]]:
    """Raw out-of-time quality of every recipe that was walked."""
    y = prepared.y[out_of_time.positions]
    return {r: evaluation.summary(y, sigmoid(z)) for r, z in sorted(out_of_time.raw.items())}


def _forward_calibrated(
    part: Prepared, raw: Floats, origins: list[dt.date], config: TrainConfig
) -> Floats:
    """Probabilities calibrated as a clerk could have: by rows that had matured by the origin.

    The first origin has nothing before it and stays NaN (not judged).
    """
    at = np.array(origins, dtype="datetime64[D]")
    p = np.full(len(raw), np.nan)
    for origin in sorted(set(origins)):
        past = part.matured_by(origin) & (at < np.datetime64(origin))
        if len(np.unique(part.y[past])) < 2:
            continue
        few = part.take(past).losses() < config.cold_start.min_losses
        line = fit_platt(
            raw[past],
            part.y[past],
            part.rows["account_id"][past],
            fixed_slope=1.0 if few else None,
            slope_spread=config.slope_spread,
        )
        here = at == np.datetime64(origin)
        p[here] = sigmoid(line.logit(raw[here]))
    return p


def libraries() -> dict[str, str]:
    """Versions that a bit of the model could depend on."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "lightgbm": lightgbm.__version__,
    }


@dataclass(frozen=True)
class Comparison:
    """A challenger's recipe against the champion's, on the same out-of-time rows.

    Attributes:
        difference: challenger's log loss minus champion's, with a clustered interval.
        rows: rows compared.
        accounts: clusters among them.
    """

    difference: evaluation.Interval
    rows: int
    accounts: int
    champion_parameters: Mapping[str, object] = field(default_factory=dict)
    challenger_parameters: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_better(self) -> bool:
        """Whether the whole interval lies below zero."""
        return bool(self.difference.high < 0.0)


def compare(
    frame: pd.DataFrame,
    head: str | Head,
    as_of: dt.date,
    champion: TrainConfig,
    challenger: TrainConfig,
    champion_spec: FeatureSpec | None = None,
    challenger_spec: FeatureSpec | None = None,
) -> Comparison:
    """Walk both through the same rolling origins and pair their log losses by row.

    Both are calibrated forward, so a challenger cannot win by calibration it could not have had.

    Raises:
        ScoringError: no row could be judged for both.
    """
    head = head if isinstance(head, Head) else head_named(head)
    judged: list[pd.DataFrame] = []
    for config, spec in ((champion, champion_spec), (challenger, challenger_spec)):
        shaped = shape(frame, head, as_of, config, spec)
        prepared, training, eligible = shaped.prepared, shaped.training, shaped.eligible
        possible = _possible(training, config)
        # Same origins for both: a pair needs the same row at the same state of knowledge.
        shared = dataclasses.replace(
            config, origins=champion.origins, step_months=champion.step_months
        )
        walked = walk(prepared, as_of, possible, shared, eligible)
        recipe = choose(prepared, walked, possible, champion.seed)
        out_of_time = walked.only(shaped.judged)
        part = prepared.take(out_of_time.positions)
        if recipe == SEGMENT_RATE or len(part) == 0:
            p = np.full(len(part), np.nan)
        else:
            origins = list(out_of_time.origins)
            p = _forward_calibrated(part, out_of_time.raw[recipe], origins, config)
        keys = part.rows[["account_id", "observed_on"]]
        judged.append(keys.assign(y=part.y, p=p))
    both = judged[0].merge(judged[1], on=["account_id", "observed_on"], suffixes=("", "_new"))
    both = both.dropna(subset=["p", "p_new"]).reset_index(drop=True)
    if both.empty:
        raise ScoringError("no out-of-time row was scored by both champion and challenger")
    difference = evaluation.paired_log_loss(
        both["y"].to_numpy(),
        both["p"].to_numpy(),
        both["p_new"].to_numpy(),
        both["account_id"],
        seed=champion.seed,
    )
    return Comparison(
        difference,
        len(both),
        int(both["account_id"].nunique()),
        champion.as_record(),
        challenger.as_record(),
    )


def base_logit(model: Model) -> float:
    """Log odds of the company-wide rate, the reference line of segment rates."""
    a, b = model.rates.overall
    return float(logit(np.array([a / (a + b)]))[0])
