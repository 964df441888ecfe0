"""What pages ask, against nights of a few rows whose answers are worked out by hand."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from dashboards.filters import UNKNOWN, Filters
from dashboards.queries import account, cohorts, renewals, revenue, shared, today, trust, value
from tests.dashboards.nights import fill, opened, write_night

ALL = Filters()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A night of empty marts, shown to readers."""
    return write_night(tmp_path)


def only(frame: pd.DataFrame) -> dict[str, Any]:
    (row,) = frame.to_dict("records")
    return {str(name): cell for name, cell in row.items()}


def watched(number: int, **given: Any) -> dict[str, Any]:
    return {
        "account_id": f"a{number}",
        "account_name": f"Account {number}",
        "priority_rank": number,
        "segment": "SMB",
        "region": "EMEA",
        "owner_id": "o1",
        "arr_usd": 100,
        "expected_loss_arr_usd": 10,
        "has_news": False,
        "is_at_risk": False,
        "has_plan_owner": False,
        "compared_with_on": date(2026, 1, 30),
        **given,
    }


def test_calls_are_counted_and_ordered(folder: Path) -> None:
    fill(
        folder,
        "renewals.watchlist",
        [
            watched(1, why_today="Still: …", is_at_risk=True, arr_usd=500),
            watched(2, why_today="New: …", has_news=True, is_at_risk=True, has_plan_owner=True),
            watched(3),
            watched(4, segment=None, why_today="New: …", has_news=True, owner_id="o2"),
        ],
    )
    night = opened(folder.parent)
    now = only(today.headline(night, ALL))
    counts = ("customers", "to_call", "with_news", "at_risk", "at_risk_no_owner")
    assert [now[name] for name in counts] == [4, 3, 2, 2, 1]
    assert (now["at_risk_arr_usd"], now["to_call_loss_usd"]) == (600, 30)
    assert list(today.calls(night, ALL)["account_id"]) == ["a1", "a2", "a4"]
    assert list(today.news(night, ALL, limit=1)["account_id"]) == ["a2"]
    assert list(today.calls(night, Filters(segment=UNKNOWN))["account_id"]) == ["a4"]
    assert only(today.headline(night, Filters(owner_id="o2")))["customers"] == 1
    assert only(today.headline(night, Filters(region="APAC")))["to_call"] == 0


def test_bands_moved_are_counted_by_direction(folder: Path) -> None:
    fill(
        folder,
        "renewals.watchlist",
        [
            watched(1, band="high", last_band="low", p_lost_change_last_night=0.3),
            watched(2, band="low", last_band="medium", p_lost_change_last_night=-0.02),
            watched(3, band="low", last_band=None),
            watched(4, band="low", last_band="low", p_lost_change_last_night=0.005),
        ],
    )
    moved = only(today.moved(opened(folder.parent), ALL))
    assert moved == {"compared": 3, "risen": 1, "fallen": 1, "band_up": 1, "band_down": 1}


def term(month: date, outcome: str, **given: Any) -> dict[str, Any]:
    return {
        "due_month": month,
        "due_on": month,
        "segment": "SMB",
        "outcome": outcome,
        "is_lost": outcome == "lost",
        "is_renewed": outcome.startswith("renewed"),
        "surprise_basis": "none",
        **given,
    }


def test_spreads_of_independent_renewals_add_as_squares(folder: Path) -> None:
    """0.9 x 0.1 x 10^2 = 9 and 0.5 x 0.5 x 8^2 = 16: the root of both is 5."""
    february = date(2026, 2, 28)
    fill(
        folder,
        "renewals.renewals",
        [
            term(february, "open", due_arr_usd=10, p_renewed_now=0.9, region="EMEA", owner_id="1"),
            term(february, "open", due_arr_usd=8, p_renewed_now=0.5, segment="enterprise"),
            term(february, "renewed_expanded", due_arr_usd=100, kept_arr_usd=100),
            term(february, "superseded", due_arr_usd=900),
        ],
    )
    night = opened(folder.parent)
    every = only(renewals.outlook(night, ALL, february, february))
    assert (every["due_usd"], every["forecast_usd"]) == (118, 113)
    assert every["forecast_sd_usd"] == pytest.approx(5)
    assert (every["terms_due"], every["money_rate"]) == (3, 1)
    for one in (Filters(region="EMEA"), Filters(owner_id="1"), Filters("SMB", region="EMEA")):
        found = only(renewals.outlook(night, one, february, february))
        assert (found["due_usd"], found["forecast_usd"]) == (10, 9)
        assert found["forecast_sd_usd"] == pytest.approx(3)
        assert math.isnan(found["money_rate"])


def test_rates_are_of_the_twelve_months_up_to_each(folder: Path) -> None:
    before, first, last = date(2024, 12, 31), date(2025, 1, 31), date(2025, 12, 31)
    fill(
        folder,
        "renewals.renewals",
        [
            term(before, "lost", due_arr_usd=900),
            term(first, "lost", due_arr_usd=100),
            term(last, "renewed_flat", due_arr_usd=800, kept_arr_usd=800),
            term(last, "renewed_contracted", due_arr_usd=300, kept_arr_usd=100),
            term(last, "renewed_flat", due_arr_usd=0, kept_arr_usd=0, region="APAC"),
        ],
    )
    night = opened(folder.parent)
    rows = renewals.rates(night, ALL, last, last)
    assert rows.set_index("measure")["rate"].to_dict() == {"by logo": 0.75, "by money": 0.75}
    apac = renewals.rates(night, Filters(region="APAC"), last, last)
    assert list(apac["decided"]) == [1, 1]


def test_surprises_are_shown_for_whole_quarters_that_have_ended(folder: Path) -> None:
    october, december, january = date(2025, 10, 31), date(2025, 12, 31), date(2026, 1, 31)
    seen = {"is_surprise_loss": False, "surprise_basis": "live"}
    blind = {"is_surprise_loss": True, "surprise_basis": "live", "region": "EMEA"}
    fill(
        folder,
        "renewals.renewals",
        [
            *(term(october, "lost", **seen) for _ in range(2)),
            *(term(october, "lost", **blind) for _ in range(2)),
            term(october, "lost", is_surprise_loss=True, surprise_basis="none"),
            term(december, "lost", **seen),
            term(january, "lost", **seen),
        ],
    )
    night = opened(folder.parent)
    rows = renewals.surprises(night, ALL, date(2025, 11, 30), january)
    assert set(rows["quarter_end_on"]) == {pd.Timestamp(2025, 12, 31)}
    assert rows.set_index("kind")["losses"].to_dict() == {
        "foreseen": 3,
        "surprise (live scores)": 2,
        "surprise (walk-forward scores)": 0,
        "surprise (no score yet)": 1,
    }
    emea = renewals.surprises(night, Filters(region="EMEA"), date(2025, 11, 30), january)
    assert emea["losses"].sum() == 2


def test_drivers_are_shares_of_the_money_lost(folder: Path) -> None:
    lost = {"due_month": date(2026, 1, 31), "segment": "SMB", "owning_function": "cs"}
    fill(
        folder,
        "renewals.departure_drivers",
        [
            {**lost, "driver_evidenced": "support", "driver_stated": "support", "lost_arr_usd": 60},
            {**lost, "driver_evidenced": "support", "driver_stated": "product_gap",
             "lost_arr_usd": 20},
            {**lost, "driver_evidenced": "competitor", "driver_stated": "unknown",
             "lost_arr_usd": 20},
            {**lost, "driver_evidenced": "support", "driver_stated": "support",
             "lost_arr_usd": 900, "due_month": date(2025, 12, 31)},
        ],
    )  # fmt: skip
    rows = renewals.drivers(opened(folder.parent), ALL, date(2026, 1, 31), date(2026, 1, 31))
    assert list(rows["driver"]) == ["support", "competitor"]
    assert list(rows["share"]) == [0.8, 0.2]
    assert list(rows["stated_same"]) == [60, 0]
    assert list(rows["stated_other"]) == [20, 0]
    assert list(rows["not_stated"]) == [0, 20]


def test_flags_of_a_month_begin_with_its_first_day(folder: Path) -> None:
    term = {"is_lost": False, "is_renewed": True, "was_at_risk_d90": False}
    fill(
        folder,
        "renewals.renewals",
        [
            {**term, "due_on": date(2026, 1, 1)},
            {**term, "due_on": date(2025, 12, 31)},
            {"due_on": date(2026, 1, 30), "is_lost": True, "is_renewed": False,
             "was_at_risk_d90": True},
            {"due_on": date(2026, 1, 30), "is_lost": False, "is_renewed": False},
        ],
    )  # fmt: skip
    row = only(renewals.flags(opened(folder.parent), ALL, date(2026, 1, 31), date(2026, 1, 31)))
    assert (row["decided"], row["flagged"], row["flag_precision"]) == (2, 1, 1)


def month(end: date, **given: Any) -> dict[str, Any]:
    zero = (*revenue.MOVEMENTS, "opening_mrr_usd", "closing_mrr_usd")
    return {
        "month": end,
        "segment": "SMB",
        "region": "EMEA",
        **dict.fromkeys(zero, 0),
        **given,
    }


def test_movements_lead_from_the_first_opening_to_the_last_closing(folder: Path) -> None:
    december, january = date(2025, 12, 31), date(2026, 1, 31)
    fill(
        folder,
        "cohorts.revenue_retention",
        [
            month(december, opening_mrr_usd="10.00", new_usd="5.10", closing_mrr_usd="15.10"),
            month(january, opening_mrr_usd="15.10", churn_usd="4.05", closing_mrr_usd="11.05"),
            month(january, region="APAC", new_usd="1.00", closing_mrr_usd="1.00"),
        ],
    )
    row = only(revenue.movements(opened(folder.parent), ALL, december, january))
    assert (row["opening_usd"], row["closing_usd"]) == (10.0, 12.05)
    moved = sum(sign * row[name] for name, sign in revenue.MOVEMENTS.items())
    assert row["opening_usd"] + moved == pytest.approx(row["closing_usd"], abs=1e-9)


def test_rates_are_formed_from_sums_and_never_averaged(folder: Path) -> None:
    end = date(2026, 1, 31)
    big = {"base_mrr_12m_usd": 900, "now_mrr_12m_usd": 990, "kept_mrr_12m_usd": 900}
    small = {"base_mrr_12m_usd": 100, "now_mrr_12m_usd": 0, "kept_mrr_12m_usd": 0}
    fill(
        folder,
        "cohorts.revenue_retention",
        [
            month(end, **big, base_accounts_12m=1, lost_accounts_12m=0),
            month(end, region="APAC", **small, base_accounts_12m=3, lost_accounts_12m=3),
        ],
    )
    night = opened(folder.parent)
    row = only(revenue.series(night, ALL, end, end))
    assert (row["nrr"], row["grr"], row["logo_churn"]) == (0.99, 0.9, 0.75)
    assert only(revenue.series(night, Filters(region="APAC"), end, end))["grr"] == 0
    assert only(value.book(night))["arr_churn"] == pytest.approx(0.1)


def test_danger_is_the_share_lost_over_the_share_of_touches(folder: Path) -> None:
    def band(name: str, quarter: date, lost: int, touches: int) -> dict[str, Any]:
        return {"attention_band": name, "quarter_end_on": quarter, "accounts": 10,
                "lost_arr_usd": lost, "touches": touches, "opening_arr_usd": 50}  # fmt: skip

    quarters = [date(2024, 12, 31), date(2025, 9, 30), date(2025, 12, 31)]
    rows = [band("middle", day, 30, 20) for day in quarters]
    rows += [band("top", day, 10, 60) for day in quarters]
    rows[0]["lost_arr_usd"] = 100_000
    fill(folder, "cohorts.attention_bands", rows)
    found = revenue.bands(opened(folder.parent), quarters=2).set_index("attention_band")
    assert list(found.index) == ["top", "middle"]
    assert found.loc["middle", "danger_ratio"] == pytest.approx(0.75 / 0.25)
    assert found.loc["middle", "lost_arr_usd"] == 60


def test_a_cell_of_the_triangle_waits_for_its_whole_cohort(folder: Path) -> None:
    row = {"cohort_level": "year", "cohort_month": date(2024, 12, 31), "segment": "(all)",
           "acquisition_origin": "(all)", "cohort_size": 20, "is_reportable": True}  # fmt: skip
    fill(
        folder,
        "cohorts.cohort_retention",
        [
            {**row, "tenure_month": 0, "observed_logos": 20, "logos_paying": 20},
            {**row, "tenure_month": 12, "observed_logos": 19, "logos_paying": 18},
            {**row, "tenure_month": 6, "observed_logos": 20, "logos_paying": 19},
            {**row, "segment": "SMB", "tenure_month": 0, "observed_logos": 20, "logos_paying": 10},
        ],
    )
    night = opened(folder.parent)
    assert list(cohorts.triangle(night, ALL)["tenure_year"]) == [0]
    assert list(cohorts.triangle(night, Filters("SMB"))["logo_share"]) == [0.5]


def test_curves_are_cut_by_segment_by_origin_or_not(folder: Path) -> None:
    row = {"cohort_level": "ever", "tenure_month": 1, "cohort_size": 20, "logos_at_risk": 20,
           "is_reportable": True}  # fmt: skip
    cuts = [("(all)", "(all)"), ("SMB", "(all)"), ("(all)", "boomerang"), ("SMB", "boomerang")]
    fill(
        folder,
        "cohorts.cohort_retention",
        [{**row, "segment": s, "acquisition_origin": o} for s, o in cuts],
    )
    night = opened(folder.parent)
    groups = {
        (f.segment, compare): list(cohorts.curves(night, f, compare)["group_name"])
        for f in (ALL, Filters("SMB"))
        for compare in ("all", "segment", "origin")
    }
    assert groups == {
        (None, "all"): ["(all)"],
        (None, "segment"): ["SMB"],
        (None, "origin"): ["boomerang"],
        ("SMB", "all"): ["SMB"],
        ("SMB", "segment"): ["SMB"],
        ("SMB", "origin"): ["boomerang"],
    }


def test_value_is_of_the_newest_month_and_narrowed_by_the_account(folder: Path) -> None:
    fill(
        folder,
        "core.dim_accounts",
        [
            {"account_id": "a1", "name": "One", "region": "EMEA", "owner_id": "o1"},
            {"account_id": "a2", "name": "Two", "region": "APAC", "owner_id": "o2"},
        ],
    )
    worth = {"month_end_on": date(2025, 12, 31), "segment": "SMB", "bond_price_usd": 10}
    fill(
        folder,
        "value.customer_value",
        [
            {**worth, "account_id": "a1", "clv_npv_usd": 8, "cac_total_usd": 2, "rank_gap": 3},
            {**worth, "account_id": "a2", "clv_npv_usd": 5, "rank_gap": -3},
            {**worth, "account_id": "a1", "month_end_on": date(2025, 11, 30)},
        ],
    )
    night = opened(folder.parent)
    now = only(value.headline(night, ALL))
    assert (now["customers"], now["bond_price_usd"], now["ltv_to_cac"]) == (2, 20, 4)
    assert only(value.headline(night, Filters(region="APAC")))["clv_usd"] == 5
    assert list(value.gaps(night, ALL)["account_name"]) == ["One", "Two"]
    assert list(value.gaps(night, Filters(owner_id="o2"))["account_name"]) == ["Two"]


def test_accounts_are_found_by_name_customers_first(folder: Path) -> None:
    plain = {"is_merged": False, "is_test": False, "is_deleted": False}
    fill(
        folder,
        "core.dim_accounts",
        [
            {**plain, "account_id": "a1", "name": "Acme North"},
            {**plain, "account_id": "a2", "name": "acme south"},
            {**plain, "account_id": "a3", "name": "Acme Test", "is_test": True},
            {**plain, "account_id": "a4", "name": "Other"},
        ],
    )
    fill(folder, "renewals.watchlist", [watched(2)])
    night = opened(folder.parent)
    assert list(account.search(night, ALL, "ACME")["account_id"]) == ["a2", "a1"]
    assert list(account.search(night, ALL, "a4")["account_name"]) == ["Other"]
    assert account.search(night, ALL, "100%").empty


def test_the_story_ends_tonight_but_for_contracts_that_come_due(folder: Path) -> None:
    fill(
        folder,
        "core.fct_contract_terms",
        [
            {"account_id": "a1", "due_on": date(2026, 6, 1), "outcome": "open"},
            {"account_id": "a1", "due_on": date(2028, 6, 1), "outcome": "open"},
        ],
    )
    touch = {"account_id": "a1", "touch_type": "visit", "has_director_plus": True}
    fill(
        folder,
        "core.fct_touchpoints",
        [
            {**touch, "event_on": date(2026, 1, 31)},
            {**touch, "event_on": date(2026, 1, 31)},
            {**touch, "event_on": date(2020, 1, 1)},
            {**touch, "event_on": date(2026, 1, 30), "touch_type": "email"},
        ],
    )
    rows = account.timeline(opened(folder.parent), "a1")
    assert list(rows["what"]) == ["contract due: open", "visit with a director or above"]
    assert list(rows["weight"]) == [1, 2]


def test_people_are_counted_and_not_listed_where_names_are_not_published(tmp_path: Path) -> None:
    write_night(tmp_path, without=[shared.PEOPLE])
    assert account.people(opened(tmp_path), "a1").empty


def test_band_intervals_are_wilsons_over_all_quarters(folder: Path) -> None:
    quarter = {"forecaster_type": "model", "forecaster": "next_renewal", "basis": "live",
               "lead_bucket": "61-120", "lead_days_from": 61}  # fmt: skip
    fill(
        folder,
        "renewals.model_performance",
        [
            {**quarter, "high_band_renewals": 30, "high_band_loss_rate": 0.4,
             "medium_band_renewals": 0, "low_band_renewals": 10, "low_band_loss_rate": 0.0},
            {**quarter, "high_band_renewals": 10, "high_band_loss_rate": 0.8,
             "medium_band_renewals": 0, "low_band_renewals": 0},
        ],
    )  # fmt: skip
    rows = trust.bands(opened(folder.parent)).set_index("band")
    assert list(rows.index) == ["high", "low"]
    assert rows.loc["high", "loss_rate"] == pytest.approx(0.5)
    expected = proportion_confint(20, 40, 0.05, "wilson")
    assert tuple(rows.loc["high", ["low", "high"]]) == pytest.approx(expected, abs=1e-4)


def test_checks_are_counted_by_stage_and_failures_come_first(folder: Path) -> None:
    def check(stage: str, name: str, outcome: str, rows: int | None = None) -> dict[str, Any]:
        return {"subject": "core.dim_accounts", "check_name": name, "stage": stage,
                "outcome": outcome, "rows_at_fault": rows, "is_blocking": False}  # fmt: skip

    fill(
        folder,
        "operations.checks",
        [
            check("scored", "drift", "warned"),
            check("built", "unique", "passed", 0),
            check("built", "known", "warned", 7),
            check("loaded", "expectations", "failed", 3),
        ],
    )
    night = opened(folder.parent)
    counted = trust.checked(night).set_index("stage")
    assert list(counted.index) == ["loaded", "built", "scored"]
    assert list(counted.loc["built"]) == [2, 1, 1, 0]
    assert list(trust.not_held(night)["outcome"]) == ["failed", "warned", "warned"]
    assert trust.not_held(night)["rows_at_fault"].fillna(-1).tolist() == [3, 7, -1]


def test_measures_of_forecasts_average_by_their_renewals(folder: Path) -> None:
    quarter = {"forecaster_type": "people", "forecaster": "all_people", "basis": "live",
               "lead_bucket": "1-60", "lead_days_from": 1}  # fmt: skip
    fill(
        folder,
        "renewals.model_performance",
        [
            {**quarter, "renewals": 30, "losses": 3, "mean_p_lost": 0.1, "brier_score": 0.08},
            {**quarter, "renewals": 10, "losses": 5, "mean_p_lost": 0.5, "brier_score": 0.2},
            {**quarter, "forecaster_type": "person", "forecaster": "o1", "renewals": 40},
        ],
    )
    row = only(trust.forecasters(opened(folder.parent)))
    assert (row["renewals"], row["base_rate"], row["mean_p_lost"]) == (40, 0.2, 0.2)
    assert row["brier_skill"] == pytest.approx(1 - 0.11 / 0.16)


def test_months_that_do_not_add_up_are_counted(folder: Path) -> None:
    fill(
        folder,
        "cohorts.revenue_retention",
        [
            month(date(2025, 12, 31), new_usd="1.00", closing_mrr_usd="1.00"),
            month(date(2026, 1, 31), opening_mrr_usd="1.00", closing_mrr_usd="1.01"),
        ],
    )
    assert only(trust.promises(opened(folder.parent)))["unbalanced_months"] == 1
