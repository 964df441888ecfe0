"""Which actions stand beside more renewals, at equal segment, size and prior risk.

Belongs here: the table of actions, one row a renewal behind it. Must not: features, models that
serve, causes - people act where they expect success, and no adjustment knows what they saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import optimize, stats

from scoring.arrays import Floats, Ints, as_floats, logit, sigmoid
from scoring.errors import FrameError
from scoring.evaluation import benjamini_hochberg

NEEDED = ("account_id", "due_on", "is_renewed", "segment", "arr_usd", "p_prior")
COLUMNS = (
    "action",
    "renewals_with",
    "renewals_without",
    "renewed_with",
    "renewed_without",
    "renewal_rate_with",
    "renewal_rate_without",
    "lift",
    "odds_ratio",
    "low",
    "high",
    "p_value",
    "q_value",
    "is_associated",
    "refusal",
)


@dataclass(frozen=True)
class ActionConfig:
    """How actions are compared.

    Attributes:
        min_renewals: renewals that each side of an action needs.
        min_rarer: lost and renewed ones that both sides together need, each.
        penalty: ridge on standardised adjusters (inverse prior variance); the action has none.
        level: of the interval.
        q: tolerated share of false discoveries over actions.
    """

    min_renewals: int = 20
    min_rarer: int = 10
    penalty: float = 1.0
    level: float = 0.95
    q: float = 0.05


def associate(
    renewals: pd.DataFrame,
    actions: Sequence[str],
    config: ActionConfig | None = None,
    *,
    also: Sequence[str] = (),
) -> pd.DataFrame:
    """Renewal rates with and without each action, and the odds ratio at equal circumstances.

    The odds ratio is that of a logistic regression of the renewal on the action, segment, log ARR
    and the logit of the risk foreseen *before* the action. Its interval inverts the score test that
    also gives the p-value, with Student's quantiles: unlike Wald's it holds with few losses, and an
    interval excludes 1 exactly where p falls below 1 - level. Its variance is the model's, times
    the design effect of renewals of one account that end alike (Kish 1965; Rao and Scott 1992, "A
    simple method for the analysis of clustered binary data"). Several rows a renewal would make
    half of all idle actions look significant, so a repeated renewal is an error.

    Args:
        renewals: `NEEDED` and one 0/1 column an action; one row a matured renewal. ``due_on`` with
            ``account_id`` is the key (add ``contract_id`` where an account has several a day);
            ``p_prior`` is the probability of loss foreseen before the actions' window.
        actions: names of the action columns.
        config: parameters.
        also: further columns of numbers that are held equal, such as the time there was to act in.

    Returns:
        `COLUMNS`, one row an action, sorted by it; ``lift`` is the quotient of the two rates. Where
        ``refusal`` holds a reason, estimates are NaN and the action is not among the tests.

    Raises:
        FrameError: a column is missing, a renewal repeats, or a value is outside its domain.
    """
    config = config or ActionConfig()
    _check(renewals, actions, also)
    y = as_floats(renewals["is_renewed"].astype("float64"))
    clusters, _ = pd.factorize(renewals["account_id"].astype("str"), sort=True)
    z = adjusters(renewals, also)
    rows = []
    for name in sorted(actions):
        a = as_floats(renewals[name].astype("float64"))
        rows.append({"action": name, **_compared(a, y, z, clusters.astype(np.int64), config)})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if len(table) == 0:
        return table
    rejected, q_values = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64), config.q)
    return table.assign(q_value=q_values, is_associated=rejected)


def adjusters(renewals: pd.DataFrame, also: Sequence[str] = ()) -> Floats:
    """Standardised log ARR, logit of the prior risk, segments and whatever else is held equal.

    Gaps of ARR and risk are set to the mean and flagged, other gaps are set to the mean.
    """
    arr = np.log1p(as_floats(renewals["arr_usd"].astype("float64")))
    risk = logit(as_floats(renewals["p_prior"].astype("float64")), 1e-4)
    segment = renewals["segment"].astype("object").fillna("unknown").astype("str")
    dummies = pd.get_dummies(segment, dtype="float64").to_numpy()
    parts = [arr, risk, np.isnan(arr).astype(float), np.isnan(risk).astype(float)]
    more = [as_floats(renewals[c].astype("float64")) for c in also]
    x = np.column_stack([*parts, dummies, *more])
    known = ~np.isnan(x)
    mean = np.where(known, x, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    x = np.where(known, x, mean) - mean
    scale = x.std(axis=0)
    return np.asarray(x[:, scale > 1e-9] / scale[scale > 1e-9], dtype=np.float64)


def _compared(
    a: Floats, y: Floats, z: Floats, clusters: Ints, config: ActionConfig
) -> dict[str, object]:
    """One action's figures."""
    done = a == 1.0
    n1, n0 = int(done.sum()), int((~done).sum())
    k1, k0 = int(y[done].sum()), int(y[~done].sum())
    rate1 = k1 / n1 if n1 else float("nan")
    rate0 = k0 / n0 if n0 else float("nan")
    figures: dict[str, object] = {
        "renewals_with": n1,
        "renewals_without": n0,
        "renewed_with": k1,
        "renewed_without": k0,
        "renewal_rate_with": rate1,
        "renewal_rate_without": rate0,
        "lift": rate1 / rate0 if rate0 > 0.0 else float("nan"),
        "odds_ratio": float("nan"),
        "low": float("nan"),
        "high": float("nan"),
        "p_value": float("nan"),
        "refusal": None,
    }
    rarer = min(k1 + k0, n1 + n0 - k1 - k0)
    if min(n1, n0) < config.min_renewals:
        figures["refusal"] = (
            f"{n1} renewals with and {n0} without; {config.min_renewals} are needed on each side"
        )
    elif rarer < config.min_rarer:
        figures["refusal"] = f"{rarer} of the rarer outcome; {config.min_rarer} are needed"
    else:
        figures |= _odds_ratio(a, y, z, clusters, config)
    return figures


def _odds_ratio(
    a: Floats, y: Floats, z: Floats, clusters: Ints, config: ActionConfig
) -> dict[str, object]:
    """Root of the efficient score, the interval on which its test accepts, and the test at 1."""
    # Evidence is as scarce as the rarer outcome, not as rows are plenty.
    freedom = max(float(min(y.sum(), len(y) - y.sum())) - z.shape[1] - 1.0, 3.0)
    limit = float(stats.t.ppf(0.5 + config.level / 2.0, freedom))
    statistic = _Statistic(a, y, z, clusters, config.penalty)
    at_one = statistic(0.0)
    ends = [statistic.crossing(target) for target in (limit, 0.0, -limit)]
    return {
        "odds_ratio": float(np.exp(ends[1])),
        "low": float(np.exp(ends[0])),
        "high": float(np.exp(ends[2])),
        "p_value": float(2.0 * stats.t.sf(abs(at_one), freedom)),
    }


class _Statistic:
    """Robust score statistic of the action's log odds, the adjusters profiled out at each value.

    It remembers what it was asked: the adjusters' coefficients at one value are nearly those of its
    neighbours, and the ends of an interval are looked for between values already known.
    """

    REACH = 8.0
    TOLERANCE = 1e-7

    def __init__(self, a: Floats, y: Floats, z: Floats, clusters: Ints, penalty: float) -> None:
        self._a, self._y, self._clusters = a, y, clusters
        self._design = np.column_stack([np.ones(len(y)), z])
        self._ridge = np.diag([1e-9, *([penalty] * z.shape[1])])
        n, k = self._design.shape
        groups = int(clusters.max()) + 1
        self._correction = groups / max(groups - 1, 1) * (n - 1) / max(n - k, 1)
        self._known: dict[float, _Point] = {}

    def __call__(self, beta: float) -> float:
        return self._at(beta).value

    def crossing(self, target: float) -> float:
        """Log odds at which the statistic, which falls as they rise, meets ``target``.

        An end beyond e^8 is open: minus or plus infinity.
        """
        if not self._enclose(target):
            return -np.inf if self(-self.REACH) < target else np.inf
        low, high = self._bracket(target)
        # Two steps along the slope leave little to search.
        for _ in range(2):
            guess = self._foreseen(min((low, high), key=lambda b: abs(self(b) - target)), target)
            if not low < guess < high:
                break
            self(guess)
            low, high = self._bracket(target)
        if self(low) == target or high - low < self.TOLERANCE:
            return low
        return float(
            optimize.brentq(lambda b: self(b) - target, low, high, xtol=self.TOLERANCE, rtol=1e-15)
        )

    def _enclose(self, target: float) -> bool:
        """Go where the statistic should be ``target``, and on, until it has passed it."""
        self(0.0)
        beta = min(self._known, key=lambda b: abs(self(b) - target))
        side = 1.0 if self(beta) >= target else -1.0
        stride = max(abs(self._foreseen(beta, target) - beta), 0.05)
        while (self(beta) - target) * side >= 0.0:
            if abs(beta) >= self.REACH and beta * side > 0.0:
                return False
            beta = float(np.clip(beta + side * stride, -self.REACH, self.REACH))
            stride *= 2.0
        return True

    def _foreseen(self, beta: float, target: float) -> float:
        """Where the statistic meets ``target`` if it goes on as it does at a value known."""
        point = self._known[beta]
        return beta + (point.value - target) / max(point.slope, 1e-9)

    def _bracket(self, target: float) -> tuple[float, float]:
        """Neighbours among the values known, the statistic of one above and of one below."""
        low = max(b for b, point in self._known.items() if point.value >= target)
        high = min((b for b in self._known if b > low), default=low)
        return low, high

    def _at(self, beta: float) -> _Point:
        if beta not in self._known:
            self._known[beta] = self._computed(beta)
        return self._known[beta]

    def _computed(self, beta: float) -> _Point:
        design, ridge, a, y = self._design, self._ridge, self._a, self._y
        gamma = self._start(beta)
        for _ in range(40):
            p = sigmoid(design @ gamma + beta * a)
            hessian = (design * (p * (1.0 - p))[:, None]).T @ design + ridge
            step = np.linalg.solve(hessian, design.T @ (y - p) - ridge @ gamma)
            gamma = gamma + step * min(1.0, 3.0 / max(float(np.max(np.abs(step))), 1e-300))
            if float(np.max(np.abs(step))) < 1e-6:
                break
        p = sigmoid(design @ gamma + beta * a)
        weighted = design * (p * (1.0 - p))[:, None]
        # What the adjusters say about the action is not evidence of the action.
        along = as_floats(np.linalg.solve(weighted.T @ design + ridge, weighted.T @ a))
        efficient = a - design @ along
        single = efficient * (y - p)
        scores = np.bincount(self._clusters, weights=single)
        # The variance that independent renewals have by the model, times what it adds that those of
        # one account end alike. Squares observed would be too few where few of those with the
        # action were lost, and none would be left where none was.
        information = float(np.sum(p * (1.0 - p) * efficient**2))
        alike = self._correction * float(np.sum(scores**2)) / max(float(np.sum(single**2)), 1e-300)
        spread = float(np.sqrt(information * max(alike, 1.0)))
        value = float(scores.sum()) / spread if spread > 0.0 else 0.0
        return _Point(value, information / spread if spread > 0.0 else 0.0, gamma, along)

    def _start(self, beta: float) -> Floats:
        """Coefficients of the adjusters near ``beta``, foreseen from the nearest value known."""
        if not self._known:
            gamma = np.zeros(self._design.shape[1])
            gamma[0] = float(logit(np.array([self._y.mean()]))[0])
            return gamma
        nearest = min(self._known, key=lambda b: abs(b - beta))
        point = self._known[nearest]
        distance = float(np.clip(beta - nearest, -1.0, 1.0))
        return np.asarray(point.gamma - distance * point.along, dtype=np.float64)


@dataclass(frozen=True)
class _Point:
    """The statistic at one value of the log odds.

    Attributes:
        value: the statistic.
        slope: by how much it falls, nearly, as the log odds rise.
        gamma: coefficients of intercept and adjusters there.
        along: by how much these fall as the log odds rise.
    """

    value: float
    slope: float
    gamma: Floats
    along: Floats


def _check(renewals: pd.DataFrame, actions: Sequence[str], also: Sequence[str]) -> None:
    missing = [c for c in (*NEEDED, *actions, *also) if c not in renewals.columns]
    if missing:
        raise FrameError(f"the table of renewals lacks columns: {', '.join(missing)}")
    key = ["account_id", "due_on"]
    key += ["contract_id"] if "contract_id" in renewals.columns else []
    repeated = int(renewals.duplicated(key).sum())
    if repeated:
        raise FrameError(
            f"{repeated} rows repeat a renewal ({', '.join(key)}); the table holds one row each"
        )
    is_flag = renewals[["is_renewed", *actions]].isin([0, 1]).all()
    if not is_flag.all():
        raise FrameError(f"column {is_flag.idxmin()!r} holds values other than 0 and 1")
    prior = pd.to_numeric(renewals["p_prior"], errors="coerce")
    if ((prior < 0.0) | (prior > 1.0)).any() or (renewals["arr_usd"] < 0).any():
        raise FrameError("p_prior lies outside 0 to 1, or arr_usd below 0")
