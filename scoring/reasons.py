"""Why a score is what it is: associations, never causes.

Belongs here: contributions by feature group, the strongest groups on both sides, peer medians.
Must not: wording (readers choose theirs; "associated with", never "because").
"""

from __future__ import annotations

import json

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
    # All rows at once: the strongest feature of each group in either direction, and the order of
    # the groups. A loop over rows and groups takes as long as the trees.
    strongest = {
        sign: np.column_stack([m[np.argmax(sign * contributions[:, m], axis=1)] for m in members])
        for sign in (1.0, -1.0)
    }
    order = np.argsort(-grouped, axis=1, kind="stable")
    sides = (
        (RAISES, strongest[1.0], order[:, :RAISING], 1.0),
        (PROTECTS, strongest[-1.0], order[:, ::-1][:, :PROTECTIVE], -1.0),
    )
    parts: list[list[str]] = [[] for _ in range(len(x))]
    for direction, feature_of, chosen, sign in sides:
        for rank in range(chosen.shape[1]):
            group = chosen[:, rank]
            rows = np.arange(len(x))
            strength = grouped[rows, group]
            told = np.flatnonzero(sign * strength >= NEGLIGIBLE)
            feature = feature_of[told, group[told]]
            for row, k, j, value, median, contribution in zip(
                told.tolist(),
                group[told].tolist(),
                feature.tolist(),
                x[told, feature].tolist(),
                medians[told, feature].tolist(),
                strength[told].tolist(),
                strict=True,
            ):
                parts[row].append(
                    f'{{"rank":{rank + 1},"direction":"{direction}","group":"{names[k]}",'
                    f'"feature":"{columns[j]}","value":{_number(value)},'
                    f'"peer_median":{_number(median)},"contribution":{contribution!r}}}'
                )
    return [f"[{','.join(reasons)}]" for reasons in parts]


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
    keys = [f"{json.dumps(name)}:" for name in names]
    return [
        "{" + ",".join([f"{key}{value!r}" for key, value in zip(keys, row, strict=True)]) + "}"
        for row in grouped.tolist()
    ]


def _number(value: float) -> str:
    """A JSON number, or null where unknown."""
    return "null" if value != value else repr(round(value, 6))
