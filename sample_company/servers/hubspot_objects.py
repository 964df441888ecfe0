"""The company's HubSpot records: properties, associations and their past, filled from the world.

HubSpot differs from a database in ways that readers must survive, and this module keeps them: all
values are text, contacts keep their time of change under another name than everything else, a
merged record is gone and only its survivor tells of it, and links between records are no columns.

Belongs here: which objects and properties the company has, and what is visible at an instant. Must
not be here: paths, paging, searching, errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.servers.http import Json
from sample_company.servers.hubspot_ids import record_ids
from sample_company.servers.versions import Cache, Positions, Versions, microseconds

Tables = Mapping[str, pd.DataFrame]
Array = npt.NDArray[Any]

NO_VALUE = np.iinfo(np.int64).min
_MERGED, _MERGED_AT = "_merged_ids", "_merged_at"


@dataclass(frozen=True)
class Property:
    """A property of an object.

    Attributes:
        name: internal name.
        kind: string, number, bool, enumeration, date or datetime.
        column: column of the prepared frame; None if the company never fills the property in.
        label: name that people see; made of the internal one if empty.
        options: internal value -> label, of an enumeration.
    """

    name: str
    kind: str = "string"
    column: str | None = None
    label: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_custom(self) -> bool:
        """Whether the company has added it."""
        return self.name in _CUSTOM


class HubObject:
    """One type of record: its properties and every version of its records."""

    def __init__(
        self,
        names: tuple[str, str, str],
        frame: pd.DataFrame,
        key: str,
        properties: Sequence[Property],
        *,
        created: str = "hs_createdate",
        modified: str = "hs_lastmodifieddate",
        defaults: Sequence[str] = (),
        history_values: int = 20,
    ) -> None:
        """Puts versions in order.

        Args:
            names: plural, singular and type id.
            frame: versions; `is_deleted` with `merged_into` means merged, without it archived.
            key: column of the id.
            properties: besides the three that every object has.
            created: property of the creation time.
            modified: property of the time of change.
            defaults: properties given when none are asked for, besides the three.
            history_values: so many past values of a property are told.
        """
        self.plural, self.singular, self.type_id = names
        self.versions = Versions(frame, key, "version_at")
        rows = self.versions.frame
        none = np.zeros(len(rows), dtype=bool)
        deleted = rows["is_deleted"].to_numpy(dtype=bool) if "is_deleted" in rows else none
        merged = rows["merged_into"].notna().to_numpy() if "merged_into" in rows else none
        #: Versions that say the record was erased, or has left the recycle bin, or never was in it.
        self.erased: npt.NDArray[np.bool_] = none.copy()
        for flag in ("is_erased", "is_purged"):
            if flag in rows:
                self.erased |= rows[flag].astype("boolean").fillna(False).to_numpy(dtype=bool)
        #: Versions in which a record is in no listing at all, and those in which it is archived.
        self.gone: npt.NDArray[np.bool_] = (deleted & merged) | self.erased
        self.archived: npt.NDArray[np.bool_] = deleted & ~self.gone
        self.created_at = (
            np.minimum(microseconds(rows["created_at"]), self.versions.first_at())
            if "created_at" in rows
            else self.versions.first_at()
        )
        self.ids: Array = rows[key].to_numpy(dtype=object)
        self.created, self.modified = created, modified
        self.defaults = (*dict.fromkeys((created, modified, "hs_object_id", *defaults)),)
        self.history_values = history_values
        own = [
            Property("hs_object_id", "number", label="Record ID"),
            Property(created, "datetime", label="Create Date"),
            Property(modified, "datetime", label="Last Modified Date"),
        ]
        self.properties = {p.name: p for p in (*own, *properties)}
        self._texts: dict[str, Array] = {}
        self._numbers: dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float64]] = {}
        self._first: dict[str, int] | None = None
        self._lock = RLock()

    def texts(self, name: str) -> Array:
        """A property over all versions as the API tells it: text or None."""
        found = self._texts.get(name)
        if found is None:
            with self._lock:
                found = self._texts.setdefault(name, self._as_text(self.properties[name]))
        return found

    def numbers(self, name: str) -> Array:
        """A number (float, NaN for none) or time (milliseconds, `NO_VALUE` for none) to compare."""
        with self._lock:
            if name not in self._numbers:
                self._numbers[name] = self._as_number(self.properties[name])
            return self._numbers[name]

    def _as_text(self, item: Property) -> Array:
        if item.name == "hs_object_id":
            return self.ids
        if item.kind in ("datetime", "date"):
            values = self._milliseconds(item)
            known = values != NO_VALUE
            out = np.full(len(values), None, dtype=object)
            stamps = np.datetime_as_string(values[known].astype("datetime64[ms]"), unit="ms")
            out[known] = [t[:10] if item.kind == "date" else t + "Z" for t in stamps.tolist()]
            return out
        if item.column is None:
            return np.full(len(self.ids), None, dtype=object)
        series = self.versions.frame[item.column]
        known = series.notna().to_numpy(dtype=bool)
        out = np.full(len(series), None, dtype=object)
        if item.kind == "bool":
            out[known] = ["true" if v else "false" for v in series[known]]
        elif item.kind == "number":
            out[known] = [_number(v) for v in series[known]]
        else:
            out[known] = [str(v) for v in series[known]]
        return out

    def _as_number(self, item: Property) -> Array:
        if item.name == "hs_object_id":
            return self.ids.astype(np.float64)
        if item.kind in ("datetime", "date"):
            return self._milliseconds(item)
        if item.column is None:
            return np.full(len(self.ids), np.nan)
        values = pd.to_numeric(self.versions.frame[item.column])
        return values.astype("Float64").to_numpy(dtype=float, na_value=np.nan)

    def _milliseconds(self, item: Property) -> npt.NDArray[np.int64]:
        if item.name == self.modified:
            return self.versions.at // 1000
        if item.name == self.created:
            return self.created_at // 1000
        if item.column is None:
            return np.full(len(self.ids), NO_VALUE, dtype=np.int64)
        values = microseconds(self.versions.frame[item.column])
        return np.where(values == NO_VALUE, NO_VALUE, values // 1000)

    def history(self, name: str, position: int) -> list[Json]:
        """Values that a property has had up to a version, newest first, as many as are kept."""
        texts, at = self.texts(name), self.texts(self.modified)
        start = self._first_of(self.versions.codes[position])
        told: list[Json] = []
        before: str | None = None
        for place in range(start, position + 1):
            value = texts[place]
            if value != before:
                told.append(
                    {
                        "value": "" if value is None else value,
                        "timestamp": at[place],
                        "sourceType": "CRM_UI",
                        "sourceId": "userId:1000001",
                    }
                )
            before = value
        return told[::-1][: self.history_values]

    def had_value(self, name: str, position: int) -> bool:
        """Whether a property that is empty now was filled before: then it shows as ''."""
        start = self._first_of(self.versions.codes[position])
        return any(value is not None for value in self.texts(name)[start:position])

    def _first_of(self, code: int) -> int:
        return int(np.searchsorted(self.versions.codes, code))


class View:
    """The records of a type that can be seen at an instant, in the order of their numbers."""

    def __init__(self, thing: HubObject, now: int) -> None:
        self.thing = thing
        self.now = now
        found = thing.versions.visible(now)
        order = np.argsort(thing.ids[found].astype(np.int64), kind="stable")
        #: Every record ever, those included that no listing shows any more.
        self.positions: Positions = found[order]
        self.keys: npt.NDArray[np.int64] = thing.ids[self.positions].astype(np.int64)
        self.gone = thing.gone[self.positions]
        self.archived = thing.archived[self.positions]

    def live(self) -> Positions:
        """Versions of the records that are neither archived nor gone."""
        return self.positions[~self.gone & ~self.archived]

    def position_of(self, key: str, *, archived: bool) -> int | None:
        """The version of a record by id; the survivor's for a record that was merged."""
        for _ in range(20):
            if not key.isdigit():
                return None
            at = int(np.searchsorted(self.keys, int(key)))
            if at >= len(self.keys) or self.keys[at] != int(key):
                return None
            position = int(self.positions[at])
            if not self.gone[at]:
                return position if bool(self.archived[at]) == archived else None
            rows = self.thing.versions.frame
            survivor = rows["merged_into"].iloc[position] if "merged_into" in rows else None
            if not isinstance(survivor, str):
                return None
            key = survivor
        return None

    def record(
        self, position: int, properties: Sequence[str], history: Sequence[str] = ()
    ) -> dict[str, Json]:
        """One record as the API gives it; properties that do not exist are left out."""
        thing = self.thing
        shown: dict[str, Json] = {}
        for name in dict.fromkeys((*properties, *history)):
            if name in thing.properties:
                value = thing.texts(name)[position]
                if value is None and thing.had_value(name, position):
                    value = ""
                shown[name] = value
        at = thing.texts(thing.modified)[position]
        is_archived = bool(thing.archived[position])
        record: dict[str, Json] = {
            "id": thing.ids[position],
            "properties": dict(sorted(shown.items())),
            "createdAt": thing.texts(thing.created)[position],
            "updatedAt": at,
            "archived": is_archived,
        }
        if is_archived:
            record["archivedAt"] = at
        if history:
            record["propertiesWithHistory"] = {
                name: thing.history(name, position) for name in history if name in thing.properties
            }
        return record


@dataclass(frozen=True)
class Kind:
    """A type of association between two records: HubSpot's own, or a label of the company's."""

    category: str
    type_id: int
    label: str | None = None

    def json(self) -> Json:
        """As the API gives it."""
        return {"category": self.category, "typeId": self.type_id, "label": self.label}


@dataclass(frozen=True)
class Links:
    """Associations from one type of record to another.

    Attributes:
        source: plural name of the type they are declared on.
        target: plural name of the other type.
        column: column of the source's frame that holds the other record's id.
        pairs: frame of source_id, target_id, known_at and `kinds`, where there is no such column.
        kinds: association types, for `column`; the same both ways but for their numbers.
        back: number that HubSpot gives the other direction.
    """

    source: str
    target: str
    kinds: tuple[Kind, ...]
    back: int
    column: str | None = None
    pairs: pd.DataFrame | None = None


class Portal:
    """The account: its objects, their associations, its owners and pipelines."""

    def __init__(
        self, objects: Sequence[HubObject], links: Sequence[Links], employees: pd.DataFrame
    ) -> None:
        self.objects = tuple(objects)
        self._by_name = {
            name: thing
            for thing in objects
            for name in (thing.plural, thing.singular, thing.type_id)
        }
        self._links = tuple(links)
        self._views: Cache[View] = Cache(size=64)
        self._edges: Cache[dict[str, list[tuple[str, tuple[Kind, ...]]]]] = Cache(size=64)
        self.employees = Versions(employees, "employee_id")

    @classmethod
    def of(cls, tables: Tables) -> Portal:
        """The account of a world; tables that the world lacks become objects without records."""
        activities = _activities(tables)
        engagements = [_engagement(activities, name) for name in _ENGAGEMENTS]
        objects = (
            _companies(tables), _contacts(tables), _deals(tables), _tickets(tables),
            *engagements, _users(tables), _campaigns(tables), _campaign_members(tables),
            _risk_assessments(tables), _action_plans(tables),
        )  # fmt: skip
        return cls(objects, _all_links(tables), tables["employees"])

    def find(self, name: str) -> HubObject | None:
        """The object by plural, singular or type id."""
        return self._by_name.get(name.lower())

    def view(self, thing: HubObject, now: int) -> View:
        """What of a type can be seen at an instant."""
        return self._views.get((thing.type_id, now), lambda: View(thing, now))

    def associated(
        self, source: HubObject, target: HubObject, now: int
    ) -> dict[str, list[tuple[str, tuple[Kind, ...]]]]:
        """Other records with which each record is associated at an instant."""
        return self._edges.get(
            (source.type_id, target.type_id, now), lambda: self._associate(source, target, now)
        )

    def erased(self, thing: HubObject, now: int) -> set[str]:
        """Ids of a type's records that have been erased by an instant."""
        positions = self.view(thing, now).positions
        return set(thing.ids[positions[thing.erased[positions]]].tolist())

    def _associate(
        self, source: HubObject, target: HubObject, now: int
    ) -> dict[str, list[tuple[str, tuple[Kind, ...]]]]:
        found: dict[str, list[tuple[str, tuple[Kind, ...]]]] = {}
        # What is erased takes its associations with it.
        erased = self.erased(source, now) | self.erased(target, now)
        for links in self._links:
            if (links.source, links.target) == (source.plural, target.plural):
                for one, other, kinds in self._pairs(links, source, now):
                    if not {one, other} & erased:
                        found.setdefault(one, []).append((other, kinds))
            elif (links.target, links.source) == (source.plural, target.plural):
                for other, one, kinds in self._pairs(links, target, now):
                    if {one, other} & erased:
                        continue
                    back = tuple(
                        Kind(k.category, links.back + i, k.label) for i, k in enumerate(kinds)
                    )
                    found.setdefault(one, []).append((other, back))
        return found

    def _pairs(
        self, links: Links, source: HubObject, now: int
    ) -> Iterable[tuple[str, str, tuple[Kind, ...]]]:
        if links.column is not None:
            positions = self.view(source, now).live()
            values = source.versions.frame[links.column].to_numpy(dtype=object)[positions]
            for one, other in zip(source.ids[positions], values, strict=True):
                if isinstance(other, str):
                    yield one, other, links.kinds
        if links.pairs is not None:
            live = set(source.ids[self.view(source, now).live()].tolist())
            frame = links.pairs
            known = frame[microseconds(frame["known_at"]) <= now]
            for one, other, kinds in zip(
                known["source_id"], known["target_id"], known["kinds"], strict=True
            ):
                if one in live:
                    yield one, other, kinds


def _number(value: Any) -> str:
    """Numbers as HubSpot writes them: no exponent, no decimals where there are none."""
    if isinstance(value, float | np.floating):
        return str(int(value)) if value == int(value) else repr(float(value))
    return str(value)


# --- frames -------------------------------------------------------------------------------------


def _table(tables: Tables, name: str, *columns: str) -> pd.DataFrame:
    """A world table with a time for each version; without the table, an empty one."""
    if name in tables:
        frame = tables[name]
        return frame if "version_at" in frame else frame.assign(version_at=frame["known_at"])
    empty = pd.DataFrame({column: pd.Series([], dtype="object") for column in columns})
    for column in ("version_at", "known_at"):
        empty[column] = pd.Series([], dtype="datetime64[us, UTC]")
    return empty


def _as_told(frame: pd.DataFrame, name: str) -> pd.Series:
    """A link to another system as somebody typed it into the CRM, which may be wrong."""
    typed = f"crm_{name}"
    return frame[typed].fillna(frame[name]) if typed in frame.columns else frame[name]


def _touched(frame: pd.DataFrame, key: str, touches: pd.DataFrame) -> pd.DataFrame:
    """Versions, with one more wherever something else than a property changed a record.

    Args:
        frame: versions by `key` and version_at.
        key: the record's id.
        touches: `key` and `version_at` of such changes.
    """
    if touches.empty or frame.empty:
        return frame
    touches = touches[[key, "version_at"]].drop_duplicates()
    touches = touches.assign(
        version_at=touches["version_at"].astype(frame["version_at"].dtype),
        **{key: touches[key].astype(frame[key].dtype)},
    )
    then = frame.assign(_place=np.arange(len(frame))).sort_values("version_at", kind="stable")
    met = pd.merge_asof(
        touches.sort_values("version_at", kind="stable"),
        then[[key, "version_at", "_place"]].rename(columns={"version_at": "_before"}),
        left_on="version_at",
        right_on="_before",
        by=key,
    )
    met = met[met["_place"].notna() & (met["_before"] < met["version_at"])]
    copies = frame.iloc[met["_place"].astype(int).to_numpy()].assign(
        version_at=met["version_at"].array
    )
    return pd.concat([frame, copies], ignore_index=True)


def _with_merges(frame: pd.DataFrame, key: str) -> pd.DataFrame:
    """Versions that tell, on the survivor, which records were merged into it, and when."""
    losers = frame[frame["merged_into"].notna()].sort_values("version_at", kind="stable")
    losers = losers.drop_duplicates(key)
    touches = pd.DataFrame({key: losers["merged_into"], "version_at": losers["version_at"]})
    frame = _touched(frame, key, touches)
    told: dict[str, list[tuple[pd.Timestamp, str]]] = {}
    for loser, survivor, at in zip(
        losers[key], losers["merged_into"], losers["version_at"], strict=True
    ):
        # What had been merged into the loser goes on to the survivor with it.
        inherited = [(at, other) for _, other in told.get(loser, [])]
        told.setdefault(survivor, []).extend([*inherited, (at, loser)])
    ids = np.full(len(frame), None, dtype=object)
    stamped = np.full(len(frame), None, dtype=object)
    for place, (one, at) in enumerate(zip(frame[key], frame["version_at"], strict=True)):
        known = [(when, other) for when, other in told.get(one, ()) if when <= at]
        if known:
            ids[place] = ";".join(other for _, other in known)
            stamped[place] = ";".join(
                f"{other}:{when.value // 1_000_000}" for when, other in _as_nanoseconds(known)
            )
    return frame.assign(**{_MERGED: ids, _MERGED_AT: stamped})


def _as_nanoseconds(
    pairs: Iterable[tuple[pd.Timestamp, str]],
) -> list[tuple[pd.Timestamp, str]]:
    return [(when.as_unit("ns"), other) for when, other in pairs]


def _made_ids(frame: pd.DataFrame, key: str, *columns: str) -> pd.Series:
    """Numbers for records that the world names by something else than a CRM id."""
    if key in frame.columns:
        text = frame[key].astype(str)
    else:
        text = frame[columns[0]].astype(str)
        for column in columns[1:]:
            text = text + "|" + frame[column].astype(str)
    is_number = text.str.fullmatch(r"\d{6,15}")
    return text.where(is_number, record_ids(text)).astype(object)


def _options(*values: str) -> dict[str, str]:
    return {value: value.replace("_", " ").capitalize() for value in values}


def _pick(name: str, column: str | None, *values: str) -> Property:
    return Property(name, "enumeration", column, options=_options(*values))


# --- the objects --------------------------------------------------------------------------------

#: Properties that the company added to HubSpot's own.
_CUSTOM = frozenset(
    {
        "acknowledged_on", "acquisition_cost_usd", "acquisition_origin", "audience",
        "billing_subscription_id", "case_type", "consent_basis", "contract_start_on",
        "contract_term_months", "csat_score", "departure_terms", "destination_company_id",
        "displaced_competitor", "employee_function", "former_contact_id", "handoffs", "hired_on",
        "is_bug_confirmed", "is_rip_and_replace", "is_test", "is_two_way", "lead_source",
        "left_on", "level", "loss_reason", "lost_to_competitor", "region", "roles", "segment",
        "stripe_customer_id", "touch_type", "workspace_id",
    }
)  # fmt: skip
_LEVELS = ("end_user", "manager", "director_plus")
_ORIGINS = ("new_prospect", "alumni_led", "boomerang", "lost_deal", "rip_and_replace")
_OWNER = Property("hubspot_owner_id", "enumeration", "_owner", label="Owner")
_MERGED_IDS = Property("hs_merged_object_ids", "enumeration", _MERGED, label="Merged record IDs")


def _companies(tables: Tables) -> HubObject:
    frame = tables["accounts"]
    frame = frame.assign(
        _owner=frame["owner_employee_id"],
        _customer=_as_told(frame, "billing_customer_id"),
        _workspace=_as_told(frame, "workspace_id"),
    )
    return HubObject(
        ("companies", "company", "0-2"),
        _with_merges(frame, "account_id"),
        "account_id",
        (
            Property("name", column="name", label="Company name"),
            Property("domain", column="domain", label="Company Domain Name"),
            Property("website", column="website" if "website" in frame else "domain"),
            _pick("type", "account_type", "Prospect", "Customer", "Former Customer"),
            _pick("industry", "industry"),
            Property("country", column="country", label="Country/Region"),
            Property("numberofemployees", "number", "employee_count"),
            _OWNER,
            Property("hs_parent_company_id", "number", "parent_account_id"),
            _MERGED_IDS,
            Property("phone", column=None, label="Phone Number"),
            _pick("segment", "segment", "SMB", "mid-market", "enterprise"),
            _pick("region", "region"),
            _pick("acquisition_origin", "acquisition_origin", *_ORIGINS),
            Property("stripe_customer_id", column="_customer"),
            Property("workspace_id", column="_workspace"),
            Property("is_test", "bool", "is_test"),
            Property("displaced_competitor", column="displaced_competitor_id"),
        ),
        created="createdate",
        defaults=("name", "domain"),
    )


def _contacts(tables: Tables) -> HubObject:
    frame = _table(tables, "contacts", "contact_id", "account_id", "first_name", "last_name",
                   "email", "title", "level", "roles", "consent_basis", "departure_terms",
                   "former_contact_id", "is_email_opted_out", "merged_into_contact_id",
                   "left_on", "is_deleted", "is_erased", "created_at")  # fmt: skip
    frame = frame.assign(merged_into=frame["merged_into_contact_id"])
    return HubObject(
        ("contacts", "contact", "0-1"),
        _with_merges(frame, "contact_id"),
        "contact_id",
        (
            Property("firstname", column="first_name", label="First Name"),
            Property("lastname", column="last_name", label="Last Name"),
            Property("email", column="email", label="Email"),
            Property("jobtitle", column="title", label="Job Title"),
            Property("phone", column=None, label="Phone Number"),
            Property("associatedcompanyid", "number", "account_id"),
            Property("hs_email_optout", "bool", "is_email_opted_out"),
            _MERGED_IDS,
            Property("hs_calculated_merged_vids", "enumeration", _MERGED_AT),
            # Declared on every object, but on contacts HubSpot fills `lastmodifieddate` instead.
            Property("hs_lastmodifieddate", "datetime", None),
            _pick("level", "level", *_LEVELS),
            _pick("roles", "roles", "champion", "sponsor", "economic_buyer", "admin", "user"),
            _pick("consent_basis", "consent_basis"),
            _pick("departure_terms", "departure_terms"),
            Property("left_on", "date", "left_on"),
            Property("former_contact_id", column="former_contact_id"),
        ),
        created="createdate",
        modified="lastmodifieddate",
        defaults=("email", "firstname", "lastname"),
        history_values=45,
    )  # fmt: skip


#: World's stage -> internal name in the pipeline, which people never see.
STAGES = {
    "Prospecting": "qualifiedtobuy",
    "Proposal": "presentationscheduled",
    "Negotiation": "contractsent",
    "Closed Won": "closedwon",
    "Closed Lost": "closedlost",
}
_DEAL_TYPES = {
    "new_business": "newbusiness",
    "renewal": "renewal",
    "expansion": "existingbusiness",
    "win_back": "winback",
}
_DEAL_TYPE_LABELS = {
    "newbusiness": "New Business",
    "renewal": "Renewal",
    "existingbusiness": "Existing Business",
    "winback": "Win-back",
}


def _deals(tables: Tables) -> HubObject:
    frame = tables["opportunities"]
    touches = _deal_contacts(tables).rename(
        columns={"source_id": "opportunity_id", "known_at": "version_at"}
    )
    frame = _touched(frame, "opportunity_id", touches)
    frame = frame.assign(
        _stage=frame["stage"].map(STAGES).fillna(frame["stage"]),
        _type=frame["opportunity_type"].map(_DEAL_TYPES).fillna(frame["opportunity_type"]),
        _owner=frame["owner_employee_id"],
        _subscription=_as_told(frame, "subscription_id"),
        _pipeline="default",
    )
    campaign = "campaign_id" if "campaign_id" in frame else None
    return HubObject(
        ("deals", "deal", "0-3"),
        frame,
        "opportunity_id",
        (
            Property("dealname", column="name", label="Deal Name"),
            Property("pipeline", "enumeration", "_pipeline"),
            Property("dealstage", "enumeration", "_stage", label="Deal Stage"),
            Property("dealtype", "enumeration", "_type", options=_DEAL_TYPE_LABELS),
            Property("amount", "number", "amount", label="Amount"),
            Property("deal_currency_code", "enumeration", "currency", label="Currency"),
            Property("closedate", "datetime", "close_on", label="Close Date"),
            Property("hs_is_closed", "bool", "is_closed"),
            Property("hs_is_closed_won", "bool", "is_won"),
            _OWNER,
            Property("hs_campaign", column=campaign),
            _pick("lead_source", "lead_source"),
            Property("contract_start_on", "date", "contract_start_on"),
            Property("contract_term_months", "number", "contract_term_months"),
            _pick("loss_reason", "loss_reason"),
            Property("lost_to_competitor", column="lost_to_competitor_id"),
            Property("acquisition_cost_usd", "number", "acquisition_cost_usd"),
            Property("billing_subscription_id", column="_subscription"),
            Property("is_rip_and_replace", "bool", "is_rip_and_replace"),
        ),
        created="createdate",
        defaults=("dealname", "amount", "closedate", "pipeline", "dealstage"),
    )


TICKET_STAGES = {"New": "1", "Working": "2", "Reopened": "3", "Closed": "4"}
_PRIORITIES = {"Low": "LOW", "Medium": "MEDIUM", "High": "HIGH", "Critical": "URGENT"}


def _tickets(tables: Tables) -> HubObject:
    frame = _table(tables, "cases", "case_id", "account_id", "contact_id", "case_type", "priority",
                   "status", "origin", "opened_at", "first_response_at", "closed_at", "csat_score",
                   "handoffs", "is_bug_confirmed", "employee_id")  # fmt: skip
    frame = frame.assign(
        created_at=pd.to_datetime(frame["opened_at"], utc=True),
        _stage=frame["status"].map(TICKET_STAGES).fillna(frame["status"]),
        _priority=frame["priority"].map(_PRIORITIES).fillna(frame["priority"]),
        _source=frame["origin"].astype(object).str.upper(),
        _owner=frame["employee_id"],
        _pipeline="0",
    )
    return HubObject(
        ("tickets", "ticket", "0-5"),
        frame,
        "case_id",
        (
            Property("subject", column=None, label="Ticket name"),
            Property("content", column=None, label="Ticket description"),
            Property("hs_pipeline", "enumeration", "_pipeline"),
            Property("hs_pipeline_stage", "enumeration", "_stage", label="Ticket status"),
            _pick("hs_ticket_priority", "_priority", *_PRIORITIES.values()),
            _pick("source_type", "_source"),
            _OWNER,
            Property("closed_date", "datetime", "closed_at", label="Close date"),
            Property("first_agent_reply_date", "datetime", "first_response_at"),
            _pick("case_type", "case_type", "question", "problem", "bug", "feature_request"),
            Property("csat_score", "number", "csat_score"),
            Property("handoffs", "number", "handoffs"),
            Property("is_bug_confirmed", "bool", "is_bug_confirmed"),
        ),
        created="createdate",
        defaults=("subject", "content", "hs_pipeline", "hs_pipeline_stage", "hs_ticket_priority"),
    )


#: Engagement -> singular, type id, and the world's activity types that are logged as it.
_ENGAGEMENTS = {
    "calls": ("call", "0-48", ("call",)),
    "emails": ("email", "0-49", ("email",)),
    "meetings": ("meeting_event", "0-47", ("meeting", "visit", "qbr", "training", "conference")),
    "notes": ("note", "0-46", ("social",)),
    "tasks": ("task", "0-27", ("value_report", "other")),
}
#: Association types HubSpot has for engagements, to contacts, companies and deals.
_ENGAGEMENT_TYPES = {
    "calls": (194, 182, 206),
    "emails": (198, 186, 210),
    "meetings": (200, 188, 212),
    "notes": (202, 190, 214),
    "tasks": (204, 192, 216),
}
_TOUCH_TYPES = {
    "meeting": "Meeting", "visit": "Visit", "qbr": "QBR", "training": "Training",
    "conference": "Conference", "social": "Social", "value_report": "Value report",
    "other": "Other",
}  # fmt: skip


def _activities(tables: Tables) -> pd.DataFrame:
    frame = _table(
        tables, "activities", "activity_id", "account_id", "opportunity_id", "employee_id",
        "crm_object", "activity_type", "event_at", "duration_minutes", "is_two_way",
        "acknowledged_on", "is_deleted",
    )  # fmt: skip
    at = pd.to_datetime(frame["event_at"], utc=True)
    minutes = pd.to_numeric(frame["duration_minutes"]).fillna(0).astype("int64")
    kind = frame["activity_type"].astype(object)
    # A report of value goes into the diary when people met over it, and is a task otherwise.
    meets = kind.eq("value_report") & frame["crm_object"].eq("event")
    engagement = kind.map(
        {word: name for name, (_, _, words) in _ENGAGEMENTS.items() for word in words}
    ).fillna("tasks")
    return frame.assign(
        _engagement=engagement.mask(meets, "meetings").astype(object),
        _touch=kind.map(_TOUCH_TYPES),
        _at=at,
        _end=at + pd.to_timedelta(minutes, unit="min"),
        _milliseconds=minutes * 60_000,
        _owner=frame["employee_id"],
        _status="COMPLETED",
        _direction="EMAIL",
    )


def _engagement(activities: pd.DataFrame, name: str) -> HubObject:
    singular, type_id, _ = _ENGAGEMENTS[name]
    common = (
        Property("hs_timestamp", "datetime", "_at", label="Activity date"),
        _OWNER,
        Property("is_two_way", "bool", "is_two_way"),
        Property("acknowledged_on", "date", "acknowledged_on"),
    )
    own = {
        "calls": (
            Property("hs_call_title", column=None),
            Property("hs_call_body", column=None),
            Property("hs_call_duration", "number", "_milliseconds"),
            Property("hs_call_status", "enumeration", "_status"),
            Property("hs_activity_type", "enumeration", None),
        ),
        "emails": (
            Property("hs_email_subject", column=None),
            Property("hs_email_text", column=None),
            Property("hs_email_direction", "enumeration", "_direction"),
        ),
        "meetings": (
            Property("hs_meeting_title", column=None),
            Property("hs_meeting_body", column=None),
            Property("hs_meeting_start_time", "datetime", "_at"),
            Property("hs_meeting_end_time", "datetime", "_end"),
            Property("hs_meeting_outcome", "enumeration", "_status"),
            Property("hs_activity_type", "enumeration", "_touch"),
        ),
        "notes": (
            Property("hs_note_body", column=None),
            Property("touch_type", "enumeration", "_touch"),
        ),
        "tasks": (
            Property("hs_task_subject", column=None),
            Property("hs_task_body", column=None),
            Property("hs_task_status", "enumeration", "_status"),
            Property("hs_task_completion_date", "datetime", "_at"),
            Property("touch_type", "enumeration", "_touch"),
        ),
    }  # fmt: skip
    return HubObject(
        (name, singular, type_id),
        activities[activities["_engagement"].eq(name)],
        "activity_id",
        (*common, *own[name]),
    )


def _users(tables: Tables) -> HubObject:
    """People who log in; what their employer added to them stands here, not on the owner."""
    frame = tables["employees"]
    names = frame["full_name"].astype("str").str.partition(" ")
    text = frame["employee_id"].astype(str)
    frame = frame.assign(
        _key=record_ids("user|" + text),
        _user=user_ids(frame["employee_id"]),
        _owner=frame["employee_id"],
        _first=names[0],
        _last=names[2],
        _hired=frame["hired_on"],
    )
    return HubObject(
        ("users", "user", "0-115"),
        frame,
        "_key",
        (
            Property("hs_internal_user_id", "number", "_user"),
            Property("hubspot_owner_id", "number", "_owner"),
            Property("hs_email", column="email"),
            Property("hs_given_name", column="_first"),
            Property("hs_family_name", column="_last"),
            Property("hs_job_title", column="title"),
            _pick("employee_function", "function"),
            Property("hired_on", "date", "_hired"),
            Property("left_on", "date", "left_on"),
            Property("destination_company_id", column="destination_account_id"),
        ),
    )


def user_ids(employees: pd.Series) -> pd.Series:
    """HubSpot's number of a person's login, which is not their number as owner of records."""
    numbers = record_ids("login|" + employees.astype(str)).astype("int64") % 100_000_000
    return (numbers + 1_000_000).astype(str).astype(object)


def _campaigns(tables: Tables) -> HubObject:
    frame = _table(tables, "campaigns", "campaign_id", "name", "campaign_type", "audience",
                   "status", "started_on", "ended_on", "actual_cost_usd")  # fmt: skip
    return HubObject(
        ("campaigns", "campaign", "0-35"),
        frame,
        "campaign_id",
        (
            Property("hs_name", column="name"),
            _pick("hs_campaign_status", "status"),
            Property("hs_start_date", "date", "started_on"),
            Property("hs_end_date", "date", "ended_on"),
            Property("hs_spend_items_sum_amount", "number", "actual_cost_usd"),
            _pick("campaign_type", "campaign_type"),
            _pick("audience", "audience"),
        ),
    )


def _campaign_members(tables: Tables) -> HubObject:
    frame = _table(tables, "campaign_members", "campaign_id", "contact_id", "status",
                   "has_responded", "responded_at")  # fmt: skip
    frame = frame.assign(_key=_made_ids(frame, "campaign_member_id", "campaign_id", "contact_id"))
    return HubObject(
        ("p_campaign_members", "campaign_member", "2-7300001"),
        frame,
        "_key",
        (
            _pick("member_status", "status", "Sent", "Responded", "Attended"),
            Property("has_responded", "bool", "has_responded"),
            Property("responded_on", "date", "responded_at"),
        ),
    )


def _risk_assessments(tables: Tables) -> HubObject:
    frame = _table(tables, "risk_assessments", "risk_assessment_id", "account_id", "employee_id",
                   "assessed_on", "sign_today_share", "justification_type")  # fmt: skip
    frame = frame.assign(_key=_made_ids(frame, "risk_assessment_id"), _owner=frame["employee_id"])
    return HubObject(
        ("p_risk_assessments", "risk_assessment", "2-7300002"),
        frame,
        "_key",
        (
            Property("assessment_name", column="risk_assessment_id"),
            _OWNER,
            Property("assessed_on", "date", "assessed_on"),
            Property("sign_today_share", "number", "sign_today_share"),
            _pick("justification_type", "justification_type"),
        ),
    )


def _action_plans(tables: Tables) -> HubObject:
    frame = _table(tables, "action_plans", "action_plan_id", "account_id", "owner_id", "plan_type",
                   "opened_on", "due_on", "closed_on", "status", "outcome",
                   "cost_usd")  # fmt: skip
    frame = frame.assign(_key=_made_ids(frame, "action_plan_id"), _owner=frame["owner_id"])
    return HubObject(
        ("p_action_plans", "action_plan", "2-7300003"),
        frame,
        "_key",
        (
            Property("plan_name", column="action_plan_id"),
            _OWNER,
            _pick("plan_type", "plan_type", "save", "success", "onboarding"),
            Property("opened_on", "date", "opened_on"),
            Property("due_on", "date", "due_on"),
            Property("closed_on", "date", "closed_on"),
            _pick("status", "status"),
            Property("outcome", column="outcome"),
            Property("cost_usd", "number", "cost_usd"),
        ),
    )


# --- associations -------------------------------------------------------------------------------


def _primary(type_id: int, plain: int) -> tuple[Kind, ...]:
    return (Kind("HUBSPOT_DEFINED", type_id, "Primary"), Kind("HUBSPOT_DEFINED", plain))


def _deal_contacts(tables: Tables) -> pd.DataFrame:
    """Contacts of deals, each with the labels that the company gave: part played, main contact."""
    frame = _table(
        tables, "opportunity_contacts", "opportunity_id", "contact_id", "role", "is_primary"
    )
    numbers = {role: 300 + n for n, role in enumerate(sorted(frame["role"].dropna().unique()))}
    kinds = []
    for role, is_primary in zip(frame["role"], frame["is_primary"], strict=True):
        labels = [Kind("HUBSPOT_DEFINED", 3)]
        if isinstance(role, str):
            labels.append(Kind("USER_DEFINED", numbers[role], role))
        if is_primary is True or is_primary == 1:
            labels.append(Kind("USER_DEFINED", 299, "Primary contact"))
        kinds.append(tuple(labels))
    return pd.DataFrame(
        {
            "source_id": frame["opportunity_id"].astype(object),
            "target_id": frame["contact_id"].astype(object),
            "known_at": frame["known_at"],
            "kinds": pd.Series(kinds, index=frame.index, dtype=object),
        }
    )


def _all_links(tables: Tables) -> list[Links]:
    links = [
        Links("contacts", "companies", _primary(1, 279), 2, column="account_id"),
        Links("deals", "companies", _primary(5, 341), 6, column="account_id"),
        Links("deals", "contacts", (), 4, pairs=_deal_contacts(tables)),
        Links("tickets", "companies", _primary(26, 339), 25, column="account_id"),
        Links("tickets", "contacts", (Kind("HUBSPOT_DEFINED", 16),), 15, column="contact_id"),
    ]
    people = _table(tables, "activity_participants", "activity_id", "contact_id", "is_primary")
    for name, (to_contact, to_company, to_deal) in _ENGAGEMENT_TYPES.items():
        plain = Kind("HUBSPOT_DEFINED", to_contact)
        pairs = pd.DataFrame(
            {
                "source_id": people["activity_id"].astype(object),
                "target_id": people["contact_id"].astype(object),
                "known_at": people["known_at"],
                "kinds": pd.Series([(plain,)] * len(people), index=people.index, dtype=object),
            }
        )
        links += [
            Links(name, "contacts", (), to_contact - 1, pairs=pairs),
            Links(name, "companies", (Kind("HUBSPOT_DEFINED", to_company),), to_company - 1,
                  column="account_id"),
            Links(name, "deals", (Kind("HUBSPOT_DEFINED", to_deal),), to_deal - 1,
                  column="opportunity_id"),
        ]  # fmt: skip
    own: list[tuple[str, str, str]] = [
        ("p_campaign_members", "campaigns", "campaign_id"),
        ("p_campaign_members", "contacts", "contact_id"),
        ("p_risk_assessments", "companies", "account_id"),
        ("p_action_plans", "companies", "account_id"),
    ]
    links += [
        Links(source, target, (Kind("USER_DEFINED", 41 + 2 * n),), 42 + 2 * n, column=column)
        for n, (source, target, column) in enumerate(own)
    ]
    return links
