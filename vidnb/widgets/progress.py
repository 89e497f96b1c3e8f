"""A job on its way as one line: state, elapsed time, model, prompt, and a button that stops the waiting.

A coroutine on vidnb's background loop follows the job and writes traits; that reaches the page while a cell runs, and
needs no callback of the page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import ipywidgets as widgets
import traitlets

from vidnb import _bridge
from vidnb.display import cards, error_html
from vidnb.display.live import ended_badly
from vidnb.display.page import badge, chip, join, mono, seconds, shortened, tag
from vidnb.errors import JobError, VidnbError
from vidnb.records import Job
from vidnb.verbs import Client, default_client
from vidnb.widgets.form import style

TICK_S = 1.0


class Progress(widgets.VBox):
    """A line that follows one job to its end; an error card takes its place if there is no clip.

    Args:
        job: the job, or its id.
        client: whose job it is; default the one behind `vidnb.submit`.
        on_end: called with the last row, on vidnb's background loop.

    Attributes:
        job: the newest row; observe it.
        waiting: False once nobody polls for the job here: it ended, or the waiting was stopped.

    Example:
        >>> job = vidnb.submit("a koala in a meadow")
        >>> vidnb.widgets.Progress(job)
    """

    job = traitlets.Instance(Job)
    waiting = traitlets.Bool(False)

    def __init__(
        self, job: Job | str, client: Client | None = None, *, on_end: Callable[[Job], None] | None = None
    ) -> None:
        self._client = client or default_client()
        self._on_end = on_end
        self._trouble = ""
        self._state = widgets.HTML()
        self._time = widgets.HTML()
        self._what = widgets.HTML()
        self._button = widgets.Button(description="Stop waiting")
        self._card = widgets.HTML(layout={"display": "none"})
        self._button.on_click(self._clicked)
        for part, name in ((self._state, "state"), (self._time, "time"), (self._what, "what"), (self._button, "quiet")):
            part.add_class(f"vidnb-{name}")
        line = widgets.HBox([self._state, self._time, self._what, self._button])
        line.add_class("vidnb-job")
        super().__init__([style(), line, self._card])
        self.add_class("vidnb")
        self.job = self._client.job(job)
        self.follow()

    def follow(self) -> None:
        """Wait for the job (again); returns at once."""
        if not self.waiting and not self.job.is_terminal:
            self.waiting = True
            _bridge.spawn(self._follow())
        self._draw()

    def stop_waiting(self) -> None:
        """Stop polling for the job here; it goes on at the service. Returns at once."""
        _bridge.spawn(self._stop())

    async def _follow(self) -> None:
        """Write the newest row into the trait until the job ends or the waiting is stopped."""
        client = self._client.asynchronous
        rows = asyncio.create_task(self._take_rows())
        ticks = asyncio.create_task(self._tick())
        try:
            await client.wait(self.job, timeout_s=None, quiet=True)
        except JobError:
            pass  # the row says it, and the card shows it
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
        except Exception as error:  # noqa: BLE001  nobody awaits this coroutine, so the line must say what happened
            self._trouble = f"{type(error).__name__}: {error}"
        finally:
            rows.cancel()
            ticks.cancel()
            await asyncio.gather(rows, ticks, return_exceptions=True)
        self.waiting = False
        self.job = client.job(self.job)
        self._draw()
        if self._on_end is not None and not self.job.is_moving:
            self._on_end(self.job)

    async def _take_rows(self) -> None:
        async for row in self._client.asynchronous.watch(self.job):
            self.job = row

    async def _tick(self) -> None:
        while True:
            self._draw_time()
            await asyncio.sleep(TICK_S)

    async def _stop(self) -> None:
        with suppress(VidnbError):
            await self._client.asynchronous.stop_waiting(self.job)

    def _clicked(self, _: Any) -> None:
        self.stop_waiting() if self.waiting else self.follow()

    @traitlets.observe("job")
    def _job_changed(self, _: Any) -> None:
        self._draw()

    def _draw(self) -> None:
        job = self.job
        parked = job.is_moving and not self.waiting
        word = f"{job.state}, not waited for" if parked else cards.state_html(job)
        self._state.value = tag("span", word, role="status", **{"data-state": str(job.state)})
        mark = badge("EMULATED") if job.emulated else None
        seed = chip("seed", job.params["seed"]) if "seed" in job.params else None
        self._what.value = tag("div", join([shortened(job.prompt, 120), mono(job.model), seed, mark], " "), dir="auto")
        self._button.description = "Stop waiting" if self.waiting else "Wait again"
        goes_on = f"Stop polling for job {job.id[:8]}; it goes on at {job.provider}"
        self._button.tooltip = goes_on if self.waiting else f"Take job {job.id[:8]} up again"
        self._button.layout.display = None if job.is_moving else "none"
        self._draw_time()
        self._draw_card()

    def _draw_time(self) -> None:
        elapsed = int(cards.elapsed_s(self.job))
        self._time.value = tag("span", f"{elapsed} s" if elapsed < 60 else seconds(elapsed))

    def _draw_card(self) -> None:
        said = cards.notice_html(self._trouble) if self._trouble else ""
        text = error_html(self.job) if ended_badly(self.job) else said
        self._card.value = text
        self._card.layout.display = None if text else "none"
