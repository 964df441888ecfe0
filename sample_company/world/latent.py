"""Who the accounts are and what state they are in: attributes, dynamics, hazards of leaving.

Belongs here: everything that no vendor system records. Must not be here: contracts and money.

Mechanism: five slow variables per account (executive connection, value realised, delivery of the
primary need, competitor pressure, champion in place) drive eight competing hazards at each renewal.
The chance of losing it is 1 - exp(-sum of hazards), the cause is drawn in proportion to them. The
parameters are calibrated to logo churn a year of 25 % (SMB), 18 % (mid-market) and 5 %
(enterprise).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sample_company.rng import Rng
from sample_company.world.config import WorldConfig
from sample_company.world.schema import ORIGINS

I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

SMB, MID, ENT = 0, 1, 2
#: Rows: SMB, mid-market, enterprise.
SEGMENT_SHARE = (0.50, 0.42, 0.08)
LOG_ACV = np.log([2_400.0, 40_000.0, 120_000.0])
SIGMA_ACV = np.array([0.75, 0.65, 0.6])
ATTENTION = np.array([0.03, 0.08, 0.45])
GROWTH = np.array([0.100, 0.150, 0.160])
MULTI_LEVEL = np.array([0.02, 0.10, 0.45])
WIN_SHARE = 0.82
#: How gladly a contract is signed in each calendar month, January first: quarters and above all the
#: year are closed with a rush, and summer is slow. Small customers buy by card when they need to.
SIGNING_SEASON = np.array(
    [0.60, 0.80, 1.80, 0.70, 0.90, 1.90, 0.65, 0.80, 1.90, 0.80, 0.90, 2.30],
)
SEASON_STRENGTH = np.array([0.5, 1.0, 1.3])
#: Prospects that arrive in each calendar month: few in summer and around New Year. Averages one.
ARRIVAL_SEASON = np.array(
    [1.04, 1.04, 1.08, 1.04, 1.06, 1.00, 0.88, 0.88, 1.08, 1.06, 1.02, 0.82],
)
#: Months from the first entry in the CRM to the latest signature.
SALES_CYCLE = np.array([2, 4, 6])

#: Shares and effect of how the account was won (order of schema.ORIGINS).
ORIGIN_SHARE = np.array([0.70, 0.12, 0.0, 0.10, 0.08])
ORIGIN_HAZARD = np.array([1.05, 0.60, 0.80, 1.15, 0.80])
#: What the mess (late signatures, long terms, planted unhappiness) adds is taken off here.
SEGMENT_HAZARD = np.array([0.98, 0.92, 0.66])
ORIGIN_CAC = np.array([1.00, 0.45, 0.35, 0.70, 1.40])

REGION_SHARE = (0.50, 0.38, 0.12)
#: Currency weights by region (USD, EUR, GBP, JPY).
CURRENCY_BY_REGION = np.array([[1.0, 0, 0, 0], [0.10, 0.60, 0.30, 0], [0.35, 0, 0, 0.65]])

VISIT_EFFECT = 0.45
STICKY_EFFECT = 0.70
PROGRAM_EFFECT = 0.55
TRIGGER_LIFT = 3.0
#: Customers that billing deletes after they have left for good.
DELETED_SHARE = 0.03
VISIT_MEMORY_MONTHS = 12
TRIGGER_MEMORY_MONTHS = 3


@dataclass
class Accounts:
    """Constant attributes, one array element per account in order of creation."""

    index: I64
    created_month: I64
    wins: Bools
    contract_month: I64
    segment: I64
    region: I64
    currency: I64
    origin: I64
    fit: F64
    acv_usd: F64
    levels_at_start: I64
    happy_cold: Bools
    silent: Bools
    mismatch: Bools
    sticky: Bools
    decoy: Bools
    industry: I64
    #: Never comes back once it has left; billing deletes the customer some months later.
    leaves_for_good: Bools

    def __len__(self) -> int:
        return len(self.index)


INDUSTRIES = (
    "Manufacturing",
    "Retail",
    "Financial Services",
    "Healthcare",
    "Logistics",
    "Software",
    "Education",
    "Energy",
)
#: Customers of this industry measure success in another metric than the vendor does.
MISMATCH_INDUSTRY = 4


def create_accounts(config: WorldConfig, rng: Rng) -> Accounts:
    """Draw the accounts that arrive in the CRM up to the horizon, won later or never."""
    months = np.arange(config.start_month, config.horizon_month + 1)
    counts = []
    for month in months.tolist():
        age = month - config.start_month
        mean = config.scale * (3.8 + 9.6 * age / 180.0) / WIN_SHARE * ARRIVAL_SEASON[month % 12]
        counts.append(int(rng.poisson("arrivals", mean, month)[0]))
    created = np.repeat(months, counts).astype(np.int64)
    i = np.arange(len(created), dtype=np.int64)
    segment = rng.choice("segment", SEGMENT_SHARE, i)
    region = rng.choice("region", REGION_SHARE, i)
    wins = rng.chance("wins", WIN_SHARE, i)
    origin = rng.choice("origin", ORIGIN_SHARE, i)
    lag = _sales_cycle(rng, i, created, segment)
    second_try = rng.integers("second_try", 7, 25, i)
    contract = created + lag + np.where(origin == ORIGINS.index("lost_deal"), second_try, 0)
    fit = rng.normal("fit", i)
    industry = rng.integers("industry", 0, len(INDUSTRIES), i)
    multi = MULTI_LEVEL[segment]
    levels = 1 + rng.chance("level_2", multi * 1.5, i) + rng.chance("level_3", multi, i)
    # The decoy goes with fit as the sticky feature does, so both look good and only one is.
    sticky = rng.chance("sticky", 0.30 + 0.05 * np.tanh(fit), i)
    decoy = rng.chance("decoy", 0.35 + 0.22 * np.tanh(fit), i)
    return Accounts(
        index=i,
        created_month=created,
        wins=wins,
        contract_month=np.where(wins, contract, np.iinfo(np.int64).max).astype(np.int64),
        segment=segment,
        region=region,
        currency=rng.choice("currency", CURRENCY_BY_REGION[region], i),
        origin=origin,
        fit=fit,
        acv_usd=np.exp(LOG_ACV[segment] + SIGMA_ACV[segment] * rng.normal("acv", i)),
        levels_at_start=levels.astype(np.int64),
        happy_cold=rng.chance("happy_cold", 0.05, i),
        silent=rng.chance("silent", 0.06, i),
        mismatch=(industry == MISMATCH_INDUSTRY) & rng.chance("mismatch", 0.7, i),
        sticky=sticky,
        decoy=decoy,
        industry=industry,
        leaves_for_good=rng.chance("leaves_for_good", DELETED_SHARE * config.rarity, i),
    )


def _sales_cycle(rng: Rng, i: I64, created: I64, segment: I64) -> I64:
    """Months until the contract starts, by the season of each month that it could start in."""
    lags = np.arange(SALES_CYCLE.max())
    season = SIGNING_SEASON[(created[:, None] + lags) % 12] ** SEASON_STRENGTH[segment][:, None]
    weights = np.where(lags < SALES_CYCLE[segment][:, None], season, 0.0)
    return rng.choice("sales_cycle", weights, i) if len(i) else i


@dataclass
class LatentState:
    """The slow variables of every account; only rows of customers in force move."""

    exec_connection: F64
    value: F64
    need: F64
    competitor: F64
    champion: Bools
    levels: I64
    last_visit: I64
    last_trigger: I64
    program_until: I64
    touched: Bools = field(init=False)
    visited: Bools = field(init=False)
    champion_left: Bools = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.value)
        self.touched = np.zeros(n, dtype=np.bool_)
        self.visited = np.zeros(n, dtype=np.bool_)
        self.champion_left = np.zeros(n, dtype=np.bool_)

    @classmethod
    def initial(cls, accounts: Accounts) -> LatentState:
        """State of every account on the day of its first contract."""
        n = len(accounts)
        never = np.full(n, -(10**6), dtype=np.int64)
        return cls(
            exec_connection=np.full(n, 0.7),
            value=np.full(n, 0.45),
            need=np.ones(n),
            competitor=np.zeros(n),
            champion=np.ones(n, dtype=np.bool_),
            levels=accounts.levels_at_start.copy(),
            last_visit=never.copy(),
            last_trigger=never.copy(),
            program_until=never.copy(),
        )

    def restart(self, i: I64, accounts: Accounts) -> None:
        """A customer that comes back starts again as a new one, a little better connected."""
        self.exec_connection[i] = 0.75
        self.value[i] = 0.5
        self.need[i] = 1.0
        self.competitor[i] = 0.0
        self.champion[i] = True
        self.levels[i] = accounts.levels_at_start[i]


def step(
    state: LatentState, accounts: Accounts, i: I64, month: int, locked_in: Bools, rng: Rng
) -> None:
    """Move the slow variables of accounts `i` by one month, in place."""
    segment = accounts.segment[i]
    attention = ATTENTION[segment]
    leaves = rng.chance("champion_leaves", 0.022, i, month)
    champion = state.champion[i] & ~leaves
    regained = rng.chance(
        "champion_found", 0.03 + 0.25 * attention + 0.08 * (state.levels[i] - 1), i, month
    )
    champion = champion | regained
    silent = accounts.silent[i]
    touched = rng.chance("touched", attention, i, month) & ~silent
    # Visits go where the relation is good already: this is why they look better than they are.
    visit_chance = attention * 0.12 * (0.4 + 1.0 * state.exec_connection[i])
    visited = rng.chance("visited", visit_chance, i, month) & ~silent
    connection = state.exec_connection[i] * 0.965 + 0.16 * touched + 0.25 * visited
    connection = np.clip(connection - 0.10 * ~champion, 0.0, 1.0)
    connection = np.where(accounts.happy_cold[i], np.minimum(connection, 0.30), connection)
    drift = 0.02 * (accounts.fit[i] * 0.35 + 0.10) + 0.03 * touched
    drift = drift - 0.012 * (1.0 - connection) - 0.02 * locked_in
    value = np.clip(state.value[i] + drift + 0.03 * rng.normal("value", i, month), 0.0, 1.0)
    need = state.need[i]
    degrades = rng.chance("need_degrades", 0.006, i, month)
    recovers = (need < 1.0) & rng.chance("need_recovers", 0.12, i, month)
    need = np.where(recovers, 1.0, need)
    need = np.where(degrades, 0.2 + 0.5 * rng.uniform("need_level", i, month), need)
    competitor = state.competitor[i]
    competitor = np.where(rng.chance("competitor", 0.008, i, month), 1.0, competitor) * 0.93
    state.champion[i] = champion
    state.champion_left[i] = leaves
    state.touched[i] = touched
    state.visited[i] = visited
    state.last_visit[i] = np.where(visited, month, state.last_visit[i])
    state.exec_connection[i] = connection
    state.value[i] = value
    state.need[i] = need
    state.competitor[i] = competitor


def hazards(
    state: LatentState, accounts: Accounts, origin: I64, i: I64, month: int, years: Any
) -> F64:
    """Eight hazards (columns as in schema.CAUSES) of accounts `i` for `years` of contract.

    `years` is 1 for an annual renewal, less for a month of an evergreen subscription.
    """
    segment = accounts.segment[i]
    away = 1.0 - state.exec_connection[i]
    h = np.empty((len(i), 8))
    by_segment = np.array([0.75, 1.0, 1.0])[segment]
    h[:, 0] = 0.30 * away**2 * np.where(state.champion[i], 0.8, 1.6) * by_segment
    h[:, 1] = 0.18 * (1.0 - state.value[i]) ** 2.2 * np.array([1.15, 0.5, 0.3])[segment]
    h[:, 2] = 0.55 * np.maximum(0.0, 0.9 - state.need[i])
    h[:, 3] = 0.12 * state.competitor[i] * np.array([0.7, 1.0, 0.8])[segment]
    h[:, 4] = np.array([0.045, 0.020, 0.008])[segment]
    h[:, 5] = np.array([0.050, 0.018, 0.008])[segment]
    h[:, 6] = 0.012
    h[:, 7] = 0.006 * np.array([1.0, 1.0, 0.5])[segment]
    visited = month - state.last_visit[i] <= VISIT_MEMORY_MONTHS
    for cause in (0, 1, 3):
        h[:, cause] *= np.where(visited, VISIT_EFFECT, 1.0)
    scale = (
        ORIGIN_HAZARD[origin[i]]
        * SEGMENT_HAZARD[segment]
        * np.where(accounts.sticky[i], STICKY_EFFECT, 1.10)
    )
    scale = scale * np.where(state.program_until[i] >= month, PROGRAM_EFFECT, 1.0)
    return np.asarray(h * (scale * years)[:, None])
