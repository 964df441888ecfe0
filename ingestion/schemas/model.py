"""The vocabulary in which landed tables are declared.

Belongs here: the types a landed column may have, and the two dataclasses. Must not be
here: any table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property

import pyarrow as pa


class Type(Enum):
    """A landed column's type: DuckDB name and Arrow type."""

    TEXT = "varchar"
    JSON = "json"
    BIGINT = "bigint"
    DOUBLE = "double"
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp with time zone"
    DATE = "date"
    MONEY = "decimal(18,2)"
    AMOUNT = "decimal(28,6)"
    UNIT_AMOUNT = "decimal(38,12)"

    @property
    def sql(self) -> str:
        """The DuckDB type under which the column is read back (JSON is kept as text)."""
        return "varchar" if self is Type.JSON else self.value

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type written into Parquet."""
        return _ARROW[self]()


_ARROW: dict[Type, Callable[[], pa.DataType]] = {
    Type.TEXT: pa.string,
    Type.JSON: pa.string,
    Type.BIGINT: pa.int64,
    Type.DOUBLE: pa.float64,
    Type.BOOLEAN: pa.bool_,
    Type.TIMESTAMP: lambda: pa.timestamp("us", "UTC"),
    Type.DATE: pa.date32,
    Type.MONEY: lambda: pa.decimal128(18, 2),
    Type.AMOUNT: lambda: pa.decimal128(28, 6),
    Type.UNIT_AMOUNT: lambda: pa.decimal128(38, 12),
}


@dataclass(frozen=True)
class Column:
    """One landed column.

    Attributes:
        name: snake_case of the vendor's name.
        type: landed type.
        doc: what it holds, with its unit.
        pii: whether it identifies a person (name, e-mail, phone); such values never leave
            the lake and `dim_people`.
        required: whether a row without it is rejected.
        allowed: values a row may carry (others are rejected); empty for any.
        minimum: smallest value accepted.
        maximum: largest value accepted.
        words: vocabulary known to the transformer; a word beyond it is news (see `decides`).
        decides: whether state or money is decided by the word: a new one then blocks the table
            until somebody says what it means. Otherwise it passes and is reported.
        needed: whether the source must have the column, though a row may leave it empty; without
            it the table is blocked. Required and deciding columns always are needed.
        is_past: whether it dates a fact, so that a row dated days ahead is rejected.
    """

    name: str
    type: Type
    doc: str
    pii: bool = False
    required: bool = False
    allowed: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    words: tuple[str, ...] = ()
    decides: bool = False
    needed: bool = False
    is_past: bool = False


VERSION_AT = Column(
    "_version_at",
    Type.TIMESTAMP,
    "Instant at which the vendor says this version became true.",
    required=True,
)
LOAD_ID = Column(
    "_dlt_load_id", Type.TEXT, "Load that wrote the row; sorts as text.", required=True
)


@dataclass(frozen=True)
class Table:
    """One landed table.

    Attributes:
        source: folder under the lake.
        name: folder under the source.
        doc: what a row is.
        key: columns that name a record; several rows of one key are its versions.
        fields: the columns a source fills.
        is_versioned: whether rows carry `_version_at`.
        partition: Hive partition column, kept in the path instead of the file.
    """

    source: str
    name: str
    doc: str
    key: tuple[str, ...]
    fields: tuple[Column, ...]
    is_versioned: bool = True
    partition: str | None = None

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns as read back, the load's own included."""
        own = (VERSION_AT,) if self.is_versioned else ()
        return (*self.fields, *own, LOAD_ID)

    @cached_property
    def by_name(self) -> dict[str, Column]:
        """Columns by name."""
        return {c.name: c for c in self.columns}

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """Schema of a file of this table: every column but the partition, which the path holds."""
        return pa.schema([(c.name, c.type.arrow) for c in self.columns if c.name != self.partition])

    @cached_property
    def write_schema(self) -> pa.Schema:
        """Schema of what a connector hands over: without the load id, which the loader adds."""
        return pa.schema([f for f in self.arrow_schema if f.name != LOAD_ID.name])

    @property
    def pii_columns(self) -> tuple[str, ...]:
        """Names of the columns that identify a person."""
        return tuple(c.name for c in self.columns if c.pii)

    @cached_property
    def needed_columns(self) -> tuple[str, ...]:
        """Names of the columns without which the table is blocked."""
        own = {VERSION_AT.name, LOAD_ID.name, "_row", "_source_file", "_deleted", self.partition}
        return tuple(
            c.name
            for c in self.columns
            if (c.required or c.needed or c.decides) and c.name not in own
        )
