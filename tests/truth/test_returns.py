"""Who left and came back, how the revenue is spread, and which deals were lost: against the truth.

Belongs here: `winback`, `winback_curve`, `revenue_concentration` and `special_prospects` worked out
anew from what really happened, by other means than the marts use. Must not be here: movements of
revenue themselves, see `test_mess`; why customers left, see `test_renewals`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from tests.truth.compare import compare
from tests.truth.conftest import Case

#: A renewal may be signed for so many days after it was due.
GRACE_DAYS = 60
#: Days for which an invitation to a conference lasts: a year and a half.
INVITED_DAYS = 548
GATHERINGS = ("Conference", "Event", "Webinar", "Trade Show")


@pytest.fixture(scope="module")
def departures(case: Case) -> pd.DataFrame:
    """Each churn of the truth, with the return that came next and how long it was followed."""
    moves = case.truth("truth_movements")
    moves = moves[moves["movement_type"].isin(["new", "churn", "reactivation"])]
    moves = moves.sort_values(["account_id", "month"])
    after = moves.groupby("account_id").shift(-1)
    moves = moves.assign(won_back_month=after["month"], won_back_usd=after["amount_usd"])
    lost = moves[moves["movement_type"].eq("churn")].reset_index(drop=True)
    merged = case.truth("truth_merges").set_index("losing_account_id")["merged_at"]
    merged_on = lost["account_id"].map(merged).dt.tz_localize(None)
    last = case.truth("truth_mrr")["month"].max()
    followed_to = lost["won_back_month"].fillna(merged_on).fillna(last)
    segments = case.truth("truth_accounts").set_index("account_id")["segment"]
    survivors = case.truth("truth_accounts").set_index("account_id")["surviving_account_id"]
    return pd.DataFrame(
        {
            "account_id": lost["account_id"],
            "surviving_account_id": lost["account_id"].map(survivors),
            "segment": lost["account_id"].map(survivors).map(segments),
            "lost_month": lost["month"],
            "won_back_month": lost["won_back_month"],
            "arr_before_usd": 12 * lost["amount_usd"],
            "arr_after_usd": 12 * lost["won_back_usd"],
            "is_won_back": lost["won_back_month"].notna(),
            "months_away": followed_to.dt.to_period("M").astype("int64")
            - lost["month"].dt.to_period("M").astype("int64"),
        }
    )


def test_every_departure_and_every_return(case: Case, departures: pd.DataFrame) -> None:
    found = case.rows("select * from cohorts.winback")
    assert len(found) > 20
    assert found["is_won_back"].any()
    differing = compare(
        found,
        departures,
        key=["account_id", "lost_month"],
        money=["arr_before_usd", "arr_after_usd"],
        exact=["surviving_account_id", "won_back_month", "is_won_back", "months_away"],
    )
    assert differing.empty, differing.head(20).to_string()


def test_days_and_kinds_of_returns(case: Case, departures: pd.DataFrame) -> None:
    """A contract that ended in the month of the departure gives its day, and how it went on."""
    found = case.rows("select * from cohorts.winback")
    terms = case.truth("truth_terms")
    ended = terms[terms["ended_on"].notna()]
    ends = ended.assign(lost_month=ended["ended_on"] + pd.offsets.MonthEnd(0)).groupby(
        ["account_id", "lost_month"]
    )
    told = found.merge(
        ends["ended_on"].max().reset_index(name="ended_on"), on=["account_id", "lost_month"]
    )
    assert len(told) > 0.9 * len(found)
    assert told["lost_on"].eq(told["ended_on"]).all()
    signed = ended[ended["outcome"].eq("renewed_late")]
    late = set(zip(signed["account_id"], signed["ended_on"] + pd.offsets.MonthEnd(0), strict=True))
    deals = newest(case.world.tables["opportunities"], "opportunity_id")
    deals = deals[deals["opportunity_type"].eq("win_back") & deals["is_won"]]
    back = found[found["is_won_back"]].merge(
        deals[["account_id", "opportunity_id", "close_on", "owner_employee_id"]],
        on="account_id",
        how="left",
    )
    in_time = back["close_on"].between(back["lost_on"], back["won_back_month"])
    sold = back[in_time].set_index(["account_id", "lost_month"])
    for row in found[found["is_won_back"]].itertuples():
        key = (row.account_id, row.lost_month)
        if key in sold.index:
            kind = "deal"
            assert row.won_back_by_id == sold.loc[key, "owner_employee_id"]
        else:
            kind = "signed_late" if key in late else "resumed"
        assert row.return_kind == kind, key
    assert found.loc[~found["is_won_back"], "return_kind"].isna().all()


def product_limit(departures: pd.DataFrame) -> Iterator[tuple[int, int, int, float]]:
    """Months since the loss, at risk, returned, and Kaplan-Meier's share returned by then."""
    away = 1.0
    for month in range(int(departures["months_away"].max()) + 1):
        at_risk = departures["months_away"].ge(month)
        returned = departures["is_won_back"] & departures["months_away"].eq(month)
        away *= 1 - returned.sum() / at_risk.sum()
        yield month, int(at_risk.sum()), int(returned.sum()), 1 - away


def test_curves_of_returns(case: Case, departures: pd.DataFrame) -> None:
    rows = []
    for segment in [None, *departures["segment"].unique()]:
        lost = departures if segment is None else departures[departures["segment"].eq(segment)]
        name = "(all)" if segment is None else segment
        rows += [("every_loss", name, *told) for told in product_limit(lost)]
        # No month-end lies further than this from a signature inside the grace.
        grace = GRACE_DAYS // 28 + 1
        gone = lost[lost["months_away"].gt(grace)]
        if len(gone):
            rows += [
                ("past_grace", name, *told) for told in product_limit(gone) if told[0] >= grace
            ]
    expected = pd.DataFrame(
        rows,
        columns=[
            "loss_base",
            "segment",
            "months_since_loss",
            "accounts_at_risk",
            "accounts_returned",
            "winback_rate",
        ],
    )
    differing = compare(
        case.rows("select * from cohorts.winback_curve"),
        expected,
        key=["loss_base", "segment", "months_since_loss"],
        exact=["accounts_at_risk", "accounts_returned"],
        rates=["winback_rate"],
    )
    assert differing.empty, differing.head(20).to_string()


def concentration(revenue: pd.Series) -> dict[str, float]:
    """What is said of how a year's revenue is spread over accounts, by the textbook.

    Args:
        revenue: recurring revenue a year of each paying account, US dollars.
    """
    values = np.sort(revenue.to_numpy(dtype=np.float64))[::-1]
    count, total = len(values), values.sum()
    running = np.round(values.cumsum(), 2)
    shares = values / total

    def of_top(accounts: int) -> float:
        return float(shares[:accounts].sum())

    # Mean absolute difference between any two accounts over twice the mean.
    differences = np.abs(values[:, None] - values[None, :]).mean()
    return {
        "paying_accounts": count,
        "arr_usd": round(float(total), 2),
        "top1_arr_usd": float(values[0]),
        "top10_arr_usd": float(values[:10].sum()),
        "top1_share": of_top(1),
        "top10_share": of_top(10),
        "top_1pct_share": of_top(-(-count // 100)),
        "top_10pct_share": of_top(-(-count // 10)),
        "top_20pct_share": of_top(-(-count // 5)),
        "accounts_for_50pct": int(np.argmax(running >= round(total * 0.5, 3))) + 1,
        "accounts_for_80pct": int(np.argmax(running >= round(total * 0.8, 3))) + 1,
        "gini": float(differences / (2 * values.mean())),
        "herfindahl_index": float((shares**2).sum()),
        "equal_accounts": float(1 / (shares**2).sum()),
    }


def test_concentration_of_revenue(case: Case) -> None:
    """Month by month, of the whole company and of each segment."""
    mrr = case.truth("truth_mrr")
    accounts = case.truth("truth_accounts").set_index("account_id")
    paid = mrr.groupby(["surviving_account_id", "month"], as_index=False)["mrr_usd"].sum()
    paid = paid[paid["mrr_usd"].gt(0)]
    paid["segment"] = paid["surviving_account_id"].map(accounts["segment"])
    both = pd.concat([paid, paid.assign(segment="(all)")])
    both["arr_usd"] = (12 * both["mrr_usd"]).round(2)
    rows = [
        {"month_end_on": month, "segment": segment, **concentration(part["arr_usd"])}
        for (month, segment), part in both.groupby(["month", "segment"])
    ]
    expected = pd.DataFrame(rows).set_index(["month_end_on", "segment"]).sort_index()
    found = case.rows("select * from cohorts.revenue_concentration")
    found = found.set_index(["month_end_on", "segment"]).sort_index()
    pd.testing.assert_index_equal(found.index, expected.index, exact=False)
    assert found["is_reportable"].any()
    assert found["is_reportable"].eq(expected["paying_accounts"].ge(20)).all()
    for column in expected:
        of_money = column.endswith("_usd")
        off = (found[column].astype("float64") - expected[column]).abs()
        limit = 0.001 if of_money else 1e-9 * expected[column].abs().clip(lower=1)
        assert (off <= limit).all(), (column, off.max())


def newest(versions: pd.DataFrame, key: str) -> pd.DataFrame:
    """The last version of each record that was not deleted."""
    last = versions.sort_values("version_at").drop_duplicates(key, keep="last")
    return last[~last["is_deleted"]].reset_index(drop=True)


def min_known(one: pd.Timestamp, other: pd.Timestamp) -> pd.Timestamp:
    """The earlier of two days, of which either may be missing."""
    return other if pd.isna(one) else one if pd.isna(other) else min(one, other)


@pytest.fixture(scope="module")
def lost_deals(case: Case) -> pd.DataFrame:
    """Deals of new business that were really lost, and when their account was won after all."""
    survivors = case.truth("truth_accounts").set_index("account_id")["surviving_account_id"]
    deals = newest(case.world.tables["opportunities"], "opportunity_id")
    deals["account_id"] = deals["account_id"].map(survivors)
    deals["created_on"] = deals["created_at"].dt.tz_localize(None).dt.normalize()
    sales = deals[deals["opportunity_type"].isin(["new_business", "win_back"])]
    lost = deals[deals["opportunity_type"].eq("new_business") & deals["is_closed"]]
    lost = lost[~lost["is_won"]]
    both = lost.merge(sales, on="account_id", suffixes=("", "_later"))
    both = both[both["opportunity_id"].ne(both["opportunity_id_later"])]
    again = both[both["created_on_later"].ge(both["close_on"])]
    # A back-dated contract serves before its deal is entered; merged accounts have one past.
    terms = case.truth("truth_terms")
    served = terms.groupby(terms["account_id"].map(survivors))["start_on"].min()
    served_from = lost["account_id"].map(served)
    served_from = served_from.where(served_from.ge(lost["close_on"]))
    won = both[both["is_won_later"] & both["close_on_later"].ge(both["close_on"])]
    return pd.DataFrame(
        {
            "opportunity_id": lost["opportunity_id"],
            "account_id": lost["account_id"],
            "lost_on": lost["close_on"],
            "lost_to_competitor_id": lost["lost_to_competitor_id"],
            "loss_reason": lost["loss_reason"],
            "reopened_on": lost["opportunity_id"].map(
                again.groupby("opportunity_id")["created_on_later"].min()
            ),
            "won_on": lost["opportunity_id"]
            .map(won.groupby("opportunity_id")["close_on_later"].min())
            .combine(served_from, min_known),
        }
    ).reset_index(drop=True)


def test_special_prospects_are_the_lost_deals(case: Case, lost_deals: pd.DataFrame) -> None:
    found = case.rows("select * from cohorts.special_prospects")
    assert len(found) > 20
    assert found["lost_to_competitor_id"].notna().any()
    lost_deals["is_won_later"] = lost_deals["won_on"].notna()
    assert lost_deals["is_won_later"].any()
    differing = compare(
        found,
        lost_deals,
        key=["opportunity_id"],
        exact=[
            "account_id",
            "lost_on",
            "lost_to_competitor_id",
            "loss_reason",
            "reopened_on",
            "won_on",
            "is_won_later",
        ],
    )
    assert differing.empty, differing.head(20).to_string()
    # No event about a competitor is written down in this company: nobody can say that none was.
    assert found["has_competitor_stumbled"].isna().all()


def test_who_is_invited_and_who_is_mailed(case: Case, lost_deals: pd.DataFrame) -> None:
    """Each member of a campaign counts for the company at which the CRM has that record."""
    tables = case.world.tables
    first = tables["campaign_members"].groupby("campaign_member_id")["version_at"].min()
    members = newest(tables["campaign_members"], "campaign_member_id")
    members["invited_on"] = (
        members["campaign_member_id"].map(first).dt.tz_localize(None).dt.normalize()
    )
    campaigns = newest(tables["campaigns"], "campaign_id")
    survivors = case.truth("truth_accounts").set_index("account_id")["surviving_account_id"]
    erased = set(case.planted("erasure")["record_id"]) | set(
        case.planted("hard_delete")["record_id"]
    )
    there = members[["campaign_id", "contact_id", "invited_on"]].merge(
        campaigns[["campaign_id", "campaign_type", "audience"]], on="campaign_id"
    )
    there = there[~there["contact_id"].isin(erased)]
    filed = tables["contacts"][["contact_id", "account_id", "version_at"]]
    filed = filed.assign(invited_on=filed["version_at"].dt.tz_localize(None).dt.normalize())
    there = pd.merge_asof(
        there.sort_values("invited_on"),
        filed.sort_values("version_at")[["contact_id", "account_id", "invited_on"]],
        on="invited_on",
        by="contact_id",
    )
    # Who has left there, as far as anybody has told the CRM, is no longer reached.
    spells = case.truth("truth_spells").dropna(subset="departure_known_at")
    left = spells.groupby(["contact_id", "account_id"], as_index=False)["ended_on"].max()
    there = there.merge(left, on=["contact_id", "account_id"], how="left")
    there = there[~there["invited_on"].gt(there["ended_on"])]
    there["account_id"] = there["account_id"].map(survivors)
    seen = lost_deals.assign(
        looked_on=lost_deals["won_on"]
        .sub(pd.Timedelta(days=1))
        .fillna(pd.Timestamp(case.as_of))
        .clip(lower=lost_deals["lost_on"])
    )
    both = seen.merge(there, on="account_id")
    both = both[both["invited_on"].gt(both["lost_on"]) & both["invited_on"].le(both["looked_on"])]
    age = both["looked_on"].sub(both["invited_on"]).dt.days
    mailed = both[
        both["audience"].eq("prospects") & ~both["campaign_type"].isin(GATHERINGS) & age.lt(365)
    ]
    conference = both[both["campaign_type"].eq("Conference")]
    expected = pd.DataFrame({"opportunity_id": seen["opportunity_id"]})
    expected["prospect_mailings_12m"] = (
        seen["opportunity_id"]
        .map(mailed.groupby("opportunity_id").size())
        .fillna(0)
        .astype("int64")
    )
    newest_invitation = conference.groupby("opportunity_id")["invited_on"].max()
    last_invited = newest_invitation.reindex(seen["opportunity_id"])
    expected["last_conference_invitation_on"] = last_invited.to_numpy()
    found = case.rows("select * from cohorts.special_prospects")
    assert expected["prospect_mailings_12m"].gt(0).any()
    differing = compare(
        found[found["prospect_mailings_12m"].notna()],
        expected[
            expected["opportunity_id"].isin(
                found.dropna(subset="prospect_mailings_12m")["opportunity_id"]
            )
        ],
        key=["opportunity_id"],
        exact=["prospect_mailings_12m", "last_conference_invitation_on"],
    )
    assert differing.empty, differing.head(20).to_string()
    lately = seen["looked_on"].sub(expected["last_conference_invitation_on"]).dt.days
    invited = set(seen.loc[lately.lt(INVITED_DAYS), "opportunity_id"])
    assert set(found.loc[found["is_invited_to_conference"].eq(True), "opportunity_id"]) == invited
