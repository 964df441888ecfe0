"""Value: what customers are worth, what if the rates were others, what money does not show."""

from __future__ import annotations

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import charts, formats, what_if
from dashboards.frame import Page
from dashboards.parts import Column, Figure, chart, figures, lead, note, nothing, section, table
from dashboards.queries import value

FILTERS = frozenset({"segment", "region", "owner_id"})
MART = "value.customer_value"
COMPOUNDED = {"Yearly": 1, "Quarterly": 4, "Monthly": 12}
GAPS = {
    "undervalued by money": charts.GREEN,
    "about the same": charts.GREY,
    "overvalued by money": charts.ORANGE,
}
#: Places apart from which ranks are called different.
APART = 25


def show(page: Page) -> None:
    """Draw the page."""
    now = page.ask(value.headline, page.filters).iloc[0]
    if not now["customers"]:
        nothing(
            "No customer with a contract in force is left by these filters, so there is nothing to "
            "value."
        )
    else:
        _answer(page, now)
        with section("Worth by segment"):
            _segments(page)
        with section("Money, and what it does not show"):
            _gaps(page)
    with section("What if"):
        _what_if(page)
    with section("The statements everybody quotes"):
        _scenarios(page)


def _answer(page: Page, now: pd.Series) -> None:
    lead(
        f"{formats.plural(int(now['customers']), 'customer')} "
        f"{'is' if now['customers'] == 1 else 'are'} worth {formats.money(now['clv_usd'])} "
        "in gross profit to come, after the cost of serving them; as a bond their revenue of "
        f"{formats.money(now['mrr_usd'])} a month is priced at "
        f"{formats.money(now['bond_price_usd'])}."
    )
    figures(
        page,
        [
            Figure(
                "Customer lifetime value",
                formats.money(now["clv_usd"]),
                f"end of {formats.month(now['month_end_on'])}",
                f"{MART}.clv_npv_usd",
            ),
            Figure(
                "Bond price",
                formats.money(now["bond_price_usd"]),
                "of ten years of MRR",
                f"{MART}.bond_price_usd",
            ),
            Figure(
                "CLV over acquisition cost",
                formats.ratio(now["ltv_to_cac"]),
                "where the cost is known",
                f"{MART}.ltv_to_cac",
            ),
            Figure(
                "Paid back",
                formats.share(now["paid_back_share"]),
                "of accounts of known cost",
                f"{MART}.is_paid_back",
            ),
            Figure(
                "Still to be sold",
                formats.money(now["potential_usd"]),
                "over ten years",
                f"{MART}.potential_10y_usd",
            ),
        ],
    )


def _segments(page: Page) -> None:
    rows = page.ask(value.by_segment, page.filters)
    long = rows.melt(
        "segment", ["bond_price_usd", "clv_usd"], var_name="measure", value_name="usd"
    ).dropna()
    names = {"bond_price_usd": "Bond price", "clv_usd": "CLV"}
    long["measure"] = long["measure"].map(names)
    history = page.ask(value.history, page.filters).melt(
        "month_end_on", ["bond_price_usd", "clv_usd"], var_name="measure", value_name="usd"
    )
    history["measure"] = history["measure"].map(names)
    if history["month_end_on"].nunique() > 1:
        chart(
            charts.lines(
                history.dropna(),
                x="month_end_on",
                y="usd",
                group="measure",
                x_axis=charts.axis_month("Month-end"),
                y_axis=charts.axis_money("Present value, USD"),
                colors={"Bond price": charts.BLUE, "CLV": charts.GREEN},
                zero=True,
                tooltip=[
                    alt.Tooltip("month_end_on:T", title="Month-end", format="%b %Y"),
                    alt.Tooltip("measure:N", title="Measure"),
                    alt.Tooltip("usd:Q", title="USD", format="$,.0f"),
                ],
            ),
            "Bond price and lifetime value of the customers of each month-end, five years",
        )
    table(
        page,
        rows,
        [
            Column("segment", "Segment"),
            Column("customers", "Customers", formats.count, numeric=True),
            Column("bond_price_usd", "Bond price", formats.money, numeric=True),
            Column("clv_usd", "CLV", formats.money, means="clv_npv_usd", numeric=True),
            Column(
                "potential_usd",
                "Still to be sold",
                formats.money,
                means="potential_10y_usd",
                numeric=True,
            ),
            Column(
                "expected_years",
                "Expected years of ten",
                formats.number,
                means="expected_months",
                numeric=True,
            ),
        ],
        "Worth by segment",
        of=MART,
    )


def _gaps(page: Page) -> None:
    rows = page.ask(value.gaps, page.filters)
    places = page.ask(value.places, page.filters)
    if places.empty:
        nothing(
            "True value needs the money and one more dimension to be known of an account; of none "
            "here it is."
        )
        return
    if not rows.empty:
        top = rows.iloc[0]
        if top["rank_gap"] > 0:
            lead(
                f"{top['account_name']} is the most undervalued by money: place "
                f"{formats.count(top['clv_rank'])} by lifetime value, "
                f"{formats.count(top['true_value_rank'])} by true value, for "
                f"{formats.text(top['reason_1'])} and {formats.text(top['reason_2'])}."
            )
    kind = pd.cut(
        places["rank_gap"].astype(float).fillna(0),
        [-float("inf"), -APART, APART - 1, float("inf")],
        labels=list(reversed(GAPS)),
    ).astype(str)
    chart(
        charts.scatter(
            places.assign(kind=kind),
            x="clv_usd",
            y="true_value",
            kind="kind",
            kinds=GAPS,
            x_axis=alt.Axis(
                title="CLV, USD (each step tenfold)",
                format="$~s",
                values=[10**power for power in range(10)],
            ),
            y_axis=alt.Axis(title="True value score (0 to 1)"),
            log_x=True,
            tooltip=[
                alt.Tooltip("account_name:N", title="Account"),
                alt.Tooltip("clv_usd:Q", title="CLV", format="$,.0f"),
                alt.Tooltip("true_value:Q", title="True value", format=".2f"),
                alt.Tooltip("rank_gap:Q", title="Places gained by true value", format="+,"),
            ],
        ),
        "True value score against customer lifetime value, one point an account",
    )
    note(f"Coloured where both ranks lie {APART} places or more apart.")
    table(
        page,
        rows,
        [
            Column("account_name", "Account", link=True),
            Column("rank_gap", "Places gained", _signed, numeric=True),
            Column("clv_rank", "Place by money", formats.count, numeric=True),
            Column("true_value_rank", "Place by true value", formats.count, numeric=True),
            Column("clv_usd", "CLV", formats.money, means="clv_npv_usd", numeric=True),
            Column(
                "true_value",
                "True value",
                lambda v: formats.number(v, 2),
                means="true_value_score",
                numeric=True,
            ),
            Column("reason_1", "Mostly for", formats.words, means="top_reason_1"),
            Column("reason_2", "and", formats.words, means="top_reason_2"),
        ],
        "Accounts whose place by true value differs most from that by money",
        of=MART,
    )


def _what_if(page: Page) -> None:
    rows = page.ask(value.book)
    book = rows.iloc[0] if len(rows) else pd.Series(dtype=float)
    arr = 0.0 if formats.is_unknown(book.get("arr_usd")) else float(book["arr_usd"])
    churn = 10 if formats.is_unknown(book.get("arr_churn")) else round(100 * book["arr_churn"])
    note(
        "Sliders start from where the company stands. The formulas are the warehouse's own macros, "
        "the same that value the customers and reproduce the statements below."
    )
    leaks, bond, renewals, price = st.tabs(
        ["Churn", "Bond price", "Who reaches year ten", "Free months and payback"],
        key="if_tab",
        on_change="rerun",
    )
    # Sliders stay where they were put; charts that nobody sees are not drawn.
    with leaks:
        _churn(arr, int(churn), is_seen=bool(leaks.open))
    with bond:
        _bond(arr, int(churn), is_seen=bool(bond.open))
    with renewals:
        _year_ten(is_seen=bool(renewals.open))
    with price:
        _free_months()


def _churn(arr: float, churn: int, *, is_seen: bool) -> None:
    left, middle, right, last = st.columns(4)
    lost = left.slider("Revenue lost a year, %", 0, 60, min(60, churn), key="if_churn")
    growth = middle.slider("New business a year, % of the book", 0, 100, 30, key="if_growth")
    years = right.slider("Years ahead", 1, 10, 3, key="if_years")
    how = last.selectbox("Compounded", list(COMPOUNDED), index=1, key="if_periods")
    case = what_if.Growth(growth / 100, lost / 100, COMPOUNDED[how], years)
    start = arr or 1e6
    lines = what_if.paths(case, start)
    ends = lines.groupby("line")["run_rate"].last()
    lead(
        f"With {formats.share(lost / 100)} lost a year, ARR is "
        f"{formats.money(ends['with churn'])} in {formats.plural(years, 'year')} instead of "
        f"{formats.money(ends['without churn'])}: "
        f"{formats.share(what_if.run_rate_lost(case), 1)} lower. All billings of those years are "
        f"{formats.share(what_if.billings_lost(case), 1)} lower."
    )
    if is_seen:
        chart(
            charts.lines(
                lines,
                x="years",
                y="run_rate",
                group="line",
                x_type="Q",
                x_axis=alt.Axis(title="Years from now", tickMinStep=1),
                y_axis=charts.axis_money("ARR, USD"),
                colors={"without churn": charts.GREY, "with churn": charts.RED},
                zero=True,
                tooltip=[
                    alt.Tooltip("years:Q", title="Years from now", format=".2f"),
                    alt.Tooltip("line:N", title="Line"),
                    alt.Tooltip("run_rate:Q", title="ARR", format="$,.0f"),
                ],
            ),
            "Annual recurring revenue with and without churn",
        )


def _bond(arr: float, churn: int, *, is_seen: bool) -> None:
    left, middle, right = st.columns(3)
    default = left.slider("Lost a year, %", 0, 60, min(60, churn), key="if_default")
    discount = middle.slider("Discount rate a year, %", 1, 30, 10, key="if_discount")
    years = right.slider("Years of coupons", 1, 20, 10, key="if_bond_years")
    mrr = (arr or 1200.0) / 12
    price = what_if.bond_price(mrr, discount / 100, default / 100, years)
    safe = what_if.bond_price(mrr, discount / 100, 0.0, years)
    lead(
        f"{formats.money(mrr)} a month for {formats.plural(years, 'year')} is worth "
        f"{formats.money(price)} at {formats.share(default / 100)} lost a year and "
        f"{formats.share(discount / 100)} discount; if nobody ever left, {formats.money(safe)}."
    )
    rows = what_if.bond_prices(mrr, discount / 100, years)
    if is_seen:
        chart(
            charts.lines(
                rows.assign(line="Bond price"),
                x="default_rate",
                y="price",
                group="line",
                x_type="Q",
                x_axis=charts.axis_share("Lost a year"),
                y_axis=charts.axis_money("Price, USD"),
                zero=True,
                points=True,
                tooltip=[
                    alt.Tooltip("default_rate:Q", title="Lost a year", format=".0%"),
                    alt.Tooltip("price:Q", title="Price", format="$,.0f"),
                ],
            ),
            "Bond price of the book by the share lost a year",
        )


def _year_ten(*, is_seen: bool) -> None:
    left, right, third = st.columns(3)
    first = left.slider("First renewal, %", 50, 99, 80, key="if_renewal")
    alike = right.slider("How alike customers are, alpha + beta", 0.5, 20.0, 4.5, key="if_alike")
    retention = third.slider("NRR of those who stay, %", 80, 150, 110, key="if_nrr")
    alpha = (1 - first / 100) * alike
    rows = what_if.renewal_curve(alpha, alike - alpha)
    reached = rows.loc[rows["renewal"] == 9, "surviving"].iloc[0]
    total = what_if.payments_total(100_000, retention / 100, 10)
    lead(
        f"If {formats.share(first / 100)} sign the first renewal and those who stay are the loyal "
        f"ones, {formats.share(reached, 1)} reach the tenth year; a contract of $100k a year pays "
        f"{formats.money(total)} in ten years at an NRR of {formats.share(retention / 100)}."
    )
    long = rows.melt("renewal", ["rate", "surviving"], var_name="line", value_name="share")
    long["line"] = long["line"].map(
        {"rate": "sign this renewal", "surviving": "still there after it"}
    )
    if is_seen:
        chart(
            charts.lines(
                long,
                x="renewal",
                y="share",
                group="line",
                x_type="Q",
                x_axis=alt.Axis(title="Renewal", tickMinStep=1),
                y_axis=charts.axis_share("Share of customers"),
                zero=True,
                points=True,
                tooltip=[
                    alt.Tooltip("renewal:Q", title="Renewal"),
                    alt.Tooltip("line:N", title="Share of customers who"),
                    alt.Tooltip("share:Q", title="Share", format=".1%"),
                ],
            ),
            "Renewal rate and survival by renewal",
        )
    note(
        "Shifted-beta-geometric model (Fader and Hardie 2007): customers differ in how likely they "
        "are to leave, so each renewal leaves the more loyal ones. The more alike they are, the "
        "less the rate rises."
    )


def _free_months() -> None:
    left, middle, right, last = st.columns(4)
    free = left.slider("Free months at the start", 0, 36, 18, key="if_free")
    years = middle.slider("Years of the contract", 3, 15, 10, key="if_free_years")
    multiple = right.slider("Acquisition cost, years of ACV", 0.1, 3.0, 0.8, key="if_cac")
    margin = last.slider("Gross margin, %", 10, 95, 80, key="if_margin")
    lead(
        f"{formats.plural(free, 'free month')} of {formats.plural(years, 'year')} give away "
        f"{formats.share(what_if.revenue_given_away(free, years, 1.0), 1)} of the revenue at a "
        f"flat price. A cost of {formats.number(multiple)} years of ACV is paid back after "
        f"{formats.number(what_if.payback_months(multiple, margin / 100))} months."
    )


def _scenarios(page: Page) -> None:
    rows = page.ask(value.scenarios)
    if rows.empty:
        nothing("This night computed no scenarios.")
        return
    good = int(rows["is_reproduced"].sum())
    lead(f"{good} of {len(rows)} statements come out as expected.")
    mart = "value.scenarios"
    written = rows.assign(
        computed=rows.apply(lambda r: _in_unit(r["computed_value"], r["unit"]), axis=1),
        expected=rows.apply(lambda r: _in_unit(r["expected_value"], r["unit"]), axis=1),
    )
    with st.expander("All statements"):
        table(
            page,
            written,
            [
                Column("statement", "Statement"),
                Column("convention", "Convention"),
                Column("expected", "Expected", means="expected_value", numeric=True),
                Column("computed", "Computed", means="computed_value", numeric=True),
                Column("is_reproduced", "Holds", formats.yes_no),
            ],
            "What-if statements",
            of=mart,
        )


def _in_unit(number: float, unit: str) -> str:
    if unit.startswith("share"):
        return formats.share(number, 2)
    if unit == "usd":
        return f"${number:,.2f}"
    written = f"{formats.number(number, 4).rstrip('0').rstrip('.')}"
    return f"{written} {unit.replace('_', ' ')}" if unit in {"years", "months"} else written


def _signed(number: object) -> str:
    written = formats.count(number)
    return f"+{written}" if not formats.is_unknown(number) and float(str(number)) > 0 else written
