"""OpenRouter's own Python client, unchanged except for the host, makes a clip that plays from the emulator's port."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from vidnb.emulator import Emulator, running
from vidnb.media import video

openrouter = pytest.importorskip("openrouter", reason="OpenRouter's own client is not installed")

pytestmark = pytest.mark.long

SMALL = {"model": "x-ai/grok-imagine-video", "prompt": "a koala", "duration": 1, "resolution": "480p"}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    # On one port the storage is the same host, where an HTTP client takes the key along: so no redirect here.
    settings = {"speed": 50, "openrouter_redirects": False, "openrouter_balance_usd": 3.0}
    with (
        Emulator(tmp_path_factory.mktemp("service"), **settings) as emulator,
        running(emulator) as base_url,
        openrouter.OpenRouter(api_key="sk-or-any", server_url=f"{base_url}/api/v1") as client,
    ):
        yield client


def ended(client: Any, job_id: str) -> Any:
    """The job, once it is over."""
    for _ in range(300):
        job = client.video_generation.get_generation(job_id=job_id)
        if job.status not in ("pending", "in_progress"):
            return job
        time.sleep(0.1)
    raise AssertionError("the job did not end")


def test_the_client_makes_a_clip_from_words_and_a_picture_to_a_playable_file(client: Any, tmp_path: Path) -> None:
    frame = {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}, "frame_type": "first_frame"}
    made = client.video_generation.generate(**SMALL, frame_images=[frame], seed=None)
    assert made.status == "pending"
    job = ended(client, made.id)
    # a second at 480p, and the picture
    assert (job.status, job.usage.cost, len(job.unsigned_urls)) == ("completed", 0.052, 1)
    path = tmp_path / "clip.mp4"
    path.write_bytes(client.video_generation.get_video_content(job_id=made.id).read())
    assert video.verify_video(path).duration_s == 1


def test_the_client_reads_the_list_and_the_refusals(client: Any) -> None:
    listed = {one.id: one for one in client.video_generation.list_videos_models().data}
    assert listed["google/veo-3.1"].supported_frame_images == ["first_frame", "last_frame"]
    with pytest.raises(openrouter.errors.BadRequestResponseError, match="duration"):
        client.video_generation.generate(**{**SMALL, "duration": 99})
    with pytest.raises(openrouter.errors.ForbiddenResponseError, match="flagged"):
        client.video_generation.generate(**{**SMALL, "prompt": "[blocked]"})
    with pytest.raises(openrouter.errors.PaymentRequiredResponseError, match="Insufficient"):
        client.video_generation.generate(model="google/veo-3.1", prompt="x", duration=8, resolution="4K")
    failed = client.video_generation.generate(**{**SMALL, "prompt": "[fail]"})
    assert ended(client, failed.id).status == "failed"
