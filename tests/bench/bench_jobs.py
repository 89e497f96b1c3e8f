"""Run many jobs at once against an emulator on a port, and compare with the ideal schedule.

Run it with `python tests/bench/bench_jobs.py [--smoke]`. Ideal is the number of rounds of jobs in flight times the
service's latency; all else is ours. Exits 2 if a limit is passed: 1.05 times the ideal, 1.4 times the CPU that a
careful script of httpx, PyAV and sqlite3 alone needs for the same jobs at the same rhythm, or memory that grows with
finished jobs (the smoke run has too few of them to tell). The CPU is that of this process, all threads; the emulator
runs in another one.

The jobs are takes of one recipe with a seed, so the service renders one clip and the two cores are left to the client;
the clip is small (320x320), as this is about jobs and not about decoding the first frame of a video.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import math
import os
import sqlite3
import sys
import tempfile
import time
import uuid
import warnings
from collections import Counter
from pathlib import Path

import httpx
import psutil
from service import emulator

from vidnb.records import Call

RATIO, TIMES, GROWTH_KB = 1.05, 1.4, 1.0
SQLITE_CACHE_KB = 2000
"""SQLite keeps so much of the database in memory; with the first thousand jobs it fills up, and then stays."""
ENOUGH_JOBS = 500
"""With fewer jobs the memory says nothing: what the first two hundred leave in caches would be taken for growth."""
RECIPE_PARAMS = {"seed": 7, "duration_s": 4, "width_px": 320, "height_px": 320, "audio": False}
RECIPE = {"model": "leonardo/seedance-2.0", **RECIPE_PARAMS}


async def run(home: Path, url: str, jobs: int, in_flight: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds, CPU seconds and memory of a client that makes these jobs, and the requests a job by kind."""
    from vidnb.client.asynchronous import AsyncClient

    process, memory = psutil.Process(), []
    async with AsyncClient(home, max_in_flight=in_flight) as client:
        for _ in range(3):  # a history for the poll schedule, the service's clip, and connections
            await client.generate("warm up", fresh=True, **RECIPE)
        before = requests(url)
        start, cpu = time.perf_counter(), time.process_time()
        gate = asyncio.Semaphore(in_flight)

        async def one(take: int) -> None:
            async with gate:
                await client.wait(await client.submit("a koala", take=take, **RECIPE))
            if take % 50 == 49:
                memory.append(process.memory_info().rss)

        await asyncio.gather(*(one(take) for take in range(jobs)))
        wall, used = time.perf_counter() - start, time.process_time() - cpu
    half = memory[len(memory) // 2 :] or memory
    grown_kb = (half[-1] - half[0]) / 1024
    counts = {kind: count / jobs for kind, count in (requests(url) - before).items()}
    return {"wall_s": wall, "cpu_s": used, "growth_kb": max(0.0, grown_kb - SQLITE_CACHE_KB) / (jobs / 2)}, counts


def requests(url: str) -> Counter[str]:
    """Requests by kind, at the service's own count."""
    counts = httpx.get(f"{url}/_emulator/stats").json()["operations"]
    return Counter({name.split()[1]: count for name, count in counts.items()})


class Plain:
    """The same jobs by a careful script of httpx, PyAV and sqlite3 alone: what is above it is vidnb's own.

    It does what anybody does who may lose neither money nor clips: a row that is committed before the POST and at each
    step, one reader of the list of recent jobs, a clip that is written through to the disk before it gets its name,
    and a look at its first frame and all its packets.

    Args:
        folder: for the rows and the clips.
        url: of the emulator.
        in_flight: so many jobs at once.
    """

    def __init__(self, folder: Path, url: str, in_flight: int) -> None:
        self.folder = folder
        self.url = f"{url}/api/rest"
        self.in_flight = in_flight
        self.waiting: dict[str, asyncio.Future[str]] = {}
        self.rows = sqlite3.connect(folder / "plain.db", isolation_level=None)
        # As vidnb has it: what is committed outlives the process.
        self.rows.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
            "CREATE TABLE jobs (id PRIMARY KEY, state, params, remote)"
        )

    async def cpu_ms(self, jobs: int, every_s: float) -> float:
        """CPU a job of so many jobs, while the list is read so often."""
        from vidnb import catalog, params, providers

        request = params.validate(catalog.find(RECIPE["model"]), {"prompt": "a koala", **RECIPE_PARAMS})
        call = providers.get("leonardo").submit(request.model, request.params, {})
        headers = {"Authorization": "Bearer 00000000-0000-4000-8000-000000000000"}
        limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)  # with more, httpcore takes twice as long
        async with httpx.AsyncClient(base_url=self.url, headers=headers, limits=limits, timeout=60) as client:
            account = (await client.get("/v1/me")).json()["user_details"][0]["user"]["id"]
            reader = asyncio.create_task(self.read(client, account, every_s))
            await asyncio.gather(*(self.one(client, call) for _ in range(4)))  # connections, and what is loaded late
            gate, cpu = asyncio.Semaphore(self.in_flight), time.process_time()

            async def gated() -> None:
                async with gate:
                    await self.one(client, call)

            await asyncio.gather(*(gated() for _ in range(jobs)))
            used = time.process_time() - cpu
            reader.cancel()
        self.rows.close()
        return used / jobs * 1000

    async def read(self, client: httpx.AsyncClient, account: str, every_s: float) -> None:
        """Read the list of recent jobs for all that wait."""
        while True:
            await asyncio.sleep(every_s)
            path = f"/v1/generations/user/{account}?offset=0&limit={self.in_flight + 10}"
            for entry in (await client.get(path)).json()["generations"]:
                if entry["status"] == "COMPLETE" and (end := self.waiting.pop(entry["id"], None)) is not None:
                    end.set_result(entry["generated_images"][0]["motionMP4URL"])

    async def one(self, client: httpx.AsyncClient, call: Call) -> None:
        """One job, from its row to its clip."""
        number = uuid.uuid4().hex
        self.rows.execute("INSERT INTO jobs VALUES (?, 'intended', ?, NULL)", (number, json.dumps(call.json)))
        self.step(number, "submitting")
        made = (await client.post(call.url, json=call.json)).json()["generate"]["generationId"]
        self.step(number, "running", made)
        link = self.waiting[made] = asyncio.get_running_loop().create_future()
        where = await link
        self.step(number, "downloading", made)
        part, digest = self.folder / f"{number}.part", hashlib.sha256()
        with part.open("xb") as file:
            async with client.stream("GET", where) as response:
                async for chunk in response.aiter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        await asyncio.to_thread(self.look, part)
        part.replace(self.folder / digest.hexdigest())
        self.step(number, "done", made)

    def step(self, number: str, state: str, remote: str | None = None) -> None:
        """Write the job's next state, committed."""
        values = (state, remote, number)
        self.rows.execute("UPDATE jobs SET state = ?, remote = ? WHERE id = ? RETURNING *", values).fetchall()

    def look(self, path: Path) -> None:
        """Check that the file is a whole video, which takes PyAV a few milliseconds."""
        import av

        with av.open(path) as video:
            stream = video.streams.video[0]
            stream.thread_count = 1  # starting threads costs more than one frame
            first, size = None, 0
            for packet in video.demux(stream):
                first = first or next(iter(packet.decode()), None)
                size += packet.size
            assert first is not None
            assert size


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer jobs")
    smoke = parser.parse_args().smoke
    jobs, in_flight, latency_s = (160, 32, 2.0) if smoke else (1000, 32, 5.0)
    ideal_s = math.ceil(jobs / in_flight) * latency_s
    warnings.simplefilter("ignore")  # the small size is one of an older page, which every submit says
    with emulator(latency_s=latency_s, slots=in_flight) as url, tempfile.TemporaryDirectory() as home:
        os.environ |= {"LEONARDO_BASE_URL": f"{url}/api/rest", "VIDNB_HOME": home}
        found, counts = asyncio.run(run(Path(home), url, jobs, in_flight))
        every_s = found["wall_s"] / (jobs * (counts.get("list", 0.0) + counts.get("poll", 0.0)))
        alone = asyncio.run(Plain(Path(home), url, in_flight).cpu_ms(jobs, every_s))
    ratio, cpu_ms = found["wall_s"] / ideal_s, found["cpu_s"] / jobs * 1000
    print(f"{jobs} jobs, {in_flight} in flight, {latency_s:g} s each: ideal {ideal_s:.1f} s")
    print(f"took {found['wall_s']:.1f} s = {ratio:.3f} x ideal (at most {RATIO})")
    times = cpu_ms / alone
    print(f"client CPU {cpu_ms:.2f} ms a job; httpx, PyAV and sqlite3 alone need {alone:.2f} ms for")
    print(f"  the same jobs at the same rhythm, so it is {times:.2f} times that (at most {TIMES})")
    print("  requests a job: " + ", ".join(f"{count:.2f} {kind}" for kind, count in counts.items() if count >= 0.01))
    is_flat = True
    if jobs >= ENOUGH_JOBS:
        is_flat = found["growth_kb"] <= GROWTH_KB
        print(f"memory beyond SQLite's cache grew {found['growth_kb']:.1f} kB a job (at most {GROWTH_KB})")
    return 0 if ratio <= RATIO and times <= TIMES and is_flat else 2


if __name__ == "__main__":
    sys.exit(main())
