"""The vendor's own people: who of a function was there on a day, and who owned an account.

Belongs here: looking up employees for what they did. Must not be here: hiring and leaving (the
employees table is given).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.rng import I64, U64
from sample_company.world.noise import Noise, either, key_of
from sample_company.world.office import naive
from sample_company.world.panel import FAR, Days, Panel, Tables

_COLLEAGUE_SHARE = 0.15


@dataclass(frozen=True)
class Staff:
    """Newest version of each employee, and the ownership history by account row."""

    people: pd.DataFrame
    owners: pd.DataFrame
    account_keys: U64

    @classmethod
    def of(cls, tables: Tables, panel: Panel) -> Staff:
        """Read `employees` and `account_owners`."""
        versions = tables["employees"].sort_values("version_at", kind="stable")
        people = versions.drop_duplicates("employee_id", keep="last")
        position = pd.Series(panel.accounts.index, index=panel.accounts["account_id"])
        history = tables["account_owners"]
        owners = (
            history.assign(
                position=history["account_id"].map(position),
                day=naive(history["owned_from"]).astype("datetime64[D]").astype("datetime64[s]"),
            )
            .dropna(subset=["position"])
            .astype({"position": "int64"})
        )
        owners = owners.sort_values("day", kind="stable")[["position", "day", "employee_id"]]
        return cls(
            people.sort_values("employee_id").reset_index(drop=True),
            owners,
            panel.accounts["key"].to_numpy(),
        )

    def owner(self, position: I64, day: Days) -> npt.NDArray[np.object_]:
        """Owner of each account on each day; None where nobody owned it yet."""
        asked = pd.DataFrame(
            {
                "position": position,
                "day": day.astype("datetime64[s]"),
                "row": np.arange(position.size),
            }
        ).sort_values("day", kind="stable")
        found = pd.merge_asof(asked, self.owners, on="day", by="position").sort_values("row")
        owner = found["employee_id"].to_numpy(dtype=object)
        return np.asarray(either(pd.isna(owner), None, owner), dtype=object)

    def member(
        self, noise: Noise, function: str, position: I64, day: Days, key: U64
    ) -> npt.NDArray[np.object_]:
        """An employee of the function employed on the day; None where there was none.

        An account keeps its person (the highest rank among those present) until that person
        leaves; now and then a colleague steps in.
        """
        result = np.full(position.size, None, dtype=object)
        colleague = noise.chance(_COLLEAGUE_SHARE, "staff.colleague", key)
        salt = np.where(colleague, key, np.uint64(0))
        home = self.account_keys[position]
        best = np.zeros(position.size, dtype=np.uint64)
        team = self.people[self.people["function"] == function]
        hired = team["hired_on"].to_numpy().astype("datetime64[D]")
        left = team["left_on"].to_numpy().astype("datetime64[D]")
        left = np.where(np.isnat(left), FAR, left)
        for number, (ident, who) in enumerate(
            zip(team["employee_id"], key_of(team["employee_id"]), strict=True)
        ):
            there = (hired[number] <= day) & (day < left[number])
            rank = noise.bits("staff.rank", home, salt, who)
            better = there & (rank > best)
            best = np.where(better, rank, best)
            result[better] = ident
        return result
