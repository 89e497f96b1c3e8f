"""Replicate's own Python client, unchanged except for the host, makes a clip that plays from the emulator's port."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lab import picture

from vidnb.emulator import Emulator, running
from vidnb.media import video

replicate = pytest.importorskip("replicate", reason="Replicate's own client is not installed")

pytestmark = pytest.mark.long

WAN = "wan-video/wan-2.2-t2v-fast"
SMALL = {"prompt": "a koala", "num_frames": 81, "resolution": "480p"}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("service"), latency_s={f"replicate/{WAN}": 0.5}, speed=50) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def client(emulator: Emulator) -> Iterator[Any]:
    with running(emulator) as base_url:
        client = replicate.Client(api_token="r8_any", base_url=base_url, trust_env=False)
        client.poll_interval = 0.05
        yield client
        client._client.close()


def test_the_client_runs_a_model_to_a_playable_file(client: Any, tmp_path: Path) -> None:
    prediction = client.models.predictions.create(model=WAN, input=SMALL)
    prediction.wait()
    assert prediction.status == "succeeded"
    assert prediction.progress.percentage == 1.0
    path = tmp_path / "clip.mp4"
    path.write_bytes(replicate.helpers.FileOutput(prediction.output, client).read())
    info = video.verify_video(path)
    assert (info.frames, info.fps) == (81, 16)


def test_the_client_uploads_a_picture_and_lists_what_it_made(client: Any) -> None:
    file = client.files.create(io.BytesIO(picture()), filename="a.png", content_type="image/png")
    given = {"prompt": "it walks", "image": file.urls["get"], "num_frames": 81}
    made = client.models.predictions.create(model="wan-video/wan-2.2-i2v-fast", input=given)
    listed = client.predictions.list()
    assert made.id in [one.id for one in listed.results]
    assert client.files.get(file.id).checksums == file.checksums
    assert client.models.get("wan-video/wan-2.2-i2v-fast").latest_version is not None


def test_the_client_cancels_and_shows_refusals(client: Any) -> None:
    slow = client.models.predictions.create(model="google/veo-3.1", input={"prompt": "a koala"})
    slow.cancel()
    assert slow.status == "canceled"
    with pytest.raises(replicate.exceptions.ReplicateError) as caught:
        client.models.predictions.create(model=WAN, input={"prompt": "a koala", "num_frames": 4000})
    assert (caught.value.status, caught.value.title) == (422, "Input validation failed")
    failed = client.models.predictions.create(model=WAN, input={**SMALL, "prompt": "[fail]"})
    failed.wait()
    assert (failed.status, "E9825" in failed.error) == ("failed", True)


def test_the_client_accepts_the_emulators_signature(client: Any, emulator: Emulator) -> None:
    service = next(one for one in emulator.services if one.name == "replicate")
    headers = service.caller.signed("a" * 26, int(emulator.now()), b'{"id": "x"}')
    secret = client.webhooks.default.secret()
    from replicate.webhook import Webhooks

    Webhooks.validate(headers=headers, body='{"id": "x"}', secret=secret, tolerance=300)
    with pytest.raises(ValueError, match="signature"):
        Webhooks.validate(headers=headers, body='{"id": "y"}', secret=secret, tolerance=300)
