"""Measure what a clip costs against encoding its frames alone, in one run.

Run it with `python tests/bench/bench_render.py [--smoke]`.
Each row renders a scene from nothing to a finished MP4, then lets x264 with the same settings encode the very same
pictures, already painted. Exits 2 if the text scene of 5 s at 848x480 takes more than twice the encoding.
"""

import argparse
import io
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace

import av
from PIL import Image

from vidnb.emulator import clips
from vidnb.emulator.clips import Scene

LIMIT = 2.0


def start_image() -> bytes:
    """Return a colourful PNG to animate."""
    sink = io.BytesIO()
    channels = [Image.radial_gradient("L"), Image.linear_gradient("L"), Image.effect_noise((256, 256), 40)]
    Image.merge("RGB", channels).save(sink, "PNG")
    return sink.getvalue()


def scenes() -> dict[str, Scene]:
    """Return the scenes to measure; the first one decides."""
    text = Scene("leonardo/motion_2.0", "a koala and a cat in a meadow", seed=7, width_px=848)
    return {
        "text": text,
        "text, motion 10": replace(text, motion_strength=10),
        "text, 1280x720": replace(text, width_px=1280, height_px=720),
        "text, 320x180": replace(text, width_px=320, height_px=180),
        "image": replace(text, start_image=start_image()),
    }


def seconds(work: Callable[[], object]) -> float:
    """Return how long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def encode_only(scene: Scene, pictures: list[av.VideoFrame]) -> bytes:
    """Return the MP4 of pictures that are painted already, made with the renderer's own settings."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        video = out.add_stream("libx264", rate=scene.fps, options=clips.X264 | {"g": str(scene.fps)})
        video.width, video.height, video.pix_fmt = scene.width_px, scene.height_px, "yuv420p"
        for picture in pictures:
            out.mux(video.encode(picture))
        out.mux(video.encode(None))
    return sink.getvalue()


def measure(scene: Scene, repeats: int) -> tuple[float, float]:
    """Return the median seconds of rendering and of encoding alone, in turns: a busy machine slows both."""
    pictures = list(clips.frames(scene, scene.frames))
    whole, alone = [], []
    for _ in range(repeats):
        whole.append(seconds(lambda: clips.render(scene)))
        alone.append(seconds(lambda: encode_only(scene, pictures)))
    return statistics.median(whole), statistics.median(alone)


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smoke", action="store_true", help="fewer repeats, and the deciding scene only")
    smoke = parser.parse_args().smoke
    rows = dict(list(scenes().items())[: 1 if smoke else None])
    print(f"{'scene (5 s, 24 fps)':<22}{'render s':>10}{'encode s':>10}{'ratio':>8}{'MB':>8}")
    ratios = []
    for name, scene in rows.items():
        whole, alone = measure(scene, 3 if smoke else 7)
        ratios.append(whole / alone)
        print(f"{name:<22}{whole:>10.3f}{alone:>10.3f}{ratios[-1]:>8.2f}{len(clips.render(scene)) / 1e6:>8.2f}")
    print(f"limit for {next(iter(rows))!r}: {LIMIT}")
    return 2 if ratios[0] > LIMIT else 0


if __name__ == "__main__":
    sys.exit(main())
