"""What the commands share: the two consoles, text made harmless for a terminal, and what an error is worth."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from vidnb.advice import as_commands
from vidnb.errors import JobError, JobTimeoutError, ProviderError, TransportError, VidnbError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

FAILED, WRONG_INPUT, NETWORK, TIMED_OUT, INTERRUPTED = 1, 2, 3, 4, 130
PIPE_COLUMNS = 200
"""The width of a table that goes to a file or a pipe, where rich would cut it at 80."""
WRAPPED_COLUMNS = 18


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
    """Print the message on stderr; a call that it advises is printed as the command that does the same."""
    from rich.text import Text

    console(stderr=True).print(Text(safe(as_commands(message), lines=True), style=style), soft_wrap=True)


def complain(error: VidnbError) -> None:
    """Print the error's message on stderr, in red, with no traceback."""
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


def table(columns: Sequence[str], rows: Iterable[Iterable[object]], wraps: Collection[str] = ()) -> Table:
    """A table whose cells show text exactly as it is, markup and escapes included.

    Args:
        columns: the heads, the most important first: the last ones are left out where the terminal is narrow.
        rows: the cells; None is an empty one.
        wraps: columns that may be narrower than their longest cell.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    cells = [["" if cell is None else safe(cell) for cell in row] for row in rows]
    shown = _fitting(columns, cells, wraps)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns[:shown]:
        made.add_column(column, no_wrap=column not in wraps, overflow="fold" if column in wraps else "ellipsis")
    for line in cells:
        made.add_row(*map(Text, line[:shown]))
    return made


def _fitting(columns: Sequence[str], cells: Sequence[Sequence[str]], wraps: Collection[str]) -> int:
    """How many of the columns the console has room for; one that wraps needs only a part of its full width."""
    room, shown = console().width, 0
    for index, column in enumerate(columns):
        widest = max([len(column), *(len(line[index]) for line in cells)])
        room -= (min(widest, WRAPPED_COLUMNS) if column in wraps else widest) + 3
        shown += room >= 0
    return max(shown, 1)
