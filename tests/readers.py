"""Readers that ask without pause, in a process of their own, as BI tools do.

Belongs here: asking, and what was seen, waited for and went wrong. Must not be here: expectations.

A wait is the reader's own: what a thread that only sleeps had to wait for the machine meanwhile is
taken off, for a busy machine stops everybody.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import duckdb

FILE = "file"
SERVER = "server"
_PULSE_SECONDS = 0.005
_STALL_SECONDS = 0.05


@dataclass
class Seen:
    """What a reader met.

    Attributes:
        answers: how often it was answered.
        rows: the different answers in the order in which they were first met.
        longest_wait_seconds: the longest wait for an answer, connecting included.
        errors: what went wrong.
    """

    answers: int = 0
    rows: list[list[Any]] = field(default_factory=list)
    longest_wait_seconds: float = 0.0
    errors: list[str] = field(default_factory=list)


class _Pulse(threading.Thread):
    """Notes when the machine let nobody work."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._stop_asked = stop
        self._stalls: list[tuple[float, float]] = []

    def run(self) -> None:
        last = time.monotonic()
        while not self._stop_asked.is_set():
            time.sleep(_PULSE_SECONDS)
            now = time.monotonic()
            if now - last > _STALL_SECONDS:
                self._stalls.append((last, now))
            last = now

    def within(self, start: float, end: float) -> float:
        """Seconds of an interval in which nobody worked."""
        return sum(max(0.0, min(end, b) - max(start, a)) for a, b in list(self._stalls))


@contextmanager
def reading(database: Path, dsn: str, sql: str) -> Iterator[Callable[[], Mapping[str, Seen]]]:
    """Let a reader loop over the file and another one over the server.

    Args:
        database: the file, opened anew for each question.
        dsn: the server.
        sql: the question; its one row says which night every table is of.

    Yields:
        What stops them and says what they saw.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.readers", str(database), dsn, sql],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asking\n"

    def stop() -> Mapping[str, Seen]:
        told, _ = process.communicate("stop\n")
        return {way: Seen(**seen) for way, seen in json.loads(told).items()}

    try:
        yield stop
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Read until told to stop; print what was seen."""
    database, dsn, sql = sys.argv[1:]
    stop = threading.Event()
    pulse = _Pulse(stop)
    pulse.start()

    def ask_file() -> Any:
        with duckdb.connect(database, read_only=True) as connection:
            return connection.execute(sql).fetchone()

    def ask_server() -> Any:
        # Whoever is kept by a lock of the night's gets an error, however busy the machine is.
        with (
            postgresql.connect(f"{dsn}?options=-c%20lock_timeout%3D500ms") as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(sql)
            return cursor.fetchone()

    found = {FILE: Seen(), SERVER: Seen()}

    def loop(seen: Seen, ask: Callable[[], Any]) -> None:
        while not stop.is_set():
            began = time.monotonic()
            try:
                row = [str(value) for value in ask()]
            except Exception as error:  # noqa: BLE001  # told, whatever it is
                seen.errors.append(f"{type(error).__name__}: {error}")
                return
            ended = time.monotonic()
            waited = ended - began - pulse.within(began, ended)
            seen.longest_wait_seconds = max(seen.longest_wait_seconds, waited)
            seen.answers += 1
            if row not in seen.rows:
                seen.rows.append(row)
            # A person's tool asks often, not always; both cores are for the night.
            time.sleep(0.05)

    asks = {FILE: ask_file, SERVER: ask_server}
    threads = [threading.Thread(target=loop, args=(found[way], asks[way])) for way in found]
    for thread in threads:
        thread.start()
    print("asking", flush=True)
    sys.stdin.readline()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({way: vars(seen) for way, seen in found.items()}))


if __name__ == "__main__":
    main()
