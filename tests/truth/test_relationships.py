"""Who stood by us, who left, whom rivals won and who brought us along, against what happened.

Belongs here: people held against the spells, touches and signals they were drawn as, each with the
day on which the CRM could know. Must not be here: which records are one person, see `test_mess`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from tests.truth.compare import precision_and_recall
from tests.truth.conftest import Case

#: A person is a fan from so many connections to rivals in a year, and half of all that is heard.
CONNECTIONS, AFFINITY = 2, 0.5
#: Months within which an arrival explains a deal.
DRAG_MONTHS = 18


@dataclass(frozen=True)
class Ids:
    """What records became in the warehouse; records that were erased or deleted are missing."""

    person: dict[str, str]
    account: dict[str, str]


@pytest.fixture(scope="module")
def ids(case: Case) -> Ids:
    """Person of each contact record and surviving account of each account record."""
    people = case.rows("select contact_id, person_id from intermediate.int_person_map")
    accounts = case.rows(
        "select source_account_id, account_id from intermediate.int_account_map where not is_test"
    )
    return Ids(
        dict(zip(people["contact_id"], people["person_id"], strict=True)),
        dict(zip(accounts["source_account_id"], accounts["account_id"], strict=True)),
    )


@pytest.fixture(scope="module")
def jobs(case: Case, ids: Ids) -> pd.DataFrame:
    """Every job of somebody the CRM has, and when it knew of its end.

    It hears of a departure, sooner or later or never; and it sees a record arrive elsewhere, which
    tells of the end all the same, with the day of the arrival where nobody tells a better one.
    """
    spells = case.world.tables["spells"]
    spells = spells[~spells["is_duplicate"]].sort_values(["known_on", "start"], kind="stable")
    told = case.truth("truth_spells")[
        ["contact_id", "account_id", "ended_on", "departure_known_at"]
    ].rename(columns={"ended_on": "end"})
    jobs = spells.merge(told, on=["contact_id", "account_id", "end"], how="left")
    as_of = pd.Timestamp(case.as_of)
    told_on = _day(jobs["departure_known_at"]).where(jobs["end"].le(as_of))
    told_on = told_on.where(told_on.isna() | told_on.ge(jobs["end"]), jobs["end"])
    inside = jobs["end"].where(~jobs["leaves_company"] & jobs["end"].le(as_of))
    elsewhere = jobs["account_id"].ne(jobs.groupby("contact_id")["account_id"].shift(-1))
    moved_on = jobs.groupby("contact_id")["known_on"].shift(-1).where(elsewhere)
    jobs["person"] = jobs["contact_id"].map(ids.person)
    jobs["account"] = jobs["account_id"].map(ids.account)
    jobs["lost_on"] = jobs["end"].where(told_on.notna(), moved_on).fillna(inside)
    jobs["known_to"] = pd.concat([told_on, moved_on], axis=1).min(axis=1).fillna(inside)
    jobs["loss_type"] = np.select(
        [inside.notna(), jobs["lost_on"].notna()], ["role_ended", "left"], ""
    )
    return jobs.dropna(subset=["person", "account"]).reset_index(drop=True)


def _day(instants: pd.Series) -> pd.Series:
    return instants.dt.tz_localize(None).dt.normalize().astype("datetime64[s]")


def _rows(table: pd.DataFrame, *columns: str) -> set[tuple[str, ...]]:
    """Rows of the columns as texts; days without their time, what is missing as the empty text."""
    texts = [
        table[name].dt.strftime("%Y-%m-%d").fillna("")
        if pd.api.types.is_datetime64_any_dtype(table[name])
        else table[name].astype("str").where(table[name].notna(), "")
        for name in columns
    ]
    return set(zip(*texts, strict=True))


def _assert_found(
    found: set[tuple[str, ...]], true: set[tuple[str, ...]], least: float, at_least: int = 10
) -> None:
    assert len(true) >= at_least
    precision, recall = precision_and_recall(found, true)
    assert min(precision, recall) >= least, (
        precision,
        recall,
        sorted(true - found)[:5],
        sorted(found - true)[:5],
    )


def test_lost_champions_and_sponsors_with_the_day_they_were_missed(
    case: Case, jobs: pd.DataFrame
) -> None:
    """Neither a duplicate of a champion nor a record that follows its person hides the loss."""
    held = jobs[jobs["roles"].str.contains("champion|sponsor")]
    champions = case.rows("select * from renewals.champions")
    lost = champions[champions["status"] != "in_place"]
    true = held[held["lost_on"].notna()]
    names = ["person_id", "account_id", "loss_type", "lost_on", "loss_known_on"]
    _assert_found(
        _rows(lost, *names),
        _rows(true, "person", "account", "loss_type", "lost_on", "known_to"),
        least=0.95,
    )
    lag = (true["known_to"] - true["lost_on"]).dt.days
    assert lost["loss_known_lag_days"].mean() == pytest.approx(lag.mean(), abs=1.0)
    assert lag[true["loss_type"].eq("left")].mean() > 3, "nobody tells on the day"
    there = held[held["lost_on"].isna()]
    _assert_found(
        _rows(champions[champions["status"] == "in_place"], "person_id", "account_id"),
        _rows(there, "person", "account"),
        least=0.97,
    )


def test_where_a_champion_is_in_place(case: Case, jobs: pd.DataFrame) -> None:
    """Of today, and of each month-end as it could be known then."""
    champions = jobs[jobs["roles"].str.contains("champion")]
    months = case.rows("select * from renewals.relationships where champion_status is not null")
    both = months[["account_id", "observed_on"]].merge(
        champions.rename(columns={"account": "at"}), left_on="account_id", right_on="at"
    )
    there = both[
        both["known_on"].le(both["observed_on"])
        & (both["known_to"].isna() | both["known_to"].gt(both["observed_on"]))
    ]
    true = pd.MultiIndex.from_frame(there[["account_id_x", "observed_on"]])
    index = pd.MultiIndex.from_frame(months[["account_id", "observed_on"]])
    expected = index.isin(true)
    found = months["champion_status"].isin(["in_place", "replaced"]).to_numpy()
    assert (~expected).sum() > 50
    assert (found == expected).mean() >= 0.99


def test_new_relationships(case: Case, ids: Ids) -> None:
    """A relationship begins with the first touch to which the person contributed."""
    activities = case.world.tables["activities"]
    slips = pd.concat([case.planted("future_date"), case.planted("broken_row")])["record_id"]
    talks = activities[activities["is_two_way"] & ~activities["activity_id"].isin(slips)]
    who = case.world.tables["activity_participants"][["activity_id", "contact_id"]]
    met = talks.merge(who, on="activity_id")
    met = pd.DataFrame(
        {
            "account_id": met["account_id"].map(ids.account),
            "person_id": met["contact_id"].map(ids.person),
            "month": _day(met[["event_at", "known_at"]].max(axis=1)),
        }
    ).dropna()
    firsts = met.groupby(["account_id", "person_id"], as_index=False)["month"].min()
    firsts["month"] = firsts["month"].dt.to_period("M").astype("str")
    found = case.rows(
        "select account_id, month_end_on, new_relationships from renewals.relationships"
    )
    found["month"] = found["month_end_on"].dt.to_period("M").astype("str")
    found = found.set_index(["account_id", "month"])["new_relationships"].fillna(0)
    true = firsts.groupby(["account_id", "month"]).size().reindex(found.index).fillna(0)
    assert true.sum() > 100
    assert (found == true).mean() >= 0.98
    assert found.sum() == pytest.approx(true.sum(), rel=0.03)


def test_fans_of_rivals(case: Case, ids: Ids, jobs: pd.DataFrame) -> None:
    """Connected to a rival's people, or come from where a rival's product was in use."""
    as_of = pd.Timestamp(case.as_of)
    signals = case.world.tables["social_signals"]
    days = as_of - _day(signals["occurred_on"].dt.tz_localize("UTC"))
    signals = signals[_day(signals["known_at"]).le(as_of) & days.dt.days.between(0, 364)]
    heard = pd.DataFrame(
        {
            "person": signals["contact_id"].map(ids.person),
            "account": signals["account_id"].map(ids.account),
            "rival": signals["competitor_id"].notna(),
        }
    ).dropna()
    sums = heard.groupby(["person", "account"])["rival"].agg(["sum", "size"]).reset_index()
    fans = sums[sums["sum"].ge(CONNECTIONS) & sums["sum"].ge(AFFINITY * sums["size"])]
    there = jobs[jobs["known_on"].le(as_of) & (jobs["lost_on"].isna() | ~jobs["leaves_company"])]
    true = _rows(fans.merge(there, on=["person", "account"]), "person", "account")
    found = case.rows(
        "select fans.* from intermediate.int_competitor_fans as fans"
        f" where observed_on = date '{case.as_of}'"
    )
    connected = found[found["is_connected_to_competitor"]]
    _assert_found(_rows(connected, "person_id", "account_id"), true, least=0.95)
    came = found[found["has_used_competitor"]]
    used = case.rows("select * from intermediate.int_account_competitors")
    before = jobs.merge(used, left_on="account", right_on="account_id", suffixes=("", "_rival"))
    before = before[
        before["lost_on"].fillna(as_of).gt(before["used_from_on"].fillna(before["known_on"]))
        & (before["used_to_on"].isna() | before["known_on"].lt(before["used_to_on"]))
    ]
    now = there.merge(before, on="person", suffixes=("", "_before"))
    now = now[now["account"].ne(now["account_before"]) & now["known_on_before"].lt(now["known_on"])]
    # Fans are watched at customers; who joined a company that never was one threatens no renewal.
    accounts = case.truth("truth_accounts")
    customers = accounts.loc[accounts["first_contract_on"].notna(), "surviving_account_id"]
    now = now[now["account"].isin(customers)]
    assert _rows(came, "person_id", "account_id") == _rows(now, "person", "account")
    counts = case.rows(
        "select account_id, competitor_fans from renewals.relationships"
        f" where competitor_fans > 0 and observed_on = date '{case.as_of}'"
    ).set_index("account_id")["competitor_fans"]
    assert counts.astype(int).to_dict() == found.groupby("account_id").size().to_dict()


def test_happy_users_hide_cold_executives(case: Case) -> None:
    """The planted accounts look green from support; who merely uses one feature more does not."""
    accounts = case.truth("truth_accounts").set_index("account_id")
    months = case.rows(
        "select account_id, user_csat, exec_user_gap, has_happy_users_cold_executive as is_flagged"
        " from renewals.relationships where is_customer and user_csat is not null"
    ).dropna(subset=["is_flagged"])
    months["is_flagged"] = months["is_flagged"].astype(float)
    planted = months["account_id"].map(accounts["users_happy"] & accounts["exec_cold"])
    decoy = months["account_id"].map(accounts["uses_decoy_feature"])
    assert planted.sum() > 20

    def difference(column: str, flag: pd.Series) -> float:
        means = months.groupby(flag)[column].mean()
        return float(means[True] - means[False])

    assert difference("user_csat", planted) > 0.3
    assert difference("is_flagged", planted) > 0.05
    assert abs(difference("is_flagged", decoy)) < difference("is_flagged", planted)
    answered = months.dropna(subset=["exec_user_gap"])
    if planted[answered.index].sum() >= 5:
        assert difference("exec_user_gap", planted) > 0.1


def test_the_index_follows_the_executives(case: Case) -> None:
    """What nobody can see directly, how connected the executives are, shows in the index."""
    hidden = case.world.tables["latent"][["account_id", "month", "exec_connection"]]
    hidden = hidden.assign(
        month_end_on=(hidden["month"] + pd.offsets.MonthEnd(0)).astype("datetime64[us]")
    )
    found = case.rows(
        "select account_id, month_end_on, disconnection_index, is_relationship_at_risk"
        " from renewals.relationships where is_customer"
    )
    both = found.astype({"month_end_on": "datetime64[us]"}).merge(
        hidden, on=["account_id", "month_end_on"]
    )
    assert both["disconnection_index"].corr(both["exec_connection"], method="spearman") < -0.3
    by_risk = both.groupby(both["is_relationship_at_risk"].astype(float))["exec_connection"].mean()
    assert by_risk[1.0] < by_risk[0.0] - 0.1


def test_alumni_and_who_came_back(case: Case, jobs: pd.DataFrame) -> None:
    """Everybody who left a customer, where they are, and nobody who returned to it."""
    lives = case.rows(
        "select account_id, min(life_started_on) as since from"
        " intermediate.int_account_observations group by account_id"
    ).set_index("account_id")["since"]
    gone = jobs[jobs["loss_type"].eq("left")]
    gone = gone[gone["account"].map(lives).lt(gone["lost_on"])]
    last = gone.sort_values("lost_on", kind="stable").drop_duplicates("person", keep="last")
    there = jobs[jobs["lost_on"].isna()].sort_values("known_on", kind="stable")
    now = there.drop_duplicates("person", keep="last").set_index("person")["account"]
    true = last.assign(destination=last["person"].map(now))
    true = true[true["destination"].ne(true["account"])]
    found = case.rows("select * from value.alumni where person_type = 'ex_customer'")
    names = ["person_id", "left_account_id", "left_on"]
    _assert_found(_rows(found, *names), _rows(true, "person", "account", "lost_on"), least=0.95)
    placed = found[found["destination_account_id"].notna()]
    _assert_found(
        _rows(placed, "person_id", "destination_account_id"),
        _rows(true.dropna(subset="destination"), "person", "destination"),
        least=0.93,
    )
    employees = case.world.tables["employees"].drop_duplicates("employee_id", keep="last")
    left = employees[employees["left_on"].le(pd.Timestamp(case.as_of))]["employee_id"]
    assert set(left) == set(
        case.rows("select person_id from value.alumni where person_type = 'ex_employee'")[
            "person_id"
        ]
    )
    assert not found["is_mailable"].where(found["departure_terms"].eq("bad")).eq(True).any()


def test_preference_drag(
    case: Case, ids: Ids, jobs: pd.DataFrame, newest: Callable[[str, str], pd.DataFrame]
) -> None:
    """Deals with somebody who worked at a customer before and came at most 18 months ago."""
    deals = newest("opportunities", "opportunity_id")
    deals = deals[deals["opportunity_type"].eq("new_business")]
    deals = deals.assign(closed_on=deals["close_on"].where(deals["is_closed"]))
    on_deal = case.world.tables["opportunity_contacts"].merge(
        deals[["opportunity_id", "account_id", "created_at", "closed_on"]], on="opportunity_id"
    )
    on_deal["person"] = on_deal["contact_id"].map(ids.person)
    on_deal["account"] = on_deal["account_id"].map(ids.account)
    here = on_deal.merge(jobs[["person", "account", "known_on"]], on=["person", "account"])
    created = _day(here["created_at"])
    last_day = here["known_on"] + pd.DateOffset(months=DRAG_MONTHS)
    here = here[created.le(last_day) & here["known_on"].le(here["closed_on"].fillna(last_day))]
    lives = case.rows(
        "select account_id, min(life_started_on) as since from"
        " intermediate.int_account_observations group by account_id"
    ).set_index("account_id")["since"]
    before = jobs.assign(since=jobs["account"].map(lives)).dropna(subset=["since"])
    before = before[before["lost_on"].isna() | before["lost_on"].ge(before["since"])]
    both = here.merge(before[["person", "account", "known_on"]], on="person", suffixes=("", "_b"))
    both = both[both["account"].ne(both["account_b"]) & both["known_on_b"].lt(both["known_on"])]
    true = _rows(both.drop_duplicates("opportunity_id"), "opportunity_id")
    found = case.rows("select * from core.fct_opportunities where is_preference_drag")
    _assert_found(_rows(found, "opportunity_id"), true, least=0.9, at_least=3)
    origins = case.truth("truth_accounts").set_index("account_id")["origin"]
    led = found["account_id"].map(origins).eq("alumni_led")
    assert led.mean() > 0.5, "those who were led by a former user are those that are found"
    brought = case.rows(
        "select sum(deals_brought) as deals, sum(deals_won) as won from value.alumni"
    )
    assert 0 < brought["won"].item() <= brought["deals"].item() <= len(found)


@pytest.fixture
def newest(case: Case) -> Callable[[str, str], pd.DataFrame]:
    """The newest version of each record of a table."""

    def of(table: str, key: str) -> pd.DataFrame:
        versions = case.world.tables[table].sort_values("version_at", kind="stable")
        return versions.drop_duplicates(key, keep="last")

    return of
