"""The HubSpot CRM API: objects, search, associations, properties, owners, limits, errors.

Belongs here: the protocol of `/crm/v3` and `/crm/v4` over a portal of objects. Must not be here:
which objects and properties the company has (see `hubspot_objects`), what a search finds (see
`hubspot_search`), sockets and faults (see `http`, `faults`).
"""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from sample_company.servers import hubspot_search
from sample_company.servers.faults import Fault
from sample_company.servers.http import Json, Request, Response, TokenBucket, json_response
from sample_company.servers.hubspot_objects import (
    STAGES,
    TICKET_STAGES,
    HubObject,
    Portal,
    Property,
    View,
    user_ids,
)
from sample_company.servers.versions import as_microseconds

_LIST_PAGE, _LIST_PAGE_WITH_HISTORY = 100, 50
_BATCH, _BATCH_WITH_HISTORY = 100, 50
_SEARCH_PAGE = 200
_ASSOCIATION_INPUTS = 1_000
_OWNERS_PAGE = 500
_WINDOW_SECONDS = 10.0
_DOCS = "https://developers.hubspot.com/docs/methods/auth/oauth-overview"


@dataclass(frozen=True)
class HubSpotSettings:
    """How this portal behaves.

    Attributes:
        access_token: token of the one private app.
        portal_id: the account's number.
        closed: object types (plural) that the app's scopes do not cover.
        daily_requests: the private app's requests a day.
        burst_requests: requests in ten seconds; None for no limit.
        searches_per_second: None for no limit.
        search_lag_seconds: how far the index of the search is behind.
        search_results: how far one search may be paged.
        association_page: associated records told at once of one record.
    """

    access_token: str = "pat-eu1-5a3b1c9d-sample-company"  # noqa: S105  # opens only this simulation
    portal_id: int = 7_300_000
    closed: frozenset[str] = frozenset()
    daily_requests: int = 1_000_000
    burst_requests: int | None = None
    searches_per_second: float | None = None
    search_lag_seconds: float = 10.0
    search_results: int = hubspot_search.MOST_RESULTS
    association_page: int = 500


class HubSpotError(Exception):
    """An error as HubSpot words it: one object with a category."""

    def __init__(self, status: int, category: str, message: str, **more: Json) -> None:
        super().__init__(message)
        self.status = status
        self.body = {
            "status": "error",
            "message": message,
            "correlationId": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{category} {message}")),
            "category": category,
            **more,
        }


class HubSpotService:
    """Answers requests from a portal as of the clock."""

    name = "hubspot"

    def __init__(
        self,
        portal: Portal,
        clock: Callable[[], datetime],
        settings: HubSpotSettings | None = None,
        base_url: Callable[[], str] = lambda: "",
    ) -> None:
        self.settings = settings or HubSpotSettings()
        self._portal = portal
        self._clock = clock
        self._base_url = base_url
        self._spent: dict[object, int] = {}
        self._recent: deque[float] = deque()
        self._lock = threading.Lock()
        rate = self.settings.searches_per_second
        self._searches = TokenBucket(rate) if rate else None

    # --- faults and errors ----------------------------------------------------------------------

    def page_key(self, request: Request) -> str:
        """Pages of one listing differ in their cursor only."""
        return f"{request.path}?{[item for item in request.query if item[0] != 'after']}"

    def fault_response(self, request: Request, fault: Fault) -> Response:
        """HubSpot's wording of an injected fault."""
        if fault.kind == "expire_token":
            return _error(_unauthorised(is_expired=True))
        if fault.kind == "rate_limit":
            response = _error(_limited("TEN_SECONDLY_ROLLING"))
            if fault.retry_after is not None:
                response.headers["Retry-After"] = f"{fault.retry_after:g}"
            return response
        status = 500 if fault.kind == "server_error" else fault.status
        return _error(HubSpotError(status, "INTERNAL_ERROR", "internal error"))

    def crash_response(self, request: Request, error: Exception) -> Response:
        """A defect of the simulation, named so that a test shows it."""
        return _error(HubSpotError(500, "INTERNAL_ERROR", f"{type(error).__name__}: {error}"))

    # --- requests -------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            self._authorise(request)
            parts = [part for part in request.path.split("/") if part]
            is_search = len(parts) == 5 and parts[-1] == "search"
            spent = self._spend(is_search=is_search)
            response = self._route(request, parts)
        except HubSpotError as error:
            return _error(error)
        except hubspot_search.SearchError as error:
            return _error(_refused(error.message, error.code))
        if not is_search:
            # Answers of the search do not say how much is left.
            response.headers |= self._limits(spent)
        return response

    def _authorise(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorised()
        if token != self.settings.access_token:
            raise _unauthorised(is_wrong=True)

    def _spend(self, *, is_search: bool) -> int:
        """Count one request of today's quota; the count so far."""
        today = self._clock().date()
        now = time.monotonic()
        with self._lock:
            spent = self._spent.get(today, 0)
            if spent >= self.settings.daily_requests:
                raise _limited("DAILY")
            while self._recent and self._recent[0] < now - _WINDOW_SECONDS:
                self._recent.popleft()
            most = self.settings.burst_requests
            if most is not None and len(self._recent) >= most:
                raise _limited("TEN_SECONDLY_ROLLING")
            if is_search and self._searches is not None and self._searches.take() > 0:
                raise _limited("SECONDLY")
            self._recent.append(now)
            self._spent = {today: spent + 1}
            return spent + 1

    def _limits(self, spent: int) -> dict[str, str]:
        most = self.settings.burst_requests or 190
        return {
            "X-HubSpot-RateLimit-Daily": str(self.settings.daily_requests),
            "X-HubSpot-RateLimit-Daily-Remaining": str(self.settings.daily_requests - spent),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Max": str(most),
            "X-HubSpot-RateLimit-Remaining": str(max(most - len(self._recent), 0)),
        }

    def _route(self, request: Request, parts: list[str]) -> Response:
        match request.method, parts:
            case "GET", ["crm", "v3", "objects", name]:
                return self._list(request, self._object(name))
            case "POST", ["crm", "v3", "objects", name, "search"]:
                return self._search(request, self._object(name))
            case "POST", ["crm", "v3", "objects", name, "batch", "read"]:
                return self._batch_read(request, self._object(name))
            case "GET", ["crm", "v3", "objects", name, record]:
                return self._record(request, self._object(name), record)
            case "POST", ["crm", "v4", "associations", source, target, "batch", "read"]:
                return self._associations(request, self._object(source), self._object(target))
            case "GET", ["crm", "v3", "properties", name]:
                return self._properties(self._object(name))
            case "GET", ["crm", "v3", "pipelines", name]:
                return json_response({"results": _pipelines(self._object(name))})
            case "GET", ["crm", "v3", "owners"]:
                return self._owners(request)
            case "GET", ["crm", "v3", "schemas"] | ["crm-object-schemas", "v3", "schemas"]:
                return self._schemas()
            case "GET", ["account-info", "v3", "details"]:
                return json_response(
                    {
                        "portalId": self.settings.portal_id,
                        "accountType": "STANDARD",
                        "timeZone": "Europe/Berlin",
                        "companyCurrency": "USD",
                        "additionalCurrencies": ["EUR", "GBP", "JPY"],
                        "utcOffset": "+00:00",
                        "utcOffsetMilliseconds": 0,
                        "uiDomain": "app-eu1.hubspot.com",
                        "dataHostingLocation": "eu1",
                    }
                )
        if parts[:1] in (["crm"], ["account-info"]):
            raise HubSpotError(405 if request.method not in ("GET", "POST") else 404,
                               "OBJECT_NOT_FOUND", "resource not found")  # fmt: skip
        return Response(404, b"<html><body><h2>HTTP ERROR: 404</h2></body></html>",
                        {"Content-Type": "text/html;charset=utf-8"})  # fmt: skip

    def _object(self, name: str) -> HubObject:
        thing = self._portal.find(name)
        if thing is None:
            raise HubSpotError(400, "VALIDATION_ERROR", f"Unable to infer object type from: {name}")
        if thing.plural in self.settings.closed:
            scope = f"crm.objects.{thing.plural.removeprefix('p_')}.read"
            raise HubSpotError(
                403,
                "MISSING_SCOPES",
                "This app hasn't been granted all required scopes to make this call. Read more "
                "about required scopes here: https://developers.hubspot.com/scopes.",
                errors=[
                    {
                        "message": "One or more of the following scopes are required.",
                        "context": {"requiredGranularScopes": [scope]},
                    }
                ],
                links={"scopes": "https://developers.hubspot.com/scopes"},
            )
        return thing

    def _view(self, thing: HubObject, lag: float = 0.0) -> View:
        return self._portal.view(thing, as_microseconds(self._clock() - timedelta(seconds=lag)))

    # --- objects --------------------------------------------------------------------------------

    def _list(self, request: Request, thing: HubObject) -> Response:
        history = _names(request, "propertiesWithHistory")
        most = _LIST_PAGE_WITH_HISTORY if history else _LIST_PAGE
        limit = _limit(request.get("limit"), 10, most)
        archived = _flag(request, "archived")
        after = request.get("after") or "0"
        if not after.isdigit():
            raise _refused(f"Invalid paging cursor: {after}")
        view = self._view(thing)
        # A page is cut before records that may not be shown are taken out of it, so it can be
        # short, or empty, and yet not be the last.
        listed = np.flatnonzero(view.archived | view.gone) if archived else slice(None)
        keys, positions = view.keys[listed], view.positions[listed]
        start = int(np.searchsorted(keys, int(after), side="right"))
        page = slice(start, start + limit)
        shown = ~view.gone[listed][page] & (view.archived[listed][page] == archived)
        properties = _names(request, "properties") or thing.defaults
        results = [view.record(int(p), properties, history) for p in positions[page][shown]]
        body: dict[str, Json] = {"results": results}
        if start + limit < len(positions):
            body["paging"] = self._next(request, str(keys[start + limit - 1]))
        return json_response(body)

    def _next(self, request: Request, after: str) -> Json:
        link = f"{self._base_url()}{request.path}?after={after}"
        return {"next": {"after": after, "link": link}}

    def _record(self, request: Request, thing: HubObject, record: str) -> Response:
        view = self._view(thing)
        position = view.position_of(record, archived=_flag(request, "archived"))
        if position is None:
            raise HubSpotError(404, "OBJECT_NOT_FOUND", "resource not found")
        properties = _names(request, "properties") or thing.defaults
        history = _names(request, "propertiesWithHistory")
        return json_response(view.record(position, properties, history))

    def _batch_read(self, request: Request, thing: HubObject) -> Response:
        body = _body(request)
        history = tuple(body.get("propertiesWithHistory") or ())
        most = _BATCH_WITH_HISTORY if history else _BATCH
        keys = _inputs(body, most)
        archived = _flag(request, "archived")
        view = self._view(thing)
        found = {key: view.position_of(key, archived=archived) for key in keys}
        properties = tuple(body.get("properties") or thing.defaults)
        positions = dict.fromkeys(p for p in found.values() if p is not None)
        results = [view.record(p, properties, history) for p in positions]
        missing = [key for key, position in found.items() if position is None]
        problem = {
            "status": "error",
            "category": "OBJECT_NOT_FOUND",
            "message": f"Could not get some {thing.plural.upper()} objects, they may be deleted or "
            "not exist. Check that ids are valid.",
            "context": {"ids": missing},
        }
        return _batch(results, [problem] if missing else [])

    def _search(self, request: Request, thing: HubObject) -> Response:
        if len(request.body) > hubspot_search.LONGEST_BODY:
            raise _refused(
                f"the body of a search may have {hubspot_search.LONGEST_BODY} characters"
            )
        body = _body(request)
        limit = _limit(body.get("limit"), 10, _SEARCH_PAGE)
        after = str(body.get("after") or "0")
        if not after.isdigit():
            raise _refused(f"Invalid paging cursor: {after}")
        start = int(after)
        most = self.settings.search_results
        if start + limit > most:
            raise _refused(
                f"Paging is limited to {most} results in total, but {start + limit} were asked for"
            )
        index = self._view(thing, self.settings.search_lag_seconds)
        found = hubspot_search.find(index, body.get("filterGroups") or [], body.get("sorts") or [])
        # The index says which; the records are told as they are now, unless they are gone by now.
        view = self._view(thing)
        now = [
            view.position_of(str(thing.ids[p]), archived=False)
            for p in found[start : start + limit]
        ]
        properties = body.get("properties") or thing.defaults
        answer: dict[str, Json] = {
            "total": len(found),
            "results": [view.record(p, properties) for p in now if p is not None],
        }
        if start + limit < len(found):
            answer["paging"] = {"next": {"after": str(start + limit)}}
        return json_response(answer)

    def _associations(self, request: Request, source: HubObject, target: HubObject) -> Response:
        body = _body(request)
        inputs = body.get("inputs") or []
        _inputs(body, _ASSOCIATION_INPUTS)
        now = as_microseconds(self._clock())
        edges = self._portal.associated(source, target, now)
        most = self.settings.association_page
        results: list[Json] = []
        problems: list[Json] = []
        for item in inputs:
            key = str(item["id"])
            start = int(item.get("after") or 0)
            others = edges.get(key, [])
            if not others:
                problems.append(
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
                        "message": f"No {target.singular} is associated with {source.singular} "
                        f"{key}.",
                        "context": {
                            "fromObjectId": [key],
                            "fromObjectType": [source.singular],
                            "toObjectType": [target.singular],
                        },
                    }
                )
                continue
            told: dict[str, Json] = {
                "from": {"id": key},
                "to": [
                    {"toObjectId": int(other), "associationTypes": [kind.json() for kind in kinds]}
                    for other, kinds in others[start : start + most]
                ],
            }
            if start + most < len(others):
                told["paging"] = {"next": {"after": str(start + most), "link": ""}}
            results.append(told)
        return _batch(results, problems)

    # --- what the portal consists of ------------------------------------------------------------

    def _properties(self, thing: HubObject) -> Response:
        return json_response({"results": [_property_json(p) for p in thing.properties.values()]})

    def _schemas(self) -> Response:
        at = "2021-01-01T00:00:00.000Z"
        return json_response(
            {
                "results": [
                    {
                        "id": thing.type_id.removeprefix("2-"),
                        "objectTypeId": thing.type_id,
                        "fullyQualifiedName": f"p{self.settings.portal_id}_"
                        f"{thing.plural.removeprefix('p_')}",
                        "name": thing.plural.removeprefix("p_"),
                        "labels": {"singular": thing.singular, "plural": thing.plural},
                        "requiredProperties": [],
                        "searchableProperties": [],
                        "properties": [_property_json(p) for p in thing.properties.values()],
                        "associations": [],
                        "createdAt": at,
                        "updatedAt": at,
                        "archived": False,
                    }
                    for thing in self._portal.objects
                    if thing.type_id.startswith("2-")
                ]
            }
        )

    def _owners(self, request: Request) -> Response:
        if "owners" in self.settings.closed:
            raise HubSpotError(403, "MISSING_SCOPES", "This app hasn't been granted all required "
                               "scopes to make this call.")  # fmt: skip
        limit = _limit(request.get("limit"), 100, _OWNERS_PAGE)
        archived = _flag(request, "archived")
        after = request.get("after") or "0"
        if not after.isdigit():
            raise _refused(f"Invalid paging cursor: {after}")
        owners = [o for o in self._all_owners() if o["archived"] == archived]
        email = request.get("email")
        if email:
            owners = [o for o in owners if o["email"] == email]
        rest = [o for o in owners if int(o["id"]) > int(after)]
        body: dict[str, Json] = {"results": rest[:limit]}
        if len(rest) > limit:
            body["paging"] = self._next(request, str(rest[limit - 1]["id"]))
        return json_response(body)

    def _all_owners(self) -> list[dict[str, Json]]:
        employees = self._portal.employees
        now = as_microseconds(self._clock())
        positions = employees.visible(now)
        rows = employees.frame.iloc[positions]
        first = employees.first_at()[positions]
        owners = []
        for row, login, since, at in zip(
            rows.to_dict("records"),
            user_ids(rows["employee_id"]),
            first.tolist(),
            employees.at[positions].tolist(),
            strict=True,
        ):
            left = row["left_on"]
            is_gone = left == left and left is not None and left.value // 1000 <= at
            forename, _, surname = str(row["full_name"]).partition(" ")
            team = str(row["function"])
            owners.append(
                {
                    "id": row["employee_id"],
                    "email": row["email"],
                    "type": "PERSON",
                    "firstName": forename,
                    "lastName": surname,
                    # Of someone who may not log in any more, only the other number remains.
                    "userId": None if is_gone else int(login),
                    "userIdIncludingInactive": int(login),
                    "createdAt": _utc(since),
                    "updatedAt": _utc(at),
                    "archived": is_gone,
                    "teams": [{"id": str(sum(map(ord, team))), "name": team, "primary": True}],
                }
            )
        return sorted(owners, key=lambda owner: int(owner["id"]))


# --- pieces -------------------------------------------------------------------------------------


def _error(error: HubSpotError) -> Response:
    return json_response(error.body, error.status)


def _refused(message: str, code: str | None = None) -> HubSpotError:
    details: dict[str, Json] = {}
    if code is not None:
        details["errors"] = [{"message": message, "code": code}]
        message = "There was a problem with the request."
    return HubSpotError(400, "VALIDATION_ERROR", message, **details)


def _unauthorised(*, is_wrong: bool = False, is_expired: bool = False) -> HubSpotError:
    if is_expired:
        return HubSpotError(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call "
                            "expired.")  # fmt: skip
    said = (
        "Authentication credentials not found. This API supports OAuth 2.0 authentication and you "
        f"can find more details at {_DOCS}"
    )
    return HubSpotError(401, "INVALID_AUTHENTICATION", "The access token is not valid." if is_wrong
                        else said)  # fmt: skip


def _limited(policy: str) -> HubSpotError:
    words = {
        "DAILY": "daily limit",
        "SECONDLY": "secondly limit",
        "TEN_SECONDLY_ROLLING": "ten_secondly_rolling limit",
    }
    return HubSpotError(
        429,
        "RATE_LIMITS",
        f"You have reached your {words[policy]}.",
        errorType="RATE_LIMIT",
        policyName=policy,
        groupName="publicapi:private-apps:7300000",
    )


def _body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        raise _refused("Invalid input JSON on line 1, column 1") from None
    if not isinstance(body, dict):
        raise _refused("Invalid input JSON: an object is needed")
    return body


def _inputs(body: dict[str, Any], most: int) -> list[str]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not all(isinstance(i, dict) and "id" in i for i in inputs):
        raise _refused("Invalid input JSON: some required fields were not set: [inputs]")
    if len(inputs) > most:
        raise _refused(f"The maximum number of inputs is {most}, but {len(inputs)} were given")
    return [str(i["id"]) for i in inputs]


def _limit(given: Any, default: int, most: int) -> int:
    try:
        limit = default if given is None else int(given)
    except ValueError:
        raise _refused(f"limit: {given} is not a number") from None
    if not 0 < limit <= most:
        raise _refused(f"limit must be from 1 to {most}, not {limit}")
    return limit


def _flag(request: Request, name: str) -> bool:
    return (request.get(name) or "").lower() == "true"


def _names(request: Request, name: str) -> tuple[str, ...]:
    """Names given once and parted by commas, or again and again."""
    given = (part for text in request.all(name) for part in text.split(","))
    return tuple(part.strip() for part in given if part.strip())


def _batch(results: Sequence[Json], problems: Sequence[Json]) -> Response:
    at = "2026-01-01T00:00:00.000Z"
    body: dict[str, Json] = {
        "status": "COMPLETE",
        "results": list(results),
        "startedAt": at,
        "completedAt": at,
    }
    if problems:
        body |= {"numErrors": len(problems), "errors": list(problems)}
    return json_response(body, 207 if problems else 200)


_FIELDS = {
    "string": "text", "number": "number", "bool": "booleancheckbox", "enumeration": "select",
    "date": "date", "datetime": "date",
}  # fmt: skip


def _property_json(item: Property) -> Json:
    return {
        "name": item.name,
        "label": item.label or item.name.removeprefix("hs_").replace("_", " ").capitalize(),
        "type": item.kind,
        "fieldType": _FIELDS[item.kind],
        "description": "",
        "groupName": "company_fields" if item.is_custom else "hubspot_fields",
        "options": [
            {"label": label, "value": value, "displayOrder": n, "hidden": False}
            for n, (value, label) in enumerate(item.options.items())
        ],
        "displayOrder": -1,
        "calculated": False,
        "externalOptions": False,
        "hasUniqueValue": item.name == "hs_object_id",
        "hidden": False,
        "hubspotDefined": not item.is_custom,
        "formField": False,
        "archived": False,
    }


def _pipelines(thing: HubObject) -> list[Json]:
    """Stages of the deals' and of the tickets' one pipeline."""
    stages: list[tuple[str, str, dict[str, str]]] = []
    if thing.plural == "deals":
        chances = ("0.2", "0.4", "0.6", "1.0", "0.0")
        stages = [
            (stage, label, {"isClosed": str(stage.startswith("closed")).lower(), "probability": p})
            for (label, stage), p in zip(STAGES.items(), chances, strict=True)
        ]
    elif thing.plural == "tickets":
        stages = [
            (stage, label, {"ticketState": "CLOSED" if label == "Closed" else "OPEN"})
            for label, stage in TICKET_STAGES.items()
        ]
    if not stages:
        return []
    at = "2021-01-01T00:00:00.000Z"
    return [
        {
            "id": "default" if thing.plural == "deals" else "0",
            "label": "Sales Pipeline" if thing.plural == "deals" else "Support Pipeline",
            "displayOrder": 0,
            "createdAt": at,
            "updatedAt": at,
            "archived": False,
            "stages": [
                {
                    "id": stage,
                    "label": label,
                    "displayOrder": n,
                    "metadata": metadata,
                    "createdAt": at,
                    "updatedAt": at,
                    "archived": False,
                    "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
                }
                for n, (stage, label, metadata) in enumerate(stages)
            ],
        }
    ]


def _utc(microseconds: int) -> str:
    at = datetime.fromtimestamp(microseconds // 1_000_000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{microseconds // 1000 % 1000:03d}Z"
