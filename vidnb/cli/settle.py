"""`vidnb settle` and `vidnb cancel`: a person decides about one job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from vidnb.cli.folder import is_unused, nothing_here
from vidnb.cli.terminal import FAILED, say
from vidnb.errors import ConfigError
from vidnb.records import Job, State

if TYPE_CHECKING:
    from pathlib import Path

JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, or the first characters of it.")]


def settle(
    job: JobId,
    send_again: Annotated[bool, typer.Option("--send-again", help="Submit it anew; a real one may be paid twice.")] = (
        False
    ),
    give_up: Annotated[bool, typer.Option("--give-up", help="Cancel it; a clip that was made stays there.")] = False,
    remote_id: Annotated[str | None, typer.Option(help="The job's id at the service, as its web app shows it.")] = None,
    accept_unknown_price: Annotated[
        bool, typer.Option("--accept-unknown-price", help="Send it even where no cap in money can hold for its price.")
    ] = False,
) -> None:
    """Decide what becomes of a job whose submit got no reply (state: ambiguous).

    With --send-again or --remote-id it waits for the clip and prints its path.
    """
    if send_again + give_up + (remote_id is not None) != 1:
        raise ConfigError("say one of --send-again, --give-up and --remote-id ID")
    _check_used()
    how = "send_again" if send_again else "give_up" if give_up else None
    path = asyncio.run(_settled(job, how, remote_id, accept_unknown_price))
    if path is None:
        say(f"Job {job[:8]} is given up.")
    else:
        typer.echo(str(path))


async def _settled(job_id: str, how: str | None, remote_id: str | None, accepts: bool) -> Path | None:
    """The path of the clip, or None where the job was given up."""
    from vidnb.cli.following import follow
    from vidnb.client.asynchronous import AsyncClient

    async with AsyncClient() as client:
        job = await client.settle(
            job_id, how, remote_id=remote_id, accept_unknown_price=accepts  # type: ignore[arg-type]  # one of its words
        )  # fmt: skip
        return None if how == "give_up" else (await follow(client, job, None)).path


def cancel(job: JobId) -> None:
    """Cancel a job that was not sent yet, or at the service where that can be done; exits with 1 if it goes on."""
    _check_used()
    row = asyncio.run(_cancelled(job))
    said = "is cancelled" if row.state is State.CANCELLED else f"is {row.state} already"
    say(f"Job {row.id[:8]} {said}.")
    if row.state is not State.CANCELLED:
        raise typer.Exit(FAILED)


async def _cancelled(job_id: str) -> Job:
    from vidnb.client.asynchronous import AsyncClient

    async with AsyncClient() as client:
        return await client.cancel(job_id)


def _check_used() -> None:
    if is_unused():
        raise ConfigError(nothing_here())
