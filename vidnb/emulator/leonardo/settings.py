"""How the emulated Leonardo behaves where the service's own behaviour is unknown or configurable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, frozen=True)
class Settings:
    """What only Leonardo has; `Emulator(**settings)` takes them."""

    id_version: int = 6
    """Of its ids: 6 as the service really does, 4 as its specification says."""
    strict_records: bool = False
    """No null where the specification allows none (`scheduler` and others, which the real service leaves null
    for videos): the official TypeScript SDK refuses such a record."""
    strict_sizes: bool = False
    """Refuse sizes that only an older page allowed."""
    balance_usd: float | None = None
    """Of each account; None for no end."""
    upload_window_s: float = 120.0
    """How long an upload form is good."""
    webhook_url: str | None = None
    """Where to call back when a job is over."""
    webhook_secret: str | None = None
    """Sent as a bearer token with the callback."""
