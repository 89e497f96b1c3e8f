"""Nine clips on the same frame: how often they are, how many frames are shown, and how quickly a seek settles.

Run it with `python tests/bench/bench_compare.py [--smoke]`. The view is exported as one page, opened from the disk in
Chromium, and counts for itself, from the browser's own animation frames. It plays over its loop, on a machine as it is
and with one core kept busy; then one clip and nine are sought. Exits 2 if the nine are on the same frame in less than
99 % of the looks, show less than 22 of 24 frames a second, settle later than 8 times the seek of one or 250 ms, or the
small frames come later than 50 ms. Firefox and WebKitGTK follow where they are: the first under the limits of Chromium,
the second under 16 frames a second of nine clips and 22 of four. A page of 64 clips may take 2 GB, and no more after 20
turns of the loop than after three. The last line is what a comparison of 24 clips adds to a notebook.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # run as a script
from compared import clip_of
from engines import Engine, Firefox, WebKitGTK, find_firefox, find_webkit
from labharness import CHROMIUM_ARGS, browser_mb, browser_processes, find_browser
from playwright.sync_api import Page, sync_playwright

from vidnb.clip import Clip
from vidnb.display.grid import pivot
from vidnb.files import Files
from vidnb.widgets import Compare

WIDTH, HEIGHT, FPS, SECONDS, KEY_EVERY = 848, 480, 24, 5, 48
SAME, SHOWN, TIMES, SETTLED_MS, SMALL_MS, GROWTH = 99.0, 22.0, 8.0, 250.0, 50.0, 1_000_000
PAGE_MB, FLAT = 2000.0, 1.15

SEEK = """async (beats) => {
    const root = document.querySelector('.vidnb-compare');
    const slider = root.querySelector('.vidnb-track input');
    const found = [];
    for (const beat of beats) {
        const start = performance.now();
        slider.value = beat;
        slider.dispatchEvent(new Event('input', { bubbles: true }));
        const small = performance.now() - start;
        while (root.dataset.rested !== String(beat)) await new Promise(requestAnimationFrame);
        found.push([small, performance.now() - start]);
        await new Promise((done) => setTimeout(done, 60));
    }
    return found;
}"""


def film(number: int, seconds: int = SECONDS) -> bytes:
    """A clip with fine grain that moves, so that decoding it costs what a real one costs."""
    noise = np.random.default_rng(number).integers(20, 220, (HEIGHT // 4, WIDTH // 2), np.uint8)
    grain = noise.repeat(4, 0).repeat(4, 1)
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "26", "g": str(KEY_EVERY)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for at in range(FPS * seconds):
            shift = at * (2 + number) % WIDTH
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(grain[:, shift : shift + WIDTH]), "gray8")
            picture.pts, picture.time_base = at, Fraction(1, FPS)
            out.mux(stream.encode(picture))
        out.mux(stream.encode())
    return sink.getvalue()


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keep so many cores busy."""
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def opened(page: Page, path: Path, count: int) -> None:
    """Open an exported comparison and wait until all its clips can be decoded."""
    page.goto(path.as_uri())
    page.wait_for_function(f"() => document.querySelector('.vidnb-compare')?.dataset.films === '{count}'")
    page.wait_for_function("() => document.querySelector('.vidnb-compare').dataset.rested === '0'")


def played(page: Page, seconds: float) -> dict[str, Any]:
    """What the view counted while it played, and the browser's processor time for each frame that was shown."""
    page.get_by_role("button", name="Play all").click()
    start_s = browser_s()
    page.wait_for_timeout(seconds * 1000)
    found: dict[str, Any] = json.loads(page.locator(".vidnb-compare").get_attribute("data-sums") or "{}")
    used_s = browser_s() - start_s
    page.get_by_role("button", name="Pause").click()
    return {**found, "cpu_ms": 1000 * used_s / max(1.0, found["fps"] * seconds)}


def browser_s() -> float:
    """Seconds of processor time that this run's browser has used."""
    times = []
    for process in browser_processes():
        with contextlib.suppress(psutil.Error):
            times.append(process.cpu_times())
    return sum(one.user + one.system for one in times)


def sought(page: Page, times: int) -> tuple[float, float]:
    """Milliseconds until the small frames and until all full frames are there: the median of each."""
    page.evaluate(SEEK, [5])
    found = page.evaluate(SEEK, [(11 + at * 37) % 118 for at in range(times)])
    return statistics.median(small for small, _ in found), statistics.median(whole for _, whole in found)


OTHERS: list[tuple[type[Engine], Callable[[], str | None], dict[int, float]]] = [
    (Firefox, find_firefox, {9: 22.0}),
    (WebKitGTK, find_webkit, {9: 16.0, 4: 22.0}),
]
"""Each other engine, how it is found, and the frames a second that it must show of so many clips."""


def engine_sums(engine: Engine, path: Path, count: int, seconds: float) -> dict[str, Any]:
    """What the view counts of itself while it plays in another engine."""
    engine.open(path.as_uri())
    engine.until("(count) => document.querySelector('.vidnb-compare')?.dataset.films === String(count)", count)
    engine.until("() => document.querySelector('.vidnb-compare').dataset.rested === '0'")
    engine.click("button[aria-label='Play all']")
    time.sleep(seconds)
    sums: dict[str, Any] = engine.run("() => JSON.parse(document.querySelector('.vidnb-compare').dataset.sums)")
    return sums


def memory(page: Page, path: Path, seconds: int, turns: int) -> tuple[float, float]:
    """The browser's MB with 64 clips that play, after the third turn of the loop and after the last one."""
    page.goto(path.as_uri())
    page.wait_for_function("() => Number(document.querySelector('.vidnb-compare')?.dataset.films ?? 0) >= 16")
    page.get_by_role("button", name="Play all").click()
    page.wait_for_timeout(3000 * seconds)
    early = browser_mb()
    page.wait_for_timeout(1000 * seconds * (turns - 3))
    late = browser_mb()
    page.get_by_role("button", name="Pause").click()
    return early, late


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="shorter")
    smoke = parser.parse_args().smoke
    over = []

    def told(what: str, value: float, limit: float, *, least: bool = False, unit: str = "") -> None:
        fine = value >= limit if least else value <= limit
        bound = f"{'at least' if least else 'at most'} {limit:g}"
        print(f"  {what:<58}{value:>9.1f}{unit} ({bound}){'' if fine else '  OVER'}")
        if not fine:
            over.append(what)

    if (executable := find_browser()) is None:
        print("no Chromium launches here: nothing measured")
        return 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        files = Files(Path(folder) / "files")
        clips = [clip_of(files, film(number), number) for number in range(9)]
        nine = Compare(pivot(clips)).to_html(Path(folder) / "nine.html")
        one = Compare(pivot(clips[:1])).to_html(Path(folder) / "one.html")
        browser = driver.chromium.launch(executable_path=executable, args=list(CHROMIUM_ARGS), chromium_sandbox=False)
        page = browser.new_context(offline=True, viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(120_000)
        seconds = 7 if smoke else 16
        for name, cores in (("as the machine is", 0), ("with one core kept busy", 1)):
            opened(page, nine, 9)
            with busy(cores):
                sums = played(page, seconds)
            print(f"9 clips of {SECONDS} s, {WIDTH}x{HEIGHT}, {FPS} fps, {name}: {sums['samples']} looks")
            told("on the same frame", sums["same"], SAME, least=True, unit=" %")
            told("frames a second shown", sums["fps"], SHOWN, least=True)
            print(
                f"  longest pause {sums['freeze_ms']} ms; the browser used {sums['cpu_ms']:.0f} ms a frame of all nine"
            )
        opened(page, one, 1)
        _, single = sought(page, 4 if smoke else 12)
        opened(page, nine, 9)
        page.wait_for_timeout(3000)  # the small frames have come
        small, whole = sought(page, 4 if smoke else 12)
        print(f"seek of one {single:.0f} ms, of nine {whole:.0f} ms")
        told("seek of nine, as a multiple of the seek of one", whole / single, TIMES)
        told("seek of nine", whole, SETTLED_MS, unit=" ms")
        told("small frames after the pointer", small, SMALL_MS, unit=" ms")
        brief = [film(number, 2) for number in range(8)]
        square = [{"prompt": "a lighthouse", "seed": at // 8, "motion_strength": at % 8 + 1} for at in range(64)]
        many = [clip_of(files, brief[at % 8], 200 + at, params=given) for at, given in enumerate(square)]
        sixty_four = Compare(pivot(many, "seed", "motion_strength"))
        early, late = memory(page, sixty_four.to_html(Path(folder) / "64.html"), 2, 5 if smoke else 20)
        told("64 clips: the browser's memory", late, PAGE_MB, unit=" MB")
        told("its growth after the third turn of the loop", late / early, FLAT)
        browser.close()
        four = Compare(pivot(clips[:4])).to_html(Path(folder) / "four.html")
        for kind, find, limits in OTHERS:
            if (path := find()) is None:
                print(f"{kind.name} is not here: nothing measured in it")
                continue
            with kind(path) as engine:
                engine.size(1280, 1000)
                for count, least in limits.items():
                    sums = engine_sums(engine, {9: nine, 4: four}[count], count, seconds)
                    print(f"{kind.name}, {count} clips: {sums['samples']} looks, longest pause {sums['freeze_ms']} ms")
                    told("on the same frame", sums["same"], SAME, least=True, unit=" %")
                    told("frames a second shown", sums["fps"], least, least=True)
        told("bytes that 24 clips add to a notebook", float(saved(files, clips)), GROWTH)
    return 2 if over else 0


def saved(files: Files, clips: list[Clip]) -> int:
    """How large the saved output of a comparison of 24 clips is."""
    many = [
        clip_of(files, clips[number % 9].read(), 100 + number, params={"prompt": "a lighthouse", "seed": number})
        for number in range(24)
    ]
    start = time.perf_counter()
    size = len(Compare(pivot(many)).saved_html())
    print(f"24 clips saved in {time.perf_counter() - start:.1f} s")
    return size


if __name__ == "__main__":
    sys.exit(main())
