"""A probability for any labelled table: one row a subject, columns of any kind, a yes/no outcome.

Belongs here: the way from such a table to validated predictions and to a model that scores and
explains new rows. Must not: renewals, accounts, files.

    result = tabular.fit(table, "churn", groups="household")
    result.metrics["auc"]                    # estimate, low, high
    result.model.predict(new_table)          # probabilities
    result.model.explain(new_table)          # contributions of each column, in log odds

Everything that looks at outcomes - the coding of categories, the choice between candidates, the
calibration - happens inside the training part of each fold. The heads of `scoring.heads` have their
own, stricter path (`scoring.training`), which knows when an outcome could be known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from scoring import columns, evaluation
from scoring.arrays import Bools, Floats, Ints, logit, sigmoid
from scoring.calibration import IDENTITY, Platt, fit_platt
from scoring.columns import LEVEL, NUMBER, Cleaned, Coding
from scoring.config import TreeParams
from scoring.errors import FrameError, RegistryError, ScoringError
from scoring.frame import DENY_PATTERNS
from scoring.members import Member, mean_explanation
from scoring.ridge import RidgeModel, fit_ridge
from scoring.trees import TreeModel, fit_trees

RATE, RIDGE, TREES, BLEND = "rate", "ridge", "trees", "blend"
POSITIVE_WORDS = frozenset({"1", "1.0", "yes", "true", "y", "t", "churned", "lost", "bad"})
NEGATIVE_WORDS = frozenset({"0", "0.0", "no", "false", "n", "f", "retained", "kept", "good"})


@dataclass(frozen=True)
class TabularConfig:
    """Everything beside the table that a result depends on.

    Attributes:
        folds: outer folds, or windows of the rolling origin.
        inner_folds: folds inside a training part, by which candidates are chosen and calibrated.
        ridge_cs: inverse strengths of the ridge that compete.
        trees: shapes of trees that compete, each at every number of rounds in ``rounds``.
        rounds: ascending; a fit with the largest is read off at the smaller ones.
        race_margin: share of the log loss by which a shape of trees may trail in the first inner
            fold and still be fitted in the others.
        min_rows: labelled rows below which nothing is fitted.
        min_class: rows that the rarer outcome needs.
        min_slope: a calibration slope below this means no skill: the overall rate is served.
        leak_limit: area under the curve above which a single column is kept out.
        leak_min_rows: rows of the rarer outcome below which chance alone reaches the limit.
        draws: of the bootstrap behind each interval.
        seed: of folds and draws.
        threads: LightGBM threads; one keeps the order of additions.
    """

    folds: int = 5
    inner_folds: int = 3
    ridge_cs: tuple[float, ...] = (0.005, 0.05, 0.5)
    trees: tuple[TreeParams, ...] = (
        TreeParams(0, 8, 3, 0.05, 5.0, 10, 0.004),
        TreeParams(0, 24, 6, 0.05, 5.0, 10, 0.002),
    )
    rounds: tuple[int, ...] = (40, 120, 240)
    race_margin: float = 0.01
    min_rows: int = 40
    min_class: int = 10
    min_slope: float = 0.05
    leak_limit: float = 0.95
    leak_min_rows: int = 20
    draws: int = 200
    seed: int = 7
    threads: int = 1


@dataclass(frozen=True)
class TabularModel:
    """A fitted model over columns of one table.

    Attributes:
        label: the column it predicts.
        positive: the label's value whose probability it gives, as text.
        recipe: 'ridge', 'trees', 'blend' or 'rate' (no skill found: every row gets the rate).
        coding: from columns to numbers.
        members: whose raw logits are averaged.
        calibrator: Platt's line on that mean.
    """

    label: str
    positive: str
    recipe: str
    coding: Coding
    members: tuple[Member, ...]
    calibrator: Platt

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that a table to be scored must have."""
        return self.coding.columns

    def predict(self, table: pd.DataFrame) -> pd.Series:
        """Probability of ``positive``, indexed as ``table``; levels never seen count as rare ones.

        Raises:
            FrameError: a column is absent or holds an infinite number.
        """
        explained = self.explain(table)
        p = sigmoid(explained["logit"].to_numpy(dtype=np.float64))
        return pd.Series(p, index=table.index, name="p")

    def explain(self, table: pd.DataFrame) -> pd.DataFrame:
        """Why each row scores as it does, in log odds; associations, not causes.

        Returns:
            One column a table column, then ``base`` and ``logit``: the logit is the sum of the
            others (within 1e-9), and its sigmoid is the probability.

        Raises:
            FrameError: a column is absent or holds an infinite number.
        """
        cleaned = columns.clean(table, self.coding.kinds)
        parts = np.zeros((len(table), len(self.columns)))
        base = self.calibrator.intercept
        if self.members and len(table):
            raw, raw_base = mean_explanation(self.members, self.coding.matrix(cleaned))
            parts = self.coding.by_column(raw) * self.calibrator.slope
            base += self.calibrator.slope * raw_base
        explained = pd.DataFrame(parts, index=table.index, columns=list(self.columns))
        return explained.assign(base=base, logit=parts.sum(axis=1) + base)

    def to_text(self) -> str:
        """JSON; equal tables and parameters give equal bytes."""
        record = {
            "kind": "tabular",
            "label": self.label,
            "positive": self.positive,
            "recipe": self.recipe,
            "coding": asdict(self.coding),
            "members": [{"kind": m.kind, "text": m.to_text()} for m in self.members],
            "calibrator": asdict(self.calibrator),
        }
        return json.dumps(record, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> TabularModel:
        """The model written by `to_text`.

        Raises:
            RegistryError: the text is something else.
        """
        record = json.loads(text)
        if record.get("kind") != "tabular":
            raise RegistryError("this text is no tabular model")
        readers: Mapping[str, Callable[[str], Member]] = {
            RidgeModel.kind: RidgeModel.from_text,
            TreeModel.kind: TreeModel.from_text,
        }
        coding = record["coding"]
        (aa, ab), (ba, bb) = record["calibrator"].pop("covariance")
        return cls(
            record["label"],
            record["positive"],
            record["recipe"],
            Coding(
                coding["kinds"],
                {c: tuple(v) for c, v in coding["levels"].items()},
                coding["rates"],
                float(coding["prior"]),
                tuple(coding["source"]),
            ),
            tuple(readers[m["kind"]](m["text"]) for m in record["members"]),
            Platt(covariance=((aa, ab), (ba, bb)), **record["calibrator"]),
        )


@dataclass(frozen=True)
class TabularResult:
    """A model and the evidence for it.

    Attributes:
        model: fitted on every labelled row.
        predictions: one row a row that was predicted from outside its fold, indexed as the table:
            fold, y, p.
        metrics: auc, brier, log_loss, ece, top_decile_lift, each {estimate, low, high}, with
            n, positives, base_rate and the recipe of each fold.
        dropped: columns that were not used, with the reason.
        notes: what else a reader should know (rows without label, texts in numeric columns).
    """

    model: TabularModel
    predictions: pd.DataFrame
    metrics: Mapping[str, object]
    dropped: Mapping[str, str]
    notes: Sequence[str]


@dataclass(frozen=True)
class _Table:
    """A table ready to be split."""

    cleaned: Cleaned
    kinds: dict[str, str]
    y: Floats
    groups: Ints
    time: pd.Series | None
    horizon: pd.Timedelta
    config: TabularConfig = field(repr=False)


def fit(
    table: pd.DataFrame,
    label: str,
    *,
    positive: object = None,
    features: Sequence[str] | None = None,
    groups: str | None = None,
    time: str | None = None,
    horizon_days: float = 0.0,
    keep: Sequence[str] = (),
    config: TabularConfig | None = None,
) -> TabularResult:
    """Fit, validate and describe a model of a yes/no outcome.

    Args:
        table: one row a subject; numbers, booleans, dates, texts and texts that hold numbers, with
            gaps. Rows without label are left out and counted.
        label: column of the outcome, with exactly two values.
        positive: the value whose probability is wanted; may be omitted where it is obvious (1,
            true, yes, churned, lost, bad).
        features: columns to learn from; default all but label, groups and time.
        groups: column whose rows err together; they are never split over folds, and intervals
            count groups instead of rows.
        time: column of the time at which a row was observed; folds are then a rolling origin, the
            earlier predicting the later, and the column itself is no feature.
        horizon_days: with ``time``: days until a row's outcome is known; training rows whose
            outcome was still open at an origin are left out of it.
        keep: columns to use although they look like an identifier or a leak.
        config: parameters.

    Raises:
        FrameError: a named column is absent, names repeat, the label is not binary or its positive
            value not clear, there are too few rows, or no column is left.
    """
    config = config or TabularConfig()
    _check_names(table, label, features, groups, time, keep)
    labelled = table[label].notna() & (table[label].map(lambda v: str(v).strip()) != "")
    notes = []
    if not labelled.all():
        notes.append(f"{int((~labelled).sum())} rows without {label!r} were left out")
    used = table[labelled]
    y, positive_text = _outcomes(used[label], label, positive)
    _check_size(y, label, config)
    wanted = list(features) if features is not None else list(table.columns)
    wanted = [c for c in wanted if c not in {label, groups, time}]
    kinds = {c: columns.kind_of(used[c]) for c in wanted}
    cleaned = columns.clean(used, kinds)
    for name, count in cleaned.unread.items():
        notes.append(f"{name!r} is numeric; {count} of its values are no numbers: read as missing")
    with threadpool_limits(limits=1):
        dropped = _refused(cleaned, kinds, y, keep, config)
        kinds = {c: k for c, k in kinds.items() if c not in dropped}
        if not kinds:
            raise FrameError(
                f"no column is left to learn {label!r} from; dropped: "
                + "; ".join(f"{c}: {why}" for c, why in dropped.items())
            )
        prepared = _Table(
            cleaned,
            kinds,
            y,
            _codes(used[groups]) if groups else np.arange(len(y), dtype=np.int64),
            _times(used[time], time) if time else None,
            pd.Timedelta(days=horizon_days),
            config,
        )
        predictions, recipes = _validate(prepared, used.index)
        everything = np.arange(len(y), dtype=np.int64)
        recipe, coding, members, line = _learn(prepared, everything)
    model = TabularModel(label, positive_text, recipe, coding, members, line)
    metrics = _metrics(prepared, predictions, config) | {"recipes": recipes}
    return TabularResult(model, predictions.drop(columns="at"), metrics, dropped, tuple(notes))


def _validate(table: _Table, index: pd.Index) -> tuple[pd.DataFrame, list[str]]:
    """Predictions of every fold by a model that has seen nothing of it."""
    parts, recipes = [], []
    everything = np.arange(len(table.y), dtype=np.int64)
    for k, (train, test) in enumerate(_folds(table, everything, table.config.folds)):
        recipe, coding, members, line = _learn(table, train)
        raw = _raw(coding, members, columns.take(table.cleaned, test))
        p = sigmoid(line.logit(raw))
        parts.append(pd.DataFrame({"at": test, "fold": k, "y": table.y[test], "p": p}))
        recipes.append(recipe)
    if not parts:
        raise FrameError(
            "no fold has both outcomes before and after its origin; use fewer folds, a shorter "
            "horizon, or no time column"
        )
    joined = pd.concat(parts).sort_values("at", kind="stable")
    return joined.set_index(index[joined["at"].to_numpy()]), recipes


def _learn(table: _Table, rows: Ints) -> tuple[str, Coding, tuple[Member, ...], Platt]:
    """Choose, calibrate and fit on ``rows`` alone."""
    config = table.config
    walked: list[dict[str, Floats]] = []
    hopeless: frozenset[int] = frozenset()
    for train, test in _folds(table, rows, config.inner_folds):
        walked.append(_candidates(table, train, test, hopeless))
        if len(walked) == 1:
            hopeless = _hopeless(walked[0], table.y[test], config)
    coding, x = _coded(table, rows)
    y = table.y[rows]
    if not walked:
        raise FrameError(
            f"a training part of {len(rows)} rows cannot be split further with both outcomes on "
            "both sides; use fewer folds"
        )
    truth = table.y[np.concatenate([c.pop("test") for c in walked]).astype(np.int64)]
    keys_walked = [k for k in walked[0] if all(k in c for c in walked)]
    raws = {key: np.concatenate([c[key] for c in walked]) for key in keys_walked}
    losses = {key: round(evaluation.log_loss(truth, sigmoid(z)), 9) for key, z in raws.items()}

    def best(kind: str) -> str:
        return min((k for k in losses if k.startswith(kind)), key=lambda k: losses[k])

    ridge, trees = best(RIDGE), best(TREES)
    raws[BLEND] = (raws[ridge] + raws[trees]) / 2.0
    losses[BLEND] = round(evaluation.log_loss(truth, sigmoid(raws[BLEND])), 9)
    # Simplest first, for ties.
    chosen = min((ridge, BLEND, trees), key=lambda k: losses[k])
    line = _line(raws[chosen], truth, config)
    if line is None:
        rate = float(logit(np.array([y.mean()]))[0])
        return RATE, coding, (), Platt(rate, 1.0, IDENTITY.covariance)
    keys = (ridge, trees) if chosen == BLEND else (chosen,)
    members = tuple(_fit_key(key, x, y, config) for key in keys)
    return chosen.split(":")[0], coding, members, line


def _line(raw: Floats, y: Floats, config: TabularConfig) -> Platt | None:
    """Platt's line, of few outcomes its intercept alone; None where there is no skill."""
    few = min(float(y.sum()), float(len(y) - y.sum())) < config.min_class
    line = fit_platt(raw, y, fixed_slope=1.0 if few else None)
    if line.slope < config.min_slope:
        return None
    rate = np.full(len(y), float(y.mean()))
    # In-sample for the line's two parameters, so worse than the rate here is worse anywhere.
    if evaluation.log_loss(y, sigmoid(line.logit(raw))) >= evaluation.log_loss(y, rate):
        return None
    return line


def _hopeless(first: Mapping[str, Floats], y: Floats, config: TabularConfig) -> frozenset[int]:
    """Shapes of trees so far behind another in the first inner fold that they are not refitted.

    Trees are nearly all of the cost; a shape behind by more than ``race_margin`` of the log loss
    hardly ever comes back.
    """
    best = [
        min(
            evaluation.log_loss(y, sigmoid(first[f"{TREES}:{i}:{r}"]))
            for r in range(len(config.rounds))
        )
        for i in range(len(config.trees))
    ]
    limit = min(best) * (1.0 + config.race_margin)
    return frozenset(i for i, loss in enumerate(best) if loss > limit)


def _candidates(
    table: _Table, train: Ints, test: Ints, hopeless: frozenset[int]
) -> dict[str, Floats]:
    """Raw logits of ``test`` by every candidate fitted on ``train``, and the rows of ``test``."""
    config = table.config
    coding, x = _coded(table, train)
    unseen = coding.matrix(columns.take(table.cleaned, test))
    y = table.y[train]
    found: dict[str, Floats] = {"test": test.astype(np.float64)}
    for i in range(len(config.ridge_cs)):
        key = f"{RIDGE}:{i}"
        found[key] = _fit_key(key, x, y, config).raw_logit(unseen)
    for i in range(len(config.trees)):
        if i in hopeless:
            continue
        largest = _fit_trees(i, config.rounds[-1], x, y, config)
        for r, rounds in enumerate(config.rounds):
            raw = largest.booster.predict(unseen, raw_score=True, num_iteration=rounds)
            found[f"{TREES}:{i}:{r}"] = np.asarray(raw, dtype=np.float64)
    return found


def _fit_key(key: str, x: Floats, y: Floats, config: TabularConfig) -> Member:
    """The candidate of that key, fitted."""
    kind, *at = key.split(":")
    if kind == RIDGE:
        return fit_ridge(x, y, _names(x), config.ridge_cs[int(at[0])])
    return _fit_trees(int(at[0]), config.rounds[int(at[1])], x, y, config)


def _fit_trees(shape: int, rounds: int, x: Floats, y: Floats, config: TabularConfig) -> TreeModel:
    """Trees of one shape and number of rounds."""
    params = replace(config.trees[shape], rounds=rounds)
    return fit_trees(x, y, _names(x), params, seed=config.seed, threads=config.threads)


def _names(x: Floats) -> tuple[str, ...]:
    """LightGBM refuses names with punctuation; the coding knows which column is which."""
    return tuple(f"x{j}" for j in range(x.shape[1]))


def _coded(table: _Table, rows: Ints) -> tuple[Coding, Floats]:
    """The coding of training rows and their matrix."""
    parts = stratified_parts(table.y[rows], table.groups[rows], 5, table.config.seed)
    return columns.fit_coding(table.cleaned, table.kinds, table.y, rows, parts)


def _raw(coding: Coding, members: tuple[Member, ...], cleaned: Cleaned) -> Floats:
    """Mean raw logits; zero where the rate alone serves."""
    x = coding.matrix(cleaned)
    if not members:
        return np.zeros(len(x))
    return np.asarray(np.mean([m.raw_logit(x) for m in members], axis=0), dtype=np.float64)


def stratified_parts(y: Floats, groups: Ints, count: int, seed: int) -> Ints:
    """Part of each row: groups whole, and groups with and without the outcome dealt out evenly.

    Even parts matter beyond comfort: where a part is short of positives its training rows have
    more of them, and predictions pooled over parts would be ranked backwards.

    Args:
        y: outcomes 0/1, shape (n,).
        groups: one whole number a row.
        count: parts.
        seed: of the deal.
    """
    _, inverse = np.unique(groups, return_inverse=True)
    positives = np.bincount(inverse, weights=y)
    shuffled = np.random.default_rng(seed).permutation(len(positives))
    dealt = shuffled[np.argsort(-positives[shuffled], kind="stable")]
    part = np.empty(len(positives), dtype=np.int64)
    part[dealt] = np.arange(len(positives)) % count
    return np.asarray(part[inverse], dtype=np.int64)


def _folds(table: _Table, rows: Ints, count: int) -> list[tuple[Ints, Ints]]:
    """(training, test) positions inside ``rows``, with both outcomes in training."""
    if table.time is None:
        part = stratified_parts(table.y[rows], table.groups[rows], count, table.config.seed)
        pairs = [(rows[part != k], rows[part == k]) for k in range(count)]
    else:
        pairs = _rolling(table, table.time, rows, count)
        pairs = [(a, b) for a, b in pairs if _enough(table.y[a], table.config)]
        if not pairs and len(rows) < len(table.y):
            # A short training part has no origin inside; its own folds still show it nothing new.
            return _folds(replace(table, time=None), rows, count)
    return [(a, b) for a, b in pairs if len(b) and len(a) and 0.0 < table.y[a].mean() < 1.0]


def _enough(y: Floats, config: TabularConfig) -> bool:
    """Whether an origin has at least half of what a fit as a whole needs before it."""
    rarer = min(y.sum(), len(y) - y.sum())
    return bool(2 * len(y) >= config.min_rows and 2 * rarer >= config.min_class)


def _rolling(table: _Table, times: pd.Series, rows: Ints, count: int) -> list[tuple[Ints, Ints]]:
    """Windows of equal counts after the first; each is predicted from what was known before it."""
    time = times.iloc[rows].reset_index(drop=True)
    starts = [len(rows) * k // (count + 1) for k in range(count + 1)]
    cuts = sorted(set(time.sort_values().iloc[starts]))
    pairs = []
    for k in range(1, len(cuts)):
        origin = cuts[k]
        inside = time >= origin
        if k + 1 < len(cuts):
            inside &= time < cuts[k + 1]
        known = ((time < origin) & (time + table.horizon <= origin)).to_numpy(dtype=np.bool_)
        test = rows[inside.to_numpy(dtype=np.bool_)]
        train = rows[known & ~np.isin(table.groups[rows], table.groups[test])]
        pairs.append((train, test))
    return pairs


def _metrics(table: _Table, predictions: pd.DataFrame, config: TabularConfig) -> dict[str, object]:
    """Quality of out-of-fold predictions with intervals bootstrapped over groups."""
    y = predictions["y"].to_numpy(dtype=np.float64)
    p = predictions["p"].to_numpy(dtype=np.float64)
    clusters = pd.Series(table.groups[predictions["at"].to_numpy()])
    measures: Mapping[str, Callable[[Floats, Floats], float]] = {
        "auc": evaluation.auc,
        "brier": evaluation.brier,
        "log_loss": evaluation.log_loss,
        "ece": evaluation.ece,
        "top_decile_lift": evaluation.top_lift,
    }
    found: dict[str, object] = {
        "n": len(y),
        "positives": int(y.sum()),
        "base_rate": round(float(y.mean()), 6),
    }
    for name, measure in measures.items():
        found[name] = evaluation.as_record(
            evaluation.clustered_bootstrap(
                partial(_weighted, measure, y, p), clusters, draws=config.draws, seed=config.seed
            )
        )
    return found


def _weighted(measure: Callable[[Floats, Floats], float], y: Floats, p: Floats, w: Floats) -> float:
    """A measure over rows as often as they were drawn."""
    counts = w.astype(np.int64)
    return float(measure(np.repeat(y, counts), np.repeat(p, counts)))


def _refused(
    cleaned: Cleaned, kinds: dict[str, str], y: Floats, keep: Sequence[str], config: TabularConfig
) -> dict[str, str]:
    """Columns that are not learnt from, with the reason a person reads."""
    dropped: dict[str, str] = {}
    for name, kind in kinds.items():
        reason = _useless(cleaned, name, kind)
        if reason is None and name not in keep:
            reason = _identifier(cleaned, name, kind) or _leak(cleaned, name, kind, y, config)
        if reason is not None:
            dropped[name] = reason
    return dropped


def _useless(cleaned: Cleaned, name: str, kind: str) -> str | None:
    if kind == NUMBER:
        values = cleaned.numbers[name]
        known = values[~np.isnan(values)]
        if len(known) == 0:
            return "empty"
        varies = len(known) < len(values) or bool((known != known[0]).any())
    else:
        varies = cleaned.levels[name].nunique() > 1
    return None if varies else "constant"


def _identifier(cleaned: Cleaned, name: str, kind: str) -> str | None:
    if kind == LEVEL:
        texts = cleaned.levels[name]
        known = texts[texts != ""]
        distinct = known.nunique()
        is_one_a_row = len(known) >= 20 and distinct > 0.9 * len(known)
        return f"identifier: {distinct} levels in {len(known)} rows" if is_one_a_row else None
    values = cleaned.numbers[name]
    if np.isnan(values).any() or (values != np.round(values)).any():
        return None
    is_counter = len(np.unique(values)) == len(values) and np.ptp(values) == len(values) - 1
    return "identifier: numbers the rows" if is_counter and len(values) >= 20 else None


def _leak(cleaned: Cleaned, name: str, kind: str, y: Floats, config: TabularConfig) -> str | None:
    """By name as `scoring.frame` refuses features, and by what the column alone predicts."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[\s.\-]+", "_", name).lower()
    if any(re.search(pattern, words) for pattern in DENY_PATTERNS):
        return "leak: by its name written because of the outcome (keep= to use it)"
    if min(y.sum(), len(y) - y.sum()) < config.leak_min_rows:
        return None
    if kind == NUMBER:
        values = cleaned.numbers[name]
        known: Bools = ~np.isnan(values)
    else:
        texts = cleaned.levels[name]
        known = (texts != "").to_numpy(dtype=np.bool_)
        values = _honest_rates(texts, y, config.seed)
    best = max(_area(known.astype(np.float64), y), _area(values[known], y[known]))
    if best > config.leak_limit:
        return f"leak: alone it separates the outcomes (AUC {best:.3f}; keep= to use it)"
    return None


def _honest_rates(texts: pd.Series, y: Floats, seed: int) -> Floats:
    """Rate of each row's level among the other rows of a five-part deal."""
    rows = np.arange(len(y), dtype=np.int64)
    parts = stratified_parts(y, rows, 5, seed)
    return columns.cross_fitted_rates(texts.reset_index(drop=True), y, parts)


def _area(values: Floats, y: Floats) -> float:
    area = evaluation.auc(y, values) if len(y) else float("nan")
    return 0.5 if np.isnan(area) else max(area, 1.0 - area)


def _check_names(
    table: pd.DataFrame,
    label: str,
    features: Sequence[str] | None,
    groups: str | None,
    time: str | None,
    keep: Sequence[str],
) -> None:
    repeated = sorted({str(c) for c in table.columns[table.columns.duplicated()]})
    if repeated:
        raise FrameError(f"column names repeat: {', '.join(repeated)}")
    named = [label, *(features or ()), *(c for c in (groups, time) if c), *keep]
    unknown = sorted({str(c) for c in named if c not in table.columns})
    if unknown:
        have = ", ".join(map(str, list(table.columns)[:30]))
        raise FrameError(f"the table has no column {', '.join(unknown)}; it has: {have}")
    if not all(isinstance(c, str) for c in table.columns):
        raise FrameError("column names must be texts; rename them with table.columns.map(str)")


def _outcomes(column: pd.Series, label: str, positive: object) -> tuple[Floats, str]:
    """The label as 0/1, and the text of its positive value."""
    texts = column.map(lambda v: str(v).strip())
    values = sorted(set(texts))
    if len(values) == 0:
        raise FrameError(f"label {label!r} is empty in every row")
    if len(values) == 1:
        raise FrameError(
            f"label {label!r} has one value only ({values[0]!r}): nothing can be learnt without "
            "rows of both outcomes"
        )
    if len(values) > 2:
        raise FrameError(
            f"label {label!r} has {len(values)} values ({', '.join(values[:5])}...); it must be "
            "binary: map it to two"
        )
    if positive is not None:
        wanted = [v for v in values if v == str(positive).strip() or _same(v, positive)]
    else:
        wanted = [v for v in values if v.lower() in POSITIVE_WORDS]
        if not wanted:
            wanted = [v for v in values if v.lower() not in NEGATIVE_WORDS]
    if len(wanted) != 1:
        raise FrameError(
            f"which of label {label!r}'s values {values[0]!r} and {values[1]!r} is the outcome? "
            "Name it with positive="
        )
    return np.asarray((texts == wanted[0]).to_numpy(dtype=np.float64)), wanted[0]


def _same(text: str, value: object) -> bool:
    """Whether a text and a value are one number: '1.0' and 1."""
    try:
        return float(text) == float(str(value))
    except ValueError:
        return False


def _check_size(y: Floats, label: str, config: TabularConfig) -> None:
    rarer = int(min(y.sum(), len(y) - y.sum()))
    if len(y) < config.min_rows or rarer < config.min_class:
        raise FrameError(
            f"too few rows: {len(y)} with a value of {label!r}, {rarer} of the rarer outcome; "
            f"at least {config.min_rows} and {config.min_class} are needed"
        )


def _times(column: pd.Series, name: str) -> pd.Series:
    """Times; whole numbers count as days."""
    try:
        if pd.api.types.is_numeric_dtype(column):
            times = pd.to_datetime(column, unit="D", errors="raise")
        else:
            times = pd.to_datetime(column, utc=True, errors="raise")
    except (ValueError, TypeError) as error:
        raise FrameError(f"time column {name!r} holds something that is no time") from error
    if times.isna().any():
        row = int(np.flatnonzero(times.isna().to_numpy())[0])
        raise FrameError(f"time column {name!r} is empty in row {row}; every row needs its time")
    return times.reset_index(drop=True)


def _codes(column: pd.Series) -> Ints:
    if column.isna().any():
        row = int(np.flatnonzero(column.isna().to_numpy())[0])
        raise FrameError(f"group column {column.name!r} is empty in row {row}")
    codes, distinct = pd.factorize(column.map(str), sort=True)
    if len(distinct) < 10:
        raise ScoringError(f"{len(distinct)} groups are too few to validate on; 10 are needed")
    return np.asarray(codes, dtype=np.int64)
