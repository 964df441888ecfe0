"""When findings are made, and that they are made once.

What is found is in `tests/scoring` and, held against the truth, in `tests/truth`; here a warehouse
holds no more than the steps read.
"""

from __future__ import annotations

import datetime as dt

import dagster as dg
import duckdb
import pandas as pd
import pytest

from ingestion.lake import Lake, ensure_anchors
from orchestration.assets.findings import findings_assets
from orchestration.installation import Installation, Night
from scoring import findings, history
from tests.scoring.test_findings import company, programme

TABLES = (findings.ACTIONS, findings.TRIGGERS, findings.PROGRAMS)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    home = tmp_path_factory.mktemp("findings")
    ensure_anchors(Lake.at(home))
    installation = Installation(home=str(home))
    installation.warehouse.parent.mkdir(parents=True)
    renewals, done, seen = company(accounts=200)
    enrolled, looks = programme(pull=0.7)
    renewals = renewals.rename(columns={"arr_usd": "due_arr_usd"}).assign(
        window_start_on=dt.date(2024, 1, 1), window_end_on=dt.date(2024, 3, 30)
    )
    enrolled = enrolled.drop(columns="is_comparable").assign(
        has_both_arms=False, known_at=pd.Timestamp("2023-01-01", tz="UTC")
    )
    features = pd.concat([seen, looks], ignore_index=True)
    features = features.assign(contract_term_id="none")
    programs = pd.DataFrame({"program_id": ["p"], "is_randomised": [False]})
    events = pd.DataFrame(
        {"account_id": ["a1"], "trigger_type": ["move"], "occurred_on": [dt.date(2024, 6, 1)]}
    )
    dated = pd.DataFrame(
        {"account_id": ["a1"], "action": ["seats_added"], "happened_on": [dt.date(2024, 6, 9)]}
    )
    months = pd.DataFrame(
        {
            "account_id": ["a1", "a1"],
            "month_end_on": [dt.date(2024, 1, 31), dt.date(2024, 12, 31)],
            "is_paying": [True, True],
        }
    )
    actions = pd.DataFrame({"action": ["review", "visit", "webinar"]})
    with duckdb.connect(str(installation.warehouse)) as connection:
        for name, frame in {
            "intermediate.int_renewal_decisions": renewals,
            "intermediate.int_renewal_actions": done,
            "intermediate.int_account_features": features,
            "intermediate.int_dated_actions": dated,
            "core.fct_trigger_events": events,
            "core.fct_account_months": months,
            "core.fct_program_enrolments": enrolled,
            "core.dim_programs": programs,
            "seeds.customer_actions": actions,
        }.items():
            connection.execute(f"create schema if not exists {name.split('.')[0]}")
            connection.register("given", frame)
            connection.execute(f"create table {name} as select * from given")
            for column in ("observed_before_on", "observed_on"):
                if column in frame:
                    connection.execute(f"alter table {name} alter {column} type date")
    return installation


def quarters(installation: Installation, as_of: str) -> dict[str, list[dt.date]]:
    """Quarters that have findings after a night."""
    assets = findings_assets()
    resources = {"installation": installation, "night": Night(as_of=as_of)}
    assert dg.materialize(assets, resources=resources, selection=assets).success
    return {
        table.name: sorted(set(history.read(installation.lake, ["as_of"], table)["as_of"]))
        for table in TABLES
    }


def test_quarters_are_found_once_each(installation: Installation) -> None:
    first = quarters(installation, "2024-12-31")
    newest = dt.date(2024, 9, 30)
    assert len(first["action_findings"]) == 4
    assert first["action_findings"][-1] == newest
    assert first["trigger_findings"] == first["program_findings"] == [newest]
    files = {p: p.read_bytes() for p in installation.lake.glob("scores/**/*.parquet")}
    assert quarters(installation, "2024-12-31") == quarters(installation, "2025-01-04") == first
    later = quarters(installation, "2025-01-05")
    due = dt.date(2024, 12, 31)
    assert later == {name: [*days, due] for name, days in first.items()}
    assert all(path.read_bytes() == content for path, content in files.items())
