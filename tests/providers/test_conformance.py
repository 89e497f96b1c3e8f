"""The conformance suite itself: a third party's provider passes it, and each broken promise fails its own test."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterable, Mapping
from typing import Any, ClassVar

import pytest
from providers.wire import all_names, sample

from vidnb.catalog import Model, Param
from vidnb.errors import AuthError, ProviderError, RejectedError, UnexpectedReplyError
from vidnb.providers import Provider
from vidnb.providers.conformance import ProviderConformance, Replies
from vidnb.records import Call, FilePart, MediaFile, Rates, RemoteMedia, Reply, State, Status

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

    def poll(self, remote_id: str) -> Call:
        from urllib.parse import quote

        return Call("GET", f"/jobs/{quote(remote_id, safe='')}")

    def polled(self, reply: Reply, remote_id: str) -> Status:
        self._id(reply)
        word = str(reply.json.get("status"))
        return Status(remote_id, {"busy": State.RUNNING}.get(word), word)

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
    def poll(self, remote_id: str) -> Call:
        return Call("GET", f"https://elsewhere.example/jobs/{remote_id}")


class Forgetful(Toy):
    ids = itertools.count()

    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        call = super().submit(model, params, media)
        return Call("POST", call.url, json={**call.json, "nonce": next(self.ids)})


class Hasty(Toy):
    def polled(self, reply: Reply, remote_id: str) -> Status:
        status = super().polled(reply, remote_id)
        return status if status.state else Status(remote_id, State.FAILED, status.word, error="unknown")


class Trusting(Toy):
    def submitted(self, reply: Reply) -> Status:
        return Status(reply.json["id"], State.QUEUED)


class Careless(Toy):
    def submit(self, model: Model, params: Mapping[str, Any], media: Mapping[str, list[RemoteMedia]]) -> Call:
        return Call("POST", "/jobs", json={"seed": params.get("seed")})


class Unguarded(Toy):
    def poll(self, remote_id: str) -> Call:
        return Call("GET", f"/jobs/{remote_id}")


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
