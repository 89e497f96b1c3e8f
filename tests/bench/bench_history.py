"""Read, filter and search large histories, beside the quickest reader that can be found and beside plain pandas.

Run it with `python tests/bench/bench_history.py [--smoke] [--postgres]`. Two folders are made: one to read as a whole
(1,000,000 jobs, 12 params) and one to look through (200,000). Each way of reading runs in a process of its own. Exits 2
if a limit is passed: `.df` at most 1.45 times connectorx with the same honest types, at least 5 times faster than
`read_sql` with the params parsed, 1,000 filtered rows below 5 % of all, peak memory at most twice the frame; a filter
with its first screen 50 ms, a search for words 100 ms, `expect` 10 ms; the first screen of a folder of 100,000 at most
twice that of a small one. With `--smoke` the folders are small and only what does not depend on their size is held to
its limit. With `--postgres` the large history is read from a PostgreSQL server that is started for it, and nothing else
is measured. CPU is that of the reader and of the processes that it starts, and not of a server.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from sqlalchemy import create_engine, make_url

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # run as a script
from databases import own_server

from vidnb.files import Files
from vidnb.history.history import History
from vidnb.jobs import quotes
from vidnb.records import MISSING
from vidnb.store import Store, columns

START = datetime(2026, 1, 1, tzinfo=UTC)
ANIMALS, PLACES = ["koala", "heron", "cat", "fox", "otter", "crane"], ["snow", "city", "meadow", "desert", "harbour"]
MODELS = ["leonardo/motion_2.0", "1min/luma", "leonardo/SVD", "1min/leonardo-motion"]
KINDS: dict[str, columns.Kind] = {
    "prompt": "text", "negative_prompt": "text", "seed": "int", "motion_strength": "real", "resolution": "text",
    "width_px": "int", "height_px": "int", "duration_s": "real", "aspect_ratio": "text", "frame_interpolation": "bool",
    "prompt_enhance": "text", "loop": "bool",
}  # fmt: skip


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Jobs as columns of the table; params may be missing, one of them in the newest two thirds of the jobs."""
    chance = random.Random(5)
    for number in range(count):
        at = START + timedelta(seconds=17 * number, microseconds=chance.randrange(10**6))
        model, is_done = chance.choice(MODELS), chance.random() < 0.93
        params = {
            "prompt": f"a {chance.choice(ANIMALS)} in the {chance.choice(PLACES)}, take {number % 997}, soft light",
            "seed": chance.randrange(2**31) if chance.random() < 0.9 else None,
            "motion_strength": chance.choice([1.0, 3.0, 5.0, 7.0, None]),
            "resolution": chance.choice(["480p", "720p", None]),
            "width_px": chance.choice([848, 1280]),
            "height_px": chance.choice([480, 720]),
            "duration_s": chance.choice([5.0, 8.0]),
            "aspect_ratio": chance.choice(["16:9", "1:1", None]),
            "frame_interpolation": chance.choice([True, False, None]),
            "prompt_enhance": chance.choice(["auto", "off"]),
            "loop": chance.choice([True, None]),
            "negative_prompt": "blurry, text" if number < count // 3 else None,  # NULL in all that are read first
        }
        given = {name: value for name, value in params.items() if value is not None}
        sha256 = f"{chance.getrandbits(256):064x}"
        end = _text(at + timedelta(seconds=61)) if is_done else None
        yield {
            "id": f"{number:08x}{chance.getrandbits(96):024x}", "provider": model.split("/")[0], "model": model,
            "base_url": "http://x", "recipe_hash": sha256[::-1], "take": number % 3,
            "state": "done" if is_done else "failed", "params": json.dumps(given, separators=(",", ":")),
            "images": "{}", "dropped": "{}", "prompt_folded": str(given["prompt"]), "seed": params["seed"],
            "emulated": False,
            "created_at": _text(at), "submitted_at": _text(at + timedelta(seconds=1)), "finished_at": end,
            "done_at": end, "polls": 3, "cost_amount": 25.0 if is_done else None,
            "cost_unit": "CREDITS" if is_done else None, "clip_sha256": sha256 if is_done else None,
            "size_bytes": 10**6 if is_done else None, "actual_fps": 24.0 if is_done else None,
            "actual_width_px": 848, "actual_height_px": 480, "actual_duration_s": 5.0, "actual_frames": 120,
            "rating": chance.choice([None, None, 3, 5]), "tags": '["keeper"]' if number % 50 == 0 else "[]", "note": "",
            **{columns.column_name(name, KINDS[name]): value for name, value in params.items()},
        }  # fmt: skip


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def fill(at: str, count: int) -> None:
    """A history with so many jobs in a folder, or at the address of a PostgreSQL server."""
    store = Store(address(at))
    store._columns.names(KINDS.items())
    store.close()
    made = rows(count)
    if is_server(at):
        fill_server(at, made)
        return
    with sqlite3.connect(f"{at}/vidnb.db") as database:
        database.execute("PRAGMA synchronous=OFF")
        while some := list(itertools.islice(made, 20_000)):
            names = list(some[0])
            marks = ", ".join(f":{name}" for name in names)
            database.executemany(f"INSERT INTO jobs ({', '.join(names)}) VALUES ({marks})", some)
        database.execute("PRAGMA optimize")
    database.close()


def fill_server(at: str, made: Iterator[dict[str, Any]]) -> None:
    """The jobs in the table of a server."""
    with psycopg.connect(at, autocommit=True) as database:
        first = next(made)
        with database.cursor().copy(f"COPY jobs ({', '.join(first)}) FROM STDIN") as copy:
            for row in itertools.chain([first], made):
                copy.write_row(list(row.values()))
        database.execute("VACUUM ANALYZE jobs")


def is_server(at: str) -> bool:
    """Whether this is the address of a server, and not a folder."""
    return at.startswith("postgresql:")


def address(at: str) -> str | Path:
    """What a store is opened with."""
    if not is_server(at):
        return Path(at)
    socket = psycopg.conninfo.conninfo_to_dict(at)["host"]
    return f"postgresql+psycopg://postgres@/postgres?host={socket}"


# ways to read, each in a process of its own


def ours(at: str) -> Any:
    """The frame of the history."""
    return History(Store(address(at)), Files(Path("files"))).df


def few(at: str) -> Any:
    """The frame of 1,000 filtered jobs."""
    return History(Store(address(at)), Files(Path("files")), motion_strength=(3, 7), limit=1000).df


def connectorx(at: str) -> Any:
    """The same columns by connectorx, with the same honest types."""
    import connectorx as cx
    import pandas as pd
    import pyarrow as pa

    table = cx.read_sql(at if is_server(at) else f"sqlite://{at}/vidnb.db", _same_columns(), return_type="arrow")
    nullable = {
        pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype(), pa.bool_(): pd.BooleanDtype(),
        pa.string(): pd.StringDtype(), pa.large_string(): pd.StringDtype(),
    }  # fmt: skip
    found = {}
    for name in table.column_names:
        column = table[name]
        if name.endswith("_at"):
            column = column.cast(pa.timestamp("us", "UTC"))
        elif name in ("model", "state", "provider", "cost_unit", "codec") or name in CATEGORIES:
            column = column.cast(pa.string()).dictionary_encode()
        found[name] = column.to_pandas(types_mapper=nullable.get)
    return pd.DataFrame(found, copy=False)


CATEGORIES = [columns.column_name(name, "text") for name in ("resolution", "aspect_ratio", "prompt_enhance")]


def read_sql(at: str) -> Any:
    """What a person would write: pandas.read_sql, and the params out of their JSON."""
    import pandas as pd

    engine = create_engine(address(at) if is_server(at) else f"sqlite:///{at}/vidnb.db")  # type: ignore[arg-type]
    with engine.connect() as database:
        frame = pd.read_sql("SELECT * FROM jobs ORDER BY created_at DESC", database)
    return pd.concat([frame, pd.DataFrame.from_records([json.loads(text) for text in frame.pop("params")])], axis=1)


def _same_columns() -> str:
    from vidnb.store import scan

    names = [*scan.PLAIN, *(columns.column_name(*key) for key in KINDS.items())]
    return f"SELECT {', '.join(names)} FROM jobs ORDER BY created_at DESC, id DESC"


WAYS: dict[str, Callable[[str], Any]] = {
    "vidnb": ours, "1,000 of them": few, "connectorx": connectorx, "read_sql": read_sql,
}  # fmt: skip


def one(name: str, at: str) -> None:
    """Print what one way takes: seconds, MB above the bare imports, MB of the frame, rows, seconds of CPU."""
    import pandas as pd
    import pyarrow as pa

    pd.DataFrame({"a": pa.array(["x"]).to_pandas()})  # what is loaded at first use
    base = _peak_mb()
    start, used = time.perf_counter(), _cpu_s()
    frame = WAYS[name](at)
    seconds, cpu = time.perf_counter() - start, _cpu_s() - used
    peak = _peak_mb() - base
    print(json.dumps([seconds, peak, frame.memory_usage(deep=True).sum() / 1e6, len(frame), cpu]))


def _cpu_s() -> float:
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, who))


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measured(name: str, at: str, times: int) -> list[float]:
    """The quickest of some runs."""
    found = []
    for _ in range(times):
        done = subprocess.run(
            [sys.executable, __file__, "--one", name, at], capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(f"{name}: not run: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
            return []
        found.append(json.loads(done.stdout.strip().splitlines()[-1]))
    return min(found)


def whole(at: str, times: int) -> dict[str, tuple[float, float]]:
    """Read all; return what has a limit, with it."""
    found = {name: measured(name, at, times) for name in WAYS}
    for name, values in found.items():
        if values:
            seconds, peak, size, count, cpu = values
            took = f"{seconds:7.2f} s, CPU {cpu:7.2f} s"
            print(f"{name:16} {took}   peak {peak:7.0f} MB   frame {size:6.0f} MB   {count:,} rows")
    mine = found["vidnb"]
    limits: dict[str, tuple[float, float]] = {"peak memory / frame": (mine[1] / mine[2], 2.0)}
    limits["1,000 rows / all"] = (found["1,000 of them"][0] / mine[0], 0.05)
    if found["connectorx"]:
        limits["df / connectorx"] = (mine[0] / found["connectorx"][0], 1.45)
    limits["df / read_sql"] = (mine[0] / found["read_sql"][0], 0.2)
    return limits


def screens(home: Path, many: Path, small: Path) -> dict[str, tuple[float, float]]:
    """Milliseconds of work until a person sees the first screen; return them with their limits."""
    store, files = Store(home), Files(home / "files")

    def screen(**filters: Any) -> object:
        history = History(store, files, **filters)
        return len(history), history[:20]

    filters: dict[str, dict[str, Any]] = {
        "seed=": {"seed": 123}, "seed range": {"seed": (0, 10**6)}, "motion_strength=": {"motion_strength": 5},
        "motion_strength range": {"motion_strength": (3, 7)}, "resolution=": {"resolution": "720p"},
        "loop": {"loop": True}, "seed MISSING": {"seed": MISSING}, "prompt part": {"prompt": "koala"},
        "prompt nowhere": {"prompt": "zebra"}, "rating": {"rating": 4}, "tag": {"tag": "keeper"},
        "model and strength": {"model": "luma", "motion_strength": 3},
    }  # fmt: skip
    limits = {f"{name} (ms)": (_ms(lambda chosen=chosen: screen(**chosen)), 50.0) for name, chosen in filters.items()}
    limits["words (ms)"] = (_ms(lambda: screen(words="koala snow")), 100.0)
    job = History(store, files)[:1][0]
    limits["expect (ms)"] = (_ms(lambda: quotes.expectation(store, store.get(getattr(job, "job", job).id))), 10.0)
    stores = [Store(at) for at in (small, many)]
    first, later = (_ms(lambda one=one: History(one, files)._repr_html_()) for one in stores)
    limits["first screen / small folder"] = (later / first, 2.0)
    return limits


def _ms(call: Callable[[], object], times: int = 7) -> float:
    """Milliseconds of processor time: SQLite works in this process, and what else the machine does is not its fault."""
    call()
    found = []
    for _ in range(times):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return statistics.median(found) * 1000


SIZELESS = {"first screen / small folder"}
"""What a small folder shows, too: of 30,000 jobs most of the time is the start of Arrow."""


def _made(at: str, count: int) -> None:
    start = time.perf_counter()
    fill(at, count)
    print(f"{count:,} jobs made in {time.perf_counter() - start:.0f} s", flush=True)


def main() -> int:
    """Run it; 2 where a limit is passed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true", help="small folders, few limits")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--postgres", action="store_true", help="the large history on a PostgreSQL server")
    parser.add_argument("--one", nargs=2, metavar=("WAY", "AT"))
    given = parser.parse_args()
    if given.one:
        one(*given.one)
        return 0
    count, some, many = (30_000, 5_000, 5_000) if given.smoke else (given.rows, 200_000, 100_000)
    times = 1 if given.smoke else 2
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if given.postgres:
            with own_server() as server:
                host = make_url(server.url).query["host"]
                at = f"postgresql://postgres@{quote(str(host), safe='')}/postgres"  # as connectorx takes it
                _made(at, count)
                limits = whole(at, times)
        else:
            for name, size in (("whole", count), ("some", some), ("many", many), ("small", 100)):
                _made(f"{folder}/{name}", size)
            limits = whole(f"{folder}/whole", times)
            limits |= screens(*(Path(folder, name) for name in ("some", "many", "small")))
    passed = []
    for name, (value, limit) in limits.items():
        counts = not given.smoke or name in SIZELESS
        is_over = counts and value > limit
        passed += [name] if is_over else []
        said = "   PASSED OVER" if is_over else "" if counts else "   (not held)"
        print(f"{name:32} {value:9.2f}   limit {limit:g}{said}")
    return 2 if passed else 0


if __name__ == "__main__":
    sys.exit(main())
