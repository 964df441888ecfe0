"""The CRM search of HubSpot: filter groups, one sort, pages, and its limits.

Belongs here: which records a search finds and in which order, and how a wrong search is refused.
Must not be here: what a record looks like (see `hubspot_objects`) or sockets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from sample_company.servers.http import Json
from sample_company.servers.hubspot_objects import NO_VALUE, HubObject, View
from sample_company.servers.versions import Positions

MOST_GROUPS, MOST_FILTERS, MOST_FILTERS_IN_ALL = 5, 6, 18
MOST_RESULTS = 10_000
LONGEST_BODY = 3_000

Mask = npt.NDArray[np.bool_]


class SearchError(Exception):
    """A search that HubSpot refuses.

    Attributes:
        message: HubSpot's words.
        code: code of the detail, where it gives one.
    """

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def find(view: View, groups: Sequence[Json], sorts: Sequence[Json]) -> Positions:
    """Versions of the records that match, in order.

    Args:
        view: what the index of the search knows by now; archived records are not in it.
        groups: filter groups, any of which must hold; in each, all filters.
        sorts: at most one.

    Raises:
        SearchError: the filters or sorts make no sense to HubSpot.
    """
    positions = view.live()
    _check(groups, sorts)
    if groups:
        hits = np.zeros(len(positions), dtype=bool)
        for group in groups:
            met = np.ones(len(positions), dtype=bool)
            for item in group.get("filters") or []:
                met &= _matches(view.thing, positions, item)
            hits |= met
        positions = positions[hits]
    return positions[_order(view.thing, positions, sorts)]


def _check(groups: Sequence[Json], sorts: Sequence[Json]) -> None:
    counts = [len(group.get("filters") or []) for group in groups]
    if len(groups) > MOST_GROUPS:
        raise SearchError(f"too many filter groups ({len(groups)}), the most is {MOST_GROUPS}")
    if any(count > MOST_FILTERS for count in counts) or sum(counts) > MOST_FILTERS_IN_ALL:
        raise SearchError(f"too many filters, the most is {MOST_FILTERS} in a group and "
                          f"{MOST_FILTERS_IN_ALL} in all")  # fmt: skip
    if len(sorts) > 1:
        raise SearchError("only one sort may be given")


def _property(thing: HubObject, name: Any) -> str:
    if not isinstance(name, str) or name not in thing.properties:
        raise SearchError(f"Property {name} does not exist", "PROPERTY_DOESNT_EXIST")
    return name


def _order(thing: HubObject, positions: Positions, sorts: Sequence[Json]) -> npt.NDArray[np.int64]:
    """Among equals no order is promised: here it is that of a hash."""
    spread = (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    if not sorts:
        return np.lexsort((spread, thing.numbers(thing.created)[positions]))
    first = sorts[0]
    if isinstance(first, str):
        first = {
            "propertyName": first.removeprefix("-"),
            "direction": "DESCENDING" if first.startswith("-") else "ASCENDING",
        }
    name = _property(thing, first.get("propertyName"))
    is_down = first.get("direction", "ASCENDING") == "DESCENDING"
    kind = thing.properties[name].kind
    if kind in ("number", "date", "datetime") and name != "hs_object_id":
        values = thing.numbers(name)[positions]
    else:
        # Ids are compared as text: 1000 comes before 999.
        texts = ["" if v is None else v.lower() for v in thing.texts(name)[positions]]
        values = np.unique(np.asarray(texts, dtype=object), return_inverse=True)[1] if texts else (
            np.empty(0, dtype=np.int64)
        )  # fmt: skip
    return np.lexsort((spread, -values if is_down else values))


def _matches(thing: HubObject, positions: Positions, item: Mapping[str, Any]) -> Mask:
    name = _property(thing, item.get("propertyName"))
    operator = str(item.get("operator", ""))
    kind = thing.properties[name].kind
    if kind in ("number", "date", "datetime") and name != "hs_object_id":
        values = thing.numbers(name)[positions]
        known = values != NO_VALUE if kind != "number" else ~np.isnan(values)
        return _compare(operator, item, values, known, lambda v: _parsed(v, kind))
    texts = np.asarray(
        ["" if v is None else v.lower() for v in thing.texts(name)[positions]], dtype=object
    )
    return _compare(operator, item, texts, texts != "", lambda v: str(v).lower())


def _compare(
    operator: str, item: Mapping[str, Any], values: npt.NDArray[Any], known: Mask, parse: Any
) -> Mask:
    def given(name: str) -> Any:
        if item.get(name) is None:
            raise SearchError(f"{operator} needs a {name}")
        return parse(item[name])

    if operator == "HAS_PROPERTY":
        return known
    if operator == "NOT_HAS_PROPERTY":
        return ~known
    met: Any
    match operator:
        case "EQ":
            met = values == given("value")
        case "NEQ":
            met = values != given("value")
        case "LT":
            met = values < given("value")
        case "LTE":
            met = values <= given("value")
        case "GT":
            met = values > given("value")
        case "GTE":
            met = values >= given("value")
        case "BETWEEN":
            met = (values >= given("value")) & (values <= given("highValue"))
        case "IN" | "NOT_IN":
            if not isinstance(item.get("values"), list):
                raise SearchError(f"{operator} needs values")
            wanted = {parse(v) for v in item["values"]}
            among = np.fromiter((v in wanted for v in values), dtype=bool, count=len(values))
            met = among if operator == "IN" else ~among
        case "CONTAINS_TOKEN" | "NOT_CONTAINS_TOKEN":
            token = str(given("value")).strip("*")
            has = np.fromiter((token in str(v) for v in values), dtype=bool, count=len(values))
            met = has if operator == "CONTAINS_TOKEN" else ~has
        case _:
            raise SearchError(f"Invalid operator {operator}", "INVALID_OPERATOR")
    hits: Mask = known & np.asarray(met, dtype=bool)
    return hits


def _parsed(value: Any, kind: str) -> float | int:
    """A filter's value: a number; for times milliseconds since 1970 or an ISO date."""
    try:
        if kind == "number":
            return float(value)
        text = str(value)
        if text.lstrip("-").isdigit():
            return int(text)
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        return round(at.timestamp() * 1000)
    except ValueError:
        raise SearchError(f"{value} is not a valid {kind}", "INVALID_" + kind.upper()) from None
