"""Jobs, uploads and models as 1min shows them, and what a job costs."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.emulator.clock import iso
from vidnb.emulator.core import Core
from vidnb.emulator.onemin.settings import Settings
from vidnb.emulator.onemin.storage import signed_link
from vidnb.emulator.scenes import duration_of
from vidnb.emulator.state import EmulatedFile, EmulatedJob

OTHER_PRICE_CREDITS = 400_000
"""For models without a planning figure in the catalogue. INVENTED, like every price of video there."""
FAILED_TEXT = "The video could not be generated"


def price_credits(model: Model, params: Mapping[str, Any]) -> int:
    """Credits of one job: the catalogue's figure, scaled by seconds / 5 between 1 and 2 where it is one for 5 s."""
    if model.price.get("unit") != "CREDITS":
        return OTHER_PRICE_CREDITS
    scale = min(max(duration_of(model, params) / 5, 1.0), 2.0) if model.price.get("basis") == "5s" else 1.0
    return round(model.price["amount"] * scale)


def envelope(core: Core, settings: Settings, job: EmulatedJob, base: str) -> dict[str, Any]:
    """The record as it is now: PROCESSING without result or link, then SUCCESS with both, or FAILURE."""
    over = job.is_over(core.now())
    failed = job.outcome == "failed"
    status = "PROCESSING" if not over else settings.failure_word if failed else "SUCCESS"
    record: dict[str, Any] = {
        "uuid": job.id,
        "userId": job.account,
        "teamId": job.account,
        "teamUser": _team_user(core, settings, job),
        "model": job.body.get("model"),
        "type": job.body.get("type"),
        "metadata": {},
        "rating": None,
        "feedback": None,
        "conversationId": None,
        "status": status,
        "createdAt": iso(job.created_at),
        "aiRecordDetail": {
            "promptObject": job.body.get("promptObject"),
            "resultObject": _result(core, settings, job, status),
        },
        "modelDetail": {"name": catalog.find(job.model).title, "provider": "emulated"},
        "additionalData": None,
    }
    if status == "SUCCESS" and job.outcome == "done":
        record["temporaryUrl"] = signed_link(core, base, job.result_key, settings.link_life_s)
    return {"aiRecord": record}


def _result(core: Core, settings: Settings, job: EmulatedJob, status: str) -> Any:
    if status == "SUCCESS":
        return [job.result_key] if job.outcome == "done" else []
    if status == "PROCESSING" or settings.failure_body == "empty":
        return []
    message = job.notes.get("failure") or FAILED_TEXT
    object_ = {"code": "GENERATION_FAILED", "message": message}
    return [message] if settings.failure_body == "message" else object_


def _team_user(core: Core, settings: Settings, job: EmulatedJob) -> dict[str, Any]:
    return {
        "teamId": job.account,
        "userId": job.account,
        "userName": "emulated",
        "userAvatar": None,
        "status": "ACTIVE",
        "role": "ADMIN",
        "creditLimit": settings.credit_limit,
        # As seen live: the counter lags, it does not hold this call yet.
        "usedCredit": job.notes["used_before"],
        "createdAt": iso(0),
        "createdBy": "SYSTEM",
        "updatedAt": iso(job.created_at),
        "updatedBy": "SYSTEM",
    }


def asset_body(file: EmulatedFile, name: str, mimetype: str, content: bytes) -> dict[str, Any]:
    """The answer of the Asset API: the file described twice; its key stands in both."""
    described = {"fieldname": "asset", "originalname": name, "encoding": "7bit", "mimetype": mimetype}
    return {
        "asset": {
            **described,
            "size": len(content),
            "bucket": "asset.1min.ai",
            "key": file.key,
            "acl": "private",
            "contentType": "application/octet-stream",
            "contentDisposition": None,
            "contentEncoding": None,
            "storageClass": "STANDARD",
            "serverSideEncryption": None,
            "metadata": {"team-id": file.account, "user-id": file.account, **described},
            "location": f"https://asset.1min.ai.s3.us-east-1.amazonaws.com/{file.key}",
            "etag": f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"',
        },
        "fileContent": {
            "uuid": file.id,
            "path": file.key,
            "type": file.extension,
            "name": file.key.partition("/")[2],
            "content": "",
            "status": "ACTIVE",
            "metadata": {"token": 0, "character": 0},
            "createdAt": iso(file.created_at),
        },
    }


def listed_model(model: Model, feature: str) -> dict[str, Any]:
    """A model as `GET /models` lists it."""
    identifier = str(uuid.uuid5(uuid.NAMESPACE_URL, model.wire))
    price = price_credits(model, {})
    return {
        "uuid": identifier, "modelId": model.wire, "name": model.title, "group": None, "provider": None,
        "status": "ACTIVE", "cutoffDate": None, "logoUrl": None, "features": [feature], "creditMetadata": {},
        "information": None,
        "modality": {"INPUT": list(model.modes), "OUTPUT": ["video"]},
        "createdAt": iso(0), "createdBy": "SYSTEM", "updatedAt": iso(0), "updatedBy": "SYSTEM", "numberOfStars": 0,
        "creditEstimation": price,
    }  # fmt: skip
