"""The grid as a saved notebook keeps it: a table of posters with its heads, its stars and the words of its gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vidnb.display.clips import cost_words, poster_of, smaller
from vidnb.display.grid.inputs import input_pictures, shown_words
from vidnb.display.grid.pivot import Cell, Grid, Head
from vidnb.display.host import RELATIVE_HOSTS, host, relative_path, relative_url
from vidnb.display.labels import WINNER
from vidnb.display.page import (
    GREY,
    MUTED,
    SMALL,
    Content,
    Html,
    block,
    data_uri,
    dotted,
    join,
    origin,
    shortened,
    tag,
)
from vidnb.records import Job, State

POSTER_PX, POSTER_BYTES = 240, 4_000
LARGE_PX, LARGE_BYTES, LARGE_CELLS = 400, 8_000, 9
WORDS = {State.FAILED: "Failed", State.CANCELLED: "Cancelled", State.AMBIGUOUS: "Unclear"}


def grid_html(grid: Grid, *, play: bool = True) -> str:
    """The grid as an HTML table. A clip whose file the page can reach plays there, the others are pictures.

    Args:
        grid: what stands where.
        play: False for pictures only, whatever the page can reach.
    """
    large = len(grid.cells) <= LARGE_CELLS
    title = tag("div", shortened(grid.prompt, 160) or "Clips", dir="auto", style="font-size:14px;font-weight:600")
    pictures = input_pictures(grid.clips)
    said = tag("span", join((shown_words(one, pictures) for one in grid.common), " · "), style=MUTED)
    common = tag("div", join([said, origin(grid.marks)], " "), style=f"{SMALL};margin:0 0 6px")
    headed = any(head.words for head in grid.columns)
    rowed = any(head.words for head in grid.rows)
    look = "padding:2px 6px;text-align:left;vertical-align:bottom;font-weight:600"
    top = tag(
        "tr",
        *([tag("td")] if rowed else []),
        *(tag("th", _head(one, pictures), scope="col", dir="auto", style=look) for one in grid.columns),
    )
    heads = [_head(head, pictures) if rowed else None for head in grid.rows]
    rows = [_row(grid, at, head, large, play) for at, head in enumerate(heads)]
    # Both sides said: JupyterLab aligns and shades tables in its own way.
    inner = tag(
        "table",
        *([tag("thead", top)] if headed else []),
        tag("tbody", *rows),
        style="border-collapse:collapse;margin:0;font-size:13px",
    )
    left = f"{grid.left_out} more are not shown." if grid.left_out else None
    return block(
        title,
        common,
        tag("div", inner, style="overflow-x:auto;max-width:100%"),
        dotted(left),
        style="margin:2px 0 10px",
    )


def _head(head: Head, pictures: Mapping[str, str]) -> Content:
    more = join((shown_words(one, pictures) for one in head.more), " · ")
    under = tag("div", more, style=f"font-weight:400;{SMALL};{MUTED}") if more else None
    return join([join((shown_words(one, pictures) for one in head.words), " · "), under])


def _row(grid: Grid, at: int, head: Content, large: bool, play: bool) -> Html:
    look = "padding:2px 10px 2px 0;text-align:left;font-weight:600;white-space:nowrap"
    first = [tag("th", head, scope="row", dir="auto", style=look)] if head is not None else []
    cells = (cell for cell in grid.cells if cell.row == at)
    return tag(
        "tr",
        *first,
        *(tag("td", _cell(grid, cell, large, play), style="padding:3px;vertical-align:top") for cell in cells),
        style="background:transparent",
    )


def _cell(grid: Grid, cell: Cell, large: bool, play: bool) -> Content:
    if cell.clip is None:
        return _gap(cell.job, LARGE_PX if large else POSTER_PX)
    rated = "★" * (cell.clip.rating or 0)
    said = [
        word
        for word in (rated, "Winner" if WINNER in cell.clip.tags else "", cell.name if grid.wrapped else "")
        if word
    ]
    return join([_picture(cell, large, play), tag("div", " · ".join(said), dir="auto", style=SMALL) if said else None])


def _picture(cell: Cell, large: bool, play: bool) -> Content:
    clip = cell.clip
    assert clip is not None
    width_px, limit = (LARGE_PX, LARGE_BYTES) if large else (POSTER_PX, POSTER_BYTES)
    poster = poster_of(clip)
    image = data_uri(smaller(poster, width_px, limit), "image/webp") if poster else None
    look = f"display:block;width:{width_px if large else 200}px;max-width:none;height:auto;border-radius:4px;margin:0"
    box: dict[str, Any] = {"width": clip.info.width_px, "height": clip.info.height_px}
    served = clip.served_path if play else None
    beside = relative_path(served) if served is not None and host() in RELATIVE_HOSTS else None
    if beside is not None:
        flags = {"controls": True, "loop": True, "muted": True, "playsinline": True}
        return tag(
            "video", **flags, preload="none", **box, poster=image, src=relative_url(beside), title=cell.name, style=look
        )
    return tag("img", **box, alt=cell.name, src=image, style=look) if image else tag("div", "No picture", style=MUTED)


def _gap(job: Job | None, width_px: int) -> Html:
    if job is None:
        words, why = "Not run", ""
    else:
        words = WORDS.get(job.state, "Running")
        why = shortened(str((job.error or {}).get("message", "")), 120)
    look = f"width:{min(width_px, 200)}px;padding:14px 8px;text-align:center;background:{GREY};border-radius:4px"
    cost = cost_words(job) if job is not None and job.state is State.FAILED else None
    return tag(
        "div", tag("b", words), tag("div", why, style=f"{SMALL};{MUTED}") if why else None, dotted(cost), style=look
    )
