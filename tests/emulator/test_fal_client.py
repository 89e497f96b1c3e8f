"""fal's own Python client, unchanged except for the hosts, makes a clip that plays from the emulator's port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from lab import picture

from vidnb.emulator import Emulator, running
from vidnb.media import video

fal_client = pytest.importorskip("fal_client", reason="fal's own client is not installed")

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore::ResourceWarning")]

TEXT, IMAGE = "fal-ai/pixverse/v6/text-to-video", "fal-ai/pixverse/v6/image-to-video"
SMALL = {"prompt": "a koala", "duration": 1, "resolution": "360p"}


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("NO_PROXY", "*")
    with Emulator(tmp_path / "service", latency_s=0.3) as emulator, running(emulator) as base_url:
        import fal_client.client as module

        monkeypatch.setattr(module, "QUEUE_URL_FORMAT", f"{base_url}/")
        monkeypatch.setattr(module, "REST_URL", f"{base_url}/rest")
        monkeypatch.setattr(module, "CDN_URL", f"{base_url}/v3.fal.media")
        opened = []
        real = httpx.Client

        def remembered(*args: Any, **options: Any) -> httpx.Client:
            opened.append(real(*args, **options))
            return opened[-1]

        monkeypatch.setattr(module.httpx, "Client", remembered)
        yield fal_client.SyncClient(key="abc:def")
        for one in opened:  # it never closes them itself
            one.close()


def test_the_client_follows_a_job_to_a_playable_file(client: Any, tmp_path: Path) -> None:
    seen = []
    result = client.subscribe(TEXT, SMALL, with_logs=True, on_queue_update=lambda update: seen.append(type(update)))
    assert fal_client.Completed in seen
    path = tmp_path / "clip.mp4"
    path.write_bytes(httpx.get(result["video"]["url"], timeout=60).content)
    assert video.verify_video(path).duration_s == 1.0


def test_the_client_uploads_a_picture_that_moves(client: Any) -> None:
    link = client.upload(picture(), "image/png", file_name="a.png")
    handle = client.submit(IMAGE, {**SMALL, "image_url": link})
    assert handle.get()["video"]["url"]


def test_the_client_shows_errors_and_cancels(client: Any) -> None:
    handle = client.submit(TEXT, {**SMALL, "resolution": "9p"})
    with pytest.raises(fal_client.FalClientHTTPError) as caught:
        handle.get()
    assert caught.value.status_code == 422
    running = client.submit(TEXT, SMALL)
    running.cancel()
    assert running.status().error_type == "client_cancelled"
