"""Which actions stand beside more renewals, at equal segment, size and prior risk.

Belongs here: the table of actions, one row a renewal behind it. Must not: features, models that
serve, causes - people act where they expect success, and no adjustment knows what they saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

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
    renewals: pd.DataFrame, actions: Sequence[str], config: ActionConfig | None = None
) -> pd.DataFrame:
    """Renewal rates with and without each action, and the odds ratio at equal circumstances.

    The odds ratio is that of a logistic regression of the renewal on the action, segment, log ARR
    and the logit of the risk foreseen *before* the action. Its interval inverts the score test that
    also gives the p-value, robust to renewals of one account that end alike (clustered by account;
    Boos 1992, "On generalized score tests"), with Student's quantiles: unlike Wald's it holds with
    few losses, and an interval excludes 1 exactly where p falls below 1 - level. Several rows a
    renewal would make half of all idle actions look significant, so a repeated renewal is an error.

    Args:
        renewals: `NEEDED` and one 0/1 column an action; one row a matured renewal. ``due_on`` with
            ``account_id`` is the key (add ``contract_id`` where an account has several a day);
            ``p_prior`` is the probability of loss foreseen before the actions' window.
        actions: names of the action columns.
        config: parameters.

    Returns:
        `COLUMNS`, one row an action, sorted by it; ``lift`` is the quotient of the two rates. Where
        ``refusal`` holds a reason, estimates are NaN and the action is not among the tests.

    Raises:
        FrameError: a column is missing, a renewal repeats, or a value is outside its domain.
    """
    config = config or ActionConfig()
    _check(renewals, actions)
    y = as_floats(renewals["is_renewed"].astype("float64"))
    clusters, _ = pd.factorize(renewals["account_id"].astype("str"), sort=True)
    z = adjusters(renewals)
    rows = []
    for name in sorted(actions):
        a = as_floats(renewals[name].astype("float64"))
        rows.append({"action": name, **_compared(a, y, z, clusters.astype(np.int64), config)})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    if len(table) == 0:
        return table
    rejected, q_values = benjamini_hochberg(table["p_value"].to_numpy(dtype=np.float64), config.q)
    return table.assign(q_value=q_values, is_associated=rejected)


def adjusters(renewals: pd.DataFrame) -> Floats:
    """Standardised log ARR, logit of the prior risk, and segments; gaps at the mean, flagged."""
    arr = np.log1p(as_floats(renewals["arr_usd"].astype("float64")))
    risk = logit(as_floats(renewals["p_prior"].astype("float64")), 1e-4)
    segment = renewals["segment"].astype("object").fillna("unknown").astype("str")
    dummies = pd.get_dummies(segment, dtype="float64").to_numpy()
    parts = [arr, risk, np.isnan(arr).astype(float), np.isnan(risk).astype(float)]
    x = np.column_stack([*parts, dummies])
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
    log_odds = np.array([-8.0, 8.0])

    def statistic(beta: float) -> float:
        return _score(beta, a, y, z, clusters, config.penalty)

    ends = []
    for target in (limit, 0.0, -limit):
        # The statistic falls as the odds ratio rises; an end beyond e^8 is open.
        low, high = log_odds
        if statistic(low) < target:
            ends.append(0.0)
        elif statistic(high) > target:
            ends.append(float("inf"))
        else:
            for _ in range(26):
                middle = (low + high) / 2.0
                low, high = (middle, high) if statistic(middle) > target else (low, middle)
            ends.append(float(np.exp((low + high) / 2.0)))
    return {
        "odds_ratio": ends[1],
        "low": ends[0],
        "high": ends[2],
        "p_value": float(2.0 * stats.t.sf(abs(statistic(0.0)), freedom)),
    }


def _score(beta: float, a: Floats, y: Floats, z: Floats, clusters: Ints, penalty: float) -> float:
    """Robust score statistic of the action's log odds at ``beta``, the adjusters profiled out."""
    design = np.column_stack([np.ones(len(y)), z])
    ridge = np.diag([1e-9, *([penalty] * z.shape[1])])
    gamma = np.zeros(design.shape[1])
    gamma[0] = float(logit(np.array([y.mean()]))[0])
    for _ in range(40):
        p = sigmoid(design @ gamma + beta * a)
        hessian = (design * (p * (1.0 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(hessian, design.T @ (y - p) - ridge @ gamma)
        gamma += step * min(1.0, 3.0 / max(float(np.max(np.abs(step))), 1e-300))
        if float(np.max(np.abs(step))) < 1e-8:
            break
    p = sigmoid(design @ gamma + beta * a)
    weighted = design * (p * (1.0 - p))[:, None]
    # What the adjusters say about the action is not evidence of the action.
    fitted = design @ np.linalg.solve(weighted.T @ design + ridge, weighted.T @ a)
    scores = np.bincount(clusters, weights=(a - fitted) * (y - p))
    groups, n, k = len(scores), len(y), design.shape[1]
    correction = groups / max(groups - 1, 1) * (n - 1) / max(n - k, 1)
    spread = float(np.sqrt(correction * np.sum(scores**2)))
    return float(scores.sum()) / spread if spread > 0.0 else 0.0


def _check(renewals: pd.DataFrame, actions: Sequence[str]) -> None:
    missing = [c for c in (*NEEDED, *actions) if c not in renewals.columns]
    if missing:
        raise FrameError(f"the table of renewals lacks columns: {', '.join(missing)}")
    key = ["account_id", "due_on"]
    key += ["contract_id"] if "contract_id" in renewals.columns else []
    repeated = int(renewals.duplicated(key).sum())
    if repeated:
        raise FrameError(
            f"{repeated} rows repeat a renewal ({', '.join(key)}); the table holds one row each"
        )
    for column in ("is_renewed", *actions):
        if not renewals[column].isin([0, 1]).all():
            raise FrameError(f"column {column!r} holds values other than 0 and 1")
    prior = pd.to_numeric(renewals["p_prior"], errors="coerce")
    if ((prior < 0.0) | (prior > 1.0)).any() or (renewals["arr_usd"] < 0).any():
        raise FrameError("p_prior lies outside 0 to 1, or arr_usd below 0")
