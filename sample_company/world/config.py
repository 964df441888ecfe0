"""What a world is built from: size, seed, start and horizon.

Belongs here: the few numbers a user chooses. Must not be here: the parameters of behaviour (they
stand beside the mechanism, in `latent` and `contracts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from sample_company.clock import end_of_day, first_day, month_of

Size = Literal["small", "demo", "custom"]

DEMO_START = date(2011, 11, 1)
SMALL_HORIZON = date(2026, 6, 30)
#: Customers the demo company wins in 180 months at scale one.
DEMO_CUSTOMERS = 1_530


@dataclass(frozen=True)
class WorldConfig:
    """Choose a world.

    Attributes:
        size: `small` (about 150 customers, four years and a bit), `demo` (about 1,500 over 15
            years) or `custom`, which takes `accounts`.
        seed: Any int; the same seed gives the same bytes.
        horizon: Last day that has happened (inclusive, UTC). Default: 2026-06-30 for `small`,
            yesterday otherwise.
        start: First day of the company. Default: 2011-11-01, and for `small` the first of January
            four years before the horizon's year. To extend a small world past New Year, pass
            its start.
        accounts: For `custom`: customers won in the demo's 15 years.
        events_per_day: Target of raw usage events a day at the end (None: the demo's density).
    """

    size: Size = "small"
    seed: int = 1
    horizon: date | None = None
    start: date | None = None
    accounts: int | None = None
    events_per_day: int | None = None

    def __post_init__(self) -> None:
        if self.size not in ("small", "demo", "custom"):
            raise ValueError(f"size must be small, demo or custom, not {self.size!r}")
        if (self.size == "custom") != (self.accounts is not None):
            raise ValueError("accounts must be given with size='custom' and only then")
        horizon = self.horizon
        if horizon is None:
            yesterday = datetime.now(UTC).date() - timedelta(days=1)
            horizon = SMALL_HORIZON if self.size == "small" else yesterday
        start = self.start
        if start is None:
            start = date(horizon.year - 4, 1, 1) if self.size == "small" else DEMO_START
        start = start.replace(day=1)
        if horizon < start:
            raise ValueError(f"horizon {horizon} lies before the start {start}; choose a later one")
        object.__setattr__(self, "horizon", horizon)
        object.__setattr__(self, "start", start)

    @property
    def last_day(self) -> date:
        """The horizon, resolved."""
        assert self.horizon is not None  # noqa: S101 - set in __post_init__
        return self.horizon

    @property
    def first_day(self) -> date:
        """The start, resolved to the first of its month."""
        assert self.start is not None  # noqa: S101 - set in __post_init__
        return self.start

    @property
    def horizon_at(self) -> datetime:
        """Last instant that has happened."""
        return end_of_day(self.last_day)

    @property
    def start_month(self) -> int:
        """Month number of the start (0 = January 1970)."""
        return month_of(self.first_day)

    @property
    def horizon_month(self) -> int:
        """Month number of the horizon (possibly not finished)."""
        return month_of(self.last_day)

    @property
    def last_full_month(self) -> int:
        """Newest month whose end has happened."""
        next_first = first_day(self.horizon_month + 1)
        finished = self.last_day == next_first - timedelta(days=1)
        return self.horizon_month if finished else self.horizon_month - 1

    @property
    def rarity(self) -> float:
        """Factor on the chance of what few customers ever meet, so that a small company has it."""
        return 3.0 if self.size == "small" else 1.0

    @property
    def scale(self) -> float:
        """Customers won a month, relative to the demo company."""
        if self.size == "small":
            return 0.6
        if self.accounts is not None:
            return self.accounts / DEMO_CUSTOMERS
        return 1.0
