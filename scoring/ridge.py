"""Ridge regression, logistic and linear, that accepts missing values and explains itself exactly.

Belongs here: standardisation fitted on training rows, missing indicators, the linear fit.
Must not: choosing rows; trees.

A missing value is set to the training median and its indicator carries what being missing means;
both belong to the same feature's contribution, so a row's contributions still sum to its logit.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from scoring.arrays import DECIMALS, Bools, Floats
from scoring.errors import FrameError, RegistryError

SOME_ROWS = 50_000
"""Rows by which the fit of a very large frame is begun, and that are made ready at once."""
CLIP = 4.0
"""Standard deviations beyond which a value says no more: one wild account must not own the line."""
FREE = 50.0
"""Deviations of a number that is not held back: its penalty is a 2,500th of a feature's."""


@dataclass(frozen=True)
class RidgeModel:
    """Coefficients on standardised features; all tuples have one entry a feature."""

    kind: ClassVar[str] = "ridge"
    features: tuple[str, ...]
    median: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    missing_rate: tuple[float, ...]
    coefficient: tuple[float, ...]
    missing_coefficient: tuple[float, ...]
    intercept: float

    def explain(self, x: Floats) -> tuple[Floats, float]:
        """Contributions, shape (n, p), and the intercept."""
        z, indicator = _design(
            x,
            np.array(self.median),
            np.array(self.mean),
            np.array(self.scale),
            np.array(self.missing_rate),
        )
        parts = z * np.array(self.coefficient) + indicator * np.array(self.missing_coefficient)
        return np.asarray(parts, dtype=np.float64), self.intercept

    def raw_logit(self, x: Floats) -> Floats:
        """Raw logits, shape (n,)."""
        logits = np.empty(len(x))
        for start in range(0, len(x), SOME_ROWS):
            contributions, base = self.explain(x[start : start + SOME_ROWS])
            logits[start : start + SOME_ROWS] = contributions.sum(axis=1) + base
        return logits

    def to_text(self) -> str:
        """JSON."""
        return json.dumps({"kind": self.kind, **asdict(self)}, indent=1)

    @classmethod
    def from_text(cls, text: str) -> RidgeModel:
        """The model written by `to_text`."""
        record = json.loads(text)
        if record.pop("kind", None) != cls.kind:
            raise RegistryError("this text is no ridge model")
        intercept = float(record.pop("intercept"))
        return cls(intercept=intercept, **{name: tuple(v) for name, v in record.items()})


def fit_ridge(x: Floats, y: Floats, features: tuple[str, ...], c: float = 0.05) -> RidgeModel:
    """Logistic regression, fitted on training rows only; nothing of it is refitted when scoring.

    Args:
        x: features, shape (n, p), NaN where unknown.
        y: outcomes 0/1, shape (n,).
        features: names of the columns of ``x``.
        c: inverse strength of the penalty, as scikit-learn counts it.

    Raises:
        FrameError: one outcome only.
    """
    scales = _scales(x)
    design, used = _used(x, scales)
    fitted, intercept = _logistic(design, y, c)
    return _model(features, scales, _placed(fitted, used), intercept)


def fit_ridge_beside(
    x: Floats, y: Floats, features: tuple[str, ...], c: float, known: Floats
) -> tuple[RidgeModel, float]:
    """Logistic regression beside a number whose own coefficient is not held back.

    Args:
        x: features, shape (n, p), NaN where unknown.
        y: outcomes 0/1, shape (n,).
        features: names of the columns of ``x``.
        c: inverse strength of the penalty on the features, as scikit-learn counts it.
        known: the number, shape (n,).

    Returns:
        What the features add, and the coefficient of ``known``.

    Raises:
        FrameError: one outcome only.
    """
    scales = _scales(x)
    spread = float(known.std())
    per_unit = FREE / spread if spread > 0.0 else 0.0
    design, used = _used(x, scales, beside=known * per_unit)
    fitted, intercept = _logistic(design, y, c)
    slope = round(float(fitted[-1]) * per_unit, DECIMALS)
    return _model(features, scales, _placed(fitted[:-1], used), intercept), slope


def fit_line(x: Floats, y: Floats, features: tuple[str, ...], strength: float) -> RidgeModel:
    """Linear regression of a number; its linear predictor is the number itself.

    Args:
        x: features, shape (n, p), NaN where unknown.
        y: numbers, shape (n,).
        features: names of the columns of ``x``.
        strength: of the penalty a row: at 1 a lone standardised feature is halved.

    Raises:
        FrameError: no row.
    """
    if len(y) == 0:
        raise FrameError("a regression needs training rows")
    scales = _scales(x)
    design, used = _used(x, scales)
    model = Ridge(alpha=strength * len(y), solver="cholesky")
    model.fit(design, y)
    return _model(features, scales, _placed(model.coef_, used), float(model.intercept_))


def _logistic(design: Floats, y: Floats, c: float) -> tuple[Floats, float]:
    """Coefficients of a design's columns, and the intercept.

    Raises:
        FrameError: one outcome only.
    """
    if len(np.unique(y)) < 2:
        raise FrameError("a logistic regression needs both outcomes among its training rows")
    model = LogisticRegression(
        C=c, solver="newton-cholesky", tol=1e-10, max_iter=200, warm_start=True
    )
    step = len(y) // SOME_ROWS
    if step > 1 and len(np.unique(y[::step])) == 2:
        # Newton's method ends where it ends; begun at the answer of some rows it is there sooner.
        model.set_params(C=c * step)
        model.fit(design[::step], y[::step])
        model.set_params(C=c)
    model.fit(design, y)
    return np.asarray(model.coef_[0], dtype=np.float64), float(model.intercept_[0])


def _placed(fitted: Floats, used: Bools) -> Floats:
    """Coefficients of all columns: zero for those that never varied."""
    coefficients = np.zeros(len(used))
    coefficients[used] = fitted
    return coefficients


def _used(
    x: Floats, scales: tuple[Floats, Floats, Floats, Floats], beside: Floats | None = None
) -> tuple[Floats, Bools]:
    """Columns of the design that vary, and which those are: the others' coefficients are zero.

    Args:
        x: features, shape (n, p).
        scales: of them, see `_scales`.
        beside: a number to stand in the last column as it is, shape (n,).
    """
    _, _, scale, missing_rate = scales
    varies, is_missing = scale > 0.0, missing_rate * (1.0 - missing_rate) > 0.0
    if not (varies.any() or is_missing.any()):
        varies = np.ones_like(varies)
    used = np.concatenate([varies, is_missing])
    design = np.empty((len(x), int(used.sum()) + (beside is not None)))
    # Some rows at a time: the parts of the whole would take three times its memory.
    for start in range(0, len(x), SOME_ROWS):
        rows = slice(start, start + SOME_ROWS)
        z, indicator = _design(x[rows], *scales)
        parts = [z[:, varies], indicator[:, is_missing]]
        if beside is not None:
            parts.append(beside[rows, None])
        np.concatenate(parts, axis=1, out=design[rows])
    return design, used


def _scales(x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Median, mean and deviation of each feature once filled, and its rate of missing values."""
    known = ~np.isnan(x)
    any_known = known.any(axis=0)
    median = np.zeros(x.shape[1])
    median[any_known] = np.nanmedian(x[:, any_known], axis=0)
    filled = np.where(known, x, median)
    mean = filled.mean(axis=0)
    scale = filled.std(axis=0)
    scale[scale < 1e-9] = 0.0
    return median, mean, scale, 1.0 - known.mean(axis=0)


def _model(
    features: tuple[str, ...],
    scales: tuple[Floats, Floats, Floats, Floats],
    coefficients: Floats,
    intercept: float,
) -> RidgeModel:
    """The fitted line, rounded."""
    median, mean, scale, missing_rate = scales
    coefficients = np.asarray(coefficients, dtype=np.float64)
    p = len(features)
    return RidgeModel(
        features=features,
        median=_rounded(median),
        mean=_rounded(mean),
        scale=_rounded(scale),
        missing_rate=_rounded(missing_rate),
        coefficient=_rounded(coefficients[:p]),
        missing_coefficient=_rounded(coefficients[p:]),
        intercept=round(intercept, DECIMALS),
    )


def _design(
    x: Floats, median: Floats, mean: Floats, scale: Floats, missing_rate: Floats
) -> tuple[Floats, Floats]:
    """Standardised values (0 where a feature never varied) and standardised indicators."""
    missing = np.isnan(x)
    usable = scale > 0.0
    divisor = np.where(usable, scale, 1.0)
    z = np.clip((np.where(missing, median, x) - mean) / divisor, -CLIP, CLIP)
    z = np.where(usable, z, 0.0)
    spread = np.sqrt(missing_rate * (1.0 - missing_rate))
    # A feature missing in one training row of a thousand would otherwise move a row by 30 sd.
    indicator = (missing - missing_rate) / np.maximum(spread, 0.1)
    indicator = np.where(spread > 0.0, indicator, 0.0)
    return np.asarray(z, dtype=np.float64), np.asarray(indicator, dtype=np.float64)


def _rounded(values: Floats) -> tuple[float, ...]:
    """Rounded to the published decimals, so that the text form is the whole model."""
    return tuple(float(v) for v in np.round(values, DECIMALS))
