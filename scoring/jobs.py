"""Independent fits side by side.

Belongs here: running calls that know nothing of one another on the cores there are. Must not: what
the calls do; anything whose result could depend on which is done first.

A fit is given one thread of its own, so its sums are added in one order whatever runs beside it.
LightGBM and the linear algebra leave the interpreter while they work, and nobody spins: threads
within one small fit wait more than they work, above all where others use the machine too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")
Other = TypeVar("Other")
MOST = 4
"""Calls at once; each holds its own copy of rows."""


def side_by_side(calls: Sequence[Callable[[], Made]]) -> list[Made]:
    """Results of the calls, in their order; the first exception of them is raised."""
    workers = min(MOST, cores(), len(calls))
    if workers < 2:
        return [call() for call in calls]
    with ThreadPoolExecutor(workers, thread_name_prefix="fit") as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


def both(first: Callable[[], Made], second: Callable[[], Other]) -> tuple[Made, Other]:
    """Results of two calls that need not wait for one another, of which either may fail."""
    if cores() < 2:
        return first(), second()
    with ThreadPoolExecutor(1, thread_name_prefix="fit") as pool:
        beside = pool.submit(second)
        return first(), beside.result()


def cores() -> int:
    """Cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1
