"""The row of a new job, from its request: written before anything is sent."""

from __future__ import annotations

import uuid
from datetime import datetime

from vidnb import params
from vidnb.params import Request
from vidnb.records import Job, State


def intended(
    request: Request, take: int, *, base_url: str, emulated: bool, at: datetime, purse: str | None = None
) -> Job:
    """Return the row of a job that nobody wrote yet; a seed that the request leaves open is drawn.

    Args:
        request: what to make.
        take: index of the repeat of its recipe.
        base_url: where it is to be sent.
        emulated: whether the emulator is there.
        at: the time now.
        purse: from which it is paid, beside the folder's own.
    """
    seeded = params.drawn(request, take, emulated=emulated)
    return Job(
        id=uuid.uuid4().hex, provider=request.model.provider, model=request.model.id,
        recipe_hash=request.recipe.recipe_hash, seeded_hash=seeded.recipe.recipe_hash if seeded else None,
        seed_drawn=seeded is not None, take=take, state=State.INTENDED, params=(seeded or request).params,
        images=request.recipe.images, dropped=request.dropped, emulated=emulated, base_url=base_url, created_at=at,
        purse=purse,
    )  # fmt: skip
