"""Shared worlds, and an independent reading of the served tables by the guide in `world.billing`.

The reading uses only what the vendors serve (the last version of each object, invoices, lines),
never the simulator's ledgers: if it agrees with the truth, the guide is right.
"""

from __future__ import annotations

import fcntl
import pickle
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from sample_company.world import World, WorldConfig, build_world
from sample_company.world.schema import MINOR_UNITS, USD_PER_UNIT

DEMO_HORIZON = date(2026, 11, 20)


#: Where workers of one session leave the worlds they have built; see conftest.
FOLDERS: list[Path] = []


@cache
def shared(config: WorldConfig, observables: bool) -> World:
    """A world that tests only read, built once a session."""
    if not FOLDERS:
        return build_world(config, observables=observables)
    name = f"{config.size}-{config.accounts}-{config.seed}-{config.start}-{config.horizon}"
    path = FOLDERS[0] / f"{name}-{observables}.pickle"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            world = pickle.loads(path.read_bytes())  # written by this session
            assert isinstance(world, World)
            return world
        world = build_world(config, observables=observables)
        path.write_bytes(pickle.dumps(world, protocol=pickle.HIGHEST_PROTOCOL))
        return world


def small_world(seed: int = 1, horizon: date | None = None, start: date | None = None) -> World:
    return shared(WorldConfig(size="small", seed=seed, horizon=horizon, start=start), False)


def demo_world(seed: int = 1) -> World:
    return shared(WorldConfig(size="demo", seed=seed, horizon=DEMO_HORIZON), False)


def whole_small_world(seed: int = 1) -> World:
    """A small company with all that vendors and spreadsheets show of it."""
    return shared(WorldConfig(size="small", seed=seed), True)


def middling_world() -> World:
    """A company of 500 accounts, for checks that need numbers and observables."""
    config = WorldConfig(size="custom", accounts=500, seed=5, horizon=date(2026, 6, 30))
    return shared(config, True)


def without_slips(world: World, table: str, key: str) -> pd.DataFrame:
    """A table without the rows in which somebody planted what no reader should accept."""
    frame, mess = world.tables[table], world.truth["truth_mess"]
    planted = mess["mess"].isin(["future_date", "broken_row", "wrong_foreign_key"])
    slips = mess[planted & (mess["object"] == table)]["record_id"]
    return frame[~frame[key].isin(slips)].reset_index(drop=True)


def world_of(size: str, seed: int) -> World:
    """One of the shared worlds; built when a test first asks, not when tests are collected."""
    return demo_world(seed) if size == "demo" else small_world(seed)


WORLDS = (("small", 1), ("small", 2), ("demo", 1))


def newest(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    return frame.sort_values("version_at", kind="stable").drop_duplicates(key, keep="last")


def cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def pauses_from_invoices(world: World) -> pd.DataFrame:
    """Runs of consecutive void cycle invoices: subscription_id, start, end."""
    invoices = newest(world.tables["invoices"], "invoice_id")
    void = invoices[
        (invoices["status"] == "void") & (invoices["billing_reason"] == "subscription_cycle")
    ]
    void = void.sort_values(["subscription_id", "period_start"])
    new_run = (void["subscription_id"] != void["subscription_id"].shift()) | (
        void["period_start"] != void["period_end"].shift()
    )
    void = void.assign(run=new_run.cumsum())
    return void.groupby(["subscription_id", "run"], as_index=False).agg(
        start=("period_start", "min"), end=("period_end", "max")
    )


def derived_month_ends(world: World) -> pd.DataFrame:
    """subscription_id, item, month end, plan, quantity, mrr and mrr_usd as Decimal."""
    t = world.tables
    lines = t["invoice_lines"]
    lines = lines[~lines["is_credit_proration"] & ~lines["is_one_off"]]
    lines = lines.merge(t["prices"].drop(columns="currency"), on="price_id")
    lines["months"] = lines["interval_count"] * np.where(lines["interval"] == "year", 12, 1)
    subs = newest(t["subscription_versions"], "subscription_id").set_index("subscription_id")
    last = world.truth["truth_mrr"]["month"].max()
    spans = lines.groupby(["subscription_id", "subscription_item_id"], as_index=False).agg(
        first=("period_start", "min")
    )
    ends = pd.date_range("2011-11-01", last, freq="ME").tz_localize("UTC")
    grid = spans.merge(pd.DataFrame({"month": ends}), how="cross")
    grid["at"] = grid["month"] + pd.Timedelta(days=1) - pd.Timedelta(seconds=1)
    ended = grid["subscription_id"].map(subs["ended_at"])
    grid = grid[(grid["at"] >= grid["first"]) & ~(grid["at"] >= ended)]
    grid["at"] = grid["at"].astype("datetime64[us, UTC]")
    states = pd.merge_asof(
        grid.sort_values("at"),
        lines[
            [
                "subscription_item_id",
                "period_start",
                "unit_amount",
                "quantity",
                "months",
                "product_id",
                "currency",
            ]
        ].sort_values("period_start"),
        left_on="at",
        right_on="period_start",
        by="subscription_item_id",
    )
    trial = states["subscription_id"].map(subs["trial_end"])
    states["counts"] = ~(states["at"] < trial)
    for pause in pauses_from_invoices(world).itertuples():
        paused = (states["subscription_id"] == pause.subscription_id) & states["at"].between(
            pause.start, pause.end, inclusive="left"
        )
        states.loc[paused, "counts"] = False
    states["value"] = states["unit_amount"] * states["quantity"]
    states["total"] = states.groupby(["subscription_id", "at"])["value"].transform("sum")
    coupons = t["coupons"].set_index("coupon_id").drop(columns="known_at")
    discounts = t["discounts"].join(coupons, on="coupon_id")
    states["percent"], states["off"] = 0.0, 0
    customer = states["subscription_id"].map(subs["billing_customer_id"])
    for d in discounts.itertuples():
        if pd.isna(d.subscription_id):
            owner = customer == d.billing_customer_id
        elif not pd.isna(d.subscription_item_id):
            owner = states["subscription_item_id"] == d.subscription_item_id
        else:
            owner = states["subscription_id"] == d.subscription_id
        end = d.end_at
        if d.duration == "once":
            own = lines[lines["subscription_id"].isin(states.loc[owner, "subscription_id"])]
            after = own.loc[
                (own["period_start"] > d.start_at) & ~own["is_proration"], "period_start"
            ]
            end = after.min()
        holds = owner & (states["at"] >= d.start_at)
        if not pd.isna(end):
            holds &= states["at"] < end
        if pd.isna(d.amount_off):
            states.loc[holds, "percent"] = d.percent_off
        else:
            states.loc[holds, "off"] = d.amount_off
    rows = []
    for s in states.itertuples():
        code = s.currency.upper()
        value = Decimal(s.value) / MINOR_UNITS[code] / s.months
        value *= 1 - Decimal(str(s.percent)) / 100
        if s.off:
            value = Decimal(s.value) * (s.total - min(s.off, s.total))
            value /= Decimal(s.total) * MINOR_UNITS[code] * s.months
        mrr = cents(value) if s.counts else Decimal(0)
        rows.append((mrr, cents(mrr * Decimal(str(USD_PER_UNIT[code])))))
    states["mrr"] = [r[0] for r in rows]
    states["mrr_usd"] = [r[1] for r in rows]
    states["account_id"] = states["subscription_id"].map(subs["metadata_account_id"])
    states["month"] = states["month"].dt.tz_localize(None).astype("datetime64[s]")
    return states
