"""A company of any size streamed to Parquet: raw events by day, and its tables if asked for.

Belongs here: building a company larger than memory in blocks of accounts, and writing its events
with the machine's cores. Does not belong here: what happens in a company (see `world`), the layout
of event files (see `export`), anything served.

The company is made of blocks of a few thousand accounts, each a company of its own seed that shares
no account with the others. A block is built, what its events follow is kept (months in service,
people who log in), the rest is let go. Then days are drawn from all blocks at once, a stretch of
users and days at a time, and written as they come.

What is kept of a block lies in a scratch folder until everything is written; a run that was killed
finds it and the event files that count, and carries on. Memory grows by about 4 kB an account.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from sample_company import export, store
from sample_company.export import Entry, ExportReport
from sample_company.rng import Rng
from sample_company.world.build import build_world
from sample_company.world.config import WorldConfig
from sample_company.world.event_mess import broken_between, event_path, with_places
from sample_company.world.noise import Noise
from sample_company.world.panel import build_panel
from sample_company.world.people import add_people
from sample_company.world.usage import Usage, raw_from

Progress = Callable[[str], None]

BLOCK_ACCOUNTS = 5_000
_SCRATCH = ".blocks"
_FRAMES = ("homes", "months", "people")
_SAY_EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Benchmark:
    """Which company to stream and where to.

    Attributes:
        accounts: customers won over the company's 15 years.
        out: folder to write: `events/`, and where asked for `tables/<name>/` and `truth/<name>/`.
        events_per_day: about how many raw events arrive a day at the end; None for the density of
            the demo company (3.4 an account ever won).
        seed: which company.
        horizon: last day that has happened.
        event_days: raw events of the last so many days only; None for 36 months.
        with_tables: also write every table of the company, a file a block.
        with_truth: also write every table of truth, a file a block.
        workers: processes.
        block_accounts: accounts built at a time.
    """

    accounts: int
    out: Path
    horizon: date
    events_per_day: int | None = None
    seed: int = 1
    event_days: int | None = None
    with_tables: bool = False
    with_truth: bool = False
    workers: int = 2
    block_accounts: int = BLOCK_ACCOUNTS

    def __post_init__(self) -> None:
        for name in ("accounts", "workers", "block_accounts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("events_per_day", "event_days"):
            given = getattr(self, name)
            if given is not None and given < 1:
                raise ValueError(f"{name} must be at least 1, not {given}")

    @property
    def config(self) -> WorldConfig:
        """The whole company."""
        return WorldConfig(
            size="custom",
            seed=self.seed,
            horizon=self.horizon,
            accounts=self.accounts,
            events_per_day=self.events_per_day,
        )

    @property
    def first_day(self) -> date:
        """First day of raw events."""
        if self.event_days is not None:
            return max(self.horizon - timedelta(days=self.event_days - 1), self.config.first_day)
        return raw_from(self.config)

    def blocks(self) -> list[WorldConfig]:
        """Companies of even size that make up the whole; a single one is the company itself."""
        count = -(-self.accounts // self.block_accounts)
        if count == 1:
            return [self.config]
        seeds = Rng(self.seed).u64("block", np.arange(count)) >> np.uint64(1)
        share = np.diff(np.arange(count + 1) * self.accounts // count)
        return [
            WorldConfig(size="custom", seed=int(seed), horizon=self.horizon, accounts=int(accounts))
            for seed, accounts in zip(seeds, share, strict=True)
        ]

    def identity(self) -> dict[str, object]:
        """What must not change between a run and the one that carries it on."""
        return {
            "accounts": self.accounts,
            "events_per_day": self.events_per_day,
            "seed": self.seed,
            "horizon": self.horizon.isoformat(),
            "first_day": self.first_day.isoformat(),
            "block_accounts": self.block_accounts,
            "tables": self.with_tables,
            "truth": self.with_truth,
            "code": store.world_code(),
        }


def run(plan: Benchmark, progress: Progress) -> ExportReport:
    """Write the company's raw events (and tables), carrying on where an earlier run stopped.

    Raises:
        ValueError: the folder holds another company's files.
    """
    events = plan.out / "events"
    scratch = plan.out / _SCRATCH
    _claim(plan)
    entries = _gathered(events)
    missing = export.missing_days(entries, plan.first_day, plan.horizon, "parquet")
    if not missing and not scratch.exists():
        progress("everything is written already")
        return export.report_of(entries, 0, 0)
    with _pool(plan.workers) as pool:
        _build(plan, scratch, pool, progress)
        new_rows = _write(plan, events, missing, pool, progress) if missing else 0
    entries = _gathered(events)
    shutil.rmtree(scratch)
    return export.report_of(entries, len(missing), new_rows)


def _claim(plan: Benchmark) -> None:
    """Leave word of whose files these are; refuse a folder with another company's."""
    mark = plan.out / "company.json"
    ours = plan.identity()
    if mark.exists():
        theirs = json.loads(mark.read_text("utf-8"))
        other = [name for name, value in ours.items() if theirs.get(name) != value]
        if other:
            raise ValueError(
                f"{plan.out} holds another company's files (other {', '.join(other)}). Name an "
                "empty folder, or repeat the command that began it."
            )
    elif (plan.out / "events").exists():
        raise ValueError(f"{plan.out} holds event files of unknown origin. Name an empty folder.")
    plan.out.mkdir(parents=True, exist_ok=True)
    mark.write_text(json.dumps(ours, indent=1) + "\n", "utf-8")


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    # Spawned, not forked: a child then holds nothing of its parent's memory.
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


# --- blocks -------------------------------------------------------------------------------------


def _build(plan: Benchmark, scratch: Path, pool: ProcessPoolExecutor, progress: Progress) -> None:
    blocks = plan.blocks()
    began = time.monotonic()
    open_blocks = [
        number for number in range(len(blocks)) if not (_block(scratch, number)).is_dir()
    ]
    if len(open_blocks) < len(blocks):
        progress(f"{len(blocks) - len(open_blocks)} of {len(blocks)} blocks are there already")
    waiting = {pool.submit(_build_block, plan, number, scratch) for number in open_blocks}
    done = len(blocks) - len(open_blocks)
    while waiting:
        finished, waiting = wait(waiting, return_when="FIRST_COMPLETED")
        for each in finished:
            accounts = each.result()
            done += 1
            progress(
                f"block {done} of {len(blocks)} built, {accounts:,} accounts "
                f"({time.monotonic() - began:.0f} s)"
            )


def _build_block(plan: Benchmark, number: int, scratch: Path) -> int:
    """Build a block, keep what its events follow, write its tables; the number of accounts."""
    config = plan.blocks()[number]
    everything = plan.with_tables or plan.with_truth
    world = build_world(config, observables=everything)
    for title, wanted, tables in (
        ("tables", plan.with_tables, world.tables),
        ("truth", plan.with_truth, world.truth),
    ):
        if wanted:
            _write_tables(plan.out / title, number, tables)
    panel = build_panel(world.tables, config.last_day)
    tables = world.tables
    if not everything:
        tables = tables | add_people(tables, Noise(Rng(config.seed)), panel)
    usage = Usage.of(tables, plan.config, panel, since=plan.first_day)
    _keep(usage, _block(scratch, number))
    return len(usage.homes)


def _write_tables(folder: Path, number: int, tables: dict[str, pd.DataFrame]) -> None:
    for name, frame in tables.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        hidden = place / f".block-{number:04d}.parquet"
        frame.to_parquet(hidden, index=False, compression="zstd")
        hidden.replace(place / f"block-{number:04d}.parquet")


def _block(scratch: Path, number: int) -> Path:
    return scratch / f"block-{number:04d}"


def _keep(usage: Usage, folder: Path) -> None:
    """Write a block's share of the usage; the folder appears whole or not at all."""
    hidden = folder.with_name("." + folder.name)
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    for name in _FRAMES:
        getattr(usage, name).to_parquet(hidden / f"{name}.parquet", index=False)
    np.save(hidden / "released.npy", usage.released.astype(np.int64))
    hidden.replace(folder)


def _whole(plan: Benchmark) -> Usage:
    """The company's usage out of what was kept of its blocks."""
    parts = []
    for number in range(len(plan.blocks())):
        folder = _block(plan.out / _SCRATCH, number)
        frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in _FRAMES}
        released = np.load(folder / "released.npy").astype("datetime64[D]")
        parts.append(Usage(config=plan.config, released=released, **frames))
    return Usage.joined(plan.config, parts)


# --- events -------------------------------------------------------------------------------------


def _write(
    plan: Benchmark,
    events: Path,
    missing: list[date],
    pool: ProcessPoolExecutor,
    progress: Progress,
) -> int:
    """Write the missing days, a run of days a worker; the number of rows."""
    began = time.monotonic()
    size = -(-len(missing) // plan.workers)
    shares = [missing[at : at + size] for at in range(0, len(missing), size)]
    running: set[Future[None]] = {
        pool.submit(_write_days, plan, events, number, share) for number, share in enumerate(shares)
    }
    rows = 0
    told = 0.0
    while running:
        finished, running = wait(running, timeout=1.0)
        for each in finished:
            each.result()
        spent = time.monotonic() - began
        if spent - told > _SAY_EVERY_SECONDS or not running:
            told = spent
            new = list(_left_over(events).values())
            rows = sum(int(str(entry["rows"])) for entry in new)
            text = f"events: {len(new):,} of {len(missing):,} days, {rows:,} rows"
            if new:
                left = (len(missing) - len(new)) * spent / len(new) / 60
                text += f", {rows / spent:,.0f} a second, about {left:.0f} min left"
            progress(text)
    return rows


def _write_days(plan: Benchmark, events: Path, number: int, days: list[date]) -> None:
    usage = _whole(plan)
    first, last = days[0], days[-1]
    broken = with_places(
        broken_between(plan.seed, first, last, kind="parquet"), usage.customer_workspace
    )
    spoilt = export.by_file(broken)
    with (events / f".manifest.{number}").open("a", encoding="utf-8") as told:
        for start, stop in export.runs(days):
            for day, parts in usage.days(start, stop):
                path = event_path(day, "parquet")
                entry = export.write_day(events, day, path, parts, spoilt.get(path, ()))
                told.write(json.dumps(entry) + "\n")
                told.flush()


def _gathered(events: Path) -> dict[str, Entry]:
    """The files that count; what workers have told of stands in the manifest afterwards."""
    told = _left_over(events)
    entries = export.read_manifest(events) | told
    if told:
        export.save_manifest(events, entries)
    for part in events.glob(".manifest.*"):
        part.unlink()
    return entries


def _left_over(events: Path) -> dict[str, Entry]:
    """Files that workers have finished since the manifest was written."""
    entries: dict[str, Entry] = {}
    events.mkdir(parents=True, exist_ok=True)
    for part in sorted(events.glob(".manifest.*")):
        entries |= export.read_entries(part)
    return entries
