"""What was planted in the large company shows in the mart meant for it, and its decoy does not.

Belongs here: one test for each thing planted that takes a large company to be seen; others stand in
`test_relationships`, `test_adoption_and_success`, `several_companies` and `demo_findings`. Must not
be here: what is exact, see `test_mess`. The name keeps this out of `make test`: `make truth` names
the file.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sample_company.rng import F64
from sample_company.world.latent import ORIGIN_CAC, STICKY_EFFECT
from sample_company.world.offer import DECOY, STICKY
from sample_company.world.schema import ORIGINS
from tests.truth.conftest import Case

#: What the feature's effect is in the world against accounts without it, see `latent.hazards`.
STICKY_RATIO = STICKY_EFFECT / 1.10
GROSS_MARGIN = 0.80
DISCOUNT = 0.10
HORIZON_MONTHS = 120
#: Month-ends from which ten years have been lived through.
LOOKED_FROM = ("2014-10-31", "2015-10-31", "2016-04-30", "2016-10-31")


@pytest.fixture(scope="module")
def planted(case: Case) -> pd.DataFrame:
    """Flags of each account."""
    return case.truth("truth_accounts").set_index("account_id")


@pytest.fixture(scope="module")
def paid(case: Case) -> pd.DataFrame:
    """Recurring revenue by surviving account (rows) and month (columns, counted from year 0)."""
    months = case.truth("truth_mrr")
    number = months["month"].dt.year * 12 + months["month"].dt.month
    money = months.assign(number=number, mrr_usd=months["mrr_usd"].astype(float))
    return money.pivot_table(
        index="surviving_account_id", columns="number", values="mrr_usd", aggfunc="sum"
    ).fillna(0.0)


def test_the_sticky_feature_is_found_with_its_size_and_its_decoy_is_not(case: Case) -> None:
    found = case.rows("select * from value.feature_stickiness").set_index("feature_id")
    sticky, decoy = found.loc[STICKY], found.loc[DECOY]
    assert sticky["verdict"] == "sticky"
    assert sticky["odds_ratio_low"] < STICKY_RATIO < sticky["odds_ratio_high"]
    assert decoy["verdict"] == "no_difference_shown"
    assert decoy["odds_ratio_low"] < 1.0 < decoy["odds_ratio_high"]
    assert sticky["stickiness_rank"] < decoy["stickiness_rank"]
    assert decoy["naive_odds_ratio"] < decoy["odds_ratio"], "there is a decoy to fall for"


def test_visits_look_better_than_they_are(case: Case) -> None:
    """Whom we visit leaves less; among customers alike, little of it is left."""
    belief = case.rows("select * from renewals.conventional_wisdom where belief_id = 'visited'")
    (visited,) = belief.to_dict("records")
    naive = visited["rate_exposed"] - visited["rate_unexposed"]
    assert naive < -0.05
    assert abs(visited["observed_effect"]) < abs(naive) / 2
    assert visited["effect_low"] > naive, "the naive difference lies outside the matched interval"
    assert visited["rate_exposed"] > 0.05, "customers that were visited were lost all the same"
    assert visited["verdict"] == "not_confirmed"


def test_the_locked_in_are_unhappy_and_show(case: Case, planted: pd.DataFrame) -> None:
    hidden = case.world.tables["latent"][["account_id", "month", "is_locked_in"]]
    month_end = (hidden["month"] + pd.offsets.MonthEnd(0)).astype("datetime64[us]")
    found = case.rows(
        "select account_id, month_end_on, is_unhappy_locked_in, nps_last from value.voice"
        " where is_unhappy_locked_in is not null"
    ).astype({"month_end_on": "datetime64[us]"})
    both = found.merge(
        hidden.assign(month_end_on=month_end), on=["account_id", "month_end_on"], how="inner"
    )
    flagged = both["is_unhappy_locked_in"].astype(float)
    by_truth = flagged.groupby(both["is_locked_in"]).mean()
    assert both["is_locked_in"].sum() > 500
    assert by_truth[True] > 0.7
    assert by_truth[False] < 0.1
    # Whoever merely uses one feature more is no more locked in than anybody.
    decoy = flagged.groupby(both["account_id"].map(planted["uses_decoy_feature"])).mean()
    assert abs(decoy[True] - decoy[False]) < 0.1 * (by_truth[True] - by_truth[False])


def test_each_origin_costs_what_was_planted(case: Case) -> None:
    """Alumni-led wins and boomerangs are cheap, lost deals less so, rip-and-replace is dear."""
    sums = case.rows(
        "select acquisition_origin, sum(cac_total_usd) / sum(first_arr_usd) as ratio"
        " from value.acquisition_economics where wins > 0 group by acquisition_origin"
    ).set_index("acquisition_origin")["ratio"]
    to_new = (sums / sums["new_prospect"]).astype(float)
    for origin, factor in zip(ORIGINS, ORIGIN_CAC / ORIGIN_CAC[0], strict=True):
        assert to_new[origin] == pytest.approx(factor, rel=0.5), origin
    assert to_new["alumni_led"] < to_new["lost_deal"] < 1.0 < to_new["rip_and_replace"]


def test_boomerangs_are_cheap_and_stay_no_longer(case: Case) -> None:
    """They were lost once, and what made them leave has not gone: dear friends, no safe money."""
    found = case.rows(
        "select sum(wins) as wins, sum(cac_total_usd) / sum(first_arr_usd) as ratio"
        " from value.acquisition_economics where wins > 0 and acquisition_origin = 'boomerang'"
    ).iloc[0]
    deals = case.world.tables["opportunities"].sort_values("version_at", kind="stable")
    deals = deals.drop_duplicates("opportunity_id", keep="last")
    won = deals[deals["is_won"] & deals["opportunity_type"].eq("win_back")]
    slips = pd.concat(
        [case.planted(kind)["record_id"] for kind in ("future_date", "broken_row", "test_account")]
    )
    won = won[~won["opportunity_id"].isin(slips) & ~won["account_id"].isin(slips)]
    assert found["wins"] == pytest.approx(len(won), abs=2)
    new = case.rows(
        "select sum(cac_total_usd) / sum(first_arr_usd) as ratio"
        " from value.acquisition_economics where wins > 0 and acquisition_origin = 'new_prospect'"
    ).iloc[0]
    assert float(found["ratio"]) < 0.7 * float(new["ratio"])
    belief = case.rows("select * from renewals.conventional_wisdom where belief_id = 'boomerang'")
    (stays,) = belief.to_dict("records")
    assert stays["verdict"] == "not_confirmed"
    led = case.rows("select * from renewals.conventional_wisdom where belief_id = 'alumni_led'")
    assert led["verdict"].item() == "holds", "who was brought along does stay longer"


def test_rip_and_replace_breaks_even_when_it_did(case: Case, paid: pd.DataFrame) -> None:
    """To the month, of all that were won once; nobody else has such a month."""
    found = case.rows(
        "select * from value.customer_value qualify row_number() over"
        " (partition by account_id order by month_end_on desc) = 1"
    )
    others = found[found["acquisition_origin"].ne("rip_and_replace")]
    assert others["rip_and_replace_breakeven_month"].isna().all()
    once = found[
        found["acquisition_origin"].eq("rip_and_replace")
        & found["cac_paid_times"].eq(1)
        & found["cac_total_usd"].notna()
    ].set_index("account_id")
    assert len(once) > 60
    earned = (paid.loc[once.index] * GROSS_MARGIN).cumsum(axis=1)
    reached = earned.ge(once["cac_total_usd"].astype(float) - 0.01, axis=0)
    number = reached.idxmax(axis=1).where(reached.any(axis=1))
    told = once["rip_and_replace_breakeven_month"]
    assert told.notna().eq(number.notna()).mean() > 0.97
    # Months of life are counted from the first in force: free ones are lived through as well.
    both = pd.DataFrame({"told": told, "number": number}).dropna().astype(int)
    terms = case.truth("truth_terms")
    survivors = case.truth("truth_accounts").set_index("account_id")["surviving_account_id"]
    began = terms.groupby(terms["account_id"].map(survivors))["start_on"].min()
    began = pd.to_datetime(began).loc[both.index]
    lived = both["number"] - (began.dt.year * 12 + began.dt.month)
    assert both["told"].sub(lived).between(0, 1).mean() > 0.9
    assert both["told"].median() > 12, "it takes more than a year"


def test_who_is_counted_by_a_metric_of_ours_leaves_more(case: Case) -> None:
    """The segment whose measure is the vendor's and not its own: less success, more losses."""
    found = case.rows(
        "select distinct segment, is_customer_metric, alignment_renewals_decided as decided,"
        " alignment_renewals_lost as lost, alignment_loss_rate from value.success_outcomes"
        " where alignment_renewals_decided > 20 and is_customer_metric is not null"
    )
    rates = found.pivot_table("alignment_loss_rate", "segment", "is_customer_metric")
    assert len(rates) == 3
    assert (rates[False] > rates[True]).all()
    said = case.rows("select is_customer_metric, metric_alignment from value.success_outcomes")
    theirs = said["is_customer_metric"].eq(True)
    assert set(said.loc[theirs, "metric_alignment"]) == {"customer_metric"}
    assert said.loc[~theirs, "metric_alignment"].eq("misaligned").any()


@pytest.mark.parametrize("value", ["bond_price_usd", "clv_npv_usd"])
@pytest.mark.parametrize("day", LOOKED_FROM)
def test_expected_cash_is_what_came(value: str, day: str, case: Case, paid: pd.DataFrame) -> None:
    """What a customer pays, or leaves as profit, until the first default in ten years.

    Within sampling error of the coupon, and of its margin less what it costs to serve.
    """
    found = case.rows(
        "select account_id, coupon_mrr_usd, bond_price_usd, clv_npv_usd, coupon_mrr_usd"
        " * gross_margin_rate - cost_to_serve_usd_per_month as profit_usd"
        " from value.customer_value inner join core.dim_accounts using (account_id)"
        " inner join seeds.value_assumptions as assumptions"
        " on assumptions.segment = coalesce(dim_accounts.segment, '(unknown)')"
        f" where month_end_on = date '{day}' and coupon_mrr_usd > 0 and {value} is not null"
    )
    assert len(found) > 100
    first = pd.Timestamp(day).year * 12 + pd.Timestamp(day).month
    months = paid.reindex(found["account_id"]).fillna(0.0)
    months = months[range(first, first + HORIZON_MONTHS)]
    alive = np.cumprod(months.to_numpy() > 0.0, axis=1)
    worth = (1.0 + DISCOUNT) ** (-np.arange(HORIZON_MONTHS) / 12.0)
    monthly = "coupon_mrr_usd" if value == "bond_price_usd" else "profit_usd"
    coupon = found[monthly].to_numpy(dtype=float)
    came: F64 = (alive * coupon[:, None] * worth).sum(axis=1)
    expected = found[value].to_numpy(dtype=float)
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(found), (1000, len(found)))
    low, high = np.percentile(came[drawn].sum(axis=1) / expected[drawn].sum(axis=1), [2.5, 97.5])
    assert low < 1.0 < high, (low, high)
    assert came.sum() / expected.sum() == pytest.approx(1.0, abs=0.25)
