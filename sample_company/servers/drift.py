"""Drift on demand: a vendor or a file changes its shape, made to happen on purpose.

Belongs here: rules that change what is sent on its way out: a new field, a renamed or missing one,
a new word, another type, a nested value. Does not belong here: what the services hold, or anything
that happens by itself.

    company.drift.add("new_value", service="stripe", object="subscriptions", field="status",
                      to="frozen")

Rules act on the wire (Stripe, Salesforce, HubSpot) and on files (the desk's sheets as they stand;
event files from the next one on, for delivered files never change).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from sample_company.servers.http import Request, Response

Kind = Literal[
    "new_column", "renamed_column", "missing_column", "new_value", "type_change", "nested_field"
]
Service = Literal["stripe", "salesforce", "hubspot", "desk", "usage"]
_FILES = ("desk", "usage")
_NEEDS_FIELD = ("renamed_column", "missing_column", "new_value", "type_change")
_NEEDS_TO = ("renamed_column", "new_value")
UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Drift:
    """One change of shape.

    Attributes:
        kind: what changes.
        service: whose.
        object: which object, table or sheet: `subscriptions`, `Opportunity`, `deals`,
            `survey_responses`, `events`.
        field: the vendor's field; a dot reaches into a nested one. For `new_column` and
            `nested_field` the field to be added or wrapped.
        to: the new name (`renamed_column`), the new word (`new_value`), or how the other type is
            written (`type_change`: `text` keeps the value readable, `unreadable` does not).
    """

    kind: Kind
    service: Service
    object: str
    field: str = ""
    to: str = ""

    def __post_init__(self) -> None:
        for name, allowed in (("kind", get_args(Kind)), ("service", get_args(Service))):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"unknown {name} {getattr(self, name)!r}; use one of {', '.join(allowed)}"
                )
        if self.kind in _NEEDS_FIELD and not self.field:
            raise ValueError(f"{self.kind} needs the field that changes")
        if self.kind in _NEEDS_TO and not self.to:
            raise ValueError(f"{self.kind} needs what it changes to")

    @property
    def name(self) -> str:
        """The field, or the one that is added where none is given."""
        return self.field or ("Loyalty_Tier__c" if self.service == "salesforce" else "loyalty_tier")

    def applies_to(self, kind: Any) -> bool:
        """Whether an object of that kind is meant; plural and singular are the same."""
        given, met = self.object.lower(), str(kind or "").lower()
        return met in (given, given.removesuffix("s"), {"invoice_lines": "line_item"}.get(given))

    def change(self, record: dict[str, Any]) -> None:
        """Change one record in place."""
        inner, _, last = self.name.rpartition(".")
        for step in inner.split(".") if inner else []:
            record = record.get(step) or {}
        if self.kind == "new_column":
            record[last] = self.to or "gold"
        elif self.kind == "nested_field":
            record[last] = {"value": record.get(last), "source": "import"}
        elif last not in record:
            return
        elif self.kind == "renamed_column":
            record[self.to] = record.pop(last)
        elif self.kind == "missing_column":
            del record[last]
        elif record[last] is not None:
            record[last] = self.to if self.kind == "new_value" else self._retyped(record[last])

    def _retyped(self, value: Any) -> Any:
        if self.to == UNREADABLE:
            return f"about {value}"
        if isinstance(value, bool):
            return str(value).lower()
        return str(value)


class Drifts:
    """The rules in force; thread-safe, empty by default."""

    def __init__(self, on_files: Callable[[], None] = lambda: None) -> None:
        """Makes an empty set of rules.

        Args:
            on_files: called when a rule about files is added, to write them anew.
        """
        self._rules: list[tuple[Drift, frozenset[str]]] = []
        self._lock = threading.Lock()
        self._on_files = on_files
        self._delivered: Callable[[], frozenset[str]] = frozenset

    def watch_files(
        self, on_files: Callable[[], None], delivered: Callable[[], frozenset[str]]
    ) -> None:
        """Say how files are written anew and which event files have been delivered."""
        self._on_files, self._delivered = on_files, delivered

    def add(self, kind: Kind, **settings: Any) -> Drift:
        """Add a rule, see `Drift` for the settings."""
        drift = Drift(kind, **settings)
        with self._lock:
            self._rules.append((drift, self._delivered()))
        if drift.service in _FILES:
            self._on_files()
        return drift

    def clear(self) -> None:
        """Remove all rules: shapes are as before; event files delivered since stay as they are."""
        with self._lock:
            had_files = any(d.service in _FILES for d, _ in self._rules)
            self._rules = []
        if had_files:
            self._on_files()

    def pending(self) -> list[dict[str, Any]]:
        """The rules in force, as plain values."""
        return [asdict(drift) for drift, _ in self._rules]

    def _of(self, service: str) -> list[Drift]:
        return [drift for drift, _ in self._rules if drift.service == service]

    # --- the wire -------------------------------------------------------------------------------

    def asked(self, service: str, request: Request) -> Request | Response:
        """The request as the service shall see it, or the refusal it gets.

        A field that has been renamed is known by its new name only.
        """
        for drift in self._of(service):
            if service == "salesforce" and drift.kind in ("renamed_column", "missing_column"):
                refusal = _refusal(drift, request)
                if refusal is not None:
                    return refusal
                request = _by_old_name(drift, request)
        return request

    def answered(self, service: str, request: Request, response: Response) -> Response:
        """The response with the changes in it."""
        drifts = self._of(service)
        if not drifts or response.status != 200:
            return response
        value = json.loads(response.body)
        for drift in drifts:
            if service == "stripe":
                _change_stripe(drift, value)
            elif service == "salesforce":
                _change_salesforce(drift, request.path, value)
            else:
                _change_hubspot(drift, request.path, value)
        body = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
        return replace(response, body=body)

    # --- files ----------------------------------------------------------------------------------

    def rewrite_files(self, folder: Path) -> None:
        """Change the desk's sheets, and the event files that came after the rule was made."""
        for drift, before in list(self._rules):
            if drift.service == "desk":
                _rewrite_sheet(drift, folder / "desk" / f"{drift.object}.csv")
            elif drift.service == "usage":
                _rewrite_events(drift, folder / "events", before)


# --- Stripe -------------------------------------------------------------------------------------


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _objects(item)


def _change_stripe(drift: Drift, value: Any) -> None:
    for thing in list(_objects(value)):
        if drift.applies_to(thing.get("object")) and not thing.get("deleted"):
            drift.change(thing)


# --- Salesforce ---------------------------------------------------------------------------------


def _asks_about(drift: Drift, request: Request) -> str:
    soql = request.get("q") or ""
    return soql if re.search(rf"\bfrom\s+{drift.object}\b", soql, re.IGNORECASE) else ""


def _refusal(drift: Drift, request: Request) -> Response | None:
    """The organisation's word for a field that it does not have any more."""
    from sample_company.servers.http import json_response

    if not re.search(rf"\b{drift.field}\b", _asks_about(drift, request), re.IGNORECASE):
        return None
    message = f"No such column '{drift.field}' on entity '{drift.object}'."
    return json_response([{"message": message, "errorCode": "INVALID_FIELD"}], 400)


def _by_old_name(drift: Drift, request: Request) -> Request:
    soql = _asks_about(drift, request)
    if drift.kind != "renamed_column" or not soql:
        return request
    asked = re.sub(rf"\b{drift.to}\b", drift.field, soql, flags=re.IGNORECASE)
    return replace(request, query=tuple((k, asked if k == "q" else v) for k, v in request.query))


_OTHER_TYPES = {"nested_field": "address", "type_change": "string"}


def _change_salesforce(drift: Drift, path: str, value: Any) -> None:
    if path.endswith("/describe") and drift.applies_to(value.get("name")):
        value["fields"] = list(_described(drift, value["fields"]))
    elif isinstance(value, dict):
        for record in value.get("records") or []:
            # A query gives the fields that it names; a new one is not among them.
            is_asked = drift.kind not in ("new_column", "nested_field") or drift.name in record
            if is_asked and drift.applies_to((record.get("attributes") or {}).get("type")):
                drift.change(record)


def _described(drift: Drift, fields: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    met = False
    for item in fields:
        if item["name"] != drift.name:
            yield item
            continue
        met = True
        if drift.kind == "renamed_column":
            yield {**item, "name": drift.to, "label": drift.to.removesuffix("__c")}
        elif drift.kind == "new_value":
            word = {"value": drift.to, "label": drift.to, "active": True, "defaultValue": False}
            yield {**item, "picklistValues": [*item["picklistValues"], word]}
        elif drift.kind != "missing_column":
            yield {**item, "type": _OTHER_TYPES.get(drift.kind, item["type"])}
    if not met and drift.kind in ("new_column", "nested_field"):
        kind = _OTHER_TYPES.get(drift.kind, "string")
        yield {**fields[-1], "name": drift.name, "label": drift.name, "type": kind}


# --- HubSpot ------------------------------------------------------------------------------------


def _change_hubspot(drift: Drift, path: str, value: Any) -> None:
    parts = [part for part in path.split("/") if part]
    if len(parts) < 4 or not drift.applies_to(parts[3]):
        return
    if parts[2] == "properties":
        value["results"] = list(_properties(drift, value["results"]))
    elif parts[2] == "objects":
        for thing in _objects(value):
            inner = thing.get("properties")
            if isinstance(inner, dict) and (
                drift.kind not in ("new_column", "nested_field") or drift.name in inner
            ):
                drift.change(inner)
                if isinstance(inner.get(drift.name), dict):
                    # All values are text here, nested ones too.
                    inner[drift.name] = json.dumps(inner[drift.name], sort_keys=True)


def _properties(drift: Drift, items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if item["name"] != drift.name:
            yield item
        elif drift.kind == "renamed_column":
            yield {**item, "name": drift.to, "label": drift.to}
        elif drift.kind == "type_change":
            yield {**item, "type": "string", "fieldType": "text"}
        elif drift.kind == "nested_field":
            yield {**item, "type": "json", "fieldType": "textarea"}
        elif drift.kind == "new_value":
            word = {"value": drift.to, "label": drift.to, "hidden": False}
            yield {**item, "options": [*item["options"], word]}
        elif drift.kind != "missing_column":
            yield item
    if all(item["name"] != drift.name for item in items):
        kind = {"new_column": "string", "nested_field": "json"}.get(drift.kind)
        if kind is not None:
            yield {**items[-1], "name": drift.name, "label": drift.name, "type": kind}


# --- files --------------------------------------------------------------------------------------


def _rewrite_sheet(drift: Drift, path: Path) -> None:
    if not path.exists():
        raise ValueError(f"the desk has no sheet {drift.object!r}")
    with path.open(newline="", encoding="utf-8") as handle:
        reader = csv.DictReader(handle)
        names, rows = list(reader.fieldnames or []), list(reader)
    for row in rows:
        drift.change(row)
        for name, value in row.items():
            if isinstance(value, dict):
                row[name] = json.dumps(value, sort_keys=True)
            elif drift.kind == "type_change" and name == drift.field and value:
                row[name] = _instant(value) if drift.to == "instant" else value
    if drift.kind == "renamed_column":
        names = [drift.to if name == drift.field else name for name in names]
    elif drift.kind == "missing_column":
        names = [name for name in names if name != drift.field]
    elif drift.name not in names:
        names.append(drift.name)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _replace(path, out.getvalue().encode())


def _instant(value: str) -> str:
    return value if "T" in value else f"{value}T00:00:00Z"


def _rewrite_events(drift: Drift, folder: Path, before: frozenset[str]) -> None:
    from sample_company.export import MANIFEST, read_manifest

    entries = read_manifest(folder)
    for name, entry in entries.items():
        path = folder / name
        if name in before or entry.get("drifted") == _key(drift):
            continue
        body = _changed_events(drift, path)
        _replace(path, body)
        digest = hashlib.sha256(body).hexdigest()
        entries[name] = {**entry, "size": len(body), "sha256": digest, "drifted": _key(drift)}
    text = "".join(json.dumps(entry) + "\n" for entry in entries.values())
    _replace(folder / MANIFEST, text.encode())


def _key(drift: Drift) -> str:
    return "|".join((drift.kind, drift.field, drift.to))


def _changed_events(drift: Drift, path: Path) -> bytes:
    if path.suffix == ".parquet":
        return _changed_parquet(drift, path)
    zipped = path.suffix == ".gz"
    text = gzip.decompress(path.read_bytes()) if zipped else path.read_bytes()
    lines = []
    for line in text.decode().splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            lines.append(line)
            continue
        drift.change(event)
        lines.append(json.dumps(event, separators=(",", ":")))
    body = "".join(line + "\n" for line in lines).encode()
    return gzip.compress(body, 6, mtime=0) if zipped else body


def _changed_parquet(drift: Drift, path: Path) -> bytes:
    with pq.ParquetFile(path) as file:
        table = file.read()
    top, _, rest = drift.name.partition(".")
    if drift.kind == "renamed_column":
        table = table.rename_columns([drift.to if n == top else n for n in table.column_names])
    elif drift.kind == "missing_column":
        table = table.drop_columns([top])
    elif rest:
        texts = []
        for text in table[top].to_pylist():
            record = {top: json.loads(text or "{}")}
            drift.change(record)
            texts.append(json.dumps(record[top], separators=(",", ":")))
        place = table.schema.get_field_index(top)
        table = table.set_column(place, top, pa.array(texts, pa.string()))
    elif drift.kind == "new_column":
        table = table.append_column(top, pa.array([drift.to or "gold"] * table.num_rows))
    else:
        records = [{top: value} for value in table[top].to_pylist()]
        for record in records:
            drift.change(record)
        values = [json.dumps(v) if isinstance(v := r[top], dict) else v for r in records]
        place = table.schema.get_field_index(top)
        table = table.set_column(place, top, pa.array(values, pa.string()))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _replace(path: Path, body: bytes) -> None:
    """Put a file in place whole; its time of change stays, to the second after."""
    stamp = path.stat().st_mtime + 1
    scratch = path.with_name(path.name + ".tmp")
    scratch.write_bytes(body)
    os.utime(scratch, (stamp, stamp))
    scratch.replace(path)
