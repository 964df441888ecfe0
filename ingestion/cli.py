"""`python -m ingestion`: loading by hand what the nightly run loads by itself.

Belongs here: arguments, and what a person reads. Must not be here: any rule.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ingestion import erasure, rejects, replay
from ingestion.billing import stripe
from ingestion.crm import hubspot, salesforce
from ingestion.desk import files
from ingestion.drift import PASSED
from ingestion.http import HttpError
from ingestion.lake import Lake, ensure_anchors
from ingestion.quality import gate
from ingestion.reports import LoadReport
from ingestion.settings import Settings, SettingsError, load_settings
from ingestion.usage import load as usage
from ingestion.usage.postgres_table import PostgresError

_RUNS: dict[str, Callable[..., LoadReport]] = {
    "stripe": stripe.run,
    "salesforce": salesforce.run,
    "hubspot": hubspot.run,
    "usage": usage.run,
    "desk": files.run,
}
_CHECKS: dict[str, Callable[[Settings], str]] = {
    "stripe": stripe.check,
    "salesforce": salesforce.check,
    "hubspot": hubspot.check,
    "usage": usage.check,
    "desk": files.check,
}
_RECONCILES: dict[str, Callable[..., LoadReport]] = {
    "stripe": stripe.reconcile,
    "salesforce": salesforce.reconcile,
    "hubspot": hubspot.reconcile,
}
_FINE, _FAILED, _WRONG_USE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        0 if it went well, 1 if it did not, 2 if it was asked wrongly.
    """
    given = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        return int(given.act(settings, given))
    except (SettingsError, ValueError, KeyError) as error:
        _say(str(error.args[0] if isinstance(error, KeyError) else error))
        return _WRONG_USE
    except (HttpError, PostgresError) as error:
        _say(f"{error}")
        return _FAILED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ingestion", description="Load the lake.")
    commands = parser.add_subparsers(required=True, metavar="command")

    load = commands.add_parser("load", help="load what is new of a source, or of all")
    load.add_argument("source", choices=[*_RUNS, "all"])
    load.set_defaults(act=_load)

    backfill = commands.add_parser("backfill", help="read a window of days again")
    backfill.add_argument("source", choices=["stripe", "salesforce", "hubspot", "usage"])
    backfill.add_argument("table", help="a table or object; `events` for usage")
    backfill.add_argument("--from", dest="first", type=date.fromisoformat, required=True)
    backfill.add_argument("--to", dest="last", type=date.fromisoformat, required=True)
    backfill.set_defaults(act=_backfill)

    reset = commands.add_parser("reset", help="forget how far one table was read")
    reset.add_argument("source", choices=list(_RUNS))
    reset.add_argument("table")
    reset.set_defaults(act=_reset)

    again = commands.add_parser("replay-rejects", help="try rejected rows again")
    again.add_argument("source", nargs="?", choices=list(_RUNS))
    again.set_defaults(act=_replay)

    accept = commands.add_parser("accept", help="let loads through that failed their expectations")
    accept.add_argument("source", choices=list(_RUNS))
    accept.add_argument("--reason", required=True, help="kept with the results")
    accept.set_defaults(act=_accept)

    reconcile = commands.add_parser(
        "reconcile", help="look for records that a source has erased for good"
    )
    reconcile.add_argument("source", choices=list(_RECONCILES))
    reconcile.add_argument("table", help="a table or object")
    reconcile.add_argument(
        "--limit", type=float, help="share of the records that may be gone (default: the setting)"
    )
    reconcile.set_defaults(act=_reconcile)

    erase = commands.add_parser("erase", help="erase a person from what has landed")
    erase.add_argument("--contact", required=True, help="id of one of the person's contacts")
    erase.add_argument(
        "--email-file", type=Path, help="further addresses and numbers of the person, one a line"
    )
    erase.set_defaults(act=_erase)

    check = commands.add_parser("check", help="check settings and connections")
    check.set_defaults(act=_check)
    return parser


def _load(settings: Settings, given: argparse.Namespace) -> int:
    lake = Lake.at(settings.home)
    names = settings.sources if given.source == "all" else (given.source,)
    outcome = _FINE
    for name in names:
        if name not in settings.sources:
            _say(f"{name} is not configured. Configured: {', '.join(settings.sources)}.")
            return _WRONG_USE
        report = _RUNS[name](settings, lake, run_id=_run_id(), as_of=_yesterday(), progress=_say)
        _tell(report)
        outcome = _FAILED if report.blocked else outcome
        for source, loads in report.loads_by_source().items():
            result = gate.check_load(lake, source, loads)
            for failure in result.failures():
                _say(f"  {'FAILED' if failure.is_blocking else 'note'}: {failure.message}")
            outcome = outcome if result.passed else _FAILED
    return outcome


def _backfill(settings: Settings, given: argparse.Namespace) -> int:
    if given.first > given.last:
        raise ValueError("--from lies after --to. Swap them.")
    lake = Lake.at(settings.home)
    window = {"first": given.first, "last": given.last, "run_id": _run_id(), "progress": _say}
    if given.source == "usage":
        _tell(usage.backfill(settings, lake, **window))
    elif given.source == "stripe":
        _tell(stripe.backfill(settings, lake, resource=given.table, **window))
    elif given.source == "hubspot":
        _tell(hubspot.backfill(settings, lake, resource=given.table, **window))
    else:
        _tell(salesforce.backfill(settings, lake, resource=given.table, **window))
    return _FINE


def _reset(settings: Settings, given: argparse.Namespace) -> int:
    lake = Lake.at(settings.home)
    run_id = _run_id()
    if given.source == "stripe":
        stripe.reset(lake, resource=given.table, run_id=run_id)
    elif given.source == "salesforce":
        salesforce.reset(settings, lake, resource=given.table, run_id=run_id)
    elif given.source == "hubspot":
        hubspot.reset(settings, lake, resource=given.table, run_id=run_id)
    elif given.source == "desk":
        files.reset(lake, resource=given.table, run_id=run_id)
    else:
        usage.reset(lake, given.table, run_id=run_id)
    _say(f"{given.source}: {given.table} is read in full at the next load; nothing was deleted.")
    return _FINE


def _reconcile(settings: Settings, given: argparse.Namespace) -> int:
    limit = settings.deletion_limit if given.limit is None else given.limit
    if not 0 <= limit <= 1:
        raise ValueError(f"--limit is {limit:g}. Write a share from 0 to 1.")
    report = _RECONCILES[given.source](
        settings,
        Lake.at(settings.home),
        resource=given.table,
        limit=limit,
        run_id=_run_id(),
        as_of=_yesterday(),
        progress=_say,
    )
    _tell(report)
    deleted = sum(t.deletes for t in report.tables.values())
    _say(f"{given.source}: {deleted:,} records are marked as deleted now.")
    return _FAILED if report.blocked else _FINE


def _erase(settings: Settings, given: argparse.Namespace) -> int:
    also: list[str] = []
    if given.email_file is not None:
        if not given.email_file.is_file():
            raise ValueError(f"--email-file names {given.email_file}, which is no file.")
        also = erasure.read_values(given.email_file.read_text("utf-8").splitlines())
    lake = Lake.at(settings.home)
    done = erasure.erase(lake, [given.contact], also=also, as_of=_yesterday(), progress=_say)
    _say(
        f"{len(done.contacts)} contacts are settled, {done.rows:,} rows in {done.files:,} files "
        "rewritten. The next night rebuilds the warehouse and takes the person out of the nights "
        "that are kept; `python -m publishing erase` does so now."
    )
    return _FINE


def _accept(settings: Settings, given: argparse.Namespace) -> int:
    held = gate.accept(Lake.at(settings.home), given.source, given.reason)
    _say(f"{given.source}: {len(held)} loads let through.")
    return _FINE


def _replay(settings: Settings, given: argparse.Namespace) -> int:
    lake = Lake.at(settings.home)
    names = [given.source] if given.source else list(rejects.SOURCES)
    for name in names:
        outcome = replay.run(settings, lake, name, run_id=_run_id(), progress=_say)
        if outcome.tried:
            _say(f"{name}: {outcome.landed:,} of {outcome.tried:,} rejected rows landed now.")
        for note in outcome.notes:
            _say(f"  {note}")
    return _FINE


def _check(settings: Settings, given: argparse.Namespace) -> int:
    del given
    _say(f"Settings are complete (from {settings.origin}); state is kept in {settings.home}.")
    ensure_anchors(Lake.at(settings.home))
    outcome = _FINE
    for name in settings.sources:
        try:
            _say(_CHECKS[name](settings))
        except (HttpError, PostgresError, SettingsError, ValueError) as error:
            _say(f"{name} does not answer as it should: {error}")
            outcome = _FAILED
    return outcome


def _tell(report: LoadReport) -> None:
    _say(report.summary())
    for line in (*report.notes, *(c.sentence() for c in report.changes if c.outcome == PASSED)):
        _say(f"  {line}")
    for reason in report.blocked:
        _say(f"  BLOCKED: {reason}")


def _run_id() -> str:
    return f"manual-{uuid.uuid4().hex[:12]}"


def _yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
