"""How a step reads the warehouse, whose only writer is dbt.

Belongs here: the connection, and tables that several steps read whole. Must not be here: what is
done with the rows.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd


@contextmanager
def reading(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse for reading; instants come as UTC whatever the machine's zone.

    Args:
        warehouse: the database.
    """
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        yield connection


def features(connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Return every account and day of the feature table, in the order of its key."""
    return connection.execute(
        "select * from intermediate.int_account_features order by account_id, observed_on"
    ).df()
