"""How the emulated Runway behaves where the service's own behaviour is unknown or configurable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True, frozen=True)
class Settings:
    """What only Runway has; `Emulator(**settings)` takes them."""

    runway_upload_window_s: float = 600.0
    """How long an upload form is good."""
    runway_file_life_s: float = 86_400.0
    """How long an upload is kept."""
    runway_link_life_s: float = 86_400.0
    """How long a link to a clip is good; each look at the task gives a fresh one."""
    runway_charges_refused: bool = False
    """True: a task that is refused for its content is charged all the same."""
    runway_given_back: float = 0.0
    """This part of the estimate comes back at the end."""
    runway_tells_cancelled: bool = False
    """True: a cancelled task can still be read, with what it cost; the service's pages contradict each other there."""
    runway_balance_credits: float | None = None
    """Of each account; None for no end."""
    runway_daily_limit: int | None = None
    """Tasks of one model in 24 hours; None for no limit."""
