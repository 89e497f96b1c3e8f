"""Input images, videos and sounds of a request: from what the client names to what the emulator has.

A found input is a dict: `{"sha256": ...}` for bytes, `{"job": ..., "clip": ...}` for an earlier clip, where `clip` says
which clip it is without its id, so that equal requests stay equal.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import anyio

from vidnb.emulator.core import Emulator
from vidnb.emulator.scenes import image_size, sample_picture
from vidnb.emulator.state import EmulatedFile, EmulatedJob

SAMPLE_INPUTS = (
    "<YOUR_START_IMAGE_ID>",
    "images/2025_10_22_07_10_43_846_elon-musk.jpg",
    "images/example.jpg",
)
"""What the documents' samples name: a picture is drawn for each, so that they run as they stand."""
MAX_BASE64 = 10_000_000


class InputError(ValueError):
    """The service would not accept this input; the text is the service's."""


async def keep(emulator: Emulator, content: bytes) -> dict[str, Any]:
    """A picture that came within the request.

    Raises:
        InputError: the bytes are no picture.
    """
    if not await anyio.to_thread.run_sync(lambda: image_size(content, whole=True)):
        raise InputError("couldn't access image")
    return {"sha256": emulator.footage.keep(content)}


async def sample(emulator: Emulator, name: str) -> dict[str, Any]:
    """A drawn picture for a name that nobody uploaded."""
    return {"sha256": emulator.footage.keep(await anyio.to_thread.run_sync(sample_picture, name))}


async def leonardo(emulator: Emulator, account: str, source: Mapping[str, Any], kind: str = "image") -> dict[str, Any]:
    """What a Leonardo request means by `{"id", "type"}` (or URL, BASE64) in a guidance of that kind.

    Raises:
        InputError: there is nothing, or it is of another kind than the request says.
    """
    how, identifier = source.get("type"), source.get("id")
    if identifier in SAMPLE_INPUTS:
        return await sample(emulator, str(identifier))
    if how == "URL":
        return await _from_url(emulator, source.get("url"))
    if how == "BASE64":
        return await keep(emulator, _decoded(source.get("data")))
    if not isinstance(identifier, str):
        raise InputError("id is required")
    if emulator.state.job(identifier):
        raise InputError("Service Error")  # the id of a generation where that of its picture belongs
    if how in ("GENERATED", "GENERATION"):
        return _generated(emulator, account, identifier)
    if how in ("UPLOADED", "INIT"):
        return _uploaded(emulator, account, identifier, kind)
    raise InputError("failed to find init variation")


def _generated(emulator: Emulator, account: str, identifier: str) -> dict[str, Any]:
    job = emulator.state.job_of_asset(identifier)
    if job is None or job.account != account or job.outcome != "done" or not job.is_over(emulator.now()):
        raise InputError("couldn't access image")
    return {"job": job.id, "clip": f"{job.scene_key}:{job.seed}"}


def _uploaded(emulator: Emulator, account: str, identifier: str, kind: str) -> dict[str, Any]:
    file = emulator.state.file(identifier)
    wanted = "init" if kind == "image" else "media"
    if file is None or file.account != account or file.kind != wanted:
        raise InputError("invalid init image id" if kind == "image" else f"couldn't access {kind}")
    if file.sha256 is None or (kind == "image" and file.width_px is None):
        raise InputError("couldn't access image")
    return {"sha256": file.sha256}


async def _from_url(emulator: Emulator, url: Any) -> dict[str, Any]:
    """A data URL is read; the emulator never goes to the network, so any other address stands for a drawn picture."""
    if isinstance(url, str) and url.startswith("data:"):
        return await keep(emulator, _decoded(url.partition(",")[2]))
    if isinstance(url, str) and url.startswith("https://"):
        return await sample(emulator, url)
    raise InputError("url must be an https address or a data URL")


def _decoded(data: Any) -> bytes:
    if not isinstance(data, str) or len(data) > MAX_BASE64:
        raise InputError("data must be base64 of at most 7.5 MB")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise InputError("data must be base64, without a data: prefix") from None


async def onemin(emulator: Emulator, account: str, path: Any, limits: Mapping[str, Any]) -> dict[str, Any]:
    """What a 1min request means by a storage path or an address; `limits` are the catalogue's for the model.

    Raises:
        InputError: nothing lies under the path, or no picture, or one that the model does not take.
    """
    if path in SAMPLE_INPUTS or (isinstance(path, str) and path.startswith("https://")):
        return await sample(emulator, str(path))
    file: EmulatedFile | None = emulator.state.file_of_key(path) if isinstance(path, str) else None
    if file is None or file.account != account or file.sha256 is None or file.width_px is None:
        raise InputError(f"Unable to load the image {str(path)[:200]!r}")
    _within(limits, file)
    return {"sha256": file.sha256}


def _within(limits: Mapping[str, Any], file: EmulatedFile) -> None:
    sides = (file.width_px or 1, file.height_px or 1)
    extension = "jpg" if file.extension == "jpeg" else file.extension
    if "types" in limits and extension not in limits["types"]:
        raise InputError(f"The image must be one of: {', '.join(limits['types'])}")
    if min(sides) < limits.get("min_side_px", 1) or max(sides) > limits.get("max_side_px", max(sides)):
        raise InputError(f"The image's sides must be {limits.get('min_side_px')} to {limits.get('max_side_px')} px")
    if not limits.get("min_aspect", 0) <= sides[0] / sides[1] <= limits.get("max_aspect", sides[0]):
        raise InputError("The image's aspect ratio is out of range")


def shape(emulator: Emulator, item: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Width and height of a found input."""
    if item is None:
        return None
    if "job" in item:
        job: EmulatedJob | None = emulator.state.job(item["job"])
        return (job.notes["width_px"], job.notes["height_px"]) if job else None
    return image_size(emulator.footage.input(item["sha256"]))
