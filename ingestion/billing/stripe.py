"""Stripe: everything once by listing, then what changed by its event feed.

Stripe has no "updated since". A connector that filters on `created` never sees a cancellation, so
churn never happens. So: list all with status=all; afterwards read `/v1/events`, fetch each changed
id, land the snapshots of subscriptions as versions, and take deletions from the payload. The feed
keeps 30 days: a gap over 29 forces a loud full listing, and a periodic one reconciles.

Belongs here: what is read, in which order, and where it left off. Must not be here: shapes (see
`stripe_shapes`) or conversion of amounts (minor units stay as they are).

Deliberately not loaded: payment methods, payment intents, setup intents, tax, disputes' evidence,
payouts and balance transactions. None of them says whether a customer stays; charges carry the one
fact that does (whether a payment failed). Payloads of events are not kept beyond the versions they
give.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa

from ingestion import deletions, landing, schemas, windows
from ingestion.billing import stripe_shapes as shapes
from ingestion.http import Answer, HttpError, Session, ahead
from ingestion.known import Known
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.settings import Settings
from ingestion.windows import BACKFILL, INCREMENT, LISTING, RESET, Window

SOURCE = "stripe"
API_VERSION = "2025-03-31.basil"
FEED = "events"
FEED_KEEPS = timedelta(days=29)
FEED_OVERLAP = timedelta(minutes=10)
PAGE = "100"
_BATCH = 4_000
_FETCHERS = 4

Params = list[tuple[str, str]]


class _Shape(Protocol):
    def __call__(self, obj: Any, at: int, rows: shapes.Rows, *, deleted: bool = False) -> None: ...


@dataclass(frozen=True)
class Resource:
    """One listed kind of object.

    Attributes:
        name: landed table, and path of the listing.
        kind: Stripe's `object` value.
        shape: from an object to rows.
        params: parameters of the listing.
        expands: what to expand, relative to the object.
        vanishes: whether deleted objects are left out of listings, so that absence is looked into.
        nested: field of a nested list that is cut at 10 and must be followed.
    """

    name: str
    kind: str
    shape: _Shape
    params: tuple[tuple[str, str], ...] = ()
    expands: tuple[str, ...] = ()
    vanishes: bool = False
    nested: str = ""


RESOURCES: tuple[Resource, ...] = (
    Resource("coupons", "coupon", shapes.coupon, vanishes=True),
    Resource("products", "product", shapes.product, vanishes=True),
    Resource("prices", "price", shapes.price, expands=("tiers",)),
    Resource("customers", "customer", shapes.customer, vanishes=True),
    Resource(
        "subscriptions",
        "subscription",
        shapes.subscription,
        params=(("status", "all"),),
        expands=("discounts", "items.data.discounts"),
        nested="items",
    ),
    Resource(
        "invoices", "invoice", shapes.invoice, expands=("discounts", "payments"), nested="lines"
    ),
    Resource("credit_notes", "credit_note", shapes.credit_note),
    Resource("charges", "charge", shapes.charge),
)
_BY_NAME = {r.name: r for r in RESOURCES}
_BY_KIND = {r.kind: r for r in RESOURCES}

# At most twenty types fit one request, so the feed is read in groups.
EVENT_TYPES: tuple[tuple[str, ...], ...] = (
    (
        "customer.created",
        "customer.updated",
        "customer.deleted",
        "customer.discount.created",
        "customer.discount.updated",
        "customer.discount.deleted",
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "customer.subscription.pending_update_applied",
        "customer.subscription.pending_update_expired",
        "customer.subscription.trial_will_end",
    ),
    (
        "invoice.created",
        "invoice.updated",
        "invoice.deleted",
        "invoice.finalized",
        "invoice.sent",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.marked_uncollectible",
        "invoice.voided",
        "invoice.overdue",
        "credit_note.created",
        "credit_note.updated",
        "credit_note.voided",
    ),
    (
        "product.created",
        "product.updated",
        "product.deleted",
        "price.created",
        "price.updated",
        "price.deleted",
        "coupon.created",
        "coupon.updated",
        "coupon.deleted",
        "charge.succeeded",
        "charge.failed",
        "charge.pending",
        "charge.captured",
        "charge.refunded",
        "charge.updated",
        "charge.expired",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
    ),
)
_DELETED = frozenset({"customer", "product", "price", "coupon", "invoice"})


def run(
    settings: Settings,
    lake: Lake,
    *,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
    session: Session | None = None,
) -> LoadReport:
    """Loads what is new: listings that are due or unfinished, then the change feed.

    Args:
        settings: with Stripe configured.
        lake: where to land.
        run_id: the run's id, kept with rejects and windows.
        as_of: the night's date; everything Stripe has is landed, staging selects by date.
        progress: told a line now and then.
        session: replaces the one made from the settings.

    Raises:
        HttpError: if Stripe refuses the key or stays silent. What was finished before counts.
    """
    with _reading(settings, lake, run_id, progress, session, as_of=as_of) as reader:
        reader.nightly()
    return reader.report


def backfill(
    settings: Settings,
    lake: Lake,
    *,
    resource: str,
    first: date,
    last: date,
    run_id: str,
    progress: Callable[[str], None],
    session: Session | None = None,
) -> LoadReport:
    """Reads again what was created from `first` to `last`, leaving the nightly state alone."""
    with _reading(settings, lake, run_id, progress, session) as reader:
        reader.backfill(_resource(resource), first, last)
    return reader.report


def reconcile(
    settings: Settings,
    lake: Lake,
    *,
    resource: str,
    limit: float,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
    session: Session | None = None,
) -> LoadReport:
    """Lists one resource in full, and marks as deleted what is no longer there.

    Args:
        settings: with Stripe configured.
        lake: where to land.
        resource: the table.
        limit: share of the live records that may be gone.
        run_id: the run's id.
        as_of: the date the run is for.
        progress: told a line now and then.
        session: replaces the one made from the settings.
    """
    with _reading(
        settings, lake, run_id, progress, session, as_of=as_of, deletion_limit=limit
    ) as reader:
        reader.reconcile(_resource(resource))
    return reader.report


def reset(lake: Lake, *, resource: str, run_id: str) -> LoadReport:
    """Forgets how far one resource was read: the next run lists it in full."""
    if resource != FEED:
        _resource(resource)
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    batch = Landing(lake, SOURCE, run_id, report)
    batch.add_window(Window(resource, RESET))
    batch.flush()
    return report


def refetch(
    settings: Settings,
    lake: Lake,
    *,
    table: str,
    keys: Sequence[str],
    run_id: str,
    progress: Callable[[str], None],
    session: Session | None = None,
) -> LoadReport:
    """Fetches records again by id, for replaying rejects whose copy was redacted."""
    with _reading(settings, lake, run_id, progress, session) as reader:
        reader.refetch(_resource(table), keys)
    return reader.report


def connect(settings: Settings) -> Session:
    """A session with the key, the pinned version, and Stripe's way of telling errors."""
    given = settings.stripe
    if given is None:
        raise ValueError("Stripe is not configured; set STRIPE_API_KEY.")
    key = given.api_key.get_secret_value()
    return Session(
        given.api_base,
        headers={"Authorization": f"Bearer {key}", "Stripe-Version": API_VERSION},
        secrets=(key,),
        codes=lambda body: (
            str(body["error"].get("code") or body["error"].get("type") or ""),
            str(body["error"].get("message") or ""),
        ),
    )


def check(settings: Settings) -> str:
    """Opens the connection once; returns what a person should read, or raises HttpError."""
    connect(settings).get("/v1/events", [("limit", "1")])
    return f"Stripe answers, version {API_VERSION}."


def _resource(name: str) -> Resource:
    if name not in _BY_NAME:
        raise ValueError(
            f"Stripe has no table {name!r} that can be read by itself. Choose one of: "
            + ", ".join(_BY_NAME)
        )
    return _BY_NAME[name]


class _reading:  # noqa: N801 - reads as a statement
    """Opens a reader and closes it: leftovers removed before, time told after."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        run_id: str,
        progress: Callable[[str], None],
        session: Session | None,
        as_of: date | None = None,
        deletion_limit: float | None = None,
    ) -> None:
        landing.begin(lake, SOURCE)
        report = LoadReport(SOURCE)
        self._began = time.monotonic()
        self._reader = _Reader(
            lake,
            session or connect(settings),
            Landing(lake, SOURCE, run_id, report, as_of),
            report,
            progress,
            settings.stripe.reconcile_days if settings.stripe else 28,
            settings.deletion_limit if deletion_limit is None else deletion_limit,
        )

    def __enter__(self) -> _Reader:
        return self._reader

    def __exit__(self, *error: object) -> None:
        self._reader.close()
        self._reader.report.seconds = time.monotonic() - self._began


@dataclass
class _Reader:
    lake: Lake
    session: Session
    batch: Landing
    report: LoadReport
    progress: Callable[[str], None]
    reconcile_days: int
    deletion_limit: float = deletions.LIMIT
    known: dict[str, Known] = field(default_factory=dict)
    unexpandable: set[tuple[str, str]] = field(default_factory=set)
    open_items: dict[str, dict[str, dict[str, Any]]] | None = None
    coupons: dict[str, dict[str, Any]] | None = None
    met_discounts: set[tuple[str, int]] = field(default_factory=set)
    listed_at: dict[str, int] = field(default_factory=dict)
    invoice_of: dict[str, str] = field(default_factory=dict)
    has_payments: bool = True
    listed_whole: set[str] = field(default_factory=set)

    def close(self) -> None:
        """Frees what comparisons hold."""
        for known in self.known.values():
            known.__exit__(None, None, None)
        self.known.clear()

    # The night

    def nightly(self) -> None:
        """Unfinished and due listings, then the feed."""
        history = windows.finished(self.lake, SOURCE)
        probe = self.session.get("/v1/events", [("limit", "1")])
        now = _vendor_now(probe)
        feed = windows.newest(history, FEED)
        lists = {r.name: _newest_listing(history, r.name) for r in RESOURCES}
        began = [int(w.generation) for w in lists.values() if w is not None]
        self.listed_at = {n: int(w.generation) for n, w in lists.items() if w is not None}
        since = int(feed.cursor) if feed is not None else min(began, default=now)
        # Dated by the clock of the answer: a quiet account's newest event may be long ago.
        gap = timedelta(seconds=max(now, _date_header(probe)) - since)
        if began and gap > FEED_KEEPS:
            self.report.note(
                f"The change feed was last read {gap.days} days ago and keeps 30: everything is "
                "listed anew. Changes between may carry a later date than they had."
            )
            self.progress(f"stripe: {self.report.notes[-1]}")
            self._list_all(dict.fromkeys(lists), now)
            self._feed_window(now)
        else:
            due = {name: w for name, w in lists.items() if w is None or not w.is_last}
            self._list_all(due, now)
            self._read_feed(since, now, is_first=feed is None)
            oldest = min((int(w.generation) for w in lists.values() if w is not None), default=now)
            if not due and now - oldest > self.reconcile_days * 86_400:
                self.report.note("Everything was listed again to reconcile with the change feed.")
                self._list_all(dict.fromkeys(lists), now)
        self.batch.flush()

    def _list_all(self, due: dict[str, Window | None], now: int) -> None:
        for resource in RESOURCES:
            if resource.name not in due:
                continue
            unfinished = due[resource.name]
            if (
                unfinished is not None
                and now - int(unfinished.generation) < FEED_KEEPS.total_seconds()
            ):
                at, after = int(unfinished.generation), unfinished.cursor
                self.progress(f"stripe: {resource.name} goes on where the last run stopped")
            else:
                at, after = now, ""
            with self._tolerating(resource.name), self._or_block():
                self._list(resource, at, after)

    def _list(self, resource: Resource, at: int, after: str) -> None:
        """A listing from `after` on, newest first, one window after the other."""
        self.listed_at[resource.name] = at
        is_whole = after == ""
        if resource.kind == "charge" and "invoices" not in self.listed_whole:
            self._list_payments()
            # What is not among them was paid without an invoice.
            self.has_payments = False
        seen: list[str] = []
        total = 0
        gathered: list[Any] = []
        met: set[str] = set()
        for page in ahead(self._pages(resource, after)):
            # A page may come twice (a proxy's cache); its objects land once.
            fresh = [obj for obj in page if obj["id"] not in met]
            again = len(page) - len(fresh)
            self.batch.count(resource.name, received=again, deduplicated=again)
            gathered.extend(fresh)
            met.update(obj["id"] for obj in page)
            after = page[-1]["id"]
            if len(gathered) < _BATCH:
                continue
            total += self._land(resource, gathered, at, seen)
            gathered = []
            self.progress(f"stripe: {resource.name} {total:,}")
            if self.batch.is_due:
                self.batch.add_window(
                    Window(resource.name, LISTING, str(at), after, is_last=False, rows=total)
                )
                self.batch.flush()
        total += self._land(resource, gathered, at, seen)
        if resource.vanishes and is_whole:
            self._look_for_deleted(resource, seen, at)
        self.batch.add_window(Window(resource.name, LISTING, str(at), "", is_last=True, rows=total))
        if is_whole:
            self.listed_whole.add(resource.name)
        if self.batch.is_due:
            self.batch.flush()

    def _land(
        self, resource: Resource, objects: Sequence[Any], at: int, seen: list[str] | None = None
    ) -> int:
        """Lands the objects as of one instant, leaving out what is already landed as it is."""
        rows = shapes.new_rows()
        for obj in objects:
            self._follow(resource, obj)
            resource.shape(obj, at, rows)
            if seen is not None and obj.get("id"):
                seen.append(obj["id"])
        self._watch(resource, objects)
        self._removed_items(rows)
        self._complete_discounts(rows)
        self._attribute_charges(rows)
        for name, records in rows.items():
            table = schemas.table(SOURCE, name)
            self.batch.take(table, records, known=self._known(name))
        return len(objects)

    def _watch(self, resource: Resource, objects: Iterable[Any]) -> None:
        for name, some in shapes.watched(resource.name, objects):
            self.batch.watch.records(schemas.table(SOURCE, name), some, shapes.FIELDS[name])

    def _look_for_deleted(self, resource: Resource, seen: list[str], at: int) -> None:
        """What has landed but is no longer listed was deleted, unless fetching says otherwise."""
        known = self._known(resource.name)
        listed = pa.table({"id": pa.array(seen, pa.string())})
        rows = shapes.new_rows()
        gone = known.missing_from(listed)
        refusal = deletions.refusal(
            SOURCE, resource.name, len(gone), known.live, self.deletion_limit
        )
        if refusal:
            self.report.block(refusal)
            return
        for (key,) in gone:
            try:
                obj = self.session.get(f"/v1/{resource.name}/{key}").body
            except HttpError as error:
                if error.status != 404:
                    raise
                obj = {"id": key, "deleted": True}
            if obj.get("deleted"):
                self.batch.count(resource.name, received=-1, made=1)
                self.report.table(resource.name).deletes += 1
            resource.shape(obj, at, rows)
        self._add(rows)

    # The change feed

    def _read_feed(self, since: int, now: int, *, is_first: bool) -> None:
        start = since - int(FEED_OVERLAP.total_seconds())
        with self._tolerating(FEED), self._or_block():
            events = self._new_events(start)
            if not events:
                if is_first or now - since > 86_400:
                    self._feed_window(now)
                return
            self._land_events(events)
            self._feed_window(max(now, events[-1]["created"]))
            self.batch.flush()

    def _new_events(self, start: int) -> list[Any]:
        """Events created from `start` on that have not landed, oldest first."""
        found: dict[str, Any] = {}
        for types in EVENT_TYPES:
            params: Params = [("created[gte]", str(start)), *(("types[]", t) for t in types)]
            for page in self._paged("/v1/events", params):
                for event in page:
                    found[event["id"]] = event
                self.progress(f"stripe: {len(found):,} changes") if len(found) > 1000 else None
        landed = set(
            self.lake.read(SOURCE, "events", f"select id from t where epoch(created) >= {start}")[
                "id"
            ].to_pylist()
        )
        # Newest first as given; reversing keeps the feed's own order within a second.
        fresh = [e for e in reversed(list(found.values())) if e["id"] not in landed]
        again = len(found) - len(fresh)
        self.batch.count(FEED, received=again, deduplicated=again)
        return sorted(fresh, key=lambda e: int(e["created"]))

    def _land_events(self, events: list[Any]) -> None:
        """Day by day: the events, versions from payloads, and each changed object as fetched.

        An object is fetched once, and its state dated by its last event.
        """
        last: dict[tuple[str, str], str] = {}
        in_second: dict[tuple[str, str, int], str] = {}
        for event in events:
            last[_target(event)] = event["id"]
            in_second[*_target(event), int(event["created"])] = event["id"]
        for day in _by_day(events):
            rows = shapes.new_rows()
            fetched = self._fetch(
                [_target(e) for e in day if last[_target(e)] == e["id"] and not _is_deletion(e)]
            )
            for resource in RESOURCES:
                self._watch(resource, [o for t, o in fetched.items() if t[0] == resource.kind])
            for event in day:
                shapes.event(event, rows)
                if in_second[*_target(event), int(event["created"])] != event["id"]:
                    continue  # a later change within the same second: two versions of one instant
                self._apply(event, fetched if last[_target(event)] == event["id"] else {}, rows)
            self._add(rows)
            self.progress(f"stripe: changes up to {_day(day[-1]['created'])}")
            if self.batch.is_due:
                self._feed_window(int(day[-1]["created"]))
                self.batch.flush()

    def _apply(self, event: Any, fetched: dict[tuple[str, str], Any], rows: shapes.Rows) -> None:
        kind, key = _target(event)
        at = int(event["created"])
        payload = event["data"]["object"]
        if kind == "discount":
            if event["type"].endswith(".deleted"):
                payload = {**payload, "end": payload.get("end") or at}
            shapes.discount(payload, at, rows)
            return
        resource = _BY_KIND.get(kind)
        if resource is None or at <= self.listed_at.get(resource.name, 0):
            return  # the listing was made later and shows what the event did
        if _is_deletion(event):
            resource.shape(payload, at, rows, deleted=True)
            self.report.table(resource.name).deletes += 1
            return
        current = fetched.get((kind, key))
        if current is not None:
            self._follow(resource, current)
            resource.shape(current, at, rows)
        elif kind == "subscription" and payload.get("object") == kind:
            self._follow(resource, payload)
            resource.shape(payload, at, rows)

    def _fetch(self, targets: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Any]:
        wanted = sorted({t for t in targets if t[0] in _BY_KIND and t[1]})
        with ThreadPoolExecutor(_FETCHERS) as pool:
            found = pool.map(lambda t: self._fetch_one(*t), wanted)
            return {t: obj for t, obj in zip(wanted, found, strict=True) if obj is not None}

    def _fetch_one(self, kind: str, key: str) -> Any | None:
        resource = _BY_KIND[kind]
        try:
            return self._expanding(resource, f"/v1/{resource.name}/{key}", [], "").body
        except HttpError as error:
            if error.status in (403, 404):
                # Deleted since, or of a kind this key may not read; the event itself has landed.
                self.report.note(
                    f"{resource.name}: a changed object could not be fetched ({error.status})."
                )
                return None
            raise

    def _feed_window(self, until: int) -> None:
        self.batch.add_window(Window(FEED, INCREMENT, "", str(until), is_last=True))

    # Other ways in

    def reconcile(self, resource: Resource) -> None:
        """One full listing."""
        now = _vendor_now(self.session.get("/v1/events", [("limit", "1")]))
        self._list_all({resource.name: None}, now)
        self.batch.flush()

    def backfill(self, resource: Resource, first: date, last: date) -> None:
        """Listing of what was created in a window of days (UTC), both included."""
        start = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp())
        end = int(datetime(last.year, last.month, last.day, tzinfo=UTC).timestamp()) + 86_400
        now = _vendor_now(self.session.get("/v1/events", [("limit", "1")]))
        created = [("created[gte]", str(start)), ("created[lt]", str(end))]
        total = 0
        with self._or_block():
            total = self._backfill(resource, created, now)
        if not self.report.blocked:
            window = Window(resource.name, BACKFILL, str(now), is_last=True, rows=total)
            self.batch.add_window(window)
        self.batch.flush()

    def _backfill(self, resource: Resource, created: Params, now: int) -> int:
        total = 0
        for page in ahead(self._pages(resource, "", created)):
            total += self._land(resource, page, now)
            if self.batch.is_due:
                self.batch.flush()
        return total

    def refetch(self, resource: Resource, keys: Sequence[str]) -> None:
        """Objects by id."""
        now = _vendor_now(self.session.get("/v1/events", [("limit", "1")]))
        fetched = self._fetch([(resource.kind, key) for key in keys])
        rows = shapes.new_rows()
        self._watch(resource, fetched.values())
        for obj in fetched.values():
            self._follow(resource, obj)
            resource.shape(obj, now, rows)
        self._add(rows)
        self.batch.flush()

    # Pages

    def _pages(
        self, resource: Resource, after: str, extra: Sequence[tuple[str, str]] = ()
    ) -> Iterator[list[Any]]:
        params = [*resource.params, *extra]
        while True:
            turn = [*params, ("limit", PAGE)]
            if after:
                turn.append(("starting_after", after))
            body = self._expanding(resource, f"/v1/{resource.name}", turn, "data.").body
            page = body.get("data") or []
            if page:
                yield page
                after = page[-1]["id"]
            if not page or not body.get("has_more"):
                return

    def _paged(self, path: str, params: Params) -> Iterator[list[Any]]:
        after = ""
        while True:
            turn = [*params, ("limit", PAGE)]
            if after:
                turn.append(("starting_after", after))
            body = self.session.get(path, turn).body
            page = body.get("data") or []
            if page:
                yield page
                after = page[-1]["id"]
            if not page or not body.get("has_more"):
                return

    def _expanding(self, resource: Resource, path: str, params: Params, prefix: str) -> Answer:
        """A GET with what the account's version lets us expand."""
        while True:
            asked = [e for e in resource.expands if (resource.name, e) not in self.unexpandable]
            try:
                return self.session.get(path, [*params, *(("expand[]", prefix + e) for e in asked)])
            except HttpError as error:
                refused = [e for e in asked if e.split(".")[-1] in error.message]
                if error.status != 400 or "expand" not in error.message or not refused:
                    raise
                self.unexpandable.add((resource.name, refused[0]))
                self.report.note(
                    f"{resource.name}: Stripe does not expand {refused[0]}; its ids land alone."
                )

    def _follow(self, resource: Resource, obj: Any) -> None:
        """Completes a nested list that was cut off, and remembers what paid an invoice."""
        if resource.kind == "invoice":
            for payment in shapes.nested(obj.get("payments")):
                self._remember_payment(payment, str(obj["id"]))
        nested = obj.get(resource.nested) if resource.nested else None
        if not isinstance(nested, dict) or not nested.get("has_more"):
            return
        path = nested.get("url") or f"/v1/{resource.name}/{obj['id']}/{resource.nested}"
        path, _, query = path.partition("?")
        params = [tuple(pair.split("=", 1)) for pair in query.split("&") if "=" in pair]
        data = list(nested.get("data") or [])
        while nested.get("has_more"):
            turn: Params = [*params, ("limit", PAGE)]
            if data:
                turn.append(("starting_after", data[-1]["id"]))
            nested = self.session.get(path, turn).body
            data.extend(nested.get("data") or [])
            if not nested.get("data"):
                break
        obj[resource.nested] = {"object": "list", "data": data, "has_more": False}

    # Rows

    def _add(self, rows: shapes.Rows) -> None:
        self._removed_items(rows)
        self._complete_discounts(rows)
        self._attribute_charges(rows)
        for name, records in rows.items():
            self.batch.add(schemas.table(SOURCE, name), records)

    def _removed_items(self, rows: shapes.Rows) -> None:
        """Tombstones for items that a subscription no longer has."""
        versions = rows.get("subscriptions")
        if not versions:
            return
        if self.open_items is None:
            self.open_items = _landed_items(self.lake)
        now_held: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for item in rows.get("subscription_items", ()):
            now_held.setdefault((item["subscription_id"], item["_version_at"]), []).append(item)
        for version in sorted(versions, key=lambda v: int(v["_version_at"])):
            held = {i["id"]: i for i in now_held.get((version["id"], version["_version_at"]), ())}
            for key, item in self.open_items.get(version["id"], {}).items():
                if key not in held:
                    gone = {**item, "deleted": True, "_version_at": version["_version_at"]}
                    rows["subscription_items"].append(gone)
                    self.report.table("subscription_items").deletes += 1
                    self.batch.count("subscription_items", received=-1, made=1)
            self.open_items[version["id"]] = held

    def _remember_payment(self, payment: Any, invoice: str) -> None:
        by = payment.get("payment") or {}
        for kind in ("payment_intent", "charge"):
            key = shapes.ref(by.get(kind))
            if key:
                self.invoice_of[key] = invoice

    def _attribute_charges(self, rows: shapes.Rows) -> None:
        """Invoices of charges: since 2025-03-31 a charge no longer names its own."""
        for row in rows.get("charges", ()):
            intent = row["payment_intent_id"]
            if row["invoice_id"] or not intent:
                continue
            is_known = intent in self.invoice_of or row["id"] in self.invoice_of
            if not is_known and "invoices" not in self.listed_whole:
                self._look_up_payment(intent)
            row["invoice_id"] = self.invoice_of.get(intent) or self.invoice_of.get(row["id"])

    def _look_up_payment(self, intent: str) -> None:
        if not self.has_payments:
            return
        params: Params = [("payment[type]", "payment_intent"), ("payment[payment_intent]", intent)]
        try:
            found = self.session.get("/v1/invoice_payments", params).body
        except HttpError as error:
            if error.status not in (400, 403, 404):
                raise
            self.has_payments = False
            self.report.note(
                f"charges: Stripe refuses invoice payments ({error.status}), so some charges land "
                "without their invoice. Give the key read access to invoices."
            )
            return
        for payment in found.get("data") or []:
            self._remember_payment(payment, shapes.ref(payment.get("invoice")) or "")

    def _list_payments(self) -> None:
        """All payments of invoices, when the invoices themselves were read by an earlier run."""
        try:
            for page in ahead(self._paged("/v1/invoice_payments", [])):
                for payment in page:
                    self._remember_payment(payment, shapes.ref(payment.get("invoice")) or "")
        except HttpError as error:
            if error.status not in (400, 403, 404):
                raise
            self.has_payments = False

    def _complete_discounts(self, rows: shapes.Rows) -> None:
        """Rates of coupons that came as ids only; one discount met several times lands once."""
        found = rows.get("discounts")
        if not found:
            return
        once: dict[tuple[str, int], dict[str, Any]] = {}
        for row in found:
            if row["coupon_id"] and row["duration"] is None:
                row.update(self._coupon(row["coupon_id"]))
            same = once.setdefault((row["id"], row["_version_at"]), row)
            for name, value in row.items():
                if same.get(name) is None:
                    same[name] = value
        # The same discount shows on its subscription, its invoices and their lines: the first, most
        # telling one lands.
        rows["discounts"] = [r for k, r in once.items() if k not in self.met_discounts]
        again = len(found) - len(rows["discounts"])
        self.batch.count("discounts", received=again, deduplicated=again)
        self.met_discounts |= once.keys()

    def _coupon(self, key: str) -> dict[str, Any]:
        names = ("percent_off", "amount_off", "currency", "duration", "duration_in_months")
        if self.coupons is None:
            landed = self.lake.read(SOURCE, "coupons", "select * from t order by _version_at")
            self.coupons = {r["id"]: {n: r[n] for n in names} for r in landed.to_pylist()}
        if key not in self.coupons:
            try:
                obj = self.session.get(f"/v1/coupons/{key}").body
            except HttpError as error:
                if error.status not in (403, 404):
                    raise
                obj = {}
            self.coupons[key] = {n: obj.get(n) for n in names}
        return self.coupons[key]

    def _known(self, name: str) -> Known:
        if name not in self.known:
            self.known[name] = Known(self.lake, schemas.table(SOURCE, name))
        return self.known[name]

    @contextmanager
    def _or_block(self) -> Iterator[None]:
        """Loads what follows or nothing of it; what was gathered beside it is forgotten too."""
        met, blocked = set(self.met_discounts), len(self.report.blocked)
        with self.batch.or_block():
            yield
        if len(self.report.blocked) > blocked:
            self.met_discounts, self.open_items = met, None

    def _tolerating(self, name: str) -> ExitStack:
        """Names a resource that the key may not read in the result, instead of failing the rest."""
        stack = ExitStack()

        def forgive(kind: Any, error: Any, trace: Any) -> bool:
            if isinstance(error, HttpError) and error.status in (403, 404):
                self.report.partial = True
                self.report.note(
                    f"{name}: Stripe refuses it ({error.status} {error.code}). Give the key read "
                    f"access to it. {error.message}"
                )
                return True
            return False

        stack.push(forgive)
        return stack


def _vendor_now(probe: Answer) -> int:
    """The instant up to which Stripe's state is known: that of its newest event.

    Nothing has changed since then, so a listing dated by it is dated by when it became true.
    Without any event, the instant of the answer.
    """
    newest = probe.body.get("data") or []
    return int(newest[0]["created"]) if newest else int(probe.at.timestamp())


def _date_header(probe: Answer) -> int:
    return int(probe.at.timestamp()) if probe.headers.get("Date") else 0


def _newest_listing(history: Sequence[Window], name: str) -> Window | None:
    return windows.newest(
        [w for w in history if w.kind in (LISTING, RESET)],
        name,
    )


def _target(event: Any) -> tuple[str, str]:
    """Kind and id of the object to fetch; a dispute changes its charge."""
    obj = (event.get("data") or {}).get("object") or {}
    if obj.get("object") == "dispute":
        return "charge", shapes.ref(obj.get("charge")) or ""
    return str(obj.get("object") or ""), str(obj.get("id") or "")


def _is_deletion(event: Any) -> bool:
    kind = _target(event)[0]
    return str(event["type"]).endswith(".deleted") and kind in _DELETED


def _by_day(events: Sequence[Any]) -> Iterator[list[Any]]:
    day: list[Any] = []
    for event in events:
        if day and _day(event["created"]) != _day(day[-1]["created"]):
            yield day
            day = []
        day.append(event)
    if day:
        yield day


def _day(created: int) -> date:
    return datetime.fromtimestamp(created, UTC).date()


def _landed_items(lake: Lake) -> dict[str, dict[str, dict[str, Any]]]:
    """Items not yet gone, by subscription, as last landed."""
    rows = lake.read(
        SOURCE,
        "subscription_items",
        """
        select * exclude (newness, _dlt_load_id) from (
            select *, row_number() over (
                partition by id order by _version_at desc, _dlt_load_id desc
            ) as newness
            from t
        )
        where newness = 1 and not deleted
        """,
    )
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows.to_pylist():
        row["created"] = int(row["created"].timestamp()) if row["created"] else None
        found.setdefault(row["subscription_id"], {})[row["id"]] = row
    return found
