"""The folder of the job server: one for each user, as a machine's graphics card is there for all of a user's notebooks.

server.json     where the server answers, and the token; nobody else may read it
queue.db        the jobs
inputs/         pictures, by their content
results/        clips and previews, by the job's id
renderer.log    what the renderer's process prints
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidnb.errors import ConfigError
from vidnb.files import disk_errors
from vidnb.providers.base import SERVER_FILE
from vidnb.providers.local import FOLDER


def folder_of_user() -> Path:
    """Return the folder: `VIDNB_GPU_HOME`, else `.vidnb/gpu` below the home folder. It may not exist yet."""
    variable, usual = FOLDER
    chosen = os.environ.get(variable, "").strip()
    return Path(chosen).expanduser().absolute() if chosen else Path.home() / usual


def make(folder: Path) -> Path:
    """Return the folder with its parts, which nobody but the user may look into.

    Raises:
        StoreError: it cannot be made.
    """
    with disk_errors(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for part in ("inputs", "results"):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
    return folder


def token_of(folder: Path) -> str:
    """Return the token of earlier runs, so that the jobs of then can still be asked about, else a new one."""
    try:
        told = json.loads((folder / SERVER_FILE).read_text(encoding="utf-8")).get("token")
    except (OSError, ValueError, AttributeError):
        told = None
    return told if isinstance(told, str) and len(told) >= 32 else secrets.token_urlsafe(32)


def announce(folder: Path, url: str, token: str) -> None:
    """Leave address and token for the user's own programs, in a file that nobody else can read at any moment."""
    path = folder / SERVER_FILE
    part = path.with_name(f".{SERVER_FILE}.{os.getpid()}")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump({"url": url, "token": token}, file)
    part.replace(path)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep the folder to this process: two servers would render each job twice.

    Raises:
        ConfigError: another server has it.
    """
    with (folder / "lock").open("a+b") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(
                f"another vidnb gpu works in {folder} already; stop that one, or set VIDNB_GPU_HOME to another folder"
            ) from None
        except ImportError:  # Windows: there the port alone keeps a second server out
            pass
        yield
