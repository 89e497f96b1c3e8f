"""Caps as a person gives them: checked, and by the units in which the books count."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from vidnb import providers
from vidnb.errors import ConfigError
from vidnb.jobs.ledger import PRIVATE
from vidnb.records import JOBS_UNIT, KEEP, Cost, Keep, Purse

Credits = Mapping[str, float | None]
LARGEST_CAP = 1e15
"""Above it a sum of cents is no longer exact."""
PROCESS = f"process:{uuid.uuid4().hex[:12]}"
"""The purse of `VIDNB_BUDGET_USD`, which all clients of a process share."""


class Budget(Sequence[Purse]):
    """The purses of a data folder with their caps and sums; in a cell a table.

    Example:
        >>> for purse in vidnb.budget():
        ...     print(purse.name, purse.unit, purse.cap, purse.used)
    """

    def __init__(self, purses: Sequence[Purse]) -> None:
        self._purses = [purse for purse in purses if purse.cap is not None or purse.used or purse.forgiven]

    def __getitem__(self, index: Any) -> Any:
        return self._purses[index]

    def __len__(self) -> int:
        return len(self._purses)

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's rows: purse, book, cap, spent, reserved, unclear and left, in words."""
        return [
            (
                purse.name or "(folder)",
                purse.book,
                "none" if purse.cap is None else str(Cost(purse.cap, purse.unit)),
                *(Cost(n, purse.unit).as_sum for n in (purse.settled - purse.forgiven, purse.reserved, purse.unclear)),
                "" if purse.left is None else Cost(purse.left, purse.unit).as_sum,
            )
            for purse in self._purses
        ]

    def __repr__(self) -> str:
        head = ("purse", "book", "cap", "spent", "reserved", "unclear", "left")
        rows = [head, *self.rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
        return "\n".join(lines) if len(rows) > 1 else "no caps, and nothing spent"


def caps(
    usd: float | Keep | None = KEEP, credits: Credits | Keep | None = KEEP, jobs: int | Keep | None = KEEP
) -> dict[str, float | None]:
    """Return the caps by unit; a value that is KEEP is left out, None takes a cap away.

    Raises:
        ConfigError: a cap is no number of 0 or more, or is in credits of a provider that is not installed.
    """
    found: dict[str, float | None] = {}
    if not isinstance(usd, Keep):
        found["USD"] = _checked("budget_usd", usd)
    if not isinstance(credits, Keep):
        if not isinstance(credits, Mapping | None):
            raise ConfigError(f'budget_credits={credits!r}: credits differ by service; write {{"1min": 500}}')
        for provider, cap in (credits or {}).items():
            # A cap may be taken away after the plug-in whose credits it counts.
            if cap is not None and provider not in providers.names():
                known = ", ".join(providers.names())
                raise ConfigError(f"budget_credits of {provider!r}: there is no such provider; there are {known}")
            found[f"CREDITS:{provider}"] = _checked(f"budget_credits of {provider}", cap)
    if not isinstance(jobs, Keep):
        cap = _checked("budget_jobs", jobs)
        if cap is not None and not cap.is_integer():
            raise ConfigError(f"budget_jobs={jobs!r}: give a whole number, or None")
        found[JOBS_UNIT] = cap
    return found


def _checked(name: str, cap: Any) -> float | None:
    if cap is None:
        return None
    if isinstance(cap, bool) or not isinstance(cap, int | float) or not 0 <= cap <= LARGEST_CAP:
        raise ConfigError(f"{name}={cap!r}: give a number of 0 or more, or None")
    return float(cap)


def checked_name(purse: str | None) -> str | None:
    """Return a purse's name.

    Raises:
        ConfigError: it is none that a person may give.
    """
    if purse is None:
        return None
    good = isinstance(purse, str) and 0 < len(purse) <= 100 and purse.isprintable() and purse == purse.strip()
    if not good or purse.startswith(PRIVATE):
        raise ConfigError(
            f"purse={purse!r}: give a name of 1 to 100 characters, without spaces around it, not client:... or "
            "process:..."
        )
    return purse


def of_process() -> float | None:
    """Return the cap of `VIDNB_BUDGET_USD` in dollars, or None.

    Raises:
        ConfigError: it is no number of 0 or more.
    """
    told = os.environ.get("VIDNB_BUDGET_USD", "").strip()
    if not told:
        return None
    try:
        return _checked("VIDNB_BUDGET_USD", float(told))
    except ValueError:
        raise ConfigError(f"VIDNB_BUDGET_USD={told!r}: give a number of 0 or more") from None
