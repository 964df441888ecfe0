"""Where each column of an event is found in the files of the tools that send them.

Belongs here: names used by Segment, PostHog, Mixpanel, Amplitude and plain logs, and SQL that reads
them. Must not be here: files.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from ingestion.settings import SettingsError

# First one found with a value wins. A dot reaches into a JSON column.
CANDIDATES: dict[str, tuple[str, ...]] = {
    "message_id": ("message_id", "messageId", "uuid", "insert_id", "$insert_id", "event_id",
                   "properties.$insert_id"),
    "event": ("event", "event_name", "event_type"),
    "event_at": ("event_at", "originalTimestamp", "original_timestamp", "client_event_time",
                 "timestamp", "event_time", "occurred_at", "properties.time"),
    "sent_at": ("sent_at", "sentAt", "client_upload_time"),
    "received_at": ("received_at", "receivedAt", "server_received_time", "server_upload_time"),
    "workspace_id": ("workspace_id", "workspaceId", "group_id", "groupId", "organization_id",
                     "context.groupId", "properties.workspace_id", "properties.group_id"),
    "user_id": ("user_id", "userId", "distinct_id", "properties.distinct_id"),
    "anonymous_id": ("anonymous_id", "anonymousId", "device_id", "properties.$device_id"),
    "feature": ("feature", "properties.feature", "properties.feature_id"),
    "properties": ("properties", "event_properties"),
}  # fmt: skip
JSON_COLUMNS = ("properties", "event_properties", "context")
INSTANTS = ("event_at", "sent_at", "received_at")


def configured(given: str | None) -> dict[str, tuple[str, ...]]:
    """The candidates, those of TENURE_EVENTS_COLUMNS in front.

    Args:
        given: JSON, e.g. {"workspace_id": "context.org"}.

    Raises:
        SettingsError: if it is no such JSON.
    """
    found = dict(CANDIDATES)
    if not given:
        return found
    try:
        own = orjson.loads(given)
    except orjson.JSONDecodeError as error:
        raise SettingsError(
            ['TENURE_EVENTS_COLUMNS is no JSON. Write it as {"workspace_id": "context.org"}.']
        ) from error
    problems = []
    for column, field in own.items() if isinstance(own, dict) else [(str(own), None)]:
        if column not in CANDIDATES or not isinstance(field, str):
            problems.append(
                f"TENURE_EVENTS_COLUMNS names {column!r}. Use the columns {', '.join(CANDIDATES)}, "
                "each with the name of a field."
            )
        else:
            found[column] = (field, *found[column])
    if problems:
        raise SettingsError(problems)
    return found


def json_columns(candidates: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Columns to be read from lines of JSON, all as text but nested ones."""
    columns: dict[str, str] = {}
    taken: set[str] = set()
    for fields in candidates.values():
        for field in fields:
            top, _, rest = field.partition(".")
            if top.lower() in taken:
                continue
            taken.add(top.lower())
            columns[top] = "JSON" if rest or top in JSON_COLUMNS else "VARCHAR"
    return columns


def expressions(
    candidates: Mapping[str, tuple[str, ...]], present: Mapping[str, str], *, is_sparse: bool
) -> dict[str, str]:
    """SQL for each column of an event.

    Args:
        candidates: fields by column.
        present: columns that are there, with their types.
        is_sparse: whether a column that is there may be empty throughout, as in lines of JSON.
    """
    by_name = {name.lower(): (name, kind) for name, kind in present.items()}
    found: dict[str, str] = {}
    for column, fields in candidates.items():
        parts = [
            part for field in fields if (part := _expression(field, by_name, column)) is not None
        ]
        # Reaching into JSON costs; a column of its own makes it needless.
        plain = [part for part in parts if "json_extract" not in part]
        parts = plain if plain and not is_sparse else parts
        empty = "null::timestamptz" if column in INSTANTS else "null::varchar"
        found[column] = (
            f"coalesce({', '.join(parts)})" if len(parts) > 1 else "".join(parts) or empty
        )
    return found


def _expression(field: str, present: Mapping[str, tuple[str, str]], column: str) -> str | None:
    top, _, rest = field.partition(".")
    if top.lower() not in present:
        return None
    name, kind = present[top.lower()]
    quoted = '"' + name.replace('"', '""') + '"'
    if rest:
        path = rest.replace("'", "''")
        # Text that is no JSON gives null, not an error.
        quoted = f"""try(json_extract_string({quoted}, '$."{path}"'))"""
        kind = "VARCHAR"
    if column in INSTANTS:
        return instant(quoted, kind)
    if column == "properties":
        return (
            f"to_json({quoted})::varchar"
            if kind.startswith(("STRUCT", "MAP"))
            else f"{quoted}::varchar"
        )
    return f"nullif({quoted}::varchar, '')"


def instant(quoted: str, kind: str) -> str:
    """SQL that reads an instant from a column of DuckDB's type `kind`; null if it is none."""
    if kind.startswith("TIMESTAMP") or kind == "DATE":
        # Instants without a zone are taken as UTC, the session's zone.
        return f"{quoted}::timestamptz"
    number = f"try_cast({quoted} as double)"
    seconds = (
        f"case when {number} > 1e14 then {number} / 1e6 when {number} > 1e11 then {number} / 1e3 "
        f"else {number} end"
    )
    if kind in ("BIGINT", "INTEGER", "UBIGINT", "DOUBLE", "HUGEINT", "FLOAT"):
        return f"to_timestamp({seconds})"
    return f"coalesce(try_cast({quoted} as timestamptz), to_timestamp({seconds}))"
