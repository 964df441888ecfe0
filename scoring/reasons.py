"""Why a score is what it is: associations, never causes.

Belongs here: contributions by feature group, the strongest groups on both sides, peer medians.
Must not: wording (readers choose theirs; "associated with", never "because").
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from scoring.arrays import DECIMALS, Floats
from scoring.frame import FeatureSpec

RAISING = 3
PROTECTIVE = 2
NEGLIGIBLE = 0.01
"""Log odds (a hundredth of the odds) below which a group's contribution is no reason."""
RAISES = "raises"
PROTECTS = "protects"


def group_contributions(contributions: Floats, spec: FeatureSpec) -> tuple[list[str], Floats]:
    """Sum contributions by feature group.

    Args:
        contributions: shape (n, p), in the order of the specification's columns.
        spec: gives each column's group.

    Returns:
        Group names, sorted, and their contributions, shape (n, groups), rounded; the rounded
        values are what is published, and the published logit is their sum.
    """
    names = list(spec.group_names)
    index = {name: k for k, name in enumerate(names)}
    membership = np.zeros((len(spec.columns), len(names)))
    for j, column in enumerate(spec.columns):
        membership[j, index[spec.groups[column]]] = 1.0
    return names, np.asarray(np.round(contributions @ membership, DECIMALS), dtype=np.float64)


def peer_medians(x: Floats, segments: pd.Series) -> Floats:
    """Median of each feature among the scored accounts of the row's own segment, shape (n, p)."""
    table = pd.DataFrame(x)
    medians = table.groupby(segments.to_numpy(), sort=True).transform("median")
    return np.asarray(medians.to_numpy(), dtype=np.float64)


def reasons_json(x: Floats, contributions: Floats, medians: Floats, spec: FeatureSpec) -> list[str]:
    """One JSON list a row: up to three raising groups, then up to two protective ones.

    A reason names its group's strongest feature in the reason's direction, with the account's value
    and its peers' median; ``contribution`` is the whole group's, in log odds. Groups that move
    next to nothing are left out, and equal contributions are ordered by name.
    """
    names, grouped = group_contributions(contributions, spec)
    columns = spec.columns
    members = [np.array([spec.groups[c] == n for c in columns]).nonzero()[0] for n in names]
    texts: list[str] = []
    for i in range(len(x)):
        order = sorted(range(len(names)), key=lambda k: (-grouped[i, k], names[k]))
        raising = [k for k in order if grouped[i, k] >= NEGLIGIBLE][:RAISING]
        protective = [k for k in reversed(order) if grouped[i, k] <= -NEGLIGIBLE][:PROTECTIVE]
        reasons: list[Mapping[str, object]] = []
        for direction, sign, chosen in ((RAISES, 1.0, raising), (PROTECTS, -1.0, protective)):
            for rank, k in enumerate(chosen, start=1):
                j = int(members[k][np.argmax(sign * contributions[i, members[k]])])
                reasons.append(
                    {
                        "rank": rank,
                        "direction": direction,
                        "group": names[k],
                        "feature": columns[j],
                        "value": _number(x[i, j]),
                        "peer_median": _number(medians[i, j]),
                        "contribution": float(grouped[i, k]),
                    }
                )
        texts.append(json.dumps(reasons, separators=(",", ":")))
    return texts


def importance(contributions: Floats, spec: FeatureSpec) -> list[dict[str, object]]:
    """What each feature group contributes over some accounts, the largest first.

    Args:
        contributions: shape (n, p), log odds, in the order of the specification's columns.
        spec: gives each column's group.

    Returns:
        group, mean_contribution (mean absolute value, log odds), share (of the sum over groups),
        feature (of the largest mean of its own); rounded to six decimals, ties by name.
    """
    names, grouped = group_contributions(contributions, spec)
    means = np.abs(grouped).mean(axis=0)
    singly = np.abs(contributions).mean(axis=0)
    whole = float(means.sum())
    found: list[dict[str, object]] = []
    for k in sorted(range(len(names)), key=lambda k: (-round(float(means[k]), 6), names[k])):
        members = [j for j, c in enumerate(spec.columns) if spec.groups[c] == names[k]]
        found.append(
            {
                "group": names[k],
                "mean_contribution": round(float(means[k]), 6),
                "share": round(float(means[k]) / whole, 6) if whole > 0.0 else 0.0,
                "feature": spec.columns[max(members, key=lambda j: round(float(singly[j]), 9))],
            }
        )
    return found


def contributions_json(names: list[str], grouped: Floats) -> list[str]:
    """One JSON object a row: {group: contribution in log odds}."""
    return [
        json.dumps(dict(zip(names, map(float, row), strict=True)), separators=(",", ":"))
        for row in grouped
    ]


def _number(value: float) -> float | None:
    """A JSON number, or null where unknown."""
    return None if np.isnan(value) else round(float(value), 6)
