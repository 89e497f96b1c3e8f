"""Runway's own Python client, unchanged except for the host, makes a clip that plays from the emulator's port."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lab import picture

from vidnb.emulator import Emulator, running
from vidnb.media import video

runwayml = pytest.importorskip("runwayml", reason="Runway's own client is not installed")

pytestmark = pytest.mark.long

SMALL: dict[str, Any] = {
    "model": "gemini_omni_flash_1.1", "prompt_text": "a koala", "ratio": "640:360", "duration": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("service"), speed=50, runway_tells_cancelled=True) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[Any]:
    with running(emulator) as base_url, runwayml.RunwayML(api_key="key_any", base_url=base_url) as client:
        yield client


@pytest.fixture(autouse=True)
def _no_rest_between_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client waits six seconds between two polls, and has no setting for it."""
    monkeypatch.setattr("runwayml.lib.polling.POLL_TIME", 0.1)
    monkeypatch.setattr("runwayml.lib.polling.POLL_JITTER", 0.0)


def test_the_client_makes_a_clip_from_words_to_a_playable_file(client: Any, tmp_path: Path) -> None:
    made = client.text_to_video.create(**SMALL)
    assert made.estimated_cost.credits == 30
    task = made.wait_for_task_output()
    assert (task.status, task.cost.credits) == ("SUCCEEDED", 30)
    path = tmp_path / "clip.mp4"
    path.write_bytes(httpx.get(task.output[0], trust_env=False).content)
    info = video.verify_video(path)
    assert (info.width_px, info.height_px, info.duration_s) == (640, 360, 3)


def test_the_client_uploads_a_picture_and_makes_a_clip_from_it(client: Any) -> None:
    picked = client.uploads.create_ephemeral(file=("a.png", picture()))
    assert picked.uri.startswith("runway://")
    frames = [{"uri": picked.uri, "position": "first"}, {"uri": picked.uri, "position": "last"}]
    task = client.image_to_video.create(**SMALL, prompt_image=frames).wait_for_task_output()
    assert task.status == "SUCCEEDED"
    inline = "data:image/png;base64," + base64.b64encode(picture()).decode()
    assert client.image_to_video.create(**SMALL, prompt_image=inline).id


def test_the_client_cancels_and_shows_refusals_and_failures(client: Any) -> None:
    made = client.text_to_video.create(**SMALL)
    client.tasks.delete(made.id)
    assert client.tasks.retrieve(made.id).status == "CANCELLED"
    with pytest.raises(runwayml.BadRequestError, match="Validation of body failed"):
        client.text_to_video.create(**{**SMALL, "ratio": "1:1"})
    with pytest.raises(runwayml.NotFoundError):
        client.tasks.retrieve("00000000-0000-4000-8000-000000000000")
    with pytest.raises(Exception, match="Task failed") as caught:
        client.text_to_video.create(**{**SMALL, "prompt_text": "[blocked]"}).wait_for_task_output()
    assert getattr(caught.value, "task_details").failure_code == "SAFETY.INPUT.TEXT"  # noqa: B009
    assert client.organization.retrieve().credit_balance > 0
