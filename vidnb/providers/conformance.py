"""The suite that every provider passes, to be inherited by a test class: `class TestMine(ProviderConformance)`.

It needs pytest and hypothesis (the extra `test`), imported only when a test runs. Give it the provider and what the
service answers, as (reply, what vidnb should make of it); the suite checks the promises of `Provider`: pure calls, the
key in the headers and nowhere else, unknown words that keep the job alive, garbage that never becomes anything but a
`ProviderError`, and messages without secrets.

    class TestMine(ProviderConformance):
        remote_id = "job-1"

        @pytest.fixture
        def provider(self):
            return Mine()

        def submit_replies(self):
            return [(Reply(200, {"id": "job-1"}), Status("job-1", State.RUNNING)), (Reply(401), AuthError)]
        ...
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from vidnb import catalog
from vidnb.catalog import MEDIA_KINDS, Model, Param
from vidnb.errors import AuthError, ProviderError
from vidnb.providers.base import Exchange, Provider
from vidnb.records import Call, Callback, Job, MediaFile, RemoteJob, RemoteMedia, Reply, State, Status

Expected = Status | type[ProviderError]
Replies = Iterable[tuple[Reply, Expected]]
Conversations = Iterable[tuple[Sequence[Reply], Expected]]

KEY = "5ec4e700-0000-4000-8000-00000000cafe"
USER = "0badc0de-1111-4222-8333-444455556666"
SIGNATURE = "deadbeefdeadbeefdeadbeefdeadbeef"
SECRETS = (KEY, USER, SIGNATURE)
PLANTED = f" userId: {USER} api-key={KEY} https://store.example/clip.mp4?X-Amz-Signature={SIGNATURE}"
PLAIN_ID = "an-id-without-anything-odd"
LONGEST_EXCHANGE = 8
STATUS_CODES = (200, 201, 204, 302, 400, 401, 402, 403, 404, 406, 408, 422, 429, 500, 502, 503, 504, 522, 524)
PAGES = (
    "",
    "<html><body>524: A timeout occurred</body></html>",
    "error code: 1015",
    "not json {",
    "null",
    "\x00\ud800",
)


class ProviderConformance:
    """Promises of a provider, one test each; a subclass gives a `provider` fixture and the methods below."""

    remote_id: str = "6f1c9a52-3c0b-4d57-9a34-0b9f2f7f6f0e"
    """An id as the service gives it; the poll replies are answers about this job."""

    # -- what a subclass gives

    def submit_replies(self) -> Replies:
        """Answers to the paid POST, each with the Status or the error class that it means."""
        raise NotImplementedError

    def poll_replies(self) -> Replies:
        """Answers to the status request about `remote_id`, likewise."""
        raise NotImplementedError

    def error_replies(self) -> Iterable[tuple[Reply, type[ProviderError]]]:
        """Refusals of any call, each with the error class that `explain` makes of it."""
        raise NotImplementedError

    def reply_with_word(self, word: str) -> Reply:
        """An answer about `remote_id`, well-formed but for a status word that the vendor never documented."""
        raise NotImplementedError

    def check_reply(self) -> Reply:
        """The answer to `check` for a good key."""
        raise NotImplementedError

    def upload_replies(self) -> Iterable[Reply]:
        """The answers of one successful upload, in order."""
        raise NotImplementedError

    def result_replies(self) -> Replies:
        """Answers to the request for the result of `remote_id`; none where the poll tells the link."""
        return ()

    def cancel_replies(self) -> Conversations:
        """The answers of each exchange that cancels `remote_id`, in order; none where the service cannot cancel."""
        return ()

    def recent_replies(self) -> Iterable[Reply]:
        """The answers of one successful listing, in order; none where the service has no list."""
        return ()

    def models(self, provider: Provider) -> list[Model]:
        """The models to submit: all of the provider's in the catalogue."""
        return [model for model in catalog.load().values() if model.provider == provider.name]

    def job(self, provider: Provider, remote_id: str) -> Job:
        """A job on its way, as `poll`, `result` and `cancel` see it: of the first model, with its fewest values."""
        model = self.models(provider)[0]
        return Job(
            id="0" * 32, provider=provider.name, model=model.id, recipe_hash="0" * 64, take=0, state=State.RUNNING,
            params=least(model, model.modes[0])[0], images={}, emulated=False, base_url=provider.base_url,
            created_at=datetime(2026, 1, 1, tzinfo=UTC), submitted_at=datetime(2026, 1, 1, tzinfo=UTC),
            remote_id=remote_id,
        )  # fmt: skip

    def media_files(self) -> list[MediaFile]:
        """The files to upload: one image."""
        return [MediaFile("ab" * 32, "png", "image/png", b"\x89PNG\r\n\x1a\n", 640, 360)]

    # -- the promises

    def test_it_says_who_it_is_and_where_it_answers(self, provider: Provider) -> None:
        assert provider.name
        assert provider.title
        assert provider.base_url.startswith("https://") or (provider.server_file and _is_here(provider.base_url))
        assert not provider.base_url.endswith("/")
        assert provider.key_env.isupper()
        assert provider.base_url_env.isupper()
        rates = provider.rates
        assert min(rates.requests_per_minute, rates.submits_per_minute, rates.in_flight, rates.poll_every_s) > 0

    def test_the_key_is_in_the_headers_and_in_no_call(self, provider: Provider) -> None:
        assert any(KEY in value for value in provider.headers(KEY).values())
        assert not any(KEY in header for header in provider.headers(KEY))
        for call in self._calls(provider):
            assert KEY not in repr((call.url, call.json, call.form)), call.url

    def test_only_paths_on_its_own_host_are_sent_with_the_key(self, provider: Provider) -> None:
        for call in self._own_calls(provider):
            assert call.authorized, f"{call.url!r} is one of the service's own calls and goes without the key"
            assert not call.url.startswith("//"), f"{call.url!r} would leave the service's host"
            assert not call.host or provider.other_hosts[call.host].startswith("https://"), call.host
        for call in self._calls(provider):
            assert call.authorized or call.url.startswith(("https://", "http://")), call.url

    def test_the_same_values_give_the_same_call(self, provider: Provider) -> None:
        assert list(self._calls(provider)) == list(self._calls(provider))

    def test_the_same_reply_gives_the_same_answer(self, provider: Provider) -> None:
        for read, reply, _ in self._readings(provider):
            assert _outcome(read, reply) == _outcome(read, reply)

    def test_a_call_is_plain_data(self, provider: Provider) -> None:
        for call in self._calls(provider):
            assert json.loads(json.dumps(call.json, allow_nan=False)) == call.json, call
            assert call.method in ("GET", "POST", "PUT", "PATCH", "DELETE")

    def test_every_model_can_be_submitted_with_its_defaults(self, provider: Provider) -> None:
        models = self.models(provider)
        assert models, f"the catalogue has no model of {provider.name!r}"
        for model in models:
            for mode in model.modes:
                values, media = least(model, mode)
                call = provider.submit(model, values, media)
                assert call.method == "POST", model.id
                sent = json.dumps(call.json, ensure_ascii=False)
                assert "prompt" not in values or values["prompt"] in sent, f"{model.id}: the prompt is not sent"
                for name, items in media.items():
                    assert all(item.id in sent for item in items), f"{model.id}: {name} is not sent"

    def test_each_answer_to_a_submit_means_what_it_should(self, provider: Provider) -> None:
        for reply, expected in self.submit_replies():
            assert _outcome(provider.submitted, reply)[0] == expected, reply

    def test_each_answer_to_a_poll_means_what_it_should(self, provider: Provider) -> None:
        for reply, expected in self.poll_replies():
            assert _outcome(self._readers(provider)[0], reply)[0] == expected, reply

    def test_each_answer_about_a_result_means_what_it_should(self, provider: Provider) -> None:
        job, replies = self.job(provider, self.remote_id), list(self.result_replies())
        assert (provider.result(job) is not None) == bool(replies), "result() and result_replies() go together"
        for reply, expected in replies:
            assert _outcome(lambda reply: provider.resulted(reply, job), reply)[0] == expected, reply

    def test_each_answer_to_a_cancel_means_what_it_should(self, provider: Provider) -> None:
        job, exchanges = self.job(provider, self.remote_id), list(self.cancel_replies())
        assert (provider.cancel(job) is not None) == bool(exchanges), "cancel() and cancel_replies() go together"
        for replies, expected in exchanges:
            exchange = provider.cancel(job)
            assert exchange is not None
            try:
                outcome: Any = drive(exchange, replies)[1]
            except ProviderError as error:
                outcome = type(error)
            assert outcome == expected, replies

    def test_each_refusal_is_explained_as_the_most_exact_class(self, provider: Provider) -> None:
        for reply, expected in self.error_replies():
            error = provider.explain(reply)
            assert type(error) is expected, f"{error!r} from {reply}"
            assert error.provider == provider.name
            assert error.status_code == reply.status_code
            assert str(error).strip()

    def test_the_id_of_a_submit_is_asked_for_and_comes_back(self, provider: Provider) -> None:
        accepted = [expected.remote_id for _, expected in self.submit_replies() if isinstance(expected, Status)]
        assert accepted, "no submit reply is a success"
        for remote_id in accepted:
            job = self.job(provider, remote_id)
            assert quote(remote_id, safe="") in provider.poll(job).url
            assert provider.polled(self.reply_with_word("?"), job).remote_id == remote_id

    def test_an_id_cannot_lead_a_poll_to_another_path(self, provider: Provider) -> None:
        for remote_id in ("../me", "a/b", "x?y=1", "x#y", "//host/x"):
            for call_for in (provider.poll, provider.result, lambda job: next(provider.cancel(job) or iter(()), None)):
                plain = call_for(self.job(provider, PLAIN_ID))
                if plain is not None:
                    odd = call_for(self.job(provider, remote_id))
                    assert odd is not None
                    assert odd.url == plain.url.replace(PLAIN_ID, quote(remote_id, safe=""))

    def test_an_unknown_status_word_keeps_the_job_alive(self, provider: Provider) -> None:
        for word in ("PAUSED", "MODERATING", "quelque chose", "完了"):
            status = provider.polled(self.reply_with_word(word), self.job(provider, self.remote_id))
            assert status.state is None, status
            assert status.word == word

    def test_a_finished_job_has_a_link_and_a_failed_one_a_reason(self, provider: Provider) -> None:
        asked_for = provider.result(self.job(provider, self.remote_id)) is not None
        for reply, expected in (*self.submit_replies(), *self.poll_replies(), *self.result_replies()):
            if isinstance(expected, Status):
                assert expected.state is not State.FAILED or expected.error, reply
                assert expected.state is not State.DOWNLOADING or expected.link or asked_for, reply
                assert not expected.video_url or expected.video_url not in repr(expected)

    def test_a_clip_within_an_answer_is_announced_and_a_links_end_is_a_moment(self, provider: Provider) -> None:
        for reply, expected in (*self.submit_replies(), *self.poll_replies(), *self.result_replies()):
            if not isinstance(expected, Status) or expected.link is None:
                continue
            link = expected.link
            if link.content is not None or link.is_data:
                assert provider.answers_hold_clips, "set answers_hold_clips: else a larger clip would be cut off"
                assert link.content is None or link.content, "a clip of no bytes is none"
                assert str(link.content) not in repr(expected), reply
                assert link.whole[:100] not in repr(link) or not link.is_data
            if link.ends_at is not None:
                assert link.whole, "only an address can end"
                assert link.ends_at.tzinfo is not None, "say it in UTC, with datetime.fromtimestamp(seconds, UTC)"

    def test_an_upload_ends_with_a_handle(self, provider: Provider) -> None:
        for file in self.media_files():
            calls, handle = drive(provider.upload(file), self.upload_replies())
            assert isinstance(handle, RemoteMedia)
            assert handle.provider == provider.name
            assert handle.id
            sent = [call.file.content if call.file else call.content for call in calls if call.file or call.content]
            assert sent == [file.content] or (not calls and handle.kind == "INLINE"), "the file goes up once"

    def test_a_listing_ends_with_jobs(self, provider: Provider) -> None:
        exchange = provider.recent(7, [self.job(provider, self.remote_id)])
        replies = list(self.recent_replies())
        assert (exchange is None) == (not replies), "a list needs replies, and only a list has them"
        if exchange is not None:
            jobs = drive(exchange, replies)[1]
            assert jobs
            assert all(isinstance(job, RemoteJob) and job.remote_id for job in jobs)

    def test_a_listed_job_stands_as_a_poll_would_say(self, provider: Provider) -> None:
        exchange = provider.recent(7, [self.job(provider, self.remote_id)])
        if exchange is None:
            return
        for job in drive(exchange, self.recent_replies())[1]:
            if (status := job.status) is not None:
                assert status.remote_id == job.remote_id
                assert status.state is not State.FAILED or status.error
                assert status.state is not State.DOWNLOADING or status.link
                assert not status.video_url or status.video_url not in repr(job)

    def test_a_good_key_is_told_in_one_line(self, provider: Provider) -> None:
        told = provider.checked(self.check_reply())
        assert told.strip()
        assert "\n" not in told

    def test_a_bad_key_is_an_auth_error(self, provider: Provider) -> None:
        refusals = [reply for reply, expected in self.error_replies() if expected is AuthError]
        assert refusals, "no refusal of a key is among the error replies"
        for reply in refusals:
            assert _outcome(provider.checked, reply)[0] is AuthError

    def test_no_secret_gets_into_a_message(self, provider: Provider) -> None:
        for read, reply, _ in self._readings(provider):
            for everywhere in (True, False):
                body = _planted(reply.json, everywhere)
                planted = Reply(reply.status_code, body, reply.text + PLANTED, reply.headers)
                shown = " ".join(_messages(_outcome(read, planted)))
                assert not [secret for secret in SECRETS if secret in shown], shown

    def test_garbage_is_never_anything_but_a_provider_error(self, provider: Provider) -> None:
        from hypothesis import HealthCheck, given, settings
        from hypothesis import strategies as st

        samples = [reply.json for _, reply, _ in self._readings(provider) if reply.json is not None]
        bodies = st.one_of(_junk(st), _damaged(st, samples))
        headers = st.sampled_from([{}, {"Retry-After": "soon"}, {"retry-after": "-3"}, {"Retry-After": "Wed, 99 Foo"}])

        @settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.sampled_from(STATUS_CODES), bodies, st.sampled_from(PAGES), headers)
        def answer(status_code: int, body: Any, text: str, said: Mapping[str, str]) -> None:
            self._survives(provider, Reply(status_code, body, text, said))

        answer()

    # -- how

    def _survives(self, provider: Provider, reply: Reply) -> None:
        """Let every reader have the reply; any exception but a ProviderError fails the test."""
        assert isinstance(provider.explain(reply), ProviderError)
        for read in (provider.submitted, *self._readers(provider)):
            found = _outcome(read, reply)[0]
            assert not isinstance(found, Status) or found.remote_id
            assert found is not ProviderError, "a subclass says more"
        told = _outcome(provider.checked, reply)[0]
        assert isinstance(told, type | str)
        callback = Callback({}, reply.text.encode("utf-8", "replace"), reply.json)
        assert provider.is_genuine(callback, "a secret that it does not carry") is False
        assert provider.is_genuine(replace(callback, headers={"authorization": "Bearer "}), "") is False
        webhook_id = provider.webhook_id(callback)
        assert webhook_id is None or isinstance(webhook_id, str)
        for file in self.media_files():
            _exchange(provider.upload(file), [reply, reply])
        job = self.job(provider, self.remote_id)
        prices = provider.listed_prices(self.models(provider))
        for exchange in (provider.recent(3, [job]), provider.cancel(job), prices):
            if exchange is not None:
                _exchange(exchange, [reply] * LONGEST_EXCHANGE)

    def _own_calls(self, provider: Provider) -> list[Call]:
        job = self.job(provider, self.remote_id)
        calls = [provider.poll(job), provider.check()]
        for model in self.models(provider):
            calls += [provider.submit(model, *least(model, mode)) for mode in model.modes]
        recent = provider.recent(7, [job])
        if recent is not None:
            calls += drive(recent, self.recent_replies())[0]
        cancelling = provider.cancel(job)
        if cancelling is not None:
            calls += drive(cancelling, next(iter(self.cancel_replies()))[0])[0]
        if (prices := provider.listed_prices(self.models(provider))) is not None:
            calls.append(next(prices))
        result = provider.result(job)
        return calls if result is None else [*calls, result]

    def _calls(self, provider: Provider) -> list[Call]:
        uploads = [drive(provider.upload(file), self.upload_replies())[0] for file in self.media_files()]
        return self._own_calls(provider) + [call for calls in uploads for call in calls]

    def _readings(self, provider: Provider) -> list[tuple[Callable[[Reply], Any], Reply, Expected]]:
        """Each sample reply with the method that reads it."""
        polled, resulted = self._readers(provider)
        return [
            *((provider.submitted, reply, expected) for reply, expected in self.submit_replies()),
            *((polled, reply, expected) for reply, expected in self.poll_replies()),
            *((resulted, reply, expected) for reply, expected in self.result_replies()),
            *((_raised(provider), reply, expected) for reply, expected in self.error_replies()),
        ]

    def _readers(self, provider: Provider) -> list[Callable[[Reply], Status]]:
        """What reads an answer about a job: `polled` and `resulted`."""
        job = self.job(provider, self.remote_id)
        return [
            lambda reply: provider.polled(reply, job),
            lambda reply: provider.resulted(reply, job),
        ]


def least(model: Model, mode: str) -> tuple[dict[str, Any], dict[str, list[RemoteMedia]]]:
    """The fewest values and inputs with which a model can be asked in a mode: its defaults and what it requires."""
    values: dict[str, Any] = {}
    media: dict[str, list[RemoteMedia]] = {}
    for name, param in model.params.items():
        if not model.accepts(name, mode):
            continue
        if param.kind in MEDIA_KINDS:
            if param.required or (name == "start_image" and mode == "image"):
                media[name] = [RemoteMedia(model.provider, f"0a0a0a0a-{name.replace('_', '-')}")]
        elif param.default is not None or param.required:
            values[name] = _some(param) if param.default is None else param.default
    if model.size_default:
        values |= {"width_px": model.size_default[0], "height_px": model.size_default[1]}
    return values, media


def drive(exchange: Exchange, replies: Iterable[Reply]) -> tuple[list[Call], Any]:
    """The calls that an exchange makes when it is sent these replies, and what it returns.

    Raises:
        ProviderError: the exchange raised it.
        AssertionError: it wants more replies than there are.
    """
    calls: list[Call] = []
    waiting = iter(replies)
    try:
        calls.append(next(exchange))
        while True:
            reply = next(waiting, None)
            assert reply is not None, f"the exchange wants one more reply, to {calls[-1].method} {calls[-1].url}"
            calls.append(exchange.send(reply))
    except StopIteration as end:
        return calls, end.value


def _exchange(exchange: Generator[Call, Reply, Any], replies: list[Reply]) -> None:
    """Let an exchange have the replies; only a ProviderError may come out of it."""
    try:
        drive(exchange, replies)
    except ProviderError:
        return


def _outcome(read: Callable[[Reply], Any], reply: Reply) -> tuple[Any, ...]:
    """What a method makes of a reply: (value, its repr) or (error class, message, repr, code)."""
    try:
        found = read(reply)
    except ProviderError as error:
        return type(error), str(error), repr(error), error.code
    return found, repr(found)


def _messages(outcome: tuple[Any, ...]) -> list[str]:
    """What a person would read: a status's reason, or an error's message and code; ids and links are data."""
    said = [outcome[0].error] if isinstance(outcome[0], Status) else list(outcome[1:])
    return [str(text) for text in said if text]


def _is_here(url: str) -> bool:
    """Return whether an address is one of this machine: a user's own server needs no https."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def _raised(provider: Provider) -> Callable[[Reply], Status]:
    def read(reply: Reply) -> Status:
        raise provider.explain(reply)

    return read


def _some(param: Param) -> Any:
    """A value that the param surely takes."""
    if param.choices:
        return [param.choices[0]] if param.kind == "choices" else param.choices[0]
    if param.kind in ("integer", "number"):
        return int(param.min) if param.min is not None else 1
    return {"boolean": False, "elements": []}.get(param.kind, f"some {param.name} with ünïcode & <b>")


def _planted(body: Any, everywhere: bool) -> Any:
    """The body with secrets behind every text in it, or only behind sentences, so that ids and words stay good."""
    if isinstance(body, Mapping):
        return {key: _planted(value, everywhere) for key, value in body.items()}
    if isinstance(body, list):
        return [_planted(value, everywhere) for value in body]
    return body + PLANTED if isinstance(body, str) and (everywhere or " " in body) else body


def _junk(st: Any) -> Any:
    """Any JSON value, and the usual wrong ones."""
    plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
    return st.recursive(
        plain,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
        max_leaves=8,
    )


def _damaged(st: Any, samples: list[Any]) -> Any:
    """A sample body in which one part is replaced by junk: it gets far deeper than junk alone."""
    spots = [(body, path) for body in samples for path in _paths(body)]
    return st.builds(lambda spot, junk: _replaced(spot[0], spot[1], junk), st.sampled_from(spots), _junk(st))


def _paths(body: Any, path: tuple[Any, ...] = ()) -> Iterable[tuple[Any, ...]]:
    yield path
    inside = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in inside:
        yield from _paths(value, (*path, key))


def _replaced(body: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    copy = dict(body) if isinstance(body, dict) else list(body)
    copy[path[0]] = _replaced(copy[path[0]], path[1:], junk)
    return copy
