"""How a figure grows with size.

Belongs here: exponents. Must not be here: what is measured or printed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise


def exponent(small: tuple[float, float], large: tuple[float, float]) -> float:
    """Growth between two measurements, each of a size and a figure: log(f2/f1) / log(n2/n1).

    One is linear growth, two quadratic. What a run costs at any size makes it smaller: between
    small sizes it says little.

    Raises:
        ValueError: a size or figure that is not positive, or twice the same size.
    """
    if min(*small, *large) <= 0:
        raise ValueError(f"sizes and figures must be positive: {small}, {large}")
    if small[0] == large[0]:
        raise ValueError(f"growth needs two sizes, and both are {small[0]:g}")
    return math.log(large[1] / small[1]) / math.log(large[0] / small[0])


def exponents(sizes: Sequence[float], figures: Sequence[float]) -> list[float]:
    """Growth from each size to the next."""
    points = zip(sizes, figures, strict=True)
    return [exponent(small, large) for small, large in pairwise(points)]


def ranked(
    times: Sequence[Mapping[str, float]], how_many: int
) -> list[tuple[str, list[float | None]]]:
    """Names that took longest at the last size, with their figure at each size."""
    last = times[-1]
    names = sorted(last, key=lambda name: last[name], reverse=True)[:how_many]
    return [(name, [time.get(name) for time in times]) for name in names]
