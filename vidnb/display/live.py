"""What moves while a job runs: a line in the cell or in the terminal, and notices beside the results.

A cell is written to through a display handle only: that works from every thread, where `print` and `display` would land
in another cell or nowhere. A process that nobody watches (no notebook, no terminal) is left alone.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self

from vidnb.advice import worded
from vidnb.display import labels
from vidnb.display.cards import error_html, notice_html, progress_html
from vidnb.display.host import host
from vidnb.errors import JobError
from vidnb.records import Job, State

log = logging.getLogger("vidnb")

TICK_S = 0.25
"""The shortest time between two updates of a cell."""


class Sink(Protocol):
    """Where a moving line is shown."""

    def update(self, html: str, text: str) -> None:
        """Replace what is shown."""

    def close(self, html: str) -> None:
        """Replace what is shown for good; "" takes it away."""


class Cell:
    """An output of the current cell, updated in place."""

    def __init__(self, html: str) -> None:
        ipython: Any = import_module("IPython.display")  # carries no types
        self._html = ipython.HTML
        self._handle = ipython.display(ipython.HTML(html), display_id=True)

    def update(self, html: str, text: str = "") -> None:
        """Replace what is shown."""
        if self._handle is not None:
            self._handle.update(self._html(html))

    def close(self, html: str) -> None:
        """Replace what is shown for good."""
        self.update(html)


class Terminal:
    """A line at the foot of the terminal, with a spinner and a clock of its own."""

    def __init__(self, text: str) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
        self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(text, total=None)
        self._bar.start()

    def update(self, html: str, text: str) -> None:
        """Replace what is shown."""
        self._bar.update(self._task, description=text)

    def close(self, html: str) -> None:
        """Take the line away; the clip or the error is shown elsewhere."""
        self._bar.stop()


def in_cell() -> bool:
    """Whether a display handle of IPython reaches a person."""
    return host() in ("jupyter", "voila", "vscode", "colab")


def is_looked_at() -> bool:
    """Whether a person sees what is shown: in a cell, or on the terminal."""
    return in_cell() or sys.stderr.isatty()


def open_sink(html: str, text: str) -> Sink | None:
    """A moving line where a person sees it: in the cell or at the foot of the terminal; None where nobody looks."""
    if in_cell():
        return Cell(html)
    return Terminal(text) if sys.stderr.isatty() else None


def say(text: str, *, warn: bool = False) -> None:
    """Show a notice in the cell or on the terminal; where there is neither, log it.

    Args:
        text: of the notice.
        warn: log it as a warning, which Python prints on stderr in a script that sets up no logging.
    """
    text = worded(text)
    if in_cell():
        Cell(notice_html(text))
    elif sys.stderr.isatty():
        from rich.console import Console

        Console(stderr=True).print(text, markup=False, highlight=False, style="dim")
    else:
        log.log(logging.WARNING if warn else logging.INFO, "%s", text)


class ProgressLine:
    """A job's state and elapsed time, shown while the block runs; an error card stays if it ends badly.

    Example:
        >>> with ProgressLine(job) as progress:
        ...     async for job in client.watch(job):
        ...         progress.update(job)
    """

    def __init__(
        self,
        job: Job,
        *,
        sink: Callable[[str, str], Sink | None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._open = sink or (open_sink if is_looked_at() else None)
        self._clock = clock
        self._started = clock()
        self._shown: tuple[str, str] = ("", "")
        self._sink: Sink | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        # A job that is done already is shown as its clip only.
        if not self._job.is_terminal and self._open is not None:
            self._shown = self._render()
            self._sink = self._open(*self._shown)
        if self._sink is not None:
            ticking = contextvars.copy_context()  # its output belongs to the cell that opened it
            with contextlib.suppress(RuntimeError):  # the interpreter is ending, and starts no thread
                threading.Thread(target=ticking.run, args=(self._tick,), name="vidnb-progress", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(error_html(error.job) if isinstance(error, JobError) and ended_badly(error.job) else "")

    def update(self, job: Job) -> None:
        """Take note of the job's newer row; the cell follows at the next tick."""
        with self._lock:
            self._job = job

    def close(self, html: str = "") -> None:
        """Take the line away, or leave this HTML in its place."""
        self._ended.set()
        with self._lock:
            sink, self._sink = self._sink, None
        if sink is not None:
            sink.close(html)
        elif html and not self._shown[0]:
            self._open_card(html)

    def _open_card(self, html: str) -> None:
        """A job that had failed before the block began has no line to replace."""
        if in_cell():
            Cell(html)

    def refresh(self) -> bool:
        """Write to the cell if it would show something new; return whether it was written to."""
        with self._lock:
            shown = self._render()
            if self._sink is None or shown == self._shown:
                return False
            self._shown = shown
            self._sink.update(*shown)
            return True

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S):
            try:
                self.refresh()
            except Exception:
                # A broken connection to the page must not end the wait for a paid clip.
                log.debug("the progress line could not be updated", exc_info=True)
                return

    def _render(self) -> tuple[str, str]:
        job = self._job
        text = f"{labels.state(job)} · {labels.model_title(job.model)} · job {job.id[:8]}"
        return progress_html(job, self._clock() - self._started), text


def ended_badly(job: Job) -> bool:
    """Return whether the job ended, or became ambiguous, without a clip."""
    return not job.is_moving and job.state is not State.DONE
