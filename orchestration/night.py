"""The nightly run as a command: `python -m orchestration.night [--as-of 2026-01-31]`.

Belongs here: reading the command line, running the job with its progress shown, the closing words.
Must not be here: what the job does, or how figures are found.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

from ingestion.settings import SettingsError, load_settings
from orchestration import delivery
from orchestration.installation import PROJECT_ROOT, default_home, parse_as_of
from publishing import postgres
from publishing.nights import PublishError

EXIT_FAILED = 1
EXIT_SETTINGS = 2


def main(arguments: list[str] | None = None) -> int:
    """Run a night; returns the exit code (0 published, 1 failed, 2 settings wrong)."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.night", description=__doc__)
    parser.add_argument("--as-of", default="", help="YYYY-MM-DD (default: yesterday, UTC)")
    options = parser.parse_args(arguments)
    try:
        as_of = parse_as_of(options.as_of)
        load_settings()
        postgres.load_settings(default_home())
        alerted = delivery.load_settings(default_home())
    except (SettingsError, PublishError, delivery.AlertSettingsError, ValueError) as error:
        print(error, file=sys.stderr)
        return EXIT_SETTINGS
    os.environ.setdefault("DAGSTER_HOME", str(PROJECT_ROOT))
    log = default_home() / ".dagster" / "logs" / f"night-{as_of.isoformat()}.log"
    with _own_output(log) as say:
        say(f"Night of {as_of:%A, %d %B %Y}   (full log: {log})")
        return _run(as_of, alerted, say, log)


def _run(
    as_of: date, alerted: delivery.AlertSettings, say: Callable[[str], None], log: Path
) -> int:
    # Imported here: it takes seconds, and a wrong setting should be told at once.
    import dagster as dg

    from orchestration import alerts, summary
    from orchestration.definitions import defs
    from orchestration.jobs import NIGHTLY
    from orchestration.progress import Watcher

    started = time.monotonic()
    run_id = str(uuid.uuid4())
    with dg.DagsterInstance.get() as instance:
        with Watcher(instance, run_id, say) as watcher:
            result = defs.resolve_job_def(NIGHTLY).execute_in_process(
                instance=instance,
                run_id=run_id,
                run_config={"resources": {"night": {"config": {"as_of": as_of.isoformat()}}}},
                tags={alerts.ALERTED_TAG: "by the command"},
                raise_on_error=False,
            )
        checks = alerts.failed_checks(instance, run_id)
        told = []
        if result.success:
            say(summary.text(as_of, default_home(), watcher.facts, time.monotonic() - started))
        else:
            reason = "\n".join(watcher.facts.errors) or "See the log."
            shown = alerts.seen(default_home(), run_id)
            told = alerts.tell_failure(
                alerted, NIGHTLY, alerts.failure_text(NIGHTLY, run_id, reason, shown, checks)
            )
            say(summary.failure_text(watcher.facts, reason, log, shown))
        # What failed after the files were published keeps nobody from their news.
        told += alerts.tell_digest(alerted, default_home() / "published", run_id, checks)
        for line in alerts.undelivered(told):
            say(line)
        return 0 if result.success else EXIT_FAILED


@contextlib.contextmanager
def _own_output(log: Path) -> Iterator[Callable[[str], None]]:
    """Keep the terminal for progress: everything libraries print goes to the log file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal = os.dup(1)
    saved = os.dup(1), os.dup(2)
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(target, 1)
    os.dup2(target, 2)

    def say(line: str) -> None:
        os.write(terminal, f"{line}\n".encode())

    try:
        yield say
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, number in zip(saved, (1, 2), strict=True):
            os.dup2(descriptor, number)
        for descriptor in (terminal, target, *saved):
            os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main())
