"""What the commands share: the two consoles, text made harmless for a terminal, and what an error is worth."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from vidnb.errors import JobError, JobTimeoutError, ProviderError, TransportError, VidnbError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FAILED, WRONG_INPUT, NETWORK, TIMED_OUT, INTERRUPTED = 1, 2, 3, 4, 130
PIPE_COLUMNS = 200
"""The width of a table that goes to a file or a pipe, where rich would cut it at 80."""


def exit_code(error: VidnbError) -> int:
    """The exit code that stands for an error, as the epilog of `vidnb --help` lists them."""
    if isinstance(error, JobTimeoutError):
        return TIMED_OUT
    if isinstance(error, JobError):
        return FAILED
    return NETWORK if isinstance(error, (ProviderError, TransportError)) else WRONG_INPUT


@functools.cache
def console(stderr: bool = False) -> Console:
    """The console for results, or the one for what is said about them."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return Console(stderr=stderr, width=width, highlight=False)


def say(message: str, *, style: str = "") -> None:
    """Nothing; the message is on stderr."""
    from rich.text import Text

    console(stderr=True).print(Text(safe(message, lines=True), style=style), soft_wrap=True)


def complain(error: VidnbError) -> None:
    """Nothing; the error's message is on stderr, in red, with no traceback."""
    say(str(error) or type(error).__name__, style="red")


def safe(text: object, *, lines: bool = False) -> str:
    """The text without characters that a terminal would obey: escapes, controls, changes of writing direction.

    Args:
        text: anything from a prompt, a file or a provider.
        lines: keep line breaks.
    """
    return "".join(_harmless(char, lines) for char in str(text))


def _harmless(char: str, lines: bool) -> str:
    if char.isprintable() or (lines and char == "\n"):
        return char
    return " " if char.isspace() else ""


def shortened(text: object, length: int) -> str:
    """The harmless text, with an ellipsis where it was longer."""
    told = safe(text)
    return told if len(told) <= length else told[: length - 1] + "…"


def table(title: str | None, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Table:
    """A table whose cells show text exactly as it is, markup and escapes included."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=title and Text(safe(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        made.add_column(column, no_wrap=index == 0, overflow="fold")
    for row in rows:
        made.add_row(*(Text("" if cell is None else safe(cell)) for cell in row))
    return made
