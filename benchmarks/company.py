"""The company that is measured: lived through by the simulator, landed, and built by dbt.

Belongs here: how a company gets into a warehouse, and what no source told of it that a company in
service has. Must not be here: sizes beyond it, what is measured.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from benchmarks import build
from benchmarks.plain import Place
from ingestion.billing import stripe
from ingestion.crm import salesforce
from ingestion.desk import files as desk
from ingestion.lake import Lake
from ingestion.settings import load_settings
from ingestion.usage import load as usage
from sample_company import testing
from sample_company.world.build import build_world
from sample_company.world.config import WorldConfig

#: Fifteen years. Accounts are won over all of them, so that one is followed for a part of them.
START = date(2011, 1, 1)
LAST_DAY = date(2025, 12, 31)
SEED = 1


def land_and_build(folder: Path, accounts: int, models: Sequence[str]) -> Path:
    """Make a company and build models, with all they read, into `<folder>/tenure.duckdb`.

    Raw events are not landed: usage comes as sums of a month.

    Args:
        folder: for lake and warehouse; is created.
        accounts: customers won over the years.
        models: names of the models.

    Returns:
        The database.

    Raises:
        RuntimeError: dbt could not build.
    """
    world = build_world(
        WorldConfig(size="custom", seed=SEED, accounts=accounts, start=START, horizon=LAST_DAY)
    )
    folder.mkdir(parents=True, exist_ok=True)
    with testing.running(world, event_days=0) as company:
        os.environ.update({**company, "TENURE_HOME": str(folder)})
        settings = load_settings()
        lake = Lake.at(settings.home)
        for run in (desk.run, salesforce.run, stripe.run, usage.run):
            run(settings, lake, run_id="benchmark", as_of=LAST_DAY, progress=_silent)
    place = Place(folder, LAST_DAY)
    build.by_dbt(place, "build", [f"+{name}" for name in models])
    _add_what_nights_append(place.database)
    build.by_dbt(place, "run", models)
    return place.database


def _add_what_nights_append(database: Path) -> None:
    """Close every month as it is known now, and score every paying account at every month-end.

    Nights would have appended both. The probabilities are arbitrary: the work of looking them up
    depends on how many there are.
    """
    with duckdb.connect(str(database)) as connection:
        connection.execute("set timezone = 'UTC'")
        read = {name for (name,) in connection.execute(_READ).fetchall()}
        for name, rows in {"stg_closes__month_closes": _CLOSES, **_SCORES}.items():
            if name not in read:
                continue
            columns = connection.execute(f"describe staging.{name}").fetchall()
            typed = ", ".join(f'"{column}" {kind}' for column, kind, *_ in columns)
            connection.execute(f"drop view staging.{name}")
            connection.execute(f"create table staging.{name} ({typed})")
            connection.execute(f"insert into staging.{name} by name {rows}")


_READ = "select view_name from duckdb_views() where schema_name = 'staging'"
_CLOSES = """
    select
        money.account_id, money.month_end_on as month, months.reported_from_on as closed_on,
        'live' as basis, money.opening_mrr_usd, money.new_usd, money.reactivation_usd,
        money.expansion_usd, money.contraction_usd, money.churn_usd, money.pause_out_usd,
        money.pause_in_usd, money.merge_transfer_usd, money.closing_mrr_usd,
        money.mrr_12m_before_usd
    from intermediate.int_account_month_money as money
    inner join intermediate.int_month_ends as months on money.month_end_on = months.month_end_on
    where
        money.opening_mrr_usd <> 0 or money.closing_mrr_usd <> 0 or money.merge_transfer_usd <> 0
        or coalesce(money.mrr_12m_before_usd, 0) <> 0
"""
_SCORES = {
    "stg_scores__churn_score_history": """
        select
            'next_renewal' as head, 'benchmark' as model_version, month_end_on as as_of, account_id,
            hash(account_id, month_end_on) % 1000 / 1000.0 as p,
            case when p < 0.1 then 'low' when p < 0.3 then 'medium' else 'high' end as band,
            'model' as serves, true as is_backfill
        from core.fct_account_months
        where is_paying
    """,
    "stg_scores__arr_multiple_history": """
        select
            'arr_multiple' as head, 'benchmark' as model_version, month_end_on as as_of, account_id,
            1 + hash(account_id, month_end_on) % 300 / 1000.0 as multiple,
            'model' as serves, true as is_backfill
        from core.fct_account_months
        where is_paying
    """,
}


def _silent(_: str) -> None:
    """No progress wanted."""
