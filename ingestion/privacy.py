"""What of people's data is never written, written only as a hash, or blanked in what people read.

Belongs here: the lists and functions that every connector applies before anything touches disk,
logs or rejects. Must not be here: erasure of a person from what has landed.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from typing import Any

from ingestion.schemas.model import Table

REDACTED = "[redacted]"

# Free text about people and private contact data: no metric needs them, so they are not even asked
# for.
NEVER_LANDED = frozenset(
    {
        "address",
        "assistant_name",
        "assistant_phone",
        "birthdate",
        "card",
        "comments",
        "description",
        "fax",
        "home_phone",
        "mailing_address",
        "mobile_phone",
        "other_phone",
        "payment_method_details",
        "phone",
        "photo_url",
        "shipping",
        "subject",
        "tax_ids",
    }
)
# Tracked fields whose old and new values name a person; that they changed is kept, the values are
# not.
PERSONAL_FIELDS = frozenset(
    {
        "assistantname",
        "email",
        "firstname",
        "homephone",
        "lastname",
        "mailingaddress",
        "middlename",
        "mobilephone",
        "name",
        "otherphone",
        "phone",
    }
)
_EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
_PHONE = re.compile(r"(?<![\w.:-])\+?\(?\d{1,4}\)?(?:[ ()/-]{1,2}\d{2,5}){2,5}(?![\w.:-])")
_DATE = re.compile(r"[12]\d{3}-[01]\d-[0-3]\d")
_NAMES = re.compile(
    r"(^|_)(first_?name|last_?name|full_?name|user_?name|contact_?name|e_?mail|phone|mobile|fax)(_|$)",
    re.IGNORECASE,
)


def hash_email(email: str | None) -> str | None:
    """SHA-256 of the trimmed, lower-cased address, in hex; equal people compare equal."""
    if email is None or not email.strip():
        return None
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def mask(text: str) -> str:
    """The text with whatever looks like an e-mail address or a phone number blanked."""
    return _PHONE.sub(_unless_date, _EMAIL.sub(REDACTED, text))


def redact(record: Mapping[str, Any], table: Table | None) -> dict[str, Any]:
    """A record fit for rejects and messages: personal columns and look-alikes blanked.

    Args:
        record: column or vendor field -> value.
        table: declaration whose personal columns are blanked; None to go by names alone.
    """
    personal = set(table.pii_columns) if table is not None else set()
    return {key: _redact(key, value, personal) for key, value in record.items()}


def is_redacted(value: Any) -> bool:
    """Whether anything was blanked, so that the value cannot be landed again from the reject."""
    if isinstance(value, str):
        return REDACTED in value
    if isinstance(value, Mapping):
        return any(is_redacted(v) for v in value.values())
    if isinstance(value, list):
        return any(is_redacted(v) for v in value)
    return False


def _unless_date(found: re.Match[str]) -> str:
    digits = sum(c.isdigit() for c in found.group())
    is_date = _DATE.match(found.group()) is not None
    return found.group() if is_date or not 7 <= digits <= 15 else REDACTED


def _redact(key: str, value: Any, personal: set[str]) -> Any:
    if value is None:
        return None
    if key in personal or key in NEVER_LANDED or _NAMES.search(key):
        return REDACTED
    if isinstance(value, str):
        # A lone surrogate can be neither stored nor compared.
        return mask(value.encode("utf-8", "replace").decode())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {k: _redact(str(k), v, personal) for k, v in value.items()}
    if isinstance(value, list):
        return [_redact(key, v, personal) for v in value]
    return value
