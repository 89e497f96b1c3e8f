"""`vidnb bundle`: clips with their recipes in one file, to share; and such a file merged into the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vidnb.cli import filters
from vidnb.cli.folder import is_unused, nothing_here
from vidnb.cli.terminal import say


def bundle(
    file: Annotated[Path, typer.Argument(help="The bundle, as lighthouse.vidnb.")],
    opens: Annotated[bool, typer.Option("--open", help="Merge the bundle into the data folder instead.")] = False,
    replay: Annotated[bool, typer.Option(help="With --open: let it answer for its recipes, at no cost.")] = False,
    model: filters.Model = None,
    prompt: filters.Prompt = None,
    since: filters.Since = None,
    rating: filters.Rating = None,
    tag: filters.Tag = None,
) -> None:
    """Write finished jobs with recipes, clips, measures and ratings into one file; no key or link travels.

    With --open the file is checked and merged into the data folder, without duplicates; with --replay, too, the same
    recipe is from then on answered with its clip.
    """
    from vidnb.client.verbs import Client

    if not opens and is_unused():
        say(nothing_here())
        raise typer.Exit(2)
    with Client() as client:
        if opens:
            client.open_bundle(file, replay=replay)
            return
        chosen = client.history(model=model, prompt=prompt, since=since, rating=rating, tag=tag or None)
        say(str(chosen.bundle(file)))
