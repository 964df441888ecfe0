"""From a model and a feature frame to rows of `churn_score_history`.

Belongs here: how each column of the history is computed. Must not: writing them.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
from scipy import stats

from scoring.arrays import DECIMALS, Floats, sigmoid
from scoring.bands import in_force
from scoring.cold_start import SEGMENT_RATE
from scoring.errors import ClockError
from scoring.frame import Prepared, prepare
from scoring.heads import head_named
from scoring.history import CHURN_SCORES
from scoring.members import mean_explanation, mean_logit
from scoring.reasons import (
    contributions_json,
    group_contributions,
    peer_medians,
    reasons_json,
)
from scoring.training import Model, base_logit


def score(
    model: Model,
    frame: pd.DataFrame,
    as_of: dt.date,
    *,
    bands: pd.DataFrame,
    scored_at: dt.datetime,
    run_id: str,
    is_backfill: bool = False,
) -> pd.DataFrame:
    """Score every open account as it was known on ``as_of``.

    Args:
        model: trained on label knowledge up to ``as_of``; for a backfill, before it.
        frame: feature frame; only rows observed on ``as_of`` with an open contract are used.
        as_of: the day.
        bands: dated cut-offs, columns of the `risk_bands` seed.
        scored_at: aware instant of the run; stored, and used for nothing else.
        run_id: of the run; stored.
        is_backfill: whether the day is past and the score was not there to be acted upon.

    Returns:
        One row an account, the columns of `history.CHURN_SCORES`, sorted by account_id; none where
        none was open. ``p`` is the probability of the bad outcome (loss); ``percentile`` is 1 for
        the riskiest. ``band`` is null for heads that the cut-offs were not made for.

    Raises:
        ClockError: the model knew outcomes of the day's future.
        FrameError: the frame lacks the model's features.
    """
    check_clock(model.version, model.cutoff, as_of, scored_at, is_backfill=is_backfill)
    head = head_named(model.head)
    on_day = pd.to_datetime(frame["observed_on"]).dt.normalize() == pd.Timestamp(as_of)
    grace_days = model.config.grace_days
    # Of the day only: what a head makes of the frame then has no later row to look at.
    prepared = prepare(head.own_frame(frame[on_day], grace_days), model.spec, grace_days)
    prepared = prepared.take(prepared.rows["is_open"].to_numpy(dtype=np.bool_))

    z, z_base, names, grouped, reasons = _explained(model, prepared)
    p = sigmoid(z)
    p_raw, p_low, p_high = _uncertainty(model, prepared, z)
    cuts = in_force(bands, as_of)
    rows = prepared.rows
    n = len(rows)
    scores = pd.DataFrame(
        {
            "head": model.head,
            "model_version": model.version,
            "as_of": rows["observed_on"],
            "account_id": rows["account_id"],
            "p_raw": np.round(p_raw, DECIMALS),
            "p": np.round(p, DECIMALS),
            "p_low": np.round(np.minimum(p_low, p), DECIMALS),
            "p_high": np.round(np.maximum(p_high, p), DECIMALS),
            "logit": z,
            "base_logit": z_base,
            "band": cuts.assign(np.round(p, DECIMALS)) if head.has_bands else None,
            "band_version": cuts.version if head.has_bands else None,
            "percentile": np.round(stats.rankdata(np.round(p, DECIMALS), method="max") / n, 9),
            "months_to_renewal": rows["months_to_renewal"],
            "arr_usd": rows["arr_usd"],
            "reasons": reasons,
            "contributions": contributions_json(names, grouped),
            "serves": model.serves,
            "is_backfill": is_backfill,
            "training_cutoff_on": pd.Timestamp(model.cutoff),
            "scored_at": pd.Timestamp(scored_at).tz_convert("UTC"),
            "run_id": run_id,
        }
    )
    return scores.sort_values("account_id", kind="stable").reset_index(drop=True)[
        CHURN_SCORES.columns
    ]


def check_clock(
    version: str,
    cutoff: dt.date,
    as_of: dt.date,
    scored_at: dt.datetime,
    *,
    is_backfill: bool,
) -> None:
    """Refuse a model that has seen the future of the day it is to score.

    Raises:
        ClockError: it has; or ``scored_at`` has no time zone.
    """
    if scored_at.tzinfo is None:
        raise ClockError("scored_at needs a time zone")
    if cutoff > as_of or (is_backfill and cutoff >= as_of):
        raise ClockError(
            f"model {version} was trained on outcomes up to {cutoff}; it may not score {as_of}"
            f"{' as a backfill' if is_backfill else ''}. Train one with an earlier cutoff."
        )


def _explained(
    model: Model, prepared: Prepared
) -> tuple[Floats, Floats, list[str], Floats, list[str]]:
    """Logit, base, group names, group contributions, reasons - the logit is exactly their sum."""
    n = len(prepared)
    if model.recipe == SEGMENT_RATE:
        z, _, _ = model.rates.serve(prepared.rows["segment"], model.config.interval_level)
        base = np.full(n, round(base_logit(model), DECIMALS))
        # The only thing known is the segment: that is the whole contribution, and no reason.
        grouped = np.round(z - base, DECIMALS)[:, None]
        return np.round(base + grouped[:, 0], DECIMALS), base, ["segment"], grouped, ["[]"] * n
    contributions, raw_base = mean_explanation(model.members, prepared.x)
    contributions = contributions * model.calibrator.slope
    base_value = model.calibrator.intercept + model.calibrator.slope * raw_base
    base = np.full(n, round(base_value, DECIMALS))
    names, grouped = group_contributions(contributions, model.spec)
    z = np.round(base + grouped.sum(axis=1), DECIMALS)
    medians = peer_medians(prepared.x, prepared.rows["segment"])
    return z, base, names, grouped, reasons_json(prepared.x, contributions, medians, model.spec)


def _uncertainty(model: Model, prepared: Prepared, z: Floats) -> tuple[Floats, Floats, Floats]:
    """Uncalibrated probability and the interval's ends.

    The interval covers the expected rate of accounts like this one, not the single outcome: the
    variance of the calibration line plus that of the fit, estimated by refits on groups of
    accounts, both on the logit.
    """
    level = model.config.interval_level
    if model.recipe == SEGMENT_RATE:
        _, low, high = model.rates.serve(prepared.rows["segment"], level)
        return sigmoid(z), low, high
    raw = mean_logit(model.members, prepared.x)
    variance = model.calibrator.variance(raw)
    if model.replicates:
        refits = np.array([mean_logit(m, prepared.x) for m in model.replicates])
        spread = ((refits - refits.mean(axis=0)) ** 2).sum(axis=0) * model.replicate_scale
        variance = variance + model.calibrator.slope**2 * spread
    half = float(stats.norm.ppf(0.5 + level / 2.0)) * np.sqrt(variance)
    return sigmoid(raw), sigmoid(z - half), sigmoid(z + half)
