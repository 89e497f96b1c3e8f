"""How the emulated fal behaves where the service's own behaviour is unknown or configurable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, frozen=True)
class Settings:
    """What only fal has; `Emulator(**settings)` takes them."""

    fal_upload_window_s: float = 600.0
    """How long an upload's address, or a token, is good."""
    fal_file_life_s: float = 7 * 86_400.0
    """How long files are kept, clips and inputs."""
    fal_heeds_cancel: bool = True
    """False: a cancel of a job that runs is answered, and the job goes on to its end all the same."""
    fal_balance_usd: float | None = None
    """Of each account; None for no end."""
    fal_webhook_times: int = 1
    """How often one callback is sent."""
