"""Work that no coverage is counted of: what it runs is dbt's, or counted in another test already.

Belongs here: how counting stops and goes on. A tracer doubles the time of such work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from coverage import Coverage

_FOR_CHILDREN = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")


@contextmanager
def uncovered() -> Iterator[None]:
    """Count no lines inside, neither in this process nor in those that it starts."""
    counting = Coverage.current()
    kept = {name: os.environ.pop(name) for name in _FOR_CHILDREN if name in os.environ}
    if counting is not None:
        counting.stop()
    try:
        yield
    finally:
        os.environ.update(kept)
        if counting is not None:
            counting.start()
