"""The client against servers that share no code with vidnb's emulator.

For Leonardo.AI a mock is derived mechanically from the public OpenAPI document (tests/samples): any reply that the
document allows, however odd. 1min.ai publishes no such document; its mock is written from what its pages and users say.
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import av
import numpy as np
import pytest
from fakes import no_rest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from vidnb.client.verbs import Client
from vidnb.clip import Clip
from vidnb.errors import CreditError, JobAmbiguousError, JobFailedError, VidnbError
from vidnb.net.target import address

DOCUMENT = json.loads((Path(__file__).parent / "samples" / "leonardo_openapi_v1.json").read_text())
CREATE, READ, ACCOUNT, LISTING = (
    "/generations-text-to-video",
    "/generations/{id}",
    "/me",
    "/generations/user/{userId}",
)
ANY_JSON: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([]) | st.just({})
)

KEY = "00000000-1111-4222-8333-444444444444"

Answer = Callable[[str, str, bytes], tuple[int, Any]]
"""From method, path and body to a status and a body: bytes, or what becomes JSON."""


@cache
def film() -> bytes:
    """One second of MP4."""
    sink = io.BytesIO()
    with av.open(sink, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 64, "yuv420p", Fraction(1, 8)
        for shade in range(8):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade * 30, np.uint8))))
        container.mux(stream.encode())
    return sink.getvalue()


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The base URL of a server that answers so, and that has a clip under /clip.mp4."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            path = self.path.partition("?")[0]
            if path.endswith("/_emulator/hello"):  # whether it is vidnb's emulator: it does not know what that means
                status, found = 404, b"no"
            else:
                status, found = (200, film()) if path == "/clip.mp4" else answer(self.command, path, body)
            content = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = reply

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# Leonardo.AI: from the document


def response_schema(path: str) -> Any:
    [operation] = [item for method, item in DOCUMENT["paths"][path].items() if method in ("get", "post")]
    return operation["responses"]["200"]["content"]["application/json"]["schema"]


def values(schema: Any) -> st.SearchStrategy[Any]:
    """Every JSON value that an OpenAPI 3.0 schema of the document allows, unknown properties included."""
    if "$ref" in schema:
        found = DOCUMENT
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return values(found)
    made = st.sampled_from(schema["enum"]) if "enum" in schema else _by_type(schema)
    return st.none() | made if schema.get("nullable") else made


def _by_type(schema: Any) -> st.SearchStrategy[Any]:
    if schema["type"] == "object":
        known = {name: values(inner) for name, inner in schema.get("properties", {}).items()}
        fixed = st.fixed_dictionaries({}, optional=known)
        # What most servers send: everything.
        whole = st.fixed_dictionaries(known)
        return st.builds(
            lambda more, own: {**more, **own}, st.dictionaries(_text(), ANY_JSON, max_size=1), whole | fixed
        )
    if schema["type"] == "array":
        return st.lists(values(schema["items"]), max_size=2)
    if schema["type"] == "string":
        return st.from_regex(schema["pattern"], fullmatch=True) if "pattern" in schema else _text()
    numbers = st.floats(allow_nan=False, allow_infinity=False)
    return {"integer": st.integers(), "number": numbers, "boolean": st.booleans()}[schema["type"]]


def _text() -> st.SearchStrategy[str]:
    # Lone surrogates can be written in JSON, so they can arrive.
    return st.text(st.characters(), max_size=12)


class Mock:
    """A mock of the document: each path has a queue of replies, of which the last one stays."""

    def __init__(self, prefix: str = "/api/rest/v1") -> None:
        self.prefix = prefix
        self.replies: dict[str, list[Any]] = {}
        self.seen: Counter[str] = Counter()

    def begin(self, **replies: list[Any]) -> None:
        self.replies = {"create": [], "read": [], "account": [], "listing": [], **replies}
        self.seen.clear()

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        templates = {"create": CREATE, "listing": LISTING, "account": ACCOUNT, "read": READ}
        for name, template in templates.items():
            if re.fullmatch(re.escape(self.prefix) + re.sub(r"{\w+}", "[^/]+", template), path):
                self.seen[f"{method} {name}"] += 1
                queue = self.replies[name]
                return 200, queue.pop(0) if len(queue) > 1 else queue[0]
        self.seen[f"{method} unknown"] += 1
        return 404, {"title": "Route not resolved", "detail": f"The route {path} hasn't been found in the document"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """The mocks do not say that they are vidnb's emulator, so they count as paid services; the waits take no time."""
    with Client(tmp_path / "data", keys={"leonardo": KEY, "1min": "a-key"}, sleep=no_rest) as client:
        yield client


def outcome(client: Client, model: str = "leonardo/MOTION2", **values: Any) -> Clip | VidnbError:
    """The clip or the error of a new take; any other exception is a failure of the test."""
    try:
        return client.generate(model=model, fresh=True, timeout_s=60, **values)
    except VidnbError as error:
        return error


def complete(record: Any, link: str) -> Any:
    """A schema-valid read that says COMPLETE and links to the clip, odd in everything else."""
    job = record.get("generations_by_pk") or {}
    images = [{**image, "motionMP4URL": None} for image in job.get("generated_images", ())]
    finished = {**job, "id": None, "status": "COMPLETE", "generated_images": [*images, {"motionMP4URL": link}]}
    return {**record, "generations_by_pk": finished}


def created_as(created: Any, job_id: str) -> Any:
    """A schema-valid create that holds this id."""
    job = created.get("motionVideoGenerationJob") or {}
    return {**created, "motionVideoGenerationJob": {**job, "generationId": job_id}}


def said(record: Any, status: str) -> Any:
    """A schema-valid read that says this."""
    return {**record, "generations_by_pk": {**(record.get("generations_by_pk") or {}), "status": status}}


CREATES, READS = values(response_schema(CREATE)), values(response_schema(READ))
STATUS = values(DOCUMENT["components"]["schemas"]["job_status"])
A_JOB = st.sampled_from(
    [
        "123e4567-e89b-42d3-a456-426614174000",
        "1f1a06db-37cd-6c60-9cac-182717e03f42",
        "j9k0l1m2-n3o4-p5q6-rstu-vw8901234567",
        "string",
        "7",
    ]
)
"""Ids as the document wants them, as the service gives them, and as mock servers invent them."""


@pytest.mark.parametrize(
    ("prefix", "told"), [("/api/rest/v1", "/api/rest"), ("/api/rest/v1", "/api/rest/v1"), ("", "#v1"), ("/v1", "/")]
)
def test_a_mock_is_reached_however_it_mounts_the_documents_paths(
    client: Client, monkeypatch: pytest.MonkeyPatch, prefix: str, told: str
) -> None:
    mock = Mock(prefix)
    with serving(mock.answer) as base:
        monkeypatch.setenv("LEONARDO_BASE_URL", base + told)
        created = {"motionVideoGenerationJob": {"generationId": "string", "cost": {"amount": "string"}}}
        pending = {"generations_by_pk": {"status": "PENDING", "generated_images": []}}
        mock.begin(create=[created], read=[pending, complete({}, f"{base}/clip.mp4")])
        made = outcome(client, prompt="a koala")
        assert isinstance(made, Clip)
        assert made.path.read_bytes() == film()
        assert mock.seen == {"POST create": 1, "GET read": 2}


def test_a_wrong_base_url_is_a_clear_refusal(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    mock = Mock("")
    with serving(mock.answer) as base:
        monkeypatch.setenv("LEONARDO_BASE_URL", base)
        failed = outcome(client, prompt="a koala")
    assert isinstance(failed, JobFailedError)
    assert "HTTP 404" in str(failed)
    assert "/v1/generations-text-to-video hasn't been found" in str(failed)
    assert mock.seen == {"POST unknown": 1}


@pytest.mark.parametrize(
    ("base_url", "path", "url"),
    [
        ("https://h.example/api/rest", "/v2/generations", "https://h.example/api/rest/v2/generations"),
        ("https://h.example/api/rest/v1", "/v1/me", "https://h.example/api/rest/v1/me"),
        ("https://h.example/api/rest/v1", "/v2/generations", "https://h.example/api/rest/v2/generations"),
        ("http://127.0.0.1:4010#v1", "/v1/me", "http://127.0.0.1:4010/me"),
        ("http://127.0.0.1:4010/mock/#v1", "/v1/me", "http://127.0.0.1:4010/mock/me"),
        ("http://127.0.0.1:4010#v1", "/v2/generations", "http://127.0.0.1:4010/v2/generations"),
        ("https://h.example", "/api/features", "https://h.example/api/features"),
        ("https://plugin.example/v1", "/videos", "https://plugin.example/v1/videos"),
    ],
)
def test_a_base_url_may_name_the_version(base_url: str, path: str, url: str) -> None:
    assert address(base_url, path) == url


def test_no_reply_that_the_document_allows_breaks_the_client(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    mock = Mock()
    with serving(mock.answer) as base:
        monkeypatch.setenv("LEONARDO_BASE_URL", f"{base}/api/rest")

        @settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
        @example(created_as({}, "7"), [], {}, {})
        @example(created_as({}, "7"), [said({}, "FAILED")], {}, {})
        @example({}, [], {}, {})
        @given(
            CREATES | st.builds(created_as, CREATES, A_JOB),
            st.lists(READS | st.builds(said, READS, STATUS), max_size=3),
            values(response_schema(ACCOUNT)),
            values(response_schema(LISTING)),
        )
        def check(created: Any, reads: list[Any], account: Any, listing: Any) -> None:
            end = complete({}, f"{base}/clip.mp4")
            mock.begin(create=[created], read=[*reads, end], account=[account], listing=[listing])
            made = outcome(client, prompt="a koala")
            assert mock.seen["POST create"] == 1
            assert isinstance(made, VidnbError) or made.path.read_bytes() == film()
            seen[type(made).__name__] += 1

        seen: Counter[str] = Counter()
        check()
        assert {"Clip", "JobAmbiguousError", "JobFailedError"} <= set(seen), seen
        assert all(job.is_terminal or job.state.value == "ambiguous" for job in client.jobs())


def test_a_complete_read_gives_the_clip_whatever_else_it_says(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    mock = Mock()
    with serving(mock.answer) as base:
        monkeypatch.setenv("LEONARDO_BASE_URL", f"{base}/api/rest")

        @settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
        @given(CREATES, A_JOB, READS)
        def check(created: Any, job_id: str, read: Any) -> None:
            end = complete(read, f"{base}/clip.mp4")
            mock.begin(create=[created_as(created, job_id)], read=[end])
            made = outcome(client, prompt="a koala")
            assert isinstance(made, Clip), repr(made)
            assert made.path.read_bytes() == film()
            assert made.job.remote_id == job_id
            assert mock.seen == {"POST create": 1, "GET read": 1}

        check()


# 1min.ai: from its pages


class OneMin:
    """A mock that answers a feature call and the polls after it from a script, and keeps what it was sent."""

    def __init__(self, submit: tuple[int, Any], *polls: Any, asset: Any = None) -> None:
        self.submit, self.polls, self.asset = submit, list(polls), asset
        self.features: list[Any] = []
        self.uploads: list[bytes] = []

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        if (method, path) == ("POST", "/api/assets"):
            self.uploads.append(body)
            return 200, self.asset
        if (method, path) == ("POST", "/api/features"):
            self.features.append(json.loads(body))
            return self.submit
        if method == "GET" and path == "/api/results/record-1" and self.polls:
            return 200, self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]
        # A synchronous record may be unknown to the route of the asynchronous ones.
        return 200, {"aiRecord": None}


def record(status: str, result: Any = (), link: str | None = None, **more: Any) -> dict[str, Any]:
    detail = {"promptObject": {"prompt": "waves"}, "resultObject": result}
    found = {"uuid": "record-1", "status": status, "metadata": None, "aiRecordDetail": detail, **more}
    return {"aiRecord": {**found, "temporaryUrl": link} if link else found}


LINK = "{base}/clip.mp4?X-Amz-Signature=secret"
KEYS = ["videos/2026_01_02_03_05_20_123_201553.mp4"]
SUCCESS = record("SUCCESS", KEYS, LINK)
ROOT_LINK = {**record("SUCCESS", KEYS), "temporaryUrl": LINK}
BARE = {
    "aiRecord": {
        "uuid": "record-1",
        "status": "SUCCESS",
        "temporaryUrl": LINK,
        "aiRecordDetail": {"resultObject": KEYS},
    }
}
RUNNING = record("PROCESSING")
WRONG = {"success": False, "error": {"code": "BAD", "message": "no such thing"}}
LUMA: dict[str, Any] = {"model": "1min/luma", "prompt": "waves", "duration_s": 5}


@contextmanager
def onemin(mock: OneMin, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The mock as 1min.ai, with its own address in the links of its answers."""

    def answer(method: str, path: str, body: bytes) -> tuple[int, Any]:
        status, found = mock.answer(method, path, body)
        return status, found if isinstance(found, bytes) else json.dumps(found).replace("{base}", base).encode()

    with serving(answer) as base:
        monkeypatch.setenv("ONEMIN_BASE_URL", base)
        yield


@pytest.mark.parametrize(
    ("submit", "polls"),
    [
        (SUCCESS, ()),
        (ROOT_LINK, ()),
        (BARE, ()),
        (SUCCESS, (RUNNING, SUCCESS)),
        (RUNNING, (SUCCESS,)),
        (RUNNING, ({"aiRecord": None}, RUNNING, record("SUCCESS"), record("SUCCESS", KEYS), SUCCESS)),
        (record("PROCESSING", None), (record("QUEUED", ""), ROOT_LINK)),
        (record("PENDING", {}), (BARE,)),
    ],
    ids=["sync", "sync, root link", "sync, bare", "sync, slow", "async", "late link", "odd words", "odd result"],
)
def test_1min_gives_the_clip_in_every_mode(
    client: Client, monkeypatch: pytest.MonkeyPatch, submit: Any, polls: tuple[Any, ...]
) -> None:
    mock = OneMin((200, submit), *polls)
    with onemin(mock, monkeypatch):
        made = outcome(client, **LUMA)
    assert isinstance(made, Clip), repr(made)
    assert made.path.read_bytes() == film()
    [sent] = mock.features
    assert (sent["type"], sent["model"], sent["promptObject"]["length"]) == ("TEXT_TO_VIDEO", "luma", 5)


@pytest.mark.parametrize(
    ("status", "answer", "kind", "text"),
    [
        (406, {"errorCode": "INSUFFICIENT_CREDITS", "message": "requires 4800 credits, but X only has 46 credits"},
         CreditError, "4,800 credits and the team has 46"),
        (200, record("SUCCESS", {"code": "INSUFFICIENT_CREDITS", "message": "no credits"}), CreditError, "no credits"),
        (400, {"errorCode": "EXTERNAL_API_RESPONSE_WITH_ERROR", "message": "busy, try again",
               "details": json.dumps({"response": {"status": 400, "data": {"message": "length must be 5"}}})},
         JobFailedError, "length must be 5"),
        (400, WRONG, JobFailedError, "no such thing"),
        (200, WRONG, JobFailedError, "no such thing"),
        (200, record("FAILURE", ["the seller failed"]), JobFailedError, "the seller failed"),
        (200, record("FAILED", [{"message": "the seller failed"}]), JobFailedError, "the seller failed"),
        (524, b"<html>error code 524</html>", JobAmbiguousError, "no usable reply"),
        (200, b"<html>a gateway</html>", JobAmbiguousError, "no usable reply"),
        (200, {}, JobAmbiguousError, "no usable reply"),
        (200, [], JobAmbiguousError, "no usable reply"),
    ],
)  # fmt: skip
def test_1mins_refusals_and_riddles_are_told_apart_and_never_sent_twice(
    client: Client, monkeypatch: pytest.MonkeyPatch, status: int, answer: Any, kind: type[VidnbError], text: str
) -> None:
    mock = OneMin((status, answer))
    with onemin(mock, monkeypatch):
        error = outcome(client, **LUMA)
    assert isinstance(error, VidnbError)
    assert isinstance(error, kind) or kind.__name__ in str(client.jobs()[0].error), repr(error)
    assert text in str(error)
    assert len(mock.features) == 1


PATH = "images/2026_01_02_03_04_05_678_cat.png"


@pytest.mark.parametrize("asset", [{"fileContent": {"path": PATH}}, {"asset": {"key": PATH}, "fileContent": None}])
def test_1min_moves_the_path_that_its_upload_gave(client: Client, monkeypatch: pytest.MonkeyPatch, asset: Any) -> None:
    mock = OneMin((200, SUCCESS), asset=asset)
    picture = Image.new("RGB", (320, 320), "teal")
    with onemin(mock, monkeypatch):
        made = outcome(client, "1min/leonardo-motion", start_image=picture, motion_strength=7)
    assert isinstance(made, Clip), repr(made)
    assert mock.features[0]["promptObject"] == {"imageUrl": PATH, "motion_strength": 7}
    [upload] = mock.uploads
    assert b'name="asset"; filename=' in upload
