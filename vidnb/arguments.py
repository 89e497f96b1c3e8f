"""What a call takes beside the params of a model: paths, names and switches, checked before any work is done.

A value of a wrong type would otherwise fail far from its cause, or be taken for something that nobody meant: `"no"` is
true, and so is the empty cell of a data frame. Each message names the argument, and what it may be.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from vidnb import params
from vidnb.errors import ConfigError, StoreError

LONGEST_WORDS = 80


def in_short(given: Any) -> str:
    """Return how a value is written, in one line that is short enough for a message."""
    text = " ".join(repr(given).split())
    return text if len(text) <= LONGEST_WORDS else f"{text[: LONGEST_WORDS - 1]}…"


def file_path(given: Any, example: str, name: str = "path") -> Path:
    """Return the path of a file, `~` as the home folder.

    Args:
        given: as it was typed.
        example: of such a path, for the message.
        name: of the argument.

    Raises:
        ConfigError: it is no path, or that of a folder.
    """
    hint = f"give the path of a file, as {example!r}"
    if not isinstance(given, str | os.PathLike):
        raise ConfigError(f"{name}={in_short(given)}: {hint}")
    try:
        text = os.fsdecode(given)
        path = Path(text).expanduser()
    except RuntimeError as error:  # ~nobody
        raise ConfigError(f"{name}={in_short(given)}: {error}; {hint}") from None
    if not text.strip() or "\0" in text:
        raise ConfigError(f"{name}={in_short(given)}: {hint}")
    if os.path.isdir(path):  # noqa: PTH112  Path.is_dir raises where a name is too long
        raise ConfigError(f"{name}={in_short(given)} is a folder; {hint}")
    return path


def new_file(path: Path, *, overwrite: Any = False) -> None:
    """Check that a file may be written here.

    Raises:
        ConfigError: `overwrite` is neither True nor False.
        FileExistsError: there is a file already.
    """
    if not flag("overwrite", overwrite) and os.path.lexists(path):
        raise FileExistsError(f"{path} is there already; give another name, or overwrite=True")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Give the path of a new file to write, which takes its place in one step once the block has ended well.

    Raises:
        StoreError: it cannot be written.
    """
    part = path.with_name(f".{uuid4().hex[:12]}{path.suffix}")  # the end of the name says what is written
    try:
        yield part
        part.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def names(name: str, given: Any, example: str) -> list[str]:
    """Return the names of columns or params: one, or several.

    Args:
        name: of the argument.
        given: as it was typed.
        example: for the message, as `"seed"` in quotes.

    Raises:
        ConfigError: it is neither a text nor several of them.
    """
    several = [given] if isinstance(given, str) else given
    is_list = isinstance(several, Iterable) and not isinstance(several, bytes) and getattr(several, "ndim", 1) == 1
    listed = list(several) if is_list else None
    if listed is None or not all(isinstance(one, str) for one in listed):
        raise ConfigError(f"{name}={in_short(given)}: give a name, as {name}={example}, or several in a list")
    return listed


def one_name(name: str, given: Any, example: str) -> str:
    """Return the name of a column or param.

    Raises:
        ConfigError: it is no text.
    """
    if not isinstance(given, str):
        raise ConfigError(f"{name}={in_short(given)}: give a name, as {name}={example}")
    return given


def mapping(name: str, given: Any, example: str) -> Mapping[Any, Any]:
    """Return a dict; an empty one for None.

    Raises:
        ConfigError: it is something else.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"{name}={in_short(given)}: give a dict of names and values, as {name}={example}")
    return given


def number(name: str, given: Any, meant: str) -> float | None:
    """Return a finite number; None for None.

    Args:
        name: of the argument.
        given: as it was typed.
        meant: what it is, for the message.

    Raises:
        ConfigError: it is no number.
    """
    plain = params.plain(given)
    if plain is None:
        return None
    if isinstance(plain, bool) or not isinstance(plain, int | float) or not math.isfinite(plain):
        raise ConfigError(f"{name}={in_short(given)}: give {meant}")
    return float(plain)


def flag(name: str, given: Any, so: str = "") -> bool:
    """Return whether a switch is on; an empty cell leaves it off.

    Args:
        name: of the argument.
        given: as it was typed.
        so: ends the message.

    Raises:
        ConfigError: it is neither True nor False.
    """
    if not params.is_given(given):
        return False
    plain = params.plain(given)
    if not isinstance(plain, bool):
        raise ConfigError(f"{name}={in_short(given)}: give True or False{so}")
    return plain
