"""A job on its way as one line: state, elapsed time, what to expect, and what can be done about it.

A coroutine on vidnb's background loop follows the job and writes one synced trait; that reaches the page while a cell
runs. The page ticks by itself, so the time goes on while the kernel is busy.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

import traitlets

from vidnb.client.abilities import abilities
from vidnb.display import cards, error_html, job_html, labels
from vidnb.display.live import ended_badly
from vidnb.display.page import shortened
from vidnb.errors import JobAmbiguousError, JobError, VidnbError
from vidnb.records import Expectation, Job, State
from vidnb.widgets.clients import AnyClient, core
from vidnb.widgets.live import Live, in_words

LOOK_S = 1.0
"""How often the queue in front of a job that waits to be sent is counted."""
PROMPT_SHOWN = 400
PREVIEW_EVERY_S = 1.0
"""How often a service is asked for a picture of how far it is, where it gives one."""
SHORT = 8
"""Characters of a job's id that a person reads, and by which the page names it."""

Ended = Callable[[Job], Any]


class Progress(Live, part="progress", main="job"):
    """A line that follows one job to its end; a card takes its place if there is no clip.

    Args:
        job: the job, or its id.
        client: whose job it is; default the one behind `vidnb.submit`.
        on_end: called with the last row, on vidnb's background loop.
        follow: False to show the job as it is and wait for it only once somebody asks.

    Attributes:
        job: the newest row; observe it. Assign another job to show and follow that one from now on.
        waiting: False once nobody polls for the job here: it ended, or the waiting was stopped.
        dismissed: True once a person put the card away.

    Example:
        >>> job = vidnb.submit("a koala in a meadow")
        >>> progress = vidnb.Progress(job)
        >>> progress.on_retry(lambda job: vidnb.submit(model=job.model, take=job.take, **vidnb.request(job)))
    """

    job = traitlets.Instance(Job)
    waiting = traitlets.Bool(False).tag(sync=True)
    dismissed = traitlets.Bool(False).tag(sync=True)
    _row = traitlets.Dict().tag(sync=True)
    _note = traitlets.Unicode("").tag(sync=True)
    _can_retry = traitlets.Bool(False).tag(sync=True)
    _following: Future[None] | None = None
    _turn = 0
    """Counts how often `follow` was called; messages of an earlier call are ignored."""

    def __init__(
        self, job: Job | str, client: AnyClient | None = None, *, on_end: Ended | None = None, follow: bool = True
    ) -> None:
        self._client = core(client)
        self._on_end = on_end
        self._on_retry: list[Ended] = []
        self._on_send: list[Ended] = []
        self._on_dismiss: list[Ended] = []
        self._lock = threading.RLock()
        self._expected: Expectation | None = None
        self._ahead: int | None = None
        self._told: State | None = None
        self._picture: tuple[str, bytes] = ("", b"")
        row = self._client.job(job)
        super().__init__(job=row, _row=self._facts(row))
        if follow:
            self.follow()

    def _in_a_line(self) -> str:
        return f"job {self.job.id[:8]}, {labels.state(self.job)}"

    def follow(self) -> None:
        """Wait for the job (again); returns at once."""
        with self._lock:
            if self.waiting or self.job.is_terminal:
                return
            self._turn += 1
            self.waiting, self._told = True, None
            self._following = self._spawn(self._follow(self._turn))

    def close(self) -> None:
        """Take the line away and follow the job no more; the job itself goes on."""
        super().close()
        if self._following is not None:
            self._following.cancel()

    def stop_waiting(self) -> None:
        """Stop polling for the job here; it goes on at the service. Returns at once."""
        self._spawn(self._client.stop_waiting(self.job))

    def cancel(self) -> None:
        """Drop the job where it was not sent yet, or cancel it where the service can do that. Returns at once."""
        self._spawn(self._cancel(self.job))

    def on_retry(self, callback: Ended) -> None:
        """Offer "Try again" on the card of a job that failed; the callback gets the job, and may come on any thread."""
        self._on_retry.append(callback)
        self._can_retry = True

    def on_send(self, callback: Ended) -> None:
        """Call `callback(job)` when "Send" is pressed on a job that was not sent yet, instead of sending it here."""
        self._on_send.append(callback)

    def on_dismiss(self, callback: Ended) -> None:
        """Call `callback(job)` when a person puts the card away."""
        self._on_dismiss.append(callback)

    def saved_html(self) -> str:
        """The job's last row as plain HTML: a line, or the card of what went wrong."""
        return error_html(self.job) if ended_badly(self.job) else job_html(self.job)

    # -- following ---------------------------------------------------------------------------------------------------

    async def _follow(self, turn: int) -> None:
        """Write the newest row into the trait until the job ends or the waiting is stopped."""
        try:
            while await self._wait(self.job, turn):
                pass
        finally:
            with self._lock:
                if turn == self._turn:
                    self.waiting = False
        if turn == self._turn:
            self._now(self._newest())

    async def _wait(self, job: Job, turn: int) -> bool:
        """Whether the job goes on although the wait ended: it was ambiguous, and settled a moment before that."""
        ambiguous = False
        work = (self._take_rows(job, turn), self._look_ahead(job), self._take_pictures(job, turn))
        helpers = [asyncio.create_task(one) for one in work]
        try:
            await self._client.wait(job, timeout_s=None, quiet=True)
        except JobError as error:
            ambiguous = isinstance(error, JobAmbiguousError)  # what else it was the row says, and the card shows it
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) and task.cancelling():
                raise
        except Exception as error:  # noqa: BLE001  nobody awaits this coroutine, so the line must say what happened
            self.problem = in_words(error)
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        return ambiguous and self._newest().is_moving

    def _newest(self) -> Job:
        return self._client.job(self.job)

    async def _take_rows(self, job: Job, turn: int) -> None:
        async for row in self._client.watch(job):
            if turn == self._turn:
                self.job = row

    async def _take_pictures(self, job: Job, turn: int) -> None:
        """Show how far the job is, for as long as it runs at a service that gives pictures of that."""
        while self._client.has_preview(job):
            found = None
            with suppress(VidnbError):  # the next picture may come again
                found = await self._client.preview(self.job) if self.job.state is State.RUNNING else None
            if found is not None and turn == self._turn and found != self._picture[1]:
                self._picture = job.id[:SHORT], found
                self._show_picture()
            await self._client.clock.wait(PREVIEW_EVERY_S)

    def _show_picture(self) -> None:
        about, picture = self._picture
        if picture:
            self.say("preview", {"id": about}, [picture])

    async def _look_ahead(self, job: Job) -> None:
        """Find out how long such a job takes, and how many wait in front of it for as long as it is not sent."""
        expected = await asyncio.to_thread(self._client.expect, job)
        while job.id == self.job.id:
            self._expected = expected
            self._draw()
            if self.job.state is not State.INTENDED:
                return
            self._ahead = await asyncio.to_thread(self._count_ahead, job)
            self._draw()
            await self._client.clock.wait(LOOK_S)

    def _count_ahead(self, job: Job) -> int:
        """How many older jobs of the provider wait in this data folder to be sent."""
        waiting = self._client.history(
            state=State.INTENDED, provider=job.provider, emulated=job.emulated, limit=None
        ).ids
        return len(waiting) - 1 - waiting.index(job.id) if job.id in waiting else 0

    def _now(self, job: Job) -> None:
        """Take a row that nobody was told of, and say so where it is an end."""
        self.job = job
        self._draw()
        self.save_output()
        with self._lock:
            is_news = not job.is_moving and self._told is not job.state
            self._told = job.state
        if self._on_end is not None and is_news:
            self._on_end(job)

    # -- what a person does ------------------------------------------------------------------------------------------

    def _received(self, widget: Any, content: Any, buffers: Sequence[Any]) -> None:
        """Hear what is about this job: when a press arrives, another one may have taken its place in the line."""
        if isinstance(content, Mapping) and content.get("id") == self.job.id[:SHORT]:
            super()._received(widget, content, buffers)

    def heard_look(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """A page shows the line: it has no picture yet."""
        self._show_picture()

    def heard_stop(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Stop waiting was pressed."""
        self.stop_waiting()

    def heard_follow(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Send, or Wait again, was pressed."""
        if self.job.state is State.INTENDED and self._on_send:
            for callback in self._on_send:
                callback(self.job)
        else:
            self.follow()

    def heard_cancel(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Cancel was pressed."""
        self.cancel()

    def heard_reconcile(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """A look into the service's own list was asked for."""
        self._spawn(self._reconcile(self.job))

    def heard_settle(self, content: Mapping[str, Any], _: list[bytes]) -> None:
        """A person decided what becomes of an ambiguous job."""
        how, remote_id = content.get("how"), content.get("remote_id")
        self._spawn(self._settle(self.job, how, str(remote_id) if remote_id else None))

    def heard_retry(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """Try again was pressed."""
        for callback in self._on_retry:
            callback(self.job)

    def heard_dismiss(self, _: Mapping[str, Any], __: list[bytes]) -> None:
        """The card was put away."""
        self.dismissed = True
        for callback in self._on_dismiss:
            callback(self.job)

    async def _cancel(self, job: Job) -> None:
        await self._client.cancel(job)
        self._decided(job)

    async def _reconcile(self, job: Job) -> None:
        self._note = ""
        await self._client.reconcile(job)
        self._decided(job)
        if job.id == self.job.id and self.job.state is State.AMBIGUOUS:
            self._note = "The service's list does not settle it: no job in it, or more than one, can be this one."

    async def _settle(self, job: Job, how: Literal["send_again", "give_up"] | None, remote_id: str | None) -> None:
        self._note = ""
        await self._client.settle(job, how, remote_id=remote_id)
        self._decided(job)

    def _decided(self, job: Job) -> None:
        """Go on from the newest row: what a verb returned may be older than what the line has heard since."""
        if job.id != self.job.id:  # the line shows another job by now
            return
        row = self._newest()
        if row.is_moving:
            self.job = row
            self.follow()
        else:
            self._now(row)

    # -- what the page is told ---------------------------------------------------------------------------------------

    @traitlets.observe("job")
    def _job_changed(self, change: Any) -> None:
        before = change["old"]
        if isinstance(before, Job) and before.id != change["new"].id:
            self._begin_anew()
        else:
            self._draw()

    def _begin_anew(self) -> None:
        """Forget what was said of the job before, and follow the one that took its place."""
        with self._lock, self.hold_sync():
            self._turn += 1
            if self._following is not None:
                self._following.cancel()
            self._expected = self._ahead = self._told = None
            self._picture = ("", b"")
            self.waiting = self.dismissed = False
            self._note = self.problem = ""
            self._draw()
        self.follow()

    def _draw(self) -> None:
        with self._lock:
            facts = self._facts(self.job)
            if facts | {"told_ms": 0} != self._row | {"told_ms": 0}:
                self._row = facts

    def _facts(self, job: Job) -> dict[str, Any]:
        """The row in words and numbers for the page, text only."""
        expected = self._expected
        return {
            "id": job.id[:SHORT],
            "state": str(job.state),
            "state_words": labels.state(job),
            "word": cards.wire_word(job),
            "prompt": shortened(job.prompt, PROMPT_SHOWN),
            "model": labels.model_title(job.model),
            "seed": str(job.params["seed"]) if job.params.get("seed") is not None else "",
            "take": job.take,
            "emulated": job.emulated,
            "marks": list(job.marks),
            "has_id": job.remote_id is not None,
            "made_ms": _ms(job.created_at),
            "sent_ms": _ms(job.submitted_at),
            "ended_ms": _ms(job.done_at),
            "told_ms": _ms(self._client.store.utc()),
            "ahead": self._ahead if job.state is State.INTENDED else None,
            "expected": expected and {"median_s": expected.median_s, "p90_s": expected.p90_s, "count": expected.count},
            "card": _card(job),
            "again": cards.retry_is_sensible(job),
            **asdict(abilities(job)),
        }


def _card(job: Job) -> dict[str, Any] | None:
    """What the card of a job without a clip says; None for any other job."""
    if not ended_badly(job):
        return None
    end = cards.ending(job)
    facts = [[name, words.replace("run the cell again", "try again")] for name, words in end.facts]
    return {"headline": end.headline, "tone": end.tone, "facts": facts}


def _ms(at: datetime | None) -> int | None:
    """A time as the browser counts it."""
    return None if at is None else round(at.timestamp() * 1000)
