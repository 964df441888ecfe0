"""Every metric has one figure: through MetricFlow, DuckDB, Parquet, PostgreSQL and on the pages.

MetricFlow asks the marts that a metric is defined over. The SQL here follows the written definition
over other marts of the night, and runs unchanged on the file, on Parquet and on PostgreSQL.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import duckdb
import pytest
from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
from metricflow.protocols.sql_client import SqlClient, SqlEngine
from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
from metricflow.sql.render.sql_plan_renderer import SqlPlanRenderer
from metricflow_semantics.model.dbt_manifest_parser import (
    parse_manifest_from_dbt_generated_manifest,
)
from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
from pydantic import SecretStr

from dashboards.filters import Filters
from dashboards.night import Night, current, open_night
from dashboards.queries import renewals, revenue, today
from orchestration.dbt import load_manifest, load_semantic_manifest, mart_contracts
from publishing.postgres import PostgresSettings, publish_to_postgres
from publishing.publish import Published, PublishedTable, read_manifest
from sample_company.servers.postgres import PostgresServer
from tests.end_to_end.conftest import NightOutcome

Figures = dict[tuple[str, ...], float]
Shown = Callable[[Night, Filters], Any]
Ask = Callable[[str], Figures]

_LAST = "(select max(month_end_on) from core.fct_account_months)"
_YEAR_BEFORE = f"(cast(date_trunc('month', {_LAST}) - interval '11 months' as date) - 1)"
_SEGMENT = "coalesce(now.segment, '(unknown)')"
_NOW = f"from core.fct_account_months as now where now.month_end_on = {_LAST}"
_PAIRS = f"""
    from core.fct_account_months as now
    inner join core.fct_account_months as past on past.account_id = now.account_id
    where now.month_end_on = {_LAST} and past.month_end_on = {_YEAR_BEFORE}
        and past.closing_mrr_usd > 0
"""
_CALENDAR = """
    from renewals.renewal_calendar where terms_renewed + terms_lost > 0
"""
_KEPT = "sum(least(now.closing_mrr_usd, past.closing_mrr_usd))"
_BASE = "sum(past.closing_mrr_usd)"
_LOST = "sum(case when now.closing_mrr_usd = 0 then 1 else 0 end)"
_KNOWN = f"{_NOW} and now.licences > 0 and now.active_users_28d is not null"
_BY_TERM = ("metric_time__month", "renewal__segment", "renewal__attention_band")


@dataclass(frozen=True)
class Metric:
    """How a metric is asked of MetricFlow, and what the marts say.

    Attributes:
        by: what MetricFlow groups by.
        sql: the same groups as columns, the figure last.
    """

    by: tuple[str, ...]
    sql: str


def _revenue(figure: str, source: str = _PAIRS) -> Metric:
    return Metric(("revenue__segment",), f"select {_SEGMENT}, {figure} {source} group by 1")


def _term(figure: str, more: str = "") -> Metric:
    month = "cast(date_trunc('month', due_month) as date)"
    return Metric(_BY_TERM, f"select {month}, segment, attention_band, {figure} {_CALENDAR} {more}")


def _risk(figure: str, where: str) -> Metric:
    segment = "coalesce(segment, '(unknown)')"
    sql = f"select {segment}, {figure} from renewals.churn_risk where {where} group by 1"
    return Metric(("risk__segment",), sql)


def _adoption(figure: str) -> Metric:
    return Metric(("adoption__segment",), f"select {_SEGMENT}, {figure} {_KNOWN} group by 1")


METRICS: Mapping[str, Metric] = {
    "mrr": _revenue("sum(now.closing_mrr_usd)", _NOW),
    "arr": _revenue("12 * sum(now.closing_mrr_usd)", _NOW),
    "paying_accounts": _revenue("sum(case when now.closing_mrr_usd > 0 then 1 else 0 end)", _NOW),
    "base_mrr_12m": _revenue(_BASE),
    "now_mrr_12m": _revenue("sum(now.closing_mrr_usd)"),
    "kept_mrr_12m": _revenue(_KEPT),
    "nrr_12m": _revenue(f"cast(sum(now.closing_mrr_usd) as double precision) / {_BASE}"),
    "grr_12m": _revenue(f"cast({_KEPT} as double precision) / {_BASE}"),
    "base_accounts_12m": _revenue("count(*)"),
    "lost_accounts_12m": _revenue(_LOST),
    "logo_churn_12m": _revenue(f"cast({_LOST} as double precision) / count(*)"),
    "renewals_decided": _term("terms_renewed + terms_lost"),
    "renewals_made": _term("terms_renewed"),
    "renewal_rate_logo": _term("logo_renewal_rate"),
    "renewal_arr_decided": Metric(
        ("metric_time__year",),
        "select cast(date_trunc('year', due_on) as date), sum(due_arr_usd)"
        " from core.fct_contract_terms where is_final"
        " and (outcome = 'lost' or outcome like 'renewed%') group by 1",
    ),
    "renewal_arr_kept": _term("renewed_arr_usd"),
    "renewal_rate_amount": _term("money_renewal_rate", "and money_renewal_rate is not null"),
    "at_risk_arr": _risk("sum(arr_usd)", "is_at_risk"),
    "at_risk_accounts": _risk("count(*)", "is_at_risk"),
    "expected_loss": _risk("sum(expected_loss_arr_usd)", "expected_loss_arr_usd is not null"),
    "active_users": _adoption("sum(now.active_users_28d)"),
    "licences": _adoption("sum(now.licences)"),
    "utilisation": _adoption(
        "cast(sum(now.active_users_28d) as double precision) / sum(now.licences)"
    ),
}


class _Client:
    """What MetricFlow wants of a database, over one open file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    @property
    def sql_engine_type(self) -> SqlEngine:
        return SqlEngine.DUCKDB

    @property
    def sql_plan_renderer(self) -> SqlPlanRenderer:
        return DuckDbSqlPlanRenderer()


@pytest.fixture(scope="module")
def file(night: NightOutcome) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published file, by the name that the project knows it by."""
    with duckdb.connect(str(night.database), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def engine(file: duckdb.DuckDBPyConnection) -> MetricFlowEngine:
    """MetricFlow over the published file."""
    manifest = parse_manifest_from_dbt_generated_manifest(load_semantic_manifest())
    client: SqlClient = _Client(file)  # type: ignore[assignment]  # it explains and runs nothing
    return MetricFlowEngine(SemanticManifestLookup(manifest), client)


@pytest.fixture(scope="module")
def parquet(night: NightOutcome) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published Parquet files, by their folders and names."""
    with duckdb.connect() as connection:
        for path in sorted((night.database.parent / "parquet").glob("*/*.parquet")):
            schema, name = path.parent.name, path.stem
            connection.execute(f'create schema if not exists "{schema}"')
            connection.execute(f'create view "{schema}"."{name}" as from read_parquet(\'{path}\')')
        yield connection


@pytest.fixture(scope="module")
def server(night: NightOutcome) -> Iterator[Any]:
    """A PostgreSQL server that shows the whole night."""
    folder = night.database.parent.resolve()
    told = read_manifest(folder)
    tables = {name: PublishedTable(**table) for name, table in told["tables"].items()}
    published = Published(folder, night.as_of, told["run_id"], tables)
    contracts = mart_contracts(load_manifest())
    with PostgresServer() as running:
        running.create_database("retention")
        settings = PostgresSettings(SecretStr(running.url("retention")))
        done = publish_to_postgres(settings, published, contracts)
        assert done.rows == {name: table.row_count for name, table in tables.items()}
        with postgresql.connect(running.url("retention")) as connection:
            yield connection


@pytest.fixture(scope="module")
def page_night(night: NightOutcome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """The night as the pages in the browser open it: of a copy, for they open it their own way."""
    published = tmp_path_factory.mktemp("pages") / "published"
    shown = night.database.parent.resolve()
    (published / shown.name).mkdir(parents=True)
    for name in ("tenure.duckdb", "manifest.json"):
        shutil.copy(shown / name, published / shown.name / name)
    (published / "current").symlink_to(shown.name)
    opened = open_night(current(published))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def ways(
    file: duckdb.DuckDBPyConnection, parquet: duckdb.DuckDBPyConnection, server: Any
) -> dict[str, Ask]:
    """The ways of asking SQL."""

    def ask(connection: Any) -> Ask:
        def of(sql: str) -> Figures:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return figures(cursor.fetchall())

        return of

    return {"duckdb": ask(file), "parquet": ask(parquet), "postgresql": ask(server)}


def figures(rows: Any) -> Figures:
    """Figures by their groups; periods are told by their first day, nothing is as good as zero."""
    told = {tuple(str(k)[:10] for k in row[:-1]): float(row[-1] or 0) for row in rows}
    return {group: figure for group, figure in told.items() if figure}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_is_the_same_everywhere(
    name: str, engine: MetricFlowEngine, file: duckdb.DuckDBPyConnection, ways: dict[str, Ask]
) -> None:
    metric = METRICS[name]
    request = MetricFlowQueryRequest.create(metric_names=[name], group_by_names=list(metric.by))
    asked = figures(file.execute(engine.explain(request).sql_statement.sql).fetchall())
    assert asked
    for way, ask in ways.items():
        assert ask(metric.sql) == pytest.approx(asked, rel=1e-9, abs=1e-9), way


def _state(column: str) -> Shown:
    """A figure of the revenue page, at the newest month."""

    def of(night: Night, filters: Filters) -> Any:
        last = revenue.months(night)["month"].max().date()
        return revenue.series(night, filters, last, last)[column].sum()

    return of


def _outlook(column: str) -> Shown:
    """A figure of the renewals page, over all months."""

    def of(night: Night, filters: Filters) -> Any:
        months = renewals.months(night)["due_month"]
        first, last = months.min().date(), months.max().date()
        return renewals.outlook(night, filters, first, last)[column].sum()

    return of


def _today(column: str) -> Shown:
    """A figure of the page of today."""
    return lambda night, filters: today.headline(night, filters)[column].sum()


#: What pages show of a metric, and what MetricFlow calls the segment there.
ON_PAGES: Mapping[str, tuple[str, Shown]] = {
    "mrr": ("revenue", _state("mrr_usd")),
    "arr": ("revenue", _state("arr_usd")),
    "paying_accounts": ("revenue", _state("paying_accounts")),
    "nrr_12m": ("revenue", _state("nrr")),
    "grr_12m": ("revenue", _state("grr")),
    "logo_churn_12m": ("revenue", _state("logo_churn")),
    "renewal_rate_logo": ("renewal", _outlook("logo_rate")),
    "renewal_rate_amount": ("renewal", _outlook("money_rate")),
    "at_risk_arr": ("risk", _today("at_risk_arr_usd")),
    "at_risk_accounts": ("risk", _today("at_risk")),
    "expected_loss": ("risk", _today("expected_loss_usd")),
}


@pytest.mark.parametrize("name", ON_PAGES)
def test_the_pages_show_the_same(
    name: str, engine: MetricFlowEngine, file: duckdb.DuckDBPyConnection, page_night: Night
) -> None:
    owner, shown = ON_PAGES[name]
    request = MetricFlowQueryRequest.create(
        metric_names=[name], group_by_names=[f"{owner}__segment"]
    )
    asked = figures(file.execute(engine.explain(request).sql_statement.sql).fetchall())
    assert asked
    pages = {segment: float(shown(page_night, Filters(segment=segment[0]))) for segment in asked}
    assert pages == pytest.approx(asked, rel=1e-9)


def test_a_quarter_shows_its_last_month_end(
    engine: MetricFlowEngine, file: duckdb.DuckDBPyConnection, ways: dict[str, Ask]
) -> None:
    request = MetricFlowQueryRequest.create(
        metric_names=["mrr"], group_by_names=["metric_time__quarter"]
    )
    asked = figures(file.execute(engine.explain(request).sql_statement.sql).fetchall())
    quarter = "cast(date_trunc('quarter', month) as date)"
    shown = ways["postgresql"](
        f"select {quarter}, sum(closing_mrr_usd) from cohorts.revenue_retention where month in"
        f" (select max(month) from cohorts.revenue_retention group by {quarter}) group by 1"
    )
    assert len(asked) > 4
    assert shown == pytest.approx(asked, rel=1e-9)


def test_every_metric_is_compared(engine: MetricFlowEngine) -> None:
    assert {metric.name for metric in engine.list_metrics()} == set(METRICS)
