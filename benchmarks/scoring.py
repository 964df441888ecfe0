"""Training and explained scoring, at 120,000 and at 1,200,000 account-months of 60 features.

The frame is drawn, not built: accounts with a health that drifts from month to month, yearly
renewals that are lost the more often the worse it is (about one in seven), and features of which a
third show it through noise. Some are counts, some flags, some have long tails; half of them are
unknown for a part of the accounts. Of two accounts in three somebody said in the month what it
would do, rightly but for noise. A place that an account leaves is taken by a new one, so a size
is the number of accounts served at any time, each place for five years.

Measured in a process of its own: every head from the feature frame to the saved text of its model
(rolling origins, choice, calibration, refits for the interval, reference), then the scores of all
open accounts with intervals and reasons. What a model can know at most is known here, so the work
is checked: the area under the curve it reaches beside that of the truth.

Belongs here: this benchmark and its table. Must not be here: how things are measured.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd

import scoring
from benchmarks import growth
from benchmarks.process import Measured, measured
from scoring import evaluation
from scoring.arrays import Bools, Floats, Ints, sigmoid
from scoring.heads import PEOPLE

SIZES = (2_000, 20_000)
MONTHS = 60
FEATURES = 60
LAST_DAY = pd.Timestamp("2025-12-31")
SEED = 1
TARGET = (
    "targets at 1,000,000 account-months taught: 60 s a head, 6 GB, 10,000 rows scored a second"
)

TERM_MONTHS = 12
GRACE = pd.Timedelta(days=60)
#: Log odds of a loss at average health, and what one standard deviation of it changes.
BASE, STRENGTH = -2.2, 1.2
#: Share of an account's health that is left a month later.
LASTING = 0.98
MISSING = (0.0, 0.0, 0.0, 0.02, 0.1, 0.35)
GROUPS = (
    *("adoption", "billing", "champion", "contract", "executive", "plan"),
    *("relationship", "support", "usage", "value", "voice", "competitor"),
)
BANDS = pd.DataFrame(
    {
        "band_version": ["1"] * 3,
        "valid_from": ["2011-01-01"] * 3,
        "band": ["high", "medium", "low"],
        "p_min": [0.32, 0.16, 0.0],
    }
)


@dataclass(frozen=True)
class Lives:
    """What became of each place in each month; every array has the shape (months, places).

    Attributes:
        account: number of the account that holds the place.
        health: of the account.
        age: months since its start.
        due: month in which its next renewal falls due.
        lost: whether that renewal was lost; false where it lies beyond the last month.
        p: probability of it, as it stood at the due date; NaN beyond the last month.
    """

    account: Ints
    health: Floats
    age: Ints
    due: Ints
    lost: Bools
    p: Floats


@dataclass(frozen=True)
class Trained:
    """What came of one head."""

    seconds: float
    cpu_seconds: float
    taught: int
    losses: int
    recipe: str
    auc: float
    scored_a_second: float


@dataclass(frozen=True)
class Size:
    """What came of one size.

    Attributes:
        places: accounts served at any time.
        rows: account-months of the frame.
        best_auc: area under the curve of the truth, over all decided rows.
        heads: by name.
    """

    places: int
    rows: int
    best_auc: float
    heads: Mapping[str, Trained]


def run(sizes: Sequence[int], folder: Path) -> Iterator[str]:
    """Measure the sizes, the smallest first; yields the lines of the report as they are known.

    Args:
        sizes: accounts served at any time; each is a sixtieth of the account-months.
        folder: to save models into.

    Raises:
        AssertionError: a head learnt nothing, though there was something to learn.
    """
    yield f"Training and explained scoring: {FEATURES} features, {MONTHS} months an account"
    yield (
        f"{'account-months':>15} {'head':<14} {'taught':>10} {'losses':>8} {'recipe':<7} "
        f"{'seconds':>8} {'cpu s':>7} {'growth':>7} {'scored/s':>9} {'AUC':>6} {'at most':>8} "
        f"{'peak GB':>8}"
    )
    before: Size | None = None
    for places in sorted(sizes):
        one = measured(work, places, folder)
        yield from _lines(one, before)
        before = one.result
    yield f"({TARGET})"


def work(places: int, folder: Path) -> Size:
    """Draw a company of that many places, train every head on it and score its open accounts."""
    lives = live(places, SEED)
    frame = features(lives, SEED)
    decided = ~np.isnan(lives.p)
    best = evaluation.auc(lives.lost[decided].astype(np.float64), lives.p[decided])
    as_of = date(LAST_DAY.year, LAST_DAY.month, LAST_DAY.day)
    heads = {name: _head(name, frame, as_of, folder) for name in scoring.HEADS}
    return Size(places, len(frame), best, heads)


def _head(name: str, frame: pd.DataFrame, as_of: date, folder: Path) -> Trained:
    began, cpu_began = time.perf_counter(), time.process_time()
    model = scoring.train(frame, name, as_of)
    with tempfile.TemporaryDirectory(dir=folder) as models:
        scoring.registry.save(Path(models), model)
    seconds = time.perf_counter() - began
    cpu_seconds = time.process_time() - cpu_began

    began = time.perf_counter()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rows = scoring.score(model, frame, as_of, bands=BANDS, scored_at=at, run_id="benchmark")
    scoring_seconds = time.perf_counter() - began

    calibrated = model.metrics.get("calibrated")
    area = float(calibrated["auc"]) if isinstance(calibrated, Mapping) else float("nan")
    if model.serves != "model" or not area > 0.6 or (rows["reasons"] == "[]").mean() > 0.1:
        raise AssertionError(f"{name} learnt nothing: {model.recipe}, AUC {area:.3f}")
    told = model.manifest
    return Trained(
        seconds,
        cpu_seconds,
        int(str(told["rows"])),
        int(str(told["losses"])),
        model.recipe,
        area,
        len(rows) / scoring_seconds,
    )


def live(places: int, seed: int) -> Lives:
    """Let accounts live through the months, lose renewals and be replaced."""
    rng = np.random.default_rng(seed)
    shape = (MONTHS, places)
    account = np.zeros(shape, dtype=np.int64)
    age = np.zeros(shape, dtype=np.int64)
    health = np.zeros(shape)
    decided_lost = np.zeros(shape, dtype=np.bool_)
    decided_p = np.full(shape, np.nan)
    who = np.arange(places)
    # Renewals fall into every month of the year from the first on.
    months_old = rng.integers(0, TERM_MONTHS, places)
    state = rng.normal(size=places)
    for month in range(MONTHS):
        state = LASTING * state + np.sqrt(1 - LASTING**2) * rng.normal(size=places)
        is_due = (months_old > 0) & (months_old % TERM_MONTHS == 0)
        p = sigmoid(BASE + STRENGTH * state)
        lost = is_due & (rng.random(places) < p)
        decided_p[month, is_due] = p[is_due]
        decided_lost[month] = lost
        who = np.where(lost, who.max() + 1 + np.arange(places), who)
        months_old = np.where(lost, 0, months_old)
        state = np.where(lost, rng.normal(size=places), state)
        account[month], age[month], health[month] = who, months_old, state
        months_old = months_old + 1
    due = np.arange(MONTHS)[:, None] + TERM_MONTHS - age % TERM_MONTHS
    place = np.broadcast_to(np.arange(places), shape)
    inside = due < MONTHS
    at = (np.minimum(due, MONTHS - 1), place)
    p = np.where(inside, decided_p[at], np.nan)
    return Lives(account, health, age, due, decided_lost[at] & inside, p)


def features(lives: Lives, seed: int) -> pd.DataFrame:
    """The feature frame of these lives, as `int_account_features` publishes it."""
    rng = np.random.default_rng(seed + 1)
    # The months lived, and those in which what is open at the end falls due.
    calendar = pd.date_range(
        end=LAST_DAY + pd.offsets.MonthEnd(TERM_MONTHS), periods=MONTHS + TERM_MONTHS, freq="ME"
    )
    rows = lives.account.size
    observed = calendar.to_numpy()[np.repeat(np.arange(MONTHS), lives.account.shape[1])]
    due = calendar.to_numpy()[lives.due.ravel()]
    lost = lives.lost.ravel()
    known = np.where(lost, due + GRACE.to_timedelta64(), due - np.timedelta64(20, "D"))
    final = ~np.isnan(lives.p.ravel()) & (known <= LAST_DAY.to_datetime64())
    health = lives.health.ravel()
    arr = np.round(np.exp(rng.normal(9.5, 1.2, lives.account.shape[1])), 2)
    columns: dict[str, object] = {
        "account_id": np.char.add("001", lives.account.ravel().astype(np.str_)).astype(object),
        "observed_on": observed,
        "segment": np.tile(
            np.array(["SMB", "mid-market", "enterprise"], dtype=object)[
                rng.integers(0, 3, lives.account.shape[1])
            ],
            MONTHS,
        ),
        "attention_band": "middle",
        "arr_usd": np.tile(arr, MONTHS),
        "months_to_renewal": np.round((due - observed) / np.timedelta64(1, "D") / 30.4375, 6),
        "next_due_on": due,
        "cycle_number": (lives.age // TERM_MONTHS + 1).ravel().astype(np.float64),
        "tenure_months": lives.age.ravel().astype(np.float64),
        "is_open": True,
        "label_is_lost": np.where(final, lost.astype(np.float64), np.nan),
        "label_known_on": np.where(final, known, np.datetime64("NaT")),
        "label_due_on": due,
    }
    frame = pd.DataFrame(columns, copy=False)
    x = np.empty((rows, FEATURES), order="F")
    for j in range(FEATURES):
        x[:, j] = _feature(j, health, lives.account.shape[1], rng)
    names = [f"f_{GROUPS[j % len(GROUPS)]}__figure_{j:02d}" for j in range(FEATURES)]
    frame = pd.concat([frame, pd.DataFrame(x, columns=names, copy=False)], axis=1)
    doubt = rng.normal(size=rows)
    frame[PEOPLE.column] = np.round(1.0 - sigmoid(BASE + STRENGTH * health + doubt), 2)
    frame[PEOPLE.age] = np.where(rng.random(rows) < 2 / 3, rng.integers(0, 31, rows), 60)
    return frame


def _feature(j: int, health: Floats, places: int, rng: np.random.Generator) -> Floats:
    """One feature of all account-months: every third shows health, the others are noise."""
    shown = (0.15 + 0.05 * (j % 9)) * health if j % 3 == 0 else 0.0
    lasting = np.tile(rng.normal(size=places), MONTHS)
    signal = shown + 0.7 * lasting + 0.7 * rng.normal(size=len(health))
    kind = j % 4
    if kind == 1:
        signal = rng.poisson(np.exp(np.clip(0.5 * signal, -5.0, 3.0))).astype(np.float64)
    elif kind == 2:
        signal = (signal > 0.8).astype(np.float64)
    elif kind == 3:
        signal = np.exp(np.clip(signal, -8.0, 8.0))
    missing = rng.random(len(health)) < MISSING[j % len(MISSING)]
    return np.where(missing, np.nan, np.round(signal, 4))


def _lines(one: Measured[Size], before: Size | None) -> Iterator[str]:
    size = one.result
    for name, head in size.heads.items():
        grown = ""
        if before:
            points = (before.rows, before.heads[name].cpu_seconds), (size.rows, head.cpu_seconds)
            grown = f"{growth.exponent(*points):.2f}"
        yield (
            f"{size.rows:>15,} {name:<14} {head.taught:>10,} {head.losses:>8,} {head.recipe:<7} "
            f"{head.seconds:>8.1f} {head.cpu_seconds:>7.1f} {grown:>7} "
            f"{head.scored_a_second:>9,.0f} {head.auc:>6.3f} "
            f"{size.best_auc:>8.3f} {one.peak_bytes / 1e9:>8.2f}"
        )
