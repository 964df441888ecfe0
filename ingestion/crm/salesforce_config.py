"""Configuration of Salesforce's objects: the delivered file, and a company's own laid over it.

Belongs here: reading and checking the YAML, and the way between column and field names. Must not be
here: requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ingestion import privacy, schemas
from ingestion.schemas.model import LOAD_ID, VERSION_AT, Table
from ingestion.settings import SettingsError

DEFAULTS = Path(__file__).with_name("salesforce_objects.yaml")
_ALLOWED = {"columns", "desk", "cursor", "lookups", "words"}
_MADE_HERE = {VERSION_AT.name, LOAD_ID.name, "_row", "_source_file", "_deleted"}


@dataclass(frozen=True)
class ObjectConfig:
    """How one object lands.

    Attributes:
        name: API name.
        table: where it lands.
        fields: column -> field API name.
        cursor: field that moves with every change.
        lookups: for histories, fields whose rows land only with ids.
        words: column -> words of the organisation's own that its vocabulary has besides.
    """

    name: str
    table: Table
    fields: dict[str, str]
    cursor: str = "SystemModstamp"
    lookups: frozenset[str] = frozenset()
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()


def load(own: Path | None) -> tuple[ObjectConfig, ...]:
    """Objects to be loaded, in order.

    Raises:
        SettingsError: one message for each mistake in the company's file.
    """
    objects: dict[str, Any] = dict(_read(DEFAULTS))
    if own is not None:
        for name, entry in _read(own).items():
            if entry is None:
                objects.pop(name, None)
            else:
                before = objects.get(name) or {}
                columns = {**(before.get("columns") or {}), **(entry.get("columns") or {})}
                objects[name] = {**before, **entry, "columns": columns}
    problems: list[str] = []
    found = [_object(name, entry or {}, problems) for name, entry in objects.items()]
    if problems:
        raise SettingsError([f"{own or DEFAULTS}: {p}" for p in problems])
    return tuple(config for config in found if config is not None)


def choose(objects: Sequence[ObjectConfig], name: str) -> ObjectConfig:
    """The object of an API name or landed table.

    Raises:
        ValueError: if none is configured so.
    """
    for config in objects:
        if name in (config.name, config.table.name):
            return config
    known = ", ".join(c.name for c in objects)
    raise ValueError(f"Salesforce has no configured object {name!r}. Choose one of: {known}")


def table_name(api_name: str) -> str:
    """Table of a standard object: OpportunityContactRole -> opportunity_contact_role."""
    return snake(api_name)


def snake(api_name: str) -> str:
    """Column of a field: AccountId -> account_id, Is_Test__c -> is_test__c."""
    custom = api_name.endswith("__c")
    bare = api_name.removesuffix("__c") if custom else api_name
    out: list[str] = []
    for i, char in enumerate(bare):
        starts = char.isupper() and i > 0 and bare[i - 1] != "_" and not bare[i - 1].isupper()
        out.append(("_" if starts else "") + char.lower())
    return "".join(out) + ("__c" if custom else "")


def field_name(column: str) -> str:
    """Field of a column: account_id -> AccountId, is_test__c -> Is_Test__c."""
    if column.endswith("__c"):
        parts = column.removesuffix("__c").split("_")
        return "_".join(p.capitalize() for p in parts) + "__c"
    return "".join(p.capitalize() for p in column.split("_"))


def _read(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError([f"{path} is no readable YAML: {error}"]) from error
    objects = content.get("objects") if isinstance(content, dict) else None
    if not isinstance(objects, dict):
        raise SettingsError(
            [f"{path} has no `objects:` at its top. Copy the shape of {DEFAULTS.name}."]
        )
    return objects


def _object(name: str, entry: Any, problems: list[str]) -> ObjectConfig | None:
    if not isinstance(entry, dict) or set(entry) - _ALLOWED:
        problems.append(f"{name}: only {', '.join(sorted(_ALLOWED))} may be said of an object.")
        return None
    desk = entry.get("desk")
    table = schemas.find("desk", desk) if desk else schemas.find("salesforce", table_name(name))
    if table is None:
        problems.append(
            f"{name}: there is no table {desk or table_name(name)!r}. For a custom object, say "
            "which "
            "table of the success desk it fills, with `desk:`."
        )
        return None
    mapped: dict[str, str | None] = dict(entry.get("columns") or {})
    problems.extend(
        f"{name}: {table.name} has no column {column!r}."
        for column in mapped
        if column not in table.by_name
    )
    for column, field in mapped.items():
        if field is not None and snake(field) in privacy.NEVER_LANDED:
            problems.append(
                f"{name}: {field} may not land as {column}; it is excluded for privacy."
            )
    cursor = str(entry.get("cursor") or "SystemModstamp")
    if desk:
        fields = {c: f for c, f in mapped.items() if f is not None}
        lacking = [c.name for c in table.fields if c.required and c.name not in fields]
        problems.extend(
            f"{name}: {column} of {table.name} must be filled; map it to a field."
            for column in sorted(set(lacking) - _MADE_HERE)
        )
    else:
        named = {c.name: field_name(c.name) for c in table.fields} | mapped
        fields = {c: f for c, f in named.items() if f is not None}
        if cursor != "SystemModstamp":
            fields["system_modstamp"] = cursor
    own_words = dict(entry.get("words") or {})
    problems.extend(
        f"{name}: {table.name} has no column {column!r} with a vocabulary."
        for column in own_words
        if column not in table.by_name or not table.by_name[column].words
    )
    words = tuple((c, tuple(str(w) for w in some or ())) for c, some in own_words.items())
    return ObjectConfig(name, table, fields, cursor, frozenset(entry.get("lookups") or ()), words)
