"""Bounds in words."""

from __future__ import annotations


def span(low: float | None, high: float | None) -> str:
    """Return two bounds in words: "1 to 10", or "at most 5" where only one is given."""
    if low is None or high is None:
        return f"at most {tidy(high)}" if low is None else f"at least {tidy(low)}"
    return f"{tidy(low)} to {tidy(high)}"


def tidy(number: float | None) -> float | int | None:
    """Return a whole number without its point: 5 for 5.0."""
    return int(number) if number is not None and float(number).is_integer() else number
