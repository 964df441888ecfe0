"""Erasing a person from what has landed: the one rewrite there is.

A person's records keep their ids, and their values are replaced by a pseudonym that all records of
the person share, so everything counts as before. The replacement is the same in every table; an
address that serves as a user's id in the product becomes the pseudonymous address there too.

Killed at any moment and started again, the outcome is the same: first the person goes on the list
that redacts new deliveries, then every file with one of their values is written aside and replaced,
those of their own records last (what to look for is read from them), and then it is noted that the
contact is settled.

Belongs here: who the person's records are, what their values are, rewriting files of the lake. Must
not be here: recognising new deliveries (see `suppression`), published nights (see `publishing`).

What is not ours stays as it is: files that other tools deliver, backups, the vendors themselves.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ingestion import engine, landing, privacy, schemas
from ingestion.lake import ANCHOR, Lake, finish_load, new_load_id, write_parquet
from ingestion.schemas.model import LOAD_ID, Table
from ingestion.schemas.operations import SETTLED
from ingestion.suppression import FOLDER, LINKS, Suppression, pseudonym_email, stand_in

REQUESTS = ("desk", "erasure_requests")
# Where people's own records land; the values of a person are read from them.
PEOPLE = (("salesforce", "contact"), ("hubspot", "contact"))
# People of the company itself; a customer's name met there is a colleague's.
_COLLEAGUES = {("salesforce", "user"), ("hubspot", "user"), ("hubspot", "owner")}
# A company may bear a person's name and keeps it.
_COMPANIES = {("salesforce", "account"), ("hubspot", "company"), ("stripe", "customers")}
# Made by machines, on every row of the largest table.
_NEVER_PERSONAL = frozenset({"message_id", "_dlt_load_id", "source_file", "load_id"})
_SHORTEST_NAME = 5
_FEWEST_DIGITS = 7


@dataclass
class Outcome:
    """What an erasure did.

    Attributes:
        contacts: ids of the contacts that are settled now.
        files: files rewritten.
        values: rows in which something was replaced.
    """

    contacts: list[str] = field(default_factory=list)
    files: int = 0
    rows: int = 0


@dataclass(frozen=True)
class Person:
    """A person's records and values, in memory only.

    Attributes:
        pseudonym: stands in their place.
        ids: their contacts.
        emails: addresses, lower case.
        names: full names.
        numbers: phone numbers as given.
    """

    pseudonym: str
    ids: frozenset[str]
    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()

    @property
    def hashes(self) -> frozenset[str]:
        """Their addresses as they land from billing systems."""
        return frozenset(h for e in self.emails if (h := privacy.hash_email(e)))


def pending(lake: Lake) -> list[str]:
    """Contacts whose erasure was asked for in the desk's file and is not settled."""
    asked = lake.read(
        *REQUESTS,
        """
        select contact_id from (
            select *, row_number() over (
                partition by contact_id order by _version_at desc, _dlt_load_id desc
            ) as newness
            from t
        )
        where newness = 1 and not coalesce(_deleted, false) order by 1
        """,
    )
    done = set(settled(lake))
    return [c for c in asked["contact_id"].to_pylist() if c not in done]


def settled(lake: Lake) -> list[str]:
    """Contacts that have been erased."""
    rows = lake.read(SETTLED.source, SETTLED.name)
    return sorted(set(rows["contact_id"].to_pylist())) if rows.num_rows else []


def run_pending(lake: Lake, *, as_of: date, progress: Callable[[str], None]) -> Outcome:
    """Erases whoever asked to be; costs nothing if nobody did."""
    asked = pending(lake)
    return erase(lake, asked, as_of=as_of, progress=progress) if asked else Outcome()


def erase(
    lake: Lake,
    contacts: Sequence[str],
    *,
    also: Sequence[str] = (),
    as_of: date,
    progress: Callable[[str], None],
) -> Outcome:
    """Erases people, all of their contacts included, in one pass over the lake.

    Args:
        lake: the lake.
        contacts: id of one contact of each person.
        also: further addresses and numbers, of the first one.
        as_of: date by which the erasure is noted.
        progress: told a line; never a value.
    """
    list_ = Suppression(lake)
    records = [r for table in PEOPLE for r in _records(lake, *table)]
    people: list[Person] = []
    for number, contact in enumerate(contacts):
        if any(contact in p.ids for p in people):
            continue
        person = _person(records, list_, contact, also if number == 0 else ())
        list_.add(
            [*person.ids, *person.emails, *person.hashes, *person.names, *person.numbers],
            person.pseudonym,
        )
        people.append(person)
    wanted = _Wanted.of(people)
    outcome = Outcome(sorted(wanted.ids))
    for source, name in _tables(lake):
        with landing.holding(lake, source):
            for file in _files_with(lake, source, name, wanted):
                rows = _rewrite(file, source, name, wanted)
                outcome.files += rows > 0
                outcome.rows += rows
    for source in sorted(p.name for p in lake.root.iterdir() if p.is_dir()):
        with landing.holding(lake, source):
            for left in lake.work.glob(f"{source}-*"):
                shutil.rmtree(left, ignore_errors=True)
    _settle(lake, wanted, as_of)
    progress(
        f"erased: {len(people)} people with {len(outcome.contacts)} contacts, "
        f"{outcome.files} files rewritten"
    )
    return outcome


@dataclass(frozen=True)
class _Wanted:
    """What is looked for, and what stands in its place.

    Attributes:
        ids: contact -> pseudonym.
        hashes: hash of an address -> pseudonym.
        names: full name, lower case -> pseudonym.
        words: every value, lower case -> what stands in its place.
    """

    ids: dict[str, str]
    hashes: dict[str, str]
    names: dict[str, str]
    words: dict[str, str]

    @classmethod
    def of(cls, people: Sequence[Person]) -> _Wanted:
        words: dict[str, str] = {}
        for person in people:
            for value in person.emails:
                words[value.lower()] = pseudonym_email(person.pseudonym)
            for value in (*person.names, *person.numbers):
                # JSON text that knows ASCII only writes a capital letter under another number.
                for form in (value, _escaped(value), _escaped(value.lower())):
                    words[form.lower()] = person.pseudonym
        return cls(
            {i: p.pseudonym for p in people for i in p.ids},
            {h: p.pseudonym for p in people for h in p.hashes},
            {n.lower(): p.pseudonym for p in people for n in p.names},
            words,
        )

    def pattern(self, *, with_names: bool) -> re.Pattern[str] | None:
        """The values as whole words: part of another address or name is somebody else's."""
        some = [w for w in self.words if with_names or w not in self.names]
        if not some:
            return None
        listed = "|".join(re.escape(w) for w in sorted(some, key=len, reverse=True))
        return re.compile(rf"(?<![\w.+%-])(?:{listed})(?!\w|[.-]\w)", re.IGNORECASE)


def _person(
    records: Sequence[dict[str, Any]], list_: Suppression, contact: str, also: Sequence[str]
) -> Person:
    """The person's contacts: the same address, merged into one another, or named as the same."""
    ids = {r["id"] for r in records if r["id"] == contact or r["id"][:15] == contact} | {contact}
    pseudonym = list_.new_pseudonym(ids)
    emails = {a.strip().lower() for a in also if "@" in a}
    while True:
        theirs = [
            r
            for r in records
            if r["id"] in ids
            or (r["email"] or "").strip().lower() in emails
            or ids & _linked(r)
            or list_.pseudonym_of(r["id"]) == pseudonym
        ]
        known = len(ids) + len(emails)
        for record in theirs:
            ids |= {record["id"], *_linked(record)}
            emails |= {e for e in [(record["email"] or "").strip().lower()] if "@" in e}
        if len(ids) + len(emails) == known:
            break
    names = {
        " ".join(part for part in (r["first_name"], r["last_name"]) if part).strip()
        for r in theirs
        if r["last_name"] and r["first_name"]
    }
    own = pseudonym_email(pseudonym)
    return Person(
        pseudonym,
        frozenset(ids),
        frozenset(e for e in emails if e != own),
        frozenset(n for n in names if len(n) >= _SHORTEST_NAME and pseudonym not in n),
        frozenset(a.strip() for a in also if sum(c.isdigit() for c in a) >= _FEWEST_DIGITS),
    )


def _linked(record: dict[str, Any]) -> set[str]:
    """Ids of the same person's other records that a record names."""
    return {part for c in LINKS if record.get(c) for part in str(record[c]).split(";") if part}


def _records(lake: Lake, source: str, name: str) -> list[dict[str, Any]]:
    table = schemas.find(source, name)
    if table is None:
        return []
    columns = [c for c in ("id", "first_name", "last_name", "email", *LINKS) if c in table.by_name]
    found: list[dict[str, Any]] = lake.read(
        source, name, f"select distinct {', '.join(columns)} from t"
    ).to_pylist()
    return found


def _tables(lake: Lake) -> list[tuple[str, str]]:
    """Every table of the lake, those of people last."""
    found = [
        (source.name, table.name)
        for source in sorted(lake.root.iterdir())
        if source.is_dir() and source.name != FOLDER
        for table in sorted(source.iterdir())
        if table.is_dir() and not table.name.startswith("_dlt")
    ]
    return sorted(found, key=lambda t: (t in PEOPLE, t))


def _files_with(lake: Lake, source: str, name: str, wanted: _Wanted) -> list[Path]:
    """Files of a table in which a value of theirs stands."""
    if (source, name) in _COLLEAGUES:
        return []
    files = [
        f
        for f in sorted(lake.table(source, name).rglob("*.parquet"))
        if f.name != ANCHOR and not f.name.startswith(".")
    ]
    if not files:
        return []
    # Finds more than whole words; the rewriting decides.
    pattern = "(?i)" + "|".join(_literally(w) for w in sorted(wanted.words))
    found: list[Path] = []
    with engine.connect() as con:
        # By equal schemas, since a file written before a column was declared has other ones.
        by_schema: dict[tuple[tuple[str, str], ...], list[Path]] = {}
        for file in files:
            fields = tuple((f.name, str(f.type)) for f in pq.read_schema(file))
            by_schema.setdefault(fields, []).append(file)
        for fields, some in by_schema.items():
            texts = [n for n, kind in fields if kind in ("string", "large_string")]
            conditions = []
            if wanted.words:
                conditions += [
                    f"regexp_matches({_quoted(c)}, {_literal(pattern)})"
                    for c in texts
                    if c not in _NEVER_PERSONAL
                ]
            if (source, name) in PEOPLE and "id" in texts:
                conditions.append(f"id in ({', '.join(map(_literal, sorted(wanted.ids)))})")
            if "email_hash" in texts and wanted.hashes:
                listed = ", ".join(map(_literal, sorted(wanted.hashes)))
                conditions.append(f"email_hash in ({listed})")
            if not conditions:
                continue
            paths = "[" + ", ".join(_literal(str(f)) for f in some) + "]"
            hits = con.execute(
                f"select distinct filename from read_parquet({paths}, filename = true, "
                f"hive_partitioning = false) where {' or '.join(conditions)}"
            ).fetchall()
            found += [Path(hit[0]) for hit in hits]
    return sorted(found)


def _rewrite(file: Path, source: str, name: str, wanted: _Wanted) -> int:
    """Writes a file anew without the values; returns the rows that changed."""
    with pq.ParquetFile(file) as opened:
        before = opened.read()
    table = schemas.find(source, name)
    after = before
    if (source, name) in PEOPLE and table is not None:
        after = _own_records(after, table, wanted)
    for place, column in enumerate(after.schema):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            values = after[column.name].to_pylist()
            replaced = _replaced(values, source, name, column.name, wanted)
            if replaced != values:
                after = after.set_column(place, column, pa.array(replaced, column.type))
    if after.equals(before):
        return 0
    write_parquet(after, file)
    return sum(a != b for a, b in zip(before.to_pylist(), after.to_pylist(), strict=True))


def _own_records(rows: pa.Table, table: Table, wanted: _Wanted) -> pa.Table:
    theirs = [wanted.ids.get(i) for i in rows["id"].to_pylist()]
    for name in table.pii_columns:
        if name not in rows.column_names:
            continue
        values = [
            value if pseudonym is None or value is None else stand_in(name, pseudonym)
            for value, pseudonym in zip(rows[name].to_pylist(), theirs, strict=True)
        ]
        place = rows.schema.get_field_index(name)
        column = rows.schema.field(place)
        rows = rows.set_column(place, column, pa.array(values, column.type))
    return rows


def _replaced(
    values: Sequence[str | None], source: str, name: str, column: str, wanted: _Wanted
) -> list[str | None]:
    """The column with the values replaced."""
    if column == "email_hash":
        return [v if v is None else wanted.hashes.get(v, v) for v in values]
    is_company = (source, name) in _COMPANIES and column == "name"
    pattern = wanted.pattern(with_names=not is_company)
    if pattern is None:
        return list(values)
    out: list[str | None] = []
    for value in values:
        if value is None:
            out.append(None)
        elif is_company and source == "stripe" and value.strip().lower() in wanted.names:
            out.append(wanted.names[value.strip().lower()])
        else:
            out.append(
                pattern.sub(lambda m: wanted.words.get(m.group().lower(), privacy.REDACTED), value)
            )
    return out


def _escaped(text: str) -> str:
    """As it stands in JSON text that knows ASCII only."""
    return "".join(c if ord(c) < 128 else f"\\u{ord(c):04x}" for c in text)


def _settle(lake: Lake, wanted: _Wanted, as_of: date) -> None:
    fresh = wanted.ids.keys() - set(settled(lake))
    if not fresh:
        return
    load_id = new_load_id(lake, FOLDER)
    rows = [
        {
            "contact_id": i,
            "pseudonym": wanted.ids[i],
            "settled_on": as_of,
            LOAD_ID.name: load_id,
        }
        for i in sorted(fresh)
    ]
    write_parquet(
        pa.Table.from_pylist(rows, schema=SETTLED.arrow_schema),
        lake.table(FOLDER, SETTLED.name) / f"{load_id}-0.parquet",
    )
    finish_load(lake, FOLDER, load_id)


def read_values(lines: Iterable[str]) -> list[str]:
    """Further addresses and numbers from a file: one a line."""
    return [line.strip() for line in lines if line.strip()]


def _literally(text: str) -> str:
    """The text as DuckDB's regular expressions match it letter by letter."""
    return re.sub(r"([^\w\s@])", r"\\\1", text)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
