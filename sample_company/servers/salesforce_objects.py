"""The company's Salesforce objects: which fields they have, which columns of the world fill them.

Belongs here: field lists, vendor vocabulary, change histories, and typed columns of what is visible
at an instant. Does not belong here: paths, paging, queries, errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sample_company.ids import salesforce_ids
from sample_company.servers import soql
from sample_company.servers.http import Json
from sample_company.servers.versions import Positions, Versions, microseconds

Tables = Mapping[str, pd.DataFrame]
Array = npt.NDArray[Any]

#: Types of describe and the types that queries know.
_QUERY_TYPES = {
    "email": "string", "url": "string", "phone": "string", "textarea": "string",
    "currency": "double", "percent": "double",
}  # fmt: skip


@dataclass(frozen=True)
class Field:
    """A field of an object.

    Attributes:
        name: API name.
        kind: type as describe gives it.
        column: column of the prepared frame; None if the company never fills the field in.
        reference_to: objects a reference points to.
        values: picklist values.
    """

    name: str
    kind: str
    column: str | None = None
    reference_to: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def query_type(self) -> str:
        """The type that queries compare by."""
        return _QUERY_TYPES.get(self.kind, self.kind)

    @property
    def relation(self) -> str | None:
        """Name of the relation in queries such as `Owner.Name`."""
        if self.kind != "reference" or not self.reference_to:
            return None
        if self.name.endswith("__c"):
            return self.name.removesuffix("__c") + "__r"
        return self.name.removesuffix("Id")


class SObject:
    """One object: its fields and every version of its records, typed column by column on demand."""

    def __init__(
        self,
        name: str,
        prefix: str,
        frame: pd.DataFrame,
        key: str,
        fields: Sequence[Field],
        *,
        label: str | None = None,
        has_modstamp: bool = True,
        has_is_deleted: bool = True,
    ) -> None:
        self.name = name
        self.label = label or name.removesuffix("__c").replace("_", " ")
        self.prefix = prefix
        at = "version_at" if "version_at" in frame.columns else "known_at"
        self.versions = Versions(frame, key, at)
        rows = self.versions.frame
        self.deleted: npt.NDArray[np.bool_] = (
            rows["is_deleted"].to_numpy(dtype=bool)
            if "is_deleted" in rows.columns
            else np.zeros(len(rows), dtype=bool)
        )
        first = self.versions.first_at()
        self.created = (
            np.minimum(microseconds(rows["created_at"]), self.versions.at)
            if "created_at" in rows.columns
            else first
        )
        #: Versions that say the record has left the recycle bin, or never was in it.
        self.erased: npt.NDArray[np.bool_] = np.zeros(len(rows), dtype=bool)
        for flag in ("is_erased", "is_purged"):
            if flag in rows.columns:
                self.erased |= rows[flag].astype("boolean").fillna(False).to_numpy(dtype=bool)
        #: When a record that belongs to another one went with it; set by `goes_with`.
        self.gone_at: npt.NDArray[np.int64] | None = None
        system = [Field("Id", "id", key)]
        if has_is_deleted:
            system.append(Field("IsDeleted", "boolean"))
        stamps = [Field("CreatedDate", "datetime")]
        if has_modstamp:
            stamps += [Field("LastModifiedDate", "datetime"), Field("SystemModstamp", "datetime")]
        self.fields: tuple[Field, ...] = (*system, *fields, *stamps)
        self._by_name = {item.name.lower(): item for item in self.fields}
        self._by_relation = {
            item.relation.lower(): item for item in self.fields if item.relation is not None
        }
        self._arrays: dict[str, Array] = {}
        self._lock = RLock()

    def has(self, name: str) -> bool:
        """Whether the object has a field of that name, in any case."""
        return name.lower() in self._by_name

    def field(self, name: str) -> Field:
        """The field of that name in any case; SoqlError INVALID_FIELD if there is none."""
        try:
            return self._by_name[name.lower()]
        except KeyError:
            raise soql.SoqlError(
                "INVALID_FIELD",
                f"\nSELECT {name} FROM {self.name}\n       ^\nERROR at Row:1:Column:8\n"
                f"No such column '{name}' on entity '{self.name}'. If you are attempting to use a "
                "custom field, be sure to append the '__c' after the custom field name. Please "
                "reference your WSDL or the describe call for the appropriate names.",
            ) from None

    def relation(self, name: str) -> Field:
        """The reference field behind a relation name; SoqlError INVALID_FIELD if there is none."""
        try:
            return self._by_relation[name.lower()]
        except KeyError:
            raise soql.SoqlError(
                "INVALID_FIELD",
                f"Didn't understand relationship '{name}' in field path. If you are attempting to "
                "use a custom relationship, be sure to append the '__r' after the custom "
                "relationship name.",
            ) from None

    def visible(self, now: int) -> Positions:
        """Positions of the records that exist at `now`.

        Deleted ones lie in the recycle bin and are included; erased ones skipped the bin.
        """
        positions = self.versions.visible(now)
        positions = positions[~self.erased[positions]]
        if self.gone_at is not None:
            positions = positions[self.gone_at[positions] > now]
        # Natural order of a query without ORDER BY: as created.
        return positions[np.argsort(self.created[positions], kind="stable")]

    def gone(self, since: int, until: int) -> list[tuple[str, int]]:
        """Ids deleted or erased in a range of time and when, oldest first."""
        at = self.versions.at
        hits = np.flatnonzero((self.deleted | self.erased) & (at >= since) & (at < until))
        keys = self.versions.frame[self.versions.key].to_numpy(dtype=object)[hits]
        return sorted(zip(keys.tolist(), at[hits].tolist(), strict=True), key=lambda row: row[1])

    def erased_at(self) -> pd.Series:
        """When each erased record was erased (microseconds), by id."""
        hits = np.flatnonzero(self.erased)
        keys = self.versions.frame[self.versions.key].to_numpy(dtype=object)[hits]
        at = pd.Series(self.versions.at[hits], index=keys)
        return at[~at.index.duplicated()]

    def goes_with(self, parent: SObject, column: str) -> SObject:
        """Let records vanish with the parent that the column names, once that is erased."""
        gone = parent.erased_at()
        place = gone.index.get_indexer(pd.Index(self.versions.frame[column].astype(object)))
        # A last entry for whoever is still there: position -1 finds it.
        at = np.append(gone.to_numpy(dtype=np.int64), np.iinfo(np.int64).max)[place]
        self.gone_at = at if self.gone_at is None else np.minimum(self.gone_at, at)
        return self

    def array(self, item: Field) -> Array:
        """A field over all versions, typed as `soql.Columns` wants it."""
        with self._lock:
            if item.name not in self._arrays:
                self._arrays[item.name] = self._typed(item)
            return self._arrays[item.name]

    def _typed(self, item: Field) -> Array:
        match item.name:
            case "IsDeleted":
                return self.deleted
            case "CreatedDate":
                return _whole_seconds(self.created)
            case "SystemModstamp" | "LastModifiedDate":
                return _whole_seconds(self.versions.at)
        rows = self.versions.frame
        kind = item.query_type
        if item.column is None:
            return _nulls(kind, len(rows))
        series = rows[item.column]
        if kind == "boolean":
            return series.astype("boolean").fillna(False).to_numpy(dtype=bool)
        if kind in ("int", "double"):
            return pd.to_numeric(series).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        if kind in ("date", "datetime"):
            values = pd.to_datetime(series, utc=True).dt.tz_localize(None)
            return values.to_numpy(dtype="datetime64[D]" if kind == "date" else "datetime64[us]")
        text = series.astype(object)
        return text.where(series.notna(), None).to_numpy(dtype=object)


def _whole_seconds(at: npt.NDArray[np.int64]) -> Array:
    """Salesforce keeps its own stamps to the second, which is why they are not unique."""
    return (at // 1_000_000).astype("datetime64[s]").astype("datetime64[us]")


def _nulls(kind: str, length: int) -> Array:
    if kind == "boolean":
        return np.zeros(length, dtype=bool)
    if kind in ("int", "double"):
        return np.full(length, np.nan)
    if kind in ("date", "datetime"):
        return np.full(length, np.datetime64("NaT"), dtype="datetime64[us]")
    return np.full(length, None, dtype=object)


class View:
    """The records of an object that are visible at an instant."""

    def __init__(self, catalogue: Catalogue, thing: SObject, now: int) -> None:
        self.thing = thing
        self.now = now
        self._catalogue = catalogue
        self._positions = thing.visible(now)
        self.deleted = thing.deleted[self._positions]
        self._columns: dict[str, Array] = {}
        self._index: dict[str, int] | None = None
        self._parents: dict[str, tuple[View, npt.NDArray[np.int64]]] = {}
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._positions)

    def exact_name(self, name: str) -> str:
        """The field path in the case that the object declares it."""
        head, _, rest = name.partition(".")
        if not rest:
            return self.thing.field(name).name
        relation = self.thing.relation(head)
        parent, _ = self._parent(relation)
        return f"{relation.relation}.{parent.exact_name(rest)}"

    def type_of(self, name: str) -> str:
        """See `soql.Columns`."""
        head, _, rest = name.partition(".")
        if not rest:
            return self.thing.field(name).query_type
        return self._parent(self.thing.relation(head))[0].type_of(rest)

    def column(self, name: str) -> Array:
        """See `soql.Columns`; `Owner.Name` follows a reference."""
        key = name.lower()
        with self._lock:
            if key not in self._columns:
                self._columns[key] = self._build(name)
            return self._columns[key]

    def _build(self, name: str) -> Array:
        head, _, rest = name.partition(".")
        if not rest:
            item = self.thing.field(name)
            values = self.thing.array(item)[self._positions]
            if item.kind == "reference":
                # Salesforce clears a lookup whose record is gone, and stamps nothing.
                gone = self._catalogue.erased(item.reference_to, self.now)
                if gone:
                    values[pd.Series(values, dtype=object).isin(gone).to_numpy()] = None
            return values
        parent, index = self._parent(self.thing.relation(head))
        if len(parent) == 0:
            return _nulls(parent.type_of(rest), len(self))
        values = parent.column(rest)[index]
        missing = index < 0
        if values.dtype == object:
            values[missing] = None
        elif values.dtype.kind == "M":
            values[missing] = np.datetime64("NaT")
        elif values.dtype.kind == "f":
            values[missing] = np.nan
        else:
            values[missing] = False
        return values

    def _parent(self, item: Field) -> tuple[View, npt.NDArray[np.int64]]:
        with self._lock:
            if item.name not in self._parents:
                thing = self._catalogue.find(item.reference_to[0])
                assert thing is not None  # noqa: S101  # the catalogue checks its references
                parent = View(self._catalogue, thing, self.now)
                positions = parent.positions_by_id()
                index = np.fromiter(
                    (positions.get(key, -1) for key in self.column(item.name)),
                    dtype=np.int64,
                    count=len(self),
                )
                self._parents[item.name] = (parent, index)
            return self._parents[item.name]

    def positions_by_id(self) -> dict[str, int]:
        """Position of every record, by id."""
        with self._lock:
            if self._index is None:
                self._index = {key: at for at, key in enumerate(self.column("Id"))}
            return self._index

    def position_of(self, record: str) -> int | None:
        """Position of a record by its id of 15 or 18 characters."""
        index = self.positions_by_id()
        if record in index:
            return index[record]
        if len(record) == 15:
            return next((at for key, at in index.items() if key[:15] == record), None)
        return None

    def records(self, names: Sequence[str], positions: Positions, version: int) -> list[Json]:
        """Records as the REST API gives them, `attributes` first."""
        base = f"/services/data/v{version}.0/sobjects/{self.thing.name}/"
        ids = self.column("Id")[positions].tolist()
        plain = [name for name in names if "." not in name]
        columns = [
            self.render_values(self.column(name)[positions], self.type_of(name)) for name in plain
        ]
        kind = self.thing.name
        rows: list[dict[str, Json]] = [
            {
                "attributes": {"type": kind, "url": base + key},
                **dict(zip(plain, values, strict=True)),
            }
            for key, values in zip(
                ids, zip(*columns, strict=True) if columns else ((),) * len(ids), strict=True
            )
        ]
        for relation in dict.fromkeys(name.partition(".")[0] for name in names if "." in name):
            inner = [
                n.partition(".")[2] for n in names if n.partition(".")[0] == relation and "." in n
            ]
            parent, index = self._parent(self.thing.relation(relation))
            at = index[positions]
            nested = iter(parent.records(inner, at[at >= 0], version))
            for row, where in zip(rows, at.tolist(), strict=True):
                row[relation] = next(nested) if where >= 0 else None
        return rows

    @staticmethod
    def render_values(values: Array, kind: str) -> list[Json]:
        """A column as JSON values: `+0000` instants, ISO dates, whole numbers for int fields."""
        if kind == "datetime":
            text = np.datetime_as_string(values.astype("datetime64[us]"), unit="ms").tolist()
            return [None if item == "NaT" else item + "+0000" for item in text]
        if kind == "date":
            text = np.datetime_as_string(values.astype("datetime64[D]"), unit="D").tolist()
            return [None if item == "NaT" else item for item in text]
        if kind == "int":
            return [None if item != item else int(item) for item in values.tolist()]
        if kind == "double":
            return [None if item != item else item for item in values.tolist()]
        return list(values.tolist())


class Catalogue:
    """The objects of the org."""

    def __init__(self, objects: Sequence[SObject]) -> None:
        self.objects = tuple(objects)
        self._by_name = {thing.name.lower(): thing for thing in objects}
        for thing in objects:
            for item in thing.fields:
                for target in item.reference_to[:1]:
                    if target.lower() not in self._by_name:
                        raise ValueError(f"{thing.name}.{item.name} refers to unknown {target}")

    def find(self, name: str) -> SObject | None:
        """The object of that name in any case."""
        return self._by_name.get(name.lower())

    def erased(self, names: Sequence[str], now: int) -> set[str]:
        """Ids of the objects' records that had been erased by `now`."""
        found: set[str] = set()
        for name in names:
            thing = self.find(name)
            if thing is not None and thing.erased.any():
                at = thing.erased_at()
                found |= set(at.index[at.to_numpy() <= now])
        return found

    @classmethod
    def of(cls, tables: Tables) -> Catalogue:
        """The org of a world; tables that the world lacks become objects without records."""
        return cls([build(tables) for build in _BUILDERS])


# --- the objects --------------------------------------------------------------------------------


def _table(tables: Tables, name: str, *columns: str) -> pd.DataFrame:
    """A world table; without it, an empty one with the columns needed."""
    if name in tables:
        return tables[name]
    empty = pd.DataFrame({column: pd.Series([], dtype="object") for column in columns})
    empty["version_at"] = pd.Series([], dtype="datetime64[us, UTC]")
    return empty


def _ref(name: str, column: str | None, *targets: str) -> Field:
    return Field(name, "reference", column, targets)


def _pick(name: str, column: str | None, *values: str) -> Field:
    return Field(name, "picklist", column, values=values)


def _stable_ids(prefix: str, *columns: pd.Series) -> Array:
    """Ids of records that the world knows only by what they join; the same at every horizon."""
    text = columns[0].astype(str)
    for column in columns[1:]:
        text = text + "|" + column.astype(str)
    keys = pd.util.hash_array(text.to_numpy(dtype=object), categorize=False)
    return salesforce_ids(prefix, keys.astype(np.uint64))


_OWNER = _ref("OwnerId", "owner_employee_id", "User")
_SEGMENTS = ("SMB", "mid-market", "enterprise")
_LEVELS = ("end_user", "manager", "director_plus")
_ORIGINS = ("new_prospect", "alumni_led", "boomerang", "lost_deal", "rip_and_replace")


_ACCOUNT_FIELDS = (
    _ref("MasterRecordId", "merged_into", "Account"),
    Field("Name", "string", "name"),
    _pick("Type", "account_type", "Prospect", "Customer", "Former Customer"),
    _ref("ParentId", "parent_account_id", "Account"),
    Field("BillingCountry", "string", "country"),
    Field("Website", "url", "website"),
    _pick("Industry", "industry"),
    Field("NumberOfEmployees", "int", "employee_count"),
    _pick("CurrencyIsoCode", "currency", "USD", "EUR", "GBP", "JPY"),
    _OWNER,
    _pick("Segment__c", "segment", *_SEGMENTS),
    _pick("Region__c", "region"),
    _pick("Acquisition_Origin__c", "acquisition_origin", *_ORIGINS),
    Field("Stripe_Customer_Id__c", "string", "crm_billing_customer_id"),
    Field("Workspace_Id__c", "string", "crm_workspace_id"),
    Field("Is_Test__c", "boolean", "is_test"),
    Field("Displaced_Competitor__c", "string", "displaced_competitor_id"),
)


def _account_frame(tables: Tables) -> pd.DataFrame:
    frame = _as_typed(tables["accounts"], "billing_customer_id", "workspace_id")
    return frame.assign(website="https://www." + frame["domain"].astype("str"))


def _as_typed(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Keys of other systems as they were typed into the CRM; right where no slip is noted."""
    typed = {
        f"crm_{name}": frame[f"crm_{name}"].fillna(frame[name])
        if f"crm_{name}" in frame.columns
        else frame[name]
        for name in columns
    }
    return frame.assign(**typed)


def _account(tables: Tables) -> SObject:
    return SObject("Account", "001", _account_frame(tables), "account_id", _ACCOUNT_FIELDS)


def _contact_frame(tables: Tables) -> pd.DataFrame:
    frame = _table(tables, "contacts", "contact_id", "account_id", "first_name", "last_name",
                   "email", "title", "level", "roles", "consent_basis", "departure_terms",
                   "former_contact_id", "is_email_opted_out", "merged_into_contact_id",
                   "left_on")  # fmt: skip
    first, last = frame["first_name"], frame["last_name"]
    return frame.assign(
        full_name=(first.astype("str").fillna("") + " " + last.astype("str")).str.strip()
    )


def _contact(tables: Tables) -> SObject:
    frame = _contact_frame(tables)
    return SObject(
        "Contact",
        "003",
        frame,
        "contact_id",
        (
            _ref("MasterRecordId", "merged_into_contact_id", "Contact"),
            _ref("AccountId", "account_id", "Account"),
            Field("LastName", "string", "last_name"),
            Field("FirstName", "string", "first_name"),
            Field("Name", "string", "full_name"),
            Field("Email", "email", "email"),
            Field("Title", "string", "title"),
            Field("HasOptedOutOfEmail", "boolean", "is_email_opted_out"),
            _pick("Level__c", "level", *_LEVELS),
            Field("Roles__c", "multipicklist", "roles",
                  values=("champion", "sponsor", "economic_buyer", "admin", "user")),
            _pick("Consent_Basis__c", "consent_basis"),
            _pick("Departure_Terms__c", "departure_terms"),
            Field("Left_On__c", "date", "left_on"),
            _ref("Former_Contact_Id__c", "former_contact_id", "Contact"),
        ),
    )  # fmt: skip


def _user(tables: Tables) -> SObject:
    frame = tables["employees"]
    names = frame["full_name"].astype("str").str.partition(" ")
    left = pd.to_datetime(frame["left_on"]).dt.tz_localize("UTC")
    at = frame["version_at"]
    return SObject(
        "User",
        "005",
        frame.assign(
            first_name=names[0],
            last_name=names[2],
            department=frame["function"].map(_DEPARTMENTS),
            may_log_in=~(left.notna() & (left <= at)),
        ),
        "employee_id",
        (
            Field("Username", "string", "email"),
            Field("LastName", "string", "last_name"),
            Field("FirstName", "string", "first_name"),
            Field("Name", "string", "full_name"),
            Field("Email", "email", "email"),
            Field("Title", "string", "title"),
            Field("Department", "string", "department"),
            Field("IsActive", "boolean", "may_log_in"),
            _pick("Function__c", "function", *_DEPARTMENTS),
            Field("Hired_On__c", "date", "hired_on"),
            Field("Left_On__c", "date", "left_on"),
            _ref("Destination_Account_Id__c", "destination_account_id", "Account"),
        ),
        # Users cannot be deleted in Salesforce, only deactivated.
        has_is_deleted=False,
    )


_DEPARTMENTS = {
    "sales": "Sales", "cs": "Customer Success", "support": "Support", "marketing": "Marketing",
    "product": "Product", "engineering": "Engineering", "executive": "Executive",
}  # fmt: skip

_OPPORTUNITY_TYPES = {
    "new_business": "New Business", "renewal": "Renewal", "expansion": "Expansion",
    "win_back": "Win-back",
}  # fmt: skip
_STAGES = ("Prospecting", "Proposal", "Negotiation", "Closed Won", "Closed Lost")
_REASONS = ("disconnection", "value_not_realised", "primary_need_unmet", "competitor",
            "price_budget", "business_change", "product_gap", "support")  # fmt: skip

_OPPORTUNITY_FIELDS = (
    _ref("AccountId", "account_id", "Account"),
    Field("Name", "string", "name"),
    _pick("StageName", "stage", *_STAGES),
    Field("Amount", "currency", "amount"),
    Field("CloseDate", "date", "close_on"),
    _pick("Type", "type", *_OPPORTUNITY_TYPES.values()),
    _pick("LeadSource", "lead_source"),
    Field("IsClosed", "boolean", "is_closed"),
    Field("IsWon", "boolean", "is_won"),
    _pick("CurrencyIsoCode", "currency", "USD", "EUR", "GBP", "JPY"),
    _ref("CampaignId", "campaign_id", "Campaign"),
    _OWNER,
    Field("Contract_Start_Date__c", "date", "contract_start_on"),
    Field("Contract_Term_Months__c", "double", "contract_term_months"),
    _pick("Loss_Reason__c", "loss_reason", *_REASONS),
    _pick("Loss_Reason_Detail__c", "loss_reason_detail"),
    Field("Lost_To_Competitor__c", "string", "lost_to_competitor_id"),
    Field("Acquisition_Cost__c", "currency", "acquisition_cost_usd"),
    Field("Stripe_Subscription_Id__c", "string", "crm_subscription_id"),
    Field("Is_Rip_And_Replace__c", "boolean", "is_rip_and_replace"),
)


def _optional(fields: Sequence[Field], frame: pd.DataFrame, *names: str) -> tuple[Field, ...]:
    """The fields, those of columns the world does not keep staying empty."""
    return tuple(
        Field(f.name, f.kind, None, f.reference_to, f.values)
        if f.column in names and f.column not in frame.columns
        else f
        for f in fields
    )


def _opportunity_frame(tables: Tables) -> pd.DataFrame:
    frame = _as_typed(tables["opportunities"], "subscription_id")
    return frame.assign(type=_words(frame["opportunity_type"], _OPPORTUNITY_TYPES))


def _opportunity(tables: Tables) -> SObject:
    frame = _opportunity_frame(tables)
    fields = _optional(_OPPORTUNITY_FIELDS, frame, "campaign_id", "loss_reason_detail")
    return SObject("Opportunity", "006", frame, "opportunity_id", fields)


def _words(column: pd.Series, words: Mapping[str, str]) -> pd.Series:
    """The vendor's word for each value; values without one pass as they are."""
    return column.map(words).fillna(column)


def _opportunity_contact_role(tables: Tables) -> SObject:
    frame = _table(tables, "opportunity_contacts", "opportunity_id", "contact_id", "role",
                   "is_primary")  # fmt: skip
    role = SObject(
        "OpportunityContactRole",
        "00K",
        *_keyed(frame, "opportunity_contact_id", "00K", "opportunity_id", "contact_id"),
        (
            _ref("OpportunityId", "opportunity_id", "Opportunity"),
            _ref("ContactId", "contact_id", "Contact"),
            _pick("Role", "role"),
            Field("IsPrimary", "boolean", "is_primary"),
        ),
        label="Opportunity Contact Role",
    )
    role.goes_with(_opportunity(tables), "opportunity_id")
    return role.goes_with(_contact(tables), "contact_id")


def _keyed(frame: pd.DataFrame, key: str, prefix: str, *columns: str) -> tuple[pd.DataFrame, str]:
    """The frame and its key: the world's own, or else one made of what the record joins."""
    if key in frame.columns:
        return frame, key
    made = _stable_ids(prefix, *(frame[column] for column in columns))
    return frame.assign(_key=made), "_key"


_TASK_TYPES = {
    "email": "Email", "call": "Call", "value_report": "Value report", "social": "Social",
    "other": "Other",
}  # fmt: skip
_EVENT_TYPES = {
    "meeting": "Meeting", "visit": "Visit", "qbr": "QBR", "training": "Training",
    "conference": "Conference", "value_report": "Value report",
}  # fmt: skip
_ACTIVITY_COLUMNS = ("activity_id", "account_id", "opportunity_id", "employee_id",
                     "crm_object", "activity_type", "event_at", "duration_minutes", "is_two_way",
                     "acknowledged_on")  # fmt: skip


def _activities(tables: Tables, kind: str) -> pd.DataFrame:
    """Activities of one of the two objects with the person in charge of each."""
    frame = _table(tables, "activities", *_ACTIVITY_COLUMNS)
    frame = frame[frame["crm_object"] == kind]
    people = _participants(tables)
    main = people.sort_values("is_primary", ascending=False, kind="stable")
    first = main.drop_duplicates("activity_id").set_index("activity_id")["contact_id"]
    at = pd.to_datetime(frame["event_at"], utc=True)
    length = pd.to_numeric(frame["duration_minutes"]).fillna(0).astype("int64")
    return frame.assign(
        event_at=at,
        activity_date=at.dt.floor("D"),
        end_at=at + pd.to_timedelta(length, unit="min"),
        who_id=frame["activity_id"].map(first),
        what_id=frame["opportunity_id"].fillna(frame["account_id"]),
    )


def _participants(tables: Tables) -> pd.DataFrame:
    return _table(tables, "activity_participants", "activity_id", "contact_id", "is_primary")


def _task(tables: Tables) -> SObject:
    frame = _activities(tables, "task")
    kind = _words(frame["activity_type"], _TASK_TYPES)
    return SObject(
        "Task",
        "00T",
        frame.assign(
            type=kind,
            subtype=kind.where(kind.isin(["Email", "Call"]), "Task"),
            status="Completed",
            is_closed=True,
        ),
        "activity_id",
        (
            _ref("WhoId", "who_id", "Contact", "Lead"),
            _ref("WhatId", "what_id", "Account", "Opportunity"),
            Field("Subject", "string", "type"),
            Field("ActivityDate", "date", "activity_date"),
            _pick("Status", "status", "Not Started", "In Progress", "Completed"),
            _ref("OwnerId", "employee_id", "User"),
            _pick("Type", "type", *_TASK_TYPES.values()),
            _ref("AccountId", "account_id", "Account"),
            Field("IsClosed", "boolean", "is_closed"),
            _pick("TaskSubtype", "subtype", "Task", "Email", "Call"),
            Field("CompletedDateTime", "datetime", "event_at"),
            Field("Is_Two_Way__c", "boolean", "is_two_way"),
            Field("Acknowledged_On__c", "date", "acknowledged_on"),
        ),
    )


def _event(tables: Tables) -> SObject:
    frame = _activities(tables, "event")
    return SObject(
        "Event",
        "00U",
        frame.assign(type=_words(frame["activity_type"], _EVENT_TYPES), all_day=False),
        "activity_id",
        (
            _ref("WhoId", "who_id", "Contact", "Lead"),
            _ref("WhatId", "what_id", "Account", "Opportunity"),
            Field("Subject", "string", "type"),
            Field("IsAllDayEvent", "boolean", "all_day"),
            Field("ActivityDateTime", "datetime", "event_at"),
            Field("ActivityDate", "date", "activity_date"),
            Field("DurationInMinutes", "int", "duration_minutes"),
            Field("StartDateTime", "datetime", "event_at"),
            Field("EndDateTime", "datetime", "end_at"),
            _ref("OwnerId", "employee_id", "User"),
            _pick("Type", "type", *_EVENT_TYPES.values()),
            _ref("AccountId", "account_id", "Account"),
            Field("Is_Two_Way__c", "boolean", "is_two_way"),
            Field("Acknowledged_On__c", "date", "acknowledged_on"),
        ),
    )


def _event_relation(tables: Tables) -> SObject:
    people = _participants(tables)
    activities = _table(tables, "activities", *_ACTIVITY_COLUMNS)
    events = activities.loc[activities["crm_object"] == "event", "activity_id"]
    frame = people[people["activity_id"].isin(events)].assign(
        is_invitee=True, is_parent=True, is_what=False, status="Accepted"
    )
    return SObject(
        "EventRelation",
        "0RE",
        *_keyed(frame, "activity_participant_id", "0RE", "activity_id", "contact_id"),
        (
            _ref("RelationId", "contact_id", "Contact", "User", "Lead"),
            _ref("EventId", "activity_id", "Event"),
            _pick("Status", "status", "New", "Declined", "Accepted"),
            Field("IsWhat", "boolean", "is_what"),
            Field("IsParent", "boolean", "is_parent"),
            Field("IsInvitee", "boolean", "is_invitee"),
        ),
        label="Event Relation",
    ).goes_with(_contact(tables), "contact_id")


_CASE_TYPES = {
    "question": "Question", "problem": "Problem", "bug": "Bug",
    "feature_request": "Feature request",
}  # fmt: skip


def _case(tables: Tables) -> SObject:
    frame = _table(tables, "cases", "case_id", "account_id", "contact_id", "case_type", "priority",
                   "status", "origin", "opened_at", "first_response_at", "closed_at", "csat_score",
                   "handoffs", "is_bug_confirmed", "employee_id")  # fmt: skip
    frame = frame.assign(
        type=_words(frame["case_type"], _CASE_TYPES),
        is_closed=frame["closed_at"].notna(),
        created_at=pd.to_datetime(frame["opened_at"], utc=True),
    )
    fields = (
        _ref("ContactId", "contact_id", "Contact"),
        _ref("AccountId", "account_id", "Account"),
        _pick("Type", "type", *_CASE_TYPES.values()),
        _pick("Status", "status"),
        _pick("Origin", "origin"),
        _pick("Priority", "priority"),
        Field("IsClosed", "boolean", "is_closed"),
        Field("ClosedDate", "datetime", "closed_at"),
        _ref("OwnerId", "employee_id", "User"),
        Field("First_Response_At__c", "datetime", "first_response_at"),
        Field("Csat_Score__c", "double", "csat_score"),
        Field("Handoffs__c", "double", "handoffs"),
        Field("Is_Bug_Confirmed__c", "boolean", "is_bug_confirmed"),
    )
    return SObject("Case", "500", frame, "case_id", fields)


def _campaign(tables: Tables) -> SObject:
    frame = _table(
        tables, "campaigns", "campaign_id", "name", "campaign_type", "audience", "status",
        "started_on", "ended_on", "actual_cost_usd",
    )  # fmt: skip
    return SObject(
        "Campaign",
        "701",
        frame,
        "campaign_id",
        (
            Field("Name", "string", "name"),
            _pick("Type", "campaign_type"),
            _pick("Status", "status", "Planned", "In Progress", "Completed"),
            Field("StartDate", "date", "started_on"),
            Field("EndDate", "date", "ended_on"),
            Field("ActualCost", "currency", "actual_cost_usd"),
            _pick("Audience__c", "audience"),
        ),
    )


def _campaign_member(tables: Tables) -> SObject:
    frame = _table(tables, "campaign_members", "campaign_id", "contact_id", "status",
                   "has_responded", "responded_at")  # fmt: skip
    return SObject(
        "CampaignMember",
        "00v",
        *_keyed(frame, "campaign_member_id", "00v", "campaign_id", "contact_id"),
        (
            _ref("CampaignId", "campaign_id", "Campaign"),
            _ref("LeadId", None),
            _ref("ContactId", "contact_id", "Contact"),
            _pick("Status", "status", "Sent", "Responded", "Attended"),
            Field("HasResponded", "boolean", "has_responded"),
            Field("FirstRespondedDate", "date", "responded_at"),
        ),
        label="Campaign Member",
    ).goes_with(_contact(tables), "contact_id")


def _risk_assessment(tables: Tables) -> SObject:
    frame = _table(tables, "risk_assessments", "risk_assessment_id", "account_id", "employee_id",
                   "assessed_on", "sign_today_share", "justification_type")  # fmt: skip
    return _custom(
        "Risk_Assessment__c",
        "a01",
        frame,
        "risk_assessment_id",
        (
            _ref("Account__c", "account_id", "Account"),
            _ref("Employee__c", "employee_id", "User"),
            Field("Assessed_On__c", "date", "assessed_on"),
            Field("Sign_Today_Share__c", "double", "sign_today_share"),
            _pick("Justification_Type__c", "justification_type"),
        ),
    )


def _action_plan(tables: Tables) -> SObject:
    frame = _table(tables, "action_plans", "action_plan_id", "account_id", "owner_id", "plan_type",
                   "opened_on", "due_on", "closed_on", "status", "outcome",
                   "cost_usd")  # fmt: skip
    return _custom(
        "Action_Plan__c",
        "a02",
        frame,
        "action_plan_id",
        (
            _ref("OwnerId", "owner_id", "User"),
            _ref("Account__c", "account_id", "Account"),
            _pick("Plan_Type__c", "plan_type", "save", "success", "onboarding"),
            Field("Opened_On__c", "date", "opened_on"),
            Field("Due_On__c", "date", "due_on"),
            Field("Closed_On__c", "date", "closed_on"),
            _pick("Status__c", "status"),
            Field("Outcome__c", "string", "outcome"),
            Field("Cost_USD__c", "currency", "cost_usd"),
        ),
    )


def _custom(
    name: str, prefix: str, frame: pd.DataFrame, key: str, fields: Sequence[Field]
) -> SObject:
    """A custom object; the desk's own id is the record's name where it is no Salesforce id."""
    is_vendor_id = frame[key].astype(str).str.len().eq(18) & frame[key].astype(str).str.startswith(
        prefix
    )
    named = frame.assign(
        _key=np.where(is_vendor_id, frame[key], _stable_ids(prefix, frame[key])), _name=frame[key]
    )
    return SObject(name, prefix, named, "_key", (Field("Name", "string", "_name"), *fields))


# --- change histories ---------------------------------------------------------------------------

_TRACKED_ACCOUNT = ("OwnerId", "Type", "Segment__c", "ParentId", "Stripe_Customer_Id__c")
_TRACKED_OPPORTUNITY = ("OwnerId", "StageName", "Amount", "CloseDate")
_TRACKED_CONTACT = ("AccountId", "Title", "Level__c", "Roles__c", "Left_On__c")


def _history(
    name: str, prefix: str, parent: SObject, tracked: Sequence[str], names: Mapping[str, str]
) -> SObject:
    """Field history as Salesforce keeps it: a row for each change of a tracked field.

    A change of a lookup makes two rows, with the names and with the ids; the field is
    called by its relation (`Owner`), others by API name. Histories have no SystemModstamp.
    """
    versions = parent.versions
    keys = versions.frame[versions.key].to_numpy(dtype=object)
    same = np.zeros(len(keys), dtype=bool)
    same[1:] = versions.codes[1:] == versions.codes[:-1]
    parts: list[pd.DataFrame] = []
    created = np.flatnonzero(~same)
    parts.append(_changes(keys, versions.at, created, "created", "Text", None, None))
    for field_name in tracked:
        item = parent.field(field_name)
        text = np.asarray(_as_text(parent.array(item), item.query_type), dtype=object)
        changed = np.flatnonzero(same & np.r_[False, text[1:] != text[:-1]])
        old, new = text[changed - 1], text[changed]
        label = item.relation or item.name
        if item.kind == "reference":
            named = [np.asarray([names.get(key, key) for key in side], dtype=object)
                     for side in (old, new)]  # fmt: skip
            parts.append(_changes(keys, versions.at, changed, label, "Text", *named))
            parts.append(_changes(keys, versions.at, changed, label, "EntityId", old, new))
        else:
            parts.append(_changes(keys, versions.at, changed, label, "Text", old, new))
    frame = pd.concat(parts, ignore_index=True)
    frame["_key"] = _stable_ids(
        prefix, frame["parent_id"], frame["version_at"].astype("int64"), frame["field"],
        frame["data_type"],
    )  # fmt: skip
    link = "ParentId" if name.endswith("__History") else f"{parent.name}Id"
    return SObject(
        name,
        prefix,
        frame,
        "_key",
        (
            _ref(link, "parent_id", parent.name),
            _pick("DataType", "data_type"),
            _pick("Field", "field"),
            Field("OldValue", "string", "old_value"),
            Field("NewValue", "string", "new_value"),
        ),
        has_modstamp=False,
    ).goes_with(parent, "parent_id")


def _changes(
    keys: Array, at: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], field: str, kind: str,
    old: Array | None, new: Array | None,
) -> pd.DataFrame:  # fmt: skip
    empty = np.full(len(rows), None, dtype=object)
    return pd.DataFrame({
        "parent_id": keys[rows],
        "version_at": pd.to_datetime(at[rows], unit="us", utc=True),
        "field": np.full(len(rows), field, dtype=object),
        "data_type": np.full(len(rows), kind, dtype=object),
        "old_value": empty if old is None else old,
        "new_value": empty if new is None else new,
    })  # fmt: skip


def _as_text(values: Array, kind: str) -> list[str | None]:
    rendered = View.render_values(values, kind)
    return [None if item is None else str(item) for item in rendered]


def _named(parent: SObject, column: str) -> dict[str, str]:
    frame = parent.versions.frame
    return dict(zip(frame[parent.versions.key], frame[column], strict=True))


def _account_history(tables: Tables) -> SObject:
    account = _account(tables)
    names = _named(account, "name") | _named(_user(tables), "full_name")
    return _history("AccountHistory", "017", account, _TRACKED_ACCOUNT, names)


def _opportunity_history(tables: Tables) -> SObject:
    names = _named(_user(tables), "full_name")
    opportunity = _opportunity(tables)
    return _history("OpportunityFieldHistory", "017", opportunity, _TRACKED_OPPORTUNITY, names)


def _contact_history(tables: Tables) -> SObject:
    return _history(
        "ContactHistory", "017", _contact(tables), _TRACKED_CONTACT,
        _named(_account(tables), "name"),
    )  # fmt: skip


_BUILDERS: tuple[Callable[[Tables], SObject], ...] = (
    _account,
    _contact,
    _user,
    _opportunity,
    _opportunity_contact_role,
    _task,
    _event,
    _event_relation,
    _case,
    _campaign,
    _campaign_member,
    _account_history,
    _opportunity_history,
    _contact_history,
    _risk_assessment,
    _action_plan,
)
