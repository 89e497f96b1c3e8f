"""Plan, run again, claim and pace large sweeps, and run one against an emulator on a port.

Run it with `python tests/bench/bench_sweep.py [--smoke] [--only plan,again,pace,claim,run] [--postgres URL]`;
`--claims` and `--jobs` set other sizes. Exits 2 if a limit is passed:

- 100,000 recipes with a tenth of them done are planned in 5 s of CPU;
- a finished sweep that is run again sends nothing and takes at most twice the reading of its rows;
- four processes never take more permits than published in any second, the least served at most 1.3 times fewer;
- no cell is claimed twice, and on PostgreSQL the slowest claim takes under 50 ms;
- a sweep takes at most 1.05 times the ideal schedule; from 3,000 jobs on its last thousand cost no more CPU each than
  the first, and memory is at the end at most 1.2 times that after a thousand.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any

import psutil
from service import emulator
from sqlalchemy import insert

import vidnb
from vidnb import catalog
from vidnb.client.asynchronous import AsyncClient
from vidnb.records import ClipInfo, Reservation, State
from vidnb.store import Store
from vidnb.store.pace import PaceRows
from vidnb.store.search import Search
from vidnb.store.sweeps import SweepRows
from vidnb.store.tables import JOBS, job_row
from vidnb.sweeps.outlook import Group
from vidnb.sweeps.running import planned_of

PLAN_S, AGAIN, FAIR, CLAIM_MS, RATIO, GROWTH = 5.0, 2.0, 1.3, 50.0, 1.05, 1.2
PART = 1000
"""So many jobs at the beginning and at the end of a run are compared."""
PER_S = 40
PROCESSES = 4
SPAWN = multiprocessing.get_context("spawn")
CLIP = ClipInfo("0" * 64, 1000, 320, 192, 24.0, 2.0, 48, "h264", False)


def wide(count: int, client: AsyncClient) -> vidnb.Sweep:
    """A sweep of so many recipes."""
    return vidnb.sweep(
        "a {animal} in the {place}", animal=["koala", "heron", "cat", "owl"],
        place=["snow", "city", "sea", "wood", "attic"],
        motion_control="Dolly In", motion_control_weight=[0.3, 0.7], model="leonardo/motion_2.0", seeds=count // 40,
        budget_jobs=count, client=client,
    )  # fmt: skip


def mark_done(client: AsyncClient, sweep: vidnb.Sweep, every: int) -> None:
    """Enter every so manieth job of a sweep as done."""
    from dataclasses import replace

    now = client.clock.utc()
    done = {"state": State.DONE, "clip": CLIP, "submitted_at": now, "finished_at": now, "done_at": now}
    rows = [job_row(replace(job.row(sweep.purse, now), **done)) for job in sweep.plan.jobs[::every]]
    with client.store.writing() as connection:
        connection.execute(insert(JOBS), rows)


def plan(given: argparse.Namespace) -> bool:
    """Plan a large sweep of which a tenth is done."""
    count = 10_000 if given.smoke else 100_000
    with tempfile.TemporaryDirectory() as home:
        client = AsyncClient(home)
        mark_done(client, wide(count, client), 10)
        wall, cpu = time.perf_counter(), time.process_time()
        sweep = wide(count, client)
        outlook = sweep.outlook
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        asyncio.run(client.aclose())
    print(f"planning {count:,} recipes, {outlook.counts[Group.DONE]:,} of them done: {cpu:.2f} s of CPU, {wall:.2f} s "
          f"(at most {PLAN_S})")  # fmt: skip
    return cpu <= PLAN_S and outlook.counts[Group.DONE] == count // 10


def again(given: argparse.Namespace) -> bool:
    """Run a finished sweep again."""
    count = 2_000 if given.smoke else 10_000
    with tempfile.TemporaryDirectory() as home:
        client = AsyncClient(home)
        mark_done(client, wide(count, client), 1)
        asyncio.run(wide(count, client).run_async())  # so that the sweep is known
        sweep = wide(count, client)
        _ = sweep.id
        started = time.process_time()
        progress = asyncio.run(sweep.run_async())
        ran = time.process_time() - started
        started = time.process_time()
        rows = len(list(client.history(sweep=sweep.id, limit=None)._rows()))
        read = time.process_time() - started
        jobs = client.store.count(Search())
        asyncio.run(client.aclose())
    print(f"running {count:,} finished jobs again: {ran:.2f} s, reading their {rows:,} rows {read:.2f} s, so "
          f"{ran / read:.2f} times (at most {AGAIN}); {jobs - count} sent")  # fmt: skip
    return ran <= AGAIN * read and jobs == count and progress.word == "done"


def permits(url: str, seconds: float, gate: Any, queue: Any) -> None:
    """Take permits as often as they come."""
    with closing(Store(url)) as store:
        rows, found = PaceRows(store), []
        gate.wait()
        end = time.time() + seconds
        while time.time() < end:
            place = rows.turn("account", "submit", 1 / (0.98 * PER_S))
            found.append(place.at)
            time.sleep(place.wait_s)
        queue.put(found)


def claims(url: str, sweep_id: str, base_url: str, gate: Any, queue: Any) -> None:
    """Claim cells until none is left."""
    with closing(Store(url)) as store:
        rows, found, slowest = SweepRows(store), [], 0.0

        def make(cell: Any) -> Any:
            return planned_of(cell).row(None, store.clock.utc()), Reservation(("", sweep_id), "emulated")

        catalog.load()  # as a worker does
        rows.rehearse(sweep_id, base_url, make)
        gate.wait()
        while True:
            started = time.perf_counter()
            claimed = rows.claim(sweep_id, base_url, make)
            slowest = max(slowest, time.perf_counter() - started)
            if claimed is None:
                break
            found.append(claimed[0].recipe_hash)
        queue.put((found, slowest))


def together(work: Callable[..., None], *arguments: Any) -> list[Any]:
    """What four processes that begin together hand back."""
    gate, queue = SPAWN.Barrier(PROCESSES), SPAWN.Queue()
    processes = [SPAWN.Process(target=work, args=(*arguments, gate, queue), daemon=True) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    found = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    return found


def pace(given: argparse.Namespace) -> bool:
    """Let four processes take permits."""
    with tempfile.TemporaryDirectory() as home:
        url = given.postgres or f"sqlite:///{home}/vidnb.db"
        Store(url).close()
        found = together(permits, url, 3.0 if given.smoke else 10.0)
    times = sorted(at for one in found for at in one)
    most = max(sum(1 for later in times[n : n + 3 * PER_S] if later < at + 1.0) for n, at in enumerate(times))
    least, best = min(map(len, found)), max(map(len, found))
    print(f"permits: {len(times)}, most in any second {most} (at most {PER_S}), by process {sorted(map(len, found))}, "
          f"{best / max(least, 1):.2f} times (at most {FAIR})")  # fmt: skip
    return most <= PER_S and best <= FAIR * least


def claim(given: argparse.Namespace) -> bool:
    """Let four processes claim the cells of one sweep."""
    count = given.claims or (2_000 if given.smoke else 100_000)
    with tempfile.TemporaryDirectory() as home:
        url = given.postgres or f"sqlite:///{home}/vidnb.db"
        client = AsyncClient(home, database_url=url)
        sweep = wide(count, client)
        sweep.queue()
        started = time.perf_counter()
        found = together(claims, url, sweep.id, sweep.plan.jobs[0].base_url)
        took = time.perf_counter() - started
        asyncio.run(client.aclose())
    names = [name for one, _ in found for name in one]
    slowest = 1000 * max(slow for _, slow in found)
    limit = f" (at most {CLAIM_MS:g})" if given.postgres else ""
    print(
        f"claims: {len(names):,} in {took:.1f} s, {len(names) - len(set(names))} twice, slowest {slowest:.0f} ms{limit}"
    )
    return len(names) == len(set(names)) == count and (given.postgres is None or slowest <= CLAIM_MS)


def run(given: argparse.Namespace) -> bool:
    """Run a sweep of takes of one small recipe against an emulator on a port."""
    jobs, in_flight, latency_s = (128, 32, 2.0) if given.smoke else (2000, 64, 12.0)
    jobs = given.jobs or jobs
    ideal_s = math.ceil(jobs / in_flight) * latency_s
    warnings.simplefilter("ignore")  # the small size is one of an older page
    with emulator(latency_s=latency_s, slots=in_flight) as url, tempfile.TemporaryDirectory() as home:
        os.environ |= {"LEONARDO_BASE_URL": f"{url}/api/rest"}
        client = AsyncClient(home, max_in_flight=in_flight)
        sweep = vidnb.sweep("a koala", model="leonardo/seedance-2.0", seed=7, duration_s=4, width_px=320, height_px=320,
                            audio=False, takes=jobs, budget_jobs=jobs, client=client)  # fmt: skip
        marks: list[tuple[int, float, int]] = []
        process = psutil.Process()

        def note(progress: Any, places: list[int]) -> None:
            marks.append((progress.counts()[Group.DONE], time.process_time(), process.memory_info().rss))

        wall, cpu = time.perf_counter(), time.process_time()
        progress = asyncio.run(sweep.run_async(on_change=note))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    part = min(PART, jobs // 4)
    cpus, memory = ([mark[n] for mark in at_done(marks, (0, part, jobs - part, jobs))] for n in (1, 2))
    growth, slower = memory[3] / memory[1], (cpus[3] - cpus[2]) / max(cpus[1] - cpus[0], 1e-9)
    print(f"{jobs:,} jobs, {in_flight} in flight, {latency_s:g} s each: {wall:.1f} s = {wall / ideal_s:.3f} x ideal "
          f"(at most {RATIO}), CPU {1000 * cpu / jobs:.1f} ms a job")  # fmt: skip
    print(f"the last {part:,} took {slower:.2f} times the CPU of the first (at most 1), memory {memory[1] / 1e6:.0f} MB"
          f" after those, at the end {growth:.2f} times that (at most {GROWTH})")  # fmt: skip
    is_flat = jobs < 3 * PART or (growth <= GROWTH and slower <= 1.0)
    return wall <= RATIO * ideal_s and progress.counts()[Group.DONE] == jobs and is_flat


def at_done(marks: list[tuple[int, float, int]], counts: Iterable[int]) -> Iterator[tuple[int, float, int]]:
    """The first mark at which so many jobs were done."""
    for count in counts:
        yield next(mark for mark in marks if mark[0] >= count)


PARTS = {"plan": plan, "again": again, "pace": pace, "claim": claim, "run": run}


def main() -> int:
    """Print what was measured and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer of everything")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--postgres", help="address of an empty PostgreSQL database for pace and claim")
    parser.add_argument("--claims", type=int, help="how many cells are claimed")
    parser.add_argument("--jobs", type=int, help="how many jobs are run")
    given = parser.parse_args()
    within = [PARTS[name](given) for name in given.only.split(",")]
    return 0 if all(within) else 2


if __name__ == "__main__":
    sys.exit(main())
