"""Use, success and what a win costs, customer by customer, against what really happened.

Belongs here: `adoption`, `success_outcomes`, `voice`, `acquisition_economics` worked out anew from
what the company's systems were told, by other means than the marts use, and what was planted for
them to show. Must not be here: revenue and renewals, see `test_mess` and `test_renewals`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sample_company.world.offer import DECOY, STICKY
from sample_company.world.usage import Usage
from tests.truth.compare import compare
from tests.truth.conftest import Case

ACTIVE_DAYS, FEATURE_DAYS, ANSWER_DAYS = 28, 90, 365
#: Cases from which on a difference between two groups of one small company is no accident.
ENOUGH = 10


def newest(case: Case, table: str, key: str) -> pd.DataFrame:
    """The newest version of each record by the last day; what was deleted is left out."""
    versions = case.world.tables[table].sort_values("version_at", kind="stable")
    rows = versions.drop_duplicates(key, keep="last")
    return rows[~rows["is_deleted"]] if "is_deleted" in rows else rows


def without_slips(case: Case, rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Rows that no slip of the pen keeps out of the warehouse."""
    slips = pd.concat([case.planted(kind)["record_id"] for kind in ("future_date", "broken_row")])
    return rows[~rows[key].isin(slips)]


@pytest.fixture(scope="module")
def survivors(case: Case) -> pd.Series:
    """Account that lives on, by each account of the CRM that is no test."""
    accounts = case.truth("truth_accounts")
    real = accounts[accounts["kind"].ne("test")]
    return real.set_index("account_id")["surviving_account_id"]


@pytest.fixture(scope="module")
def month_end(case: Case) -> pd.Timestamp:
    """The last month-end that is over."""
    day = pd.Timestamp(case.as_of)
    return day if day.is_month_end else day - pd.offsets.MonthEnd(1)


@pytest.fixture(scope="module")
def events(case: Case, month_end: pd.Timestamp) -> pd.DataFrame:
    """Events of the 90 days up to the month-end that were received by its end, each once."""
    first = (month_end - pd.Timedelta(days=FEATURE_DAYS - 1)).date()
    assert pd.Timestamp(first, tz="UTC") >= case.events_from()
    usage = Usage.of(case.world.tables, case.world.config, since=first)
    days = usage.days(first, month_end.date())
    told = pd.concat([rows for _, parts in days for rows in parts], ignore_index=True)
    told = told.drop_duplicates("message_id")
    told["day"] = told["event_at"].dt.tz_localize(None).dt.normalize()
    return told[told["day"].between(pd.Timestamp(first), month_end)]


@pytest.fixture(scope="module")
def used(case: Case, survivors: pd.Series, events: pd.DataFrame) -> pd.DataFrame:
    """The same with the account that lives on; workspaces of nobody are left out."""
    accounts = newest(case, "accounts", "account_id").dropna(subset=["workspace_id"])
    owner = accounts.set_index("workspace_id")["account_id"].map(survivors).dropna()
    return events.assign(account_id=events["workspace_id"].map(owner)).dropna(subset=["account_id"])


@pytest.fixture(scope="module")
def found(case: Case, month_end: pd.Timestamp) -> pd.DataFrame:
    """What `value.adoption` says of that month-end."""
    return case.rows(
        f"select * from value.adoption where month_end_on = date '{month_end:%Y-%m-%d}'"
    )


def test_utilisation(
    case: Case, month_end: pd.Timestamp, used: pd.DataFrame, found: pd.DataFrame
) -> None:
    lately = used[used["day"].gt(month_end - pd.Timedelta(days=ACTIVE_DAYS))]
    named = lately.dropna(subset=["user_id"]).drop_duplicates(["workspace_id", "user_id"])
    active = named.groupby("account_id").size()
    assert len(active) > 40
    measured = found[found["usage_basis"].eq("daily")].set_index("account_id")
    expected = active.reindex(measured.index).fillna(0).astype("int64")
    differing = measured["active_users_28d"].ne(expected)
    assert not differing.any(), pd.concat([measured["active_users_28d"], expected], axis=1)[
        differing
    ]
    seats = measured["licences"].dropna()
    rate = expected[seats.index] / seats.astype(float)
    np.testing.assert_allclose(measured.loc[seats.index, "utilisation_rate"], rate, atol=1e-9)


def test_feature_adoption(
    case: Case,
    month_end: pd.Timestamp,
    survivors: pd.Series,
    used: pd.DataFrame,
    found: pd.DataFrame,
) -> None:
    features = used.dropna(subset=["feature"]).groupby("account_id")["feature"].nunique()
    held = newest(case, "entitlements", "entitlement_id")
    held = held[
        held["entitled_from"].le(month_end)
        & (held["entitled_to"].isna() | held["entitled_to"].gt(month_end))
    ]
    entitled = held.groupby(held["account_id"].map(survivors))["feature_id"].nunique()
    measured = found[found["usage_basis"].eq("daily")].set_index("account_id")
    assert len(measured) > 40
    may = entitled.reindex(measured.index)
    does = features.reindex(measured.index).fillna(0)
    np.testing.assert_array_equal(measured["features_entitled"].astype(float), may)
    np.testing.assert_array_equal(measured["features_used_90d"], does)
    np.testing.assert_allclose(measured["feature_adoption_rate"], does / may, atol=1e-9)
    assert measured["is_50pct_plus"].notna().equals(may.notna())
    known = measured[may.notna()]
    half = (does / may).ge(0.5)[may.notna()]
    np.testing.assert_array_equal(known["is_50pct_plus"].astype(bool), half)


def test_the_sticky_feature_shows_as_adopted_and_its_decoy_is_no_strategy(
    case: Case, used: pd.DataFrame, found: pd.DataFrame
) -> None:
    """Who was planted to use it has adopted it; who uses the decoy alone has not."""
    strategic = case.rows("select feature_id from core.dim_features where is_strategic")
    assert set(strategic["feature_id"]) == {STICKY}
    flags = case.truth("truth_accounts").set_index("account_id")
    told = found.dropna(subset=["has_strategic_feature_adopted"]).set_index("account_id")
    adopted = told["has_strategic_feature_adopted"].astype(bool)
    sticky = flags["uses_sticky_feature"].reindex(told.index)
    decoy = flags["uses_decoy_feature"].reindex(told.index)
    uses_decoy = pd.Series(told.index.isin(used.loc[used["feature"].eq(DECOY), "account_id"]))
    uses_decoy.index = told.index
    assert uses_decoy[decoy].mean() > uses_decoy[~decoy].mean(), "there is a decoy to fall for"
    assert adopted[sticky].mean() > 2 * adopted[~sticky].mean()
    with_decoy_only = adopted[decoy & ~sticky].mean()
    assert with_decoy_only < adopted[sticky].mean() / 2


def test_attainment_of_every_measurement(case: Case, survivors: pd.Series) -> None:
    measures = newest(case, "success_measures", "success_measure_id")
    told = without_slips(case, case.world.tables["success_measurements"], "success_measurement_id")
    told = told.merge(
        measures[["success_measure_id", "baseline", "target", "direction"]], on="success_measure_id"
    )
    told = told[told["account_id"].isin(survivors.index)]
    told = told.sort_values(["measured_on", "success_measurement_id"])
    told = told.drop_duplicates(["success_measure_id", "checkpoint_month"], keep="last")
    way = told["target"] - told["baseline"]
    sense = np.where(told["direction"].eq("lower_is_better"), -1, 1)
    attainment = ((told["value"] - told["baseline"]) / way).where(way * sense > 0)
    expected = pd.DataFrame(
        {
            "success_measure_id": told["success_measure_id"],
            "checkpoint_month": told["checkpoint_month"],
            "account_id": told["account_id"].map(survivors),
            "value": told["value"],
            "attainment": attainment,
        }
    )
    found = case.rows("select * from value.success_outcomes where is_measured")
    assert len(found) > 200
    differing = compare(
        found,
        expected,
        key=["success_measure_id", "checkpoint_month"],
        exact=["account_id"],
        rates=["value", "attainment"],
    )
    assert differing.empty, differing.head(20).to_string()


def test_where_the_vendor_counts_something_else(case: Case) -> None:
    found = case.rows("select * from value.success_outcomes where is_customer_metric is not null")
    flags = case.truth("truth_accounts").set_index("account_id")["is_metric_mismatch"]
    # A merged account's measure was agreed with the company that it was.
    measures = newest(case, "success_measures", "success_measure_id")
    agreed_with = measures.set_index("success_measure_id")["account_id"]
    planted = found["success_measure_id"].map(agreed_with).map(flags)
    assert planted.any()
    assert (~planted).any()
    assert found["is_customer_metric"].eq(~planted.astype(bool)).all()
    late = found[found["checkpoint_month"].ge(9) & found["attainment"].notna()]
    by_metric = late.groupby("is_customer_metric")["attainment"].agg(["mean", "size"])
    assert by_metric.loc[True, "size"] >= ENOUGH
    if False in by_metric.index and by_metric.loc[False, "size"] >= ENOUGH:
        assert by_metric.loc[False, "mean"] < by_metric.loc[True, "mean"] / 2, (
            "no success of theirs"
        )


def test_nps_of_every_customer(case: Case, month_end: pd.Timestamp, survivors: pd.Series) -> None:
    told = without_slips(case, case.world.tables["survey_responses"], "survey_response_id")
    told = told[
        told["survey_type"].eq("nps")
        & told["known_at"].lt(month_end.tz_localize("UTC") + pd.Timedelta(days=1))
        & told["responded_on"].gt(month_end - pd.Timedelta(days=ANSWER_DAYS))
        & told["responded_on"].le(month_end)
    ]
    told = told.assign(account_id=told["account_id"].map(survivors)).dropna(subset=["account_id"])
    good, bad = told["score"].ge(9), told["score"].le(6)
    nps = (good.astype(int) - bad.astype(int)).groupby(told["account_id"]).mean()
    found = case.rows(f"select * from value.voice where month_end_on = date '{month_end:%Y-%m-%d}'")
    found = found.set_index("account_id")
    assert found["nps_12m"].notna().sum() > 30
    expected = nps.reindex(found.index)
    np.testing.assert_allclose(found["nps_12m"], expected, atol=1e-9, equal_nan=True)


def test_what_each_origin_costs(case: Case, survivors: pd.Series) -> None:
    """To the cent by origin and quarter; who knows us is cheaper to win."""
    deals = newest(case, "opportunities", "opportunity_id")
    deals = without_slips(case, deals, "opportunity_id")
    won = deals[deals["is_won"] & deals["opportunity_type"].isin(["new_business", "win_back"])]
    won = won[won["account_id"].isin(survivors.index)]
    origins = case.truth("truth_accounts").set_index("account_id")["origin"]
    expected = pd.DataFrame(
        {
            "acquisition_origin": won["account_id"]
            .map(survivors)
            .map(origins)
            .where(won["opportunity_type"].ne("win_back"), "boomerang"),
            "quarter_start_on": won["close_on"].dt.to_period("Q").dt.start_time,
            "cac_total_usd": won["acquisition_cost_usd"],
            "wins": 1,
        }
    )
    expected = expected.groupby(["acquisition_origin", "quarter_start_on"], as_index=False).sum()
    found = case.rows("select * from value.acquisition_economics where wins > 0")
    differing = compare(
        found,
        expected,
        key=["acquisition_origin", "quarter_start_on"],
        money=["cac_total_usd"],
        exact=["wins"],
    )
    assert differing.empty, differing.head(20).to_string()
    summed = ["cac_total_usd", "wins_costed", "first_arr_usd"]
    totals = found.groupby("acquisition_origin")[summed].sum().astype(float)
    per_dollar = totals["cac_total_usd"] / totals["first_arr_usd"]
    if totals.loc["alumni_led", "wins_costed"] >= ENOUGH:
        assert per_dollar["alumni_led"] < 0.8 * per_dollar["new_prospect"]


def test_every_plan_and_who_at_risk_has_none(case: Case) -> None:
    plans = newest(case, "action_plans", "action_plan_id")
    plans = without_slips(case, plans, "action_plan_id")
    found = case.rows("select * from renewals.action_plans")
    written = found[found["action_plan_id"].notna()]
    assert set(written["action_plan_id"]) == set(plans["action_plan_id"])
    open_plans = plans[plans["closed_on"].isna() | plans["closed_on"].gt(pd.Timestamp(case.as_of))]
    assert set(written.loc[written["is_live"], "action_plan_id"]) == set(
        open_plans["action_plan_id"]
    )
    risky = case.rows(
        "select account_id from renewals.churn_risk where is_at_risk and not has_plan"
    )
    missing = found[found["plan_state"].eq("missing")]
    assert sorted(missing["account_id"]) == sorted(risky["account_id"])
