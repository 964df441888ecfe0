"""Cohorts: who stays, for how long, and what a cohort is worth by then."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import charts, formats
from dashboards.frame import Page
from dashboards.parts import Column, Figure, chart, figures, lead, note, nothing, section
from dashboards.queries import cohorts

FILTERS = frozenset({"segment"})
MART = "cohorts.cohort_retention"
COMPARE = {"By segment": "segment", "By how they were won": "origin", "All together": "all"}
MEASURES = {
    "Logos": ("logo_share", "Accounts still paying", f"{MART}.logos_paying", 1.0),
    "Money": ("money_share", "Revenue against the start", f"{MART}.nrr_index", 1.5),
}


def show(page: Page) -> None:
    """Draw the page."""
    together = page.ask(cohorts.curves, page.filters, "all")
    if together.empty:
        nothing(
            "No cohort of twenty accounts and more is known yet; fewer are not shown, since their "
            "curves are luck."
        )
        return
    _answer(page, together)
    with section("Survival"):
        _survival(page)
    with section("Retention triangle"):
        _triangle(page)


def _answer(page: Page, curve: pd.DataFrame) -> None:
    stays = page.ask(cohorts.longest, page.filters).iloc[0]
    at = curve.set_index("tenure_month")
    year = at.loc[12] if 12 in at.index else None
    half = curve.loc[curve["survival"] <= 0.5, "tenure_month"]
    sentence = (
        f"Half of the customers have left after {formats.months(half.iloc[0])}."
        if not half.empty
        else f"More than half stay beyond {formats.months(curve['tenure_month'].max())}, as far as "
        "at least ten accounts could be followed."
    )
    if year is not None:
        sentence += (
            f" After one year {formats.share(year['survival'])} are there (95 % interval "
            f"{formats.share(year['low'])} to {formats.share(year['high'])})."
        )
    lead(sentence)
    shown = []
    for month, label in ((12, "After 1 year"), (36, "After 3 years"), (60, "After 5 years")):
        if month in at.index:
            row = at.loc[month]
            shown.append(
                Figure(
                    label,
                    formats.share(row["survival"]),
                    f"{formats.share(row['low'])} to {formats.share(row['high'])}",
                    f"{MART}.survival_rate",
                )
            )
    shown.append(
        Figure(
            "Customers of 10 years",
            formats.count(stays["of_10y"]),
            f"{formats.money(stays['arr_10y_usd'])} of ARR",
            "cohorts.longevity.is_10y",
        )
    )
    shown.append(
        Figure(
            "Expected to reach year 10",
            formats.share(stays["p_reach_year_10"]),
            "mean over customers",
            "cohorts.longevity.p_reach_year_10",
        )
    )
    figures(page, shown)


def _survival(page: Page) -> None:
    compared = st.segmented_control(
        "Compare", list(COMPARE), default="By segment", key="cohorts_compare", required=True
    )
    rows = page.ask(cohorts.curves, page.filters, COMPARE[str(compared)])
    if rows.empty:
        nothing("No group here has twenty accounts; fewer are not shown.")
        return
    rows = rows.assign(
        name=rows["group_name"].map(_name) + " (" + rows["cohort_size"].map(formats.count) + ")",
        years=rows["tenure_month"] / 12,
    )
    chart(
        charts.lines(
            rows,
            x="years",
            y="survival",
            group="name",
            x_type="Q",
            x_axis=alt.Axis(title="Years since the first payment", tickMinStep=1),
            y_axis=charts.axis_share("Share still there"),
            band=("low", "high"),
            zero=True,
            step=True,
            tooltip=[
                alt.Tooltip("name:N", title="Group (accounts)"),
                alt.Tooltip("tenure_month:Q", title="Months since the first payment"),
                alt.Tooltip("survival:Q", title="Still there", format=".1%"),
                alt.Tooltip("low:Q", title="from", format=".1%"),
                alt.Tooltip("high:Q", title="to", format=".1%"),
                alt.Tooltip("at_risk:Q", title="Accounts followed"),
            ],
        ),
        "Share of accounts still there by years since the first payment",
        page,
        rows[(rows["tenure_month"] % 12 == 0) & (rows["tenure_month"] > 0)],
        [
            Column("name", "Group (accounts)"),
            Column("years", "Years", formats.count, numeric=True),
            Column("survival", "Still there", formats.share, means="survival_rate", numeric=True),
            Column("low", "from", formats.share, means="survival_low_rate", numeric=True),
            Column("high", "to", formats.share, means="survival_high_rate", numeric=True),
            Column("at_risk", "Followed", formats.count, means="logos_at_risk", numeric=True),
        ],
        of=MART,
    )
    note(
        "Kaplan-Meier estimates with 95 % intervals (Greenwood); accounts too young to be seen are "
        "censored. A curve ends where fewer than ten accounts could be followed."
    )


def _triangle(page: Page) -> None:
    rows = page.ask(cohorts.triangle, page.filters)
    reportable = rows[rows["is_reportable"]]
    if reportable.empty:
        nothing("No year has twenty first payments with these filters; fewer are not shown.")
        return
    chosen = st.segmented_control(
        "In", list(MEASURES), default="Logos", key="cohorts_measure", required=True
    )
    value, title, means, top = MEASURES[str(chosen)]
    shown = reportable.dropna(subset=[value]).assign(
        cohort=reportable["cohort_year"].astype(str)
        + " ("
        + reportable["cohort_size"].map(formats.count)
        + ")"
    )
    one = shown[shown["tenure_year"] == 1]
    if not one.empty:
        ranked = one.sort_values(value)
        worst, best = ranked.iloc[0], ranked.iloc[-1]
        what = "of its accounts" if chosen == "Logos" else "of its first revenue"
        lead(
            f"A year on, the cohort of {best['cohort_year']} did best "
            f"({formats.share(best[value])} {what} still paid), "
            f"that of {worst['cohort_year']} worst "
            f"({formats.share(worst[value])})."
        )
    wide = shown.pivot_table(index="cohort", columns="tenure_year", values=value).reset_index()
    wide.columns = [str(name) for name in wide.columns]
    chart(
        charts.triangle(shown, value=value, title=title, top=top),
        f"{title}, by year of the first payment and years since",
        page,
        wide,
        [
            Column("cohort", "First paid in (accounts)", means=means),
            *(
                Column(name, f"{name} y", formats.share, numeric=True)
                for name in wide.columns
                if name != "cohort"
            ),
        ],
    )
    left_out = rows.loc[~rows["is_reportable"], "cohort_year"].nunique()
    note(
        "Cohorts by the calendar year of the first payment; a cell is shown once the whole cohort "
        "is that old. "
        + (
            "Returned accounts count as paying again. "
            if chosen == "Logos"
            else "Above 100 % expansion outweighs what left. "
        )
        + (
            f"{formats.plural(left_out, 'cohort')} of fewer than twenty accounts not shown."
            if left_out
            else ""
        )
    )


def _name(group: str) -> str:
    return "All customers" if group == cohorts.ALL else formats.words(group)
