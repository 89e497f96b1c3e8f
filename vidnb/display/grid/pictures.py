"""The grid as one picture or one film, with its heads, names and gaps drawn into it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidnb import arguments
from vidnb.display.grid.pivot import Cell, Grid
from vidnb.display.labels import WINNER
from vidnb.errors import ConfigError, StoreError
from vidnb.media import mosaic
from vidnb.media.tagged import text_of
from vidnb.records import State

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH_PX = {".png": 1600, ".jpg": 1600, ".webp": 960, ".gif": 720, ".mp4": 1920}
"""How wide the whole picture is at most, by kind."""
FPS = {".gif": 10.0, ".webp": 12.0}
"""Films of pictures have fewer frames, for their size."""
WIDEST_CELL, NARROWEST_CELL, GAP_PX = 640, 96, 8
GROUND, INK, QUIET, SOFT, BAD = "#111418", "#f2f4f7", "#a3abb5", "#20262d", "#e08585"
FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "Arial Unicode.ttf", "Arial.ttf")
MARK_GROUND, MARK_INK, GOLD = (0, 0, 0, 194), "#ffffff", "#ffd24d"
"""As they look in the compare view."""
WIDE_ENOUGH_PX = 140
"""From this width on a clip has a star for each point of its rating, below it a number and one star."""


@dataclass(frozen=True)
class Board:
    """The picture around the clips, and where each of them goes."""

    ground: Image
    tiles: tuple[mosaic.Tile, ...]
    marks: tuple[mosaic.Mark, ...]
    """What was said of the clips, to stand on them."""


def save(grid: Grid, path: str | Path, *, at_s: float | None = None, overwrite: bool = False) -> Path:
    """The path of the written picture or film, by the end of its name.

    Args:
        grid: what stands where.
        path: ending in .mp4, .gif, .webp (moving), .png or .jpg (still).
        at_s: for a still picture the second that it shows; default the middle.
        overwrite: True to replace a file that is there.

    Raises:
        ConfigError: the name ends otherwise, or there is no clip.
        FileExistsError: there is a file already.
        StoreError: no clip's file is left.
    """
    target = arguments.file_path(path, "lighthouse.mp4")
    time_s = arguments.number("at_s", at_s, "a second of the clips, or None for the middle")
    kind = target.suffix.lower()
    if kind not in WIDTH_PX:
        raise ConfigError(f"{target.name!r}: the name must end in {', '.join(WIDTH_PX)}; to_html writes pages")
    if not grid.clips:
        raise ConfigError("there is no clip in this comparison yet")
    arguments.new_file(target, overwrite=overwrite)
    with arguments.written(target) as part:
        _write(grid, part, kind, time_s)
    return target


def _write(grid: Grid, path: Path, kind: str, at_s: float | None) -> None:
    made = board(grid, WIDTH_PX[kind])
    seconds = max(clip.info.duration_s for clip in grid.clips)
    if kind in (".png", ".jpg"):
        time_s = seconds / 2 if at_s is None else at_s
        (still,) = mosaic.pictures(made.tiles, made.ground, [time_s], made.marks)
        still.save(path)
        return
    fps = FPS.get(kind) or max(clip.info.fps for clip in grid.clips)
    frames = mosaic.pictures(made.tiles, made.ground, _times(seconds, fps), made.marks)
    if kind == ".mp4":
        mosaic.write_mp4(path, frames, fps, text_of({"grid": [_recipe(cell) for cell in grid.cells if cell.clip]}))
    else:
        mosaic.write_animation(path, frames, fps)


def _times(seconds: float, fps: float) -> Iterator[float]:
    return (number / fps for number in range(max(1, round(seconds * fps))))


def _recipe(cell: Cell) -> dict[str, Any]:
    assert cell.job is not None
    return {"name": cell.name, "model": cell.job.model, "params": dict(cell.job.params), "emulated": cell.job.emulated}


def board(grid: Grid, width_px: int) -> Board:
    """The picture with all words in it, and the places of the clips."""
    import PIL.Image
    from PIL import ImageDraw

    headed, rowed = any(one.words for one in grid.columns), any(one.words for one in grid.rows)
    text = _font(max(12, width_px // 80))
    high = round(text.size * 1.5)
    widest = max((text.getlength(str(word)) for one in grid.rows for word in one.words), default=0.0)
    side = min(round(widest) + 2 * GAP_PX, width_px // 4) if rowed else GAP_PX
    count = len(grid.columns)
    room = (width_px - side - GAP_PX * (count + 1)) // count
    wide = max(NARROWEST_CELL, min(WIDEST_CELL, room)) // 2 * 2
    ratio = max(clip.info.height_px / max(clip.info.width_px, 1) for clip in grid.clips) or 9 / 16
    tall = round(wide * min(ratio, 1.0)) // 2 * 2
    caption = high if grid.wrapped else 0
    top = GAP_PX + high * (2 + headed)
    size = (side + count * (wide + GAP_PX) + GAP_PX, top + len(grid.rows) * (tall + caption + GAP_PX))
    ground = PIL.Image.new("RGB", (size[0] // 2 * 2, size[1] // 2 * 2), GROUND)
    draw = ImageDraw.Draw(ground)
    _words(draw, (GAP_PX, GAP_PX), grid.prompt or "Clips", text, INK, size[0] - 2 * GAP_PX)
    common = " · ".join([*grid.marks, *map(str, grid.common)])
    _words(draw, (GAP_PX, GAP_PX + high), common, text, QUIET, size[0] - 2 * GAP_PX)
    tiles: list[mosaic.Tile] = []
    marks: list[mosaic.Mark] = []
    for column, head in enumerate(grid.columns):
        _words(draw, (side + column * (wide + GAP_PX), top - high), str(head), text, INK, wide)
    for cell in grid.cells:
        left = side + cell.column * (wide + GAP_PX)
        above = top + cell.row * (tall + caption + GAP_PX)
        if cell.column == 0 and rowed:
            lines = list(map(str, grid.rows[cell.row].words))
            lines = lines if len(lines) * high <= tall else [" · ".join(lines)]
            for at, line in enumerate(lines):
                place = (GAP_PX, above + (tall - len(lines) * high) // 2 + at * high)
                _words(draw, place, line, text, INK, side - GAP_PX)
        if grid.wrapped:
            _words(draw, (left, above + tall), cell.name, text, INK, wide)
        box = (left, above, left + wide - 1, above + tall - 1)
        if (path := _file(cell)) is None:
            draw.rectangle(box, outline=QUIET if cell.job is None else BAD, fill=SOFT)
            _words(draw, (left + GAP_PX, above + tall // 2 - high // 2), _why(cell), text, QUIET, wide - 2 * GAP_PX)
        else:
            draw.rectangle(box, fill=SOFT)
            tiles.append(mosaic.Tile(path, left, above, wide, tall))
            marks += _marks(cell, tiles[-1], text)
    if not tiles:
        raise StoreError("the files of these clips are gone from the data folder, damaged, or hold no picture")
    return Board(ground, tuple(tiles), tuple(marks))


def _marks(cell: Cell, tile: mosaic.Tile, font: Any) -> Iterator[mosaic.Mark]:
    """The stars of a clip and whether it is the winner, on the lower edge of its picture."""
    assert cell.job is not None
    edge = max(3, tile.width // 60)
    if cell.job.rating:
        image = _stars(cell.job.rating, font, tile.width >= WIDE_ENOUGH_PX)
        yield mosaic.Mark(image, tile.left + edge, tile.top + tile.height - image.height - edge)
    if WINNER in cell.job.tags:
        image = _chip(font, "Winner", MARK_INK)
        left, top = tile.left + tile.width - image.width - edge, tile.top + tile.height - image.height - edge
        yield mosaic.Mark(image, left, top)


def _stars(rating: int, font: Any, each: bool) -> Image:
    """A rating as stars, drawn, as many a font has none: one for each point, or a number and one."""
    from PIL import ImageDraw

    size, count = round(font.size), rating if each else 1
    number = "" if each else str(rating)
    image = _chip(font, number, GOLD, room=count * size)
    draw, middle = ImageDraw.Draw(image), image.height / 2
    for place in range(count):
        across = image.width - size * (count - place) - size * 0.3 + size / 2
        points = [
            (across + radius * math.sin(turn * math.pi / 5), middle - radius * math.cos(turn * math.pi / 5))
            for turn, radius in ((turn, size * (0.2 if turn % 2 else 0.46)) for turn in range(10))
        ]
        draw.polygon(points, fill=GOLD)
    return image


def _chip(font: Any, words: str, colour: str, room: int = 0) -> Image:
    """Words on a dark ground that lets the picture shine through, with room after them."""
    import PIL.Image
    from PIL import ImageDraw

    pad = font.size * 0.3
    size = (math.ceil(font.getlength(words) + room + 2 * pad), round(font.size * 1.4))
    image = PIL.Image.new("RGBA", size)
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), radius=font.size / 4, fill=MARK_GROUND)
    draw.text((pad, size[1] / 2), words, font=font, fill=colour, anchor="lm")
    return image


def _why(cell: Cell) -> str:
    if cell.job is None:
        return "Not run"
    if cell.clip is not None and not cell.clip.info.frames:
        return "Sound only" if cell.clip.info.has_audio else "No picture"
    ends = {State.DONE: "No file", State.FAILED: "Failed", State.CANCELLED: "Cancelled", State.AMBIGUOUS: "Unclear"}
    return ends.get(cell.job.state, "Running")


def _file(cell: Cell) -> Path | None:
    """The clip's file; one that is gone, damaged or without pictures must not spoil the others."""
    with suppress(StoreError):
        return cell.clip.path if cell.clip is not None and cell.clip.info.frames else None
    return None


def _font(size: float) -> Any:
    """A font of this machine that has more than Latin letters, else Pillow's own."""
    from PIL import ImageFont

    for name in FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _words(draw: Any, place: tuple[float, float], words: str, font: Any, colour: str, room: float) -> None:
    """Draw words in one line, shortened until they fit; what has no glyph of its own must not break the picture."""
    line = "".join(letter if letter.isprintable() else " " for letter in " ".join(words.split()))[:300]
    whole = line
    while line and font.getlength(line if line == whole else f"{line}…") > room:
        line = line[:-1]
    draw.text(place, line if line == whole else f"{line}…", font=font, fill=colour)
