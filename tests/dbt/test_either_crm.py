"""One company through Salesforce and through HubSpot is the same to every model behind them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ingestion.billing import stripe
from ingestion.crm import hubspot, salesforce
from ingestion.desk import files
from ingestion.lake import Lake
from ingestion.settings import load_settings
from sample_company.servers.hubspot_ids import as_hubspot_customer, renamed
from sample_company.testing import running
from sample_company.world.build import World, build_world
from sample_company.world.config import WorldConfig
from tests.truth.compare import compare_mrr
from tests.warehouse import Warehouse

MONTHS = "intermediate.int_subscription_item_months"
MODELS = "+path:models/inputs/crm +int_subscription_item_months"
# All models, without what is said and tested of them.
# Input -> what names a row in it.
KEYS = {
    "accounts": ["account_id"],
    "account_merges": ["losing_account_id"],
    "account_owners": ["account_id", "owned_from"],
    "contacts": ["contact_id"],
    "contact_states": ["contact_id", "valid_from"],
    "employments": ["contact_id", "started_on"],
    "employees": ["employee_id"],
    "opportunities": ["opportunity_id"],
    "opportunity_contacts": ["opportunity_id", "contact_id", "role"],
    "activities": ["activity_id"],
    "activity_participants": ["activity_id", "contact_id"],
    "cases": ["case_id"],
    "campaigns": ["campaign_id"],
    "campaign_members": ["campaign_id", "contact_id"],
}
# What one of the two does not keep: Salesforce's tasks have no length, ids of spells hold those of
# contacts, and HubSpot tells when somebody's leaving was entered where Salesforce has to guess.
APART = {
    "activities": ["duration_minutes"],
    "employments": ["employment_id", "end_known_at"],
    "contacts": ["former_contact_id"],
}


@dataclass(frozen=True)
class Seen:
    """What one CRM told: inputs by name, revenue by month, and the world under its ids."""

    inputs: dict[str, pd.DataFrame]
    months: pd.DataFrame
    world: World


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """A company of thirty accounts, landed and built twice."""
    world = build_world(
        WorldConfig(
            size="custom", accounts=70, seed=2, start=date(2023, 1, 1), horizon=date(2025, 12, 31)
        )
    )
    folder = tmp_path_factory.mktemp("either")
    warehouse = Warehouse(folder)
    told = {}
    with pytest.MonkeyPatch.context() as environment:
        for crm, connector in (("salesforce", salesforce), ("hubspot", hubspot)):
            warehouse.clear()
            served = _land(world, crm, connector, folder, environment)
            warehouse.build(MODELS, world.config.last_day.isoformat())
            told[crm] = Seen(
                {name: warehouse.frame(f"select * from inputs.input_{name}") for name in KEYS},
                warehouse.frame(
                    "select account_id, month_end_on, sum(mrr_usd) as closing_mrr_usd"
                    f" from {MONTHS} group by all"
                ),
                served,
            )
    return told


def _land(
    world: World, crm: Any, connector: Any, home: Path, environment: pytest.MonkeyPatch
) -> World:
    with running(world, event_days=0, crm=crm) as company:
        for name in list(company):
            if name.startswith("TENURE") and name != "TENURE_DESK_PATH":
                continue
            environment.setenv(name, company[name])
        environment.setenv("TENURE_HOME", str(home))
        settings = load_settings()
        for source in (connector, stripe, files):
            report = source.run(
                settings,
                Lake.at(home),
                run_id="run",
                as_of=world.config.last_day,
                progress=lambda _: None,
            )
            assert not report.blocked, report.blocked
        for name in company:
            environment.delenv(name, raising=False)
        return company.world


def _comparable(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Text of everything: instants to the second, which is as fine as Salesforce's go."""
    shown = {}
    for column in frame.columns.difference(APART.get(name, [])):
        values = frame[column]
        if isinstance(values.dtype, pd.DatetimeTZDtype):
            values = values.dt.floor("s")
        shown[column] = values.astype(object).where(values.notna(), None).map(str)
    return pd.DataFrame(shown)


@pytest.mark.parametrize("name", KEYS)
def test_an_input_says_the_same_of_both(name: str, seen: dict[str, Seen]) -> None:
    expected = _comparable(renamed({name: seen["salesforce"].inputs[name]})[name], name)
    found = _comparable(seen["hubspot"].inputs[name], name)
    # Of what was merged away before the first load HubSpot has the id, and nothing else.
    merged = set(seen["hubspot"].inputs["account_merges"]["losing_account_id"])
    contacts = seen["hubspot"].inputs["contacts"]
    merged |= set(contacts.loc[contacts["merged_into_contact_id"].notna(), "contact_id"])
    if name in ("accounts", "contacts"):
        assert set(found[KEYS[name][0]]) == set(expected[KEYS[name][0]])
    if name in ("accounts", "contacts", "account_owners", "contact_states", "employments"):
        found = found[~found[KEYS[name][0]].isin(merged)]
        expected = expected[~expected[KEYS[name][0]].isin(merged)]
    assert len(expected) > 0 or name == "account_merges"
    order = KEYS[name]
    pd.testing.assert_frame_equal(
        found.sort_values(order).reset_index(drop=True),
        expected.sort_values(order).reset_index(drop=True),
    )


@pytest.mark.parametrize("crm", ["salesforce", "hubspot"])
def test_revenue_is_exact_through_either(crm: str, seen: dict[str, Seen]) -> None:
    told = seen[crm]
    differences = compare_mrr(told.months, told.world.truth["truth_mrr"])
    assert len(told.months) > 100
    assert differences.empty, differences.head(20).to_string()


def test_the_world_seen_through_hubspot_has_no_other_ids(seen: dict[str, Seen]) -> None:
    plain = set(seen["salesforce"].world.truth["truth_mrr"]["account_id"])
    world = as_hubspot_customer(seen["salesforce"].world)
    other = set(world.truth["truth_mrr"]["account_id"])
    assert len(plain) == len(other)
    assert all(key.isdigit() for key in other)
    assert other == set(seen["hubspot"].world.truth["truth_mrr"]["account_id"])
