"""A clip as one sheet of small frames: what follows a finger on the track at once, while full frames are decoded."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidnb.media.pictures import encoded
from vidnb.media.video import strip

TILES, TILE_PX, COLUMNS = 60, 106, 10
QUALITY = 45


@dataclass(frozen=True)
class Sheet:
    """Small frames in rows, evenly spread from the first frame to the last.

    Attributes:
        picture: a WebP.
        tiles: how many frames there are.
        columns: how many stand in a row.
        width, height: of one frame, in pixels.
    """

    picture: bytes
    tiles: int
    columns: int
    width: int
    height: int

    def as_json(self) -> dict[str, Any]:
        """Where the frames lie in the picture."""
        return {"tiles": self.tiles, "columns": self.columns, "width": self.width, "height": self.height}


def sheet(path: str | Path, frames: int) -> bytes:
    """The sheet of a video file as WebP.

    Args:
        path: of the file.
        frames: how many it has.

    Raises:
        MediaError: it cannot be decoded.
    """
    import PIL.Image

    tiles = tiles_of(frames)
    row = strip(path, tiles, TILE_PX)
    width, height = row.width // tiles, row.height
    across = min(COLUMNS, tiles)
    picture = PIL.Image.new("RGB", (width * across, height * -(-tiles // across)))
    for tile in range(tiles):
        place = (tile % across * width, tile // across * height)
        picture.paste(row.crop((tile * width, 0, (tile + 1) * width, height)), place)
    return encoded(picture, "WEBP", quality=QUALITY, method=2)


def opened_sheet(picture: bytes, frames: int) -> Sheet:
    """The sheet that `sheet` made of a video of so many frames."""
    import PIL.Image

    tiles = tiles_of(frames)
    columns = min(COLUMNS, tiles)
    with PIL.Image.open(io.BytesIO(picture)) as image:
        return Sheet(picture, tiles, columns, image.width // columns, image.height // -(-tiles // columns))


def tiles_of(frames: int) -> int:
    """How many small frames stand for a video of so many frames."""
    return max(1, min(TILES, frames))
