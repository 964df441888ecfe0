"""What the pipeline makes of each kind of mess, against what really happened.

One test a kind of mess, named after it, tried on each company. The first test makes sure that each
kind is in all of them, and each story of a contract in one, for a test of something that was not
planted proves nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pandas as pd
import pytest

from sample_company.world.build import World
from sample_company.world.schema import CURRENCIES
from tests.truth.compare import (
    DIFFERENCE_COLUMNS,
    compare_survival,
    differences,
    precision_and_recall,
)
from tests.truth.conftest import Case


@pytest.fixture(scope="module")
def found(case: Case) -> dict[str, pd.DataFrame]:
    """Differences of the revenue marts, by truth table."""
    tables = ("fct_account_months", "fct_mrr_movements", "fct_contract_terms")
    marts = {table: case.rows(f"select * from core.{table}") for table in tables}
    assert all(len(mart) > 200 for mart in marts.values())
    return differences(marts, case.world.truth, case.as_of)


def assert_none(differing: pd.DataFrame) -> None:
    """Fail with the first differences."""
    assert list(differing.columns) == DIFFERENCE_COLUMNS
    assert differing.empty, differing.head(20).to_string()


def listed(case: Case, gap: str) -> set[str]:
    """Records that `operations.data_gaps` lists for a kind of gap."""
    gaps = case.rows(f"select record_id from operations.data_gaps where gap_type = '{gap}'")
    return set(gaps["record_id"])


def accounts_with(case: Case, flag: str) -> set[str]:
    """Accounts for which something was planted."""
    accounts = case.truth("truth_accounts")
    return set(accounts.loc[accounts[flag], "surviving_account_id"])


MESS = {
    "late_event", "back_dated_invoice", "closed_month_edit", "duplicate_account",
    "duplicate_contact", "resent_batch", "duplicate_invoice", "parent_buys_child", "hard_delete",
    "erasure", "crm_amount_differs", "orphan_workspace", "wrong_foreign_key", "refund",
    "failed_payment", "chargeback", "back_dated_cancellation", "test_account", "negative_seats",
    "future_date", "broken_row",
}  # fmt: skip
STORIES = {
    "has_plan_change": "plan change, proration, annual to monthly",
    "has_pause": "pause and resume",
    "has_reactivation": "reactivation",
    "has_trial": "trial",
    "has_free_ramp": "free ramp",
    "is_merged_away": "account merger",
}

#: What a reject says (the rule of an event, else the field) of what was planted.
SAID_OF = {
    "before_2000": "clock", "cut_line": "not_json", "no_event": "event", "no_event_at": "event_at",
    "no_json": "not_json", "no_message_id": "message_id", "unreadable_event_at": "event_at",
    "future_date": "future", "negative_events": "events", "negative_licences": "licences",
}  # fmt: skip


def test_every_kind_of_mess_is_planted(worlds: Sequence[World]) -> None:
    truths = [world.truth for world in worlds]
    assert [MESS - set(truth["truth_mess"]["mess"]) for truth in truths] == [set()] * len(truths)
    accounts = pd.concat([truth["truth_accounts"] for truth in truths])
    assert [story for flag, story in STORIES.items() if not accounts[flag].any()] == []
    terms = pd.concat([truth["truth_terms"] for truth in truths])
    assert terms["start_on"].dt.day.ge(29).any()
    assert terms["term_months"].gt(12).any()
    assert terms["is_evergreen"].any()
    assert set(terms["outcome"]) >= {
        "lost", "renewed_contracted", "renewed_expanded", "renewed_flat", "renewed_late",
        "superseded",
    }  # fmt: skip
    churn = pd.concat([truth["truth_movements"] for truth in truths])
    assert churn["is_involuntary"].any()
    assert not churn["is_involuntary"].all()
    assert all(set(truth["truth_mrr"]["currency"]) == set(CURRENCIES) for truth in truths)


def test_mrr_of_every_account_month_is_exact(found: dict[str, pd.DataFrame]) -> None:
    assert_none(found["truth_mrr"])


def test_every_movement_and_its_parts_are_exact(found: dict[str, pd.DataFrame]) -> None:
    assert_none(found["truth_movements"])


def test_every_term_and_its_outcome_are_exact(found: dict[str, pd.DataFrame]) -> None:
    assert_none(found["truth_terms"])


def test_survival_equals_the_estimate_on_truth(case: Case) -> None:
    assert_none(
        compare_survival(
            case.rows("select * from cohorts.cohort_retention"),
            case.truth("truth_mrr"),
            case.truth("truth_movements_surviving"),
        )
    )


def test_late_events_back_dated_invoices_and_edits_to_closed_months(
    case: Case, found: dict[str, pd.DataFrame]
) -> None:
    assert_none(found["truth_mrr"])
    # Restated months are told: as many objects as were planted, and months that had ended.
    told = case.rows("select object, month, late_rows from operations.restatements")
    assert {"usage_events", "opportunities"} <= set(told["object"])
    late = case.planted("back_dated_invoice")
    over_month = late["planted_at"].dt.strftime("%Y-%m") > late["detail"].str.extract(
        r"from (\d{4}-\d\d)", expand=False
    )
    assert told.loc[told["object"] == "invoices", "late_rows"].sum() >= over_month.sum()


def test_usage_is_counted_once_however_often_and_late_it_comes(case: Case) -> None:
    assert len(case.planted("resent_batch")) > 0
    counts = case.delivered()
    expected = counts.groupby("event_on")["events"].sum()
    found = case.rows(
        "select usage_on, sum(events) as events from inputs.input_usage_daily group by usage_on"
    ).set_index("usage_on")["events"]
    # Rows of the first days reach back before the files that were landed.
    days = expected.index[expected.index >= counts["received_on"].min()]
    assert counts["copies"].sum() > 0
    pd.testing.assert_series_equal(
        found.reindex(days).astype("int64"),
        expected.reindex(days).astype("int64"),
        check_names=False,
        check_index_type=False,
    )


def pairs_of(frame: pd.DataFrame, group: str, member: str) -> set[object]:
    """All pairs of members of one group."""
    pairs: set[object] = set()
    for _, members in frame.groupby(group)[member]:
        ordered = sorted(members)
        pairs |= {(a, b) for i, a in enumerate(ordered) for b in ordered[i + 1 :]}
    return pairs


def test_duplicate_accounts(case: Case) -> None:
    true = {tuple(sorted(pair)) for pair in case.pairs("duplicate_account")}
    found = {tuple(sorted(pair)) for pair in case.listed_pairs("duplicate_account")}
    precision, recall = precision_and_recall(set(found), set(true))
    assert precision >= 0.99, sorted(found - true)
    assert recall >= 0.95, sorted(true - found)


def test_duplicate_contacts(case: Case) -> None:
    served = case.truth("truth_people_pairs").query("is_still_served")
    true = {tuple(sorted(p)) for p in zip(served.contact_id, served.other_contact_id, strict=True)}
    people = case.rows("select contact_id, person_id from intermediate.int_person_map")
    gone = set(people["contact_id"]) - set(served.contact_id) - set(served.other_contact_id)
    unserved = case.truth("truth_people_pairs").query("not is_still_served")
    hidden = {tuple(sorted(p)) for p in zip(unserved.contact_id, unserved.other_contact_id,
                                            strict=True)}  # fmt: skip
    found = pairs_of(people, "person_id", "contact_id") - hidden
    assert gone, "most contacts stand alone"
    precision, recall = precision_and_recall(found, set(true))
    assert precision >= 0.99, sorted(map(str, found - true))[:20]
    assert recall >= 0.95, sorted(map(str, true - found))[:20]


def test_invoices_sent_twice(case: Case, found: dict[str, pd.DataFrame]) -> None:
    twice = set(case.planted("duplicate_invoice")["record_id"])
    assert twice
    assert twice == listed(case, "duplicate_invoice")
    assert_none(found["truth_mrr"])


@pytest.mark.parametrize("flag", STORIES, ids=STORIES.values())
def test_money_of_accounts_with(flag: str, case: Case, found: dict[str, pd.DataFrame]) -> None:
    accounts = accounts_with(case, flag)
    for table in ("truth_mrr", "truth_movements"):
        differing = found[table]
        assert_none(differing[differing["key"].str.split(" ").str[0].isin(accounts)])


def test_mergers_sum_to_zero_and_nobody_churned(case: Case) -> None:
    transfers = case.rows(
        "select sum(amount_usd) as net, count(*) as moves from core.fct_mrr_movements"
        " where movement_type = 'merge_transfer'"
    )
    assert transfers["moves"].iloc[0] == 2 * len(case.truth("truth_merges"))
    assert transfers["net"].iloc[0] == 0
    bought = case.planted("parent_buys_child")
    parents = case.rows("select account_id, parent_account_id from inputs.input_accounts")
    now = dict(zip(parents["account_id"], parents["parent_account_id"], strict=True))
    wrong = [row for row in bought.itertuples() if now.get(row.record_id) != row.other_id]
    assert wrong == []


def test_every_currency_to_the_cent(case: Case) -> None:
    truth = case.truth("truth_mrr")
    assert set(truth["currency"]) == {"USD", "EUR", "GBP", "JPY"}
    expected = truth.groupby(["surviving_account_id", "month"])["mrr_usd"].sum().round(2)
    found = case.rows(
        "select account_id, month_end_on, closing_mrr_usd from core.fct_account_months"
    ).set_index(["account_id", "month_end_on"])["closing_mrr_usd"]
    off = (found.astype(float).reindex(expected.index).fillna(0) - expected).abs()
    assert off.max() <= 0.01


def test_people_who_change_jobs(case: Case) -> None:
    """Spells agree in person, employer, the day they were first met, and the end that was told."""
    contacts = case.rows("select contact_id, person_id from intermediate.int_person_map")
    person = dict(zip(contacts["contact_id"], contacts["person_id"], strict=True))
    accounts = case.rows("select source_account_id, account_id from intermediate.int_account_map")
    account = dict(zip(accounts["source_account_id"], accounts["account_id"], strict=True))
    spells = case.truth("truth_spells")
    # Records that were erased or deleted for good take their spells with them.
    spells = spells[spells["contact_id"].isin(person)]
    told = spells["ended_on"].where(spells["departure_known_at"].notna())
    true = set(
        zip(
            spells["contact_id"].map(person),
            spells["account_id"].map(account),
            spells["known_on"].dt.date.astype(str),
            told.dt.date.astype(str),
            strict=True,
        )
    )
    rows = case.rows("select * from intermediate.int_person_spells")
    found = set(
        zip(
            rows["person_id"],
            rows["account_id"],
            rows["start_visible_on"].dt.date.astype(str),
            rows["ended_on"].dt.date.astype(str),
            strict=True,
        )
    )
    precision, recall = precision_and_recall(set(found), set(true))
    f1 = 2 * precision * recall / (precision + recall)
    assert f1 >= 0.95, (precision, recall, sorted(true - found)[:10], sorted(found - true)[:10])


@pytest.mark.parametrize(
    "gap", ["crm_amount_differs", "orphan_workspace", "wrong_foreign_key", "test_account"]
)
def test_every_planted_gap_is_listed(gap: str, case: Case) -> None:
    planted = case.planted(gap)
    missing = planted[~planted["record_id"].isin(listed(case, gap))]
    assert missing.empty, missing.to_string()


def test_days_that_not_every_month_has(found: dict[str, pd.DataFrame]) -> None:
    assert_none(found["truth_terms"][found["truth_terms"]["column"].isin(["due_on", "row"])])


def test_involuntary_churn_apart(found: dict[str, pd.DataFrame]) -> None:
    """Refunds, failed payments, chargebacks and cancellations dated back are behind it."""
    assert_none(found["truth_movements"].query("column == 'is_involuntary'"))
    assert_none(found["truth_terms"].query("column in ['ended_on', 'is_involuntary']"))


def test_cycles_and_outcomes_of_renewals(found: dict[str, pd.DataFrame]) -> None:
    """Early, co-termed, multi-year, renewed by themselves, superseded."""
    assert_none(found["truth_terms"].query("column in ['outcome', 'cycle_number', 'term_months']"))


def test_broken_rows_are_in_quarantine_and_in_no_mart(case: Case) -> None:
    planted = pd.concat([case.planted(m) for m in ("negative_seats", "future_date", "broken_row")])
    # Older events were not landed: their files are not there.
    landed = planted[
        planted["object"].ne("usage_events") | planted["planted_at"].ge(case.events_from())
    ]
    assert len(landed) > 20
    rejects = case.rows("select table_name, record_id, rule, field from operations.rejects")
    # Whoever has no id of its own is known by its file.
    is_event = landed["object"].eq("usage_events")
    key = landed["record_id"].where(~landed["record_id"].str.contains("#"), landed["other_id"])
    expected = Counter(
        zip(
            landed["object"].where(~is_event, "events"),
            key,
            landed["detail"].map(lambda kind: SAID_OF.get(kind, kind)),
            strict=True,
        )
    )
    said = rejects["field"].where(rejects["table_name"].ne("events"), rejects["rule"])
    found = Counter(
        zip(rejects["table_name"], rejects["record_id"].str.split("#").str[0], said, strict=True)
    )
    assert found == expected, (found - expected, expected - found)
    assert case.rows("select * from inputs.input_usage_monthly where licences < 0").empty
    late = case.rows(
        f"select max(usage_on) as day from inputs.input_usage_daily where usage_on > '{case.as_of}'"
    )
    assert late["day"].isna().all()


def test_rows_in_are_rows_landed_repeated_or_kept_out(case: Case) -> None:
    for report in case.reports.values():
        for name, table in report.tables.items():
            assert table.is_balanced, (report.source, name, table)


def test_records_deleted_for_good_are_gone(case: Case) -> None:
    gone = case.planted("hard_delete")
    live = case.rows(
        "select contact_id as id from inputs.input_contacts where not is_deleted"
        " union all select opportunity_id from inputs.input_opportunities"
    )
    assert not set(gone["record_id"]) & set(live["id"])


def test_erased_people_are_nowhere(case: Case) -> None:
    asked = set(case.planted("erasure")["record_id"])
    assert asked
    people = case.rows("select contact_id, email, first_name, last_name from inputs.input_contacts")
    left = people[people["contact_id"].isin(asked)]
    values = pd.concat([left["email"], left["last_name"]]).dropna().str.lower()
    assert values.str.contains("erased").all(), "a name or address is still there"
