"""The Stripe API: authentication, lists with cursors, filters, expansion, search, errors.

Belongs here: the protocol of `/v1` over the company's objects. Does not belong here: what an object
looks like or what changed when (see `stripe_objects`), sockets and faults (see `http`, `faults`).
Reading only: the key is a restricted one without permission to write.
"""

from __future__ import annotations

import base64
import binascii
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from sample_company.servers.faults import Fault
from sample_company.servers.http import Json, Request, Response, TokenBucket, json_response
from sample_company.servers.stripe_objects import (
    NEWEST,
    Object,
    Row,
    StripeData,
    Table,
    Version,
    list_object,
    stable_id,
)
from sample_company.servers.versions import Cache, Positions, as_microseconds

_MAX_LIMIT = 100
_MAX_EXPANSION_DEPTH = 4
_PAGING = ("limit", "starting_after", "ending_before")
_RANGE = re.compile(r"(\w+)\[(gt|gte|lt|lte)\]")
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class StripeSettings:
    """How this account behaves.

    Attributes:
        api_key: the one key that is accepted.
        api_version: the account's default version; also the version its events are rendered in.
        requests_per_second: over this rate answers are 429; None for no limit.
    """

    api_key: str = "rk_test_sample_company"
    api_version: str = NEWEST
    requests_per_second: float | None = None


class StripeError(Exception):
    """An error as Stripe words it."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.status = status
        error: Object = {"message": message, "type": kind}
        if code is not None:
            error["code"] = code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param is not None:
            error["param"] = param
        self.body = {"error": error}


Render = Callable[[list[Row], int, Version], list[Object]]


@dataclass(frozen=True)
class _Resource:
    """One list: its table, how rows are rendered and which filters it takes."""

    path: str
    noun: str
    table: Table
    render: Render
    #: Filter name -> column compared for equality.
    equals: dict[str, str] = field(default_factory=dict)
    #: Filter name -> column compared with gt, gte, lt, lte.
    ranges: dict[str, str] = field(default_factory=lambda: {"created": "created_at"})
    #: Rows left out of lists (deleted ones).
    hides: str | None = None
    #: Filters that the list cannot do without.
    requires: tuple[str, ...] = ()
    #: Rows of the table that belong to this list at all.
    only: Callable[[Table, Positions], Positions] | None = None
    #: Turns a row's key into the object's id, where the two differ.
    ident: Callable[[str], str] = str
    search: dict[str, str] | None = None


@dataclass(frozen=True)
class _Listing:
    """A resource at an instant: newest versions, newest record first."""

    positions: Positions
    index: dict[str, int]


class StripeService:
    """Answers requests from the company's objects as of the clock."""

    name = "stripe"

    def __init__(
        self,
        data: StripeData,
        clock: Callable[[], datetime],
        settings: StripeSettings | None = None,
    ) -> None:
        self.settings = settings or StripeSettings()
        self._data = data
        self._clock = clock
        self._resources = {r.path: r for r in _resources(data)}
        self._listings: Cache[_Listing] = Cache(size=32)
        self._serial = 0
        self._lock = threading.Lock()
        self._bucket = (
            TokenBucket(self.settings.requests_per_second)
            if self.settings.requests_per_second
            else None
        )

    # --- faults and errors ----------------------------------------------------------------------

    def page_key(self, request: Request) -> str:
        """Pages of a list share their path."""
        return request.path

    def fault_response(self, request: Request, fault: Fault) -> Response:
        """Stripe's wording of an injected fault."""
        if fault.kind == "rate_limit":
            return self._rate_limited(fault.retry_after)
        if fault.kind == "expire_token":
            return self._answer(request, _unauthorised(_key(request)))
        status = 500 if fault.kind == "server_error" else fault.status
        return self._answer(
            request,
            StripeError(status, "An unknown error occurred. Please try again.", kind="api_error"),
        )

    def crash_response(self, request: Request, error: Exception) -> Response:
        """A defect of the simulation, named so that a test shows it."""
        return self._answer(
            request, StripeError(500, f"{type(error).__name__}: {error}", kind="api_error")
        )

    def _rate_limited(self, retry_after: float | None) -> Response:
        error = StripeError(
            429,
            "Request rate limit exceeded. Learn more about rate limits here: "
            "https://stripe.com/docs/rate-limits.",
            code="rate_limit",
        )
        response = json_response(error.body, 429)
        response.headers["Request-Id"] = self._request_id()
        response.headers["Stripe-Rate-Limited-Reason"] = "global-rate"
        if retry_after is not None:
            response.headers["Retry-After"] = f"{retry_after:g}"
        return response

    def _request_id(self) -> str:
        with self._lock:
            self._serial += 1
            return f"req_{self._serial:014d}"

    def _answer(self, request: Request, error: StripeError) -> Response:
        response = json_response(error.body, error.status)
        response.headers["Request-Id"] = self._request_id()
        return response

    # --- requests -------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            if _key(request) != self.settings.api_key:
                raise _unauthorised(_key(request))
            if self._bucket is not None:
                wait = self._bucket.take()
                if wait > 0:
                    return self._rate_limited(wait)
            name = request.headers.get("stripe-version") or self.settings.api_version
            version = Version.parse(name)
            if version is None:
                raise StripeError(400, f"Invalid Stripe API version: {name}")
            if request.method not in ("GET", "HEAD"):
                raise StripeError(
                    403, "The provided key does not have the required permissions for this "
                    "endpoint. It may read only.", code="more_permissions_required_for_application",
                )  # fmt: skip
            now = as_microseconds(self._clock())
            value = self._route(request, now, version)
            for path in request.all("expand[]", *(f"expand[{n}]" for n in range(20)), "expand"):
                self._expand(value, path, now, version)
            response = json_response(value)
            response.headers["Request-Id"] = self._request_id()
            response.headers["Stripe-Version"] = version.name
            return response
        except StripeError as error:
            return self._answer(request, error)

    def _route(self, request: Request, now: int, version: Version) -> Object:
        parts = [part for part in request.path.split("/") if part]
        if not parts or parts[0] != "v1":
            raise _unknown_url(request)
        match parts[1:]:
            case ["account"]:
                return {
                    "id": "acct_1SampleCompany0", "object": "account", "country": "US",
                    "default_currency": "usd", "livemode": False,
                }  # fmt: skip
            case ["events"]:
                return self._events(request, now)
            case ["events", ident]:
                found = next((e for e in self._data.events(now) if e["id"] == ident), None)
                if found is None:
                    raise _missing("event", ident)
                return dict(found)
            case ["invoices", ident, "lines"]:
                return self._lines(request, ident, now, version)
            case [path, "search"] if path in self._resources and self._resources[path].search:
                return self._search(request, self._resources[path], now, version)
            case [path] if path in self._resources:
                return self._list(request, self._resources[path], now, version)
            case [path, ident] if path in self._resources:
                return self._retrieve(self._resources[path], ident, now, version)
        raise _unknown_url(request)

    # --- lists ----------------------------------------------------------------------------------

    def _listing(self, resource: _Resource, now: int) -> _Listing:
        def compute() -> _Listing:
            table = resource.table
            positions = table.versions.visible(now)
            if resource.only is not None:
                positions = resource.only(table, positions)
            created = table.columns.array("created_at")[positions]
            # Newest first; records of the same second in the reverse of their writing.
            positions = positions[np.lexsort((-positions, -created))]
            keys = table.columns.array(table.key)[positions].tolist()
            index = {resource.ident(key): at for at, key in enumerate(keys)}
            return _Listing(positions, index)

        return self._listings.get((resource.path, now), compute)

    def _list(self, request: Request, resource: _Resource, now: int, version: Version) -> Object:
        allowed = {*_PAGING, *resource.equals, *resource.ranges, "payment[payment_intent]",
                   "payment[type]"}  # fmt: skip
        _check_parameters(request, allowed, set(resource.ranges))
        for name in resource.requires:
            if request.get(name) is None:
                raise StripeError(
                    400, f"Missing required param: {name}.", code="parameter_missing", param=name
                )
        listing = self._listing(resource, now)
        keep = self._filter(request, resource, listing)
        chosen, has_more = _cut(request, np.flatnonzero(keep), listing.index, resource.noun)
        rows = resource.table.rows(listing.positions[chosen])
        return list_object(resource.render(rows, now, version), f"/v1/{resource.path}", has_more)

    def _filter(self, request: Request, resource: _Resource, listing: _Listing) -> Mask:
        columns, positions = resource.table.columns, listing.positions
        keep: Mask = np.ones(len(positions), dtype=bool)
        if resource.hides is not None:
            keep &= ~columns.array(resource.hides)[positions].astype(bool)
        status = request.get("status")
        if resource.path == "subscriptions":
            keep &= _subscription_status(columns.array("status")[positions], status)
        for name, value in request.query:
            if name == "status" and resource.path == "subscriptions":
                continue
            if name in resource.equals:
                keep &= _equal(columns.array(resource.equals[name])[positions], value)
            elif name in resource.ranges:
                keep &= columns.array(resource.ranges[name])[positions] == _timestamp(name, value)
            elif (match := _RANGE.fullmatch(name)) and match[1] in resource.ranges:
                keep &= _compare(
                    columns.array(resource.ranges[match[1]])[positions],
                    match[2],
                    _timestamp(name, value),
                )
        return keep

    def _lines(self, request: Request, ident: str, now: int, version: Version) -> Object:
        _check_parameters(request, set(_PAGING), set())
        if self._data.newest("invoice_id", ident, now) is None:
            raise _missing("invoice", ident)
        rows = self._data.line_rows(ident, now)
        index = {row["invoice_line_id"]: at for at, row in enumerate(rows)}
        chosen, has_more = _cut(request, np.arange(len(rows)), index, "invoice line item")
        data = self._data.render_lines([rows[at] for at in chosen], now, version)
        return list_object(data, f"/v1/invoices/{ident}/lines", has_more, total_count=len(rows))

    def _events(self, request: Request, now: int) -> Object:
        _check_parameters(
            request, {*_PAGING, "type", "types[]", "types", "created", "delivery_success"},
            {"created"},
        )  # fmt: skip
        feed = self._data.events(now)
        types = [value for name, value in request.query if re.fullmatch(r"types(\[\d*\])?", name)]
        single = request.get("type")
        if len(types) > 20:
            raise StripeError(400, "You may only specify up to 20 event types.", param="types")
        if types and single:
            raise StripeError(400, "You may only specify one of these parameters: type, types.")
        wanted = _type_pattern(types or ([single] if single else []))
        created = np.fromiter((e["created"] for e in feed), dtype=np.int64, count=len(feed))
        keep = np.fromiter(
            (wanted is None or wanted.fullmatch(e["type"]) is not None for e in feed),
            dtype=bool,
            count=len(feed),
        )
        for name, value in request.query:
            if name == "created":
                keep &= created == _timestamp(name, value)
            elif match := _RANGE.fullmatch(name):
                keep &= _compare(created, match[2], _timestamp(name, value))
        index = {event["id"]: at for at, event in enumerate(feed)}
        chosen, has_more = _cut(request, np.flatnonzero(keep), index, "event")
        return list_object([feed[at] for at in chosen], "/v1/events", has_more)

    def _retrieve(self, resource: _Resource, ident: str, now: int, version: Version) -> Object:
        at = self._listing(resource, now).index.get(ident)
        if at is None:
            raise _missing(resource.noun, ident)
        position = self._listing(resource, now).positions[at : at + 1]
        row = resource.table.rows(position)[0]
        # A deleted customer can still be retrieved, as a stump; nothing else can.
        if resource.hides and row[resource.hides] and resource.path != "customers":
            raise _missing(resource.noun, ident)
        return resource.render([row], now, version)[0]

    # --- search ---------------------------------------------------------------------------------

    def _search(self, request: Request, resource: _Resource, now: int, version: Version) -> Object:
        _check_parameters(request, {"query", "limit", "page"}, set())
        query = request.get("query")
        if not query:
            raise StripeError(
                400, "Missing required param: query.", code="parameter_missing", param="query"
            )
        listing = self._listing(resource, now)
        keep = _search_mask(query, resource, listing)
        if resource.hides is not None:
            keep &= ~resource.table.columns.array(resource.hides)[listing.positions].astype(bool)
        hits = np.flatnonzero(keep)
        page = request.get("page") or "0"
        if not page.isdigit():
            raise StripeError(400, f"Invalid page: {page}", param="page")
        limit = _limit(request)
        start = int(page)
        chosen = hits[start : start + limit]
        has_more = start + limit < len(hits)
        return {
            "object": "search_result",
            "data": resource.render(resource.table.rows(listing.positions[chosen]), now, version),
            "has_more": has_more,
            "next_page": str(start + limit) if has_more else None,
            "url": f"/v1/{resource.path}/search",
        }

    # --- expansion ------------------------------------------------------------------------------

    def _expand(self, value: Object, path: str, now: int, version: Version) -> None:
        steps = path.split(".")
        depth = len(steps) - (steps[0] == "data" and value.get("object") == "list")
        if depth > _MAX_EXPANSION_DEPTH:
            raise StripeError(
                400,
                f"You cannot expand more than {_MAX_EXPANSION_DEPTH} levels of a property: {path}.",
                param="expand",
            )
        self._expand_step(value, steps, path, now, version)

    def _expand_step(
        self, value: Json, steps: Sequence[str], path: str, now: int, version: Version
    ) -> None:
        if isinstance(value, list):
            for item in value:
                self._expand_step(item, steps, path, now, version)
            return
        if not isinstance(value, dict) or not steps:
            return
        name = steps[0]
        if name not in value and (value.get("object"), name) in _ON_REQUEST:
            value[name] = (
                self._data.payments_of(value["id"], now, version)
                if name == "payments" and version.is_basil
                else None
            )
        if name not in value:
            if value.get("deleted"):
                return
            raise StripeError(
                400,
                f"This property cannot be expanded ({path}). You may want to try expanding "
                "'data.<property>' when listing.",
                param="expand",
            )
        held = value[name]
        if isinstance(held, str):
            value[name] = self._resolve(held, path, now, version)
        elif isinstance(held, list):
            value[name] = [
                self._resolve(item, path, now, version) if isinstance(item, str) else item
                for item in held
            ]
        self._expand_step(value[name], steps[1:], path, now, version)

    def _resolve(self, ident: str, path: str, now: int, version: Version) -> Json:
        found = self._data.find(ident, now, version)
        if found is None:
            raise StripeError(400, f"This property cannot be expanded ({path}).", param="expand")
        return found


#: Attributes that an object shows only when they are expanded. This company has no tiered prices.
_ON_REQUEST = {("invoice", "payments"), ("price", "tiers"), ("coupon", "applies_to")}

# --- the lists ----------------------------------------------------------------------------------


def _resources(data: StripeData) -> Iterable[_Resource]:
    created = {"created": "created_at"}
    yield _Resource(
        "customers", "customer", data.customers, data.render_customers,
        equals={}, hides="is_deleted",
        search={"currency": "currency", "name": "name",
                "metadata[account_id]": "metadata_account_id"},
    )  # fmt: skip
    yield _Resource(
        "products", "product", data.products, data.render_products, search={"name": "name"}
    )
    yield _Resource(
        "prices", "price", data.prices, data.render_prices,
        equals={"product": "product_id", "currency": "currency",
                "recurring[interval]": "interval"},
        search={"product": "product_id", "currency": "currency"},
    )  # fmt: skip
    yield _Resource("coupons", "coupon", data.coupons, data.render_coupons)
    yield _Resource(
        "subscriptions", "subscription", data.subscriptions, data.render_subscriptions,
        equals={"customer": "billing_customer_id", "status": "status",
                "collection_method": "collection_method"},
        # Before 2025-03-31 the API filtered by the period of the subscription itself.
        ranges={**created, "current_period_start": "current_period_start",
                "current_period_end": "current_period_end"},
        search={"status": "status", "metadata[account_id]": "metadata_account_id",
                "metadata[replaces_subscription_id]": "metadata_replaces_subscription_id"},
    )  # fmt: skip
    yield _Resource(
        "subscription_items", "subscription_item", data.items, data.render_items,
        equals={"subscription": "subscription_id"}, hides="is_deleted",
        requires=("subscription",), ranges={},
    )  # fmt: skip
    yield _Resource(
        "invoices", "invoice", data.invoices, data.render_invoices,
        equals={"customer": "billing_customer_id", "subscription": "subscription_id",
                "status": "status", "collection_method": "collection_method"},
        ranges={**created, "due_date": "due_at"}, hides="is_deleted",
        search={"status": "status", "currency": "currency", "customer": "billing_customer_id",
                "subscription": "subscription_id", "number": "number", "total": "total"},
    )  # fmt: skip
    yield _Resource(
        "invoiceitems", "invoiceitem", data.lines, data.render_invoice_items,
        equals={"invoice": "invoice_id"}, only=_billed_apart, ident=_invoice_item_id,
    )  # fmt: skip
    yield _Resource(
        "charges", "charge", data.charges, data.render_charges,
        equals={"customer": "billing_customer_id", "payment_intent": "payment_intent_id"},
        search={"status": "status", "currency": "currency", "customer": "billing_customer_id",
                "amount": "amount"},
    )  # fmt: skip
    yield _Resource(
        "invoice_payments", "invoice_payment", data.charges, data.render_invoice_payments,
        equals={"invoice": "invoice_id", "payment[payment_intent]": "payment_intent_id"},
        only=_with_invoice, ident=_invoice_payment_id,
    )  # fmt: skip
    yield _Resource(
        "credit_notes", "credit_note", data.credit_notes, data.render_credit_notes,
        equals={"customer": "billing_customer_id", "invoice": "invoice_id"},
    )  # fmt: skip


def _billed_apart(table: Table, positions: Positions) -> Positions:
    apart = table.columns.array("is_proration") | table.columns.array("is_one_off")
    chosen: Positions = positions[apart[positions]]
    return chosen


def _with_invoice(table: Table, positions: Positions) -> Positions:
    invoices = table.columns.array("invoice_id")[positions]
    paid = np.fromiter((x is not None for x in invoices), dtype=bool, count=len(positions))
    chosen: Positions = positions[paid]
    return chosen


def _invoice_item_id(key: str) -> str:
    return stable_id("ii", key)


def _invoice_payment_id(key: str) -> str:
    return stable_id("inpay", key)


# --- parameters ---------------------------------------------------------------------------------


def _key(request: Request) -> str | None:
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return rest
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(rest).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


def _unauthorised(key: str | None) -> StripeError:
    if not key:
        return StripeError(
            401, "You did not provide an API key. You need to provide your API key in the "
            "Authorization header, using Bearer auth (e.g. 'Authorization: Bearer "
            "YOUR_SECRET_KEY').",
        )  # fmt: skip
    shown = key[:7] + "*" * max(len(key) - 11, 4) + key[-4:]
    return StripeError(401, f"Invalid API Key provided: {shown}")


def _missing(noun: str, ident: str, param: str = "id") -> StripeError:
    return StripeError(
        404 if param == "id" else 400, f"No such {noun}: '{ident}'", code="resource_missing",
        param=param,
    )  # fmt: skip


def _unknown_url(request: Request) -> StripeError:
    return StripeError(
        404, f"Unrecognized request URL ({request.method}: {request.path}). Please see "
        "https://stripe.com/docs or we can help at https://support.stripe.com/.",
    )  # fmt: skip


def _check_parameters(request: Request, allowed: set[str], ranges: set[str]) -> None:
    for name, _ in request.query:
        match = _RANGE.fullmatch(name)
        stem = name.partition("[")[0]
        if not (
            name in allowed
            or stem == "expand"
            or (stem == "types" and "types" in allowed)
            or (match and match[1] in ranges)
        ):
            raise StripeError(
                400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )


def _limit(request: Request) -> int:
    text = request.get("limit")
    if text is None:
        return 10
    try:
        limit = int(text)
    except ValueError:
        raise StripeError(
            400, f"Invalid integer: {text}", code="parameter_invalid_integer", param="limit"
        ) from None
    if not 1 <= limit <= _MAX_LIMIT:
        raise StripeError(
            400,
            f"This value must be less than or equal to 100 (it currently is '{limit}')."
            if limit > 0
            else "This value must be greater than or equal to 1.",
            param="limit",
        )
    return limit


def _timestamp(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise StripeError(
            400, f"Invalid timestamp: must be an integer Unix timestamp, not '{text}'", param=name
        ) from None


def _cut(
    request: Request, hits: Positions, index: dict[str, int], noun: str
) -> tuple[Positions, bool]:
    """The page of hits that the cursors ask for and whether more lie beyond it."""
    limit = _limit(request)
    after, before = request.get("starting_after"), request.get("ending_before")
    if after and before:
        raise StripeError(
            400, "You may only specify one of these parameters: starting_after, ending_before."
        )
    for param, ident in (("starting_after", after), ("ending_before", before)):
        if ident and ident not in index:
            raise _missing(noun, ident, param)
    if after:
        hits = hits[hits > index[after]]
    elif before:
        hits = hits[hits < index[before]]
        return hits[max(len(hits) - limit, 0) :], len(hits) > limit
    return hits[:limit], len(hits) > limit


def _subscription_status(column: npt.NDArray[Any], status: str | None) -> Mask:
    """Without a status the list leaves out canceled ones; `ended` and `all` are no statuses."""
    if status == "all":
        return np.ones(len(column), dtype=bool)
    ended: Mask = (column == "canceled") | (column == "incomplete_expired")
    if status is None:
        return ~ended
    if status == "ended":
        return ended
    known = ("active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused",
             "trialing", "unpaid")  # fmt: skip
    if status not in known:
        raise StripeError(
            400, f"Invalid status: must be one of {', '.join(known)}, all or ended", param="status"
        )
    same: Mask = column == status
    return same


def _equal(column: npt.NDArray[Any], value: str) -> Mask:
    same: Mask = column == value
    return same


def _compare(column: npt.NDArray[Any], operator: str, value: int) -> Mask:
    # A missing instant is a large negative number and must not count as early.
    present = column > -(2**40)
    result: dict[str, Mask] = {
        "gt": column > value,
        "gte": column >= value,
        "lt": column < value,
        "lte": column <= value,
    }
    return result[operator] & present


def _type_pattern(types: Sequence[str]) -> re.Pattern[str] | None:
    if not types:
        return None
    return re.compile("|".join(re.escape(text).replace(r"\*", ".*") for text in types))


_CLAUSE = re.compile(
    r"""\s*(?P<minus>-)?(?P<field>\w+)(?:\[["'](?P<key>[^"']+)["']\])?\s*
        (?P<op>:|>=|<=|>|<|~)\s*(?:"(?P<dq>[^"]*)"|'(?P<sq>[^']*)'|(?P<bare>[\w.-]+))\s*""",
    re.VERBOSE,
)


def _search_mask(query: str, resource: _Resource, listing: _Listing) -> Mask:
    """Stripe's search language: clauses joined by AND, or by OR, never mixed."""
    assert resource.search is not None  # noqa: S101  # routed only where there is a search
    invalid = StripeError(400, f"We were unable to parse your search query: {query}", param="query")
    masks: list[Mask] = []
    joins: set[str] = set()
    at = 0
    while at < len(query):
        if masks:
            join = re.compile(r"(AND|OR)?\s*", re.IGNORECASE).match(query, at)
            assert join is not None  # noqa: S101  # the pattern matches the empty text
            joins.add((join[1] or "AND").upper())
            at = join.end()
        match = _CLAUSE.match(query, at)
        if match is None or len(joins) > 1:
            raise invalid
        masks.append(_clause_mask(match, resource, listing))
        at = match.end()
    join_masks = np.logical_or if joins == {"OR"} else np.logical_and
    result: Mask = join_masks.reduce(masks)
    return result


def _clause_mask(match: re.Match[str], resource: _Resource, listing: _Listing) -> Mask:
    fields = {"created": "created_at", **(resource.search or {})}
    name = match["field"] + (f"[{match['key']}]" if match["key"] else "")
    if name not in fields:
        raise StripeError(
            400, f"Field `{name}` is an unsupported search field for resource "
            f"`{resource.path}`.", param="query",
        )  # fmt: skip
    column = resource.table.columns.array(fields[name])[listing.positions]
    text = next(t for t in (match["dq"], match["sq"], match["bare"]) if t is not None)
    if column.dtype == object:
        wanted = text.casefold()
        if match["op"] not in (":", "~"):
            raise StripeError(400, f"Operator {match['op']} needs a number", param="query")
        mask = np.fromiter(
            (
                value is not None
                and (
                    wanted in str(value).casefold()
                    if match["op"] == "~"
                    else wanted == str(value).casefold()
                )
                for value in column
            ),
            dtype=bool,
            count=len(column),
        )
    else:
        number = _timestamp("query", text)
        operators = {":": "eq", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
        operator = operators.get(match["op"])
        if operator is None:
            raise StripeError(400, f"Operator {match['op']} needs text", param="query")
        mask = column == number if operator == "eq" else _compare(column, operator, number)
    return ~mask if match["minus"] else mask
