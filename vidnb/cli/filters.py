"""The options that choose among the clips of the data folder, the same for every subcommand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from vidnb.errors import ConfigError
from vidnb.history.times import span


def _since(text: str) -> datetime:
    """The moment that a date, a time or an age ("2h", "7d") means; without a zone it is local time."""
    try:
        return span("--since", text)[0]
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None


Model = Annotated[str | None, typer.Option("--model", "-m", help="Only this model's.")]
Prompt = Annotated[str | None, typer.Option(help="Only where the prompt contains this.")]
Since = Annotated[
    datetime | None, typer.Option(parser=_since, metavar="WHEN", help="Not older: a date, a time, or 90m, 2h, 7d.")
]
Seed = Annotated[int | None, typer.Option(help="Only this seed.")]
Rating = Annotated[int | None, typer.Option(min=1, max=5, help="Only clips rated so, or better.")]
Tag = Annotated[list[str] | None, typer.Option(help="Only with this tag; give it again for another.")]
