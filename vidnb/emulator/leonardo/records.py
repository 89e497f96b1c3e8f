"""A job as Leonardo shows it: the generation object of v1, with exactly one picture once it is complete."""

from __future__ import annotations

import re
import secrets
import uuid
from typing import Any

from vidnb import catalog
from vidnb.catalog import Model
from vidnb.emulator.clock import iso
from vidnb.emulator.core import Core
from vidnb.emulator.state import EmulatedJob

CDN_PATH = "/cdn"
BASE_MODEL = "KINO_2_0"
"""Of motion elements: chosen among the names that the document lists, none of which says Motion 2.0."""
ALWAYS_NULL = (
    "modelId", "sdVersion", "scheduler", "presetStyle", "guidanceScale", "inferenceSteps", "initStrength", "photoReal",
    "photoRealStrength", "promptMagic", "promptMagicStrength", "promptMagicVersion", "ultra",
)  # fmt: skip
"""Fields of the pictures' world that motion jobs leave empty."""
NEVER_NULL = {"scheduler": "LEONARDO", "sdVersion": BASE_MODEL, "presetStyle": "DYNAMIC"}
"""Those of them that the specification does not allow to be null."""


def status_of(job: EmulatedJob, now: float) -> str:
    """PENDING, COMPLETE or FAILED; a waiting job is as PENDING as a running one."""
    if not job.is_over(now):
        return "PENDING"
    return "FAILED" if job.outcome == "failed" else "COMPLETE"


def generation(core: Core, job: EmulatedJob, base: str, *, strict: bool) -> dict[str, Any]:
    """The generation object; the reason of a failure is not in it, as at the real service."""
    model = catalog.find(job.model)
    done = status_of(job, core.now()) == "COMPLETE" and job.outcome == "done"
    return {
        "id": job.id,
        "status": status_of(job, core.now()),
        "createdAt": iso(job.created_at, zone=""),
        "prompt": job.prompt,
        "negativePrompt": job.params.get("negative_prompt"),
        "public": bool(job.params.get("public")),
        "seed": job.seed,
        "imageWidth": job.notes["width_px"],
        "imageHeight": job.notes["height_px"],
        **dict.fromkeys(ALWAYS_NULL),
        **(NEVER_NULL if strict else {}),
        "generation_elements": _elements(job, model),
        "generated_images": [_picture(job, model, base)] if done else [],
    }


def _picture(job: EmulatedJob, model: Model, base: str) -> dict[str, Any]:
    video, still = clip_urls(job, model, base)
    return {
        "id": job.asset_id,
        "url": still,
        "nsfw": job.nsfw,
        "likeCount": 0,
        "motion": True,
        "motionMP4URL": video,
        "motionModel": re.sub(r"[^A-Z0-9]+", "_", model.wire.rsplit("/", 1)[-1].upper()),
        "motionStrength": job.params.get("motion_strength"),
        "imageToVideo": "start_image" in job.media,
        "fantasyAvatar": None,
        "generated_image_variation_generics": [],
    }


def clip_urls(job: EmulatedJob, model: Model, base: str) -> tuple[str, str]:
    """Addresses of the clip and its poster: slug and prompt are in them, a vendor's slash as a folder of its own."""
    words = "_".join(re.findall(r"[A-Za-z0-9]+", job.prompt))[:60] or "motion"
    stem = f"{base.rstrip('/')}{CDN_PATH}/users/{job.account}/generations/{job.id}/{model.wire}_{words}-0"
    return stem + ".mp4", stem + ".jpg"


def _elements(job: EmulatedJob, model: Model) -> list[dict[str, Any]]:
    names = {identifier: name for name, identifier in model.names.get("motion_control", {}).items()}
    return [
        {
            "id": number,
            "weightApplied": element.get("weight", 1),
            "lora": {
                "akUUID": element["akUUID"],
                "name": names.get(element["akUUID"], "element"),
                "baseModel": BASE_MODEL,
                "description": "",
                "urlImage": "",
                "weightDefault": 1,
                "weightMin": -2,
                "weightMax": 2,
            },
        }
        for number, element in enumerate(job.params.get("elements") or [], 1)
    ]


def uuid6(now_s: float) -> str:
    """A time-ordered UUID of version 6, such as 1f1a06db-37cd-6c60-9cac-182717e03f42."""
    ticks = int(now_s * 1e7) + 0x01B21DD213814000 + secrets.randbelow(10_000)
    value = (ticks >> 12 & 0xFFFFFFFFFFFF) << 80 | 0x6 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
