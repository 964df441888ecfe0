"""A model that people's past judgements guide and outcomes correct.

Belongs here: what is learnt from judgements, how outcomes bend it, and its text form. Must not:
choosing rows; calibration.

What would an account do, were it asked today? No outcome tells: accounts decide when they are due.
People who know accounts have said it month by month of many, and although each of them errs, what
they weigh can be learnt from all of them together far better than from a few hundred losses. So a
first model learns what people would say of an account with these features; a second, held back
strongly, learns from outcomes what people do not see: logit = a + b x guide + rest. Whatever people
believe, b and the rest come from outcomes alone. The guide never reads what was said of the account
itself, or it would repeat it; the rest may, where the head does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from scoring.arrays import DECIMALS, Floats
from scoring.calibration import fit_platt
from scoring.config import GuideParams
from scoring.errors import RegistryError
from scoring.jobs import both
from scoring.members import Member, mean_explanation, mean_logit
from scoring.ridge import RidgeModel, fit_line, fit_ridge_beside
from scoring.trees import TreeModel, fit_trees

READERS: Mapping[str, Callable[[str], Member]] = {
    RidgeModel.kind: RidgeModel.from_text,
    TreeModel.kind: TreeModel.from_text,
}
"""What a guided model is made of, by kind."""


@dataclass(frozen=True)
class GuidedModel:
    """The logit of a bad outcome: intercept + slope x guide + rest.

    Attributes:
        guide: models of the log odds that people would give; their mean counts.
        intercept: of the line on the guide.
        slope: of the line on the guide.
        rest: logits that outcomes add; their mean counts.
    """

    kind: ClassVar[str] = "guided"
    guide: tuple[Member, ...]
    intercept: float
    slope: float
    rest: tuple[Member, ...]

    def explain(self, x: Floats) -> tuple[Floats, float]:
        """Contributions, shape (n, p), and the base: both lines are additive, so is their sum."""
        said, said_base = mean_explanation(self.guide, x)
        rest, rest_base = mean_explanation(self.rest, x)
        base = self.intercept + self.slope * said_base + rest_base
        return np.asarray(self.slope * said + rest, dtype=np.float64), base

    def raw_logit(self, x: Floats) -> Floats:
        """Raw logits, shape (n,)."""
        said, rest = mean_logit(self.guide, x), mean_logit(self.rest, x)
        return np.asarray(self.intercept + self.slope * said + rest, dtype=np.float64)

    def to_text(self) -> str:
        """JSON that holds the members' own texts."""
        record = {
            "kind": self.kind,
            "intercept": self.intercept,
            "slope": self.slope,
            "guide": [[m.kind, m.to_text()] for m in self.guide],
            "rest": [[m.kind, m.to_text()] for m in self.rest],
        }
        return json.dumps(record, indent=1)

    @classmethod
    def from_text(cls, text: str) -> GuidedModel:
        """The model written by `to_text`.

        Raises:
            RegistryError: the text is that of another kind.
        """
        record = json.loads(text)
        if record.get("kind") != cls.kind:
            raise RegistryError("this text is no guided model")
        guide, rest = (
            tuple(READERS[kind](member) for kind, member in record[part])
            for part in ("guide", "rest")
        )
        return cls(guide, float(record["intercept"]), float(record["slope"]), rest)


def fit_guided(
    x: Floats,
    y: Floats,
    opinions: Floats,
    params: GuideParams,
    features: tuple[str, ...],
    *,
    unread: Sequence[str] = (),
    seed: int = 7,
    threads: int = 1,
) -> GuidedModel:
    """Fit the guide on what people said, then the line on it and the rest on all outcomes.

    Args:
        x: features, shape (n, p), NaN where unknown.
        y: outcomes 0/1, shape (n,).
        opinions: log odds of the bad outcome that people gave, shape (n,), NaN where nobody did.
        params: sizes and penalties.
        features: names of the columns of ``x``.
        unread: features that the guide may not read, since they are the opinions themselves.
        seed: of the trees.
        threads: of the trees, see `trees.fit_trees`.

    Raises:
        FrameError: one outcome only, or opinions that are none or all alike.
    """
    said = ~np.isnan(opinions)
    asked = x[said]
    asked[:, np.isin(features, unread)] = np.nan
    guide = (
        fit_line(asked, opinions[said], features, params.line_strength),
        fit_trees(
            asked, opinions[said], features, params.trees,
            objective="regression", seed=seed, threads=threads,
        ),
    )  # fmt: skip
    told = mean_logit(guide, x)
    line = fit_platt(told, y)
    add_line = partial(fit_ridge_beside, x, y, features, params.rest_c, told)
    add_trees = partial(
        fit_trees,
        x, y, features, params.rest_trees,
        seed=seed, threads=threads, start=line.logit(told),
    )  # fmt: skip
    (ridge, slope), trees = both(add_line, add_trees)
    # Both halves hold a line of their own on the guide: of their mean one line is left.
    return GuidedModel(
        guide,
        round(0.5 * line.intercept, DECIMALS),
        round(0.5 * (line.slope + slope), DECIMALS),
        (ridge, trees),
    )
