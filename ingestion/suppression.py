"""People who have been erased: recognised when a vendor delivers them again, by keyed hashes only.

Belongs here: the list, and redaction of rows on their way in. Must not be here: erasing what has
landed (see `erasure`).

The list holds no id and no address, only their hashes under a key of the installation
(`lake/erasures/key`): who has the list alone can neither read nor guess who is on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from ingestion.lake import Lake
from ingestion.schemas.model import Table

FOLDER = "erasures"
LIST = "suppressed.jsonl"
KEY = "key"
DOMAIN = "erased.invalid"
FIRST_NAME = "Erased"
# Columns by which one record of a person names another one.
LINKS = ("master_record_id", "former_contact_id__c", "former_contact_id", "merged_ids")
_IDS = ("id", "contact_id")


def pseudonym_email(pseudonym: str) -> str:
    """Address that stands in place of the person's; of a domain that can never be registered."""
    return f"{pseudonym}@{DOMAIN}"


@dataclass
class Suppression:
    """The list, read when it is first needed.

    Attributes:
        lake: the lake it lies in.
    """

    lake: Lake
    _known: dict[str, str] | None = None
    _key: bytes = field(default=b"", repr=False)

    @property
    def folder(self) -> Path:
        """Where the list and its key lie."""
        return self.lake.root / FOLDER

    def pseudonym_of(self, value: str | None) -> str | None:
        """Pseudonym of the erased person who has this id or address; None for anybody else."""
        known = self._read()
        if not known or not value:
            return None
        # Records merged into one are named in one column, ';' between.
        parts = value.split(";") if ";" in value else (value,)
        return next((p for v in parts if (p := known.get(self.hash(v))) is not None), None)

    def hash(self, value: str) -> str:
        """Keyed hash of an id or address."""
        return hmac.new(self._secret(), value.strip().lower().encode(), hashlib.sha256).hexdigest()

    def add(self, values: Iterable[str], pseudonym: str) -> None:
        """Puts a person's ids and addresses on the list, on disk before anything else happens."""
        known = self._read()
        fresh = {h for v in values if v and (h := self.hash(v)) not in known}
        if not fresh:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LIST).open("ab") as handle:
            for hashed in sorted(fresh):
                handle.write(orjson.dumps({"hash": hashed, "pseudonym": pseudonym}) + b"\n")
            handle.flush()
            os.fsync(handle.fileno())
        known.update(dict.fromkeys(fresh, pseudonym))

    def new_pseudonym(self, values: Iterable[str]) -> str:
        """The person's pseudonym: the one they have, or one made of their smallest id."""
        some = sorted(v for v in values if v)
        found = next((p for v in some if (p := self.pseudonym_of(v)) is not None), None)
        return found or f"erased-{self.hash(some[0])[:16]}"

    def redact(self, table: Table, rows: pa.Table) -> pa.Table:
        """Rows without personal values of erased people; they keep their ids.

        A record counts as the person's if its id is on the list, or its address, or the record of
        the same person that it names.
        """
        if not rows.num_rows or not self._read() or not table.pii_columns:
            return rows
        asked = [
            c
            for c in (*_IDS, *LINKS, "email", "email_hash")
            if c in rows.column_names and (c != "id" or table.key == ("id",))
        ]
        columns = {c: rows[c].to_pylist() for c in asked}
        met = [
            next((p for c in asked if (p := self.pseudonym_of(columns[c][i])) is not None), None)
            for i in range(rows.num_rows)
        ]
        if not any(met):
            return rows
        for at, pseudonym in enumerate(met):
            if pseudonym is not None:
                self.add([columns[c][at] for c in asked if c in _IDS], pseudonym)
        for column in table.pii_columns:
            values = rows[column].to_pylist()
            changed = [
                v
                if p is None or v is None or not self._is_theirs(column, v)
                else stand_in(column, p)
                for v, p in zip(values, met, strict=True)
            ]
            place = rows.schema.get_field_index(column)
            rows = rows.set_column(place, column, pa.array(changed, rows.schema.field(place).type))
        return rows

    def _is_theirs(self, column: str, value: str) -> bool:
        """Whether a personal value is the person's: a billed company has its own name."""
        return column != "name" or self.pseudonym_of(value) is not None

    def _read(self) -> dict[str, str]:
        if self._known is None:
            self._known = {}
            path = self.folder / LIST
            for line in path.read_bytes().splitlines() if path.exists() else []:
                try:
                    entry: Mapping[str, Any] = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue  # cut off in writing; the erasure that wrote it runs again
                self._known[entry["hash"]] = entry["pseudonym"]
        return self._known

    def _secret(self) -> bytes:
        if not self._key:
            path = self.folder / KEY
            if not path.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                aside = path.with_name(f".{KEY}.{os.getpid()}")
                aside.write_bytes(secrets.token_bytes(32))
                aside.chmod(0o600)
                with contextlib.suppress(FileExistsError):
                    path.hardlink_to(aside)  # the first writer wins
                aside.unlink()
            self._key = path.read_bytes()
        return self._key


def stand_in(column: str, pseudonym: str) -> str:
    """What a personal column holds for an erased person."""
    if column == "first_name":
        return FIRST_NAME
    if column == "email":
        return pseudonym_email(pseudonym)
    return pseudonym
