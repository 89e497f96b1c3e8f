"""Rendering while a job runs, so that its link answers at once when it is over, as a CDN would."""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from contextlib import suppress

from vidnb.emulator.scenes import Footage
from vidnb.emulator.state import EmulatedJob
from vidnb.forking import in_child
from vidnb.threads import StandingPool


class Ahead:
    """Renders one clip after the other in a thread that lives as long as there is something to do."""

    def __init__(self, footage: Footage) -> None:
        self._footage = footage
        self._waiting: deque[EmulatedJob] = deque()
        self._lock = threading.Lock()
        self._busy = False
        self._pool: StandingPool | None = None
        in_child(self._begin_anew)

    def _begin_anew(self) -> object:
        """Have nothing to do in a forked child; the thread that renders is the parent's."""
        left = self._lock, self._waiting, self._pool
        self._lock, self._waiting, self._busy, self._pool = threading.Lock(), deque(), False, None
        return left

    def expect(self, job: EmulatedJob) -> None:
        """Render the job's clip and poster soon."""
        with self._lock:
            self._waiting.append(job)
            if not self._busy:
                with suppress(RuntimeError):  # the interpreter is ending: nobody asks for the clip any more
                    self._pool = self._pool or StandingPool(1, "vidnb-emulator-render")
                    self._pool.submit(self._work)
                    self._busy = True

    def close(self) -> None:
        """Forget what was not begun."""
        with self._lock:
            self._waiting.clear()
            if self._pool is not None:
                self._pool.shutdown(wait=False)

    def _work(self) -> None:
        while job := self._next():
            # Whoever asks for the clip later gets the error; the folder may also be gone by now.
            # RuntimeError: the interpreter is ending, and nothing is painted any more.
            with suppress(OSError, ValueError, RuntimeError, sqlite3.Error):
                self._footage.clip(job)
                self._footage.poster(job)

    def _next(self) -> EmulatedJob | None:
        with self._lock:
            self._busy = bool(self._waiting)
            return self._waiting.popleft() if self._waiting else None
