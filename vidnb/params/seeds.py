"""The seed of a job whose recipe leaves it open, drawn before anything is sent: every clip can be made again."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace

from vidnb.catalog import Model
from vidnb.params.request import Request, faults_across

HIGHEST = 2**31 - 1
"""What every service takes: the bound of a model that names none, and of every seed that is drawn."""


def bounds(model: Model) -> tuple[int, int] | None:
    """Return the lowest and the highest seed of a model; None where it takes no seed.

    Never a negative one: some services take -1 for "draw one yourself", and never say which it was.
    """
    param = model.params.get("seed")
    if param is None:
        return None
    return max(0, int(param.min or 0)), HIGHEST if param.max is None else int(param.max)


def drawn_from(model: Model) -> tuple[int, int] | None:
    """Return the bounds between which a seed is drawn: those of the model, up to `HIGHEST`; None without a seed."""
    allowed = bounds(model)
    return allowed and (allowed[0], min(HIGHEST, allowed[1]))


def drawn(request: Request, take: int, *, emulated: bool) -> Request | None:
    """The request with a drawn seed; None where its seed is given, or its model takes none.

    The recipe of the job stays that of `request`: the same call again is the same job.

    Args:
        request: as it was validated.
        take: index of the repeat; each has a seed of its own.
        emulated: draw from the recipe and the take, so that a lesson shows the same pixels on every machine; for a
            real service the seed is random.
    """
    allowed = drawn_from(request.model)
    if allowed is None or request.params.get("seed", -1) != -1:
        return None
    if not request.model.accepts("seed", request.model.mode_of(request.media)):
        return None
    low, high = allowed
    if emulated:
        digest = hashlib.sha256(f"{request.recipe.recipe_hash} {take}".encode()).digest()
        seed = low + int.from_bytes(digest[:8]) % (high - low + 1)
    else:
        seed = low + secrets.randbelow(high - low + 1)
    seeded = replace(request, params={**request.params, "seed": seed})
    return None if faults_across(seeded) else seeded  # a rule may refuse a seed beside these values
