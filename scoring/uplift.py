"""What a programme changed, estimated without a holdout - or refused.

Belongs here: the observational estimate and the diagnostics that decide whether it may be shown.
Must not: randomised programmes (their holdouts are compared directly), choosing who is enrolled.

It rests on what cannot be tested: that everything which decided both the enrolment and the outcome
is among the covariates, as they were before the enrolment. What can be tested is tested first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from scoring import columns
from scoring.arrays import Floats, Ints, sigmoid
from scoring.columns import Cleaned
from scoring.config import TINY_TREES
from scoring.errors import FrameError
from scoring.ridge import fit_ridge
from scoring.tabular import stratified_parts
from scoring.trees import fit_trees


@dataclass(frozen=True)
class UpliftConfig:
    """How an effect is estimated and when it is refused.

    Attributes:
        folds: of the cross-fitting.
        ridge_c: inverse strength of the ridge of both nuisances.
        with_trees: average its logit with that of tiny trees: less bias where effects bend.
        clip: propensities are kept this far from 0 and 1; the share concerned is reported.
        min_ess: effective sample size that each arm needs after weighting.
        max_smd: largest standardised difference of a covariate after weighting.
        level: of the interval.
        seed: of folds.
    """

    folds: int = 5
    ridge_c: float = 1.0
    with_trees: bool = True
    clip: float = 0.01
    min_ess: float = 50.0
    max_smd: float = 0.1
    level: float = 0.95
    seed: int = 7


@dataclass(frozen=True)
class UpliftEstimate:
    """An effect with what speaks for it; NaN effect where refused.

    Attributes:
        effect: mean over all accounts of the difference of outcome probabilities, treated minus
            untreated.
        low: end of the interval.
        high: end of the interval.
        p_value: of no effect.
        naive: plain difference of the arms' rates, for comparison.
        treated: rows treated.
        control: rows not treated.
        ess_treated: effective sample size of the treated after weighting.
        ess_control: the same of the others.
        overlap_share: share of rows with a propensity between .05 and .95.
        clipped_share: share of rows whose propensity had to be clipped.
        balance: covariate, smd_before, smd_after; one row a coded covariate, largest after first.
        refusal: why no effect is shown; None where it is.
    """

    effect: float
    low: float
    high: float
    p_value: float
    naive: float
    treated: int
    control: int
    ess_treated: float
    ess_control: float
    overlap_share: float
    clipped_share: float
    balance: pd.DataFrame
    refusal: str | None


def estimate(
    table: pd.DataFrame,
    treated: str,
    outcome: str,
    covariates: Sequence[str],
    *,
    groups: str | None = None,
    config: UpliftConfig | None = None,
) -> UpliftEstimate:
    """Cross-fitted augmented inverse propensity weighting (Robins, Rotnitzky and Zhao 1994).

    With propensity e and outcome models m1, m0, each fitted on the other folds (Chernozhukov et al.
    2018), a row's share of the effect is

        m1 - m0 + a (y - m1) / e  -  (1 - a) (y - m0) / (1 - e)

    with the weights of each arm normalised to mean one (Hajek). The effect is the mean, its
    variance that of the shares summed by group. The estimate is right where either nuisance is.

    It is refused, with the reason, when an arm's effective sample size (sum w)^2 / sum w^2 (Kish
    1965) falls below ``min_ess`` or when a covariate's standardised difference stays above
    ``max_smd`` after weighting (Austin 2009; both arms' unweighted spread is the unit).

    Args:
        table: one row a subject, as known before enrolment.
        treated: 0/1 column.
        outcome: 0/1 column.
        covariates: columns of any kind, with gaps, as in `scoring.tabular`.
        groups: column of rows that err together; default every row by itself.
        config: parameters.

    Raises:
        FrameError: a column is missing or holds other values than 0 and 1, or an arm or one of its
            outcomes has fewer rows than there are folds.
    """
    config = config or UpliftConfig()
    a, y, of = _checked(table, treated, outcome, covariates, groups, config)
    kinds = {c: columns.kind_of(table[c]) for c in covariates}
    cleaned = columns.clean(table, kinds)
    with threadpool_limits(limits=1):
        parts = stratified_parts(2.0 * a + y, of, config.folds, config.seed)
        raw_e, m1, m0 = _nuisances(cleaned, kinds, a, y, of, parts, config)
        names, x = _covariates(cleaned, kinds, a, parts)
    e = np.clip(raw_e, config.clip, 1.0 - config.clip)
    w1, w0 = a / e, (1.0 - a) / (1.0 - e)
    ess1, ess0 = float(w1.sum() ** 2 / np.sum(w1**2)), float(w0.sum() ** 2 / np.sum(w0**2))
    balance = _balance(names, x, a, w1, w0)
    refusal = _refusal(ess1, ess0, balance, config)
    share = m1 - m0 + w1 / w1.mean() * (y - m1) - w0 / w0.mean() * (y - m0)
    effect = float(share.mean())
    by_group = np.bincount(of, weights=share - effect)
    g = len(by_group)
    error = float(np.sqrt(g / (g - 1.0) * np.sum(by_group**2))) / len(share)
    z = float(stats.norm.ppf(0.5 + config.level / 2.0))
    nan = float("nan")
    shown = refusal is None
    return UpliftEstimate(
        effect=effect if shown else nan,
        low=effect - z * error if shown else nan,
        high=effect + z * error if shown else nan,
        p_value=float(2.0 * stats.norm.sf(abs(effect) / error)) if shown and error else nan,
        naive=float(y[a == 1.0].mean() - y[a == 0.0].mean()),
        treated=int(a.sum()),
        control=int(len(a) - a.sum()),
        ess_treated=ess1,
        ess_control=ess0,
        overlap_share=float(np.mean((raw_e > 0.05) & (raw_e < 0.95))),
        clipped_share=float(np.mean(raw_e != e)),
        balance=balance,
        refusal=refusal,
    )


def _nuisances(
    cleaned: Cleaned,
    kinds: dict[str, str],
    a: Floats,
    y: Floats,
    of: Ints,
    parts: Ints,
    config: UpliftConfig,
) -> tuple[Floats, Floats, Floats]:
    """Propensity and both outcome probabilities of each row, by models that have not seen it."""
    e, m1, m0 = np.empty(len(a)), np.empty(len(a)), np.empty(len(a))
    for part in range(config.folds):
        train, test = np.flatnonzero(parts != part), np.flatnonzero(parts == part)
        for target, rows, into in (
            (a, train, e),
            (y, train[a[train] == 1.0], m1),
            (y, train[a[train] == 0.0], m0),
        ):
            into[test] = _predicted(cleaned, kinds, target, of, rows, test, config)
    return e, m1, m0


def _predicted(
    cleaned: Cleaned,
    kinds: dict[str, str],
    target: Floats,
    of: Ints,
    rows: Ints,
    test: Ints,
    config: UpliftConfig,
) -> Floats:
    """Probabilities of ``test`` by a model of ``rows``; the rate where those agree."""
    values = target[rows]
    if len(np.unique(values)) < 2:
        # Laplace's rule: that all agreed so far is no certainty.
        return np.full(len(test), (values.sum() + 1.0) / (len(values) + 2.0))
    inner = stratified_parts(values, of[rows], 5, config.seed)
    coding, x = columns.fit_coding(cleaned, kinds, target, rows, inner)
    unseen = coding.matrix(columns.take(cleaned, test))
    names = tuple(f"x{j}" for j in range(x.shape[1]))
    raw = fit_ridge(x, values, names, config.ridge_c).raw_logit(unseen)
    if config.with_trees:
        trees = fit_trees(x, values, names, TINY_TREES, seed=config.seed)
        raw = (raw + trees.raw_logit(unseen)) / 2.0
    return sigmoid(raw)


def _covariates(
    cleaned: Cleaned, kinds: dict[str, str], a: Floats, parts: Ints
) -> tuple[list[str], Floats]:
    """Coded covariates, gaps filled with the mean and shown as covariates of their own."""
    coding, _ = columns.fit_coding(cleaned, kinds, a, np.arange(len(a), dtype=np.int64), parts)
    names, values = [], []
    for column, kind in kinds.items():
        if kind == columns.LEVEL:
            for level in coding.levels[column]:
                names.append(f"{column} = {level or 'unknown'}")
                values.append(np.asarray(cleaned.levels[column] == level, dtype=np.float64))
            continue
        numbers = cleaned.numbers[column]
        gaps = np.isnan(numbers)
        if gaps.any():
            names.append(f"{column} unknown")
            values.append(gaps.astype(np.float64))
        if not gaps.all():
            names.append(column)
            values.append(np.where(gaps, numbers[~gaps].mean(), numbers))
    return names, np.column_stack(values)


def _balance(names: list[str], x: Floats, a: Floats, w1: Floats, w0: Floats) -> pd.DataFrame:
    """Standardised differences before and after weighting."""
    treated, others = x[a == 1.0], x[a == 0.0]
    spread = np.sqrt((treated.var(axis=0) + others.var(axis=0)) / 2.0)
    before = np.abs(treated.mean(axis=0) - others.mean(axis=0))
    after = np.abs(w1 @ x / w1.sum() - w0 @ x / w0.sum())
    # A covariate constant within both arms but different between them is imbalance without end.
    unit = np.where(spread > 1e-12, spread, np.where(before > 1e-12, 1e-12, 1.0))
    table = pd.DataFrame(
        {"covariate": names, "smd_before": before / unit, "smd_after": after / unit}
    )
    return table.sort_values(["smd_after", "covariate"], ascending=[False, True], ignore_index=True)


def _refusal(ess1: float, ess0: float, balance: pd.DataFrame, config: UpliftConfig) -> str | None:
    reasons = []
    for arm, size in (("treated", ess1), ("untreated", ess0)):
        if size < config.min_ess:
            reasons.append(
                f"effective sample size of the {arm} is {size:.0f}, below {config.min_ess:.0f}"
            )
    worst = balance.iloc[0]
    if float(worst["smd_after"]) > config.max_smd:
        reasons.append(
            f"{worst['covariate']!r} still differs by {worst['smd_after']:.2f} standard deviations "
            f"after weighting, above {config.max_smd:g}"
        )
    return "; ".join(reasons) or None


def _checked(
    table: pd.DataFrame,
    treated: str,
    outcome: str,
    covariates: Sequence[str],
    groups: str | None,
    config: UpliftConfig,
) -> tuple[Floats, Floats, Ints]:
    """Treatment and outcome as 0/1, and a whole number a group."""
    if not covariates:
        raise FrameError("without covariates nothing can be adjusted for; name some")
    named = [treated, outcome, *covariates, *([groups] if groups else [])]
    missing = [c for c in named if c not in table.columns]
    if missing:
        raise FrameError(f"the table lacks columns: {', '.join(missing)}")
    if {treated, outcome} & set(covariates):
        raise FrameError("treatment and outcome cannot be covariates")
    for column in (treated, outcome):
        if not table[column].isin([0, 1]).all():
            raise FrameError(f"column {column!r} holds values other than 0 and 1")
    a = table[treated].to_numpy(dtype=np.float64)
    y = table[outcome].to_numpy(dtype=np.float64)
    for arm, size in (("treated", a.sum()), ("untreated", len(a) - a.sum())):
        if size < 2 * config.folds:
            raise FrameError(f"{int(size)} {arm} rows; at least {2 * config.folds} are needed")
    if groups is None:
        return a, y, np.arange(len(a), dtype=np.int64)
    codes, _ = pd.factorize(table[groups].astype("str"), sort=True)
    return a, y, np.asarray(codes, dtype=np.int64)
