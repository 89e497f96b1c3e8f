"""Reads an SQLite file by ADBC and writes Arrow's stream to stdout; run in a process of its own, see `scan`.

It takes the driver's plain calls: its `dbapi` would import pandas, which takes longer than to read 50,000 rows.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Read path and query from stdin, write the rows to stdout."""
    import adbc_driver_manager
    import adbc_driver_sqlite
    import pyarrow as pa

    asked = json.load(sys.stdin)
    with (
        adbc_driver_sqlite.connect(asked["path"]) as database,
        adbc_driver_manager.AdbcConnection(database) as connection,
        adbc_driver_manager.AdbcStatement(connection) as statement,
    ):
        statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
        statement.set_sql_query(asked["query"])
        rows, _ = statement.execute_query()
        reader = pa.RecordBatchReader.from_stream(rows)
        with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as stream:
            for batch in reader:
                stream.write_batch(batch)


if __name__ == "__main__":
    main()
