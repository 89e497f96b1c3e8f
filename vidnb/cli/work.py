"""`vidnb work`: takes part in every sweep of the data folder, on this machine or on many."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from vidnb.cli.terminal import INTERRUPTED, say


def work(
    until_idle: Annotated[bool, typer.Option("--until-idle", help="End once there is nothing left to do.")] = False,
    at_once: Annotated[
        int | None, typer.Option(min=1, help="Jobs of one account at once; default as published.")
    ] = None,
    accept_unknown_price: Annotated[
        bool, typer.Option(help="Send jobs although no cap in money can be held against their price.")
    ] = False,
    live: Annotated[bool, typer.Option("--live", help="A missing key is an error; never emulate.")] = False,
) -> None:
    """Send and download the jobs of all sweeps of the data folder, and take up what other processes left.

    Start as many as you like, anywhere: with VIDNB_DATABASE_URL=postgresql://... and VIDNB_FILES_URL=s3://... on every
    machine they share the work, the budget and the pace. vidnb sweep FILE --queue only writes a sweep for them. What a
    killed worker leaves another takes up, and nothing is sent twice.
    """
    from vidnb.client.asynchronous import AsyncClient
    from vidnb.sweeps.working import Worker

    async def working() -> Worker:
        async with AsyncClient(live=live or None, max_in_flight=at_once) as client:
            worker = Worker(client, say, accept_unknown_price=accept_unknown_price)
            try:
                await worker.work(until_idle=until_idle)
            except asyncio.CancelledError:
                say(f"Stopped: {worker.done:,} done here. What is on its way is taken up by another.", style="yellow")
                raise typer.Exit(INTERRUPTED) from None
            return worker

    worker = asyncio.run(working())
    say(f"{worker.done:,} done here" + (f", {worker.failed:,} without a clip" if worker.failed else ""))
