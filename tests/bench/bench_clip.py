"""One clip from call to file against an emulator on a port, and a bare script that sends the same requests.

Run it with `python tests/bench/bench_clip.py [--smoke]`. vidnb makes a clip while a transport notes when each request
leaves; then plain httpx sends the same requests to the same service, polling at the same times, and writes the file.
Exits 2 if vidnb takes more than 1.15 times as long. The table below says where the rest goes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from service import emulator

LIMIT = 1.15
RECIPE = {"model": "leonardo/motion_2.0", "seed": 7}


class Noting(httpx.AsyncBaseTransport):
    """Notes when each request leaves, and what it carries."""

    def __init__(self) -> None:
        self.below = httpx.AsyncHTTPTransport()
        self.seen: list[tuple[float, httpx.Request]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append((time.perf_counter(), request))
        return await self.below.handle_async_request(request)


@contextmanager
def timed(spent: dict[str, float], places: list[tuple[Any, str, str]]) -> Iterator[None]:
    """Adds up, by name, the time spent in these functions."""
    originals = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in places]

    def wrapped(function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                spent[name] += time.perf_counter() - start

        return call

    for owner, attribute, name in places:
        setattr(owner, attribute, wrapped(getattr(owner, attribute), name))
    try:
        yield
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)


async def with_vidnb(client: Any, noting: Noting, prompt: str, spent: dict[str, float]) -> float:
    """Seconds from the call to the stored clip."""
    from vidnb import params, store
    from vidnb.media import video

    places = [(params, "validate", "validation"), (video, "verify_video", "verify the video (in a thread)")]
    places += [
        (store.Store, name, "store") for name in ("intend", "move", "update", "lease", "release", "get", "latencies")
    ]
    noting.seen.clear()
    with timed(spent, places):
        start = time.perf_counter()
        await client.generate(prompt, **RECIPE)
        return time.perf_counter() - start


async def bare(noted: list[tuple[float, httpx.Request]], prompt: bytes, other: bytes, folder: Path) -> float:
    """Seconds of a script that sends the same requests at the same times: submit, polls, download, write."""
    async with httpx.AsyncClient() as client:
        start, submitted = time.perf_counter(), noted[0][0]
        first = noted[0][1]
        headers = {name: value for name, value in first.headers.items() if name in ("authorization", "content-type")}
        reply = await client.post(first.url, headers=headers, content=first.content.replace(prompt, other))
        url = f"{first.url.copy_with(path='/api/rest/v1/generations/')}{reply.json()['generate']['generationId']}"
        link = None
        for at, request in noted[1:]:
            if "/generations/" not in request.url.path or request.url.path.endswith(".mp4"):
                continue
            await asyncio.sleep(max(0.0, start + (at - submitted) - time.perf_counter()))
            images = (await client.get(url, headers=headers)).json()["generations_by_pk"]["generated_images"]
            link = images[0]["motionMP4URL"] if images else None
        while link is None:
            images = (await client.get(url, headers=headers)).json()["generations_by_pk"]["generated_images"]
            link = images[0]["motionMP4URL"] if images else None
        (folder / "bare.mp4").write_bytes((await client.get(link)).content)
        return time.perf_counter() - start


async def measure(url: str, home: Path, repeats: int) -> tuple[float, float, dict[str, float]]:
    """Median seconds of both, in turns, and the mean time of vidnb's parts."""
    from vidnb.client.asynchronous import AsyncClient

    noting, spent = Noting(), defaultdict[str, float](float)
    ours, theirs = [], []
    keys = {"leonardo": "00000000-0000-4000-8000-000000000000"}
    async with AsyncClient(home, keys=keys, transport=noting) as client:
        await with_vidnb(client, noting, "warm up", defaultdict(float))
        for number in range(repeats):
            prompt, other = f"a koala {number:03d}", f"a panda {number:03d}"
            ours.append(await with_vidnb(client, noting, prompt, spent))
            begin = next(at for at, (_, request) in enumerate(noting.seen) if request.method == "POST")
            theirs.append(await bare(noting.seen[begin:], prompt.encode(), other.encode(), home))
    return statistics.median(ours), statistics.median(theirs), {name: t / repeats for name, t in spent.items()}


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer repeats")
    repeats = 3 if parser.parse_args().smoke else 15
    with emulator(latency_s=0.5) as url, tempfile.TemporaryDirectory() as home:
        os.environ |= {"LEONARDO_BASE_URL": f"{url}/api/rest"}
        ours, theirs, parts = asyncio.run(measure(url, Path(home), repeats))
    print(f"vidnb {ours * 1000:.0f} ms, bare httpx {theirs * 1000:.0f} ms, ratio {ours / theirs:.3f} (at most {LIMIT})")
    for name, seconds in sorted(parts.items(), key=lambda part: -part[1]):
        print(f"  {name:<34}{seconds * 1000:>7.2f} ms")
    return 0 if ours / theirs <= LIMIT else 2


if __name__ == "__main__":
    sys.exit(main())
