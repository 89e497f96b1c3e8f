"""`vidnb compare`: clips side by side in one file, a page that plays or a film or a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidnb.cli import filters
from vidnb.cli.folder import is_unused, nothing_here
from vidnb.cli.terminal import say
from vidnb.errors import ConfigError


def compare(
    file: Annotated[Path, typer.Argument(help="What to write: grid.html, or .mp4, .gif, .webp, .png, .jpg.")],
    rows: Annotated[list[str] | None, typer.Option(help="What stands down, as seed; repeatable.")] = None,
    cols: Annotated[list[str] | None, typer.Option(help="What stands across, as model; repeatable.")] = None,
    model: filters.Model = None,
    prompt: filters.Prompt = None,
    since: filters.Since = None,
    seed: filters.Seed = None,
    rating: filters.Rating = None,
    tag: filters.Tag = None,
    posters_only: Annotated[bool, typer.Option("--posters-only", help="A page of pictures, small for a mail.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write clips side by side into one file, and print its path; without --rows and --cols by what differs.

    A page (.html) plays all clips on the same frame, from a disk and without a network, for somebody who has nothing
    installed. A film or a picture has the labels drawn into it.
    """
    from vidnb.client.verbs import Client
    from vidnb.display.grid.pictures import WIDTH_PX

    page = file.suffix.lower() == ".html"
    if not page and file.suffix.lower() not in WIDTH_PX:
        raise ConfigError(f"{file.name!r}: the name must end in .html, {', '.join(WIDTH_PX)}")
    if posters_only and not page:
        raise ConfigError("--posters-only is for a page: name a file that ends in .html")
    if file.exists() and not overwrite:
        raise ConfigError(f"{file} is there already; give another name, or --overwrite")
    if is_unused():
        say(nothing_here())
        raise typer.Exit(2)
    with Client() as client:
        found = client.history(model=model, prompt=prompt, since=since, seed=seed, rating=rating, tag=tag or None)
        if not found:
            raise ConfigError("no clip fits; vidnb history shows what there is")
        view = found.compare(rows or None, cols or None)
        if page:
            written = view.to_html(file, posters_only=posters_only, overwrite=overwrite)
        else:
            written = view.save(file, overwrite=overwrite)
    typer.echo(written)
