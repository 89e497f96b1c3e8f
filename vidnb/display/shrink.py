"""Embedded videos of a notebook become files beside it, with a small poster in the notebook.

Any notebook: what vidnb saved in it, what other tools did, and outputs of the type video/mp4. Nothing else changes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from vidnb.errors import ConfigError, MediaError, StoreError

SUFFIXES = {"mp4": ".mp4", "webm": ".webm", "quicktime": ".mov", "ogg": ".ogv"}
DATA = re.compile(r"data:video/(mp4|webm|quicktime|ogg)(?:;[\w=.\"' -]+)?;base64,([A-Za-z0-9+/=\s]+)")
VIDEO = re.compile(r"<video\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>", re.IGNORECASE)


@dataclass(frozen=True)
class Shrunk:
    """What became of a notebook: `str()` says it."""

    path: Path
    folder: Path
    videos: int
    before_bytes: int
    after_bytes: int

    def __str__(self) -> str:
        if not self.videos:
            return f"{self.path}: no video is embedded in it; it stays as it is ({self.before_bytes / 1e6:.1f} MB)"
        saved = f"{self.before_bytes / 1e6:.1f} MB -> {self.after_bytes / 1e6:.1f} MB"
        files = f"{self.videos} video{'s' if self.videos != 1 else ''}"
        return f"{self.path}: {saved}, {self.before_bytes - self.after_bytes:,} bytes saved; {files} in {self.folder}/"


def shrink(path: str | Path) -> Shrunk:
    """Replace the embedded videos of a notebook by files in the folder `<name>_files` beside it, and posters.

    Args:
        path: of the notebook; it is replaced in one step once all files are there.

    Raises:
        ConfigError: it is no notebook.
        StoreError: it cannot be read or written.
    """
    path = Path(path).expanduser()
    folder = path.with_name(f"{path.stem}_files")
    try:
        text = path.read_text(encoding="utf-8")
        notebook = json.loads(text)
        cells = notebook["cells"]
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"{path} is no notebook of the present form (nbformat 4)") from None
    videos = _Videos(folder)
    for cell in cells:
        for output in cell.get("outputs", []):
            if isinstance(output.get("data"), dict):
                output["data"] = _lighter(output["data"], videos)
    before = len(text.encode())
    if not videos.urls:
        return Shrunk(path, folder, 0, before, before)
    lighter = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        part.write_text(lighter, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return Shrunk(path, folder, len(videos.urls), before, len(lighter.encode()))


class _Videos:
    """The files that were written, each once.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.urls: dict[str, str] = {}
        self.posters: dict[str, str] = {}

    def url(self, kind: str, text: str) -> str | None:
        """The relative address of the video, now a file; None where the text is no base64."""
        try:
            data = base64.b64decode("".join(text.split()), validate=True)
        except binascii.Error:
            return None
        sha256 = hashlib.sha256(data).hexdigest()
        if sha256 not in self.urls:
            name = f"{sha256[:16]}{SUFFIXES[kind]}"
            try:
                self._folder.mkdir(exist_ok=True)
                (self._folder / name).write_bytes(data)
            except OSError as error:
                raise StoreError(f"{self._folder / name} cannot be written: {error.strerror or error}") from error
            self.urls[sha256] = f"{quote(self._folder.name)}/{name}"
            self.posters[self.urls[sha256]] = _poster(self._folder / name)
        return self.urls[sha256]


def _poster(path: Path) -> str:
    from vidnb.media import video

    try:
        return "data:image/webp;base64," + base64.b64encode(video.poster(path)).decode()
    except MediaError:
        return ""


def _lighter(data: dict[str, Any], videos: _Videos) -> dict[str, Any]:
    """The same output with its videos as files."""
    found = dict(data)
    if "text/html" in found:
        html = found["text/html"]
        whole = "".join(html) if isinstance(html, list) else str(html)
        lighter = _html(whole, videos)
        if lighter != whole:
            found["text/html"] = lighter.splitlines(keepends=True) if isinstance(html, list) else lighter
    for kind in SUFFIXES:
        text = found.get(f"video/{kind}")
        url = videos.url(kind, "".join(text)) if isinstance(text, str | list) else None
        if url is not None:
            del found[f"video/{kind}"]
            poster = videos.posters[url]
            shown = f' poster="{poster}"' if poster else ""
            found.setdefault("text/html", f'<video controls src="{url}"{shown} style="max-width:100%"></video>')
    return found


def _html(html: str, videos: _Videos) -> str:
    def as_file(match: re.Match[str]) -> str:
        return videos.url(match[1], match[2]) or match[0]

    lighter = DATA.sub(as_file, html)
    return VIDEO.sub(_with_poster(lighter, videos), lighter) if lighter != html else html


def _with_poster(html: str, videos: _Videos) -> Callable[[re.Match[str]], str]:
    """What gives a video without a poster its own, whether the file stands in it or in a source inside it."""

    def changed(match: re.Match[str]) -> str:
        end = html.find("</video", match.end())
        inside = html[match.start() : end if end >= 0 else match.end()]
        poster = next((poster for url, poster in videos.posters.items() if url in inside), "")
        if not poster or re.search(r"\bposter\s*=", match[0], re.IGNORECASE):
            return match[0]
        return f'{match[0][: len("<video")]} poster="{poster}"{match[0][len("<video") :]}'

    return changed
