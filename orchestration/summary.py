"""The words a night ends with.

Belongs here: layout of what was done and of the headlines, what readers see. Must not be here: how
a figure is found.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orchestration.progress import Facts
from publishing import headlines, nights
from publishing.headlines import Call, Headlines
from publishing.publish import read_manifest

WIDTH = 118


def text(as_of: date, home: Path, facts: Facts, seconds: float) -> str:
    """Return the closing summary of a published night."""
    current = home / "published" / "current"
    console = Console(file=io.StringIO(), width=WIDTH, highlight=False, color_system=None)
    console.print()
    console.print(_work(facts))
    figures = headlines.read(current / "tenure.duckdb", as_of)
    if figures is not None:
        console.print(_figures(figures), highlight=False)
        console.print(_calls(figures.calls))
    console.print(f"Published   {current}/tenure.duckdb   and {current}/parquet/", soft_wrap=True)
    console.print("Look        make dev   (Dagster, http://127.0.0.1:3000)")
    console.print(f"Night of {as_of} done in {seconds:.0f} s.")
    file = console.file
    return file.getvalue() if isinstance(file, io.StringIO) else ""


def failure_text(facts: Facts, reason: str, log: Path, shown: str) -> str:
    """Return the closing words of a night that failed; `shown` as `seen` says it."""
    failed = [phase.title for phase in facts.phases if not phase.is_ok]
    lines = [
        "",
        f"The night failed in: {', '.join(failed) or 'its start'}.",
        reason,
        *(f"check failed: {name}" for name in facts.checks_failed[:20]),
        "",
        shown,
        f"Mend the cause and run again: loads that finished are kept. Full log: {log}",
    ]
    return "\n".join(lines)


def seen(published: Path, run_id: str, *, with_postgres: bool) -> str:
    """Say what readers see after a run that failed, of the files and of PostgreSQL.

    Args:
        published: the folder of nights.
        run_id: the run; what it has published is shown although it failed afterwards.
        with_postgres: whether nights are shown in PostgreSQL as well, which is its last step.
    """
    folder = nights.current(published)
    if folder is None:
        return "Nothing has been published yet."
    night = read_manifest(folder)
    as_of = night["as_of"]
    if night["run_id"] == run_id:
        text = f"The files were published: their readers see this night, of {as_of}."
        if with_postgres:
            text += (
                " PostgreSQL shows what it showed before. When it answers again, "
                f"`make rollback TO={as_of}` shows this night there without building it anew."
            )
        return text
    if with_postgres:
        return (
            f"Readers of the files still see the night of {as_of}; PostgreSQL shows what it showed "
            "before."
        )
    return f"Readers still see the night of {as_of}."


def _work(facts: Facts) -> Table:
    table = Table(title="What was done", title_justify="left", box=None, pad_edge=False)
    for column, justify in (("phase", "left"), ("seconds", "right"), ("", "left")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    for phase in facts.phases:
        table.add_row(phase.title, f"{phase.seconds:.1f}", _detail(phase.step, facts))
    failed = len(facts.checks_failed)
    warned = len(facts.checks_warned)
    table.add_row("Checks", "", f"{facts.checks_passed} passed, {warned} warned, {failed} failed")
    return table


def _detail(step: str, facts: Facts) -> str:
    if not step.startswith("load_"):
        return ""
    source = step.removeprefix("load_")
    rows = _of(source, facts.rows)
    rejects = _of(source, facts.rejects)
    return f"{rows:,} rows loaded, {rejects:,} rejected"


def _of(source: str, counts: dict[str, int]) -> int:
    return sum(count for name, count in counts.items() if name.startswith(f"{source}/"))


def _figures(figures: Headlines) -> str:
    return (
        f"\nAt the close of {figures.month_end_on:%B %Y}: "
        f"MRR {_money(figures.mrr_usd)} from {figures.paying_accounts:,} accounts, "
        f"NRR {_share(figures.nrr_12m)}, GRR {_share(figures.grr_12m)} over 12 months\n"
        f"Due within 90 days: {figures.renewals_due} renewals, "
        f"{_money(figures.renewals_due_arr_usd)} ARR.   "
        f"At risk: {figures.accounts_at_risk} accounts, {_money(figures.at_risk_arr_usd)} ARR\n"
    )


def _calls(calls: Iterable[Call]) -> Table:
    table = Table(title="Call first", title_justify="left", box=None, pad_edge=False)
    table.add_column("account", max_width=24, no_wrap=True)
    for column in ("ARR", "due in", "p lost", "at stake"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("plan", no_wrap=True)
    table.add_column("why today")
    table.add_column("associated with")
    for call in calls:
        table.add_row(
            call.account,
            _money(call.arr_usd),
            "-" if call.days_to_renewal is None else f"{call.days_to_renewal} d",
            _share(call.p_lost),
            "-" if call.expected_loss_usd is None else _money(call.expected_loss_usd),
            "yes" if call.has_plan else "none",
            call.why_today or "most at stake",
            "; ".join(call.reasons[:1]),
        )
    return table


def _money(amount: Decimal) -> str:
    return f"${amount:,.0f}"


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.1%}"
