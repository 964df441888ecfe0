"""Records into typed columns, by declaration; what does not fit becomes a reject.

Belongs here: conversion and row-level rules for every declared type. Must not be here: vendor
shapes; a connector hands over one mapping a row, keyed by column.

Conversion goes column by column in Arrow; only a column that fails is looked at value by value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingestion.rejects import Reject, reject
from ingestion.schemas.model import Column, Table, Type

Record = Mapping[str, Any]
_TRUE = {"true", "t", "yes", "y", "1"}
_FALSE = {"false", "f", "no", "n", "0"}
# Clocks and time zones differ by so much at most; a fact dated later has not happened.
AHEAD = timedelta(days=2)
_LAST_SECOND = (
    253_402_300_799  # 9999-12-31T23:59:59Z, the last instant Python and SQL engines share
)
_REMEDIES = {
    Type.BIGINT: "Write a whole number without separators.",
    Type.DOUBLE: "Write a number with a decimal point and no separators.",
    Type.MONEY: "Write an amount with a decimal point and no currency sign.",
    Type.AMOUNT: "Write an amount with a decimal point and no currency sign.",
    Type.UNIT_AMOUNT: "Write an amount with a decimal point and no currency sign.",
    Type.BOOLEAN: "Write true or false.",
    Type.TIMESTAMP: "Write an instant as 2026-01-31T09:30:00Z.",
    Type.DATE: "Write a date as 2026-01-31.",
    Type.JSON: "Write a JSON value.",
    Type.TEXT: "Write plain text.",
}


def build(
    table: Table, records: Sequence[Record], names: Mapping[str, str] | None = None
) -> tuple[pa.Table, list[Reject]]:
    """Converts and checks records.

    Args:
        table: the declaration.
        records: one mapping a row, keyed by column; absent means null.
        names: column -> key under which the records hold it, where they are keyed otherwise.

    Returns:
        The rows that fit, in their order, and one reject for each row that does not (its first
        fault).
    """
    faults: dict[int, tuple[str, str, str, str]] = {}
    arrays: list[pa.Array] = []
    fields = [table.by_name[name] for name in table.write_schema.names]
    for column in fields:
        key = column.name if names is None else names.get(column.name, "")
        values = [r.get(key) for r in records]
        array = _vector(column.type, values)
        if array is None:
            array = _one_by_one(column, values, faults)
        _check(column, array, faults)
        arrays.append(array)
    rows = pa.Table.from_arrays(arrays, schema=table.write_schema)
    if not faults:
        return rows, []
    keep = pa.array([i not in faults for i in range(len(records))])
    bad = [reject(table, _by_column(records[i], names), *faults[i]) for i in sorted(faults)]
    return rows.filter(keep), bad


def _by_column(record: Record, names: Mapping[str, str] | None) -> Record:
    return record if names is None else {c: record.get(key) for c, key in names.items()}


def _vector(kind: Type, values: list[Any]) -> pa.Array | None:
    """The column in one go, or None if any value resists."""
    try:
        return _VECTORS[kind](values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return None
    except (TypeError, ValueError, OverflowError, OSError, InvalidOperation):
        return None


def _vector_text(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.string())


def _vector_json(values: list[Any]) -> pa.Array:
    return pa.array([None if v is None else _json(v) for v in values], pa.string())


def _vector_bigint(values: list[Any]) -> pa.Array:
    if any(isinstance(v, bool) for v in values):
        raise TypeError("a truth value is no number")
    if _is_text(values):
        return pa.array(values, pa.string()).cast(pa.int64())
    try:
        return pa.array(values, pa.int64())
    except pa.ArrowInvalid:
        # APIs write whole numbers of decimal fields as 12.0.
        return pa.array(values, pa.float64()).cast(pa.int64())


def _vector_double(values: list[Any]) -> pa.Array:
    if any(isinstance(v, bool) for v in values):
        raise TypeError("a truth value is no number")
    array = (
        pa.array(values, pa.string()).cast(pa.float64())
        if _is_text(values)
        else pa.array(values, pa.float64())
    )
    if not pc.all(pc.is_finite(array), min_count=0).as_py():
        raise ValueError("not finite")
    return array


def _vector_boolean(values: list[Any]) -> pa.Array:
    return pa.array(values, pa.bool_())


def _is_text(values: list[Any]) -> bool:
    return isinstance(next((v for v in values if v is not None), None), str)


def _vector_timestamp(values: list[Any]) -> pa.Array:
    first = next((v for v in values if v is not None), None)
    target = Type.TIMESTAMP.arrow
    if first is None:
        return pa.nulls(len(values), target)
    if isinstance(first, datetime):
        if any(v is not None and v.tzinfo is None for v in values):
            raise ValueError("an instant needs its zone")
        return pa.array(values, target)
    if isinstance(first, int) and not isinstance(first, bool):
        seconds = pa.array(values, pa.int64())
        if (pc.max(seconds).as_py() or 0) > _LAST_SECOND:
            raise ValueError("beyond the calendar")
        return seconds.cast(pa.timestamp("s", "UTC")).cast(target)
    return pa.array(values, pa.string()).cast(target)


def _vector_date(values: list[Any]) -> pa.Array:
    first = next((v for v in values if v is not None), None)
    if isinstance(first, str):
        return pa.array(values, pa.string()).cast(pa.date32())
    if any(isinstance(v, datetime) for v in values):
        raise ValueError("an instant is no date")
    return pa.array(values, pa.date32())


def _vector_decimal(kind: Type) -> Callable[[list[Any]], pa.Array]:
    def convert(values: list[Any]) -> pa.Array:
        return pa.array([None if v is None else _decimal(v, kind) for v in values], kind.arrow)

    return convert


_VECTORS: dict[Type, Callable[[list[Any]], pa.Array]] = {
    Type.TEXT: _vector_text,
    Type.JSON: _vector_json,
    Type.BIGINT: _vector_bigint,
    Type.DOUBLE: _vector_double,
    Type.BOOLEAN: _vector_boolean,
    Type.TIMESTAMP: _vector_timestamp,
    Type.DATE: _vector_date,
    Type.MONEY: _vector_decimal(Type.MONEY),
    Type.AMOUNT: _vector_decimal(Type.AMOUNT),
    Type.UNIT_AMOUNT: _vector_decimal(Type.UNIT_AMOUNT),
}


def _one_by_one(
    column: Column, values: list[Any], faults: dict[int, tuple[str, str, str, str]]
) -> pa.Array:
    converted: list[Any] = []
    for i, value in enumerate(values):
        try:
            converted.append(None if value is None else _value(column, value))
        except (TypeError, ValueError, OverflowError, OSError, InvalidOperation):
            converted.append(None)
            faults.setdefault(
                i,
                (
                    "type",
                    column.name,
                    f"{column.name} cannot be read as {column.type.value}.",
                    _REMEDIES[column.type],
                ),
            )
    return pa.array(converted, column.type.arrow)


def _value(column: Column, value: Any) -> Any:
    """One value, leniently: text from files as well as typed values from APIs."""
    kind = column.type
    if kind is Type.TEXT and isinstance(value, dict | list) and _may_nest(column):
        return _json(value)
    if isinstance(value, str) and kind not in (Type.TEXT, Type.JSON):
        value = value.strip()
        if value == "":
            return None
    if kind is Type.TEXT:
        return _text(value)
    if kind is Type.JSON:
        return _json(value)
    if kind is Type.BOOLEAN:
        return _boolean(value)
    if kind is Type.BIGINT:
        return _whole(value)
    if kind is Type.DOUBLE:
        return _finite(value)
    if kind is Type.TIMESTAMP:
        return _instant(value)
    if kind is Type.DATE:
        return _day(value)
    return _decimal(value, kind)


def _may_nest(column: Column) -> bool:
    """Whether a nested value is kept as JSON: nothing hangs on the column's plain text."""
    return not (column.required or column.needed or column.decides or column.allowed)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        value.encode()  # a lone surrogate cannot be written
        return value
    if isinstance(value, int | float | Decimal | date):
        return str(value)
    raise TypeError("not plain text")


def _json(value: Any) -> str:
    if isinstance(value, str):
        orjson.loads(value)
        return value
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("neither true nor false")


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    number = Decimal(str(value))
    if number != number.to_integral_value() or not -(2**63) <= number < 2**63:
        raise ValueError("not whole")
    return int(number)


def _finite(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError("a truth value is no number")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _decimal(value: Any, kind: Type) -> Decimal:
    if isinstance(value, bool):
        raise TypeError("a truth value is no amount")
    arrow = kind.arrow
    number = Decimal(str(value))
    if not number.is_finite() or abs(number) >= Decimal(10) ** (arrow.precision - arrow.scale):
        raise ValueError("out of range")
    return Decimal(format(number, f".{arrow.scale}f"))


def _instant(value: Any) -> datetime:
    if isinstance(value, bool):
        raise TypeError("a truth value is no instant")
    if isinstance(value, datetime):
        at = value
    elif isinstance(value, int | float):
        at = datetime.fromtimestamp(value, UTC)
    elif isinstance(value, str):
        at = datetime.fromisoformat(value)
    else:
        raise TypeError("not an instant")
    if at.tzinfo is None:
        # Files are written by people and tools that mean UTC when they name no zone.
        at = at.replace(tzinfo=UTC)
    return at.astimezone(UTC)


def _day(value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    text = str(value)
    if not isinstance(value, datetime) and not (len(text) > 10 and text[10] in "T "):
        return date.fromisoformat(text)
    at = value if isinstance(value, datetime) else datetime.fromisoformat(text)
    # A date column filled with instants at midnight loses nothing by being read as dates.
    if at.time() != time():
        raise ValueError("an instant is no date")
    return at.date()


def _check(column: Column, array: pa.Array, faults: dict[int, tuple[str, str, str, str]]) -> None:
    name = column.name
    if column.required and array.null_count:
        fault = ("required", name, f"{name} is empty.", f"Fill {name}: {column.doc}")
        for i in _where(pc.is_null(array)):
            faults.setdefault(i, fault)
    if column.allowed:
        known = pa.array(column.allowed)
        choices = ", ".join(column.allowed)
        fault = ("allowed", name, f"{name} is none of: {choices}.", f"Use one of: {choices}.")
        for i in _where(pc.and_(pc.is_valid(array), pc.invert(pc.is_in(array, known)))):
            faults.setdefault(i, fault)
    if column.minimum is not None:
        fault = ("range", name, f"{name} is below {column.minimum:g}.", f"Check {name}.")
        for i in _where(pc.less(array, pa.scalar(column.minimum))):
            faults.setdefault(i, fault)
    if column.is_past:
        fault = (
            "future",
            name,
            f"{name} lies more than {AHEAD.days} days ahead.",
            f"Correct {name}; what has not happened yet is no fact.",
        )
        limit: datetime | date = datetime.now(UTC) + AHEAD
        if column.type is Type.DATE:
            limit = limit.date()  # type: ignore[union-attr]
        for i in _where(pc.greater(array, pa.scalar(limit, column.type.arrow))):
            faults.setdefault(i, fault)
    if column.maximum is not None:
        fault = ("range", name, f"{name} is above {column.maximum:g}.", f"Check {name}.")
        for i in _where(pc.greater(array, pa.scalar(column.maximum))):
            faults.setdefault(i, fault)


def _where(mask: pa.Array) -> list[int]:
    if not pc.any(mask, min_count=0).as_py():
        return []
    return [int(i) for i in pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()]
