"""A company without one of the optional inputs: marts build, what needs it is null, and is named.

Each input that a company need not have (seed `optional_inputs`) is emptied in turn in a warehouse
that was built with it, what stands on it is built anew by the statements that dbt had compiled, and
every column of every mart is looked at. Belongs here: what may not be told without an input. Must
not be here: what is right with it.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.dbt import load_manifest
from tests.truth.conftest import CHOSEN, CONFIGS, Case
from tests.warehouse import PROJECT, Warehouse

INPUTS = [
    row["input_name"]
    for row in csv.DictReader((PROJECT / "seeds/scores/optional_inputs.csv").open())
]
#: What little stands on takes a second: these are tried with every run of the tests, and all of
#: them with those of three companies.
QUICK = (
    "action_plan_objectives",
    "campaign_members",
    "campaigns",
    "competitors",
    "incentives",
    "objectives",
    "opportunity_stages",
    "program_enrolments",
    "programs",
    "record_edits",
    "releases",
    "story_requests",
)
TRIED = tuple(INPUTS) if CHOSEN == "three" else QUICK
#: Columns that are nought or false without the input, and rightly so.
DECIDED_OTHERWISE = {
    # An executive who was there before the purchase forgot nothing, whoever wrote reports.
    "activities": {"relationships.has_memory_gap", "longevity.focus_years"},
    # What nobody discounts costs what the list says; net retention then misses the formula.
    "discounts": {"fct_subscription_states.discount_rate", "customer_value.has_winning_formula"},
    # What data still showed was something else than what was said.
    "contact_states": {"departure_drivers.stated_matches_seen"},
    # One half of the condition is known not to hold.
    "survey_responses": {
        "success_accounts.is_cuttable_cost",
        "customer_value.has_winning_formula",
        # Where nobody is a power user nobody is a superfan.
        "adoption.superfans",
    },
    # At risk is what somebody or a model flagged: who looks at nothing has flagged nobody, and is
    # surprised by every loss.
    "risk_assessments": {
        "churn_risk.is_at_risk",
        "churn_risk.is_assessed_31d",
        "renewals.was_at_risk_d180",
        "renewals.was_at_risk_d90",
        "renewals.was_at_risk_d60",
        "renewals.is_at_risk_now",
        "renewal_calendar.at_risk_accounts",
        "renewal_calendar.at_risk_arr_usd",
        "renewal_calendar.flagged_share",
        # Whom nobody judged is counted as such beside it.
        "program_results.accounts_not_foreseen",
        "action_plans.is_at_risk_now",
        "watchlist.is_at_risk",
    },
    # Plans that are not written down are no plans: the account at risk is listed as without.
    "action_plans": {
        "churn_risk.has_plan",
        "churn_risk.has_plan_owner",
        "action_plans.is_live",
        "action_plans.has_owner",
        "watchlist.has_plan_owner",
    },
    # In a quarter without wins nobody brought any.
    "opportunity_contacts": {"acquisition_economics.wins_by_preference_drag"},
    # The goal that everybody has is agreed with nobody.
    "objectives": {"csm_objectives.is_agreed"},
}
#: What a count of rows of the input itself says when there are none.
COUNTS_OF_ROWS = {
    "program_enrolments": "program_results.",
    "success_measurements": "success_outcomes.",
}
#: Columns that say the same of every row without the input, other than nought, and rightly so.
ALIKE = {
    # Who was invited to nothing and written to by nobody is to be invited.
    "campaigns": {"special_prospects.next_step"},
    "campaign_members": {"special_prospects.next_step"},
    # Nobody who came back had been given a discount before.
    "discounts": {"winback.arr_after_ratio"},
    # Of a small company one segment, or one owner, may know least of everything that is left.
    "survey_responses": {"known_unknowns.worst_owner_id", "known_unknowns.worst_segment"},
    # Who looks at nothing is surprised by every loss.
    "risk_assessments": {
        "departure_drivers.is_surprise_loss",
        "departure_drivers.surprise_type",
        "renewals.is_surprise_loss",
        "renewals.is_surprise_loss_d180",
        "renewals.is_surprise_loss_d60",
        "renewals.surprise_type",
    },
    "action_plans": {"watchlist.plan_factor"},
    # Where what is unknown is most: of all inputs, not of this one.
    "success_measures": {"known_unknowns.worst_segment"},
}
#: Some of what must be null, by input: columns that nothing else can tell.
NULL_WITHOUT = {
    "account_owners": {"accountability.unowned_arr_share", "accountability.proof_share"},
    "activities": {"renewals.touches_in_term", "voice.social_touches_90d", "lifecycle.touches"},
    "activity_participants": {
        "champions.touches",
        "alumni.is_dark",
        "fct_touchpoints.people_reached",
    },
    "action_plan_objectives": {
        "action_plans.objectives_total",
        "renewals.onboarding_on_time_share",
    },
    "advocacy_acts": {
        "voice.recommendations_12m",
        "longevity.has_case_study",
        "story_supply.available",
    },
    "campaign_members": {
        "programs.members",
        "alumni.invited_12m",
        "voice.community_engagements_12m",
    },
    "campaigns": {"special_prospects.prospect_mailings_12m", "programs.is_cadence_met"},
    "cases": {"fct_account_months.cases_opened", "voice.handoffs_per_case_90d"},
    "contact_states": {
        "alumni.was_champion",
        "csm_objectives.new_rel_manager",
        "departure_drivers.sub_driver",
        "fct_job_changes.was_sponsor",
        "fct_relationship_months.is_champion",
        "relationships.contacts_director_plus",
        "relationships.is_exec_known_by_sales_only",
        "renewals.director_touches_in_term",
    },
    "credit_notes": {"voice.credits_usd_12m"},
    "entitlements": {"adoption.feature_adoption_rate", "adoption.power_users"},
    "features": {"adoption.has_strategic_feature_adopted", "feature_stickiness.is_strategic"},
    "function_costs": {"accountability.retention_spend_usd", "accountability.headcount"},
    "incentives": {"accountability.retention_weight", "accountability.incentives_changed"},
    "objectives": {"csm_objectives.employee_objective_id"},
    "opportunity_contacts": {
        "fct_opportunities.is_preference_drag",
        "renewal_process.people_on_deal",
    },
    "opportunity_stages": {"renewal_process.days_in_stage"},
    "program_enrolments": {"dim_programs.accounts_treated"},
    "releases": {"dim_features.release_count", "dim_features.is_surprise_and_delight"},
    "risk_assessments": {"churn_risk.p_sign_today_human", "renewals.human_sign_today_at_d90"},
    "service_levels": {"success_accounts.is_primary_need_met"},
    "social_signals": {"voice.mentions_90d", "voice.has_competitor_connect_burst"},
    "story_requests": {"story_supply.requested", "story_supply.gap"},
    "success_measurements": {"renewals.attainment_at_due", "success_accounts.measures_attained"},
    "success_measures": {"success_accounts.measures_defined", "success_accounts.purchase_reason"},
    "survey_responses": {
        "voice.nps_12m",
        "relationships.exec_sentiment",
        "voice.is_unhappy_locked_in",
    },
    "usage_daily": {"adoption.usage_novelty_score", "adoption.regular_users"},
}


@dataclass(frozen=True)
class Column:
    """What a column of a mart holds.

    Attributes:
        rows: rows of the mart.
        known: values.
        told: values that say something: neither nought nor false.
        differs: whether not all values are the same.
    """

    rows: int
    known: int
    told: int
    differs: bool


@dataclass(frozen=True)
class Copy:
    """A warehouse of its own, and how to build a part of it anew."""

    connection: duckdb.DuckDBPyConnection
    statements: Path
    models: dict[str, dict[str, Any]]
    rules: dict[str, list[tuple[str, str]]]
    complete: dict[str, Column]

    def without(self, name: str) -> dict[str, Column]:
        """Columns of the marts that stand on an input, once it is empty; nothing is kept of it."""
        self.connection.execute(f"delete from inputs.input_{name}")
        below = self.below(f"model.tenure.input_{name}")
        for model in below:
            statement = (self.statements / model["original_file_path"]).read_text()
            relation = f"{model['schema']}.{model['name']}"
            self.connection.execute(f"create or replace table {relation} as {statement}")
        return columns_of(self.connection, below)

    def broken_below(self, name: str) -> list[str]:
        """Rules of what stands on an input that some row breaks, in words."""
        broken = []
        for model in self.below(f"model.tenure.input_{name}"):
            relation = f"{model['schema']}.{model['name']}"
            for words, expression in self.rules.get(model["unique_id"], []):
                sql = f"select count(*) from {relation} where not coalesce({expression}, false)"
                answer = self.connection.execute(sql).fetchone()
                if answer != (0,):
                    broken.append(f"{model['name']}: {words} {answer}")
        return broken

    def below(self, start: str) -> list[dict[str, Any]]:
        """Tables that stand on a model, in the order in which they can be built."""
        needs = {key: node["depends_on"]["nodes"] for key, node in self.models.items()}
        known = {key: [need for need in all_ if need in needs] for key, all_ in needs.items()}
        reached = {start}
        found = []
        for key in TopologicalSorter(known).static_order():
            if key != start and reached & set(known[key]):
                reached.add(key)
                found.append(self.models[key])
        return [model for model in found if model["config"]["materialized"] != "view"]


@pytest.fixture(scope="module")
def copy(
    built: Callable[[int], Case], warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Copy]:
    """A copy of the last company's warehouse, which may be spoilt.

    Of the last, because what was loaded of it is what lies in the lake, and models read that too.
    """
    case = built(len(CONFIGS) - 1)
    # Named as dbt knows it: its statements name the database.
    file = tmp_path_factory.mktemp("missing") / "tenure.duckdb"
    shutil.copyfile(case.warehouse, file)
    nodes = load_manifest()["nodes"]
    models = {key: node for key, node in nodes.items() if node["resource_type"] == "model"}
    rules = rules_of(nodes.values(), case.as_of)
    with duckdb.connect(str(file)) as connection:
        connection.execute("set timezone = 'UTC'")
        statements = warehouse.folder / "target" / "compiled" / "tenure"
        complete = columns_of(connection, models.values())
        yield Copy(connection, statements, models, rules, complete)


def rules_of(nodes: Iterable[Mapping[str, Any]], as_of: date) -> dict[str, list[tuple[str, str]]]:
    """What must hold for every row of each model, by its id: words and expression."""
    found: dict[str, list[tuple[str, str]]] = {}
    for node in nodes:
        metadata = node.get("test_metadata") or {}
        if metadata.get("name") == "rules" and node["attached_node"]:
            said = metadata["kwargs"]
            here = found.setdefault(node["attached_node"], [])
            here += [(f"{c} is known", f'"{c}" is not null') for c in said.get("not_null", [])]
            for words, expression in said.get("holds", {}).items():
                text = str(expression).replace("{{ as_of_date() }}", f"date '{as_of}'")
                if "{{" not in text:
                    here.append((words, text))
    return found


def columns_of(
    connection: duckdb.DuckDBPyConnection, models: Iterable[Mapping[str, Any]]
) -> dict[str, Column]:
    """Every column of the marts among some models, by mart and name."""
    found = {}
    for model in models:
        if "marts" in model["fqn"]:
            relation = f"{model['schema']}.{model['name']}"
            described = connection.execute(f"describe {relation}").fetchall()
            counts = [
                part
                for column, kind, *_ in described
                for part in (
                    f'count("{column}")',
                    f"count({_told(column, kind)})",
                    f'min("{column}") is distinct from max("{column}")',
                )
            ]
            sql = f"select count(*), {', '.join(counts)} from {relation}"
            answer = connection.execute(sql).fetchone()
            assert answer is not None
            rows, *numbers = answer
            for (column, *_), known, told, differs in zip(
                described, numbers[::3], numbers[1::3], numbers[2::3], strict=True
            ):
                found[f"{model['name']}.{column}"] = Column(rows, known, told, differs)
    return found


def _told(column: str, kind: str) -> str:
    """Something of a value that is null where it is null, nought or false."""
    if kind == "BOOLEAN":
        return f'nullif("{column}", false)'
    if kind.startswith(("DECIMAL", "DOUBLE", "BIGINT", "INTEGER", "HUGEINT")):
        return f'nullif("{column}", 0)'
    return f'"{column}"'


@pytest.mark.parametrize("name", TRIED)
def test_without_an_input_the_marts_build_and_say_null_and_name_it(name: str, copy: Copy) -> None:
    copy.connection.execute("begin")
    try:
        left = copy.without(name)
        broken = copy.broken_below(name)
        named = copy.connection.execute(
            "select is_input_empty and is_unknown and remedy is not null"
            " from renewals.known_unknowns where unknown_type = 'input' and unknown_name = ?",
            [name],
        ).fetchall()
    finally:
        copy.connection.execute("rollback")
    assert named == [(True,)]
    assert broken == [], "the night of a company without it would stop"
    # What told something before and is known without the input, but for nothing else than nought.
    nought = {
        key
        for key, column in left.items()
        if copy.complete[key].told > 0 and column.known > 0 and column.told == 0
    }
    nought = {key for key in nought if not key.startswith(COUNTS_OF_ROWS.get(name, "-"))}
    assert nought <= DECIDED_OTHERWISE.get(name, set())
    # What told the rows apart before and now says the same of each of them.
    alike = {
        key for key, column in left.items() if copy.complete[key].differs and not column.differs
    }
    # With fewer rows or values a column may well be left with one kind of them.
    alike = {
        key
        for key in alike
        if left[key].rows == copy.complete[key].rows and left[key].known >= copy.complete[key].known
    }
    assert alike - nought <= DECIDED_OTHERWISE.get(name, set()) | ALIKE.get(name, set())
    for key in NULL_WITHOUT.get(name, set()):
        assert copy.complete[key].known > 0, key
        assert left[key].known == 0, key


def test_an_input_that_counts_as_nought_is_found(copy: Copy) -> None:
    """The check above sees a mart that counts what nobody recorded as none."""
    copy.connection.execute("begin")
    try:
        copy.connection.execute("update value.story_supply set requested = 0")
        spoilt = columns_of(copy.connection, copy.models.values())["story_supply.requested"]
    finally:
        copy.connection.execute("rollback")
    assert copy.complete["story_supply.requested"].told > 0
    assert (spoilt.known > 0, spoilt.told) == (True, 0)


def test_every_input_is_tried_or_stands_on_too_much(copy: Copy) -> None:
    known = copy.connection.execute(
        "select unknown_name from renewals.known_unknowns where unknown_type = 'input'"
    ).fetchall()
    assert sorted(name for (name,) in known) == sorted(INPUTS)
    assert set(QUICK) <= set(INPUTS)
    assert (DECIDED_OTHERWISE.keys() | ALIKE.keys() | NULL_WITHOUT.keys()) <= set(INPUTS)
