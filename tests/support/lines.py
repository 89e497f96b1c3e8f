"""Seeded runs of everything that waits in a line: places at a service, slots of a client, turns, and leases.

A few clients of one data folder send more jobs than the service takes at once, are refused, cut off, stopped and
killed, and begin again. Whatever happens, nobody may wait for what only a later one in the same line can give back.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from hardships import another_process, client_on, tried, within
from stranger import LEONARDO, Stranger, Work, film, lost

from vidnb.client.asynchronous import AsyncClient
from vidnb.records import State

MOST_JOBS = 5


def lines(seed: int) -> Counter[str]:
    """A line: tiny numbers of places, 429s, no connection, stops, restarts and kills; every job comes to its end."""
    return asyncio.run(_lines(seed))


async def _lines(seed: int) -> Counter[str]:
    dice, found, service = random.Random(seed), Counter[str](runs=1), Stranger()
    _trouble(service, random.Random(seed + 1))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        prompts = [f"koala {number}" for number in range(dice.randint(2, MOST_JOBS))]
        at_once = dice.choice([1, 1, 2])
        people = [random.Random(seed * 7 + number) for number in range(dice.randint(1, 2))]
        async with within(found):
            await asyncio.gather(*(_person(Path(home), service, prompts, at_once, person) for person in people))
        service.before_submit = service.on_poll = service.on_submit = lambda request, work: None
        for work in service.works:
            work.record = {}
        async with within(found), client_on(Path(home), service, max_in_flight=at_once) as client:
            await client.resume(timeout_s=30)
            for row in client.jobs(limit=None):
                for work in service.paid:
                    if client.job(row).state is State.AMBIGUOUS and work.prompt == row.prompt:
                        await tried(client.settle(row, remote_id=work.id))
                films = [film(work.shade) for work in service.paid if work.prompt == row.prompt]
                found["hangs"] += client.job(row).state in (State.INTENDED, State.SUBMITTING)
                clip = await tried(client.wait(row, timeout_s=20))
                found["second payments"] += max(0, len(films) - 1)
                found["lost or wrong clips"] += bool(films) and (clip is None or clip.path.read_bytes() not in films)
    return found


def _trouble(service: Stranger, dice: random.Random) -> None:
    """Let the service be full, out of reach, slow and forgetful at times."""
    busy, away, loses = dice.choice([0, 0.3, 0.6]), dice.choice([0, 0.3, 0.6]), dice.choice([0, 0, 0.3])
    pending = dice.randint(0, 3)

    def before(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        if dice.random() < away:
            raise httpx.ConnectError("no route")
        return httpx.Response(429, json={"error": "slow down"}) if dice.random() < busy else None

    def polled(request: httpx.Request, work: Work | None) -> None:
        if work is not None:
            work.record = {} if work.polls > pending else {"status": "PENDING", "generated_images": []}

    service.before_submit, service.on_poll = before, polled  # type: ignore[assignment]  # None is an answer, too
    service.on_submit = lambda request, work: lost(request, work) if dice.random() < loses else None


async def _person(home: Path, service: Stranger, prompts: list[str], at_once: int, dice: random.Random) -> None:
    """Send all jobs, stop some, go on with them, and be killed at a random moment."""
    client = client_on(home, service, max_in_flight=at_once)
    client.engine.leases.owner = another_process(dice)
    rows = [await client.submit(prompt, **LEONARDO) for prompt in dice.sample(prompts, len(prompts))]
    calls: list[asyncio.Task[object]] = []
    for _ in range(dice.randint(0, 12)):
        for _ in range(dice.choice([0, 1, 5, 20])):
            await asyncio.sleep(0)
        row = dice.choice(rows)
        how = dice.choice(["stop", "stop and wait", "wait", "resume"])
        if how.startswith("stop"):
            await tried(client.stop_waiting(row.id))
        if how.endswith("wait"):
            calls.append(asyncio.create_task(_called(client.wait, row.id)))
        elif how == "resume":
            calls.append(asyncio.create_task(_called(client.resume)))
    if dice.random() < 0.5:
        for row in rows:
            await tried(client.wait(row.id, timeout_s=20))
        await asyncio.gather(*calls)
    else:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await _killed(client)
    await client.aclose()


async def _called(verb: Callable[..., Awaitable[Any]], *arguments: str) -> None:
    """Call the verb once this runs: a task that is cancelled before its first step would leave a call half made."""
    await tried(verb(*arguments, timeout_s=20))


async def _killed(client: AsyncClient) -> None:
    """End all tasks of the client; its places stay behind, as with a killed process whose leases have run out."""
    client.store.release = lambda job_id, owner: None  # type: ignore[method-assign]
    await client._runners.stop_all()
    for row in client.store.unfinished():
        if row.lease_owner == client.engine.leases.owner:
            client.store.lease(row.id, row.lease_owner, -1.0)


LINED: dict[str, Callable[[int], Counter[str]]] = {"M lines that nobody holds up": lines}
