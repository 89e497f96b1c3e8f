"""What the ledger costs in a large data folder: `spent()`, and a row with its reservation, beside a plain INSERT.

Run it with `python tests/bench/bench_ledger.py [--smoke]`. Exits 2 if one of them takes longer than 10 ms.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from vidnb.jobs.ledger import Ledger
from vidnb.records import Cost, Job, State
from vidnb.store import Store

LIMIT_MS = 10.0
START = datetime(2026, 1, 1, tzinfo=UTC)


def job(number: int) -> Job:
    """Return a finished job that cost something; each has a recipe of its own."""
    at = START + timedelta(minutes=number)
    return Job(
        id=uuid.uuid4().hex, provider="leonardo", model="leonardo/motion_2.0", recipe_hash=uuid.uuid4().hex, take=0,
        state=State.DONE, params={"prompt": f"a koala, number {number}", "seed": number, "resolution": "480p"},
        images={}, emulated=False, base_url="https://cloud.leonardo.ai/api/rest", created_at=at, submitted_at=at,
        finished_at=at, done_at=at, cost=Cost(0.2 + number % 7 / 100, "USD"),
    )  # fmt: skip


def fill(store: Store, count: int) -> None:
    """Write so many jobs as one kernel after another would."""
    ledger = Ledger(store)
    priced = ledger.reservation(replace(job(0), cost=None))
    for number in range(count):
        store.intend(job(number), priced)


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Return how long the work takes."""
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1000)
    return statistics.median(taken)


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="a smaller folder")
    count = 2_000 if parser.parse_args().smoke else 200_000
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "vidnb.db")
        fill(store, count)

        def reserve() -> None:
            row = replace(job(count), state=State.INTENDED, cost=None)
            store.intend(row, Ledger(store).reservation(row))  # a ledger that has looked no price up yet

        ledger = Ledger(store)
        rows = {
            "spent()": median_ms(ledger.spent, 21),
            "spent(since)": median_ms(lambda: ledger.spent(START + timedelta(minutes=count - 100)), 21),
            "row and reservation": median_ms(reserve, 21),
        }
        plain = sqlite3.connect(Path(folder) / "plain.db", isolation_level=None)
        plain.execute("PRAGMA journal_mode=WAL")
        plain.execute("CREATE TABLE t (id TEXT PRIMARY KEY, body TEXT)")
        insert = lambda: plain.execute("INSERT INTO t VALUES (?, ?)", (uuid.uuid4().hex, "x" * 500))  # noqa: E731
        rows["plain INSERT"] = median_ms(insert, 21)
        plain.close()
        store.close()
    print(f"{count} jobs")
    for name, taken in rows.items():
        print(f"{name:<22}{taken:8.2f} ms")
    return 0 if max(rows.values()) <= LIMIT_MS else 2


if __name__ == "__main__":
    sys.exit(main())
