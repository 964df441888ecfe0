"""Slips of people in records that were drawn clean, and the list of all mess that was planted.

Belongs here: records deleted for good, rows edited long after their month, keys and dates typed
wrong, rows that no reader should accept; and `truth_mess`, one row per planted piece.
Must not be here: what is part of a mechanism (duplicates in `crm` and `people`, money in
`contracts` and `billing`, late and broken events in `usage` and `event_mess`).

Whatever is drawn here is keyed by the record and dated after it, so a later horizon only adds rows:
a record deleted for good has no version after its deletion.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.ids import salesforce_ids
from sample_company.rng import U64, Rng
from sample_company.world.noise import Bool, Noise, fold, key_of
from sample_company.world.panel import Tables, plain_ids

MESS_COLUMNS = ("mess", "object", "record_id", "other_id", "detail", "planted_at")

PURGED_DEALS, PURGED_CONTACTS, PURGED_TASKS, PURGED_CASES = 0.08, 0.03, 0.005, 0.005
EDITED_WON, EDITED_LOST = 0.06, 0.08
WRONG_ACCOUNT, FUTURE, BROKEN = 0.005, 0.003, 0.003
_DETAILS = ("Budget moved to another project", "Chose a cheaper tool", "New owner, new standards")
_ONE_DAY = 86_400_000_000


class _Records:
    """One row per record of a table of versions: key, first version, draws."""

    def __init__(self, noise: Noise, frame: pd.DataFrame, column: str, chosen: Any) -> None:
        marked = frame[np.asarray(chosen, dtype=np.bool_)]
        first = marked.sort_values("version_at", kind="stable").drop_duplicates(column)
        self.noise = noise
        self.ids = first[column].reset_index(drop=True)
        self.first = first.reset_index(drop=True)
        self.key: U64 = key_of(self.ids)

    def chance(self, share: float, purpose: str) -> Bool:
        return self.noise.chance(share, purpose, self.key)

    def after(self, low: int, high: int, purpose: str) -> pd.Series[Any]:
        """An instant so many days (low to high, and some hours) after the marked version."""
        days = self.noise.whole(low, high, purpose, self.key)
        hours = self.noise.whole(1, 7, purpose + ".hour", self.key)
        wait = pd.to_timedelta(days * 24 + hours, unit="h")
        return (self.first["version_at"] + wait).astype("datetime64[us, UTC]")


def _purged(
    frame: pd.DataFrame, column: str, ids: pd.Series[Any], at: pd.Series[Any], horizon: pd.Timestamp
) -> pd.DataFrame:
    """The versions with the given records deleted for good at the given instants.

    A record that was deleted before stays as it was.
    """
    when = pd.Series(at.to_numpy(), index=ids.to_numpy())
    gone_at = frame[column].map(when).astype("datetime64[us, UTC]")
    before = frame[gone_at > frame["version_at"]].assign(gone_at=gone_at)
    last = before.sort_values("version_at", kind="stable").drop_duplicates(column, keep="last")
    last = last[(last["gone_at"] <= horizon) & ~last["is_deleted"].astype(bool)]
    over = gone_at.notna() & (frame["version_at"] >= gone_at) & frame[column].isin(last[column])
    ends = last.assign(version_at=last["gone_at"], is_deleted=True, is_purged=True)
    kept = pd.concat([frame[~over], ends[frame.columns]], ignore_index=True)
    return kept.sort_values(["version_at", column], kind="stable", ignore_index=True)


def spoil_deals(opportunities: pd.DataFrame, rng: Rng, horizon: pd.Timestamp) -> pd.DataFrame:
    """Deals edited after the month they were closed in, and lost ones deleted for good.

    Args:
        opportunities: versions as `crm` renders them.
        rng: the world's keyed random numbers.
        horizon: last instant that has happened.
    """
    frame = opportunities
    closed = _Records(Noise(rng), frame, "opportunity_id", frame["is_closed"])
    won = closed.first["is_won"].to_numpy(dtype=np.bool_)
    new = closed.first["opportunity_type"].to_numpy() == "new_business"
    purge = ~won & new & closed.chance(PURGED_DEALS, "mess.purged_deal")
    costly = won & closed.first["acquisition_cost_usd"].notna().to_numpy()
    edit = np.where(
        won,
        costly & closed.chance(EDITED_WON, "mess.edited_won"),
        closed.chance(EDITED_LOST, "mess.edited_lost"),
    )
    edit = edit & ~purge
    # Later than any correction of a back-dated cancellation, and always in another month.
    at = closed.after(32, 100, "mess.edited_on")
    base = frame.sort_values("version_at", kind="stable").drop_duplicates(
        "opportunity_id", keep="last"
    )
    edits = base.set_index("opportunity_id").loc[closed.ids[edit]].reset_index()
    detail = closed.noise.choose(_DETAILS, [1, 1, 1], "mess.edited_detail", closed.key)
    cost = (edits["acquisition_cost_usd"] * 1.05).round(2)
    edits = edits.assign(
        version_at=at[edit].to_numpy(),
        acquisition_cost_usd=cost,
        loss_reason_detail=np.where(edits["is_won"], None, detail[edit]),
    )
    edits = edits[edits["version_at"] <= horizon][frame.columns]
    both = pd.concat([frame, edits.astype(frame.dtypes.to_dict())], ignore_index=True)
    ids, gone_at = closed.ids[purge], closed.after(20, 300, "mess.purged_deal_on")[purge]
    return _purged(both, "opportunity_id", ids, gone_at, horizon)


def spoil_observed(tables: Tables, noise: Noise, horizon: pd.Timestamp) -> Tables:
    """Deletions for good, wrong keys and impossible rows in the observable tables.

    Args:
        tables: needs contacts, activities, cases, risk_assessments, survey_responses,
            success_measurements.
        noise: draws of the world's seed.
        horizon: last instant that has happened.

    Returns:
        The changed tables, `desk_slips` (rows of the desk's sheets that cannot be read: sheet,
        record_id, known_at, cells as JSON) and `truth_slips` (rows of `truth_mess` about all that
        cannot be told from the tables).
    """
    contacts = tables["contacts"].assign(is_purged=False)
    left = _Records(noise, contacts, "contact_id", contacts["left_on"].notna())
    gone = left.chance(PURGED_CONTACTS, "mess.purged_contact")
    contacts = _purged(
        contacts, "contact_id", left.ids[gone],
        left.after(60, 500, "mess.purged_contact_on")[gone], horizon,
    )  # fmt: skip
    activities = tables["activities"].assign(is_purged=False)
    tasks = _Records(noise, activities, "activity_id", activities["crm_object"] == "task")
    gone = tasks.chance(PURGED_TASKS, "mess.purged_task")
    activities = _purged(
        activities, "activity_id", tasks.ids[gone],
        tasks.after(5, 60, "mess.purged_task_on")[gone], horizon,
    )  # fmt: skip
    cases = tables["cases"].assign(is_purged=False)
    closed = _Records(noise, cases, "case_id", cases["closed_at"].notna())
    gone = closed.chance(PURGED_CASES, "mess.purged_case")
    cases = _purged(
        cases, "case_id", closed.ids[gone],
        closed.after(30, 300, "mess.purged_case_on")[gone], horizon,
    )  # fmt: skip
    judged, about_judged = _assessments(noise, tables["risk_assessments"], horizon)
    answers, about_answers = _answers(noise, tables["survey_responses"], horizon)
    slips = _desk_slips(noise, tables, horizon)
    about_slips = _rows(
        "broken_row", slips["sheet"], slips["record_id"], None, slips["detail"], slips["known_at"]
    )
    return {
        "contacts": contacts,
        "activities": activities,
        "cases": cases,
        "risk_assessments": judged,
        "survey_responses": answers,
        "desk_slips": slips.drop(columns="detail"),
        "truth_slips": combined(about_judged, about_answers, about_slips),
    }


def _copies(
    frame: pd.DataFrame, column: str, chosen: Bool, ids: Any, horizon: pd.Timestamp, **more: Any
) -> pd.DataFrame:
    """Rows entered a second time, a minute later, under ids of their own and spoilt."""
    part = frame[chosen]
    values = {name: np.asarray(value, dtype=object)[chosen] for name, value in more.items()}
    known = part["known_at"] + pd.Timedelta(minutes=1)
    spoilt = part.assign(**{column: ids[chosen]}, known_at=known, **values)
    return spoilt.astype(frame.dtypes.to_dict())[spoilt["known_at"] <= horizon]


def _century(days: pd.Series[Any]) -> pd.Series[Any]:
    """The same day a hundred years on: somebody's slip in the year."""
    return days + pd.Timedelta(days=36_525)


def _assessments(
    noise: Noise, frame: pd.DataFrame, horizon: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Judgements dated a century ahead, or in per cent where a share is asked for."""
    column, key = "risk_assessment_id", key_of(frame["risk_assessment_id"])
    future = _copies(
        frame, column, noise.chance(FUTURE, "mess.future_assessment", key),
        plain_ids("risk_", fold(key, 901)), horizon, assessed_on=_century(frame["assessed_on"]),
    )  # fmt: skip
    broken = _copies(
        frame, column, noise.chance(BROKEN, "mess.broken_assessment", key),
        plain_ids("risk_", fold(key, 902)), horizon,
        sign_today_share=frame["sign_today_share"] * 100,
    )  # fmt: skip
    name = "risk_assessments"
    about = [
        _rows("future_date", name, future[column], None, "assessed_on", future["known_at"]),
        _rows("broken_row", name, broken[column], None, "sign_today_share", broken["known_at"]),
    ]
    return _with(frame, column, future, broken), combined(*about)


def _answers(
    noise: Noise, frame: pd.DataFrame, horizon: pd.Timestamp
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Answers filed under an account that does not exist, or dated a century ahead."""
    column, key = "survey_response_id", key_of(frame["survey_response_id"])
    wrong = noise.chance(WRONG_ACCOUNT, "mess.wrong_account", key)
    nowhere = salesforce_ids("001", fold(key, 903))
    meant = frame["account_id"]
    frame = frame.assign(account_id=pd.Series(np.where(wrong, nowhere, meant), dtype=meant.dtype))
    clean = noise.chance(FUTURE, "mess.future_answer", key) & ~wrong
    future = _copies(
        frame, column, clean, plain_ids("srv_", fold(key, 904)), horizon,
        responded_on=_century(frame["responded_on"]),
    )  # fmt: skip
    slipped = frame[wrong]
    name = "survey_responses"
    about = [
        _rows("wrong_foreign_key", name, slipped[column], slipped["account_id"], "account_id",
              slipped["known_at"]),
        _rows("future_date", name, future[column], None, "responded_on", future["known_at"]),
    ]  # fmt: skip
    return _with(frame, column, future), combined(*about)


def _with(frame: pd.DataFrame, column: str, *more: pd.DataFrame) -> pd.DataFrame:
    both = pd.concat([frame, *more], ignore_index=True)
    return both.sort_values(["known_at", column], kind="stable", ignore_index=True)


#: Sheet, its key, what its id begins with, and cells that cannot be read or must not be empty.
_UNREADABLE: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
    ("survey_responses", "survey_response_id", "srv_",
     (("responded_on", "31.02.2025"), ("score", "very good"), ("account_id", ""))),
    ("success_measurements", "success_measurement_id", "smm_",
     (("measured_on", "soon"), ("value", "see e-mail"), ("success_measure_id", ""))),
)  # fmt: skip


def _desk_slips(noise: Noise, tables: Tables, horizon: pd.Timestamp) -> pd.DataFrame:
    """Rows of the desk's sheets with one cell that no program can read, or a key left out."""
    parts = []
    for sheet, column, prefix, slips in _UNREADABLE:
        frame = tables[sheet]
        key = key_of(frame[column])
        chosen = noise.chance(2 * BROKEN, f"mess.slip.{sheet}", key)
        part, kept = frame[chosen], key[chosen]
        which = noise.whole(0, len(slips) - 1, f"mess.slip_kind.{sheet}", kept)
        ids = plain_ids(prefix, fold(kept, 905))
        text = _as_text(part).assign(**{column: ids})
        cells = []
        for row, kind in zip(text.to_dict("records"), which.tolist(), strict=True):
            cells.append(json.dumps(row | dict([slips[kind]]), ensure_ascii=False))
        parts.append(
            pd.DataFrame(
                {
                    "sheet": sheet,
                    "record_id": ids,
                    "known_at": part["known_at"] + pd.Timedelta(minutes=2),
                    "cells": cells,
                    "detail": [slips[kind][0] for kind in which.tolist()],
                }
            )
        )
    table = pd.concat(parts, ignore_index=True)
    table = table[table["known_at"] <= horizon].astype(
        {"sheet": "str", "record_id": "str", "cells": "str", "detail": "str"}
    )
    return table.sort_values(["known_at", "record_id"], kind="stable", ignore_index=True)


def _as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Cells as a sheet shows them; empty where nothing is known."""
    shown = {}
    for name in frame.columns:
        values = frame[name]
        if values.dtype.kind == "M":
            has_zone = getattr(values.dtype, "tz", None) is not None
            values = values.dt.strftime("%Y-%m-%dT%H:%M:%SZ" if has_zone else "%Y-%m-%d")
        shown[str(name)] = values.astype(object).where(frame[name].notna(), "").astype(str)
    return pd.DataFrame(shown)


# --- the list -------------------------------------------------------------------------------------


def _rows(
    mess: str, thing: Any, record: Any, other: Any, detail: Any, at: pd.Series[Any]
) -> pd.DataFrame:
    values = dict(zip(MESS_COLUMNS, (mess, thing, record, other, detail, at), strict=True))
    index = range(len(at))
    plain = {
        name: value.to_numpy() if isinstance(value, pd.Series) else value
        for name, value in values.items()
    }
    return pd.DataFrame(plain, index=index)


def combined(*parts: pd.DataFrame) -> pd.DataFrame:
    """One `truth_mess` out of several, in order of time."""
    kinds = dict.fromkeys(MESS_COLUMNS[:-1], "str") | {"planted_at": "datetime64[us, UTC]"}
    typed = [part[list(MESS_COLUMNS)].astype(kinds) for part in parts if len(part)]
    if not typed:
        return pd.DataFrame({name: pd.Series([], dtype=kind) for name, kind in kinds.items()})
    return pd.concat(typed, ignore_index=True).sort_values(
        ["planted_at", "mess", "object", "record_id"], kind="stable", ignore_index=True
    )


def planted(tables: Tables, truth: Tables) -> pd.DataFrame:
    """List every planted piece of mess but that of usage events (see `usage.planted_mess`).

    Args:
        tables: of `billing` and `crm`, and the observable ones if they were built.
        truth: needs `truth_accounts`; with observables `truth_people` and `truth_slips`.

    Returns:
        `truth_mess`: mess, object, record_id, other_id, detail, planted_at.
    """
    parts = [
        *_accounts(tables, truth),
        *_billing(tables),
        *_deals(tables["opportunities"]),
        *_purges(tables),
    ]
    if "contacts" in tables:
        parts += [*_people(tables, truth), *_late_edits(tables["activities"])]
        parts.append(truth["truth_slips"])
    return combined(*parts)


def _accounts(tables: Tables, truth: Tables) -> list[pd.DataFrame]:
    versions = tables["accounts"]
    first = versions.drop_duplicates("account_id").set_index("account_id")
    known = truth["truth_accounts"]
    twice = known[known["kind"] == "duplicate"]
    tests = known[known["kind"] == "test"]
    born = first["created_at"]
    bought = versions[versions["parent_account_id"].notna()].drop_duplicates("account_id")
    signed = versions[versions["billing_customer_id"].notna()].drop_duplicates("account_id")
    lost = signed[signed["workspace_id"] != signed["crm_workspace_id"]]
    wrong = signed[signed["billing_customer_id"] != signed["crm_billing_customer_id"]]
    return [
        _rows("duplicate_account", "accounts", twice["account_id"], twice["surviving_account_id"],
              "entered again as " + twice["account_id"].map(first["name"]),
              twice["account_id"].map(born)),
        _rows("test_account", "accounts", tests["account_id"], None, "the vendor's own",
              tests["account_id"].map(born)),
        _rows("parent_buys_child", "accounts", bought["account_id"], bought["parent_account_id"],
              "contracts stay with the child", bought["version_at"]),
        _rows("orphan_workspace", "workspaces", lost["crm_workspace_id"], lost["account_id"],
              "the CRM's workspace is nowhere in usage", lost["version_at"]),
        _rows("wrong_foreign_key", "accounts", wrong["account_id"],
              wrong["crm_billing_customer_id"], "billing_customer_id", wrong["version_at"]),
    ]  # fmt: skip


def _billing(tables: Tables) -> list[pd.DataFrame]:
    customers = tables["billing_customers"].drop_duplicates("billing_customer_id")
    wrong = customers[customers["account_id"] != customers["metadata_account_id"]]
    right = tables["accounts"].dropna(subset=["workspace_id"]).drop_duplicates("account_id")
    place = customers["account_id"].map(right.set_index("account_id")["workspace_id"])
    lost = customers[(place != customers["metadata_workspace_id"]) & place.notna()]
    invoices = tables["invoices"].drop_duplicates("invoice_id")
    twice = invoices[invoices["duplicate_of"].notna()]
    late = invoices[
        (invoices["billing_reason"] == "subscription_create")
        & (invoices["created_at"] - invoices["period_start"] > pd.Timedelta(days=1))
    ]
    subs = tables["subscription_versions"]
    back = subs[subs["ended_at"].notna() & (subs["version_at"] > subs["ended_at"])]
    back = back.drop_duplicates("subscription_id")
    charges = tables["charges"]
    failed = charges[charges["status"] == "failed"].drop_duplicates("charge_id")
    refunds = charges[charges["amount_refunded"] > 0].drop_duplicates("charge_id")
    disputes = charges[charges["is_disputed"]].drop_duplicates("charge_id")
    return [
        _rows("wrong_foreign_key", "customers", wrong["billing_customer_id"],
              wrong["metadata_account_id"], "account_id", wrong["version_at"]),
        _rows("orphan_workspace", "workspaces", lost["metadata_workspace_id"], lost["account_id"],
              "billing's workspace is nowhere in usage", lost["version_at"]),
        _rows("duplicate_invoice", "invoices", twice["invoice_id"], twice["duplicate_of"],
              "sent again", twice["version_at"]),
        _rows("back_dated_invoice", "invoices", late["invoice_id"], late["subscription_id"],
              "for service from " + late["period_start"].dt.strftime("%Y-%m-%d"),
              late["created_at"]),
        _rows("back_dated_cancellation", "subscriptions", back["subscription_id"], None,
              "ended " + back["ended_at"].dt.strftime("%Y-%m-%d"), back["version_at"]),
        _rows("failed_payment", "charges", failed["charge_id"], failed["invoice_id"],
              failed["failure_code"], failed["version_at"]),
        _rows("refund", "charges", refunds["charge_id"], refunds["invoice_id"],
              refunds["amount_refunded"].astype(str) + " " + refunds["currency"],
              refunds["version_at"]),
        _rows("chargeback", "charges", disputes["charge_id"], disputes["invoice_id"],
              disputes["amount"].astype(str) + " " + disputes["currency"], disputes["version_at"]),
    ]  # fmt: skip


def _deals(versions: pd.DataFrame) -> list[pd.DataFrame]:
    won = versions[versions["is_won"]].drop_duplicates("opportunity_id")
    # A deal whose loss was entered late was won for a while; nothing of it differs any more.
    stays = versions.drop_duplicates("opportunity_id", keep="last").set_index("opportunity_id")
    differs = won[won["billing_amount"].notna() & (won["amount"] != won["billing_amount"])]
    differs = differs[differs["opportunity_id"].map(stays["is_won"]).astype(bool)]
    wrong = won[won["subscription_id"] != won["crm_subscription_id"]].dropna(
        subset=["subscription_id"]
    )
    closed = versions[versions["is_closed"] & ~versions["is_purged"]]
    first = closed.drop_duplicates("opportunity_id").set_index("opportunity_id")["version_at"]
    shut = closed["opportunity_id"].map(first).dt.tz_localize(None).dt.to_period("M")
    late = closed[closed["version_at"].dt.tz_localize(None).dt.to_period("M") > shut]
    changed = np.where(late["acquisition_cost_usd"].notna(), "acquisition_cost_usd", "loss reason")
    return [
        _rows("crm_amount_differs", "opportunities", differs["opportunity_id"],
              differs["subscription_id"],
              "CRM " + _money(differs["amount"]) + ", billing "
              + _money(differs["billing_amount"]) + " " + differs["currency"],
              differs["version_at"]),
        _rows("wrong_foreign_key", "opportunities", wrong["opportunity_id"],
              wrong["crm_subscription_id"], "subscription_id", wrong["version_at"]),
        _rows("closed_month_edit", "opportunities", late["opportunity_id"], None, changed,
              late["version_at"]),
    ]  # fmt: skip


_PURGED = (
    ("opportunities", "opportunity_id"),
    ("contacts", "contact_id"),
    ("activities", "activity_id"),
    ("cases", "case_id"),
)


def _purges(tables: Tables) -> list[pd.DataFrame]:
    parts = []
    for name, key in _PURGED:
        if name in tables:
            gone = tables[name][tables[name]["is_purged"]]
            parts.append(
                _rows("hard_delete", name, gone[key], None, "gone from the recycle bin too",
                      gone["version_at"])
            )  # fmt: skip
    customers = tables["billing_customers"]
    gone = customers[customers["is_deleted"]]
    parts.append(
        _rows("hard_delete", "customers", gone["billing_customer_id"], gone["account_id"],
              "billing lists it no more", gone["version_at"])
    )  # fmt: skip
    return parts


def _people(tables: Tables, truth: Tables) -> list[pd.DataFrame]:
    people = truth["truth_people"]
    twice = people[people["is_duplicate"]].drop_duplicates("contact_id")
    born = tables["contacts"].drop_duplicates("contact_id").set_index("contact_id")["created_at"]
    twice = twice[twice["contact_id"].isin(born.index)]
    asked = tables["erasure_requests"]
    return [
        _rows("duplicate_contact", "contacts", twice["contact_id"], twice["duplicate_of"],
              "entered again", twice["contact_id"].map(born)),
        _rows("erasure", "contacts", asked["contact_id"], asked["person_id"],
              "erased " + asked["erased_at"].dt.strftime("%Y-%m-%d"), asked["requested_at"]),
    ]  # fmt: skip


def _late_edits(versions: pd.DataFrame) -> list[pd.DataFrame]:
    """Activities whose length was corrected in a later month than they took place in."""
    v = versions.sort_values(["activity_id", "version_at"], kind="stable")
    same = v["activity_id"].eq(v["activity_id"].shift())
    changed = same & v["duration_minutes"].ne(v["duration_minutes"].shift())
    late = changed & (_month(v["version_at"]) > _month(v["event_at"]))
    edits = v[late]
    return [
        _rows("closed_month_edit", "activities", edits["activity_id"], None, "duration_minutes",
              edits["version_at"])
    ]  # fmt: skip


def _money(amount: pd.Series[Any]) -> pd.Series[Any]:
    """Amounts as text; a column without rows has none to take its type from."""
    return amount.map("{:.2f}".format).astype("str")


def _month(at: pd.Series[Any]) -> npt.NDArray[np.datetime64]:
    return np.asarray(at.dt.tz_localize(None).to_numpy(), dtype="datetime64[M]")
