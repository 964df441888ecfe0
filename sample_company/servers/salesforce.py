"""The Salesforce REST API: login, queries with paging, describe, limits, errors.

Belongs here: the protocol of `/services/oauth2` and `/services/data` over a catalogue of objects.
Does not belong here: which objects and fields the company has (see `salesforce_objects`), the query
language (see `soql`), sockets and faults (see `http`, `faults`).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from sample_company.servers import soql
from sample_company.servers.faults import Fault
from sample_company.servers.http import Json, Request, Response, TokenBucket, json_response
from sample_company.servers.salesforce_objects import Catalogue, Field, SObject, View
from sample_company.servers.versions import Cache, Positions, as_microseconds

VERSIONS = tuple(range(50, 67))
_LOCATOR_LIMIT = 1000
#: How far back deletions and changes are told apart from queries.
_REPLICATION = timedelta(days=30)
_DATA = re.compile(r"/services/data/v(\d+)\.0(?P<rest>/.*)?")


@dataclass(frozen=True)
class SalesforceSettings:
    """How this org behaves.

    Attributes:
        client_id: consumer key of the one connected app.
        client_secret: its secret.
        username: the one user who may log in with a password.
        password: that user's password.
        token_requests: requests after which an access token expires; None for never.
        token_seconds: seconds after which an access token expires; None for never.
        daily_requests: the org's quota of API requests a day.
        requests_per_second: over this rate answers are REQUEST_LIMIT_EXCEEDED; None for no limit.
        batch_size: records a page unless the request asks otherwise.
    """

    client_id: str = "3MVG9sample.company.connected.app"
    client_secret: str = "5A3B1C9D7E-sample-company"  # noqa: S105  # opens only this simulation
    username: str = "integration@sample-company.example"
    password: str = "correct-horse"  # noqa: S105  # opens only this simulation
    token_requests: int | None = None
    token_seconds: float | None = None
    daily_requests: int = 100_000
    requests_per_second: float | None = None
    batch_size: int = 2000


class SalesforceError(Exception):
    """An error as Salesforce words it: a JSON list with one object."""

    def __init__(self, status: int, code: str, message: str, **more: Json) -> None:
        super().__init__(message)
        self.status = status
        self.body = [{"message": message, "errorCode": code, **more}]


@dataclass
class _Token:
    issued: float
    requests: int = 0


@dataclass(frozen=True)
class _Cursor:
    view: View
    fields: tuple[str, ...]
    positions: Positions
    batch: int
    version: int


class SalesforceService:
    """Answers requests from a catalogue of objects as of the clock."""

    name = "salesforce"

    def __init__(
        self,
        catalogue: Catalogue,
        clock: Callable[[], datetime],
        settings: SalesforceSettings | None = None,
        base_url: Callable[[], str] = lambda: "",
    ) -> None:
        self.settings = settings or SalesforceSettings()
        self._catalogue = catalogue
        self._clock = clock
        self._base_url = base_url
        self._tokens: dict[str, _Token] = {}
        self._cursors: dict[str, _Cursor] = {}
        self._serial = 0
        self._lock = threading.Lock()
        self._views: Cache[View] = Cache(size=48)
        self._spent: dict[object, int] = {}
        self._bucket = (
            TokenBucket(self.settings.requests_per_second)
            if self.settings.requests_per_second
            else None
        )

    # --- faults and errors ----------------------------------------------------------------------

    def page_key(self, request: Request) -> str:
        """First page and following pages of a query count as one listing."""
        return re.sub(r"/01g[^/]*$", "", request.path)

    def fault_response(self, request: Request, fault: Fault) -> Response:
        """The org's wording of an injected fault."""
        if fault.kind == "expire_token":
            with self._lock:
                self._tokens.pop(_bearer(request) or "", None)
            return _error(_expired())
        if fault.kind == "rate_limit":
            error = SalesforceError(
                503, "SERVER_UNAVAILABLE", "Too many concurrent requests, try again later"
            )
            response = _error(error)
            response.status = 429
            if fault.retry_after is not None:
                response.headers["Retry-After"] = f"{fault.retry_after:g}"
            return response
        status = 500 if fault.kind == "server_error" else fault.status
        return _error(
            SalesforceError(
                status,
                "UNKNOWN_EXCEPTION" if status == 500 else "SERVER_UNAVAILABLE",
                "An unexpected error occurred. Please include this ErrorId if you contact support: "
                "1234567890-12345 (-123456789)",
            )
        )

    def crash_response(self, request: Request, error: Exception) -> Response:
        """A defect of the simulation, named so that a test shows it."""
        return _error(SalesforceError(500, "UNKNOWN_EXCEPTION", f"{type(error).__name__}: {error}"))

    # --- requests -------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            if request.path == "/services/oauth2/token":
                return self._login(request)
            if request.path in ("/services/data", "/services/data/"):
                return json_response(
                    [
                        {"label": f"API {v}", "url": f"/services/data/v{v}.0", "version": f"{v}.0"}
                        for v in VERSIONS
                    ]
                )
            match = _DATA.fullmatch(request.path)
            if match is None or int(match[1]) not in VERSIONS:
                raise _not_found()
            self._authorise(request)
            spent = self._spend()
            if request.method not in ("GET", "HEAD"):
                raise SalesforceError(
                    405,
                    "METHOD_NOT_ALLOWED",
                    f"HTTP Method '{request.method}' not allowed. Allowed are HEAD,GET",
                )
            response = self._resource(request, int(match[1]), match["rest"] or "")
            response.headers["Sforce-Limit-Info"] = (
                f"api-usage={spent}/{self.settings.daily_requests}"
            )
            return response
        except SalesforceError as error:
            return _error(error)
        except soql.SoqlError as error:
            return _error(SalesforceError(400, error.code, error.message))

    def _login(self, request: Request) -> Response:
        if request.method != "POST":
            return json_response(
                {"error": "invalid_request", "error_description": "must use HTTP POST"}, 400
            )
        form = request.form()
        settings = self.settings
        if form.get("client_id") is None:
            form |= _basic(request)
        grant = form.get("grant_type", "")
        problem: tuple[str, str] | None = None
        if grant not in (
            "client_credentials",
            "password",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
        ):
            problem = ("unsupported_grant_type", "grant type not supported")
        elif grant.endswith("jwt-bearer"):
            # The signature is not verified: the simulation holds no customer's public key.
            if form.get("assertion", "").count(".") != 2:
                problem = ("invalid_grant", "invalid assertion")
        elif form.get("client_id") != settings.client_id:
            problem = ("invalid_client_id", "client identifier invalid")
        elif form.get("client_secret") != settings.client_secret:
            problem = ("invalid_client", "invalid client credentials")
        elif grant == "password" and (
            form.get("username") != settings.username
            or not form.get("password", "").startswith(settings.password)
        ):
            problem = ("invalid_grant", "authentication failure")
        if problem:
            return json_response({"error": problem[0], "error_description": problem[1]}, 400)
        with self._lock:
            self._serial += 1
            digest = hmac.new(
                settings.client_secret.encode(), str(self._serial).encode(), hashlib.sha256
            ).hexdigest()
            token = f"00D000000000001!AQ{digest}"
            self._tokens[token] = _Token(time.monotonic())
        issued = str(int(time.time() * 1000))
        return json_response(
            {
                "access_token": token,
                "signature": digest[:32],
                "scope": "api",
                "instance_url": self._base_url(),
                "id": f"{self._base_url()}/id/00D000000000001EAA/005000000000001AAA",
                "token_type": "Bearer",
                "issued_at": issued,
            }
        )

    def _authorise(self, request: Request) -> None:
        token = _bearer(request)
        with self._lock:
            state = self._tokens.get(token or "")
            if token is None or state is None:
                raise _expired()
            state.requests += 1
            settings = self.settings
            if (
                settings.token_requests is not None and state.requests > settings.token_requests
            ) or (
                settings.token_seconds is not None
                and time.monotonic() - state.issued > settings.token_seconds
            ):
                del self._tokens[token]
                raise _expired()

    def _spend(self) -> int:
        """Count one request of today's quota; the count so far."""
        if self._bucket is not None and self._bucket.take() > 0:
            raise SalesforceError(
                403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."
            )
        today = self._clock().date()
        with self._lock:
            spent = self._spent.get(today, 0)
            if spent >= self.settings.daily_requests:
                raise SalesforceError(
                    403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."
                )
            self._spent = {today: spent + 1}
            return spent + 1

    def _resource(self, request: Request, version: int, rest: str) -> Response:
        parts = [part for part in rest.split("/") if part]
        base = f"/services/data/v{version}.0"
        match parts:
            case []:
                return json_response(
                    {name: f"{base}/{name}" for name in ("limits", "query", "queryAll", "sobjects")}
                )
            case ["limits"]:
                return self._limits()
            case ["query" | "queryAll" as kind]:
                return self._query(request, version, with_deleted=kind == "queryAll")
            case ["query" | "queryAll", locator]:
                return self._more(locator)
            case ["sobjects"]:
                return json_response(
                    {
                        "encoding": "UTF-8",
                        "maxBatchSize": 200,
                        "sobjects": [
                            _describe_global(thing, base) for thing in self._catalogue.objects
                        ],
                    }
                )
            case ["sobjects", name]:
                thing = self._object(name)
                return json_response(
                    {"objectDescribe": _describe_global(thing, base), "recentItems": []}
                )
            case ["sobjects", name, "describe"]:
                return json_response(self._describe(self._object(name), base))
            case ["sobjects", name, "updated" | "deleted" as kind]:
                return self._changed(request, self._object(name), kind == "deleted")
            case ["sobjects", name, record]:
                return self._record(request, self._object(name), record, version)
        raise _not_found()

    def _object(self, name: str) -> SObject:
        thing = self._catalogue.find(name)
        if thing is None:
            raise _not_found()
        return thing

    def _view(self, name: str) -> View:
        now = self._clock()
        thing = self._catalogue.find(name)
        if thing is None:
            raise soql.SoqlError(
                "INVALID_TYPE",
                f"sObject type '{name}' is not supported. If you are attempting to use a custom "
                "object, be sure to append the '__c' after the entity name. Please reference your "
                "WSDL or the describe call for the appropriate names.",
            )
        at = as_microseconds(now)
        return self._views.get((thing.name, at), lambda: View(self._catalogue, thing, at))

    # --- queries --------------------------------------------------------------------------------

    def _query(self, request: Request, version: int, *, with_deleted: bool) -> Response:
        text = request.get("q")
        if not text:
            raise soql.malformed("A query string has to be specified")
        query = soql.parse(text)
        view = self._view(query.source)
        fields = self._selected(query, view)
        for name in soql.names_in(query):
            if not name.startswith("FIELDS("):
                view.type_of(name)
        positions = soql.select(
            soql.Query(**{**vars(query), "limit": None, "offset": 0}), view, self._clock()
        )
        if not with_deleted:
            positions = positions[~view.deleted[positions]]
        positions = positions[query.offset :]
        if query.limit is not None:
            positions = positions[: query.limit]
        if query.is_count:
            return json_response({"totalSize": len(positions), "done": True, "records": []})
        if query.aggregates:
            record: dict[str, Json] = {"attributes": {"type": "AggregateResult"}}
            for item in query.aggregates:
                assert item.name is not None  # noqa: S101  # the parser gives every one a field
                value = np.asarray([soql.aggregate(item, view, positions)])
                record[item.alias] = (
                    view.render_values(value, view.type_of(item.name))[0]
                    if item.function in ("MIN", "MAX") and value[0] is not None
                    else _number(value[0])
                )
            return json_response({"totalSize": 1, "done": True, "records": [record]})
        cursor = _Cursor(view, fields, positions, self._batch(request), version)
        return self._page(cursor, 0, None)

    def _selected(self, query: soql.Query, view: View) -> tuple[str, ...]:
        names: list[str] = []
        for name in query.fields:
            match name:
                case "FIELDS(ALL)" | "FIELDS(CUSTOM)":
                    if query.limit is None or query.limit > 200:
                        raise soql.malformed(
                            "The SOQL FIELDS function must have a LIMIT of at most 200"
                        )
                    names += [
                        item.name
                        for item in view.thing.fields
                        if name == "FIELDS(ALL)" or item.name.endswith("__c")
                    ]
                case "FIELDS(STANDARD)":
                    names += [f.name for f in view.thing.fields if not f.name.endswith("__c")]
                case _:
                    names.append(view.exact_name(name))
        if len({name.lower() for name in names}) != len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise soql.malformed(f"duplicate field selected: {twice}")
        return tuple(names)

    def _batch(self, request: Request) -> int:
        asked = re.search(
            r"batchSize=(\d+)", request.headers.get("sforce-query-options", ""), re.IGNORECASE
        )
        return min(max(int(asked[1]), 200), 2000) if asked else self.settings.batch_size

    def _page(self, cursor: _Cursor, start: int, locator: str | None) -> Response:
        stop = start + cursor.batch
        total = len(cursor.positions)
        body: dict[str, Json] = {"totalSize": total, "done": stop >= total}
        if stop < total:
            if locator is None:
                with self._lock:
                    self._serial += 1
                    locator = f"01g{self._serial:012d}AAA"
                    while len(self._cursors) >= _LOCATOR_LIMIT:
                        del self._cursors[next(iter(self._cursors))]
                    self._cursors[locator] = cursor
            body["nextRecordsUrl"] = f"/services/data/v{cursor.version}.0/query/{locator}-{stop}"
        body["records"] = cursor.view.records(
            cursor.fields, cursor.positions[start:stop], cursor.version
        )
        return json_response(body)

    def _more(self, locator: str) -> Response:
        name, _, start = locator.rpartition("-")
        cursor = self._cursors.get(name)
        if cursor is None or not start.isdigit():
            raise SalesforceError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(cursor, int(start), name)

    # --- other resources ------------------------------------------------------------------------

    def _limits(self) -> Response:
        spent = self._spent.get(self._clock().date(), 0)
        most = self.settings.daily_requests
        return json_response(
            {
                "DailyApiRequests": {"Max": most, "Remaining": max(most - spent, 0)},
                "DailyBulkApiBatches": {"Max": 15000, "Remaining": 15000},
                "DataStorageMB": {"Max": 10240, "Remaining": 9216},
            }
        )

    def _record(self, request: Request, thing: SObject, record: str, version: int) -> Response:
        view = self._view(thing.name)
        at = view.position_of(record)
        if at is None or view.deleted[at]:
            raise SalesforceError(
                404,
                "NOT_FOUND",
                f"Provided external ID field does not exist or is not accessible: {record}",
            )
        asked = request.get("fields")
        names = (
            tuple(view.exact_name(name.strip()) for name in asked.split(","))
            if asked
            else tuple(item.name for item in thing.fields)
        )
        return json_response(view.records(names, np.asarray([at]), version)[0])

    def _changed(self, request: Request, thing: SObject, want_deleted: bool) -> Response:
        start, end = (_parse_instant(request.get(name), name) for name in ("start", "end"))
        if not thing.has("SystemModstamp"):
            raise _not_found()
        if start < self._clock() - _REPLICATION:
            raise SalesforceError(
                400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago"
            )
        since = as_microseconds(start)
        until = min(as_microseconds(end), as_microseconds(self._clock()) + 1)
        covered = end.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        if want_deleted:
            gone = thing.gone(since, until)
            when = View.render_values(
                np.asarray([at for _, at in gone], dtype="datetime64[us]"), "datetime"
            )
            return json_response(
                {
                    "deletedRecords": [
                        {"id": key, "deletedDate": at}
                        for (key, _), at in zip(gone, when, strict=True)
                    ],
                    "earliestDateAvailable": View.render_values(
                        np.asarray(
                            [as_microseconds(self._clock() - _REPLICATION)], dtype="datetime64[us]"
                        ),
                        "datetime",
                    )[0],
                    "latestDateCovered": covered,
                }
            )
        view = self._view(thing.name)
        stamps = view.column("SystemModstamp").astype(np.int64)
        hits = np.flatnonzero((stamps >= since) & (stamps < until) & ~view.deleted)
        return json_response(
            {"ids": view.column("Id")[hits].tolist(), "latestDateCovered": covered}
        )

    def _describe(self, thing: SObject, base: str) -> Json:
        return {
            **_describe_global(thing, base),
            "childRelationships": [],
            "recordTypeInfos": [],
            "fields": [_describe_field(item) for item in thing.fields],
        }


def _error(error: SalesforceError) -> Response:
    return json_response(error.body, error.status)


def _expired() -> SalesforceError:
    return SalesforceError(401, "INVALID_SESSION_ID", "Session expired or invalid")


def _not_found() -> SalesforceError:
    return SalesforceError(404, "NOT_FOUND", "The requested resource does not exist")


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() in ("bearer", "oauth") and token else None


def _basic(request: Request) -> dict[str, str]:
    import base64
    import binascii

    scheme, _, code = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(code).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return {}
    return {"client_id": name, "client_secret": secret}


def _parse_instant(text: str | None, name: str) -> datetime:
    try:
        return datetime.fromisoformat((text or "").replace(" ", "+")).astimezone(UTC)
    except ValueError:
        raise SalesforceError(
            400, "INVALID_FIELD", f"{name} must be an ISO 8601 instant, not '{text}'"
        ) from None


def _number(value: Any) -> Json:
    return value.item() if isinstance(value, np.generic) else value


def _describe_global(thing: SObject, base: str) -> dict[str, Json]:
    url = f"{base}/sobjects/{thing.name}"
    return {
        "name": thing.name,
        "label": thing.label,
        "labelPlural": thing.label + "s",
        "keyPrefix": thing.prefix,
        "custom": thing.name.endswith("__c"),
        "customSetting": False,
        "createable": False,
        "deletable": False,
        "queryable": True,
        "replicateable": thing.has("SystemModstamp"),
        "retrieveable": True,
        "searchable": False,
        "updateable": False,
        "urls": {"sobject": url, "describe": url + "/describe", "rowTemplate": url + "/{ID}"},
    }


_LENGTHS = {"id": 18, "reference": 18, "boolean": 0, "int": 0, "double": 0, "currency": 0,
            "percent": 0, "date": 0, "datetime": 0, "picklist": 255, "multipicklist": 4099,
            "email": 80, "url": 255, "phone": 40, "string": 255, "textarea": 32000}  # fmt: skip


def _describe_field(item: Field) -> dict[str, Json]:
    return {
        "name": item.name,
        "label": item.name.removesuffix("__c").replace("_", " "),
        "type": item.kind,
        "length": _LENGTHS[item.kind],
        "custom": item.name.endswith("__c"),
        "nillable": item.name not in ("Id", "CreatedDate", "SystemModstamp", "IsDeleted"),
        "calculated": False,
        "createable": False,
        "updateable": False,
        "filterable": item.kind != "textarea",
        "sortable": item.kind not in ("textarea", "multipicklist"),
        "groupable": item.kind not in ("datetime", "double", "textarea", "multipicklist"),
        "referenceTo": list(item.reference_to),
        "relationshipName": item.relation,
        "picklistValues": [
            {"value": text, "label": text, "active": True, "defaultValue": False}
            for text in item.values
        ],
        "precision": 18 if item.kind in ("double", "currency", "percent") else 0,
        "scale": 2 if item.kind in ("double", "currency", "percent") else 0,
        "digits": 8 if item.kind == "int" else 0,
        "unique": item.kind == "id",
        "externalId": False,
    }
