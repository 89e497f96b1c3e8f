"""How the emulated OpenRouter behaves where the service's own behaviour is unknown or configurable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, frozen=True)
class Settings:
    """What only OpenRouter has; `Emulator(**settings)` takes them."""

    openrouter_redirects: bool = True
    """The content of a job is a redirect to its maker's storage, which refuses a key; False: the bytes themselves."""
    openrouter_keeps_copy: bool = False
    """True: the answer has signed links to a copy, too, and says when they end."""
    openrouter_output_life_s: float = 86_400.0
    """How long after its end a job's clip is kept."""
    openrouter_balance_usd: float | None = None
    """Of each account; None for no end."""
    openrouter_webhook_times: int = 1
    """How often one callback is sent."""
