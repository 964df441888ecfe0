"""What has landed already, so that only what is new or changed lands again.

Belongs here: comparison of a batch with the newest landed version of each key. Must not be here:
any view of what a change means.
"""

from __future__ import annotations

from types import TracebackType

import pyarrow as pa
import pyarrow.compute as pc

from ingestion import engine
from ingestion.lake import Lake
from ingestion.schemas.model import LOAD_ID, VERSION_AT, Table

_NEVER_COMPARED = {VERSION_AT.name, LOAD_ID.name, "_row"}


class Known:
    """The newest landed version of every key of a table, as it was when opened (`with`)."""

    def __init__(self, lake: Lake, table: Table, *, where: str = "true") -> None:
        """Reads the table once.

        Args:
            lake: the lake.
            table: a versioned table.
            where: SQL condition that narrows what is read.
        """
        self._table = table
        self._key = ", ".join(f'"{k}"' for k in table.key)
        self._hash = _hash(table)
        self._con = engine.connect()
        newest = lake.read(
            table.source,
            table.name,
            f"""
            select {self._key}, {self._hash} as landed_hash,
                coalesce({_flag(table)}, false) as is_gone,
                {"_source_file" if "_source_file" in table.by_name else "null::varchar"} as origin
            from (
                select *, row_number() over (
                    partition by {self._key} order by _version_at desc, _dlt_load_id desc
                ) as newness
                from t where {where}
            )
            where newness = 1
            """,
        )
        self.is_empty = newest.num_rows == 0
        #: Keys landed and not yet gone.
        self.live = newest.num_rows - (pc.sum(newest["is_gone"]).as_py() or 0)
        self._con.register("newest", newest)
        self._con.execute("create temp table landed as select * from newest")

    def __enter__(self) -> Known:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._con.close()

    def new_only(self, batch: pa.Table) -> pa.Table:
        """Rows of a batch that differ from the newest landed version of their key."""
        if self.is_empty or not batch.num_rows:
            return batch
        using = " and ".join(f'l."{k}" = b."{k}"' for k in self._table.key)
        # Copied in: filters that joins push down cannot reach into Arrow tables.
        self._con.register("given", batch)
        self._con.execute("create or replace temp table batch as select * from given")
        self._con.unregister("given")
        fresh = self._con.execute(
            f"""
            select {", ".join(f'b."{name}"' for name in batch.schema.names)}
            from (select *, {self._hash} as batch_hash, rowid as nth from batch) b
            left join landed l on {using}
            where l.landed_hash is distinct from b.batch_hash
            order by nth
            """
        ).to_arrow_table()
        return fresh.cast(batch.schema)

    def missing_from(self, seen: pa.Table, where: str = "true") -> list[tuple[str, ...]]:
        """Keys landed and not yet gone that are not among `seen` (a table of the key columns)."""
        if self.is_empty:
            return []
        self._con.register("given", seen)
        self._con.execute("create or replace temp table seen as select * from given")
        self._con.unregister("given")
        found = self._con.execute(
            f"select {self._key} from landed where not coalesce(is_gone, false) and {where} "
            f"except select {self._key} from seen order by all"
        ).fetchall()
        return [tuple(row) for row in found]


def _flag(table: Table) -> str:
    """The column that says that a record is gone."""
    flags = ("_deleted", "is_deleted", "deleted")
    return next((name for name in flags if name in table.by_name), "false")


def _hash(table: Table) -> str:
    compared = [c.name for c in table.columns if c.name not in _NEVER_COMPARED]
    return "hash(" + ", ".join(f'"{name}"' for name in compared) + ")"
