"""Compare the first screen of a large folder's history with that of a small one.

Run it with `python tests/bench/bench_gallery.py [--smoke]`. Both folders show the same newest clips; the large one has
100,000 jobs (with --smoke 10,000), the small one 100. Exits 2 if the large one takes more than twice as long.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

LIMIT = 2.0
CLIPS = 30
SMALL = 100


def fill(folder: Path, jobs: int, video: bytes) -> None:
    """Write a data folder with so many jobs, of which the newest have a clip of their own."""
    from dataclasses import replace

    from rows import add_done

    from vidnb.files import Files
    from vidnb.media.video import probe
    from vidnb.store import Store

    files, store = Files(folder / "files"), Store(folder)
    first = add_done(store, {"prompt": "a fox", "seed": 0}, minute=-1e6)
    copies = jobs - CLIPS - 1
    with sqlite3.connect(folder / "vidnb.db") as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(jobs)")]
        kept = ", ".join(name for name in names if name not in ("id", "recipe_hash", "created_at"))
        database.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {copies}) "
            f"INSERT INTO jobs (id, recipe_hash, created_at, {kept}) "
            f"SELECT printf('%032x', i), printf('%064x', i), "
            f"printf('2020-01-01T%02d:%02d:%02d.%06d+00:00', i / 3600 % 24, i / 60 % 60, i % 60, i), {kept} "
            f"FROM n, jobs WHERE id = '{first.id}'"
        )
    for seed in range(CLIPS):
        data = video + seed.to_bytes(4, "big")  # bytes after the end make it another file and the same video
        path = files.path(sha256 := files.put(data, ".mp4"), ".mp4")
        assert path is not None
        info = replace(probe(path), sha256=sha256, size_bytes=len(data))
        add_done(store, {"prompt": "a fox", "seed": seed}, minute=seed, info=info)
    store.close()


def seconds(folder: Path) -> float:
    """How long it takes from the verb to the HTML, in a client that was not asked before."""
    from vidnb.client.verbs import Client

    with Client(folder) as client:
        start = time.perf_counter()
        html = client.history()._repr_html_()
        took = time.perf_counter() - start
    assert html.count("<figure") == 24
    return took


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer jobs and repeats")
    smoke = parser.parse_args().smoke
    sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
    from vidnb.emulator.clips import Scene, render

    video = render(Scene("leonardo/motion_2.0", "a fox", width_px=320, height_px=192, duration_s=1))
    sizes = {"small": SMALL, "large": 10_000 if smoke else 100_000}
    with tempfile.TemporaryDirectory() as place:
        os.chdir(place)
        folders = {name: Path(place) / name for name in sizes}
        for name, jobs in sizes.items():
            folders[name].mkdir()
            fill(folders[name], jobs, video)
            seconds(folders[name])  # small posters are made once
        rounds = [{name: seconds(folder) for name, folder in folders.items()} for _ in range(5 if smoke else 15)]
    median = {name: statistics.median(one[name] for one in rounds) for name in sizes}
    for name, jobs in sizes.items():
        print(f"first screen of {jobs:>7,} jobs {median[name] * 1000:>8.1f} ms")
    ratio = median["large"] / median["small"]
    print(f"large / small = {ratio:.2f} (at most {LIMIT:.2f})")
    return 0 if ratio <= LIMIT else 2


if __name__ == "__main__":
    sys.exit(main())
