"""The caps of a sweep's purse as a person changes them on the board: read, checked, and told in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vidnb.errors import ConfigError
from vidnb.records import JOBS_UNIT, Cost

if TYPE_CHECKING:
    from vidnb.sweeps.sweep import Sweep

ARGUMENTS: Mapping[str, str] = {"USD": "budget_usd", JOBS_UNIT: "budget_jobs"}
"""By unit the argument of `vidnb.sweep` that sets the same cap; all others are `budget_credits`."""


@dataclass(frozen=True)
class Cap:
    """The cap of one unit, and what counts against it."""

    unit: str
    cap: float | None
    used: float

    @property
    def name(self) -> str:
        """What a person calls the unit: "US dollars", "jobs", "credits of 1min"."""
        if self.unit == JOBS_UNIT:
            return "jobs"
        return "US dollars" if self.unit == "USD" else f"credits of {self.unit.partition(':')[2]}"

    @property
    def text(self) -> str:
        """The cap as it stands in a field; "" for none."""
        if self.cap is None:
            return ""
        return f"{self.cap:.2f}" if self.unit == "USD" and round(self.cap, 2) == self.cap else f"{self.cap:g}"


def caps_of(sweep: Sweep) -> list[Cap]:
    """Return the caps that can be changed: those that there are, those of the units that its jobs cost, and jobs."""
    held = sweep.held_caps
    used: dict[str, float] = {}
    for purse in sweep.money:
        used[purse.unit] = max(used.get(purse.unit, 0.0), purse.used)
    ledger, clock = sweep.client.ledger, sweep.client.clock
    first = {job.base_url: job for job in reversed(sweep.plan.jobs)}
    priced = {ledger.reservation(job.row(None, clock.utc())).unit for job in first.values()}
    units = [*sorted({unit for unit in (*held, *used, *priced) if unit and unit != JOBS_UNIT}), JOBS_UNIT]
    return [Cap(unit, held.get(unit), used.get(unit, 0.0)) for unit in units]


def change(sweep: Sweep, given: Mapping[str, str]) -> str:
    """Change the caps of a sweep's purse, and return what is true now, in a sentence.

    Args:
        sweep: whose purse.
        given: by unit what a person wrote; "" takes a cap away.

    Raises:
        ConfigError: a value is no number, less than what is used already, or no cap would be left; nothing is changed.
    """
    before = {one.unit: one for one in caps_of(sweep)}
    wanted = {unit: _read(before[unit], text) for unit, text in given.items() if unit in before}
    after = {unit: one.cap for unit, one in before.items()} | wanted
    if all(cap is None for cap in after.values()):
        raise ConfigError("Keep at least one cap: without one, nothing would end the spending. Nothing was changed.")
    changed = {unit: cap for unit, cap in wanted.items() if cap != before[unit].cap}
    if not changed:
        return "Nothing was changed."
    sweep.set_caps({unit: cap for unit, cap in after.items() if cap is not None or unit in changed})
    sentences = [_change_in_words(before[unit], cap) for unit, cap in changed.items()]
    return " ".join([*sentences, *_to_write(sweep, changed)])


def _read(old: Cap, text: str) -> float | None:
    """Return the cap that a person wrote."""
    words = text.strip().lstrip("$").strip()
    if not words:
        return None
    try:
        cap = float(words)
    except ValueError:
        cap = math.nan  # "1,5" too: whether that is 1.5 or 15 nobody knows
    whole = old.unit != JOBS_UNIT or cap.is_integer()
    if not (math.isfinite(cap) and cap >= 0 and whole):
        example = "30" if old.unit != "USD" else "30 or 2.50"
        raise ConfigError(f"{text.strip()!r} is no cap in {old.name}: write a number such as {example}, or nothing.")
    if cap < old.used - 1e-9:
        raise ConfigError(
            f"{Cost(cap, old.unit)} is less than what is spent or held already: {Cost(old.used, old.unit)}. Nothing "
            "was changed; to end the spending, give that sum as the cap, or press Stop."
        )
    return cap


def _change_in_words(old: Cap, cap: float | None) -> str:
    if cap is None:
        return f"No cap in {old.name} any more; it was {Cost(old.cap or 0.0, old.unit)}."
    instead = f" instead of {Cost(old.cap, old.unit)}" if old.cap is not None else ""
    return f"At most {Cost(cap, old.unit)} now{instead}; {Cost(max(cap - old.used, 0.0), old.unit).as_sum} left."


def _to_write(sweep: Sweep, changed: Mapping[str, float | None]) -> list[str]:
    """Return a sentence for each argument in the code that would set an old cap when the cell is run again."""
    written = sweep.written_caps
    arguments = {unit: ARGUMENTS.get(unit, "budget_credits") for unit in changed if unit in written}
    return [
        f"The code says {name}, which sets {Cost(written[unit] or 0.0, unit)} when it is run again: change that, too."
        for unit, name in arguments.items()
        if written[unit] != changed[unit]
    ]
