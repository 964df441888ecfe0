"""Command line of the model registry: `python -m scoring withdraw models next_renewal <version>`.

Belongs here: reading arguments, saying what was done. Must not: what a withdrawal is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
from collections.abc import Sequence
from pathlib import Path

from scoring import registry
from scoring.errors import RegistryError


def main(arguments: Sequence[str] | None = None) -> int:
    """Withdraw a version; returns the exit code (0 done, 1 refused)."""
    parser = argparse.ArgumentParser(prog="python -m scoring", description=__doc__)
    commands = parser.add_subparsers(required=True)
    withdraw = commands.add_parser("withdraw", help="take a version back")
    withdraw.add_argument("models", type=Path, help="the registry, such as models/")
    withdraw.add_argument("head", help="such as next_renewal")
    withdraw.add_argument("version", help="name of its folder")
    asked = parser.parse_args(arguments)
    try:
        registry.withdraw(asked.models, asked.head, asked.version, dt.datetime.now(dt.UTC))
    except RegistryError as error:
        print(error, file=sys.stderr)
        return 1
    serves = registry.serving(asked.models, asked.head)
    print(f"{asked.head}/{asked.version} is withdrawn; {serves or 'none'} serves")
    return 0


if __name__ == "__main__":
    sys.exit(main())
