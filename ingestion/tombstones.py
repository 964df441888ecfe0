"""Rows that say a record is gone, made of what had landed of it.

Belongs here: the last version of a record, marked deleted. Must not be here: how a source finds out
what is gone, or how much of it is believed (see `deletions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from ingestion.lake import Lake
from ingestion.schemas.model import Table


def of_last_versions(
    lake: Lake, table: Table, flag: str, keys: Sequence[str], at: datetime
) -> pa.Table:
    """Last landed versions of records that were not gone yet, marked so from an instant on.

    Args:
        lake: the lake.
        table: a versioned table with one key column.
        flag: column that says a record is gone.
        keys: keys of the records; those that never landed are left out.
        at: the instant; a record with a later stamp goes at its stamp, for the newest version
            counts and it would outlive its tombstone.
    """
    if not keys:
        return table.write_schema.empty_table()
    names = ", ".join(f'"{n}"' for n in table.write_schema.names)
    newest = lake.read(
        table.source,
        table.name,
        f"""
        select {names} from (
            select *, row_number() over (
                partition by "{table.key[0]}" order by _version_at desc, _dlt_load_id desc
            ) as newness
            from t
        )
        where newness = 1 and not coalesce({flag}, false)
        """,
    ).cast(table.write_schema)
    gone = newest.filter(pc.is_in(newest[table.key[0]], pa.array(keys, pa.string())))
    stamps = gone["_version_at"]
    listed = pa.scalar(at, stamps.type)
    later = pc.if_else(pc.less(stamps, listed), listed, stamps)
    marks = pa.array([True] * gone.num_rows, pa.bool_())
    gone = gone.set_column(gone.schema.get_field_index(flag), flag, marks)
    return gone.set_column(gone.schema.get_field_index("_version_at"), "_version_at", later)
