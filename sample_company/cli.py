"""The command line of the sample company.

Belongs here: arguments, what is printed, exit codes. Does not belong here: what the commands do.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

from sample_company import daemon
from sample_company.daemon import DaemonError, Plan
from sample_company.servers.faults import Kind

_DESCRIPTION = """\
A simulated company that sells software by subscription, to try Tenure on and to measure it against.
It is reached as real systems are: a Stripe API, a Salesforce API, event files and spreadsheets.
"""
_EPILOG = """\
Try it:
  python -m sample_company start            build it once, serve it, write tenure.env
  python -m sample_company status           what is running, where, since when
  python -m sample_company stop
  python -m sample_company fault cut_body --service stripe --path /v1/invoices --count 2
  python -m sample_company build --size small --truth ./truth
The truth tables say what really happened; no connector can reach them.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except DaemonError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sample_company",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="command")

    start = commands.add_parser(
        "start", help="serve in the background and write the settings file; does nothing if it runs"
    )
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
    start.set_defaults(run=_start)

    stop = commands.add_parser("stop", help="stop the background process")
    stop.add_argument("--quiet", action="store_true", help="say nothing")
    stop.set_defaults(run=_stop)

    status = commands.add_parser("status", help="what is running; exit code 3 if nothing is")
    status.set_defaults(run=_status)

    serve = commands.add_parser("serve", help="serve in the foreground until interrupted")
    _world_options(serve)
    _serve_options(serve)
    serve.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)
    serve.set_defaults(run=_serve)

    build = commands.add_parser("build", help="build a world, print its figures, write its truth")
    _world_options(build)
    build.add_argument("--horizon", type=date.fromisoformat, default=None, metavar="DATE",
                       help="last day that has happened (default: yesterday)")  # fmt: skip
    build.add_argument("--truth", type=Path, default=None, metavar="DIR",
                       help="write the truth tables there as Parquet")  # fmt: skip
    build.add_argument("--tables", type=Path, default=None, metavar="DIR",
                       help="write the world's tables there as Parquet")  # fmt: skip
    build.set_defaults(run=_build)

    export = commands.add_parser("export", help="write event files, monthly usage and desk sheets")
    _world_options(export)
    export.add_argument("--now", type=parse_now, default=None, metavar="INSTANT",
                        help="files up to the day before (default: today)")  # fmt: skip
    export.add_argument("--event-days", type=int, default=None, metavar="N",
                        help="raw events of the last N days only")  # fmt: skip
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    export.set_defaults(run=_export)

    fault = commands.add_parser("fault", help="make requests to the running company go wrong")
    fault.add_argument("kind", choices=[*get_args(Kind), "clear"], help="what goes wrong")
    fault.add_argument("--service", choices=["stripe", "salesforce"], default=None)
    fault.add_argument("--path", default="", help="regular expression on path and query")
    fault.add_argument("--count", type=int, default=1, help="how many requests (default: 1)")
    fault.add_argument("--skip", type=int, default=0, help="how many pass first")
    fault.set_defaults(run=_fault)
    return parser


def _world_options(parser: argparse.ArgumentParser) -> None:
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--size", choices=["small", "demo"], default="demo",
        help="small: about 150 customers over four years; demo: about 1,500 over 15 (default)",
    )  # fmt: skip
    size.add_argument("--accounts", type=int, default=None, metavar="N",
                      help="another number of customers, for benchmarks")  # fmt: skip
    parser.add_argument("--events-per-day", type=int, default=None, metavar="M",
                        help="raw usage events a day at the end")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="which company (default: 1)")


def _serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--event-days", type=int, default=None, metavar="N",
                        help="raw events of the last N days only (default: 36 months)")  # fmt: skip
    parser.add_argument(
        "--now", type=parse_now, default=None, metavar="INSTANT",
        help="a clock that stands still (date or ISO instant, UTC); default: 00:00 UTC of the "
        "current day, so that yesterday is complete",
    )  # fmt: skip
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
        now=getattr(options, "now", None),
        idle_hours=getattr(options, "idle_hours", 6.0),
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
        f"{state['stripe_requests']:,} to Stripe, {state['salesforce_requests']:,} to Salesforce"
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
    from sample_company.world import WorldConfig, build_world

    started = time.monotonic()
    horizon = options.horizon or datetime.now(UTC).date() - timedelta(days=1)
    config = WorldConfig(
        size="custom" if options.accounts is not None else options.size,
        seed=options.seed,
        horizon=horizon,
        accounts=options.accounts,
        events_per_day=options.events_per_day,
    )
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
    config = WorldConfig(
        size="custom" if options.accounts is not None else options.size,
        seed=options.seed,
        horizon=(now - timedelta(microseconds=1)).date(),
        accounts=options.accounts,
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
