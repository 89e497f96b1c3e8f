"""The videos of a notebook as files, and the HTML that shows them from there."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vidnb.errors import MediaError, StoreError
from vidnb.media.containers import kind_of

SUFFIXES = {
    "mp4": ".mp4", "webm": ".webm", "quicktime": ".mov", "ogg": ".ogv", "x-m4v": ".m4v", "x-matroska": ".mkv",
}  # fmt: skip
"""The second part of a video's type -> the end of its file's name."""
DATA = re.compile(
    rf"data:video/({'|'.join(SUFFIXES)})(?:;[\w-]+=(?:\"[^\"]*\"|'[^']*'|[^;,\"']*))*;base64,([A-Za-z0-9+/=\s]+)",
    re.IGNORECASE,
)
VIDEO = re.compile(r"(<video\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>((?:(?!</video).)*)", re.IGNORECASE | re.DOTALL)
SOURCE = re.compile(r"<source\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)
PICTURES_AND_SOUNDS = (b"avi", b"hei", b"mif", b"msf", b"M4A", b"M4B")
"""Beginnings of the brands of files that are built like an MP4 and hold no video."""


class Videos:
    """The files that were written, each once.

    Args:
        folder: where they lie, beside the notebook.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.urls: dict[str, str] = {}
        self._posters: dict[str, str] = {}

    def url(self, data: bytes, suffix: str) -> str:
        """The address of the video, now a file, from the notebook.

        Raises:
            StoreError: it cannot be written.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self.urls:
            path = self.folder / f"{sha256[:16]}{suffix}"
            try:
                self.folder.mkdir(exist_ok=True)
                path.write_bytes(data)
            except OSError as error:
                raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
            self.urls[sha256] = f"{quote(self.folder.name)}/{path.name}"
            self._posters[self.urls[sha256]] = _poster(path)
        return self.urls[sha256]

    def url_of_text(self, kind: str, text: str) -> str | None:
        """The same of base64; None where the text is none."""
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except binascii.Error:
            return None
        return self.url(data, SUFFIXES[kind.lower()])

    def url_of_type(self, kind: str, text: Any) -> str | None:
        """The same of an entry of an output, by its type; None where it is no video."""
        short = kind.removeprefix("video/")
        is_video = short != kind and short in SUFFIXES and isinstance(text, str | list)
        return self.url_of_text(short, joined(text)) if is_video else None

    def player(self, url: str) -> str:
        """The HTML that plays a file."""
        poster = self._posters[url]
        shown = f' poster="{poster}"' if poster else ""
        return f'<video controls src="{url}"{shown} style="max-width:100%"></video>'

    def lighter(self, html: str) -> str:
        """The HTML with its embedded videos as files, each with a poster."""

        def as_file(match: re.Match[str]) -> str:
            return self.url_of_text(match[1], match[2]) or match[0]

        lighter = DATA.sub(as_file, html)
        return VIDEO.sub(self._settled, lighter) if lighter != html else html

    def _settled(self, video: re.Match[str]) -> str:
        """A video element with a poster, and with the address of its file in itself.

        JupyterLab makes an address of a relative one only after the element is there, and by then a browser has given
        up on a `<source>`.
        """
        opening, inside = video[1], video[2]
        url = next((url for url in self._posters if url in video[0]), None)
        if url is None:
            return video[0]
        if not _has(opening, "src"):
            opening, inside = f'{opening} src="{url}"', SOURCE.sub("", inside)
        if self._posters[url] and not _has(opening, "poster"):
            opening += f' poster="{self._posters[url]}"'
        return f"{opening}>{inside}"


def _has(opening: str, name: str) -> bool:
    return re.search(rf"\s{name}\s*=", opening, re.IGNORECASE) is not None


def suffix_of(data: bytes) -> str | None:
    """How the name of a video ends that starts with these bytes; None where they are no video."""
    kind = kind_of(data[:512])
    if kind == "mov":
        no_video = data[4:8] == b"ftyp" and data[8:11] in PICTURES_AND_SOUNDS
        return None if no_video else ".mov" if data[8:12] == b"qt  " else ".mp4"
    return {"matroska": ".webm", "avi": ".avi"}.get(kind or "")


def _poster(path: Path) -> str:
    from vidnb.media import video

    try:
        return "data:image/webp;base64," + base64.b64encode(video.poster(path)).decode()
    except MediaError:
        return ""


def joined(text: Any) -> str:
    """A text of a notebook, which may be a list of lines."""
    return "".join(map(str, text)) if isinstance(text, list) else str(text)


def lighter_data(data: dict[str, Any], videos: Videos) -> dict[str, Any]:
    """The data of an output, by type, with its videos as files."""
    found = dict(data)
    for kind in ("text/html", "text/markdown"):
        if kind in found:
            found[kind] = lighter_text(found[kind], videos)
    for kind in list(found):
        if (url := videos.url_of_type(kind, found[kind])) is not None:
            del found[kind]
            found.setdefault("text/html", videos.player(url))
    return found


def lighter_text(text: Any, videos: Videos) -> Any:
    """A text of a notebook with its videos as files; a list of lines stays one."""
    if not isinstance(text, str | list):
        return text
    whole = joined(text)
    lighter = videos.lighter(whole)
    if lighter == whole:
        return text
    return lighter.splitlines(keepends=True) if isinstance(text, list) else lighter
