"""How the emulated Replicate behaves where the service's own behaviour is unknown or configurable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, frozen=True)
class Settings:
    """What only Replicate has; `Emulator(**settings)` takes them."""

    replicate_keeps_s: float = 3600.0
    """How long after its end a prediction's input, output and logs are kept, and its clip with them."""
    replicate_file_life_s: float = 86_400.0
    """How long an upload is kept."""
    replicate_output: str = "text"
    """What `output` is: the link as `text`, a `list` with it, or an `object` that holds it under `video`."""
    replicate_balance_usd: float | None = None
    """Of each account; None for no end."""
