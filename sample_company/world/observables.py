"""All that vendor systems, surveys, product logs and spreadsheets show of the latent state.

Belongs here: the order in which the observable tables are drawn. Must not be here: any draw.
"""

from __future__ import annotations

import pandas as pd

from sample_company.rng import Rng
from sample_company.world.activities import add_activities, deal_campaigns
from sample_company.world.config import WorldConfig
from sample_company.world.desk import add_desk
from sample_company.world.identity import identity_truth
from sample_company.world.mess import spoil_observed
from sample_company.world.noise import Noise
from sample_company.world.panel import Tables, build_panel
from sample_company.world.people import add_people
from sample_company.world.support import add_support
from sample_company.world.surveys import add_surveys
from sample_company.world.usage import add_usage


def add_observables(
    tables: Tables, config: WorldConfig, rng: Rng, duplicate_share: float = 0.06
) -> Tables:
    """Draw every observable table of a world.

    Args:
        tables: accounts, opportunities, employees, account_owners, latent, billing_customers,
            subscription_versions, trigger_exposures, program_assignments.
        config: the world's size, seed and horizon.
        rng: the world's keyed random numbers.
        duplicate_share: share of contacts that were entered twice (0-1).

    Returns:
        The new tables by name (the given ones are not repeated). Tables with `version_at` hold
        versions, the others facts with `known_at`; `spells` and those named `truth_...` are truth;
        `deal_campaigns` says which campaign each deal came from.
    """
    noise = Noise(rng)
    panel = build_panel(tables, config.last_day)
    known: Tables = {**tables, **add_people(tables, noise, panel, duplicate_share)}
    known |= add_activities(known, noise, panel)
    known |= add_support(known, noise, panel)
    known |= add_surveys(known, noise, panel)
    known |= add_desk(known, noise, panel)
    known |= add_usage(known, noise, panel, config)
    known["deal_campaigns"] = deal_campaigns(known)
    known |= spoil_observed(known, noise, pd.Timestamp(config.horizon_at))
    known |= identity_truth(known, known["truth_people"], panel.horizon)
    return {name: table for name, table in known.items() if name not in tables}
