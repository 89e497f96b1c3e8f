"""The pictures, clips and sounds of a form: the things themselves stay here, the page has a key and a name of each.

Bytes never become synced state, which notebooks save: the page sends files in pieces as messages and asks for a small
picture of what it has not seen itself.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from vidnb.client.addresses import is_address
from vidnb.clip import Clip
from vidnb.display.page import size
from vidnb.errors import MediaError, VidnbError
from vidnb.media import given, pictures, recordings, video
from vidnb.records import MediaFile, RemoteMedia

THUMBNAIL_PX = 320
LARGEST_FILE = given.LARGEST_FILE
WAITING = 32
"""How many files may be arriving, or arrived but not used by a value yet; beyond that the oldest is dropped."""

FrameOf = Callable[[str, str], Any]
"""From a clip's job id and "first" or "last" to the frame."""


@dataclass
class _Item:
    thing: Any
    name: str
    is_new: bool = False
    """No value of the form named it yet."""


class Inputs:
    """What the form's media fields hold, by key.

    Args:
        frame_of: gives the frame of a clip that the page names.
    """

    def __init__(self, frame_of: FrameOf) -> None:
        self._frame_of = frame_of
        self._items: dict[str, _Item] = {}
        self._parts: dict[str, dict[int, bytes]] = {}
        self._lock = threading.RLock()

    def describe(self, thing: Any, name: str = "") -> dict[str, str]:
        """Key and name of a thing that a program gave; the same thing keeps its key and its first name."""
        with self._lock:
            for key, item in self._items.items():
                if item.thing is thing:
                    return {"key": key, "name": item.name}
            key = uuid.uuid4().hex
            self._items[key] = _Item(thing, name or name_of(thing))
            return {"key": key, "name": self._items[key].name}

    def receive(self, key: str, name: str, index: int, count: int, part: bytes) -> None:
        """Take one piece of a file that the page sends, in any order; the last one makes it whole.

        Raises:
            MediaError: the pieces do not fit together, or are too many.
        """
        with self._lock:
            parts = self._parts.setdefault(key, {})
            if index in parts or not 0 <= index < count or sum(map(len, parts.values())) + len(part) > LARGEST_FILE:
                del self._parts[key]
                raise MediaError(f"{name[:80]} did not arrive whole; choose it again")
            parts[index] = part
            if len(parts) == count:
                del self._parts[key]
                self._items[key] = _Item(b"".join(parts[at] for at in range(count)), name, is_new=True)
            unnamed = [key for key, item in self._items.items() if item.is_new]
            for old in unnamed[:-WAITING]:
                del self._items[old]
            for old in list(self._parts)[:-WAITING]:
                del self._parts[old]

    def things(self, described: Iterable[Mapping[str, Any]]) -> list[Any]:
        """The things that the page names: by key, by path or address, or as a clip's frame; no unknown ones."""
        return [thing for each in described if (thing := self._thing(each)) is not None]

    def _thing(self, described: Mapping[str, Any]) -> Any:
        key = str(described.get("key", ""))
        with self._lock:
            if key not in self._items:
                if place := described.get("place"):
                    self._items[key] = _Item(str(place), str(place), is_new=True)
                elif frame := described.get("frame"):
                    made = self._frame_of(str(frame["clip"]), str(frame["at"]))
                    self._items[key] = _Item(made, str(described.get("name", "frame")), is_new=True)
            return self._items[key].thing if key in self._items else None

    def take_new(self, described: Iterable[Mapping[str, Any]]) -> list[str]:
        """Return the keys that the page just added: those that no value used before."""
        with self._lock:
            keys = [str(each.get("key", "")) for each in described]
            found = [key for key in keys if key in self._items and self._items[key].is_new]
            for key in found:
                self._items[key].is_new = False
            return found

    def keep_only(self, values: Iterable[Any]) -> None:
        """Forget what none of these values holds, so that replaced pictures do not fill the memory."""
        held = {id(item) for value in values for item in (value if isinstance(value, list | tuple) else [value])}
        with self._lock:
            self._items = {k: item for k, item in self._items.items() if item.is_new or id(item.thing) in held}

    def get(self, key: str) -> Any:
        """The thing with this key, or None."""
        with self._lock:
            return self._items[key].thing if key in self._items else None

    def name(self, key: str) -> str:
        """What the page calls it."""
        with self._lock:
            return self._items[key].name if key in self._items else ""


def name_of(thing: Any) -> str:
    """How the page calls a thing that a program gave."""
    if isinstance(thing, PurePath):
        return thing.name
    if isinstance(thing, str):
        return thing
    if isinstance(thing, bytes | bytearray | memoryview):
        return "given as bytes"
    if isinstance(thing, Clip):
        return f"clip of {thing.model}"
    if isinstance(thing, RemoteMedia):
        return f"{thing.kind.lower()} at {thing.provider}: {thing.id}"
    if isinstance(thing, MediaFile):
        return thing.filename
    return "picture from code" if hasattr(thing, "__array__") else f"given by code ({type(thing).__name__})"


def look(thing: Any, kind: str) -> tuple[str, bytes]:
    """What an input measures, in words, and a small WebP of it (b"" where there is none to be had).

    Args:
        thing: a picture, clip or sound in any form that a param takes.
        kind: `image`, `video` or `audio`.

    Raises:
        MediaError: it is no such thing.
    """
    if isinstance(thing, Clip):
        info = thing.info
        return f"{info.width_px} × {info.height_px}, {info.duration_s:g} s", thing.poster
    if isinstance(thing, RemoteMedia):
        return "already at the service", b""
    if is_address(thing):
        return "fetched when it is sent", b""
    if kind != "image":
        file = recordings.media_file(thing)
        poster = _poster(thing) if kind == "video" else b""
        return ", ".join(filter(None, (_pixels(file), size(len(file.content))))), poster
    file = pictures.image_file(thing)
    return f"{_pixels(file)}, {size(len(file.content))}", pictures.thumbnail(file.content, (THUMBNAIL_PX, THUMBNAIL_PX))


def _pixels(file: MediaFile) -> str:
    return f"{file.width_px} × {file.height_px}" if file.width_px else ""


def _poster(thing: Any) -> bytes:
    try:
        return video.poster(thing) if isinstance(thing, str | Path) else b""
    except (VidnbError, OSError):
        return b""

