"""A server on the user's own machine, which leaves its address and its key in a file that only the user may read."""

from __future__ import annotations

import json
import os
from pathlib import Path

from vidnb.errors import ConfigError
from vidnb.providers import Provider
from vidnb.providers.base import SERVER_FILE

OTHERS = 0o077


def left_by(provider: Provider) -> tuple[str, str]:
    """Return the address and the key that a provider's server left for this user, both "" where there are none.

    Raises:
        ConfigError: others can read or write the file, so that the key is no secret and may not be the server's.
    """
    if provider.server_file is None:
        return "", ""
    variable, usual = provider.server_file
    chosen = os.environ.get(variable, "").strip()
    try:
        path = (Path(chosen).expanduser().absolute() if chosen else Path.home() / usual) / SERVER_FILE
        told = json.loads(path.read_text(encoding="utf-8"))
        mode = path.stat().st_mode
    except (OSError, ValueError, RuntimeError):
        return "", ""
    if os.name == "posix" and mode & OTHERS:
        raise ConfigError(
            f"{path} can be read by others on this machine: run chmod 600 on it, and start {provider.title} anew"
        )
    url, token = (told.get(name) if isinstance(told, dict) else None for name in ("url", "token"))
    return (url, token) if isinstance(url, str) and isinstance(token, str) else ("", "")
