"""The same company with HubSpot as its CRM: every CRM id as HubSpot would have given it.

The world knows its records by Salesforce ids, and so do its invoices, sheets and truth tables. A
company on HubSpot has HubSpot's numbers in all of these places, so the whole world is renamed.

Belongs here: the renaming, a pure function of each id. Must not be here: anything served.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import pandas as pd

W = TypeVar("W")

#: Ids of records; the last three characters are Salesforce's checksum.
_SALESFORCE = re.compile(r"(?:00[13567TUvK]|01[7]|0RE|500|701|a0\d)[0-9A-Za-z]{12}[A-Z0-5]{3}")
#: Digits of an id. HubSpot counts up, so older records have shorter ids than newer ones.
_LEAST_DIGITS, _MOST_DIGITS = 12, 15


def record_id(key: str) -> str:
    """The HubSpot id of one record of the world, or of any other text that names a thing."""
    return str(record_ids(pd.Series([key], dtype=object)).iloc[0])


def record_ids(keys: pd.Series) -> pd.Series:
    """HubSpot ids of records: numbers of 12 to 15 digits, so that as text they sort otherwise.

    Raises:
        ValueError: two keys would share an id.
    """
    codes, uniques = pd.factorize(keys.astype(object))
    hashes = pd.util.hash_array(np.asarray(uniques, dtype=object), categorize=False)
    digits = _LEAST_DIGITS + (hashes >> np.uint64(61)) % np.uint64(_MOST_DIGITS - _LEAST_DIGITS + 1)
    lowest = np.uint64(10) ** (digits - np.uint64(1))
    numbers = lowest + hashes % (np.uint64(9) * lowest)
    if len(np.unique(numbers)) != len(numbers):
        raise ValueError("two records would share an id; choose other numbers of digits")
    names = np.full(len(numbers) + 1, None, dtype=object)
    names[:-1] = numbers.astype(str)
    return pd.Series(names[codes], index=keys.index, dtype=object)


def renamed(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Tables with every Salesforce id, in whatever column, replaced by the HubSpot id."""
    return {name: _renamed(frame) for name, frame in tables.items()}


def as_hubspot_customer(world: W) -> W:
    """The world of the same company, had it chosen HubSpot: tables and truth renamed."""
    parts: dict[str, Any] = dict(vars(world))
    for name in ("tables", "truth"):
        parts[name] = renamed(parts[name])
    return type(world)(**parts)


def _renamed(frame: pd.DataFrame) -> pd.DataFrame:
    changed: dict[str, pd.Series] = {}
    for column in frame.columns:
        values = frame[column]
        if values.dtype.kind in "biufmMc":
            continue
        uniques = values.dropna().unique()
        ids = [u for u in uniques if isinstance(u, str) and _SALESFORCE.fullmatch(u)]
        if ids:
            names = dict(zip(ids, record_ids(pd.Series(ids, dtype=object)), strict=True))
            changed[str(column)] = values.map(lambda v, to=names: to.get(v, v)).astype(values.dtype)
    return frame.assign(**changed) if changed else frame
