"""All measures of a clip against decoding it, and two processes against one.

Run it with `python tests/bench/bench_measures.py [--smoke]`. Exits 2 if all measures of a 5 s clip take more CPU than
4 decodes of it, or if two processes are less than 1.7 times as fast as one; where the machine has no two cores to
itself, the second figure is only shown: two processes that do nothing but decode say whether it has. What stands beside
it holds on a busy machine, too: how much faster two could be, by the CPU that both ways took, if nothing waited.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import av
from service import WORKERS

from vidnb.files import Files
from vidnb.history.history import History
from vidnb.media import verify_video
from vidnb.records import Job, State
from vidnb.store import Store, utcnow

DECODES, SPEED_UP = 4.0, 1.7
REPEATS = 5


def clips(folder: Path, count: int) -> list[Path]:
    """Clips of 5 s, 848x480, 24 frames a second, with sound, each with content of its own."""
    from vidnb.emulator.clips import Scene, render

    model, size = "leonardo/motion_2.0", {"width_px": 848, "height_px": 480}
    paths = []
    for seed in range(3):
        content = render(Scene(model, "a koala and a cat in a meadow", seed=seed, audio=True, **size))
        for copy in range(seed, count, 3):
            path = folder / f"{copy:03d}.mp4"
            # A box that players skip makes each file another one, with the same work in it.
            path.write_bytes(content + (24).to_bytes(4, "big") + b"free" + copy.to_bytes(16, "big"))
            paths.append(path)
    return paths


def decode(path: Path) -> int:
    """The frames of a clip, decoded on one thread and thrown away."""
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return sum(1 for _ in container.decode(video=0))


def measure(path: Path) -> object:
    """All measures of a clip."""
    from vidnb.media.measures.file import measure_file

    return measure_file(path)


def best_cpu_s(work: Callable[[Path], object], path: Path) -> float:
    """Seconds of CPU, the least of several."""

    def once() -> float:
        start = time.process_time()
        work(path)
        return time.process_time() - start

    return min(once() for _ in range(REPEATS))


def spinning(_: int) -> float:
    """Seconds for a fixed amount of work, to see whether a core is free."""
    start = time.perf_counter()
    sum(i * i for i in range(6_000_000))
    return time.perf_counter() - start


def cores_free() -> float:
    """How much faster two processes do fixed work than one: 2 where two cores are free."""
    with ProcessPoolExecutor(2, mp_context=WORKERS) as pool:
        list(pool.map(spinning, range(2)))
        start = time.perf_counter()
        list(pool.map(spinning, [0, 1, 2, 3]))
        both = time.perf_counter() - start
    with ProcessPoolExecutor(1, mp_context=WORKERS) as pool:
        list(pool.map(spinning, range(1)))
        start = time.perf_counter()
        list(pool.map(spinning, [0, 1, 2, 3]))
        alone = time.perf_counter() - start
    return alone / both


def stored(folder: Path, paths: list[Path]) -> tuple[Store, History]:
    """A data folder with these clips as the files of done jobs, none of them measured."""
    store, files = Store(folder), Files(folder / "files")
    for number, path in enumerate(paths):
        job = Job(
            id=f"{number:032x}", provider="leonardo", model="leonardo/motion_2.0", recipe_hash=f"{number:064x}",
            take=0, state=State.INTENDED, params={"prompt": "a koala"}, images={}, emulated=True,
            base_url="https://emulated.invalid", created_at=utcnow(),
        )  # fmt: skip
        store.intend(job)
        for state in (State.SUBMITTING, State.QUEUED, State.DOWNLOADING):
            store.move(job.id, state)
        info = replace(verify_video(path), sha256=files.put(path.read_bytes(), ".mp4"))
        store.move(job.id, State.DONE, clip=info, done_at=utcnow())
    return store, History(store, files)


def used_cpu_s() -> float:
    """Seconds of CPU that this process and those that it started and that ended have taken."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def all_of(folder: Path, paths: list[Path], workers: int) -> tuple[float, float]:
    """Seconds until all clips of a folder are measured and kept, and seconds of CPU for it."""
    store, history = stored(folder, paths)
    start, used = time.perf_counter(), used_cpu_s()
    found = history.measure(workers=workers)
    spent, cpu = time.perf_counter() - start, used_cpu_s() - used
    assert found.motion.notna().all()
    store.close()
    return spent, cpu


def rows(count: int) -> Iterator[bool]:
    """Prints the table; whether each figure is within its limit."""
    with tempfile.TemporaryDirectory() as folder:
        paths = clips(Path(folder), count)
        measure(paths[0])
        plain, full = best_cpu_s(decode, paths[0]), best_cpu_s(measure, paths[0])
        ratio = full / plain
        print(
            f"decoding {plain * 1e3:.0f} ms, all measures {full * 1e3:.0f} ms: {ratio:.2f} decodes (at most {DECODES})"
        )
        yield ratio <= DECODES
        free = cores_free()
        (one, one_cpu), (two, two_cpu) = (all_of(Path(folder) / f"by {workers}", paths, workers) for workers in (1, 2))
        speed_up = one / two
        print(
            f"{count} clips: one process {one:.1f} s, two {two:.1f} s: {speed_up:.2f} times (at least {SPEED_UP}); "
            f"{2 * one_cpu / two_cpu:.2f} by CPU ({one_cpu:.1f} s, {two_cpu:.1f} s); "
            f"two processes of plain arithmetic {free:.2f} times, {os.cpu_count()} cores"
        )
        yield speed_up >= SPEED_UP or free < SPEED_UP


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer clips")
    count = 12 if parser.parse_args().smoke else 48
    return 0 if all(list(rows(count))) else 2


if __name__ == "__main__":
    sys.exit(main())
