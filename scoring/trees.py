"""Gradient-boosted trees, small and bit-stable.

Belongs here: LightGBM's parameters, fit, text form and its own exact Shapley contributions.
Must not: choosing rows; calibration.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import lightgbm as lgb
import numpy as np

from scoring.arrays import Floats
from scoring.config import TreeParams
from scoring.errors import FrameError
from scoring.jobs import cores

MANY_ROWS = 200_000
"""Training rows from which threads win more than their waiting costs."""


@dataclass(frozen=True)
class TreeModel:
    """A booster and the text it was read from."""

    kind: ClassVar[str] = "trees"
    text: str
    booster: Any = field(compare=False, repr=False)

    def explain(self, x: Floats) -> tuple[Floats, float]:
        """Tree-SHAP contributions (Lundberg et al. 2020), shape (n, p), and the expected value."""
        if len(x) == 0:
            return np.zeros_like(x), 0.0
        parts = np.asarray(
            self.booster.predict(x, pred_contrib=True, num_threads=_threads(len(x))),
            dtype=np.float64,
        )
        return parts[:, :-1], float(parts[0, -1])

    def raw_logit(self, x: Floats) -> Floats:
        """Raw logits, shape (n,)."""
        if len(x) == 0:
            return np.zeros(0)
        raw = self.booster.predict(x, raw_score=True, num_threads=_threads(len(x)))
        return np.asarray(raw, dtype=np.float64)

    def to_text(self) -> str:
        """LightGBM's own text model."""
        return self.text

    @classmethod
    def from_text(cls, text: str) -> TreeModel:
        """The model written by `to_text`."""
        return cls(text, lgb.Booster(model_str=text))


def fit_trees(
    x: Floats,
    y: Floats,
    features: tuple[str, ...],
    params: TreeParams,
    *,
    objective: str = "binary",
    seed: int = 7,
    threads: int = 1,
    start: Floats | None = None,
) -> TreeModel:
    """Fit a booster; equal inputs give an equal text.

    Args:
        x: features, shape (n, p), NaN where unknown (LightGBM sends them down their own branch).
        y: outcomes 0/1, or numbers for the objective "regression", shape (n,).
        features: names of the columns of ``x``.
        params: size of the trees and of their number.
        objective: LightGBM's; the raw predictions of "regression" are the numbers themselves.
        seed: of LightGBM's few draws (bins of large frames).
        threads: LightGBM's for frames of ordinary size; large ones take all there are. With
            "deterministic" their number changes no bit.
        start: raw predictions that the trees add to, shape (n,); the model holds the trees alone.

    Raises:
        FrameError: all outcomes are alike.
    """
    if len(np.unique(y)) < 2:
        raise FrameError("trees need outcomes that differ among their training rows")
    used = threads if len(y) < MANY_ROWS else max(threads, cores())
    settings: dict[str, Any] = {
        "objective": objective,
        "learning_rate": params.learning_rate,
        "max_depth": params.depth,
        "num_leaves": params.leaves,
        "lambda_l2": params.l2,
        "min_data_in_leaf": params.min_rows(len(y)),
        "seed": seed,
        "num_threads": used,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    if start is not None:
        settings["boost_from_average"] = False
    data = lgb.Dataset(x, y, init_score=start, feature_name=list(features), free_raw_data=True)
    booster = lgb.train(settings, data, num_boost_round=params.rounds)
    # Predict with the model as read back: what is stored is what is served.
    text = str(booster.model_to_string())
    # The text tells how many threads there were: on another machine it would be another model.
    return TreeModel.from_text(text.replace(f"[num_threads: {used}]", f"[num_threads: {threads}]"))


def _threads(rows: int) -> int:
    """Threads for a prediction; each row is computed by one, so their number changes no bit.

    Waiting threads spin: below this size they cost more than they bring, and on a busy machine
    many times more.
    """
    return 1 if rows < 20_000 else cores()
