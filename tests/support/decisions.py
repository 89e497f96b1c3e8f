"""Seeded runs of people who decide about jobs while these go on: two clients, on threads of their own, in one folder.

What the service was paid is held against what was asked of it: one POST a row, and one more each time that somebody who
saw a job ambiguous said "send again" of just that submit.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from hardships import HANGS_AFTER_S, Slow, another_process, no_rest, tried
from stranger import KEYS, LEONARDO, Work, film, lost

from vidnb.client.asynchronous import AsyncClient
from vidnb.errors import VidnbError
from vidnb.records import JOBS_UNIT, Job, State
from vidnb.store.aside import Aside

DECISIONS = {
    "send_again": 4, "give_up": 3, "cancel": 1, "remote_id": 1, "reconcile": 2, "resume": 1, "generate": 1,
}  # fmt: skip
"""What people do, and how often: most often what can hurt."""
AGREED = {"send_again": 9, "give_up": 1}
"""The same, at moments at which both think alike."""


@dataclass
class Scene:
    """One folder, its service, and what two people decided about what they saw."""

    seed: int
    home: Path
    service: Slow
    decided: list[tuple[str, Job, bool]] = field(default_factory=list)
    """What somebody said, of which row as they saw it, and whether they named the job by its row, not by its id."""
    raw_errors: int = 0
    """People who met an error that is none of vidnb's."""


def decisions(seed: int) -> Counter[str]:
    """A2: settle, cancel, send again and give up against each other, a submit in flight and a look into the list."""
    dice, found = random.Random(seed), Counter[str](runs=1)
    service = Slow(dice.uniform(0.0, 0.05))
    answers = random.Random(seed + 1)
    service.hidden_lists = dice.choice([0, 2, 6, 30])
    pending = dice.randint(0, 6)

    def submitted(request: httpx.Request, work: Work | None) -> httpx.Response | None:
        return lost(request, work) if answers.random() < 0.75 else None

    def polled(request: httpx.Request, work: Work | None) -> None:
        if work is not None:
            is_early = work.polls <= pending
            work.record = {"status": "PENDING", "generated_images": []} if is_early else {}

    service.on_submit, service.on_poll = submitted, polled  # type: ignore[assignment]  # None is an answer, too
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        scene = Scene(seed, Path(home), service)
        if dice.random() < 0.7:
            asyncio.run(_left_ambiguous(scene, dice))
        people = [threading.Thread(target=_live, args=(scene, number)) for number in range(2)]
        for person in people:
            person.start()
        for person in people:
            person.join(HANGS_AFTER_S)
        found["hangs"] += sum(person.is_alive() for person in people)
        found["raw errors"] += scene.raw_errors
        service.on_submit, service.hidden_lists = (lambda request, work: None), 0
        for work in service.works:
            work.hidden_lists = 0
        asyncio.run(_count(scene, found))
    return found


async def _left_ambiguous(scene: Scene, dice: random.Random) -> None:
    """Let an earlier kernel lose the reply to its submit, and find nothing in the list."""
    service = scene.service
    answer, hidden = service.on_submit, service.hidden_lists
    service.on_submit, service.hidden_lists = lost, 10**6
    async with AsyncClient(scene.home, keys=KEYS, transport=service, sleep=no_rest) as client:
        client.engine.leases.owner = another_process(dice)
        await tried(client.generate("a koala", **LEONARDO))
    service.on_submit, service.hidden_lists = answer, hidden
    for work in service.works:
        work.hidden_lists = dice.choice([hidden, 10**6])


def _live(scene: Scene, number: int) -> None:
    try:
        asyncio.run(_person(scene, number))
    except BaseException:
        scene.raw_errors += 1
        raise


async def _person(scene: Scene, number: int) -> None:
    """Ask for the clip, and decide a few times about what the history shows, after a moment of thought."""
    dice, both = random.Random(scene.seed * 2 + number), random.Random(scene.seed)
    client = AsyncClient(scene.home, keys=KEYS, transport=scene.service, sleep=no_rest)
    if number:
        client.store.aside = _Far(client.store.aside, dice)  # type: ignore[assignment]
    client.engine.leases.owner = another_process(dice)
    asked = asyncio.create_task(tried(client.generate("a koala", timeout_s=HANGS_AFTER_S / 3, **LEONARDO)))
    began, at = time.monotonic(), 0.0
    for _ in range(both.randint(2, 6)):  # both look at the same moments
        at += both.uniform(0.0, 0.1)
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        if rows := client.jobs():
            await asyncio.sleep(dice.choice([0.0, dice.uniform(0.0, 0.05)]))
            weights = AGREED if both.random() < 0.4 else DECISIONS
            (how,) = dice.choices(list(weights), list(weights.values()))
            await _decide(scene, client, rows[0], how, dice)
    await asked
    await client.aclose()


class _Far:
    """A database to which each call takes a moment, in which others may change what was read."""

    def __init__(self, near: Aside, dice: random.Random) -> None:
        self._near, self._dice = near, dice

    async def __call__(self, call: Any, /, *args: Any, **kwargs: Any) -> Any:
        await asyncio.sleep(self._dice.uniform(0.0, 0.05))
        return await self._near(call, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._near, name)


async def _decide(scene: Scene, client: AsyncClient, seen: Job, how: str, dice: random.Random) -> None:
    by_row = dice.random() < 0.7
    job = seen if by_row else seen.id
    try:
        if how in ("send_again", "give_up"):
            await client.settle(job, how)  # type: ignore[arg-type]  # one of its two words
        elif how == "cancel":
            await client.cancel(job)
        elif how == "remote_id":
            if works := scene.service.paid:
                await client.settle(job, remote_id=dice.choice(works).id)
        elif how == "reconcile":
            await client.reconcile()
        elif how == "resume":
            await client.resume(wait=False)
        else:
            await client.generate("a koala", timeout_s=HANGS_AFTER_S / 3, **LEONARDO)
    except VidnbError:
        return
    scene.decided.append((how, seen, by_row))


async def _count(scene: Scene, found: Counter[str]) -> None:
    """Do after a restart what a person would, then hold what was paid against what was asked for."""
    service, again = scene.service, [(job, by_row) for how, job, by_row in scene.decided if how == "send_again"]
    async with AsyncClient(scene.home, keys=KEYS, transport=service, sleep=no_rest) as client:
        client.engine.leases.owner = another_process(random.Random(scene.seed))
        for listed in client.jobs(limit=None):
            row = client.store.get(listed.id)  # rows of a list have no lease
            if row.lease_owner and not row.is_terminal:  # left by a client that was closed in the middle
                client.store.lease(row.id, row.lease_owner, -1.0)  # it runs out by itself, after a minute
        try:
            async with asyncio.timeout(HANGS_AFTER_S):
                await tried(client.resume(timeout_s=HANGS_AFTER_S / 3))
                for row in client.jobs(limit=None):
                    for work in service.paid:
                        if client.job(row).state is State.AMBIGUOUS:
                            await tried(client.settle(row, remote_id=work.id))
                    await tried(client.wait(row, timeout_s=HANGS_AFTER_S / 3))
        except TimeoutError:
            found["hangs"] += 1
        rows = client.jobs(limit=None)
        allowed = len(rows) + len({(job.id, job.submitted_at) for job, by_row in again if by_row})
        allowed += sum(not by_row for _, by_row in again)
        found["second payments"] += max(0, len(service.paid) - allowed)
        folder = [purse for purse in client.store.purses([""]) if (purse.book, purse.unit) == ("real", JOBS_UNIT)]
        counted = sum(purse.settled + purse.reserved + purse.unclear for purse in folder)
        found["caps passed"] += int(counted < len(service.paid))  # a cap counts what the ledger counts
        missing = _lost(rows, scene, client)
        found["lost or wrong clips"] += missing
        if missing:  # so that whoever reads of it need not wait until it happens again
            for row in rows:
                print(scene.seed, row, row.remote_id, row.lease_owner, *client.store.events(row.id), sep="\n    ")


def _lost(rows: list[Job], scene: Scene, client: AsyncClient) -> int:
    """Count rows without a clip of their own that nobody ended, or that somebody ended who saw something else."""
    films, missing = [film(work.shade) for work in scene.service.paid], 0
    ended = {job.id: job for how, job, by_row in scene.decided if how == "give_up" and by_row}
    for row in rows:
        if row.state is State.DONE:
            content = client.clip(row).path.read_bytes()
            if content in films:
                films.remove(content)
            else:
                missing += 1
        elif row.state is not State.CANCELLED:
            missing += 1
        elif (seen := ended.get(row.id)) is not None and seen.state is State.AMBIGUOUS:
            was_found = seen.remote_id is None and row.remote_id is not None
            missing += int(was_found or row.submitted_at != seen.submitted_at)
    return missing


DECIDED = {"A2 decisions against each other": decisions}
