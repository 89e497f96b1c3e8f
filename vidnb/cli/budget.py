"""`vidnb budget`: the caps of the data folder and of its purses, and what was spent from them."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from vidnb.cli.terminal import console, say, table
from vidnb.errors import ConfigError

HEAD = ("purse", "book", "cap", "spent", "reserved", "unclear", "left")
LIFT = "none"


def budget(
    purse: Annotated[str, typer.Argument(help="Whose caps to change; without one those of the whole folder.")] = "",
    usd: Annotated[str | None, typer.Option(help="The cap in US dollars; none lifts it.")] = None,
    credits: Annotated[
        list[str] | None, typer.Option(help="A cap in credits, as 1min=500; 1min=none lifts it. May be repeated.")
    ] = None,
    jobs: Annotated[str | None, typer.Option(help="The cap in number of jobs; none lifts it.")] = None,
    reset: Annotated[
        bool, typer.Option("--reset", help="Begin anew: what was spent so far no longer counts against the caps.")
    ] = False,
) -> None:
    """Show, set, lift or reset caps; they hold for every notebook and command of the data folder at once.

    Spent is what was charged, reserved is the most that jobs on their way may cost, unclear is what nobody can tell
    whether it was charged. All three count. Emulated jobs are counted in a book of their own.
    """
    from vidnb.client.verbs import default_client

    changes: dict[str, float | dict[str, float | None] | None] = {}
    if usd is not None:
        changes["usd"] = _number("--usd", usd)
    if jobs is not None:
        changes["jobs"] = _number("--jobs", jobs)
    if credits:
        changes["credits"] = caps_in_credits(credits)
    client = default_client()
    try:
        found = client.budget(purse, reset=reset, **changes)  # type: ignore[arg-type]  # checked above
    finally:
        client.close()
    rows = found.rows()
    if rows:
        console().print(table(HEAD, rows, wraps=("purse",)))
    else:
        say("No caps, and nothing was spent.")


def caps_in_credits(given: list[str]) -> dict[str, float | None]:
    """Return the caps by provider that options like `--credits 1min=500` give; None for one that is lifted.

    Raises:
        ConfigError: one is written in another way.
    """
    parts = [part.partition("=") for part in given]
    if wrong := [provider for provider, equals, _ in parts if not equals]:
        raise ConfigError(f"--credits {wrong[0]}: write it as 1min=500")
    return {provider: _number("--credits", cap) for provider, _, cap in parts}


def _number(name: str, text: str) -> float | None:
    if text.strip().lower() == LIFT:
        return None
    with contextlib.suppress(ValueError):
        if (cap := float(text)) >= 0:
            return cap
    raise ConfigError(f"{name} {text}: give a number of 0 or more, or {LIFT}")
