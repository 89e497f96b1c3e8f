"""Whatever is sent to the emulator, it answers in the shape of the service that it stands for, and never falls over."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from vidnb.emulator import Emulator

KEY = "00000000-1111-4222-8333-444444444444"
LEONARDO = {"Authorization": f"Bearer {KEY}", "X-Runway-Version": "2024-11-06"}
ONEMIN = {"API-KEY": "a-key"}
STORES = ("/s3", "/cdn", "/dnznrvs05pmza.cloudfront.net", "/runway-uploads", "/storage.upstream.example")
"""How the paths of hosts begin that keep files, and answer in S3's words."""
FIELDS = [
    "prompt", "model", "parameters", "guidances", "start_frame", "end_frame", "image", "id", "type", "url", "data",
    "seed",
    "width", "height", "duration", "quantity", "public", "elements", "controls", "akUUID", "weight", "style_ids",
    "styleIds",
    "imageId", "imageType", "endFrameImage", "isPublic", "motionStrength", "isInitImage", "extension",
    "originalFilename",
    "service", "serviceParams", "MOTION_VIDEO_GENERATION", "resolution", "promptObject", "conversationId", "async",
    "input", "version", "webhook", "image_url", "promptText", "promptImage", "ratio", "references", "providerSettings",
    "imageUrl", "imageUrls", "size", "num_frames", "fps", "metadata", "prompt_enhance", "negative_prompt",
]  # fmt: skip
WORDS = [
    "motion_2.0", "kling-3.0", "MOTION2", "SVD", "luma", "damo", "leonardo-motion", "IMAGE_TO_VIDEO", "TEXT_TO_VIDEO",
    "UPLOADED", "URL", "BASE64", "MOTION_VIDEO_GENERATION", "RESOLUTION_480", "png", "mp3", KEY, "\x00", "\ud800",
    "x" * 5000,
    "https://[::1", "images/../x", "12x", "0x0", "NaN",
]  # fmt: skip
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=6)
    | st.integers(10**18, 10**400)
)  # fmt: skip
ANY = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
BODIES = (
    ANY.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
    | st.binary(max_size=40)
    | st.sampled_from([b"", b"{", b"[" * 5000, b"{" * 5000, b"null", b"\xff\xfe", b"1e999", b'"\\ud800"', b"-", b"[]"])
)
TYPES = st.sampled_from([
    "application/json", "multipart/form-data", "multipart/form-data; boundary=x", "text/plain", "",
    "application/json; charset=x",
    "multipart/form-data; boundary=\"", "application/x-www-form-urlencoded",
])  # fmt: skip
SEGMENTS = st.sampled_from([KEY, "x", "%00", "%2e%2e", "ünï", "x" * 3000, "-1", "%ff", "a;b", "null"])
QUERIES = st.sampled_from([
    "", "offset=-1&limit=2", "limit=99999999999999999999", "limit=x", "feature=%00", "feature=IMAGE_TO_VIDEO",
    "nonce=%ff",
    "X-Amz-Date=x&X-Amz-Expires=y&X-Amz-Signature=z", "offset=99999999999999999999999", "limit=1e3", "isStreaming=true",
])  # fmt: skip
EXAMPLES: list[Any] = [
    {"service": "MOTION_VIDEO_GENERATION", "serviceParams": []},
    {"service": "MOTION_VIDEO_GENERATION", "serviceParams": {"MOTION_VIDEO_GENERATION": "x"}},
    {"service": "MOTION_VIDEO_GENERATION", "serviceParams": {"MOTION_VIDEO_GENERATION": {"resolution": []}}},
    {"extension": ["png"]}, {"extension": {}}, {"model": ["motion_2.0"], "parameters": {}}, {"model": "motion_2.0"},
    {"model": "motion_2.0", "parameters": {"prompt": "x",
    "guidances": {"start_frame": [{"image": {"type": "BASE64"}}]}}},
    {"model": "motion_2.0", "parameters": {"prompt": "x", "seed": 10**400}},
    {"model": "motion_2.0", "parameters": {"prompt": "\ud800"}},
    {"prompt": "x", "elements": [1]}, {"prompt": "x", "styleIds": [{}]}, {"prompt": "x", "model": {}},
    {"input": []}, {"input": {"prompt": []}}, {"version": "google/veo-3.1", "input": {"prompt": "x", "image": {}}},
    {"version": ["x"], "input": {"prompt": "\ud800"}},
    {"model": "google/veo-3.1", "prompt": "x", "frame_images": {}, "provider": {"options": []}, "size": [1]},
    {"model": ["google/veo-3.1"], "frame_images": [{"frame_type": [], "image_url": "x"}], "provider": 3},
    {"model": "google/veo-3.1", "frame_images": [{"frame_type": "first_frame", "image_url": {"url": {}}}]},
    {"model": "gen4.5", "promptText": "x", "ratio": [], "promptImage": [{}], "references": {}, "duration": "auto"},
    {"model": ["gen4.5"], "promptText": {}, "promptImage": {"uri": 1}, "providerSettings": [], "contentModeration": {}},
    {"type": ["TEXT_TO_VIDEO"], "model": "damo", "promptObject": {"prompt": "x"}},
    {"type": "TEXT_TO_VIDEO", "model": "damo", "promptObject": {"prompt": "x", "num_frames": "NaN"}, "async": "x"},
    {"type": "IMAGE_TO_VIDEO", "model": "leonardo-motion", "promptObject": {"imageUrl": {}, "motion_strength": []}},
]  # fmt: skip


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Emulator(tmp_path_factory.mktemp("emulator"), latency_s=0, render_ahead=False) as emulator:
        yield emulator


def routes(emulator: Emulator) -> list[tuple[str, str]]:
    """Every method and path of all services."""
    found = []
    for route in emulator.app.routes:
        assert isinstance(route, Route)
        found += [(method, route.path) for method in sorted(route.methods or ()) if method != "HEAD"]
    return found


def in_shape(path: str, response: httpx.Response) -> bool:
    """Whether an error is in the words of the service whose path it is."""
    if path.startswith(STORES) and "xml" in response.headers["content-type"]:
        return "<Code>" in response.text
    if path.startswith("/replicate.delivery"):
        return response.status_code == 404
    body = response.json()
    if path.startswith("/api/rest/v2") and response.status_code == 200:
        return isinstance(body, list | dict)
    return isinstance(body, dict) and bool({"error", "errorCode", "message", "detail"} & set(body))


@pytest.mark.parametrize("body", EXAMPLES, ids=lambda body: json.dumps(body)[:60])
@pytest.mark.anyio
async def test_a_malformed_body_is_refused_in_the_services_words(emulator: Emulator, body: Any) -> None:
    content = json.dumps(body).encode("utf-8", "surrogatepass")
    async with httpx.AsyncClient(transport=emulator.transport(), base_url="http://emulator.test") as client:
        for method, path in routes(emulator):
            if method == "POST":
                headers = {**LEONARDO, **ONEMIN, "content-type": "application/json"}
                if path.startswith(STORES):
                    headers.pop("Authorization")
                response = await client.post(path, content=content, headers=headers)
                assert response.status_code < 500, (path, response.text)
                assert response.status_code < 400 or in_shape(path, response), (path, response.text)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@example(which=0, segment="x", query="", body=b"", kind="", keyed=True)
@given(which=st.integers(0, 99), segment=SEGMENTS, query=QUERIES, body=BODIES, kind=TYPES, keyed=st.booleans())
def test_no_request_makes_it_fall_over(
    emulator: Emulator, which: int, segment: str, query: str, body: bytes, kind: str, keyed: bool
) -> None:
    found = routes(emulator)
    method, path = found[which % len(found)]
    shown = path
    for name in (
        "{id}", "{user}", "{uuid}", "{folder}", "{owner}", "{name}", "{name:path}", "{key:path}", "{below:path}"
    ):  # fmt: skip
        shown = shown.replace(name, segment)
    headers = {**(LEONARDO | ONEMIN if keyed else {}), **({"content-type": kind} if kind else {})}

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=emulator.transport(), base_url="http://emulator.test") as client:
            return await client.request(method, f"{shown}?{query}", content=body, headers=headers)

    import asyncio

    response = asyncio.run(ask())
    assert response.status_code < 500, (method, shown, query, body[:200], kind, response.text[:300])
    if response.status_code >= 400 and not path.startswith(("/_", "/{below")) and path != "/":
        assert in_shape(path, response), (method, shown, response.status_code, response.text[:300])
