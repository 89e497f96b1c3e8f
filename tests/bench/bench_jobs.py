"""Run many jobs at once against an emulator on a port, and compare with the ideal schedule.

Run it with `python tests/bench/bench_jobs.py [--smoke]`. Ideal is the number of rounds of jobs in flight times the
service's latency; all else is ours. Exits 2 if a limit is passed: 1.05 times the ideal, 5 ms of client CPU a job, or
memory that grows with finished jobs.

The jobs are takes of one recipe with a seed, so the service renders one clip and the two cores are left to the client;
the clip is small (320x320), as this is about jobs and not about decoding the first frame of a video.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil
from service import emulator

RATIO, CPU_MS, GROWTH_KB = 1.05, 5.0, 4.0
RECIPE = {
    "model": "leonardo/seedance-2.0", "seed": 7, "duration_s": 4, "width_px": 320, "height_px": 320, "audio": False,
}  # fmt: skip


async def run(home: Path, jobs: int, in_flight: int) -> dict[str, float]:
    """Seconds, CPU seconds and memory of a client that makes these jobs."""
    from vidnb.client import AsyncClient

    process, memory = psutil.Process(), []
    async with AsyncClient(home, max_in_flight=in_flight) as client:
        for _ in range(3):  # a history for the poll schedule, the service's clip, and connections
            await client.generate("warm up", fresh=True, **RECIPE)
        start, cpu = time.perf_counter(), time.process_time()
        gate = asyncio.Semaphore(in_flight)

        async def one(take: int) -> None:
            async with gate:
                await client.wait(await client.submit("a koala", take=take, **RECIPE))
            if take % 50 == 49:
                memory.append(process.memory_info().rss)

        await asyncio.gather(*(one(take) for take in range(jobs)))
        wall, used = time.perf_counter() - start, time.process_time() - cpu
        polls = sum(job.polls for job in client.jobs(limit=None)) / jobs
    half = memory[len(memory) // 2 :] or memory
    return {"wall_s": wall, "cpu_s": used, "polls": polls, "growth_kb": (half[-1] - half[0]) / 1024 / (jobs / 2)}


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer jobs")
    smoke = parser.parse_args().smoke
    jobs, in_flight, latency_s = (160, 32, 2.0) if smoke else (1000, 32, 2.0)
    ideal_s = math.ceil(jobs / in_flight) * latency_s
    with emulator(latency_s=latency_s, slots=in_flight) as url, tempfile.TemporaryDirectory() as home:
        os.environ |= {"LEONARDO_BASE_URL": f"{url}/api/rest", "VIDNB_HOME": home}
        found = asyncio.run(run(Path(home), jobs, in_flight))
    ratio, cpu_ms = found["wall_s"] / ideal_s, found["cpu_s"] / jobs * 1000
    print(f"{jobs} jobs, {in_flight} in flight, {latency_s:g} s each: ideal {ideal_s:.1f} s")
    print(f"took {found['wall_s']:.1f} s = {ratio:.3f} x ideal (at most {RATIO})")
    print(f"client CPU {cpu_ms:.2f} ms a job (at most {CPU_MS}), {found['polls']:.1f} polls a job")
    print(f"memory grew {found['growth_kb']:.1f} kB a job over the second half (at most {GROWTH_KB})")
    within = ratio <= RATIO and cpu_ms <= CPU_MS and found["growth_kb"] <= GROWTH_KB
    return 0 if within else 2


if __name__ == "__main__":
    sys.exit(main())
