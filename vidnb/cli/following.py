"""Waiting in a terminal: a progress line on stderr, and what Ctrl-C says of the job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

import typer

from vidnb.cli.terminal import INTERRUPTED, console, say
from vidnb.errors import JobTimeoutError
from vidnb.records import Job, State

if TYPE_CHECKING:
    from vidnb.client.asynchronous import AsyncClient
    from vidnb.clip import Clip

REPLY_S = 15.0
"""How long to wait at the end for the reply to a POST that was already sent."""


async def follow(client: AsyncClient, job: Job, timeout_s: float | None) -> Clip:
    """Wait for the job's clip and return it; show state and elapsed time meanwhile.

    Raises:
        typer.Exit: interrupted; what becomes of the job was said.
    """
    with _shows_rows(job) as show:
        watcher = asyncio.create_task(_watch(client, job, show))
        try:
            return await client.wait(job, timeout_s, quiet=True)
        except asyncio.CancelledError:
            await sent(client, [job])
            say(_farewell(client.job(job)), style="yellow")
            raise typer.Exit(INTERRUPTED) from None
        except JobTimeoutError:
            await sent(client, [job])
            raise
        finally:
            watcher.cancel()
            await asyncio.wait([watcher])


async def _watch(client: AsyncClient, job: Job, show: Callable[[Job], None]) -> None:
    async for row in client.watch(job):
        show(row)


async def sent(client: AsyncClient, jobs: Iterable[Job]) -> None:
    """Wait until every paid POST of these jobs has its reply, which would be lost if the process ended before."""

    def waits() -> bool:
        return any(client.job(job).state is State.SUBMITTING for job in jobs)

    if waits():
        say("Waiting for the service's answer to the submit; Ctrl-C leaves at once ...")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(REPLY_S):
            while waits():  # noqa: ASYNC110  # the rows are all there is to look at
                await asyncio.sleep(0.05)


def _farewell(job: Job) -> str:
    name = f"job {job.id[:8]} ({job.model})"
    if job.is_terminal:
        return f"Interrupted; {name} is {job.state}: vidnb history shows it."
    goes_on = {
        State.INTENDED: "was not sent yet; vidnb resume sends it",
        State.SUBMITTING: "was being sent; vidnb resume finds out what became of it",
        State.AMBIGUOUS: "got no reply to its submit; vidnb resume looks for it",
    }
    what = goes_on.get(job.state, f"goes on at {job.provider}; vidnb resume takes it up again")
    return f"Interrupted; {name} {what}."


@contextlib.contextmanager
def _shows_rows(job: Job) -> Iterator[Callable[[Job], None]]:
    """What to call with each new row: on a terminal one live line, else a line for each state."""
    if not console(stderr=True).is_terminal:
        yield _lines()
        return
    from vidnb.display import ProgressLine

    with ProgressLine(job) as progress:
        yield progress.update


def _lines() -> Callable[[Job], None]:
    last: list[State] = []

    def show(row: Job) -> None:
        if last[-1:] != [row.state]:
            last.append(row.state)
            say(f"{row.model}  job {row.id[:8]}  {row.state}{'  EMULATED' if row.emulated else ''}")

    return show
