"""v1's replies fit the published OpenAPI document, of which tests/samples holds the shapes of the emulated paths."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from lab import LEONARDO, V1, lab, picture
from schemathesis.openapi.checks import JsonSchemaError

pytestmark = pytest.mark.anyio

DOCUMENT = json.loads((Path(__file__).parents[1] / "samples" / "leonardo_openapi_v1.json").read_text())
# The real service answers null here for videos, against its own document (issue 80 of the vendor's TypeScript SDK).
for name in ("sd_generation_schedulers", "sd_versions", "sd_generation_style"):
    schema = DOCUMENT["components"]["schemas"][name]
    schema |= {"nullable": True, "enum": [*schema["enum"], None]}
SPEC = schemathesis.openapi.from_dict(DOCUMENT)


def fits(path: str, method: str, reply: httpx.Response) -> Any:
    """The reply's JSON, after it was held against the document."""
    assert reply.status_code == 200
    SPEC[path][method].validate_response(reply)
    return reply.json()


async def test_every_v1_reply_fits_the_document() -> None:
    # The document wants ids of version 4, which the real service does not give.
    async with lab(id_version=4) as it:
        user = fits("/me", "GET", await it.get(f"{V1}/me"))["user_details"][0]["user"]["id"]
        announced = fits("/init-image", "POST", await it.post(f"{V1}/init-image", {"extension": "png"}))[
            "uploadInitImage"
        ]
        await it.put(announced, picture())
        one = f"{V1}/init-image/{announced['id']}"
        fits("/init-image/{id}", "GET", await it.get(one))

        image = {"imageId": announced["id"]}
        text = fits(
            "/generations-text-to-video",
            "POST",
            await it.post(f"{V1}/generations-text-to-video", {"prompt": "x", "seed": 3}),
        )
        body = {**image, "prompt": "x", "imageType": "UPLOADED"}
        fits("/generations-image-to-video", "POST", await it.post(f"{V1}/generations-image-to-video", body))
        body = {**image, "isInitImage": True, "motionStrength": 3}
        fits("/generations-motion-svd", "POST", await it.post(f"{V1}/generations-motion-svd", body))

        job = f"{V1}/generations/{text['motionVideoGenerationJob']['generationId']}"
        assert fits("/generations/{id}", "GET", await it.get(job))["generations_by_pk"]["generated_images"] == []
        it.wait()
        assert fits("/generations/{id}", "GET", await it.get(job))["generations_by_pk"]["generated_images"]
        listed = fits("/generations/user/{userId}", "GET", await it.get(f"{V1}/generations/user/{user}"))
        assert len(listed["generations"]) == 3
        fits("/generations/{id}", "DELETE", await it.client.delete(job, headers=LEONARDO))
        fits("/generations/{id}", "GET", await it.get(job))

        announced = fits("/media", "POST", await it.post(f"{V1}/media", {"extension": "mp4"}))["uploadMedia"]
        media = f"{V1}/media/{announced['uploadId']}"
        fits("/media/{id}", "GET", await it.get(media))
        fits("/media/{id}", "DELETE", await it.client.delete(media, headers=LEONARDO))
        fits("/init-image/{id}", "DELETE", await it.client.delete(one, headers=LEONARDO))
        fits("/elements", "GET", await it.get(f"{V1}/elements"))
        price = {"service": "MOTION_VIDEO_GENERATION", "serviceParams": {}}
        fits("/pricing-calculator", "POST", await it.post(f"{V1}/pricing-calculator", price))


async def test_the_check_would_see_a_wrong_reply() -> None:
    def wrong(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"user_details": [{"user": "nobody"}]})

    async with httpx.AsyncClient(transport=httpx.MockTransport(wrong)) as client:
        reply = await client.get("http://wrong.invalid/me")
    reply.elapsed = timedelta(0)
    with pytest.raises(JsonSchemaError, match="nobody"):
        fits("/me", "GET", reply)
