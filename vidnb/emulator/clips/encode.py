"""From a scene to its MP4: painted, enlarged, badged and encoded in memory."""

import io
from collections.abc import Iterator
from concurrent.futures import Future
from fractions import Fraction
from typing import Any

import av
from av.video.reformatter import VideoReformatter

from vidnb.emulator.clips.badge import badge
from vidnb.emulator.clips.boxes import faststart
from vidnb.emulator.clips.landscape import landscape_painter
from vidnb.emulator.clips.music import AUDIO_RATE, music
from vidnb.emulator.clips.pictures import picture_painter
from vidnb.emulator.clips.scene import Scene
from vidnb.threads import StandingPool, ending

LOOK_S = 0.5
"""So often who waits for a picture looks whether the process ends."""

# One thread: x264 writes its thread count into the stream; left to itself the bytes would depend on the machine.
# No psy, no mbtree: both spend bits on what looks sharp and let slow, soft movement freeze and jump.
X264 = {"preset": "veryfast", "crf": "16", "bf": "0", "threads": "1", "aq-mode": "3", "psy": "0", "mbtree": "0"}


def render(scene: Scene) -> bytes:
    """Return the scene as a playable MP4: H.264 yuv420p, moov first, exact size, frame count and rate.

    Raises:
        ValueError: if the start or end image is not a readable PNG, JPEG or WebP of a sane size.
    """
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as out:
        video: Any = out.add_stream("libx264", rate=scene.fps, options=X264 | {"g": str(scene.fps)})
        video.width, video.height, video.pix_fmt = scene.width_px, scene.height_px, "yuv420p"
        context = video.codec_context
        # 1 is BT.709, and also MPEG range: without these tags players guess, and guess differently by size.
        context.color_primaries = context.color_trc = context.colorspace = context.color_range = 1
        sound: Any = out.add_stream("aac", rate=AUDIO_RATE, layout="mono") if scene.audio else None
        chunks = music(scene) if scene.audio else None
        for frame in ahead(frames(scene, scene.frames)):
            out.mux(video.encode(frame))
            if chunks:
                out.mux(sound.encode(next(chunks)))
        for stream in (video, sound) if sound else (video,):
            out.mux(stream.encode(None))
    return faststart(sink.getvalue())


def poster(scene: Scene) -> bytes:
    """Return the scene's first frame as a JPEG."""
    sink = io.BytesIO()
    next(frames(scene, 1)).to_image().save(sink, "JPEG", quality=88)
    return sink.getvalue()


def ahead(pictures: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield the pictures, each next one being painted while the last one is encoded."""
    try:
        pool = StandingPool(1, "vidnb-painter")
    except RuntimeError:  # the interpreter is ending, and no thread can be started any more
        yield from pictures
        return
    with pool as painter:
        coming = painter.submit(next, pictures, None)
        while (picture := _painted(coming)) is not None:
            coming = painter.submit(next, pictures, None)
            yield picture


def _painted(coming: Future[av.VideoFrame | None]) -> av.VideoFrame | None:
    while True:
        try:
            return coming.result(LOOK_S)
        except TimeoutError:
            if ending.is_set():  # a pool that has ended makes no more calls
                raise RuntimeError("the interpreter is ending") from None


def frames(scene: Scene, count: int) -> Iterator[av.VideoFrame]:
    """Yield the first frames of the scene at full size, badge included, ready for the encoder."""
    paint = picture_painter(scene) if scene.start_image or scene.end_image else landscape_painter(scene)
    stamp, scaler = badge(scene), VideoReformatter()
    for i in range(count):
        if ending.is_set():  # whoever is cut off in the middle of FFmpeg's code can end the process with a crash
            raise RuntimeError("the interpreter is ending")
        frame = av.VideoFrame.from_ndarray(paint(i / scene.fps), format="yuv420p")
        if (frame.width, frame.height) != (scene.width_px, scene.height_px):
            frame = scaler.reformat(frame, scene.width_px, scene.height_px, interpolation="BICUBIC")
        frame.pts, frame.time_base = i, Fraction(1, scene.fps)
        frame.colorspace = frame.color_range = 1
        stamp(frame)
        yield frame
