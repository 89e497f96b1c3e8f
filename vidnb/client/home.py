"""Which data folder a client uses, and a warning where a person may expect another one."""

from __future__ import annotations

import os
from pathlib import Path

from vidnb import display
from vidnb.errors import ConfigError
from vidnb.files import DEFAULT_HOME, begin_home
from vidnb.records import redact

SQLITE = "sqlite:///"

_announced: set[tuple[Path, Path]] = set()


def home_of(given: str | Path | None) -> Path:
    """Return the data folder of a client, as a whole path: it stays this one wherever the working directory moves."""
    if "://" in str(given or ""):
        raise ConfigError(f"{redact(str(given))!r} is no data folder; files_url takes the address of a store")
    try:
        return home_in_force() if given is None else Path(given).expanduser().absolute()
    except RuntimeError as error:  # a user that nobody knows
        raise ConfigError(f"{str(given)!r} is no data folder: {error}; give it a whole path") from None


def home_in_force() -> Path:
    """Return the data folder with which the process began.

    If the working directory changed since (`%cd`, `os.chdir`), a notice says once that the data folder stayed: a new
    folder would not know what was already paid for.
    """
    home = begin_home()
    chosen = os.environ.get("VIDNB_HOME") or DEFAULT_HOME
    if Path(chosen).expanduser().is_absolute():
        return home
    try:
        here = Path.cwd()
    except FileNotFoundError:  # it was removed
        return home
    if (here / chosen).resolve() != home.resolve() and (here, home) not in _announced:
        _announced.add((here, home))
        display.say(
            f"The working directory is {here} now; vidnb goes on with the data folder {home}, where it began. "
            "Set VIDNB_HOME, or use vidnb.Client(folder), for another one.",
            warn=True,
        )
    return home


def whole_path(url: str | None) -> str | None:
    """Return where the files lie, as a whole path where it is a folder."""
    return url if not url or "://" in url else str(Path(url).expanduser().absolute())


def whole_address(url: str) -> str:
    """Return the address with the whole path of its SQLite file, so that it stays the same in another folder."""
    start, name = url[: len(SQLITE)], url[len(SQLITE) :]
    if start != SQLITE or not name or name.startswith((":memory:", "file:", "~")) or Path(name).is_absolute():
        return url
    return f"{start}{Path.cwd() / name}"
