"""Reads what a person gives as an input: a picture, made ready for every provider, a video or a sound.

Every file here may be hostile. A type is told by content, never by name; Pillow opens only the types named here,
nothing over 100 megapixels.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vidnb.errors import MediaError
from vidnb.media.colours import in_srgb, is_srgb
from vidnb.media.given import file_of, given_bytes, is_page, reading
from vidnb.records import MediaFile

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

LARGEST_PIXELS = 100_000_000
LARGEST_12_BIT = 4095
"""An array of 16 bits with nothing above this would come out nearly black, and most likely holds fewer bits."""
IMAGE_TYPES = {"PNG": ("png", "image/png"), "JPEG": ("jpg", "image/jpeg"), "WEBP": ("webp", "image/webp")}
"""Pillow's name -> extension and content type, of the pictures that every provider takes as they are."""
CONVERTED = ("MPO", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
PICTURES = "PNG, JPEG, WebP, GIF, BMP, TIFF, AVIF or HEIC"
PAGE = f"give the file itself, or the address of the picture and not of the page that shows it ({PICTURES})"
ORIENTATION = 0x0112
DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's modes of more than eight bits a pixel; its own conversion cuts everything above 255 to white."""


def image_file(given: Any) -> MediaFile:
    """The picture as a file that every provider takes: PNG, JPEG or WebP, upright, named by its content.

    A file that is fine as it is stays byte for byte; anything else is encoded anew, without its metadata. Its colours
    are those that a viewer shows: other colour spaces than sRGB are converted, 16 bits and floats scaled.

    Args:
        given: a path, the bytes of a file, an open binary file, a PIL image, or an array of HxW, HxWx3 or HxWx4 pixels
            as uint8, uint16 (up to 65,535), bool, or floats from 0 to 1.

    Raises:
        MediaError: it is no such thing, too large or damaged.
    """
    import PIL.Image

    if isinstance(given, MediaFile):
        return given
    if isinstance(given, PIL.Image.Image):
        with _decoding(b"", "the PIL image"):  # its file may be damaged, closed, or not read yet
            with reading():
                upright = _upright(given)
            return _png_of(upright)
    if hasattr(given, "__array__"):
        return _as_png(PIL.Image.fromarray(_pixels(given)))
    data, name = given_bytes(given, f"a path, bytes, PIL image or array of a picture ({PICTURES})")
    with _decoding(data, name):
        return _accepted(data, _picture(data, name))


def thumbnail(content: bytes, size_px: tuple[int, int]) -> bytes:
    """The picture as WebP, no larger than the size.

    Raises:
        MediaError: it cannot be read.
    """
    with _decoding(content, "the picture"):
        picture = _picture(content, "the picture")
        picture.thumbnail(size_px)
        file = io.BytesIO()
        picture.convert("RGBA" if picture.has_transparency_data else "RGB").save(file, "WEBP", quality=72)
        return file.getvalue()


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
        if is_page(data):
            raise MediaError(f"{name} is no picture, it is a web page: it starts with {data[:40]!r}; {PAGE}") from error
        if not data:
            raise MediaError(f"{name} is empty; give {PICTURES}") from error
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
    usual = image.mode not in ("CMYK", *DEEP) and is_srgb(image)
    if kind in IMAGE_TYPES and upright and usual and frames == 1:
        return file_of(data, *IMAGE_TYPES[kind], image.size)
    return _as_jpeg(image) if kind == "JPEG" else _as_png(image)


def _know_heic(data: bytes) -> None:
    """Teach Pillow HEIC, which phones write, where pillow-heif is installed."""
    if data[4:8] != b"ftyp":
        return
    # The first brand may be a general one; what is in the file stands among those that it is compatible with.
    brands = {data[at : at + 4] for at in (8, *range(16, min(int.from_bytes(data[:4], "big"), 256), 4))}
    if brands & {b"avif", b"avis"} or not brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"}:
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
    array = array.astype(array.dtype.newbyteorder("="), copy=False)  # a TIFF's may be the other one
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))) or 0 in array.shape:
        raise MediaError(f"an array of shape {array.shape} is no picture; it must be HxW, HxWx3 or HxWx4")
    if array.shape[0] * array.shape[1] > LARGEST_PIXELS:
        raise MediaError(f"the array has {array.shape[1]}x{array.shape[0]} pixels; at most 100 megapixels are taken")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype == np.uint16 and 0 < (brightest := int(array.max())) <= LARGEST_12_BIT:
        raise MediaError(
            f"the brightest value of this uint16 array is {brightest:,}, and white is 65,535: it would be nearly "
            "black. If it holds 12 bits (a camera's), give array / 4095.0; 10 bits, array / 1023.0; 8 bits, array"
            ".astype('uint8'); and if it is to be that dark, array / 65535.0"
        )
    if array.dtype in (np.uint16, np.bool_):
        return np.ascontiguousarray(
            (array / np.iinfo(np.uint16).max if array.dtype == np.uint16 else array) * 255.0 + 0.5
        ).astype(np.uint8)
    if not np.issubdtype(array.dtype, np.floating):
        raise MediaError(f"an array of {array.dtype} is no picture; it must be uint8, uint16, or floats from 0 to 1")
    if not (array.min() >= 0 and array.max() <= 1):
        raise MediaError(f"floats from {array.min():g} to {array.max():g} are no picture; they must lie in 0 to 1")
    return np.ascontiguousarray((array * 255).round().astype(np.uint8))


def _upright(image: Image) -> Image:
    """The picture turned as its EXIF says, in the colours of sRGB and eight bits; nothing of its metadata."""
    from PIL import ImageOps

    turned = ImageOps.exif_transpose(image)
    turned = _scaled(turned) if turned.mode in DEEP else in_srgb(turned)
    if turned.mode in ("RGB", "RGBA", "L"):
        return turned
    return turned.convert("RGBA" if turned.has_transparency_data else "RGB")


def _scaled(image: Image) -> Image:
    """A grey picture of 16 or 32 bits or of floats in eight bits, from black to white as before.

    Floats up to 1 and whole numbers up to 65,535 have their usual white; others are spread from their least to their
    greatest value, as nothing says what they mean. 32-bit numbers up to 255 are eight bits that Pillow made longer: as
    16 bits they would be black.
    """
    import numpy as np
    import PIL.Image

    values = np.asarray(image).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    whites = {"F": (1.0, 255.0, 65_535.0), "I": (255.0, 65_535.0)}.get(image.mode, (65_535.0,))
    white = next((white for white in whites if high <= white), None)
    if low < 0 or white is None:
        black, white = low, max(high, low + 1e-12)
    else:
        black = 0.0
    scaled = np.clip((np.nan_to_num(values, nan=black, posinf=white, neginf=black) - black) / (white - black), 0, 1)
    return PIL.Image.fromarray((scaled * 255 + 0.5).astype(np.uint8))


def _as_png(image: Image) -> MediaFile:
    return _png_of(_upright(image))


def _png_of(upright: Image) -> MediaFile:
    return file_of(encoded(upright, "PNG"), *IMAGE_TYPES["PNG"], upright.size)


def _as_jpeg(image: Image) -> MediaFile:
    upright = _upright(image)
    return file_of(encoded(upright, "JPEG", quality=95), *IMAGE_TYPES["JPEG"], upright.size)


def encoded(image: Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    clean = image.copy()
    clean.info = {}  # Pillow writes EXIF, comments and profiles from here
    clean.save(buffer, kind, **options)
    return buffer.getvalue()
