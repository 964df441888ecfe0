"""Runs dbt inside the run's own process and reports its results as Dagster events.

In one process because a killed run then leaves no child that holds the warehouse's lock, and
because importing and parsing once instead of twice saves several seconds a night. Belongs here: the
runner and the translator. Must not be here: which models exist.
"""

import fcntl
import json
import os
import queue
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import (
    DAGSTER_DBT_EXCLUDE_METADATA_KEY,
    DAGSTER_DBT_SELECT_METADATA_KEY,
    get_subset_selection_for_context,
)
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt_common.events.base_types import EventMsg
from dbt_common.events.functions import msg_to_dict
from pydantic import PrivateAttr

from orchestration.installation import DBT_PROJECT, Installation
from publishing.publish import PUBLIC_SCHEMAS, MartContract

# Everything that reads stored scores is built after them; everything else before.
SCORES = "source:scores+"

_SHOWN_EVERY = 100
_RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogTestResult"})

_Event = dg.Output[Any] | dg.AssetCheckResult | dg.AssetObservation


class Translator(DagsterDbtTranslator):
    """Keys as the catalogue writes them (`renewals/churn_risk`), all models in one group."""

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """Group of every dbt resource."""
        return "warehouse"


class Dbt(dg.ConfigurableResource):  # type: ignore[type-arg]
    """dbt, parsed once per run and invoked in this process."""

    installation: dg.ResourceDependency[Installation]

    _manifest: Manifest | None = PrivateAttr(default=None)

    def build(
        self, context: dg.AssetExecutionContext, as_of: date, manifest: Mapping[str, Any]
    ) -> Iterator[_Event]:
        """Build and test the models this step stands for; yields one event per model and test.

        Args:
            context: the step; its op tags carry the selection, its selected assets the subset.
            as_of: handed to dbt as the variable of that name.
            manifest: what the assets were defined from.

        Raises:
            dagster.Failure: if a model or a test failed, naming each.
        """
        # One for all events: a translator remembers what it worked out of the manifest.
        translator = Translator()
        selection, _ = get_subset_selection_for_context(
            context=context,
            manifest=manifest,
            select=context.op_execution_context.op.tags.get(DAGSTER_DBT_SELECT_METADATA_KEY),
            exclude=context.op_execution_context.op.tags.get(DAGSTER_DBT_EXCLUDE_METADATA_KEY),
            selector=None,
            dagster_dbt_translator=translator,
            current_dbt_indirect_selection_env=None,
        )
        self.installation.warehouse.parent.mkdir(parents=True, exist_ok=True)
        with self.installation.dbt_environment():
            failures: list[str] = []
            events: list[_Event] = []
            # Unit tests prove the code, not the night's data: they run where code changes.
            command = ["build", *selection, "--exclude-resource-type", "unit_test"]
            for message in self._invoke(command, as_of, failures):
                shown = len(events) // _SHOWN_EVERY
                events.extend(
                    event
                    for event in message.to_default_asset_events(
                        manifest=manifest,
                        dagster_dbt_translator=translator,
                        context=context,
                        target_path=self.installation.dbt_target,
                    )
                    if isinstance(event, (dg.Output, dg.AssetCheckResult, dg.AssetObservation))
                )
                if len(events) // _SHOWN_EVERY > shown:
                    context.log.info(f"{len(events)} models and tests done")
            yield from _with_row_counts(events, context, self.installation.warehouse)
        if failures:
            raise dg.Failure(
                "dbt stopped the night:\n" + "\n".join(failures),
                metadata={"failures": dg.MetadataValue.json(failures)},
                allow_retries=False,
            )

    def _invoke(
        self, command: list[str], as_of: date, failures: list[str]
    ) -> Iterator[DbtCoreCliEventMessage]:
        messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        flags = [*self._flags(), "--vars", json.dumps({"as_of": as_of.isoformat()})]
        # A copy: dbt notes in it what it has compiled, and would look there for what the invocation
        # before has not left in the database.
        manifest = self._parsed().deepcopy()  # type: ignore[no-untyped-call]

        def listen(message: EventMsg) -> None:
            # Of the forty events of a node one is its result; turning the others costs a third of
            # the build.
            if message.info.name in _RESULTS:
                messages.put(msg_to_dict(message))

        def work() -> None:
            try:
                result = dbtRunner(manifest=manifest, callbacks=[listen]).invoke([*command, *flags])
                failures.extend(_failures(result))
            finally:
                # dbt keeps the file open for its process; this process has other readers of it.
                DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]
                messages.put(None)

        worker = threading.Thread(target=work, name="dbt")
        worker.start()
        try:
            while (raw := messages.get()) is not None:
                yield DbtCoreCliEventMessage(raw_event=raw, event_history_metadata={})
        finally:
            worker.join()

    def _parsed(self) -> Manifest:
        # Without the date: it is read when statements are compiled, and a project parsed for
        # another date would be parsed again from its first line every night.
        if self._manifest is None:
            result = dbtRunner().invoke(["parse", *self._flags()])
            if not isinstance(result.result, Manifest):
                raise dg.Failure(
                    f"dbt cannot parse the project: {result.exception}", allow_retries=False
                )
            self._manifest = result.result
        return self._manifest

    def _flags(self) -> list[str]:
        target = str(self.installation.dbt_target)
        return [
            *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
            *("--target-path", target, "--log-path", target),
            # Debug lines of every statement, flushed one by one, took longer than the statements.
            *("--log-level", "none", "--log-level-file", "info"),
        ]


def load_manifest(project: Path = DBT_PROJECT) -> dict[str, Any]:
    """Return the parsed project, parsing it first when a file is newer than the last parse.

    Several processes load definitions at once (the UI, its code server, a run): one of them parses
    while the others wait, and the file appears whole or not at all.

    Args:
        project: folder of the dbt project.

    Raises:
        RuntimeError: if the project cannot be parsed.
    """
    # Apart from what dbt's own commands write to target/, which are no careful writers.
    path = project / "target" / "definitions" / "manifest.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or _newest_change(project) > path.stat().st_mtime:
            _parse(project, path)
    manifest: dict[str, Any] = json.loads(path.read_text())
    return manifest


def mart_contracts(manifest: Mapping[str, Any]) -> list[MartContract]:
    """Return the contracts of the public marts, as the YAML beside each model declares them."""
    return [
        MartContract(
            schema=node["schema"],
            name=node["name"],
            columns={name: column["data_type"] for name, column in node["columns"].items()},
            description=node["description"],
            column_descriptions={n: c["description"] for n, c in node["columns"].items()},
        )
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
        and node["schema"] in PUBLIC_SCHEMAS
        and node["config"]["contract"]["enforced"]
    ]


def _parse(project: Path, path: Path) -> None:
    began = time.time()
    work = path.parent / "parse"
    with Installation().dbt_environment():
        result = dbtRunner().invoke(
            [
                "parse",
                *("--project-dir", str(project), "--profiles-dir", str(DBT_PROJECT)),
                *("--target-path", str(work), "--log-path", str(work), "--quiet"),
            ]
        )
    if not result.success:
        raise RuntimeError(f"dbt cannot parse {project.name}/: {result.exception}")
    whole = path.with_suffix(".whole")
    shutil.copyfile(work / "manifest.json", whole)
    # As old as the moment parsing began, so that a file saved meanwhile counts as newer.
    os.utime(whole, (began, began))
    whole.replace(path)


def _newest_change(project: Path) -> float:
    folders = ("models", "macros", "seeds", "tests")
    files = [
        *(project / "dbt_project.yml", DBT_PROJECT / "profiles.yml"),
        *(file for folder in folders for file in (project / folder).rglob("*")),
    ]
    return max(file.stat().st_mtime for file in files)


def _failures(result: Any) -> list[str]:
    if result.exception is not None:
        return [str(result.exception)]
    if result.success:
        return []
    return [
        f"{r.node.resource_type} {r.node.name} ({r.node.original_file_path}): {r.message}"
        for r in result.result.results
        if r.status in {"error", "fail", "runtime error"}
    ]


def _with_row_counts(
    events: list[_Event], context: dg.AssetExecutionContext, warehouse: Path
) -> Iterator[_Event]:
    counts = _row_counts(warehouse)
    for event in events:
        if isinstance(event, dg.Output):
            key = "/".join(context.asset_key_for_output(event.output_name).path)
            if key in counts:
                metadata: dict[str, Any] = {**event.metadata, "dagster/row_count": counts[key]}
                event = dg.Output(event.value, event.output_name, metadata=metadata)
        yield event


def _row_counts(warehouse: Path) -> dict[str, int]:
    if not warehouse.exists():
        return {}
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(
            "select schema_name || '/' || table_name, estimated_size from duckdb_tables()"
        ).fetchall()
    return dict(rows)
