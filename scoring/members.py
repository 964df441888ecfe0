"""What every fitted model can do, so that blends, calibration and reasons need not know which.

Belongs here: the protocol and the mean of logits. Must not: a particular algorithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np

from scoring.arrays import Floats


class Member(Protocol):
    """A fitted model over the features of one specification, additive on the logit."""

    kind: ClassVar[str]

    def explain(self, x: Floats) -> tuple[Floats, float]:
        """Contributions, shape (n, p), and the base: their sum is the raw logit of each row."""
        ...

    def raw_logit(self, x: Floats) -> Floats:
        """Raw logits, shape (n,)."""
        ...

    def to_text(self) -> str:
        """Native text form; the reader of the same kind restores the identical model."""
        ...


def mean_logit(members: Sequence[Member], x: Floats) -> Floats:
    """Mean of the members' logits."""
    return np.asarray(np.mean([m.raw_logit(x) for m in members], axis=0), dtype=np.float64)


def mean_explanation(members: Sequence[Member], x: Floats) -> tuple[Floats, float]:
    """Mean of contributions and of bases: still additive, because a mean is linear."""
    parts = [m.explain(x) for m in members]
    contributions = np.mean([c for c, _ in parts], axis=0)
    return np.asarray(contributions, dtype=np.float64), float(np.mean([b for _, b in parts]))
