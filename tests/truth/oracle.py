"""What nobody outside the company could know: each account's true chance of not signing, by month.

Belongs here: that chance, put together from the state that drives the company. Must not be here:
what is expected of anything. At every decision the truth tables hold the chance itself, which this
must meet (see `demo_scores`).
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from sample_company.world import latent
from sample_company.world.build import World
from sample_company.world.contracts import PROGRAM_MONTHS
from sample_company.world.schema import ORIGINS, SEGMENTS

NEVER = -(10**6)
HELPFUL = "exec_sponsor"


def month_number(days: pd.Series) -> pd.Series:
    """Months since January 1970."""
    on = pd.to_datetime(days)
    return (on.dt.year - 1970) * 12 + on.dt.month - 1


def years_at_stake(term_months: pd.Series) -> pd.Series:
    """Years that one decision about a contract of so many months is about."""
    return (0.8 * term_months / 12).where(term_months > 12, 1.0)


def chances(world: World) -> pd.DataFrame:
    """The chance that each account would not sign for a year, were it asked in that month.

    Returns:
        account_id, month_no, p_not_signed, is_notice_given, is_paused, is_active.
    """
    accounts = world.truth["truth_accounts"].drop_duplicates("account_id")
    months = world.tables["latent"].merge(accounts[["account_id", "origin"]], on="account_id")
    months = months.sort_values(["account_id", "month_no"]).reset_index(drop=True)
    visits = months["month_no"].where(months["visited"]).groupby(months["account_id"]).ffill()
    enrolled = world.truth["truth_programs"]
    enrolled = enrolled[(enrolled["program_key"] == HELPFUL) & (enrolled["arm"] == "treated")]
    begun = dict(zip(enrolled["account_id"], month_number(enrolled["enrolled_on"]), strict=True))
    program = months["account_id"].map(begun)
    until = (program + PROGRAM_MONTHS).where(months["month_no"] >= program)
    # The state and the attributes as the company itself holds them, a month of an account a row.
    state: Any = SimpleNamespace(
        exec_connection=months["exec_connection"].to_numpy(),
        value=months["value_realised"].to_numpy(),
        need=months["need"].to_numpy(),
        competitor=months["competitor"].to_numpy(),
        champion=months["champion_in_place"].to_numpy(),
        last_visit=visits.fillna(NEVER).to_numpy(),
        program_until=until.fillna(NEVER).to_numpy(),
    )
    known: Any = SimpleNamespace(
        segment=months["segment"].map({s: k for k, s in enumerate(SEGMENTS)}).to_numpy(),
        sticky=months["uses_sticky_feature"].to_numpy(),
    )
    origin = months["origin"].map({o: k for k, o in enumerate(ORIGINS)}).to_numpy()
    every = np.arange(len(months))
    hazards = latent.hazards(state, known, origin, every, months["month_no"].to_numpy(), 1.0)
    columns = ["account_id", "month_no", "is_notice_given", "is_paused", "is_active"]
    return months[columns].assign(p_not_signed=1.0 - np.exp(-hazards.sum(axis=1)))
