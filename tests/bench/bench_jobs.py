"""Run many jobs at once against an emulator on a port, and compare with the ideal schedule.

Run it with `python tests/bench/bench_jobs.py [--smoke]`. Ideal is the number of rounds of jobs in flight times the
service's latency; all else is ours. Exits 2 if a limit is passed: 1.05 times the ideal, 5 ms of client CPU a job, or
memory that grows with finished jobs (the smoke run has too few of them to tell). The CPU is that of this process, all
threads; the emulator runs in another one.

The jobs are takes of one recipe with a seed, so the service renders one clip and the two cores are left to the client;
the clip is small (320x320), as this is about jobs and not about decoding the first frame of a video.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import math
import os
import sqlite3
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
from service import emulator

RATIO, CPU_MS, GROWTH_KB = 1.05, 5.0, 1.0
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


def repeated(counts: dict[str, float]) -> Iterator[list[str]]:
    """For each job in turn the reads that fall to it, so that all together are as many as were counted."""
    done: Counter[str] = Counter()
    for number in itertools.count(1):
        reads = [kind for kind in ("list", "poll") for _ in range(round(counts.get(kind, 0) * number) - done[kind])]
        done.update(reads)
        yield reads


async def bare_cpu_ms(url: str, jobs: int, in_flight: int, counts: dict[str, float]) -> float:
    """CPU a job of plain httpx that sends as many requests and keeps nothing: the part that is not vidnb's."""
    from vidnb import catalog, params, providers

    request = params.validate(catalog.find(RECIPE["model"]), {"prompt": "a koala", **RECIPE_PARAMS})
    call = providers.get("leonardo").submit(request.model, request.params, {})
    headers = {"Authorization": "Bearer 00000000-0000-4000-8000-000000000000"}
    limits = httpx.Limits(max_connections=8, max_keepalive_connections=8)  # with more, httpcore takes twice as long
    async with httpx.AsyncClient(base_url=f"{url}/api/rest", headers=headers, limits=limits, timeout=60) as client:
        account = (await client.get("/v1/me")).json()["user_details"][0]["user"]["id"]
        made = (await client.post(call.url, json=call.json)).json()["generate"]["generationId"]
        path, link = f"/v1/generations/{made}", None
        while link is None:
            await asyncio.sleep(0.2)
            images = (await client.get(path)).json()["generations_by_pk"]["generated_images"]
            link = images[0]["motionMP4URL"] if images else None
        paths = {"poll": path, "list": f"/v1/generations/user/{account}?offset=0&limit={in_flight + 10}"}
        reads, gate, cpu = repeated(counts), asyncio.Semaphore(in_flight), time.process_time()

        async def one() -> None:
            async with gate:
                (await client.post(call.url, json=call.json)).json()
                for kind in next(reads):
                    (await client.get(paths[kind])).json()
                await client.get(link)

        await asyncio.gather(*(one() for _ in range(jobs)))
        return (time.process_time() - cpu) / jobs * 1000


def bare_rest_ms(clip: Path, jobs: int) -> tuple[float, float]:
    """CPU a job of keeping and checking a clip with PyAV alone, and of five rows with sqlite3 alone."""
    import av

    content, folder = clip.read_bytes(), clip.parent
    rows = sqlite3.connect(folder / "bare.db", isolation_level=None)
    rows.executescript("PRAGMA journal_mode=WAL; CREATE TABLE jobs (id PRIMARY KEY, state, recipe)")

    def keep(number: int) -> None:
        path = folder / f"bare-{number}"
        path.write_bytes(content)
        path.replace(folder / hashlib.sha256(content).hexdigest())
        with av.open(folder / hashlib.sha256(content).hexdigest()) as video:
            assert sum(packet.size for packet in video.demux(video=0))

    def write(number: int) -> None:
        rows.execute("INSERT INTO jobs VALUES (?, ?, ?)", (number, "intended", "x" * 500))
        for state in ("submitting", "running", "downloading", "done"):
            rows.execute("UPDATE jobs SET state = ? WHERE id = ? RETURNING *", (state, number)).fetchall()

    figures = []
    for step in (keep, write):
        cpu = time.process_time()
        for number in range(jobs):
            step(number)
        figures.append((time.process_time() - cpu) / jobs * 1000)
    return figures[0], figures[1]


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
        bare = asyncio.run(bare_cpu_ms(url, min(jobs, 160), in_flight, counts))
        clip = next((Path(home) / "files").rglob("*.mp4"))
        kept, rows = bare_rest_ms(clip, 160)
    ratio, cpu_ms = found["wall_s"] / ideal_s, found["cpu_s"] / jobs * 1000
    print(f"{jobs} jobs, {in_flight} in flight, {latency_s:g} s each: ideal {ideal_s:.1f} s")
    print(f"took {found['wall_s']:.1f} s = {ratio:.3f} x ideal (at most {RATIO})")
    print(f"client CPU {cpu_ms:.2f} ms a job (at most {CPU_MS})")
    told = ", ".join(f"{count:.2f} {kind}" for kind, count in counts.items() if count >= 0.01)
    print(f"  plain httpx needs {bare:.2f} ms for the same requests: {told}")
    print(f"  plain PyAV needs {kept:.2f} ms to keep and look at a clip, plain sqlite3 {rows:.2f} ms for rows:")
    alone = bare + kept + rows
    print(f"  so the libraries alone need {alone:.2f} ms, and the client {cpu_ms / alone:.2f} times that")
    is_flat = True
    if jobs >= ENOUGH_JOBS:
        is_flat = found["growth_kb"] <= GROWTH_KB
        print(f"memory beyond SQLite's cache grew {found['growth_kb']:.1f} kB a job (at most {GROWTH_KB})")
    return 0 if ratio <= RATIO and cpu_ms <= CPU_MS and is_flat else 2


if __name__ == "__main__":
    sys.exit(main())
