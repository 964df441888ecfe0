"""How good a probability is, and how sure one may be of it.

Belongs here: measures of scores and the intervals around them. Must not: models, frames, files.
Every function takes plain arrays, so that people's own forecasts are measured the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from scoring.arrays import Bools, Floats, logit
from scoring.calibration import fit_platt
from scoring.errors import ScoringError


@dataclass(frozen=True)
class Interval:
    """An estimate with its lower and upper end."""

    estimate: float
    low: float
    high: float


def auc(y: Floats, score: Floats) -> float:
    """Area under the ROC curve by ranks (Mann-Whitney), ties counted half.

    NaN where only one outcome occurs.
    """
    positive = y == 1.0
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if n1 == 0 or n0 == 0:
        return float("nan")
    ranks = stats.rankdata(score)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2.0) / (n1 * n0))


def log_losses(y: Floats, p: Floats, floor: float = 1e-12) -> Floats:
    """Log loss of each row, in nats."""
    q = np.clip(p, floor, 1.0 - floor)
    return np.asarray(-(y * np.log(q) + (1.0 - y) * np.log(1.0 - q)), dtype=np.float64)


def log_loss(y: Floats, p: Floats) -> float:
    """Mean log loss, in nats."""
    return float(log_losses(y, p).mean())


def brier(y: Floats, p: Floats) -> float:
    """Mean squared error of the probability (Brier 1950)."""
    return float(np.mean((p - y) ** 2))


def brier_skill(y: Floats, p: Floats, base: float | None = None) -> float:
    """1 - Brier / Brier of the base rate; above zero is better than knowing nothing.

    Args:
        y: outcomes.
        p: forecasts.
        base: the rate known beforehand; default the rate of ``y`` itself, the harder rival.
    """
    reference = brier(y, np.full(len(y), float(y.mean()) if base is None else base))
    return float("nan") if reference == 0.0 else 1.0 - brier(y, p) / reference


def ece(y: Floats, p: Floats, bins: int = 10) -> float:
    """Expected calibration error over bins of equal counts (Naeini et al. 2015)."""
    if len(y) == 0:
        return float("nan")
    order = np.argsort(p, kind="stable")
    error = 0.0
    for part in np.array_split(order, min(bins, len(y))):
        error += len(part) / len(y) * abs(float(y[part].mean()) - float(p[part].mean()))
    return error


def calibration_line(y: Floats, p: Floats) -> tuple[float, float]:
    """Intercept and slope of the outcomes on the forecast's logit (Cox 1958); (0, 1) is perfect.

    A slope below one means forecasts too extreme. NaN where the outcomes or the forecasts do not
    vary.
    """
    z = logit(p)
    if len(np.unique(y)) < 2 or float(np.ptp(z)) == 0.0:
        return float("nan"), float("nan")
    line = fit_platt(z, y, smooth=False)
    return line.intercept, line.slope


def top_lift(y: Floats, p: Floats, share: float = 0.1) -> float:
    """Loss rate among the riskiest ``share`` over the overall rate; ties go by position."""
    if len(y) == 0 or y.mean() == 0.0:
        return float("nan")
    top = np.argsort(-p, kind="stable")[: max(1, round(share * len(y)))]
    return float(y[top].mean() / y.mean())


def wilson(successes: int, trials: int, level: float = 0.95) -> Interval:
    """Interval of a share (Wilson 1927): holds at small counts and at shares near 0 and 1."""
    if trials < 0 or not 0 <= successes <= max(trials, 0):
        raise ScoringError(f"{successes} of {trials} is no share")
    if trials == 0:
        return Interval(float("nan"), 0.0, 1.0)
    return wilson_of_share(successes / trials, float(trials), level)


def wilson_of_share(share: float, trials: float, level: float = 0.95) -> Interval:
    """The same of a share and the number of independent trials it is worth, whole or not."""
    if trials <= 0.0:
        raise ScoringError("a share of no trials has no interval")
    z = float(stats.norm.ppf(0.5 + level / 2.0))
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    half = float(half / (1 + z * z / trials))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))


def effective_size(clusters: pd.Series) -> float:
    """Independent observations that rows are worth if those of one cluster say the same.

    (sum of m)^2 / sum of m^2 over cluster sizes m (Kish, Survey Sampling, 1965, sec. 8.2): a floor,
    since the rows of an account mostly share one outcome but not always.
    """
    sizes = clusters.value_counts().to_numpy(dtype=np.float64)
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if len(sizes) else 0.0


@dataclass(frozen=True)
class CalibrationBin:
    """Rows of similar forecasts, and what became of them.

    Attributes:
        n: rows.
        losses: bad outcomes among them.
        mean_p: mean forecast.
        rate: share of bad outcomes.
        low, high: interval of the rate, counting each cluster once (`effective_size`).
        effective_n: what that counting makes of ``n``.
    """

    n: int
    losses: int
    mean_p: float
    rate: float
    low: float
    high: float
    effective_n: float


def calibration_bins(
    y: Floats, p: Floats, clusters: pd.Series, bins: int = 10, level: float = 0.95
) -> list[CalibrationBin]:
    """The bins of `ece`, lowest forecasts first, each with an interval over clusters."""
    found = []
    order = np.argsort(p, kind="stable")
    for part in np.array_split(order, min(bins, len(y))):
        rate, worth = float(y[part].mean()), effective_size(clusters.iloc[part])
        interval = wilson_of_share(rate, worth, level)
        found.append(
            CalibrationBin(
                len(part),
                int(y[part].sum()),
                float(p[part].mean()),
                rate,
                interval.low,
                interval.high,
                worth,
            )
        )
    return found


def ece_by_chance(bins: list[CalibrationBin]) -> float:
    """Calibration error that perfect forecasts would show in these bins by chance alone.

    The mean absolute value of a normal variable of variance p (1 - p) / n is sqrt(2 / pi) times
    its standard deviation.
    """
    n = sum(b.n for b in bins)
    spread = (np.sqrt(b.mean_p * (1.0 - b.mean_p) / b.effective_n) * b.n for b in bins)
    return float(np.sqrt(2.0 / np.pi) * sum(spread) / n) if n else float("nan")


def band_honesty(y: Floats, bands: pd.Series, level: float = 0.95) -> pd.DataFrame:
    """Observed loss rate of each band with its Wilson interval: does "high" mean it?

    Returns:
        band, n, losses, rate, low, high; sorted by band.
    """
    table = pd.DataFrame({"band": bands.to_numpy(), "y": y})
    rows = []
    for band, part in table.groupby("band", sort=True):
        n, losses = len(part), int(part["y"].sum())
        interval = wilson(losses, n, level)
        rows.append((str(band), n, losses, interval.estimate, interval.low, interval.high))
    return pd.DataFrame(rows, columns=["band", "n", "losses", "rate", "low", "high"])


def psi(expected: Floats, actual: Floats, floor: float = 0.5) -> float:
    """Population stability index between two vectors of bin counts.

    ``floor`` is the count put into an empty bin, so that the logarithm exists.
    """
    if expected.shape != actual.shape or expected.sum() <= 0 or actual.sum() <= 0:
        raise ScoringError("a stability index needs two non-empty count vectors of one length")
    e = np.maximum(expected, floor)
    a = np.maximum(actual, floor)
    e, a = e / e.sum(), a / a.sum()
    return float(np.sum((a - e) * np.log(a / e)))


def psi_limit(bins: int, n: int, m: int, level: float = 0.95) -> float:
    """The index that samples of n and m reach by chance alone: chi2(B-1, level) (1/n + 1/m).

    The usual constant .1 is exceeded without any drift in about a third of all pairs of samples
    of 200 (Yurdakul and Naranjo 2020, asymptotic distribution).
    """
    if bins < 2 or n < 1 or m < 1:
        raise ScoringError("the limit needs two bins and one observation on each side")
    return float(stats.chi2.ppf(level, bins - 1) * (1.0 / n + 1.0 / m))


def benjamini_hochberg(p_values: Floats, q: float = 0.05) -> tuple[Bools, Floats]:
    """Step-up control of the false discovery rate (Benjamini and Hochberg 1995).

    Args:
        p_values: one a test, in any order; NaN counts as not tested.
        q: tolerated share of false discoveries.

    Returns:
        (rejected, q-values), both in the order given; NaN q-value where not tested.
    """
    tested = ~np.isnan(p_values)
    m = int(tested.sum())
    q_values = np.full(len(p_values), np.nan)
    if m:
        p = p_values[tested]
        order = np.argsort(p, kind="stable")
        adjusted = p[order] * m / np.arange(1, m + 1)
        adjusted = np.minimum(1.0, np.minimum.accumulate(adjusted[::-1])[::-1])
        back = np.empty(m)
        back[order] = adjusted
        q_values[tested] = back
    rejected = np.zeros(len(p_values), dtype=np.bool_)
    rejected[tested] = q_values[tested] <= q
    return rejected, q_values


def clustered_bootstrap(
    statistic: Callable[[Floats], float],
    clusters: pd.Series,
    *,
    draws: int = 500,
    level: float = 0.95,
    seed: int = 7,
) -> Interval:
    """Percentile interval of a weighted statistic when rows of one cluster come together.

    Whole clusters are drawn with replacement; the statistic sees how often each row was drawn.

    Args:
        statistic: of row weights (counts), shape (n,).
        clusters: one label a row.
        draws: bootstrap samples.
        level: of the interval.
        seed: of the draws.
    """
    codes, distinct = pd.factorize(clusters, sort=True)
    rng = np.random.default_rng(seed)
    values = np.empty(draws)
    for b in range(draws):
        drawn = rng.integers(0, len(distinct), len(distinct))
        counts = np.bincount(drawn, minlength=len(distinct)).astype(np.float64)
        values[b] = statistic(counts[codes])
    values = values[~np.isnan(values)]
    centre = statistic(np.ones(len(codes)))
    if len(values) == 0:
        return Interval(centre, float("nan"), float("nan"))
    tail = (1.0 - level) / 2.0
    low, high = np.quantile(values, [tail, 1.0 - tail])
    return Interval(centre, float(low), float(high))


def clustered_auc(
    y: Floats,
    score: Floats,
    clusters: pd.Series,
    *,
    draws: int = 100,
    level: float = 0.95,
    seed: int = 7,
) -> Interval:
    """Area under the curve with its interval over clusters; sorted once for all draws."""
    _, place = np.unique(score, return_inverse=True)

    def area(weights: Floats) -> float:
        lost = np.bincount(place, weights * y)
        kept = np.bincount(place, weights * (1.0 - y))
        pairs = float(lost.sum() * kept.sum())
        below = np.cumsum(kept) - kept / 2.0
        return float(lost @ below) / pairs if pairs > 0.0 else float("nan")

    return clustered_bootstrap(area, clusters, draws=draws, level=level, seed=seed)


def clustered_ratio(
    numerator: Floats,
    denominator: Floats,
    clusters: pd.Series,
    *,
    draws: int = 500,
    level: float = 0.95,
    seed: int = 7,
) -> Interval:
    """Ratio of two sums over rows with its interval over clusters: means, shares, Brier ratios.

    Sums are taken by cluster first, so that many rows cost no more than few.
    """
    codes, distinct = pd.factorize(clusters, sort=True)
    above = np.bincount(codes, numerator, minlength=len(distinct))
    beneath = np.bincount(codes, denominator, minlength=len(distinct))

    def ratio(weights: Floats) -> float:
        whole = float(weights @ beneath)
        return float(weights @ above) / whole if whole > 0.0 else float("nan")

    by_cluster = pd.Series(np.arange(len(distinct)))
    return clustered_bootstrap(ratio, by_cluster, draws=draws, level=level, seed=seed)


def clustered_brier(y: Floats, p: Floats, clusters: pd.Series, *, seed: int = 7) -> Interval:
    """Brier score with its interval over clusters."""
    return clustered_ratio((p - y) ** 2, np.ones(len(y)), clusters, seed=seed)


def clustered_skill(
    y: Floats, p: Floats, rival: Floats, clusters: pd.Series, *, seed: int = 7
) -> Interval:
    """1 - Brier / Brier of a rival's forecasts of the same rows, with its interval over clusters.

    Above zero the rival is beaten; both are drawn together, so what is hard for both cancels out.
    """
    ratio = clustered_ratio((p - y) ** 2, (rival - y) ** 2, clusters, seed=seed)
    return Interval(1.0 - ratio.estimate, 1.0 - ratio.high, 1.0 - ratio.low)


def clustered_slope(
    y: Floats, p: Floats, clusters: pd.Series, level: float = 0.95
) -> Interval | None:
    """Calibration slope with the interval of its clustered sandwich error; None where undefined."""
    z = logit(p)
    if len(np.unique(y)) < 2 or float(np.ptp(z)) == 0.0:
        return None
    line = fit_platt(z, y, clusters, smooth=False)
    half = float(stats.norm.ppf(0.5 + level / 2.0)) * float(np.sqrt(line.covariance[1][1]))
    return Interval(line.slope, line.slope - half, line.slope + half)


def paired_log_loss(
    y: Floats,
    p_champion: Floats,
    p_challenger: Floats,
    clusters: pd.Series,
    *,
    draws: int = 500,
    seed: int = 7,
) -> Interval:
    """Challenger's log loss minus champion's on the same rows; below zero favours the challenger.

    The interval is bootstrapped over clusters, since the rows of one account err together.
    """
    difference = log_losses(y, p_challenger) - log_losses(y, p_champion)

    def mean(weights: Floats) -> float:
        return float(np.sum(weights * difference) / np.sum(weights))

    return clustered_bootstrap(mean, clusters, draws=draws, seed=seed)


def summary(y: Floats, p: Floats) -> dict[str, float]:
    """All single numbers at once, rounded to six decimals; NaN becomes absent."""
    intercept, slope = calibration_line(y, p)
    numbers: Mapping[str, float] = {
        "n": float(len(y)),
        "losses": float(np.sum(y)),
        "base_rate": float(y.mean()) if len(y) else float("nan"),
        "auc": auc(y, p),
        "log_loss": log_loss(y, p) if len(y) else float("nan"),
        "brier": brier(y, p) if len(y) else float("nan"),
        "brier_skill": brier_skill(y, p) if len(y) else float("nan"),
        "ece": ece(y, p),
        "calibration_intercept": intercept,
        "calibration_slope": slope,
        "top_decile_lift": top_lift(y, p),
    }
    return {k: round(v, 6) for k, v in numbers.items() if not np.isnan(v)}


def as_record(interval: Interval) -> dict[str, float]:
    """An interval as a JSON-ready record, rounded to six decimals."""
    return {k: round(v, 6) for k, v in asdict(interval).items() if not np.isnan(v)}
