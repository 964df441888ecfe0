"""Assemble the world: simulation, CRM, billing, truth, and the observables of the other modules.

Belongs here: the order of assembly and the check against the schema. Must not be here: any
phenomenon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sample_company.clock import DAY, month_start_day
from sample_company.rng import Rng
from sample_company.world.billing import Book, Names, build_billing
from sample_company.world.config import WorldConfig
from sample_company.world.contracts import simulate
from sample_company.world.crm import account_ids, build_crm
from sample_company.world.mess import combined, planted, spoil_deals
from sample_company.world.observables import add_observables
from sample_company.world.schema import TABLES, TRUTH, conform
from sample_company.world.truth import Holders, build_truth
from sample_company.world.usage import planted_mess


@dataclass(frozen=True)
class World:
    """A finished world: what vendors would serve, and what really happened."""

    config: WorldConfig
    tables: dict[str, pd.DataFrame]
    truth: dict[str, pd.DataFrame]


def _core(config: WorldConfig) -> World:
    rng = Rng(config.seed)
    sim = simulate(config, rng)
    book = Book(sim)
    if book.subs.empty:
        raise ValueError(
            f"the company has no customer yet on {config.last_day}: choose more than "
            f"{config.accounts} accounts, a later horizon or another seed"
        )
    index = sim.accounts.index
    names = Names(rng, account_ids(rng, index))
    tables, truth, company = build_crm(config, book, rng, names, Holders(book).finally_(index))
    start_s = int(month_start_day(np.int64(config.start_month))) * DAY
    tables.update(build_billing(book, names, company, start_s))
    truth.update(build_truth(book, names, config.last_full_month))
    horizon = pd.Timestamp(config.horizon_at)
    tables["opportunities"] = spoil_deals(
        conform(tables["opportunities"], TABLES["opportunities"]), rng, horizon
    )
    return World(
        config,
        {name: conform(tables[name], columns) for name, columns in TABLES.items()},
        {name: conform(truth[name], columns) for name, columns in TRUTH.items()},
    )


def build_world(config: WorldConfig, *, observables: bool = True) -> World:
    """Build a world; the same configuration always gives the same bytes.

    Args:
        config: Size, seed, start and horizon.
        observables: Whether to add what people, tickets, surveys and usage show of the state.

    Returns:
        Tables by name (see `schema.TABLES` and the observables' modules) and the truth tables;
        `truth_mess` lists what was planted (that of usage events not for `custom` sizes, whose
        events may be a billion: ask `usage.planted_mess`).

    Raises:
        ValueError: the company is so small and young that it has no customer.
    """
    world = _core(config)
    tables, truth = dict(world.tables), dict(world.truth)
    if observables:
        for name, frame in add_observables(tables, config, Rng(config.seed)).items():
            (truth if name.startswith("truth_") else tables)[name] = frame
        deals = tables["opportunities"]
        source = tables["deal_campaigns"].set_index("opportunity_id")["campaign_id"]
        tables["opportunities"] = deals.assign(
            campaign_id=deals["opportunity_id"].map(source).astype("str")
        )
    mess = planted(tables, truth)
    if observables and config.size != "custom":
        mess = combined(mess, planted_mess(tables, config))
    truth["truth_mess"] = mess
    return World(config, tables, truth)
