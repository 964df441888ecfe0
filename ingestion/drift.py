"""Schema drift: what a source sends today against what it sent before and what is declared.

Belongs here: telling a change (new field, new word, renamed or missing field, another type, a
nested field), and whether it passes or blocks. Must not be here: how a vendor describes its fields
(the connectors hand over names and kinds) or the rules of single rows (see `rows`).

A table's first load sets the base line: the fields a source has and their kinds land with the rows
(`_fields`). Later loads are compared with it. What the declaration needs is asked for from the
first load on.

| change | answer |
|---|---|
| new field | passes, reported; it lands once a column is declared for it |
| new word of a vocabulary | passes, reported; blocks where the word decides about state or money |
| needed field missing or renamed | blocks, with the likely new name |
| other field missing or renamed | passes, reported; its column stays empty |
| another type | passes, reported, if every value can be read without loss; else blocks |
| nested field | passes, reported; in a column of plain text it is kept as JSON |
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.lake import Lake
from ingestion.rejects import Reject
from ingestion.schemas.model import Column, Table
from ingestion.schemas.operations import FIELDS, SCHEMA_CHANGES

NEW_COLUMN = "new_column"
NEW_VALUE = "new_value"
MISSING_COLUMN = "missing_column"
RENAMED_COLUMN = "renamed_column"
TYPE_CHANGE = "type_change"
NESTED_FIELD = "nested_field"
PASSED, BLOCKED = "passed", "blocked"

TEXT, NUMBER, BOOLEAN, DATE, INSTANT, OBJECT, LIST = (
    "text",
    "number",
    "boolean",
    "date",
    "instant",
    "object",
    "list",
)
NESTED = frozenset({OBJECT, LIST})
# A vocabulary that grows like this is free text; its words are no news.
WORDS_TOLD = 50
# So many unreadable values, and more than half of all: the column has changed, not the row.
UNREADABLE = 3
_SIMILAR = 0.5
_ALONE = 0.3
_KINDS: dict[type, str] = {
    str: TEXT,
    bool: BOOLEAN,
    int: NUMBER,
    float: NUMBER,
    Decimal: NUMBER,
    dict: OBJECT,
    list: LIST,
    tuple: LIST,
    datetime: INSTANT,
    date: DATE,
}
Kinds = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Change:
    """One change of a source's shape.

    Attributes:
        source: the source.
        table_name: landed table it concerns.
        kind: new_column, new_value, missing_column, renamed_column, type_change or nested_field.
        field: the vendor's name of the field.
        detail: the new word, the likely new name, or the types before and after.
        outcome: passed or blocked.
        message: what has changed, in a sentence.
        remedy: what to do.
    """

    source: str
    table_name: str
    kind: str
    field: str
    detail: str
    outcome: str
    message: str
    remedy: str

    @property
    def change_id(self) -> str:
        """Same change, same id, however often it is met."""
        parts = (self.source, self.table_name, self.kind, self.field, self.detail, self.outcome)
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]

    def sentence(self) -> str:
        """Message and remedy for people."""
        return f"{self.message} {self.remedy}"


class DriftBlocked(Exception):  # noqa: N818 - it says what happened, not that something is wrong
    """A table must not land as it comes; says which field, why, and what to do.

    Attributes:
        changes: the changes that block.
    """

    def __init__(self, changes: Sequence[Change]) -> None:
        super().__init__(" ".join(c.sentence() for c in changes))
        self.changes = tuple(changes)


@dataclass
class Watch:
    """Watches the tables of one source during a run.

    Attributes:
        lake: where base lines and told changes lie.
        source: folder of the lake.
        words: words that a company's own configuration adds: (table, column) -> words.
        place: where the rows come from, if a table has several ways in; each has its own shape.
    """

    lake: Lake
    source: str
    words: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)
    place: str = ""
    changes: list[Change] = field(default_factory=list)
    learned: list[tuple[str, str, str]] = field(default_factory=list)
    _base: dict[str, dict[str, set[str]]] | None = None
    _young: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)
    _gone: set[tuple[str, str]] = field(default_factory=set)
    _changed: dict[tuple[str, str], Change] = field(default_factory=dict)
    _filled_by: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def records(
        self,
        table: Table,
        records: Iterable[Mapping[str, Any]],
        sources: Mapping[str, Sequence[str]],
    ) -> None:
        """Compares records as the vendor sends them.

        Args:
            table: the table they fill.
            records: the vendor's objects.
            sources: column -> fields that may fill it; a column without an entry is made here.

        Raises:
            DriftBlocked: if a needed field is missing in all of them.
        """
        self.fields(table, kinds_of(records), sources)

    def fields(self, table: Table, fields: Kinds, sources: Mapping[str, Sequence[str]]) -> None:
        """Compares fields with the base line and the declaration.

        Args:
            table: the table they fill.
            fields: the vendor's fields and the kinds of their values (none if all are empty).
            sources: column -> fields that may fill it; a column without an entry is made here.

        Raises:
            DriftBlocked: if a needed field is missing.
        """
        if not fields:
            return
        base = self._base_of(table.name)
        if not base:
            # The whole first load sets the base line, not its first page.
            self._young.add(table.name)
        fresh = [f for f in fields if f not in base]
        found: list[Change] = []
        taken: set[str] = set()
        filled = {name for some in sources.values() for name in some}
        for column, names in sources.items():
            self._filled_by[table.name, column] = tuple(names)
            if any(n in fields for n in names) or not names:
                continue
            is_needed = column in table.needed_columns
            was_there = next((n for n in names if n in base), None)
            name = was_there or names[0]
            was_told = any((table.name, n) in self._gone for n in names)
            if not is_needed and (was_there is None or was_told):
                continue
            candidates = [f for f in fresh if f not in filled and f not in taken]
            likely = _likely(name, candidates, fields, _kinds_before(base, names))
            taken |= {likely} if likely else set()
            found.append(self._missing(table, name, likely, is_needed=is_needed))
        if table.name not in self._young:
            found += [self._new(table, f, fields[f]) for f in fresh if f not in taken]
            found += [
                change
                for name, kinds in fields.items()
                if (change := self._retyped(table, name, base.get(name, set()), kinds)) is not None
            ]
        self._tell(found)
        blocking = [c for c in found if c.outcome == BLOCKED]
        if blocking:
            raise DriftBlocked(blocking)
        for name, kinds in fields.items():
            known = base.setdefault(name, set())
            for kind in (kinds | {""}) - known:
                self.learned.append((self._shape_of(table.name), name, kind))
                known.add(kind)

    def vocabulary(self, table: Table, rows: pa.Table) -> None:
        """Looks for words that nobody has said the meaning of.

        Raises:
            DriftBlocked: if such a word decides about state or money.
        """
        found: list[Change] = []
        for column in table.fields:
            if not column.words or not rows.num_rows:
                continue
            known = {*column.words, *self.words.get((table.name, column.name), ())}
            met = set(pc.unique(rows[column.name]).to_pylist()) - known - {None}
            found += [self._word(table, column, word) for word in sorted(met)[:WORDS_TOLD]]
        self._tell(found)
        blocking = [c for c in found if c.outcome == BLOCKED]
        if blocking:
            raise DriftBlocked(blocking)

    def unreadable(
        self,
        table: Table,
        bad: Sequence[Reject],
        filled: Mapping[str, int],
        sources: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Tells a column that can no longer be read from single rows that cannot.

        Args:
            table: the table.
            bad: the rejected rows.
            filled: column -> values that were not empty.
            sources: column -> fields that fill it, where they are named otherwise.

        Raises:
            DriftBlocked: if a column's type has changed so that its values cannot be read.
        """
        counts: dict[str, int] = {}
        for reject in bad:
            if reject.rule == "type":
                counts[reject.field] = counts.get(reject.field, 0) + 1
        self.unreadable_counts(table, counts, filled, sources)

    def unreadable_counts(
        self,
        table: Table,
        counts: Mapping[str, int],
        filled: Mapping[str, int],
        sources: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """As `unreadable`, from unreadable values by column.

        Raises:
            DriftBlocked: if a column's type has changed so that its values cannot be read.
        """
        blocking = []
        for column, count in counts.items():
            known = self._filled_by.get((table.name, column), ())
            names = (*known, *(sources or {}).get(column, ()), column)
            changed = next(
                (c for n in names if (c := self._changed.get((table.name, n))) is not None), None
            )
            is_most = count > filled[column] / 2
            if not is_most or (changed is None and count < UNREADABLE):
                continue
            kind = table.by_name[column].type.value
            name, detail = names[0], f"not {kind}"
            if changed is not None:
                name, detail = changed.field, changed.detail
                self.changes = [c for c in self.changes if c != changed]
            blocking.append(
                Change(
                    self.source,
                    table.name,
                    TYPE_CHANGE,
                    name,
                    detail,
                    BLOCKED,
                    f"{table.name}: {name} has another type, and its values cannot be read "
                    f"as {kind}. The table is not loaded.",
                    "Have the source write it as before, or declare the new type of the column "
                    f"{column} in ingestion/schemas/{self.source}.py.",
                )
            )
        if blocking:
            self._tell(blocking)
            raise DriftBlocked(blocking)

    def has_met(self, table: Table) -> bool:
        """Whether the table's shape is known from an earlier load."""
        return bool(self._base_of(table.name))

    def take(self) -> tuple[list[Change], list[tuple[str, str, str]]]:
        """What is to land: changes not told before, and fields learned."""
        changes, learned = self.changes, self.learned
        self.changes, self.learned = [], []
        return changes, learned

    def forget(self, learned: int) -> None:
        """Takes back what was learned beyond a mark, for its rows were dropped."""
        for shape, name, kind in self.learned[learned:]:
            base = (self._base or {}).get(shape, {})
            known = base.get(name, set())
            known.discard(kind)
            if not known:
                base.pop(name, None)
        del self.learned[learned:]

    # What changes are called

    def _missing(self, table: Table, name: str, likely: str, *, is_needed: bool) -> Change:
        renamed = f"; it is probably called {likely} now" if likely else ""
        effect = "The table is not loaded." if is_needed else "Its column stays empty."
        remedy = (
            f"Map {likely} in the configuration of the source, or have it named {name} again."
            if likely
            else f"Give the source's user access to {name}, or have it sent again."
        )
        return Change(
            self.source,
            table.name,
            RENAMED_COLUMN if likely else MISSING_COLUMN,
            name,
            likely,
            BLOCKED if is_needed else PASSED,
            f"{table.name}: the field {name} is missing{renamed}. {effect}",
            remedy,
        )

    def _new(self, table: Table, name: str, kinds: frozenset[str]) -> Change:
        nested = sorted(kinds & NESTED)
        what = f"nested field ({nested[0]})" if nested else "field"
        return Change(
            self.source,
            table.name,
            NESTED_FIELD if nested else NEW_COLUMN,
            name,
            nested[0] if nested else "/".join(sorted(kinds)),
            PASSED,
            f"{table.name}: a new {what} {name} has come; it is not loaded.",
            f"Nothing, or declare a column for it in ingestion/schemas/{self.source}.py.",
        )

    def _retyped(
        self, table: Table, name: str, before: set[str], now: frozenset[str]
    ) -> Change | None:
        known = before - {""}
        fresh = now - before
        if not known or not fresh:
            return None
        nested = sorted(fresh & NESTED)
        change = Change(
            self.source,
            table.name,
            NESTED_FIELD if nested else TYPE_CHANGE,
            name,
            f"{'/'.join(sorted(known))} -> {'/'.join(sorted(fresh))}",
            PASSED,
            f"{table.name}: {name} was {'/'.join(sorted(known))} and is "
            f"{'/'.join(sorted(fresh))} now"
            + ("; where it is loaded as text, it is kept as JSON." if nested else "."),
            "Nothing, as long as every value can be read; a value that cannot blocks the table.",
        )
        self._changed[table.name, name] = change
        return change

    def _word(self, table: Table, column: Column, word: str) -> Change:
        place = f"ingestion/schemas/{self.source}.py (words of {column.name} in {table.name})"
        message = f"{table.name}: {column.name} has a new value {word!r}."
        if column.decides:
            return Change(
                self.source,
                table.name,
                NEW_VALUE,
                column.name,
                word,
                BLOCKED,
                f"{message} It decides about state or money; the table is not loaded.",
                f"Say what it means in the staging model of {table.name}, then add it to {place}"
                + (
                    f" or under `words` in your {self.source.upper()}_OBJECTS."
                    if self.source in ("salesforce", "hubspot")
                    else "."
                ),
            )
        return Change(
            self.source,
            table.name,
            NEW_VALUE,
            column.name,
            word,
            PASSED,
            f"{message} It is loaded as it is.",
            f"Add it to {place} once its meaning is known.",
        )

    # Base line

    def _tell(self, found: Sequence[Change]) -> None:
        self._base_of("")
        for change in found:
            if change.change_id not in self._told:
                self._told.add(change.change_id)
                self.changes.append(change)

    def _base_of(self, table: str) -> dict[str, set[str]]:
        if self._base is None:
            self._base = {}
            landed = self.lake.read(self.source, FIELDS.name)
            for row in landed.to_pylist() if landed.num_rows else []:
                names = self._base.setdefault(row["table_name"], {})
                names.setdefault(row["field"], set()).add(row["kind"])
            told = self.lake.read(self.source, SCHEMA_CHANGES.name)
            if told.num_rows:
                passed = pc.equal(told["outcome"], PASSED)
                for row in told.filter(passed).to_pylist():
                    self._told.add(row["change_id"])
                    if row["kind"] in (MISSING_COLUMN, RENAMED_COLUMN):
                        self._gone.add((row["table_name"], row["field"]))
        return self._base.setdefault(self._shape_of(table), {})

    def _shape_of(self, table: str) -> str:
        return f"{table} of {self.place}" if self.place else table


def kinds_of(records: Iterable[Mapping[str, Any]]) -> Kinds:
    """Fields of records and the kinds of their values; empty values have none."""
    found: dict[str, set[type]] = {}
    for record in records:
        for name, value in record.items():
            types = found.get(name)
            if types is None:
                types = found[name] = set()
            if value is not None:
                types.add(type(value))
    return {n: frozenset(_KINDS.get(t, TEXT) for t in types) for n, types in found.items()}


def written_kind(value: str) -> str:
    """Kind of a value that stands in a file of text: number, boolean, date, instant or text."""
    text = value.strip()
    if text.lower() in ("true", "false", "yes", "no"):
        return BOOLEAN
    try:
        float(text)
    except ValueError:
        pass
    else:
        return NUMBER
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return TEXT
    return DATE if len(text) <= 10 else INSTANT


def arrow_kind(kind: pa.DataType) -> str:
    """Kind of a column of a Parquet file."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return BOOLEAN
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return NUMBER
    if pa.types.is_date(kind):
        return DATE
    if pa.types.is_timestamp(kind):
        return INSTANT
    if pa.types.is_struct(kind) or pa.types.is_map(kind):
        return OBJECT
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return LIST
    return TEXT


def to_arrow(changes: Iterable[Change], seen_on: date, run_id: str) -> pa.Table:
    """Changes as a table to be landed with the load that met them."""
    rows = [
        asdict(c) | {"change_id": c.change_id, "seen_on": seen_on, "run_id": run_id}
        for c in changes
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA_CHANGES.write_schema)


def fields_to_arrow(learned: Iterable[tuple[str, str, str]]) -> pa.Table:
    """Learned fields as a table to be landed."""
    rows = [dict(zip(("table_name", "field", "kind"), row, strict=True)) for row in learned]
    return pa.Table.from_pylist(rows, schema=FIELDS.write_schema)


def _kinds_before(base: Mapping[str, set[str]], names: Sequence[str]) -> set[str]:
    return {k for n in names for k in base.get(n, ()) if k}


def _likely(name: str, candidates: Sequence[str], fields: Kinds, before: set[str]) -> str:
    """The candidate that most resembles a missing field in name and kind; empty if none does."""
    best, likely = 0.0, ""
    for candidate in candidates:
        kinds = fields[candidate]
        if before and kinds and not before & kinds:
            continue
        score = difflib.SequenceMatcher(None, _plain(name), _plain(candidate)).ratio()
        if score > best:
            best, likely = score, candidate
    # The one field that has come where one has gone need not resemble it much.
    return likely if best >= (_SIMILAR if len(candidates) > 1 else _ALONE) else ""


def _plain(name: str) -> str:
    return name.lower().removesuffix("__c").replace("_", "")
