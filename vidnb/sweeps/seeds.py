"""The published sequence of seeds: `seeds=8` takes its first eight, the same ones in every folder and sweep."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass

from vidnb.catalog import Param

SPAN = 2_147_483_638
"""The numbers are from 0 to 2147483637, which nearly every model takes."""


@functools.lru_cache(maxsize=200_000)
def number(index: int) -> int:
    """Return a seed of the sequence: the first 8 bytes of SHA-256 of "vidnb seed 0", "vidnb seed 1" ..., modulo SPAN.

    Args:
        index: 0 for the first.
    """
    digest = hashlib.sha256(f"vidnb seed {index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % SPAN


@dataclass(frozen=True)
class PublishedSeed:
    """One place in the sequence; it becomes a seed once the model and its bounds are known."""

    index: int

    def within(self, param: Param) -> int:
        """Return the seed for a model: the same number for all whose bounds allow it.

        Where the bounds are narrower than the sequence, two places may come to the same number; then the first number
        of the bounds that no earlier place has is taken.

        Args:
            param: the model's seed.
        """
        low = int(param.min) if param.min is not None else 0
        high = int(param.max) if param.max is not None else low + SPAN - 1
        if low <= 0 and high >= SPAN - 1:
            return number(self.index)
        return _narrow(self.index, low, high)

    def __str__(self) -> str:
        return f"seed {self.index + 1}"


@functools.lru_cache(maxsize=4096)
def _narrow(index: int, low: int, high: int) -> int:
    width = high - low + 1
    taken: set[int] = set()
    for place in range(index + 1):
        found = number(place) % width
        while found in taken and len(taken) < width:
            found = (found + 1) % width
        taken.add(found)
    return low + found
