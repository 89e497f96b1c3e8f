"""The compare view as one HTML file: the same player with the clips inside, for a colleague who has nothing installed.

It plays from a disk, without a server and without a network. No key, account or link of a service is in it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from vidnb import arguments, display
from vidnb.clip import Clip
from vidnb.display.clips import poster_of
from vidnb.display.differences import Values
from vidnb.display.grid import Grid
from vidnb.display.grid.table import grid_html
from vidnb.display.page import shortened, size
from vidnb.errors import ConfigError, StoreError, VidnbError
from vidnb.media.samples import samples
from vidnb.widgets import compare_cells as facts
from vidnb.widgets.code import code, looks
from vidnb.widgets.player import sendable

HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta name="generator" content="vidnb">
<title>{title}</title>
<style>:root {{ color-scheme: light dark; }} body {{ margin: 0 auto; padding: 12px; max-width: 1400px;
font: 13px/1.45 system-ui, sans-serif; }} #vidnb-place:empty {{ display: none; }}
{style}</style></head><body>
"""
WITHOUT_POSTERS = "Give a path that ends in .html, as in to_html('lighthouse.html')"


def write(
    grid: Grid, path: str | Path, measures: Mapping[str, Values], *, posters_only: bool = False, overwrite: bool = False
) -> Path:
    """The path of the written file; its size is said before it is written.

    Args:
        grid: what stands where.
        path: of the file, ending in .html.
        measures: what was measured, by the hash of the file.
        posters_only: True for pictures instead of clips: small enough for a mail.
        overwrite: True to replace a file that is there.

    Raises:
        ConfigError: the path does not end in .html.
        FileExistsError: there is a file already.
        StoreError: no clip's file is left, or the page cannot be written.
    """
    target = arguments.file_path(path, "lighthouse.html")
    posters_only = arguments.flag("posters_only", posters_only)
    if target.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{target.name!r} does not end in .html or .htm. {WITHOUT_POSTERS}")
    arguments.new_file(target, overwrite=overwrite)
    clips = grid.clips
    if not posters_only and clips and not any(clip.has_file for clip in clips):
        raise StoreError(
            "the files of these clips are gone from the data folder; posters_only=True exports the pictures"
        )
    count = f"{len(clips)} clip{'s' if len(clips) != 1 else ''}"
    if posters_only:
        display.say(f"{target}: about {size(about_bytes(grid, posters_only=True))}, posters of {count}")
        parts = _posters(grid)
    else:
        small = size(about_bytes(grid, posters_only=True))
        display.say(f"{target}: about {size(about_bytes(grid))} with {count} inside; posters_only=True makes {small}")
        parts = _player(grid, measures)
    with arguments.written(target) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(parts)
    return target


def about_bytes(grid: Grid, *, posters_only: bool = False) -> int:
    """About how large the page will be."""
    inside = sum(clip.info.size_bytes * 4 // 3 + 50_000 for clip in grid.clips)
    return 11_000 * len(grid.clips) + 5_000 if posters_only else inside + 11_000 * len(grid.clips) + 90_000


def _title(grid: Grid) -> str:
    return escape(shortened(sendable(grid.prompt), 80) or "Clips")


def _posters(grid: Grid) -> Iterator[str]:
    yield HEAD.format(title=_title(grid), style="")
    yield sendable(grid_html(grid, play=False))
    yield "</body></html>\n"


def _player(grid: Grid, measures: Mapping[str, Values]) -> Iterator[str]:
    yield HEAD.format(title=_title(grid), style=looks("compare"))
    yield '<main id="vidnb-place"></main>\n'
    yield f"<noscript>{sendable(grid_html(grid, play=False))}</noscript>\n"
    films: list[dict[str, Any] | None] = []
    for at, cell in enumerate(grid.cells):
        film = None
        if cell.clip is not None and cell.clip.info.frames:
            film, parts = _film(at, cell.clip)
            yield from parts
        films.append(film)
    cells = [_cell(facts.cell_facts(grid, at, {}, measures)) for at in range(len(grid.cells))]
    traits = {"_grid": {**facts.head(grid), "cells": cells, "missing": None}, "_standalone": True, "problem": ""}
    # A prompt may hold "</script>": as JSON its "<" can be written in another way.
    yield _holder("told", "application/json", json.dumps({"traits": traits, "films": films}).replace("<", "\\u003c"))
    yield f'<script type="module">\n{code("compare_page")}</script>\n</body></html>\n'


def _cell(told: dict[str, Any]) -> dict[str, Any]:
    """What the page is told of a place: nothing that it would have to ask a server or a kernel for."""
    kernels = {"run", "price", "unknown", "ask"}
    return {name: value for name, value in told.items() if name not in kernels} | (
        {"video": None} if "video" in told else {}
    )


def _film(at: int, clip: Clip) -> tuple[dict[str, Any], list[str]]:
    """What the page must know of a clip, and the elements that hold its bytes."""
    told: dict[str, Any] = {"id": clip.job.id, "table": None, "strip": None}
    parts = []
    if (poster := poster_of(clip)) is not None:
        parts.append(_bytes(f"poster-{at}", poster))
    try:
        data = clip.read()
    except VidnbError:
        return told, parts
    try:
        table = samples(clip.path)
        told["table"], data = table.as_json(), table.packed if table.packed is not None else data
        sheet = clip.sheet
        told["strip"] = sheet.as_json()
        parts.append(_bytes(f"strip-{at}", sheet.picture))
    except VidnbError:
        pass  # it plays as an ordinary video where the browser can do that
    return told, [*parts, _bytes(f"video-{at}", data)]


def _bytes(name: str, data: bytes) -> str:
    return _holder(name, "text/plain", base64.b64encode(data).decode())


def _holder(name: str, kind: str, text: str) -> str:
    return f'<script type="{kind}" id="vidnb-{name}">{text}</script>\n'
