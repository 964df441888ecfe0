"""What each page ought to show, asked of the marts apart from the pages' own queries.

Belongs here: one expectation a page, as the reader sees it. Must not be here: which night it is:
the small company's in `tests/end_to_end`, the large one's in `tests/truth`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from dashboards import formats, what_if
from tests.dashboards.reader import Reader
from tests.warehouse import frame


def only(database: Path, sql: str) -> dict[str, Any]:
    (row,) = frame(database, sql).to_dict("records")
    return {str(name): value for name, value in row.items()}


def people(database: Path) -> dict[str, str]:
    rows = frame(database, "select person_id, full_name from core.dim_people")
    return dict(zip(rows["person_id"], rows["full_name"], strict=True))


def today(reader: Reader, database: Path) -> None:
    """Counts, money and the order of calls are the watchlist's; a filter narrows them."""
    _today_as(reader, database, "true")
    segment = frame(database, "select min(segment) from renewals.watchlist").iat[0, 0]
    reader.choose("Segment", segment)
    _today_as(reader, database, f"segment = '{segment}'")
    reader.choose("Segment", "All segments")


def _today_as(reader: Reader, database: Path, where: str) -> None:
    calls = frame(
        database,
        "select account_name, why_today, owner_id, arr_usd from renewals.watchlist"
        f" where why_today is not null and {where} order by priority_rank",
    )
    risk = only(
        database,
        "select count(*) as n, sum(arr_usd) as arr, count_if(not has_plan_owner) as nobody,"
        " sum(case when not has_plan_owner then arr_usd end) as nobody_arr"
        f" from renewals.watchlist where is_at_risk and {where}",
    )
    every = only(
        database,
        "select count(*) as n, sum(expected_loss_arr_usd) as loss, count_if(has_news) as news"
        f" from renewals.watchlist where {where}",
    )
    figures = reader.figures()
    assert figures["Calls to make today"] == (
        formats.count(len(calls)),
        f"of {formats.count(every['n'])} customers",
    )
    assert figures["New since the last night"][0] == formats.count(every["news"])
    assert figures["ARR at risk"] == (
        formats.money(risk["arr"] if risk["n"] else 0),
        formats.plural(risk["n"], "account"),
    )
    assert figures["Expected loss"][0] == formats.money(every["loss"])
    if not len(calls):
        return
    shown = reader.rows("Accounts to call first")
    names = people(database)
    first = calls.head(10)
    assert [row[1] for row in shown] == list(first["account_name"])
    assert [row[2] for row in shown] == list(first["why_today"])
    assert [row[5] for row in shown] == [formats.money(v) for v in first["arr_usd"]]
    assert [row[7] for row in shown] == [names.get(o, formats.text(o)) for o in first["owner_id"]]


def renewals(reader: Reader, database: Path) -> None:
    """Due, forecast, spread and rates are the calendar's; drivers those of the lost renewals."""
    as_of = _as_of(database)
    at = pd.Timestamp(as_of) + pd.offsets.MonthEnd(0)
    calendar = frame(
        database,
        "select due_month, due_arr_usd::double as due, forecast_arr_usd::double as forecast,"
        " forecast_sd_usd::double as sd, renewed_arr_usd::double as renewed,"
        " decided_arr_usd::double as decided, terms_due from renewals.renewal_calendar"
        " where terms_due > 0",
    )
    ahead = calendar[calendar["due_month"].between(at, at + pd.offsets.MonthEnd(2))]
    year = calendar[
        calendar["due_month"].between(at - pd.offsets.MonthEnd(12), at - pd.offsets.MonthEnd(1))
    ]
    figures = reader.figures()
    assert figures["Due in three months"] == (
        formats.money(ahead["due"].sum()),
        f"{formats.plural(int(ahead['terms_due'].sum()), 'contract')}, a year",
    )
    spread = math.sqrt((ahead["sd"] ** 2).sum())
    assert figures["Forecast of it"] == (
        formats.money(ahead["forecast"].sum()),
        f"± {formats.money(spread)}",
    )
    rate = year["renewed"].sum() / year["decided"].sum()
    assert figures["Renewed by money"][0] == formats.share(rate, 1)
    window = calendar[
        calendar["due_month"].between(at - pd.offsets.MonthEnd(12), at + pd.offsets.MonthEnd(12))
    ]
    by_month = window.groupby("due_month").sum().reset_index()
    reader.unfold()
    first, last = by_month["due_month"].min(), by_month["due_month"].max()
    caption = f"ARR due by month from {formats.month(first)} to {formats.month(last)}: renewed, "
    shown = reader.rows(f"{caption}forecast, lost")
    assert [row[0] for row in shown] == [formats.month(m) for m in by_month["due_month"]]
    assert [row[2] for row in shown] == [formats.money(v) for v in by_month["due"]]
    lost = frame(
        database,
        "select driver_evidenced, sum(lost_arr_usd)::double as usd from renewals.departure_drivers"
        f" where due_month between '{first.date()}' and '{last.date()}'"
        " group by 1 order by 2 desc, 1",
    )
    drivers = reader.rows("ARR lost by evidenced driver, and what the customers had said")
    assert [row[2] for row in drivers] == [formats.money(v) for v in lost["usd"]]


def revenue(reader: Reader, database: Path) -> None:
    """ARR, NRR and GRR are the marts'; the waterfall closes; region narrows both."""
    _revenue_as(reader, database, "true")
    region = frame(database, "select min(region) from renewals.churn_risk").iat[0, 0]
    reader.choose("Region", region)
    _revenue_as(reader, database, f"region = '{region}'")
    reader.choose("Region", "All regions")


def _revenue_as(reader: Reader, database: Path, where: str) -> None:
    now = only(
        database,
        "select max(month) as month, sum(closing_arr_usd)::double as arr,"
        " sum(closing_mrr_usd)::double as mrr,"
        " sum(now_mrr_12m_usd) / sum(base_mrr_12m_usd) as nrr,"
        " sum(kept_mrr_12m_usd) / sum(base_mrr_12m_usd) as grr,"
        " sum(lost_accounts_12m) / sum(base_accounts_12m) as churn"
        f" from cohorts.revenue_retention where {where}"
        " and month = (select max(month) from cohorts.revenue_retention)",
    )
    figures = reader.figures()
    assert figures["ARR"][0] == formats.money(now["arr"])
    assert figures["MRR"][0] == formats.money(now["mrr"])
    assert figures["NRR"][0] == formats.share(now["nrr"], 1)
    assert figures["GRR"][0] == formats.share(now["grr"], 1)
    assert figures["Logo churn"][0] == formats.share(now["churn"], 1)
    last = now["month"]
    months = frame(
        database,
        "select month, sum(opening_mrr_usd)::double as opening, sum(churn_usd)::double as churn"
        f" from cohorts.revenue_retention where {where} group by 1 order by 1",
    ).tail(12)
    reader.unfold()
    period = f"{formats.month(months['month'].min())} to {formats.month(last)}"
    rows = dict(reader.rows(f"Monthly recurring revenue from opening to closing, {period}"))
    opening = formats.month(months["month"].min() - pd.offsets.MonthEnd(1))
    assert rows[f"Opening, {opening}"] == formats.money_exact(months["opening"].iloc[0])
    assert rows[f"Closing, {formats.month(last)}"] == formats.money_exact(now["mrr"])
    assert rows["Churn"] == formats.money_exact(-months["churn"].sum())
    moved = sum(_dollars(v) for k, v in rows.items() if not k.startswith(("Opening", "Closing")))
    start = _dollars(rows[f"Opening, {opening}"])
    # Each written to the dollar.
    assert abs(start + moved - _dollars(rows[f"Closing, {formats.month(last)}"])) <= len(rows)


def cohorts(reader: Reader, database: Path) -> None:
    """Survival and its interval are the mart's; so is each cell of the triangle."""
    ever = frame(
        database,
        "select tenure_month, survival_rate, survival_low_rate, survival_high_rate"
        " from cohorts.cohort_retention where cohort_level = 'ever' and segment = '(all)'"
        " and acquisition_origin = '(all)' and tenure_month = 12",
    ).iloc[0]
    assert reader.figures()["After 1 year"] == (
        formats.share(ever["survival_rate"]),
        f"{formats.share(ever['survival_low_rate'])} to "
        f"{formats.share(ever['survival_high_rate'])}",
    )
    for measure, cell in (("Logos", "logos_paying / cohort_size"), ("Money", "nrr_index")):
        choice = reader.page.get_by_role("radio", name=measure)
        if not choice.is_checked():
            reader.after(choice.click)
        cells = frame(
            database,
            f"select year(cohort_month) || ' (' || cohort_size || ')' as cohort, {cell} as share"
            " from cohorts.cohort_retention where cohort_level = 'year' and segment = '(all)'"
            " and acquisition_origin = '(all)' and is_reportable and tenure_month % 12 = 0"
            " and observed_logos = cohort_size order by cohort, tenure_month",
        )
        reader.unfold()
        title = "Accounts still paying" if measure == "Logos" else "Revenue against the start"
        shown = reader.rows(f"{title}, by year of the first payment and years since")
        expected = {
            str(cohort): [formats.share(v) for v in rows["share"]]
            for cohort, rows in cells.groupby("cohort")
        }
        assert {row[0]: [c for c in row[1:] if c != "–"] for row in shown} == expected


def value(reader: Reader, database: Path) -> None:
    """Worth is the mart's newest month; a slider moved by keyboard gives the macro's figure."""
    now = only(
        database,
        "select sum(bond_price_usd)::double as bond, sum(clv_npv_usd)::double as clv,"
        " count(*) as n from value.customer_value"
        " where month_end_on = (select max(month_end_on) from value.customer_value)",
    )
    figures = reader.figures()
    assert figures["Bond price"][0] == formats.money(now["bond"])
    assert figures["Customer lifetime value"][0] == formats.money(now["clv"])
    held = only(
        database,
        "select count(*) as n, count_if(is_reproduced) as good from value.scenarios",
    )
    assert f"{held['good']:.0f} of {held['n']} statements come out as expected." in reader.leads()
    slider = reader.page.get_by_role("slider", name="Years ahead")
    slider.focus()
    reader.after(lambda: slider.press("ArrowRight"))
    book = only(
        database,
        "select 1 - sum(kept_mrr_12m_usd) / sum(base_mrr_12m_usd) as churn"
        " from cohorts.revenue_retention"
        " where month = (select max(month) from cohorts.revenue_retention)",
    )
    case = what_if.Growth(0.3, round(100 * book["churn"]) / 100, 4, 4)
    (said,) = [text for text in reader.leads() if "instead of" in text]
    assert "in 4 years instead of" in said
    assert f"{formats.share(what_if.run_rate_lost(case), 1)} lower. All" in said


def account(reader: Reader, database: Path) -> None:
    """The story is of the account that is called first; another is found by its name."""
    first, second = frame(
        database, "select account_id, account_name from renewals.watchlist order by priority_rank"
    ).head(2).to_dict("records")  # fmt: skip
    _account_as(reader, database, first)
    box = reader.page.get_by_role("textbox", name="Find an account")
    box.fill(second["account_name"])
    reader.after(lambda: box.press("Enter"))
    _account_as(reader, database, second)
    # The address names it, for whoever it is sent to.
    assert f"id={second['account_id']}" in reader.page.url
    _account_by_address(reader, first)


def _account_by_address(reader: Reader, row: dict[str, Any]) -> None:
    reader.turn_to("Today")
    link = reader.page.locator('table[aria-label="Accounts to call first"] a').first
    if link.count():
        reader.open(str(link.get_attribute("href")))
        assert reader.page.get_by_role("heading", name=row["account_name"], exact=True).count() == 1


def _account_as(reader: Reader, database: Path, row: dict[str, Any]) -> None:
    key = row["account_id"]
    risk = only(database, f"select * from renewals.churn_risk where account_id = '{key}'")
    assert reader.page.get_by_role("heading", name=row["account_name"], exact=True).count() == 1
    figures = reader.figures()
    assert figures["ARR"][0] == formats.money(risk["arr_usd"])
    assert figures["Chance of losing the renewal"][0] == formats.share(risk["p_lost_next_renewal"])
    assert figures["Renewal due"][0] == formats.day(risk["next_due_on"])
    known = frame(
        database,
        "select full_name from core.dim_people where person_type = 'customer_contact'"
        f" and current_account_id = '{key}'",
    )
    if len(known):
        shown = reader.rows("People known at the account")
        assert {r[0] for r in shown} <= set(known["full_name"].fillna("–"))
        assert len(shown) == min(len(known), 40)
    terms = reader.rows("Contract terms")
    due = frame(
        database, f"select due_on from renewals.renewals where account_id = '{key}' order by 1 desc"
    )
    assert [r[2] for r in terms] == [formats.day(v) for v in due["due_on"]][:12]


def trust(reader: Reader, database: Path) -> None:
    """Knowledge, checks, silence and rejects are the marts'; files beside the night are linked."""
    risk = only(
        database,
        "select avg(knowledge_score) as known, count_if(serves = 'model') / count(*) as by_model"
        " from renewals.churn_risk",
    )
    figures = reader.figures()
    assert figures["Facts known"][0] == formats.share(risk["known"])
    assert figures["Scored by the model"][0] == formats.share(risk["by_model"])
    silent = frame(database, "select count(*) from operations.freshness where is_stale").iat[0, 0]
    assert figures["Tables silent too long"][0] == formats.count(silent)
    faults = frame(
        database, "select count(*) from operations.rejects where not is_replayed"
    ).iat[0, 0]  # fmt: skip
    assert figures["Faults in rejected rows"][0] == formats.count(faults)
    checks = frame(database, "select subject, outcome from operations.checks")
    broken = checks[checks["outcome"] != "passed"]
    assert figures["Checks that held"] == (
        formats.count(len(checks) - len(broken)),
        f"of {formats.count(len(checks))} run",
    )
    assert len(checks) > 250
    listed = reader.rows("Checks that did not hold") if len(broken) else []
    assert sorted(row[1] for row in listed) == sorted(broken["subject"])
    folder = database.parent
    linked = {
        str(link.get_attribute("href")).rsplit("/", 1)[-1]
        for link in reader.page.locator('[data-testid="stMarkdown"] a[href*="/beside/"]').all()
    }
    assert linked == {path.name for path in (folder / "pages").glob("*.html")}
    for name in linked:
        answer = reader.page.request.get(f"{reader.address}/beside/{name}")
        assert answer.text() == (folder / "pages" / name).read_text()
    outside = reader.page.request.get(f"{reader.address}/beside/..%2Fmanifest.json")
    assert outside.status >= 400
    if (folder / "model-card.md").is_file():
        assert reader.page.get_by_text("What the model is, what it was tested on").count() == 1


#: Title in the navigation -> what is expected of the page.
PAGES: dict[str, Callable[[Reader, Path], None]] = {
    "Today": today,
    "Renewals": renewals,
    "Revenue": revenue,
    "Cohorts": cohorts,
    "Value": value,
    "Account": account,
    "Trust": trust,
}


def _as_of(database: Path) -> Any:
    return frame(database, "select max(as_of_on) from renewals.watchlist").iat[0, 0]


def _dollars(written: str) -> int:
    return int(written.replace("−", "-").replace("$", "").replace(",", ""))
