"""A heavy notebook becomes a light one: its embedded videos are files beside it, with a small poster in the notebook.

Any notebook: what vidnb saved in it, what other tools did, outputs of the type video/mp4, videos in words, and widgets
that were saved with their bytes. Nothing else changes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidnb import arguments
from vidnb.display.shrink.videos import Videos, joined, lighter_data, lighter_text
from vidnb.display.shrink.widgets import SavedWidgets
from vidnb.errors import ConfigError, StoreError


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
    path = arguments.file_path(path, "lesson.ipynb")
    text, notebook = _read(path)
    videos = Videos(path.with_name(f"{path.stem}_files"))
    cells = [cell for cell in notebook["cells"] if isinstance(cell, dict)]
    outputs = [one for cell in cells for one in cell.get("outputs") or () if isinstance(one, dict)]
    for cell in cells:
        _lighten_words(cell, videos)
    for output in outputs:
        if isinstance(output.get("data"), dict):
            output["data"] = lighter_data(output["data"], videos)
    SavedWidgets.of(notebook, videos).lighter(outputs)
    before = len(text.encode())
    if not videos.urls:
        return Shrunk(path, videos.folder, 0, before, before)
    lighter = (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass")
    with arguments.written(path) as part:
        part.write_bytes(lighter)
    return Shrunk(path, videos.folder, len(videos.urls), before, len(lighter))


def _read(path: Path) -> tuple[str, dict[str, Any]]:
    """The text of a notebook, and what it says."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        notebook = json.loads(text)
        if isinstance(notebook, dict) and isinstance(notebook.get("cells"), list):
            return text, notebook
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError):
        pass
    raise ConfigError(f"{path} is no notebook of the present form (nbformat 4)")


def _lighten_words(cell: dict[str, Any], videos: Videos) -> None:
    """Change the videos that stand in the words of a cell, or are attached to it."""
    if cell.get("cell_type") != "markdown" or not isinstance(cell.get("source"), str | list):
        return
    cell["source"] = lighter_text(cell["source"], videos)
    attached = cell.get("attachments")
    if not isinstance(attached, dict):
        return
    for name, data in list(attached.items()):
        urls = [videos.url_of_type(*one) for one in data.items()] if isinstance(data, dict) else []
        if len(urls) == 1 and urls[0] is not None:
            del attached[name]
            cell["source"] = joined(cell["source"]).replace(f"attachment:{name}", urls[0])
