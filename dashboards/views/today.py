"""Today: whom to call and why, what changed overnight, for which accounts nobody answers."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from dashboards import formats
from dashboards.frame import Page
from dashboards.parts import Column, Figure, figures, lead, note, nothing, section, table
from dashboards.queries import today

FILTERS = frozenset({"segment", "region", "owner_id"})
MART = "renewals.watchlist"


def show(page: Page) -> None:
    """Draw the page."""
    now = page.ask(today.headline, page.filters).iloc[0]
    if not now["customers"]:
        nothing(
            "No account with a contract in force is left by these filters. If none is chosen, the "
            "watchlist of this night is empty: see Trust for sources that fell silent."
        )
        return
    _answer(now)
    figures(
        page,
        [
            Figure(
                "Calls to make today",
                formats.count(now["to_call"]),
                f"of {formats.plural(int(now['customers']), 'customer')}",
                f"{MART}.why_today",
            ),
            Figure(
                "New since the last night",
                formats.count(now["with_news"]),
                f"against {formats.day(now['compared_with_on'])}",
                f"{MART}.has_news",
            ),
            Figure(
                "ARR at risk",
                formats.money(now["at_risk_arr_usd"]),
                formats.plural(int(now["at_risk"]), "account"),
                f"{MART}.is_at_risk",
            ),
            Figure(
                "Of it, nobody accountable",
                formats.money(now["at_risk_no_owner_arr_usd"]),
                formats.plural(int(now["at_risk_no_owner"]), "account"),
                f"{MART}.has_plan_owner",
            ),
            Figure(
                "Expected loss",
                formats.money(now["expected_loss_usd"]),
                "at the next renewals, a year",
                f"{MART}.expected_loss_arr_usd",
            ),
        ],
    )
    with section("Call first"):
        _calls(page, int(now["to_call"]))
    with section("What changed overnight"):
        _news(page, now)
    with section("At risk, and nobody answers for it"):
        _without_owner(page, int(now["at_risk"]), int(now["at_risk_no_owner"]))


def _answer(now: pd.Series) -> None:
    if not now["to_call"]:
        lead("Nobody has to be called today: nothing is new, and no standing reason is left.")
        return
    one = now["to_call"] == 1
    lead(
        f"{formats.plural(int(now['to_call']), 'customer')} {'has' if one else 'have'} a reason "
        f"for a call today; {formats.money(now['to_call_loss_usd'])} of yearly revenue is "
        f"expected to be lost with {'it' if one else 'them'}. "
        f"{formats.count(now['at_risk_no_owner'])} of {formats.count(now['at_risk'])} accounts at "
        "risk have nobody accountable for a plan."
    )


def _calls(page: Page, to_call: int) -> None:
    if not to_call:
        nothing("No account has a reason to be called today.")
        return
    many = st.toggle(f"All {to_call:,}", key="today_all", disabled=to_call <= 10)
    rows = page.ask(today.calls, page.filters, 500 if many else 10)
    rows = rows.assign(moved=rows.apply(_moved, axis=1))
    table(page, rows, _columns(), "Accounts to call first", MART)
    note(
        "In the order to call: news and standing reasons first, then by expected loss, nearness of "
        "the renewal, the want of an owner and what the customer is worth beyond its money. What a "
        "risk is associated with is no cause."
    )


def _columns() -> list[Column]:
    return [
        Column("priority_rank", "#", formats.count, numeric=True),
        Column("account_name", "Account", link=True),
        Column("why_today", "Why today"),
        Column("reason_1", "The risk is associated with", _reason),
        Column("moved", "Chance of loss", means="p_lost_next_renewal", numeric=True),
        Column("arr_usd", "ARR", formats.money, numeric=True),
        Column("next_due_on", "Due", formats.day, wrap=False),
        Column("owner", "Owner", means="owner_id"),
    ]


def _news(page: Page, now: pd.Series) -> None:
    since = formats.day(now["compared_with_on"])
    moved = page.ask(today.moved, page.filters).iloc[0]
    if moved["compared"]:
        lead(
            f"Since {since} the chance of loss rose by more than a point for "
            f"{formats.plural(int(moved['risen']), 'account')} and fell for "
            f"{formats.count(moved['fallen'])}; {formats.count(moved['band_up'])} moved to a "
            f"riskier band, {formats.count(moved['band_down'])} to a safer one."
        )
    else:
        note(
            f"No account was scored on {since}, so scores cannot be compared with it yet; other "
            "news can."
        )
    rows = page.ask(today.news, page.filters)
    if rows.empty:
        nothing(f"Nothing is new since {since}.")
        return
    rows = rows.assign(moved=rows.apply(_moved, axis=1))
    table(page, rows, _columns(), "What is new", MART)


def _without_owner(page: Page, at_risk: int, count: int) -> None:
    plans = page.ask(today.plans, page.filters).iloc[0]
    if not at_risk:
        nothing("No account is at risk.")
    elif not count:
        nothing("Every account at risk has a plan with an accountable owner.")
    else:
        risk = "renewals.churn_risk"
        table(
            page,
            page.ask(today.without_owner, page.filters),
            [
                Column("account_name", "Account", link=True),
                Column("plan", "Plan", means="plan_type"),
                Column("expected_loss_arr_usd", "Expected loss", formats.money, numeric=True),
                Column("arr_usd", "ARR", formats.money, numeric=True),
                Column("p_lost_next_renewal", "Chance of loss", formats.share, numeric=True),
                Column(
                    "p_sign_today_human", "We think they would sign", formats.share, numeric=True
                ),
                Column("next_due_on", "Due", formats.day, wrap=False),
                Column("owner", "Account owner", means="owner_id"),
            ],
            "Accounts at risk without an accountable owner",
            of=risk,
        )
        if count > 10:
            note(f"The ten with the largest expected loss, of {count:,}.")
    note(
        f"{formats.plural(int(plans['live']), 'plan')} live: {formats.count(plans['overdue'])} "
        f"past the due date, {formats.count(plans['without_owner'])} without an owner, "
        f"{formats.count(plans['owner_left'])} with an owner who has left the company."
    )


def _moved(row: Any) -> str:
    now = formats.share(row["p_lost_next_renewal"])
    change = row["p_lost_change_last_night"]
    if formats.is_unknown(change) or abs(change) < 0.005:
        return now
    return f"{now} ({formats.points(change)})"


def _reason(text: Any) -> str:
    # The heading says it of all rows.
    return formats.text(text).replace(", associated with a higher risk of loss", "")
