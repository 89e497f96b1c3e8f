"""Jobs in a store, made without a service: for tests that look at what was made."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from vidnb.records import ClipInfo, Cost, Job, State
from vidnb.store import Store

START = datetime(2026, 10, 8, 14, 0, tzinfo=UTC)


def add_done(
    store: Store, params: Mapping[str, Any], *, model: str = "leonardo/motion_2.0", minute: float = 0.0,
    sha256: str | None = None, cost: Cost | None = None, wait_s: float = 30.0, emulated: bool = True,
    info: ClipInfo | None = None, **said: Any,
) -> Job:  # fmt: skip
    """The job, done; `said` is what a person says of it (`rating`, `tags`, `note`)."""
    at = START + timedelta(minutes=minute)
    job = Job(
        id=uuid.uuid4().hex, provider=model.split("/")[0], model=model, recipe_hash=uuid.uuid4().hex, take=0,
        state=State.INTENDED, params=dict(params), images={}, emulated=emulated, base_url="http://x", created_at=at,
    )  # fmt: skip
    store.intend(job)
    store.move(job.id, State.SUBMITTING, submitted_at=at)
    store.move(job.id, State.RUNNING, remote_id=uuid.uuid4().hex)
    store.move(job.id, State.DOWNLOADING, finished_at=at + timedelta(seconds=wait_s))
    clip = info or ClipInfo(sha256 or uuid.uuid4().hex * 2, 90_000, 848, 480, 24.0, 5.0, 120, "h264", False)
    done = store.move(job.id, State.DONE, done_at=at + timedelta(seconds=wait_s), clip=clip, cost=cost)
    if not said:
        return done
    store.update(job.id, **said)
    return store.get(job.id)
