"""The engine that reads what has landed: one a process, in memory.

Belongs here: how a connection to it is got. Must not be here: any query.
"""

from __future__ import annotations

from functools import cache

import duckdb


def connect() -> duckdb.DuckDBPyConnection:
    """A connection of one's own, in UTC: its temporary tables and views are nobody else's.

    Close it, or use it in a `with`. Several threads may have one each.
    """
    connection = _engine().cursor()
    connection.execute("set timezone = 'UTC'")
    return connection


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    # To start one takes forty times as long as to read a small table.
    return duckdb.connect()
