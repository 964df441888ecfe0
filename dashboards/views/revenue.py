"""Revenue: from opening to closing, what of it stays, and which part of the base is neglected."""

from __future__ import annotations

import altair as alt
import pandas as pd

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
from dashboards.queries import revenue
from dashboards.views import periods
from dashboards.views.periods import Period

FILTERS = frozenset({"segment", "region"})
MART = "cohorts.revenue_retention"
PRESETS = {
    "Last 12 months": (11, 0),
    "Last month": (0, 0),
    "Last 3 months": (2, 0),
    "Last 36 months": (35, 0),
    "All months": (1200, 0),
}
STEPS = {
    "new_usd": "New",
    "reactivation_usd": "Reactivation",
    "expansion_usd": "Expansion",
    "pause_in_usd": "Back from pause",
    "merge_transfer_usd": "Mergers",
    "contraction_usd": "Contraction",
    "pause_out_usd": "Into pause",
    "churn_usd": "Churn",
}


def show(page: Page) -> None:
    """Draw the page."""
    months = months_of(page.ask(revenue.months), "month")
    if not months:
        nothing(
            "No month has recurring revenue. It is read from billing's subscriptions: see Trust "
            "for what billing has sent."
        )
        return
    newest = months[-1].date()
    _answer(page, newest)
    period = periods.choose(months, PRESETS, newest, "revenue")
    with section("From opening to closing"):
        _waterfall(page, period)
    with section("What is kept of last year's revenue"):
        _retention(page, period)
    with section("Who loses, and who is looked after"):
        _bands(page)
    with section("Closed months"):
        _closes(page)


def _answer(page: Page, newest: object) -> None:
    rows = page.ask(revenue.series, page.filters, newest, newest)
    if rows.empty or formats.is_unknown(rows["arr_usd"].iloc[0]):
        nothing("These filters leave no recurring revenue at the newest month-end.")
        return
    now = rows.iloc[0]
    lead(
        f"At the end of {formats.month(now['month'])}, "
        f"{formats.plural(int(now['paying_accounts']), 'account')} pay "
        f"{formats.money(now['arr_usd'])} a year. Of the revenue of a year before "
        f"{formats.share(now['grr'], 1)} is kept (GRR), with expansion "
        f"{formats.share(now['nrr'], 1)} (NRR)."
    )
    figures(
        page,
        [
            Figure("ARR", formats.money(now["arr_usd"]), "a year", f"{MART}.closing_arr_usd"),
            Figure("MRR", formats.money(now["mrr_usd"]), "a month", f"{MART}.closing_mrr_usd"),
            Figure("NRR", formats.share(now["nrr"], 1), "12 months", f"{MART}.nrr_12m_rate"),
            Figure("GRR", formats.share(now["grr"], 1), "12 months", f"{MART}.grr_12m_rate"),
            Figure(
                "Logo churn",
                formats.share(now["logo_churn"], 1),
                "12 months",
                f"{MART}.logo_churn_12m_rate",
            ),
            Figure(
                "From customers of 5 years",
                formats.share(now["share_5y"]),
                "of ARR",
                f"{MART}.arr_from_5y_plus_share",
            ),
        ],
    )


def _waterfall(page: Page, period: Period) -> None:
    row = page.ask(revenue.movements, page.filters, period.first, period.last).iloc[0]
    if formats.is_unknown(row["closing_usd"]):
        nothing(f"No recurring revenue from {period} is left by these filters.")
        return
    steps = _steps(row, period)
    change = row["closing_usd"] - (
        0 if formats.is_unknown(row["opening_usd"]) else row["opening_usd"]
    )
    lead(
        f"From {period} MRR went from {formats.money(row['opening_usd'])} to "
        f"{formats.money(row['closing_usd'])} "
        f"({'+' if change >= 0 else ''}{formats.money(change)}): "
        f"{formats.money(row['new_usd'] + row['reactivation_usd'])} won or won back, "
        f"{formats.money(row['expansion_usd'])} of expansion, "
        f"{formats.money(row['contraction_usd'] + row['churn_usd'])} contracted or lost."
    )
    chart(
        charts.waterfall(steps, axis=charts.axis_money("MRR, USD a month")),
        f"Monthly recurring revenue from opening to closing, {period}",
        page,
        steps,
        [
            Column("step", "Movement"),
            Column("amount", "USD a month", formats.money_exact, numeric=True),
        ],
    )


def _steps(row: pd.Series, period: Period) -> pd.DataFrame:
    level = 0.0 if formats.is_unknown(row["opening_usd"]) else float(row["opening_usd"])
    month = pd.Timestamp(period.first) - pd.offsets.MonthEnd(1)
    rows = [_step(f"Opening, {formats.month(month)}", 0.0, level, "total", level)]
    for name, sign in revenue.MOVEMENTS.items():
        amount = float(row[name])
        if abs(amount) < 0.005:
            continue
        change = sign * amount
        rows.append(
            _step(STEPS[name], level, level + change, "gain" if change > 0 else "loss", change)
        )
        level += change
    closing = float(row["closing_usd"])
    rows.append(_step(f"Closing, {formats.month(period.last)}", 0.0, closing, "total", closing))
    return pd.DataFrame(rows)


def _step(step: str, start: float, end: float, kind: str, amount: float) -> dict[str, object]:
    label = formats.money(amount)
    return {
        "step": step,
        "from": start,
        "to": end,
        "top": max(start, end),
        "kind": kind,
        "amount": amount,
        "label": f"+{label}" if kind == "gain" else label,
    }


def _retention(page: Page, period: Period) -> None:
    first = min(period.first, (pd.Timestamp(period.last) - pd.offsets.MonthEnd(23)).date())
    rows = page.ask(revenue.series, page.filters, first, period.last)
    long = rows.melt("month", ["nrr", "grr"], var_name="measure", value_name="rate").dropna()
    if long.empty:
        nothing("There is no revenue of twelve months before to compare with.")
        return
    long["measure"] = long["measure"].str.upper()
    chart(
        charts.lines(
            long,
            x="month",
            y="rate",
            group="measure",
            x_axis=charts.axis_month("Twelve months up to"),
            y_axis=charts.axis_share("Of the revenue twelve months before"),
            colors={"NRR": charts.BLUE, "GRR": charts.ORANGE},
            rule=1.0,
            tooltip=[
                alt.Tooltip("month:T", title="Twelve months up to", format="%b %Y"),
                alt.Tooltip("measure:N", title="Rate"),
                alt.Tooltip("rate:Q", title="Kept", format=".1%"),
            ],
        ),
        "Net and gross revenue retention over twelve months, by month",
        page,
        rows.sort_values("month", ascending=False),
        [
            Column("month", "Month", formats.month, wrap=False),
            Column("nrr", "NRR", lambda v: formats.share(v, 1), means="nrr_12m_rate", numeric=True),
            Column("grr", "GRR", lambda v: formats.share(v, 1), means="grr_12m_rate", numeric=True),
            Column(
                "logo_churn",
                "Logo churn",
                lambda v: formats.share(v, 1),
                means="logo_churn_12m_rate",
                numeric=True,
            ),
            Column("arr_usd", "ARR", formats.money, means="closing_arr_usd", numeric=True),
            Column(
                "walked_out_usd",
                "Walked out, 12 months",
                formats.money,
                means="arr_walked_out_12m_usd",
                numeric=True,
            ),
        ],
        of=MART,
    )
    note("The dashed line is 100 %: as much as a year before. The axis does not start at zero.")


def _bands(page: Page) -> None:
    rows = page.ask(revenue.bands)
    if rows.empty:
        nothing("No quarter has ended yet that the bands could be counted in.")
        return
    known = rows.dropna(subset=["danger_ratio"])
    quarters = (
        f"{formats.quarter(rows['first_on'].min())} to {formats.quarter(rows['last_on'].max())}"
    )
    if not known.empty:
        worst = known.sort_values("danger_ratio").iloc[-1]
        lead(
            f"From {quarters} the {worst['attention_band']} band lost "
            f"{formats.share(worst['lost_arr_share'])} of all money lost and got "
            f"{formats.share(worst['touch_share'])} of all touches: a danger ratio of "
            f"{formats.number(worst['danger_ratio'], 2)}."
        )
    mart = "cohorts.attention_bands"
    names = {
        "arr_share": "of ARR",
        "lost_arr_share": "of ARR lost",
        "touch_share": "of touches",
    }
    long = rows.melt("attention_band", list(names), var_name="what", value_name="share").dropna()
    long["what"] = long["what"].map(names)
    long["attention_band"] = long["attention_band"].map(formats.words)
    chart(
        charts.grouped_bars(
            long,
            name="attention_band",
            value="share",
            kind="what",
            kinds={"of ARR": charts.PALE, "of ARR lost": charts.RED, "of touches": charts.BLUE},
            axis=charts.axis_share("Share of the company"),
        ),
        f"Share of ARR, of ARR lost and of touches by attention band, {quarters}",
    )
    table(
        page,
        rows,
        [
            Column("attention_band", "Band", formats.words),
            Column("accounts", "Accounts", formats.count, numeric=True),
            Column("touches_per_account", "Touches an account", formats.number, numeric=True),
            Column("lost_arr_usd", "ARR lost", formats.money, numeric=True),
            Column("lost_arr_share", "of all lost", formats.share, numeric=True),
            Column("touch_share", "of all touches", formats.share, numeric=True),
            Column("danger_ratio", "Danger ratio", lambda v: formats.number(v, 2), numeric=True),
        ],
        "Attention bands",
        of=mart,
    )
    note(
        f"The last four finished quarters ({quarters}), the whole company: bands are drawn over "
        "all accounts, so filters do not narrow them. Above a danger ratio of 1 a band loses more "
        "than it is looked after."
    )


def _closes(page: Page) -> None:
    rows = page.ask(revenue.closes)
    if rows.empty:
        nothing(
            "No month has been closed yet. The night closes a month some days after its end and "
            "freezes what is reported; `rebuild_closes` does so for months before."
        )
        return
    mart = "cohorts.month_closes"
    restated = rows[rows["restated_usd"].abs() > 0]
    if restated.empty:
        lead("What was reported at the closes still holds to the cent.")
    else:
        lead(
            f"{formats.plural(len(restated), 'closed month')} of {len(rows)} would be reported "
            "otherwise by what is known now."
        )
    table(
        page,
        rows,
        [
            Column("month", "Month", formats.month, wrap=False),
            Column("closed_on", "Closed on", formats.day, wrap=False),
            Column("basis", "Basis", formats.words),
            Column(
                "reported_mrr_usd",
                "Reported MRR",
                formats.money_exact,
                means="reported_closing_mrr_usd",
                numeric=True,
            ),
            Column(
                "mrr_usd",
                "MRR as known now",
                formats.money_exact,
                means="closing_mrr_usd",
                numeric=True,
            ),
            Column(
                "restated_usd",
                "Difference",
                formats.money_exact,
                means="restated_closing_mrr_usd",
                numeric=True,
            ),
            Column("restated_accounts", "Accounts that differ", formats.count, numeric=True),
            Column(
                "reported_nrr",
                "Reported NRR",
                lambda v: formats.share(v, 1),
                means="reported_nrr_rate",
                numeric=True,
            ),
            Column("nrr", "NRR now", lambda v: formats.share(v, 1), means="nrr_rate", numeric=True),
        ],
        "Closed months",
        of=mart,
    )
