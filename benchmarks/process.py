"""Work in a process of its own, with what it took.

Belongs here: time, processor and memory of a piece of work. Must not be here: which work.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, ParamSpec, TypeVar

_Given = ParamSpec("_Given")
_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Measured(Generic[_Made]):
    """What came of a piece of work, and what it took.

    Attributes:
        result: what came of it.
        seconds: from the order to the answer, the start of Python and all imports included.
        cpu_seconds: user and system time of all threads, and of processes it waited for.
        peak_bytes: most memory resident at once.
    """

    result: _Made
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measured(
    work: Callable[_Given, _Made], *args: _Given.args, **kwargs: _Given.kwargs
) -> Measured[_Made]:
    """Do the work in a fresh process, which ends with it.

    Args:
        work: a function of a module, so that the process can import it.
        args: what it takes; must be picklable, as its result must be.
        kwargs: the same, by name.

    Raises:
        Exception: whatever the work raised; BrokenProcessPool if the process was killed.
    """
    began = time.perf_counter()
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=fresh) as pool:
        done: tuple[_Made, float, int] = pool.submit(_watched, work, args, kwargs).result()
    result, cpu_seconds, peak_bytes = done
    return Measured(result, time.perf_counter() - began, cpu_seconds, peak_bytes)


def _watched(
    work: Callable[..., _Made], args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[_Made, float, int]:
    result = work(*args, **kwargs)
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return result, sum(usage.ru_utime + usage.ru_stime for usage in usages), _peak_bytes()


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says includes the parent, whose memory a process has before it executes.
        (line,) = (one for one in status.read_text().splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
