"""A subset of the Salesforce Object Query Language: parser and evaluator over columns.

Belongs here: the language, its rules about literals and nulls, and the words of its errors. Does
not belong here: where columns come from, paging, HTTP. What is outside the subset (child
sub-queries, semi-joins, GROUP BY, TYPEOF, geolocation) is refused as malformed, never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Mask: TypeAlias = npt.NDArray[np.bool_]
Array: TypeAlias = npt.NDArray[Any]


class SoqlError(Exception):
    """A query that Salesforce would refuse, with its error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def malformed(message: str) -> SoqlError:
    """The error of a query that cannot be parsed."""
    return SoqlError("MALFORMED_QUERY", message)


# --- syntax -------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<datetime>\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2}))
  | (?P<date>\d{4}-\d{2}-\d{2}(?![\dT]))
  | (?P<number>[+-]?\d+(?:\.\d+)?)
  | (?P<word>[A-Za-z_][\w.]*(?::\d+)?)
  | (?P<op><=|>=|!=|<>|=|<|>)
  | (?P<mark>[(),])
    """,
    re.VERBOSE,
)
_AGGREGATES = ("COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG")
_RELATIVE = re.compile(
    r"(TODAY|YESTERDAY|TOMORROW|THIS_MONTH|LAST_MONTH|THIS_YEAR|LAST_YEAR|LAST_N_DAYS:\d+|NEXT_N_DAYS:\d+)",
    re.IGNORECASE,
)

LiteralKind = Literal["string", "datetime", "date", "number", "boolean", "null", "relative"]


@dataclass(frozen=True)
class Value:
    """A literal of the query and the kind it was written as."""

    kind: LiteralKind
    value: Any


@dataclass(frozen=True)
class Comparison:
    """`field operator value(s)`."""

    name: str
    operator: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Not:
    """NOT condition."""

    part: Condition


@dataclass(frozen=True)
class Junction:
    """Conditions joined by AND, or by OR."""

    word: Literal["AND", "OR"]
    parts: tuple[Condition, ...]


Condition: TypeAlias = Comparison | Not | Junction


@dataclass(frozen=True)
class Aggregate:
    """An aggregate in the select list; `alias` is the key of its value in the answer."""

    function: str
    name: str | None
    alias: str


@dataclass(frozen=True)
class Order:
    """One key of ORDER BY."""

    name: str
    descending: bool
    nulls_last: bool


@dataclass(frozen=True)
class Query:
    """A parsed query."""

    fields: tuple[str, ...]
    aggregates: tuple[Aggregate, ...]
    is_count: bool
    source: str
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass
class _Parser:
    text: str
    tokens: list[tuple[str, str]] = field(default_factory=list)
    at: int = 0

    def __post_init__(self) -> None:
        position = 0
        while position < len(self.text):
            match = _TOKEN.match(self.text, position)
            if match is None:
                raise malformed(
                    f"unexpected character at position {position}: '{self.text[position]}'"
                )
            kind = match.lastgroup or ""
            if kind != "space":
                self.tokens.append((kind, match.group()))
            position = match.end()

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else ("end", "<EOF>")

    def next(self) -> tuple[str, str]:
        token = self.peek()
        self.at += 1
        return token

    def is_word(self, *words: str, ahead: int = 0) -> bool:
        kind, text = self.peek(ahead)
        return kind == "word" and text.upper() in words

    def take_word(self, *words: str) -> bool:
        if self.is_word(*words):
            self.at += 1
            return True
        return False

    def is_mark(self, mark: str, ahead: int = 0) -> bool:
        return self.peek(ahead) == ("mark", mark)

    def expect_mark(self, mark: str) -> None:
        if not self.is_mark(mark):
            raise malformed(f"unexpected token: '{self.peek()[1]}', expecting '{mark}'")
        self.at += 1

    def expect_name(self) -> str:
        kind, text = self.next()
        if kind != "word":
            raise malformed(f"unexpected token: '{text}'")
        return text

    def expect_integer(self, clause: str) -> int:
        kind, text = self.next()
        if kind != "number" or not text.isdigit():
            raise malformed(f"{clause} needs a whole number, not '{text}'")
        return int(text)

    def parse(self) -> Query:
        if not self.take_word("SELECT"):
            raise malformed(f"unexpected token: '{self.peek()[1]}', a query begins with SELECT")
        fields, aggregates, is_count = self.select_list()
        if not self.take_word("FROM"):
            raise malformed(f"unexpected token: '{self.peek()[1]}', expecting FROM")
        source = self.expect_name()
        alias = None
        if self.peek()[0] == "word" and not self.is_word(
            "WHERE", "ORDER", "LIMIT", "OFFSET", "GROUP", "HAVING", "FOR", "WITH", "USING", "ALL"
        ):
            alias = self.expect_name()
        where = self.junction() if self.take_word("WHERE") else None
        order: list[Order] = []
        limit: int | None = None
        offset = 0
        if self.take_word("ORDER"):
            if not self.take_word("BY"):
                raise malformed(f"unexpected token: '{self.peek()[1]}', expecting BY")
            order.append(self.order_key())
            while self.is_mark(","):
                self.at += 1
                order.append(self.order_key())
        if self.take_word("LIMIT"):
            limit = self.expect_integer("LIMIT")
        if self.take_word("OFFSET"):
            offset = self.expect_integer("OFFSET")
            if offset > 2000:
                raise SoqlError("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        if self.peek()[0] != "end":
            raise malformed(f"unexpected token: '{self.peek()[1]}'")
        query = Query(
            tuple(fields), tuple(aggregates), is_count, source, where, tuple(order), limit, offset
        )
        return _without_alias(query, alias) if alias else query

    def select_list(self) -> tuple[list[str], list[Aggregate], bool]:
        fields: list[str] = []
        aggregates: list[Aggregate] = []
        while True:
            if self.is_mark("("):
                raise malformed("child sub-queries in the select list are not supported here")
            name = self.expect_name()
            upper = name.upper()
            if self.is_mark("(") and upper in _AGGREGATES:
                self.at += 1
                if upper == "COUNT" and self.is_mark(")"):
                    self.at += 1
                    if fields or aggregates or not self.is_word("FROM"):
                        raise malformed("COUNT() must be the only element of the select list")
                    return [], [], True
                column = self.expect_name()
                self.expect_mark(")")
                alias = f"expr{len(aggregates)}"
                if self.peek()[0] == "word" and not self.is_word("FROM"):
                    alias = self.expect_name()
                aggregates.append(Aggregate(upper, column, alias))
            elif self.is_mark("(") and upper == "FIELDS":
                self.at += 1
                fields.append(f"FIELDS({self.expect_name().upper()})")
                self.expect_mark(")")
            elif self.is_mark("("):
                raise malformed(f"function {name} is not supported here")
            else:
                fields.append(name)
            if not self.is_mark(","):
                break
            self.at += 1
        if fields and aggregates:
            raise malformed(f"Field must be grouped or aggregated: {fields[0]}")
        return fields, aggregates, False

    def junction(self) -> Condition:
        parts = [self.factor()]
        word: Literal["AND", "OR"] | None = None
        while self.is_word("AND", "OR"):
            found: Literal["AND", "OR"] = "AND" if self.next()[1].upper() == "AND" else "OR"
            if word is not None and found != word:
                # Salesforce has no precedence between the two and refuses the mixture.
                raise malformed(f"unexpected token: '{found}', use parentheses to mix AND with OR")
            word = found
            parts.append(self.factor())
        return Junction(word, tuple(parts)) if word else parts[0]

    def factor(self) -> Condition:
        if self.take_word("NOT"):
            return Not(self.factor())
        if self.is_mark("("):
            self.at += 1
            inner = self.junction()
            self.expect_mark(")")
            return inner
        name = self.expect_name()
        kind, text = self.next()
        if kind == "op":
            return Comparison(name, "!=" if text == "<>" else text, (self.value(),))
        word = text.upper()
        if word == "NOT" and self.take_word("IN"):
            return Comparison(name, "NOT IN", self.value_list())
        if word in ("IN", "INCLUDES", "EXCLUDES"):
            return Comparison(name, word, self.value_list())
        if word == "LIKE":
            return Comparison(name, "LIKE", (self.value(),))
        raise malformed(f"unexpected token: '{text}'")

    def value_list(self) -> tuple[Value, ...]:
        self.expect_mark("(")
        if self.is_word("SELECT"):
            raise malformed("semi-joins are not supported here")
        values = [self.value()]
        while self.is_mark(","):
            self.at += 1
            values.append(self.value())
        self.expect_mark(")")
        return tuple(values)

    def value(self) -> Value:
        kind, text = self.next()
        if kind == "string":
            return Value("string", re.sub(r"\\(.)", _unescape, text[1:-1]))
        if kind == "datetime":
            return Value("datetime", _parse_datetime(text))
        if kind == "date":
            try:
                return Value("date", date.fromisoformat(text))
            except ValueError:
                raise malformed(f"Invalid date: {text}") from None
        if kind == "number":
            return Value("number", float(text) if "." in text else int(text))
        if kind == "word":
            upper = text.upper()
            if upper in ("TRUE", "FALSE"):
                return Value("boolean", upper == "TRUE")
            if upper == "NULL":
                return Value("null", None)
            if _RELATIVE.fullmatch(text):
                return Value("relative", upper)
        raise malformed(f"unexpected token: '{text}'")

    def order_key(self) -> Order:
        name = self.expect_name()
        descending = not self.take_word("ASC") and self.take_word("DESC")
        nulls_last = False
        if self.take_word("NULLS"):
            if self.take_word("LAST"):
                nulls_last = True
            elif not self.take_word("FIRST"):
                raise malformed(f"unexpected token: '{self.peek()[1]}', expecting FIRST or LAST")
        return Order(name, descending, nulls_last)


def _unescape(match: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}.get(match[1], match[1])


def _parse_datetime(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise malformed(f"Invalid dateTime: {text}") from None


def _without_alias(query: Query, alias: str) -> Query:
    prefix = alias.lower() + "."

    def bare(name: str) -> str:
        return name[len(prefix) :] if name.lower().startswith(prefix) else name

    def walk(condition: Condition) -> Condition:
        if isinstance(condition, Comparison):
            return Comparison(bare(condition.name), condition.operator, condition.values)
        if isinstance(condition, Not):
            return Not(walk(condition.part))
        return Junction(condition.word, tuple(walk(part) for part in condition.parts))

    return Query(
        tuple(bare(name) for name in query.fields),
        tuple(
            Aggregate(a.function, bare(a.name) if a.name else None, a.alias)
            for a in query.aggregates
        ),
        query.is_count,
        query.source,
        walk(query.where) if query.where is not None else None,
        tuple(Order(bare(o.name), o.descending, o.nulls_last) for o in query.order),
        query.limit,
        query.offset,
    )


def parse(text: str) -> Query:
    """Parse a query; SoqlError says what Salesforce would say of a wrong one."""
    return _Parser(text).parse()


# --- evaluation ---------------------------------------------------------------------------------


class Columns(Protocol):
    """The rows a query runs over, as arrays of equal length.

    The type of a field is the vendor's: `id`, `reference`, `string`, `picklist`, `multipicklist`,
    `boolean`, `int`, `double`, `date`, `datetime`. Text is an object array with None for null,
    numbers are float64 with NaN, dates datetime64[D], instants datetime64[us] in UTC.
    """

    def __len__(self) -> int: ...

    def type_of(self, name: str) -> str:
        """The type of a field; SoqlError INVALID_FIELD when there is none of that name."""
        ...

    def column(self, name: str) -> Array:
        """The values of a field."""
        ...


def select(query: Query, rows: Columns, now: datetime) -> npt.NDArray[np.int64]:
    """Positions of the rows that the query selects, in its order."""
    mask = (
        np.ones(len(rows), dtype=bool) if query.where is None else _evaluate(query.where, rows, now)
    )
    positions = np.flatnonzero(mask)
    for key in reversed(query.order):
        positions = positions[_order_of(rows, key, positions)]
    if query.offset:
        positions = positions[query.offset :]
    if query.limit is not None:
        positions = positions[: query.limit]
    return positions


def aggregate(item: Aggregate, rows: Columns, positions: npt.NDArray[np.int64]) -> Any:
    """The value of one aggregate over the selected rows; None where there is no value."""
    assert item.name is not None  # noqa: S101  # only COUNT() has no field and it is no aggregate
    kind = rows.type_of(item.name)
    values = rows.column(item.name)[positions]
    values = values[~_is_null(values)]
    if item.function == "COUNT":
        return len(values)
    if item.function == "COUNT_DISTINCT":
        return len(set(values.tolist()))
    if item.function in ("SUM", "AVG") and kind not in ("int", "double"):
        raise malformed(f"field {item.name} does not support aggregate operator {item.function}")
    if len(values) == 0:
        return None
    functions: dict[str, Callable[[Array], Any]] = {
        "MIN": min if values.dtype == object else np.min,
        "MAX": max if values.dtype == object else np.max,
        "SUM": np.sum,
        "AVG": np.mean,
    }
    return functions[item.function](values)


def _evaluate(condition: Condition, rows: Columns, now: datetime) -> Mask:
    if isinstance(condition, Not):
        return ~_evaluate(condition.part, rows, now)
    if isinstance(condition, Junction):
        masks = [_evaluate(part, rows, now) for part in condition.parts]
        join = np.logical_and if condition.word == "AND" else np.logical_or
        result: Mask = join.reduce(masks)
        return result
    return _compare(condition, rows, now)


_TEXT = ("string", "picklist", "multipicklist", "id", "reference")


def _compare(item: Comparison, rows: Columns, now: datetime) -> Mask:
    kind = rows.type_of(item.name)
    column = rows.column(item.name)
    if item.operator in ("INCLUDES", "EXCLUDES"):
        if kind != "multipicklist":
            raise SoqlError(
                "INVALID_QUERY_FILTER_OPERATOR",
                f"includes and excludes need a multi-select picklist, not {item.name}",
            )
        wanted = [frozenset(str(value.value).split(";")) for value in item.values]
        found = np.fromiter(
            (
                text is not None and any(want <= set(text.split(";")) for want in wanted)
                for text in column
            ),
            dtype=bool,
            count=len(column),
        )
        return found if item.operator == "INCLUDES" else ~found
    if item.operator in ("IN", "NOT IN"):
        if kind in _TEXT:
            normal = _normal(kind)
            members = {normal(_literal(item, v, kind)) for v in item.values if v.value is not None}
            with_null = any(value.value is None for value in item.values)
            found = np.fromiter(
                (with_null if text is None else normal(text) in members for text in column),
                dtype=bool,
                count=len(column),
            )
        else:
            found = np.logical_or.reduce(
                [_single(item, "=", value, kind, column, now) for value in item.values]
            )
        # NOT IN keeps nulls, as != does.
        return found if item.operator == "IN" else ~found
    return _single(item, item.operator, item.values[0], kind, column, now)


def _single(
    item: Comparison, operator: str, value: Value, kind: str, column: Array, now: datetime
) -> Mask:
    null = _is_null(column)
    if value.kind == "null":
        if operator not in ("=", "!="):
            raise malformed(f"null can only be compared with = or !=, not {operator}")
        if kind == "boolean":
            return np.full(len(column), operator == "!=")
        return null if operator == "=" else ~null
    if kind in _TEXT:
        return _compare_text(item, operator, str(_literal(item, value, kind)), kind, column, null)
    if kind == "boolean":
        wanted = _literal(item, value, kind)
        if operator not in ("=", "!="):
            raise SoqlError(
                "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator {operator} on {item.name}"
            )
        equal: Mask = column == wanted
        return equal if operator == "=" else ~equal
    if value.kind == "relative":
        first, last = _relative_range(value.value, now.date())
        low, high = _instant(first, kind), _instant(last + timedelta(days=1), kind)
        masks: dict[str, Callable[[], Mask]] = {
            "=": lambda: (column >= low) & (column < high),
            "!=": lambda: ~((column >= low) & (column < high)),
            "<": lambda: column < low,
            "<=": lambda: column < high,
            ">": lambda: column >= high,
            ">=": lambda: column >= low,
        }
    else:
        literal = _literal(item, value, kind)
        masks = {
            "=": lambda: column == literal,
            "!=": lambda: column != literal,
            "<": lambda: column < literal,
            "<=": lambda: column <= literal,
            ">": lambda: column > literal,
            ">=": lambda: column >= literal,
        }
    if operator not in masks:
        raise SoqlError(
            "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator {operator} on {item.name}"
        )
    with np.errstate(invalid="ignore"):
        result = masks[operator]()
    return result | null if operator == "!=" else result & ~null


def _compare_text(
    item: Comparison, operator: str, wanted: str, kind: str, column: Array, null: Mask
) -> Mask:
    normal = _normal(kind)
    if operator == "LIKE":
        if kind in ("id", "reference"):
            raise SoqlError(
                "INVALID_QUERY_FILTER_OPERATOR", f"invalid operator on id field {item.name}"
            )
        pattern = re.compile(
            "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in wanted),
            re.IGNORECASE | re.DOTALL,
        )
        test: Callable[[str], bool] = lambda text: pattern.fullmatch(text) is not None  # noqa: E731
    else:
        target = normal(wanted)
        tests: dict[str, Callable[[str], bool]] = {
            "=": lambda text: normal(text) == target,
            "!=": lambda text: normal(text) != target,
            "<": lambda text: normal(text) < target,
            "<=": lambda text: normal(text) <= target,
            ">": lambda text: normal(text) > target,
            ">=": lambda text: normal(text) >= target,
        }
        test = tests[operator]
    result: Mask = np.fromiter(
        (text is not None and test(text) for text in column), dtype=bool, count=len(column)
    )
    return result | null if operator == "!=" else result


def _normal(kind: str) -> Callable[[str], str]:
    """Ids compare by their first 15 characters, other text without regard to case."""
    if kind in ("id", "reference"):
        return lambda text: text[:15]
    return str.casefold


def _literal(item: Comparison, value: Value, kind: str) -> Any:
    """The literal as the field's type stores it, or the error for a literal of another type."""
    wrong = SoqlError(
        "INVALID_FIELD",
        f"value of filter criterion for field '{item.name}' must be of type "
        f"{'dateTime' if kind == 'datetime' else kind}"
        + (" and should not be enclosed in quotes" if value.kind == "string" else ""),
    )
    if kind in _TEXT:
        if value.kind != "string":
            raise SoqlError(
                "INVALID_FIELD",
                f"value of filter criterion for field '{item.name}' must be of type string and "
                "should be enclosed in quotes",
            )
        if kind in ("id", "reference") and len(value.value) not in (15, 18):
            raise SoqlError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value.value}")
        return value.value
    if kind == "boolean":
        if value.kind != "boolean":
            raise wrong
        return value.value
    if kind in ("int", "double"):
        if value.kind != "number":
            raise wrong
        return value.value
    if value.kind != kind:
        raise wrong
    return _instant(value.value, kind)


def _instant(value: date | datetime, kind: str) -> np.datetime64:
    if kind == "date":
        return np.datetime64(value, "D")
    if isinstance(value, datetime):
        return np.datetime64(value.astimezone(UTC).replace(tzinfo=None), "us")
    return np.datetime64(value, "us")


def _relative_range(word: str, today: date) -> tuple[date, date]:
    """First and last day of a relative date literal, in UTC."""
    name, _, number = word.partition(":")
    days = timedelta(days=int(number or 0))
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    ranges = {
        "TODAY": (today, today),
        "YESTERDAY": (today - timedelta(days=1), today - timedelta(days=1)),
        "TOMORROW": (today + timedelta(days=1), today + timedelta(days=1)),
        "THIS_MONTH": (month, (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)),
        "LAST_MONTH": (last_month, month - timedelta(days=1)),
        "THIS_YEAR": (date(today.year, 1, 1), date(today.year, 12, 31)),
        "LAST_YEAR": (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)),
        "LAST_N_DAYS": (today - days, today),
        "NEXT_N_DAYS": (today + timedelta(days=1), today + days),
    }
    return ranges[name]


def _is_null(column: Array) -> Mask:
    if column.dtype == object:
        return np.fromiter((x is None for x in column), dtype=bool, count=len(column))
    if column.dtype.kind == "M":
        return np.isnat(column)
    if column.dtype.kind == "f":
        return np.isnan(column)
    return np.zeros(len(column), dtype=bool)


def _order_of(rows: Columns, key: Order, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """A stable order of the positions by one key; nulls come first unless told otherwise."""
    values = rows.column(key.name)[positions]
    null = _is_null(values)
    if values.dtype == object:
        filled = np.array(["" if x is None else x for x in values], dtype=object)
        _, ranks = np.unique(filled.astype(str), return_inverse=True)
    else:
        filled = values.copy()
        if null.any() and not null.all():
            filled[null] = values[~null][0]
        elif null.all():
            filled = np.zeros(len(values))
        _, ranks = np.unique(filled, return_inverse=True)
    signed = ranks.astype(np.int64)
    if key.descending:
        signed = -signed
    extreme = np.int64(len(values) + 1)
    signed[null] = extreme if key.nulls_last else -extreme
    return np.argsort(signed, kind="stable").astype(np.int64)


def names_in(query: Query) -> Sequence[str]:
    """Every field name that the query mentions, in order of appearance."""
    names: list[str] = [*query.fields, *(a.name for a in query.aggregates if a.name)]

    def walk(condition: Condition) -> None:
        if isinstance(condition, Comparison):
            names.append(condition.name)
        elif isinstance(condition, Not):
            walk(condition.part)
        else:
            for part in condition.parts:
                walk(part)

    if query.where is not None:
        walk(query.where)
    names += [key.name for key in query.order]
    return list(dict.fromkeys(names))
