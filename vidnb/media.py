"""Looks into video, pictures and sound: what a clip measures, its poster and frames, and what an input really is.

Every file here may be hostile. A type is told by content, never by name; FFmpeg is told the container, as by itself it
would follow playlists to other files and hosts; Pillow opens only the types named here, nothing over 100 megapixels.
"""

from __future__ import annotations

import hashlib
import io
import math
import stat
import warnings
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vidnb.errors import MediaError
from vidnb.records import ClipInfo, MediaFile

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray
    from PIL.Image import Image

POSTER_BYTES = 10_000
LARGEST_PIXELS = 100_000_000
LARGEST_FILE = 500 * 2**20
"""Inputs are held in memory; no provider takes one this large."""

IMAGE_TYPES = {"PNG": ("png", "image/png"), "JPEG": ("jpg", "image/jpeg"), "WEBP": ("webp", "image/webp")}
"""Pillow's name -> extension and content type, of the pictures that every provider takes as they are."""
CONVERTED = ("MPO", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
PICTURES = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC"
MEDIA = "an MP4 or MOV video, or MP3 or WAV sound"
CONTENT_TYPES = {"mp4": "video/mp4", "mov": "video/quicktime", "mp3": "audio/mpeg", "wav": "audio/wav"}
ORIENTATION = 0x0112
UNSEEN = {"skip_frame": "all", "probesize": "32", "analyzeduration": "1"}
"""Opens an MP4 or MOV without decoding anything: its header says it all, and opening is what costs most."""


# Clips


def probe(path: str | Path) -> ClipInfo:
    """What the video file measures: every frame is counted, so a file that was cut off is found out.

    Raises:
        MediaError: it is no MP4, MOV, WebM or MKV, has no video, or ends early.
    """
    with _video(path) as (container, stream):
        found = _measured(path, container, stream, decode=False)
    with Path(path).open("rb") as file:
        return replace(found, sha256=hashlib.file_digest(file, "sha256").hexdigest())


def verify_video(path: str | Path) -> ClipInfo:
    """What `probe` says, once the first frame could be decoded; the hash, which a download has already, is left "".

    Raises:
        MediaError: it is no complete, playable video.
    """
    with _video(path, options=UNSEEN) as (container, stream):
        stream.codec_context.skip_frame = "DEFAULT"
        return _measured(path, container, stream, decode=True)


def _measured(path: str | Path, container: InputContainer, stream: VideoStream, *, decode: bool) -> ClipInfo:
    """What the file measures, read in one pass."""
    stream.codec_context.thread_count = 1  # starting threads costs more than one frame
    frames, pictures = 0, 0
    for packet in container.demux(stream):
        frames += bool(packet.size and not packet.is_discard)
        if decode and not pictures:
            pictures += len(packet.decode())
    if decode and not pictures:
        raise MediaError(f"{_name(path)} has no frame that can be decoded")
    if frames == 0 or frames < stream.frames:
        raise MediaError(f"{_name(path)} is cut off: {frames} of {stream.frames} frames; fetch it again")
    fps = stream.average_rate or stream.guessed_rate
    if not fps:
        raise MediaError(f"{_name(path)} does not say its frame rate")
    length = stream.duration * stream.time_base if stream.duration and stream.time_base else frames / fps
    size = (stream.codec_context.width, stream.codec_context.height)
    codec, has_audio = stream.codec_context.name, bool(container.streams.audio)
    return ClipInfo("", Path(path).stat().st_size, *size, float(fps), float(length), frames, codec, has_audio)


def poster(path: str | Path, width: int = 480) -> bytes:
    """The first frame as WebP of at most 10 kB, whatever the size and content of the video."""
    with _video(path) as (container, stream):
        stream.codec_context.thread_count = 1
        small = _scaled(next(_frames(container, stream, path)), width)
    while True:
        for quality in (75, 55, 35, 15):
            if len(data := _encoded(small, "WEBP", quality=quality, method=4)) <= POSTER_BYTES:
                return data
        small = small.resize((max(small.width * 2 // 3, 1), max(small.height * 2 // 3, 1)))


def frame(path: str | Path, at: float | Literal["first", "last"] = "first") -> Image:
    """The frame that is shown at this second of the video, at its full size.

    Raises:
        MediaError: the video is shorter, or cannot be decoded.
    """
    at_s = math.inf if at == "last" else 0.0 if at == "first" else float(at)
    with _video(path) as (container, stream):
        stream.thread_type = "AUTO"
        end_s = _end_s(container, stream)
        if not (at == "last" or 0 <= at_s < max(end_s, 1e-3)):
            raise MediaError(f"{_name(path)} lasts {end_s:g} s and has no frame at {at!r}; give a time before its end")
        _seek(container, stream, min(at_s, end_s))
        (shown,) = deque(_until(_frames(container, stream, path), at_s), maxlen=1)
        return shown.to_image()


def strip(path: str | Path, n: int = 8, width: int = 160) -> Image:
    """One picture of n frames side by side, evenly spread from the first to the last."""
    import PIL.Image

    if n < 1:
        raise MediaError(f"a strip has at least 1 frame, not {n}")
    with _video(path) as (container, stream):
        stream.thread_type = "AUTO"
        count = stream.frames or _count(container, stream)
        container.seek(0, stream=stream)
        wanted = [round(index * (count - 1) / max(n - 1, 1)) for index in range(n)]
        found = [
            image
            for index, shown in enumerate(_frames(container, stream, path))
            if index in wanted
            for image in [_scaled(shown, width)] * wanted.count(index)
        ]
    sheet = PIL.Image.new("RGB", (sum(image.width for image in found), found[0].height))
    for index, image in enumerate(found):
        sheet.paste(image, (index * image.width, 0))
    return sheet


def flashes(path: str | Path) -> bool:
    """Whether the clip flashes more than three times in any second over a quarter of the picture, as WCAG 2 counts.

    Raises:
        MediaError: it cannot be decoded.
    """
    from vidnb._flash import Flashes

    seen, size = Flashes(), None
    with _video(path) as (container, stream):
        stream.thread_type = "AUTO"
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        for index, shown in enumerate(_frames(container, stream, path)):
            size = size or _small(shown.width, shown.height)
            picture = shown.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
            seen.see(picture, index / rate if shown.time is None else shown.time)
            if seen.found:
                return True
    return False


def _small(width: int, height: int, side: int = 64) -> tuple[int, int]:
    """A size of the same shape whose longer side is at most this."""
    scale = min(side / max(width, height), 1.0)
    return max(round(width * scale), 1), max(round(height * scale), 1)


@contextmanager
def _video(
    source: str | Path | io.BytesIO, options: dict[str, str] | None = None
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The opened file and its video; what FFmpeg raises inside becomes a MediaError.

    Args:
        source: the file.
        options: FFmpeg's, for MP4 and MOV only; the other containers have to be looked into.
    """
    import av

    try:
        if isinstance(source, io.BytesIO):
            container: InputContainer = av.open(source, mode="r", format=_container(source.getvalue()[:64], source))
        else:
            path = Path(source).expanduser().resolve()  # an absolute path is never taken for a protocol
            with path.open("rb") as file:
                kind = _container(file.read(64), source)
            container = av.open(str(path), mode="r", format=kind, options=options if kind == "mov" else None)
        with container:
            if not container.streams.video:
                raise MediaError(f"{_name(source)} has no video in it")
            if container.streams.video[0].codec_context is None:  # typed as always there; FFmpeg lacks some codecs
                raise MediaError(f"{_name(source)} is in a format that cannot be decoded here")
            yield container, container.streams.video[0]
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"{_name(source)} cannot be read as a video: {error.strerror or error}") from error


def _container(start: bytes, source: object) -> str:
    if start[4:8] in (b"ftyp", b"moov", b"wide", b"mdat", b"free", b"skip"):
        return "mov"
    if start.startswith(b"\x1aE\xdf\xa3"):
        return "matroska"
    raise MediaError(f"{_name(source)} is no video: it starts with {start[:24]!r}; MP4, MOV, WebM and MKV are")


def _count(container: InputContainer, stream: VideoStream) -> int:
    """The frames that a player shows; read from the file itself, as the header of a cut file promises them all."""
    return sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)


def _frames(container: InputContainer, stream: VideoStream, path: object) -> Iterator[VideoFrame]:
    found = False
    for shown in container.decode(stream):
        found = True
        yield shown
    if not found:
        raise MediaError(f"{_name(path)} has no frame that can be decoded")


def _until(frames: Iterator[VideoFrame], at_s: float) -> Iterator[VideoFrame]:
    """The frames up to the one shown at this time; a hair of tolerance, as times are fractions of the time base."""
    for index, shown in enumerate(frames):
        if index and shown.time is not None and shown.time > at_s + 1e-6:
            return
        yield shown


def _end_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration and stream.time_base:
        return float(((stream.start_time or 0) + stream.duration) * stream.time_base)
    return container.duration / 1e6 if container.duration else 0.0


def _seek(container: InputContainer, stream: VideoStream, at_s: float) -> None:
    if stream.time_base:
        container.seek(int(at_s / stream.time_base), stream=stream, backward=True)


def _scaled(shown: VideoFrame, width: int) -> Image:
    """The frame as a picture of this width or its own, if that is less; scaled before it becomes RGB."""
    width = max(min(width, shown.width) // 2 * 2, 2)
    height = max(round(shown.height * width / shown.width / 2) * 2, 2)
    return shown.reformat(width=width, height=height, format="rgb24", interpolation="AREA").to_image()


# Inputs


def image_file(given: Any) -> MediaFile:
    """The picture as a file that every provider takes: PNG, JPEG or WebP, upright, named by its content.

    A file that is fine as it is stays byte for byte; anything else is encoded anew, without its metadata.

    Args:
        given: a path, the bytes of a file, an open binary file, a PIL image, or an array of HxW, HxWx3 or HxWx4 pixels
            as uint8 or as floats from 0 to 1.

    Raises:
        MediaError: it is no such thing, too large or damaged.
    """
    import PIL.Image

    if isinstance(given, MediaFile):
        return given
    if isinstance(given, PIL.Image.Image):
        return _as_png(given)
    if hasattr(given, "__array__"):
        return _as_png(PIL.Image.fromarray(_pixels(given)))
    data, name = _bytes(given, f"a path, bytes, PIL image or array of a picture ({PICTURES})")
    with _decoding(data, name):
        return _accepted(data, _picture(data, name))


def media_file(given: Any) -> MediaFile:
    """A video or a sound as the file it is: MP4, MOV, MP3 or WAV.

    Args:
        given: a path, the bytes of a file, or an open binary file.

    Raises:
        MediaError: it is no such thing, too large or damaged.
    """
    if isinstance(given, MediaFile):
        return given
    data, name = _bytes(given, f"a path or bytes of {MEDIA}")
    extension = _media_extension(data[:16])
    if extension is None:
        raise MediaError(f"{name} is not {MEDIA}: it starts with {data[:16]!r}")
    size: tuple[int | None, int | None] = (None, None)
    if extension in ("mp4", "mov"):
        with _video(io.BytesIO(data)) as (_, stream):
            size = (stream.codec_context.width, stream.codec_context.height)
    return _media(data, extension, CONTENT_TYPES[extension], size)


def stored_file(content: bytes, sha256: str, extension: str) -> MediaFile:
    """An input that was checked and stored before, as the file it was then."""
    types = dict(IMAGE_TYPES.values()) | CONTENT_TYPES
    return MediaFile(sha256, extension, types[extension], content)


def _media_extension(start: bytes) -> str | None:
    if start[4:8] == b"ftyp" and start[8:11] != b"M4A":
        return "mov" if start[8:12] == b"qt  " else "mp4"
    if start[:4] == b"RIFF" and start[8:12] == b"WAVE":
        return "wav"
    # ID3, or the sync word of an MPEG frame of layer III; other layers are MP1 and MP2, or AAC.
    if start[:3] == b"ID3" or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2):
        return "mp3"
    return None


def _media(data: bytes, extension: str, content_type: str, size: tuple[int | None, int | None]) -> MediaFile:
    return MediaFile(hashlib.sha256(data).hexdigest(), extension, content_type, data, *size)


def _bytes(given: Any, wanted: str) -> tuple[bytes, str]:
    """The content, and how to name it in a message."""
    if isinstance(given, bytes | bytearray | memoryview):
        return bytes(given), f"{len(given)} bytes"
    if isinstance(given, str | Path):
        return _file_bytes(given), _name(given)
    if callable(getattr(given, "read", None)):
        data = given.read()
        if isinstance(data, bytes):
            return data, _name(getattr(given, "name", "the open file"))
    raise MediaError(f"{_name(given)} ({type(given).__name__}) given; it must be {wanted}")


def _file_bytes(given: str | Path) -> bytes:
    try:
        path = Path(given).expanduser()
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
            raise MediaError(f"{_name(given)} is a device or a pipe, which may never end; give a file")
        if found.st_size > LARGEST_FILE:
            raise MediaError(f"{_name(given)} has over {LARGEST_FILE // 2**20} MB; no provider takes such a file")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise MediaError(f"there is no file {_name(given)} (looked in {Path.cwd()})") from error
    except (OSError, RuntimeError, ValueError) as error:  # ValueError: a path with a NUL; RuntimeError: ~nobody
        raise MediaError(f"{_name(given)} cannot be read: {getattr(error, 'strerror', None) or error}") from error


@contextmanager
def _decoding(data: bytes, name: str) -> Iterator[None]:
    """Whatever Pillow raises of a hostile or damaged picture becomes a MediaError; its warnings add nothing to that."""
    import PIL.Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MediaError:
        raise
    except PIL.UnidentifiedImageError as error:
        raise MediaError(f"{name} is no picture: it starts with {data[:16]!r}; give {PICTURES}") from error
    except PIL.Image.DecompressionBombError as error:
        raise MediaError(f"{name} has too many pixels; at most 100 megapixels are opened") from error
    except Exception as error:  # its readers raise anything: struct.error, KeyError, OverflowError ...
        raise MediaError(f"{name} is a damaged picture: {error}") from error


def _picture(data: bytes, name: str) -> Image:
    """The picture, fully decoded, so that a damaged one is found before it is sent."""
    import PIL.Image

    _know_heic(data)
    PIL.Image.init()
    known = [kind for kind in (*IMAGE_TYPES, *CONVERTED) if kind in PIL.Image.OPEN]
    image = PIL.Image.open(io.BytesIO(data), formats=known)
    if image.width * image.height > LARGEST_PIXELS:
        raise MediaError(f"{name} has {image.width}x{image.height} pixels; at most 100 megapixels are opened")
    image.load()
    return image


def _accepted(data: bytes, image: Image) -> MediaFile:
    """The bytes as they are where every provider takes them, else the picture encoded anew."""
    kind = "JPEG" if image.format == "MPO" else str(image.format)  # a phone's JPEG with a second picture in it
    upright = image.getexif().get(ORIENTATION, 1) in (0, 1)
    frames = 1 if kind == "JPEG" else getattr(image, "n_frames", 1)
    if kind in IMAGE_TYPES and upright and image.mode != "CMYK" and frames == 1:
        return _media(data, *IMAGE_TYPES[kind], image.size)
    return _as_jpeg(image) if kind == "JPEG" else _as_png(image)


def _know_heic(data: bytes) -> None:
    """Teach Pillow HEIC, which phones write, where pillow-heif is installed."""
    if data[4:8] != b"ftyp" or data[8:12] not in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
        return
    try:
        from pillow_heif import register_heif_opener  # type: ignore[import-not-found,unused-ignore]  # optional
    except ImportError as error:
        raise MediaError("a HEIC picture needs pillow-heif: pip install pillow-heif, or save it as JPEG") from error
    register_heif_opener()


def _pixels(given: Any) -> NDArray[Any]:
    """The array as uint8 pixels of a shape that Pillow takes."""
    import numpy as np

    array = np.asarray(given)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise MediaError(f"an array of shape {array.shape} is no picture; it must be HxW, HxWx3 or HxWx4")
    if array.shape[0] * array.shape[1] > LARGEST_PIXELS:
        raise MediaError(f"the array has {array.shape[1]}x{array.shape[0]} pixels; at most 100 megapixels are taken")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if not np.issubdtype(array.dtype, np.floating):
        raise MediaError(f"an array of {array.dtype} is no picture; it must be uint8, or floats from 0 to 1")
    if not (array.min() >= 0 and array.max() <= 1):
        raise MediaError(f"floats from {array.min():g} to {array.max():g} are no picture; they must lie in 0 to 1")
    return np.ascontiguousarray((array * 255).round().astype(np.uint8))


def _upright(image: Image) -> Image:
    """The picture turned as its EXIF says, in colours that PNG and JPEG know; nothing of its metadata."""
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(image)
    if turned.mode in ("RGB", "RGBA", "L"):
        return turned
    return turned.convert("RGBA" if turned.has_transparency_data else "RGB")


def _as_png(image: Image) -> MediaFile:
    upright = _upright(image)
    return _media(_encoded(upright, "PNG"), *IMAGE_TYPES["PNG"], upright.size)


def _as_jpeg(image: Image) -> MediaFile:
    upright = _upright(image)
    return _media(_encoded(upright, "JPEG", quality=95), *IMAGE_TYPES["JPEG"], upright.size)


def _encoded(image: Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    clean = image.copy()
    clean.info = {}  # Pillow writes EXIF, comments and profiles from here
    clean.save(buffer, kind, **options)
    return buffer.getvalue()


def _name(given: object) -> str:
    """A short name for a message, with nothing in it that a terminal would obey."""
    if isinstance(given, io.BytesIO):
        return "the given video"
    text = repr(str(given) if isinstance(given, Path) else given)
    return text if len(text) <= 120 else f"{text[:117]}..."
