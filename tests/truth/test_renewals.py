"""Whether losses came as a surprise and why customers left, against what really happened.

Belongs here: surprises worked out anew from what people had written down, and the drivers of losses
held against their true causes. Must not be here: terms and their outcomes, see `test_mess`; shares
that one small company has too few losses for, see `several_companies`.
"""

from __future__ import annotations

import pandas as pd
import pytest

from sample_company.world.schema import CAUSES
from tests.truth.compare import losses_with_causes
from tests.truth.conftest import Case

LEADS = (180, 90, 60)
#: Days for which a judgement speaks: who has not been asked for two months has not been judged.
SPEAKS_DAYS = 62


def judged(case: Case, terms: pd.DataFrame, lead: int) -> pd.Series:
    """The newest judgement known `lead` days before each term was due: share that would sign.

    Args:
        case: the company.
        terms: `account_id` as the company's systems had it at the due date, and `due_on`.
        lead: days before the due date.

    Returns:
        One share (0-1) a term, in the order of `terms`; missing when nobody had judged.
    """
    accounts = case.truth("truth_accounts").set_index("account_id")["surviving_account_id"]
    slips = case.planted("future_date")["record_id"], case.planted("broken_row")["record_id"]
    judgements = case.world.tables["risk_assessments"]
    judgements = judgements[~judgements["risk_assessment_id"].isin(pd.concat(slips))]
    judgements = pd.DataFrame(
        {
            "account_id": judgements["account_id"].map(accounts),
            "assessed_on": judgements["assessed_on"].dt.as_unit("ns"),
            "known_on": judgements["known_at"].dt.tz_localize(None).dt.normalize(),
            "id": judgements["risk_assessment_id"],
            "share": judgements["sign_today_share"],
        }
    )
    looks = pd.DataFrame(
        {
            "account_id": terms["account_id"].map(accounts),
            "looked_on": terms["due_on"] - pd.Timedelta(days=lead),
            "row": range(len(terms)),
        }
    )
    both = looks.merge(judgements, on="account_id")
    age = both["looked_on"] - both["assessed_on"]
    heard = both[
        both["known_on"].le(both["looked_on"])
        & age.ge(pd.Timedelta(0))
        & age.lt(pd.Timedelta(days=SPEAKS_DAYS))
    ]
    # Of two on one day the one with the lower number counts.
    ordered = heard.sort_values(["assessed_on", "id"], ascending=[True, False])
    newest = ordered.groupby("row")["share"].last()
    return newest.reindex(looks["row"]).set_axis(terms.index)


@pytest.fixture(scope="module")
def expected(case: Case) -> pd.DataFrame:
    """Terms that had begun, whether each was lost, and whether anybody had feared so."""
    terms = case.truth("truth_terms")
    terms = terms[terms["start_on"].le(pd.Timestamp(case.as_of))].reset_index(drop=True)
    out = pd.DataFrame(
        {
            "subscription_id": terms["subscription_id"],
            "started_on": terms["start_on"],
            "due_on": terms["due_on"],
            "is_lost": terms["outcome"].eq("lost"),
        }
    )
    for lead in LEADS:
        out[f"judged_d{lead}"] = judged(case, terms, lead)
        out[f"was_at_risk_d{lead}"] = out[f"judged_d{lead}"].lt(0.5)
    return out.set_index(["subscription_id", "started_on"]).sort_index()


@pytest.fixture(scope="module")
def found(case: Case) -> pd.DataFrame:
    """The same terms as `renewals.renewals` has them."""
    rows = case.rows("select * from renewals.renewals")
    rows = rows.set_index(["subscription_id", "started_on"])
    assert rows.index.is_unique
    return rows.sort_index()


def test_every_term_is_there_and_no_score_was_stored(
    expected: pd.DataFrame, found: pd.DataFrame
) -> None:
    pd.testing.assert_index_equal(found.index, expected.index, exact=False)
    assert set(found["surprise_basis"]) == {"none"}


@pytest.mark.parametrize("lead", LEADS)
def test_what_people_had_said(
    lead: int, case: Case, expected: pd.DataFrame, found: pd.DataFrame
) -> None:
    """Of every term, renewed ones too: a fear that nobody had would hide a surprise."""
    said = expected[f"judged_d{lead}"].sort_index()
    assert said.notna().sum() > 50
    pd.testing.assert_series_equal(
        found[f"human_sign_today_at_d{lead}"], said, check_names=False, check_index_type=False
    )
    come = expected["due_on"].sub(pd.Timedelta(days=lead)).le(pd.Timestamp(case.as_of))
    feared = expected[f"was_at_risk_d{lead}"].astype("boolean").where(come)
    pd.testing.assert_series_equal(
        found[f"was_at_risk_d{lead}"], feared, check_names=False, check_index_type=False
    )


@pytest.mark.parametrize("lead", LEADS)
def test_surprises_term_by_term(lead: int, expected: pd.DataFrame, found: pd.DataFrame) -> None:
    flags = found["is_surprise_loss" if lead == 90 else f"is_surprise_loss_d{lead}"]
    surprises = expected[expected["is_lost"] & ~expected[f"was_at_risk_d{lead}"]]
    assert len(surprises) > 0
    assert set(flags[flags.eq(True)].index) == set(surprises.index)
    assert flags.notna().eq(expected["is_lost"]).all(), "asked of losses only"


def test_surprises_of_the_calendar(case: Case, expected: pd.DataFrame) -> None:
    """Without scores all surprises are counted as unscored, month by month."""
    surprises = expected[expected["is_lost"] & ~expected["was_at_risk_d90"]]
    counts = surprises.groupby(surprises["due_on"].dt.to_period("M")).size()
    calendar = case.rows(
        "select due_month, sum(surprise_losses_unscored) as unscored, sum(surprise_losses) as live,"
        " sum(surprise_losses_walk_forward) as walked, max(surprise_loss_rate) as rate"
        " from renewals.renewal_calendar group by due_month"
    )
    unscored = calendar.set_index(calendar["due_month"].dt.to_period("M"))["unscored"]
    assert unscored[unscored.gt(0)].astype(int).to_dict() == counts.to_dict()
    assert calendar[["live", "walked"]].to_numpy().sum() == 0
    assert calendar["rate"].isna().all(), "a rate of surprises needs scores that were live"


def test_each_loss_has_one_driver(case: Case, expected: pd.DataFrame) -> None:
    drivers = case.rows("select * from renewals.departure_drivers")
    terms = case.rows("select contract_term_id, started_on from renewals.renewals")
    found = drivers.merge(terms, on="contract_term_id", validate="one_to_one")
    lost = expected.index[expected["is_lost"]]
    assert sorted(zip(found["subscription_id"], found["started_on"], strict=True)) == sorted(lost)
    named = set(case.rows("select driver from seeds.departure_driver_functions")["driver"])
    assert set(CAUSES) < named, "a cause that no driver names could never be found"
    assert set(found["driver_evidenced"]) <= named
    assert found["owning_function"].notna().all()


def test_what_was_said_is_what_customers_said(case: Case) -> None:
    """Where the words name a driver; a form of billing's that says `other` names none."""
    told = losses_with_causes(
        case.rows("select * from renewals.departure_drivers"), case.truth("truth_renewals")
    )
    named = told[told["driver_stated"].ne("unknown")]
    assert len(named) > 0.5 * len(told)
    wrong = named[named["driver_stated"].ne(named["said"])]
    assert wrong.empty, wrong[["contract_term_id", "driver_stated", "said"]].to_string()
    silent = told[told["driver_stated"].eq("unknown")]
    assert set(silent["stated_reason"].dropna()) <= {"other"}
