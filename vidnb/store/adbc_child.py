"""Reads an SQLite file by ADBC and writes Arrow's stream to stdout; run in a process of its own, see `scan`."""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Read path and query from stdin, write the rows to stdout."""
    import adbc_driver_sqlite.dbapi as adbc
    import pyarrow as pa

    asked = json.load(sys.stdin)
    with adbc.connect(asked["path"]) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": "65536"})
        cursor.execute(asked["query"])
        reader = cursor.fetch_record_batch()
        with pa.ipc.new_stream(sys.stdout.buffer, reader.schema) as stream:
            for batch in reader:
                stream.write_batch(batch)


if __name__ == "__main__":
    main()
