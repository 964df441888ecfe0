"""Array types and the two transforms that every module needs.

Belongs here: type aliases and the logit pair. Must not: anything that knows a head or a feature.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DECIMALS = 12
"""Published doubles are rounded here: far below any meaning, far above the last bit."""


def sigmoid(logits: Floats) -> Floats:
    """Probability of each logit."""
    return np.asarray(expit(logits), dtype=np.float64)


def logit(p: Floats, floor: float = 1e-9) -> Floats:
    """Log odds of each probability, kept finite by ``floor`` at both ends."""
    clipped = np.clip(np.asarray(p, dtype=np.float64), floor, 1.0 - floor)
    return np.asarray(np.log(clipped / (1.0 - clipped)), dtype=np.float64)


def as_floats(values: Any) -> Floats:
    """Contiguous float64 copy of anything array-like; missing values become NaN."""
    return np.ascontiguousarray(np.asarray(values, dtype=np.float64))
