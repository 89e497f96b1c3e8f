"""Clients that know nothing of vidnb work against the emulator's port, unchanged except for the host.

They are Leonardo.AI's own Python SDK, whose response models are strict, and the commands and snippets of the vendors'
pages, run by curl and by requests.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from lab import LEONARDO, LONG_S, ONEMIN, V1, lab, picture
from leonardo_ai_sdk import LeonardoAiSDK
from leonardo_ai_sdk.models.errors import SDKError

from vidnb.emulator import Emulator, VirtualClock, running

SAMPLES = Path(__file__).parents[1] / "samples"
HOSTS = ("https://cloud.leonardo.ai", "https://api.1min.ai")
PRINTED: dict[str, tuple[str, str]] = {
    title: (language, text)
    for title, language, text in re.findall(
        r"^## (.+?)\n\n```(\w+)\n(.*?)\n```$", (SAMPLES / "vendor_samples.md").read_text(), re.DOTALL | re.MULTILINE
    )
}
"""Language and text of each printed sample."""
KEY = LEONARDO["authorization"].removeprefix("Bearer ")

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl on this machine")


def printed(language: str) -> list[str]:
    return [title for title, (spoken, _) in PRINTED.items() if spoken == language]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    # 1min answers synchronously, and nobody moves the clock while curl waits.
    at_once = {"1min/leonardo-motion": 0.0, "1min/luma": 0.0}
    with Emulator(clock=VirtualClock(), latency_s=at_once) as emulator:
        yield emulator


@pytest.fixture
def base_url(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "*")
    with running(emulator) as base_url:
        yield base_url


@pytest.fixture
def pass_time(emulator: Emulator) -> Callable[[], object]:
    """Moves the emulator's clock past the end of every job."""
    clock = emulator.clock
    assert isinstance(clock, VirtualClock)
    return lambda: clock.advance(LONG_S)


def is_mp4(content: bytes) -> bool:
    return content[4:8] == b"ftyp"


# Leonardo.AI's own SDK


@pytest.fixture
def sdk(base_url: str) -> Iterator[Any]:
    with LeonardoAiSDK(bearer_auth=KEY, server_url=base_url + V1) as sdk:
        yield sdk


def uploaded(sdk: Any) -> str:
    """The id of a picture, uploaded as the SDK's documentation says."""
    form = sdk.init_images.upload_init_image(request={"extension": "png"}).object.upload_init_image
    reply = httpx.post(form.url, data=json.loads(form.fields), files={"file": picture()})
    assert reply.status_code == 204
    return str(form.id)


def record(sdk: Any, job: Any) -> Any:
    return sdk.image.get_generation_by_id(id=job.generation_id).object.generations_by_pk


def follow(sdk: Any, job: Any, pass_time: Callable[[], object]) -> Any:
    """The finished record of a job, which was seen running before."""
    running_job = record(sdk, job)
    assert (running_job.status.value, running_job.generated_images) == ("PENDING", [])
    pass_time()
    done = record(sdk, job)
    assert done.status.value == "COMPLETE"
    return done


def clip(done: Any) -> bytes:
    [image] = done.generated_images
    return httpx.get(image.motion_mp4_url, timeout=60).content


def test_the_sdk_makes_a_clip_from_a_prompt_alone(sdk: Any, pass_time: Callable[[], object]) -> None:
    request = {"prompt": "a koala"}
    job = sdk.motion.create_text_to_video_generation(request=request).object.motion_video_generation_job
    assert is_mp4(clip(follow(sdk, job, pass_time)))


@pytest.mark.parametrize("model", ["MOTION2", "MOTION2FAST", "VEO3", "VEO3FAST", "KLING2_5"])
def test_the_sdk_runs_every_model_that_takes_text(sdk: Any, pass_time: Callable[[], object], model: str) -> None:
    # Unasked, the SDK sends the document's default duration of 8 s with every model.
    request = {"prompt": "a koala", "seed": 7, "model": model}
    job = sdk.motion.create_text_to_video_generation(request=request).object.motion_video_generation_job
    assert job.cost.unit.value == "DOLLARS"
    done = follow(sdk, job, pass_time)
    assert (done.prompt, done.seed, done.generated_images[0].image_to_video) == ("a koala", 7, False)


def test_the_sdk_makes_a_clip_from_an_image(sdk: Any, pass_time: Callable[[], object]) -> None:
    request = {"prompt": "a koala", "image_id": uploaded(sdk), "image_type": "UPLOADED"}
    job = sdk.motion.create_image_to_video_generation(request=request).object.motion_video_generation_job
    done = follow(sdk, job, pass_time)
    assert done.generated_images[0].image_to_video
    assert is_mp4(clip(done))


def test_the_sdk_moves_an_image_with_motion_1(sdk: Any, pass_time: Callable[[], object]) -> None:
    request = {"image_id": uploaded(sdk), "is_init_image": True, "motion_strength": 5}
    job = sdk.motion.create_svd_motion_generation(request=request).object.motion_svd_generation_job
    done = follow(sdk, job, pass_time)
    assert done.generated_images[0].motion_strength == 5
    assert is_mp4(clip(done))


def test_the_sdk_reads_the_account_and_its_jobs(sdk: Any) -> None:
    [account] = sdk.user.get_user_self().object.user_details
    assert account.api_concurrency_slots == 10
    jobs = [
        sdk.motion.create_text_to_video_generation(request={"prompt": prompt}).object.motion_video_generation_job
        for prompt in ("first", "second", "third")
    ]

    def listed(offset: int, limit: int) -> list[str]:
        page = sdk.image.get_generations_by_user_id(user_id=account.user.id, offset=offset, limit=limit)
        return [generation.prompt for generation in page.object.generations]

    assert listed(0, 10) == ["third", "second", "first"]
    assert listed(1, 1) == ["second"]
    gone = sdk.image.delete_generation_by_id(id=jobs[1].generation_id).object.delete_generations_by_pk
    assert gone.id == jobs[1].generation_id
    assert record(sdk, jobs[1]) is None
    assert listed(0, 10) == ["third", "first"]


def test_the_sdk_reads_and_deletes_what_it_uploaded(sdk: Any) -> None:
    image_id = uploaded(sdk)
    found = sdk.init_images.get_init_image_by_id(id=image_id).object.init_images_by_pk
    assert httpx.get(found.url).content == picture()
    sdk.init_images.delete_init_image_by_id(id=image_id)
    assert sdk.init_images.get_init_image_by_id(id=image_id).object.init_images_by_pk is None


def test_the_sdk_reads_elements_and_prices(sdk: Any) -> None:
    assert "Crash Zoom In" in {lora.name for lora in sdk.elements.list_elements().object.loras}
    params = {"motion_video_generation": {"resolution": "RESOLUTION_480"}}
    request = {"service": "MOTION_VIDEO_GENERATION", "service_params": params}
    price = sdk.pricing_calculator.pricing_calculator(request=request).object
    assert price.calculate_production_api_service_cost.cost > 0


@pytest.mark.parametrize(
    ("request_body", "status", "text"),
    [
        ({"prompt": "[blocked]"}, 400, "content moderation filter"),
        ({"prompt": "x", "model": "VEO3", "duration": 5}, 400, "duration must be one of: 4, 6, 8"),
        ({"prompt": "x", "model": "KLING2_1"}, 400, "does not support text to video"),
    ],
)
def test_the_sdk_shows_refusals(sdk: Any, request_body: Any, status: int, text: str) -> None:
    with pytest.raises(SDKError, match=text) as refusal:
        sdk.motion.create_text_to_video_generation(request=request_body)
    assert refusal.value.status_code == status


def test_a_malformed_key_looks_like_a_broken_server_to_the_sdk(base_url: str) -> None:
    with (
        LeonardoAiSDK(bearer_auth="no uuid", server_url=base_url + V1) as sdk,
        pytest.raises(SDKError, match="authorization hook") as refusal,
    ):
        sdk.user.get_user_self()
    assert refusal.value.status_code == 500


@pytest.mark.anyio
async def test_records_can_follow_the_document_to_the_letter_for_stricter_sdks() -> None:
    # The TypeScript SDK 4.21.3 refuses the nulls that the real service sends (its issue 80).
    spec = schemathesis.openapi.from_dict(json.loads((SAMPLES / "leonardo_openapi_v1.json").read_text()))
    async with lab(strict_records=True, id_version=4) as it:
        job_id = await it.job()
        await it.finished(job_id)
        reply = await it.get(f"{V1}/generations/{job_id}")
        spec["/generations/{id}"]["GET"].validate_response(reply)
        assert reply.json()["generations_by_pk"]["scheduler"] == "LEONARDO"


# The vendors' printed samples


def with_our_host(text: str, base_url: str) -> str:
    for host in HOSTS:
        text = text.replace(host, base_url)
    assert base_url in text
    return text


def shell(command: str) -> str:
    """What the command printed; it must end well."""
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fetched(url: str, tmp_path: Path) -> bytes:
    target = tmp_path / "clip.mp4"
    shell(f"curl --silent --fail --output '{target}' '{url}'")
    return target.read_bytes()


def test_the_printed_samples_are_all_there() -> None:
    assert (len(printed("sh")), len(printed("python"))) == (6, 2)


@needs_curl
@pytest.mark.parametrize("title", ["Motion 2.0", "Grok Imagine 1.5"])
def test_leonardos_curl_commands_run_as_printed(
    title: str, base_url: str, pass_time: Callable[[], object], tmp_path: Path
) -> None:
    job_id = json.loads(shell(with_our_host(PRINTED[title][1], base_url)))["generate"]["generationId"]
    headers = "--header 'accept: application/json' --header 'authorization: Bearer <YOUR_API_KEY>'"
    poll = f"curl --silent --request GET --url {base_url}{V1}/generations/{job_id} {headers}"
    assert json.loads(shell(poll))["generations_by_pk"]["status"] == "PENDING"
    pass_time()
    done = json.loads(shell(poll))["generations_by_pk"]
    assert done["status"] == "COMPLETE"
    assert is_mp4(fetched(done["generated_images"][0]["motionMP4URL"], tmp_path))


@needs_curl
@pytest.mark.parametrize("title", [title for title in printed("sh") if title.startswith(("Leonardo Motion", "Luma"))])
def test_1mins_curl_commands_run_as_printed(title: str, base_url: str, tmp_path: Path) -> None:
    command = with_our_host(PRINTED[title][1], base_url)
    answer = json.loads(shell(command))["aiRecord"]
    assert answer["status"] == "SUCCESS"
    [key] = re.findall(r"API-KEY: [^'\"]+", command)
    again = json.loads(shell(f"curl --silent --header '{key}' {base_url}/api/results/{answer['uuid']}"))
    assert again["aiRecord"]["aiRecordDetail"]["resultObject"] == answer["aiRecordDetail"]["resultObject"]
    assert is_mp4(fetched(answer["temporaryUrl"], tmp_path))


@needs_curl
def test_a_picture_uploaded_by_curl_is_what_moves(base_url: str, emulator: Emulator, tmp_path: Path) -> None:
    file = tmp_path / "my cat.png"
    file.write_bytes(picture(480, 270))
    upload = f"curl --silent --request POST '{base_url}/api/assets' --header 'API-KEY: <api-key>' -F 'asset=@{file}'"
    path = json.loads(shell(upload))["fileContent"]["path"]
    assert path.startswith("images/")
    command = with_our_host(PRINTED["Leonardo Motion"][1], base_url)
    answer = json.loads(shell(re.sub(r'"images/[^"]+"', json.dumps(path), command)))["aiRecord"]
    assert answer["aiRecordDetail"]["promptObject"]["imageUrl"] == path
    assert is_mp4(fetched(answer["temporaryUrl"], tmp_path))
    missing = re.sub(r'"images/[^"]+"', '"images/nobody_has_this.png"', command)
    assert "aiRecord" not in json.loads(shell(missing))


@needs_curl
def test_a_picture_goes_through_the_presigned_form_by_curl(base_url: str, tmp_path: Path) -> None:
    headers = "--header 'authorization: Bearer <YOUR_API_KEY>' --header 'content-type: application/json'"
    ask = f'curl --silent --url {base_url}{V1}/init-image {headers} --data \'{{"extension": "png"}}\''
    form = json.loads(shell(ask))["uploadInitImage"]
    file = tmp_path / "cat.png"
    file.write_bytes(picture())
    parts = " ".join(f"-F '{name}={value}'" for name, value in json.loads(form["fields"]).items())
    sent = shell(f"curl --silent --write-out '%{{http_code}}' {parts} -F 'file=@{file}' '{form['url']}'")
    assert sent == "204"
    body = PRINTED["Grok Imagine 1.5"][1].replace("<YOUR_START_IMAGE_ID>", form["id"])
    assert json.loads(shell(with_our_host(body, base_url)))["generate"]["generationId"]


@pytest.mark.parametrize("title", printed("python"))
def test_1mins_python_snippets_run_as_printed(title: str, base_url: str) -> None:
    names: dict[str, Any] = {}
    exec(compile(with_our_host(PRINTED[title][1], base_url), title, "exec"), names)
    answer = names["response"].json()["aiRecord"]
    assert answer["status"] == "SUCCESS"
    assert answer["temporaryUrl"].startswith(base_url)


def test_an_upload_by_requests_gives_a_path(base_url: str) -> None:
    reply = requests.post(
        f"{base_url}/api/assets", headers=ONEMIN, files={"asset": ("cat.png", picture(), "image/png")}, timeout=60
    )
    assert reply.json()["fileContent"]["path"] == reply.json()["asset"]["key"]
