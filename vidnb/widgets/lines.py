"""The jobs on their way, each as one line; a line that is no longer needed is used again for another job."""

from __future__ import annotations

import threading
from collections.abc import Callable

import ipywidgets as widgets

from vidnb.client.asynchronous import AsyncClient
from vidnb.records import Job, State
from vidnb.widgets.progress import Progress

JOBS_SHOWN = 8
"""Lines of ended jobs; those that still run stay whatever their number."""

OnChange = Callable[[Job], None]


class JobLines(widgets.VBox):
    """A column of lines, the newest job first.

    Args:
        client: whose jobs.
        on_end: called with a job's last row, on vidnb's background loop.
        on_send: called when a person wants a job sent that an earlier kernel never sent.
        on_retry: called when a person wants a failed job's recipe sent again.
    """

    def __init__(self, client: AsyncClient, on_end: OnChange, on_send: OnChange, on_retry: OnChange) -> None:
        self._client = client
        self._on_end, self._on_send, self._on_retry = on_end, on_send, on_retry
        self._lock = threading.RLock()
        self._lines: dict[str, Progress] = {}
        self._idle: list[Progress] = []
        super().__init__()

    def __len__(self) -> int:
        return len(self._lines)

    def __bool__(self) -> bool:
        return True  # a widget, also where it has no line

    def get(self, job: Job) -> Progress | None:
        """Return the line of a job, or None."""
        return self._lines.get(job.id)

    def track(self, job: Job) -> None:
        """Show a job's line and follow it; a job that is done has none."""
        ended = None
        with self._lock:
            if self.comm is None:  # closed meanwhile: the job goes on without a line
                return
            if job.id in self._lines:
                self._lines[job.id].follow()
            else:
                line = self._lines[job.id] = self._line(job)
                if line.job.is_terminal and not line.waiting:  # it ended a moment before its line began
                    ended = line.job
            self._draw()
        if ended is not None:  # without the lock: who hears of it takes locks of its own
            self._on_end(ended)

    def forget(self, job: Job) -> None:
        """Take a job's line away."""
        with self._lock:
            if job.id in self._lines:
                self._idle.append(self._lines.pop(job.id))
            self._draw()

    def close(self) -> None:
        """Take all lines off the page; the jobs go on."""
        with self._lock:
            if self.comm is None:
                return
            lines = (*self._lines.values(), *self._idle)
            self._lines.clear()
            self._idle.clear()
            super().close()
            for line in lines:
                line.close()

    def _line(self, job: Job) -> Progress:
        """Return a line for a job; one that is idle is used again, as a page never frees the code of a widget."""
        # What an earlier kernel never sent is sent on a person's word only: it costs money, and no cap knew it.
        follow = job.state is not State.INTENDED or self._client.drives(job)
        if self._idle and follow:
            line = self._idle.pop()
            line.job = job
            return line
        line = Progress(job, self._client, on_end=self._on_end, follow=follow)
        line.on_send(self._on_send)
        line.on_retry(self._on_retry)
        line.on_dismiss(self.forget)
        return line

    def _draw(self) -> None:
        newest = list(reversed(self._lines.values()))
        oldest = [line for line in newest if line.job.is_terminal][JOBS_SHOWN:]
        self.children = [line for line in newest if line not in oldest]
        for line in oldest:
            self._idle.append(self._lines.pop(line.job.id))
