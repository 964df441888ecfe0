"""Usage from wherever it is configured: event files, a table of PostgreSQL, monthly aggregates.

Belongs here: which ways in there are, and one report of them all. Must not be here: any way in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from datetime import date

from ingestion.lake import Lake
from ingestion.reports import LoadReport, TableReport
from ingestion.settings import Settings
from ingestion.usage import event_files, monthly, postgres
from ingestion.usage.event_landing import EVENTS


def run(
    settings: Settings,
    lake: Lake,
    *,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
) -> LoadReport:
    """Loads what is new, by every way that is configured; arguments as for each of them."""
    given = {"run_id": run_id, "as_of": as_of, "progress": progress}
    report = event_files.run(settings, lake, **given)  # type: ignore[arg-type]
    return _together(report, postgres.run(settings, lake, **given))  # type: ignore[arg-type]


def backfill(
    settings: Settings,
    lake: Lake,
    *,
    first: date,
    last: date,
    run_id: str,
    progress: Callable[[str], None],
) -> LoadReport:
    """Loads events again that were received from `first` to `last` (UTC), by every way."""
    report = event_files.backfill(
        settings, lake, first=first, last=last, run_id=run_id, progress=progress
    )
    more = postgres.backfill(
        settings, lake, first=first, last=last, run_id=run_id, progress=progress
    )
    return _together(report, more)


def reset(lake: Lake, table: str, *, run_id: str) -> LoadReport:
    """Forgets how far a table was read.

    Raises:
        ValueError: there is no such table.
    """
    if table == monthly.TABLE:
        return monthly.reset(lake, run_id=run_id)
    if table != EVENTS:
        raise ValueError(f"Usage has no table {table!r}. Choose events or usage_monthly.")
    return _together(event_files.reset(lake, run_id=run_id), postgres.reset(lake, run_id=run_id))


def check(settings: Settings) -> str:
    """Looks at every way in; returns what a person should read."""
    usage = settings.usage
    told = []
    if usage is None or usage.events_path is not None or usage.monthly_path is not None:
        told.append(event_files.check(settings))
    if usage is not None and usage.postgres is not None:
        told.append(postgres.check(settings))
    return " ".join(told)


def _together(report: LoadReport, more: LoadReport) -> LoadReport:
    for field in fields(LoadReport):
        own, other = getattr(report, field.name), getattr(more, field.name)
        if isinstance(own, list):
            own.extend(one for one in other if one not in own)
        elif isinstance(own, bool | float):
            setattr(report, field.name, own or other if isinstance(own, bool) else own + other)
    for name, told in more.tables.items():
        mine = report.table(name)
        for field in fields(TableReport):
            total = getattr(mine, field.name) + getattr(told, field.name)
            setattr(mine, field.name, total)
    for source, loads in more.other_loads.items():
        report.other_loads.setdefault(source, []).extend(loads)
    return report
