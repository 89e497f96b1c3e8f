"""Workers: they share a sweep that somebody else wrote, keep to its purse, and take up what others left."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from databases import check_server_is_here, database, own_server, postgres_server, schema_on
from fakes import QUICK, emulated
from sqlalchemy import event
from sweeping import posts, quick, watched

import vidnb
from vidnb import catalog
from vidnb.client.asynchronous import AsyncClient
from vidnb.records import Reservation, State
from vidnb.store import Store, books, columns, prepared
from vidnb.store.search import Field, Search, Term
from vidnb.store.sweeps import SweepRows
from vidnb.sweeps import working
from vidnb.sweeps.outlook import Group
from vidnb.sweeps.running import RunProgress, planned_of
from vidnb.sweeps.sweep import Sweep
from vidnb.sweeps.working import Worker

__all__ = ["database", "postgres_server"]  # fixtures

pytestmark = pytest.mark.anyio
WORKED_ON = Term(Field("state"), "any", (State.RUNNING.value, State.QUEUED.value))
FORK = multiprocessing.get_context("forkserver")


async def test_two_workers_run_a_sweep_that_somebody_queued_and_each_recipe_is_sent_once(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as one, AsyncClient(tmp_path, emulator=emulator) as other:
        vidnb.sweep(**quick(20), client=one).queue()
        workers = [Worker(client, lambda text: None) for client in (one, other)]
        await asyncio.gather(*(worker.work(until_idle=True) for worker in workers))
        assert sum(worker.done for worker in workers) >= 20
        assert posts(recorders) == 20
        assert vidnb.sweep(**quick(20), client=one).outlook.counts == {Group.DONE: 20}


async def test_a_worker_keeps_to_the_purse_and_says_so(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path)
    async with emulated(tmp_path, emulator) as client:
        sweep = vidnb.sweep(**quick(3, budget_jobs=2), client=client)
        sweep.queue()
        said: list[str] = []
        worker = Worker(client, said.append)
        work = asyncio.create_task(worker.work())
        while worker.done < 2 or not said:  # noqa: ASYNC110  # there is nothing to be told by
            await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.wait([work])
        assert (len(said), "would pass the cap of 2 jobs" in said[0]) == (1, True)
        assert posts(recorders) == 2
        async with asyncio.timeout(60):  # what only a higher cap would let go on is no reason to stay
            await worker.work(until_idle=True)
        sweep.budget(jobs=3)
        async with asyncio.timeout(60):
            await Worker(client, said.append).work(until_idle=True)
        assert posts(recorders) == 3


async def test_a_worker_that_ends_when_idle_asks_again_for_what_a_failed_job_gave_back(tmp_path: Path) -> None:
    emulator, recorders = watched(tmp_path, faults=("moderation:submit:1",))
    async with emulated(tmp_path, emulator) as client:
        vidnb.sweep(**quick(3, budget_jobs=1), client=client).queue()
        async with asyncio.timeout(60):
            await Worker(client, lambda text: None).work(until_idle=True)
        assert [job.state for job in client.jobs(limit=None)].count(State.DONE) == 1
        assert posts(recorders) == 2


async def test_a_worker_reads_the_catalogue_before_its_first_claim_holds_any_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator, _ = watched(tmp_path)
    claim, loaded = SweepRows.claim, []

    def claimed(*arguments: Any) -> Any:
        loaded.append(catalog.load.cache_info().currsize)
        return claim(*arguments)

    async with emulated(tmp_path, emulator) as client:
        vidnb.sweep(**quick(1), client=client).queue()
        catalog.load.cache_clear()
        monkeypatch.setattr(SweepRows, "claim", claimed)
        await Worker(client, lambda text: None).work(until_idle=True)
    assert loaded[0] == 1


@contextmanager
def queued_beside(server: str, folder: Path) -> Iterator[tuple[Sweep, Store, Store]]:
    """A sweep of three cells that waits for workers, and the stores of two fresh processes, as it were."""
    with schema_on(server) as url:
        client = AsyncClient(folder, database_url=url)
        sweep = vidnb.sweep(**quick(3), client=client)
        sweep.queue()
        with closing(Store(url)) as store, closing(Store(url)) as other:
            yield sweep, store, other
        asyncio.run(client.aclose())


def test_claims_of_one_process_do_not_wait_for_a_lock_that_another_holds_for_its_columns(
    postgres_server: str, tmp_path: Path
) -> None:
    with queued_beside(postgres_server, tmp_path) as (sweep, store, other):

        def make(cell: Any) -> Any:
            return planned_of(cell).row(None, store.clock.utc()), Reservation(book="emulated")

        with other.writing() as busy:
            columns.add(busy, [])  # holds the lock under which columns are added
            assert SweepRows(store).claim(sweep.id, sweep.plan.jobs[0].base_url, make) is not None


def test_a_rehearsed_claim_has_had_all_statements_waits_for_nobody_and_leaves_nothing(
    postgres_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with queued_beside(postgres_server, tmp_path) as (sweep, store, other):
        said: list[str] = []
        event.listen(store._engine, "before_cursor_execute", lambda c, cursor, text, *rest: said.append(text))
        base_url, held = sweep.plan.jobs[0].base_url, Reservation(("", sweep.purse), "emulated", "USD", 1.0, 1.0)

        def make(cell: Any) -> Any:
            return planned_of(cell).row(None, store.clock.utc()), held

        rows = SweepRows(store)
        first = SweepRows(other).claim(sweep.id, base_url, make)
        assert first is not None
        steps = rows.newest_step()
        monkeypatch.setattr(prepared, "_plans", {})
        with other.writing() as busy:  # another claims at the same moment
            books.reserve(busy, first[0].id, held, store.clock.utc())  # another job of these purses
            rows.rehearse(sweep.id, base_url, make)
        reserved = {(purse.name, purse.reserved) for purse in store.purses() if purse.reserved}
        assert reserved == {("", 2.0), (sweep.purse, 2.0)}
        assert (rows.newest_step(), store.count(Search())) == (steps, 1)
        rehearsed, said[:] = set(said), []
        compiled = {*prepared._plans}
        assert rows.claim(sweep.id, base_url, make) is not None
        assert set(said) <= rehearsed
        assert prepared._plans.keys() == compiled


@pytest.mark.long
async def test_a_worker_waits_for_a_database_that_another_holds_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "CAP_REST_S", 0.2)
    emulator, recorders = watched(tmp_path)
    said: list[str] = []
    async with emulated(tmp_path, emulator) as client:
        vidnb.sweep(**quick(8), client=client).queue()
        client.store.busy_s = 0.2
        worker = Worker(client, said.append)
        work = asyncio.create_task(worker.work(until_idle=True))
        while worker.done < 1:  # noqa: ASYNC110  # there is nothing to be told by
            await asyncio.sleep(0.02)
        with closing(sqlite3.connect(tmp_path / "vidnb.db", timeout=30.0)) as other:
            other.execute("BEGIN IMMEDIATE")
            await asyncio.sleep(2.0)
            other.rollback()
        async with asyncio.timeout(120):
            await work
        counts = vidnb.sweep(**quick(8), client=client).outlook.counts
        assert counts.get(Group.DONE, 0) + counts.get(Group.UNCLEAR, 0) == 8
    assert any("Nothing is lost; it is tried again." in text for text in said), said
    assert posts(recorders) == 8


@pytest.mark.long
async def test_a_database_server_that_goes_away_is_waited_for_by_a_sweep_and_by_a_worker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    check_server_is_here()
    emulator, recorders = watched(tmp_path)
    words: dict[str, str] = {}
    said: list[str] = []
    with own_server() as server:
        options: dict[str, Any] = {"emulator": emulator, "database_url": server.url}
        async with AsyncClient(tmp_path, **options) as one, AsyncClient(tmp_path, **options) as other:
            is_gone = asyncio.Event()

            def change(news: RunProgress, _: list[int]) -> None:
                words.setdefault(news.word, news.why)
                if news.counts()[Group.DONE] >= 10 and not is_gone.is_set():
                    server.stop("fast")  # on the loop's own thread, so that not all jobs end meanwhile
                    is_gone.set()

            worker = Worker(other, said.append)
            running = asyncio.create_task(vidnb.sweep(**quick(60), client=one).run_async(on_change=change))
            working = asyncio.create_task(worker.work(until_idle=True))
            await is_gone.wait()
            while not (said and "offline" in words):  # noqa: ASYNC110  # there is nothing to be told by
                await asyncio.sleep(0.1)
            await asyncio.sleep(5.0)  # so that it is tried in vain
            await asyncio.to_thread(server.start)
            progress = await running
            await working
        assert (progress.word, progress.counts()) == ("done", {Group.DONE: 60})
    assert posts(recorders) == 60
    assert set(emulator.stats()["jobs_by_prompt"].values()) == {1}
    assert "the database cannot be reached" in words["offline"]
    assert "Nothing is lost; it is tried again" in words["offline"]
    assert ["the database cannot be reached" in text for text in said] == [True], said
    warnings = [record.getMessage() for record in caplog.records if record.name == "vidnb"]
    assert len([text for text in warnings if "others that wait for the same" in text]) < 12, warnings  # not one a job


def claim_all(url: str, sweep_id: str, base_url: str, gate: Any, queue: Any) -> None:
    """Claim cells until none is left, as a worker of its own process."""
    with closing(Store(url)) as store:
        rows, found = SweepRows(store), []

        def make(cell: Any) -> Any:
            return planned_of(cell).row(None, store.clock.utc()), Reservation(book="emulated")

        gate.wait()
        while (claimed := rows.claim(sweep_id, base_url, make)) is not None:
            job, is_new = claimed
            found.append((job.recipe_hash, is_new))
        queue.put(found)


def test_processes_that_claim_at_once_never_get_the_same_cell(database: str, tmp_path: Path) -> None:
    client = AsyncClient(tmp_path, database_url=database)
    sweep = vidnb.sweep(**quick(300), client=client)
    sweep.queue()
    gate, queue = FORK.Barrier(3), FORK.Queue()
    arguments = (database, sweep.id, sweep.plan.jobs[0].base_url, gate, queue)
    processes = [FORK.Process(target=claim_all, args=arguments, daemon=True) for _ in range(3)]
    for process in processes:
        process.start()
    claims = [claim for _ in processes for claim in queue.get(timeout=120)]
    for process in processes:
        process.join()
    assert all(is_new for _, is_new in claims)
    assert sorted(recipe for recipe, _ in claims) == sorted(job.recipe_hash for job in sweep.plan.jobs)
    asyncio.run(client.aclose())


@pytest.mark.long
def test_a_killed_workers_jobs_are_taken_up_by_another_without_a_second_post(tmp_path: Path) -> None:
    environment = os.environ | {"VIDNB_HOME": str(tmp_path / "data"), "VIDNB_EMULATOR_SPEED": "40"}
    (tmp_path / "s.toml").write_text(
        f'prompt = "a {{animal}}"\nanimal = {[f"koala {n}" for n in range(12)]}\nmodel = "{QUICK["model"]}"\n'
        "width_px = 640\nheight_px = 360\nduration_s = 3\n"
    )

    def command(*words: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "vidnb", *words], env=environment, text=True, cwd=tmp_path, stderr=subprocess.PIPE,
            **options,
        )  # fmt: skip

    queued = command("sweep", str(tmp_path / "s.toml"), "--queue")
    assert "waits for vidnb work" in queued.communicate(timeout=120)[1]
    first = command("work", "--at-once", "4")
    with closing(Store(tmp_path / "data")) as store:
        deadline = time.monotonic() + 60
        while not store.jobs(WORKED_ON) and time.monotonic() < deadline:
            time.sleep(0.02)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        left = {job.id: job.remote_id for job in store.jobs(WORKED_ON)}
        assert left
        second = command("work", "--until-idle")
        said = second.communicate(timeout=120)[1]
        jobs = store.jobs()
        assert second.returncode == 0, said
        assert {job.state.value for job in jobs} <= {"done", "ambiguous"}
        assert len({job.recipe_hash for job in jobs}) == len(jobs) == 12
        assert all(store.get(job_id).remote_id == remote_id for job_id, remote_id in left.items())
