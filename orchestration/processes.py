"""Which runs are really alive.

A run that was killed cannot say so: its record stays `STARTED` and its place in a pool stays
taken, which would make the next run wait for ever. Belongs here: marking a run with its process,
and ending the records of runs whose process is gone. Must not be here: cleaning what such runs left
in data.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import dagster as dg

PROCESS_TAG = "tenure/process"


def mark(instance: dg.DagsterInstance, run_id: str) -> None:
    """Note on the run which process works for it."""
    instance.add_run_tags(run_id, {PROCESS_TAG: _identity(os.getpid())})


def end_dead_runs(instance: dg.DagsterInstance, own_run_id: str) -> list[str]:
    """Mark runs as failed whose process is gone, and free their places in pools.

    Runs marked by another host are left alone: this one cannot see their processes.
    Returns the ids of the runs ended.
    """
    ended = []
    unfinished = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    )
    for run in instance.get_runs(unfinished):
        identity = run.tags.get(PROCESS_TAG)
        if run.run_id == own_run_id or identity is None or _is_alive(identity):
            continue
        instance.report_run_failed(run, "Its process is gone (killed, or the machine went down).")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


def _identity(pid: int) -> str:
    return f"{socket.gethostname()}:{pid}:{_started(pid)}"


def _is_alive(identity: str) -> bool:
    host, pid, started = identity.rsplit(":", 2)
    if host != socket.gethostname():
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    # Process numbers are reused; the start time tells two bearers apart where the system shows it.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()[19]
    except (OSError, IndexError):
        return "unknown"
