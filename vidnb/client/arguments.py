"""What a verb takes beside the params of a model, checked before anything is paid.

Arguments often come from a row of a data frame or from a file: an empty cell there is NaN, which is true, and a "no" is
true, too. Such a value must not pay for another take or lift a cap.
"""

from __future__ import annotations

import math
from typing import Any

from vidnb import arguments, params
from vidnb.clip import Clip
from vidnb.errors import ConfigError
from vidnb.records import Job

LARGEST_TAKE = 2**31 - 1
"""The databases hold no larger one."""


def flag(name: str, given: Any) -> bool:
    """Return whether a switch is on; an empty cell leaves it off.

    Raises:
        ConfigError: it is neither True nor False.
    """
    return arguments.flag(name, given, "; nothing was sent")


def take_of(given: Any) -> int | None:
    """Return the index of a repeat; None where none was given, as in an empty cell.

    Raises:
        ConfigError: it is no whole number of 0 or more.
    """
    if not params.is_given(given):
        return None
    plain = params.plain(given)
    if isinstance(plain, bool) or not isinstance(plain, int | float) or not plain >= 0 or plain % 1:
        raise ConfigError(f"take={given!r}: give a whole number: 0, 1, 2 ...; nothing was sent")
    if plain > LARGEST_TAKE:
        raise ConfigError(f"take={given!r}: the largest take is {LARGEST_TAKE:,}; nothing was sent")
    return int(plain)


def name_of(given: Any) -> str | None:
    """Return a name as it was given; None for an empty cell."""
    return given if params.is_given(given) else None


def seconds(given: Any) -> float | None:
    """Return a time-out in seconds; None where there is none.

    Raises:
        ConfigError: it is no number.
    """
    plain = params.plain(given)
    if plain is None:
        return None
    if isinstance(plain, bool) or not isinstance(plain, int | float) or math.isnan(plain):
        raise ConfigError(f"timeout_s={given!r}: give a number of seconds, or None to wait for ever")
    return float(plain)


def one_job(given: Any) -> Job | Clip | str:
    """Return a job, clip or id as it was given.

    Raises:
        ConfigError: it is none of these.
    """
    if not isinstance(given, Job | Clip | str):
        raise ConfigError(f"{arguments.in_short(given)} is no job: give jobs, clips, or ids of jobs")
    return given
