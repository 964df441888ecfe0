"""Who is who, for certain: the truth about people that records only hint at.

Belongs here: spells of employment of persons, and pairs of contact records that are one person,
each with what the records show of it. Must not be here: any draw (see `people`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sample_company.world.panel import Tables

SPELL_COLUMNS = (
    "person_id",
    "contact_id",
    "account_id",
    "started_on",
    "ended_on",
    "known_on",
    "departure_known_at",
)
PAIR_COLUMNS = (
    "contact_id",
    "other_contact_id",
    "person_id",
    "kind",
    "evidence",
    "known_at",
    "is_still_served",
)


def identity_truth(tables: Tables, people: pd.DataFrame, horizon: np.datetime64) -> Tables:
    """Build `truth_spells` and `truth_people_pairs`.

    Args:
        tables: needs spells, contacts.
        people: `truth_people`.
        horizon: last day that has happened.

    Returns:
        truth_spells: one row per person and unbroken employment at an account, of people whose
            record the CRM had then: person_id, contact_id (the first record), account_id,
            started_on, ended_on (missing while it lasts), known_on (first met by the CRM),
            departure_known_at (when the CRM recorded the end; missing if it never did).
        truth_people_pairs: two records of one person each: contact_id (entered later),
            other_contact_id, person_id, kind (duplicate, job_change), evidence (the strongest that
            records show: merged, former_contact, same_mail, tagged_mail, same_name, name_variant),
            known_at (both are there), is_still_served (neither was erased or deleted for good).
    """
    contacts = tables["contacts"]
    return {
        "truth_spells": _spells(tables["spells"], contacts, horizon),
        "truth_people_pairs": _pairs(contacts, people),
    }


def _spells(spells: pd.DataFrame, contacts: pd.DataFrame, horizon: np.datetime64) -> pd.DataFrame:
    hidden = contacts["is_erased"] | contacts["is_purged"]
    gone = contacts[hidden].groupby("contact_id")["version_at"].min().dt.tz_localize(None)
    real = spells[~spells["is_duplicate"] & spells["contact_id"].isin(contacts["contact_id"])]
    # Looked up by reindexing: a map cannot tell what a missing date is where nobody is gone.
    until = pd.Series(gone.reindex(real["contact_id"]).to_numpy(), index=real.index)
    # Nobody can know of a job that somebody took after being erased.
    real = real[~(until <= real["known_on"])]
    real = real.sort_values(["person_id", "account_id", "start"], kind="stable", ignore_index=True)
    same = real["person_id"].eq(real["person_id"].shift()) & real["account_id"].eq(
        real["account_id"].shift()
    )
    # Another job at the same employer goes on where the first one ended.
    goes_on = same & (real["start"] <= real["end"].shift())
    merged = real.assign(number=(~goes_on).cumsum()).groupby("number", as_index=False)
    table = merged.agg(
        person_id=("person_id", "first"),
        contact_id=("contact_id", "first"),
        account_id=("account_id", "first"),
        started_on=("start", "first"),
        ended_on=("end", "max"),
        known_on=("known_on", "min"),
    )
    later = table["ended_on"].to_numpy().astype("datetime64[D]") > horizon
    table["ended_on"] = table["ended_on"].where(~later)
    told = contacts.dropna(subset=["left_on"]).drop_duplicates(["contact_id", "left_on"])
    told = told.rename(columns={"left_on": "ended_on", "version_at": "departure_known_at"})
    table = table.merge(
        told[["contact_id", "ended_on", "departure_known_at"]],
        on=["contact_id", "ended_on"],
        how="left",
    )
    return table[list(SPELL_COLUMNS)].sort_values(
        ["known_on", "person_id", "account_id"], kind="stable", ignore_index=True
    )


def _pairs(contacts: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    first = contacts.drop_duplicates("contact_id").set_index("contact_id")
    last = contacts.drop_duplicates("contact_id", keep="last").set_index("contact_id")
    persons = people.drop_duplicates("contact_id")
    persons = persons[persons["contact_id"].isin(first.index)]
    one = persons[["contact_id", "person_id", "is_duplicate", "duplicate_of"]].assign(
        born=persons["contact_id"].map(first["created_at"]).to_numpy()
    )
    two = one.rename(columns={"contact_id": "other_contact_id", "born": "other_born"})
    many = one[one.duplicated("person_id", keep=False)]
    both = many.merge(two[["other_contact_id", "person_id", "other_born"]], on="person_id")
    before = both["other_born"] < both["born"]
    tied = both["other_born"].eq(both["born"]) & (both["other_contact_id"] < both["contact_id"])
    both = both[(before | tied) & both["contact_id"].ne(both["other_contact_id"])]
    both = both.reset_index(drop=True)
    left, right = both["contact_id"], both["other_contact_id"]

    def of(source: pd.DataFrame, side: pd.Series[Any], name: str) -> pd.Series[Any]:
        return side.map(source[name])

    def mail(side: pd.Series[Any]) -> pd.Series[Any]:
        return of(first, side, "email").str.casefold()

    def plain(side: pd.Series[Any]) -> pd.Series[Any]:
        return mail(side).str.replace(r"\+[^@]*@", "@", regex=True)

    def full(side: pd.Series[Any]) -> pd.Series[Any]:
        return of(first, side, "first_name") + " " + of(first, side, "last_name")

    merged = of(last, left, "merged_into_contact_id").eq(right) | of(
        last, right, "merged_into_contact_id"
    ).eq(left)
    evidence = np.select(
        [
            merged,
            of(first, left, "former_contact_id").eq(right),
            mail(left).eq(mail(right)),
            plain(left).eq(plain(right)),
            full(left).eq(full(right)),
        ],
        ["merged", "former_contact", "same_mail", "tagged_mail", "same_name"],
        "name_variant",
    )
    hidden = (last["is_erased"] | last["is_purged"]).astype(bool)
    table = both.assign(
        kind=np.where(both["duplicate_of"].eq(right), "duplicate", "job_change"),
        evidence=evidence,
        known_at=both[["born", "other_born"]].max(axis=1),
        is_still_served=~(left.map(hidden).astype(bool) | right.map(hidden).astype(bool)),
    )
    # A copy of one record is no job change, whichever other record it is compared with.
    accounts = of(first, left, "account_id").eq(of(first, right, "account_id"))
    table.loc[accounts & table["is_duplicate"], "kind"] = "duplicate"
    return table[list(PAIR_COLUMNS)].sort_values(
        ["known_at", "contact_id", "other_contact_id"], kind="stable", ignore_index=True
    )
