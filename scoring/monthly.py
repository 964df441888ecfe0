"""A month's model of each head: found in the registry, or trained, compared and promoted.

Belongs here: the order of champion, challenger and refresh, and which head is of which kind. Must
not: fitting (`training`, `multiple`), how a version lies on disk, clocks of its own.

An upgrade makes a challenger: other parameters, or other features. It serves only if the rolling
origins say that it is better; until then the champion's procedure goes on, trained on what is known
by now, and the challenger is tried again with the next month. A champion that needs features that
are no more cannot go on, so what replaces it serves without comparison.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pandas as pd

from scoring import history, multiple, registry, training
from scoring.errors import ScoringError
from scoring.heads import HEADS as OUTCOMES
from scoring.history import Table
from scoring.multiple import MultipleModel
from scoring.scorer import score as score_outcome
from scoring.training import Comparison, Model

AnyModel = Model | MultipleModel

HEADS = (*OUTCOMES, multiple.HEAD)
"""Every head of which the registry holds models."""


def model_of(
    models_dir: Path, frame: pd.DataFrame, head: str, cutoff: dt.date, decided_at: dt.datetime
) -> tuple[AnyModel, bool]:
    """The model that serves where outcomes up to ``cutoff`` are known.

    Args:
        models_dir: the registry.
        frame: feature frame; what is later than the cutoff teaches nothing.
        head: one of `HEADS`.
        cutoff: training cutoff.
        decided_at: aware instant, written beside a decision about a new model.

    Returns:
        The model, and whether it was trained now.
    """
    at_hand = _columns(head, frame)
    version = registry.version_at(models_dir, head, cutoff, at_hand)
    if version is not None:
        return _load(models_dir, head, version), False
    model = _train(frame, head, cutoff)
    registry.save(models_dir, model)
    champion = registry.rival(models_dir, model, at_hand)
    comparison = None
    if champion is not None:
        was = _load(models_dir, head, champion)
        comparison = _compare(frame, head, cutoff, was, model)
    decision = registry.consider(models_dir, model, decided_at, comparison, at_hand)
    if champion is None or decision.is_promoted:
        return model, True
    refreshed = _train(frame, head, cutoff, was)
    registry.save(models_dir, refreshed)
    registry.consider(models_dir, refreshed, decided_at)
    return refreshed, True


def score(
    model: AnyModel,
    frame: pd.DataFrame,
    as_of: dt.date,
    *,
    bands: pd.DataFrame,
    scored_at: dt.datetime,
    run_id: str,
    is_backfill: bool,
) -> tuple[pd.DataFrame, Table]:
    """Rows of every open account on ``as_of``, and the table that they are appended to.

    Arguments and errors are those of `scoring.score`.
    """
    if isinstance(model, MultipleModel):
        rows = multiple.score(
            model, frame, as_of, scored_at=scored_at, run_id=run_id, is_backfill=is_backfill
        )
        return rows, history.ARR_MULTIPLES
    rows = score_outcome(
        model, frame, as_of, bands=bands, scored_at=scored_at, run_id=run_id,
        is_backfill=is_backfill,
    )  # fmt: skip
    return rows, history.CHURN_SCORES


def _columns(head: str, frame: pd.DataFrame) -> list[str]:
    """Columns that a model of the head can be given."""
    names = list(frame.columns)
    return names if head == multiple.HEAD else OUTCOMES[head].columns(names)


def _load(models_dir: Path, head: str, version: str) -> AnyModel:
    if head == multiple.HEAD:
        return registry.load_multiple(models_dir, version)
    return registry.load(models_dir, head, version)


def _train(
    frame: pd.DataFrame, head: str, cutoff: dt.date, like: AnyModel | None = None
) -> AnyModel:
    """A model by today's procedure, or by that of another model."""
    spec = None if like is None else registry.offered(like)
    if head == multiple.HEAD:
        was = like.config if isinstance(like, MultipleModel) else None
        return multiple.train(frame, cutoff, was, spec)
    config = like.config if isinstance(like, Model) else None
    return training.train(frame, head, cutoff, config, spec)


def _compare(
    frame: pd.DataFrame, head: str, cutoff: dt.date, champion: AnyModel, challenger: AnyModel
) -> Comparison | None:
    """Both procedures on the same origins; None where nothing was scored by both."""
    specs = registry.offered(champion), registry.offered(challenger)
    try:
        if isinstance(champion, MultipleModel) and isinstance(challenger, MultipleModel):
            return multiple.compare(frame, cutoff, champion.config, challenger.config, *specs)
        if isinstance(champion, Model) and isinstance(challenger, Model):
            return training.compare(frame, head, cutoff, champion.config, challenger.config, *specs)
    except ScoringError:
        return None
    return None
