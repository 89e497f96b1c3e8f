"""How the emulated 1min.ai behaves where the service's own behaviour is unknown or configurable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, frozen=True)
class Settings:
    """What only 1min has; `Emulator(**settings)` takes them."""

    strict_fields: bool = False
    """Refuse unknown fields in place of echoing them."""
    older_contracts: bool = True
    """Accept what older pages documented (Luma's `length`, Veo's `fast_mode`)."""
    range_errors: str = "submit"
    """A value out of range is refused at `submit`, or is a FAILURE at the `poll` (asynchronous calls)."""
    failure_body: str = "message"
    """What a failed job's resultObject holds: `message`, `empty` or `object`."""
    failure_word: str = "FAILURE"
    """The status of a failed job."""
    missing_key_message: str = "API Key is required"
    """The text for a call without a key; the real one is unknown."""
    gateway_limit_s: float = 100.0
    """A synchronous call that takes longer is answered 524 while the job goes on."""
    credit_limit: int = 2_147_483_647
    """Of each team."""
    link_life_s: float = 604_800.0
    """How long a download link is good."""
