"""`vidnb shrink`: the embedded videos of a notebook become files beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidnb.cli.terminal import say


def shrink(notebooks: Annotated[list[Path], typer.Argument(help="Notebooks (.ipynb), by whatever tool.")]) -> None:
    """Replace the videos that are embedded in notebooks by files beside them and small posters.

    The files lie in NAME_files; keep that folder with the notebook. Says how many bytes were saved.
    """
    from vidnb.display.shrink import shrink as shrunk

    for path in notebooks:
        say(str(shrunk(path)))
