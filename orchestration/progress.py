"""Shows a run while it works, by reading its own event log.

Belongs here: one line per step and per message of a step. Must not be here: the closing summary.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

import dagster as dg

STEP_NAMES = {
    "lake__contract": "Preparing",
    "load_salesforce": "Loading CRM (Salesforce)",
    "load_hubspot": "Loading CRM (HubSpot)",
    "load_stripe": "Loading billing",
    "load_usage": "Loading usage",
    "load_desk": "Loading desk files",
    "build_warehouse": "Building the warehouse",
    "scores__models": "Training",
    "scores__churn_score_history": "Scoring",
    "watch_scores": "Watching the scores",
    "scores__arr_multiple_history": "Forecasting what renewals will bring",
    "scores__action_findings": "Looking at what goes with renewals",
    "scores__trigger_findings": "Looking at what follows events",
    "scores__program_findings": "Looking at programmes",
    "closes__month_closes": "Closing the month",
    "build_marts_on_appended_facts": "Building the marts on scores and closes",
    "published__night": "Publishing",
    "published__postgres": "Showing it in PostgreSQL",
}

_POLL_SECONDS = 0.2


@dataclass
class Phase:
    """A step as it went: its name for people, how long it took, whether it ended well."""

    step: str
    title: str
    seconds: float = 0.0
    is_ok: bool = False


@dataclass
class Facts:
    """What a run's events say: phases in order, rows and rejects by table, checks by outcome."""

    phases: list[Phase] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    rejects: dict[str, int] = field(default_factory=dict)
    checks_passed: int = 0
    checks_warned: list[str] = field(default_factory=list)
    checks_failed: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Watcher:
    """Follows one run in a thread; use as a context manager around its execution."""

    def __init__(
        self, instance: dg.DagsterInstance, run_id: str, say: Callable[[str], None]
    ) -> None:
        self.facts = Facts()
        self._instance = instance
        self._run_id = run_id
        self._say = say
        self._cursor: str | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="progress", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._done.wait(_POLL_SECONDS):
            self._read()
        self._read()

    def _read(self) -> None:
        while True:
            page = self._instance.get_records_for_run(self._run_id, cursor=self._cursor)
            self._cursor = page.cursor
            for record in page.records:
                self._take(record.event_log_entry)
            if not page.has_more:
                return

    def _take(self, entry: dg.EventLogEntry) -> None:
        event = entry.dagster_event
        if event is None:
            if entry.level == logging.INFO and entry.step_key and not _is_library(entry):
                self._say(f"    {entry.user_message}")
                self.facts.notes.append(entry.user_message)
            return
        kind = event.event_type
        if kind is dg.DagsterEventType.STEP_START:
            title = STEP_NAMES.get(event.step_key or "", event.step_key or "")
            self.facts.phases.append(Phase(event.step_key or "", title))
            self._say(f"{title} ...")
        elif kind is dg.DagsterEventType.STEP_SUCCESS:
            self._end(event.step_key, event.step_success_data.duration_ms / 1000, is_ok=True)
        elif kind is dg.DagsterEventType.STEP_UP_FOR_RETRY:
            self._say("    failed; will be tried again shortly")
        elif kind is dg.DagsterEventType.STEP_FAILURE:
            self._end(event.step_key, 0.0, is_ok=False)
            self.facts.errors.append(_reason(event))
        elif kind is dg.DagsterEventType.ASSET_MATERIALIZATION:
            self._count(event)
        elif kind is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            self._check(event.asset_check_evaluation_data)

    def _end(self, step: str | None, seconds: float, *, is_ok: bool) -> None:
        for phase in reversed(self.facts.phases):
            if phase.step == step:
                phase.seconds, phase.is_ok = seconds, is_ok
                self._say(
                    f"    {'done' if is_ok else 'FAILED'}" + (f", {seconds:.1f} s" if is_ok else "")
                )
                return

    def _count(self, event: dg.DagsterEvent) -> None:
        materialization = event.step_materialization_data.materialization
        name = "/".join(materialization.asset_key.path)
        values = {key: value.value for key, value in materialization.metadata.items()}
        for key, target in (("rows_loaded", self.facts.rows), ("rejects", self.facts.rejects)):
            value = values.get(key)
            if isinstance(value, int):
                target[name] = value

    def _check(self, evaluation: dg.AssetCheckEvaluation) -> None:
        name = f"{'/'.join(evaluation.asset_key.path)}: {evaluation.check_name}"
        if evaluation.passed:
            self.facts.checks_passed += 1
        elif evaluation.severity is dg.AssetCheckSeverity.WARN:
            self.facts.checks_warned.append(name)
        else:
            self.facts.checks_failed.append(name)


def _is_library(entry: dg.EventLogEntry) -> bool:
    # dagster-dbt tells on the same log which arguments it would choose.
    return entry.user_message.startswith("A dbt subsetted execution")


def _reason(event: dg.DagsterEvent) -> str:
    error = event.step_failure_data.error
    if event.step_failure_data.user_failure_data is not None:
        description = event.step_failure_data.user_failure_data.description
        if description:
            return description
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "unknown"
