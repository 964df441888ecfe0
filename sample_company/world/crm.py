"""What the CRM recorded of companies, owners, employees and deals.

Belongs here: rendering of the simulation as CRM records with their versions. Must not be here:
contacts, activities and cases (observables), and decisions of customers (`contracts`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sample_company.clock import (
    DAY,
    HOUR,
    month_start_day,
    to_dates,
    to_timestamps,
)
from sample_company.ids import SALESFORCE_PREFIX, salesforce_ids, workspace_ids
from sample_company.rng import Rng
from sample_company.world import contracts as con
from sample_company.world import latent as lat
from sample_company.world.billing import (
    I64,
    ORPHAN_SHARE,
    WRONG_KEY_SHARE,
    Book,
    Frames,
    Names,
    nullable_ints,
    optional,
    ordered,
)
from sample_company.world.config import WorldConfig
from sample_company.world.names import company_names, people_names
from sample_company.world.schema import (
    CAUSES,
    COMPETITORS,
    CURRENCIES,
    ORIGINS,
    REGIONS,
    SEGMENTS,
)

Strings = NDArray[np.object_]

VENDOR_DOMAIN = "tessellate.example"
DUPLICATE_SHARE = 0.04
#: Chance a month that a customer is bought by another one.
PURCHASE_SHARE_A_MONTH = 0.0002
COUNTRIES = (("United States", "Canada"), ("Germany", "United Kingdom"), ("Japan", "Singapore"))
COUNTRY_OF_CURRENCY = ("United States", "Germany", "United Kingdom", "Japan")
COMPETITOR_IDS = np.array(list(COMPETITORS), dtype=object)
#: function -> (head count at the start, after 15 years at scale one, titles)
FUNCTIONS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "sales": (2, 12, ("Account Executive", "Senior Account Executive")),
    "cs": (2, 15, ("Customer Success Manager", "Senior Customer Success Manager")),
    "support": (2, 8, ("Support Engineer", "Support Lead")),
    "marketing": (1, 4, ("Marketing Manager", "Field Marketer")),
    "product": (1, 4, ("Product Manager", "Product Designer")),
    "engineering": (3, 12, ("Engineer", "Staff Engineer")),
    "executive": (3, 4, ("Chief Executive Officer", "Chief Customer Officer", "VP Sales")),
}
LEAD_SOURCES = ("Inbound", "Referral", "Win-back", "Nurture", "Competitor campaign")
#: Cost of winning a customer as a share of its first year's value.
CAC_SHARE = np.array([0.9, 1.1, 1.2])
RENEWAL_OPENS_DAYS = 150


def account_ids(rng: Rng, index: I64) -> Strings:
    """Salesforce ids of account indexes."""
    return salesforce_ids(SALESFORCE_PREFIX["account"], rng.u64("id_account", index))


def _spells(config: WorldConfig, rng: Rng) -> pd.DataFrame:
    """Who sat on which chair: function, slot, first and last month (-1: still there)."""
    rows: list[pd.DataFrame] = []
    for number, (function, (begin, grown, _)) in enumerate(FUNCTIONS.items()):
        growth = max(config.scale, 0.25)

        def target(
            month: int, begin: int = begin, grown: int = grown, growth: float = growth
        ) -> int:
            age = (month - config.start_month) / 180.0
            return max(2, round((begin + (grown - begin) * age) * growth))

        most = target(config.horizon_month)
        slots = np.arange(most, dtype=np.int64)
        hired = np.full(most, -1, dtype=np.int64)
        for month in range(config.start_month, config.horizon_month + 1):
            open_now = slots < target(month)
            sits = hired >= 0
            leaves = sits & rng.chance("leaves", 0.012, slots, month, number)
            leaves &= month - hired >= 3
            if leaves.any():
                rows.append(
                    pd.DataFrame(
                        {
                            "function": function,
                            "slot": slots[leaves],
                            "first": hired[leaves],
                            "last": month - 1,
                        }
                    )
                )
            hired = np.where(leaves | (open_now & ~sits), month, hired)
        sits = hired >= 0
        rows.append(
            pd.DataFrame(
                {"function": function, "slot": slots[sits], "first": hired[sits], "last": -1}
            )
        )
    s = ordered(pd.concat(rows, ignore_index=True), "first", "function", "slot")
    code = s["function"].map({f: k for k, f in enumerate(FUNCTIONS)}).to_numpy(dtype=np.int64)
    s["code"] = code
    s["employee_id"] = salesforce_ids(
        SALESFORCE_PREFIX["user"],
        rng.u64("id_employee", code, s["slot"].to_numpy(), s["first"].to_numpy()),
    )
    s["from_s"] = month_start_day(s["first"]) * DAY + 8 * HOUR
    # The chair passes on the first of the month after the last one worked.
    s["until_s"] = np.where(
        s["last"] >= 0, month_start_day(s["last"] + 1) * DAY + 8 * HOUR, con.NEVER
    )
    return s


def _employees(spells: pd.DataFrame, book: Book, rng: Rng, ids: Strings) -> pd.DataFrame:
    s = spells
    keys = (s["code"].to_numpy(), s["slot"].to_numpy(), s["first"].to_numpy())
    given, family = people_names(
        rng.integers("given", 0, 10_000, *keys), rng.integers("family", 0, 10_000, *keys)
    )
    tag = (rng.u64("mail_tag", *keys) % np.uint64(900) + np.uint64(100)).astype(str).astype(object)
    mail = [
        f"{g}.{f}{t}@{VENDOR_DOMAIN}".lower() for g, f, t in zip(given, family, tag, strict=True)
    ]
    titles = np.array(
        [
            FUNCTIONS[f][2][k % len(FUNCTIONS[f][2])]
            for f, k in zip(s["function"], s["slot"], strict=True)
        ],
        dtype=object,
    )
    left = (s["last"] >= 0).to_numpy()
    leave_s = np.where(left, s["until_s"].to_numpy() - 8 * HOUR - DAY, 0)
    firsts: pd.DataFrame = book.subs.groupby("account", as_index=False).agg(
        start_s=("start_s", "min")
    )
    started = ordered(firsts, "start_s", "account")
    count = np.searchsorted(started["start_s"].to_numpy(), leave_s)
    joins = left & (count > 0) & rng.chance("joins_customer", 0.12, *keys)
    pick = rng.integers("joins_which", 0, np.maximum(count, 1), *keys)
    goes_to = ids[0:1].repeat(len(s)) if len(ids) else np.full(len(s), None, dtype=object)
    if len(started):
        goes_to = ids[started["account"].to_numpy()[pick]]
    base = {
        "employee_id": s["employee_id"].to_numpy(),
        "full_name": given + " " + family,
        "email": np.array(mail, dtype=object),
        "title": titles,
        "function": s["function"].to_numpy(),
        "hired_on": to_dates(s["from_s"]),
        "is_deleted": False,
    }
    hire = pd.DataFrame(base).assign(
        version_at=to_timestamps(s["from_s"]),
        left_on=to_dates(leave_s, ~left | True),
        destination_account_id=None,
    )
    leave = pd.DataFrame(base).assign(
        version_at=to_timestamps(leave_s + 17 * HOUR),
        left_on=to_dates(leave_s),
        destination_account_id=optional(goes_to, joins),
    )[left]
    return ordered(pd.concat([hire, leave], ignore_index=True), "version_at", "employee_id")


def _created_s(sim: con.Simulation, rng: Rng) -> I64:
    i = sim.accounts.index
    day = rng.integers("created_on", 0, 4, i)
    second = rng.integers("created_at", 9 * HOUR, 12 * HOUR, i)
    return (month_start_day(sim.accounts.created_month) + day) * DAY + second


def _ownership(
    book: Book, spells: pd.DataFrame, rng: Rng, created: I64, first_contract: I64
) -> pd.DataFrame:
    """Owner spells of every account: sales until the first contract, then customer success."""
    a = book.sim.accounts
    parts = []
    for function, begin, until in (
        ("sales", created, first_contract),
        ("cs", first_contract, np.full(len(a), con.NEVER)),
    ):
        chairs = spells[spells["function"] == function]
        ever = begin < con.NEVER
        i = a.index[ever]
        open_at = chairs.groupby("slot")["from_s"].min().sort_values()
        seats = np.maximum(1, np.searchsorted(open_at.to_numpy(), begin[ever], side="right"))
        slot = open_at.index.to_numpy()[rng.integers("owner_" + function, 0, seats, i)]
        wanted = pd.DataFrame(
            {"account": i, "slot": slot, "begin": begin[ever], "until": until[ever]}
        )
        m = wanted.merge(chairs[["slot", "employee_id", "from_s", "until_s"]], on="slot")
        m["owned_s"] = np.maximum(m["begin"], m["from_s"])
        m = m[m["owned_s"] < np.minimum(m["until"], m["until_s"])]
        parts.append(m[["account", "employee_id", "owned_s"]])
    out = ordered(pd.concat(parts, ignore_index=True), "account", "owned_s")
    same = out["account"].eq(out["account"].shift())
    out["previous"] = out["employee_id"].shift().where(same, None)
    return out


def _variants(name: Strings, which: I64) -> Strings:
    """How a second person typed the same company's name."""
    out = []
    for text, k in zip(name.tolist(), which.tolist(), strict=True):
        bare = text.rsplit(" ", 1)[0]
        out.append((bare, text.upper(), bare.replace(" ", "-"), bare + " Group", bare + ",")[k])
    return np.array(out, dtype=object)


def _constant_columns(book: Book, rng: Rng, names: Strings, domains: Strings) -> pd.DataFrame:
    a = book.sim.accounts
    i = a.index
    currency = np.array(CURRENCIES, dtype=object)[a.currency]
    home = np.array(COUNTRY_OF_CURRENCY, dtype=object)[a.currency]
    pair = np.array(COUNTRIES, dtype=object)[a.region]
    other = pair[np.arange(len(i)), rng.integers("country", 0, 2, i)] if len(i) else home
    country = np.where(a.currency == 0, other, home)
    size = np.array([60.0, 800.0, 6_000.0])[a.segment]
    competitor = COMPETITOR_IDS[rng.integers("displaced", 0, len(COMPETITOR_IDS), i)]
    return pd.DataFrame(
        {
            "account": i,
            "name": names,
            "domain": domains,
            "segment": np.array(SEGMENTS, dtype=object)[a.segment],
            "region": np.array(REGIONS, dtype=object)[a.region],
            "country": country,
            "industry": np.array(lat.INDUSTRIES, dtype=object)[a.industry],
            "employee_count": np.rint(size * np.exp(0.6 * rng.normal("staff", i))).astype(np.int64),
            "displaced_competitor_id": optional(
                competitor, a.origin == ORIGINS.index("rip_and_replace")
            ),
            "currency": currency,
        }
    )


def _accounts(
    book: Book,
    rng: Rng,
    constant: pd.DataFrame,
    owners: pd.DataFrame,
    bought: pd.DataFrame,
    created: I64,
    names: Names,
) -> pd.DataFrame:
    """Versions of every real account: created, owned, signed, gone, back, merged away."""
    a = book.sim.accounts
    subs = book.subs
    main = subs[subs["kind"] != con.SIDE]
    never = con.NEVER

    def event(account: Any, at: Any, order: int, **values: Any) -> pd.DataFrame:
        return pd.DataFrame({"account": account, "at": at, "order": order, **values})

    e = [event(a.index, created, 0, type=0, origin=a.origin, merged=-1)]
    e.append(event(owners["account"], owners["owned_s"], 1, owner=owners.index))
    e.append(event(main["account"], main["known_s"], 2, type=1))
    back = main[main["kind"] == con.WIN_BACK]
    e.append(event(back["account"], back["start_s"], 3, origin=ORIGINS.index("boomerang")))
    gone = main[(main["end_s"] < never) & ~main["end_reason"].isin([con.SUPERSEDED, con.LATE])]
    e.append(event(gone["account"], gone["billed_s"], 4, type=2))
    m = book.sim["merges"]
    e.append(event(m["loser"], m["at_s"], 5, merged=m["survivor"]))
    e.append(event(bought["child"], bought["at_s"], 6, parent=bought["parent"]))
    v = ordered(pd.concat(e, ignore_index=True), "account", "at", "order")
    filled = ["type", "origin", "merged", "owner", "parent"]
    v[filled] = v.groupby("account", sort=False)[filled].ffill()
    v = v.drop_duplicates(["account", "at"], keep="last")
    v = v[v["at"] <= book.horizon].reset_index(drop=True)
    # A merged record is gone: nothing edits it afterwards.
    dead = v["merged"].ge(0) & v["merged"].eq(v.groupby("account")["merged"].shift())
    v = v[~dead].reset_index(drop=True)
    account = v["account"].to_numpy()
    merged = v["merged"].to_numpy().astype(np.int64)
    customer = (v["type"] > 0).to_numpy()
    c = constant.iloc[account].reset_index(drop=True)
    types = np.array(["Prospect", "Customer", "Former Customer"], dtype=object)
    workspace = workspace_ids(rng.u64("id_workspace", account))
    parent = v["parent"].fillna(-1).to_numpy(dtype=np.int64)
    typed = _typed_keys(book, rng, names, account, workspace)
    return c.drop(columns="account").assign(
        account_id=names.account_ids[account],
        version_at=to_timestamps(v["at"]),
        account_type=types[v["type"].to_numpy().astype(np.int64)],
        acquisition_origin=np.array(ORIGINS, dtype=object)[v["origin"].to_numpy().astype(np.int64)],
        owner_employee_id=owners["employee_id"].to_numpy()[v["owner"].fillna(0).astype(np.int64)],
        parent_account_id=optional(names.account_ids[np.maximum(parent, 0)], parent >= 0),
        billing_customer_id=optional(names.customer(account), customer),
        workspace_id=optional(workspace, customer),
        crm_billing_customer_id=optional(typed[0], customer),
        crm_workspace_id=optional(typed[1], customer),
        is_test=False,
        is_deleted=merged >= 0,
        merged_into=optional(names.account_ids[np.maximum(merged, 0)], merged >= 0),
        created_at=to_timestamps(created[account]),
    )


def _typed_keys(
    book: Book, rng: Rng, names: Names, account: I64, workspace: Strings
) -> tuple[Strings, Strings]:
    """Keys of billing and product as the CRM has them; wrong only where billing's own are right."""
    known = ~book.sim.accounts.leaves_for_good[account]
    wrong = known & rng.chance("crm_customer_typo", WRONG_KEY_SHARE, account)
    wrong &= ~rng.chance("customer_key_typo", WRONG_KEY_SHARE, account)
    orphan = rng.chance("crm_workspace_typo", ORPHAN_SHARE, account)
    orphan &= ~rng.chance("workspace_key_typo", ORPHAN_SHARE, account)
    nowhere = names.make("cus_", "customer_typo", account, length=14)
    lost = workspace_ids(rng.u64("id_crm_workspace_typo", account))
    return (
        np.where(wrong, nowhere, names.customer(account)),
        np.where(orphan, lost, workspace),
    )


def _purchases(book: Book, rng: Rng, share: float) -> pd.DataFrame:
    """Companies bought by another customer, whose account then names the parent (child, parent).

    Contracts stay where they are; where records are merged as well, `contracts` says so.
    """
    latent = book.sim["latent"]
    active = latent[latent["is_active"]]
    child, month = active["account"].to_numpy(), active["month"].to_numpy()
    hit = rng.chance("bought", share, child, month)
    rows: list[tuple[int, int, int]] = []
    children: set[int] = set()
    for i, m in zip(child[hit].tolist(), month[hit].tolist(), strict=True):
        others = child[month == m]
        others = others[(others != i) & ~np.isin(others, list(children))]
        if i in children or not len(others):
            continue
        children.add(i)
        rank = rng.uniform("buyer", others, i, m) - 0.5 * book.sim.accounts.segment[others]
        at = (int(month_start_day(m)) + int(rng.integers("bought_on", 2, 27, i, m)[0])) * DAY
        rows.append((i, int(others[np.argmin(rank)]), at + 14 * HOUR))
    frame = pd.DataFrame(rows, columns=["child", "parent", "at_s"]).astype("int64")
    return frame[frame["at_s"] <= book.horizon]


def _extra_accounts(
    book: Book, rng: Rng, real: pd.DataFrame, created: I64, names: Names, start_s: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Duplicate records of real companies, and the vendor's own test accounts."""
    a = book.sim.accounts
    i = a.index[rng.chance("duplicated", DUPLICATE_SHARE, a.index)]
    at = created[i] + rng.integers("duplicated_after", 20, 700, i) * DAY
    i, at = i[at <= book.horizon], at[at <= book.horizon]
    first = real.drop_duplicates("account_id", keep="first").set_index("account_id")
    copy = first.loc[list(names.account_ids[i])].reset_index()
    original = copy["account_id"].to_numpy()
    www = rng.chance("www", 0.3, i)
    domain = copy["domain"].to_numpy(dtype=object)
    copy = copy.assign(
        account_id=salesforce_ids(SALESFORCE_PREFIX["account"], rng.u64("id_duplicate", i)),
        version_at=to_timestamps(at),
        created_at=to_timestamps(at),
        name=_variants(copy["name"].to_numpy(dtype=object), rng.integers("variant", 0, 5, i)),
        domain=np.where(www, "www." + domain, domain),
        account_type="Prospect",
        billing_customer_id=None,
        workspace_id=None,
        crm_billing_customer_id=None,
        crm_workspace_id=None,
    )
    k = np.arange(3, dtype=np.int64)
    test = (
        first.iloc[[0, 0, 0]]
        .reset_index()
        .assign(
            account_id=salesforce_ids(SALESFORCE_PREFIX["account"], rng.u64("id_test", k)),
            version_at=to_timestamps(np.full(3, start_s)),
            created_at=to_timestamps(np.full(3, start_s)),
            name=np.array(["Test Account", "QA Sandbox", "Demo Company (internal)"], dtype=object),
            domain=VENDOR_DOMAIN,
            account_type="Prospect",
            owner_employee_id=None,
            billing_customer_id=None,
            workspace_id=None,
            crm_billing_customer_id=None,
            crm_workspace_id=None,
            displaced_competitor_id=None,
            is_test=True,
        )
    )
    kinds = pd.concat(
        [
            pd.DataFrame(
                {
                    "account_id": copy["account_id"],
                    "kind": "duplicate",
                    "duplicate_of": original,
                }
            ),
            pd.DataFrame({"account_id": test["account_id"], "kind": "test", "duplicate_of": None}),
        ],
        ignore_index=True,
    )
    return pd.concat([copy, test], ignore_index=True), kinds


def _yearly(state: dict[str, Any], currency: I64) -> NDArray[np.float64]:
    """A year's gross value in major units of the account's currency."""
    value = state["price"] * state["seats"] + state["addon"]
    return np.asarray(np.round(value * 12 / state["bill"] / con.MINOR[currency], 2))


def _deals(book: Book, rng: Rng, created: I64) -> pd.DataFrame:
    """One row a deal, with everything needed to write its versions."""
    a, subs = book.sim.accounts, book.subs
    never = con.NEVER
    first = subs[subs["kind"] == con.NEW].set_index("account").reindex(a.index)
    # A back-dated contract becomes won when it is entered.
    start = first["known_s"].fillna(never).to_numpy(dtype=np.int64)
    uid = first["uid"].fillna(-1).to_numpy(dtype=np.int64)
    lost_before = a.wins & (a.origin == ORIGINS.index("lost_deal"))
    usd = a.acv_usd / con.RATE[a.currency]
    guess = np.round(usd * (0.8 + 0.4 * rng.uniform("guess", a.index)), 2)
    contract_month = np.where(a.wins, a.contract_month, a.created_month + 3)
    expected = month_start_day(contract_month) * DAY + 14 * DAY + 12 * HOUR
    second = (month_start_day(contract_month - 3) + 8) * DAY + 10 * HOUR
    blank: dict[str, Any] = {
        "kind": 0,
        "key": 0,
        "uid": -1,
        "amount": np.nan,
        "cause": -1,
        "cac": np.nan,
        "won": False,
        "corrected": never,
    }
    w = a.wins
    cac_noise = np.exp(0.25 * rng.normal("cac", a.index))
    cac = a.acv_usd * CAC_SHARE[a.segment] * lat.ORIGIN_CAC[a.origin] * cac_noise
    parts = [
        pd.DataFrame(
            {
                **blank,
                "account": a.index,
                "created": np.where(lost_before, second, created),
                "expected": expected,
                "closed": start,
                "won": True,
                "uid": uid,
                "guess": guess,
                "cac": np.round(cac, 2),
            }
        )[w]
    ]
    # Deals lost before (or instead of) a first contract.
    lost = ~w | lost_before
    wait = rng.integers("loses_after", 20, 150, a.index) * DAY
    reason = rng.choice("loss_reason", (0.05, 0.05, 0.05, 0.25, 0.3, 0.1, 0.15, 0.05), a.index)
    parts.append(
        pd.DataFrame(
            {
                **blank,
                "account": a.index,
                "key": 1,
                "created": created,
                "expected": created + 120 * DAY,
                "closed": created + wait,
                "guess": guess,
                "cause": reason,
            }
        )[lost]
    )
    t = book.sim["terms"]
    t = t[~t["is_evergreen"]].reset_index(drop=True)
    u, due = t["uid"].to_numpy(), t["due_s"].to_numpy()
    opened = np.maximum(due - RENEWAL_OPENS_DAYS * DAY, np.maximum(t["start_s"], t["known_s"]))
    end, why = book.sub(u, "end_s"), book.sub(u, "end_reason")
    ended = end <= due
    later = subs[subs["replaces"] >= 0].set_index("replaces")["start_s"]
    replaced = later.reindex(u).fillna(never).to_numpy(dtype=np.int64)
    linked = ended & np.isin(why, [con.SUPERSEDED, con.LATE])
    told = np.where(why == con.PAYMENT_FAILED, end, book.sub(u, "notice_s"))
    # An account that never answered before the due date is closed by its owner on that day.
    closed = np.where(linked, replaced, np.where(ended, np.maximum(told, opened), due))
    # Counted as renewed on the day, and corrected when the back-dated cancellation is entered.
    presumed = ended & ~linked & (why == con.VOLUNTARY) & (told > end)
    closed = np.where(presumed, due, closed)
    parts.append(
        pd.DataFrame(
            {
                **blank,
                "account": u // 128,
                "kind": 1,
                "key": due,
                "created": opened,
                "expected": due,
                "closed": closed,
                "won": ~ended | linked | presumed,
                "corrected": np.where(presumed, told, never),
                "uid": u,
                "cause": np.where(ended & ~linked, book.sub(u, "stated"), -1),
            }
        )
    )
    c = book.changes
    grows = c["reason"].isin([con.SEATS, con.PLAN]).to_numpy()
    cu, cat = c["uid"].to_numpy()[grows], c["at_s"].to_numpy()[grows]
    currency = book.sub(cu, "currency")
    delta = _yearly(book.state(cu, cat), currency) - _yearly(book.state(cu, cat - 1), currency)
    more = delta > 0
    parts.append(
        pd.DataFrame(
            {
                **blank,
                "account": cu // 128,
                "kind": 2,
                "key": cat,
                "created": cat,
                "expected": cat,
                "closed": cat,
                "won": True,
                "uid": cu,
                "amount": delta,
            }
        )[more]
    )
    b = subs[subs["kind"].isin([con.WIN_BACK, con.SIDE])]
    bu, bs = b["uid"].to_numpy(), b["start_s"].to_numpy()
    account = b["account"].to_numpy()
    win_back = (b["kind"] == con.WIN_BACK).to_numpy()
    noise = np.exp(0.25 * rng.normal("cac_again", bu))
    again = a.acv_usd[account] * CAC_SHARE[a.segment[account]] * lat.ORIGIN_CAC[2] * noise
    parts.append(
        pd.DataFrame(
            {
                **blank,
                "account": account,
                "kind": np.where(win_back, 3, 2),
                "key": bs,
                "created": bs,
                "expected": bs,
                "closed": bs,
                "won": True,
                "uid": bu,
                "cac": np.where(win_back, np.round(again, 2), np.nan),
            }
        )
    )
    return pd.concat(parts, ignore_index=True)


DEAL_TYPES = np.array(["new_business", "renewal", "expansion", "win_back"], dtype=object)


def _opportunities(
    book: Book, rng: Rng, names: Names, deals: pd.DataFrame, owners: pd.DataFrame, company: Strings
) -> pd.DataFrame:
    d = deals[deals["created"] <= book.horizon].reset_index(drop=True)
    created, expected, closed = (
        d[k].to_numpy(dtype=np.int64) for k in ("created", "expected", "closed")
    )
    middle = created + np.maximum(expected - created, 0) // 2
    never = np.full(len(d), con.NEVER)
    steps = [
        (np.where(created < closed, created, never), "Prospecting"),
        (np.where((created < middle) & (middle < closed), middle, never), "Proposal"),
        (closed, "Closed"),
        (d["corrected"].to_numpy(dtype=np.int64), "Corrected"),
    ]
    v = pd.concat([d.assign(at=at, step=step) for at, step in steps], ignore_index=True)
    v = v[v["at"] <= book.horizon].reset_index(drop=True)
    account, kind = v["account"].to_numpy(), v["kind"].to_numpy()
    key, at = v["key"].to_numpy(), v["at"].to_numpy()
    corrected = (v["step"] == "Corrected").to_numpy()
    done = (v["step"] == "Closed").to_numpy() | corrected
    won = done & v["won"].to_numpy(dtype=np.bool_) & ~corrected
    a = book.sim.accounts
    uid = v["uid"].to_numpy(dtype=np.int64)
    # Before a deal is won there is no subscription to take the amount from, except at renewals.
    real = (uid >= 0) & (won | (kind == 1))
    safe = np.where(real, uid, book.uid[0] if len(book.uid) else 0)
    seen = np.maximum(np.minimum(at, book.sub(safe, "end_s") - 1), book.sub(safe, "start_s"))
    from_billing = _yearly(book.state(safe, seen), book.sub(safe, "currency"))
    amount = np.where(real, from_billing, v["guess"].fillna(0.0))
    amount = np.where(v["amount"].notna(), v["amount"], amount)
    slip = won & (uid >= 0) & rng.chance("subscription_key_typo", WRONG_KEY_SHARE, uid)
    # Someone typed another figure than the one that was billed; of one slip a deal, so that what
    # was billed can be looked up.
    typo = won & ~slip & rng.chance("typo", 0.02, account, kind, key)
    billed = np.round(amount, 2)
    amount = np.round(np.where(typo, amount * 1.1, amount), 2)
    signed = names.subscription(np.maximum(uid, 0))
    nowhere = names.make("sub_", "subscription_typo", np.maximum(uid, 0))
    reset = ordered(owners.assign(row=owners.index), "account", "owned_s")
    o_key = (reset["account"].to_numpy() << 33) + reset["owned_s"].to_numpy()
    place = np.searchsorted(o_key, (account << 33) + at, side="right") - 1
    owner = reset["employee_id"].to_numpy()[np.maximum(place, 0)]
    term = book.sub(safe, "meta_term")
    bill = book.state(safe, seen)["bill"]
    term = np.where(term > 0, term, np.where(bill >= 12, bill, 12))
    contract = np.where(kind == 1, v["expected"], at)
    origin = a.origin[account]
    source = np.array([0, 1, 2, 3, 4])[origin]
    source = np.where(kind == 3, 2, np.where(kind == 0, source, -1))
    cause = v["cause"].to_numpy(dtype=np.int64)
    lost = done & ~won
    rival = COMPETITOR_IDS[rng.integers("rival", 0, len(COMPETITOR_IDS), account, key)]
    label = np.array(["New contract", "Renewal", "Expansion", "Win-back"], dtype=object)[kind]
    year = to_dates(v["expected"]).strftime("%Y").to_numpy(dtype=object)
    stage = np.where(done, np.where(won, "Closed Won", "Closed Lost"), v["step"])
    return pd.DataFrame(
        {
            "opportunity_id": salesforce_ids(
                SALESFORCE_PREFIX["opportunity"], rng.u64("id_opportunity", account, kind, key)
            ),
            "version_at": to_timestamps(at),
            "account_id": names.account_ids[account],
            "name": company[account] + " - " + label + " " + year,
            "opportunity_type": DEAL_TYPES[kind],
            "stage": stage,
            "is_won": won,
            "is_closed": done,
            "amount": amount,
            "currency": np.array(CURRENCIES, dtype=object)[a.currency[account]],
            "created_at": to_timestamps(v["created"]),
            "close_on": to_dates(np.where(done, at, v["expected"])),
            "owner_employee_id": owner,
            "lead_source": np.array([*LEAD_SOURCES, None], dtype=object)[source],
            "contract_start_on": to_dates(contract, ~won),
            "contract_term_months": nullable_ints(term, real),
            "loss_reason": np.where(
                lost & (cause >= 0), np.array([*CAUSES, None], dtype=object)[cause], None
            ),
            "lost_to_competitor_id": optional(rival, lost & (cause == CAUSES.index("competitor"))),
            "acquisition_cost_usd": np.where(won, v["cac"], np.nan),
            "subscription_id": optional(signed, won & (uid >= 0)),
            "crm_subscription_id": optional(np.where(slip, nowhere, signed), won & (uid >= 0)),
            "campaign_id": None,
            "loss_reason_detail": None,
            "billing_amount": np.where(won & (uid >= 0), billed, np.nan),
            "is_purged": False,
            "is_rip_and_replace": (origin == ORIGINS.index("rip_and_replace")) & (kind == 0),
            "is_deleted": False,
        }
    )


def _latent_table(book: Book, names: Names) -> pd.DataFrame:
    r, a = book.sim["latent"], book.sim.accounts
    i = r["account"].to_numpy()
    month = r["month"].to_numpy()
    return pd.DataFrame(
        {
            "account_id": names.account_ids[i],
            "account_index": i,
            "month": to_dates(month_start_day(month) * DAY),
            "month_no": month,
            "segment": np.array(SEGMENTS, dtype=object)[a.segment[i]],
            "is_active": r["is_active"],
            "is_paused": r["is_paused"],
            "is_free": r["is_free"],
            "is_notice_given": r["is_notice_given"],
            "tenure_months": r["tenure"],
            "months_to_due": r["to_due"],
            "seats": r["seats"],
            "plan_family": np.array(con.PLAN_FAMILIES, dtype=object)[r["plan"].to_numpy()],
            "mrr_usd": r["mrr_usd"],
            "exec_connection": r["e"],
            "value_realised": r["v"],
            "need": r["need"],
            "competitor": r["comp"],
            "champion_in_place": r["champion"],
            "champion_left": r["champion_left"],
            "levels_known": r["levels"],
            "touched": r["touched"],
            "visited": r["visited"],
            "fit": a.fit[i],
            "users_happy": a.happy_cold[i],
            "exec_cold": a.happy_cold[i],
            "is_silent": a.silent[i],
            "is_locked_in": r["locked_in"],
            "is_metric_mismatch": a.mismatch[i],
            "uses_sticky_feature": a.sticky[i],
            "uses_decoy_feature": a.decoy[i],
            "has_trigger": r["has_trigger"],
            "has_decoy_trigger": r["has_decoy"],
        }
    )


def _truth_accounts(book: Book, names: Names, extra: pd.DataFrame, final: I64) -> pd.DataFrame:
    a, subs = book.sim.accounts, book.subs
    n = len(a)

    def flagged(accounts: Any) -> NDArray[np.bool_]:
        flags = np.zeros(n, dtype=np.bool_)
        flags[np.asarray(accounts, dtype=np.int64)] = True
        return flags

    first = subs.groupby("account")["start_s"].min().reindex(a.index)
    customer = first.notna().to_numpy()
    changed = book.changes[book.changes["reason"].isin([con.PLAN, con.TO_MONTHLY])]
    ramps = book.discounts[book.discounts["percent"] == 100.0]
    frame = pd.DataFrame(
        {
            "account_id": names.account_ids,
            "account_index": a.index,
            "kind": np.where(customer, "customer", "prospect"),
            "duplicate_of": None,
            "surviving_account_id": names.account_ids[final],
            "segment": np.array(SEGMENTS, dtype=object)[a.segment],
            "origin": np.array(ORIGINS, dtype=object)[a.origin],
            "first_contract_on": to_dates(first.fillna(0).to_numpy(), ~customer),
            "users_happy": a.happy_cold,
            "exec_cold": a.happy_cold,
            "is_silent": a.silent,
            "is_metric_mismatch": a.mismatch,
            "uses_sticky_feature": a.sticky,
            "uses_decoy_feature": a.decoy,
            "has_plan_change": flagged(changed["uid"] // 128),
            "has_pause": flagged(book.pauses["uid"] // 128),
            "has_reactivation": flagged(subs.loc[subs["kind"] == con.WIN_BACK, "account"]),
            "has_trial": flagged(subs.loc[subs["trial_end_s"] > 0, "account"]),
            "has_free_ramp": flagged(ramps["uid"] // 128),
            "is_merged_away": final != a.index,
        }
    )
    more = extra.assign(account_index=-1, segment=None, origin=None, first_contract_on=None)
    survivors = dict(zip(names.account_ids, names.account_ids[final], strict=True))
    more["surviving_account_id"] = more["duplicate_of"].map(survivors).fillna(more["account_id"])
    for flag in frame.columns[8:]:
        more[flag] = False
    return pd.concat([frame, more[frame.columns]], ignore_index=True)


def build_crm(
    config: WorldConfig, book: Book, rng: Rng, names: Names, final_holder: I64
) -> tuple[Frames, Frames, Strings]:
    """Render the CRM tables and the truth about accounts.

    Args:
        config: The world's size and horizon.
        book: Sorted ledgers.
        rng: Keyed random numbers.
        names: Vendor ids.
        final_holder: Account index that holds each account's contracts after all mergers.

    Returns:
        Tables, truth tables.
    """
    a = book.sim.accounts
    start_s = int(month_start_day(config.start_month)) * DAY
    company, domains = company_names(a.index, np.array(CURRENCIES, dtype=object)[a.currency])
    created = _created_s(book.sim, rng)
    spells = _spells(config, rng)
    first = book.subs.groupby("account")["known_s"].min().reindex(a.index)
    first_contract = first.fillna(con.NEVER).to_numpy(dtype=np.int64)
    owners = _ownership(book, spells, rng, created, first_contract)
    constant = _constant_columns(book, rng, company, domains)
    # The rarest of all: what makes the rest appear in a small company leaves two of three without.
    bought = _purchases(book, rng, PURCHASE_SHARE_A_MONTH * config.rarity**2)
    real = _accounts(book, rng, constant, owners, bought, created, names)
    extra, kinds = _extra_accounts(book, rng, real, created, names, start_s)
    accounts = pd.concat([real, extra], ignore_index=True)
    owners = owners[owners["owned_s"] <= book.horizon]
    history = pd.DataFrame(
        {
            "account_id": names.account_ids[owners["account"].to_numpy()],
            "employee_id": owners["employee_id"],
            "previous_employee_id": owners["previous"],
            "owned_from": to_timestamps(owners["owned_s"]),
            "known_at": to_timestamps(owners["owned_s"]),
        }
    )
    deals = _deals(book, rng, created)
    triggers = book.sim["triggers"]
    programs = book.sim["programs"]
    kind = np.where(triggers["real"], "new_executive", "office_move")
    tables = {
        "accounts": ordered(accounts, "version_at", "account_id"),
        "account_owners": ordered(history, "known_at", "account_id"),
        "employees": _employees(spells, book, rng, names.account_ids),
        "opportunities": ordered(
            _opportunities(book, rng, names, deals, owners, company), "version_at", "opportunity_id"
        ),
        "latent": ordered(_latent_table(book, names), "month", "account_index"),
        "trigger_exposures": pd.DataFrame(
            {
                "account_id": names.account_ids[triggers["account"].to_numpy()],
                "trigger_type": kind,
                "occurred_on": to_dates(triggers["at_s"]),
                "known_at": to_timestamps(triggers["at_s"]),
            }
        ),
        "program_assignments": pd.DataFrame(
            {
                "program_key": np.array(con.PROGRAMS, dtype=object)[programs["program"].to_numpy()],
                "account_id": names.account_ids[programs["account"].to_numpy()],
                "arm": np.where(programs["treated"], "treated", "control"),
                "enrolled_on": to_dates(programs["at_s"]),
                "known_at": to_timestamps(programs["at_s"]),
            }
        ),
    }
    tables["trigger_exposures"] = ordered(
        tables["trigger_exposures"], "known_at", "account_id", "trigger_type"
    )
    tables["program_assignments"] = ordered(
        tables["program_assignments"], "known_at", "program_key", "account_id"
    )
    horizon = pd.Timestamp(book.horizon, unit="s", tz="UTC")
    for name in ("employees", "accounts"):
        frame = tables[name]
        tables[name] = frame[frame["version_at"] <= horizon].reset_index(drop=True)
    truth = {"truth_accounts": _truth_accounts(book, names, kinds, final_holder)}
    return tables, truth, company
