"""Pools of threads for work that must still be possible while the interpreter ends.

From Python 3.12 on no thread can be started from the moment the main thread reached its end. The replies to paid
requests are waited for then, so whatever that needs has its threads from the beginning.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier


def started_pool(threads: int, name: str) -> ThreadPoolExecutor:
    """Return a pool whose threads have all been started."""
    pool, together = ThreadPoolExecutor(threads, name), Barrier(threads + 1)
    for _ in range(threads):
        pool.submit(together.wait)  # a pool starts a thread only where none is idle
    together.wait()
    return pool
