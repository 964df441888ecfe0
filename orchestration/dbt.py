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
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import (
    DAGSTER_DBT_EXCLUDE_METADATA_KEY,
    DAGSTER_DBT_SELECT_METADATA_KEY,
    get_subset_selection_for_context,
)
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.artifacts.schemas.catalog import CatalogArtifact
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.parser.manifest import extended_mashumuro_decoder
from dbt_common.events.base_types import EventMsg
from dbt_common.events.functions import msg_to_dict
from pydantic import PrivateAttr

from orchestration.installation import DBT_PROJECT, Installation
from orchestration.reading import reading
from publishing.publish import PUBLIC_SCHEMAS, MartContract

# Everything that reads stored scores is built after them; everything else before.
#: What reads facts that the night itself appends, and so is built after them.
ON_APPENDED_FACTS = "source:scores+ source:closes+"

#: What dbt leaves of a parse: a description for others, its own state, and the metrics.
_DESCRIBED = "manifest.json"
_PACKED = "partial_parse.msgpack"
_METRICS = "semantic_manifest.json"
#: How sources name their files, and the lake that they are parsed with.
_LOCATION = "external_location"
_ANY_LAKE = "<lake>"

_SHOWN_EVERY = 100
_RESULTS = frozenset({"LogSeedResult", "LogModelResult", "LogTestResult"})

_Event = dg.Output[Any] | dg.AssetCheckResult | dg.AssetObservation


class DocsError(Exception):
    """The documentation cannot be made; the message says why."""


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

    def build_aside(self, select: str, as_of: date, database: Path) -> None:
        """Build models as of another date into a database of their own; nothing else is touched.

        Args:
            select: dbt's selection of models and seeds.
            as_of: handed to dbt as the variable of that name.
            database: file to write, named like the warehouse.

        Raises:
            dagster.Failure: if a model failed, naming each.
        """
        command = ["build", "--select", select, "--exclude-resource-type", "test"]
        command += ["--exclude-resource-type", "unit_test"]
        failures: list[str] = []
        with self.installation.dbt_environment(warehouse=database):
            for _ in self._invoke(command, as_of, failures, target=database.parent / "target"):
                pass
        if failures:
            raise dg.Failure(
                f"dbt cannot build as of {as_of}:\n" + "\n".join(failures), allow_retries=False
            )

    def docs(self, as_of: date) -> str:
        """Return dbt's documentation of the warehouse as one page that needs nothing beside it.

        Args:
            as_of: handed to dbt as the variable of that name.

        Raises:
            DocsError: dbt cannot make it.
        """
        # What the builds of the night have left is described: nothing is compiled anew.
        page = self.installation.dbt_target / "static_index.html"
        page.unlink(missing_ok=True)
        failures: list[str] = []
        with self.installation.dbt_environment():
            for _ in self._invoke(
                ["docs", "generate", "--static", "--no-compile"], as_of, failures
            ):
                pass
        if failures or not page.exists():
            raise DocsError("; ".join(failures) or "dbt wrote no page")
        text = page.read_text(encoding="utf-8")
        # Else icons are looked for under the names of their placeholders.
        text = text.replace('xlink:href="{{ ', 'ng-attr-xlink:href="{{ ')
        text = text.replace("${require('./assets/favicons/favicon.ico')}", "data:,")
        # Where this installation lies is nobody's business who reads the page.
        for folder in (self.installation.root, DBT_PROJECT.parent):
            text = text.replace(f"{folder}/", "")
        return text

    def _invoke(
        self, command: list[str], as_of: date, failures: list[str], target: Path | None = None
    ) -> Iterator[DbtCoreCliEventMessage]:
        messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        flags = [
            *self._flags(target or self.installation.dbt_target),
            "--vars",
            json.dumps({"as_of": as_of.isoformat()}),
        ]
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
        # Without the date: it is read when statements are compiled.
        if self._manifest is None:
            self._manifest = load_parsed(self.installation.lake)
        return self._manifest

    def _flags(self, target: Path) -> list[str]:
        return [
            *("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)),
            *("--target-path", str(target), "--log-path", str(target)),
            # Debug lines of every statement, flushed one by one, took longer than the statements.
            *("--log-level", "none", "--log-level-file", "info"),
        ]


def load_manifest(project: Path = DBT_PROJECT) -> dict[str, Any]:
    """Return the parsed project as dbt describes it to others.

    Args:
        project: folder of the dbt project.

    Raises:
        RuntimeError: if the project cannot be parsed.
    """
    manifest: dict[str, Any] = json.loads((_parsed_files(project) / _DESCRIBED).read_text())
    return manifest


def load_semantic_manifest(project: Path = DBT_PROJECT) -> str:
    """Return the metrics of the parsed project, as MetricFlow reads them.

    Args:
        project: folder of the dbt project.

    Raises:
        RuntimeError: if the project cannot be parsed.
    """
    return (_parsed_files(project) / _METRICS).read_text()


def load_parsed(lake: Path, project: Path = DBT_PROJECT) -> Manifest:
    """Return the parsed project as dbt itself works with it, for `dbtRunner(manifest=...)`.

    One parse serves every installation and every night: dates and paths are worked out when
    statements are compiled, but for where sources lie, which is filled in here.

    Args:
        lake: root of the lake that the sources are read from.
        project: folder of the dbt project.

    Raises:
        RuntimeError: if the project cannot be parsed.
    """
    packed = (_parsed_files(project) / _PACKED).read_bytes()
    manifest = Manifest.from_msgpack(packed, decoder=extended_mashumuro_decoder)
    for source in manifest.sources.values():
        if place := source.config.extra.get(_LOCATION):
            source.config.extra[_LOCATION] = place.replace(_ANY_LAKE, str(lake))
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]
    return manifest


def mart_contracts(manifest: Mapping[str, Any]) -> list[MartContract]:
    """Return the contracts of the public marts, as the YAML beside each model declares them.

    A source of a public schema is a table that the night itself writes: it is published too.
    """
    models = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["config"]["contract"]["enforced"]
    ]
    return [
        MartContract(
            schema=node["schema"],
            name=node["name"],
            columns={name: column["data_type"] for name, column in node["columns"].items()},
            description=node["description"],
            column_descriptions={n: c["description"] for n, c in node["columns"].items()},
        )
        for node in (*models, *manifest["sources"].values())
        if node["schema"] in PUBLIC_SCHEMAS
    ]


def _parsed_files(project: Path) -> Path:
    """Folder of what parsing left, parsed anew when a file is newer than the last parse.

    Several processes load definitions at once (the UI, its code server, a run): one of them parses
    while the others wait, and the files appear whole or not at all.
    """
    # Apart from what dbt's own commands write to target/, which are no careful writers.
    folder = project / "target" / "definitions"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "manifest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # The last to appear, so where it is the other one is too.
        last = folder / _DESCRIBED
        is_whole = last.exists() and (folder / _METRICS).exists()
        if not is_whole or _newest_change(project) > last.stat().st_mtime:
            _parse(project, folder)
    return folder


def _parse(project: Path, folder: Path) -> None:
    began = time.time()
    work = folder / "parse"
    with Installation().dbt_environment(lake=_ANY_LAKE):
        result = dbtRunner().invoke(
            [
                "parse",
                *("--project-dir", str(project), "--profiles-dir", str(DBT_PROJECT)),
                *("--target-path", str(work), "--log-path", str(work), "--quiet"),
            ]
        )
    if not result.success:
        raise RuntimeError(f"dbt cannot parse {project.name}/: {result.exception}")
    for name in (_METRICS, _PACKED, _DESCRIBED):
        whole = (folder / name).with_suffix(".whole")
        shutil.copyfile(work / name, whole)
        # As old as the moment parsing began, so that a file saved meanwhile counts as newer.
        os.utime(whole, (began, began))
        whole.replace(folder / name)


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
    if isinstance(result.result, CatalogArtifact):
        return list(result.result.errors or ["the catalogue is not whole"])
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
    with reading(warehouse) as connection:
        rows = connection.execute(
            "select schema_name || '/' || table_name, estimated_size from duckdb_tables()"
        ).fetchall()
    return dict(rows)
