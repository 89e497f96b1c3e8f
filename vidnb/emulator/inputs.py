"""Input images, videos and sounds of a request: from what the client names to what the emulator has.

A found input is a dict: `{"sha256": ...}` for bytes, `{"job": ..., "clip": ...}` for an earlier clip, where `clip` says
which clip it is without its id, so that equal requests stay equal.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Mapping
from typing import Any

from vidnb.emulator.core import Core
from vidnb.emulator.scenes import image_size, sample_picture
from vidnb.emulator.state import EmulatedJob

SAMPLE_INPUTS = (
    "<YOUR_START_IMAGE_ID>",
    "images/2025_10_22_07_10_43_846_elon-musk.jpg",
    "images/example.jpg",
)
"""What the documents' samples name: a picture is drawn for each, so that they run as they stand."""
MAX_BASE64 = 10_000_000


class InputError(ValueError):
    """The service would not accept this input; the text is the service's."""


async def keep(core: Core, content: bytes) -> dict[str, Any]:
    """A picture that came within the request.

    Raises:
        InputError: the bytes are no picture.
    """
    if not await asyncio.to_thread(lambda: image_size(content, whole=True)):
        raise InputError("couldn't access image")
    return {"sha256": core.footage.keep(content)}


async def sample(core: Core, name: str) -> dict[str, Any]:
    """A drawn picture for a name that nobody uploaded."""
    return {"sha256": core.footage.keep(await asyncio.to_thread(sample_picture, name))}


def decoded(data: Any) -> bytes:
    if not isinstance(data, str) or len(data) > MAX_BASE64:
        raise InputError("data must be base64 of at most 7.5 MB")
    try:
        return base64.b64decode(data, validate=True)
    except binascii.Error:
        raise InputError("data must be base64, without a data: prefix") from None


def shape(core: Core, item: Mapping[str, Any] | None) -> tuple[int, int] | None:
    """Width and height of a found input."""
    if item is None:
        return None
    if "job" in item:
        job: EmulatedJob | None = core.state.job(item["job"])
        return (job.notes["width_px"], job.notes["height_px"]) if job else None
    return image_size(core.footage.input(item["sha256"]))
