"""Rows for tests of the history: jobs as the store takes them, one made an hour after the other."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from vidnb.records import Job, State

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
MODELS = ("leonardo/motion_2.0", "1min/luma", "1min/leonardo-motion")


def a_job(number: int, params: dict[str, Any], **fields: Any) -> Job:
    model = fields.pop("model", MODELS[0])
    given: dict[str, Any] = {
        "id": uuid.uuid4().hex, "provider": model.split("/")[0], "model": model, "recipe_hash": uuid.uuid4().hex,
        "take": 0, "state": State.INTENDED, "params": params, "images": {}, "emulated": True, "base_url": "http://x",
        "created_at": START + timedelta(hours=number),
    }  # fmt: skip
    return Job(**given | fields)
