"""Command line of the published nights: `python -m publishing list|rollback|erase`."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import date
from pathlib import Path

from publishing import erase, nights, postgres
from publishing.nights import PublishError


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m publishing", description="List published nights, or go back to one."
    )
    parser.add_argument(
        "--published",
        type=Path,
        default=Path(os.environ.get("TENURE_HOME", ".")) / "published",
        help="folder of the nights (default: published/ of the installation)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="nights kept, oldest first; * marks the one readers see")
    back = commands.add_parser("rollback", help="show readers the night before, or the one given")
    back.add_argument("--to", type=date.fromisoformat, help="date of the night, YYYY-MM-DD")
    commands.add_parser(
        "erase", help="take people who were erased out of the nights kept and the warehouse"
    )
    options = parser.parse_args(arguments)
    published: Path = options.published.absolute()
    if options.command == "list":
        shown = nights.current(published)
        for night in nights.nights(published):
            print(f"{'*' if night.path == shown else ' '} {night.name}")
        return 0
    if options.command == "erase":
        return _erase(published)
    return _roll_back(published, options.to)


def _roll_back(published: Path, to: date | None) -> int:
    try:
        settings = postgres.load_settings(published.parent)
        night = nights.roll_back(published, to)
    except PublishError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{published / 'current'} shows {night.name} now.")
    try:
        _show_in_postgres(settings, night.path)
    except PublishError as error:
        # Named by its date, for the command without one would go back another night.
        print(f"{error}\nThen: make rollback TO={night.as_of}", file=sys.stderr)
        return 1
    return 0


def _show_in_postgres(settings: postgres.PostgresSettings | None, night: Path) -> None:
    if settings is not None:
        done = postgres.show_night(settings, night)
        print("\n".join([f"PostgreSQL shows {night.name} now.", *done.notes]))


def _erase(published: Path) -> int:
    home = published.parent
    try:
        settings = postgres.load_settings(home)
        people = erase.erased_people(home / "lake")
        rewritten = erase.erase(published, people)
        removed = erase.reset_warehouse(home / "warehouse" / "tenure.duckdb", people)
        print(f"{len(people)} contacts erased; nights rewritten: {', '.join(rewritten) or 'none'}.")
        if removed:
            print("The warehouse was removed; the next night builds it anew.")
        shown = nights.current(published)
        if shown is not None and shown.name in rewritten:
            _show_in_postgres(settings, shown)
    except PublishError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
