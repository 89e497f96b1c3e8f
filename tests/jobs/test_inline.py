"""A service that sends the clip within its answer, or says when its link ends: the clip is stored, paid once."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from clocks import SkippingClock
from fakes import Scripted, no_rest
from stranger import film

from vidnb import catalog, plugins, providers
from vidnb.client.asynchronous import AsyncClient
from vidnb.net import answers
from vidnb.records import Link, State

pytestmark = pytest.mark.anyio

ACME = Path(__file__).parents[1] / "support" / "acme"
BASE64 = base64.b64encode(film(40)).decode()
FORMS = {
    "bytes": {"video": BASE64},
    "data in base64": {"url": f"data:video/mp4;base64,{BASE64}"},
    "data without padding": {"url": f"DATA:video/mp4;codecs=avc1;base64,{BASE64.rstrip('=')}"},
    "data in percent signs": {"url": f"data:video/mp4,{quote(film(40))}"},
}
HOUR_S = 3600.0


@pytest.fixture(scope="module", autouse=True)
def acme() -> Iterator[None]:
    """Acme's provider and catalogue, as if they were installed."""
    remembered: list[Any] = [plugins.points, plugins.load, providers.get, catalog.load]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ACME)
        patch.setitem(plugins.BUILT_IN[plugins.PROVIDERS], "acme", "vidnb_acme.provider:Acme")
        patch.setattr(plugins, "catalogues", lambda: [ACME / "vidnb_acme" / "models.toml"])
        for one in remembered:
            one.cache_clear()
        yield
    for one in remembered:
        one.cache_clear()


def service_of(polled: Callable[[], dict[str, Any]], *, live: Callable[[str], bool] = lambda path: True) -> Scripted:
    """A service whose jobs are ready at once, and whose links work while `live` says so."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "files.acme.example":
            status = 200 if live(request.url.path) else 403
            return httpx.Response(status, stream=httpx.ByteStream(film(40) if status == 200 else b"ended"))
        told = {"usd": 0.02} if request.method == "POST" else {"state": "ready", **polled()}
        return httpx.Response(200, json={"id": "a-1", **told})

    return Scripted(answer)


def client_of(home: Path, service: Scripted, **options: Any) -> AsyncClient:
    return AsyncClient(home, keys={"acme": "a-key"}, transport=service, **{"sleep": no_rest, **options})


@pytest.mark.parametrize("form", FORMS)
async def test_a_clip_within_the_answer_is_stored_and_can_be_had_again(tmp_path: Path, form: str) -> None:
    service = service_of(lambda: FORMS[form])
    async with client_of(tmp_path, service) as client:
        clip = await client.generate("a koala", model="acme/koala")
        assert clip.read() == film(40)
        clip.path.unlink()
        assert (await client.generate("a koala", model="acme/koala")).read() == film(40)
        assert clip.job.id == (await client.generate("a koala", model="acme/koala")).job.id
    assert [request.method for request in service.requests] == ["POST", "GET", "GET"]


async def test_a_clip_that_is_larger_than_any_other_answer_comes_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_REPLY_BYTES", len(film(40)) // 2)
    async with client_of(tmp_path, service_of(lambda: FORMS["bytes"])) as client:
        assert (await client.generate("a koala", model="acme/koala")).read() == film(40)


@pytest.mark.parametrize("spoiled", ["data:video/mp4;base64,###", "data:video/mp4;base64,", "data:text/plain,hello"])
async def test_an_address_that_holds_no_clip_leaves_the_job_to_be_asked_again(tmp_path: Path, spoiled: str) -> None:
    told = {"url": spoiled}
    service = service_of(lambda: told)
    async with client_of(tmp_path, service) as client:
        job = await client.submit("a koala", model="acme/koala")
        with pytest.raises(Exception, match=r"clip that came|no base64|empty"):
            await client.wait(job, quiet=True)
        assert client.job(job).state is State.DOWNLOADING
        told["url"] = f"data:video/mp4;base64,{BASE64}"
        assert (await client.generate("a koala", model="acme/koala")).read() == film(40)
    assert len([request for request in service.requests if request.method == "POST"]) == 1


async def test_a_link_that_has_ended_is_asked_for_anew_and_never_fetched(tmp_path: Path) -> None:
    clock, polls = SkippingClock(), 0

    def polled() -> dict[str, Any]:
        nonlocal polls
        polls += 1
        name, ends_s = ("old", -1.0) if polls == 1 else ("new", HOUR_S)
        return {"url": f"https://files.acme.example/{name}.mp4", "url_ends": clock.now() + ends_s}

    service = service_of(polled, live=lambda path: path == "/new.mp4")
    async with client_of(tmp_path, service, sleep=None, clock=clock) as client:
        assert (await client.generate("a koala", model="acme/koala")).read() == film(40)
    assert [request.url.path for request in service.requests if "files" in request.url.host] == ["/new.mp4"]


async def test_a_clock_that_is_wrong_does_not_keep_a_good_link_from_being_fetched(tmp_path: Path) -> None:
    clock = SkippingClock()
    ended = {"url": "https://files.acme.example/good.mp4", "url_ends": clock.now() - HOUR_S}
    service = service_of(lambda: ended)
    async with client_of(tmp_path, service, sleep=None, clock=clock) as client:
        assert (await client.generate("a koala", model="acme/koala")).read() == film(40)
    assert len([request for request in service.requests if request.method == "GET"]) == 3


def test_a_link_shows_neither_the_clip_nor_its_signature() -> None:
    shown = [repr(Link("", content=film(40))), repr(Link(FORMS["data in base64"]["url"]))]
    assert all(len(text) < 60 and BASE64[:20] not in text for text in shown)
