"""HubSpot: every object once by listing, then what changed by searching for times of change.

A listing is whole but has no "changed since"; the search has it, but lags behind what people write,
knows nothing of archived or merged records, and tells no past. So: list once; afterwards search
from a little before the last time of change seen, read each record met by its id (with its past and
its associations), and list the archived ones anew each night. What was erased for good, or merged
away, is in neither: its absence shows when the ids are listed, every few days. Calculated
properties and some associations move no time of change, so every four weeks all is read once more.

Belongs here: what is read, in which order, and where it left off. Must not be here: the protocol
(see `hubspot_client`), which properties (the configuration says so) or their meaning (staging).

Deliberately not loaded: subjects, titles, bodies and notes of engagements and tickets, phones,
addresses, attachments, form submissions. Free text about people serves no metric here and is the
hardest to erase.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from ingestion import deletions, drift, landing, schemas, tombstones, windows
from ingestion.crm import hubspot_config
from ingestion.crm.hubspot_client import Client, QuotaReachedError, Record, milliseconds
from ingestion.crm.hubspot_config import ObjectConfig
from ingestion.http import HttpError, ahead
from ingestion.known import Known
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.schemas.model import Table, Type
from ingestion.settings import Settings
from ingestion.windows import BACKFILL, INCREMENT, LISTING, RESET, Window

SOURCE = "hubspot"
OVERLAP = timedelta(minutes=30)
REFRESH = timedelta(days=28)
OWNERS, PIPELINES = "owners", "pipelines"
_WITH_PIPELINES = ("deals", "tickets")
# Listings of ids have windows of their own, beside those of the object.
_IDS = "ids of "
_ABSENT = ("Unable to infer object type",)
_KINDS = {
    "number": drift.NUMBER,
    "bool": drift.BOOLEAN,
    "date": drift.DATE,
    "datetime": drift.INSTANT,
    "json": drift.OBJECT,
    "object_coordinates": drift.OBJECT,
}


def run(
    settings: Settings,
    lake: Lake,
    *,
    run_id: str,
    as_of: date,
    progress: Callable[[str], None],
    client: Client | None = None,
) -> LoadReport:
    """Loads what changed in every configured object since it was last read.

    Args:
        settings: with HubSpot configured.
        lake: where to land.
        run_id: the run's id, kept with rejects and windows.
        as_of: the night's date; everything HubSpot has is landed, staging selects by date.
        progress: told a line now and then.
        client: replaces the one made from the settings.

    Raises:
        HttpError: if HubSpot refuses the token or stays silent. What was finished counts.
    """
    with _reading(settings, lake, run_id, progress, client, as_of) as reader:
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
    client: Client | None = None,
) -> LoadReport:
    """Reads again what changed from `first` to `last`, leaving the nightly state alone."""
    with _reading(settings, lake, run_id, progress, client) as reader:
        reader.backfill(resource, first, last)
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
    client: Client | None = None,
) -> LoadReport:
    """Lists an object's ids, and marks as deleted what has landed and is no longer there.

    Args:
        settings: with HubSpot configured.
        lake: where to land.
        resource: object or table.
        limit: share of the live records that may be gone.
        run_id: the run's id.
        as_of: the date the run is for.
        progress: told a line.
        client: replaces the one made from the settings.
    """
    with _reading(settings, lake, run_id, progress, client, as_of, limit) as reader:
        reader.reconcile(resource)
    return reader.report


def reset(settings: Settings, lake: Lake, *, resource: str, run_id: str) -> LoadReport:
    """Forgets how far one object was read: the next run reads it in full."""
    own = settings.hubspot.objects if settings.hubspot is not None else None
    config = hubspot_config.choose(hubspot_config.load(own), resource)
    report = LoadReport(SOURCE)
    landing.begin(lake, SOURCE)
    batch = Landing(lake, config.table.source, run_id, report)
    batch.add_window(Window(config.name, RESET))
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
    client: Client | None = None,
) -> LoadReport:
    """Fetches records again by id, for replaying rejects whose copy was redacted."""
    with _reading(settings, lake, run_id, progress, client) as reader:
        reader.refetch(table, keys)
    return reader.report


def check(settings: Settings) -> str:
    """Asks for the account and the quota; returns what a person should read, or raises."""
    client = Client.of(settings)
    objects = hubspot_config.load(client.settings.objects)
    answer = client.get("/account-info/v3/details")
    left = answer.headers.get("X-HubSpot-RateLimit-Daily-Remaining", "?")
    most = answer.headers.get("X-HubSpot-RateLimit-Daily", "?")
    return (
        f"HubSpot answers, account {answer.body.get('portalId', '?')}; {left} of {most} daily "
        f"requests left; {len(objects)} objects configured."
    )


@contextmanager
def _reading(
    settings: Settings,
    lake: Lake,
    run_id: str,
    progress: Callable[[str], None],
    client: Client | None,
    as_of: date | None = None,
    limit: float | None = None,
) -> Iterator[_Reader]:
    began = time.monotonic()
    landing.begin(lake, SOURCE)
    client = client or Client.of(settings)
    report = LoadReport(SOURCE)
    objects = hubspot_config.load(client.settings.objects)
    reader = _Reader(
        lake,
        client,
        objects,
        Landing(lake, SOURCE, run_id, report, as_of),
        Landing(lake, "desk", run_id, report, as_of),
        report,
        progress,
        settings.deletion_limit if limit is None else limit,
    )
    for config in objects:
        words = reader.landing_of(config).watch.words
        words.update({(config.table.name, c): frozenset(some) for c, some in config.words})
    try:
        yield reader
    finally:
        report.seconds = time.monotonic() - began


@dataclass(frozen=True)
class _Cursor:
    """Where reading left off.

    Attributes:
        since: time of change (milliseconds) from which to search.
        after: cursor of a listing that was cut off; empty once it is whole.
    """

    since: int
    after: str = ""

    @classmethod
    def of(cls, window: Window | None) -> _Cursor | None:
        """The cursor of a window; None if there is no window."""
        if window is None or not window.cursor:
            return None
        since, _, after = window.cursor.partition("|")
        return cls(int(since), after)

    def __str__(self) -> str:
        return f"{self.since}|{self.after}"


@dataclass
class _Reader:
    lake: Lake
    client: Client
    objects: tuple[ObjectConfig, ...]
    own: Landing
    desk: Landing
    report: LoadReport
    progress: Callable[[str], None]
    deletion_limit: float
    _absent: dict[str, set[str]] = field(default_factory=dict)

    def nightly(self) -> None:
        """Every object in turn; absent ones are named, a used-up quota ends the run in order."""
        history = {name: windows.finished(self.lake, name) for name in (SOURCE, "desk")}
        try:
            with self._tolerating(OWNERS, "owner"), self.own.or_block():
                self._owners()
            with self._tolerating(PIPELINES, "pipeline_stage"), self.own.or_block():
                self._pipelines()
            for config in self.objects:
                place = self.landing_of(config)
                with self._tolerating(config.name, config.table.name), place.or_block():
                    self._describe(config)
                    self._increment(config, history[config.table.source])
                    self._reconcile_if_due(config, history[config.table.source])
        except QuotaReachedError as error:
            self.report.partial = True
            shown = self.client.session.redact(str(error)).rstrip(".")
            self.report.note(
                f"Stopped at the account's quota of requests ({shown}). What was read has landed; "
                "the next run goes on from there."
            )
        self.own.flush()
        self.desk.flush()

    def _increment(self, config: ObjectConfig, history: list[Window]) -> None:
        last = windows.newest(history, config.name)
        listed = windows.newest([w for w in history if w.kind in (LISTING, RESET)], config.name)
        cursor = _Cursor.of(last)
        if listed is None or not listed.is_last or cursor is None:
            started = listed.generation if listed is not None else datetime.now(UTC).isoformat()
            self._list(config, cursor, started)
            self._archived(config)
            return
        self._search(config, cursor, listed.generation)
        self._archived(config)
        if datetime.now(UTC) - datetime.fromisoformat(listed.generation) > REFRESH:
            self._refresh(config, cursor)

    def _describe(self, config: ObjectConfig) -> None:
        """Compares the object's properties with those it had; what it lacks is not asked for."""
        described = self.client.properties_of(config.name)
        kinds = {n: frozenset({_KINDS.get(t, drift.TEXT)}) for n, t in described.items()}
        sources = {column: (name,) for column, name in config.properties.items()}
        self.landing_of(config).watch.fields(config.table, kinds, sources)
        missing = {*config.properties.values(), *config.history} - described.keys()
        self._absent[config.name] = missing
        if missing:
            self.report.note(
                f"{config.name}: the account has no property {', '.join(sorted(missing))}; the "
                "columns stay empty."
            )

    # The ways of reading

    def _list(self, config: ObjectConfig, cursor: _Cursor | None, generation: str) -> None:
        """Everything in the order of its ids, from where a run was cut off."""
        if cursor is None:
            # By HubSpot's clock, and before anything is listed: what changes from now on is found
            # by searching from here.
            since = self.client.newest(config.name, config.changed) or 0
            cursor = _Cursor(since)
        landed, total = self.landing_of(config), 0
        for page, after in ahead(self._resumed(config, cursor.after)):
            total += self._take(config, page).num_rows
            if landed.is_due and after:
                self.progress(f"hubspot: {config.name} {total:,}")
                at = str(_Cursor(cursor.since, after))
                window = Window(config.name, LISTING, generation, at, rows=total)
                landed.add_window(window, config.table.name)
                landed.flush()
        at = str(_Cursor(cursor.since))
        window = Window(config.name, LISTING, generation, at, is_last=True, rows=total)
        landed.add_window(window, config.table.name)
        self.progress(f"hubspot: {config.name} {total:,}")

    def _search(self, config: ObjectConfig, cursor: _Cursor, generation: str) -> None:
        """What changed since, oldest first, one window after the other."""
        start = cursor.since - int(OVERLAP.total_seconds() * 1000)
        since = f"_version_at >= '{_at(start).isoformat()}'"
        landed = self.landing_of(config)
        total, newest = 0, cursor.since
        with ExitStack() as stack:
            known: tuple[Known, Known | None] | None = None
            for page, stamp in ahead(self._changed(config, start, met=self._met(config, since))):
                if known is None and page:
                    known = self._known(config, stack, since)
                if known is not None:
                    total += self._take(config, page, *known).num_rows
                newest = max(newest, stamp)
                if landed.is_due:
                    self.progress(f"hubspot: {config.name} {total:,}")
                    at = str(_Cursor(newest))
                    window = Window(config.name, INCREMENT, generation, at, rows=total)
                    landed.add_window(window, config.table.name)
                    landed.flush()
        if total:
            at = str(_Cursor(newest))
            window = Window(config.name, INCREMENT, generation, at, is_last=True, rows=total)
            landed.add_window(window, config.table.name)
            self.progress(f"hubspot: {config.name} {total:,}")

    def _archived(self, config: ObjectConfig) -> None:
        """What has been deleted and can still be restored; the search does not know of it."""
        met: set[tuple[str, int]] | None = None
        for page, _ in self.client.pages(
            config.name, archived=True, properties=config.key_property or ""
        ):
            if met is None and page:
                met = self._met(config, config.deletion_flag)
            fresh = [r for r in page if (str(r["id"]), _version(r)) not in (met or ())]
            if config.is_desk:
                # Without its associations an archived record is no row of the desk; what had
                # landed of it is.
                for record in fresh:
                    made = self._tombstones(config, [_key(config, record)], _at(_version(record)))
                    self.desk.add_made(config.table.name, made)
                continue
            for records in self._read(config, [str(r["id"]) for r in fresh], archived=True):
                self._take(config, records)

    def _met(self, config: ObjectConfig, where: str) -> set[tuple[str, int]]:
        """Ids and versions (milliseconds) that have landed; of the desk's records no ids have."""
        if config.is_desk:
            return set()
        found = self.lake.read(
            SOURCE,
            config.table.name,
            f"select id, epoch_ms(_version_at) as stamp from t where {where}",
        )
        return set(zip(found["id"].to_pylist(), found["stamp"].to_pylist(), strict=True))

    def _refresh(self, config: ObjectConfig, cursor: _Cursor) -> None:
        """Everything once more: calculated properties and some associations move no stamp."""
        landed = self.landing_of(config)
        landed.flush()
        end = self._end_of_day()
        seen: list[str] = []
        total = 0
        with ExitStack() as stack:
            known, known_past = self._known(config, stack, "true")
            for is_archived in (False, True):
                for page, _ in ahead(self._listed(config, "", archived=is_archived)):
                    total += self._take(config, page, known, known_past, stamp=end).num_rows
                    seen.extend(_key(config, r) for r in page)
            self._bury(config, known, seen, end)
        now = datetime.now(UTC).isoformat()
        at = str(_Cursor(cursor.since))
        window = Window(config.name, LISTING, now, at, is_last=True, rows=total)
        landed.add_window(window, config.table.name)
        self.report.note(f"{config.name} was read in full again, as every four weeks.")
        landed.flush()

    def _reconcile_if_due(self, config: ObjectConfig, history: list[Window]) -> None:
        """Every few days the ids alone: what was erased or merged away shows in no other way."""
        today = self.own.seen_on
        last = windows.newest(history, _IDS + config.name)
        if last is None:
            # Just listed in full, or never read: nothing can be missing yet.
            window = Window(_IDS + config.name, LISTING, today.isoformat(), is_last=True)
            self.landing_of(config).add_window(window, config.table.name)
        elif (today - date.fromisoformat(last.generation)).days >= (
            self.client.settings.reconcile_days
        ):
            self._reconcile(config)

    def _reconcile(self, config: ObjectConfig) -> None:
        landed = self.landing_of(config)
        seen: list[str] = []
        told = config.key_property or ""
        for is_archived in (False, True):
            pages = self.client.pages(config.name, archived=is_archived, properties=told)
            for page, _ in ahead(pages):
                seen.extend(_key(config, r) for r in page)
        with Known(self.lake, config.table) as known:
            self._bury(config, known, seen, self._end_of_day())
        today = self.own.seen_on.isoformat()
        window = Window(_IDS + config.name, LISTING, today, is_last=True)
        landed.add_window(window, config.table.name)

    def _bury(self, config: ObjectConfig, known: Known, seen: Sequence[str], at: datetime) -> None:
        """Tombstones for what has landed and is not among the ids listed, if that can be."""
        key = config.table.key[0]
        present = pa.table({key: pa.array(seen, pa.string())})
        origin = f"origin = '{config.name}'" if config.is_desk else "true"
        gone = [k for (k,) in known.missing_from(present, origin)]
        refusal = deletions.refusal(
            SOURCE, config.table.name, len(gone), known.live, self.deletion_limit
        )
        if refusal:
            self.report.block(refusal)
            return
        made = self._tombstones(config, gone, at)
        self.landing_of(config).add_made(config.table.name, made)
        if made.num_rows:
            self.progress(f"hubspot: {config.name}, {made.num_rows:,} records are gone")

    def _tombstones(self, config: ObjectConfig, keys: list[str], at: datetime) -> pa.Table:
        """Last landed versions of records that are gone, marked deleted."""
        flag = config.deletion_flag
        made = tombstones.of_last_versions(self.lake, config.table, flag, keys, at)
        self.report.table(config.table.name).deletes += made.num_rows
        return made

    def _end_of_day(self) -> datetime:
        day = self.own.seen_on
        end = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
        return end - timedelta(microseconds=1)

    # What is no object

    def _owners(self) -> None:
        """Owners, those who have left too; few enough to be read each night."""
        table = schemas.table(SOURCE, "owner")
        owners = [
            owner
            for is_archived in (False, True)
            for page in self.client.owners(archived=is_archived)
            for owner in page
        ]
        # Somebody who comes or goes between the two listings would be in both.
        newest = {o["id"]: o for o in sorted(owners, key=lambda o: str(o["updatedAt"]))}
        records = [
            {
                "id": str(o["id"]),
                "is_deleted": bool(o["archived"]),
                "created_at": o["createdAt"],
                "updated_at": o["updatedAt"],
                "_version_at": o["updatedAt"],
                "email": o.get("email") or None,
                "first_name": o.get("firstName") or None,
                "last_name": o.get("lastName") or None,
                "type": o.get("type"),
                # Of somebody who has left, HubSpot tells the login under this name alone.
                "login_id": _text(o.get("userIdIncludingInactive") or o.get("userId")),
                "teams": o.get("teams") or [],
            }
            for o in newest.values()
        ]
        self._take_all(table, records, OWNERS)

    def _pipelines(self) -> None:
        """Stages of deals and tickets, which records know by internal names only."""
        table = schemas.table(SOURCE, "pipeline_stage")
        records = []
        for name in _WITH_PIPELINES:
            for pipeline in self.client.pipelines(name):
                for stage in pipeline["stages"]:
                    about = stage.get("metadata") or {}
                    chance = about.get("probability")
                    is_closed = about.get("isClosed", about.get("ticketState", "")).lower()
                    records.append(
                        {
                            "id": f"{name}|{pipeline['id']}|{stage['id']}",
                            "is_deleted": bool(stage.get("archived")),
                            "created_at": stage["createdAt"],
                            "updated_at": stage["updatedAt"],
                            "_version_at": stage["updatedAt"],
                            "object_type": name,
                            "pipeline_id": str(pipeline["id"]),
                            "stage_id": str(stage["id"]),
                            "label": stage.get("label"),
                            "is_closed": is_closed in ("true", "closed"),
                            "probability": chance if chance not in ("", None) else None,
                        }
                    )
        self._take_all(table, records, PIPELINES)

    def _take_all(self, table: Table, records: Sequence[Record], resource: str) -> None:
        with Known(self.lake, table) as known:
            fresh = self.own.take(table, records, known=known)
        if fresh.num_rows:
            now = datetime.now(UTC).isoformat()
            window = Window(resource, LISTING, now, now, is_last=True, rows=fresh.num_rows)
            self.own.add_window(window, table.name)

    # Other ways in

    def reconcile(self, resource: str) -> None:
        """Ids of one object."""
        config = hubspot_config.choose(self.objects, resource)
        with self._tolerating(config.name, config.table.name):
            self._reconcile(config)
        self.own.flush()
        self.desk.flush()

    def backfill(self, resource: str, first: date, last: date) -> None:
        """What changed last in a window of days (UTC), both included."""
        config = hubspot_config.choose(self.objects, resource)
        self._describe(config)
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
        since, until = (round(at.timestamp() * 1000) for at in (start, end))
        landed = self.landing_of(config)
        total = 0
        with ExitStack() as stack:
            known, known_past = self._known(config, stack, "true")
            for page, _ in ahead(self._changed(config, since, until - 1)):
                total += self._take(config, page, known, known_past).num_rows
                if landed.is_due:
                    landed.flush()
        window = Window(config.name, BACKFILL, is_last=True, rows=total)
        landed.add_window(window, config.table.name)
        landed.flush()

    def refetch(self, table: str, keys: Sequence[str]) -> None:
        """Records by id."""
        config = hubspot_config.choose(self.objects, table)
        self._describe(config)
        if config.key_property is not None:
            raise ValueError(
                f"{table} is keyed by a property; correct it in HubSpot, and the next load reads "
                "it again."
            )
        for page in self._read(config, [k for k in keys if k.isdigit()]):
            self._take(config, page)
        self.landing_of(config).flush()

    # Records

    def _listed(
        self, config: ObjectConfig, after: str, *, archived: bool = False
    ) -> Iterator[tuple[list[Record], str]]:
        """Records in the order of their ids, each page with the cursor behind it."""
        met: set[str] = set()
        for page, following in self.client.pages(config.name, archived=archived, after=after):
            # A page may come twice (a proxy's cache); its records are read once.
            keys = [k for r in page if (k := str(r["id"])) not in met]
            met.update(keys)
            records = [r for part in self._read(config, keys, archived=archived) for r in part]
            yield records, following

    def _resumed(self, config: ObjectConfig, after: str) -> Iterator[tuple[list[Record], str]]:
        """As `_listed`, from the beginning if HubSpot no longer knows the cursor."""
        pages = self._listed(config, after)
        try:
            first = next(pages)
        except HttpError as error:
            if not after or error.status != 400:
                raise
            yield from self._listed(config, "")
            return
        yield first
        yield from pages

    def _changed(
        self,
        config: ObjectConfig,
        since: int,
        until: int | None = None,
        met: set[tuple[str, int]] | None = None,
    ) -> Iterator[tuple[list[Record], int]]:
        """Records that have changed, each page with its newest time of change.

        Args:
            config: the object.
            since: first time of change, milliseconds.
            until: last one.
            met: ids with times of change that need not be read again; added to.
        """
        met = set() if met is None else met
        for page in self.client.changed(config.name, config.changed, since, until):
            fresh = [found for found in page if found not in met]
            met.update(fresh)
            keys = list(dict.fromkeys(key for key, _ in fresh))
            records = [r for part in self._read(config, keys) for r in part]
            yield records, max(at for _, at in page)

    def _read(
        self, config: ObjectConfig, keys: Sequence[str], *, archived: bool = False
    ) -> Iterator[list[Record]]:
        """Records by id, with their past and what they are associated with."""
        if not keys:
            return
        absent = self._absent.get(config.name, set())
        properties = [p for p in dict.fromkeys(config.properties.values()) if p not in absent]
        history = () if archived else tuple(p for p in config.history if p not in absent)
        others: dict[str, dict[str, list[dict[str, Any]]]] = {}
        if not archived:
            for other in dict.fromkeys(config.associations.values()):
                others[other] = self.client.associated(config.name, other, keys)
        pages = self.client.read(
            config.name, keys, [*properties, config.changed], history=history, archived=archived
        )
        for page in pages:
            for record in page:
                record["associated"] = {
                    other: found.get(str(record["id"]), []) for other, found in others.items()
                }
            yield page

    def _known(
        self, config: ObjectConfig, stack: ExitStack, where: str
    ) -> tuple[Known, Known | None]:
        """What has landed of an object, and of its records' past."""
        known = stack.enter_context(Known(self.lake, config.table, where=where))
        if not config.history or config.history_table is None:
            return known, None
        return known, stack.enter_context(Known(self.lake, config.history_table))

    def _take(
        self,
        config: ObjectConfig,
        page: Sequence[Record],
        known: Known | None = None,
        known_past: Known | None = None,
        *,
        stamp: datetime | None = None,
    ) -> pa.Table:
        """Adds a page's records and their past, without what has landed as it is."""
        landed = self.landing_of(config)
        rows = [_row(config, record, stamp) for record in page]
        fresh = landed.take(config.table, rows, known=known)
        gone = pc.sum(fresh[config.deletion_flag]).as_py() or 0
        self.report.table(config.table.name).deletes += gone
        if config.history_table is not None and config.history:
            past = [change for record in page for change in _past(config, record)]
            landed.take(config.history_table, past, known=known_past)
        return fresh

    def landing_of(self, config: ObjectConfig) -> Landing:
        """The load that an object's records belong to."""
        return self.desk if config.is_desk else self.own

    @contextmanager
    def _tolerating(self, name: str, table: str) -> Iterator[None]:
        """Names an object that is absent or closed to us in the result; the others go on."""
        try:
            yield
        except HttpError as error:
            is_absent = error.status == 400 and error.message.startswith(_ABSENT)
            if not is_absent and error.status not in (403, 404):
                raise
            self.report.partial = True
            self.report.table(table)
            self.report.note(
                f"{name}: not loaded ({error.status} {error.code}). The account has no such object "
                "or the private app lacks its scope; grant the scope, or leave the object out in "
                "HUBSPOT_OBJECTS."
            )


def _row(config: ObjectConfig, record: Record, stamp: datetime | None) -> dict[str, Any]:
    """A record as its columns."""
    told = record["properties"]
    row: dict[str, Any] = {c: told.get(p) or None for c, p in config.properties.items()}
    row |= {c: record.get(name) for c, name in config.envelope.items()}
    for column, other in config.associations.items():
        found = record.get("associated", {}).get(other, [])
        is_many = config.table.by_name[column].type is Type.JSON
        row[column] = _listing(found) if is_many else _main(found)
    is_archived = bool(record.get("archived"))
    row[config.deletion_flag] = is_archived
    if config.is_desk:
        row["_source_file"] = config.name
    version = _at(_version(record))
    row["_version_at"] = version if stamp is None else max(version, stamp)
    return row


def _version(record: Record) -> int:
    """When a record became what it is, in milliseconds: when it was changed, or archived.

    A contact's own property of that time has another name; the record says it everywhere.
    """
    stamps = [str(record["updatedAt"])]
    if record.get("archived") and record.get("archivedAt"):
        stamps.append(str(record["archivedAt"]))
    return max(milliseconds(s) for s in stamps)


def _past(config: ObjectConfig, record: Record) -> Iterator[dict[str, Any]]:
    """Values that a record's properties have had, each with the instant it came."""
    table = config.history_table
    assert table is not None  # noqa: S101  # only called where there is one
    parent = f"{config.table.name}_id"
    for name, values in (record.get("propertiesWithHistory") or {}).items():
        for entry in values:
            at = entry["timestamp"]
            yield {
                "id": f"{record['id']}|{name}|{milliseconds(at)}",
                "is_deleted": False,
                "created_at": at,
                "updated_at": at,
                "_version_at": at,
                parent: str(record["id"]),
                "property": name,
                "value": entry.get("value") or None,
            }


def _key(config: ObjectConfig, record: Record) -> str:
    if config.key_property is None:
        return str(record["id"])
    return str(record["properties"].get(config.key_property))


def _main(found: Sequence[Mapping[str, Any]]) -> str | None:
    """The primary one of the records associated, else the one of the smallest number."""
    if not found:
        return None
    best = min(found, key=lambda f: (f["label"] != "Primary", int(f["id"])))
    return str(best["id"])


def _listing(found: Sequence[Mapping[str, Any]]) -> str:
    ordered = sorted(found, key=lambda f: (int(f["id"]), f["label"] or ""))
    return orjson.dumps(ordered, option=orjson.OPT_SORT_KEYS).decode()


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _at(milliseconds_since: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds_since)
