"""The command line of the sample company.

Belongs here: arguments, what is printed, exit codes. Does not belong here: what the commands do.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from sample_company import daemon
from sample_company.daemon import DaemonError, Plan
from sample_company.servers.drift import Kind as DriftKind
from sample_company.servers.drift import Service
from sample_company.servers.faults import Kind

if TYPE_CHECKING:
    from sample_company.world import WorldConfig

_DESCRIPTION = """\
A simulated company that sells software by subscription, to try Tenure on and to measure it against.
It is reached as real systems are: a Stripe API, a Salesforce (or HubSpot) API, event files (or a
PostgreSQL table) and spreadsheets, all on this machine. Everything it did is known exactly.
"""
_EPILOG = """\
Try it:
  python -m sample_company start            build it (a minute or two), serve it, write tenure.env
  make nightly                              let Tenure load it
  python -m sample_company status           what is running, where, since when
  python -m sample_company stop
Every command explains itself: python -m sample_company export --help
More in docs/sample-company.md: what the company is like and what is planted in it.
"""
_START = """\
Builds the company if need be, writes its files up to yesterday, serves it in the background on free
ports of this machine and writes the settings that point Tenure at it. Repeating it is harmless: if
the same company runs, its files are brought up to date and nothing else happens.
"""
_START_EXAMPLES = """\
examples:
  python -m sample_company start                          the demo company as of today
  python -m sample_company start --size small             a young company, ready sooner
  python -m sample_company start --crm hubspot            the demo company with HubSpot as its CRM
  python -m sample_company start --usage postgres         its raw events in a table of PostgreSQL
  python -m sample_company start --seed 2 --now 2026-06-30  another company, at a clock that stands
Then `make nightly` loads it into Tenure. It stops by itself after --idle-hours without a request.
What it writes lies in .sample_company/.
"""
_STOP = """\
Ends what `start` has begun; the settings file stays, and leads nowhere until the next start.
"""
_STOP_EXAMPLES = """\
What it has built stays in .sample_company/, so the next start takes seconds; `make clean` removes
it.
"""
_STATUS = """\
Says which company `start` has begun, since when, at which date its clock stands, and at which
addresses its systems answer.
"""
_STATUS_EXAMPLES = """\
Exit code 0 while it runs, 3 while it does not:
  python -m sample_company status || python -m sample_company start
"""
_SERVE = """\
Does what `start` does, but stays in this terminal and writes no settings file: to watch it, or to
run it under a supervisor of your own.
"""
_SERVE_EXAMPLES = """\
Prints the settings that point Tenure at it, and goes on until Ctrl-C:
  python -m sample_company serve --size small > small.env     then: TENURE_ENV_FILE=small.env ...
"""
_BUILD = """\
Builds a company without serving it, prints how many rows each table has, and writes what is asked
for. The tables are what the vendors' systems hold; the truth is what really happened, which no
connector can reach: only tests compare with it.
"""
_BUILD_EXAMPLES = """\
examples:
  python -m sample_company build --size small                       only look at the figures
  python -m sample_company build --size small --truth ./truth       a Parquet file a table
  python -m sample_company build --horizon 2026-06-30 --tables ./tables
"""
_EXPORT = """\
Writes the company's files without serving it.
With --size: event files by day received (Parquet, some days lines of JSON), monthly usage before
them, and the success desk's sheets, as `start` writes them.
With --accounts: raw events of a company of any size, all Parquet, for benchmarks. It is built in
blocks of 5,000 accounts and streamed, so memory stays below 4 GB up to 100,000 accounts, however
many events. Stopped half-way, the same command carries on.
"""
_EXPORT_EXAMPLES = """\
examples:
  python -m sample_company export --size small --out ./files
  python -m sample_company export --size demo --event-days 90 --now 2026-07-01 --out ./files
  python -m sample_company export --accounts 100000 --events-per-day 120000 --out ./bench
  python -m sample_company export --accounts 20000 --event-days 30 --tables --truth --out ./bench
"""
_FAULT = """\
Makes requests to the running company go wrong, to see how Tenure takes it. A rule holds for so many
requests (--count) after the first few (--skip) and is then spent.
  rate_limit    the vendor's answer over its limit     cut_body      an answer that stops half-way
  server_error  status 500                             slow          an answer after a second
  expire_token  the token ends, log in again           repeat_page   the page before, once more
  status        status 503                             clear         forget all rules
"""
_FAULT_EXAMPLES = """\
examples:
  python -m sample_company fault cut_body --service stripe --path /v1/invoices --count 2
  python -m sample_company fault expire_token --service salesforce --skip 5
  python -m sample_company fault clear
"""
_DRIFT = """\
Lets the running company change the shape of what it sends, to see what Tenure makes of it. A change
holds until `clear`; event files change from the next one on, for delivered files never do.
  new_column      a field more                   renamed_column  another name (--to)
  missing_column  a field less                   new_value       a new word (--to)
  nested_field    an object for a plain value    type_change     another type: --to text can still
  clear           all as it was before                           be read, --to unreadable cannot
What --object names: an object of the API as the vendor spells it (stripe subscriptions, salesforce
Opportunity, hubspot deals), a sheet (desk survey_responses), or events (usage).
"""
_DRIFT_EXAMPLES = """\
examples:
  python -m sample_company drift new_column --service stripe --object subscriptions
  python -m sample_company drift new_value --service stripe --object subscriptions --field status
      --to frozen
  python -m sample_company drift renamed_column --service salesforce --object Opportunity
      --field Amount --to Deal_Value__c
  python -m sample_company drift new_value --service hubspot --object deals --field dealtype
      --to upsell
  python -m sample_company drift missing_column --service desk --object survey_responses
      --field score
  python -m sample_company drift clear
"""
_PLOTS = """\
Draws what the company looks like: churn and net revenue retention by segment, survival, the season
of renewals, usage by weekday and hour, causes of loss, prices. Needs matplotlib (a developer's
dependency). The same company gives the same pictures.
"""
_PLOTS_EXAMPLES = """\
example:
  python -m sample_company plots --horizon 2026-06-30 --out docs/images/sample-company
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except DaemonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return code


class _Plain(argparse.RawDescriptionHelpFormatter):
    """Texts as they are written here, options in as many columns as the terminal has (to 100)."""

    def __init__(self, prog: str) -> None:
        columns = shutil.get_terminal_size((100, 24)).columns
        super().__init__(prog, width=min(columns, 100), max_help_position=30)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sample_company",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_Plain,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")

    def command(
        name: str, summary: str, text: str, examples: str, run: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name, help=summary, description=text, epilog=examples, formatter_class=_Plain
        )
        added.set_defaults(run=run)
        return added

    start = command(
        "start", "serve in the background and write the settings file", _START, _START_EXAMPLES,
        _start,
    )  # fmt: skip
    _world_options(start)
    _serve_options(start)
    start.add_argument(
        "--env-file", type=Path, default=None, metavar="FILE",
        help=f"settings file to write (default: TENURE_ENV_FILE, or {daemon.SETTINGS_FILE} in "
        "TENURE_HOME or the project); a file of somebody else is never overwritten",
    )  # fmt: skip
    start.add_argument(
        "--unless-configured", action="store_true",
        help="do nothing where the environment or the settings file names other systems",
    )  # fmt: skip

    stop = command("stop", "stop the background process", _STOP, _STOP_EXAMPLES, _stop)
    stop.add_argument("--quiet", action="store_true", help="say nothing")

    command("status", "what is running, where, since when", _STATUS, _STATUS_EXAMPLES, _status)

    serve = command(
        "serve", "serve in the foreground until interrupted", _SERVE, _SERVE_EXAMPLES, _serve
    )
    _world_options(serve)
    _serve_options(serve)
    serve.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)

    build = command(
        "build", "build a company, print its figures, write its truth", _BUILD, _BUILD_EXAMPLES,
        _build,
    )  # fmt: skip
    _world_options(build)
    build.add_argument("--horizon", type=date.fromisoformat, default=None, metavar="DATE",
                       help="last day that has happened (default: yesterday)")  # fmt: skip
    build.add_argument("--truth", type=Path, default=None, metavar="DIR",
                       help="write the truth tables there as Parquet")  # fmt: skip
    build.add_argument("--tables", type=Path, default=None, metavar="DIR",
                       help="write the world's tables there as Parquet")  # fmt: skip

    export = command(
        "export", "write event files and desk sheets, or a benchmark of any size", _EXPORT,
        _EXPORT_EXAMPLES, _export,
    )  # fmt: skip
    _world_options(export)
    export.add_argument("--now", type=parse_now, default=None, metavar="INSTANT",
                        help="the company's clock (date or ISO instant, UTC); files reach up to "
                        "the day before (default: today)")  # fmt: skip
    export.add_argument("--event-days", type=int, default=None, metavar="N",
                        help="raw events of the last N days only (default: 36 months)")  # fmt: skip
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    export.add_argument("--tables", action="store_true",
                        help="with --accounts: every table as well, a file a block")  # fmt: skip
    export.add_argument("--truth", action="store_true",
                        help="with --accounts: the truth as well, a file a block")  # fmt: skip
    export.add_argument("--workers", type=int, default=2, metavar="N",
                        help="with --accounts: processes at work at once (default: 2)")  # fmt: skip

    fault = command(
        "fault", "make requests to the running company go wrong", _FAULT, _FAULT_EXAMPLES, _fault
    )
    fault.add_argument("kind", choices=[*get_args(Kind), "clear"], metavar="kind",
                       help="what goes wrong, see above")  # fmt: skip
    fault.add_argument("--service", choices=["stripe", "salesforce", "hubspot"], default=None,
                       help="requests to this system only (default: to any)")  # fmt: skip
    fault.add_argument("--path", default="", metavar="REGEX",
                       help="requests whose path and query match only")  # fmt: skip
    fault.add_argument("--count", type=int, default=1, metavar="N",
                       help="how many requests go wrong (default: 1)")  # fmt: skip
    fault.add_argument("--skip", type=int, default=0, metavar="N",
                       help="how many pass before that (default: 0)")  # fmt: skip

    drift = command(
        "drift",
        "let the running company change the shape of its data",
        _DRIFT,
        _DRIFT_EXAMPLES,
        _drift,
    )
    drift.add_argument("kind", choices=[*get_args(DriftKind), "clear"], metavar="kind",
                       help="what changes, see above")  # fmt: skip
    drift.add_argument("--service", choices=get_args(Service), default=None,
                       help="whose shape (needed unless clear)")  # fmt: skip
    drift.add_argument("--object", default="", metavar="NAME",
                       help="object, sheet or events, see above (needed unless clear)")  # fmt: skip
    drift.add_argument("--field", default="", metavar="NAME",
                       help="field that changes; only new_column and nested_field go without: "
                       "they add loyalty_tier")  # fmt: skip
    drift.add_argument("--to", default="", metavar="WORD",
                       help="new name (renamed_column), new word (new_value), text or unreadable "
                       "(type_change)")  # fmt: skip

    plots = command("plots", "draw what the company looks like", _PLOTS, _PLOTS_EXAMPLES, _plots)
    _world_options(plots)
    plots.add_argument("--horizon", type=date.fromisoformat, default=None, metavar="DATE",
                       help="last day that has happened (default: yesterday)")  # fmt: skip
    plots.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    return parser


def _world_options(parser: argparse.ArgumentParser) -> None:
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--size", choices=["small", "demo"], default="demo",
        help="small: about 150 customers over four years; demo: about 1,500 over 15 (default)",
    )  # fmt: skip
    size.add_argument("--accounts", type=int, default=None, metavar="N",
                      help="another number of customers, won over 15 years")  # fmt: skip
    parser.add_argument("--events-per-day", type=int, default=None, metavar="M",
                        help="about how many raw usage events arrive a day at the end (default: "
                        "as many a customer as in the demo company)")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, metavar="S",
                        help="which company (default: 1)")  # fmt: skip


def _serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--event-days", type=int, default=None, metavar="N",
                        help="raw events of the last N days only (default: 36 months)")  # fmt: skip
    parser.add_argument(
        "--now", type=parse_now, default=None, metavar="INSTANT",
        help="a clock that stands still (date or ISO instant, UTC); default: 00:00 UTC of the "
        "current day, so that yesterday is complete",
    )  # fmt: skip
    parser.add_argument("--crm", choices=get_args(daemon.Crm), default="salesforce",
                        help="which CRM the company has (default: salesforce)")  # fmt: skip
    parser.add_argument("--usage", choices=get_args(daemon.UsagePlace), default="files",
                        help="where raw events are: event files, a table of a PostgreSQL that is "
                        "started with it, or both (default: files)")  # fmt: skip
    parser.add_argument("--idle-hours", type=float, default=6.0, metavar="H",
                        help="stop after so many hours without a request (default: 6)")  # fmt: skip


def parse_now(text: str) -> datetime:
    """A date or instant as an aware instant; without a zone it is UTC.

    Raises:
        argparse.ArgumentTypeError: it is neither.
    """
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no date or instant; write 2026-06-30 or 2026-06-30T00:00:00Z"
        ) from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        size=options.size,
        seed=options.seed,
        accounts=options.accounts,
        events_per_day=options.events_per_day,
        event_days=options.event_days,
        crm=options.crm,
        usage=options.usage,
        now=options.now,
        idle_hours=options.idle_hours,
    )


def _say(line: str) -> None:
    print(line, flush=True)


def _start(options: argparse.Namespace) -> int:
    env_file = (options.env_file or daemon.settings_file()).expanduser().resolve()
    if options.unless_configured and (place := daemon.own_sources(env_file)) is not None:
        _say(f"sources are configured in {place}; the sample company is not needed")
        return 0
    health = daemon.start(_plan(options), env_file, _say)
    _say(health["line"])
    _say(f"settings: {env_file}")
    return 0


def _stop(options: argparse.Namespace) -> int:
    stopped = daemon.stop()
    if not options.quiet:
        _say("stopped" if stopped else "nothing is running")
    return 0


def _status(options: argparse.Namespace) -> int:
    state = daemon.status()
    if state is None:
        _say("not running; start it with: python -m sample_company start")
        return 3
    _say(state["line"])
    _say(
        f"process {state['pid']} since {state['started_at']}; requests: "
        f"{state['stripe_requests']:,} to Stripe, {state['crm_requests']:,} to the CRM"
    )
    for rule in state["faults"]:
        _say(f"fault in force: {rule}")
    return 0


def _serve(options: argparse.Namespace) -> int:
    from sample_company import serving

    folder = daemon.state_folder()
    folder.mkdir(parents=True, exist_ok=True)

    def show(company: serving.Company) -> None:
        if not options.detached:
            print(daemon.settings_text(company.env()), end="", flush=True)

    serving.serve(_plan(options), folder, _say, detached=options.detached, on_ready=show)
    return 0


def _build(options: argparse.Namespace) -> int:
    from sample_company.world import build_world

    started = time.monotonic()
    config = _config(options)
    world = build_world(config)
    _say(f"built in {time.monotonic() - started:.1f} s: {config.first_day} to {config.last_day}")
    for title, tables, folder in (
        ("tables", world.tables, options.tables),
        ("truth", world.truth, options.truth),
    ):
        _say(f"{title}:")
        for name, frame in tables.items():
            _say(f"  {name:<28}{len(frame):>12,} rows")
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for name, frame in tables.items():
                frame.to_parquet(folder / f"{name}.parquet", index=False)
            _say(f"  written to {folder}")
    return 0


def _export(options: argparse.Namespace) -> int:
    from sample_company.export import CompanyFiles
    from sample_company.servers.now import today_midnight
    from sample_company.world import WorldConfig, build_world

    now = options.now or today_midnight()
    horizon = (now - timedelta(microseconds=1)).date()
    if options.accounts is not None:
        return _benchmark(options, horizon)
    if options.tables or options.truth:
        raise ValueError("--tables and --truth go with --accounts; for --size see: build --help")
    config = WorldConfig(
        size=options.size,
        seed=options.seed,
        horizon=horizon,
        events_per_day=options.events_per_day,
    )
    started = time.monotonic()
    world = build_world(config)
    _say(f"built in {time.monotonic() - started:.1f} s")
    files = CompanyFiles(world, options.out, event_days=options.event_days, progress=_say)
    report = files.extend(now)
    _say(
        f"{report.new_rows:,} events in {report.new_files:,} new files; "
        f"{report.rows:,} events in {report.files:,} files below {options.out}"
    )
    return 0


def _benchmark(options: argparse.Namespace, horizon: date) -> int:
    from sample_company import benchmark

    plan = benchmark.Benchmark(
        accounts=options.accounts,
        out=options.out,
        horizon=horizon,
        events_per_day=options.events_per_day,
        seed=options.seed,
        event_days=options.event_days,
        with_tables=options.tables,
        with_truth=options.truth,
        workers=options.workers,
    )
    started = time.monotonic()
    report = benchmark.run(plan, _say)
    _say(
        f"{report.rows:,} events in {report.files:,} files below {options.out} "
        f"({time.monotonic() - started:.0f} s)"
    )
    return 0


def _plots(options: argparse.Namespace) -> int:
    from sample_company import plots
    from sample_company.world import build_world

    world = build_world(_config(options))
    for path in plots.draw_all(world, options.out):
        _say(f"{path} ({path.stat().st_size / 1_000:.0f} kB)")
    return 0


def _config(options: argparse.Namespace) -> WorldConfig:
    from sample_company.world import WorldConfig

    return WorldConfig(
        size="custom" if options.accounts is not None else options.size,
        seed=options.seed,
        horizon=options.horizon or datetime.now(UTC).date() - timedelta(days=1),
        accounts=options.accounts,
        events_per_day=options.events_per_day,
    )


def _drift(options: argparse.Namespace) -> int:
    settings: dict[str, Any] | None = None
    if options.kind != "clear":
        settings = {
            "kind": options.kind,
            "service": options.service,
            "object": options.object,
            "field": options.field,
            "to": options.to,
        }
    for rule in daemon.add_drift(settings):
        _say(f"drift in force: {rule}")
    return 0


def _fault(options: argparse.Namespace) -> int:
    settings: dict[str, Any] | None = None
    if options.kind != "clear":
        settings = {
            "kind": options.kind,
            "service": options.service,
            "path": options.path,
            "count": options.count,
            "skip": options.skip,
        }
    for rule in daemon.add_fault(settings):
        _say(f"fault in force: {rule}")
    return 0
