"""Salesforce: every object by `queryAll`, in the order of its change stamp.

`queryAll` gives soft-deleted rows, `query` hides them. SystemModstamp is not unique and its
transactions commit late, so each run begins a little before the last cursor and drops what has
landed already. It does not move when a formula field changes or when a record leaves the recycle
bin, so every four weeks everything is read once more.

Belongs here: what is read, in which order, and where it left off. Must not be here: the protocol
(see `salesforce_client`), which fields (the configuration says so) or their meaning (staging).

Deliberately not loaded: subjects, descriptions, comments and bodies of activities and cases,
phones, addresses, attachments. Free text about people serves no metric here and is the hardest to
erase. Leads do not land: they are nobody's customer yet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import deletions, drift, landing, privacy, tombstones, windows
from ingestion.crm import salesforce_config
from ingestion.crm.salesforce_client import Client, QuotaReachedError
from ingestion.crm.salesforce_config import ObjectConfig
from ingestion.http import HttpError, ahead
from ingestion.known import Known
from ingestion.lake import Lake
from ingestion.landing import Landing
from ingestion.reports import LoadReport
from ingestion.settings import Settings
from ingestion.windows import BACKFILL, INCREMENT, LISTING, RESET, Window

SOURCE = "salesforce"
OVERLAP = timedelta(minutes=10)
REFRESH = timedelta(days=28)
_ABSENT = frozenset(
    {"INVALID_TYPE", "NOT_FOUND", "INSUFFICIENT_ACCESS", "FUNCTIONALITY_NOT_ENABLED"}
)
_KEYS_A_QUERY = 200
# Listings of ids have windows of their own, beside those of the object.
_IDS = "ids of "
_KINDS = {
    "int": drift.NUMBER,
    "double": drift.NUMBER,
    "currency": drift.NUMBER,
    "percent": drift.NUMBER,
    "long": drift.NUMBER,
    "boolean": drift.BOOLEAN,
    "date": drift.DATE,
    "datetime": drift.INSTANT,
    "address": drift.OBJECT,
    "location": drift.OBJECT,
    "complexvalue": drift.OBJECT,
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
        settings: with Salesforce configured.
        lake: where to land.
        run_id: the run's id, kept with rejects and windows.
        as_of: the night's date; everything Salesforce has is landed, staging selects by date.
        progress: told a line now and then.
        client: replaces the one made from the settings.

    Raises:
        HttpError: if Salesforce refuses the login or stays silent. What was finished counts.
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
        settings: with Salesforce configured.
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
    own = settings.salesforce.objects if settings.salesforce is not None else None
    config = salesforce_config.choose(salesforce_config.load(own), resource)
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
    """Logs in and looks at the quota; returns what a person should read, or raises HttpError."""
    client = Client.of(settings)
    objects = salesforce_config.load(client.settings.objects)
    body = client.get(f"/services/data/{client.settings.api_version}/limits").body
    daily = body.get("DailyApiRequests") or {}
    return (
        f"Salesforce answers, {client.settings.api_version}; {daily.get('Remaining', '?')} of "
        f"{daily.get('Max', '?')} daily requests left; {len(objects)} objects configured."
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
    objects = salesforce_config.load(client.settings.objects)
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

    def nightly(self) -> None:
        """Every object in turn; absent ones are named, a used-up quota ends the run in order."""
        history = {name: windows.finished(self.lake, name) for name in (SOURCE, "desk")}
        try:
            for config in self.objects:
                with self._tolerating(config), self.landing_of(config).or_block():
                    self._describe(config)
                    self._increment(config, history[config.table.source])
                    self._reconcile_if_due(config, history[config.table.source])
        except QuotaReachedError as error:
            self.report.partial = True
            shown = self.client.session.redact(str(error)).rstrip(".")
            self.report.note(
                f"Stopped at the organisation's quota of requests ({shown}). What was read has "
                "landed; the next run goes on from there."
            )
        self.own.flush()
        self.desk.flush()

    def _increment(self, config: ObjectConfig, history: list[Window]) -> None:
        last = windows.newest(history, config.name)
        listed = windows.newest(
            [w for w in history if w.kind in (LISTING, RESET)],
            config.name,
        )
        cursor = _parse(last.cursor) if last is not None and last.cursor else None
        if listed is None or not listed.is_last or cursor is None:
            started = listed.generation if listed is not None else datetime.now(UTC).isoformat()
            self._read(config, LISTING, cursor, started)
            return
        self._read(config, INCREMENT, cursor, listed.generation)
        if datetime.now(UTC) - _parse(listed.generation) > REFRESH:
            self._refresh(config)

    def _describe(self, config: ObjectConfig) -> None:
        """Compares the object's fields with those it had; what it lacks is not asked for."""
        described = self.client.fields_of(config.name)
        has = {name.lower(): name for name in described}
        sources = {
            column: (has.get(name.lower(), name),)
            for column, name in config.fields.items()
            if not (column == _deletion_flag(config) and name.lower() not in has)
        }
        kinds = {n: frozenset({_KINDS.get(t, drift.TEXT)}) for n, t in described.items()}
        self.landing_of(config).watch.fields(config.table, kinds, sources)
        asked = {*config.fields.values(), *_also_asked(config)}
        missing = {name.lower() for name in asked} - has.keys()
        if missing:
            self.client.unknown_fields[config.name] = missing
            self._tell_missing(config, {n for n in asked if n.lower() in missing})

    def _tell_missing(self, config: ObjectConfig, names: set[str]) -> None:
        # Users are deactivated, never deleted, and have no such field.
        told = sorted(n for n in names if n != "IsDeleted")
        if told:
            self.report.note(
                f"{config.name}: the organisation has no field {', '.join(told)} (or this user "
                "may not see it); the columns stay empty."
            )

    def _read(
        self, config: ObjectConfig, kind: str, cursor: datetime | None, generation: str
    ) -> None:
        """From the cursor on, in its order, one window after the other."""
        start = cursor - OVERLAP if cursor is not None else None
        where = [] if start is None else [f"{config.cursor} >= {_soql(start)}"]
        landed = self.landing_of(config)
        total, newest = 0, cursor
        with ExitStack() as stack:
            known: Known | None = None
            for page in ahead(self._pages(config, where)):
                if known is None and start is not None:
                    since = f"_version_at >= '{start.isoformat()}'"
                    known = stack.enter_context(Known(self.lake, config.table, where=since))
                total += self._take(config, page, known).num_rows
                newest = _newest(page, config.cursor, newest)
                if landed.is_due and newest is not None:
                    self.progress(f"salesforce: {config.name} {total:,}")
                    at = newest.isoformat()
                    window = Window(config.name, kind, generation, at, rows=total)
                    landed.add_window(window, config.table.name)
                    landed.flush()
        if kind == LISTING or total:
            at = newest.isoformat() if newest is not None else ""
            window = Window(config.name, kind, generation, at, is_last=True, rows=total)
            landed.add_window(window, config.table.name)
            self.progress(f"salesforce: {config.name} {total:,}")

    def _refresh(self, config: ObjectConfig) -> None:
        """Everything once more: formula fields and erasures move no stamp."""
        landed = self.landing_of(config)
        landed.flush()
        now = datetime.now(UTC)
        key = config.table.key[0]
        seen: list[str] = []
        total = 0
        with Known(self.lake, config.table) as known:
            for page in ahead(self._pages(config, [])):
                total += self._take(config, page, known, stamp=now).num_rows
                seen.extend(str(_get(r, config.fields[key])) for r in page)
            self._bury(config, known, seen, now)
        last = windows.newest(windows.finished(self.lake, config.table.source), config.name)
        at = last.cursor if last is not None else ""
        window = Window(config.name, LISTING, now.isoformat(), at, is_last=True, rows=total)
        landed.add_window(window, config.table.name)
        self.report.note(f"{config.name} was read in full again, as every four weeks.")
        landed.flush()

    def _reconcile_if_due(self, config: ObjectConfig, history: list[Window]) -> None:
        """Every few days the ids alone: what was erased for good shows in no other way."""
        today = self.own.seen_on
        last = windows.newest(history, _IDS + config.name)
        if last is None:
            # Just listed in full, or never read: nothing can be missing yet.
            landed = self.landing_of(config)
            window = Window(_IDS + config.name, LISTING, today.isoformat(), is_last=True)
            landed.add_window(window, config.table.name)
        elif (today - date.fromisoformat(last.generation)).days >= self._reconcile_days:
            self._reconcile(config)

    @property
    def _reconcile_days(self) -> int:
        return self.client.settings.reconcile_days

    def _reconcile(self, config: ObjectConfig) -> None:
        landed = self.landing_of(config)
        today = self.own.seen_on
        key = config.fields[config.table.key[0]]
        seen: list[str] = []
        for page in ahead(self.client.query_all(config.name, _ids_of(config.name, key))):
            seen.extend(str(_get(r, key)) for r in page)
        end = datetime(today.year, today.month, today.day, tzinfo=UTC) + timedelta(days=1)
        with Known(self.lake, config.table) as known:
            self._bury(config, known, seen, end - timedelta(microseconds=1))
        window = Window(_IDS + config.name, LISTING, today.isoformat(), is_last=True)
        landed.add_window(window, config.table.name)

    def _bury(self, config: ObjectConfig, known: Known, seen: Sequence[str], at: datetime) -> None:
        """Tombstones for what has landed and is not among the ids listed, if that can be."""
        key = config.table.key[0]
        present = pa.table({key: pa.array(seen, pa.string())})
        origin = f"origin = '{config.name}'" if config.table.source == "desk" else "true"
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
            self.progress(f"salesforce: {config.name}, {made.num_rows:,} records are gone")

    def _tombstones(self, config: ObjectConfig, keys: list[str], at: datetime) -> pa.Table:
        """Last landed versions of erased records, marked deleted."""
        flag = _deletion_flag(config)
        made = tombstones.of_last_versions(self.lake, config.table, flag, keys, at)
        self.report.table(config.table.name).deletes += made.num_rows
        return made

    # Other ways in

    def reconcile(self, resource: str) -> None:
        """Ids of one object."""
        config = salesforce_config.choose(self.objects, resource)
        with self._tolerating(config):
            self._reconcile(config)
        self.own.flush()
        self.desk.flush()

    def backfill(self, resource: str, first: date, last: date) -> None:
        """What changed in a window of days (UTC), both included."""
        config = salesforce_config.choose(self.objects, resource)
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        end = datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
        where = [f"{config.cursor} >= {_soql(start)}", f"{config.cursor} < {_soql(end)}"]
        landed = self.landing_of(config)
        total = 0
        with Known(self.lake, config.table) as known:
            for page in ahead(self._pages(config, where)):
                total += self._take(config, page, known).num_rows
                if landed.is_due:
                    landed.flush()
        window = Window(config.name, BACKFILL, is_last=True, rows=total)
        landed.add_window(window, config.table.name)
        landed.flush()

    def refetch(self, table: str, keys: Sequence[str]) -> None:
        """Records by id."""
        config = salesforce_config.choose(self.objects, table)
        by = config.fields[config.table.key[0]]
        landed = self.landing_of(config)
        for i in range(0, len(keys), _KEYS_A_QUERY):
            some = (k.replace("\\", "").replace("'", "") for k in keys[i : i + _KEYS_A_QUERY])
            listed = ", ".join(f"'{k}'" for k in some)
            for page in self._pages(config, [f"{by} in ({listed})"]):
                self._take(config, page, None)
        landed.flush()

    # Records

    def _pages(self, config: ObjectConfig, where: Sequence[str]) -> Iterator[list[dict[str, Any]]]:
        """Pages in the cursor's order, without fields that the organisation does not have."""
        condition = f" where {' and '.join(where)}" if where else ""
        met: set[Any] = set()
        wanted = dict.fromkeys(["Id", *config.fields.values(), *_also_asked(config), config.cursor])
        while True:
            absent = self.client.unknown_fields.get(config.name, set())
            asked = [f for f in wanted if f.lower() not in absent]
            try:
                soql = (
                    f"select {', '.join(asked)} from {config.name}{condition} "
                    f"order by {config.cursor}, Id"
                )
                for page in self.client.query_all(config.name, soql):
                    # A page may come twice (a proxy's cache); its records land once.
                    fresh = [r for r in page if r["Id"] not in met]
                    again = len(page) - len(fresh)
                    self.landing_of(config).count(
                        config.table.name, received=again, deduplicated=again
                    )
                    met.update(r["Id"] for r in page)
                    if fresh:
                        yield fresh
            except HttpError as error:
                if error.code != "INVALID_FIELD" or absent:
                    raise
                has = {name.lower() for name in self.client.fields_of(config.name)}
                missing = {f for f in asked if f.lower() not in has}
                if not missing or config.cursor in missing:
                    raise
                self.client.unknown_fields[config.name] = {f.lower() for f in missing}
                self._tell_missing(config, missing)
            else:
                return

    def _take(
        self,
        config: ObjectConfig,
        page: Sequence[dict[str, Any]],
        known: Known | None,
        stamp: datetime | None = None,
    ) -> pa.Table:
        """Adds a page's records, checked, without what has landed as it is; returns them."""
        records, names = _prepared(config, page)
        if stamp is not None:
            names["_version_at"] = "_version_at"
            for record in records:
                record["_version_at"] = stamp
        landed = self.landing_of(config)
        dropped = len(page) - len(records)
        landed.count(config.table.name, received=dropped, deduplicated=dropped)
        fresh = landed.take(config.table, records, names=names, known=known)
        gone = pc.sum(fresh[_deletion_flag(config)]).as_py() or 0
        self.report.table(config.table.name).deletes += gone
        return fresh

    def landing_of(self, config: ObjectConfig) -> Landing:
        return self.desk if config.table.source == "desk" else self.own

    @contextmanager
    def _tolerating(self, config: ObjectConfig) -> Iterator[None]:
        """Names an object that is absent or closed to us in the result; the others go on."""
        try:
            yield
        except HttpError as error:
            if error.code not in _ABSENT and error.status not in (403, 404):
                raise
            self.report.partial = True
            self.report.table(config.table.name)
            self.report.note(
                f"{config.name}: not loaded ({error.status} {error.code}). The organisation has "
                "no such object or this user may not read it; grant access, or leave it out in "
                "SALESFORCE_OBJECTS."
            )


def _prepared(
    config: ObjectConfig, page: Sequence[dict[str, Any]]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A page's records that land, and under which key they hold each column.

    Keys are looked up once a page: records of a page have the same fields, written in the case in
    which the organisation declares them.
    """
    keys = {k.lower(): k for k in page[0]} if page else {}
    names = {c: keys.get(api.lower(), api) for c, api in config.fields.items()}
    names["_version_at"] = keys.get(config.cursor.lower(), config.cursor)
    deleted = keys.get("isdeleted", "IsDeleted")
    names[_deletion_flag(config)] = deleted
    for record in page:
        if record.get(deleted) is None:
            # Users are deactivated, never deleted, and have no such field.
            record[deleted] = False
    if config.table.source == "desk":
        names["_source_file"] = "_source_file"
        for record in page:
            record["_source_file"] = config.name
    if "old_value" not in config.fields:
        return list(page), names
    field, kind = names["field"], keys.get("datatype", "DataType")
    kept = []
    for record in page:
        if str(record.get(field)).lower() in privacy.PERSONAL_FIELDS:
            record[names["old_value"]] = record[names["new_value"]] = None
        # A change of a lookup comes twice, with names and with ids; only the ids land.
        if record.get(field) not in config.lookups or record.get(kind) == "EntityId":
            kept.append(record)
    return kept, names


def _deletion_flag(config: ObjectConfig) -> str:
    return "_deleted" if config.table.source == "desk" else "is_deleted"


def _also_asked(config: ObjectConfig) -> tuple[str, ...]:
    kind = ("DataType",) if config.lookups else ()
    flag = ("IsDeleted",) if config.table.source == "desk" else ()
    return (*kind, *flag)


def _ids_of(name: str, key: str) -> str:
    return f"select {key if key == 'Id' else f'Id, {key}'} from {name} order by Id"


def _newest(
    page: Sequence[Mapping[str, Any]], cursor: str, before: datetime | None
) -> datetime | None:
    stamp = _get(page[-1], cursor)
    if not isinstance(stamp, str):
        return before
    at = _parse(stamp)
    return at if before is None else max(at, before)


def _get(record: Mapping[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    return next((v for k, v in record.items() if k.lower() == name.lower()), None)


def _parse(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).astimezone(UTC)


def _soql(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
