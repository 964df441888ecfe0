"""Account: one account's whole story."""

from __future__ import annotations

import re
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import charts, formats
from dashboards.frame import Page
from dashboards.parts import Column, Figure, chart, figures, lead, note, nothing, section, table
from dashboards.queries import account

FILTERS = frozenset({"segment", "region", "owner_id"})
RISK = "renewals.churn_risk"
#: Kind of event -> how it is called and its colour, from the top down.
LANES = {
    "contract": ("Contract", charts.RED),
    "money": ("Money", charts.GREEN),
    "plan": ("Plans", charts.ORANGE),
    "people": ("People who left", charts.PURPLE),
    "meeting": ("Meetings", charts.BLUE),
    "value": ("Value shown", charts.BLUE),
    "support": ("Support", charts.GREY),
    "voice": ("What they say of us", charts.GREEN),
    "outside": ("Outside events", charts.GREY),
}
VOICES = {"model, next renewal": charts.BLUE, "our people, sign today": charts.ORANGE}


def show(page: Page) -> None:
    """Draw the page."""
    chosen = _choose(page)
    if chosen is None:
        return
    rows = page.ask(account.profile, chosen)
    if rows.empty:
        nothing(f"No account has the id {chosen} in this night. It may have been merged away.")
        return
    who = rows.iloc[0]
    risk = page.ask(account.risk, chosen)
    st.header(formats.text(who["account_name"]), anchor=False)
    _answer(page, who, risk.iloc[0] if len(risk) else None)
    if len(risk):
        with section("Why"):
            _reasons(page, risk.iloc[0])
    with section("What happened, and what is due"):
        _timeline(page, chosen)
    with section("What was thought of it"):
        _scores(page, chosen)
    with section("People"):
        _people(page, chosen)
    with section("Usage and success"):
        _usage(page, chosen)
    with section("Money"):
        _money(page, chosen, who)


def _choose(page: Page) -> str | None:
    """Let the reader find an account; an address may name it as well."""
    left, right = st.columns([1, 2])
    asked = st.query_params.get("id", "")
    text = left.text_input(
        "Find an account", key="account_text", placeholder="Name or id", max_chars=80
    ).strip()
    found = page.ask(account.search, page.filters, text)
    if found.empty:
        nothing(
            f"No account's name holds “{_typed(text)}” among those left by the filters."
            if text
            else "No account is left by the filters."
        )
        return None
    names = dict(zip(found["account_id"], found["account_name"], strict=True))
    # An address may name an account that the filters leave out; what was chosen here follows them.
    if asked and not text and asked not in names and asked != st.session_state.get("account_shown"):
        named = page.ask(account.profile, asked)
        if len(named):
            names = {asked: named["account_name"].iloc[0], **names}
        else:
            nothing(
                f"No account has the id {_typed(asked)} in this night: it may have been merged "
                "into another, or be no customer's. The first to call is shown instead."
            )
    options = list(names)
    ended = set(found.loc[~found["is_customer"], "account_id"])
    chosen = right.selectbox(
        "Account",
        options,
        index=options.index(asked) if asked in options else 0,
        format_func=lambda key: f"{names[key]}{' (no contract)' if key in ended else ''}",
        help="In the order to call; at most fifty are listed, so narrow them by name.",
        key=f"account_chosen_{asked}_{text}",
    )
    # So that the address can be sent to somebody.
    st.session_state["account_shown"] = st.query_params["id"] = str(chosen)
    return str(chosen)


def _typed(text: str) -> str:
    """Return what somebody typed or was sent as words: no link, no image, no markup."""
    return re.sub(r"[^\w .,&'-]", "", text)[:80]


def _answer(page: Page, who: pd.Series, risk: pd.Series | None) -> None:
    place = ", ".join(
        str(part)
        for part in (who["segment"], who["industry"], who["country"], who["region"])
        if not formats.is_unknown(part)
    )
    note(f"{place}. Owner: {page.owner(who['owner_id'])}.")
    if risk is None:
        was = (
            "Not a customer today: no contract is in force."
            if formats.is_unknown(who["is_customer"]) or not who["is_customer"]
            else "No contract is in force, but something is still paid for."
        )
        lead(was)
    else:
        lead(_sentence(risk))
    worth = "value.customer_value"
    shown = [Figure("ARR", formats.money(_of(risk, "arr_usd", who["arr_usd"])), "a year",
                    f"{RISK}.arr_usd")]  # fmt: skip
    if risk is not None:
        shown += [
            Figure(
                "Chance of losing the renewal",
                formats.share(risk["p_lost_next_renewal"]),
                _interval(risk),
                f"{RISK}.p_lost_next_renewal",
            ),
            Figure(
                "Would sign today",
                formats.share(risk["p_sign_today_human"]),
                f"our people; the model says {formats.share(risk['p_sign_today_model'])}",
                f"{RISK}.sign_today_gap",
            ),
            Figure(
                "Renewal due",
                formats.day(risk["next_due_on"]),
                f"in {formats.plural(int(risk['days_to_renewal']), 'day')}",
                f"{RISK}.next_due_on",
            ),
        ]
    shown += [
        Figure(
            "Lifetime value",
            formats.money(who["clv_usd"]),
            f"place {formats.count(who['clv_rank'])}, by true value "
            f"{formats.count(who['true_value_rank'])}",
            f"{worth}.clv_npv_usd",
        ),
        Figure(
            "Customer for",
            formats.months(12 * who["tenure_years"])
            if not formats.is_unknown(who["tenure_years"])
            else formats.UNKNOWN,
            formats.plural(int(who["renewals_completed"]), "renewal")
            if not formats.is_unknown(who["renewals_completed"])
            else "",
            "cohorts.longevity.tenure_years",
        ),
    ]
    figures(page, shown)


def _sentence(risk: pd.Series) -> str:
    plan = (
        f"A {risk['plan_type']} plan is live."
        if risk["has_plan_owner"]
        else "A plan is live, but nobody is accountable for it."
        if risk["has_plan"]
        else "No plan is live."
    )
    why = "" if formats.is_unknown(risk["why_today"]) else f" Call today. {risk['why_today']}"
    if formats.is_unknown(risk["p_lost_next_renewal"]):
        return f"This account was not scored. {plan}{why}"
    return (
        f"{formats.words(risk['band'])} risk: {formats.money(risk['expected_loss_arr_usd'])} of "
        f"{formats.money(risk['arr_usd'])} a year is expected to be lost at the next renewal. "
        f"{plan}{why}"
    )


def _reasons(page: Page, risk: pd.Series) -> None:
    rows = [
        {"side": side, "reason": _plain(risk[name]), "weight": risk[f"{name}_contribution"]}
        for side, names in (
            ("raises the risk", ("reason_1", "reason_2", "reason_3")),
            ("lowers the risk", ("protect_1", "protect_2")),
        )
        for name in names
        if not formats.is_unknown(risk[name])
    ]
    if rows:
        table(
            page,
            pd.DataFrame(rows),
            [
                Column("reason", "Associated with the score", means="reason_1"),
                Column("side", "Effect"),
                Column(
                    "weight",
                    "Weight",
                    _weight,
                    means="reason_1_contribution",
                    numeric=True,
                ),
            ],
            "What the score is associated with",
            of=RISK,
        )
    else:
        nothing("No association was strong enough to be named.")
    unknown = (
        "All twelve facts that ought to be known are."
        if formats.is_unknown(risk["unknown_fields"])
        else "Not known: "
        + ", ".join(part.strip().replace("_", " ") for part in risk["unknown_fields"].split(";"))
        + "."
    )
    judged = (
        "Nobody has judged it."
        if formats.is_unknown(risk["assessed_on"])
        else f"Judged on {formats.day(risk['assessed_on'])}, on "
        f"{formats.text(risk['justification_type']).replace('_', ' ')} "
        f"(evidence {formats.text(risk['evidence_grade'])})."
    )
    note(f"Associations, not causes. {judged} {unknown}")


def _timeline(page: Page, chosen: str) -> None:
    rows = page.ask(account.timeline, chosen)
    if rows.empty:
        nothing("Nothing was recorded in the last two years, and nothing is due.")
        return
    rows = rows.assign(lane=rows["lane"].map({key: name for key, (name, _) in LANES.items()}))
    chart(
        charts.timeline(rows, lanes=dict(LANES.values()), today=pd.Timestamp(page.night.as_of)),
        "What happened at the account, by day and kind",
        page,
        rows.head(100),
        [
            Column("happened_on", "Day", formats.day, wrap=False),
            Column("lane", "Kind"),
            Column("what", "What", formats.words),
            Column("weight", "How many", formats.count, numeric=True),
        ],
    )
    note("The last two years and contracts due in the next; the dashed line is tonight.")


def _scores(page: Page, chosen: str) -> None:
    rows = page.ask(account.scores, chosen)
    if rows.empty:
        nothing("No score was stored and nobody has judged this account.")
        return
    chart(
        charts.lines(
            rows,
            x="seen_on",
            y="p_lost",
            group="voice",
            x_axis=charts.axis_month("Day"),
            y_axis=charts.axis_share("Chance of loss, as stored then"),
            colors=VOICES,
            zero=True,
            points=len(rows) < 80,
            tooltip=[
                alt.Tooltip("seen_on:T", title="Day", format="%d %b %Y"),
                alt.Tooltip("voice:N", title="Who"),
                alt.Tooltip("p_lost:Q", title="Chance of loss", format=".0%"),
            ],
        ),
        "Chance of loss as stored at the time, by model and by our people",
        page,
        rows.sort_values("seen_on", ascending=False).head(40),
        [
            Column("seen_on", "Day", formats.day, wrap=False),
            Column("voice", "Who", formats.words),
            Column("p_lost", "Chance of loss", formats.share, numeric=True),
        ],
    )
    if "model, next renewal" not in set(rows["voice"]):
        note("No score of the model is stored yet for this account.")


def _people(page: Page, chosen: str) -> None:
    rows = page.ask(account.relationship, chosen)
    mart = "renewals.relationships"
    if rows.empty:
        nothing("Nobody was ever known at this account.")
        return
    now = rows.iloc[0]
    index = now["disconnection_index"]
    figures(
        page,
        [
            Figure(
                "Disconnection (0 to 1)",
                formats.number(index, 2),
                "at risk from 0.50",
                f"{mart}.disconnection_index",
            ),
            Figure(
                "People known",
                formats.count(now["contacts"]),
                f"{formats.count(now['contacts_director_plus'])} directors or above",
                f"{mart}.contacts",
            ),
            Figure(
                "Champion",
                formats.words(now["champion_status"]),
                ""
                if formats.is_unknown(now["champion_lost_on"])
                else f"lost {formats.day(now['champion_lost_on'])}",
                f"{mart}.champion_status",
            ),
            Figure(
                "Last touch with a director",
                formats.UNKNOWN
                if formats.is_unknown(now["days_since_director_touch"])
                else formats.plural(int(now["days_since_director_touch"]), "day"),
                "ago",
                f"{mart}.days_since_director_touch",
            ),
            Figure(
                "In touch, 180 days",
                formats.count(now["people_in_touch_180d"]),
                "people, both ways",
                f"{mart}.people_in_touch_180d",
            ),
        ],
    )
    known = page.ask(account.people, chosen)
    if known.empty:
        note(
            "Nobody is known there today."
            if page.owners
            else "Names are not published in this night, so people are counted and not listed."
        )
    else:
        person = "core.dim_people"
        table(
            page,
            known,
            [
                Column("full_name", "Name"),
                Column("title", "Title"),
                Column("level", "Level", _level),
                Column("roles", "Roles", _roles),
                Column("first_known_on", "Known since", formats.day, wrap=False),
            ],
            "People known at the account",
            of=person,
        )
    spells = page.ask(account.champions, chosen)
    if len(spells):
        mart = "renewals.champions"
        with st.expander("Champions and sponsors over time"):
            table(
                page,
                spells,
                [
                    Column("role", "Role", formats.words),
                    Column("status", "Status", formats.words),
                    Column("since_on", "Since", formats.day, wrap=False),
                    Column("lost_on", "Lost", formats.day, wrap=False),
                    Column(
                        "days_to_replacement", "Days until replaced", formats.count, numeric=True
                    ),
                ],
                "Champions and sponsors over time",
                of=mart,
            )


def _usage(page: Page, chosen: str) -> None:
    rows = page.ask(account.usage, chosen)
    if rows.empty or rows["active_users"].isna().all():
        nothing("No usage of this account is known.")
    else:
        newest = rows.dropna(subset=["active_users"]).iloc[-1]
        lead(
            f"{formats.count(newest['active_users'])} users were active in the 28 days up to "
            f"{formats.day(newest['month_end_on'])}, for {formats.count(newest['licences'])} "
            f"licences ({formats.share(newest['utilisation'])} used)."
        )
        long = rows.melt(
            "month_end_on", ["active_users", "licences"], var_name="what", value_name="n"
        ).dropna()
        long["what"] = long["what"].map(
            {"active_users": "active users, 28 days", "licences": "licences"}
        )
        chart(
            charts.lines(
                long,
                x="month_end_on",
                y="n",
                group="what",
                x_axis=charts.axis_month("Month-end"),
                y_axis=alt.Axis(title="Users, licences"),
                colors={"active users, 28 days": charts.BLUE, "licences": charts.GREY},
                zero=True,
                tooltip=[
                    alt.Tooltip("month_end_on:T", title="Month-end", format="%b %Y"),
                    alt.Tooltip("what:N", title="What"),
                    alt.Tooltip("n:Q", title="Count", format=","),
                ],
            ),
            "Active users and licences by month-end",
        )
    reached = page.ask(account.outcomes, chosen)
    mart = "value.success_outcomes"
    if reached.empty:
        note("None of the customer's own measures of success has been measured.")
        return
    table(
        page,
        reached,
        [
            Column("measure_name", "The customer's measure"),
            Column("baseline", "Before", _measure, numeric=True),
            Column("target", "Target", _measure, numeric=True),
            Column("value", "Measured", _measure, numeric=True),
            Column("unit", "Unit"),
            Column("attainment", "Attained", formats.share, numeric=True),
            Column("measured_on", "On", formats.day, wrap=False),
            Column("is_purchase_reason", "Why they bought", formats.yes_no),
        ],
        "The customer's own measures of success",
        of=mart,
    )


def _money(page: Page, chosen: str, who: pd.Series) -> None:
    rows = page.ask(account.money, chosen)
    if rows.empty or not rows["arr_usd"].sum():
        nothing("This account has never paid.")
    else:
        chart(
            charts.areas(
                rows,
                x="month_end_on",
                y="arr_usd",
                x_axis=charts.axis_month("Month-end"),
                y_axis=charts.axis_money("ARR, USD"),
                value_format="$,.0f",
            ),
            "Annual recurring revenue of the account by month-end",
        )
    note(
        f"Bond price {formats.money(who['bond_price_usd'])}, still to be sold over ten years "
        f"{formats.money(who['potential_usd'])}, lifetime value over acquisition cost "
        f"{formats.ratio(who['ltv_to_cac'])}, chance to reach year ten "
        f"{formats.share(who['p_reach_year_10'])}."
    )
    terms = page.ask(account.terms, chosen)
    if terms.empty:
        return
    mart = "renewals.renewals"
    table(
        page,
        terms,
        [
            Column("cycle_number", "Term", formats.count, numeric=True),
            Column("started_on", "From", formats.day, wrap=False),
            Column("due_on", "Due", formats.day, wrap=False),
            Column("outcome", "Outcome", formats.words),
            Column("due_arr_usd", "ARR due", formats.money, numeric=True),
            Column("renewed_arr_usd", "ARR renewed", formats.money, numeric=True),
            Column("p_lost_at_d90", "Model, 90 days before", formats.share, numeric=True),
            Column(
                "human_sign_today_at_d90", "We thought they would sign", formats.share, numeric=True
            ),
            Column("driver", "Why lost", formats.words, means="driver_evidenced"),
        ],
        "Contract terms",
        of=mart,
    )


def _of(risk: pd.Series | None, name: str, otherwise: Any) -> Any:
    return otherwise if risk is None else risk[name]


def _interval(risk: pd.Series) -> str:
    if formats.is_unknown(risk["p_lost_low"]):
        return ""
    return f"{formats.share(risk['p_lost_low'])} to {formats.share(risk['p_lost_high'])}"


def _plain(reason: Any) -> str:
    # Which side it is on stands beside it.
    return formats.text(reason).split(", associated with")[0]


def _weight(value: Any) -> str:
    written = formats.number(value, 2)
    return f"+{written}" if not formats.is_unknown(value) and value > 0 else written


def _level(value: Any) -> str:
    return formats.words(value).replace("Director plus", "Director or above")


def _roles(value: Any) -> str:
    if formats.is_unknown(value):
        return formats.UNKNOWN
    return ", ".join(role.strip().replace("_", " ") for role in str(value).split(";"))


def _measure(value: Any) -> str:
    if formats.is_unknown(value):
        return formats.UNKNOWN
    return f"{float(value):,.3g}" if abs(float(value)) < 1000 else formats.count(value)
