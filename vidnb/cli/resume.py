"""`vidnb resume`: every unfinished job of the data folder, taken to its end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from vidnb.cli.folder import is_unused
from vidnb.cli.terminal import FAILED, console, say, shortened, table
from vidnb.records import Job, State

if TYPE_CHECKING:
    from vidnb.client.asynchronous import AsyncClient

LOOK_S = 0.25


def resume(
    timeout: Annotated[float, typer.Option(min=0, help="Seconds to wait in all; 0 waits for ever.")] = 0.0,
) -> None:
    """Take up every unfinished job, whichever process began it, and wait for the clips.

    Exits with 1 when a job is still unfinished or ambiguous afterwards.
    """
    rows = [] if is_unused() else asyncio.run(_resumed(timeout or None))
    if not rows:
        say("No unfinished jobs.")
        return
    console().print(table(("job", "state", "model", "prompt"), map(_row, rows), wraps=("state", "prompt")))
    left = [row for row in rows if not row.is_terminal]
    for row in left:
        say(_advice(row), style="yellow")
    if left:
        raise typer.Exit(FAILED)


async def _resumed(timeout_s: float | None) -> list[Job]:
    """The jobs that were unfinished, as they are afterwards."""
    from vidnb.cli.following import sent
    from vidnb.client.asynchronous import AsyncClient

    async with AsyncClient() as client:
        begun = client.store.unfinished()
        if not begun:
            return []
        with _bar(len(begun)) as show:
            resuming = asyncio.create_task(client.resume(wait=True, timeout_s=timeout_s))
            try:
                while not resuming.done():
                    show(_ended(client, begun))
                    await asyncio.wait([resuming], timeout=LOOK_S)
                show(_ended(client, begun))
            finally:
                await sent(client, begun)
            resuming.result()
        return [client.store.get(job.id) for job in begun]


def _ended(client: AsyncClient, begun: list[Job]) -> int:
    """How many of the jobs are at their end."""
    return len(begun) - len({job.id for job in client.store.unfinished()} & {job.id for job in begun})


@contextlib.contextmanager
def _bar(total: int) -> Iterator[Callable[[int], None]]:
    """What to call with the number of jobs that are at their end."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("jobs"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True)) as progress:
        task = progress.add_task("jobs", total=total)
        yield lambda done: progress.update(task, completed=done)


def _row(job: Job) -> tuple[str, ...]:
    error = f": {job.error.get('message', '')}" if job.error else ""
    return job.id[:8], shortened(f"{job.state}{error}", 90), job.model, shortened(job.prompt, 48)


def _advice(job: Job) -> str:
    """What a person can do about a job that is not at its end."""
    short = job.id[:8]
    if job.state is State.AMBIGUOUS:
        if job.remote_id is not None:
            return (
                f"job {short}: the service has it, and no clip can be found. vidnb resume asks once more; "
                f"vidnb settle {short} --give-up ends it"
            )
        if job.emulated:
            return (
                f"job {short}: the reply to the submit was lost. It is emulated, so sending it again costs nothing: "
                f"vidnb settle {short} --send-again"
            )
        return (
            f"job {short}: the reply to the submit was lost and it is not sent again by itself, as that could be paid "
            f"twice. Look in {job.provider}'s web app, then: vidnb settle {short} --give-up, --send-again or "
            "--remote-id ID"
        )
    return (
        f"job {short} is still {job.state}: run vidnb resume again; vidnb doctor --live tells whether its key is good"
    )
