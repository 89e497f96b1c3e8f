"""The conformance suite itself: a third party's provider passes it, and each broken promise fails its own test."""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Generator, Iterable, Mapping
from typing import Any, ClassVar

import pytest
from wire_samples import all_names, sample

from vidnb.catalog import Model, Param
from vidnb.errors import AuthError, ProviderError, RejectedError, UnexpectedReplyError
from vidnb.providers import Provider
from vidnb.providers.conformance import Conversations, ProviderConformance, Replies
from vidnb.records import Call, Callback, Cost, FilePart, Job, MediaFile, Rates, RemoteMedia, Reply, State, Status

MODEL = Model(
    "toy/one",
    "toy",
    "one",
    "v1",
    "Toy One",
    modes=("text", "image"),
    endpoints={"text": "/jobs", "image": "/jobs"},
    params={
        "prompt": Param("prompt", "text", required=True),
        "seed": Param("seed", "integer", default=7),
        "start_image": Param("start_image", "image"),
    },
)


class Toy(Provider):
    """A third party's service in its smallest form."""

    name: ClassVar[str] = "toy"
    title: ClassVar[str] = "Toy"
    base_url: ClassVar[str] = "https://toy.example"
    base_url_env: ClassVar[str] = "TOY_BASE_URL"
    key_env: ClassVar[str] = "TOY_API_KEY"
    rates: ClassVar[Rates] = Rates(60, 10, 2)

    def headers(self, key: str) -> dict[str, str]:
        return {"X-Key": key}

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        reply = yield Call("POST", "/files", file=FilePart("file", file.filename, file.content))
        return RemoteMedia(self.name, self._id(reply))

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        return Call("POST", "/jobs", json={**params, **{name: items[0].id for name, items in media.items()}})

    def submitted(self, reply: Reply) -> Status:
        return Status(self._id(reply), State.QUEUED)

    def poll(self, job: Job) -> Call:
        from urllib.parse import quote

        return Call("GET", f"/jobs/{quote(job.remote_id or '', safe='')}")

    def polled(self, reply: Reply, job: Job) -> Status:
        self._id(reply)
        word = str(reply.json.get("status"))
        return Status(job.remote_id or "", {"busy": State.RUNNING}.get(word), word)

    def check(self) -> Call:
        return Call("GET", "/me")

    def checked(self, reply: Reply) -> str:
        self._id(reply)
        return "the key is good"

    def explain(self, reply: Reply) -> ProviderError:
        kind = AuthError if reply.status_code == 401 else RejectedError
        return kind(f"Toy refused (HTTP {reply.status_code})", provider=self.name, status_code=reply.status_code)

    def _id(self, reply: Reply) -> str:
        if not 200 <= reply.status_code < 300:
            raise self.explain(reply)
        found = reply.json.get("id") if isinstance(reply.json, dict) else None
        if not isinstance(found, str) or not found:
            raise UnexpectedReplyError("Toy sent no id", provider=self.name, status_code=reply.status_code)
        return found


class ToyConformance(ProviderConformance):
    remote_id = "job-1"

    def submit_replies(self) -> Replies:
        return [(Reply(200, {"id": "job-1"}), Status("job-1", State.QUEUED)), (Reply(401), AuthError)]

    def poll_replies(self) -> Replies:
        return [(Reply(200, {"id": "job-1", "status": "busy"}), Status("job-1", State.RUNNING, "busy"))]

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        return [(Reply(401, {"message": "who are you"}), AuthError), (Reply(400), RejectedError)]

    def reply_with_word(self, word: str) -> Reply:
        return Reply(200, {"id": "job-1", "status": word})

    def check_reply(self) -> Reply:
        return Reply(200, {"id": "me"})

    def upload_replies(self) -> Iterable[Reply]:
        return [Reply(200, {"id": "file-1"})]

    def models(self, provider: Provider) -> list[Model]:
        return [MODEL]


class TestAThirdPartysProvider(ToyConformance):
    @pytest.fixture
    def provider(self) -> Provider:
        return Toy()


class Thorough(Toy):
    """A service that tells the clip in a call of its own, cancels, keeps files on another host and signs its calls."""

    other_hosts: ClassVar[Mapping[str, str]] = {"files": "https://files.toy.example"}

    def upload(self, file: MediaFile) -> Generator[Call, Reply, RemoteMedia]:
        start = Call("POST", "/files", json={"type": file.content_type}, host="files", headers={"X-Days": "1"})
        reply = yield start
        file_id = self._id(reply)
        yield Call("PUT", "https://store.example/up", content=file.content, headers={"Content-Type": file.content_type})
        return RemoteMedia(self.name, file_id)

    def polled(self, reply: Reply, job: Job) -> Status:
        status = super().polled(reply, job)
        return Status(status.remote_id, State.DOWNLOADING, "ready") if status.word == "ready" else status

    def result(self, job: Job) -> Call | None:
        return Call("GET", f"{self.poll(job).url}/result")

    def resulted(self, reply: Reply, job: Job) -> Status:
        self._id(reply)
        link = reply.json.get("link")
        if not isinstance(link, str):
            return Status(job.remote_id or "", State.FAILED, "ready", error="Toy gave no clip")
        return Status(job.remote_id or "", State.DOWNLOADING, "ready", video_url=link)

    def cancel(self, job: Job) -> Generator[Call, Reply, Status] | None:
        return self._cancelled(job)

    def _cancelled(self, job: Job) -> Generator[Call, Reply, Status]:
        reply = yield Call("POST", f"{self.poll(job).url}/cancel")
        self._id(reply)
        over = reply.json.get("status") == "cancelled"
        return Status(job.remote_id or "", State.CANCELLED if over else None, cost=Cost(0.0, "USD") if over else None)

    def is_genuine(self, callback: Callback, secret: str) -> bool:
        signature = hmac.new(secret.encode(), callback.body, "sha256").hexdigest()
        return hmac.compare_digest(callback.headers.get("x-signature", "").encode(), signature.encode())


class TestAServiceThatNeedsMoreThanOneCall(ToyConformance):
    @pytest.fixture
    def provider(self) -> Provider:
        return Thorough()

    def upload_replies(self) -> Iterable[Reply]:
        return [Reply(200, {"id": "file-1"}), Reply(200)]

    def result_replies(self) -> Replies:
        link = "https://cdn.toy.example/clip.mp4"
        return [
            (Reply(200, {"id": "job-1", "link": link}), Status("job-1", State.DOWNLOADING, "ready", video_url=link)),
            (Reply(200, {"id": "job-1"}), Status("job-1", State.FAILED, "ready", error="Toy gave no clip")),
        ]

    def cancel_replies(self) -> Conversations:
        over = Status("job-1", State.CANCELLED, cost=Cost(0, "USD"))
        return [
            ([Reply(200, {"id": "job-1", "status": "cancelled"})], over),
            ([Reply(202, {"id": "job-1"})], Status("job-1", None)),
            ([Reply(409, {"id": "job-1"})], RejectedError),
        ]


def test_a_plain_callback_is_genuine_with_the_secret_and_a_signed_one_with_its_signature() -> None:
    body = b'{"id": "job-1"}'
    signature = hmac.new(b"s3cret", body, "sha256").hexdigest()
    assert Toy().is_genuine(Callback({"authorization": "Bearer s3cret"}, body), "s3cret")
    assert not Toy().is_genuine(Callback({"authorization": "Bearer other"}, body), "s3cret")
    assert Thorough().is_genuine(Callback({"x-signature": signature}, body), "s3cret")
    assert not Thorough().is_genuine(Callback({"x-signature": signature}, body + b" "), "s3cret")


class Talkative(Toy):
    def explain(self, reply: Reply) -> ProviderError:
        error = super().explain(reply)
        return type(error)(f"{error}: {reply.json}", provider=self.name, status_code=reply.status_code)


class Leaky(Toy):
    def headers(self, key: str) -> dict[str, str]:
        self.key = key
        return super().headers(key)

    def check(self) -> Call:
        return Call("GET", f"/me?key={getattr(self, 'key', '')}")


class Straying(Toy):
    def poll(self, job: Job) -> Call:
        return Call("GET", f"https://elsewhere.example/jobs/{job.remote_id}")


class Forgetful(Toy):
    ids = itertools.count()

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        call = super().submit(model, params, media)
        return Call("POST", call.url, json={**call.json, "nonce": next(self.ids)})


class Hasty(Toy):
    def polled(self, reply: Reply, job: Job) -> Status:
        status = super().polled(reply, job)
        return status if status.state else Status(job.remote_id or "", State.FAILED, status.word, error="unknown")


class Trusting(Toy):
    def submitted(self, reply: Reply) -> Status:
        return Status(reply.json["id"], State.QUEUED)


class Careless(Toy):
    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        return Call("POST", "/jobs", json={"seed": params.get("seed")})


class Unguarded(Toy):
    def poll(self, job: Job) -> Call:
        return Call("GET", f"/jobs/{job.remote_id}")


class Lost(Toy):
    def poll(self, job: Job) -> Call:
        return Call("GET", super().poll(job).url, host="nowhere")


class Gullible(Toy):
    def is_genuine(self, callback: Callback, secret: str) -> bool:
        return True


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (Talkative, "test_no_secret_gets_into_a_message"),
        (Leaky, "test_the_key_is_in_the_headers_and_in_no_call"),
        (Straying, "test_only_paths_on_its_own_host_are_sent_with_the_key"),
        (Forgetful, "test_the_same_values_give_the_same_call"),
        (Hasty, "test_an_unknown_status_word_keeps_the_job_alive"),
        (Trusting, "test_garbage_is_never_anything_but_a_provider_error"),
        (Careless, "test_every_model_can_be_submitted_with_its_defaults"),
        (Unguarded, "test_an_id_cannot_lead_a_poll_to_another_path"),
        (Lost, "test_only_paths_on_its_own_host_are_sent_with_the_key"),
        (Gullible, "test_garbage_is_never_anything_but_a_provider_error"),
        (Thorough, "test_each_answer_about_a_result_means_what_it_should"),
        (Thorough, "test_each_answer_to_a_cancel_means_what_it_should"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_a_broken_promise_fails_its_own_test(broken: type[Toy], promise: str) -> None:
    suite = ToyConformance()
    getattr(suite, promise)(Toy())
    with pytest.raises((AssertionError, TypeError, KeyError, AttributeError, ExceptionGroup)):
        getattr(suite, promise)(broken())


@pytest.mark.parametrize("name", all_names())
def test_every_wire_sample_says_where_and_when_it_was_seen(name: str) -> None:
    found = sample(name)
    assert found.source
    assert found.mark in ("confirmed", "inferred")
    assert len(found.date.split("-")) == 3


@pytest.mark.parametrize("name", all_names())
def test_every_wire_sample_is_read_by_a_test(name: str, request: pytest.FixtureRequest) -> None:
    folder = request.path.parent
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("test_*.py") if path != request.path]
    assert any(f'"{name}"' in text for text in texts), f"no test reads {name}"
