"""The emulator on a real port: any client, the documents' own samples, and connections that really break."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from lab import LEONARDO, ONEMIN, V1, V2, picture

from vidnb.emulator import Emulator, VirtualClock, running

GROK = """
{
  "model": "grok-imagine-1.5",
  "public": false,
  "parameters": {
    "prompt": "<YOUR_PROMPT>",
    "guidances": {
      "start_frame": [
        {
          "image": {
            "id": "<YOUR_START_IMAGE_ID>",
            "type": "UPLOADED"
          }
        }
      ]
    },
    "duration": 6,
    "width": 1280,
    "height": 720,
    "quantity": 1,
    "motion_has_audio": true
  }
}
"""
MOTION_2 = """
{
  "model": "motion_2.0",
  "public": false,
  "parameters": {
    "prompt": "A koala and a cat playing together in a sunlit meadow",
    "quantity": 1,
    "width": 1024,
    "height": 1024,
    "mode": "RESOLUTION_480"
  }
}
"""
LEONARDO_MOTION = """{
"type": "IMAGE_TO_VIDEO",
"model": "leonardo-motion",
"conversationId": "IMAGE_TO_VIDEO",
"promptObject": {
"imageUrl": "images/2025_10_22_07_10_43_846_elon-musk.jpg",
"motion_strength": 7
}
}"""
LUMA = """{
"type": "IMAGE_TO_VIDEO",
"model": "luma",
"conversationId": "IMAGE_TO_VIDEO",
"promptObject": {
"imageUrl": "images/2025_10_22_07_10_43_846_elon-musk.jpg",
"prompt": "gentle waves moving across a serene lake with soft sunlight",
"length": 5,
"enhancePrompt": true
}
}"""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(clock=VirtualClock(), latency_s=0) as emulator:
        yield emulator


@pytest.fixture
def http(emulator: Emulator) -> Iterator[httpx.Client]:
    with running(emulator) as base_url, httpx.Client(base_url=base_url, timeout=60) as http:
        yield http


@pytest.mark.parametrize("body", [MOTION_2, GROK])
def test_leonardos_samples_run_as_the_documents_write_them(http: httpx.Client, body: str) -> None:
    key = {"accept": "application/json", "authorization": "Bearer <YOUR_API_KEY>", "content-type": "application/json"}
    created = http.post(f"{V2}/generations", content=body, headers=key).json()
    found = http.get(f"{V1}/generations/{created['generate']['generationId']}", headers=key).json()
    [image] = found["generations_by_pk"]["generated_images"]
    assert http.get(image["motionMP4URL"]).content[4:8] == b"ftyp"


@pytest.mark.parametrize("body", [LEONARDO_MOTION, LUMA])
def test_1mins_samples_run_as_the_documents_write_them(http: httpx.Client, body: str) -> None:
    reply = http.post(
        "/api/features", content=body, headers={"API-KEY": "<api-key>", "Content-Type": "application/json"}
    )
    assert reply.json()["aiRecord"]["status"] == "SUCCESS"
    assert http.get(reply.json()["aiRecord"]["temporaryUrl"]).content[4:8] == b"ftyp"


def test_links_lead_to_the_port_that_was_asked(http: httpx.Client) -> None:
    announced = http.post(f"{V1}/init-image", json={"extension": "png"}, headers=LEONARDO).json()["uploadInitImage"]
    assert announced["url"].startswith(str(http.base_url))
    form: dict[str, str] = json.loads(announced["fields"])
    assert httpx.post(announced["url"], data=form, files={"file": ("x.png", picture())}).status_code == 204


@pytest.mark.parametrize(
    ("fault", "jobs"), [("reset", 0), ("connect_error", 0), ("lost_reply", 1), ("lost_reply_midway", 1)]
)
def test_connections_really_break(http: httpx.Client, emulator: Emulator, fault: str, jobs: int) -> None:
    # Which of the two it is depends on how much of the request the server had read.
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        http.post(f"{V2}/generations", content=MOTION_2, headers={**LEONARDO, "X-Vidnb-Fault": fault})
    assert emulator.stats()["jobs"] == jobs
    assert http.get(f"{V1}/me", headers=LEONARDO).status_code == 200


def test_a_download_really_breaks(http: httpx.Client) -> None:
    reply = http.post("/api/features", content=LEONARDO_MOTION, headers=ONEMIN)
    url = reply.json()["aiRecord"]["temporaryUrl"]
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(url, headers={"X-Vidnb-Fault": "cut_download"})


def test_every_answer_is_logged_and_no_signed_link_is(http: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "vidnb.emulator")
    reply = http.post("/api/features", content=LEONARDO_MOTION, headers=ONEMIN)
    http.get(reply.json()["aiRecord"]["temporaryUrl"])
    submit, download = (record.getMessage() for record in caplog.records if record.name == "vidnb.emulator")
    assert submit == "POST /api/features 200"
    assert download.startswith("GET /")
    assert download.endswith(".mp4 200")


def test_a_leonardo_key_that_is_no_uuid_is_told_in_one_line(
    http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    http.get(f"{V1}/me", headers={"Authorization": "Bearer my-secret-key"})
    (record,) = [record for record in caplog.records if record.name == "vidnb.emulator"]
    assert "a Leonardo key is a UUID" in record.getMessage()
    assert "secret" not in record.getMessage()


@pytest.mark.parametrize("path", ["/api/rest/v2/generations", "/api/features"])
def test_a_client_that_dies_in_the_middle_of_a_request_is_no_fault(
    path: str, http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    headers = {**LEONARDO, **ONEMIN, "Host": "x", "Content-Type": "application/json", "Content-Length": "5000"}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((http.base_url.host, http.base_url.port)) as dying:
        dying.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n{{".encode())
        assert not select.select([dying], [], [], 0.2)[0], "it answered what was not yet asked"
    assert http.get("/_emulator/stats").json()["jobs"] == 0
    assert [one for one in caplog.records if one.levelname in ("ERROR", "CRITICAL")] == []


def test_two_servers_can_run_at_once() -> None:
    with Emulator() as one, Emulator() as two, running(one) as first, running(two) as second:
        assert first != second
        assert all(httpx.get(url).status_code == 200 for url in (first, second))


def test_the_command_prints_its_address_first(tmp_path: Any) -> None:
    import subprocess
    import sys

    code = f"from vidnb.emulator import Emulator, serve; serve(Emulator({str(tmp_path)!r}))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        try:
            assert "emulator" in httpx.get(url).text
        finally:
            process.terminate()
