"""The company's default clock.

Belongs here: what "now" is when nobody sets it. Does not belong here: calendar arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def today_midnight() -> datetime:
    """00:00 UTC of the current day, asked anew at each request, so that yesterday is complete."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
