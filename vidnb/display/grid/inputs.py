"""The pictures that clips were made from, so small that they stand in a line of words in place of a hash."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from vidnb.display.grid.words import Words
from vidnb.display.page import Content, data_uri, join, tag
from vidnb.errors import VidnbError
from vidnb.media.pictures import IMAGE_TYPES, thumbnail
from vidnb.records import input_name

if TYPE_CHECKING:
    from vidnb.clip import Clip

EXTENSIONS = tuple(extension for extension, _ in IMAGE_TYPES.values())
HIGH_PX = 24
SHARP = 2
"""Pixels of the picture to one of the page, for screens that show them."""
AT_MOST = 64
"""Different pictures that are drawn; a clip beyond them says the name of its input."""
_DRAWN: dict[str, bytes] = {}
"""All that were drawn, by their hash: a comparison is drawn again at each news of its clips. Each is about 1 kB."""


def input_pictures(clips: Iterable[Clip]) -> dict[str, str]:
    """The pictures among the clips' inputs as data URIs, by `input_name`, as the words of a grid tell them."""
    found: dict[str, str] = {}
    for clip in clips:
        for item in (item for items in clip.job.images.values() for item in items):
            name = input_name(item)
            if name in found or len(found) == AT_MOST or item.get("extension") not in EXTENSIONS:
                continue
            if small := _DRAWN.get(item["sha256"]) or _small(clip, item):
                found[name] = data_uri(small, "image/webp")
                _DRAWN[item["sha256"]] = small
    return found


def shown_words(words: Words, pictures: Mapping[str, str]) -> Content:
    """The words, with the picture of an input in place of its name where there is one."""
    parts = words.value.split(", ")
    if not any(part in pictures for part in parts):
        return str(words)
    look = f"height:{HIGH_PX}px;width:auto;max-width:64px;margin:0;vertical-align:middle;border-radius:2px"
    drawn = [
        tag("img", src=pictures[part], alt=part, style=look, height=HIGH_PX) if part in pictures else part
        for part in parts
    ]
    return join([words.label, *drawn], " ")


def _small(clip: Clip, item: Mapping[str, str]) -> bytes:
    """The picture of an input as WebP; nothing for one that is not in the data folder any more, or damaged there."""
    try:
        return thumbnail(clip.input_bytes(item), (4 * SHARP * HIGH_PX, SHARP * HIGH_PX))
    except VidnbError:
        return b""
