"""The account-months that observables are drawn from, with what every draw needs beside them.

Belongs here: joining accounts, latent state and days of service; who serves whom on which day.
Must not be here: any behaviour. This module reads the latent state and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from sample_company.ids import salesforce_ids
from sample_company.rng import F64, I64, U64
from sample_company.world.noise import Bool, key_of
from sample_company.world.office import naive, zones

Tables = dict[str, pd.DataFrame]
Days = npt.NDArray[np.datetime64]

FAR = np.datetime64("2200-01-01", "D")
_ONE_DAY = np.timedelta64(1, "D")
_MONTHS = 1 << 20


@dataclass(frozen=True)
class Panel:
    """Accounts, their months in service and the exact days of service.

    accounts: one row per account by creation; account_id, key (64 bits), segment, zone, domain,
        entered_on (first known to the CRM), is_customer, levels_at_start, acquisition_origin, ...
    months: months with a contract in force, by month and account; position (row of `accounts`),
        key, month (first day), month_no, first and last (days of service in the month) and the
        latent columns.
    services: position, start, stop (exclusive; FAR while open) and the day on which the stop was
        entered (after the stop where a cancellation was back-dated): one row per subscription.
    horizon: last day that has happened.
    """

    accounts: pd.DataFrame
    months: pd.DataFrame
    services: pd.DataFrame
    horizon: np.datetime64

    def engagements(self) -> pd.DataFrame:
        """Unbroken stretches of service: position, start, stop (FAR while open), entered."""
        held = self.services.sort_values(["position", "start", "stop"], kind="stable")
        reach = held.groupby("position")["stop"].cummax()
        before = reach.groupby(held["position"]).shift()
        opens = before.isna() | (held["start"] > before)
        stretch = held.assign(number=opens.cumsum())
        return stretch.groupby("number", as_index=False).agg(
            {"position": "first", "start": "first", "stop": "max", "entered": "max"}
        )

    def of(self, name: str) -> npt.NDArray[Any]:
        """An account attribute repeated for every account-month."""
        return np.asarray(self.accounts[name].to_numpy()[self.months["position"].to_numpy()])

    def at(self, name: str, position: I64) -> npt.NDArray[Any]:
        """An account attribute at the given rows of `accounts`."""
        return np.asarray(self.accounts[name].to_numpy()[position])

    def row_of(self, position: Any, day: Any) -> I64:
        """Row of `months` that holds the account on that day; -1 where it has no contract then."""
        month_no = np.asarray(day, dtype="datetime64[M]").astype(np.int64)
        code = month_no * _MONTHS + np.asarray(position, dtype=np.int64)
        known = self.months["month_no"].to_numpy() * _MONTHS + self.months["position"].to_numpy()
        row = np.minimum(np.searchsorted(known, code), max(known.size - 1, 0))
        if known.size == 0:
            return np.full(code.shape, -1, dtype=np.int64)
        return np.where(known[row] == code, row, -1)

    def serves(self, position: Any, day: Any) -> Bool:
        """Whether the account is in service on the day."""
        row = self.row_of(position, day)
        if not len(self.months):
            return np.zeros(row.shape, dtype=np.bool_)
        days = np.asarray(day, dtype="datetime64[D]")
        first = self.months["first"].to_numpy().astype("datetime64[D]")
        last = self.months["last"].to_numpy().astype("datetime64[D]")
        return np.asarray((row >= 0) & (days >= first[row]) & (days <= last[row]), dtype=np.bool_)

    def customer_at(self, day: Any, share: F64) -> I64:
        """Position of one customer of the month before the day, by `share` (0-1); -1 without any.

        The month before, because it is complete: who will buy later in the day's own month is not
        known on the day.
        """
        known = self.months["month_no"].to_numpy()
        month_no = np.asarray(day, dtype="datetime64[M]").astype(np.int64) - 1
        low = np.searchsorted(known, month_no, side="left")
        high = np.searchsorted(known, month_no, side="right")
        row = np.minimum(low + np.floor(share * (high - low)).astype(np.int64), known.size - 1)
        return np.where(high > low, self.months["position"].to_numpy()[row], -1)


def build_panel(tables: Tables, horizon: date) -> Panel:
    """Join accounts, latent months and service days.

    Args:
        tables: needs accounts, opportunities, latent, billing_customers, subscription_versions.
        horizon: last day that has happened.
    """
    accounts = _accounts(tables)
    services = _services(tables, accounts)
    months = _months(tables, accounts, services)
    start = months.sort_values("month_no", kind="stable").drop_duplicates("position")
    levels = pd.Series(start["levels_known"].to_numpy(), index=start["position"].to_numpy())
    accounts["is_customer"] = accounts.index.isin(months["position"].to_numpy())
    accounts["levels_at_start"] = (
        accounts.index.to_series().map(levels).fillna(1).astype("int64").to_numpy()
    )
    return Panel(accounts, months, services, np.datetime64(horizon, "D"))


def _accounts(tables: Tables) -> pd.DataFrame:
    versions = tables["accounts"].sort_values("version_at", kind="stable")
    # The first version: what an account is when it enters does not change with the horizon.
    first = versions.drop_duplicates("account_id").sort_values(["created_at", "account_id"])
    first = first.reset_index(drop=True)
    workspace = versions.dropna(subset=["workspace_id"]).drop_duplicates("account_id")
    first["workspace_id"] = first["account_id"].map(
        workspace.set_index("account_id")["workspace_id"]
    )
    first["key"] = key_of(first["account_id"])
    first["zone"] = zones(first["country"])
    first["entered_on"] = naive(first["created_at"]).astype("datetime64[D]").astype("datetime64[s]")
    return first


def _services(tables: Tables, accounts: pd.DataFrame) -> pd.DataFrame:
    versions = tables["subscription_versions"].sort_values("version_at", kind="stable")
    last = versions.drop_duplicates("subscription_id", keep="last")
    position = pd.Series(accounts.index, index=accounts["account_id"])
    start = naive(last["start_at"]).astype("datetime64[D]")
    stop = naive(last["ended_at"]).astype("datetime64[D]")
    entered = np.maximum(stop, naive(last["version_at"]).astype("datetime64[D]"))
    return (
        pd.DataFrame(
            {
                "position": last["metadata_account_id"].map(position).to_numpy(),
                "start": start.astype("datetime64[s]"),
                "stop": np.where(np.isnat(stop), FAR, stop).astype("datetime64[s]"),
                "entered": np.where(np.isnat(stop), FAR, entered).astype("datetime64[s]"),
            }
        )
        .dropna(subset=["position"])
        .astype({"position": "int64"})
        .reset_index(drop=True)
    )


def _months(tables: Tables, accounts: pd.DataFrame, services: pd.DataFrame) -> pd.DataFrame:
    """Latent months in force, each with its first and last day of service (none: dropped)."""
    latent = tables["latent"]
    months = latent[latent["is_active"]].copy()
    position = pd.Series(accounts.index, index=accounts["account_id"])
    months["position"] = months["account_id"].map(position).astype("int64")
    months["key"] = accounts["key"].to_numpy()[months["position"].to_numpy()]
    months = months.sort_values(["month_no", "position"], kind="stable").reset_index(drop=True)
    pairs = months[["position", "month_no"]].reset_index().merge(services, on="position")
    month = pairs["month_no"].to_numpy().astype("datetime64[M]")
    begin = month.astype("datetime64[D]")
    finish = (month + 1).astype("datetime64[D]") - _ONE_DAY
    first = np.maximum(begin, pairs["start"].to_numpy().astype("datetime64[D]"))
    last = np.minimum(finish, pairs["stop"].to_numpy().astype("datetime64[D]") - _ONE_DAY)
    held = first <= last
    span = (
        pd.DataFrame(
            {
                "index": pairs["index"].to_numpy()[held],
                "first": first[held].astype("datetime64[s]"),
                "last": last[held].astype("datetime64[s]"),
            }
        )
        .groupby("index")
        .agg({"first": "min", "last": "max"})
    )
    return months.join(span, how="inner").reset_index(drop=True)


def record_ids(prefix: str, keys: U64) -> npt.NDArray[np.object_]:
    """Salesforce record ids from 64-bit keys."""
    return salesforce_ids(prefix, keys)


def plain_ids(prefix: str, keys: U64, length: int = 12) -> npt.NDArray[np.object_]:
    """Short ids such as `nps_4f…` from 64-bit keys, for what lives outside the CRM."""
    text = _hexadecimal(keys, length).view(f"S{length}").ravel().astype(f"U{length}")
    return np.asarray(prefix + text.astype(object), dtype=object)


def plain_texts(prefix: str, keys: U64, length: int = 12) -> pa.Array:
    """The same ids as an Arrow column, made without a Python object per row."""
    head = np.frombuffer(prefix.encode(), dtype=np.uint8)
    letters = np.concatenate(
        [np.broadcast_to(head, (keys.size, head.size)), _hexadecimal(keys, length)], axis=1
    )
    offsets = np.arange(keys.size + 1, dtype=np.int64) * letters.shape[1]
    return pa.LargeStringArray.from_buffers(
        keys.size, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(letters))
    )


def _hexadecimal(keys: U64, length: int) -> npt.NDArray[np.uint8]:
    digits = np.empty((keys.size, length), dtype=np.uint8)
    alphabet = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
    for place in range(length):
        shift = np.uint64(4 * place)
        digits[:, place] = alphabet[((keys >> shift) & np.uint64(15)).astype(np.uint8)]
    return digits


def only(frame: pd.DataFrame, chosen: Any) -> pd.DataFrame:
    """The chosen rows, numbered anew."""
    kept: pd.DataFrame = frame[chosen].reset_index(drop=True)
    return kept


def happened(
    frame: pd.DataFrame, clock: str, horizon: np.datetime64, then: str | None = None
) -> pd.DataFrame:
    """Rows whose clock lies on or before the horizon, in order of clock and `then`.

    By default `then` is the first column: an order that a later horizon only continues.
    """
    end = pd.Timestamp(str(horizon), tz="UTC") + pd.Timedelta(days=1)
    kept = frame[frame[clock] < end]
    order = [clock, then or str(kept.columns[0])]
    return kept.sort_values(order, kind="stable").reset_index(drop=True)


def dates(values: Any) -> pd.Series[Any]:
    """Days as a date column of the world: datetime64[s] midnights without zone; FAR is missing."""
    stamps = np.asarray(values, dtype="datetime64[D]")
    stamps = np.where(stamps >= FAR, np.datetime64("NaT", "D"), stamps)
    return pd.Series(stamps.astype("datetime64[s]"))
