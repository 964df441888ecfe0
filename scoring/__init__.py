"""Churn scores: features in, scores out.

Belongs here: fitting, judging, explaining and keeping scores, over plain data frames. Must not: SQL
connections, orchestration, vendor shapes.

    model = scoring.train(frame, "next_renewal", as_of)
    rows = scoring.score(model, frame, as_of, bands=bands, scored_at=now, run_id=run)
    scoring.history.append(lake_dir, rows)

`heads` says which questions exist, `training` how a model comes to be, `scorer` what a score is;
`multiple` asks how much comes back of what is renewed.
`tabular` fits and validates any other labelled table; `triggers`, `actions` and `uplift` say which
events, actions and programmes stand beside outcomes, each with the comparison that fits it.
"""

from scoring import history, multiple, registry, tabular
from scoring.config import TrainConfig
from scoring.errors import ScoringError
from scoring.frame import FeatureSpec, Prepared, prepare
from scoring.heads import HEADS, Head
from scoring.scorer import score
from scoring.training import Model, compare, train

__all__ = [
    "HEADS",
    "FeatureSpec",
    "Head",
    "Model",
    "Prepared",
    "ScoringError",
    "TrainConfig",
    "compare",
    "history",
    "multiple",
    "prepare",
    "registry",
    "score",
    "tabular",
    "train",
]
