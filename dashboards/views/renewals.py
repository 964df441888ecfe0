"""Renewals: the calendar, the forecast with its spread, surprises and their trend, drivers."""

from __future__ import annotations

from datetime import date

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import charts, formats
from dashboards.frame import Page
from dashboards.parts import (
    Column,
    Figure,
    chart,
    figures,
    lead,
    months_of,
    note,
    nothing,
    section,
    table,
)
from dashboards.queries import renewals
from dashboards.views import periods
from dashboards.views.periods import Period

FILTERS = frozenset({"segment", "region", "owner_id"})
MART = "renewals.renewal_calendar"
PRESETS = {
    "Last 12 and next 12 months": (12, 12),
    "Last 24 and next 12 months": (24, 12),
    "Last 5 years": (60, 0),
    "Next 24 months": (0, 24),
}
KINDS = {
    "Renewed": charts.BLUE,
    "Given up in renewing": charts.PURPLE,
    "Forecast to renew": charts.PALE,
    "Forecast to be lost": charts.PALE_ORANGE,
    "Lost": charts.RED,
}
SURPRISES = {
    "foreseen": charts.BLUE,
    "surprise (live scores)": charts.RED,
    "surprise (walk-forward scores)": charts.ORANGE,
    "surprise (no score yet)": charts.GREY,
}
#: Drivers whose names would not read as words.
DRIVERS = {
    "price_budget": "Price or budget",
    "primary_need_unmet": "Primary need not met",
    "unknown": "Not known",
}
STATED = {
    "the customer said so": charts.BLUE,
    "the customer said otherwise": charts.ORANGE,
    "the customer said nothing": charts.GREY,
}


def show(page: Page) -> None:
    """Draw the page."""
    months = months_of(page.ask(renewals.months), "due_month")
    if not months:
        nothing(
            "No contract term is known, so nothing comes due. The calendar fills with the "
            "subscriptions that billing tells of: see Trust for its sources."
        )
        return
    as_of = page.night.as_of
    _outlook(page, as_of)
    period = periods.choose(months, PRESETS, as_of, "renewals")
    with section("What is due and what becomes of it"):
        _calendar(page, period)
    with section("Largest renewals of the next 90 days"):
        _next(page)
    with section("Renewal rates"):
        _rates(page, period)
    with section("Surprises"):
        _surprises(page, period)
    with section("Why customers left"):
        _drivers(page, period)


def _outlook(page: Page, as_of: date) -> None:
    at = pd.Timestamp(as_of) + pd.offsets.MonthEnd(0)
    ahead = _summed(page, at, at + pd.offsets.MonthEnd(2))
    year = _summed(page, at - pd.offsets.MonthEnd(12), at - pd.offsets.MonthEnd(1))
    last = f"due {formats.month(at - pd.offsets.MonthEnd(12))} to "
    last += formats.month(at - pd.offsets.MonthEnd(1))
    kept = ahead["forecast_usd"] / ahead["due_usd"] if ahead["due_usd"] else None
    span = f"from {formats.month(at)} to {formats.month(at + pd.offsets.MonthEnd(2))}"
    lead(
        f"{formats.money(ahead['due_usd'])} a year comes due {span}; "
        f"{formats.money(ahead['forecast_usd'])} ({formats.share(kept)}) is renewed already or "
        f"forecast to renew, give or take {formats.money(ahead['forecast_sd_usd'])}."
        if ahead["terms_due"]
        else f"No contract comes due {span}."
    )
    figures(
        page,
        [
            Figure(
                "Due in three months",
                formats.money(ahead["due_usd"]),
                f"{formats.plural(int(ahead['terms_due']), 'contract')}, a year",
                f"{MART}.due_arr_usd",
            ),
            Figure(
                "Forecast of it",
                formats.money(ahead["forecast_usd"]),
                f"± {formats.money(ahead['forecast_sd_usd'])}",
                f"{MART}.forecast_arr_usd",
            ),
            Figure(
                "Renewed by money",
                formats.share(year["money_rate"], 1),
                last,
                f"{MART}.money_renewal_rate",
            ),
            Figure(
                "Renewed by logo",
                formats.share(year["logo_rate"], 1),
                last,
                f"{MART}.logo_renewal_rate",
            ),
        ],
    )
    if page.filters.owner_id:
        note(
            "Owner is who looked after the account when its contract came due; of what is still to "
            "come, who does now."
        )


def _summed(page: Page, first: pd.Timestamp, last: pd.Timestamp) -> pd.Series:
    return page.ask(renewals.outlook, page.filters, first.date(), last.date()).iloc[0]


def _calendar(page: Page, period: Period) -> None:
    rows = page.ask(renewals.calendar, page.filters, period.first, period.last)
    if rows.empty:
        nothing(f"Nothing came or comes due from {period}.")
        return
    # Months in which nothing is due keep their place.
    drawn = rows.set_index("due_month")
    drawn = drawn.reindex(pd.date_range(period.first, period.last, freq="ME"), fill_value=0)
    open_usd = drawn["due_usd"] - drawn["decided_usd"]
    to_renew = (drawn["forecast_usd"] - drawn["renewed_usd"]).clip(lower=0)
    parts = pd.DataFrame(
        {
            "due_month": drawn.index,
            "Renewed": drawn["renewed_usd"],
            "Given up in renewing": drawn["decided_usd"] - drawn["renewed_usd"] - drawn["lost_usd"],
            "Forecast to renew": to_renew,
            "Forecast to be lost": (open_usd - to_renew).clip(lower=0),
            "Lost": drawn["lost_usd"],
        }
    ).melt("due_month", var_name="kind", value_name="usd")
    spread = rows.loc[rows["forecast_sd_usd"] > 0, ["due_month"]].assign(
        low=(rows["forecast_usd"] - rows["forecast_sd_usd"]).clip(lower=0),
        high=(rows["forecast_usd"] + rows["forecast_sd_usd"]).clip(upper=rows["due_usd"]),
    )
    chart(
        charts.stacked_months(
            parts,
            month="due_month",
            value="usd",
            kind="kind",
            kinds=KINDS,
            axis=charts.axis_money("ARR due, USD a year"),
            value_title="USD a year",
            month_title="Month of the due date",
            spread=spread,
        ),
        f"ARR due by month from {period}: renewed, forecast, lost",
        page,
        rows,
        [
            Column("due_month", "Month", formats.month, wrap=False),
            Column("terms_due", "Contracts due", formats.count, numeric=True),
            Column("due_usd", "Due", formats.money, means="due_arr_usd", numeric=True),
            Column("renewed_usd", "Renewed", formats.money, means="renewed_arr_usd", numeric=True),
            Column("lost_usd", "Lost", formats.money, means="lost_arr_usd", numeric=True),
            Column(
                "forecast_usd", "Forecast", formats.money, means="forecast_arr_usd", numeric=True
            ),
            Column("forecast_sd_usd", "±", formats.money, numeric=True),
        ],
        of=MART,
    )
    note(
        "Whiskers: forecast plus and minus one standard deviation, never below nothing or above "
        "what is due. Renewals are taken as independent, so spreads add as squares."
    )


def _next(page: Page) -> None:
    rows = page.ask(renewals.next_due, page.filters)
    if rows.empty:
        nothing("No renewal is due in the next 90 days.")
        return
    risk = "renewals.churn_risk"
    table(
        page,
        rows,
        [
            Column("account_name", "Account", link=True),
            Column("next_due_on", "Due", formats.day, wrap=False),
            Column("arr_usd", "ARR", formats.money, numeric=True),
            Column("p_lost_next_renewal", "Chance of loss", formats.share, numeric=True),
            Column("expected_loss_arr_usd", "Expected loss", formats.money, numeric=True),
            Column("band", "Risk", formats.words),
            Column("has_plan_owner", "Accountable owner", formats.yes_no),
            Column("owner", "Account owner", means="owner_id"),
        ],
        "Largest renewals of the next 90 days",
        of=risk,
    )


def _rates(page: Page, period: Period) -> None:
    rows = page.ask(renewals.rates, page.filters, period.first, period.last)
    rows = rows.dropna(subset=["rate"])
    if rows.empty:
        nothing(f"No renewal was decided in the twelve months up to any month from {period}.")
        return
    newest = rows[rows["due_month"] == rows["due_month"].max()].set_index("measure")["rate"]
    lead(
        f"Of what came due in the year to {formats.month(rows['due_month'].max())}, "
        f"{formats.share(newest.get('by money'), 1)} was renewed by money and "
        f"{formats.share(newest.get('by logo'), 1)} by logo."
    )
    chart(
        charts.lines(
            rows,
            x="due_month",
            y="rate",
            group="measure",
            x_axis=charts.axis_month("Twelve months up to"),
            y_axis=charts.axis_share("Renewed, share of decided"),
            colors={"by money": charts.BLUE, "by logo": charts.ORANGE},
            tooltip=[
                alt.Tooltip("due_month:T", title="Twelve months up to", format="%b %Y"),
                alt.Tooltip("measure:N", title="Rate"),
                alt.Tooltip("rate:Q", title="Renewed", format=".1%"),
                alt.Tooltip("decided:Q", title="Contracts decided", format=","),
            ],
        ),
        "Renewal rate over the twelve months up to each month, by money and by logo",
        page,
        rows.sort_values("due_month", ascending=False),
        [
            Column("due_month", "Twelve months up to", formats.month, wrap=False),
            Column("measure", "Rate", formats.words),
            Column("rate", "Renewed", lambda v: formats.share(v, 1), numeric=True),
            Column("decided", "Contracts decided", formats.count, numeric=True),
        ],
    )
    note("Of each month the twelve months up to it. The axis does not start at zero.")


def _surprises(page: Page, period: Period) -> None:
    rows = page.ask(renewals.surprises, page.filters, period.first, period.last)
    flags = page.ask(renewals.flags, page.filters, period.first, period.last).iloc[0]
    if rows.empty or not rows["losses"].sum():
        nothing(f"No finished quarter from {period} lost a renewal.")
        return
    by_kind = rows.groupby("kind")["losses"].sum()
    lost, live = int(by_kind.sum()), int(by_kind["surprise (live scores)"])
    unscored = int(by_kind["surprise (no score yet)"])
    walked = int(by_kind["surprise (walk-forward scores)"])
    sentence = (
        f"{formats.plural(lost, 'renewal')} lost in these quarters; "
        f"{formats.count(by_kind['foreseen'])} had been flagged 90 days before."
    )
    if live:
        sentence += f" {formats.count(live)} came as a surprise to live scores and people."
    if walked:
        sentence += f" {formats.count(walked)} would have surprised scores computed afterwards."
    if unscored:
        sentence += (
            f" For {formats.count(unscored)} no score was stored then: people alone could have "
            "warned, and had not."
        )
    lead(sentence)
    if flags["decided"]:
        precision = (
            f", {formats.share(flags['flag_precision'])} of these were lost"
            if flags["flagged"]
            else ""
        )
        note(
            f"Flagging everybody would leave no surprise, so with it: "
            f"{formats.share(flags['flagged_share'], 1)} of {formats.count(flags['decided'])} "
            f"decided renewals were flagged{precision}. Surprises by live scores, by scores "
            "computed afterwards and without any score are never added up."
        )
    chart(
        charts.stacked_months(
            rows.assign(quarter=rows["quarter_end_on"].map(formats.quarter)),
            month="quarter",
            value="losses",
            kind="kind",
            kinds={kind: SURPRISES[kind] for kind in SURPRISES if by_kind.get(kind, 0)},
            axis=alt.Axis(title="Lost renewals", tickMinStep=1),
            value_title="Lost renewals",
            value_format=",",
            month_title="Quarter of the due date",
            is_text=True,
        ),
        "Lost renewals by quarter, foreseen and surprising",
        page,
        rows.pivot_table(index="quarter_end_on", columns="kind", values="losses")
        .reset_index()
        .sort_values("quarter_end_on", ascending=False),
        [
            Column("quarter_end_on", "Quarter", formats.quarter, wrap=False),
            *(Column(kind, formats.words(kind), formats.count, numeric=True) for kind in SURPRISES),
        ],
    )


def _drivers(page: Page, period: Period) -> None:
    rows = page.ask(renewals.drivers, page.filters, period.first, period.last)
    if rows.empty:
        nothing(f"No renewal due from {period} was lost.")
        return
    first = rows.iloc[0]
    lead(
        f"{_driver(first['driver'])} comes first: {formats.share(first['share'])} of the "
        f"{formats.money(rows['lost_usd'].sum())} a year that was lost, "
        f"{formats.count(first['renewals'])} of {formats.count(rows['renewals'].sum())} renewals."
    )
    shown = rows.assign(name=rows["driver"].map(_driver))
    long = shown.rename(
        columns=dict(zip(["stated_same", "stated_other", "not_stated"], STATED, strict=True))
    ).melt("name", list(STATED), var_name="stated", value_name="usd")
    mart = "renewals.departure_drivers"
    chart(
        charts.ranked_bars(
            long,
            name="name",
            value="usd",
            axis=charts.axis_money("ARR lost, USD a year"),
            kind="stated",
            kinds=STATED,
            value_title="USD a year",
        ),
        "ARR lost by evidenced driver, and what the customers had said",
        page,
        shown,
        [
            Column("name", "Driver", means="driver_evidenced"),
            Column("renewals", "Renewals lost", formats.count, numeric=True),
            Column("lost_usd", "ARR lost", formats.money, means="lost_arr_usd", numeric=True),
            Column("share", "Share of it", formats.share, numeric=True),
            Column("owning_function", "Ours to answer for", _function),
        ],
        of=mart,
    )
    st.caption(page.meaning(f"{mart}.driver_evidenced"))


def _driver(name: object) -> str:
    return DRIVERS.get(str(name), formats.words(name))


def _function(name: object) -> str:
    written = formats.words(name)
    return "Customer success" if written.lower() == "cs" else written
