"""People at customers: who worked where and when, and what the CRM wrote down about it.

Belongs here: employment spells, contacts as record versions, duplicates of contacts, the contact
roles of opportunities. The champion's spells follow the latent state; everyone else changes jobs
by chance. The CRM learns of it days later, or never.
Must not be here: what people do (activities, surveys, usage).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.world import names
from sample_company.world.noise import U64, Bool, I64, Noise, fold, spread
from sample_company.world.office import days, entry_lag, hours, naive, utc
from sample_company.world.panel import FAR, Days, Panel, Tables, on, record_ids, visible

LEVELS = np.asarray(["end_user", "manager", "director_plus"], dtype=object)
_TITLES = {
    "end_user": ["Analyst", "Specialist", "Coordinator", "Engineer", "Associate", "Planner"],
    "manager": ["Team Lead", "Operations Manager", "Programme Manager", "Manager, Systems"],
    "director_plus": ["Director of Operations", "VP Operations", "Chief Operating Officer",
                      "Director, Finance", "Chief Information Officer", "VP Strategy"],
}
# Regular slots at the start, slots that open later, and the level mix, per segment.
_START_SLOTS = {"SMB": 2, "mid-market": 3, "enterprise": 6}
_LATER_SLOTS = {"SMB": 2, "mid-market": 4, "enterprise": 10}
_LEVEL_MIX = {1: [0.80, 0.19, 0.01], 2: [0.58, 0.37, 0.05], 3: [0.45, 0.36, 0.19]}
_CHAMPION_LEVEL = {"SMB": [0.25, 0.50, 0.25], "mid-market": [0.0, 0.70, 0.30],
                   "enterprise": [0.0, 0.55, 0.45]}
_LATER_WINDOW_DAYS = 15 * 365
_MEAN_SPELL_DAYS = 3_150.0
_MEAN_PROMOTION_DAYS = 4_000.0
_LEFT_COMPANY_SHARE = 0.75
_FOUND_AGAIN_SHARE = 0.42
_CHAMPION, _SPONSOR = 0, 1


def add_people(tables: Tables, noise: Noise, panel: Panel, duplicate_share: float = 0.06) -> Tables:
    """Draw spells, contacts and opportunity roles.

    Args:
        tables: needs `opportunities`; accounts come through the panel.
        noise: draws of the world's seed.
        panel: accounts and their months in service.
        duplicate_share: share of contacts entered a second time (0-1); 0 switches the mess off.

    Returns:
        contacts (versions), employments, opportunity_contacts, erasure_requests, and the truth
        tables truth_people (contact to person) and spells (one row per contact and employer).
    """
    spells = _spells(noise, panel)
    spells = _with_movers(noise, panel, spells)
    spells = _named(noise, panel, spells)
    spells = _with_duplicates(noise, panel, spells, duplicate_share)
    contacts = _contact_versions(noise, panel, spells)
    return {
        "spells": spells,
        "contacts": contacts,
        "employments": _employments(noise, panel, spells),
        "opportunity_contacts": _opportunity_contacts(noise, panel, spells,
                                                      tables["opportunities"]),
        "erasure_requests": _erasures(panel, spells),
        "truth_people": spells.loc[
            spells["known_on"] <= panel.horizon,
            ["contact_id", "person_id", "account_id", "is_duplicate", "duplicate_of"],
        ].reset_index(drop=True),
    }
