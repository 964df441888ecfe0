"""Configuration of HubSpot's objects: the delivered file, and a company's own laid over it.

Belongs here: reading and checking the YAML, and what fills each column. Must not be here: requests.
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

DEFAULTS = Path(__file__).with_name("hubspot_objects.yaml")
_ALLOWED = {"table", "desk", "columns", "history", "changed", "words"}
_ASSOCIATION, _RECORD = "association:", "record:"
# What every record says of itself beside its properties.
_ENVELOPE = {"id": "id", "created_at": "createdAt", "updated_at": "updatedAt"}
_MADE_HERE = {VERSION_AT.name, LOAD_ID.name, "_row", "_source_file", "_deleted", "is_deleted"}
# Where HubSpot's names of people's own properties differ from other vendors'.
_PERSONAL = privacy.PERSONAL_FIELDS | {"hs_full_name_or_email", "hs_additional_phone", "hs_email"}


@dataclass(frozen=True)
class ObjectConfig:
    """How one object lands.

    Attributes:
        name: name in paths: contacts, 2-123456, p_plans.
        table: where it lands.
        properties: column -> property.
        associations: column -> object associated.
        envelope: column -> what the record says beside its properties.
        changed: property of the time of change.
        history: properties whose past lands, in `history_table`.
        history_table: where it lands; None without history.
        words: column -> words of the account's own that its vocabulary has besides.
    """

    name: str
    table: Table
    properties: dict[str, str]
    associations: dict[str, str]
    envelope: dict[str, str]
    changed: str = "hs_lastmodifieddate"
    history: tuple[str, ...] = ()
    history_table: Table | None = None
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_desk(self) -> bool:
        """Whether it lands with the success desk."""
        return self.table.source == "desk"

    @property
    def deletion_flag(self) -> str:
        """The column that says that a record is gone."""
        return "_deleted" if self.is_desk else "is_deleted"

    @property
    def key_property(self) -> str | None:
        """Property that holds the table's key; None where the record's own id does."""
        return self.properties.get(self.table.key[0])


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
    raise ValueError(f"HubSpot has no configured object {name!r}. Choose one of: {known}")


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
    return {str(name): entry for name, entry in objects.items()}


def _object(name: str, entry: Any, problems: list[str]) -> ObjectConfig | None:
    if not isinstance(entry, dict) or set(entry) - _ALLOWED:
        problems.append(f"{name}: only {', '.join(sorted(_ALLOWED))} may be said of an object.")
        return None
    desk = entry.get("desk")
    wanted = desk or entry.get("table") or ""
    table = schemas.find("desk" if desk else "hubspot", wanted)
    if table is None:
        problems.append(
            f"{name}: there is no table {wanted!r}. For a custom object, say which table of the "
            "success desk it fills, with `desk:`."
        )
        return None
    mapped: dict[str, str | None] = dict(entry.get("columns") or {})
    problems.extend(
        f"{name}: {table.name} has no column {column!r}."
        for column in mapped
        if column not in table.by_name
    )
    # A custom object fills what its entry names; HubSpot's own are filled by name besides.
    named = {} if desk else {c.name: c.name for c in table.fields if c.name not in _MADE_HERE}
    sources = {c: str(s) for c, s in (named | mapped).items() if s is not None}
    config = ObjectConfig(
        name,
        table,
        properties={
            c: s
            for c, s in sources.items()
            if not s.startswith((_ASSOCIATION, _RECORD)) and (desk or c not in _ENVELOPE)
        },
        associations={
            c: s.removeprefix(_ASSOCIATION)
            for c, s in sources.items()
            if s.startswith(_ASSOCIATION)
        },
        envelope=({} if desk else dict(_ENVELOPE))
        | {c: s.removeprefix(_RECORD) for c, s in sources.items() if s.startswith(_RECORD)},
        changed=str(entry.get("changed") or "hs_lastmodifieddate"),
        history=tuple(str(p) for p in entry.get("history") or ()),
        history_table=schemas.find("hubspot", f"{table.name}_history"),
        words=tuple(
            (str(c), tuple(str(w) for w in some or ()))
            for c, some in dict(entry.get("words") or {}).items()
        ),
    )
    problems.extend(_faults(config))
    return config


def _faults(config: ObjectConfig) -> list[str]:
    name, table = config.name, config.table
    found = [
        f"{name}: {source} may not land as {column}; it is excluded for privacy."
        for column, source in config.properties.items()
        if source in privacy.NEVER_LANDED
    ]
    found += [
        f"{name}: the past of {item} may not land; its values name people."
        for item in config.history
        if item in privacy.NEVER_LANDED or item in _PERSONAL
    ]
    if config.history and config.history_table is None:
        found.append(f"{name}: {table.name} keeps no history; leave `history` out.")
    filled = {*config.properties, *config.associations, *config.envelope}
    lacking = {c.name for c in table.fields if c.required} - filled - _MADE_HERE
    found += [
        f"{name}: {column} of {table.name} must be filled; map it to a property."
        for column in sorted(lacking)
    ]
    found += [
        f"{name}: {table.name} has no column {column!r} with a vocabulary."
        for column, _ in config.words
        if column not in table.by_name or not table.by_name[column].words
    ]
    return found
