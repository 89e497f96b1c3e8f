"""Several clips as one: their frames pasted into one picture, as MP4, GIF, animated WebP or a still picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb.errors import MediaError
from vidnb.media.upright import shown_image
from vidnb.media.video import reading

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

X264 = {"crf": "20", "preset": "veryfast"}
STEADY = {"crf": "16", "preset": "veryfast", "threads": "1", "bf": "0", "mbtree": "0", "psy": "0"}
"""The same pictures give the same bytes. Left to itself x264 now and then writes one frame in another way."""
AAC_SAMPLES = 1024
LAYOUTS = {1: "mono", 2: "stereo"}
GIF_COLOURS = 128
WEBP_QUALITY = 75
"""Below it small changes from frame to frame are left out, and slow motion stands still."""


@dataclass(frozen=True)
class Tile:
    """Where a clip stands in the picture; it is fitted into the box and never cropped."""

    path: Path
    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Mark:
    """A small picture that stands on the clips, with its own transparency."""

    image: Image
    left: int
    top: int


def pictures(
    tiles: Iterable[Tile], ground: Image, times: Iterable[float], marks: Iterable[Mark] = ()
) -> Iterator[Image]:
    """The whole picture at each of these seconds, which go up; a clip that has ended keeps its last frame.

    Args:
        tiles: the clips and their places.
        ground: what stands around them.
        times: seconds from the start.
        marks: what stands on the clips.

    Raises:
        MediaError: a clip cannot be decoded.
    """
    marks = tuple(marks)
    with ExitStack() as stack:
        films = [(tile, _film(tile, stack)) for tile in tiles]
        for time_s in times:
            whole = ground.copy()
            for tile, film in films:
                film.go(time_s)
                image = film.image
                place = (tile.left + (tile.width - image.width) // 2, tile.top + (tile.height - image.height) // 2)
                whole.paste(image, place)
            for mark in marks:
                whole.paste(mark.image, (mark.left, mark.top), mark.image)
            yield whole


class _Film:
    """A clip that is read forward, with the frame that is due."""

    def __init__(self, tile: Tile, stream: Any, frames: Iterator[Any]) -> None:
        self._tile, self._stream, self._frames = tile, stream, frames
        self._start_s = 0.0
        self._next = next(frames, None)
        if self._next is None:
            raise MediaError(f"{tile.path.name} has no frame that can be decoded")
        self._start_s = float(self._next.time or 0.0)
        self._take()

    def go(self, time_s: float) -> None:
        """Read on to the frame that is shown at this second; a hair of tolerance, as times are rounded."""
        while self._next is not None and float(self._next.time or 0.0) - self._start_s <= time_s + 1e-4:
            self._take()

    def _take(self) -> None:
        self._frame: Any = self._next
        self._next = next(self._frames, None)
        self._image: Image | None = None

    @property
    def image(self) -> Image:
        """The frame, fitted into its box; made only for frames that are shown."""
        if self._image is None:
            image = shown_image(self._frame, self._stream, self._tile.width)
            if image.height > self._tile.height:
                image = image.resize((max(1, image.width * self._tile.height // image.height), self._tile.height))
            self._image = image
        return self._image


def _film(tile: Tile, stack: ExitStack) -> _Film:
    stream, frames = stack.enter_context(reading(tile.path, threads=1))
    return _Film(tile, stream, frames)


@dataclass(frozen=True)
class Sound:
    """What a clip sounds like."""

    samples: NDArray[Any]
    """Channels by samples, from -1 to 1; one or two channels."""
    rate: int
    """Samples a second."""


def write_mp4(
    path: Path,
    frames: Iterable[Image],
    fps: float,
    comment: str = "",
    sound: Sound | None = None,
    options: Mapping[str, str] = X264,
) -> None:
    """Write the pictures as an H.264 MP4 file, which a player can start before all of it is loaded.

    Args:
        path: where to write the file.
        frames: the pictures, all of one size, with an even width and an even height.
        fps: frames per second.
        comment: a text to keep in the file's metadata; "" for none.
        sound: the sound of the video; None for a silent one.
        options: for the encoder; with `STEADY` the same pictures always give the same bytes.
    """
    import av

    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as out:
        if comment:
            out.metadata["comment"] = comment
        heard = out.add_stream("aac", rate=sound.rate, layout=LAYOUTS[len(sound.samples)]) if sound else None
        stream = None
        for number, image in enumerate(frames):
            if stream is None:
                stream = out.add_stream("libx264", rate=rate, options=dict(options))
                stream.width, stream.height, stream.pix_fmt = image.width, image.height, "yuv420p"
            # Converted here: what the encoder converts by itself now and then comes out as other bytes.
            picture = av.VideoFrame.from_image(image).reformat(format="yuv420p")
            picture.pts, picture.time_base = number, 1 / rate
            out.mux(stream.encode(picture))
        if stream is not None:
            out.mux(stream.encode())
        if heard is not None and sound is not None:
            for piece in _pieces(sound):
                out.mux(heard.encode(piece))
            out.mux(heard.encode())


def _pieces(sound: Sound) -> Iterator[Any]:
    """Yield the sound in pieces as large as the encoder takes."""
    import av
    import numpy as np

    samples = np.clip(sound.samples, -1.0, 1.0).astype(np.float32)
    for begin in range(0, samples.shape[1], AAC_SAMPLES):
        cut = np.ascontiguousarray(samples[:, begin : begin + AAC_SAMPLES])
        piece = av.AudioFrame.from_ndarray(cut, format="fltp", layout=LAYOUTS[len(samples)])
        piece.sample_rate, piece.pts, piece.time_base = sound.rate, begin, Fraction(1, sound.rate)
        yield piece


def write_animation(path: Path, frames: Iterable[Image], fps: float) -> None:
    """Write the pictures as an animated GIF or WebP that repeats, by the end of the path's name."""
    first, *rest = _reduced(frames) if path.suffix.lower() == ".gif" else list(frames)
    # A GIF counts in hundredths of a second, and players take less than two of them for ten.
    every_ms = max(20, round(1000 / fps / 10) * 10) if path.suffix.lower() == ".gif" else round(1000 / fps)
    options: dict[str, Any] = {"save_all": True, "append_images": rest, "duration": every_ms, "loop": 0}
    if path.suffix.lower() == ".gif":
        first.save(path, "GIF", **options, optimize=False, disposal=1)
    else:
        first.save(path, "WEBP", **options, quality=WEBP_QUALITY, method=2)


def _reduced(frames: Iterable[Image]) -> list[Image]:
    """The pictures in few colours, the same for all, so that nothing shimmers."""
    from PIL.Image import Dither

    found = list(frames)
    palette = found[len(found) // 2].quantize(GIF_COLOURS, dither=Dither.NONE)
    return [frame.quantize(GIF_COLOURS, palette=palette, dither=Dither.NONE) for frame in found]
