"""Risk bands: dated cut-offs, so that counts compare between months.

Belongs here: reading the cut-offs in force on a day, and proposing new ones from a base of scores.
Must not: reading files; the cut-offs come in as a frame.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pandas as pd

from scoring.arrays import Floats
from scoring.errors import FrameError

COLUMNS = ("band_version", "valid_from", "band", "p_min")


@dataclass(frozen=True)
class Bands:
    """Cut-offs in force: band names with their lowest probability, riskiest first."""

    version: str
    cuts: tuple[tuple[str, float], ...]

    def assign(self, p: Floats) -> list[str]:
        """The band of each probability; a cut-off belongs to the band above it."""
        floors = np.array([floor for _, floor in self.cuts])
        names = [name for name, _ in self.cuts]
        first = np.argmax(p[:, None] >= floors[None, :], axis=1)
        return [names[int(k)] for k in first]


def in_force(table: pd.DataFrame, as_of: dt.date) -> Bands:
    """The newest version whose ``valid_from`` is on or before ``as_of``.

    A day before the first version uses the first version: history is shown in today's terms, and
    the version beside each score says so.

    Raises:
        FrameError: columns are missing, two versions start on one day, or no band reaches down
            to probability zero.
    """
    missing = [c for c in COLUMNS if c not in table.columns]
    if missing or table.empty:
        raise FrameError(f"risk bands are empty or lack {', '.join(missing) or 'rows'}")
    starts = pd.to_datetime(table["valid_from"])
    begun = starts[starts <= pd.Timestamp(as_of)]
    start = starts.min() if begun.empty else begun.max()
    rows = table[starts == start]
    versions = rows["band_version"].astype("str").unique()
    if len(versions) != 1:
        raise FrameError(f"risk bands: versions {', '.join(versions)} start on the same day")
    rows = rows.assign(p_min=rows["p_min"].astype("float64"))
    rows = rows.sort_values("p_min", ascending=False, kind="stable")
    cuts = tuple(zip(rows["band"].astype("str"), rows["p_min"], strict=True))
    if cuts[-1][1] > 0.0:
        raise FrameError(f"risk bands {versions[0]}: the lowest band starts at {cuts[-1][1]}")
    return Bands(str(versions[0]), cuts)


def propose(p: Floats, arr_usd: Floats, high_share: float = 0.15, low_share: float = 0.5) -> Bands:
    """Cut-offs that put the riskiest ``high_share`` of recurring revenue due into "high".

    Args:
        p: calibrated probabilities.
        arr_usd: annual recurring revenue of the same accounts; unknown counts as nothing.
        high_share: share of revenue in "high".
        low_share: share of revenue, least risky, in "low".

    Returns:
        Bands of version "proposed", cut-offs rounded to three decimals for a seed.
    """
    weight = np.nan_to_num(arr_usd, nan=0.0)
    if len(p) == 0 or weight.sum() <= 0.0:
        raise FrameError("bands cannot be proposed without revenue due")
    order = np.argsort(-p, kind="stable")
    reached = np.cumsum(weight[order]) / weight.sum()
    high = float(p[order][min(int(np.searchsorted(reached, high_share)), len(p) - 1)])
    medium = float(p[order][min(int(np.searchsorted(reached, 1.0 - low_share)), len(p) - 1)])
    cuts = (("high", round(high, 3)), ("medium", round(min(medium, high), 3)), ("low", 0.0))
    return Bands("proposed", cuts)
