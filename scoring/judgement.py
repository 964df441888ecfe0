"""What is written down about a walked score: its figures, their intervals, the rivals beaten.

Belongs here: the JSON-ready record that `metrics.json` holds and the model card prints. Must not:
fitting, walking, the measures themselves.

Rows of one account err together, so every interval here counts accounts, not rows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pandas as pd

from scoring import baselines, evaluation
from scoring.arrays import Bools, Floats, Ints
from scoring.evaluation import as_record
from scoring.frame import Prepared

Record = dict[str, object]


def judged(
    prepared: Prepared,
    eligible: Bools,
    positions: Ints,
    origins: Sequence[dt.date],
    p: Floats,
    seed: int,
) -> Record:
    """Figures of forecasts beside those of the rivals that need no model, on the same rows.

    Args:
        prepared: the whole frame.
        eligible: rows that the head may learn from.
        positions: rows walked.
        origins: the origin of each.
        p: calibrated forecasts of each; NaN where none could be made, and not judged.
        seed: of the draws.

    Returns:
        ``intervals`` (auc, brier, calibration_slope), ``skill`` by rival, ``one_feature`` by
        origin, ``calibration_bins``, ``ece_by_chance``; empty where nothing was judged.
    """
    told = ~np.isnan(p)
    if not told.any():
        return {}
    rivals = baselines.walk(prepared, eligible, positions, origins)
    at = positions[told]
    y, forecast = prepared.y[at], p[told]
    accounts = prepared.rows["account_id"].iloc[at].reset_index(drop=True)
    bins = evaluation.calibration_bins(y, forecast, accounts)
    skill: Record = {}
    for name, probabilities in rivals.p.items():
        rival = probabilities[told]
        beaten = evaluation.clustered_skill(y, forecast, rival, accounts, seed=seed)
        skill[name] = {"brier": round(evaluation.brier(y, rival), 6), **as_record(beaten)}
    first = min(o for o, is_told in zip(origins, told, strict=True) if is_told)
    return {
        "intervals": _intervals(y, forecast, accounts, seed),
        "skill": skill,
        "one_feature": {o.isoformat(): f for o, f in rivals.chosen.items() if o >= first},
        "calibration_bins": [_rounded(asdict(b)) for b in bins],
        "ece_by_chance": round(evaluation.ece_by_chance(bins), 6),
    }


def by_lead(
    part: Prepared, p: Floats, buckets: Sequence[tuple[int, int]], seed: int
) -> list[Record]:
    """Figures by days to the renewal: a score that only works the month before is no warning.

    Args:
        part: the rows judged.
        p: their forecasts.
        buckets: (first day, day after the last) of each.
        seed: of the draws.
    """
    lead = (part.rows["label_due_on"] - part.rows["observed_on"]).dt.days.to_numpy()
    rows: list[Record] = []
    for low, high in buckets:
        mask = (lead >= low) & (lead < high)
        if not mask.any():
            continue
        y, forecast = part.y[mask], p[mask]
        accounts = part.rows["account_id"][mask].reset_index(drop=True)
        summary = evaluation.summary(y, forecast)
        intervals = _intervals(y, forecast, accounts, seed) if "auc" in summary else {}
        rows.append({"days_from": low, "days_to": high, **summary, "intervals": intervals})
    return rows


def _intervals(y: Floats, p: Floats, accounts: pd.Series, seed: int) -> Record:
    """Area, Brier score and calibration slope with their clustered intervals."""
    slope = evaluation.clustered_slope(y, p, accounts)
    found: Record = {
        "auc": as_record(evaluation.clustered_auc(y, p, accounts, seed=seed)),
        "brier": as_record(evaluation.clustered_brier(y, p, accounts, seed=seed)),
    }
    return found if slope is None else {**found, "calibration_slope": as_record(slope)}


def _rounded(record: Mapping[str, float]) -> Record:
    return {k: v if isinstance(v, int) else round(v, 6) for k, v in record.items()}
